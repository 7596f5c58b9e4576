package apply_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// property plays a property in bubbles of its own. The plain run plays the same few
// worlds each time; VPNBOT_WORLDS=1000 plays so many, other ones each time.
func property(t *testing.T, worlds int, f func(t *rapid.T)) {
	t.Helper()
	set := func(name, value string) {
		old := flag.Lookup(name).Value.String()
		t.Cleanup(func() { _ = flag.Set(name, old) })
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	set("rapid.nofailfile", "true")
	set("rapid.shrinktime", "20s")
	if many := os.Getenv("VPNBOT_WORLDS"); many != "" {
		set("rapid.checks", many)
	} else if flag.Lookup("rapid.seed").Value.String() == "0" {
		set("rapid.checks", fmt.Sprint(worlds))
		set("rapid.seed", "20")
	}
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) { f(t) })
	})
}

// all are the rows of a router byte for byte: every attribute that somebody can
// write, secrets too, in the router's order; dynamic rows are left out, and with
// them what routers make of others' doings.
func (w *world) all(router string) map[string][]schema.Row {
	w.Helper()
	all := map[string][]schema.Row{}
	for _, path := range menus {
		menu, _ := schema.Lookup(path)
		for _, row := range w.in.Router(router).Rows(path) {
			if row["dynamic"] == "true" {
				continue
			}
			for name := range row {
				if a, _ := menu.Attr(name); a.ReadOnly || a.Volatile || strings.HasPrefix(name, ".") {
					delete(row, name)
				}
			}
			all[path] = append(all[path], row)
		}
	}
	return all
}

// planned carries out a plan's steps on rows, as the plan says them: the planned
// rows.
func planned(t tester, rows map[string][]schema.Row, plan change.Plan, router string, number int64) map[string][]schema.Row {
	t.Helper()
	out := map[string][]schema.Row{}
	for path, list := range rows {
		for _, row := range list {
			out[path] = append(out[path], row.Clone())
		}
	}
	for _, step := range plan.Steps {
		if step.Router != router {
			continue
		}
		menu, _ := schema.Lookup(step.Menu)
		if menu.Live {
			continue
		}
		list := out[step.Menu]
		if step.Action == schema.Add {
			row := step.After.Clone()
			for name := range step.Secrets {
				row[name] = newKey
			}
			if menu.Comment {
				row["comment"] = change.Mark(row["comment"], number, step.ID)
			}
			at := len(list)
			if step.Place == change.TopPlace {
				at = slices.IndexFunc(list, func(r schema.Row) bool { return r["default"] != "true" })
				at = max(at, 0)
			}
			out[step.Menu] = slices.Insert(list, at, row)
			continue
		}
		found := slices.IndexFunc(list, step.Finds)
		if found < 0 {
			t.Errorf("step %d on %s finds no row: %s %s %v", step.ID, router, step.Menu, step.Action, step.Match)
			continue
		}
		switch row := list[found]; step.Action {
		case schema.Remove:
			out[step.Menu] = slices.Delete(list, found, found+1)
		case schema.Enable, schema.Disable:
			row["disabled"] = fmt.Sprint(step.Action == schema.Disable)
		case schema.Change:
			for name := range step.Before {
				delete(row, name)
			}
			maps.Copy(row, step.After)
			for name := range step.Secrets {
				row[name] = newKey
			}
			if menu.Comment && step.Phase == "" { // scripts leave no mark: they write nothing secret
				row["comment"] = change.Mark(row["comment"], number, step.ID)
			}
		}
	}
	return out
}

// alike are rows without what says nothing: values that are the default, and the
// order of menus that have none.
func alike(rows map[string][]schema.Row) map[string][]string {
	out := map[string][]string{}
	for path, list := range rows {
		menu, _ := schema.Lookup(path)
		for _, row := range list {
			said := schema.Row{}
			for name, value := range row {
				a, known := menu.Attr(name)
				if !known || value == "" || menu.Same(name, value, a.Default) || a.Kind == schema.Bool && menu.Same(name, value, "no") {
					continue
				}
				if said[name] = value; name != "comment" {
					said[name] = menu.Canonical(name, value)
				}
			}
			out[path] = append(out[path], fmt.Sprintf("%q", said))
		}
		if !menu.Ordered {
			slices.Sort(out[path])
		}
	}
	return out
}

// carries tells whether pings pass both ways within every pair of networks.
func (w *world) carries() bool {
	w.Helper()
	for _, near := range w.tunnel.Ends[0].Probes {
		for _, far := range w.tunnel.Ends[1].Probes {
			if !w.in.Ping("gw-hq", near, far) || !w.in.Ping("gw-fengshan", far, near) {
				return false
			}
		}
	}
	return true
}

// wildPlan plans a change as people would ask for it, or tells why it is refused.
func (w *world) wildPlan(verb string, make planner) (*change.Plan, string) {
	w.Helper()
	plan, err := make(w.change(verb))
	if refusal, ok := err.(*vpn.Refusal); ok { //nolint:errorlint // planners return it bare
		return nil, refusal.Text.ID
	}
	if err != nil {
		w.Fatal(err)
	}
	return &plan, ""
}

