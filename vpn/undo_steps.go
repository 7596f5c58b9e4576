package vpn

import (
	"slices"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// again is the row that a step of the change removed, as it can be written: without
// the bot's mark, which the write renews.
func (u *undoing) again(s change.Step) (schema.Row, error) {
	menu, row := tableOf(s.Menu), schema.Row{}
	for name, value := range s.Before {
		if name == "comment" {
			value = change.Unmarked(value)
		}
		if value == "" && name != "auth-algorithms" { // none there is not what a row has that names none
			continue
		}
		if err := schema.Allowed(s.Menu, schema.Add, []string{name}); err != nil {
			a, _ := menu.Attr(name)
			if menu.Same(name, value, printedAs(a)) {
				continue
			}
			return nil, refuse("undo_unwritten", "number", u.Done.Number, "router", u.Router, "menu", s.Menu, "row", named(s), "field", name)
		}
		row[name] = value
	}
	return row, nil
}

func (u *undoing) why(id string, pairs ...any) change.Text {
	return change.T("plan.back.step."+id, append(pairs, "number", u.Done.Number)...)
}

// stage adds the rows of before, switched off: what others lean on first.
func (u *undoing) stage() error {
	for _, menu := range []string{menuProfile1, menuProposal, menuPeer, menuIdentity, menuPolicy} {
		for _, s := range u.took {
			if s.Menu != menu {
				continue
			}
			row, err := u.again(s)
			if err != nil {
				return err
			}
			u.stageAgain(menu, row)
		}
	}
	return nil
}

func (u *undoing) stageAgain(menu string, row schema.Row) {
	if menu == menuPeer || menu == menuIdentity && row["peer"] == u.main || menu == menuPolicy {
		row["disabled"] = "true"
	}
	switch menu {
	case menuIdentity:
		u.stageIdentity(row, u.PSK, u.Mark)
		u.steps[len(u.steps)-1].Why = u.why("identity")
	case menuPolicy:
		s := u.held.stage(menu, row, u.why("row"))
		s.Match = schema.Row{"peer": row["peer"], "src-address": row["src-address"], "dst-address": row["dst-address"]}
		if u.shadowed(Selectors{hostOrPrefix(row["src-address"]), hostOrPrefix(row["dst-address"])}, nil) {
			s.Place = change.TopPlace
		}
	default:
		u.held.stage(menu, row, u.why("row"))
	}
}

// cutBack has the rows of before carry the tunnel. The first write has no effect yet,
// so that a router that refuses it refuses before anything else has changed.
func (u *undoing) cutBack() error {
	u.cut(schema.Enable, change.Twin, menuIdentity, schema.Row{"peer": u.main}, nil, nil, change.T("plan.step.canary"))
	u.cutOldPeer()
	for _, s := range u.turned {
		if s.Menu != menuPolicy || s.Action != schema.Change {
			continue
		}
		row, err := u.stillIs(s)
		if err != nil {
			return err
		}
		facts := []any{"source", row["src-address"], "destination", row["dst-address"]}
		match, ok := u.identify(menuPolicy, row, "src-address", "dst-address")
		if !ok {
			return refuse("tunnel_policy_twice", append(facts, "router", u.Router)...)
		}
		u.cut(schema.Change, change.InPlace, menuPolicy, match, s.After, s.Before, u.why("policy", facts...))
	}
	for _, s := range u.took {
		if s.Menu == menuPolicy && !isTrue(s.Before, menuPolicy, "disabled") {
			match := schema.Row{"peer": s.Before["peer"], "src-address": s.Before["src-address"], "dst-address": s.Before["dst-address"]}
			u.cut(schema.Enable, change.Twin, menuPolicy, match, nil, nil,
				change.T("plan.step.policy_on", "source", s.Before["src-address"], "destination", s.Before["dst-address"]))
		}
	}
	u.switchOff()
	u.cut(schema.Enable, change.Twin, menuPeer, schema.Row{"name": u.main}, nil, nil, change.T("plan.step.peer_on"))
	return nil
}

// switchOff switches the policies off that were off before the change, or not there.
func (u *undoing) switchOff() {
	for _, s := range u.turned {
		if s.Menu != menuPolicy || s.Action != schema.Enable {
			continue
		}
		for _, row := range u.found(s) {
			u.cut(schema.Disable, change.InPlace, menuPolicy, s.Match, nil, nil,
				change.T("plan.step.policy_away", "source", row["src-address"], "destination", row["dst-address"]))
		}
	}
}

// wants tells whether packets between networks that the tunnel joins afterwards would
// be translated without the rule.
func (u *undoing) wants(rule schema.Row) bool {
	without := slices.DeleteFunc(slices.Clone(u.held.snap.Menus[menuNAT]), func(r schema.Row) bool { return r[schema.ID] == rule[schema.ID] })
	return !u.none && slices.ContainsFunc(u.want.Policies, func(pair Selectors) bool {
		return same(rule["src-address"], pair.Source) && same(rule["dst-address"], pair.Destination) && translated(without, pair)
	})
}

// goes removes what the change brought: in the end nothing of it is there that the
// tunnel does not need.
func (u *undoing) goes() {
	var ours []schema.Row
	for _, s := range u.brought {
		rows := u.found(s)
		if len(rows) != 1 {
			continue // seen to be one before
		}
		row := rows[0]
		switch s.Menu {
		case menuPolicy:
			ours = append(ours, row)
			u.commit(menuPolicy, row, s.Match, change.T("plan.step.policy_removed", "source", row["src-address"], "destination", row["dst-address"]))
		case menuNAT:
			u.bypassGoes(row)
		case menuFilter:
			u.inputGoes(row)
		}
	}
	ours = append(ours, slices.DeleteFunc(slices.Clone(u.policies), func(r schema.Row) bool { return r == nil })...)
	for _, s := range u.turned { // policies that go on with the proposal of before
		if s.Menu == menuPolicy && s.Action == schema.Change {
			ours = append(ours, u.found(s)...)
		}
	}
	u.leftGoes(menuIdentity, "peer")
	peers := append(u.leftGoes(menuPeer, "name"), u.peer)
	u.commitOld()
	for _, s := range u.brought {
		switch s.Menu {
		case menuProfile1:
			u.commitUnshared(menuProfile1, s.After["name"], menuPeer, "profile", peers)
		case menuProposal:
			u.commitUnshared(menuProposal, s.After["name"], menuPolicy, "proposal", ours)
		}
	}
}

// leftGoes removes rows of peers that were off beside the tunnel's own.
func (u *undoing) leftGoes(menu, by string) (gone []schema.Row) {
	for _, s := range u.brought {
		if s.Menu != menu || s.After[by] == u.peer["name"] {
			continue
		}
		for _, row := range u.found(s) {
			u.commit(menu, row, s.Match, change.T("plan.step.left_gone"))
			gone = append(gone, row)
		}
	}
	return gone
}

// bypassGoes removes a rule for addresses that the change added, unless the tunnel
// or somebody else needs it.
func (u *undoing) bypassGoes(row schema.Row) {
	facts := []any{"source", row["src-address"], "destination", row["dst-address"]}
	if u.wants(row) {
		u.note("plan.back.bypass_stays", append(facts, "router", u.Router, "number", u.Done.Number)...)
		return
	}
	if u.needs(u.held.snap.Menus[menuNAT], row) {
		u.note("plan.warn.bypass_needed", append(facts, "router", u.Router)...)
		return
	}
	match, ok := u.identify(menuNAT, row, "chain", "action", "src-address", "dst-address")
	if !ok {
		u.note("plan.warn.bypass_left", append(facts, "router", u.Router)...)
		return
	}
	u.commit(menuNAT, row, match, change.T("plan.step.bypass_dropped", facts...))
}

// inputGoes removes a rule that let the other end in.
func (u *undoing) inputGoes(row schema.Row) {
	match, ok := u.identify(menuFilter, row, "chain", "action", "protocol", "comment")
	if !ok {
		u.note("plan.warn.input_left", "router", u.Router, "protocol", row["protocol"])
		return
	}
	u.commit(menuFilter, row, match, change.T("plan.step.input_gone", "site", u.far.Site))
}

// stageRules adds the rules on top that kept packets of the tunnel's networks out of
// address translation and that the change took away. Those that did not do it do not
// come again.
func (u *undoing) stageRules() error {
	for _, s := range u.took {
		if s.Menu != menuNAT {
			continue
		}
		row, err := u.again(s)
		pair := Selectors{hostOrPrefix(s.Before["src-address"]), hostOrPrefix(s.Before["dst-address"])}
		switch {
		case bypassed(u.held.snap.Menus[menuNAT], pair), !plain(s.Before), isTrue(s.Before, menuNAT, "disabled"):
			u.note("plan.back.flawed_gone", "number", u.Done.Number, "router", u.Router, "source", s.Before["src-address"], "destination", s.Before["dst-address"])
			continue
		case err != nil:
			return err
		}
		match := row.Clone()
		delete(match, "comment")
		if len(u.rows(menuNAT, match)) > 0 {
			if row["comment"] == "" {
				row["comment"] = u.tunnel
			}
			match["comment"] = row["comment"]
		}
		step := u.held.stage(menuNAT, row, u.why("row"))
		step.Match, step.Place = match, change.TopPlace
	}
	return nil
}

// translated walks the rules as the router does and tells whether a packet of the
// pair gets another address.
func translated(rows []schema.Row, pair Selectors) bool {
	for _, row := range rows {
		if row["chain"] != "srcnat" || isTrue(row, menuNAT, "disabled") || isTrue(row, menuNAT, "invalid") {
			continue
		}
		if defaulted(menuNAT, row, "action") == "accept" {
			if plain(row) && covers(row["src-address"], pair.Source) && covers(row["dst-address"], pair.Destination) {
				return false
			}
			continue
		}
		if translates(row, pair) {
			return true
		}
	}
	return false
}
