package apply_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"vpnbot/apply"
	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/ros"
)

// life is one bot's: how many deeds it has done, and what befalls it at which.
type life struct {
	mu     sync.Mutex
	deeds  []string // commits and router writes, in order
	dead   bool
	end    context.CancelFunc
	befall map[int]fate // by number of deed, from 1
	last   string       // the deed after which the bot dies, as it begins; "" none
	later  time.Duration
	until  time.Time         // the ledger's disk is full
	writes int               // to routers, so far
	strike int               // the write that is refused, from 1; 0 none
	struck bool              // it was
	phase  map[string]func() // called when a phase has begun
	before map[string]func() // called once before the first deed whose name begins so
	late   sync.WaitGroup
}

// fate is what happens at a deed.
type fate string

const (
	dieBefore  fate = "bot dies before"
	dieAfter   fate = "bot dies after"
	refuse     fate = "refused"
	loseBefore fate = "lost before"
	loseAfter  fate = "lost after"
	comeLate   fate = "lost, done later"
	diskFull   fate = "disk full" // from this commit on
)

var errDead = errors.New("the bot is dead")

func (l *life) die() {
	l.mu.Lock()
	l.dead = true
	l.mu.Unlock()
	l.end()
}

// do does a deed and lets happen what befalls it. lost is what a lost answer is.
func (l *life) do(name string, router bool, deed func() error) error {
	l.mu.Lock()
	dead := l.dead
	first := func() {}
	for begins, f := range l.before {
		if strings.HasPrefix(name, begins) {
			first = f
			delete(l.before, begins)
		}
	}
	l.deeds = append(l.deeds, name)
	f := l.befall[len(l.deeds)]
	if l.last != "" && strings.HasPrefix(name, l.last) {
		f = dieAfter
	}
	if router {
		l.writes++
		if l.writes == l.strike {
			f, l.struck = refuse, true
		}
	}
	if f == diskFull && !router {
		l.until = time.Now().Add(l.later)
	}
	noSpace := !router && time.Now().Before(l.until)
	l.mu.Unlock()
	first()
	switch {
	case dead:
		return errDead
	case noSpace:
		return syscall.ENOSPC
	case f == dieBefore:
		l.die()
		return errDead
	case f == refuse && router:
		return errors.New("failure: no luck")
	case f == loseBefore && router:
		return fmt.Errorf("%w: line is cut", apply.ErrUnknown)
	}
	if f == comeLate && router {
		l.late.Go(func() {
			time.Sleep(l.later)
			_ = deed()
		})
		return fmt.Errorf("%w: line is slow", apply.ErrUnknown)
	}
	err := deed()
	switch {
	case f == dieAfter:
		l.die()
		return errDead
	case f == loseAfter && router && err == nil:
		return fmt.Errorf("%w: line is cut", apply.ErrUnknown)
	}
	return err
}

// hands are the routers as the engine has them.
type hands struct {
	w *world
	l *life
}

func (h hands) Snapshot(ctx context.Context, router string, menus ...string) (change.Snapshot, error) {
	h.l.mu.Lock()
	dead := h.l.dead
	h.l.mu.Unlock()
	if dead {
		return change.Snapshot{}, errDead
	}
	if h.w.cutOff(router) {
		return change.Snapshot{}, errors.New("no way there")
	}
	return h.w.fleet.Snapshot(ctx, router, menus...)
}

func (h hands) write(name string, deed func() error) error {
	return h.l.do(name, true, func() error {
		if router, _, _ := strings.Cut(name, ":"); h.w.cutOff(router) {
			return fmt.Errorf("%w: no way there", apply.ErrUnknown)
		}
		err := deed()
		for _, open := range []error{ros.ErrUnknownOutcome, ros.ErrUnreachable, ros.ErrTimeout, ros.ErrClosed} {
			if errors.Is(err, open) {
				return fmt.Errorf("%w: %w", apply.ErrUnknown, err)
			}
		}
		return err
	})
}

func (h hands) Execute(ctx context.Context, router string, request int64, step change.Step) error {
	return h.write(fmt.Sprintf("%s: %s %s", router, step.Menu, step.Action), func() error { return h.w.fleet.Execute(ctx, router, request, step, vault{}) })
}

func (h hands) AddGuard(ctx context.Context, router string, request int64, plan change.Plan) error {
	return h.write(router+": add guard", func() error { return h.w.fleet.AddGuard(ctx, router, request, plan) })
}

func (h hands) RemoveGuard(ctx context.Context, router string, request int64) error {
	return h.write(router+": remove guard", func() error { return h.w.fleet.RemoveGuard(ctx, router, request) })
}

func (h hands) RunScript(ctx context.Context, s change.Script) error {
	return h.write(s.Act.Router+": script "+string(s.Act.Name), func() error { return h.w.fleet.RunScript(ctx, s) })
}

func (h hands) Drop(ctx context.Context, router string, old change.Phase1) error {
	return h.write(router+": drop", func() error { return h.w.fleet.Drop(ctx, router, old) })
}

func (h hands) Forget(ctx context.Context, router string, between []change.Selectors) error {
	return h.write(router+": forget", func() error { return h.w.fleet.Forget(ctx, router, between) })
}

