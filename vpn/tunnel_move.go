package vpn

import (
	"slices"
	"strings"
)

// An end moves to another WAN of its site as any other value of the definition changes:
// new rows at both ends, from and to the new address, and the old ones until that is
// proven. Policies, networks and what keeps them out of address translation stay.

// moves tells whether an end is to be at another WAN than before.
func (in TunnelChange) moves() bool {
	return in.was != nil && (in.was.Ends[0].WAN != in.Tunnel.Ends[0].WAN || in.was.Ends[1].WAN != in.Tunnel.Ends[1].WAN)
}

// moves tells whether it is this end that moves.
func (e *held) moves() bool { return e.was != nil && e.was.Interface != e.WAN }

// checkMove refuses what a move would make of a tunnel besides: where one WAN can be
// called and the other cannot, the other end would change from policies that stand to
// templates, or back.
func (in TunnelChange) checkMove() error {
	was, now := in.was.Expect(in.Estate), in.Tunnel.Expect(in.Estate)
	for i := range now.Ends {
		if _, known := wanOf(in.Estate, in.Tunnel.Ends[1-i]); known && was.Ends[i].RemoteAny != now.Ends[i].RemoteAny {
			return refuse("set_wan", "site", in.Tunnel.Ends[1-i].Site, "was", in.was.Ends[1-i].WAN, "is", in.Tunnel.Ends[1-i].WAN,
				"router", now.Ends[i].Router, "tunnel", in.Tunnel.Name)
		}
	}
	return in.checkAdd()
}

// move lets the negotiation in where the rules of the filter knew the old address, and
// says what nobody can see beforehand.
func (e *held) move() {
	if e.was == nil {
		return
	}
	e.openInput()
	if e.wasRemote.IsValid() && e.wasRemote != e.remote {
		e.commitInput(e.wasRemote)
	}
	if e.moves() {
		e.moved()
	}
}

// moved says what nobody can see beforehand of another WAN, and what the router shows.
func (e *held) moved() {
	e.note("plan.warn.wans", "router", e.Router, "interface", e.WAN)
	e.lookWAN()
	e.lookRoute()
}

// MoveMenus returns the menus that the snapshots for a change of WAN hold: those of
// AddMenus, and the default routes, without which nothing is said of them.
func MoveMenus() []string { return append(AddMenus(), menuRoute) }

// lookRoute warns when the router's default routes leave by other interfaces than the
// WAN. It says nothing where one of them cannot be followed, or there is none: what
// leads to the other end may then be any other route, and those are not read.
func (e *held) lookRoute() {
	w, known := defaultWays(e.snap)
	if known && !slices.Contains(w.names, e.WAN) {
		e.note("plan.warn.wan_route", "router", e.Router, "interface", e.WAN, "found", ReadableBytes(strings.Join(w.names, ", ")))
	}
}

// lookWAN warns when the router does not have the address that the configuration gives
// the WAN: one from a PPPoE or DHCP client stands among its addresses while the line is
// up. Of a WAN without a fixed address nothing is known that could be missing.
func (e *held) lookWAN() {
	w, known := wanOf(e.estate, e.End)
	if !known || w.NAT != NoNAT || !w.Address.IsValid() {
		return
	}
	i := slices.IndexFunc(e.page.addresses, func(a addressRow) bool { return a.ip == w.Address })
	switch {
	case i < 0:
		e.note("plan.warn.wan_down", "router", e.Router, "address", w.Address.String(), "interface", w.Interface)
	case !slices.Contains(e.page.addresses[i].interfaces[:], w.Interface):
		e.note("plan.warn.wan_elsewhere", "router", e.Router, "address", w.Address.String(), "interface", w.Interface,
			"found", ReadableBytes(e.page.addresses[i].interfaces[0]))
	}
}
