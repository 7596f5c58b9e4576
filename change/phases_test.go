package change_test

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/ros/schema"
)

// phasedRequest is a tunnel's request in state s.
func phasedRequest(t *testing.T, s change.State) change.Request {
	t.Helper()
	r := request(t, s)
	r.Plan = change.Plan{
		Intent: change.Intent{Verb: "redo", Site: "fengshan"},
		Steps: []change.Step{{
			ID: 1, Router: "gw-hq", Menu: "/ip/ipsec/identity", Action: schema.Add, Class: change.Twin, Phase: change.PhaseStage,
			Match: schema.Row{"peer": "t-2"}, After: schema.Row{"peer": "t-2"}, Secrets: map[string]secret.Ref{"secret": "psk-1"},
		}},
		Tunnel: &change.TunnelPlan{Name: "hq-fengshan"},
	}
	digest, err := r.Plan.Digest()
	if err != nil {
		t.Fatal(err)
	}
	r.Digest = digest
	for i := range r.Approvals {
		r.Approvals[i].Digest = digest
	}
	return r
}

// Ensure a change in phases goes through them to its end, keeps its phase in
// every entry of the journal, and ends its secrets.
func TestRequest_Phases(t *testing.T) {
	r := phasedRequest(t, change.Approved)
	m, err := r.Start(start)
	r = must(t, m, err)
	if r.Phase != change.PhaseStage || r.Subject() != "tunnel hq-fengshan" {
		t.Errorf("started in phase %q on %q", r.Phase, r.Subject())
	}
	m, err = r.Begin(start, r.Plan.Steps[0])
	r = must(t, m, err)
	if got := m.Journal[0]; got.Phase != change.PhaseStage || got.Router != "gw-hq" || r.Phase != change.PhaseStage {
		t.Errorf("entry %+v of a request in %q", got, r.Phase)
	}
	m, err = r.See(start, [2]change.Sighting{{Router: "gw-hq", Up: true, Phase1: []change.Phase1{{Local: netip.MustParseAddr("203.0.113.10"), SPII: "a", SPIR: "b"}}}, {Router: "gw-fengshan"}})
	r = must(t, m, err)
	if saw := m.Journal[0].Saw; len(saw) != 2 || m.Events[0].Facts["cookies.gw-hq"] != "a:b" {
		t.Errorf("saw %+v, facts %v", saw, m.Events[0].Facts)
	}
	m, err = r.Enter(start, change.PhaseCutOver)
	r = must(t, m, err)
	act := change.Act{Name: change.ActCutOver, Router: "gw-fengshan"}
	for _, do := range []func(time.Time, change.Act) (change.Move, error){
		r.BeginAct, func(now time.Time, a change.Act) (change.Move, error) { return r.LoseAct(now, a, "lost") }, r.FinishAct,
	} {
		m, err := do(start, act)
		if must(t, m, err).Phase != change.PhaseCutOver || m.Journal[0].Act != act.Name || m.Journal[0].Router != act.Router || len(m.Notices) != 1 {
			t.Errorf("got %+v", m.Journal)
		}
	}
	revert := func(r change.Request, now time.Time) (change.Move, error) { return r.Revert(now, change.Text{}) }
	for _, tt := range []struct {
		decision change.Decision
		end      func(change.Request, time.Time) (change.Move, error)
		other    func(change.Request, time.Time) (change.Move, error)
		state    change.State
	}{
		{change.DecidedCommit, change.Request.Commit, revert, change.Committed},
		{change.DecidedRevert, revert, change.Request.Commit, change.Reverted},
	} {
		if _, err := tt.end(r, start); !errors.Is(err, change.ErrDecided) {
			t.Errorf("%s undecided: got %v", tt.state, err)
		}
		m, err := r.Decide(start, tt.decision, change.T("why"), map[string]string{"cookies": "c:d"})
		d := must(t, m, err)
		if m.Journal[0].Mark != change.StepDecided || m.Journal[0].Note != string(tt.decision) || m.Events[0].Facts["proof.cookies"] != "c:d" || len(m.Destroy) != 0 {
			t.Errorf("decided %+v %+v", m.Journal, m.Events[0].Facts)
		}
		if _, err := d.Decide(start, change.DecidedRevert, change.Text{}, nil); !errors.Is(err, change.ErrDecided) {
			t.Errorf("decided twice: got %v", err)
		}
		if _, err := tt.other(d, start); !errors.Is(err, change.ErrDecided) {
			t.Errorf("ended the other way: got %v", err)
		}
		m, err = d.Wait(start, change.T("apply.waitrouter"))
		d = must(t, m, err)
		m, err = tt.end(d, start)
		e := must(t, m, err)
		if e.State != tt.state || e.Ended.IsZero() || (e.State == change.Reverted) != (e.Outcome.ID == "why") || !slices.Contains(m.Destroy, "psk-1") || len(m.Notices) != 2 {
			t.Errorf("got %s, outcome %v, destroyed %v", e.State, e.Outcome, m.Destroy)
		}
	}
}

