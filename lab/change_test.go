package lab_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"vpnbot/change"
	"vpnbot/lab"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// pace is the time between two pings of one host.
const pace = 10 * time.Millisecond

// traffic is hosts at both ends that ping each other while something happens, and
// a tap on both outer interfaces.
type traffic struct {
	talks []*lab.Talk
	tap   *lab.Tap
}

// converse begins traffic between all networks, in both directions.
func (w *world) converse() *traffic {
	w.Helper()
	tr := &traffic{}
	var err error
	if tr.tap, err = w.live.Tap(); err != nil {
		w.Fatal(err)
	}
	for _, p := range w.tunnel.Expect(w.estate).Ends[0].Policies {
		for _, way := range []vpn.Selectors{p, {Source: p.Destination, Destination: p.Source}} {
			talk, err := w.live.Talk(way.Source, way.Destination, pace)
			if err != nil {
				w.Fatal(err)
			}
			tr.talks = append(tr.talks, talk)
		}
	}
	tr.wait(10)
	return tr
}

// wait waits until every host has sent so many pings more.
func (tr *traffic) wait(n int) {
	for _, talk := range tr.talks {
		deadline := time.Now().Add(5 * time.Second)
		for until := talk.Sent() + n; talk.Sent() < until && time.Now().Before(deadline); {
			time.Sleep(pace / 5)
		}
	}
}

// slow makes both routers take their time between the writes of a script: so long
// that every host sends something between any two of them.
func (w *world) slow(tr *traffic) {
	for _, name := range names() {
		w.in.Router(name).SetFaults(rossim.Faults{OnScriptWrite: func(_ int, when rossim.When, _ string, _ schema.Action) {
			if when == rossim.After {
				tr.wait(3)
			}
		}})
	}
}

// end ends the traffic of a change, prints what was lost and returns what left in
// clear.
func (w *world) end(tr *traffic, what string) (clear int) {
	w.Helper()
	for _, name := range names() {
		w.in.Router(name).SetFaults(rossim.Faults{})
	}
	var lost lab.Silence
	for _, talk := range tr.talks {
		lost = lost.Add(talk.Hang())
	}
	if err := tr.tap.Close(); err != nil {
		w.Error(err)
	}
	if tr.tap.Sealed() == 0 {
		w.Error("the tap has seen nothing that was encrypted")
	}
	w.Logf("%s: %v; %d packets left encrypted, %d in clear", what, lost, tr.tap.Sealed(), tr.tap.Clear())
	return tr.tap.Clear()
}

