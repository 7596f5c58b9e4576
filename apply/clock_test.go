package apply_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"vpnbot/change"
)

// Ensure a bot whose host's clock is another after its death ends the change as soon
// as one whose clock is right, at each point at which it may have died.
func TestEngine_Tunnel_HostClock(t *testing.T) {
	for _, c := range changes {
		all := deeds(t, c.verb, c.make, c.nat, c.edit)
		for _, by := range []time.Duration{time.Hour, -time.Hour} {
			for n := range len(all) {
				if !tried(all, n) || !full() && (!strings.HasPrefix(all[n], "gw-") || by < 0 && n%3 != 0) || sparse && n%2 != 0 {
					continue
				}
				play(t, c.nat(), func(w *world) {
					id := w.plan(c.verb, c.make, c.edit)
					w.start(&life{befall: map[int]fate{n + 1: dieAfter}})
					w.wait(id, 2*time.Minute)
					w.kill()
					w.shift(id, by)
					w.start(&life{})
					begun := time.Now()
					r := w.wait(id, 20*time.Minute)
					if took := time.Since(begun); took > 3*time.Minute {
						w.Errorf("%s, clock %v, after %s: it took %v", c.name, by, all[n], took)
					}
					w.sound(r, c.name+" with another clock, after "+all[n])
				})
			}
		}
	}
}

// shift has everything about a request be written by a clock that was off.
func (w *world) shift(id string, by time.Duration) {
	w.ledger.mu.Lock()
	defer w.ledger.mu.Unlock()
	journal := slices.Clone(w.ledger.journal[id])
	for i := range journal {
		journal[i].At = journal[i].At.Add(by)
	}
	w.ledger.journal[id] = journal
	r := w.ledger.requests[id]
	if r.State == change.Applying {
		r.Started = r.Started.Add(by)
		w.ledger.requests[id] = r
	}
}
