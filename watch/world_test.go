package watch_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/ros/schema"
	"vpnbot/store"
	"vpnbot/store/storetest"
	"vpnbot/vpn"
	"vpnbot/watch"
)

func actor(name string, role change.Role) change.Actor {
	id := change.SlackID{Team: "T1", User: "U" + name}
	return change.Actor{Person: change.Person{ID: change.PersonID(name), Name: name, Role: role}, Slack: &id}
}

// lan is routers whose answers a test plays.
type lan struct {
	mu     sync.Mutex
	reads  map[string][]time.Time // when each poll began
	answer map[string]func(context.Context) error
	online map[string][]string // accounts
	// secrets are what a router holds besides.
	secrets map[string][]schema.Row
}

func newLAN(names ...string) *lan {
	l := &lan{reads: map[string][]time.Time{}, answer: map[string]func(context.Context) error{}, online: map[string][]string{}, secrets: map[string][]schema.Row{}}
	for _, n := range names {
		l.reads[n] = nil
	}
	return l
}

// set has a router answer as do says; nil: at once.
func (l *lan) set(router string, do func(context.Context) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answer[router] = do
}

func (l *lan) connect(router, account string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.online[router] = append(l.online[router], account)
}

func (l *lan) polls(router string) []time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.reads[router])
}

func (l *lan) Routers() []string {
	var names []string
	for n := range l.reads {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

func (l *lan) Snapshot(ctx context.Context, router string, menus ...string) (change.Snapshot, error) {
	at := time.Now().UTC()
	l.mu.Lock()
	l.reads[router] = append(l.reads[router], at)
	l.mu.Unlock()
	if !slices.Equal(menus, vpn.LifeMenus()) {
		return change.Snapshot{}, errors.New("not the menus of an account's life")
	}
	return l.life(router, at), nil
}

func (l *lan) Poll(ctx context.Context, router string, menus ...string) (change.Snapshot, error) {
	at := time.Now().UTC()
	l.mu.Lock()
	l.reads[router] = append(l.reads[router], at)
	do := l.answer[router]
	l.mu.Unlock()
	if !slices.Equal(menus, vpn.StatusMenus()) {
		return change.Snapshot{}, errors.New("not the menus of a status")
	}
	if do != nil {
		if err := do(ctx); err != nil {
			return change.Snapshot{}, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	rows := []schema.Row{}
	for _, account := range l.online[router] {
		rows = append(rows, schema.Row{"name": account, "service": "l2tp"})
	}
	return change.Snapshot{Router: router, At: at, Version: "7.22.3", Menus: map[string][]schema.Row{"/ppp/active": rows}}, nil
}

// life is what a router says about its accounts.
func (l *lan) life(router string, at time.Time) change.Snapshot {
	snap := change.Snapshot{Router: router, At: at, Version: "7.22.3", Menus: map[string][]schema.Row{}}
	for _, menu := range vpn.LifeMenus() {
		snap.Menus[menu] = []schema.Row{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	snap.Menus["/ppp/secret"] = slices.Clone(l.secrets[router])
	return snap
}

// world is a Watch over a real ledger and played routers, in a bubble.
type world struct {
	t      *testing.T
	ledger *store.Store
	lan    *lan
	watch  *watch.Watch
	o      watch.Options
	stop   func()
}

func newWorld(t *testing.T, l watch.Routers, edit ...func(*watch.Options)) *world {
	t.Helper()
	w := &world{t: t, ledger: storetest.Open(t)}
	w.lan, _ = l.(*lan) // nil: the routers are others
	w.o = watch.Options{Ledger: w.ledger, Routers: l, Notary: w.ledger, Log: slog.New(slog.DiscardHandler)}
	for _, e := range edit {
		e(&w.o)
	}
	w.start()
	return w
}

// start runs a new Watch, as a restarted bot does.
func (w *world) start() {
	w.t.Helper()
	var err error
	if w.watch, err = watch.New(w.o); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.watch.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("Run: %v", err)
		}
	})
	w.t.Cleanup(w.stop)
	synctest.Wait()
}

// pass lets d go by and everything come to rest.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (w *world) commit(m change.Move, err error) change.Request {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	receipt, err := w.ledger.Commit(w.t.Context(), m)
	if err != nil {
		w.t.Fatal(err)
	}
	return *receipt.Request
}

// draft makes a preview of a new account on gw1.
func (w *world) draft(account string) change.Request {
	w.t.Helper()
	ref := secret.Ref("ref-" + account)
	key, err := secret.NewKey(make([]byte, secret.KeySize))
	if err != nil {
		w.t.Fatal(err)
	}
	plan := change.Plan{
		Intent:  change.Intent{Verb: "adduser", Site: "hq", Account: &change.AccountIntent{Name: account, Owner: "staff"}},
		Routers: []string{"gw1"},
		Steps: []change.Step{{
			ID: 1, Router: "gw1", Menu: "/ppp/secret", Action: schema.Add, Class: change.Twin,
			Match: schema.Row{"name": account}, After: schema.Row{"name": account, "service": "l2tp"},
			Secrets: map[string]secret.Ref{"password": ref},
		}},
		Reveal:  &change.Credentials{Site: "hq", Server: "vpn.example", Account: account, Reader: "staff", Password: ref},
		Summary: change.T("plan.adduser.summary", "account", account),
	}
	sealed := []secret.Sealed{key.Seal(ref, secret.New("planted-"+account))}
	return w.commit(change.NewDraft(time.Now(), "id-"+account, plan, actor("olga", change.Operator), change.Rule{Approvals: 1}, sealed))
}

func (w *world) pending(account string) change.Request {
	w.t.Helper()
	return w.commit(w.draft(account).Submit(time.Now(), actor("olga", change.Operator)))
}

// unproven brings a new account as far as its first connection.
func (w *world) unproven(account string) change.Request {
	w.t.Helper()
	now := time.Now()
	r := w.pending(account)
	r = w.commit(r.Approve(now, actor("anna", change.Approver), r.Digest, ""))
	r = w.commit(r.Start(now))
	r = w.commit(r.Begin(now, r.Plan.Steps[0]))
	r = w.commit(r.Finish(now, r.Plan.Steps[0]))
	a := change.Account{Site: "hq", Router: "gw1", Name: account, Owner: "staff", Reader: "staff", Request: r.ID, Number: r.Number, Created: now, Keyed: r.ID}
	return w.commit(r.Complete(now, true, &a, change.NewReveal(now, r, time.UTC)))
}

func (w *world) state(r change.Request) change.State {
	w.t.Helper()
	now, err := w.ledger.Request(w.t.Context(), r.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return now.State
}

// count returns how many events of a kind there are.
func (w *world) count(kind change.EventKind) int {
	w.t.Helper()
	events, err := w.ledger.Events(w.t.Context(), change.EventFilter{})
	if err != nil {
		w.t.Fatal(err)
	}
	n := 0
	for _, e := range events {
		if e.Event.Kind == kind {
			n++
		}
	}
	return n
}