// whole fails unless both daemons have one phase 1 with all policies, the same
// SAs at both ends, and pings pass between all networks. It returns the SAs.
func (w *world) whole() lab.SA {
	w.Helper()
	held, err := w.live.Held(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	pairs := w.tunnel.Expect(w.estate).Ends[0].Policies
	for i, name := range names() {
		if len(held[i]) != 1 || len(held[i][0].SPIs) != 2*len(pairs) {
			w.Fatalf("the daemon of %s has %+v", name, held[i])
		}
	}
	a, b := held[0][0], held[1][0]
	for _, p := range pairs {
		if !slices.ContainsFunc(a.Policies, func(q schema.Phase2) bool { return q.Source == p.Source && q.Destination == p.Destination && q.Tunnel }) {
			w.Errorf("no SAs for %v to %v: %+v", p.Source, p.Destination, a)
		}
	}
	slices.Sort(a.SPIs)
	slices.Sort(b.SPIs)
	if a.Cookie != b.Cookie || !slices.Equal(a.SPIs, b.SPIs) {
		w.Errorf("two daemons, two tunnels: %+v and %+v", a, b)
	}
	for _, p := range pairs {
		if err := w.live.Ping(within(w.T, 5*time.Second, true), p.Source, p.Destination); err != nil {
			w.Error(err)
		}
	}
	return a
}

// fresh fails when something of the SAs before is among those after.
func (w *world) fresh(before, after lab.SA) {
	w.Helper()
	if before.Cookie == after.Cookie || slices.ContainsFunc(after.SPIs, func(s string) bool { return slices.Contains(before.SPIs, s) }) {
		w.Errorf("not negotiated afresh: %+v, then %+v", before, after)
	}
}

// Ensure changes of a tunnel come up by the daemons' judgement, with SAs of their
// own, that pings pass again, and that nothing leaves in clear meanwhile.
func TestChange(t *testing.T) {
	for _, c := range []tunnelChange{
		{verb: "redo", plan: vpn.PlanRedo},
		{verb: "rotate psk", plan: vpn.PlanRotatePSK},
		{verb: "rekey", plan: vpn.PlanRekey},
	} {
		t.Run(c.verb, func(t *testing.T) {
			w := newWorld(t)
			if clear := w.see(c, change.Committed); clear > 0 {
				t.Errorf("%d packets have left in clear", clear)
			}
		})
	}
}

// see carries a change out under traffic, fails unless it ends so, with a tunnel
// that was negotiated afresh, and returns what left in clear.
func (w *world) see(c tunnelChange, want change.State) (clear int) {
	w.Helper()
	before := w.whole()
	tr := w.converse()
	w.slow(tr)
	r := w.carry(c)
	tr.wait(20)
	clear = w.end(tr, fmt.Sprintf("%s, %s", c.verb, r.State))
	if r.State != want {
		w.Fatalf("the request is %s (%s, %v), want %s", r.State, r.Phase, r.Outcome, want)
	}
	after := w.whole()
	w.fresh(before, after)
	w.agreed(after, c.verb == "redo" && want == change.Committed)
	return clear
}

// agreed fails unless the SAs are as the definition wants them, or else as people
// made them. In IKEv2 the first have their keys from phase 1.
func (w *world) agreed(sa lab.SA, defined bool) {
	w.Helper()
	cipher, groups := "aes-128-cbc", []string{"modp2048", "modp2048"}
	if defined {
		cipher, groups = w.tunnel.Proposal.Encryption[0], []string{"none", w.tunnel.Proposal.PFSGroup}
	}
	for i, q := range sa.Policies {
		if q.Encryption != cipher || q.PFSGroup != groups[i] {
			w.Errorf("the daemons agreed on %s and %s, want %s and %s", q.Encryption, q.PFSGroup, cipher, groups[i])
		}
	}
}

// Ensure what keeps packets out of address translation, judged by the kernel's, with
// packets of hosts: with the rule that masquerades alone none arrives, though the
// daemons have SAs; below it a bypass is none; and a redo adds what is missing, or has
// it above. A redo without that rule brings nothing back.
func TestChange_Bypass(t *testing.T) {
	const menu = "/ip/firewall/nat"
	for name, c := range map[string]struct {
		below bool // the bypass stands below what masquerades, or nowhere
		edit  func(*change.Plan)
		want  change.State
	}{
		"missing": {want: change.Committed},
		"below":   {below: true, want: change.Committed},
		"below, a plan that leaves it there": {below: true, want: change.Reverted, edit: func(p *change.Plan) {
			p.Tunnel.Patience = patience
			p.Steps = slices.DeleteFunc(p.Steps, func(s change.Step) bool { return s.Menu == menu })
			for i := range p.Steps {
				p.Steps[i].ID = i + 1
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.whole()
			hq := w.in.Router("gw-hq")
			for _, row := range hq.Rows(menu) {
				if row["action"] != "accept" {
					continue
				}
				if err := hq.Remove(menu, row[schema.ID]); err != nil {
					t.Fatal(err)
				}
				if !c.below {
					continue
				}
				again := schema.Row{"chain": "srcnat", "action": "accept", "src-address": row["src-address"], "dst-address": row["dst-address"]}
				if _, err := hq.Add(menu, again); err != nil {
					t.Fatal(err)
				}
			}
			w.translated(c.below)
			if r := w.carry(tunnelChange{verb: "redo", plan: vpn.PlanRedo, edit: c.edit}); r.State != c.want {
				t.Errorf("the request is %s (%s, %v), want %s", r.State, r.Phase, r.Outcome, c.want)
			}
			if c.want != change.Committed {
				w.translated(c.below)
				return
			}
			w.whole()
			if got, want := w.order(), []string{"accept", "accept", "masquerade"}; !slices.Equal(got, want) {
				t.Errorf("the rules of headquarters are %v, want %v", got, want)
			}
		})
	}
}

// order returns the actions of the rules of headquarters, in their order.
func (w *world) order() (actions []string) {
	for _, row := range w.in.Router("gw-hq").Rows("/ip/firewall/nat") {
		actions = append(actions, row["action"])
	}
	return actions
}

// translated fails unless both daemons have SAs for all networks, no ping from
// headquarters passes, and the rules stand as somebody left them.
func (w *world) translated(below bool) {
	w.Helper()
	want := []string{"masquerade"}
	if below {
		want = []string{"masquerade", "accept", "accept"}
	}
	if got := w.order(); !slices.Equal(got, want) {
		w.Fatalf("the rules of headquarters are %v, want %v", got, want)
	}
	held, err := w.live.Held(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	pairs := w.tunnel.Expect(w.estate).Ends[0].Policies
	if len(held[0]) != 1 || len(held[0][0].SPIs) != 2*len(pairs) {
		w.Fatalf("the daemon of headquarters has %+v", held[0])
	}
	for _, p := range pairs {
		if err := w.live.Ping(within(w.T, time.Second, false), p.Source, p.Destination); err == nil {
			w.Errorf("pings from %v to %v pass without a bypass that counts", p.Source, p.Destination)
		}
	}
}

// Ensure the tap sees what leaves in clear: the same change lets packets out when it
// switches the old policies off and new ones on, instead of pointing the old ones
// at the new peer.
func TestChange_Leaks(t *testing.T) {
	w := newWorld(t)
	if clear := w.see(tunnelChange{verb: "redo", plan: vpn.PlanRedo, edit: replaced}, change.Committed); clear == 0 {
		t.Error("nothing has left in clear, so nothing that was seen means anything")
	}
}

// replaced gives a plan new policies in place of those that it points elsewhere.
func replaced(p *change.Plan) {
	var stage, first, cut, last, commit []change.Step
	for _, s := range p.Steps {
		switch {
		case s.Menu == "/ip/ipsec/policy" && s.Phase == change.PhaseCutOver && s.Action == schema.Change:
			added, on, off, gone := s, s, s, s
			row := schema.Row{"action": "encrypt", "tunnel": "true", "disabled": "true"}
			maps.Copy(row, s.Match)
			maps.Copy(row, s.After)
			added.Phase, added.Action, added.Class, added.Before, added.After = change.PhaseStage, schema.Add, change.Twin, nil, row
			on.Action, on.Class, off.Action, gone.Action, gone.Phase = schema.Enable, change.Twin, schema.Disable, schema.Remove, change.PhaseCommit
			for _, step := range []*change.Step{&added, &on, &off, &gone} {
				step.Match = s.Match.Clone()
				step.Match["peer"] = s.After["peer"]
			}
			off.Match["peer"], gone.Match["peer"] = s.Before["peer"], s.Before["peer"]
			on.Before, on.After, off.Before, off.After, gone.After = nil, nil, nil, nil, nil
			gone.Before = schema.Row{"action": "encrypt", "tunnel": "true"} // what the commit compares with the row
			maps.Copy(gone.Before, s.Match)
			maps.Copy(gone.Before, s.Before)
			stage, first, last, commit = append(stage, added), append(first, off), append(last, on), append([]change.Step{gone}, commit...)
		case s.Phase == change.PhaseStage:
			stage = append(stage, s)
		case s.Phase == change.PhaseCutOver:
			cut = append(cut, s)
		default:
			commit = append(commit, s)
		}
	}
	p.Steps = slices.Concat(stage, first, cut, last, commit)
	for i := range p.Steps {
		p.Steps[i].ID = i + 1
	}
}

// Ensure a change that the daemons refuse is put back, that the tunnel of before
// comes up again, and that nothing leaves in clear meanwhile.
func TestChange_Wrong(t *testing.T) {
	add := func(p *change.Plan, menu string) *change.Step {
		return &p.Steps[slices.IndexFunc(p.Steps, func(s change.Step) bool { return s.Menu == menu && s.Action == schema.Add })]
	}
	for attr, c := range map[string]tunnelChange{
		"secret": {verb: "rotate psk", plan: vpn.PlanRotatePSK, edit: func(*change.Plan) {}},
		"dh-group": {verb: "redo", plan: vpn.PlanRedo, edit: func(p *change.Plan) {
			add(p, "/ip/ipsec/profile").After["dh-group"] = "modp1536"
		}},
		"pfs-group": {verb: "redo", plan: vpn.PlanRedo, edit: func(p *change.Plan) {
			add(p, "/ip/ipsec/proposal").After["pfs-group"] = "modp1536"
		}},
	} {
		t.Run(attr, func(t *testing.T) {
			t.Parallel() // most of it is waiting
			w := newWorld(t)
			if attr == "secret" {
				w.wrong["gw-fengshan"] = "a key that one end is given"
			}
			edit := c.edit
			c.edit = func(p *change.Plan) {
				p.Tunnel.Patience = patience
				edit(p)
			}
			if clear := w.see(c, change.Reverted); clear > 0 {
				t.Errorf("%d packets have left in clear", clear)
			}
			if !slices.Contains(w.refused(), attr) {
				t.Errorf("the daemons refused for %q, want %s", w.refused(), attr)
			}
		})
	}
}

// patience is how long the tests wait for what will not come up.
const patience = 4 * time.Second
