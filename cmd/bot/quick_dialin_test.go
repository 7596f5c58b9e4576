//go:build !nodemo

package main

import (
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/change"
	"vpnbot/ros/rossim"
)

// Ensure a dial-in server is set up, changed and given another key within seconds of
// the last approval, on routers that take 20 ms for each command, and that its clients
// reach another site as fast as a tunnel is changed.
func TestDialIn_Quick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for _, o := range w.routers {
			o.router.SetFaults(rossim.Faults{Latency: 20 * time.Millisecond})
		}
		w.start(nil)
		time.Sleep(90 * time.Second)
		for _, tt := range []struct {
			line, subject string
			end           change.EventKind
			most          time.Duration
		}{
			{
				"/vpn dialin setup taichung server=vpn.taichung.example ranges=192.168.199.10-192.168.199.60 local=192.168.199.1 dns=192.168.99.1",
				"taichung", change.EventApplied, 5 * time.Second,
			},
			{"/vpn dialin set taichung dns=192.168.99.1,1.1.1.1", "taichung", change.EventApplied, time.Second},
			{"/vpn rotate l2tp taichung", "taichung", change.EventApplied, time.Second},
			{
				"/vpn dialin setup hq ranges=192.168.178.10-192.168.178.99 local=192.168.178.1 --handover @olive",
				"hq", change.EventApplied, 5 * time.Second,
			},
			{"/vpn dialin set hq reach=fengshan", "鳳山", change.EventCommitted, 5 * time.Second},
			{"/vpn dialin set hq reach=none", "鳳山", change.EventCommitted, 5 * time.Second},
		} {
			if err := w.slack.Command(t.Context(), "U0OLIVE", "C0VPNOPS", tt.line); err != nil {
				t.Fatal(err)
			}
			w.click(t, "U0OLIVE", "C0VPNOPS", "submit", tt.subject)
			w.click(t, "U0ANN", "C0VPNOPS", "approve", tt.subject)
			form := w.view(t, "U0ANN", tt.subject)
			before, since := w.sent(), time.Now()
			if err := w.slack.Submit(t.Context(), "U0ANN", form.ID, nil); err != nil {
				t.Fatal(err)
			}
			took := w.tookSince(t, since, change.EventApproved, tt.end)
			if took > tt.most {
				t.Errorf("%s: %v from the last approval to its end, want at most %v", tt.line, took, tt.most)
			}
			t.Logf("%s: %v from the last approval to %s, %d commands", tt.line, took, tt.end, w.sent()-before)
			time.Sleep(time.Minute)
		}
	})
}

// tookSince is took for events since a moment.
func (w *world) tookSince(t *testing.T, since time.Time, from, to change.EventKind) time.Duration {
	t.Helper()
	var began, ended time.Time
	w.until(t, string(to), func() bool {
		events, err := w.sys.store.Events(t.Context(), change.EventFilter{Since: since})
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
