package apply_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// Ensure a log in detail is switched on at all routers of a site by exactly the
// planned rows, or by none when a write is refused, and is not planned twice.
func TestEngine_Verbose_Worlds(t *testing.T) {
	worlds := 16
	if sparse {
		worlds /= 4
	}
	outcomes := map[string]int{}
	property(t, worlds, func(t *rapid.T) {
		w := wildWorld(t, drawWild(t, true))
		defer w.close()
		for _, topics := range []string{"ipsec,!packet", "l2tp", "ppp,info"} {
			if rapid.Bool().Draw(t, topics) {
				if _, err := w.in.Router("gw-hq").Add("/system/logging", schema.Row{"topics": topics, "action": "memory"}); err != nil {
					w.Fatal(err)
				}
			}
		}
		plan := func() (change.Plan, error) {
			in := vpn.Verbose{Intent: change.Intent{Verb: "logs verbose", Site: "hq"}, For: time.Hour}
			for _, name := range names {
				snap, err := w.fleet.Snapshot(w.Context(), name, vpn.VerboseMenus()...)
				if err != nil {
					w.Fatal(err)
				}
				in.Snapshots = append(in.Snapshots, snap)
			}
			return vpn.PlanVerbose(in)
		}
		strike := max(0, rapid.IntRange(-4, 8).Draw(t, "refused write"))
		r, outcome := trial{w, names, plan, strike, strike == 0}.play()
		outcomes[outcome]++
		if r.State == change.Applied {
			if _, again := planOf(w, plan); again != "plan.refuse.verbose_on" {
				w.Errorf("planned again: %q", again)
			}
		}
	})
	t.Log(outcomes)
}
