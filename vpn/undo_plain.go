package vpn

import (
	"slices"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// plainUndo takes back what a plan without phases did on one router.
type plainUndo struct {
	trace
	steps []change.Step // that take it back
	// already says which rows are as before the change, as an earlier attempt that
	// stopped half-way leaves them, or somebody's hand: nothing is written there.
	already []change.Text
}

// takeBack makes the steps that take the change back, the last first: values in
// place before rows go, since a router that refuses a value is put back by itself,
// and a row that is gone is not.
func (u *plainUndo) takeBack(done change.Plan) error {
	var own []change.Step
	for _, s := range done.Steps {
		if s.Router == u.snap.Router {
			own = append(own, s)
		}
	}
	slices.Reverse(own)
	u.turned = own
	for _, s := range own {
		if s.Action != schema.Add && !u.isBack(s) {
			if err := u.valueBack(s); err != nil {
				return err
			}
		}
	}
	for _, s := range own {
		if s.Action == schema.Add && !u.isBack(s) {
			if err := u.rowBack(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// isBack tells whether the row of a step is as it was before the change.
func (u *plainUndo) isBack(s change.Step) bool {
	rows := u.found(s)
	back, ok := s.Undo()
	is := false
	switch {
	case s.Action == schema.Add:
		is = len(rows) == 0
	case s.Action == schema.Change && ok && len(rows) == 1 && len(back.After) > 0:
		is = !slices.ContainsFunc(back.After.Names(), func(name string) bool {
			was, now := back.After[name], defaulted(s.Menu, rows[0], name)
			if name == "comment" {
				was, now = change.Unmarked(was), change.Unmarked(now)
			}
			return !tableOf(s.Menu).Same(name, now, was)
		})
	}
	if is {
		u.already = append(u.already, change.T("plan.back.already", "router", u.snap.Router, "menu", s.Menu, "row", named(s), "number", u.number))
	}
	return is
}

// valueBack gives a row the values that it had.
func (u *plainUndo) valueBack(s change.Step) error {
	if _, err := u.stillIs(s); err != nil {
		return err
	}
	back, ok := s.Undo()
	if !ok {
		return errUndo(s)
	}
	if len(back.Before)+len(back.After) == 0 && s.Action == schema.Change {
		return nil // only a key, which nobody puts back
	}
	back.Phase, back.Class, back.Why = "", change.InPlace, change.T("plan.back.step.value", "number", u.number)
	u.steps = append(u.steps, back)
	return nil
}

// rowBack removes a row that the change added.
func (u *plainUndo) rowBack(s change.Step) error {
	row, err := u.stillIs(s)
	if err != nil {
		return err
	}
	if err := u.nothingElse(s, row); err != nil {
		return err
	}
	menu, match := tableOf(s.Menu), s.Match.Clone()
	if rows := u.snap.Rows(change.Query{Menu: s.Menu, Where: match}); menu.Comment && (len(rows) > 1 || match["comment"] != "") {
		match["comment"] = row["comment"]
	}
	before := schema.Row{}
	for name, value := range row {
		if a, known := menu.Attr(name); known && !a.Secret && !a.ReadOnly && !a.Volatile {
			before[name] = value
		}
	}
	u.steps = append(u.steps, change.Step{
		Router: u.snap.Router, Menu: s.Menu, Action: schema.Remove, Class: change.InPlace, Match: match, Before: before,
		Why: change.T("plan.back.step.gone", "number", u.number),
	})
	return nil
}

// VerboseUndo is what PlanUndoVerbose computes from.
type VerboseUndo struct {
	Intent    change.Intent
	Done      change.Request    // that switched detailed logging on
	Snapshots []change.Snapshot // VerboseMenus of each of its routers
}

// PlanUndoVerbose computes the plan that ends detailed logging before its time: the
// rules that the change added go, and the schedule that would have ended it. It
// returns a *Refusal when it has ended already, and when somebody changed its rows.
func PlanUndoVerbose(in VerboseUndo) (change.Plan, error) {
	p := change.Plan{Intent: in.Intent, Summary: change.T("plan.back.verbose", "site", in.Intent.Site, "number", in.Done.Number)}
	for _, snap := range in.Snapshots {
		u := &plainUndo{trace: trace{number: in.Done.Number, snap: snap}}
		if over(snap, in.Done.Plan) {
			return change.Plan{}, refuse("undo_over", "number", in.Done.Number, "router", snap.Router)
		}
		if err := u.takeBack(in.Done.Plan); err != nil {
			return change.Plan{}, err
		}
		p.Routers = append(p.Routers, snap.Router)
		p.Steps, p.Warnings = append(p.Steps, u.steps...), append(p.Warnings, u.already...)
		for _, menu := range VerboseMenus() {
			p.Seen = append(p.Seen, snap.Observe(change.Query{Menu: menu}))
		}
	}
	for i := range p.Steps {
		p.Steps[i].ID = i + 1
	}
	p.State = change.StateDigest(p.Seen)
	return p, nil
}

// over tells whether nothing of what a plan added is left on a router.
func over(snap change.Snapshot, plan change.Plan) bool {
	return !slices.ContainsFunc(plan.Steps, func(s change.Step) bool {
		return s.Router == snap.Router && len(snap.Rows(change.Query{Menu: s.Menu, Where: s.Match})) > 0
	})
}
