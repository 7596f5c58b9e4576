package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// maxWrites bounds how often one step is written before a person is asked.
const maxWrites = 5

// giveUp is how long a router that refuses, or does nothing, is asked again for what
// has been begun or decided: what makes it refuse may pass, and a tunnel's guard keeps
// the ends together meanwhile.
const giveUp = 10 * time.Minute

// attempts counts what is tried again and again.
type attempts struct {
	since time.Time
	n     int
	wait  time.Duration
}

// again counts one more, and tells whether it is worth it.
func (a *attempts) again() bool {
	if a.n++; a.n == 1 {
		a.since, a.wait = time.Now(), firstPause
		return true
	}
	return a.n <= maxWrites || time.Since(a.since) < giveUp
}

// rest waits before the next one, longer each time.
func (a *attempts) rest(ctx context.Context) bool {
	wait := a.wait
	a.wait = min(2*wait, maxPause)
	return pause(ctx, wait)
}

// recover continues what an earlier process began.
func (j *job) recover(ctx context.Context) error {
	journal, err := j.e.o.Ledger.Journal(ctx, j.r.ID)
	if err != nil {
		return fmt.Errorf("reading journal: %w", err)
	}
	m, err := j.r.Recover(time.Now(), len(journal))
	if err := j.commit(ctx, m, err); err != nil {
		return err
	}
	return j.carry(ctx, journal)
}

// steps brings every step to its planned row and completes the request. A step
// that the journal calls done is not looked at again; one that it calls begun is
// looked at first.
func (j *job) steps(ctx context.Context, journal []change.Entry) error {
	if j.r.Decided == change.DecidedRevert {
		return j.rewind(ctx, journal)
	}
	last := map[int]change.EntryMark{}
	for _, entry := range journal {
		last[entry.Step] = entry.Mark
	}
	for _, step := range j.r.Plan.Steps {
		mark := last[step.ID]
		if mark == change.StepDone {
			continue
		}
		if err := j.settle(ctx, step, mark != ""); err != nil || j.r.State != change.Applying {
			return err
		}
	}
	if err := j.stayedAway(ctx); err != nil || j.r.State != change.Applying {
		return err
	}
	return j.complete(ctx)
}

// loggingIn is how long a client may take from the check of its password to a
// session that shows.
const loggingIn = 3 * time.Second

// stayedAway looks once more whether those whose account was ended are gone: a
// client that was just logging in when its secret went may have got in after the
// first look.
func (j *job) stayedAway(ctx context.Context) error {
	steps := j.r.Plan.Steps
	i := slices.IndexFunc(steps, func(s change.Step) bool { return s.Menu == menuActive })
	if i <= 0 { // nobody's session, or nothing but sessions
		return nil
	}
	if !pause(ctx, loggingIn) {
		return ctx.Err()
	}
	if b, err := j.look(ctx, steps[i], false); b == ours || err != nil {
		return err
	}
	return j.settle(ctx, steps[i], true)
}

// settle writes one step until the router is seen to hold it. written tells that
// the step may have been written before. What may be over by itself is looked at
// first. It returns with the request out of "applying" when a person must decide or
// nothing was done.
func (j *job) settle(ctx context.Context, step change.Step, written bool) error {
	menu, _ := schema.Lookup(step.Menu)
	a := answer{unknown: written}
	for {
		if menu.Live && a.sent > 1 && !pause(ctx, firstPause) {
			return ctx.Err()
		}
		if written || menu.Live {
			b, err := j.look(ctx, step, a.taken)
			if err != nil {
				return err
			}
			if done, err := j.judge(ctx, step, b, a); done || err != nil {
				return err
			}
			if worth, err := j.worth(ctx, step, b, &a); !worth || err != nil {
				return err
			}
		}
		refusal, lost, err := j.send(ctx, step)
		if err != nil {
			return err
		}
		a.sent, a.refusal, a.taken = a.sent+1, refusal, refusal == nil && !lost
		a.unknown = a.unknown || lost
		written = true
	}
}

// answer is what a router said to the last write of a step.
type answer struct {
	sent    int   // writes so far, by this process
	refusal error // or nil
	taken   bool  // accepted; neither that nor refused: nobody knows
	unknown bool  // of an earlier one, of this process or another, nobody knows
	tries   attempts
}

// worth tells whether a step that has no effect is written once more, and waits
// before that. A router that takes it, and shows nothing of it, is asked a few times;
// one that refuses or does not say as long as what is wrong with it may last. A right
// that is missing does not come by itself.
func (j *job) worth(ctx context.Context, step change.Step, b belief, a *answer) (bool, error) {
	menu, _ := schema.Lookup(step.Menu)
	switch {
	case a.sent == 0:
		return true, nil
	case a.taken && a.sent < maxWrites:
		return true, nil
	case !a.taken && !errors.Is(a.refusal, ErrNoRight) && a.tries.again():
		return a.tries.rest(ctx), ctx.Err()
	case menu.Live || a.refusal != nil:
		return false, j.ask(ctx, j.trouble(step, b, a.refusal))
	}
	return false, j.ask(ctx, j.gaveUp(step.Router, a.sent))
}

// write journals and sends step once. It returns the router's refusal, which is
// no failure of the job: what the router holds is read next, in any case.
func (j *job) write(ctx context.Context, step change.Step) (refusal, err error) {
	refusal, _, err = j.send(ctx, step)
	return refusal, err
}

