package apply_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// settable are values as people type them, for every key that a tunnel has.
func settable() map[string][]string {
	return map[string][]string{
		"exchange":                     {"ike2", "main", "aggressive"},
		"note":                         {"ask-mei", "none"},
		"profile.encryption":           {"aes-256", "aes-128,aes-192", "3des", "aes-256,aes-128"},
		"profile.hash":                 {"sha256", "sha512", "sha1", "md5"},
		"profile.dh-groups":            {"ecp384,modp2048", "modp4096", "ecp256", "modp1024"},
		"profile.lifetime":             {"1d", "8h", "90m"},
		"profile.dpd-interval":         {"8s", "30s", "off"},
		"profile.dpd-maximum-failures": {"4", "1", "9"},
		"profile.nat-traversal":        {"yes", "no"},
		"proposal.encryption":          {"aes-256-cbc", "aes-128-gcm,aes-256-gcm", "aes-256-gcm,aes-256-cbc", "3des", "camellia-256"},
		"proposal.auth":                {"sha256", "sha512,sha1"},
		"proposal.pfs-group":           {"ecp384", "none", "modp2048", "modp1024"},
		"proposal.lifetime":            {"30m", "1h"},
		"hq.prefixes":                  {"192.168.77.0/24", "192.168.77.0/25", "192.168.77.0/25,192.168.77.128/25", "10.0.0.0/24"},
		"fengshan.prefixes":            {"192.168.88.0/24", "192.168.88.0/26", "192.168.88.0/24,192.168.89.0/24"},
		"hq.role":                      {"initiate", "respond", "both"},
		"fengshan.role":                {"initiate", "respond", "both"},
		"hq.id":                        {"fqdn:gw.hq.example", "none", "address:203.0.113.10", "user-fqdn:a@b.example"},
		"fengshan.id":                  {"fqdn:gw.fengshan.example", "none", "key-id:fengshan"},
		"hq.probes":                    {"192.168.77.1", "none"},
		"fengshan.probes":              {"192.168.88.1", "none", "192.168.1.1"},
		"hq.wan":                       {"ether1", "ether3"},
		"fengshan.router":              {"gw-fengshan", "gw-hq"},
	}
}

// drawSettings draws some values; a network that changes takes its probes along.
func drawSettings(t *rapid.T, most int) []string {
	all := settable()
	keys := slices.Sorted(maps.Keys(all))
	var words []string
	for n := range rapid.IntRange(1, most).Draw(t, "settings") {
		key := rapid.SampledFrom(keys).Draw(t, "key")
		if slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, key+"=") }) {
			continue
		}
		words = append(words, key+"="+rapid.SampledFrom(all[key]).Draw(t, "value"))
		if site, is := strings.CutSuffix(key, ".prefixes"); is && n == 0 {
			words = append(words, site+".probes="+map[string]string{"hq": "192.168.77.1", "fengshan": "192.168.88.1"}[site])
		}
	}
	return words
}

// tunnelTrial plays one change of a tunnel, once or twice, and what is true of each.
type tunnelTrial struct {
	*world
	verb   string
	make   planner
	words  []string
	strike int
	twice  bool
}

func (c tunnelTrial) planner() (change.Plan, error) {
	in := c.change(c.verb)
	in.Intent.Settings = typed(c.tester, c.words...)
	return c.make(in)
}

func (c tunnelTrial) play() (change.Request, string) {
	c.Helper()
	return trial{c.world, names, c.planner, c.strike, c.twice}.play()
}

// Ensure a tunnel is given any values that people can name, on any two routers, by
// exactly the planned rows, or is refused or left as it was; that what is defined
// then is what the routers hold, and is not planned again; that making it anew gives
// the same rows; and that once it is removed others' rows are all that is left.
func TestEngine_Set_Worlds(t *testing.T) {
	worlds := 12
	if sparse {
		worlds /= 4
	}
	outcomes := map[string]int{}
	property(t, worlds, func(t *rapid.T) {
		d := drawWild(t, false)
		words := drawSettings(t, 3)
		strike := max(0, rapid.IntRange(-9, 8).Draw(t, "refused write"))
		outcomes[trySet(t, d, words, strike)]++
	})
	t.Log(outcomes)
}

