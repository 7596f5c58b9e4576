package vpn

import (
	"net/netip"
	"slices"
	"strconv"
)

// join finds the phase 1 rows and SAs of the tunnel among those of the routers.
// Where both ends speak, equal cookies decide and addresses only suggest: a
// dial-in client behind the other site's address looks the same from one end.
func join(a, b *view) {
	a.Phase1, b.Phase1 = a.candidates(), b.candidates()
	a.Phase1, b.Phase1 = a.matched(b), b.matched(a)
	a.SAs, b.SAs = a.attributed(), b.attributed()
	for i := range a.SAs {
		for j := range b.SAs {
			x, y := &a.SAs[i], &b.SAs[j]
			if x.number == y.number && x.Out != y.Out && x.live() && y.live() {
				x.Matched, y.Matched = true, true
			}
		}
	}
}

// candidates are the rows between the tunnel's addresses, or with the other
// end's ID.
func (v *view) candidates() []ActivePeer {
	var list []ActivePeer
	for _, p := range v.phase1 {
		named := v.want.RemoteID != "" && p.ID == v.want.RemoteID
		if named || (slices.Contains(v.remotes, p.Remote) && v.local(p.Local)) {
			list = append(list, p)
		}
	}
	return list
}

// matched returns v's rows with those that the other end knows marked: candidates
// at either end will do. Once one is matched, others that come from another port
// or under another ID are somebody else's.
func (v *view) matched(o *view) []ActivePeer {
	known := func(p ActivePeer, rows []ActivePeer) bool {
		return p.State == established && slices.ContainsFunc(rows, func(q ActivePeer) bool {
			return q.State == established && q.SPII == p.SPII && q.SPIR == p.SPIR
		})
	}
	var list []ActivePeer
	for _, p := range v.phase1 {
		own := slices.Contains(v.Phase1, p)
		p.Matched = (own && known(p, o.phase1)) || known(p, o.Phase1)
		if own || p.Matched {
			list = append(list, p)
		}
	}
	i := slices.IndexFunc(list, func(p ActivePeer) bool { return p.Matched })
	if i < 0 {
		return list
	}
	sure := list[i]
	return slices.DeleteFunc(list, func(p ActivePeer) bool {
		return !p.Matched && (p.Port != sure.Port || p.NATT != sure.NATT || p.ID != sure.ID)
	})
}

// attributed are the SAs between the addresses of the tunnel's phase 1, and of
// its port where NAT-T tells one.
func (v *view) attributed() []SA {
	var list []SA
	near := false
	for _, strict := range []bool{true, false} {
		for _, row := range v.sas {
			out, ok := v.runs(row, strict)
			if !ok {
				continue
			}
			sa := row.SA
			sa.Out = out
			near = near || sa.live()
			list = append(list, sa)
		}
		if near {
			break
		}
		list = nil
	}
	return list
}

// runs tells whether an SA runs between the tunnel's ends, and which way. strict
// compares ports as well.
func (v *view) runs(row saRow, strict bool) (out, ok bool) {
	if v.far(row.destination, strict) && v.local(row.source.Addr()) {
		return true, true
	}
	return false, v.far(row.source, strict) && v.local(row.destination.Addr())
}

func (v *view) far(end netip.AddrPort, strict bool) bool {
	if len(v.Phase1) == 0 {
		return slices.Contains(v.remotes, end.Addr())
	}
	return slices.ContainsFunc(v.Phase1, func(p ActivePeer) bool {
		if p.Remote != end.Addr() {
			return false
		}
		switch {
		case !strict:
			return true
		case end.Port() == 0:
			return !p.NATT
		}
		return p.NATT && (p.Port == "" || p.Port == strconv.Itoa(int(end.Port())))
	})
}

// from returns the SAs that packets take from v to the other end, as v says, and
// as the other end says.
func from(v, o *view) (sent, received []SA) {
	for _, sa := range v.SAs {
		if sa.Out && sa.live() {
			sent = append(sent, sa)
		}
	}
	for _, sa := range o.SAs {
		if !sa.Out && sa.live() {
			received = append(received, sa)
		}
	}
	return sent, received
}
