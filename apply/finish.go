package apply

import (
	"context"
	"errors"
	"time"

	"vpnbot/change"
)

// finish brings both routers to the new rows and removes guards and old rows, the
// end that is harder to reach first. It was decided so: it is done whatever a
// guard has put back meanwhile.
func (j *job) finish(ctx context.Context) error {
	err := j.finished(ctx)
	if errors.Is(err, errDecided) {
		return nil // a person must decide
	}
	return err
}

func (j *job) finished(ctx context.Context) error {
	if err := j.possible(ctx); err != nil {
		return err
	}
	again := j.r.Resumed != "" // what people decide was not proven by the bot
	for _, end := range j.r.Plan.Tunnel.Ends {
		if j.proven {
			break // just seen; the commit script looks again before it removes anything
		}
		did, err := j.advance(ctx, end.Router)
		if err != nil {
			return err
		}
		again = again || did
	}
	if again {
		if err := j.mustUp(ctx); err != nil {
			return err
		}
	}
	if len(j.r.Plan.Steps) > 0 {
		for _, end := range j.r.Plan.Tunnel.Ends {
			if j.adopts() && len(j.r.Plan.In(change.PhaseCommit, end.Router)) == 0 {
				continue
			}
			if err := j.clear(ctx, end.Router); err != nil {
				return err
			}
		}
	}
	if !j.edits.IsZero() {
		return j.attend(ctx, j.edits)
	}
	return j.committed(ctx)
}

// committed ends the change on its new rows; what it defines and what its key is
// known by stand in the definition from the same moment.
func (j *job) committed(ctx context.Context) error {
	if err := j.relieve(ctx); err != nil {
		return err
	}
	now := time.Now()
	m, err := j.r.Commit(now)
	if err == nil {
		err = j.define(ctx, now, &m)
	}
	if err != nil {
		return err
	}
	for _, end := range j.r.Plan.Tunnel.Ends {
		if end.Peer != "" {
			m.Events[0].Facts["peer."+end.Router] = end.Peer
		}
	}
	return j.commit(ctx, m, nil)
}

// advance sees that a router is on the new rows, and orders the cut-over again
// where a guard was faster. It tells whether it had to.
func (j *job) advance(ctx context.Context, router string) (again bool, err error) {
	var tries attempts
	for tries.again() {
		v, err := j.reach(ctx, router)
		if err != nil {
			return again, err
		}
		if err := j.known(ctx, v); err != nil {
			return again, err
		}
		if v.isNew() {
			return again, nil
		}
		again = true
		if err := j.orderBoth(ctx, v); err != nil {
			return again, err
		}
		on, err := j.until(ctx, router, view.isNew)
		if err != nil {
			return again, err
		}
		if !on && !tries.rest(ctx) {
			return again, ctx.Err()
		}
	}
	return again, j.attend(ctx, j.gaveUp(router, tries.n-1))
}

// rearm gives the tunnel the guard's whole time to come up: one that looks while
// the ends negotiate would take the router back once more. Without a guard, which
// is as good as it gets where adding one fails, the other end has its own.
func (j *job) rearm(ctx context.Context, v view) error {
	if v.guard() == nil {
		return nil
	}
	if err := j.dropGuard(ctx, v.router); err != nil {
		return err
	}
	refusal, _, err := j.act(ctx, change.Act{Name: change.ActGuard, Router: v.router}, func() error {
		return j.e.o.Tunnels.AddGuard(ctx, v.router, j.r.Number, j.r.Plan)
	})
	if err != nil || refusal != nil {
		return err
	}
	if refusal, _, err = j.script(ctx, change.Act{Name: change.ActArm, Router: v.router}, nil); err != nil || refusal != nil {
		return err
	}
	_, err = j.until(ctx, v.router, view.armed, menuScheduler)
	return err
}

