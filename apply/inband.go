package apply

import (
	"context"
	"time"

	"vpnbot/change"
)

// regain is how long an end on this side is left on its old rows while the one beyond
// the tunnel does not answer: RouterOS gives a first phase 1 in vain up after a minute.
const regain = 90 * time.Second

// beyond returns the end on this side of a router that the bot reaches through the
// tunnel which is changed.
func (j *job) beyond(router string) (near string, is bool) {
	ends := j.r.Plan.Tunnel.Ends
	for i, end := range ends {
		if end.Router == router && end.InBand && !ends[1-i].InBand {
			return ends[1-i].Router, true
		}
	}
	return "", false
}

// reach looks at a router as often as it takes, when it is decided that the new rows
// hold. One beyond the tunnel may hold only these, and the guard of the end on this
// side may have put that one back alone: then there is no other way there than to
// order the cut-over again on this side, under a new guard.
func (j *job) reach(ctx context.Context, router string) (view, error) {
	near, beyond := j.beyond(router)
	if !beyond {
		return j.view(ctx, router)
	}
	var old time.Time // since when this side is seen on the old rows
	wait := firstPause
	for try := 0; ; try++ {
		v, err := j.once(ctx, router)
		if err == nil || ctx.Err() != nil {
			return v, err
		}
		if try == 1 {
			m, werr := j.r.Wait(time.Now(), change.T("apply.waitrouter", "router", router, "why", j.e.o.Explain(err)))
			if err := j.commit(ctx, m, werr); err != nil {
				return view{}, err
			}
		}
		n, err := j.view(ctx, near)
		switch {
		case err != nil:
			return view{}, err
		case n.isNew():
			old = time.Time{}
		case old.IsZero():
			old = time.Now()
		case time.Since(old) >= regain:
			if err := j.order(ctx, n, 0); err != nil {
				return view{}, err
			}
			old = time.Time{}
		}
		if !pause(ctx, wait) {
			return view{}, ctx.Err()
		}
		wait = min(2*wait, maxPause)
	}
}

// bears tells whether an end on this side has to stay on its new rows, because the
// tunnel carries packets on them to an end beyond it that does not answer the bot. Put
// back alone it would cut the only way there, and that end's guard sees nothing wrong
// until dead peer detection does.
func (j *job) bears(ctx context.Context, router string, silent map[string]bool) bool {
	for i, end := range j.r.Plan.Tunnel.Ends {
		far := j.r.Plan.Tunnel.Ends[1-i].Router
		if near, is := j.beyond(far); !is || near != router || end.Router != router || !silent[far] {
			continue
		}
		if v, err := j.once(ctx, router); err != nil || !v.isNew() {
			return false
		}
		for _, probe := range end.Probes {
			if n, err := j.e.o.Tunnels.Ping(ctx, router, probe, smallPing, pings); err == nil && n > 0 {
				return true
			}
		}
	}
	return false
}

// order has a router cut over again, after a delay, under a new guard where it had
// one.
func (j *job) order(ctx context.Context, v view, delay time.Duration) error {
	if err := j.known(ctx, v); err != nil {
		return err
	}
	if err := j.rearm(ctx, v); err != nil {
		return err
	}
	return j.cutAgain(ctx, v.router, delay)
}

// cutAgain hands a router its cut-over once more.
func (j *job) cutAgain(ctx context.Context, router string, delay time.Duration) error {
	_, _, err := j.script(ctx, change.Act{Name: change.ActCutOver, Router: router}, func(s *change.Script) { s.Again, s.Delay = true, delay })
	return err
}

// orderBoth has a router cut over again. Where that ends the way to it, the end on this
// side is to follow at the same moment, unless it is on the new rows.
func (j *job) orderBoth(ctx context.Context, v view) error {
	near, beyond := j.beyond(v.router)
	if !beyond {
		return j.order(ctx, v, 0)
	}
	n, err := j.view(ctx, near)
	if err != nil {
		return err
	}
	if n.isNew() {
		return j.order(ctx, v, 0)
	}
	if err := j.known(ctx, n); err != nil {
		return err
	}
	for _, end := range []view{v, n} { // before either is ordered: it takes its time
		if err := j.rearm(ctx, end); err != nil {
			return err
		}
	}
	delay, at := j.r.Plan.Tunnel.Delay, time.Now()
	for _, end := range []view{v, n} {
		if err := j.cutAgain(ctx, end.router, max(0, delay-time.Since(at))); err != nil {
			return err
		}
	}
	if wait := delay - time.Since(at); wait > 0 && !pause(ctx, wait) {
		return ctx.Err()
	}
	return nil
}

// known asks for a person when a router holds what nothing of this change explains.
func (j *job) known(ctx context.Context, v view) error {
	if row := v.odd(change.DecidedCommit, j.overruled()); row != "" {
		return j.attend(ctx, change.T("apply.tunnel.odd", "router", v.router, "row", row))
	}
	return nil
}
