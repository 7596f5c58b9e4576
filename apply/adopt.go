package apply

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vpnbot/change"
)

// An adoption makes what both routers hold the definition, after another request
// has stopped half-way. It goes like any change in phases, with three differences:
// nothing is staged or cut over, so that going back has nothing to put back; the
// other request's guards go before the tunnel negotiates, since one that looked in
// between would move the very rows that are adopted; and the rows must be those of
// the plan once more when the proof has passed.

// adopts tells whether the request makes what the routers hold the definition.
func (j *job) adopts() bool { return j.r.Plan.Intent.Towards == change.DecidedAdopt }

// overtaken ends an adoption whose request needs no decision any more.
func (j *job) overtaken(ctx context.Context) (bool, error) {
	if !j.adopts() {
		return false, nil
	}
	other, err := j.stuck(ctx)
	if err != nil || other.State == change.NeedsAttention {
		return false, err
	}
	return true, j.revert(ctx, change.T("apply.resume.gone", "other", j.r.Plan.Intent.Resume))
}

// stuck is the request that stopped half-way.
func (j *job) stuck(ctx context.Context) (change.Request, error) {
	other, err := j.e.o.Ledger.RequestByNumber(ctx, j.r.Plan.Intent.Resume)
	if err != nil && !errors.Is(err, change.ErrNotFound) {
		return change.Request{}, fmt.Errorf("reading request %d: %w", j.r.Plan.Intent.Resume, err)
	}
	return other, nil
}

// disarm removes the other request's guards, each journaled, until they are gone.
func (j *job) disarm(ctx context.Context) error {
	if err := j.enter(ctx, change.PhaseDisarm); err != nil {
		return err
	}
	for _, end := range j.r.Plan.Tunnel.Ends {
		for _, step := range j.r.Plan.In(change.PhaseDisarm, end.Router) {
			if err := j.away(ctx, step); err != nil {
				return err
			}
		}
	}
	return nil
}

// away removes a row until it is seen to be gone. A router that will not ends the
// adoption.
func (j *job) away(ctx context.Context, step change.Step) error {
	var refusal error
	for try := 0; ; try++ {
		v, err := j.view(ctx, step.Router)
		switch {
		case err != nil:
			return err
		case len(v.rows(step)) == 0 && try == 0 && j.past.steps[step.ID] == "":
			return nil // it went by itself
		case len(v.rows(step)) == 0:
			m, err := j.r.Finish(time.Now(), step)
			return j.commit(ctx, m, err)
		case refusal != nil:
			return j.revert(ctx, j.refused(step.Router, refusal))
		case try == maxWrites:
			return j.revert(ctx, j.gaveUp(step.Router, maxWrites))
		}
		if refusal, err = j.write(ctx, step); err != nil {
			return err
		}
	}
}

// moved says in which row the routers depart from what is to be adopted. What the
// plan removes does not count.
func (j *job) moved(ctx context.Context) (change.Text, error) {
	if !j.adopts() {
		return change.Text{}, nil
	}
	for _, router := range routersOf(j.r) {
		menus := []string{}
		for _, o := range j.r.Plan.Seen {
			menus = append(menus, o.Query.Menu)
		}
		now, err := j.read(ctx, router, menus...)
		if err != nil {
			return change.Text{}, err
		}
		for _, o := range j.r.Plan.Seen {
			if o.Router != router || o.Query.Menu == menuScheduler {
				continue
			}
			if m, differs := o.Compare(now); differs {
				return change.T("apply.adopt.moved", "router", router, "menu", m.Menu, "row", m.Row), nil
			}
		}
	}
	return change.Text{}, nil
}

// relieve ends the other request, whose rows are the definition now. It comes
// before the adoption itself ends: a bot that dies in between does the rest.
func (j *job) relieve(ctx context.Context) error {
	if !j.adopts() {
		return nil
	}
	other, err := j.stuck(ctx)
	if err != nil || other.State != change.NeedsAttention {
		return err
	}
	by := change.Actor{Person: change.Person{ID: j.r.Requester}, Slack: j.r.Slack}
	m, err := other.Adopted(time.Now(), by, j.r.Number)
	if err != nil {
		return err
	}
	if _, err := j.e.o.Ledger.Commit(ctx, m); err != nil {
		return fmt.Errorf("recording %s: %w", m.Events[0].Kind, err)
	}
	return nil
}
