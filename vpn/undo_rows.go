package vpn

import (
	"slices"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// undoing is one end of a change that is taken back.
type undoing struct {
	*held
	TunnelUndo
	trace
	brought, took []change.Step // what the change staged and removed here
	main          string        // the peer that carried the tunnel before
	none          bool          // no network is joined afterwards
}

// asLeft refuses when a row is not any more as the change left it: what came after
// would be lost unseen.
func (u *undoing) asLeft() error {
	for _, s := range u.brought {
		row, err := u.stillIs(s)
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
		if _, err := u.stillIs(s); err != nil {
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

// untouched refuses when the peer that carries the tunnel is not the change's own,
// or carries policies that it did not.
func (u *undoing) untouched() error {
	var peers []string
	for _, s := range u.brought {
		if s.Menu == menuPeer {
			peers = append(peers, s.After["name"])
		}
	}
	if peers == nil {
		return nil
	}
	facts := []any{"number", u.Done.Number, "router", u.Router, "menu", menuPeer, "row", ReadableBytes(peers[0])}
	if u.peer == nil || !slices.Contains(peers, u.peer["name"]) || u.identity == nil {
		return refuse("undo_gone", facts...)
	}
	for _, row := range u.held.snap.Menus[menuPolicy] {
		if !static(row) || !slices.Contains(peers, row["peer"]) {
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
	facts, why := []any{"number", u.Done.Number, "router", u.Router, "tunnel", u.tunnel}, "undo_unwhole"
	if u.Done.Plan.Retires {
		why = "undo_unmade"
	}
	for _, s := range u.turned {
		if s.Menu == menuPeer && s.Action == schema.Disable {
			u.main = s.Match["name"]
		}
	}
	identity := slices.ContainsFunc(u.took, func(s change.Step) bool {
		return s.Menu == menuIdentity && s.Before["peer"] == u.main && !isTrue(s.Before, menuIdentity, "disabled")
	})
	if u.main == "" || !identity {
		return refuse(why, facts...)
	}
	u.next = u.main
	for _, pair := range u.want.Policies {
		if !u.carried(pair) {
			return refuse(why, facts...)
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
