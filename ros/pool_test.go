package ros_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/ros"
)

// many are enough menus for a snapshot to read them over two sessions.
var many = []string{
	"/interface/l2tp-server/server", "/ip/address", "/ip/dhcp-server", "/ip/pool", "/ppp/active",
	"/ppp/profile", "/ppp/secret", "/system/device-mode", "/system/identity", "/user", "/user/group",
}

// Ensure a router sees at most two reading connections, and a second command on
// one only after the answer to the first, however many ask at once.
func TestPool_Bounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{script: func(w *wire, words []string, tag string) bool {
			time.Sleep(20 * time.Millisecond)
			if w.r.Buffered() > 0 {
				t.Error("a second command came before the answer to the first")
			}
			return polite(w, words, tag)
		}}
		f := s.fleet(t, time.Minute)
		var group sync.WaitGroup
		for range 40 {
			group.Go(func() {
				snap, err := f.Snapshot(t.Context(), "r", many...)
				if err != nil || len(snap.Menus) != len(many) {
					t.Errorf("got %d menus, %v, want %d", len(snap.Menus), err, len(many))
				}
			})
		}
		group.Wait()
		if got := s.most.Load(); got != 2 {
			t.Errorf("got %d connections at once, want 2", got)
		}
		if got := s.dials.Load(); got != 2 {
			t.Errorf("got %d logins, want 2", got)
		}
	})
}

// Ensure a caller that waits for a busy connection gives up in time.
func TestPool_Busy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{script: answering("/ip/pool/print", func(string) string { return "" })}
		f := s.fleet(t, 10*time.Second)
		var group sync.WaitGroup
		for range 2 {
			group.Go(func() { _, _ = f.Snapshot(t.Context(), "r", "/ip/pool") })
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, err := f.Snapshot(ctx, "r"); !errors.Is(err, ros.ErrTimeout) || time.Since(start) != time.Second {
			t.Errorf("got %v after %v, want %v after 1s", err, time.Since(start), ros.ErrTimeout)
		}
		group.Wait()
	})
}

// Ensure polling for a day makes far fewer logins than one an hour, and yet so
// many that a change of rights takes effect.
func TestPool_Polling(t *testing.T) {
	for _, interval := range []time.Duration{time.Minute, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			s := &scripted{script: polite}
			f := s.fleet(t, time.Minute)
			for start := time.Now(); time.Since(start) < 24*time.Hour; time.Sleep(interval) {
				if _, err := f.Snapshot(t.Context(), "r", "/ppp/active", "/ppp/secret"); err != nil {
					t.Fatal(err)
				}
			}
			if got := s.dials.Load(); got > 24 || got < 4 {
				t.Errorf("polling every %v: got %d logins a day, want 4 to 24", interval, got)
			}
		})
	}
}

// Ensure unused connections end by themselves: the writing one soon.
func TestPool_Idle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{script: polite}
		f := s.fleet(t, time.Minute)
		if err := f.Execute(t.Context(), "r", 7, addStep(), vault{}); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Snapshot(t.Context(), "r"); err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			after time.Duration
			want  int64
		}{{0, 2}, {2 * time.Minute, 1}, {2 * time.Hour, 0}} {
			time.Sleep(tt.after)
			synctest.Wait()
			if got := f.Stats()[0].Open; got != tt.want || s.open.Load() != tt.want {
				t.Errorf("after %v: got %d open here, %d there, want %d", tt.after, got, s.open.Load(), tt.want)
			}
		}
	})
}

// Ensure a connection that died while it lay idle costs neither a read nor a
// write.
func TestPool_Stale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{script: func(w *wire, words []string, tag string) bool {
			return polite(w, words, tag) && words[0] != "/system/resource/print" && words[0] != "/ppp/secret/add"
		}}
		f := s.fleet(t, time.Minute)
		for range 3 {
			if _, err := f.Snapshot(t.Context(), "r", "/ip/pool"); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if err := f.Execute(t.Context(), "r", 7, addStep(), vault{}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if got := s.dials.Load(); got != 6 {
			t.Errorf("got %d connections, want 6", got)
		}
	})
}

