package apply_test

import (
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/change"
	"vpnbot/vpn"
)

// Ensure a bot that talks through the tunnel joins both ends on the new rows again,
// when these were decided and guards have taken one end or both of them back during
// an outage while the bot was dead.
func TestEngine_Tunnel_InBandSplit(t *testing.T) {
	for _, deed := range []string{"gw-fengshan: script commit", "journal decided", "gw-hq: script commit"} {
		for _, outage := range []time.Duration{4 * time.Minute, 25 * time.Minute} {
			t.Run(deed+" "+outage.String(), func(t *testing.T) {
				play(t, everything(), func(w *world) {
					w.inBand = true
					id := w.plan("redo", vpn.PlanRedo, inBandPlan)
					w.start(&life{last: deed})
					w.wait(id, 2*time.Minute)
					w.kill()
					w.outage(outage)
					time.Sleep(15 * time.Minute)
					synctest.Wait()
					w.start(&life{})
					r := w.wait(id, 40*time.Minute)
					w.sound(r, deed)
					if r.State != change.Committed {
						w.Errorf("got %s (%v)", r.State, r.Outcome)
					}
				})
			})
		}
	}
}
