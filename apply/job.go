package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"vpnbot/change"
)

// How long the engine waits before it tries a router again.
const (
	firstPause = 500 * time.Millisecond
	maxPause   = 30 * time.Second
)

// job is the work on one request. r is the request as last committed.
type job struct {
	e *Engine
	r change.Request
	// past is what the journal tells of a change in phases, kept up to date.
	past past
	// unread are the staged rows that the router took and that are not read back.
	unread []change.Step
	// before is what others had done on the routers when the work began; nil after a
	// restart.
	before map[string][]string
	// refusals are what routers last refused, each until it takes something.
	refusals map[string]error
	// ended is when the work ended, zero while it has not.
	ended time.Time
	// proven tells that both ends were seen on the new rows a moment ago.
	proven bool
	// edits tells of a new row that somebody changed, when both ends are first to be
	// brought together.
	edits change.Text
}

// run locks the routers and does what the request's state asks for.
func (j *job) run(ctx context.Context) error {
	lockCtx, cancel := ctx, func() {}
	if j.r.State == change.Approved {
		lockCtx, cancel = context.WithDeadline(ctx, j.r.LastApproval().Add(change.ApprovalLife))
	}
	defer cancel()
	release, err := j.lock(lockCtx)
	if err != nil {
		if ctx.Err() == nil && lockCtx.Err() != nil {
			return j.lapse(ctx)
		}
		return err
	}
	defer release()
	switch j.r.State {
	case change.Approved:
		if ready, err := j.prepare(ctx); !ready || err != nil {
			return err
		}
		return j.carry(ctx, nil)
	case change.Applying:
		return j.recover(ctx)
	}
	return nil // it ended while the lock was awaited
}

// lock takes the routers and reads the request again. What is applied already goes
// first, also where its worker has stopped for a moment or a new bot has not come to
// it: a request that has not begun gives way. So does one whose subject needs
// attention: what people decide about that needs the same routers.
func (j *job) lock(ctx context.Context) (release func(), err error) {
	for {
		if release, err = j.e.locks.acquire(ctx, routersOf(j.r), j.r.Number); err != nil {
			return nil, err
		}
		ahead, tangled := false, false
		r, err := j.e.o.Ledger.Request(ctx, j.r.ID)
		if err == nil && r.State == change.Approved {
			if ahead, err = j.behind(ctx); err == nil && !ahead {
				_, tangled, err = j.tangled(ctx)
			}
		}
		if err == nil && !ahead && !tangled {
			j.r = r
			return release, nil
		}
		release()
		if err != nil {
			return nil, fmt.Errorf("reading request: %w", err)
		}
		if tangled {
			j.r = r
			if err := j.untangle(ctx); err != nil || j.r.State != change.Approved {
				return func() {}, err
			}
		}
		if !pause(ctx, quick) {
			return nil, ctx.Err()
		}
	}
}

// behind tells whether another request is being applied to one of the routers.
func (j *job) behind(ctx context.Context) (bool, error) {
	applying, err := j.e.o.Ledger.Requests(ctx, change.Filter{States: []change.State{change.Applying}})
	return slices.ContainsFunc(applying, func(r change.Request) bool {
		return r.ID != j.r.ID && slices.ContainsFunc(routersOf(r), func(router string) bool { return slices.Contains(j.r.Plan.Routers, router) })
	}), err
}

// carry does what the plan says, in the way of its kind.
func (j *job) carry(ctx context.Context, journal []change.Entry) error {
	switch {
	case j.r.Plan.Intent.Resume != 0 && !j.adopts():
		return j.resume(ctx)
	case j.r.Plan.Phased():
		return j.phased(ctx)
	}
	return j.steps(ctx, journal)
}

// commit writes m, made from j.r by a transition, and takes over the request as
// stored.
func (j *job) commit(ctx context.Context, m change.Move, err error) error {
	if err != nil {
		return err
	}
	j.beside(ctx, &m)
	receipt, err := j.e.o.Ledger.Commit(ctx, m)
	if err != nil {
		return fmt.Errorf("recording %s: %w", m.Events[0].Kind, err)
	}
	if receipt.Request != nil {
		j.r = *receipt.Request
	}
	if ends(m) {
		j.ended = time.Now()
	}
	return nil
}

func (j *job) lapse(ctx context.Context) error {
	m, err := j.r.Lapse(time.Now())
	return j.commit(ctx, m, err)
}

// prepare checks rights and freshness and starts the request. It tells whether
// the routers may now be written.
func (j *job) prepare(ctx context.Context) (bool, error) {
	if why, ok := j.rightsHold(); !ok {
		m, err := j.r.Revoke(time.Now(), why)
		return false, j.commit(ctx, m, err)
	}
	if ok, err := j.dated(ctx); !ok || err != nil {
		return false, err
	}
	moved, ok, err := j.defined(ctx)
	if ok && err == nil {
		moved, ok, err = j.fresh(ctx)
	}
	if err != nil || j.r.State != change.Approved {
		return false, err
	}
	if !ok {
		m, err := j.r.Overtake(time.Now(), moved)
		return false, j.commit(ctx, m, err)
	}
	j.before = j.histories(ctx)
	m, err := j.r.Start(time.Now())
	if errors.Is(err, change.ErrExpired) {
		return false, j.lapse(ctx)
	}
	if errors.Is(err, change.ErrDigest) {
		m, err = j.r.Revoke(time.Now(), change.T("apply.digest"))
		return false, j.commit(ctx, m, err)
	}
	return true, j.commit(ctx, m, err)
}

