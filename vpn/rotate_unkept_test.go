package vpn_test

import (
	"slices"
	"testing"

	"vpnbot/change"
	"vpnbot/vpn"
)

// Ensure what somebody has set on the old rows goes on where it may be written, and
// is said to go where it may not.
func TestPlans_Unkept(t *testing.T) {
	for _, tt := range []struct {
		name    string
		planner func(vpn.TunnelChange) (change.Plan, error)
		lost    []string
	}{
		{"redo", vpn.PlanRedo, []string{"/ip/ipsec/peer port 4500"}},
		{"rotate", vpn.PlanRotatePSK, []string{"/ip/ipsec/identity remote-certificate old"}},
	} {
		in := narrow(redoWorld())
		update(in, 0, peerMenu, "name", "to-fengshan", "port", "4500", "send-initial-contact", "true")
		update(in, 0, identityMenu, "peer", "to-fengshan", "notrack-chain", "output", "remote-certificate", "old", "generate-policy", "no")
		plan := planned(t, tt.planner, in)
		var lost []string
		for _, w := range plan.Warnings {
			if w.ID == "plan.warn.unkept" {
				lost = append(lost, w.Args["menu"].Str+" "+w.Args["attribute"].Str+" "+w.Args["value"].Str)
				saysAll(t, "en", w)
				saysAll(t, "zh-TW", w)
			}
		}
		if !slices.Equal(lost, tt.lost) {
			t.Errorf("%s: got %v, want %v said to go", tt.name, lost, tt.lost)
		}
		for _, s := range plan.In(change.PhaseStage, "gw-hq") {
			if s.Menu == identityMenu && s.After["notrack-chain"] != "output" {
				t.Errorf("%s: got %v, want notrack-chain kept", tt.name, s.After)
			}
		}
	}
}
