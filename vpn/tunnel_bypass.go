package vpn

import (
	"slices"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// spare finds the rules that keep pairs out of address translation which the tunnel
// does not carry any more, and that nobody else needs.
func (e *held) spare() {
	rows := e.snap.Menus[menuNAT]
	for _, pair := range e.dropped {
		for _, row := range rows {
			if !meant(row, pair) {
				continue
			}
			if e.needs(rows, row) {
				e.note("plan.warn.bypass_needed", "router", e.Router, "source", pair.Source.String(), "destination", pair.Destination.String())
				continue
			}
			e.going = append(e.going, row)
		}
	}
}

// needs tells whether packets of a policy that is not this tunnel's would be
// translated without the rule.
func (e *held) needs(rows []schema.Row, rule schema.Row) bool {
	without := slices.DeleteFunc(slices.Clone(rows), func(r schema.Row) bool { return r[schema.ID] == rule[schema.ID] })
	for i, row := range e.snap.Menus[menuPolicy] {
		p := &e.page.policies[i]
		ours := slices.ContainsFunc(slices.Concat(e.policies, e.extra), func(r schema.Row) bool { return r != nil && r[schema.ID] == row[schema.ID] })
		if ours || !static(row) || !p.Source.IsValid() || !p.Destination.IsValid() {
			continue
		}
		if bypassed(rows, p.Selectors) && !bypassed(without, p.Selectors) {
			return true
		}
	}
	return false
}

// standing are the rules for addresses without those that go.
func (e *held) standing() []schema.Row {
	return slices.DeleteFunc(slices.Clone(e.snap.Menus[menuNAT]), func(r schema.Row) bool {
		return slices.ContainsFunc(e.going, func(g schema.Row) bool { return g[schema.ID] == r[schema.ID] })
	})
}

// commitBypasses removes what is spare.
func (e *held) commitBypasses() {
	for _, row := range e.going {
		facts := []any{"source", row["src-address"], "destination", row["dst-address"]}
		match, ok := e.identify(menuNAT, row, "chain", "action", "src-address", "dst-address")
		if !ok {
			e.note("plan.warn.bypass_left", append(facts, "router", e.Router)...)
			continue
		}
		e.commit(menuNAT, row, match, change.T("plan.step.bypass_dropped", facts...))
	}
}
