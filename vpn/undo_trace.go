package vpn

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// trace is what a change has left on one router: its steps, and the rows that are
// there now.
type trace struct {
	number int64 // of the request
	snap   change.Snapshot
	turned []change.Step // what the change switched or set
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
func (u trace) found(s change.Step) []schema.Row {
	s = s.Anyhow()
	var rows []schema.Row
	for _, row := range u.snap.Menus[s.Menu] {
		if s.Finds(row) && !isTrue(row, s.Menu, "dynamic") && (s.Match["template"] != "" || !isTrue(row, s.Menu, "template")) {
			rows = append(rows, row)
		}
	}
	if len(rows) > 1 && s.Action == schema.Add {
		ours := slices.DeleteFunc(slices.Clone(rows), func(r schema.Row) bool { return !change.HasMark(r["comment"], u.number, s.ID) })
		if len(ours) > 0 {
			return ours
		}
	}
	return rows
}

// stillIs returns the one row of a step, which has the values that the change gave it, or a *Refusal.
func (u trace) stillIs(s change.Step) (schema.Row, error) {
	facts := []any{"number", u.number, "router", u.snap.Router, "menu", s.Menu, "row", named(s)}
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
			return nil, refuse("undo_row", append(facts, "field", name, "was", cmp.Or(ReadableBytes(want), "-"), "is", cmp.Or(ReadableBytes(have), "-"))...)
		}
	}
	if s.Action == schema.Enable && isTrue(row, s.Menu, "disabled") || s.Action == schema.Disable && !isTrue(row, s.Menu, "disabled") {
		return nil, refuse("undo_row", append(facts, "field", "disabled", "was", said(s.Action == schema.Disable), "is", said(s.Action == schema.Enable))...)
	}
	return row, nil
}

func tableOf(path string) schema.Menu { menu, _ := schema.Lookup(path); return menu }

// disabledAfter tells how the change left a row that it staged switched off.
func (u trace) disabledAfter(s change.Step) string {
	for _, cut := range u.turned {
		about := change.Query{Menu: cut.Menu, Where: cut.Match}
		if cut.Action == schema.Enable && cut.Menu == s.Menu && about.Matches(s.After) {
			return "false"
		}
	}
	return s.After["disabled"]
}

// nothingElse refuses a row on which somebody has set what the change did not.
func (u trace) nothingElse(s change.Step, row schema.Row) error {
	menu := tableOf(s.Menu)
	for _, name := range row.Names() {
		a, known := menu.Attr(name)
		_, ours := s.After[name]
		if ours || !known || a.ReadOnly || a.Volatile || a.Secret || strings.HasPrefix(name, ".") || row[name] == "" || menu.Same(name, row[name], printedAs(a)) ||
			name == "disabled" && menu.Same(name, row[name], u.disabledAfter(s)) || name == "comment" && change.Unmarked(row[name]) == "" {
			continue
		}
		return refuse("undo_row", "number", u.number, "router", u.snap.Router, "menu", s.Menu, "row", named(s), "field", name,
			"was", cmp.Or(printedAs(a), "-"), "is", ReadableBytes(row[name]))
	}
	return nil
}

// said is a switch as RouterOS writes it.
func said(on bool) string { return strconv.FormatBool(on) }
