package watch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vpnbot/change"
)

// prove looks for the first session of accounts that nobody has used yet. Only
// routers that hold such an account are read.
func (w *Watch) prove(ctx context.Context, now time.Time) error {
	if now.Sub(w.polled) < w.o.Poll {
		return nil
	}
	w.polled = now
	requests, err := w.o.Ledger.Requests(ctx, change.Filter{States: []change.State{change.Unproven}})
	if err != nil {
		return fmt.Errorf("reading requests: %w", err)
	}
	waiting := map[string][]change.Request{}
	for _, r := range requests {
		if r.Plan.Intent.Account != nil && len(r.Plan.Routers) > 0 {
			waiting[r.Plan.Routers[0]] = append(waiting[r.Plan.Routers[0]], r)
		}
	}
	var errs []error
	for router, rs := range waiting {
		snap, err := w.o.Routers.Snapshot(ctx, router, "/ppp/active")
		if err != nil {
			errs = append(errs, fmt.Errorf("reading sessions on %s: %w", router, err))
			continue
		}
		for _, r := range rs {
			errs = append(errs, w.proveOne(ctx, now, r, snap))
		}
	}
	return errors.Join(errs...)
}

func (w *Watch) proveOne(ctx context.Context, now time.Time, r change.Request, snap change.Snapshot) error {
	intent := r.Plan.Intent
	live := snap.Rows(change.Query{Menu: "/ppp/active", Where: map[string]string{"name": intent.Account.Name, "service": "l2tp"}})
	if len(live) == 0 {
		return nil
	}
	account, err := w.o.Ledger.Account(ctx, intent.Site, intent.Account.Name)
	if err != nil {
		return fmt.Errorf("reading account %s: %w", intent.Account.Name, err)
	}
	m, err := r.Prove(now, account)
	return w.commit(ctx, m, err)
}
