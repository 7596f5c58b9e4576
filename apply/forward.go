package apply

import (
	"context"
	"errors"
	"slices"
	"time"

	"vpnbot/change"
)

// stage notes how the tunnel stands, then writes every staged row, one journaled
// step after the other.
func (j *job) stage(ctx context.Context) error {
	if err := j.enter(ctx, change.PhaseStage); err != nil {
		return err
	}
	if err := j.see(ctx); err != nil {
		return err
	}
	for _, end := range j.r.Plan.Tunnel.Ends {
		for _, step := range j.r.Plan.In(change.PhaseStage, end.Router) {
			if j.past.steps[step.ID] == change.StepDone {
				continue
			}
			if err := j.put(ctx, step, j.past.steps[step.ID] != "", nil); err != nil {
				return err
			}
		}
		if err := j.readBack(ctx, end.Router); err != nil {
			return err
		}
	}
	return nil
}

// readBack looks at once at every row that was staged on a router since the last
// look.
func (j *job) readBack(ctx context.Context, router string) error {
	if len(j.unread) == 0 {
		return nil
	}
	v, err := j.view(ctx, router)
	if err != nil {
		return err
	}
	for _, step := range j.unread {
		if v.staged(step) != ours {
			err = j.put(ctx, step, true, nil)
		} else {
			err = j.settled(ctx, step)
		}
		if err != nil {
			return err
		}
	}
	j.unread = nil
	return nil
}

// settled journals that a staged row was seen as planned.
func (j *job) settled(ctx context.Context, step change.Step) error {
	j.past.known[step.ID] = true
	m, err := j.r.Finish(time.Now(), step)
	return j.commit(ctx, m, err)
}

// see journals what both ends show before anything is touched.
func (j *job) see(ctx context.Context) error {
	var saw [2]change.Sighting
	sides, err := j.sides(ctx)
	if err != nil {
		return err
	}
	for i, s := range sides {
		saw[i] = sighting(s)
	}
	j.past.saw = &saw
	m, err := j.r.See(time.Now(), saw)
	return j.commit(ctx, m, err)
}

// put writes a staged row. One that the router took is read back with the others;
// after any other answer the router is looked at and the write repeated. A router
// that will not take it, or a row that somebody else made meanwhile, ends the
// change: so far nothing is lost by going back.
func (j *job) put(ctx context.Context, step change.Step, written bool, refusal error) error {
	for try := 0; ; try++ {
		if written {
			b, err := j.look(ctx, step, false)
			switch {
			case err != nil:
				return err
			case b == ours:
				return j.settled(ctx, step)
			case refusal != nil:
				return j.revert(ctx, j.refused(step.Router, refusal))
			case b != absent:
				return j.revert(ctx, change.T("apply.attend."+string(b), "router", step.Router, "row", rowName(step)))
			}
		}
		if try == maxWrites {
			return j.revert(ctx, j.gaveUp(step.Router, maxWrites))
		}
		var lost bool
		var err error
		if refusal, lost, err = j.send(ctx, step); err != nil {
			return err
		}
		if refusal == nil && !lost && try == 0 && !written {
			j.unread = append(j.unread, step)
			return nil
		}
		written = true
	}
}

// arm puts a guard on each router that the cut-over changes. A guard of an
// earlier process is replaced: its time has begun to run.
func (j *job) arm(ctx context.Context) error {
	if err := j.enter(ctx, change.PhaseArm); err != nil {
		return err
	}
	for _, end := range j.r.Plan.Tunnel.Ends {
		if j.past.acts[change.Act{Name: change.ActGuard, Router: end.Router}] != (time.Time{}) {
			if err := j.unguard(ctx, end.Router); err != nil {
				return err
			}
		}
		if err := j.guard(ctx, end.Router); err != nil {
			return err
		}
	}
	return nil
}

// unguard removes a guard until it is gone.
func (j *job) unguard(ctx context.Context, router string) error {
	for range maxWrites {
		v, err := j.view(ctx, router)
		if err != nil {
			return err
		}
		if v.guard() == nil {
			return nil
		}
		if err := j.dropGuard(ctx, router); err != nil {
			return err
		}
	}
	return j.revert(ctx, j.gaveUp(router, maxWrites))
}

func (j *job) dropGuard(ctx context.Context, router string) error {
	_, _, err := j.act(ctx, change.Act{Name: change.ActUnguard, Router: router}, func() error {
		return j.e.o.Tunnels.RemoveGuard(ctx, router, j.r.Number)
	})
	return err
}

// guard adds the guard, has the router parse it, and sees it switched on. Before
// the first write it is known that there is none.
func (j *job) guard(ctx context.Context, router string) error {
	add, arm := change.Act{Name: change.ActGuard, Router: router}, change.Act{Name: change.ActArm, Router: router}
	for try := range maxWrites {
		v := view{plan: j.r.Plan, number: j.r.Number}
		if try > 0 {
			var err error
			if v.snap, err = j.read(ctx, router, menuScheduler); err != nil {
				return err
			}
		}
		if v.guard() == nil {
			refusal, lost, err := j.act(ctx, add, func() error { return j.e.o.Tunnels.AddGuard(ctx, router, j.r.Number, j.r.Plan) })
			switch {
			case err != nil:
				return err
			case refusal != nil:
				return j.revert(ctx, j.refused(router, refusal))
			case lost:
				continue
			}
		}
		refusal, lost, err := j.script(ctx, arm, nil)
		switch {
		case err != nil:
			return err
		case refusal != nil:
			return j.revert(ctx, j.refused(router, refusal))
		}
		on, err := j.until(ctx, router, view.armed, menuScheduler)
		switch {
		case err != nil:
			return err
		case on:
			return j.done(ctx, arm)
		case !lost:
			return j.revert(ctx, change.T("apply.tunnel.guard", "router", router))
		}
	}
	return j.revert(ctx, change.T("apply.tunnel.guard", "router", router))
}

// until looks at a router until it stands as wanted, or the time of a script is
// over. menus are those to look at; without any, all that the plan writes.
func (j *job) until(ctx context.Context, router string, as func(view) bool, menus ...string) (bool, error) {
	if len(menus) == 0 {
		menus = menusOf(j.r.Plan, router)
	}
	wait := quick
	for end := time.Now().Add(scriptTime); ; wait = min(2*wait, calm) {
		snap, err := j.e.o.Routers.Snapshot(ctx, router, menus...)
		v := view{router: router, snap: snap, plan: j.r.Plan, number: j.r.Number}
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if err == nil && as(v) {
			return true, nil
		}
		if time.Now().Add(wait).After(end) {
			return false, nil
		}
		if !pause(ctx, wait) {
			return false, ctx.Err()
		}
	}
}

// cutOver hands both routers their scripts, the end that is harder to reach
// first. Only when that one has certainly taken its script is the other given
// its own; a queued script waits on its router until both are there.
func (j *job) cutOver(ctx context.Context) (time.Time, error) {
	if err := j.enter(ctx, change.PhaseCutOver); err != nil {
		return time.Time{}, err
	}
	t, at := j.r.Plan.Tunnel, time.Now()
	for i, end := range t.Ends {
		act := change.Act{Name: change.ActCutOver, Router: end.Router}
		refusal, lost, err := j.script(ctx, act, func(s *change.Script) {
			s.Delay = max(0, t.Delay-time.Since(at))
			s.Drop = slices.DeleteFunc(slices.Clone(j.past.saw[i].Phase1), func(p change.Phase1) bool { return !p.Both })
		})
		switch {
		case err != nil:
			return at, err
		case refusal != nil:
			return at, j.revert(ctx, j.refused(end.Router, refusal))
		case lost:
			return at, j.revert(ctx, change.T("apply.tunnel.lost", "router", end.Router))
		}
	}
	if wait := t.Delay - time.Since(at); wait > 0 && !pause(ctx, wait) {
		return at, ctx.Err()
	}
	return at, nil
}

// was tells whether the tunnel had this phase 1 already at the sighting.
func was(saw change.Sighting, p change.Phase1) bool {
	return slices.ContainsFunc(saw.Phase1, func(o change.Phase1) bool { return o.Both && o.Cookies() == p.Cookies() })
}

// errSilent tells that a router did not answer a look.
var errSilent = errors.New("router did not answer")
