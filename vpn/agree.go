package vpn

import (
	"cmp"
	"slices"

	"vpnbot/change"
)

// disagreement says what keeps two ends, each of which calls the tunnel
// established, from agreeing. ok is false when they agree: phase 1 with equal
// cookies, and every SA in use known to both in both directions.
func disagreement(a, b *view) (verdict Verdict, reason change.Text, ok bool) {
	if b.Router < a.Router {
		a, b = b, a
	}
	for _, v := range []*view{a, b} {
		for _, menu := range []string{menuSA, menuPeer} {
			if t, known := v.odd[menu]; known {
				return Unknown, t, true
			}
		}
		if p, off := v.offPeer(); off {
			return Unknown, change.T("status.unknown.peer_disabled", "router", v.Router, "peer", p.Name), true
		}
		if len(v.Peers) == 0 {
			return Unknown, change.T("status.unknown.peer_missing", "router", v.Router), true
		}
	}
	if verdict, reason, ok := saDisagreement(a, b); ok {
		return verdict, reason, true
	}
	return phase1Disagreement(a, b)
}

func phase1Disagreement(a, b *view) (Verdict, change.Text, bool) {
	if slices.ContainsFunc(a.Phase1, func(p ActivePeer) bool { return p.Matched }) {
		return "", change.Text{}, false
	}
	for _, v := range []*view{a, b} {
		if t, known := v.odd[menuActivePeers]; known {
			return Unknown, t, true
		}
		if !slices.ContainsFunc(v.Phase1, func(p ActivePeer) bool { return p.State == established }) {
			return Unknown, change.T("status.unknown.phase1_gone", "router", v.Router), true
		}
	}
	for _, ends := range [][2]*view{{a, b}, {b, a}} {
		for _, p := range ends[0].Phase1 {
			if p.State == established && !proven(ends[0], ends[1], p.holds) {
				return moving(a, b)
			}
		}
	}
	return Unknown, change.T("status.unknown.phase1_differs", "router", a.Router, "other", b.Router), true
}

func moving(a, b *view) (Verdict, change.Text, bool) {
	return Unknown, change.T("status.unknown.moving", "router", a.Router, "other", b.Router), true
}

// saDisagreement compares the SAs of both directions. An SA that is dying was
// replaced and may be known to one end alone.
func saDisagreement(a, b *view) (Verdict, change.Text, bool) {
	var loose []string // routers with SAs that the other end does not know
	for _, ends := range [][2]*view{{a, b}, {b, a}} {
		v, o := ends[0], ends[1]
		sent, received := from(v, o)
		if len(sent) == 0 && len(received) == 0 {
			return Unknown, change.T("status.unknown.no_sa", "router", v.Router, "other", o.Router), true
		}
		sure := true
		for _, half := range []struct {
			v, o *view
			list []SA
		}{{v, o, sent}, {o, v, received}} {
			for _, sa := range half.list {
				if sa.Matched || sa.State == dying {
					continue
				}
				loose = append(loose, half.v.Router)
				sure = sure && proven(half.v, half.o, sa.holds)
			}
		}
		used := func(sa SA) bool { return sa.Matched && sa.State == mature }
		switch {
		case slices.ContainsFunc(sent, used) && slices.ContainsFunc(received, used):
		case sure && len(loose) > 0:
			return Down, change.T("status.down.sa_mismatch", "from", v.Router, "to", o.Router), true
		default:
			return moving(a, b)
		}
		if !sure {
			return moving(a, b)
		}
	}
	if len(loose) > 0 {
		slices.SortFunc(loose, cmp.Compare)
		return Unknown, change.T("status.unknown.sa_unmatched", "router", loose[0], "count", len(loose)), true
	}
	return "", change.Text{}, false
}

// proven tells whether v had something while o did not: o was read once without
// showing it, and v showed it before that and after. Two routers are never read
// at one moment, so a single look cannot tell a difference from a rekey.
func proven(v, o *view, holds func(*page) bool) bool {
	for _, p := range o.pages {
		if holds(p) {
			continue
		}
		before := slices.ContainsFunc(v.pages, func(q *page) bool { return q.before(p) && holds(q) })
		after := slices.ContainsFunc(v.pages, func(q *page) bool { return p.before(q) && holds(q) })
		if before && after {
			return true
		}
	}
	return false
}
