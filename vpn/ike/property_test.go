package ike_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"vpnbot/ros/schema"
	"vpnbot/vpn/ike"
)

// words draws some members of a list, in any order, at least one.
func words(t *rapid.T, name string, all ...string) string {
	n := rapid.IntRange(1, len(all)).Draw(t, name+" count")
	return strings.Join(rapid.Permutation(all).Draw(t, name)[:n], ",")
}

// drawPair draws two routers with a mirrored tunnel of one to three policies that
// must come up: what has to be alike is, what may differ does.
func drawPair(t *rapid.T) (a, b schema.Party) {
	a, b = hq(), fengshan()
	mode := rapid.SampledFrom([]string{"main", "aggressive", "ike2"}).Draw(t, "mode")
	both(a, b, peers, "*3", "exchange-mode", mode)
	both(a, b, profiles, "*2", "hash-algorithm", rapid.SampledFrom([]string{"md5", "sha1", "sha256", "sha384", "sha512"}).Draw(t, "hash"))
	shared := map[string][]string{
		"enc-algorithm": {"aes-256", "aes-192", "aes-128", "3des", "des"},
		"dh-group":      {"x25519", "ecp256", "ecp384", "ecp521", "modp3072", "modp2048", "modp1536", "modp1024"},
	}
	for _, attr := range slices.Sorted(maps.Keys(shared)) {
		all := shared[attr]
		common := rapid.SampledFrom(all).Draw(t, attr)
		for _, p := range []schema.Party{a, b} {
			v := common + "," + words(t, attr+" at "+p.Name, all...)
			if mode == "aggressive" && attr == "dh-group" {
				v = common
			}
			set(p, profiles, "*2", attr, v)
		}
	}
	common := rapid.SampledFrom([]string{"aes-256-cbc", "aes-128-gcm", "aes-128-ctr", "3des", "chacha20poly1305"}).Draw(t, "enc-algorithms")
	hash := rapid.SampledFrom([]string{"sha512", "sha256", "sha1", "md5"}).Draw(t, "auth-algorithms")
	for _, p := range []schema.Party{a, b} {
		set(p, proposals, "*2", "enc-algorithms", common+","+words(t, "ciphers at "+p.Name, "aes-256-cbc", "aes-256-gcm", "camellia-128", "null"))
		set(p, proposals, "*2", "auth-algorithms", hash+","+words(t, "hashes at "+p.Name, "sha512", "sha256", "sha1"))
		set(p, peers, "*3", "passive", "no")
		set(p, profiles, "*2", "proposal-check", rapid.SampledFrom([]string{"obey", "claim", "strict", "exact"}).Draw(t, "check at "+p.Name))
	}
	both(a, b, proposals, "*2", "pfs-group", rapid.SampledFrom([]string{"none", "modp2048", "ecp256"}).Draw(t, "pfs"))
	both(a, b, proposals, "*2", "lifetime", rapid.SampledFrom([]string{"30m", "1h", "8h"}).Draw(t, "lifetime"))
	for i := range rapid.IntRange(0, 2).Draw(t, "more policies") {
		near, far := fmt.Sprintf("10.1.%d.0/24", i), fmt.Sprintf("10.2.%d.0/24", i)
		a.Rows[policies] = append(a.Rows[policies], pol(fmt.Sprint("*", 20+i), near, far))
		b.Rows[policies] = append(b.Rows[policies], pol(fmt.Sprint("*", 20+i), far, near))
	}
	if rapid.Bool().Draw(t, "L2TP too") {
		serveL2TP(b)
	}
	return a, b
}

func clone(p schema.Party) schema.Party {
	q := p
	q.Keys = maps.Clone(p.Keys)
	q.Rows = make(rows, len(p.Rows))
	for menu, rs := range p.Rows {
		for _, r := range rs {
			q.Rows[menu] = append(q.Rows[menu], r.Clone())
		}
	}
	return q
}

