package vpn

import (
	"cmp"
	"slices"
	"strings"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// undoing is one end of a change that is taken back.
type undoing struct {
	*held
	TunnelUndo
	brought, turned, took []change.Step // what the change staged, cut over and removed here
	main                  string        // the peer that carried the tunnel before
	none                  bool          // no network is joined afterwards
}

// named is what people call the row of a step.
func named(s change.Step) string {
	row := s.Match
	if src, dst := row["src-address"], row["dst-address"]; src != "" && dst != "" {
		return src + " → " + dst
	}
	return ReadableBytes(cmp.Or(row["name"], row["peer"], row["comment"], row["protocol"], "-"))
}

// found are the rows that a step of the change is about, as it left them.
func (u *undoing) found(s change.Step) []schema.Row {
	s.Match = s.Match.Clone()
	if s.Action == schema.Change {
		for _, changed := range []schema.Row{s.Before, s.After} {
			for name := range changed {
				delete(s.Match, name)
			}
		}
	}
	var rows []schema.Row
	for _, row := range u.snap.Menus[s.Menu] {
		if s.Finds(row) && !isTrue(row, s.Menu, "dynamic") && !isTrue(row, s.Menu, "template") {
			rows = append(rows, row)
		}
	}
	if len(rows) > 1 && s.Action == schema.Add {
		ours := slices.DeleteFunc(slices.Clone(rows), func(r schema.Row) bool { return !change.HasMark(r["comment"], u.Done.Number, s.ID) })
		if len(ours) > 0 {
			return ours
		}
	}
	return rows
}

// left is the one row of a step, with the values that the change gave it.
func (u *undoing) left(s change.Step) (schema.Row, error) {
	facts := []any{"number", u.Done.Number, "router", u.Router, "menu", s.Menu, "row", named(s)}
	rows := u.found(s)
	if len(rows) != 1 {
		return nil, refuse("undo_gone", facts...)
	}
	row, menu := rows[0], tableOf(s.Menu)
	for _, name := range s.After.Names() {
		want, have := s.After[name], defaulted(s.Menu, rows[0], name)
		switch name {
		case "comment":
			want, have = change.Unmarked(want), change.Unmarked(have)
		case "disabled":
			want = u.disabledAfter(s)
		}
		if !menu.Same(name, have, want) {
			return nil, refuse("undo_row", append(facts, "field", name, "was", ReadableBytes(want), "is", ReadableBytes(have))...)
		}
	}
	return row, nil
}

func tableOf(path string) schema.Menu { menu, _ := schema.Lookup(path); return menu }

// disabledAfter tells how the change left a row that it staged switched off.
func (u *undoing) disabledAfter(s change.Step) string {
	for _, cut := range u.turned {
		about := change.Query{Menu: cut.Menu, Where: cut.Match}
		if cut.Action == schema.Enable && cut.Menu == s.Menu && about.Matches(s.After) {
			return "false"
		}
	}
	return s.After["disabled"]
}

// asLeft refuses when a row is not any more as the change left it: what came after
// would be lost unseen.
func (u *undoing) asLeft() error {
	for _, s := range u.brought {
		row, err := u.left(s)
		if err != nil {
			return err
		}
		if err := u.nothingElse(s, row); err != nil {
			return err
		}
	}
	for _, s := range u.turned {
		if s.Action != schema.Change {
			continue
		}
		if _, err := u.left(s); err != nil {
			return err
		}
	}
	for _, s := range u.took {
		if s.Before == nil {
			return errUndo(s)
		}
		if name := s.Before["name"]; name != "" && len(u.rows(s.Menu, schema.Row{"name": name})) > 0 {
			return refuse("undo_taken", "number", u.Done.Number, "router", u.Router, "menu", s.Menu, "row", ReadableBytes(name))
		}
	}
	return nil
}

// nothingElse refuses a row on which somebody has set what the change did not.
func (u *undoing) nothingElse(s change.Step, row schema.Row) error {
	menu := tableOf(s.Menu)
	for _, name := range row.Names() {
		a, known := menu.Attr(name)
		_, ours := s.After[name]
		if ours || !known || a.ReadOnly || a.Volatile || a.Secret || strings.HasPrefix(name, ".") || row[name] == "" || menu.Same(name, row[name], printedAs(a)) ||
			name == "disabled" && menu.Same(name, row[name], u.disabledAfter(s)) || name == "comment" && change.Unmarked(row[name]) == "" {
			continue
		}
		return refuse("undo_row", "number", u.Done.Number, "router", u.Router, "menu", s.Menu, "row", named(s), "field", name,
			"was", cmp.Or(printedAs(a), "-"), "is", ReadableBytes(row[name]))
	}
	return nil
}

// untouched refuses when the peer that carries the tunnel is not the change's own,
// or carries policies that it did not.
func (u *undoing) untouched() error {
	i := slices.IndexFunc(u.brought, func(s change.Step) bool { return s.Menu == menuPeer })
	if i < 0 {
		return nil
	}
	facts := []any{"number", u.Done.Number, "router", u.Router, "menu", menuPeer, "row", named(u.brought[i])}
	if u.peer == nil || u.peer["name"] != u.brought[i].After["name"] || u.identity == nil {
		return refuse("undo_gone", facts...)
	}
	for _, row := range u.snap.Menus[menuPolicy] {
		if !static(row) || row["peer"] != u.peer["name"] {
			continue
		}
		ours := slices.ContainsFunc(slices.Concat(u.brought, u.turned), func(s change.Step) bool {
			return s.Menu == menuPolicy && slices.ContainsFunc(u.found(s), func(r schema.Row) bool { return r[schema.ID] == row[schema.ID] })
		})
		if !ours {
			return refuse("undo_more", "number", u.Done.Number, "router", u.Router, "source", row["src-address"], "destination", row["dst-address"],
				"peer", ReadableBytes(row["peer"]))
		}
	}
	return nil
}

// stood finds the peer that carried the tunnel before, and refuses when the tunnel
// did not stand: there is nothing to go back to.
func (u *undoing) stood() error {
	facts := []any{"number", u.Done.Number, "router", u.Router, "tunnel", u.tunnel}
	for _, s := range u.turned {
		if s.Menu == menuPeer && s.Action == schema.Disable {
			u.main = s.Match["name"]
		}
	}
	identity := slices.ContainsFunc(u.took, func(s change.Step) bool {
		return s.Menu == menuIdentity && s.Before["peer"] == u.main && !isTrue(s.Before, menuIdentity, "disabled")
	})
	if u.main == "" || !identity {
		return refuse("undo_unwhole", facts...)
	}
	u.next = u.main
	for _, pair := range u.want.Policies {
		if !u.carried(pair) {
			return refuse("undo_unwhole", facts...)
		}
	}
	return u.leaning()
}

// carried tells whether a policy for the pair was there before, and on.
func (u *undoing) carried(pair Selectors) bool {
	same := func(row schema.Row) bool {
		return same(row["src-address"], pair.Source) && same(row["dst-address"], pair.Destination)
	}
	for _, s := range u.turned {
		if s.Menu == menuPolicy && same(s.Match) && s.Action == schema.Enable {
			return false // off before, or not there
		}
	}
	set := slices.ContainsFunc(u.turned, func(s change.Step) bool {
		return s.Menu == menuPolicy && s.Action == schema.Change && same(s.Match) && s.Before["peer"] == u.main
	})
	return set || slices.ContainsFunc(u.took, func(s change.Step) bool {
		return s.Menu == menuPolicy && same(s.Before) && s.Before["peer"] == u.main && !isTrue(s.Before, menuPolicy, "disabled")
	})
}

// leaning refuses when rows that the old ones lean on are gone.
func (u *undoing) leaning() error {
	need := func(menu, name string) error {
		took := slices.ContainsFunc(u.took, func(s change.Step) bool { return s.Menu == menu && s.Before["name"] == name })
		if took || name == "" || len(u.rows(menu, schema.Row{"name": name})) > 0 {
			return nil
		}
		return refuse("undo_leans", "number", u.Done.Number, "router", u.Router, "menu", menu, "row", ReadableBytes(name))
	}
	for _, s := range slices.Concat(u.took, u.turned) {
		for _, ref := range []struct{ from, attr, menu string }{
			{menuPeer, "profile", menuProfile1}, {menuPolicy, "proposal", menuProposal}, {menuIdentity, "policy-template-group", menuGroup},
		} {
			if s.Menu == ref.from {
				if err := need(ref.menu, s.Before[ref.attr]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
