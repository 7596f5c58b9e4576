package apply_test

import (
	"slices"
	"testing"
	"time"

	"vpnbot/change"
	"vpnbot/vpn"
)

// Ensure a bot that comes back ends what it was at before it begins anything else
// on the same routers, whichever of the two it comes to first.
func TestEngine_Order(t *testing.T) {
	all := deeds(t, "redo", vpn.PlanRedo, outside, nil)
	middle := slices.Index(all, "gw-fengshan: script cut over") + 1
	for range 4 {
		play(t, outside(), func(w *world) {
			first := w.plan("redo", vpn.PlanRedo, nil)
			second := w.plan("rekey", vpn.PlanRekey, nil)
			w.ledger.mu.Lock() // the second one is approved while the bot is away
			waiting := w.ledger.requests[second]
			delete(w.ledger.requests, second)
			w.ledger.mu.Unlock()
			w.start(&life{befall: map[int]fate{middle: dieAfter}})
			w.wait(first, time.Minute)
			w.kill()
			w.ledger.mu.Lock()
			w.ledger.requests[second] = waiting
			w.ledger.mu.Unlock()
			w.start(&life{})
			w.wait(first, 5*time.Minute)
			w.wait(second, 5*time.Minute)
			var order []change.EventKind
			for _, e := range w.ledger.events {
				switch e.Kind {
				case change.EventApplying, change.EventStale, change.EventCommitted, change.EventReverted:
					order = append(order, e.Kind)
				}
			}
			// Only one end was cut over: the first goes back, and the second finds its rows.
			want := []change.EventKind{change.EventApplying, change.EventReverted, change.EventApplying, change.EventCommitted}
			if !slices.Equal(order, want) {
				t.Errorf("got %v, want %v", order, want)
			}
		})
	}
}