func ask(t *rapid.T, a, b schema.Party) schema.Outcome {
	o, err := ike.Model{}.Negotiate(t.Context(), schema.Attempt{Initiator: a, Responder: b, Peer: "*3"})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// Ensure that every mirrored pair agrees from both ends, on algorithms that both have.
func TestModel_Property_Mirrored(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawPair(t)
		ab, ba := ask(t, a, b), ask(t, b, a)
		if ab.Verdict != schema.Agree || ba.Verdict != schema.Agree {
			t.Fatalf("there %s, back %s", summary(ab), summary(ba))
		}
		if len(ab.Phase2) != len(ba.Phase2) {
			t.Fatalf("%d pairs there, %d back", len(ab.Phase2), len(ba.Phase2))
		}
		for _, o := range []schema.Outcome{ab, ba} {
			for _, p := range []schema.Party{a, b} {
				has := func(menu, attr, v string) {
					if v != "" && !slices.Contains(strings.Split(find(p, menu, "*2")[attr], ","), v) {
						t.Fatalf("agreed on %s, which %s at %s lacks", v, attr, p.Name)
					}
				}
				has(profiles, "enc-algorithm", o.Phase1.Encryption)
				has(profiles, "dh-group", o.Phase1.DHGroup)
				for _, c := range o.Phase2 {
					has(proposals, "enc-algorithms", c.Encryption)
					has(proposals, "auth-algorithms", c.Auth)
				}
			}
		}
	})
}

func find(p schema.Party, menu, id string) schema.Row {
	i := slices.IndexFunc(p.Rows[menu], func(r schema.Row) bool { return r[schema.ID] == id })
	return p.Rows[menu][i]
}

// mutations break any drawn pair, in any mode, at a known stage.
func mutations() map[string]struct {
	do    func(a, b schema.Party)
	stage schema.Stage
} {
	type m = struct {
		do    func(a, b schema.Party)
		stage schema.Stage
	}
	return map[string]m{
		"caller disabled":     {from(peers, "*3", "disabled", "true"), schema.StageReach},
		"caller passive":      {from(peers, "*3", "passive", "true"), schema.StageReach},
		"caller elsewhere":    {from(peers, "*3", "address", "203.0.113.9/32"), schema.StageReach},
		"caller no identity":  {from(identities, "*A", "peer", "x"), schema.StageReach},
		"responder elsewhere": {at(peers, "*3", "address", "203.0.113.9/32"), schema.StagePeer},
		"responder disabled":  {at(peers, "*3", "disabled", "true"), schema.StagePeer},
		"mode": {func(a, b schema.Party) {
			set(b, peers, "*3", "exchange-mode", map[string]string{"main": "ike2", "ike2": "aggressive", "aggressive": "ike2"}[find(a, peers, "*3")["exchange-mode"]])
		}, schema.StagePeer},
		"cipher":         {at(profiles, "*2", "enc-algorithm", "camellia-256"), schema.StagePhase1},
		"group":          {at(profiles, "*2", "dh-group", "modp8192"), schema.StagePhase1},
		"hash":           {func(a, b schema.Party) { set(b, profiles, "*2", "hash-algorithm", otherHash(a)) }, schema.StagePhase1},
		"key":            {func(_, b schema.Party) { b.Keys["*A"] = "x" }, schema.StageAuth},
		"remote ID":      {at(identities, "*A", "remote-id", "address:203.0.113.9"), schema.StageAuth},
		"no identity":    {at(identities, "*A", "peer", "x"), schema.StageAuth},
		"other net":      {at(policies, tunnelPolicy, "dst-address", "172.16.0.0/16"), schema.StagePhase2},
		"transport":      {at(policies, tunnelPolicy, "tunnel", "false"), schema.StagePhase2},
		"AH":             {at(policies, tunnelPolicy, "ipsec-protocols", "ah"), schema.StagePhase2},
		"policy off":     {at(policies, tunnelPolicy, "disabled", "true"), schema.StagePhase2},
		"P2 cipher":      {at(proposals, "*2", "enc-algorithms", "twofish"), schema.StagePhase2},
		"proposal off":   {at(proposals, "*2", "disabled", "true"), schema.StagePhase2},
		"no such policy": {at(policies, tunnelPolicy, "peer", "x"), schema.StagePhase2},
	}
}

func otherHash(p schema.Party) string {
	if find(p, profiles, "*2")["hash-algorithm"] == "sha1" {
		return "sha256"
	}
	return "sha1"
}

