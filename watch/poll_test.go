package watch_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/change"
	"vpnbot/vpn"
	"vpnbot/watch"
)

// Ensure every router is read once a minute, and that its samples reach over the
// window, oldest first, without growing.
func TestWatch_Samples(t *testing.T) {
	tests := []struct {
		poll time.Duration
		far  time.Duration // how far back the samples must reach
	}{
		{time.Minute, vpn.Window},
		{2 * time.Second, vpn.Window - 10*time.Second},
		{10 * time.Minute, 10 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.poll.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, newLAN("gw1", "gw2"), func(o *watch.Options) { o.Poll = tt.poll })
				began := time.Now()
				pass(40 * tt.poll)
				for _, router := range []string{"gw1", "gw2"} {
					for i, at := range w.lan.polls(router) {
						if want := began.Add(time.Duration(i) * tt.poll); !at.Equal(want) {
							t.Fatalf("got poll %d of %s at %v, want %v", i, router, at, want)
						}
					}
				}
				pass(vpn.Window)
				list := w.watch.Samples("gw1")
				if len(list) == 0 || len(list) > 8 {
					t.Fatalf("got %d samples, want 1 to 8", len(list))
				}
				for i := 1; i < len(list); i++ {
					if !list[i].At.After(list[i-1].At) {
						t.Errorf("got sample %d at %v behind one at %v", i, list[i].At, list[i-1].At)
					}
				}
				newest := list[len(list)-1].At
				if age := time.Since(newest); age >= tt.poll {
					t.Errorf("got a newest sample %v old, want less than %v", age, tt.poll)
				}
				if far := newest.Sub(list[0].At); far < tt.far {
					t.Errorf("got samples over %v, want %v", far, tt.far)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, newLAN("gw1"))
		if got := w.watch.Samples("elsewhere"); got != nil {
			t.Errorf("got %v of a router that nobody knows", got)
		}
	})
}

// Ensure routers that hang neither pile up polls nor keep those that answer from
// being read in time, however many they are.
func TestWatch_Slow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLAN()
		for i := range 30 {
			name := fmt.Sprintf("hangs%02d", i)
			l.reads[name] = nil
			l.answer[name] = func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }
		}
		for i := range 10 {
			name := fmt.Sprintf("well%d", i)
			l.reads[name] = nil
			l.answer[name] = func(context.Context) error { time.Sleep(100 * time.Millisecond); return nil }
		}
		w := newWorld(t, l)
		began := time.Now()
		pass(30*time.Minute + 10*time.Second)
		for i := range 10 {
			polls := l.polls(fmt.Sprintf("well%d", i))
			// In the first minutes nobody knows who hangs.
			settled := 0
			for _, at := range polls {
				if at.Sub(began) > 5*time.Minute+30*time.Second {
					settled++
					if late := at.Sub(began) % time.Minute; late > time.Second {
						t.Errorf("well%d was read %v late", i, late)
					}
				}
			}
			if settled != 25 {
				t.Errorf("well%d was read %d times in 25 minutes", i, settled)
			}
		}
		for i := range 30 {
			name := fmt.Sprintf("hangs%02d", i)
			list := w.watch.Samples(name)
			if len(list) == 0 || list[len(list)-1].Err == nil {
				t.Errorf("%s: got %d samples, want the last one to tell why it failed", name, len(list))
			}
		}
		if got := len(l.polls("hangs00")); got > 31 {
			t.Errorf("a router that hangs was asked %d times in 30 minutes", got)
		}
	})
}

// Ensure a router that cannot be read leaves a sample with the reason, is logged
// once, and is read again when it is back.
func TestWatch_Unreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		l := newLAN("gw1", "gw2")
		w := newWorld(t, l, func(o *watch.Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
		gone := errors.New("no route")
		l.set("gw1", func(context.Context) error { return gone })
		pass(10 * time.Minute)
		list := w.watch.Samples("gw1")
		last := list[len(list)-1]
		if !errors.Is(last.Err, gone) || last.Router != "gw1" || time.Since(last.At) > time.Minute {
			t.Errorf("got %+v, want the last failure", last)
		}
		if list := w.watch.Samples("gw2"); list[len(list)-1].Err != nil {
			t.Errorf("the other router: %v", list[len(list)-1].Err)
		}
		l.set("gw1", nil)
		pass(time.Minute)
		list = w.watch.Samples("gw1")
		if err := list[len(list)-1].Err; err != nil {
			t.Errorf("got %v, want a sample again", err)
		}
		for _, sentence := range []string{"router is silent", "router answers again"} {
			if got := strings.Count(log.String(), sentence); got != 1 {
				t.Errorf("got %q logged %d times, want once", sentence, got)
			}
		}
	})
}

// Ensure a first connection is seen by the poll alone: no router is read twice.
func TestWatch_Prove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLAN("gw1")
		w := newWorld(t, l)
		pass(30 * time.Second)
		r := w.unproven("vpn-01")
		pass(5 * time.Minute)
		if got := w.state(r); got != change.Unproven {
			t.Fatalf("got %q with nobody connected, want unproven", got)
		}
		l.connect("gw1", "vpn-01")
		pass(time.Minute)
		if got := w.state(r); got != change.Proven {
			t.Errorf("got %q within a poll, want proven", got)
		}
		if got := len(l.polls("gw1")); got != 7 {
			t.Errorf("the router was read %d times in 6.5 minutes, want 7", got)
		}
		account, err := w.ledger.Account(t.Context(), "hq", "vpn-01")
		if err != nil || account.Connected == nil {
			t.Errorf("got %+v, %v, want the account connected", account, err)
		}
	})
}

// Ensure a session that was read before the account was written proves nothing:
// it belonged to another account of that name.
func TestWatch_Prove_Earlier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLAN("gw1")
		l.connect("gw1", "vpn-01")
		w := newWorld(t, l)
		pass(time.Second)
		l.mu.Lock()
		l.online["gw1"] = nil
		l.mu.Unlock()
		r := w.unproven("vpn-01")
		pass(30 * time.Second)
		if got := w.state(r); got != change.Unproven {
			t.Errorf("got %q from an older sample, want unproven", got)
		}
	})
}

// Ensure Run ends at once while routers hang.
func TestWatch_Run_Ends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLAN()
		for i := range 20 {
			name := fmt.Sprint("gw", i)
			l.reads[name] = nil
			l.answer[name] = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		}
		w := newWorld(t, l)
		pass(5 * time.Second)
		began := time.Now()
		w.stop()
		if took := time.Since(began); took > 0 {
			t.Errorf("Run took %v to end", took)
		}
	})
}
