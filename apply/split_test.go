package apply_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/change"
	"vpnbot/ros/rossim"
	"vpnbot/vpn"
)

// outage parts the two ends for so long.
func (w *world) outage(whole time.Duration) {
	for i := range names {
		_ = w.in.Block(names[i], names[1-i], rossim.IKE)
		_ = w.in.Block(names[i], names[1-i], rossim.ESP)
	}
	for _, name := range names { // what was up is gone at once, so that the guards see it
		for _, row := range w.in.Router(name).Rows("/ip/ipsec/active-peers") {
			_ = w.in.Router(name).Remove("/ip/ipsec/active-peers", row[".id"])
		}
	}
	time.AfterFunc(whole, func() {
		for i := range names {
			_ = w.in.Unblock(names[i], names[1-i], rossim.IKE)
			_ = w.in.Unblock(names[i], names[1-i], rossim.ESP)
		}
	})
}

// Ensure the sequences that DESIGN.md lists are the ones in which the two ends
// part when the bot never comes back, and that a bot that does come back joins them
// again, however late.
func TestEngine_Tunnel_Split(t *testing.T) {
	for _, tt := range []struct {
		name, deed string // the last that the bot does
		strike     func(w *world)
		split      bool
	}{
		// The first end has given up its guard and its old rows, the second has its
		// guard still: an outage at a moment at which it looks takes it back alone.
		{"an outage between the commits", "gw-fengshan: script commit", func(w *world) { w.outage(4 * time.Minute) }, true},
		// Before that, both guards see one outage and decide alike.
		{"an outage before the commits", "journal decided", func(w *world) { w.outage(4 * time.Minute) }, false},
		// After that there are no guards.
		{"an outage after the commits", "gw-hq: script commit", func(w *world) { w.outage(4 * time.Minute) }, false},
		{"a reboot between the commits", "gw-fengshan: script commit", func(w *world) { w.in.Router("gw-hq").Reboot() }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			all := deeds(t, "redo", vpn.PlanRedo, everything, nil)
			n := slices.IndexFunc(all, func(d string) bool { return strings.HasPrefix(d, tt.deed) })
			for _, back := range []bool{false, true} {
				play(t, everything(), func(w *world) {
					id := w.plan("redo", vpn.PlanRedo, nil)
					w.start(&life{befall: map[int]fate{n + 1: dieAfter}})
					w.wait(id, time.Minute)
					w.kill()
					tt.strike(w)
					time.Sleep(15 * time.Minute)
					synctest.Wait()
					side := func(name string) string { return strings.TrimPrefix(w.kindOf(name), "on ") }
					if split := side("gw-hq") != side("gw-fengshan") || !w.up(); split != tt.split {
						w.Errorf("without a bot: hq %s, fengshan %s, up %v", w.kindOf("gw-hq"), w.kindOf("gw-fengshan"), w.up())
					}
					if back {
						w.start(&life{})
						r := w.wait(id, 20*time.Minute)
						w.sound(r, tt.name)
						if r.State != change.Committed {
							w.Errorf("got %s (%v)", r.State, r.Outcome)
						}
					}
				})
			}
		})
	}
}