// Ensure a router that is away is not tried over and over, and is back in use
// soon after its return; the reason is told all the while.
func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{script: polite}
		dials, away := 0, true
		f := newFleet(t, func(ctx context.Context, network, address string) (net.Conn, error) {
			if dials++; away {
				return nil, errors.New("connection refused")
			}
			return s.dial(ctx, network, address)
		}, time.Minute)
		t.Cleanup(s.group.Wait)
		for range 3600 {
			if _, err := f.Snapshot(t.Context(), "r"); !errors.Is(err, ros.ErrUnreachable) {
				t.Fatalf("got %v, want %v", err, ros.ErrUnreachable)
			}
			// Two failures are free; from then on every refusal is in a pause.
			if got := f.Stats()[0].Resting; got == nil && dials > 2 {
				t.Fatalf("the pause after %d attempts is not told", dials)
			}
			time.Sleep(time.Second)
		}
		if dials > 400 {
			t.Errorf("got %d attempts in an hour, want at most 400", dials)
		}
		away = false
		time.Sleep(20 * time.Second)
		if _, err := f.Snapshot(t.Context(), "r"); err != nil {
			t.Error(err)
		}
		if got := f.Stats()[0].Resting; got != nil {
			t.Errorf("got %v, want no pause", got)
		}
	})
}

// Ensure a refused login is repeated even less: each stands in the router's log.
func TestBreaker_Login(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{script: polite, login: frame("!trap", "=message=invalid user name or password (6)") + frame("!done")}
		f := s.fleet(t, time.Minute)
		for range 3600 {
			if _, err := f.Snapshot(t.Context(), "r"); !errors.Is(err, ros.ErrLogin) {
				t.Fatalf("got %v, want %v", err, ros.ErrLogin)
			}
			time.Sleep(time.Second)
		}
		if got := s.dials.Load(); got > 25 {
			t.Errorf("got %d logins in an hour, want at most 25", got)
		}
	})
}

// Ensure both logins share what is known of a router: while it is away, reads and
// writes together try it no more often than one of them would, and an answer to
// either ends the pause of both.
func TestBreaker_BothLogins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{script: polite}
		dials, away := 0, true
		f := newFleet(t, func(ctx context.Context, network, address string) (net.Conn, error) {
			if dials++; away {
				return nil, errors.New("connection refused")
			}
			return s.dial(ctx, network, address)
		}, time.Minute)
		t.Cleanup(s.group.Wait)
		write := func() error { return f.Execute(t.Context(), "r", 7, addStep(), vault{}) }
		for range 1800 {
			if _, err := f.Snapshot(t.Context(), "r"); !errors.Is(err, ros.ErrUnreachable) {
				t.Fatalf("read: got %v, want %v", err, ros.ErrUnreachable)
			}
			time.Sleep(time.Second)
			if err := write(); !errors.Is(err, ros.ErrUnreachable) || errors.Is(err, ros.ErrUnknownOutcome) {
				t.Fatalf("write: got %v, want %v", err, ros.ErrUnreachable)
			}
			time.Sleep(time.Second)
		}
		if dials > 400 {
			t.Errorf("got %d attempts in an hour, want at most 400", dials)
		}
		away = false
		time.Sleep(20 * time.Second)
		if _, err := f.Snapshot(t.Context(), "r"); err != nil {
			t.Error(err)
		}
		if err := write(); err != nil {
			t.Error(err)
		}
	})
}

// Ensure a router that lets us in and then answers nothing is asked ever more
// seldom, since each attempt stands in its log; and that it is back in use within
// minutes of its recovery.
func TestBreaker_Vain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var answers atomic.Bool
		s := &scripted{script: func(w *wire, words []string, tag string) bool { return !answers.Load() || polite(w, words, tag) }}
		f := s.fleet(t, 10*time.Second)
		for start := time.Now(); time.Since(start) < 24*time.Hour; time.Sleep(10 * time.Second) {
			if _, err := f.Snapshot(t.Context(), "r"); !errors.Is(err, ros.ErrTimeout) {
				t.Fatalf("got %v, want %v", err, ros.ErrTimeout)
			}
		}
		if got := s.dials.Load(); got < 200 || got > 400 {
			t.Errorf("got %d logins a day, want 200 to 400", got)
		}
		if got := f.Stats()[0].Resting; !errors.Is(got, ros.ErrTimeout) {
			t.Errorf("resting: got %v, want %v", got, ros.ErrTimeout)
		}
		answers.Store(true)
		time.Sleep(longestVain)
		for range 2 {
			if _, err := f.Snapshot(t.Context(), "r"); err != nil {
				t.Error(err)
			}
		}
		if got := f.Stats()[0].Resting; got != nil {
			t.Errorf("got %v, want no pause", got)
		}
	})
}

// longestVain is the longest pause behind a login that led to nothing, with what
// it is spread by.
const longestVain = 5*time.Minute + 5*time.Minute/4
