package apply

import (
	"context"
	"errors"
	"slices"
	"time"

	"vpnbot/change"
	"vpnbot/vpn"
)

// goBack brings both routers to the old rows, each as soon as it can be reached:
// one that cannot be has its guard.
func (j *job) goBack(ctx context.Context) error {
	if err := j.possible(ctx); err != nil {
		if errors.Is(err, errDecided) {
			return nil
		}
		return err
	}
	b := j.look2(ctx)
	if why := j.odd(b); !why.IsZero() && ctx.Err() == nil { // before either is touched
		m, err := j.r.Attend(time.Now(), why)
		return j.commit(ctx, m, err)
	}
	if j.r.Plan.Tunnel.Removes {
		return j.keepAfterAll(ctx)
	}
	var left []string
	silent, waits := map[string]bool{}, map[string]bool{} // by router
	for i, end := range j.r.Plan.Tunnel.Ends {
		left = append(left, end.Router)
		silent[end.Router] = b.errs[i] != nil
	}
	tries := map[string]*attempts{}
	for _, router := range left {
		tries[router] = &attempts{}
		tries[router].again()
	}
	wait := firstPause
	for round := 0; len(left) > 0; round++ {
		for _, router := range slices.Clone(left) {
			if waits[router] = j.bears(ctx, router, silent); waits[router] {
				continue
			}
			err := j.back(ctx, router)
			silent[router] = errors.Is(err, errSilent)
			switch {
			case err == nil:
				left = slices.DeleteFunc(left, func(r string) bool { return r == router })
				wait = quick
				continue
			case errors.Is(err, errDecided):
				return nil // a person must decide
			case errors.Is(err, errForeign): // told when both ends are back
				left = slices.DeleteFunc(left, func(r string) bool { return r == router })
				continue
			case !errors.Is(err, errSilent):
				if !errors.Is(err, errTry) {
					return err
				}
				if !tries[router].again() {
					m, err := j.r.Attend(time.Now(), j.gaveUp(router, tries[router].n-1))
					return j.commit(ctx, m, err)
				}
			case round == 1:
				why := change.T("apply.tunnel.waitguard", "router", router)
				if near, beyond := j.beyond(router); beyond && waits[near] {
					why = change.T("apply.tunnel.waitfar", "router", router, "near", near)
				}
				m, err := j.r.Wait(time.Now(), why)
				if err := j.commit(ctx, m, err); err != nil {
					return err
				}
			}
		}
		if len(left) > 0 && !pause(ctx, wait) {
			return ctx.Err()
		}
		wait = min(2*wait, maxPause)
	}
	if !j.edits.IsZero() {
		return j.ask(ctx, j.edits)
	}
	return j.reverted(ctx)
}

// errForeign tells that a staged row is somebody else's by now, and is left, with what
// it may refer to and the guard.
var errForeign = errors.New("row was made another's")

// errTry tells that a router does not stand as wanted yet.
var errTry = errors.New("not yet as wanted")

// back brings one router to the old rows and removes the staged ones, the guard
// last. It returns errSilent when the router does not answer.
func (j *job) back(ctx context.Context, router string) error {
	v, err := j.single(ctx, router)
	if err != nil {
		return err
	}
	if row := v.odd(change.DecidedRevert, j.r.Resumed != ""); row != "" {
		return j.attend(ctx, change.T("apply.tunnel.odd", "router", router, "row", row))
	}
	if !v.isOld() {
		if _, _, err := j.script(ctx, change.Act{Name: change.ActRestore, Router: router}, nil); err != nil {
			return err
		}
		if old, err := j.until(ctx, router, view.isOld); err != nil || !old {
			return cmpErr(err, errTry)
		}
	}
	if err := j.cancel(ctx, router); err != nil {
		return err
	}
	for _, step := range slices.Backward(j.r.Plan.In(change.PhaseStage, router)) {
		if _, err := j.takeBack(ctx, step); err != nil {
			return err
		}
	}
	if v, err = j.single(ctx, router); err != nil {
		return err
	}
	if v.guard() != nil {
		if err := j.dropGuard(ctx, router); err != nil {
			return err
		}
		if v, err = j.single(ctx, router); err != nil {
			return err
		}
	}
	if v.guard() != nil || !v.isOld() {
		return errTry // a script that was queued, or somebody else, was faster
	}
	return nil
}

// cancel makes a cut-over fail that was ordered and may still come: queued, or on
// its way when its answer was lost. It removes the new identity, without which
// the script stops at its checks. Should the script have been faster, the tunnel is
// down and the guard knows what to do; so does the next look.
func (j *job) cancel(ctx context.Context, router string) error {
	if j.past.acts[change.Act{Name: change.ActCutOver, Router: router}].IsZero() {
		return nil
	}
	removed := false
	for _, step := range j.r.Plan.In(change.PhaseStage, router) {
		if step.Menu != menuIdentity {
			continue
		}
		did, err := j.takeBack(ctx, step)
		if err != nil && !errors.Is(err, errForeign) { // without its mark the script does not find it either
			return err
		}
		removed = removed || did
	}
	if !removed {
		return nil
	}
	if !pause(ctx, calm) { // one that had passed its checks has written by then
		return ctx.Err()
	}
	v, err := j.single(ctx, router)
	if err == nil && !v.isOld() {
		return errTry
	}
	return err
}

func cmpErr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// single looks at a router once.
func (j *job) single(ctx context.Context, router string) (view, error) {
	v, err := j.once(ctx, router)
	if ctx.Err() != nil {
		return v, ctx.Err()
	}
	if err != nil {
		return v, errSilent
	}
	return v, nil
}

// takeBack removes a staged row, if it is ours, and tells whether it had to.
func (j *job) takeBack(ctx context.Context, step change.Step) (removed bool, err error) {
	for range 2 {
		v, err := j.single(ctx, step.Router)
		if err != nil {
			return removed, err
		}
		b := v.staged(step)
		undo, err := takenBack(step, j.r.Number)
		if err != nil {
			return removed, err
		}
		switch {
		case b == absent, b == foreign && (!j.past.known[step.ID] || j.r.Resumed != ""):
			if j.past.reverts[step.ID] == "" || j.past.reverts[step.ID] == change.StepDone {
				return removed, nil
			}
			j.past.reverts[step.ID] = change.StepDone
			m, err := j.r.Finish(time.Now(), undo)
			return removed, j.commit(ctx, m, err)
		case b == foreign:
			if j.edits.IsZero() {
				j.edits = v.strange(step, step.After)
			}
			return removed, errForeign
		}
		if other := v.refers(step); other != "" {
			if j.r.Resumed != "" {
				return removed, nil // people have decided with that in sight
			}
			if j.edits.IsZero() {
				j.edits = change.T("apply.tunnel.used", "router", v.router, "row", rowName(step), "other", vpn.ReadableBytes(other))
			}
			return removed, errForeign
		}
		removed = true
		j.past.reverts[step.ID] = change.StepBegin
		if _, err := j.write(ctx, undo); err != nil {
			return removed, err
		}
	}
	return removed, errTry
}

// reverted proves the state before, as far as it was one, and ends the change.
func (j *job) reverted(ctx context.Context) error {
	outcome := change.Text{}
	if saw := j.past.saw; saw != nil && saw[0].Up && saw[1].Up {
		why, err := j.wait(ctx, j.up)
		if err != nil {
			return err
		}
		if !why.IsZero() {
			outcome = change.T("apply.tunnel.notback", "why", j.r.Cause)
		}
	}
	m, err := j.r.Revert(time.Now(), outcome)
	return j.commit(ctx, m, err)
}
