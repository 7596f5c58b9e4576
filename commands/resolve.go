package commands

import (
	"context"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/vpn"
)

// resolve ends what needs attention: release unlocks it at once, keep, restore and
// adopt are plans that another person approves.
func (s *Service) resolve(ctx context.Context, c *call) (Reply, error) {
	how := c.Args["how"]
	if how == resolveRelease && !c.Actor.Person.May(change.Approver, "") {
		return Reply{}, &hinted{change.ErrNotAllowed, change.T("resolve.approver")}
	}
	r, err := s.numbered(ctx, c)
	if err != nil {
		return Reply{}, err
	}
	if how == resolveRelease {
		return s.release(ctx, c, r)
	}
	if !r.Plan.Intent.Grants(c.Actor.Person, change.Operator) {
		return Reply{}, change.ErrNotAllowed
	}
	if !r.Plan.Phased() {
		return Reply{}, bad("resolve.row")
	}
	intent := r.Plan.Intent
	intent.Verb, intent.Tunnel, intent.Resume, intent.Reason = c.Verb, r.Plan.Tunnel.Name, r.Number, c.Args["reason"]
	intent.Towards = map[string]change.Decision{
		resolveKeep: change.DecidedCommit, resolveRestore: change.DecidedRevert, resolveAdopt: change.DecidedAdopt,
	}[how]
	return s.propose(ctx, c, intent, c.Args["yes"] != "")
}

// planResume computes the plan that finishes another request. What the routers
// hold is looked at when it is carried out.
func (s *Service) planResume(ctx context.Context, intent change.Intent) (change.Plan, []secret.Sealed, error) {
	r, err := s.o.Ledger.RequestByNumber(ctx, intent.Resume)
	if err != nil {
		return change.Plan{}, nil, err
	}
	if intent.Towards == change.DecidedAdopt {
		plan, err := s.planAdopt(ctx, intent, r)
		return plan, nil, err
	}
	plan, err := change.PlanResume(r, intent.Towards)
	if err != nil {
		return change.Plan{}, nil, err
	}
	plan.Intent.Reason = intent.Reason
	if intent.Towards == change.DecidedCommit {
		plan.Blast = append(plan.Blast, change.T("resolve.keep"))
	} else {
		plan.Blast = append(plan.Blast, change.T("resolve.restore"))
	}
	plan.Blast = append(plan.Blast, change.T("resolve.reason", "reason", intent.Reason))
	plan.Warnings = append(plan.Warnings, change.T("resolve.unseen", "other", r.Number))
	if !r.Outcome.IsZero() {
		plan.Warnings = append(plan.Warnings, r.Outcome)
	}
	return plan, nil, nil
}

// planAdopt reads both routers and computes the plan that makes what they hold the
// definition.
func (s *Service) planAdopt(ctx context.Context, intent change.Intent, r change.Request) (change.Plan, error) {
	if r.State != change.NeedsAttention {
		return change.Plan{}, &change.StateError{Have: r.State, Want: change.NeedsAttention}
	}
	in, err := s.tunnelChange(ctx, intent)
	switch {
	case err != nil || in.Tunnel.Name != "":
	case r.Plan.Defines == nil:
		err = bad("tunnel.undefined")
	default:
		in.Tunnel, err = vpn.DecodeTunnel(change.Definition{DefinitionRef: r.Plan.Definition, Body: r.Plan.Defines})
		in.Definition, in.Undefined = r.Plan.Definition, true
	}
	if err != nil {
		return change.Plan{}, err
	}
	in.Unchecked = false
	if in.Snapshots, err = s.bothEnds(ctx, in.Tunnel, vpn.AdoptMenus()); err != nil {
		return change.Plan{}, err
	}
	plan, err := vpn.PlanAdopt(in, r)
	if err != nil {
		return change.Plan{}, err
	}
	plan.Blast = append(plan.Blast, change.T("resolve.reason", "reason", intent.Reason))
	if !r.Outcome.IsZero() {
		plan.Warnings = append(plan.Warnings, change.T("resolve.stopped", "other", r.Number, "why", r.Outcome))
	}
	return plan, nil
}

// release unlocks what a needs-attention request locks.
func (s *Service) release(ctx context.Context, c *call, r change.Request) (Reply, error) {
	reason := c.Args["reason"]
	r, err := s.move(ctx, c, r.ID, func(r change.Request) (change.Move, error) { return r.Release(c.now, c.Actor, reason) })
	if err != nil {
		return Reply{}, err
	}
	return Reply{Title: heading(r), Tone: Good, Parts: []Part{
		Say("", change.T("released.text")), Say(Warning, change.T("released.warning")),
	}}, nil
}
