package vpn

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
		e.note("plan.warn.wans", "router", e.Router, "interface", e.WAN)
	}
}