// Ensure that any single fault is found at its stage, whatever else is drawn, and that
// with the fault removed the pair agrees again.
func TestModel_Property_Mutated(t *testing.T) {
	all := mutations()
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawPair(t)
		name := rapid.SampledFrom(slices.Sorted(maps.Keys(all))).Draw(t, "fault")
		c, d := clone(a), clone(b)
		all[name].do(c, d)
		if d.Rows[peers][len(d.Rows[peers])-1]["name"] == "l2tp-in-server" && all[name].stage == schema.StagePeer {
			// With an L2TP server there, its peer takes what the tunnel's does not.
			if o := ask(t, c, d); o.Verdict != schema.Disagree {
				t.Fatalf("%s: %s", name, summary(o))
			}
			return
		}
		o := ask(t, c, d)
		if o.Verdict != schema.Disagree || o.Faults[0].Stage != all[name].stage || len(o.Unknown) > 0 {
			t.Fatalf("%s: %s, want a fault at %s", name, summary(o), all[name].stage)
		}
		if o := ask(t, a, b); o.Verdict != schema.Agree {
			t.Fatalf("%s removed: %s", name, summary(o))
		}
	})
}

// Ensure that two faults show as the earlier stage first, and both are listed.
func TestModel_Property_TwoFaults(t *testing.T) {
	all := mutations()
	order := []schema.Stage{schema.StageReach, schema.StagePeer, schema.StagePhase1, schema.StageAuth, schema.StagePhase2}
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawPair(t)
		names := rapid.Permutation(slices.Sorted(maps.Keys(all))).Draw(t, "faults")[:2]
		for _, n := range names {
			all[n].do(a, b)
		}
		o := ask(t, a, b)
		if o.Verdict != schema.Disagree {
			t.Fatalf("%v: %s", names, summary(o))
		}
		if !slices.IsSortedFunc(o.Faults, func(x, y schema.Fault) int {
			return slices.Index(order, x.Stage) - slices.Index(order, y.Stage)
		}) {
			t.Fatalf("%v: out of order: %s", names, summary(o))
		}
	})
}

// Ensure that the order in which a router writes the members of a set changes nothing.
func TestModel_Property_Sets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawPair(t)
		if rapid.Bool().Draw(t, "break it") {
			set(b, profiles, "*2", "dh-group", "modp8192,modp6144")
		}
		before := ask(t, a, b)
		c, d := clone(a), clone(b)
		for _, p := range []schema.Party{c, d} {
			for menu, attrs := range map[string][]string{profiles: {"enc-algorithm", "dh-group"}, proposals: {"enc-algorithms", "auth-algorithms"}} {
				for _, attr := range attrs {
					r := find(p, menu, "*2")
					r[attr] = strings.Join(rapid.Permutation(strings.Split(r[attr], ",")).Draw(t, attr), ",")
				}
			}
		}
		after := ask(t, c, d)
		if summary(before) != summary(after) || !reflect.DeepEqual(before.Phase1, after.Phase1) || !reflect.DeepEqual(before.Phase2, after.Phase2) {
			t.Fatalf("%s\n%s", summary(before), summary(after))
		}
	})
}

