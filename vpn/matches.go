package vpn

import (
	"slices"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// Matches tells whether rows, as read back, hold what step wrote: found is true
// when a row of step's natural key stands there, and moved names the first
// attribute that differs from step.After; its Field is empty when none does.
// Generation marks do not count. A row that was added must not hold anything
// that the plan did not name, such as a caller-id that nobody approved.
func Matches(step change.Step, rows []schema.Row) (found bool, moved change.Moved) {
	menu, _ := schema.Lookup(step.Menu)
	query := change.Query{Menu: step.Menu, Where: step.Match}
	i := slices.IndexFunc(rows, query.Matches)
	if i < 0 {
		return false, change.Moved{}
	}
	row := rows[i]
	names := step.After.Names()
	if step.Action == schema.Add {
		for name := range menu.Stable(row) {
			if a, known := menu.Attr(name); known && !a.ReadOnly && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		slices.Sort(names)
	}
	for _, name := range names {
		is, was := defaulted(step.Menu, row, name), defaulted(step.Menu, step.After, name)
		if name == "comment" {
			is = change.Unmarked(is)
		}
		if !menu.Same(name, was, is) {
			return true, change.Moved{
				Router: step.Router, Menu: step.Menu, Row: menu.KeyOf(step.Match), Field: name, Was: was, Is: is,
			}
		}
	}
	return true, change.Moved{}
}
