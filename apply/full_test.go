package apply_test

import (
	"strings"
	"testing"
	"time"

	"vpnbot/change"
)

// Ensure a ledger whose disk is full from any commit of a change on, for a moment or
// until the guards have looked several times, keeps no end from where the other is:
// once there is space, the change ends within the time that it takes undisturbed and
// the retries of a sweep.
func TestEngine_Tunnel_Full(t *testing.T) {
	for _, c := range changes {
		all := deeds(t, c.verb, c.make, c.nat, c.edit)
		for n := range len(all) {
			if strings.HasPrefix(all[n], "gw-") || !full() && (n*7+len(c.name))%11 != 0 && !strings.Contains(all[n], "decided") || sparse && n%3 != 0 {
				continue
			}
			for i, lasts := range []time.Duration{3 * time.Second, 7 * time.Minute} {
				if !full() && n%2 == i {
					continue
				}
				play(t, c.nat(), func(w *world) {
					id := w.plan(c.verb, c.make, c.edit)
					w.start(&life{befall: map[int]fate{n + 1: diskFull}, later: lasts})
					time.Sleep(lasts)
					begun := time.Now()
					r := w.wait(id, 20*time.Minute)
					if took := time.Since(begun); took > 5*time.Minute {
						w.Errorf("%s, disk full for %v from %s: it took %v", c.name, lasts, all[n], took)
					}
					if r.State == change.Stale { // a guard of the change itself is no reason
						w.Errorf("%s, disk full for %v from %s: %s", c.name, lasts, all[n], r.State)
					}
					w.sound(r, c.name+", disk full for "+lasts.String()+" from "+all[n])
				})
			}
		}
	}
}
