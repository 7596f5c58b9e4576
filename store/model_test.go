package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/store"
	"vpnbot/store/storetest"
)

// model is what a ledger should hold, kept in maps.
type model struct {
	requests map[string]change.Request
	order    []string
	numbers  int64
	reveals  map[string]change.Reveal
	secrets  map[secret.Ref]bool // true: there; false: destroyed
	done     map[string]bool
	inbox    []string
	outbox   []change.Notice // in their places
	journal  map[string]int
	events   int
	accounts map[string]change.Account
}

func newModel() *model {
	return &model{
		requests: make(map[string]change.Request), reveals: make(map[string]change.Reveal),
		secrets: make(map[secret.Ref]bool), done: make(map[string]bool), journal: make(map[string]int),
		accounts: make(map[string]change.Account),
	}
}

// commit says what a ledger must answer, and takes the move when it fits.
func (m *model) commit(mv change.Move) error {
	for _, key := range mv.Done {
		if m.done[key] {
			return change.ErrDone
		}
	}
	if mv.Request != nil && m.requests[mv.Request.ID].Version != mv.Version {
		return change.ErrConflict
	}
	if mv.Reveal != nil && m.reveals[mv.Reveal.ID].Version != mv.Reveal.Version {
		return change.ErrConflict
	}
	if mv.Request != nil {
		r := *mv.Request
		if r.Version = mv.Version + 1; mv.Version == 0 {
			m.order = append(m.order, r.ID)
		}
		if r.Number == 0 && r.State == change.Pending {
			m.numbers++
			r.Number = m.numbers
		}
		m.requests[r.ID] = r
	}
	if mv.Reveal != nil {
		v := *mv.Reveal
		v.Version++
		m.reveals[v.ID] = v
	}
	m.take(mv)
	return nil
}

// take keeps everything in the move that is never refused by itself.
func (m *model) take(mv change.Move) {
	m.events += len(mv.Events)
	for _, e := range mv.Journal {
		m.journal[e.Request]++
	}
	for _, s := range mv.Seal {
		m.secrets[s.Ref] = true
	}
	for _, ref := range mv.Destroy {
		m.secrets[ref] = false
	}
	for _, in := range mv.Inbox {
		if !m.done[in.Key] && !slices.Contains(m.inbox, in.Key) {
			m.inbox = append(m.inbox, in.Key)
		}
	}
	for _, key := range mv.Done {
		m.done[key] = true
		m.inbox = slices.DeleteFunc(m.inbox, func(k string) bool { return k == key })
	}
	for _, n := range mv.Notices {
		i := slices.IndexFunc(m.outbox, func(o change.Notice) bool { return o.Key == n.Key })
		if i >= 0 {
			m.outbox[i] = n
		} else {
			m.outbox = append(m.outbox, n)
		}
	}
	for _, d := range mv.Deliveries {
		m.outbox = slices.DeleteFunc(m.outbox, func(n change.Notice) bool { return n.Key == d.Key })
	}
	for _, a := range mv.Accounts {
		m.accounts[a.Site+"/"+a.Name] = a
	}
}

// bench is one run of the model check.
type bench struct {
	t     *rapid.T
	tb    testing.TB
	path  string
	s     *store.Store
	m     *model
	now   time.Time
	stale []change.Request // earlier versions, which a slow click still holds
}

// Ensure the ledger does what a few maps would do, whatever is committed in
// whatever order, old versions and repeated deliveries included, and does not
// notice being closed in between.
func TestModel(t *testing.T) {
	dir := t.TempDir()
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		b := &bench{t: rt, tb: t, path: filepath.Join(dir, fmt.Sprint(runs)), m: newModel(), now: start}
		b.open()
		defer func() {
			b.check()
			b.close()
			if err := os.Remove(b.path); err != nil {
				t.Error(err)
			}
		}()
		rt.Repeat(map[string]func(*rapid.T){
			"draft":   func(*rapid.T) { b.draft() },
			"press":   func(*rapid.T) { b.press() },
			"reveal":  func(*rapid.T) { b.reveal() },
			"deliver": func(*rapid.T) { b.deliver() },
			"inbox":   func(*rapid.T) { b.inbox() },
			"reopen":  func(*rapid.T) { b.close(); b.open() },
		})
	})
}

func (b *bench) open() {
	s, err := store.Open(b.path, store.Options{Signer: storetest.Signer(b.tb), NoSync: true})
	if err != nil {
		b.t.Fatalf("opening: %v", err)
	}
	b.s = s
}

func (b *bench) close() {
	if err := b.s.Close(); err != nil {
		b.t.Fatalf("closing: %v", err)
	}
}

// commit sends the move to both and compares the answers.
func (b *bench) commit(mv change.Move) {
	want := b.m.commit(mv)
	rc, err := b.s.Commit(b.tb.Context(), mv)
	if !errors.Is(err, want) || (err == nil) != (want == nil) {
		b.t.Fatalf("got %v, want %v", err, want)
	}
	if err == nil && rc.Request != nil {
		if d := cmp.Diff(b.m.requests[rc.Request.ID], *rc.Request); d != "" {
			b.t.Fatalf("receipt (-want +got): %s", d)
		}
	}
}

func (b *bench) draft() {
	id := fmt.Sprint("r", len(b.m.order))
	b.commit(draft(b.tb, id))
}

