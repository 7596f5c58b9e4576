package vpn_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/change"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// input reads both simulated routers for a planner.
func (s *simulated) input() vpn.TunnelChange {
	s.Helper()
	in := vpn.TunnelChange{
		Intent: change.Intent{Verb: "redo", Site: "hq"}, Estate: lineEstate(fixedWAN()), Tunnel: s.want.Tunnel,
		Definition: change.DefinitionRef{Kind: vpn.KindTunnel, Name: s.want.Tunnel.Name, Version: 1},
		PSK:        "psk-new", Mark: "psk:9f3a",
	}
	for i, r := range s.routers {
		in.Snapshots[i] = change.Snapshot{Router: r.Name(), Version: "7.22.3 (stable)", At: time.Now(), Menus: map[string][]schema.Row{}}
		for _, menu := range vpn.TunnelMenus() {
			in.Snapshots[i].Menus[menu] = []schema.Row{}
			m, _ := schema.Lookup(menu)
			for _, row := range r.Rows(menu) {
				for _, secret := range m.Secrets() {
					delete(row, secret)
				}
				in.Snapshots[i].Menus[menu] = append(in.Snapshots[i].Menus[menu], row)
			}
		}
	}
	return in
}

// carryOut writes a plan as an administrator would, phase 1 of the old peers
// ended by hand.
func (s *simulated) carryOut(plan change.Plan, key string) {
	s.Helper()
	for _, step := range plan.Steps {
		i := slices.IndexFunc(s.want.Ends[:], func(e vpn.ExpectedEnd) bool { return e.Router == step.Router })
		s.write(i, step, key)
		if step.Menu == peerMenu && step.Action == schema.Disable {
			for _, row := range s.routers[i].Rows(phase1Menu) {
				if err := s.routers[i].Remove(phase1Menu, row[schema.ID]); err != nil {
					s.Fatal(err)
				}
			}
		}
	}
}

func (s *simulated) write(i int, step change.Step, key string) {
	s.Helper()
	r := s.routers[i]
	row := step.After.Clone()
	for name := range step.Secrets {
		row[name] = key
	}
	if step.Action == schema.Add {
		if _, err := r.Add(step.Menu, row); err != nil {
			s.Fatalf("step %d: %v", step.ID, err)
		}
		return
	}
	rows := change.Snapshot{Menus: map[string][]schema.Row{step.Menu: r.Rows(step.Menu)}}.Rows(change.Query{Menu: step.Menu, Where: step.Match})
	if len(rows) != 1 {
		s.Fatalf("step %d finds %d rows", step.ID, len(rows))
	}
	id, err := rows[0][schema.ID], error(nil)
	switch step.Action {
	case schema.Remove:
		err = r.Remove(step.Menu, id)
	case schema.Enable:
		err = r.Set(step.Menu, id, schema.Row{"disabled": "no"})
	case schema.Disable:
		err = r.Set(step.Menu, id, schema.Row{"disabled": "yes"})
	default:
		err = r.Set(step.Menu, id, row)
	}
	if err != nil {
		s.Fatalf("step %d: %v", step.ID, err)
	}
}

// Ensure the planned rows come up on simulated routers, whose negotiation reads
// them afresh: a redo of a healthy tunnel, of one that is broken, a new key, and
// each again on what the one before left.
func TestPlans_Simulated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t, "ike2", rossim.Switches{})
		s.only(s.minutes(5), "IDLE status.idle.none", 4)
		up := func(what string) {
			t.Helper()
			if j := s.minutes(3); j["IDLE status.idle.none"]+j["IDLE status.idle.short"] == 0 {
				t.Fatalf("%s: %v", what, j)
			}
		}
		plan := planned(t, vpn.PlanRedo, s.input())
		s.carryOut(plan, "key one")
		up("redo")

		plan = planned(t, vpn.PlanRotatePSK, s.input())
		s.carryOut(plan, "key two")
		up("rotate")
		if got := s.routers[0].Rows(identityMenu); len(got) != 1 || got[0]["secret"] != "key two" {
			t.Errorf("identities %v", got)
		}

		s.set(1, profileMenu, 1, "dh-group", "modp2048")
		s.set(0, profileMenu, 1, "dh-group", "modp1024")
		for _, r := range s.routers {
			for _, row := range r.Rows(phase1Menu) {
				if err := r.Remove(phase1Menu, row[schema.ID]); err != nil {
					t.Fatal(err)
				}
			}
		}
		if j := s.minutes(3); j["IDLE status.idle.none"] > 1 {
			t.Fatalf("not broken: %v", j)
		}
		in := s.input()
		in.Tunnel.PSKMark = "psk:9f3a"
		for name, planner := range map[string]func(vpn.TunnelChange) (change.Plan, error){"rotate": vpn.PlanRotatePSK, "rekey": vpn.PlanRekey} {
			_, err := planner(in)
			if err == nil || !strings.HasPrefix(explain(err), "plan.refuse.tunnel_disagree") || !strings.Contains(explain(err), "dh-group") {
				t.Errorf("%s of a broken tunnel: %v", name, err)
			}
		}
		plan = planned(t, vpn.PlanRedo, in)
		if !strings.Contains(told(plan.Warnings), "plan.warn.broken_now") {
			t.Errorf("warnings %s", told(plan.Warnings))
		}
		s.carryOut(plan, "key three")
		up("redo of the broken tunnel")
	})
}
