package rossim

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/ros/schema"
)

// simple is a negotiator that knows just enough: addresses, exchange modes, one
// hash, keys, mirrored policies.
type simple struct {
	asked int
	none  bool // cannot tell
}

func (s *simple) Negotiate(_ context.Context, a schema.Attempt) (schema.Outcome, error) {
	s.asked++
	if s.none {
		return schema.Outcome{Verdict: schema.CannotTell}, nil
	}
	mode, hash, key := "main", "sha1", ""
	own := schema.Row{}
	if c := a.Initiator.Client; c != nil {
		key = c.Key
	} else {
		own = rowOf(a.Initiator, "/ip/ipsec/peer", ".id", a.Peer)
		mode, hash = own["exchange-mode"], rowOf(a.Initiator, "/ip/ipsec/profile", "name", own["profile"])["hash-algorithm"]
		key = a.Initiator.Keys[rowOf(a.Initiator, "/ip/ipsec/identity", "peer", own["name"])[".id"]]
	}
	var peer schema.Row
	for _, p := range a.Responder.Rows["/ip/ipsec/peer"] {
		match := p["address"] == a.Initiator.Seen.String()+"/32" || (p["address"] == "0.0.0.0/0" && peer == nil)
		if match && p["exchange-mode"] == mode && p["disabled"] != "true" {
			peer = p
		}
	}
	fail := func(stage schema.Stage, code string) (schema.Outcome, error) {
		return schema.Outcome{Verdict: schema.Disagree, Faults: []schema.Fault{{Stage: stage, Code: code}}}, nil
	}
	identity := rowOf(a.Responder, "/ip/ipsec/identity", "peer", peer["name"])
	switch {
	case peer == nil:
		return fail(schema.StagePeer, schema.FaultNoPeer)
	case rowOf(a.Responder, "/ip/ipsec/profile", "name", peer["profile"])["hash-algorithm"] != hash:
		return fail(schema.StagePhase1, schema.FaultProposal)
	case a.Responder.Keys[identity[".id"]] != key:
		return fail(schema.StageAuth, schema.FaultKey)
	}
	out := schema.Outcome{Verdict: schema.Agree, Phase1: &schema.Phase1{
		Exchange: mode, Peer: peer[".id"], Identity: identity[".id"], NATTraversal: a.Initiator.Local != a.Initiator.Seen, LifetimeText: "1d",
	}}
	if a.Initiator.Client != nil {
		out.Phase2 = []schema.Phase2{{
			ResponderPolicy: "*FFFFFF", Generated: true, Encryption: "aes-128-cbc", Auth: "sha1", LifetimeText: "1h", Protocol: "esp",
		}}
		return out, nil
	}
	for _, p := range a.Initiator.Rows["/ip/ipsec/policy"] {
		for _, q := range a.Responder.Rows["/ip/ipsec/policy"] {
			if p["peer"] == own["name"] && q["src-address"] == p["dst-address"] && q["dst-address"] == p["src-address"] && q["disabled"] != "true" && p["disabled"] != "true" {
				out.Phase2 = append(out.Phase2, schema.Phase2{
					InitiatorPolicy: p[".id"], ResponderPolicy: q[".id"], Tunnel: true, Protocol: "esp", Encryption: "aes-256-cbc",
					Auth: "sha256", LifetimeText: "30m", Source: netip.MustParsePrefix(p["src-address"]), Destination: netip.MustParsePrefix(p["dst-address"]),
				})
			}
		}
	}
	if len(out.Phase2) == 0 {
		out.Verdict, out.Faults = schema.Disagree, []schema.Fault{{Stage: schema.StagePhase2, Code: schema.FaultSelectors}}
	}
	return out, nil
}

func rowOf(p schema.Party, path, name, value string) schema.Row {
	for _, r := range p.Rows[path] {
		if r[name] == value {
			return r
		}
	}
	return schema.Row{}
}

// world of two routers, hq and fengshan, with a tunnel between their LANs.
type pair struct {
	*testing.T
	in       *Internet
	hq, feng *Router
	judge    *simple
}

const (
	hqWAN   = "203.0.113.10"
	fengWAN = "198.51.100.20"
)

