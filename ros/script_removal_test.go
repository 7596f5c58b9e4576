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

// Ensure the guard of a removal leaves a tunnel alone of which anything is up; that it
// brings back what is off of one that is not, and from the fourth look on switches off
// what is left of one that nobody answers.
func TestScript_Guard_Removal(t *testing.T) {
	guard := func(s *shelf, looks string) {
		t.Helper()
		text, err := ros.RenderGuard(removalPlan(), "gw-hq", 42)
		if err != nil {
			t.Fatal(err)
		}
		s.did, s.menus["/system/scheduler"][0]["run-count"] = nil, looks
		if err := console.Run(t.Context(), text, s); err != nil {
			t.Error(err)
		}
	}
	const back, off = "script,warning: vpnbot 42: tunnel is not up, old rows come back", "script,warning: vpnbot 42: nobody answers, the tunnel is switched off for good"
	s := stagedShelf()
	for _, looks := range []string{"1", "4", "30"} {
		s.menus["/ip/ipsec/policy"][2]["ph2-state"] = "established"
		guard(s, looks)
		s.want(t) // one of two is up
	}
	s.menus["/ip/ipsec/policy"][2]["ph2-state"] = "no-phase2"
	guard(s, "3")
	s.want(t) // on, and not up yet
	guard(s, "4")
	s.want(t, off, "/ip/ipsec/peer disable *1", "/ip/ipsec/policy disable *1", "/ip/ipsec/policy disable *3")
	guard(s, "5")
	s.want(t)
	guard(s, "1")
	s.want(t, back, "/ip/ipsec/policy enable *3", "/ip/ipsec/policy enable *1", "/ip/ipsec/peer enable *1")

	s = stagedShelf()
	s.menus["/ip/ipsec/peer"][0]["disabled"] = "true"
	guard(s, "2")
	s.want(t, back, "/ip/ipsec/peer enable *1")

	// What is refused keeps nothing else from being done.
	s = stagedShelf()
	s.fails = "/ip/ipsec/peer disable"
	guard(s, "4")
	s.want(t, off, "script,error: vpnbot 42: step 1 not done", "/ip/ipsec/policy disable *1", "/ip/ipsec/policy disable *3")

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
