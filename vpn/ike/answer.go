package ike

import (
	"cmp"
	"net/netip"
	"slices"

	"vpnbot/ros/schema"
)

// l2tpPeer is the name of the dynamic peer that an L2TP server with IPsec makes.
const l2tpPeer = "l2tp-in-server"

// candidate is a peer of the responder and how narrowly it fits the caller.
type candidate struct {
	peer
	bits int // the length of the prefix that contains the caller; any is 0
}

// answer finds the responder's peer for the first packet. All that the packet tells
// is the exchange mode and both addresses; the ID comes later, and in IKEv1 main
// mode only under a key that must have been picked by then. It returns false when no
// peer answers or could be meant to.
func (n *negotiation) answer() bool {
	var fit, almost []candidate
	n.met = false
	for _, p := range n.to.peers() {
		c, ok := n.fits(p)
		switch {
		case !ok:
		case c.disabled || c.exchange != n.caller.exchange || !n.calledAt(c.peer):
			almost = append(almost, c)
		default:
			fit = append(fit, c)
		}
	}
	if len(fit) == 0 && n.met {
		return false // the row that cannot be read may answer
	}
	if len(fit) == 0 {
		return n.nobody(almost)
	}
	slices.SortStableFunc(fit, n.rank)
	n.callee = fit[0].peer
	n.answered = n.callee.ref
	n.unread(schema.StagePeer, base{}, n.callee.base)
	n.notMeant(fit)
	if n.caller.exchange == "base" {
		// The console knows this mode; no page says how a router speaks it.
		n.unknown(schema.StagePeer, schema.FaultUnknownRow, "exchange-mode", says(n.caller.ref, "base"), says(n.callee.ref, "base"))
	}
	return true
}

// fits tells whether the peer's address contains the caller. A peer that may fit but
// cannot be read is noted, unless what can be read rules it out.
func (n *negotiation) fits(p peer) (candidate, bool) {
	if p.misses("address", "exchange-mode", "local-address", "disabled") {
		out := p.disabled && !p.misses("disabled") ||
			p.exchange != n.caller.exchange && !p.misses("exchange-mode") ||
			!n.calledAt(p) && !p.misses("local-address") ||
			!p.misses("address") && !n.contains(p)
		if !out {
			n.unread(schema.StagePeer, base{}, p.base)
		}
		return candidate{}, false
	}
	if !n.contains(p) {
		return candidate{}, false
	}
	c := candidate{peer: p, bits: p.address.Bits()}
	if p.host != "" {
		c.bits = n.from.seen.BitLen()
	}
	return c, true
}

// contains tells whether the peer's address or name covers the caller.
func (n *negotiation) contains(p peer) bool {
	if p.host != "" {
		return n.to.Names[p.host].Unmap() == n.from.seen
	}
	return covers(p.address, netip.PrefixFrom(n.from.seen, n.from.seen.BitLen()))
}

// calledAt tells whether the peer listens at the address that was called.
func (n *negotiation) calledAt(p peer) bool {
	return !p.local.IsValid() || p.local == n.to.local
}

// rank sorts the peer that answers to the front: the longest prefix, then the rules
// for ties, then the router's order.
func (n *negotiation) rank(a, b candidate) int {
	first := func(x, y bool) int {
		switch {
		case x == y:
			return 0
		case x:
			return -1
		}
		return 1
	}
	ties := 0
	if n.PreferLocalAddress {
		ties = first(a.local.IsValid(), b.local.IsValid())
	}
	if ties == 0 && !n.TieByOrder {
		ties = first(a.dynamic, b.dynamic)
	}
	return cmp.Or(cmp.Compare(b.bits, a.bits), ties)
}

// nobody says why no peer answers: the nearest row and what is wrong with it. The
// attempt then goes on as if that were mended.
func (n *negotiation) nobody(almost []candidate) bool {
	from := says(n.caller.ref, n.caller.exchange+" "+addr(n.from.seen))
	if len(almost) == 0 {
		return n.nameless(from)
	}
	// The row meant is most likely the one that names the caller most narrowly and
	// needs least: turning on, then another mode.
	slices.SortStableFunc(almost, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.bits, a.bits), cmp.Compare(n.wrong(a), n.wrong(b)))
	})
	c := almost[0]
	if !n.calledAt(c.peer) {
		n.fault(schema.StagePeer, schema.FaultNoPeer, "local-address", says(n.caller.ref, addr(n.to.local)), says(c.ref, addr(c.local)))
	}
	if c.disabled {
		n.fault(schema.StagePeer, schema.FaultDisabled, "disabled", from, says(c.ref, "true"))
	}
	if c.exchange != n.caller.exchange {
		n.fault(schema.StagePeer, schema.FaultExchange, "exchange-mode", says(n.caller.ref, n.caller.exchange), says(c.ref, c.exchange))
	}
	n.callee = c.peer
	return true
}

// nameless looks for a peer that would perhaps answer if its DNS name had an address.
func (n *negotiation) nameless(from said) bool {
	for _, p := range n.to.peers() {
		_, resolved := n.to.Names[p.host]
		if p.host != "" && !resolved && !p.disabled && p.exchange == n.caller.exchange && n.calledAt(p) {
			n.fault(schema.StagePeer, schema.FaultUnresolved, "address", from, says(p.ref, p.host))
			n.callee = p
			return true
		}
	}
	n.fault(schema.StagePeer, schema.FaultNoPeer, "address", from, said{})
	return false
}

func (n *negotiation) wrong(c candidate) int {
	count := 0
	for _, bad := range []bool{!n.calledAt(c.peer), c.exchange != n.caller.exchange, c.disabled} {
		if bad {
			count++
		}
	}
	return count
}

// notMeant hints at a peer that answers in another's place: a computer means the
// L2TP server's, a router means a peer of its own.
func (n *negotiation) notMeant(fit []candidate) {
	serves := n.callee.servesL2TP()
	switch {
	case n.from.Client != nil && !serves:
		meant := said{text: l2tpPeer}
		for _, c := range fit {
			if c.servesL2TP() {
				meant.row = c.ref
			}
		}
		n.hint(schema.StagePeer, schema.FaultOtherPeer, "address", meant, says(n.callee.ref, peerText(n.callee)))
	case n.from.Client == nil && serves:
		n.hint(schema.StagePeer, schema.FaultOtherPeer, "address", says(n.caller.ref, addr(n.from.seen)), says(n.callee.ref, peerText(n.callee)))
	}
}

// servesL2TP tells whether the L2TP server made the peer.
func (p peer) servesL2TP() bool { return p.dynamic && p.name == l2tpPeer }

// peerText says what a peer answers to.
func peerText(p peer) string {
	if p.host != "" {
		return p.name + " " + p.host
	}
	return p.name + " " + p.address.String()
}
