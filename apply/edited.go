package apply

import (
	"context"
	"maps"
	"slices"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// What somebody else makes of the rows of a change while it is carried out. A commit
// removes what the way back needs, so both routers are read once more when the proof
// has passed, and the decision is taken on what they hold then.

// undisturbed reads both routers once more and tells what keeps the change from being
// committed: a row that somebody has changed, for which a person is asked, or, in
// the text, that an end does not answer or is not on the new rows any more.
func (j *job) undisturbed(ctx context.Context) (change.Text, error) {
	if len(j.r.Plan.Steps) == 0 {
		return change.Text{}, nil
	}
	b := j.rowsOf2(ctx)
	if ctx.Err() != nil {
		return change.Text{}, ctx.Err()
	}
	for i, v := range b.views {
		if b.errs[i] != nil {
			return change.T("apply.tunnel.silent", "router", v.router), nil
		}
	}
	if why := j.odd(b); !why.IsZero() {
		return change.Text{}, j.attend(ctx, why) // with the guards in place
	}
	for _, v := range b.views {
		if !v.isNew() {
			return change.T("apply.tunnel.cutover", "router", v.router), nil
		}
	}
	for _, v := range b.views {
		if why := v.edited(false); !why.IsZero() {
			return change.Text{}, j.attend(ctx, why)
		}
	}
	return change.Text{}, nil
}

// onward tells whether the old rows are gone at one end: then the change goes on
// towards the new ones, whatever somebody has made of the rows at the other.
func (j *job) onward() bool {
	return slices.ContainsFunc(j.r.Plan.Tunnel.Ends[:], func(end change.TunnelEnd) bool {
		return j.past.finished[change.Act{Name: change.ActCommit, Router: end.Router}]
	})
}

// overruled tells whether values that somebody has changed are written over: people
// have seen them and decided, or one end cannot go back any more.
func (j *job) overruled() bool { return j.r.Resumed != "" || j.onward() }

// edited tells of a row of this change that is not as the plan and the cut-over leave
// it: one that is new, or one that is to be removed. begun tells that rows may be
// removed already.
func (v view) edited(begun bool) change.Text {
	if why := v.renewed(); !why.IsZero() {
		return why
	}
	for _, step := range v.plan.In(change.PhaseCommit, v.router) {
		rows := v.rows(step)
		switch {
		case len(rows) == 0 && begun:
			continue
		case len(rows) == 0:
			return change.T("apply.attend.gone", "router", v.router, "row", rowName(step))
		case len(rows) > 1:
			return change.T("apply.tunnel.odd", "router", v.router, "row", rowName(step))
		}
		if name, differs := differs(step.Menu, v.afterCut(step.Menu, step.Before), rows[0]); differs {
			return v.told(step, name, rows[0], v.afterCut(step.Menu, step.Before))
		}
		if other := v.refers(step); other != "" {
			return change.T("apply.tunnel.used", "router", v.router, "row", rowName(step), "other", vpn.ReadableBytes(other))
		}
	}
	return change.Text{}
}

// renewed tells of a new row that is not as planned.
func (v view) renewed() change.Text {
	for _, step := range v.plan.In(change.PhaseStage, v.router) {
		want := step
		want.After = v.afterCut(step.Menu, step.After)
		if v.staged(want) != ours {
			return v.strange(step, want.After)
		}
	}
	return change.Text{}
}

// strange says what somebody has made of a new row that should be as wanted.
func (v view) strange(step change.Step, want schema.Row) change.Text {
	rows := v.rows(step)
	if len(rows) == 0 {
		return change.T("apply.attend.gone", "router", v.router, "row", rowName(step))
	}
	row := rows[max(0, slices.IndexFunc(rows, func(r schema.Row) bool { return change.HasMark(r["comment"], v.number, step.ID) }))]
	name, differs := differs(step.Menu, want, row)
	if !differs {
		name = "comment" // the mark alone is gone
	}
	return v.told(step, name, row, want)
}

// afterCut is a row as the cut-over leaves it.
func (v view) afterCut(menu string, row schema.Row) schema.Row {
	row = row.Clone()
	for _, cut := range v.plan.In(change.PhaseCutOver, v.router) {
		if cut.Menu != menu || !cut.Anyhow().Finds(row) {
			continue
		}
		switch cut.Action {
		case schema.Enable:
			row["disabled"] = "no"
		case schema.Disable:
			row["disabled"] = "yes"
		default:
			for name := range cut.Before {
				delete(row, name)
			}
			maps.Copy(row, cut.After)
		}
	}
	return row
}

// differs names the first attribute that people can write in which a row is not as
// wanted. What is not named must be as RouterOS leaves it.
func differs(path string, want, row schema.Row) (string, bool) {
	menu, _ := schema.Lookup(path)
	for _, name := range want.Names() {
		if !same(path, name, row, want[name]) {
			return name, true
		}
	}
	for _, name := range menu.Stable(row).Names() {
		a, known := menu.Attr(name)
		if _, wanted := want[name]; wanted || !known || a.ReadOnly || a.Secret {
			continue
		}
		if !same(path, name, row, "") {
			return name, true
		}
	}
	return "", false
}

// told says what a row holds in place of what it should. What stands in a comment
// is not repeated: people write anything there.
func (v view) told(step change.Step, name string, row, want schema.Row) change.Text {
	if name == "comment" {
		return change.T("apply.tunnel.noted", "router", v.router, "row", rowName(step))
	}
	menu, _ := schema.Lookup(step.Menu)
	said := func(row schema.Row) string {
		a, _ := menu.Attr(name)
		if value := row[name]; value != "" {
			return vpn.ReadableBytes(menu.Canonical(name, value))
		}
		if a.Default == "" {
			return "–"
		}
		return a.Default
	}
	return change.T("apply.tunnel.edited", "router", v.router, "row", rowName(step), "field", name, "is", said(row), "want", said(want))
}

// references are the attributes by which rows refer to others by name.
var references = map[string][]struct{ menu, attr string }{
	"/ip/ipsec/profile":      {{"/ip/ipsec/peer", "profile"}},
	"/ip/ipsec/proposal":     {{"/ip/ipsec/policy", "proposal"}},
	"/ip/ipsec/peer":         {{"/ip/ipsec/policy", "peer"}, {"/ip/ipsec/identity", "peer"}},
	"/ip/ipsec/policy/group": {{"/ip/ipsec/identity", "policy-template-group"}, {"/ip/ipsec/policy", "group"}},
}

// refers names a row that refers to one which is to be removed, and is not to be
// removed itself, or "".
func (v view) refers(step change.Step) string {
	name := step.Match["name"]
	if name == "" {
		return ""
	}
	for _, ref := range references[step.Menu] {
		menu, _ := schema.Lookup(ref.menu)
		for _, row := range v.snap.Menus[ref.menu] {
			goes := slices.ContainsFunc(v.plan.In(change.PhaseCommit, v.router), func(s change.Step) bool {
				return s.Menu == ref.menu && s.Finds(row)
			})
			if row[ref.attr] == name && row["dynamic"] != "true" && !goes {
				return menu.KeyOf(row)
			}
		}
	}
	return ""
}
