package vpn

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"vpnbot/change"
)

// checkBeside refuses what a router could not tell from another tunnel: policies
// that would catch the same packets, and peers that would answer the same first
// packet.
func (t Tunnel) checkBeside(ps *problems, e Estate, o Tunnel) {
	for i, mine := range t.Ends {
		for j, theirs := range o.Ends {
			if !SameName(mine.Router, theirs.Router) {
				continue
			}
			if n, ok := t.sameSelectors(i, o, j); ok {
				ps.say(change.T("problem.overlaps_tunnel", "tunnel", o.Name, "router", mine.Router), fmt.Sprintf("tunnel %s joins networks that overlap on %s: the first policy would take the packets; expected networks apart",
					o.Name, mine.Router), "ends", strconv.Itoa(i), "prefixes", strconv.Itoa(n))
			}
			if t.Exchange == o.Exchange && mine.WAN == theirs.WAN && t.samePeer(ps, e, i, o, j) {
				return
			}
		}
	}
}

// sameSelectors tells whether a packet at end i of t and end j of o, which are on
// one router, could fit a policy of both, and which prefix of t it came from.
func (t Tunnel) sameSelectors(i int, o Tunnel, j int) (prefix int, ok bool) {
	overlapping := func(a, b []netip.Prefix) int {
		return slices.IndexFunc(a, func(p netip.Prefix) bool { return slices.ContainsFunc(b, p.Overlaps) })
	}
	near := overlapping(t.Ends[i].Prefixes, o.Ends[j].Prefixes)
	far := overlapping(t.Ends[1-i].Prefixes, o.Ends[1-j].Prefixes)
	return near, near >= 0 && far >= 0
}

// samePeer compares two peers that one router would have on one WAN in one
// exchange mode: they must lead to different addresses, or, where the address is
// any, to different IDs.
func (t Tunnel) samePeer(ps *problems, e Estate, i int, o Tunnel, j int) bool {
	far, other := t.Ends[1-i], o.Ends[1-j]
	mine, theirs := remote(e, far), remote(e, other)
	if mine == "" || mine != theirs {
		return false
	}
	if mine == anyAddress {
		if far.ID == other.ID {
			ps.say(change.T("problem.id_on_peer", "tunnel", o.Name, "router", t.Ends[i].Router), fmt.Sprintf("tunnel %s has this ID on the same peer of %s: expected one of its own", o.Name, t.Ends[i].Router),
				"ends", strconv.Itoa(1-i), "id")
		}
		return far.ID == other.ID
	}
	ps.say(change.T("problem.same_wans", "tunnel", o.Name, "router", t.Ends[i].Router), fmt.Sprintf("tunnel %s joins the same two WANs in the same exchange mode: %s could not tell their peers apart;"+
		" expected another WAN, or the networks of both in one tunnel", o.Name, t.Ends[i].Router), "ends", strconv.Itoa(1-i), "wan")
	return true
}

// anyAddress stands for the address of an end that nobody can know.
const anyAddress = "any"

// remote is the address by which the other end's peer names end, "" when e does
// not know.
func remote(e Estate, end End) string {
	site, _ := e.Site(end.Site)
	w, ok := site.WAN(end.WAN)
	switch {
	case !ok:
		return ""
	case !w.Callable():
		return anyAddress
	case w.Address.IsValid():
		return w.Address.String()
	}
	return w.DNS
}
