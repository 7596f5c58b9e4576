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
	switch t.kind {
	case rotate:
		return change.T("plan.rotate.summary", facts...)
	case rekey:
		return change.T("plan.rekey.summary", facts...)
	case set:
		return change.T("plan.set.summary", append(facts, "changed", headline(t.was.Differences(t.Tunnel)))...)
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
	list = append(list, change.T("plan.tunnel.outage", "near", called(t.ends[0].site), "far", called(t.ends[1].site), "seconds", interruption))
	if t.sealed() {
		list = append(list, change.T("plan.tunnel.sealed"))
	}
	for _, router := range plan.Routers {
		var count [3]int
		for _, s := range plan.Steps {
			if s.Router == router {
				count[map[string]int{change.PhaseStage: 0, change.PhaseCutOver: 1, change.PhaseCommit: 2}[s.Phase]]++
			}
		}
		if count != [3]int{} {
			list = append(list, change.T("plan.tunnel.rows", "router", router, "added", count[0], "changed", count[1], "removed", count[2]))
		}
	}
	if t.kind != rekey {
		list = append(list, change.T("plan.tunnel.failure", "patience", plan.Tunnel.Patience, "guard", plan.Tunnel.Guard))
	}
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
		for _, row := range e.extra {
			pair := []any{"router", e.Router, "source", row["src-address"], "destination", row["dst-address"]}
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
