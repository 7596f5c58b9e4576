//go:build !nodemo

package main

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// In band, the bot sits in the network of hq and reaches the router at fengshan at its
// address inside, through the tunnel between the two: what it sends gets there while
// the tunnel carries packets both ways, and waits otherwise, as TCP repeats what is
// lost. Each router sees the address that the bot has in hq.

// botAddress is that of the bot's host in the network of hq.
const botAddress = "192.168.77.5"

// way is how the bot reaches a router.
type way struct {
	from string // the bot's address as the router sees it; "": that of the connection
	// through tells whether packets get there and back at this moment; nil: always.
	through atomic.Pointer[func() bool]
}

// lead sets up the ways of the bot to the routers, when it is in band.
func (d *demo) lead() {
	if !d.inBand {
		return
	}
	bot := netip.MustParseAddr(botAddress)
	for _, o := range d.routers {
		if o.Name != "fengshan" {
			continue
		}
		router := netip.MustParseAddr(o.LAN + ".1")
		through := func() bool { return d.internet.Protected(bot, router) && d.internet.Protected(router, bot) }
		o.way.through.Store(&through)
	}
}

// wayTo is how the bot reaches the router of a site before the sites are joined:
// through a tunnel that is not there yet not at all.
func (n network) wayTo(site string) *way {
	w := &way{}
	if !n.inBand {
		return w
	}
	switch site {
	case "hq":
		w.from = botAddress
	case "fengshan":
		w.from = botAddress
		nothing := func() bool { return false }
		w.through.Store(&nothing)
	}
	return w
}

// led accepts connections that come by a way.
type led struct {
	net.Listener
	way *way
}

// Accept returns the next connection.
func (l led) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	end := &end{Conn: c, way: l.way, closed: make(chan struct{})}
	end.close = sync.OnceValue(func() error { close(end.closed); return c.Close() })
	return end, nil
}

// end is the router's end of a connection.
type end struct {
	net.Conn
	way    *way
	closed chan struct{}
	close  func() error
}

// RemoteAddr is where the bot is.
func (e *end) RemoteAddr() net.Addr {
	if e.way.from == "" {
		return e.Conn.RemoteAddr()
	}
	return &net.TCPAddr{IP: net.ParseIP(e.way.from), Port: 40000}
}

// Read returns what has come through.
func (e *end) Read(p []byte) (int, error) {
	n, err := e.Conn.Read(p)
	if gone := e.wait(); gone != nil && err == nil {
		return 0, gone
	}
	return n, err
}

// Write sends when there is a way.
func (e *end) Write(p []byte) (int, error) {
	if err := e.wait(); err != nil {
		return 0, err
	}
	return e.Conn.Write(p)
}

// wait waits until packets get through.
func (e *end) wait() error {
	for {
		if through := e.way.through.Load(); through == nil || (*through)() {
			return nil
		}
		select {
		case <-e.closed:
			return net.ErrClosed
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Close closes the connection.
func (e *end) Close() error { return e.close() }