func (h hands) Ping(ctx context.Context, router string, probe change.Probe, size, count int) (int, error) {
	if h.w.cutOff(router) {
		return 0, errors.New("no way there")
	}
	return h.w.fleet.Ping(ctx, router, probe, size, count)
}

// ledger is one in memory.
type ledger struct {
	mu       sync.Mutex
	requests map[string]change.Request
	accounts map[string]change.Account
	reveals  map[string]change.Reveal
	journal  map[string][]change.Entry
	events   []change.Event
	notices  []change.Notice
	gone     []secret.Ref
	defs     []change.Definition // the newest of all
	changed  chan struct{}
}

func newLedger() *ledger {
	return &ledger{
		requests: map[string]change.Request{}, accounts: map[string]change.Account{}, reveals: map[string]change.Reveal{},
		journal: map[string][]change.Entry{}, changed: make(chan struct{}, 1),
	}
}

func (l *ledger) Commit(_ context.Context, m change.Move) (change.Receipt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m.Request == nil { // what is kept after the end
		for _, e := range m.Journal {
			l.journal[e.Request] = append(l.journal[e.Request], e)
		}
		l.events, l.notices = append(l.events, m.Events...), append(l.notices, m.Notices...)
		return change.Receipt{}, nil
	}
	r := *m.Request
	if l.requests[r.ID].Version != m.Version {
		return change.Receipt{}, change.ErrConflict
	}
	r.Version = m.Version + 1
	if r.Number == 0 && r.State == change.Pending {
		r.Number = 41 + int64(len(l.requests))
	}
	l.requests[r.ID] = r
	for _, a := range m.Accounts {
		l.accounts[a.Name] = a
	}
	if m.Reveal != nil {
		l.reveals[m.Reveal.ID] = *m.Reveal
	}
	for _, v := range m.Grants {
		l.reveals[v.ID] = v
	}
	for _, e := range m.Journal {
		l.journal[e.Request] = append(l.journal[e.Request], e)
	}
	l.events, l.notices, l.gone = append(l.events, m.Events...), append(l.notices, m.Notices...), append(l.gone, m.Destroy...)
	if m.Definitions != nil {
		l.defs = m.Definitions
	}
	select {
	case l.changed <- struct{}{}:
	default:
	}
	return change.Receipt{Request: &r}, nil
}

func (l *ledger) Request(_ context.Context, id string) (change.Request, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, ok := l.requests[id]
	if !ok {
		return r, change.ErrNotFound
	}
	return r, nil
}

func (l *ledger) Requests(_ context.Context, f change.Filter) ([]change.Request, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []change.Request
	for _, id := range slices.Sorted(maps.Keys(l.requests)) {
		if r := l.requests[id]; len(f.States) == 0 || slices.Contains(f.States, r.State) {
			list = append(list, r)
		}
	}
	return list, nil
}

func (l *ledger) RequestByNumber(_ context.Context, number int64) (change.Request, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.requests {
		if r.Number == number {
			return r, nil
		}
	}
	return change.Request{}, change.ErrNotFound
}

func (l *ledger) Journal(_ context.Context, id string) ([]change.Entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.journal[id]), nil
}

func (l *ledger) Account(_ context.Context, _, name string) (change.Account, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a, ok := l.accounts[name]
	if !ok {
		return a, change.ErrNotFound
	}
	return a, nil
}

func (l *ledger) Reveals(context.Context) ([]change.Reveal, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var open []change.Reveal
	for _, v := range l.reveals {
		if v.Closed.IsZero() {
			open = append(open, v)
		}
	}
	return open, nil
}

// Definition knows the one of the tunnel, where a test has put it there.
func (l *ledger) Definition(context.Context, string, string) (change.Definition, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.defs) == 0 {
		return change.Definition{}, change.ErrNotFound
	}
	return l.defs[0], nil
}

func (l *ledger) DefinitionVersion(context.Context, string, string) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.defs) == 0 {
		return 0, nil
	}
	return l.defs[0].Version, nil
}

func (l *ledger) Changed() (<-chan struct{}, func()) { return l.changed, func() {} }

// witness is the ledger as a bot has it: its commits are deeds.
type witness struct {
	*ledger
	l *life
}

func (w witness) Commit(ctx context.Context, m change.Move) (change.Receipt, error) {
	var receipt change.Receipt
	what := string(m.Events[0].Kind)
	if len(m.Journal) > 0 {
		e := m.Journal[0]
		what = strings.TrimSpace(fmt.Sprintf("journal %s %s %s", e.Mark, e.Act, e.Note))
	}
	err := w.l.do(what, false, func() (err error) {
		receipt, err = w.ledger.Commit(ctx, m)
		return err
	})
	if f := w.l.phase[m.Events[0].Facts["phase"]]; f != nil && m.Events[0].Kind == change.EventPhase && err == nil {
		f()
	}
	return receipt, err
}

// pipes is a listener whose connections are net.Pipe: it works in a bubble.
type pipes struct {
	accept chan net.Conn
	done   chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{accept: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accept:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error { p.once.Do(func() { close(p.done) }); return nil }

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8728} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.accept <- far:
		return near, nil
	case <-p.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
