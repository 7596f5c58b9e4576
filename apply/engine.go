package apply

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"vpnbot/change"
)

// Ledger is what the engine needs of the ledger.
type Ledger interface {
	Commit(ctx context.Context, m change.Move) (change.Receipt, error)
	Request(ctx context.Context, id string) (change.Request, error)
	Requests(ctx context.Context, f change.Filter) ([]change.Request, error)
	RequestByNumber(ctx context.Context, number int64) (change.Request, error)
	Journal(ctx context.Context, id string) ([]change.Entry, error)
	Definition(ctx context.Context, kind, name string) (change.Definition, error)
	Account(ctx context.Context, site, name string) (change.Account, error)
	Reveals(ctx context.Context) ([]change.Reveal, error)
	DefinitionVersion(ctx context.Context, kind, name string) (int, error)
	Changed() (<-chan struct{}, func())
}

// Routers reads routers and writes single steps. Execute returns nil when the
// router accepted the write, an error that wraps ErrUnknown when the answer is
// not known, and another error when the router certainly refused.
type Routers interface {
	Snapshot(ctx context.Context, router string, menus ...string) (change.Snapshot, error)
	Execute(ctx context.Context, router string, request int64, step change.Step) error
}

// People tells who has which rights now.
type People interface {
	Person(id change.PersonID) (change.Person, bool)
}

// ErrUnknown is what an Execute error wraps when the write may have happened.
var ErrUnknown = errors.New("outcome not known")

// ErrNoRight is what an Execute error wraps when the bot's login may not do this:
// then it does not help to wait.
var ErrNoRight = errors.New("no right to write this")

// Options configure an Engine.
type Options struct {
	Ledger  Ledger
	Routers Routers
	People  People
	// Tunnels may be nil where no plan has phases.
	Tunnels Tunnels
	// Location is where working days are counted.
	Location *time.Location
	// Explain turns a router's refusal into words for the card.
	Explain func(error) change.Text
	// Logins are the names under which the bot writes, by router: what others did
	// meanwhile is told at the end. It may be nil; then nothing is told.
	Logins map[string]string
	// Logs reads what a router wrote down while a request was carried out, between two
	// moments of the bot's clock, with every word hidden that could be a password. It
	// may be nil; then nothing is kept.
	Logs func(ctx context.Context, r change.Request, router string, from, to time.Time) change.RouterLog
	Log  *slog.Logger
}

func (o Options) validate() error {
	if o.Ledger == nil || o.Routers == nil || o.People == nil || o.Location == nil || o.Explain == nil || o.Log == nil {
		return errors.New("apply: an option is missing")
	}
	return nil
}

// Engine applies approved requests.
type Engine struct {
	o     Options
	locks *locks

	mu      sync.Mutex // guards working; never held across a call
	working map[string]bool
	wg      sync.WaitGroup
	again   chan struct{} // a worker that gave up asks for another sweep
}

// New returns an engine. Run starts it.
func New(o Options) (*Engine, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	return &Engine{o: o, locks: newLocks(), working: map[string]bool{}, again: make(chan struct{}, 1)}, nil
}

// Run takes up what an earlier process left in the middle, then every request
// as it is approved, until ctx ends. It returns when no work is under way.
func (e *Engine) Run(ctx context.Context) error {
	changed, stop := e.o.Ledger.Changed()
	defer stop()
	defer e.wg.Wait()
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		if err := e.sweep(ctx); err != nil && ctx.Err() == nil {
			e.o.Log.Error("looking for work", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-e.again:
		case <-tick.C:
		}
	}
}

// Locks returns which routers are locked now, by which request and since when.
func (e *Engine) Locks() []Lock { return e.locks.list() }

// sweep starts one worker for each request that needs one and has none.
func (e *Engine) sweep(ctx context.Context) error {
	requests, err := e.o.Ledger.Requests(ctx, change.Filter{States: []change.State{change.Applying, change.Approved}})
	if err != nil {
		return fmt.Errorf("reading requests: %w", err)
	}
	for _, r := range requests {
		e.mu.Lock()
		busy := e.working[r.ID]
		e.working[r.ID] = true
		e.mu.Unlock()
		if !busy {
			e.wg.Go(func() { e.work(ctx, r.ID) })
		}
	}
	return nil
}

// work carries one request as far as it goes. A panic is logged and leaves the
// request to the next sweep, which looks at the router first.
func (e *Engine) work(ctx context.Context, id string) {
	again, kept := false, false
	defer func() {
		if p := recover(); p != nil {
			// The value may hold anything; its type is enough to find the place.
			e.o.Log.Error("applying stopped by a panic", "request", id, "err", fmt.Sprintf("%T", p))
			again = true
		}
		if again {
			pause(ctx, time.Second)
		}
		e.mu.Lock()
		delete(e.working, id)
		e.mu.Unlock()
		if again || kept {
			select {
			case e.again <- struct{}{}:
			default: // a sweep is due already
			}
		}
	}()
	r, err := e.o.Ledger.Request(ctx, id)
	if err == nil {
		j := &job{e: e, r: r}
		err = j.run(ctx)
		kept = j.keepLogs(ctx)
	}
	if err != nil && ctx.Err() == nil {
		e.o.Log.Error("applying", "request", id, "err", err)
		again = true
	}
}

// routersOf returns the routers of r's plan in the one order in which they are
// locked.
func routersOf(r change.Request) []string {
	routers := slices.Clone(r.Plan.Routers)
	slices.Sort(routers)
	return slices.Compact(routers)
}

// pause waits for d or the end of ctx, and tells whether d passed.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