// site makes a router with a WAN and a LAN.
func site(t testing.TB, name, wan, lan string) *Router {
	t.Helper()
	r, err := New(Options{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Load(map[string][]schema.Row{"/ip/address": {
		{"address": wan + "/24", "interface": "ether1"}, {"address": lan + ".1/24", "interface": "ether2"},
	}}); err != nil {
		t.Fatal(err)
	}
	return r
}

// tunnel writes one end of a tunnel.
func tunnel(t testing.TB, r *Router, name, remote, lan, remoteLAN, psk string) {
	t.Helper()
	if err := r.Load(map[string][]schema.Row{
		"/ip/ipsec/profile":  {{"name": name, "hash-algorithm": "sha256"}},
		"/ip/ipsec/proposal": {{"name": name, "auth-algorithms": "sha256"}},
		"/ip/ipsec/peer":     {{"name": name, "address": remote + "/32", "profile": name}},
		"/ip/ipsec/identity": {{"peer": name, "secret": psk}},
		"/ip/ipsec/policy":   {{"peer": name, "tunnel": "yes", "src-address": lan + ".0/24", "dst-address": remoteLAN + ".0/24", "proposal": name}},
	}); err != nil {
		t.Fatal(err)
	}
}

func newPair(t *testing.T, sw Switches) *pair {
	t.Helper()
	p := &pair{T: t, judge: &simple{}}
	p.hq, p.feng = site(t, "hq", hqWAN, "192.168.77"), site(t, "fengshan", fengWAN, "192.168.88")
	var err error
	if p.in, err = NewInternet(InternetOptions{Negotiator: p.judge, Switches: sw}); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*Router{p.hq, p.feng} {
		if err := p.in.Attach(r, Place{}); err != nil {
			t.Fatal(err)
		}
	}
	tunnel(t, p.hq, "feng", fengWAN, "192.168.77", "192.168.88", "psk")
	tunnel(t, p.feng, "hq", hqWAN, "192.168.88", "192.168.77", "psk")
	t.Cleanup(func() {
		if err := p.in.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (p *pair) wait(d time.Duration) {
	p.Helper()
	time.Sleep(d)
	synctest.Wait()
}

// one returns the only row of a menu.
func one(t testing.TB, r *Router, path string) schema.Row {
	t.Helper()
	rows := r.Rows(path)
	if len(rows) != 1 {
		t.Fatalf("%s on %s has %d rows, want 1: %v", path, r.Name(), len(rows), rows)
	}
	return rows[0]
}

func lines(r *Router, part string) int {
	n := 0
	for _, row := range r.Rows("/log") {
		if strings.Contains(row["topics"]+" "+row["message"], part) {
			n++
		}
	}
	return n
}

func (p *pair) set(r *Router, path, id string, row schema.Row) {
	p.Helper()
	if err := r.Set(path, id, row); err != nil {
		p.Fatal(err)
	}
}

// policy returns the static policy of a router.
func policy(r *Router) schema.Row {
	for _, row := range r.Rows("/ip/ipsec/policy") {
		if row["template"] != "true" && row["dynamic"] != "true" {
			return row
		}
	}
	return nil
}

// up fails unless both ends have the tunnel, with the same cookies and crosswise
// the same SPIs.
func (p *pair) up() {
	p.Helper()
	a, b := one(p, p.hq, "/ip/ipsec/active-peers"), one(p, p.feng, "/ip/ipsec/active-peers")
	if a["spii"] != b["spii"] || a["spir"] != b["spir"] || a["state"] != "established" || b["state"] != "established" || a["side"] == b["side"] {
		p.Errorf("active peers %v and %v", a, b)
	}
	spis := func(r *Router) (out []string) {
		for _, row := range r.Rows("/ip/ipsec/installed-sa") {
			if row["state"] == "mature" {
				out = append(out, row["spi"]+" "+row["src-address"]+">"+row["dst-address"])
			}
		}
		slices.Sort(out)
		return out
	}
	if x, y := spis(p.hq), spis(p.feng); len(x) != 2 || !slices.Equal(x, y) {
		p.Errorf("SAs %v and %v", x, y)
	}
	for _, r := range []*Router{p.hq, p.feng} {
		if row := policy(r); row["ph2-state"] != "established" || row["active"] != "true" || row["ph2-count"] != "1" {
			p.Errorf("policy %v", row)
		}
	}
}

// Ensure two routers whose rows fit bring a tunnel up by themselves, and show it
// as routers do.
func TestInternet_Up(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, Switches{})
		if rows := p.hq.Rows("/ip/ipsec/active-peers"); len(rows) != 0 {
			t.Errorf("up before the first packet: %v", rows)
		}
		p.wait(3 * time.Second)
		p.up()
		if p.judge.asked != 1 {
			t.Errorf("negotiated %d times, want once", p.judge.asked)
		}
		row := policy(p.hq)
		if row["sa-src-address"] != hqWAN || row["sa-dst-address"] != fengWAN || row["invalid"] != "false" {
			t.Errorf("policy %v", row)
		}
		if lines(p.hq, "ipsec,info initiate new phase 1 (Identity Protection): 203.0.113.10[500]<=>198.51.100.20[500]") != 1 ||
			lines(p.feng, "ipsec,info respond new phase 1") != 1 || lines(p.feng, "ISAKMP-SA established") != 1 {
			t.Errorf("logs %v\n%v", p.hq.Rows("/log"), p.feng.Rows("/log"))
		}
	})
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }
