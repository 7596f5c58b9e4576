// Package watch starts everything that time starts: requests and drafts that
// expire, reminders to approvers, reveal windows that close, first connections
// that prove an account, accounts whose date comes, signed checkpoints.
//
// Each round reads the ledger, asks the pure transitions of change what is due
// now, and commits their moves; a round that is missed, or a bot that was away,
// is made up by the next one. Beside the rounds every router is polled: one
// snapshot of vpn.StatusMenus, from which first connections are seen and with
// which a status compares its own. The samples of the last minutes are the only
// thing that it remembers.
package watch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"vpnbot/change"
	"vpnbot/vpn"
)

// Ledger is what watch needs of the ledger.
type Ledger interface {
	Commit(ctx context.Context, m change.Move) (change.Receipt, error)
	Requests(ctx context.Context, f change.Filter) ([]change.Request, error)
	Reveals(ctx context.Context) ([]change.Reveal, error)
	Events(ctx context.Context, f change.EventFilter) ([]change.Recorded, error)
	Request(ctx context.Context, id string) (change.Request, error)
	Account(ctx context.Context, site, name string) (change.Account, error)
	Accounts(ctx context.Context, site string) ([]change.Account, error)
	Changed() (<-chan struct{}, func())
}

// Routers reads routers. Routers names them all, and Poll is a Snapshot that may
// take its time.
type Routers interface {
	Routers() []string
	Poll(ctx context.Context, router string, menus ...string) (change.Snapshot, error)
	Snapshot(ctx context.Context, router string, menus ...string) (change.Snapshot, error)
}

// Notary signs the trail as it stands. Checkpoint returns the last one, with
// size 0 when there is none; Sign makes a new one and does not store it.
type Notary interface {
	Checkpoint(ctx context.Context) (change.Checkpoint, error)
	Sign(ctx context.Context, now time.Time) (change.Checkpoint, error)
}

// Witness keeps a checkpoint where the bot cannot change it.
type Witness func(ctx context.Context, c change.Checkpoint) error

// Options configure a Watch.
type Options struct {
	Ledger  Ledger
	Routers Routers
	Notary  Notary
	Witness Witness // nil: none
	Log     *slog.Logger
	// Round is the time between two looks at the ledger, Poll between two looks
	// at each router. Zero: 10 s and 60 s.
	Round, Poll time.Duration
}

// Watch runs the duties.
type Watch struct {
	o        Options
	samples  samples
	news     chan struct{} // a poll has ended
	attested uint64        // size of the checkpoint that the witness has
}

// New returns a Watch. Run starts it.
func New(o Options) (*Watch, error) {
	if o.Ledger == nil || o.Routers == nil || o.Notary == nil || o.Log == nil {
		return nil, errors.New("watch: an option is missing")
	}
	if o.Round == 0 {
		o.Round = 10 * time.Second
	}
	if o.Poll == 0 {
		o.Poll = time.Minute
	}
	return &Watch{o: o, samples: samples{byRouter: map[string][]vpn.Half{}}, news: make(chan struct{}, 1)}, nil
}

// Samples returns what the last polls of a router read, oldest first, reaching
// back over vpn.Window. A poll that failed stands among them with its error. The
// rows belong to all callers: nobody may change them.
func (w *Watch) Samples(router string) []vpn.Half { return w.samples.of(router) }

// Run works until ctx ends.
func (w *Watch) Run(ctx context.Context) error {
	var polls sync.WaitGroup
	defer polls.Wait()
	polls.Go(func() { newPoller(w).run(ctx) })
	w.rounds(ctx)
	return nil
}

func (w *Watch) rounds(ctx context.Context) {
	changed, stop := w.o.Ledger.Changed()
	defer stop()
	tick := time.NewTicker(w.o.Round)
	defer tick.Stop()
	w.round(ctx)
	wake := changed
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w.round(ctx)
			wake = changed
		case <-w.news:
			w.do(ctx, "looking for first connections", w.prove)
		case <-wake:
			w.do(ctx, "signing a checkpoint", w.checkpoint)
			wake = nil // a checkpoint changes the ledger too: the next waits for its round
		}
	}
}

// round performs each duty; one that fails does not keep the others from their
// turn.
func (w *Watch) round(ctx context.Context) {
	w.do(ctx, "expiring requests", w.expire)
	w.do(ctx, "reminding approvers", w.remind)
	w.do(ctx, "closing reveal windows", w.closeReveals)
	w.do(ctx, "ending accounts", w.dates)
	w.do(ctx, "looking for first connections", w.prove)
	w.do(ctx, "signing a checkpoint", w.checkpoint)
	w.do(ctx, "telling the witness", w.attest)
}

func (w *Watch) do(ctx context.Context, name string, duty func(context.Context, time.Time) error) {
	if err := duty(ctx, time.Now()); err != nil && ctx.Err() == nil {
		w.o.Log.Error(name, "err", err)
	}
}

// commit records a move that was due. Somebody who was faster makes it
// unnecessary.
func (w *Watch) commit(ctx context.Context, m change.Move, err error) error {
	if _, early := errors.AsType[*change.StateError](err); early {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err = w.o.Ledger.Commit(ctx, m); errors.Is(err, change.ErrConflict) {
		return nil
	}
	return err
}

// expire ends requests and drafts whose time is over.
func (w *Watch) expire(ctx context.Context, now time.Time) error {
	requests, err := w.o.Ledger.Requests(ctx, change.Filter{States: []change.State{change.Draft, change.Pending}})
	if err != nil {
		return fmt.Errorf("reading requests: %w", err)
	}
	var errs []error
	for _, r := range requests {
		if now.Before(r.Expires) {
			continue
		}
		m, err := r.Expire(now)
		errs = append(errs, w.commit(ctx, m, err))
	}
	return errors.Join(errs...)
}

// remind tells the approvals channel of requests that wait.
func (w *Watch) remind(ctx context.Context, now time.Time) error {
	requests, err := w.o.Ledger.Requests(ctx, change.Filter{States: []change.State{change.Pending}})
	if err != nil {
		return fmt.Errorf("reading requests: %w", err)
	}
	var errs []error
	for _, r := range requests {
		last := r.Submitted
		if r.Reminded.After(last) {
			last = r.Reminded
		}
		if now.Before(last.Add(change.ReminderPause)) || !now.Before(r.Expires) {
			continue
		}
		m, err := r.Remind(now)
		errs = append(errs, w.commit(ctx, m, err))
	}
	return errors.Join(errs...)
}

// closeReveals ends windows and destroys what was in them.
func (w *Watch) closeReveals(ctx context.Context, now time.Time) error {
	reveals, err := w.o.Ledger.Reveals(ctx)
	if err != nil {
		return fmt.Errorf("reading reveals: %w", err)
	}
	var errs []error
	for _, v := range reveals {
		if now.Before(v.Until) {
			continue
		}
		m, err := v.Close(now)
		errs = append(errs, w.commit(ctx, m, err))
	}
	return errors.Join(errs...)
}
