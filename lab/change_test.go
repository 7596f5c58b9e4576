package lab_test

import (
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
const pace = 5 * time.Millisecond

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
		for until := talk.Sent() + n; talk.Sent() < until; {
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

// end ends the traffic and returns what was lost and what left in clear.
func (w *world) end(tr *traffic) (lost lab.Silence, clear int) {
	w.Helper()
	for _, talk := range tr.talks {
		lost = lost.Add(talk.Hang())
	}
	if err := tr.tap.Close(); err != nil {
		w.Error(err)
	}
	if tr.tap.Sealed() == 0 {
		w.Error("the tap has seen nothing that was encrypted")
	}
	w.Logf("%v; %d packets left encrypted, %d in clear", lost, tr.tap.Sealed(), tr.tap.Clear())
	return lost, tr.tap.Clear()
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
			before := w.whole()
			tr := w.converse()
			w.slow(tr)
			r := w.carry(c)
			tr.wait(20)
			_, clear := w.end(tr)
			if r.State != change.Committed {
				t.Fatalf("the request is %s (%s, %v)", r.State, r.Phase, r.Outcome)
			}
			after := w.whole()
			w.fresh(before, after)
			if clear > 0 {
				t.Errorf("%d packets have left in clear", clear)
			}
		})
	}
}