// change is what planners of the tunnel compute from, as the routers are now.
func (w *world) change(verb string) vpn.TunnelChange {
	w.Helper()
	def := change.DefinitionRef{Kind: vpn.KindTunnel, Name: w.tunnel.Name, Version: 1}
	if len(w.ledger.defs) > 0 {
		def = w.ledger.defs[0].DefinitionRef
	}
	return vpn.TunnelChange{
		Intent: change.Intent{Verb: verb, Site: "hq", Far: "fengshan", Tunnel: w.tunnel.Name}, Estate: w.estate, Tunnel: w.tunnel, Definition: def,
		Snapshots: [2]change.Snapshot{w.snapshot("gw-hq"), w.snapshot("gw-fengshan")}, PSK: "psk", Mark: "psk:00112233",
	}
}

// carry applies a plan and returns its request.
func (w *world) carry(plan change.Plan) change.Request {
	w.Helper()
	id := w.approve(plan)
	w.start(&life{})
	r := w.wait(id, 15*time.Minute)
	w.kill()
	return r
}

// Ensure a redo, a rotation and a negotiation afresh of any tunnel end on exactly
// the planned rows at both ends, or are refused before anything; and that one which
// cannot come up leaves every row of both routers as it was, byte for byte.
func TestEngine_Tunnel_Worlds(t *testing.T) {
	for _, c := range []struct {
		name, verb string
		make       planner
		worlds     int
		spoil      bool
	}{
		{"redo", "redo", vpn.PlanRedo, 16, false},
		{"redo in vain", "redo", vpn.PlanRedo, 4, true},
		{"rotate", "rotate psk", vpn.PlanRotatePSK, 12, false},
		{"rotate in vain", "rotate psk", vpn.PlanRotatePSK, 4, true},
		{"rekey", "rekey", vpn.PlanRekey, 4, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			worlds := c.worlds
			if sparse {
				worlds /= 4
			}
			outcomes := map[string]int{}
			property(t, worlds, func(t *rapid.T) {
				d := drawWild(t, c.verb != "redo")
				spoiled := ""
				if c.spoil {
					spoiled = rapid.SampledFrom(slices.Sorted(maps.Keys(spoils()))).Draw(t, "spoiled")
				}
				outcomes[tryWorld(t, d, c.verb, c.make, spoiled)]++
			})
			t.Log(outcomes)
		})
	}
}

// spoils make a plan that cannot come up, by a value of a staged row.
func spoils() map[string]func(*change.Plan) {
	set := func(menu, attr, value string) func(*change.Plan) {
		return func(p *change.Plan) {
			if i := slices.IndexFunc(p.Steps, adds(menu)); i >= 0 {
				p.Steps[i].After[attr] = value
				return
			}
			p.Steps[slices.IndexFunc(p.Steps, adds("/ip/ipsec/peer"))].After["address"] = "192.0.2.201/32"
		}
	}
	return map[string]func(*change.Plan){
		"hash":    set("/ip/ipsec/profile", "hash-algorithm", "md5"),
		"cipher":  set("/ip/ipsec/proposal", "enc-algorithms", "camellia-256"),
		"address": set("/ip/ipsec/peer", "address", "192.0.2.201/32"),
		"mode":    set("/ip/ipsec/peer", "exchange-mode", "aggressive"),
	}
}

// Ensure the worlds that once showed a defect stay right.
func TestEngine_Tunnel_WorldsFound(t *testing.T) {
	plain := func(version, peer string) wildEnd {
		return wildEnd{Version: version, Peer: peer, Profile: "p1", Proposal: "p2", Level: "require", Contact: true, NAT: []string{"masquerade outside"}}
	}
	noTrack := wild{Exchange: "main", Defined: "main", Networks: [2]int{1, 1}, Ends: [2]wildEnd{plain("7.22.3", "by hand"), plain("6.49.7", "by hand")}}
	noTrack.Ends[0].NoTrack = true
	for _, tt := range []struct {
		name, verb string
		make       planner
		world      wild
		want       string
	}{
		{"a rotation dropped notrack-chain", "rotate psk", vpn.PlanRotatePSK, noTrack, "committed"},
	} {
		synctest.Test(t, func(t *testing.T) {
			if got := tryWorld(t, tt.world, tt.verb, tt.make, ""); got != tt.want {
				t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
			}
		})
	}
}

