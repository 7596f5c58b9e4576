package commands

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// value is a Text that is only its value.
func value(v any) change.Text { return change.T("common.value", "value", v) }

// listOf joins texts with the reader's comma.
func listOf(texts []change.Text) change.Text {
	if len(texts) == 0 {
		return change.T("common.none")
	}
	list := texts[len(texts)-1]
	for _, t := range slices.Backward(texts[:len(texts)-1]) {
		list = change.T("common.list", "first", t, "rest", list)
	}
	return list
}

// heading names what a plan does, without a mention, since headings show none.
func heading(r change.Request) change.Text {
	subject := r.Plan.Intent.Site
	switch a := r.Plan.Intent.Account; {
	case a != nil:
		subject = a.Name
	case r.Plan.Intent.Tunnel != "":
		subject = r.Plan.Intent.Tunnel
	}
	title := change.T("title."+r.Plan.Intent.Verb, "subject", subject, "site", r.Plan.Intent.Site)
	if n := r.Plan.Intent.Undo; n != 0 {
		title = change.T("title.rollback", "subject", subject, "site", r.Plan.Intent.Site, "other", n)
		if subject == r.Plan.Intent.Site {
			title = change.T("title.rollback.site", "site", subject, "other", n)
		}
	}
	if n := r.Plan.Intent.Resume; n != 0 {
		title = change.T("title.resume."+string(r.Plan.Intent.Towards), "subject", subject, "other", n)
	}
	if r.Number == 0 {
		return title
	}
	return change.T("title.numbered", "number", r.Number, "title", title)
}

// shortDigest is as much of a digest as people compare by eye.
func shortDigest(digest string) string { return digest[:min(12, len(digest))] }

// effects says who and what a plan touches, then what to beware of.
func effects(p change.Plan) []Part {
	var parts []Part
	for _, t := range p.Blast {
		parts = append(parts, Say("", t))
	}
	for _, t := range p.Warnings {
		parts = append(parts, Say(Warning, t))
	}
	return parts
}

// diffs shows every step with its row before and after.
func diffs(p change.Plan) []Part {
	parts := make([]Part, 0, len(p.Steps))
	for _, step := range p.Steps {
		parts = append(parts, Part{Diff: diff(step)})
	}
	return parts
}

func diff(step change.Step) *Diff {
	menu, _ := schema.Lookup(step.Menu)
	d := &Diff{
		Step: step.ID, Router: step.Router, Menu: step.Menu, Action: string(step.Action),
		Row: rowOf(menu, step.Match), Class: string(step.Class), Why: step.Why, Lines: []DiffLine{}, Phase: step.Phase,
	}
	if before, after, ok := switched(step.Action); ok {
		d.Lines = append(d.Lines, DiffLine{Name: "disabled", Before: before, After: after})
	}
	names := slices.Concat(step.Before.Names(), step.After.Names())
	for name := range step.Marks {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		line := DiffLine{Name: name, Before: vpn.ReadableBytes(step.Before[name]), After: vpn.ReadableBytes(step.After[name])}
		if mark, secret := step.Marks[name]; secret {
			line.Before, line.After = "", mark
		}
		d.Lines = append(d.Lines, line)
	}
	slices.SortStableFunc(d.Lines, func(a, b DiffLine) int {
		return strings.Compare(rank(menu, a.Name), rank(menu, b.Name))
	})
	return d
}

// pair is the end of a natural key that is two networks.
var pair = regexp.MustCompile(`^(?:.*/)?([0-9.]+/\d+)/([0-9.]+/\d+)$`)

// rowName is a row's natural key as people say it: a policy is what it joins.
func rowName(key string) string {
	return cmp.Or(pair.ReplaceAllString(strings.Trim(key, "/"), "$1 → $2"), "-")
}

// rowOf names the row that match finds; a menu without a natural key has rules
// about networks.
func rowOf(menu schema.Menu, match schema.Row) string {
	if src, dst := match["src-address"], match["dst-address"]; src != "" && dst != "" {
		return src + " → " + dst
	}
	if match["default"] == "true" {
		return "default"
	}
	return rowName(menu.KeyOf(match))
}

// switched is what an action does to whether a row is disabled.
func switched(a schema.Action) (before, after string, ok bool) {
	switch a {
	case schema.Enable:
		return "true", "false", true
	case schema.Disable:
		return "false", "true", true
	}
	return "", "", false
}

// rank puts the attributes that name a row first and its comment last.
func rank(menu schema.Menu, name string) string {
	switch {
	case slices.Contains(menu.Key, name):
		return "a" + name
	case name == "comment":
		return "c"
	}
	return "b" + name
}

// preview shows a draft to its requester.
func preview(r change.Request, same []change.Request) Reply {
	parts := []Part{Say("", r.Plan.Summary)}
	for _, other := range same {
		parts = append(parts, Say(Warning, change.T("preview.same", "number", other.Number, "state", other.State)))
	}
	parts = append(parts, effects(r.Plan)...)
	parts = append(parts, procedure(r)...)
	parts = append(parts, diffs(r.Plan)...)
	facts := []Labelled{
		{change.T("label.needs"), needs(r.Rule)},
		{change.T("label.digest"), value(shortDigest(r.Digest))},
		{change.T("label.expires"), value(r.Expires)},
	}
	buttons := []Button{
		{Action: ActionSubmit, Value: r.ID, Label: change.T("button.submit"), Style: Primary},
		{Action: ActionDiscard, Value: r.ID, Label: change.T("button.discard")},
	}
	parts = append(parts, Part{Facts: facts}, Say(Hint, change.T("preview.nothing")), Part{Buttons: buttons})
	return Reply{Title: heading(r), Parts: parts}
}

// needs says what a rule asks for.
func needs(rule change.Rule) change.Text {
	approvals := change.T("rule.approvals", "count", max(1, rule.Approvals))
	if len(rule.People) > 0 {
		people := make([]change.Text, len(rule.People))
		for i, p := range rule.People {
			people[i] = value(p)
		}
		approvals = change.T("rule.people", "approvals", approvals, "people", listOf(people))
	}
	if rule.Reason != "" {
		approvals = change.T("rule.reason", "approvals", approvals)
	}
	return approvals
}

// submitted tells the requester that the request is on its way.
func submitted(r change.Request) Reply {
	return Reply{Title: heading(r), Tone: Good, Parts: []Part{
		Say("", change.T("submitted.text", "number", r.Number, "needs", needs(r.Rule), "until", r.Expires)),
		Say(Hint, change.T("submitted.hint", "number", r.Number)),
	}}
}
