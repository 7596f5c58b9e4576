package vpn

import (
	"slices"
	"strings"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// PlanRotatePSK computes the plan that gives a tunnel a new key and changes
// nothing else: a peer and an identity like those that are there, policies pointed
// at them, the old two gone. It returns a *Refusal when the tunnel does not stand
// as its definition says; PlanRedo mends that.
func PlanRotatePSK(in TunnelChange) (change.Plan, error) {
	t, err := in.survey(true)
	if err != nil {
		return change.Plan{}, err
	}
	t.kind = rotate
	for _, e := range t.ends {
		if err := e.checkStanding(); err != nil {
			return change.Plan{}, err
		}
		if err := e.checkShared(t); err != nil {
			return change.Plan{}, err
		}
		if err := e.rotate(t); err != nil {
			return change.Plan{}, err
		}
	}
	return t.finish()
}

// PlanRekey computes the plan that has both ends negotiate afresh. No row changes.
// It returns a *Refusal when the tunnel would not come up again.
func PlanRekey(in TunnelChange) (change.Plan, error) {
	t, err := in.survey(false)
	if err != nil {
		return change.Plan{}, err
	}
	t.kind = rekey
	for _, e := range t.ends {
		if err := e.checkStanding(); err != nil {
			return change.Plan{}, err
		}
	}
	return t.finish()
}

// checkStanding refuses an end on which rows of the tunnel are missing or off.
func (e *held) checkStanding() error {
	missing := func(what string) error { return refuse("tunnel_missing", "router", e.Router, "what", what) }
	switch {
	case e.peer == nil:
		return missing("peer")
	case isTrue(e.peer, menuPeer, "disabled"):
		return refuse("tunnel_off", "router", e.Router, "what", "peer", "row", ReadableBytes(e.peer["name"]))
	case e.identity == nil:
		return missing("identity")
	case isTrue(e.identity, menuIdentity, "disabled"):
		return refuse("tunnel_off", "router", e.Router, "what", "identity", "row", ReadableBytes(e.peer["name"]))
	}
	if e.shares() {
		return e.checkTemplates()
	}
	for i, row := range e.policies {
		pair := e.want.Policies[i]
		switch {
		case row == nil || row["peer"] != e.peer["name"] || !isTrue(row, menuPolicy, "tunnel"):
			return missing("policy " + pair.Source.String() + " - " + pair.Destination.String())
		case isTrue(row, menuPolicy, "disabled"):
			return refuse("tunnel_off", "router", e.Router, "what", "policy", "row", pair.Source.String()+" - "+pair.Destination.String())
		}
	}
	return nil
}

// What a new peer and a new identity take from the old ones.
var (
	peerKeeps     = []string{"address", "local-address", "port", "profile", "exchange-mode", "passive", "send-initial-contact"}
	identityKeeps = []string{"auth-method", "my-id", "remote-id", "match-by", "generate-policy", "policy-template-group", "notrack-chain"}
)

func kept(old schema.Row, names []string, row schema.Row) schema.Row {
	for _, name := range names {
		if value := old[name]; value != "" {
			row[name] = value
		}
	}
	row["disabled"] = "true"
	return commented(row, old)
}

// unkept warns of what somebody has set on an old row and the new one will lack.
func (e *held) unkept(path string, old, row schema.Row) {
	menu, _ := schema.Lookup(path)
	for _, name := range old.Names() {
		a, known := menu.Attr(name)
		_, again := row[name]
		switch {
		case again, name == "name", name == "disabled", name == "comment", strings.HasPrefix(name, "."), a.ReadOnly, a.Volatile, a.Secret:
		case !known || old[name] == "" || menu.Same(name, old[name], printedAs(a)):
		default:
			e.note("plan.warn.unkept", "router", e.Router, "menu", path, "attribute", name, "value", ReadableBytes(old[name]))
		}
	}
}

// printedAs is what RouterOS prints of an attribute that nobody has set.
func printedAs(a schema.Attr) string {
	if a.Default == "" && a.Kind == schema.Bool {
		return "false"
	}
	return a.Default
}

// rotate makes every step at this end. Switching the new identity on is the first
// write of the cut-over: it has no effect while its peer is off, and a router that
// refuses it refuses before anything else has changed.
func (e *held) rotate(t *works) error {
	if e.joins {
		e.rotateShared(t)
		return nil
	}
	peer, identity := kept(e.peer, peerKeeps, schema.Row{"name": t.name}), kept(e.identity, identityKeeps, schema.Row{"peer": t.name})
	e.stage(menuPeer, peer, change.T("plan.step.peer"))
	e.stageIdentity(identity, t.PSK, t.Mark)
	e.unkept(menuPeer, e.peer, peer)
	e.unkept(menuIdentity, e.identity, identity)

	e.cut(schema.Enable, change.Twin, menuIdentity, schema.Row{"peer": t.name}, nil, nil, change.T("plan.step.canary"))
	e.cutOldPeer()
	for _, row := range slices.Concat(e.policies, e.extra) {
		if row == nil { // the router makes it when the other end calls
			continue
		}
		match, ok := e.identify(menuPolicy, row, "src-address", "dst-address")
		if !ok {
			return refuse("tunnel_policy_twice", "router", e.Router, "source", row["src-address"], "destination", row["dst-address"])
		}
		before, after := schema.Row{"peer": row["peer"]}, schema.Row{"peer": t.name}
		e.cut(schema.Change, change.InPlace, menuPolicy, match, before, after,
			change.T("plan.step.policy_set", "source", row["src-address"], "destination", row["dst-address"]))
	}
	e.cut(schema.Enable, change.Twin, menuPeer, schema.Row{"name": t.name}, nil, nil, change.T("plan.step.peer_on"))

	e.commitOld()
	return nil
}
