package apply

import (
	"strings"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// belief is what was seen of a step's row.
type belief string

const (
	absent    belief = "absent"    // what is to be added does not stand there
	ours      belief = "ours"      // as the plan says
	unwritten belief = "unwritten" // as before the step
	gone      belief = "gone"      // no row to change
	altered   belief = "altered"   // somebody else has changed it
	foreign   belief = "foreign"   // somebody else has made it
)

// believe compares the rows of a snapshot with what a step makes of them. sure
// tells that the router has confirmed the write, which counts where nothing else
// tells: a secret is never read.
func believe(step change.Step, number int64, snap change.Snapshot, sure bool) belief {
	menu, _ := schema.Lookup(step.Menu)
	var rows []schema.Row
	for _, row := range snap.Menus[step.Menu] {
		if step.Finds(row) {
			rows = append(rows, row)
		}
	}
	switch {
	case step.Action == schema.Add:
		return added(menu, step, number, rows)
	case menu.Live:
		return ended(step, rows, snap)
	case len(rows) == 0 && step.Action == schema.Remove:
		return ours
	case len(rows) == 0:
		return gone
	case len(rows) > 1:
		return altered
	}
	switch step.Action {
	case schema.Remove:
		return removable(menu, step, rows[0])
	case schema.Enable, schema.Disable:
		if same(step.Menu, "disabled", rows[0], "yes") == (step.Action == schema.Disable) {
			return ours
		}
		return unwritten
	}
	return changed(menu, step, number, rows[0], sure)
}

// added looks for the row that a step adds.
func added(menu schema.Menu, step change.Step, number int64, rows []schema.Row) belief {
	seen := absent
	for _, row := range rows {
		if menu.Comment && !change.HasMark(row["comment"], number, step.ID) {
			seen = foreign
			continue
		}
		switch {
		case holds(menu, step, row):
			return ours
		case !menu.Comment:
			return foreign // where rows have no mark, their values make them ours
		}
		return altered
	}
	return seen
}

// removable tells whether the row that is to go is still the one of the plan, its
// mark and the bytes of its comment included.
func removable(menu schema.Menu, step change.Step, row schema.Row) belief {
	for name, was := range step.Before {
		if name == "comment" && row[name] != was || !same(menu.Path, name, row, was) {
			return foreign
		}
	}
	return unwritten
}

// changed tells how a row stands of which a step sets attributes.
func changed(menu schema.Menu, step change.Step, number int64, row schema.Row, sure bool) belief {
	as := func(values schema.Row) bool { return stands(step, row, values, nil) }
	written := as(step.After)
	switch {
	case menu.Comment && step.Phase == change.PhaseRevert:
		switch marked := change.HasMark(row["comment"], number, step.ID); {
		case written && !marked:
			return ours
		case written || as(step.Before):
			return unwritten // the mark is that of the step which is taken back
		}
		return altered
	case menu.Comment && change.HasMark(row["comment"], number, step.ID):
		if written {
			return ours
		}
		return altered
	case menu.Comment && as(step.Before):
		return unwritten
	case menu.Comment:
		return altered
	case written && (sure || len(step.Secrets) == 0):
		return ours
	case written || as(step.Before):
		return unwritten
	}
	return altered
}

// The menus that tell whether somebody is connected: the sessions, and the
// interface that each has while it lives.
const (
	menuActive    = "/ppp/active"
	menuInterface = "/interface/l2tp-server"
)

// ended tells whether what a step ends is over: no such session, nor the interface
// of one. A session that is named by its ID may be followed by another.
func ended(step change.Step, rows []schema.Row, snap change.Snapshot) belief {
	if len(rows) > 0 {
		return unwritten
	}
	if step.Match["session-id"] == "" {
		for _, row := range snap.Menus[menuInterface] {
			if row["user"] == step.Match["name"] && same(menuInterface, "running", row, "yes") {
				return unwritten
			}
		}
	}
	return ours
}

// holds tells whether an added row is what the plan says and nothing besides:
// what the plan does not name must be as RouterOS leaves it, so that no
// caller-id stands there that nobody approved.
func holds(menu schema.Menu, step change.Step, row schema.Row) bool {
	for name, want := range step.After {
		if !same(step.Menu, name, row, want) {
			return false
		}
	}
	for name := range menu.Stable(row) {
		a, known := menu.Attr(name)
		if _, planned := step.After[name]; planned || !known || a.ReadOnly || name == "comment" {
			continue
		}
		if !same(step.Menu, name, row, "") {
			return false
		}
	}
	return true
}

// rowName names the row of a step for people: what it joins, or its natural key.
func rowName(step change.Step) string {
	if src, dst := step.Match["src-address"], step.Match["dst-address"]; src != "" && dst != "" {
		return src + " → " + dst
	}
	menu, _ := schema.Lookup(step.Menu)
	return strings.Trim(menu.KeyOf(step.Match), "/")
}
