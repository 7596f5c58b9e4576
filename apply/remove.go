package apply

import (
	"context"
	"fmt"
	"slices"
	"time"

	"vpnbot/change"
)

// A removal is a change in phases that stages nothing. What must hold at the end is
// that nothing of the tunnel is there. Its guards bring the tunnel back while it is down,
// and switch it off for good where nobody answers: going back must have both ends on and
// up before the first guard goes.

// shown is what proves the change, and what is missing of it.
func (j *job) shown(b both) (map[string]string, change.Text) {
	if j.r.Plan.Tunnel.Removes {
		return j.absence(b)
	}
	return j.proof(b)
}

// reached tells what is missing for the new rows to do what they are for.
func (j *job) reached(b both) change.Text {
	if j.r.Plan.Tunnel.Removes {
		_, why := j.absence(b)
		return why
	}
	return j.up(b)
}

// absence proves that a tunnel is gone: its rows are off, nothing of what it
// negotiated is left on either end, and no policy of it is established.
func (j *job) absence(b both) (map[string]string, change.Text) {
	facts := map[string]string{}
	for i, v := range b.views {
		side := b.sides[i]
		switch n, of := side.Established(); {
		case b.errs[i] != nil:
			return nil, change.T("apply.tunnel.silent", "router", v.router)
		case !v.isNew():
			return nil, change.T("apply.tunnel.cutover", "router", v.router)
		case n > 0:
			return nil, change.T("apply.tunnel.there", "router", v.router, "established", n, "total", of)
		}
		for _, p := range side.Phase1 {
			if p.Matched || j.past.saw != nil && was(j.past.saw[i], phase1(p)) {
				return nil, change.T("apply.tunnel.phase1_there", "router", v.router)
			}
		}
		for _, sa := range side.SAs {
			if sa.Matched || j.past.saw != nil && slices.Contains(j.past.saw[i].SPIs, sa.SPI) {
				return nil, change.T("apply.tunnel.phase2_there", "router", v.router)
			}
		}
		_, of := side.Established()
		facts["policies."+side.Router] = fmt.Sprintf("0/%d", of)
	}
	return facts, change.Text{}
}

// keepAfterAll brings both ends of a tunnel that was to go back, and takes the guards
// away when both are there: one that looked in between would finish the removal. A
// guard that was faster, or a script that came late, begins it anew.
func (j *job) keepAfterAll(ctx context.Context) error {
	var tries attempts
	for tries.again() {
		if over, err := j.bothBack(ctx); over || err != nil {
			return err
		}
		if saw := j.past.saw; saw != nil && saw[0].Up && saw[1].Up {
			if _, err := j.wait(ctx, j.up); err != nil {
				return err
			}
		}
		for _, end := range j.r.Plan.Tunnel.Ends {
			v, err := j.view(ctx, end.Router)
			if err == nil && v.guard() != nil {
				err = j.dropGuard(ctx, end.Router)
			}
			if err != nil {
				return err
			}
		}
		if !pause(ctx, calm) { // a script that found its guard has written by then
			return ctx.Err()
		}
		kept := true
		for _, end := range j.r.Plan.Tunnel.Ends {
			v, err := j.view(ctx, end.Router)
			if err != nil {
				return err
			}
			kept = kept && v.isOld() && v.guard() == nil
		}
		if kept {
			return j.reverted(ctx)
		}
		if !tries.rest(ctx) {
			return ctx.Err()
		}
	}
	m, err := j.r.Attend(time.Now(), j.gaveUp(j.r.Plan.Tunnel.Ends[0].Router, tries.n-1))
	return j.commit(ctx, m, err)
}

// bothBack has both routers on the old rows. Neither is touched before both answer:
// an end that is on alone may be switched off by its guard. over tells that a
// person must decide.
func (j *job) bothBack(ctx context.Context) (over bool, err error) {
	wait := firstPause
	var tries attempts
	for round := 0; ; round++ {
		b := j.look2(ctx)
		switch why := j.odd(b); {
		case ctx.Err() != nil:
			return false, ctx.Err()
		case !why.IsZero():
			m, err := j.r.Attend(time.Now(), why)
			return true, j.commit(ctx, m, err)
		}
		i := slices.IndexFunc(b.errs[:], func(err error) bool { return err != nil })
		switch {
		case i < 0 && b.views[0].isOld() && b.views[1].isOld():
			return false, nil
		case i < 0 && !tries.again():
			m, err := j.r.Attend(time.Now(), j.gaveUp(b.views[0].router, tries.n-1))
			return true, j.commit(ctx, m, err)
		case i < 0:
			if tries.n > 1 && !tries.rest(ctx) {
				return false, ctx.Err()
			}
			if err := j.restoreBoth(ctx, b); err != nil {
				return false, err
			}
			continue
		case round == 1:
			m, err := j.r.Wait(time.Now(), change.T("apply.tunnel.waitboth", "router", b.views[i].router))
			if err := j.commit(ctx, m, err); err != nil {
				return false, err
			}
		}
		if !pause(ctx, wait) {
			return false, ctx.Err()
		}
		wait = min(2*wait, maxPause)
	}
}

// restoreBoth has each router that is not on the old rows put them back, the end that
// was switched off last first.
func (j *job) restoreBoth(ctx context.Context, b both) error {
	for _, v := range slices.Backward(b.views[:]) {
		if v.isOld() {
			continue
		}
		if _, _, err := j.script(ctx, change.Act{Name: change.ActRestore, Router: v.router}, nil); err != nil {
			return err
		}
		if _, err := j.until(ctx, v.router, view.isOld); err != nil {
			return err
		}
	}
	return nil
}
