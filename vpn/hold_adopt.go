package vpn

import (
	"errors"
	"fmt"
	"slices"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// menuScheduler holds the guards of changes.
const menuScheduler = "/system/scheduler"

// AdoptMenus returns the menus that the snapshots for PlanAdopt hold.
func AdoptMenus() []string { return append(TunnelMenus(), menuScheduler) }

// PlanAdopt computes the plan that makes what both routers hold the definition of
// a tunnel, after other has stopped half-way and people have gone on by hand. No
// row that carries the tunnel changes. What other left goes: its guards before the
// tunnel negotiates afresh, the rows that nothing uses when that is proven. It
// returns a *Refusal where the two ends do not hold one tunnel that would agree.
func PlanAdopt(in TunnelChange, other change.Request) (change.Plan, error) {
	plan, err := planAdopt(in, other)
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		return change.Plan{}, &Refusal{Text: refusal.Text, Hint: change.T("plan.refuse.adopt.hint", "other", other.Number)}
	}
	return plan, err
}

func planAdopt(in TunnelChange, other change.Request) (change.Plan, error) {
	for _, snap := range in.Snapshots {
		if _, ok := snap.Menus[menuScheduler]; !ok {
			return change.Plan{}, fmt.Errorf("%w: %s of %s was not read", ErrSnapshot, menuScheduler, snap.Router)
		}
	}
	was := in.Tunnel
	now, err := HeldTunnel(in)
	if err != nil {
		return change.Plan{}, err
	}
	in.Tunnel, in.Unchecked = now, false
	t, err := in.survey(false)
	if err != nil {
		return change.Plan{}, err
	}
	t.kind = adopt
	for i, e := range t.ends {
		if err := e.checkStanding(); err != nil {
			return change.Plan{}, err
		}
		t.keys[i] = e.keyMark(was, other)
		e.leave(other)
	}
	if mark := t.keys[0]; mark != "" && mark == t.keys[1] {
		if t.Tunnel.PSKMark = mark; mark == was.PSKMark {
			t.Tunnel.PSK = was.PSK
		}
	}
	t.was = &was
	plan, err := t.finish()
	if err != nil {
		return change.Plan{}, err
	}
	for i := range plan.Tunnel.Ends {
		at := slices.IndexFunc(t.ends[:], func(e *held) bool { return e.Router == plan.Tunnel.Ends[i].Router })
		plan.Tunnel.Ends[i].Peer = ReadableBytes(t.ends[at].peer["name"])
	}
	if in.Undefined || len(was.Differences(t.Tunnel)) > 0 || was.PSKMark != t.Tunnel.PSKMark {
		plan.Defines, err = t.Tunnel.Encode()
	}
	return plan, err
}

// keyMark is what the bot knows of the key at this end: the mark of the key that
// other wrote, or of the definition's where other found the identity and left it.
// It is empty for a key that the bot did not write.
func (e *held) keyMark(was Tunnel, other change.Request) string {
	for _, step := range other.Plan.In(change.PhaseStage, e.Router) {
		if mark := step.Marks["secret"]; step.Menu == menuIdentity && mark != "" && change.HasMark(e.identity["comment"], other.Number, step.ID) {
			return mark
		}
	}
	old := len(other.Plan.Steps) == 0
	for _, step := range other.Plan.In(change.PhaseCommit, e.Router) {
		old = old || step.Menu == menuIdentity && step.Finds(e.identity) && unchanged(step, e.identity)
	}
	if old {
		return was.PSKMark
	}
	return ""
}

// unchanged tells whether a row shows what the step found there.
func unchanged(step change.Step, row schema.Row) bool {
	before, _ := changes(step.Menu, row, step.Before)
	return len(before) == 0
}

// leave makes the steps that take away what other left at this end: its guard
// first, and at the end, in the order in which rows refer to each other, those of
// its rows, new and old, that nothing uses.
func (e *held) leave(other change.Request) {
	guard := schema.Row{"name": change.GuardName(other.Number)}
	for _, row := range e.rows(menuScheduler, guard) {
		s := e.commit(menuScheduler, row, guard, change.T("plan.step.guard_gone", "other", other.Number))
		s.Phase = change.PhaseDisarm
		s.Before = schema.Row{"name": row["name"], "interval": row["interval"]}
	}
	left := e.leavings(other)
	gone := e.leavePolicies(left)
	e.leaveBypasses(other)
	peers := e.leavePeers(left, gone)
	e.leaveAlgorithms(left, peers, gone)
}

