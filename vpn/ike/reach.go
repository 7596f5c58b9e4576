package ike

import (
	"net/netip"
	"slices"

	"vpnbot/ros/schema"
)

// start looks at the calling end: whether it calls at all, and whether its packet
// gets to the other. It returns false when there is nothing to go on with.
func (n *negotiation) start(a schema.Attempt) bool {
	if !n.to.seen.IsValid() || !n.from.seen.IsValid() {
		n.unknown(schema.StageReach, schema.FaultUnresolved, "address", said{text: addr(n.from.seen)}, said{text: addr(n.to.seen)})
		return false
	}
	if c := n.from.Client; c != nil {
		n.caller = peer{exchange: "main"}
		n.callerI, n.ok.callerI = identity{method: "pre-shared-key", mine: id{kind: idAuto}, theirs: id{kind: idIgnore}}, true
	} else if !n.startRouter(a.Peer) {
		return false
	}
	n.nat = n.from.local != n.from.seen || n.to.local != n.to.seen
	if n.to.local != n.to.seen && !n.NATForwards {
		n.fault(schema.StageReach, schema.FaultNAT, "address", said{text: addr(n.to.seen)}, said{text: addr(n.to.local)})
	}
	return true
}

// startRouter finds the peer that calls, and its identity.
func (n *negotiation) startRouter(rowID string) bool {
	peers := n.from.peers()
	i := slices.IndexFunc(peers, func(p peer) bool { return p.ref.ID == rowID })
	if i < 0 {
		n.unknown(schema.StageReach, schema.FaultNoRow, schema.ID, says(schema.RowRef{Menu: menuPeer, ID: rowID}, rowID), said{})
		return false
	}
	p := peers[i]
	n.caller = p
	n.unread(schema.StageReach, p.base, base{})
	if p.misses("exchange-mode") {
		return false
	}
	if p.disabled {
		n.fault(schema.StageReach, schema.FaultDisabled, "disabled", says(p.ref, "true"), said{})
	}
	if p.passive {
		n.fault(schema.StageReach, schema.FaultPassive, "passive", says(p.ref, "true"), said{})
	}
	n.aim(p)
	n.bind(p)
	n.port(p)
	n.chooseOwnIdentity(p)
	return true
}

// aim compares the address that the peer calls with the responder's.
func (n *negotiation) aim(p peer) {
	switch {
	case p.misses("address"):
	case p.host != "":
		a, ok := n.from.Names[p.host]
		if !ok || !a.IsValid() {
			n.fault(schema.StageReach, schema.FaultUnresolved, "address", says(p.ref, p.host), said{})
		} else if a.Unmap() != n.to.seen {
			n.fault(schema.StageReach, schema.FaultElsewhere, "address", says(p.ref, p.host+" "+addr(a)), said{text: addr(n.to.seen)})
		}
	case !p.address.IsSingleIP():
		// The router marks such a peer as responder: there is no one address to call.
		n.fault(schema.StageReach, schema.FaultPassive, "address", says(p.ref, p.address.String()), said{})
	case p.address.Addr().Unmap() != n.to.seen:
		n.fault(schema.StageReach, schema.FaultElsewhere, "address", says(p.ref, p.address.String()), said{text: addr(n.to.seen)})
	}
}

// bind makes the peer's local-address the one that packets come from. One that the
// router does not have cannot be sent from.
func (n *negotiation) bind(p peer) {
	if !p.local.IsValid() || p.local == n.from.local {
		return
	}
	if rows, ok := n.from.Rows[menuAddress]; ok && !holds(rows, p.local) {
		n.fault(schema.StageReach, schema.FaultElsewhere, "local-address", says(p.ref, addr(p.local)), said{})
		return
	}
	if n.from.seen == n.from.local {
		n.from.seen = p.local
	}
	n.from.local = p.local
}

// holds tells whether one of the rows of /ip/address is enabled and has the address.
func holds(rows []schema.Row, a netip.Addr) bool {
	return slices.ContainsFunc(rows, func(r schema.Row) bool {
		p, err := netip.ParsePrefix(r["address"])
		return err == nil && p.Addr().Unmap() == a && r["disabled"] != "true" && r["disabled"] != "yes"
	})
}

// port looks at the port that the caller sends to: a router listens on 500 and, for
// packets inside UDP, on 4500.
func (n *negotiation) port(p peer) {
	switch {
	case p.misses("port") || p.port == "500":
	case p.port == "4500":
		n.unknown(schema.StageReach, schema.FaultUnknownRow, "port", says(p.ref, p.port), says(schema.RowRef{}, "500"))
	default:
		n.fault(schema.StageReach, schema.FaultElsewhere, "port", says(p.ref, p.port), says(schema.RowRef{}, "500"))
	}
}

// chooseOwnIdentity takes the first enabled identity of the calling peer. Without
// one there is nothing to call with.
func (n *negotiation) chooseOwnIdentity(p peer) {
	n.callerI, n.ok.callerI = n.first(n.from, p, func(code string, row schema.RowRef) {
		n.fault(schema.StageReach, code, "identity", says(row, p.name), said{})
	})
	if n.ok.callerI {
		n.unread(schema.StageReach, n.callerI.base, base{})
	}
}

// first returns the first enabled identity of the peer; failing that, it reports why
// there is none and returns the first disabled one, to go on with.
func (n *negotiation) first(p party, q peer, report func(code string, row schema.RowRef)) (identity, bool) {
	all := p.identities(q)
	for _, i := range all {
		if !i.disabled {
			return i, true
		}
	}
	if len(all) > 0 {
		report(schema.FaultDisabled, all[0].ref)
		return all[0], true
	}
	report(schema.FaultNoIdentity, q.ref)
	return identity{}, false
}
