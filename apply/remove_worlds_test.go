package apply_test

import (
	"testing"

	"pgregory.net/rapid"

	"vpnbot/change"
	"vpnbot/vpn"
)

// Ensure a tunnel is removed from any two routers by exactly the planned rows, or is
// left as it was, with all other rows byte for byte.
func TestEngine_Remove_Worlds(t *testing.T) {
	worlds := 12
	if sparse {
		worlds /= 4
	}
	outcomes := map[string]int{}
	property(t, worlds, func(t *rapid.T) {
		w := wildWorld(t, drawWild(t, true))
		defer w.close()
		plan := func() (change.Plan, error) {
			return vpn.PlanRemove(vpn.TunnelChange{
				Intent: change.Intent{Verb: "tunnel remove", Site: "hq", Far: "fengshan", Tunnel: w.tunnel.Name}, Estate: w.estate, Tunnel: w.tunnel,
				Definition: change.DefinitionRef{Kind: vpn.KindTunnel, Name: w.tunnel.Name, Version: 1},
				Snapshots:  [2]change.Snapshot{w.snapshot("gw-hq"), w.snapshot("gw-fengshan")},
			})
		}
		strike := max(0, rapid.IntRange(-6, 8).Draw(t, "refused write"))
		_, outcome := trial{w, names, plan, strike, false}.play()
		outcomes[outcome]++
	})
	t.Log(outcomes)
}
