package apply

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vpnbot/change"
)

// Tunnels does on routers what a change in phases needs besides its rows. Its
// errors mean what those of Routers.Execute mean.
type Tunnels interface {
	// AddGuard adds the guard, switched off; RemoveGuard takes it away.
	AddGuard(ctx context.Context, router string, request int64, plan change.Plan) error
	RemoveGuard(ctx context.Context, router string, request int64) error
	// RunScript hands a script to its router, which runs it by itself. Nil means
	// that it was taken, no more.
	RunScript(ctx context.Context, s change.Script) error
	// Drop removes exactly one phase 1; that it is gone already is no error.
	Drop(ctx context.Context, router string, old change.Phase1) error
	// Forget removes the connections between prefixes that were translated.
	Forget(ctx context.Context, router string, between []change.Selectors) error
	// Ping returns how many of count packets were answered.
	Ping(ctx context.Context, router string, probe change.Probe, size, count int) (int, error)
}

// How long a change in phases waits.
const (
	// scriptTime is how long a script that a router took may need to show its
	// effect; it is not asked how it went.
	scriptTime = 10 * time.Second
	// stopped is after how long a guard that is still there tells that a commit script
	// has stopped at its checks: to remove it is the first that the script does.
	stopped = 2 * time.Second
	// quick and calm are the pauses between two looks.
	quick = 100 * time.Millisecond
	calm  = time.Second
)

// errDecided ends the way forward: how the change ends is journaled.
var errDecided = errors.New("decided")

// past is what the journal tells of a change in phases.
type past struct {
	steps    map[int]change.EntryMark // of staged steps: the last mark
	acts     map[change.Act]time.Time // when an act was first begun
	finished map[change.Act]bool      // acts that were seen to have their effect
	saw      *[2]change.Sighting      // the last
	reverts  map[int]change.EntryMark // of steps taken back
	known    map[int]bool             // staged steps that were seen as planned
}

func recall(journal []change.Entry) past {
	p := past{
		steps: map[int]change.EntryMark{}, acts: map[change.Act]time.Time{}, finished: map[change.Act]bool{},
		reverts: map[int]change.EntryMark{}, known: map[int]bool{},
	}
	for _, e := range journal {
		switch {
		case e.Mark == change.StepSeen && len(e.Saw) == 2:
			p.saw = &[2]change.Sighting{e.Saw[0], e.Saw[1]}
		case e.Act != "":
			act := change.Act{Name: e.Act, Router: e.Router}
			if _, again := p.acts[act]; e.Mark == change.StepBegin && !again {
				p.acts[act] = e.At
			}
			p.finished[act] = e.Mark == change.StepDone
		case e.Step == 0:
		case e.Phase == change.PhaseRevert:
			p.reverts[e.Step] = e.Mark
		default:
			p.steps[e.Step] = e.Mark
			p.known[e.Step] = p.known[e.Step] || e.Mark == change.StepDone
		}
	}
	return p
}

// cutOver tells when the first cut-over was begun, and whether one was.
func (p past) cutOver(t *change.TunnelPlan) (at time.Time, begun bool) {
	for _, end := range t.Ends {
		if since, ok := p.acts[change.Act{Name: change.ActCutOver, Router: end.Router}]; ok && (!begun || since.Before(at)) {
			at, begun = since, true
		}
	}
	return at, begun
}

// phased carries a change in phases from where it stands to its end. What was
// decided is done, however often the bot dies over it; until then nothing is lost
// by going back.
func (j *job) phased(ctx context.Context) error {
	if j.e.o.Tunnels == nil {
		return fmt.Errorf("request %s: nothing here can change tunnels", j.r.ID)
	}
	journal, err := j.e.o.Ledger.Journal(ctx, j.r.ID)
	if err != nil {
		return fmt.Errorf("reading journal: %w", err)
	}
	j.past = recall(journal)
	if j.r.Decided == change.Undecided {
		if err := j.forward(ctx); err != nil && !errors.Is(err, errDecided) {
			return err
		}
	}
	switch {
	case j.r.State != change.Applying:
		return nil
	case j.r.Decided == change.DecidedCommit:
		return j.finish(ctx)
	}
	return j.goBack(ctx)
}

