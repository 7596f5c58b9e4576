package ros_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpnbot/change"
	"vpnbot/ros"
	console "vpnbot/ros/rossim/script"
	"vpnbot/ros/schema"
)

// removalPlan takes a tunnel away from gw-hq: its peer and two policies.
func removalPlan() change.Plan {
	plan := phasedPlan()
	plan.Steps = nil
	for _, phase := range []string{change.PhaseCutOver, change.PhaseCommit} {
		action := map[string]schema.Action{change.PhaseCutOver: schema.Disable, change.PhaseCommit: schema.Remove}[phase]
		for _, s := range []change.Step{
			{Menu: "/ip/ipsec/peer", Match: schema.Row{"name": awkward}},
			{Menu: "/ip/ipsec/policy", Match: schema.Row{"src-address": "192.168.77.0/24", "dst-address": "192.168.88.0/24"}},
			{Menu: "/ip/ipsec/policy", Match: schema.Row{"src-address": "192.168.77.0/24", "dst-address": "192.168.90.0/24"}},
		} {
			s.ID, s.Router, s.Phase, s.Action = len(plan.Steps)+1, "gw-hq", phase, action
			plan.Steps = append(plan.Steps, s)
		}
	}
	plan.Tunnel.Removes = true
	plan.Tunnel.Ends[1].Selectors[1] = selectors("192.168.77.0/24", "192.168.90.0/24")
	return plan
}

// Ensure the guard of a removal leaves a tunnel alone of which anything is up, and
// switches off what is left of one that is not; that it does so once, whichever part
// was done before, and never switches anything on.
func TestScript_Guard_Removal(t *testing.T) {
	guard := func(s *shelf) {
		t.Helper()
		text, err := ros.RenderGuard(removalPlan(), "gw-hq", 42)
		if err != nil {
			t.Fatal(err)
		}
		s.did = nil
		if err := console.Run(t.Context(), text, s); err != nil {
			t.Error(err)
		}
	}
	const warned = "script,warning: vpnbot 42: tunnel is not up, it is switched off for good"
	s := stagedShelf()
	s.menus["/ip/ipsec/policy"][2]["ph2-state"] = "established"
	guard(s)
	s.want(t) // one of two is up
	s.menus["/ip/ipsec/policy"][2]["ph2-state"] = "no-phase2"
	guard(s)
	s.want(t, warned, "/ip/ipsec/peer disable *1", "/ip/ipsec/policy disable *1", "/ip/ipsec/policy disable *3")
	guard(s)
	s.want(t)

	s = stagedShelf()
	s.menus["/ip/ipsec/peer"][0]["disabled"] = "true"
	guard(s)
	s.want(t, warned, "/ip/ipsec/policy disable *1", "/ip/ipsec/policy disable *3")

	// What is refused keeps nothing else from being done.
	s = stagedShelf()
	s.fails = "/ip/ipsec/peer disable"
	guard(s)
	s.want(t, warned, "script,error: vpnbot 42: step 1 not done", "/ip/ipsec/policy disable *1", "/ip/ipsec/policy disable *3")

	// The other scripts do and take back the same.
	s = stagedShelf()
	before := s.rows()
	plan := func(ask *change.Script) { ask.Plan = removalPlan() }
	for _, act := range []change.ActName{change.ActCutOver, change.ActRestore} {
		if err := s.run(t, act, plan); err != nil {
			t.Fatal(act, err)
		}
	}
	if diff := cmp.Diff(before, s.rows()); diff != "" {
		t.Error(diff)
	}
	for _, act := range []change.ActName{change.ActCutOver, change.ActCommit} {
		if err := s.run(t, act, plan); err != nil {
			t.Fatal(act, err)
		}
	}
	if rows := s.menus["/ip/ipsec/policy"]; len(rows) != 2 || len(s.menus["/ip/ipsec/peer"]) != 2 || len(s.menus["/system/scheduler"]) != 1 {
		t.Errorf("left: %v", s.menus)
	}
}
