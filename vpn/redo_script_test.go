package vpn_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"vpnbot/change"
	"vpnbot/ros"
	"vpnbot/ros/rossim/script"
	"vpnbot/vpn"
)

// Ensure every plan can be written as the scripts that the routers run: each step
// is one that may be written, and no key stands in any script.
func TestPlans_Scripts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawWorld(t)
		for _, planner := range []func(vpn.TunnelChange) (change.Plan, error){vpn.PlanRedo, vpn.PlanRotatePSK} {
			plan, err := planner(in)
			if err != nil {
				continue
			}
			for _, router := range plan.Routers {
				guard, err := ros.RenderGuard(plan, router, 42)
				if err != nil {
					t.Fatal(err)
				}
				texts := []string{guard}
				for _, act := range []change.ActName{change.ActArm, change.ActCutOver, change.ActCommit, change.ActRestore} {
					text, err := ros.RenderScript(change.Script{Request: 42, Act: change.Act{Name: act, Router: router}, Plan: plan})
					if err != nil {
						t.Fatalf("%s: %v", act, err)
					}
					texts = append(texts, text)
				}
				for _, text := range texts {
					if err := script.Parse(text); err != nil || strings.Contains(text, string(in.PSK)) {
						t.Fatalf("%v in\n%s", err, text)
					}
				}
			}
		}
	})
}
