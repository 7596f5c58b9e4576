package watch

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"vpnbot/change"
	"vpnbot/vpn"
)

// Ending an account is tried again after so long, when a router would not have it
// or fell silent; and sooner when somebody changed the account in that moment.
const (
	retryRefused = 15 * time.Minute
	retryMoved   = time.Minute
	readLimit    = 10 * time.Second
)

// dates ends the accounts whose date has come, on the approval with which the date
// was given, and tells the people of those whose date comes soon.
func (w *Watch) dates(ctx context.Context, now time.Time) error {
	accounts, err := w.o.Ledger.Accounts(ctx, "")
	if err != nil {
		return fmt.Errorf("reading accounts: %w", err)
	}
	var errs []error
	for _, a := range accounts {
		if a.Expires.IsZero() || !a.Removed.IsZero() || a.Expired {
			continue
		}
		if err := w.date(ctx, now, a); err != nil {
			errs = append(errs, fmt.Errorf("account %s/%s: %w", a.Site, a.Name, err))
		}
	}
	return errors.Join(errs...)
}

func (w *Watch) date(ctx context.Context, now time.Time, a change.Account) error {
	over := !now.Before(a.Expires)
	_, due := a.Warning(now)
	if !over && !due {
		return nil
	}
	granted, err := w.o.Ledger.Request(ctx, a.ExpiresBy)
	if err != nil {
		return fmt.Errorf("reading the request with its date: %w", err)
	}
	if over {
		ended, err := w.end(ctx, now, a, granted)
		if ended || err != nil || len(w.samples.of(a.Router)) == 0 {
			return err // what was not tried has not failed
		}
	}
	if !due {
		return nil
	}
	m, err := a.Warn(now, granted)
	return w.commit(ctx, m, err)
}

// end makes the request that ends an account, when its router answers and none is
// on its way. It tells whether nothing more is to be said about the date for now.
func (w *Watch) end(ctx context.Context, now time.Time, a change.Account, granted change.Request) (bool, error) {
	ready, released, err := w.ready(ctx, now, a)
	switch {
	case err != nil:
		return false, err
	case released:
		return true, w.commit(ctx, a.Leave(now, "released", granted), nil)
	case !ready:
		return false, nil
	}
	if _, answers := w.samples.newest(a.Router, now.Add(-2*w.o.Poll)); !answers {
		return false, nil // the poller says so; the next round asks again
	}
	limited, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	snap, err := w.o.Routers.Snapshot(limited, a.Router, vpn.LifeMenus()...)
	if err != nil {
		return false, err
	}
	plan, err := vpn.PlanExpiry(now, a, snap)
	refusal, refused := errors.AsType[*vpn.Refusal](err)
	switch {
	case errors.Is(err, change.ErrEmptyPlan):
		return true, w.commit(ctx, a.Leave(now, "off", granted), nil)
	case errors.Is(err, vpn.ErrGone):
		return true, w.commit(ctx, a.Leave(now, "gone", granted), nil)
	case refused:
		return true, w.commit(ctx, a.Leave(now, refusal.Text.ID, granted), nil)
	case err != nil:
		return false, err
	}
	m, err := change.NewExpiry(now, strings.ToLower(rand.Text()[:16]), plan, granted)
	if err != nil {
		return false, err
	}
	a.Due = m.Request.ID
	m.Accounts = []change.Account{a}
	return true, w.commit(ctx, m, nil)
}

// ready tells whether a request that ends a may be made now: none is on its way,
// and what kept the last one from its end is some time ago. released tells that a
// person has ended the last one and taken the account over.
func (w *Watch) ready(ctx context.Context, now time.Time, a change.Account) (ready, released bool, err error) {
	if a.Due == "" {
		return true, false, nil
	}
	r, err := w.o.Ledger.Request(ctx, a.Due)
	if err != nil {
		return false, false, fmt.Errorf("reading the request that ends it: %w", err)
	}
	switch {
	case !r.State.Ended():
		return false, false, nil
	case r.State == change.Stale && r.DecidedBy != "":
		return false, true, nil
	case r.State == change.Stale && r.Moved != nil:
		return !now.Before(r.Ended.Add(retryMoved)), false, nil
	}
	return !now.Before(r.Ended.Add(retryRefused)), false, nil
}
