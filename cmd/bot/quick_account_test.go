//go:build !nodemo

package main

import (
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/change"
	"vpnbot/ros/rossim"
)

// Ensure an account is changed within half a second of the last approval, on routers
// that take 20 ms for each command. Where somebody's account ends, three seconds more
// go by before it is looked a second time whether they are gone.
func TestAccount_Quick(t *testing.T) {
	const ends = 3 * time.Second
	for _, tt := range []struct {
		line, account string
		more          time.Duration
	}{
		{"/vpn adduser mei-01 --for @mei --site hq", "mei-01", 0},
		{"/vpn passwd huang-sl --for @mei --site hq", "huang-sl", 0},
		{"/vpn enable tsai-old --site hq", "tsai-old", 0},
		{"/vpn kick chen-yh --site hq", "chen-yh", 0},
		{"/vpn extend chen-yh 90d --site hq", "chen-yh", 0},
		{"/vpn disable chen-yh --site hq", "chen-yh", ends},
		{"/vpn deluser chen-yh --site hq", "chen-yh", ends},
	} {
		t.Run(tt.line, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				for _, o := range w.routers {
					o.router.SetFaults(rossim.Faults{Latency: 20 * time.Millisecond})
				}
				w.start(nil)
				time.Sleep(90 * time.Second)
				if err := w.slack.Command(t.Context(), "U0OLIVE", "C0VPNOPS", tt.line); err != nil {
					t.Fatal(err)
				}
				w.click(t, "U0OLIVE", "C0VPNOPS", "submit", tt.account)
				w.click(t, "U0ANN", "C0VPNOPS", "approve", tt.account)
				form := w.view(t, "U0ANN", tt.account)
				before := w.sent()
				if err := w.slack.Submit(t.Context(), "U0ANN", form.ID, nil); err != nil {
					t.Fatal(err)
				}
				took := w.took(t, change.EventApproved, change.EventApplied) - tt.more
				if took >= 500*time.Millisecond {
					t.Errorf("%v from the last approval to applied, want less than half a second", took)
				}
				t.Logf("%s: %v from the last approval to applied, and %v of waiting; %d commands", tt.line, took, tt.more, w.sent()-before)
			})
		})
	}
}
