package vpn

import (
	"net/netip"
	"slices"
	"strings"
	"unicode"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// called is what people call a site: its name, or in Chinese the alias that is
// written so.
func called(s Site) change.Text {
	alias := s.Name
	if i := slices.IndexFunc(s.Aliases, func(a string) bool { return strings.ContainsFunc(a, han) }); i >= 0 {
		alias = s.Aliases[i]
	}
	return change.T("site.called", "name", s.Name, "alias", alias)
}

func han(r rune) bool { return unicode.Is(unicode.Han, r) }

// summary is the plan's first line, for someone who is no network engineer.
func (t *works) summary() change.Text {
	sessions := 0
	for _, e := range t.ends {
		sessions += len(Sessions(e.snap))
	}
	facts := []any{"near", called(t.ends[0].site), "far", called(t.ends[1].site), "seconds", interruption, "count", sessions - t.dialled()}
	if t.undone != 0 {
		return t.undoneText(facts...)
	}
	switch t.kind {
	case rotate:
		return change.T("plan.rotate.summary", facts...)
	case rekey:
		return change.T("plan.rekey.summary", facts...)
	case addition:
		return change.T("plan.add.summary", facts...)
	case removal:
		return change.T("plan.remove.summary", facts...)
	case set:
		return change.T("plan.set.summary", append(facts, "changed", headline(t.was.Differences(t.Tunnel)))...)
	case reaching:
		return t.reachSummary(facts)
	case adopt:
		return change.T("plan.adopt.summary", facts...)
	}
	return change.T("plan.redo.summary", facts...)
}

// dialled counts the sessions that come from the other end's public address: their
// IPsec may be taken for the tunnel's.
func (t *works) dialled() int {
	n := 0
	for _, e := range t.ends {
		n += e.dialled()
	}
	return n
}

func (e *held) dialled() int {
	n := 0
	for _, s := range Sessions(e.snap) {
		if ip, err := netip.ParseAddr(s.CallerID); err == nil && ip.Unmap() == e.remote {
			n++
		}
	}
	return n
}

// blast says who and what the plan touches.
func (t *works) blast(plan change.Plan) []change.Text {
	var list []change.Text
	if t.was != nil {
		list = append(values(*t.was, t.Tunnel), t.freed()...)
	}
	list = append(list, t.undoneBlast()...)
	if t.kind == addition {
		list = append(list, change.T("plan.add.outage"))
		return append(append(list, t.blastRows(plan)...), t.together()...)
	}
	list = append(list, change.T("plan.tunnel.outage", "near", called(t.ends[0].site), "far", called(t.ends[1].site), "seconds", interruption))
	if t.sealed() {
		list = append(list, change.T("plan.tunnel.sealed"))
	}
	if t.kind == adopt {
		return append(append(list, t.adopted(plan)...), t.beside()...)
	}
	return slices.Concat(list, t.blastRows(plan), t.together(), t.beside())
}

// together says at which ends the tunnel's peer is others' as well.
func (t *works) together() (list []change.Text) {
	for _, e := range t.ends {
		list = append(list, e.together()...)
	}
	return list
}

// blastRows says how many rows change, and what happens when that fails.
func (t *works) blastRows(plan change.Plan) []change.Text {
	var list []change.Text
	for _, router := range plan.Routers {
		added, changed, removed := len(plan.In(change.PhaseStage, router)), len(plan.In(change.PhaseCutOver, router)), len(plan.In(change.PhaseCommit, router))
		switch {
		case t.kind == addition && removed == 0:
			list = append(list, change.T("plan.add.rows", "router", router, "added", added, "changed", changed))
		case added+changed+removed > 0:
			list = append(list, change.T("plan.tunnel.rows", "router", router, "added", added, "changed", changed, "removed", removed))
		}
	}
	switch t.kind {
	case rekey:
	case addition:
		list = append(list, change.T("plan.add.failure", "patience", plan.Tunnel.Patience, "guard", plan.Tunnel.Guard))
	default:
		list = append(list, change.T("plan.tunnel.failure", "patience", plan.Tunnel.Patience, "guard", plan.Tunnel.Guard))
	}
	return list
}

// adopted says which rows become the definition, and what goes.
func (t *works) adopted(plan change.Plan) []change.Text {
	var list []change.Text
	mark := Difference{Key: "psk-mark", Was: t.was.PSKMark, Is: t.Tunnel.PSKMark}
	switch {
	case mark.Was != mark.Is:
		list = append(list, mark.text())
	case len(t.was.Differences(t.Tunnel)) == 0 && !t.Undefined:
		list = append(list, change.T("plan.adopt.same", "tunnel", t.Tunnel.Name))
	}
	for _, e := range t.ends {
		list = append(list, change.T("plan.adopt.rows", "router", e.Router, "peer", ReadableBytes(e.peer["name"]),
			"removed", len(plan.In(change.PhaseDisarm, e.Router))+len(plan.In(change.PhaseCommit, e.Router))))
	}
	return append(list, change.T("plan.adopt.failure", "patience", plan.Tunnel.Patience, "other", t.Intent.Resume))
}

// beside says who dials in from an address that the tunnel uses as well.
func (t *works) beside() (list []change.Text) {
	for _, e := range t.ends {
		if n := e.dialled(); n > 0 {
			list = append(list, change.T("plan.tunnel.dialled", "router", e.Router, "count", n, "address", e.remote.String()))
		}
	}
	return list
}

// sealed tells whether every policy is there and on at both ends, and stays so.
func (t *works) sealed() bool {
	return !slices.ContainsFunc(t.ends[:], func(e *held) bool {
		return slices.ContainsFunc(e.policies, func(r schema.Row) bool {
			return r == nil || isTrue(r, menuPolicy, "disabled") || isTrue(r, menuPolicy, "invalid")
		})
	})
}

// exchange is the mode in which the tunnel will be.
func (t *works) exchange() string {
	if t.kind.rebuilds() {
		return t.Tunnel.Exchange
	}
	return defaulted(menuPeer, t.ends[0].peer, "exchange-mode")
}

// serves tells whether people can dial in to this router with IPsec.
func (e *held) serves() bool {
	return slices.ContainsFunc(e.snap.Menus[menuServer], func(row schema.Row) bool {
		return isTrue(row, menuServer, "enabled") && defaulted(menuServer, row, "use-ipsec") != "no"
	})
}

// warnings says what the plan finds odd, cannot prove or takes away.
func (t *works) warnings(plan change.Plan) []change.Text {
	list := t.weakened()
	for _, e := range t.ends {
		list = append(list, e.notes...)
		if t.kind == adopt {
			for _, b := range e.needed() {
				list = append(list, change.T("plan.warn.bypass_missing", "router", e.Router, "source", b.Source.String(), "destination", b.Destination.String()))
			}
		}
		for _, row := range e.extra {
			pair := []any{"router", e.Router, "source", row["src-address"], "destination", row["dst-address"]}
			if t.kind == undo {
				continue // its own, or as they were
			}
			if t.kind.rebuilds() {
				list = append(list, change.T("plan.warn.policy_unwanted", pair...))
			} else {
				list = append(list, change.T("plan.warn.policy_undefined", pair...))
			}
		}
		if t.exchange() == exchangeMain && e.serves() {
			list = append(list, change.T("plan.warn.main_dialin", "site", e.Site, "far", e.far.Site))
		}
		if e.peer != nil && isTrue(e.peer, menuPeer, "disabled") {
			list = append(list, change.T("plan.warn.peer_off", "router", e.Router, "peer", ReadableBytes(e.peer["name"])))
		}
	}
	if len(plan.Tunnel.Unproven) > 0 {
		var words []string
		for _, p := range plan.Tunnel.Unproven {
			words = append(words, p.String())
		}
		list = append(list, change.T("plan.warn.unproven", "networks", strings.Join(words, ", ")))
	}
	if weak, ok := t.Tunnel.Graded(); ok && t.kind.rebuilds() {
		list = append(list, weak)
	}
	for _, e := range plan.Tunnel.Ends {
		if e.InBand {
			list = append(list, change.T("plan.warn.in_band", "router", e.Router, "delay", plan.Tunnel.Delay))
		}
	}
	return list
}
