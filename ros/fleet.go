package ros

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"vpnbot/change/secret"
)

// Sessions per login and how long they stay open unused. The reading login's
// outlast any poll interval, so that polling fills no router log with logins.
const (
	readSessions  = 2
	writeSessions = 1
	readIdle      = 70 * time.Minute
	writeIdle     = time.Minute
)

// Login is one user of a router.
type Login struct {
	User     string
	Password secret.Secret
}

// Router tells how one router is reached and recognised.
type Router struct {
	Name        string
	Address     string         // host:port of api-ssl
	Fingerprint string         // "sha256:HEX" of the leaf certificate
	CA          *x509.CertPool // instead of the fingerprint, or besides it
	ServerName  string         // name in the certificate, with CA; empty: the host of Address
	Read        Login          // for Snapshot and Check
	Write       Login          // for Execute and Check
	Plain       bool           // no TLS; refused unless Address is a loopback address
}

// Options are the settings of a Fleet.
type Options struct {
	Routers []Router
	// Dial opens connections; nil: net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	Log  *slog.Logger
	// Timeout bounds each command and each login; 0: ten seconds.
	Timeout time.Duration
}

// Fleet is the routers of the estate. Its methods may be called by many
// goroutines at once.
type Fleet struct {
	routers map[string]*router

	mu      sync.Mutex // never held while waiting
	closed  bool
	next    int
	cancels map[int]context.CancelCauseFunc // of the calls under way
	calls   sync.WaitGroup
}

// router is one router with the sessions of both logins.
type router struct {
	read, write *pool
	reach       breaker
	count       counters
	version     atomic.Pointer[string] // seen last
}

// New checks the options and returns a Fleet. It connects to nothing yet.
func New(o Options) (*Fleet, error) {
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	f := &Fleet{routers: map[string]*router{}, cancels: map[int]context.CancelCauseFunc{}}
	for _, r := range o.Routers {
		if _, double := f.routers[r.Name]; double || r.Name == "" {
			return nil, fmt.Errorf("router %q: name is empty or used twice", r.Name)
		}
		made, err := newRouter(r, o)
		if err != nil {
			return nil, fmt.Errorf("router %q: %w", r.Name, err)
		}
		f.routers[r.Name] = made
	}
	return f, nil
}

func newRouter(r Router, o Options) (*router, error) {
	var config *tls.Config
	if r.Plain {
		if !loopback(r.Address) {
			return nil, errors.New("plain connections are for loopback addresses only")
		}
	} else {
		var pin []byte
		var err error
		if r.Fingerprint != "" {
			if pin, err = parsePin(r.Fingerprint); err != nil {
				return nil, err
			}
		}
		if pin == nil && r.CA == nil {
			return nil, errors.New("neither fingerprint nor CA to recognise it by")
		}
		config = clientTLS(r, pin)
	}
	made := &router{}
	base := func(login Login, sessions int, idle time.Duration) *pool {
		return &pool{
			router: r, login: login, tls: config, dial: o.Dial, log: o.Log, timeout: o.Timeout,
			idle: idle, count: &made.count, reach: &made.reach, slots: make(chan struct{}, sessions),
		}
	}
	made.read = base(r.Read, readSessions, readIdle)
	made.write = base(r.Write, writeSessions, writeIdle)
	return made, nil
}

// loopback tells whether address is a literal loopback address with a port. A
// name is none: it may mean something else tomorrow.
func loopback(address string) bool {
	ap, err := netip.ParseAddrPort(address)
	return err == nil && ap.Addr().Unmap().IsLoopback()
}

// Routers returns the names of all routers in alphabetical order.
func (f *Fleet) Routers() []string { return slices.Sorted(maps.Keys(f.routers)) }

// Close ends every call under way, waits for them and closes all connections.
func (f *Fleet) Close() {
	f.mu.Lock()
	f.closed = true
	for _, cancel := range f.cancels {
		cancel(ErrClosed)
	}
	f.mu.Unlock()
	f.calls.Wait()
	for _, r := range f.routers {
		r.read.end()
		r.write.end()
	}
}

// enter starts a call on the named router: its context ends with the Fleet, and
// leave must be called at its end.
func (f *Fleet) enter(ctx context.Context, name string) (_ *router, _ context.Context, leave func(), _ error) {
	r, ok := f.routers[name]
	if !ok {
		return nil, nil, nil, fmt.Errorf("%w: %q", ErrUnknownRouter, name)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, nil, nil, ErrClosed
	}
	ctx, cancel := context.WithCancelCause(ctx)
	f.next++
	id := f.next
	f.cancels[id] = cancel
	f.calls.Add(1)
	return r, ctx, func() {
		cancel(nil)
		f.mu.Lock()
		delete(f.cancels, id)
		f.mu.Unlock()
		f.calls.Done()
	}, nil
}
