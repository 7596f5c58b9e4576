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
	id     uint64
	passes bool // packets arrive, and answers come back
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
		run.id = in.id()
		in.flows = append(in.flows, run)
		in.stale = true
	})
	return func() {
		in.with(func() {
			in.flows = slices.DeleteFunc(in.flows, func(o *flow) bool { return o == run })
			in.stale = true
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
	f := Flow{From: src, To: dst, Protocol: "icmp", FromPort: id, ToPort: id, There: 1, Back: 1, Size: size}
	used := map[*connection]bool{}
	ok := in.roundTrip(i, f, used, func(g gauge, n float64) {
		in.edit(in.nodes[g.node], g.path, g.serial, func(rec *record) {
			rec.turn(in.clock, g.meter, rec.meters[g.meter].rate, n)
		})
	})
	for c := range used {
		if c.flows == 0 {
			c.ends = in.clock.Add(c.patience())
		}
	}
	return ok
}

// roundTrip sends f's packets from the router that its source is at, and the
// answers back.
func (in *Internet) roundTrip(i int, f Flow, used map[*connection]bool, count sink) bool {
	p := packet{f.From, f.To, f.Protocol, f.FromPort, f.ToPort}
	j, there, ok := in.carry(i, p, used, weigh(count, f.There, f.Size))
	if !ok {
		return false
	}
	k, _, ok := in.carry(j, there.reply(), used, weigh(count, f.Back, f.Size))
	return ok && k == i
}

// weigh makes a sink count rate packets of a size, and their bytes, for each
// packet.
func weigh(count sink, rate float64, size int) sink {
	return func(g gauge, n float64) {
		if name, ok := byteMeters(g.meter); ok {
			count(gauge{g.node, g.path, g.serial, name}, n*rate*float64(size))
		}
		count(g, n*rate)
	}
}

// byteMeters returns the meter of bytes that stands beside one of packets.
func byteMeters(name string) (string, bool) {
	switch name {
	case "packets":
		return "bytes", true
	case "current-packets", "rx-packets", "tx-packets", "orig-packets", "repl-packets":
		return name[:len(name)-len("packets")] + "bytes", true
	}
	return "", false
}

// reroute finds every flow's way again and turns the meters on it.
func (in *Internet) reroute() {
	rates := make(map[gauge]float64)
	var order []gauge
	add := func(g gauge, n float64) {
		if _, ok := rates[g]; !ok {
			order = append(order, g)
		}
		rates[g] += n
	}
	for _, c := range in.conns {
		c.flows = 0
	}
	for _, f := range in.flows {
		i := in.home(f.From)
		if i < 0 {
			f.passes = false
			continue
		}
		used := map[*connection]bool{}
		f.passes = in.roundTrip(i, f.Flow, used, add)
		for c := range used {
			c.flows++
		}
	}
	in.turnMeters(order, rates)
	for _, c := range in.conns {
		switch {
		case c.flows > 0:
			c.ends = time.Time{}
		case c.ends.IsZero():
			c.ends = in.clock.Add(c.patience())
		}
	}
}

// turnMeters gives meters their new rates, and stops those that no flow passes
// any more.
func (in *Internet) turnMeters(order []gauge, rates map[gauge]float64) {
	for _, g := range in.turned {
		if _, ok := rates[g]; !ok {
			order = append(order, g)
		}
	}
	in.turned = nil
	for _, g := range order {
		rate := rates[g]
		if rate > 0 {
			in.turned = append(in.turned, g)
		}
		n := in.nodes[g.node]
		n.r.mu.Lock()
		if rec := n.r.st.bySerial(g.path, g.serial); rec != nil && rec.meters[g.meter].rate != rate {
			rec.turn(in.clock, g.meter, rate, 0)
		}
		n.r.mu.Unlock()
	}
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
