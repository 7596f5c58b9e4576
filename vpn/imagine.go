package vpn

import (
	"maps"
	"slices"
	"strconv"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// imagine returns the rows that a router would hold after steps, without what
// only a router can know of them.
func imagine(s change.Snapshot, steps []change.Step) map[string][]schema.Row {
	menus := map[string][]schema.Row{}
	for path, rows := range s.Menus {
		for _, row := range rows {
			menus[path] = append(menus[path], settled(row))
		}
	}
	for i, step := range steps {
		if step.Action == schema.Add {
			row := step.After.Clone()
			row[schema.ID] = "planned-" + strconv.Itoa(i+1)
			menus[step.Menu] = place(menus[step.Menu], row, step.Place)
			continue
		}
		for _, row := range (change.Snapshot{Menus: menus}).Rows(change.Query{Menu: step.Menu, Where: step.Match}) {
			alter(row, step)
		}
	}
	return menus
}

// settled is a row without what follows from the others: a router marks a policy
// invalid, and takes that back when the reason is gone.
func settled(row schema.Row) schema.Row {
	row = row.Clone()
	for _, name := range []string{"invalid", "active", "ph2-state", "ph2-count", ".about"} {
		delete(row, name)
	}
	return row
}

func place(rows []schema.Row, row schema.Row, where string) []schema.Row {
	if where != change.TopPlace {
		return append(rows, row)
	}
	first := slices.IndexFunc(rows, func(r schema.Row) bool { return r["dynamic"] != "true" && r["default"] != "true" })
	if first < 0 {
		first = len(rows)
	}
	return slices.Insert(rows, first, row)
}

func alter(row schema.Row, step change.Step) {
	switch step.Action {
	case schema.Enable:
		row["disabled"] = "false"
	case schema.Disable:
		row["disabled"] = "true"
	case schema.Change:
		for name := range step.Before {
			delete(row, name)
		}
		maps.Copy(row, step.After)
	}
}
