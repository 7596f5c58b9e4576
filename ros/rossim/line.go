package rossim

import (
	"fmt"
	"net/netip"
	"slices"

	"vpnbot/ros/schema"
)

// Traffic is a kind of packets that a line may lose.
type Traffic uint8

// The kinds. Under NAT traversal ESP goes inside UDP and is ESP all the same.
const (
	IKE Traffic = 1 << iota
	ESP
	Plain
	Everything = IKE | ESP | Plain
)

// lineKey is one direction between two places; to is -1 for every direction of
// from's own line.
type lineKey struct{ from, to int }

// Block makes the line lose traffic from one router to another, in that
// direction only. What was blocked before stays blocked.
func (in *Internet) Block(from, to string, what Traffic) error {
	return in.setLine(from, to, func(t Traffic) Traffic { return t | what })
}

// Unblock ends what Block began.
func (in *Internet) Unblock(from, to string, what Traffic) error {
	return in.setLine(from, to, func(t Traffic) Traffic { return t &^ what })
}

// Cut cuts the line between two routers, both ways; Mend joins it.
func (in *Internet) Cut(a, b string) error {
	if err := in.Block(a, b, Everything); err != nil {
		return err
	}
	return in.Block(b, a, Everything)
}

// Mend joins the line between two routers.
func (in *Internet) Mend(a, b string) error {
	if err := in.Unblock(a, b, Everything); err != nil {
		return err
	}
	return in.Unblock(b, a, Everything)
}

// Unplug cuts a router off from everybody; Plug joins it again.
func (in *Internet) Unplug(name string) error {
	return in.setLine(name, "", func(Traffic) Traffic { return Everything })
}

// Plug joins a router again.
func (in *Internet) Plug(name string) error {
	return in.setLine(name, "", func(Traffic) Traffic { return 0 })
}

// SetAddressDown cuts the line that one public address is reached by, or joins
// it: one WAN of several, or a client's home.
func (in *Internet) SetAddressDown(addr netip.Addr, down bool) {
	in.with(func() {
		delete(in.dark, addr)
		if down {
			in.dark[addr] = true
		}
		in.linesChanged()
	})
}

func (in *Internet) setLine(from, to string, change func(Traffic) Traffic) error {
	err := fmt.Errorf("line from %s to %s: %w", from, to, errClosed())
	in.with(func() {
		i, ok := in.byName[from]
		j, there := in.byName[to]
		if to == "" {
			j, there = -1, true
		}
		if !ok || !there {
			err = fmt.Errorf("line from %s to %s: %w", from, to, errNoRouter)
			return
		}
		k := lineKey{i, j}
		in.lines[k] = change(in.lines[k])
		err = nil
		in.linesChanged()
	})
	return err
}

func (in *Internet) linesChanged() {
	in.stale.all = true
	for _, k := range slices.Clone(in.ikes) {
		in.listen(k)
	}
	for i := range in.nodes {
		in.plan(i)
	}
}

// passes tells whether the lines carry a kind of traffic from one place to
// another; -1 is nowhere in particular.
func (in *Internet) passes(from, to int, what Traffic) bool {
	lost := Traffic(0)
	for _, k := range []lineKey{{from, to}, {from, -1}, {to, -1}} {
		if k.from >= 0 {
			lost |= in.lines[k]
		}
	}
	return lost&what == 0
}

// door is one address of a router: as the router has it, and as others see it.
type door struct {
	inside, public netip.Addr
	carrier        bool
}

// doors returns a router's addresses on the Internet, the main one first.
func (in *Internet) doors(n *node) []door {
	var ds []door
	own := in.own(n)
	for _, b := range n.place.NAT {
		if slices.Contains(own, b.Inside) || len(n.place.Addresses) > 0 {
			ds = append(ds, door{b.Inside, b.Public, b.Carrier})
		}
	}
	addrs := n.place.Addresses
	if len(addrs) == 0 {
		addrs = slices.DeleteFunc(own, func(a netip.Addr) bool { return !public(a) })
	}
	for _, a := range addrs {
		if !slices.ContainsFunc(ds, func(d door) bool { return d.inside == a }) {
			ds = append(ds, door{inside: a, public: a})
		}
	}
	return ds
}

// own returns the addresses in a router's enabled rows.
func (in *Internet) own(n *node) []netip.Addr {
	var addrs []netip.Addr
	for _, net := range in.networks(n) {
		if !net.client {
			addrs = append(addrs, net.prefix.Addr())
		}
	}
	return addrs
}

// addressOf returns the prefix of an address row that counts.
func (s *state) addressOf(rec *record) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(rec.vals["address"])
	if err != nil || rec.vals["disabled"] == "true" || s.interfaceDisabled(rec.vals["interface"]) {
		return netip.Prefix{}, false
	}
	return p, true
}

func (s *state) interfaceDisabled(name string) bool {
	m := s.prof.menus["/interface"]
	return slices.ContainsFunc(s.rows(m), func(r *record) bool { return r.name() == name && r.vals["disabled"] == "true" })
}

// public tells whether an address means something on the Internet.
func public(a netip.Addr) bool {
	shared := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64}), 10)
	return a.IsGlobalUnicast() && !a.IsPrivate() && !shared.Contains(a)
}

// leaves returns the door by which a router sends: by the local address that
// its row asks for, or by the main one.
func (in *Internet) leaves(n *node, local string) (door, bool) {
	for _, d := range in.doors(n) {
		if local == "" || d.inside.String() == local {
			return d, true
		}
	}
	return door{}, false
}

// owner returns the router that an unasked packet to addr reaches, and by which
// door.
func (in *Internet) owner(addr netip.Addr) (int, door, bool) {
	if in.dark[addr] {
		return -1, door{}, false
	}
	for i, n := range in.nodes {
		for _, d := range in.doors(n) {
			if d.public == addr && !d.carrier {
				return i, d, true
			}
		}
	}
	return -1, door{}, false
}

// holds tells whether a router still has an address of its own, and its line.
func (in *Internet) holds(n *node, addr netip.Addr) bool {
	return slices.ContainsFunc(in.doors(n), func(d door) bool { return d.inside == addr && !in.dark[d.public] })
}

// remoteOf returns the address of a peer that names one: the address itself, or
// what its name resolves to.
func (in *Internet) remoteOf(peer schema.Row) (netip.Addr, bool) {
	if a, ok := in.names[peer["address"]]; ok {
		return a, ok
	}
	return literal(peer)
}

// literal returns the one address that a peer is given as such.
func literal(peer schema.Row) (netip.Addr, bool) {
	p, err := netip.ParsePrefix(peer["address"])
	return p.Addr(), err == nil && p.IsSingleIP()
}