// press does something to a request, now or as it was once.
func (b *bench) press() {
	if len(b.m.order) == 0 {
		return
	}
	r := b.m.requests[rapid.SampledFrom(b.m.order).Draw(b.t, "request")]
	if len(b.stale) > 0 && rapid.IntRange(0, 4).Draw(b.t, "slow") == 0 {
		r = rapid.SampledFrom(b.stale).Draw(b.t, "as it was")
	}
	b.now = b.now.Add(time.Duration(rapid.IntRange(0, 10).Draw(b.t, "minutes")) * time.Minute)
	mv, err := b.pressed(r)
	if err != nil {
		return
	}
	if key := rapid.IntRange(0, 20).Draw(b.t, "key"); key < 10 {
		mv.Done = []string{fmt.Sprint("k", key)}
	}
	b.stale = append(b.stale, r)
	b.commit(mv)
}

func (b *bench) pressed(r change.Request) (change.Move, error) {
	now, step := b.now, r.Plan.Steps[0]
	switch rapid.IntRange(0, 9).Draw(b.t, "press") {
	case 0:
		return r.Discard(now, operator)
	case 1:
		return r.Deny(now, approver, "no")
	case 2:
		return r.Expire(now)
	case 3:
		return r.Begin(now, step)
	case 4:
		return r.Remind(now)
	case 5:
		account := change.Account{Site: "hq", Name: r.Plan.Intent.Account.Name, Request: r.ID, Number: r.Number, Created: now}
		return r.Complete(now, true, &account, change.NewReveal(now, r, time.UTC))
	case 6:
		return r.Attend(now, change.T("why"))
	}
	switch r.State {
	case change.Pending:
		return r.Approve(now, approver, r.Digest, "")
	case change.Approved:
		return r.Start(now)
	}
	return r.Submit(now, operator)
}

func (b *bench) reveal() {
	for _, id := range b.m.order {
		v, ok := b.m.reveals["reveal-"+id]
		if !ok || rapid.Bool().Draw(b.t, "skip") {
			continue
		}
		mv, err := v.Open(b.now, actor("staff", change.NoRole))
		if err != nil {
			mv, err = v.Close(v.Until)
		}
		if err == nil {
			b.commit(mv)
		}
	}
}

// deliver delivers the first notice, sometimes one that was renewed meanwhile.
func (b *bench) deliver() {
	out, err := b.s.Outbox(b.tb.Context(), 1)
	if err != nil {
		b.t.Fatal(err)
	}
	if len(out) == 0 {
		return
	}
	d := change.Delivery{Key: out[0].Notice.Key, Generation: out[0].Generation}
	if rapid.Bool().Draw(b.t, "renewed") {
		b.commit(change.Move{Notices: []change.Notice{out[0].Notice}})
		if _, err := b.s.Commit(b.tb.Context(), change.Move{Deliveries: []change.Delivery{d}}); err != nil {
			b.t.Fatal(err)
		}
		return
	}
	b.commit(change.Move{Deliveries: []change.Delivery{d}})
}

func (b *bench) inbox() {
	key := fmt.Sprint("k", rapid.IntRange(0, 9).Draw(b.t, "key"))
	b.commit(change.Move{Inbox: []change.Inbound{{Key: key, At: b.now, Kind: "click", Body: []byte("{}")}}})
}

// check compares everything that can be read.
func (b *bench) check() {
	ctx := b.tb.Context()
	equal := func(what string, got any, err error, want any) {
		if d := cmp.Diff(want, got); err != nil || d != "" {
			b.t.Fatalf("%s: %v (-want +got):\n%s", what, err, d)
		}
	}
	var want []change.Request
	live := make(map[change.State]int)
	for _, id := range b.m.order {
		r := b.m.requests[id]
		want = append(want, r)
		live[r.State]++
		got, err := b.s.Journal(ctx, id)
		equal("journal", len(got), err, b.m.journal[id])
		if r.Number > 0 {
			got, err := b.s.RequestByNumber(ctx, r.Number)
			equal("by number", got, err, r)
		}
	}
	got, err := b.s.Requests(ctx, change.Filter{})
	equal("requests", got, err, want)
	for _, s := range []change.State{change.Draft, change.Pending, change.Approved, change.Applying, change.Unproven, change.NeedsAttention, change.Denied} {
		got, err := b.s.Requests(ctx, change.Filter{States: []change.State{s}})
		equal(string(s), len(got), err, live[s])
	}
	for ref, there := range b.m.secrets {
		if _, err := b.s.Sealed(ctx, ref); there != (err == nil) || (!there && !errors.Is(err, secret.ErrDestroyed)) {
			b.t.Fatalf("secret %s: got %v, want there %v", ref, err, there)
		}
	}
	b.checkBoxes(equal)
	v, err := b.s.Verify(ctx, store.Proof{})
	equal("trail", v.Head.Size, err, uint64(b.m.events))
}

func (b *bench) checkBoxes(equal func(string, any, error, any)) {
	ctx := b.tb.Context()
	waiting, err := b.s.Outbox(ctx, 0)
	var notices []change.Notice
	for _, w := range waiting {
		notices = append(notices, w.Notice)
	}
	equal("outbox", notices, err, slices.Clip(append([]change.Notice(nil), b.m.outbox...)))
	box, err := b.s.Inbox(ctx)
	var keys []string
	for _, in := range box {
		keys = append(keys, in.Key)
	}
	equal("inbox", keys, err, append([]string(nil), b.m.inbox...))
	accounts, err := b.s.Accounts(ctx, "hq")
	equal("accounts", len(accounts), err, len(b.m.accounts))
	for _, a := range accounts {
		equal("account", a, nil, b.m.accounts[a.Site+"/"+a.Name])
	}
	for id, want := range b.m.reveals {
		got, err := b.s.Reveal(ctx, id)
		equal("reveal", got, err, want)
	}
}
