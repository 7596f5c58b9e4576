package watch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vpnbot/change"
	"vpnbot/vpn"
)

// prove looks for the first session of accounts that nobody has used yet, in
// what the polls have read.
func (w *Watch) prove(ctx context.Context, now time.Time) error {
	requests, err := w.o.Ledger.Requests(ctx, change.Filter{States: []change.State{change.Unproven}})
	if err != nil {
		return fmt.Errorf("reading requests: %w", err)
	}
	var errs []error
	for _, r := range requests {
		if len(r.Plan.Routers) == 0 {
			continue
		}
		// An older sample may show a session of another account of that name.
		h, ok := w.samples.newest(r.Plan.Routers[0], r.Ended)
		switch {
		case !ok:
		case r.Plan.Intent.Account == nil:
			errs = append(errs, w.proveServer(ctx, now, r, h.Snapshot))
		default:
			errs = append(errs, w.proveOne(ctx, now, r, h.Snapshot))
		}
	}
	return errors.Join(errs...)
}

// proveServer looks for a session that began after the server was changed: one from
// before says nothing of it.
func (w *Watch) proveServer(ctx context.Context, now time.Time, r change.Request, snap change.Snapshot) error {
	for _, session := range vpn.Sessions(snap) {
		if began, ok := session.Began(snap.At); !ok || began.Before(r.Ended.Add(time.Second)) {
			continue
		}
		m, err := r.ProveServer(now)
		return w.commit(ctx, m, err)
	}
	return nil
}

func (w *Watch) proveOne(ctx context.Context, now time.Time, r change.Request, snap change.Snapshot) error {
	intent := r.Plan.Intent
	if !vpn.Used(r, snap) {
		return nil
	}
	account, err := w.o.Ledger.Account(ctx, intent.Site, intent.Account.Name)
	if err != nil {
		return fmt.Errorf("reading account %s: %w", intent.Account.Name, err)
	}
	if account.Keyed != "" && account.Keyed != r.ID {
		return nil // it has had another password since
	}
	m, err := r.Prove(now, account)
	return w.commit(ctx, m, err)
}