func tryWorld(t tester, d wild, verb string, make planner, spoiled string) string {
	w := wildWorld(t, d)
	defer w.close()
	up, carried := w.up(), w.carries()
	plan, refused := w.wildPlan(verb, make)
	if plan == nil {
		if up && verb == "redo" {
			w.Fatalf("%s for a tunnel that is up", refused)
		}
		return refused
	}
	both := [2]kept{w.keep(d, 0), w.keep(d, 1)}
	w.band(d, plan)
	if spoiled != "" {
		spoils()[spoiled](plan)
	}
	before := map[string]map[string][]schema.Row{}
	for _, name := range names {
		before[name] = w.all(name)
	}
	r := w.carry(*plan)
	for _, name := range names {
		want := before[name]
		if r.State == change.Committed {
			want = planned(w, want, *plan, name, r.Number)
			if diff := cmp.Diff(alike(want), alike(w.all(name))); diff != "" {
				w.Errorf("%s: rows of %s (-planned +got):\n%s", r.State, name, diff)
			}
		} else if diff := cmp.Diff(want, w.all(name)); diff != "" {
			w.Errorf("%s: rows of %s (-before +after):\n%s", r.State, name, diff)
		}
	}
	for _, k := range both {
		k.untouched(w, verb)
		if r.State == change.Reverted {
			k.asBefore(w, verb)
		}
		if r.State == change.Committed {
			k.replaced(w, verb, gives(verb)...)
			k.inherited(w, verb)
		}
	}
	if r.State == change.Committed && verb == "rotate psk" {
		for i, name := range names {
			if diff := cmp.Diff(alike(rekeyed(before[name], d.Ends[i].Peer, r)), alike(rekeyed(w.all(name), "", r))); diff != "" {
				w.Errorf("a rotation changes more than the key on %s (-before +after):\n%s", name, diff)
			}
		}
	}
	w.clean()
	time.Sleep(30 * time.Second)
	synctest.Wait()
	switch {
	case r.State == change.Committed && spoiled != "":
		w.Error("committed what cannot come up")
	case r.State == change.Committed && (!w.up() || !w.carries()):
		w.Errorf("committed, up %v, carries %v", w.up(), w.carries())
	case r.State == change.Committed:
		w.plansAgain(verb)
	case r.State != change.Reverted || spoiled == "" && (verb == "redo" || carried):
		w.Errorf("%s (%v), up before %v, carried before %v", r.State, r.Outcome, up, carried)
	case up && !w.up() && (d.Broken == [2]string{} || r.Outcome.ID != "apply.tunnel.notback"):
		w.Errorf("the tunnel was up and is not (%v)", r.Outcome)
	}
	return string(r.State)
}

// gives are the menus whose rows of the tunnel give way to new ones.
func gives(verb string) []string {
	return map[string][]string{
		"redo":       {"/ip/ipsec/peer", "/ip/ipsec/identity", "/ip/ipsec/profile", "/ip/ipsec/proposal"},
		"rotate psk": {"/ip/ipsec/peer", "/ip/ipsec/identity"},
	}[verb]
}

// rekeyed are rows as they would be with a peer of another name, the new key and
// nobody's marks.
func rekeyed(rows map[string][]schema.Row, peer string, r change.Request) map[string][]schema.Row {
	next := r.Plan.Steps[slices.IndexFunc(r.Plan.Steps, adds("/ip/ipsec/peer"))].After["name"]
	out := map[string][]schema.Row{}
	for path, list := range rows {
		for _, row := range list {
			row = row.Clone()
			row["comment"] = change.Unmarked(row["comment"])
			if path == "/ip/ipsec/peer" && row["name"] == peer {
				row["name"] = next
			}
			if peer != "" && row["peer"] == peer {
				row["peer"] = next
				if path == "/ip/ipsec/identity" {
					row["secret"] = newKey
				}
			}
			out[path] = append(out[path], row)
		}
	}
	return out
}

// band has the bot reach fengshan through the tunnel, where that was drawn.
func (w *world) band(d wild, plan *change.Plan) {
	if !d.InBand || !w.up() || d.Broken != [2]string{} {
		return // a tunnel that cannot come up again never lets the bot back
	}
	w.inBand = true
	if len(plan.Steps) > 0 {
		plan.Tunnel.Delay = 5 * time.Second
	}
	for i := range plan.Tunnel.Ends {
		plan.Tunnel.Ends[i].InBand = plan.Tunnel.Ends[i].Router == "gw-fengshan"
	}
}

// plansAgain plans once more: nothing but the next generation of the same rows.
func (w *world) plansAgain(verb string) {
	w.Helper()
	w.inBand = false
	if plan, refused := w.wildPlan("rekey", vpn.PlanRekey); plan == nil || len(plan.Steps) > 0 {
		w.Errorf("the tunnel does not stand as defined: %s", refused)
	}
	if verb != "redo" {
		return
	}
	w.holds(verb)
	once := w.ageless()
	plan, refused := w.wildPlan("redo", vpn.PlanRedo)
	if plan == nil {
		w.Errorf("a second redo: %s", refused)
		return
	}
	if r := w.carry(*plan); r.State != change.Committed {
		w.Errorf("a second redo: %v (%v)", r.Outcome, r.Cause)
	}
	if diff := cmp.Diff(once, w.ageless()); diff != "" {
		w.Errorf("a second redo (-once +twice):\n%s", diff)
	}
}