func trySet(t tester, d wild, words []string, strike int) string {
	w := wildWorld(t, d)
	defer w.close()
	w.defines()
	kept := [2]kept{w.keep(d, 0), w.keep(d, 1)}
	r, outcome := tunnelTrial{w, "tunnel set", vpn.PlanSet, words, strike, strike == 0}.play()
	for _, k := range kept {
		k.untouched(w, "set")
	}
	if r.State != change.Committed && r.State != change.Applied {
		if r.State == change.Reverted && strike == 0 {
			w.Errorf("set %v: %v (%v)", words, r.Outcome, r.Cause)
		}
		return outcome
	}
	w.definition("set")
	if _, again := planOf(w, tunnelTrial{world: w, verb: "tunnel set", make: vpn.PlanSet, words: words}.planner); again != "plan.refuse.set_nothing" {
		w.Errorf("set a second time: %q", again)
	}
	if r.Plan.Tunnel == nil {
		return outcome + " alone"
	}
	for _, k := range kept {
		k.replaced(w, "set", gives("redo")...)
		k.inherited(w, "set")
	}
	w.carried("set")
	w.plansAgain("redo")
	w.takeAway("set", kept)
	return outcome
}

// carried fails unless the tunnel is up and carries what it should.
func (w *world) carried(where string) {
	w.Helper()
	time.Sleep(30 * time.Second)
	synctest.Wait()
	if !w.up() || !w.carries() {
		w.Errorf("%s: up %v, carries %v", where, w.up(), w.carries())
	}
}

// takeAway removes the tunnel: what is left then are the rows of others.
func (w *world) takeAway(where string, both [2]kept) {
	w.Helper()
	where += ", removed"
	r, outcome := tunnelTrial{world: w, verb: "tunnel remove", make: vpn.PlanRemove}.play()
	if r.State != change.Committed {
		w.Errorf("%s: %s (%v)", where, outcome, r.Outcome)
		return
	}
	for _, k := range both {
		k.gone(w, where)
	}
	if slices.ContainsFunc(both[:], func(k kept) bool {
		return slices.ContainsFunc(k.foreign["/ip/ipsec/peer"], func(r schema.Row) bool { return r["name"] == "peer1" })
	}) {
		return // what somebody left would be taken for the tunnel's
	}
	plan, again := planOf(w, tunnelTrial{world: w, verb: "tunnel remove", make: vpn.PlanRemove}.planner)
	if plan != nil && len(plan.Steps) > 0 {
		w.Errorf("%s: a second time: %v", where, plan.Steps)
	} else if plan == nil {
		w.Errorf("%s: a second time: %s", where, again)
	}
}

// Ensure a tunnel is added between any two routers by exactly the planned rows, and
// carries what it should, or is refused or leaves nothing; that it is not added
// twice; and that once it is removed every row is as it was before, byte for byte.
func TestEngine_Add_Worlds(t *testing.T) {
	worlds := 12
	if sparse {
		worlds /= 4
	}
	outcomes := map[string]int{}
	property(t, worlds, func(t *rapid.T) {
		d := drawWild(t, true)
		d.Absent = true
		for i := range d.Ends {
			d.Ends[i].Filter = drawFilter(t, func() string { return rapid.SampledFrom(comments).Draw(t, "comment") })
			d.Ends[i].Left, d.Ends[i].Copied = false, d.Ends[i].Copied && rapid.IntRange(0, 4).Draw(t, "peer in the way") == 4
		}
		words := drawSettings(t, 2)
		strike := max(0, rapid.IntRange(-9, 8).Draw(t, "refused write"))
		outcomes[tryAdd(t, d, words, strike)]++
	})
	t.Log(outcomes)
}