// Ensure what was adopted ends a request that needs attention, as overtaken, with
// its secrets and its requester told; and that it is nothing to go on towards.
func TestRequest_Adopted(t *testing.T) {
	r := phasedRequest(t, change.Applying)
	if _, err := r.Adopted(start, anna, 43); err == nil {
		t.Error("adopted what is under way")
	}
	m, err := r.Attend(start, change.T("odd"))
	stuck := must(t, m, err)
	if _, err := stuck.Resume(start, change.DecidedAdopt, anna); !errors.Is(err, change.ErrDecided) {
		t.Errorf("resumed towards what is there: got %v", err)
	}
	if _, err := change.PlanResume(stuck, change.DecidedAdopt); !errors.Is(err, change.ErrDecided) {
		t.Errorf("planned towards what is there: got %v", err)
	}
	m, err = stuck.Adopted(start, anna, 43)
	got := must(t, m, err)
	e := m.Events[0]
	if got.State != change.Stale || got.Outcome.ID != "apply.adopted" || got.Ended.IsZero() {
		t.Errorf("got %s, %v", got.State, got.Outcome)
	}
	if e.Kind != change.EventAdopted || e.Actor != "anna" || e.Facts["adopted-by"] != "43" || !slices.Contains(m.Destroy, "psk-1") || len(m.Notices) != 2 {
		t.Errorf("got %+v, destroyed %v, notices %v", e, m.Destroy, m.Notices)
	}
	if _, err := got.Adopted(start, anna, 43); err == nil {
		t.Error("adopted twice")
	}
}

// Ensure people's decision takes up what needs attention, the bot's own turned
// round when they want it.
func TestRequest_Resume(t *testing.T) {
	r := phasedRequest(t, change.Applying)
	m, err := r.Attend(start, change.T("odd"))
	stuck := must(t, m, err)
	if len(m.Destroy) != 0 {
		t.Error("secrets destroyed while somebody may still keep the new rows")
	}
	for _, d := range []change.Decision{change.DecidedCommit, change.DecidedRevert} {
		m, err := stuck.Resume(start, d, anna)
		got := must(t, m, err)
		if got.State != change.Applying || got.Decided != d || m.Events[0].Actor != "anna" || m.Journal[0].Note != string(d) {
			t.Errorf("got %s decided %q, events %+v", got.State, got.Decided, m.Events)
		}
		m, err = got.Attend(start, change.T("odd"))
		again := must(t, m, err)
		plan, err := change.PlanResume(again, d)
		if err != nil {
			t.Fatal(err)
		}
		if plan.Phased() || plan.Intent.Resume != 42 || plan.Intent.Towards != d || len(plan.SecretRefs()) != 0 || plan.Summary.IsZero() {
			t.Errorf("got %+v", plan)
		}
		for _, other := range []change.Decision{change.DecidedCommit, change.DecidedRevert} {
			m, err := again.Resume(start, other, anna)
			if got := must(t, m, err); got.Decided != other || got.Resumed != "anna" {
				t.Errorf("got %q by %q", got.Decided, got.Resumed)
			}
		}
		if _, err := again.Resume(start, change.Undecided, anna); !errors.Is(err, change.ErrDecided) {
			t.Errorf("no direction: got %v", err)
		}
	}
	if _, err := r.Resume(start, change.DecidedCommit, anna); err == nil {
		t.Error("resumed what is under way")
	}
	plain := request(t, change.Applying)
	if _, err := plain.Enter(start, change.PhaseStage); !errors.Is(err, change.ErrNotPhased) {
		t.Errorf("a phase of a change to one row: got %v", err)
	}
	if _, err := plain.Decide(start, change.DecidedCommit, change.Text{}, nil); !errors.Is(err, change.ErrNotPhased) {
		t.Errorf("a decision on a change to one row: got %v", err)
	}
}
