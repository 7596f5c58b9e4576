package apply_test

import (
	"testing"
	"time"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// Ensure what waits for a change that needs attention holds no router meanwhile: what
// people decide about that change goes first.
func TestEngine_Queue_Stuck(t *testing.T) {
	play(t, everything(), func(w *world) {
		meddle := sets("/ip/ipsec/profile", "name", newName, schema.Row{"dpd-interval": "1m"})
		first := w.plan("redo", vpn.PlanRedo, nil)
		second := w.plan("rekey", vpn.PlanRekey, nil)
		w.ledger.mu.Lock() // the second one is approved a moment later
		waiting := w.ledger.requests[second]
		delete(w.ledger.requests, second)
		w.ledger.mu.Unlock()
		w.start(&life{phase: map[string]func(){change.PhaseProve: func() {
			w.ledger.mu.Lock()
			w.ledger.requests[second] = waiting
			w.ledger.mu.Unlock()
			time.AfterFunc(300*time.Millisecond, func() { meddle(w, "gw-hq") })
		}}})
		r := w.wait(first, time.Minute)
		if r.State != change.NeedsAttention {
			w.Fatalf("the first is %s (%v)", r.State, r.Outcome)
		}
		time.Sleep(90 * time.Second)
		plan, err := change.PlanResume(r, change.DecidedRevert)
		if err != nil {
			w.Fatal(err)
		}
		begun := time.Now()
		if got := w.wait(w.approve(plan), 14*time.Minute); got.State != change.Applied || time.Since(begun) > 10*time.Second {
			w.Errorf("what people decided is %s after %v", got.State, time.Since(begun))
		}
		w.wait(first, time.Minute)
		if got := w.wait(second, 2*time.Minute); !got.State.Ended() {
			w.Errorf("the second is %s (%v)", got.State, got.Outcome)
		}
		if !w.up() {
			w.Error("the tunnel is not up")
		}
	})
}
