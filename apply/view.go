package apply

import (
	"context"
	"fmt"
	"slices"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// menuScheduler holds the guards, menuIdentity the keys.
const (
	menuScheduler = "/system/scheduler"
	menuIdentity  = "/ip/ipsec/identity"
)

// view is how one router stands in a change in phases.
type view struct {
	router string
	snap   change.Snapshot
	plan   change.Plan
	number int64
}

// menusOf returns every menu that the plan writes on a router, and that of the
// guards.
func menusOf(plan change.Plan, router string) []string {
	menus := []string{menuScheduler}
	for _, s := range plan.Steps {
		if s.Router == router && !slices.Contains(menus, s.Menu) {
			menus = append(menus, s.Menu)
		}
	}
	return menus
}

// once looks at a router a single time.
func (j *job) once(ctx context.Context, router string, more ...string) (view, error) {
	menus := append(menusOf(j.r.Plan, router), more...)
	slices.Sort(menus)
	snap, err := j.e.o.Routers.Snapshot(ctx, router, slices.Compact(menus)...)
	if err != nil && ctx.Err() == nil {
		j.e.o.Log.Warn("reading router", "request", j.r.Number, "router", router, "err", err)
	}
	return view{router: router, snap: snap, plan: j.r.Plan, number: j.r.Number}, err
}

// view looks at a router as often as it takes.
func (j *job) view(ctx context.Context, router string) (view, error) {
	snap, err := j.read(ctx, router, menusOf(j.r.Plan, router)...)
	return view{router: router, snap: snap, plan: j.r.Plan, number: j.r.Number}, err
}

// stand is how one row of a cut-over stands.
type stand int

const (
	standOld  stand = iota
	standNew        // as the cut-over leaves it
	standGone       // no such row
	standOdd        // neither, or more than one row
)

// stand looks at the row of a cut-over's step.
func (v view) stand(step change.Step) stand {
	rows := v.rows(step)
	switch {
	case len(rows) == 0:
		return standGone
	case len(rows) > 1:
		return standOdd
	}
	row := rows[0]
	switch step.Action {
	case schema.Enable, schema.Disable:
		if same(step.Menu, "disabled", row, "yes") == (step.Action == schema.Disable) {
			return standNew
		}
		return standOld
	}
	switch {
	case stands(step, row, step.After, step.Before):
		return standNew
	case stands(step, row, step.Before, step.After):
		return standOld
	}
	return standOdd
}

// rows returns the static rows that a step is about, whatever it does to them;
// templates only where it names them.
func (v view) rows(step change.Step) []schema.Row {
	step = step.Anyhow()
	var rows []schema.Row
	for _, row := range v.snap.Menus[step.Menu] {
		if step.Finds(row) && row["dynamic"] != "true" && (row["template"] != "true" || step.Match["template"] != "") {
			rows = append(rows, row)
		}
	}
	return rows
}

// stands tells whether row has the values of want, and nothing of what only the
// other side of the step has.
func stands(step change.Step, row, want, other schema.Row) bool {
	for name, value := range want {
		if !same(step.Menu, name, row, value) {
			return false
		}
	}
	for name := range other {
		if _, wanted := want[name]; !wanted && name != "comment" && !same(step.Menu, name, row, "") {
			return false
		}
	}
	return true
}

// same compares an attribute of a row with a value; what is not there has its
// default, and of a comment the mark does not count.
func same(path, name string, row schema.Row, want string) bool {
	menu, _ := schema.Lookup(path)
	a, _ := menu.Attr(name)
	filled := func(value string) string {
		switch {
		case value != "":
			return value
		case a.Default == "" && a.Kind == schema.Bool:
			return "false"
		}
		return a.Default
	}
	have := row[name]
	if name == "comment" {
		have, want = change.Unmarked(have), change.Unmarked(want)
	}
	return menu.Same(name, filled(have), filled(want))
}

// all tells whether every row of the cut-over stands in one of the given ways,
// where rows that are switched on may be missing when that is so for ons, and
// rows that are switched off when it is so for offs.
func (v view) all(want stand, ons, offs bool) bool {
	for _, step := range v.plan.In(change.PhaseCutOver, v.router) {
		is := v.stand(step)
		missing := is == standGone && ((ons && step.Action == schema.Enable) || (offs && step.Action == schema.Disable))
		if is != want && !missing {
			return false
		}
	}
	return true
}

// isNew tells whether the router runs on the new rows; the old ones may be gone.
func (v view) isNew() bool { return v.all(standNew, false, true) }

// isOld tells whether the router runs on the old rows; the new ones may be gone.
func (v view) isOld() bool { return v.all(standOld, true, false) }

// odd names a row that nothing of this change explains, or "". decided tells in
// which direction rows may be missing. Where people have seen it and decided,
// values do not matter: they are written over.
func (v view) odd(decided change.Decision, people bool) string {
	for _, step := range v.plan.In(change.PhaseCutOver, v.router) {
		switch is := v.stand(step); {
		case is == standOdd && (!people || len(v.rows(step)) > 1),
			is == standGone && step.Action == schema.Change,
			is == standGone && step.Action == schema.Disable && decided != change.DecidedCommit,
			is == standGone && step.Action == schema.Enable && decided != change.DecidedRevert:
			return rowName(step)
		}
	}
	return ""
}

// guard returns the row of the guard, or nil.
func (v view) guard() schema.Row {
	rows := v.snap.Rows(change.Query{Menu: menuScheduler, Where: schema.Row{"name": change.GuardName(v.number)}})
	if len(rows) == 0 {
		return nil
	}
	return rows[0]
}

// armed tells whether the guard is there and on.
func (v view) armed() bool {
	row := v.guard()
	return row != nil && same(menuScheduler, "disabled", row, "no")
}

// committed tells whether the router holds the new rows and nothing of the old.
func (v view) committed() bool {
	if v.guard() != nil || !v.isNew() {
		return false
	}
	return !slices.ContainsFunc(v.plan.In(change.PhaseCommit, v.router), func(s change.Step) bool { return len(v.rows(s)) > 0 })
}

// staged says what is believed about the row of a staged step.
func (v view) staged(step change.Step) belief { return believe(step, v.number, v.snap, false) }

// unstaged names a staged row that is not there, or "".
func (v view) unstaged() string { return v.missing(v.plan.In(change.PhaseStage, v.router)) }

// keyless names an old identity that is not there, without which the old peer cannot
// come up, or "".
func (v view) keyless() string {
	return v.missing(slices.DeleteFunc(v.plan.In(change.PhaseCommit, v.router), func(s change.Step) bool { return s.Menu != menuIdentity }))
}

// missing names a row of steps that is not there, whatever its values, or "".
func (v view) missing(steps []change.Step) string {
	for _, step := range steps {
		if len(v.rows(step)) == 0 {
			return rowName(step)
		}
	}
	return ""
}

// takenBack is the step that removes a staged row: ours alone, known by its mark.
func takenBack(step change.Step, number int64) (change.Step, error) {
	undo, ok := step.Undo()
	if !ok {
		return change.Step{}, fmt.Errorf("step %d cannot be taken back", step.ID)
	}
	if menu, _ := schema.Lookup(step.Menu); menu.Comment {
		undo.Match = step.Match.Clone()
		undo.Match["comment"] = change.Mark(step.After["comment"], number, step.ID)
	}
	return undo, nil
}
