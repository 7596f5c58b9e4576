package vpn

import (
	"fmt"
	"slices"

	"vpnbot/change"
)

// PlanSet computes the plan that gives a tunnel's definition the values of
// in.Intent.Settings and brings both routers to it, under one digest: the tunnel is
// made anew as PlanRedo does, and the definition's next version holds from the
// moment at which that is committed. Values that no router row shows change the
// definition alone. It returns a *Refusal when the definition has them all already,
// and when the tunnel cannot or should not be changed so.
func PlanSet(in TunnelChange) (change.Plan, error) {
	was := in.Tunnel
	next, err := was.With(in.Intent.Settings, false)
	if err != nil {
		return change.Plan{}, err
	}
	next = next.Reached(in.DialIns, in.Estate)
	if err := in.checkReach(next); err != nil {
		return change.Plan{}, err
	}
	differences := was.Differences(next)
	if len(differences) == 0 {
		return change.Plan{}, refuse("set_nothing", "tunnel", was.Name)
	}
	if weak := was.weaker(next); len(weak) > 0 && weak[0].Grade == Broken {
		return change.Plan{}, refuse("set_broken", "key", weak[0].Key, "value", weak[0].Value, "better", weak[0].Better)
	}
	in.Tunnel, in.was = next, &was
	if in.moves() {
		if err := in.checkMove(); err != nil {
			return change.Plan{}, err
		}
	}
	if !slices.ContainsFunc(differences, func(d Difference) bool { return !d.bare }) {
		return in.setAlone()
	}
	t, err := in.survey(true)
	if err != nil {
		return change.Plan{}, err
	}
	t.kind = set
	plan, err := t.remake()
	if err != nil {
		return change.Plan{}, err
	}
	plan.Defines, err = next.Encode()
	return plan, err
}

// setAlone is the plan of a change to the definition that no router row shows.
func (in TunnelChange) setAlone() (change.Plan, error) {
	in.Others = slices.DeleteFunc(slices.Clone(in.Others), func(o Tunnel) bool { return SameName(o.Name, in.Tunnel.Name) })
	if in.Definition.Kind != KindTunnel || in.Definition.Name != in.Tunnel.Name {
		return change.Plan{}, fmt.Errorf("planning a tunnel: definition of something else")
	}
	if err := in.checkDefinition(); err != nil {
		return change.Plan{}, err
	}
	body, err := in.Tunnel.Encode()
	if err != nil {
		return change.Plan{}, err
	}
	plan := change.Plan{
		Intent: in.Intent, Definition: in.Definition, Defines: body, Seen: []change.Observation{}, State: change.StateDigest(nil),
		Summary: change.T("plan.set.alone", "tunnel", in.Tunnel.Name, "changed", headline(in.was.Differences(in.Tunnel))),
		Blast:   append(values(*in.was, in.Tunnel), change.T("plan.set.norow")),
	}
	for _, end := range in.Tunnel.Ends {
		plan.Routers = append(plan.Routers, end.Router)
	}
	return plan, nil
}

// without are the pairs of before that are not among now.
func without(before, now []Selectors) []Selectors {
	return slices.DeleteFunc(slices.Clone(before), func(s Selectors) bool { return slices.Contains(now, s) })
}

// headline names what changes in the fewest words: the one value, or how many.
func headline(list []Difference) change.Text {
	if len(list) == 1 {
		return list[0].text()
	}
	return change.T("plan.set.several", "count", len(list))
}

func (d Difference) text() change.Text {
	switch {
	case d.Was == "":
		return change.T("plan.set.given", "key", d.Key, "is", d.Is)
	case d.Is == "":
		return change.T("plan.set.taken", "key", d.Key, "was", d.Was)
	}
	return change.T("plan.set.value", "key", d.Key, "was", d.Was, "is", d.Is)
}

// values says each value that changes, and what is worth knowing of it.
func values(was, next Tunnel) []change.Text {
	var list []change.Text
	for _, d := range was.Differences(next) {
		list = append(list, d.text())
	}
	if was.Exchange == exchangeMain && next.Exchange == exchangeIKE2 {
		list = append(list, change.T("plan.set.notmain"))
	}
	return list
}

// freed names the dial-in servers that people behind the other end can use again
// when the tunnel leaves main mode.
func (t *works) freed() []change.Text {
	if t.was == nil || t.was.Exchange != exchangeMain || t.Tunnel.Exchange == exchangeMain {
		return nil
	}
	var list []change.Text
	for _, e := range t.ends {
		if e.serves() {
			list = append(list, change.T("plan.set.freed", "site", called(e.site), "far", called(e.farSite)))
		}
	}
	return list
}

// weakened warns of values that protect less than before.
func (t *works) weakened() []change.Text {
	if t.was == nil {
		return nil
	}
	var list []change.Text
	for _, w := range t.was.weaker(t.Tunnel) {
		list = append(list, change.T("plan.warn.weaker", "key", w.Key, "value", w.Value, "better", w.Better))
	}
	return list
}
