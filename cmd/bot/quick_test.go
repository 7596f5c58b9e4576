//go:build !nodemo

package main

import (
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/change"
	"vpnbot/ros/rossim"
)

// Ensure a tunnel is changed and proven within seconds of the last approval, on
// routers that take 20 ms for each command. Virtual time counts what is waited
// for, which no busy machine makes longer. One second of it is the routers' own,
// before they call each other.
func TestTunnel_Quick(t *testing.T) {
	for line, tunnel := range map[string]string{
		"/vpn redo hq-fengshan": "hq-fengshan", "/vpn rotate psk hq-fengshan": "hq-fengshan",
		"/vpn tunnel set hq-fengshan exchange=ike2": "hq-fengshan", "/vpn tunnel add fengshan taichung": "fengshan-taichung",
		"/vpn tunnel remove hq-fengshan": "hq-fengshan",
	} {
		t.Run(line, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				for _, o := range w.routers {
					o.router.SetFaults(rossim.Faults{Latency: 20 * time.Millisecond})
				}
				w.start(nil)
				time.Sleep(90 * time.Second)
				if err := w.slack.Command(t.Context(), "U0OLIVE", "C0VPNOPS", line); err != nil {
					t.Fatal(err)
				}
				w.click(t, "U0OLIVE", "C0VPNOPS", "submit", tunnel)
				w.click(t, "U0ANN", "C0VPNOPS", "approve", tunnel)
				form := w.view(t, "U0ANN", tunnel)
				before := w.sent()
				if err := w.slack.Submit(t.Context(), "U0ANN", form.ID, nil); err != nil {
					t.Fatal(err)
				}
				took := w.took(t, change.EventApproved, change.EventCommitted)
				if took > 4*time.Second {
					t.Errorf("%v from the last approval to committed, want at most 4 s", took)
				}
				t.Logf("%s: %v from the last approval to committed, %d commands to both routers", line, took, w.sent()-before)
			})
		})
	}
}

// sent counts the commands that routers were sent so far, polls included.
func (w *world) sent() uint64 {
	var n uint64
	for _, s := range w.sys.fleet.Stats() {
		n += s.Commands
	}
	return n
}

// took waits for an event and returns how long after another it came.
func (w *world) took(t *testing.T, from, to change.EventKind) time.Duration {
	t.Helper()
	var began, ended time.Time
	w.until(t, string(to), func() bool {
		events, err := w.sys.store.Events(t.Context(), change.EventFilter{})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			switch e.Event.Kind {
			case from:
				began = e.Event.At
			case to:
				ended = e.Event.At
			}
		}
		return !ended.IsZero()
	})
	return ended.Sub(began)
}