// forward goes on until it is decided how the change ends.
func (j *job) forward(ctx context.Context) error {
	t := j.r.Plan.Tunnel
	if over, err := j.overtaken(ctx); over || err != nil {
		return err
	}
	if at, begun := j.past.cutOver(t); begun {
		return j.resumed(ctx, at)
	}
	if len(j.past.acts)+len(j.past.steps) > 0 && !time.Now().Before(j.r.Started.Add(change.ApprovalLife)) {
		return j.revert(ctx, change.T("apply.tunnel.late"))
	}
	if err := j.stage(ctx); err != nil {
		return err
	}
	if j.adopts() {
		if err := j.disarm(ctx); err != nil {
			return err
		}
	}
	if j.adopts() || len(j.r.Plan.Steps) == 0 {
		return j.prove(ctx, time.Now())
	}
	if err := j.arm(ctx); err != nil {
		return err
	}
	at, err := j.cutOver(ctx)
	if err != nil {
		return err
	}
	return j.prove(ctx, at)
}

// resumed goes on after a death during or after the cut-over: scripts that were
// queued get their time, then both routers are looked at. A moment that is still to
// come was noted by another clock: what was ordered then is over, or begins now.
func (j *job) resumed(ctx context.Context, at time.Time) error {
	if now := time.Now(); at.After(now) {
		at = now
	}
	if wait := time.Until(at.Add(j.r.Plan.Tunnel.Delay + calm)); wait > 0 && !pause(ctx, wait) {
		return ctx.Err()
	}
	return j.prove(ctx, at)
}

// enter begins a phase and shows it on the card.
func (j *job) enter(ctx context.Context, phase string) error {
	m, err := j.r.Enter(time.Now(), phase)
	return j.commit(ctx, m, err)
}

// revert decides that the old rows hold, and ends the way forward.
func (j *job) revert(ctx context.Context, why change.Text) error {
	m, err := j.r.Decide(time.Now(), change.DecidedRevert, why, nil)
	if err := j.commit(ctx, m, err); err != nil {
		return err
	}
	return errDecided
}

// attend asks for a person, and ends the way on.
func (j *job) attend(ctx context.Context, why change.Text) error {
	m, err := j.r.Attend(time.Now(), why)
	if err := j.commit(ctx, m, err); err != nil {
		return err
	}
	return errDecided
}

// act journals and does one thing on a router. lost tells that its outcome is not
// known; refusal is the router's, and no failure of the job.
func (j *job) act(ctx context.Context, a change.Act, do func() error) (refusal error, lost bool, err error) {
	m, err := j.r.BeginAct(time.Now(), a)
	if err := j.commit(ctx, m, err); err != nil {
		return nil, false, err
	}
	if j.past.acts[a].IsZero() {
		j.past.acts[a] = time.Now()
	}
	err = do()
	j.heard(ctx, a.Router, err)
	switch {
	case err == nil:
		return nil, false, nil
	case errors.Is(err, ErrUnknown):
		j.e.o.Log.Warn("answer lost", "request", j.r.Number, "router", a.Router, "step", a.Name, "err", err)
		m, merr := j.r.LoseAct(time.Now(), a, "answer lost")
		return nil, true, j.commit(ctx, m, merr)
	case ctx.Err() != nil:
		return nil, false, ctx.Err()
	}
	j.e.o.Log.Warn("refused", "request", j.r.Number, "router", a.Router, "step", a.Name, "err", err)
	return err, false, nil
}

// heard keeps what a router last refused, until it takes something.
func (j *job) heard(ctx context.Context, router string, err error) {
	switch {
	case ctx.Err() != nil || errors.Is(err, ErrUnknown):
	case err == nil:
		delete(j.refusals, router)
	default:
		if j.refusals == nil {
			j.refusals = map[string]error{}
		}
		j.refusals[router] = err
	}
}

// gaveUp is why the job stops trying: what the router goes on refusing, or else that
// it shows nothing of what it took.
func (j *job) gaveUp(router string, tries int) change.Text {
	if refusal := j.refusals[router]; refusal != nil {
		return change.T("apply.giveup.refused", "router", router, "tries", tries, "why", j.e.o.Explain(refusal))
	}
	return change.T("apply.giveup", "router", router, "tries", tries)
}

// done journals that an act was seen to have its effect.
func (j *job) done(ctx context.Context, a change.Act) error {
	if j.past.finished[a] {
		return nil
	}
	m, err := j.r.FinishAct(time.Now(), a)
	j.past.finished[a] = true
	return j.commit(ctx, m, err)
}

// script hands one of the plan's scripts to a router.
func (j *job) script(ctx context.Context, a change.Act, edit func(*change.Script)) (refusal error, lost bool, err error) {
	s := change.Script{Request: j.r.Number, Act: a, Plan: j.r.Plan}
	if edit != nil {
		edit(&s)
	}
	return j.act(ctx, a, func() error { return j.e.o.Tunnels.RunScript(ctx, s) })
}

// refused is why a router's refusal ends a change.
func (j *job) refused(router string, refusal error) change.Text {
	return change.T("apply.tunnel.refused", "router", router, "why", j.e.o.Explain(refusal))
}
