package vpn

import (
	"vpnbot/change"
	"vpnbot/ros/schema"
)

// cutOldPeer switches the old peer off; the engine ends its phase 1 then.
func (e *held) cutOldPeer() {
	if e.peer != nil && !isTrue(e.peer, menuPeer, "disabled") {
		e.cut(schema.Disable, change.InPlace, menuPeer, schema.Row{"name": e.peer["name"]}, nil, nil, change.T("plan.step.peer_off"))
	}
}

// cutPolicies points policies at the new rows where they stand: a policy is never
// off while its networks are wanted, since packets would leave in clear.
func (e *held) cutPolicies(t *works) {
	for i, pair := range e.want.Policies {
		facts := []any{"source", pair.Source.String(), "destination", pair.Destination.String()}
		old := e.policies[i]
		if old == nil {
			match := schema.Row{"peer": t.name, "src-address": pair.Source.String(), "dst-address": pair.Destination.String()}
			e.cut(schema.Enable, change.Twin, menuPolicy, match, nil, nil, change.T("plan.step.policy_on", facts...))
			continue
		}
		if e.shadowed(pair, old) {
			e.note("plan.warn.policy_shadowed", append(facts, "router", e.Router)...)
		}
		match, _ := e.identify(menuPolicy, old, "src-address", "dst-address")
		before, after := changes(menuPolicy, old, t.policy())
		e.cut(schema.Change, change.InPlace, menuPolicy, match, before, after, change.T("plan.step.policy_set", facts...))
		if isTrue(old, menuPolicy, "disabled") {
			e.cut(schema.Enable, change.InPlace, menuPolicy, match, nil, nil, change.T("plan.step.policy_on", facts...))
		}
	}
	for _, old := range e.extra {
		if isTrue(old, menuPolicy, "disabled") {
			continue
		}
		e.cut(schema.Disable, change.InPlace, menuPolicy, e.oldPolicy(old), nil, nil,
			change.T("plan.step.policy_off", "source", old["src-address"], "destination", old["dst-address"]))
	}
}

// changes returns what a set must write, and what stands there now. A value that
// RouterOS does not print is the default.
func changes(path string, old, want schema.Row) (before, after schema.Row) {
	menu, _ := schema.Lookup(path)
	before, after = schema.Row{}, schema.Row{}
	for name, value := range want {
		now := defaulted(path, old, name)
		if menu.Same(name, now, value) {
			continue
		}
		after[name] = value
		if now != "" {
			before[name] = now
		}
	}
	return before, after
}

func (e *held) oldPolicy(row schema.Row) schema.Row {
	match, _ := e.identify(menuPolicy, row, "peer", "src-address", "dst-address")
	return match
}

func (e *held) cut(action schema.Action, class change.Class, menu string, match, before, after schema.Row, why change.Text) {
	e.steps = append(e.steps, change.Step{
		Router: e.Router, Menu: menu, Action: action, Class: class, Phase: change.PhaseCutOver,
		Match: match, Before: before, After: after, Why: why,
	})
}