// send is write, and tells whether the answer was lost.
func (j *job) send(ctx context.Context, step change.Step) (refusal error, lost bool, err error) {
	m, err := j.r.Begin(time.Now(), step)
	if err := j.commit(ctx, m, err); err != nil {
		return nil, false, err
	}
	err = j.e.o.Routers.Execute(ctx, step.Router, j.r.Number, step)
	j.heard(ctx, step.Router, err)
	switch {
	case err == nil:
		return nil, false, nil
	case errors.Is(err, ErrUnknown):
		j.e.o.Log.Warn("answer lost", "request", j.r.Number, "router", step.Router, "step", step.ID, "err", err)
		m, merr := j.r.Lost(time.Now(), step, "answer lost")
		return nil, true, j.commit(ctx, m, merr)
	case ctx.Err() != nil:
		return nil, false, ctx.Err()
	}
	j.e.o.Log.Warn("write refused", "request", j.r.Number, "router", step.Router, "step", step.ID, "err", err)
	return err, false, nil
}

// judge acts on what was seen. It tells whether the step is settled or the
// request has left "applying"; otherwise the write is repeated.
func (j *job) judge(ctx context.Context, step change.Step, b belief, a answer) (bool, error) {
	menu, _ := schema.Lookup(step.Menu)
	refusal := a.refusal
	// A secret is not read, and where rows have no comment nothing else shows that
	// an earlier write went through.
	blind := a.unknown && len(step.Secrets) > 0 && !menu.Comment
	switch {
	case b == ours:
		m, err := j.r.Finish(time.Now(), step)
		return true, j.commit(ctx, m, err)
	case refusal != nil && b != altered && !blind && step.Phase != change.PhaseRevert && step.ID == j.r.Plan.Steps[0].ID:
		m, err := j.r.Fail(time.Now(), change.T("apply.refused", "router", step.Router, "why", j.e.o.Explain(refusal)))
		return true, j.commit(ctx, m, err)
	case refusal != nil && (b == absent || b == unwritten) && !blind && j.unwindable(step):
		return true, j.unwind(ctx, change.T("apply.refused", "router", step.Router, "why", j.e.o.Explain(refusal)))
	case b == absent || b == unwritten:
		return false, nil
	}
	return true, j.ask(ctx, j.trouble(step, b, refusal))
}

// ask leaves it to a person.
func (j *job) ask(ctx context.Context, why change.Text) error {
	m, err := j.r.Attend(time.Now(), why)
	return j.commit(ctx, m, err)
}

// trouble says what a person has to decide about.
func (j *job) trouble(step change.Step, b belief, refusal error) change.Text {
	menu, _ := schema.Lookup(step.Menu)
	switch {
	case menu.Live:
		return change.T("apply.attend.lives", "router", step.Router, "row", rowName(step))
	case b == unwritten:
		return change.T("apply.attend.unwritten", "router", step.Router, "row", rowName(step), "why", j.e.o.Explain(refusal))
	}
	return change.T("apply.attend."+string(b), "router", step.Router, "row", rowName(step))
}

// complete ends the request. What is known of an account is recorded in the same
// transaction, its credentials are granted, and those that they replace destroyed.
func (j *job) complete(ctx context.Context) error {
	now := time.Now()
	if j.r.Plan.Intent.Account != nil {
		return j.completeAccount(ctx, now)
	}
	server := j.r.Plan.Definition.Kind == vpn.KindDialIn && len(j.r.Plan.Steps) > 0 && !j.r.Plan.Retires
	m, err := j.r.Complete(now, server, nil, nil)
	if err == nil {
		err = j.define(ctx, now, &m)
	}
	if err != nil {
		return err
	}
	return j.commit(ctx, m.HandOut(now, j.r, change.HandOuts(now, j.r, j.e.o.Location)), nil)
}

func (j *job) completeAccount(ctx context.Context, now time.Time) error {
	intent := j.r.Plan.Intent
	known, err := j.e.o.Ledger.Account(ctx, intent.Site, intent.Account.Name)
	if err != nil && !errors.Is(err, change.ErrNotFound) {
		return fmt.Errorf("reading account: %w", err)
	}
	var account *change.Account
	if intent.Account.Do != change.AccountKick || err == nil {
		known = known.After(now, j.r)
		account = &known
	}
	reveal := change.NewReveal(now, j.r, j.e.o.Location)
	m, err := j.r.Complete(now, reveal != nil, account, reveal)
	if err != nil {
		return err
	}
	if reveal != nil || intent.Account.Do == change.AccountRemove {
		if m, err = j.supersede(ctx, now, m); err != nil {
			return err
		}
	}
	return j.commit(ctx, m, nil)
}

// supersede adds to m the end of the credentials that waited for the account so
// far.
func (j *job) supersede(ctx context.Context, now time.Time, m change.Move) (change.Move, error) {
	open, err := j.e.o.Ledger.Reveals(ctx)
	if err != nil {
		return m, fmt.Errorf("reading reveals: %w", err)
	}
	intent := j.r.Plan.Intent
	for _, v := range open {
		c := v.Credentials
		if c.Site != intent.Site || c.Account != intent.Account.Name || c.Password == "" || v.Request == j.r.ID {
			continue
		}
		end, err := v.Supersede(now)
		if err != nil {
			return m, err
		}
		m = m.And(end)
	}
	return m, nil
}

// look reads the step's menu and says what stands there. sure tells that the
// router has confirmed the write.
func (j *job) look(ctx context.Context, step change.Step, sure bool) (belief, error) {
	menus := []string{step.Menu}
	if step.Menu == menuActive {
		menus = append(menus, menuInterface)
	}
	snap, err := j.read(ctx, step.Router, menus...)
	if err != nil {
		return "", err
	}
	return believe(step, j.r.Number, snap, sure), nil
}
