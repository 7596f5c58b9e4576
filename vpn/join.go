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
	for _, r := range v.now().phase1 {
		if r.odd != "" {
			continue
		}
		p := r.ActivePeer
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
	var list []ActivePeer
	for _, p := range v.Phase1 {
		p.Matched = slices.ContainsFunc(o.now().phase1, func(r phase1Row) bool { return r.odd == "" && p.same(r.ActivePeer) })
		list = append(list, p)
	}
	for _, q := range o.Phase1 {
		for _, r := range v.now().phase1 {
			if r.odd == "" && q.same(r.ActivePeer) && !slices.Contains(v.Phase1, r.ActivePeer) {
				r.Matched = true
				list = append(list, r.ActivePeer)
			}
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

// same tells whether two ends mean one phase 1, and both have it.
func (a ActivePeer) same(b ActivePeer) bool {
	return a.State == established && b.State == established && a.SPII == b.SPII && a.SPIR == b.SPIR
}

// attributed are the SAs between the addresses of the tunnel's phase 1, and of
// its port where NAT-T tells one.
func (v *view) attributed() []SA {
	var list []SA
	near := false
	for _, strict := range []bool{true, false} {
		rows := v.now().sas
		for i := range rows {
			out, ok := v.runs(&rows[i], strict)
			if !ok {
				continue
			}
			sa := rows[i].SA
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
func (v *view) runs(row *saRow, strict bool) (out, ok bool) {
	switch {
	case row.odd != "":
		return false, false
	case v.far(row.to, strict) && v.local(row.from.Addr()):
		return true, true
	}
	return false, v.far(row.from, strict) && v.local(row.to.Addr())
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
