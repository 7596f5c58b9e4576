package change

import (
	"slices"
	"strconv"
	"time"
)

// Takes tells whether a change of this intent takes up r, which needs attention: the
// request that it resumes, or the one that this one was to adopt and came to need a
// person over, among all that need attention. Nothing else may change what r locks.
func (i Intent) Takes(r Request, all []Request) bool {
	for next := i.Resume; next != 0; {
		if next == r.Number {
			return true
		}
		k := slices.IndexFunc(all, func(a Request) bool { return a.Number == next })
		if k < 0 || all[k].Plan.Intent.Resume >= next {
			return false
		}
		next = all[k].Plan.Intent.Resume
	}
	return false
}

// PlanResume computes the plan that finishes r, which needs attention, towards
// its new rows (DecidedCommit) or its old ones (DecidedRevert). The plan names the
// steps that bring the routers there, for its approvers; carrying it out has r go
// on in that direction.
func PlanResume(r Request, towards Decision) (Plan, error) {
	if err := r.phased(NeedsAttention); err != nil {
		return Plan{}, err
	}
	if towards != DecidedCommit && towards != DecidedRevert {
		return Plan{}, ErrDecided
	}
	intent := Intent{
		Verb: "resolve", Site: r.Plan.Intent.Site, Far: r.Plan.Intent.Far, Tunnel: r.Plan.Tunnel.Name, Resume: r.Number, Towards: towards,
	}
	plan := Plan{Intent: intent, Definition: r.Plan.Definition, Routers: r.Plan.Routers, Seen: []Observation{}, State: StateDigest(nil)}
	for _, end := range r.Plan.Tunnel.Ends {
		cut := r.Plan.In(PhaseCutOver, end.Router)
		if towards == DecidedCommit {
			plan.Steps = append(plan.Steps, append(cut, r.Plan.In(PhaseCommit, end.Router)...)...)
			continue
		}
		for _, step := range slices.Backward(cut) {
			if undo, ok := step.Undo(); ok {
				plan.Steps = append(plan.Steps, undo)
			}
		}
	}
	plan.Summary = T("plan.resume.new", "other", r.Number, "tunnel", r.Plan.Tunnel.Name)
	if towards == DecidedRevert {
		plan.Summary = T("plan.resume.old", "other", r.Number, "tunnel", r.Plan.Tunnel.Name)
	}
	return plan, nil
}

// Resume takes up a change in phases that needs attention, in the direction that
// people have decided and approved. It may be the other than the bot's own: what
// cannot be reached any more needs attention again, with nothing written.
func (r Request) Resume(now time.Time, d Decision, by Actor) (Move, error) {
	if err := r.phased(NeedsAttention); err != nil {
		return Move{}, err
	}
	if d != DecidedCommit && d != DecidedRevert {
		return Move{}, ErrDecided
	}
	m := r.decide(now, d, EventResumed, by, r.Outcome, nil)
	m.Request.Resumed = by.Person.ID
	return m, nil
}

// Adopted ends a change in phases that needs attention: what its routers hold has
// become the definition by the request other, which was approved, so that it is
// overtaken. Its secrets are on the routers, or nowhere needed any more.
func (r Request) Adopted(now time.Time, by Actor, other int64) (Move, error) {
	if err := r.phased(NeedsAttention); err != nil {
		return Move{}, err
	}
	m := r.next(now, Stale, EventAdopted, by, func(n *Request) { n.Outcome = T("apply.adopted", "other", other) })
	m.Events[0].Facts["adopted-by"] = strconv.FormatInt(other, 10)
	m.Destroy = r.Plan.SecretRefs()
	m.Notices = append(m.Notices, r.outcome())
	return m, nil
}