// clear removes guard and old rows of a router by its commit script, and reads
// back that it holds the planned rows and nothing else of this change. The script
// stops, with the guard in place, where a row is not as planned; a person is asked
// then, unless the other end cannot go back any more.
func (j *job) clear(ctx context.Context, router string) error {
	act := change.Act{Name: change.ActCommit, Router: router}
	var tries attempts
	for tries.again() {
		if tries.n > 1 || !j.proven {
			if done, err := j.ready(ctx, act); done || err != nil {
				return err
			}
		}
		begun := time.Now()
		if _, _, err := j.script(ctx, act, func(s *change.Script) { s.Again = tries.n > 1 || j.overruled() }); err != nil {
			return err
		}
		var last view // of no router while none was read
		if _, err := j.until(ctx, router, func(v view) bool {
			last = v
			return v.committed() || v.guard() != nil && time.Since(begun) > stopped
		}); err != nil {
			return err
		}
		if last.router != "" && last.committed() {
			return j.cleared(ctx, act, last)
		}
		if why := last.edited(true); tries.n == maxWrites && !why.IsZero() {
			return j.attend(ctx, why) // it will not go by itself
		}
		if !tries.rest(ctx) {
			return ctx.Err()
		}
	}
	return j.attend(ctx, j.gaveUp(router, tries.n-1))
}

// ready sees that a router is on the new rows before its old ones go, or done that
// they are gone. Whoever has changed a row since the proof is told of by name.
func (j *job) ready(ctx context.Context, act change.Act) (done bool, err error) {
	v, err := j.reach(ctx, act.Router)
	if err != nil {
		return false, err
	}
	if v.committed() {
		return true, j.cleared(ctx, act, v)
	}
	again, err := j.advance(ctx, act.Router)
	if err == nil && again {
		if err = j.mustUp(ctx); err == nil { // before the old rows go
			v, err = j.view(ctx, act.Router)
		}
	}
	if err != nil || j.overruled() || !v.isNew() {
		return false, err
	}
	if why := v.edited(!j.past.acts[act].IsZero()); !why.IsZero() {
		return false, j.attend(ctx, why)
	}
	return false, nil
}

// cleared journals that a router holds the new rows and none of the old ones. That
// one of them is not as planned is told when both ends are there.
func (j *job) cleared(ctx context.Context, act change.Act, v view) error {
	if why := v.renewed(); j.edits.IsZero() && j.r.Resumed == "" {
		j.edits = why
	}
	return j.done(ctx, act)
}

// mustUp asks for a person when the tunnel does not come up on the new rows, or is
// not gone where it is removed.
func (j *job) mustUp(ctx context.Context) error {
	why, err := j.wait(ctx, j.reached)
	if err != nil || why.IsZero() {
		return err
	}
	if j.r.Plan.Tunnel.Removes {
		return j.attend(ctx, change.T("apply.tunnel.notgone", "why", why))
	}
	return j.attend(ctx, change.T("apply.tunnel.notup", "why", why))
}

// wait waits until both ends show what is wanted, as long as the plan's patience;
// the text says what is missing then.
func (j *job) wait(ctx context.Context, wanted func(both) change.Text) (change.Text, error) {
	wait, kicked := quick, time.Now()
	for end := time.Now().Add(max(j.r.Plan.Tunnel.Patience, 30*time.Second)); ; wait = min(2*wait, calm) {
		b := j.look2(ctx)
		why := wanted(b)
		if ctx.Err() != nil {
			return change.Text{}, ctx.Err()
		}
		if why.IsZero() || time.Now().After(end) {
			return why, nil
		}
		if err := j.kick(ctx, b, &kicked); err != nil {
			return change.Text{}, err
		}
		if !pause(ctx, wait) {
			return change.Text{}, ctx.Err()
		}
	}
}

// possible looks at both routers before the first write when people have decided
// in which direction to go: where rows of that direction are gone, nothing is
// written and they are asked again.
func (j *job) possible(ctx context.Context) error {
	if j.r.Resumed == "" {
		return nil
	}
	for _, end := range j.r.Plan.Tunnel.Ends {
		v, err := j.view(ctx, end.Router)
		if err != nil {
			return err
		}
		row := v.odd(j.r.Decided, true)
		if row == "" && j.r.Decided == change.DecidedCommit && !v.committed() {
			row = v.unstaged()
		}
		if row == "" && j.r.Decided == change.DecidedRevert && !v.isOld() {
			row = v.keyless()
		}
		if row != "" {
			return j.attend(ctx, change.T("apply.tunnel.gone", "router", end.Router, "row", row))
		}
	}
	return nil
}