// leaving is a row that a change which stopped half-way has made, or would have
// removed.
type leaving struct {
	menu string
	row  schema.Row
	step change.Step
}

func (e *held) leavings(other change.Request) (list []leaving) {
	staged, old := other.Plan.In(change.PhaseStage, e.Router), other.Plan.In(change.PhaseCommit, e.Router)
	for _, step := range append(staged, old...) {
		menu, _ := schema.Lookup(step.Menu)
		for _, row := range e.snap.Menus[step.Menu] {
			ours := !menu.Comment || step.Action != schema.Add || change.HasMark(row["comment"], other.Number, step.ID)
			twice := slices.ContainsFunc(list, func(l leaving) bool { return l.menu == step.Menu && l.row[schema.ID] == row[schema.ID] })
			if ours && !twice && step.Finds(row) && !isTrue(row, step.Menu, "dynamic") {
				list = append(list, leaving{step.Menu, row, step})
			}
		}
	}
	return list
}

// leavePolicies removes policies that are off and that the tunnel does not want.
func (e *held) leavePolicies(left []leaving) (gone []schema.Row) {
	for _, l := range left {
		wanted := slices.ContainsFunc(e.policies, func(r schema.Row) bool { return r[schema.ID] == l.row[schema.ID] })
		if l.menu != menuPolicy || wanted || !isTrue(l.row, menuPolicy, "disabled") {
			continue
		}
		match, ok := e.identify(menuPolicy, l.row, "peer", "src-address", "dst-address")
		if !ok {
			continue
		}
		e.commit(menuPolicy, l.row, match, change.T("plan.step.left_gone"))
		gone = append(gone, l.row)
	}
	return gone
}

// leaveBypasses removes the bypasses that other added for networks which the
// tunnel does not join.
func (e *held) leaveBypasses(other change.Request) {
	for _, l := range e.leavings(other) {
		if l.menu != menuNAT || l.step.Action != schema.Add {
			continue
		}
		wanted := slices.ContainsFunc(e.want.Policies, func(p Selectors) bool {
			return same(l.row["src-address"], p.Source) && same(l.row["dst-address"], p.Destination)
		})
		if !wanted {
			match := l.step.Match.Clone()
			match["comment"] = l.row["comment"]
			e.commit(menuNAT, l.row, match, change.T("plan.step.left_gone"))
		}
	}
}

// leavePeers removes peers that are off and that no policy names, each with its
// identity.
func (e *held) leavePeers(left []leaving, gone []schema.Row) (peers []schema.Row) {
	for _, l := range left {
		name := l.row["name"]
		if l.menu != menuPeer || name == e.peer["name"] {
			continue
		}
		identities := e.rows(menuIdentity, schema.Row{"peer": name})
		named := slices.ContainsFunc(e.rows(menuPolicy, schema.Row{"peer": name}), func(r schema.Row) bool {
			return !slices.ContainsFunc(gone, func(g schema.Row) bool { return g[schema.ID] == r[schema.ID] })
		})
		if named || len(identities) > 1 || !isTrue(l.row, menuPeer, "disabled") {
			e.note("plan.warn.peer_left", "router", e.Router, "peer", ReadableBytes(name))
			continue
		}
		for _, row := range identities {
			s := e.commit(menuIdentity, row, schema.Row{"peer": name}, change.T("plan.step.left_gone"))
			s.Class = change.OneWay
		}
		e.commit(menuPeer, l.row, schema.Row{"name": name}, change.T("plan.step.left_gone"))
		peers = append(peers, l.row)
	}
	return peers
}

// leaveAlgorithms removes profiles and proposals that only rows of leave refer to.
func (e *held) leaveAlgorithms(left []leaving, peers, policies []schema.Row) {
	for _, l := range left {
		name := l.row["name"]
		switch {
		case l.menu == menuProfile1 && name != defaulted(menuPeer, e.peer, "profile"):
			e.commitUnshared(menuProfile1, name, menuPeer, "profile", peers)
		case l.menu == menuProposal && !slices.ContainsFunc(e.policies, func(r schema.Row) bool { return defaulted(menuPolicy, r, "proposal") == name }):
			e.commitUnshared(menuProposal, name, menuPolicy, "proposal", policies)
		}
	}
}
