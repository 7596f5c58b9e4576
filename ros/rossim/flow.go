package rossim

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Flow is one connection between two hosts, each in some router's LAN or a
// router itself. Whatever address lies in a LAN answers.
type Flow struct {
	From, To         netip.Addr
	Protocol         string // icmp when empty, else tcp or udp
	FromPort, ToPort uint16
	There, Back      float64 // packets per second
	Size             int     // bytes of a packet; 100 when zero
}

// flow is a Flow that runs.
type flow struct {
	Flow
	route
}

// packet is the part of one that routers look at.
type packet struct {
	src, dst     netip.Addr
	protocol     string
	sport, dport uint16
}

func (p packet) reply() packet { return packet{p.dst, p.src, p.protocol, p.dport, p.sport} }

// gauge names a meter of a row.
type gauge struct {
	node   int
	path   string
	serial uint64
	meter  string
}

// sink takes what passes a meter: packets, or packets a second.
type sink func(g gauge, n float64)

// StartFlow lets traffic begin. It goes the way that policies, address
// translation and lines give it at every moment, and grows the counters on that
// way, until stop is called.
func (in *Internet) StartFlow(f Flow) (stop func(), err error) {
	if !f.From.IsValid() || !f.To.IsValid() || f.There < 0 || f.Back < 0 {
		return nil, fmt.Errorf("starting a flow from %v to %v: want two addresses and no negative rate", f.From, f.To)
	}
	if f.Protocol == "" {
		f.Protocol = "icmp"
	}
	if f.Size == 0 {
		f.Size = 100
	}
	run := &flow{Flow: f}
	in.with(func() {
		in.flows = append(in.flows, run)
		in.reroute()
	})
	return func() {
		in.with(func() {
			in.flows = slices.DeleteFunc(in.flows, func(o *flow) bool { return o == run })
			in.take(run, route{})
		})
	}, nil
}

// Ping sends one packet from a router's address and tells whether an answer
// came. The zero source is the router's main address.
func (in *Internet) Ping(router string, src, dst netip.Addr) bool {
	ok := false
	in.with(func() {
		if i, known := in.byName[router]; known {
			ok = in.ping(i, src, dst, uint16(in.id()), 56)
		}
	})
	return ok
}

// PingFrom sends one packet from a host in some router's LAN, or from a client that has
// dialled in to it, and tells whether an answer came.
func (in *Internet) PingFrom(from, to netip.Addr) bool {
	ok := false
	in.with(func() {
		if i := in.home(from); i >= 0 {
			ok = in.send(i, Flow{From: from, To: to, Protocol: "icmp", FromPort: 1, ToPort: 1, There: 1, Back: 1, Size: 56})
		}
	})
	return ok
}

// Protected tells whether a packet from one host would get to another through
// IPsec at this moment: a policy takes it, both ends have its SAs, and the line
// carries them. Nothing is sent, counted or translated for that.
func (in *Internet) Protected(from, to netip.Addr) bool {
	in.settle()
	if !in.enter() {
		return false
	}
	defer func() { <-in.turn }() // nothing changes: no need to look what is due
	in.clock = later(in.clock, time.Now())
	i, j := in.home(from), in.home(to)
	if i < 0 || j < 0 {
		return false
	}
	pol, found := in.match(i, packet{src: from, dst: to, protocol: "icmp"})
	if !found || pol.action != "encrypt" {
		return false
	}
	k, c, e := in.pair(i, pol.serial)
	return k != nil && k.ends[1-e].node == j && !c.ends[1-e].gone && in.carries(k, e, ESP)
}

func (in *Internet) ping(i int, src, dst netip.Addr, id uint16, size int) bool {
	if !src.IsValid() {
		d, ok := in.leaves(in.nodes[i], "")
		if !ok {
			return false
		}
		src = d.inside
	}
	if !slices.Contains(in.own(in.nodes[i]), src) {
		return false
	}
	return in.send(i, Flow{From: src, To: dst, Protocol: "icmp", FromPort: id, ToPort: id, There: 1, Back: 1, Size: size})
}

// send sends one packet of f from router i, and its answer back.
func (in *Internet) send(i int, f Flow) bool {
	w := &walk{sink: func(g gauge, n float64) {
		in.edit(in.nodes[g.node], g.path, g.serial, func(rec *record) {
			rec.turn(in.clock, g.meter, rec.meters[g.meter].rate, n)
		})
	}}
	ok := in.roundTrip(i, f, w)
	for _, c := range w.conns {
		if c.flows == 0 {
			c.ends = in.clock.Add(c.patience())
		}
	}
	return ok
}

// walk is what packets on their way there and back meet.
type walk struct {
	sink  sink
	rate  float64 // packets a second, or one packet
	size  int
	conns []*connection
	nodes []int
	ikes  []uint64
}

// count lets the packets pass a meter, and their bytes the meter beside it.
func (w *walk) count(g gauge, n float64) {
	w.sink(g, n*w.rate)
	if name, ok := byteMeters(g.meter); ok {
		w.sink(gauge{g.node, g.path, g.serial, name}, n*w.rate*float64(w.size))
	}
}

func (w *walk) meet(c *connection) {
	if !slices.Contains(w.conns, c) {
		w.conns = append(w.conns, c)
	}
}

// roundTrip sends f's packets from the router that its source is at, and the
// answers back.
func (in *Internet) roundTrip(i int, f Flow, w *walk) bool {
	p := packet{f.From, f.To, f.Protocol, f.FromPort, f.ToPort}
	w.rate, w.size = f.There, f.Size
	j, there, ok := in.carry(i, p, w)
	if !ok {
		return false
	}
	w.rate = f.Back
	k, _, ok := in.carry(j, there.reply(), w)
	return ok && k == i
}

// byteMeters returns the meter of bytes that stands beside one of packets.
func byteMeters(name string) (string, bool) {
	switch name {
	case "current-packets", "rx-packets", "tx-packets", "orig-packets", "repl-packets":
		return name[:len(name)-len("packets")] + "bytes", true
	}
	return "", false
}

// home returns the router that has the address or the LAN around it, or -1.
func (in *Internet) home(a netip.Addr) int {
	return slices.IndexFunc(in.nodes, func(n *node) bool { return in.local(n, a) })
}

// local tells whether an address is the router's or lies in a LAN of its own.
func (in *Internet) local(n *node, a netip.Addr) bool {
	_, ok := in.interfaceOf(n, a)
	return ok
}
