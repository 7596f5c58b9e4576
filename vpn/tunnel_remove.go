package vpn

import (
	"net/netip"
	"slices"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// PlanRemove computes the plan that takes a tunnel away from both routers, with its
// definition: peers and policies off at both ends, which is proven by absence, then
// every row that was the tunnel's removed. Rows are found by what they are; what
// RouterOS made or somebody else refers to stays, and the plan says so. in's
// snapshots are of AddMenus. A tunnel of which no router has a row ends in the ledger
// alone. It returns a *Refusal when it cannot be told what is the tunnel's, and when
// the bot would lose a router with it.
func PlanRemove(in TunnelChange) (change.Plan, error) {
	in.Unchecked = true // what is wrong with a definition is no reason to keep it
	if err := in.checkAdd(); err != nil {
		return change.Plan{}, err
	}
	for i, end := range in.Tunnel.Ends {
		far := in.Tunnel.Ends[1-i].Site
		// Clients with addresses of the LAN have no network of their own in the tunnel.
		reached := slices.ContainsFunc(in.DialIns, func(d DialIn) bool { return SameName(d.Router, end.Router) && d.reaches(far) })
		if reached || len(end.Pools) > 0 {
			return change.Plan{}, refuse("remove_reached", "tunnel", in.Tunnel.Name, "site", end.Site, "far", far)
		}
	}
	t, err := in.open(false)
	if err != nil {
		return change.Plan{}, err
	}
	t.kind = removal
	for _, e := range t.ends {
		e.dropped = e.want.Policies
		if err := e.adopt(t.Others); err != nil {
			return change.Plan{}, err
		}
		if e.inBand() {
			return change.Plan{}, refuse("remove_in_band", "router", e.Router, "tunnel", t.Tunnel.Name)
		}
		e.remove(t)
	}
	return t.finishRemoval()
}

// finishRemoval puts the plan together that ends on nothing.
func (t *works) finishRemoval() (change.Plan, error) {
	plan := t.assemble()
	plan.Retires = true
	plan.Tunnel.Removes = true
	plan.Tunnel.Unproven = nil
	for i := range plan.Tunnel.Ends {
		plan.Tunnel.Ends[i].Probes = nil
	}
	if len(plan.Steps) == 0 {
		plan.Tunnel = nil
		plan.Summary = change.T("plan.remove.alone", "tunnel", t.Tunnel.Name)
		plan.Blast = []change.Text{change.T("plan.remove.norow"), change.T("plan.remove.kept", "tunnel", t.Tunnel.Name)}
		return plan, nil
	}
	plan.Summary, plan.Blast = t.summary(), t.blastRemoval(plan)
	for _, e := range t.ends {
		plan.Warnings = append(plan.Warnings, e.notes...)
	}
	return plan, nil
}

// PlanForget computes the plan that ends the definition of a tunnel of which somebody
// else runs one end. No row is touched: what our router holds stays as it is.
func PlanForget(in TunnelChange) change.Plan {
	plan := change.Plan{
		Intent: in.Intent, Definition: in.Definition, Retires: true, Seen: []change.Observation{}, State: change.StateDigest(nil),
		Summary: change.T("plan.remove.alone", "tunnel", in.Tunnel.Name),
	}
	for i, end := range in.Tunnel.Ends {
		if in.Tunnel.foreign(in.Estate, i) {
			plan.Blast = append(plan.Blast, change.T("plan.remove.foreign", "site", end.Site, "router", in.Tunnel.Ends[1-i].Router))
			continue
		}
		plan.Routers = append(plan.Routers, end.Router)
	}
	plan.Blast = append(plan.Blast, change.T("plan.remove.kept", "tunnel", in.Tunnel.Name))
	return plan
}

// remove makes every step at this end.
func (e *held) remove(t *works) {
	if e.joins {
		e.cutIdentity()
	} else {
		e.cutOldPeer()
	}
	ours := slices.DeleteFunc(slices.Clone(e.policies), func(r schema.Row) bool { return r == nil })
	for _, row := range slices.Concat(ours, e.extra) {
		if !isTrue(row, menuPolicy, "disabled") {
			e.cut(schema.Disable, change.InPlace, menuPolicy, e.thisPolicy(row), nil, nil,
				change.T("plan.step.policy_away", "source", row["src-address"], "destination", row["dst-address"]))
		}
	}
	for _, row := range slices.Concat(ours, e.extra) {
		e.commit(menuPolicy, row, e.thisPolicy(row), change.T("plan.step.policy_removed", "source", row["src-address"], "destination", row["dst-address"]))
	}
	e.commitBypasses()
	e.commitInput(netip.Addr{})
	if e.shares() {
		e.commitShared(t)
		return
	}
	e.commitOld()
	e.commitAlgorithms(e.commitLeft(t))
}

// thisPolicy names a policy of the tunnel: a wanted one by its networks, whatever
// peer it has.
func (e *held) thisPolicy(row schema.Row) schema.Row {
	if slices.ContainsFunc(e.extra, func(r schema.Row) bool { return r[schema.ID] == row[schema.ID] }) {
		return e.oldPolicy(row)
	}
	match, _ := e.identify(menuPolicy, row, "src-address", "dst-address")
	return match
}

// commitInput removes the rules that the bot made to let the other end in, from its
// address or, with the zero one, all of them: they bear its mark behind the tunnel's
// name.
func (e *held) commitInput(from netip.Addr) {
	for _, row := range e.snap.Menus[menuFilter] {
		if from.IsValid() && row["src-address"] != from.String() {
			continue
		}
		if row["chain"] != "input" || defaulted(menuFilter, row, "action") != "accept" || !marked(row) || change.Unmarked(row["comment"]) != e.tunnel {
			continue
		}
		match, ok := e.identify(menuFilter, row, "chain", "action", "protocol", "comment")
		if !ok {
			e.note("plan.warn.input_left", "router", e.Router, "protocol", row["protocol"])
			continue
		}
		if e.joins && row["src-address"] == "" {
			e.note("plan.warn.input_shared", "router", e.Router, "protocol", row["protocol"], "others", e.sharerNames())
			continue
		}
		e.commit(menuFilter, row, match, change.T("plan.step.input_gone", "site", e.far.Site))
	}
}

// blastRemoval says who and what a removal touches.
func (t *works) blastRemoval(plan change.Plan) []change.Text {
	near, far := called(t.ends[0].site), called(t.ends[1].site)
	list := []change.Text{change.T("plan.remove.after", "near", near, "far", far)}
	for _, router := range plan.Routers {
		if changed, removed := len(plan.In(change.PhaseCutOver, router)), len(plan.In(change.PhaseCommit, router)); removed > 0 {
			list = append(list, change.T("plan.remove.rows", "router", router, "changed", changed, "removed", removed))
		} else {
			list = append(list, change.T("plan.remove.nothing", "router", router))
		}
	}
	list = append(list, change.T("plan.remove.failure", "patience", plan.Tunnel.Patience, "guard", plan.Tunnel.Guard),
		change.T("plan.remove.kept", "tunnel", t.Tunnel.Name))
	return slices.Concat(list, t.together(), t.beside())
}
