package rossim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"vpnbot/ros/schema"
)

// Negotiator judges one end calling another over IKE. It is injected, so that a
// model of RouterOS and daemons written by others can both be it.
type Negotiator interface {
	Negotiate(context.Context, schema.Attempt) (schema.Outcome, error)
}

// InternetOptions say what lies between routers.
type InternetOptions struct {
	Negotiator Negotiator
	Switches   Switches
	// Names are DNS names that resolve everywhere.
	Names map[string]netip.Addr
	Log   *slog.Logger
}

// Internet joins routers: who owns an address, which lines are cut, and what
// the routers' rows make them negotiate, keep up, lose and renew. What happens
// is written into the routers' own rows and logs.
//
// Nothing ticks. The state moves on when somebody reads or writes a router, and
// by one timer at the next moment at which something is due.
type Internet struct {
	opts      InternetOptions
	log       *slog.Logger
	negotiate func(schema.Attempt) (schema.Outcome, error)
	holder    holder
	cancel    context.CancelFunc

	turn  chan struct{} // holds one token: the right to touch what follows
	done  chan struct{}
	wake  atomic.Bool  // a router has effects
	next  atomic.Int64 // when something is due, in nanoseconds of Unix time
	wg    sync.WaitGroup
	timer *time.Timer
	close sync.Once

	world
}

// world is what an Internet remembers, and what a Clone copies.
type world struct {
	nodes    []*node
	byName   map[string]int
	names    map[string]netip.Addr
	lines    map[lineKey]Traffic
	dark     map[netip.Addr]bool // addresses whose line is cut
	ikes     []*ike
	flows    []*flow
	conns    []*connection
	closings []closing
	rates    map[gauge]float64 // what flows add up to
	clock    time.Time         // the moment that is being played
	dice     uint64
	ids      uint64
	stale    staleness // which flows have to find their ways again
}

// node is a router in its place.
type node struct {
	name  string
	r     *Router
	place Place
	gen   uint64    // rows that negotiation reads have changed so often
	up    time.Time // IKE runs from here on
	tries []*try
	nets  []network // what networks remembers
	known bool      // nets is up to date
}

// Place is where a router is attached.
type Place struct {
	// Name is how the Internet's methods call the router; the router's identity
	// when empty.
	Name string
	// Addresses are the router's addresses on the Internet. When empty they are
	// the public ones among its enabled rows in /ip/address, as those change.
	Addresses []netip.Addr
	// NAT are boxes in front of the router.
	NAT []NAT
}

// NAT is a box that translates one of a router's addresses.
type NAT struct {
	Inside, Public netip.Addr
	// Carrier means that nothing gets in but answers; otherwise the box hands
	// every packet for Public to Inside.
	Carrier bool
}

// NewInternet makes an Internet without routers. It ends with Close.
func NewInternet(o InternetOptions) (*Internet, error) {
	if o.Negotiator == nil {
		return nil, errors.New("an Internet needs a Negotiator")
	}
	o.Switches = o.Switches.filled()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	names := make(map[string]netip.Addr, len(o.Names))
	maps.Copy(names, o.Names)
	return newInternet(o, world{
		byName: make(map[string]int), names: names, lines: make(map[lineKey]Traffic),
		dark: make(map[netip.Addr]bool), rates: make(map[gauge]float64), clock: time.Now(), dice: o.Switches.Seed,
	}), nil
}

func newInternet(o InternetOptions, w world) *Internet {
	ctx, cancel := context.WithCancel(context.Background())
	in := &Internet{
		opts: o, log: o.Log, cancel: cancel, turn: make(chan struct{}, 1), done: make(chan struct{}), world: w,
		negotiate: func(a schema.Attempt) (schema.Outcome, error) { return o.Negotiator.Negotiate(ctx, a) },
	}
	in.hold(ctx, o.Negotiator)
	in.next.Store(never)
	return in
}

// Attach puts a router into its place. A router belongs to one Internet at
// most, and stays until the Internet is closed.
func (in *Internet) Attach(r *Router, p Place) error {
	if p.Name == "" {
		p.Name = r.Name()
	}
	if !in.enter() {
		return errClosed()
	}
	defer in.leave()
	in.advance(time.Now())
	if _, taken := in.byName[p.Name]; taken {
		return fmt.Errorf("attaching %s: the name is taken", p.Name)
	}
	n := &node{name: p.Name, r: r, place: p, up: in.clock}
	if !in.join(n) {
		return fmt.Errorf("attaching %s: the router is attached already", p.Name)
	}
	in.byName[p.Name] = len(in.nodes)
	in.nodes = append(in.nodes, n)
	in.changed(n)
	in.advance(in.clock)
	return nil
}

// join makes the router tell this Internet about its writes.
func (in *Internet) join(n *node) bool {
	n.r.mu.Lock()
	defer n.r.mu.Unlock()
	if n.r.net != nil {
		return false
	}
	n.r.net, n.r.st.wake = in, &in.wake
	return true
}

// Router returns the router attached under that name, or nil.
func (in *Internet) Router(name string) *Router {
	if !in.enter() {
		return nil
	}
	defer in.leave()
	if i, ok := in.byName[name]; ok {
		return in.nodes[i].r
	}
	return nil
}

// SetName makes a DNS name resolve to an address; the zero address removes it.
func (in *Internet) SetName(name string, addr netip.Addr) {
	in.with(func() {
		delete(in.names, name)
		if addr.IsValid() {
			in.names[name] = addr
		}
		for _, n := range in.nodes {
			in.changed(n)
		}
	})
}

// Close ends the Internet and closes every router attached.
func (in *Internet) Close() error {
	in.close.Do(func() {
		in.cancel()
		close(in.done)
	})
	in.turn <- struct{}{} // whoever plays now leaves soon
	in.stopTimer()
	nodes := slices.Clone(in.nodes)
	<-in.turn
	in.wg.Wait()
	var errs []error
	for _, n := range nodes {
		errs = append(errs, n.r.Close())
	}
	return errors.Join(errs...)
}

func errClosed() error { return errors.New("the Internet is closed") }

// with plays what is due, lets change act, and plays what follows from it.
func (in *Internet) with(change func()) {
	if !in.enter() {
		return
	}
	defer in.leave()
	in.advance(time.Now())
	change()
	in.advance(in.clock)
}
