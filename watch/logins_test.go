package watch_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/ros"
	"vpnbot/ros/rossim"
	"vpnbot/watch"
)

// pipes listens where dial dials.
type pipes struct {
	conns chan net.Conn
	gone  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.gone:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.gone:
	default:
		close(p.gone)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8728} }

// at gives a pipe the addresses of a connection.
type at struct {
	net.Conn
	addr net.Addr
}

func (a at) RemoteAddr() net.Addr { return a.addr }
func (a at) LocalAddr() net.Addr  { return a.addr }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- at{far, p.Addr()}:
		return near, nil
	case <-p.gone:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Ensure polling over the wire logs in to a router less than once an hour: each
// login stands in the router's own log.
func TestWatch_Logins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, err := rossim.New(rossim.Options{Name: "gw1"})
		if err != nil {
			t.Fatal(err)
		}
		p := &pipes{conns: make(chan net.Conn), gone: make(chan struct{})}
		served := make(chan error, 1)
		go func() { served <- sim.Serve(p) }()
		login := ros.Login{User: "admin"}
		fleet, err := ros.New(ros.Options{
			Dial: p.dial, Routers: []ros.Router{{Name: "gw1", Address: "127.0.0.1:8728", Read: login, Write: login, Plain: true}},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			fleet.Close()
			if err := errors.Join(sim.Close(), p.Close(), <-served); err != nil && !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
		})
		const hours = 13
		w := newWorld(t, fleet, seldom, func(o *watch.Options) { o.Poll = time.Minute })
		pass(hours * time.Hour)
		list := w.watch.Samples("gw1")
		if len(list) < 5 || list[len(list)-1].Err != nil {
			t.Fatalf("got %d samples, want the last minutes", len(list))
		}
		if got := sim.Logins(); got > hours {
			t.Errorf("logged in %d times in %d hours", got, hours)
		}
		w.stop()
	})
}