func tryAdd(t tester, d wild, words []string, strike int) string {
	w := wildWorld(t, d)
	defer w.close()
	for i, site := range []string{"hq", "fengshan"} {
		if d.Ends[i].Second && !slices.ContainsFunc(words, func(word string) bool { return strings.HasPrefix(word, site+".wan=") }) {
			words = append(words, site+".wan=ether1")
		}
	}
	kept := [2]kept{w.keep(d, 0), w.keep(d, 1)}
	plan := func() (change.Plan, error) {
		in := w.change("tunnel add")
		in.Intent.Settings = typed(w, words...)
		in.Definition.Version = 0
		var err error
		if in.Tunnel, err = vpn.NewTunnel(in.Estate, in.Intent); err != nil {
			return change.Plan{}, err
		}
		for i, end := range in.Tunnel.Ends {
			in.Snapshots[i] = w.snapshot(end.Router)
		}
		return vpn.PlanAddTunnel(in)
	}
	r, outcome := trial{w, names, plan, strike, strike == 0}.play()
	for _, k := range kept {
		k.untouched(w, "add")
	}
	if r.State != change.Committed {
		for _, k := range kept {
			k.asBefore(w, "add in vain")
		}
		if r.State == change.Reverted && strike == 0 {
			w.Errorf("add %v: %v (%v)", words, r.Outcome, r.Cause)
		}
		return outcome
	}
	w.definition("add")
	if _, again := planOf(w, plan); again != "plan.refuse.add_rows" {
		w.Errorf("added a second time: %q", again)
	}
	w.carried("add")
	w.plansAgain("redo")
	w.takeAway("add", kept)
	return outcome
}

// Ensure each key can be set, exchange=ike2 among them: to a value by which two
// routers agree, or it is refused. The plain run tries one value of each key,
// VPNBOT_WORLDS every value.
func TestEngine_Set_ValuesWorlds(t *testing.T) {
	end := func(version, peer string) wildEnd {
		return wildEnd{Version: version, Peer: peer, Profile: "p1", Proposal: "p2", Level: "unique", Contact: true, NAT: []string{"masquerade outside"}}
	}
	d := wild{Exchange: "main", Defined: "main", Networks: [2]int{1, 2}, Ends: [2]wildEnd{end("7.22.3", "by hand"), end("6.49.7", "鳳山")}}
	refused := map[string]string{
		"hq.wan=ether3": "plan.refuse.tunnel_definition", "fengshan.router=gw-hq": "plan.refuse.set_fixed",
		"profile.hash=md5": "plan.refuse.set_broken", "hq.prefixes=10.0.0.0/24": "plan.refuse.tunnel_definition",
		"fengshan.probes=192.168.1.1": "plan.refuse.tunnel_definition",
	}
	all := settable()
	for n, key := range slices.Sorted(maps.Keys(all)) {
		for i, value := range all[key] {
			word := key + "=" + value
			first := i == 0 && (!sparse || n%6 == 0)
			if os.Getenv("VPNBOT_WORLDS") == "" && !first {
				continue
			}
			words := []string{word}
			if site, is := strings.CutSuffix(key, ".prefixes"); is {
				words = append(words, site+".probes="+map[string]string{"hq": "192.168.77.1", "fengshan": "192.168.88.1"}[site])
			}
			synctest.Test(t, func(t *testing.T) {
				got := trySet(t, d, words, 0)
				identified := strings.HasSuffix(key, ".id") && value != "none" && !strings.HasPrefix(value, "address:")
				switch {
				case got == "committed", got == "applied alone", got == "plan.refuse.set_nothing":
				case got == refused[word]:
				case identified && got == "plan.refuse.tunnel_definition": // not in main mode
				default:
					t.Errorf("%s: %s", word, got)
				}
				if word == "exchange=ike2" && got != "committed" {
					t.Errorf("%s: %s", word, got)
				}
			})
		}
	}
	d.Ends[0].Second, d.Ends[0].Local = true, true
	synctest.Test(t, func(t *testing.T) {
		if got := trySet(t, d, []string{"hq.wan=ether3"}, 0); got != "committed" {
			t.Errorf("another WAN: %s", got)
		}
	})
}
