package vpn_test

import (
	"bytes"
	"encoding/json"
	"errors"
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

// Ensure rows with anything in them give a plan or a refusal, never a panic, and
// that a plan can be stored and read again unchanged.
func TestPlans_Garbled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawWorld(t)
		for range rapid.IntRange(1, 4).Draw(t, "garbled") {
			menus := in.Snapshots[rapid.IntRange(0, 1).Draw(t, "router")].Menus
			rows := menus[rapid.SampledFrom([]string{peerMenu, policyMenu, identityMenu, profileMenu, proposalMenu, natMenu, "/ip/address"}).Draw(t, "menu")]
			if len(rows) == 0 {
				continue
			}
			row := rapid.SampledFrom(rows).Draw(t, "row")
			name := rapid.SampledFrom(row.Names()).Draw(t, "attribute")
			row[name] = rapid.OneOf(rapid.StringMatching(`[0-9a-f.:/,-]{0,12}`), rapid.String(), rapid.Just("\xbb\xf1")).Draw(t, "value")
		}
		for _, planner := range []func(vpn.TunnelChange) (change.Plan, error){vpn.PlanRedo, vpn.PlanRotatePSK, vpn.PlanRekey} {
			plan, err := planner(in)
			if err != nil {
				if _, ok := errors.AsType[*vpn.Refusal](err); !ok {
					t.Fatal(err)
				}
				continue
			}
			stored, err := json.Marshal(plan)
			if err != nil {
				t.Fatal(err)
			}
			var read change.Plan
			if err := json.Unmarshal(stored, &read); err != nil || !bytes.Equal(canonicalOf(t, plan), canonicalOf(t, read)) {
				t.Fatalf("read back differently: %v", err)
			}
		}
		if _, err := vpn.HeldTunnel(in); err != nil {
			if _, ok := errors.AsType[*vpn.Refusal](err); !ok {
				t.Fatal(err)
			}
		}
	})
}