// tangled finds another request with the same subject that needs attention.
func (j *job) tangled(ctx context.Context) (other change.Request, is bool, err error) {
	stuck, err := j.e.o.Ledger.Requests(ctx, change.Filter{States: []change.State{change.NeedsAttention}})
	if err != nil {
		return other, false, fmt.Errorf("reading locks: %w", err)
	}
	i := slices.IndexFunc(stuck, func(r change.Request) bool { return r.Subject() == j.r.Subject() && !j.r.Plan.Intent.Takes(r, stuck) })
	if i < 0 {
		return other, false, nil
	}
	return stuck[i], true, nil
}

// untangle waits, without a lock, while another request with the same subject needs
// attention.
func (j *job) untangle(ctx context.Context) error {
	for first := true; ; first = false {
		other, tangled, err := j.tangled(ctx)
		if !tangled || err != nil {
			return err
		}
		if first {
			m, err := j.r.Wait(time.Now(), change.T("apply.waitlock", "other", other.Number))
			if err := j.commit(ctx, m, err); err != nil {
				return err
			}
		}
		if over, err := j.overdue(ctx); over || err != nil {
			return err
		}
		if !pause(ctx, maxPause) {
			return ctx.Err()
		}
	}
}

// overdue lapses an approved request whose time to start is over.
func (j *job) overdue(ctx context.Context) (bool, error) {
	if time.Now().Before(j.r.LastApproval().Add(change.ApprovalLife)) {
		return false, nil
	}
	return true, j.lapse(ctx)
}

// rightsHold checks the rights of requester and approvers again. What was approved
// with a date holds until then, whoever has left since.
func (j *job) rightsHold() (change.Text, bool) {
	if j.r.Under != nil {
		return change.Text{}, true
	}
	intent := j.r.Plan.Intent
	p, ok := j.e.o.People.Person(j.r.Requester)
	if !ok || !intent.Grants(p, change.Operator) {
		return change.T("apply.norights", "person", j.r.Requester), false
	}
	for _, a := range j.r.Approvals {
		p, ok := j.e.o.People.Person(a.Person)
		if !ok || !intent.Grants(p, change.Approver) || !j.r.Rule.Names(a.Person) {
			return change.T("apply.norights", "person", a.Person), false
		}
	}
	return change.Text{}, true
}

// dated ends a request about the date of an account that has another one by now:
// the bot's own, whose date is not the one that has come, and one that somebody
// asked for before they knew of the other. It tells whether the request goes on.
func (j *job) dated(ctx context.Context) (bool, error) {
	intent := j.r.Plan.Intent
	if intent.Account == nil {
		return true, nil
	}
	was := intent.Account.Was
	switch intent.Account.Do {
	case change.AccountExpire:
		was = intent.Account.Expires
	case change.AccountExtend:
	default:
		return true, nil
	}
	known, err := j.e.o.Ledger.Account(ctx, intent.Site, intent.Account.Name)
	if err != nil && !errors.Is(err, change.ErrNotFound) {
		return false, fmt.Errorf("reading account: %w", err)
	}
	if known.Expires.Equal(was) {
		return true, nil
	}
	m, err := j.r.Revoke(time.Now(), change.T("apply.redated", "account", intent.Account.Name))
	return false, j.commit(ctx, m, err)
}

// fresh reads the routers again and compares. A router that does not answer is
// tried until the approval is too old.
func (j *job) fresh(ctx context.Context) (change.Moved, bool, error) {
	menus := map[string][]string{}
	for _, o := range j.r.Plan.Seen {
		if !slices.Contains(menus[o.Router], o.Query.Menu) {
			menus[o.Router] = append(menus[o.Router], o.Query.Menu)
		}
	}
	glance := j.glance(ctx, menus)
	for _, router := range routersOf(j.r) {
		now, seen := glance[router]
		if !seen {
			var err error
			if now, err = j.read(ctx, router, menus[router]...); err != nil || j.r.State != change.Approved {
				return change.Moved{}, false, err
			}
		}
		for _, o := range j.r.Plan.Seen {
			if o.Router != router {
				continue
			}
			if moved, differs := o.Compare(now); differs {
				return moved, false, nil
			}
		}
	}
	return change.Moved{}, true, nil
}

// glance looks at several routers at once, a single time each. One that does not
// answer is left out.
func (j *job) glance(ctx context.Context, menus map[string][]string) map[string]change.Snapshot {
	var mu sync.Mutex // guards seen
	seen := map[string]change.Snapshot{}
	var group sync.WaitGroup
	for _, router := range routersOf(j.r) {
		group.Go(func() {
			snap, err := j.e.o.Routers.Snapshot(ctx, router, menus[router]...)
			if err == nil {
				mu.Lock()
				seen[router] = snap
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return seen
}

// read takes a snapshot, as often as it takes. The first failure is noted on the
// card. An approved request lapses meanwhile; an applying one waits for its
// router, since only the router knows what it holds.
func (j *job) read(ctx context.Context, router string, menus ...string) (change.Snapshot, error) {
	wait := firstPause
	for try := 0; ; try++ {
		snap, err := j.e.o.Routers.Snapshot(ctx, router, menus...)
		if err == nil {
			return snap, nil
		}
		if ctx.Err() != nil {
			return change.Snapshot{}, ctx.Err()
		}
		j.e.o.Log.Warn("reading router", "request", j.r.Number, "router", router, "err", err)
		if try == 1 {
			m, werr := j.r.Wait(time.Now(), change.T("apply.waitrouter", "router", router, "why", j.e.o.Explain(err)))
			if err := j.commit(ctx, m, werr); err != nil {
				return change.Snapshot{}, err
			}
		}
		if j.r.State == change.Approved {
			if over, err := j.overdue(ctx); over || err != nil {
				return change.Snapshot{}, err
			}
		}
		if !pause(ctx, wait) {
			return change.Snapshot{}, ctx.Err()
		}
		wait = min(2*wait, maxPause)
	}
}
