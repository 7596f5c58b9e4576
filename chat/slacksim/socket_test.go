package slacksim_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/chat/slacksim"
)

// Ensure a command fails after three seconds without an acknowledgement, that
// the person is told, and that a late acknowledgement changes nothing.
func TestAck_Deadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newSim(t, options()))
		w := r.connect()
		began := time.Now()
		failed := make(chan error, 1)
		go func() { failed <- r.s.Command(t.Context(), "UOP", "COPS", "/vpn help") }()
		frame := w.read()
		if err := <-failed; !errors.Is(err, slacksim.ErrTimeout) {
			t.Errorf("got %v, want a timeout", err)
		}
		if d := time.Since(began); d != 3*time.Second {
			t.Errorf("deadline: got %v, want 3s", d)
		}
		w.ack(frame, body{"text": "late"})
		synctest.Wait()
		got := r.s.Messages("UOP", "COPS")
		if len(got) != 1 || !got[0].Ephemeral() || !strings.Contains(got[0].Text, "operation_timeout") {
			t.Errorf("messages: got %+v", got)
		}
		if others := r.s.Messages("UAP", "COPS"); len(others) != 0 {
			t.Errorf("another person sees %+v", others)
		}
	})
}

// Ensure an acknowledgement counts only on the connection that delivered, and
// one of 20 KiB not at all.
func TestAck_WhereAndHowLarge(t *testing.T) {
	for name, tt := range map[string]struct {
		here bool
		size int
		want error
	}{
		"small":      {true, 10, nil},
		"just below": {true, 20*1024 - 200, nil},
		"too large":  {true, 20 * 1024, slacksim.ErrTimeout},
		"elsewhere":  {false, 10, slacksim.ErrTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, newSim(t, options()))
				first, second := r.connect(), r.connect()
				got := make(chan error, 1)
				go func() { got <- r.s.Command(t.Context(), "UOP", "COPS", "/vpn help") }()
				frames := make(chan func(), 2)
				for _, pair := range [][2]*wire{{first, second}, {second, first}} {
					go func() {
						var f body
						if pair[0].ws.ReadJSON(&f) != nil {
							return
						}
						to := pair[0]
						if !tt.here {
							to = pair[1]
						}
						frames <- func() { to.ack(f, body{"text": strings.Repeat("x", tt.size)}) }
					}()
				}
				(<-frames)()
				if err := <-got; !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
			})
		})
	}
}

// Ensure a command without a connection fails at once.
func TestCommand_NoConnection(t *testing.T) {
	s := newSim(t, options())
	if err := s.Command(t.Context(), "UOP", "COPS", "/vpn help"); !errors.Is(err, slacksim.ErrDispatchFailed) {
		t.Errorf("got %v, want dispatch_failed", err)
	}
	if got := last(t, s, "UOP", "COPS"); !strings.Contains(got.Text, "dispatch_failed") {
		t.Errorf("message: got %q", got.Text)
	}
}

// Ensure connections are greeted, pinged, counted, and that the eleventh is
// sent away.
func TestSocket_HelloPingLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newSim(t, options()))
		var all []*wire
		for i := range 10 {
			w := r.connect()
			if w.hello["type"] != "hello" || w.hello["num_connections"] != float64(i+1) || w.hello["debug_info"] == nil {
				t.Fatalf("hello %d: got %v", i+1, w.hello)
			}
			all = append(all, w)
		}
		if w := r.connect(); w.hello["type"] != "disconnect" || w.hello["reason"] != slacksim.ReasonTooMany {
			t.Errorf("the eleventh got %v", w.hello)
		}
		pinged := make(chan time.Time, 1)
		all[0].ws.SetPingHandler(func(string) error { pinged <- time.Now(); return nil })
		began := time.Now()
		go func() { _, _, _ = all[0].ws.ReadMessage() }()
		if d := (<-pinged).Sub(began); d > 10*time.Second {
			t.Errorf("first ping after %v", d)
		}
	})
}

// Ensure a ticket opens one connection only and soon grows stale.
func TestSocket_Ticket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newSim(t, options()))
		u := r.open()
		if query(u).Get("ticket") == "" || !strings.HasPrefix(u, "ws://slack.test/link/") {
			t.Errorf("url: got %q", u)
		}
		ws, err := r.dial(u)
		if err != nil {
			t.Fatal(err)
		}
		defer ws.Close()
		if again, err := r.dial(u); err == nil {
			again.Close()
			t.Error("a ticket was used twice")
		}
		u = r.open()
		time.Sleep(time.Minute)
		if late, err := r.dial(u); err == nil {
			late.Close()
			t.Error("a stale ticket was used")
		}
	})
}

// Ensure a connection is warned and refreshed, gets no envelope after that,
// and is closed by Slack if the app does not.
func TestSocket_Refresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := options()
		opts.ConnectionLife = time.Minute
		r := newRig(t, newSim(t, opts))
		began := time.Now()
		w := r.connect()
		for _, want := range []struct {
			reason string
			after  time.Duration
		}{{slacksim.ReasonWarning, 50 * time.Second}, {slacksim.ReasonRefresh, time.Minute}} {
			f := w.read()
			if f["type"] != "disconnect" || f["reason"] != want.reason || time.Since(began) != want.after {
				t.Errorf("after %v got %v, want %s after %v", time.Since(began), f, want.reason, want.after)
			}
		}
		synctest.Wait()
		if n := r.s.Connections(); n != 0 {
			t.Errorf("connections: got %d, want 0", n)
		}
		if _, _, err := w.ws.ReadMessage(); err == nil || time.Since(began) != 70*time.Second {
			t.Errorf("closed after %v with %v, want 70s", time.Since(began), err)
		}
	})
}

// Ensure switching Socket Mode off closes what is open and what comes.
func TestSocket_LinkDisabled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newSim(t, options()))
		w := r.connect()
		r.s.SetLinkDisabled(true)
		if f := w.read(); f["reason"] != slacksim.ReasonDisabled {
			t.Errorf("got %v", f)
		}
		if w := r.connect(); w.hello["reason"] != slacksim.ReasonDisabled {
			t.Errorf("a new connection got %v", w.hello)
		}
		r.s.SetLinkDisabled(false)
		if w := r.connect(); w.hello["type"] != "hello" {
			t.Errorf("after switching on: got %v", w.hello)
		}
	})
}

// Ensure an event is delivered again at once, after one and after five
// minutes, with the same event ID, and then given up.
func TestEvent_Retries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newSim(t, options()))
		w := r.connect()
		began := time.Now()
		r.s.OpenHome("UOP")
		ids := map[any]bool{}
		for try, after := range []time.Duration{0, 3 * time.Second, 66 * time.Second, 369 * time.Second} {
			f := w.read()
			if got := time.Since(began); got != after {
				t.Errorf("try %d came after %v, want %v", try, got, after)
			}
			if n, _ := f["retry_attempt"].(float64); int(n) != try {
				t.Errorf("retry_attempt: got %v, want %d", n, try)
			}
			ids[payload(f)["event_id"]] = true
		}
		if len(ids) != 1 {
			t.Errorf("event IDs: got %v", ids)
		}
	})
}
