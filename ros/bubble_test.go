package ros_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/change/secret"
	"vpnbot/ros"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
)

// pipes is a listener whose connections are net.Pipe: it works in a bubble.
type pipes struct {
	accept chan net.Conn
	done   chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{accept: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accept:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8729} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.accept <- far:
		return near, nil
	case <-p.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Ensure a simulated week of polling and writing over TLS runs in a bubble:
// nothing waits on the real clock or holds a lock while it waits, and no
// goroutine is left.
func TestBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, err := rossim.New(rossim.Options{Latency: 20 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sim.Add("/user", schema.Row{"name": "bot", "group": "full", "password": "x"}); err != nil {
			t.Fatal(err)
		}
		cert, pin, err := rossim.Certificate("127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		l := newPipes()
		var serving sync.WaitGroup
		serving.Go(func() { _ = sim.ServeTLS(l, cert) })
		login := ros.Login{User: "bot", Password: secret.New("x")}
		f, err := ros.New(ros.Options{
			Routers: []ros.Router{{Name: "gw", Address: "192.0.2.1:8729", Fingerprint: pin, Read: login, Write: login}},
			Dial:    l.dial,
		})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for day := range 7 {
			for range 24 * 12 {
				if _, err := f.Snapshot(t.Context(), "gw", many...); err != nil {
					t.Fatal(err)
				}
				time.Sleep(5 * time.Minute)
			}
			if err := f.Execute(t.Context(), "gw", int64(day), add(), vault{}); err != nil {
				t.Fatal(err)
			}
			step := remove()
			step.Match = schema.Row{"name": account}
			if err := f.Execute(t.Context(), "gw", int64(day), step, nil); err != nil {
				t.Fatal(err)
			}
			sim.Reboot()
		}
		if got, want := sim.Logins(), int(time.Since(start).Hours()); got > want {
			t.Errorf("got %d logins, want at most one an hour, %d", got, want)
		}
		f.Close()
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
		serving.Wait()
	})
}