// drawRows draws rows of any content, with a liking for values that mean something.
func drawRows(t *rapid.T) rows {
	value := rapid.OneOf(
		rapid.SampledFrom([]string{
			"", "true", "false", "yes", "no", "main", "aggressive", "ike2", "base", "other", "default", "s2s", "l2tp-in-server", "any", "all", "none",
			"0.0.0.0/0", "::/0", "198.51.100.1/32", "198.51.100.7", "192.168.77.0/24", "192.168.10.0/24", "192.168.10.0/33", "fe80::1%eth0", "vpn.example.net",
			"aes-256", "aes-256-cbc", "aes-256-gcm", "sha1", "sha256", "modp2048", "modp2048,ecp384", ",", "30m", "-1s", "9999999999999w", "pre-shared-key",
			"port-strict", "auto", "ignore", "fqdn:hq", "address:198.51.100.1", "address:", "esp", "ah", "encrypt", "require", "use", "strict", "exact", "1500", "-1",
		}),
		rapid.String(),
	)
	attr := rapid.SampledFrom([]string{
		".id", "name", "address", "local-address", "port", "profile", "exchange-mode", "passive", "disabled", "dynamic", "default", "peer", "auth-method", "my-id",
		"remote-id", "generate-policy", "policy-template-group", "mode-config", "hash-algorithm", "prf-algorithm", "enc-algorithm", "dh-group", "lifetime",
		"proposal-check", "nat-traversal", "ppk", "src-address", "dst-address", "src-port", "dst-port", "protocol", "action", "level", "ipsec-protocols",
		"proposal", "group", "tunnel", "template", "invalid", "enc-algorithms", "auth-algorithms", "pfs-group", "secret",
	})
	row := rapid.MapOfN(attr, value, 0, 12)
	all := make(rows)
	for _, menu := range ike.Menus() {
		for _, r := range rapid.SliceOfN(row, 0, 4).Draw(t, menu) {
			all[menu] = append(all[menu], schema.Row(r))
		}
	}
	return all
}

// Ensure that no rows make the model panic, whatever the switches, that it changes
// none of them, and that every verdict has its reason.
func TestModel_Property_AnyRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := hq(), fengshan()
		for _, p := range []schema.Party{a, b} {
			for menu, rs := range drawRows(t) {
				if rapid.Bool().Draw(t, "replace") {
					p.Rows[menu] = rs
				} else {
					p.Rows[menu] = append(rs, p.Rows[menu]...)
				}
			}
		}
		if rapid.Bool().Draw(t, "NAT") {
			a.Local = netip.MustParseAddr("10.0.0.2")
		}
		m := ike.Model{
			TieByOrder: rapid.Bool().Draw(t, "a"), PreferLocalAddress: rapid.Bool().Draw(t, "b"), CheckPhase1Lifetime: rapid.Bool().Draw(t, "c"),
			CheckCoversPFS: rapid.Bool().Draw(t, "d"), NarrowIKEv2: rapid.Bool().Draw(t, "e"), AutoChecksAddress: rapid.Bool().Draw(t, "f"),
			StrictIDr: rapid.Bool().Draw(t, "g"), IdentitiesInOrder: rapid.Bool().Draw(t, "h"), IdentitiesOfAllPeers: rapid.Bool().Draw(t, "i"),
			UseWaits: rapid.Bool().Draw(t, "j"), ClientsNeedNoPFS: rapid.Bool().Draw(t, "m"), NATForwards: rapid.Bool().Draw(t, "k"), AssumeClients: rapid.Bool().Draw(t, "l"),
		}
		before, err := json.Marshal([]schema.Party{a, b})
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"*3", ""} {
			o, err := m.Negotiate(t.Context(), schema.Attempt{Initiator: a, Responder: b, Peer: id})
			if err != nil {
				t.Fatal(err)
			}
			reasoned(t, o)
		}
		o, err := m.Negotiate(t.Context(), schema.Attempt{Initiator: dial("windows", fengshanAddr), Responder: b})
		if err != nil {
			t.Fatal(err)
		}
		reasoned(t, o)
		m.Between(ike.End{Party: a}, ike.End{Party: b, Peer: "*3"})
		if after, err := json.Marshal([]schema.Party{a, b}); err != nil || string(after) != string(before) {
			t.Fatal("the rows changed")
		}
	})
}

// reasoned wants each verdict to be borne out by what is listed.
func reasoned(t interface{ Fatalf(string, ...any) }, o schema.Outcome) {
	switch o.Verdict {
	case schema.Agree:
		if len(o.Faults)+len(o.Unknown) > 0 || o.Phase1 == nil || len(o.Phase2) == 0 || o.Answered.Menu == "" {
			t.Fatalf("agreed without grounds: %+v", o)
		}
	case schema.Disagree:
		if len(o.Faults) == 0 {
			t.Fatalf("disagreed without a fault: %+v", o)
		}
	case schema.CannotTell:
		if len(o.Unknown) == 0 {
			t.Fatalf("nothing is unknown: %+v", o)
		}
	default:
		t.Fatalf("verdict %q", o.Verdict)
	}
}
