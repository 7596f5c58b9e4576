//go:build !nodemo

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vpnbot/change"
	"vpnbot/config"
	"vpnbot/ros/schema"
	"vpnbot/store"
)

// remains are what a bot has left behind: its ledger, the routers and Slack.
type remains struct {
	*demo
	t      *testing.T
	ledger *store.Store
	marks  map[string]int // messages in Slack by what they are marked with
	rested bool           // there was time for everything to run out
}

// exhume opens the ledger of a bot that does not run.
func exhume(t *testing.T, d *demo) *remains {
	t.Helper()
	ledger, err := store.OpenReadOnly(filepath.Join(d.dir, "ledger.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ledger.Close() })
	return &remains{demo: d, t: t, ledger: ledger}
}

// grave checks what stands at a death: a row, or a write on its way to the
// router, only with an earlier "applying" in the trail and the step begun in the
// journal; credentials on mei's screen only with an opening in the trail.
func (f *fate) grave(dead *world, where string) {
	f.t.Helper()
	m := exhume(f.t, f.w.demo)
	defer func() { _ = m.ledger.Close() }()
	f.life(dead, m)
	if c := m.checkpoint(); c.Size > 0 {
		f.notes = append(f.notes, c.Note)
	}
	password, written := f.p.password()
	for _, v := range f.w.slack.Views("U0MEI") {
		if written && strings.Contains(v.Plain(), password) && m.count(change.EventRevealed, 0) == 0 {
			f.t.Errorf("%s: credentials were shown, and the trail knows of no opening", where)
		}
	}
	if !written && !strings.Contains(where, "/ppp/secret") {
		return
	}
	if n := m.count(change.EventApplying, 0); n != 1 {
		f.t.Errorf("%s: %d requests began to be applied, want 1", where, n)
	}
	if n := m.count(change.EventStepBegin, 0); n == 0 {
		f.t.Errorf("%s: the journal knows of no write", where)
	}
}

// life checks, when a bot's life is over, that it wrote once at most, and that it
// did not even begin to when the row was there before.
func (f *fate) life(w *world, m *remains) {
	f.t.Helper()
	begun := m.count(change.EventStepBegin, 0)
	if n := w.routers[0].router.Writes(); n > 1 || f.had && (n > 0 || begun > f.begun) {
		f.t.Errorf("the router executed %d writes, %d were begun; it had the row before: %t, with %d", n, begun, f.had, f.begun)
	}
	_, f.had = f.p.password()
	f.begun = begun
}

// verdict checks the end, and returns how the request that was applied stands.
func (f *fate) verdict() change.State {
	f.t.Helper()
	m := exhume(f.t, f.w.demo)
	f.life(f.w, m)
	m.rested = true
	return m.check([]*people{f.p}, f.notes)
}

// check holds what is left to what was promised for each account, and returns how
// the last request that was applied stands.
func (m *remains) check(all []*people, notes [][]byte) (end change.State) {
	m.t.Helper()
	m.verify(notes)
	m.idle()
	m.marks = m.posted()
	requests, err := m.ledger.Requests(m.ctx(), change.Filter{})
	if err != nil {
		m.t.Fatal(err)
	}
	for _, p := range all {
		applied := 0
		for _, r := range requests {
			if r.Plan.Intent.Account.Name == p.account && m.request(p, r) {
				applied++
				end = r.State
				m.row(p, r)
			}
		}
		if applied != 1 {
			m.t.Errorf("%s: %d requests were applied, want 1", p.account, applied)
		}
	}
	m.rows(len(all))
	m.notices()
	return end
}

func (m *remains) ctx() context.Context { return m.t.Context() }

// verify checks the trail by itself and against checkpoints from outside.
func (m *remains) verify(notes [][]byte) {
	m.t.Helper()
	cfg, err := config.Load(m.configFile())
	if err != nil {
		m.t.Fatal(err)
	}
	k, err := readKeys(cfg)
	if err != nil {
		m.t.Fatal(err)
	}
	last := m.checkpoint()
	if last.Size == 0 {
		m.t.Error("nothing was signed")
	}
	for _, kind := range []change.EventKind{change.EventApplied, change.EventProven} {
		for _, e := range m.events(change.EventFilter{Kinds: []change.EventKind{kind}}) {
			if m.rested && e.Seq > last.Size {
				m.t.Errorf("no checkpoint speaks for %s, event %d: the last one has size %d", kind, e.Seq, last.Size)
			}
		}
	}
	for i, note := range append([][]byte{nil, last.Note}, notes...) {
		if _, err := m.ledger.Verify(m.ctx(), store.Proof{VerifierKey: k.signer.VerifierKey(), External: note}); err != nil {
			m.t.Errorf("verifying with proof %d: %v", i, err)
		}
	}
}

func (m *remains) checkpoint() change.Checkpoint {
	m.t.Helper()
	c, err := m.ledger.Checkpoint(m.ctx())
	if err != nil {
		m.t.Fatal(err)
	}
	return c
}

// idle checks that nothing waits to be processed or told.
func (m *remains) idle() {
	m.t.Helper()
	inbox, err := m.ledger.Inbox(m.ctx())
	if err != nil || len(inbox) > 0 {
		m.t.Errorf("the inbox holds %d deliveries, %v", len(inbox), err)
	}
	outbox, err := m.ledger.Outbox(m.ctx(), 100)
	if err != nil || len(outbox) > 0 {
		m.t.Errorf("the outbox holds %v, %v", outbox, err)
	}
}

// count returns how many events of a kind there are, of one request or of all.
func (m *remains) count(kind change.EventKind, request int64) int {
	m.t.Helper()
	return len(m.events(change.EventFilter{Kinds: []change.EventKind{kind}, Request: request}))
}

func (m *remains) events(f change.EventFilter) []change.Recorded {
	m.t.Helper()
	events, err := m.ledger.Events(m.ctx(), f)
	if err != nil {
		m.t.Fatal(err)
	}
	return events
}

// request checks how one request ended, and tells whether it was applied.
func (m *remains) request(p *people, r change.Request) bool {
	m.t.Helper()
	applied := false
	switch r.State {
	case change.Proven:
		applied = true
	case change.Unproven:
		if !p.over || p.shown {
			m.t.Errorf("%s is %s though its owner has the credentials", r.Title(), r.State)
		}
		applied = true
	case change.Discarded, change.Expired, change.Stale: // nothing was written
	case change.Draft: // a preview that nobody wanted
		if m.rested {
			m.t.Errorf("%s is still there", r.Title())
		}
		return false
	default:
		m.t.Errorf("%s ended %q", r.Title(), r.State)
	}
	want := map[change.EventKind]int{change.EventAttention: 0, change.EventReverted: 0, change.EventDenied: 0}
	for _, kind := range []change.EventKind{change.EventApplying, change.EventStepDone, change.EventApplied, change.EventGranted} {
		want[kind] = btoi(applied)
	}
	want[change.EventProven] = btoi(r.State == change.Proven)
	if r.Number > 0 {
		want[change.EventSubmitted] = 1
		want[change.EventApproved] = len(r.Approvals) // each approval that lapsed asked for another one
		want[change.EventLapsed] = max(0, len(r.Approvals)-1)
		for kind, n := range want {
			if got := m.count(kind, r.Number); got != n {
				m.t.Errorf("%s, %s: %d events %s, want %d", r.Title(), r.State, got, kind, n)
			}
		}
		m.card(r)
	}
	if journal, err := m.ledger.Journal(m.ctx(), r.ID); err != nil || (len(journal) > 0) != applied {
		m.t.Errorf("%s, %s: the journal has %d entries, %v", r.Title(), r.State, len(journal), err)
	}
	for _, ref := range r.Plan.SecretRefs() {
		if _, err := m.ledger.Sealed(m.ctx(), ref); err == nil && (m.rested || !applied) {
			m.t.Errorf("%s, %s: the password is still kept", r.Title(), r.State)
		}
	}
	if applied {
		m.reveal(p, r)
	}
	return applied
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// card checks that the request's one card says how it ended.
func (m *remains) card(r change.Request) {
	m.t.Helper()
	want := map[change.State]string{
		change.Proven: "已驗證", change.Unproven: "已套用未驗證", change.Expired: "逾時未核准", change.Stale: "現況已變",
	}[r.State]
	for _, msg := range m.slack.Messages("U0ANN", "C0VPNOPS") {
		if markIn(msg) != "card:"+r.ID {
			continue
		}
		if found := cardState.FindStringSubmatch(msg.Plain()); found == nil || found[1] != want {
			m.t.Errorf("%s, %s: the card says %q", r.Title(), r.State, found)
		}
	}
}

// reveal checks that the owner could open the credentials, and no more.
func (m *remains) reveal(p *people, r change.Request) {
	m.t.Helper()
	v, err := m.ledger.Reveal(m.ctx(), "reveal-"+r.ID)
	if err != nil {
		m.t.Fatal(err)
	}
	if v.Closed.IsZero() && m.rested || v.Counted() > change.OpeningsAllowed {
		m.t.Errorf("%s: closed %v, opened %d times", r.Title(), v.Closed, v.Counted())
	}
	if !p.shown && !p.over {
		m.t.Errorf("%s: its owner saw neither the credentials nor a refusal", r.Title())
	}
	if got := m.count(change.EventRevealed, r.Number); got != len(v.Openings) {
		m.t.Errorf("%s: %d openings, %d events of it", r.Title(), len(v.Openings), got)
	}
	if a, err := m.ledger.Account(m.ctx(), "hq", p.account); err != nil || a.Request != r.ID || (a.Connected != nil) != (r.State == change.Proven) {
		m.t.Errorf("%s: account %+v, %v", r.Title(), a, err)
	}
}

// row checks that the router has one row for the account: the planned one.
func (m *remains) row(p *people, r change.Request) {
	m.t.Helper()
	menu, _ := schema.Lookup("/ppp/secret")
	step := r.Plan.Steps[0]
	var have []schema.Row
	for _, row := range m.routers[0].router.Rows(step.Menu) {
		if strings.EqualFold(row["name"], p.account) {
			have = append(have, row)
		}
	}
	if len(have) != 1 || !change.HasMark(have[0]["comment"], r.Number, step.ID) {
		m.t.Fatalf("%s: rows %v", r.Title(), have)
	}
	for name, want := range step.After {
		got := have[0][name]
		if name == "comment" {
			got = change.Unmarked(got)
		}
		if !menu.Same(name, got, want) {
			m.t.Errorf("%s: %s is %q, want %q", r.Title(), name, got, want)
		}
	}
}

// rows checks that the routers hold nothing else that is new.
func (m *remains) rows(added int) {
	m.t.Helper()
	for i, o := range m.routers {
		want := len(o.Accounts)
		if i == 0 {
			want += added
		}
		if got := len(o.router.Rows("/ppp/secret")); got != want {
			m.t.Errorf("%s has %d accounts, want %d", o.Router, got, want)
		}
	}
}

// posted counts the messages that are marked, wherever they stand.
func (m *remains) posted() map[string]int {
	marks := map[string]int{}
	seen := map[string]bool{}
	for _, user := range []string{"U0ANN", "U0OLIVE", "U0MEI"} {
		for _, channel := range []string{"C0VPNOPS", "C0VPNAUDIT", m.slack.Direct(user)} {
			for _, msg := range m.slack.Messages(user, channel) {
				if mark := markIn(msg); mark != "" && !seen[channel+msg.TS] {
					seen[channel+msg.TS] = true
					key, _, _ := strings.Cut(mark, "#")
					marks[key]++
				}
			}
		}
	}
	return marks
}

// notices checks that everything that was to be told stands in Slack once.
func (m *remains) notices() {
	m.t.Helper()
	want := map[string]int{}
	requests, err := m.ledger.Requests(m.ctx(), change.Filter{})
	if err != nil {
		m.t.Fatal(err)
	}
	for _, r := range requests {
		if r.Number == 0 {
			continue
		}
		want["card:"+r.ID], want["outcome:"+r.ID] = 1, m.count(change.EventAttention, r.Number)
		if r.State != change.NeedsAttention {
			want["outcome:"+r.ID]++
		}
		for prefix, kind := range map[string]change.EventKind{"reminder:": change.EventReminded, "logs:": change.EventLogged} {
			if n := m.count(kind, r.Number); n > 0 {
				want[prefix+r.ID] = n
			}
		}
		// One account at most has a date, and the request that gave it is named.
		if a := r.Plan.Intent.Account; a != nil && !a.Expires.IsZero() && a.Do != change.AccountExpire {
			if n := m.count(change.EventWarned, 0); n > 0 {
				want["expiring:"+r.ID+":"+change.WarnLate.String()+":"+string(change.ChannelApprovals)] = n
			}
		}
		if r.State == change.Proven {
			want["proven:"+r.ID] = 1
		}
		if m.told(r) {
			want["account:"+r.ID] = 1
		}
		for _, v := range m.reveals(r) {
			want["credentials:"+v.ID] = 1
			for i := range v.Openings {
				want[fmt.Sprintf("opened:%s:%d", v.ID, i+1)] = 1
			}
			if v.Counted() == 0 && !v.Closed.IsZero() && !v.Closed.Before(v.Until) { // another password may have come first
				want["unopened:"+v.ID] = 1
			}
		}
	}
	checkpoints, err := m.ledger.Checkpoints(m.ctx())
	if err != nil {
		m.t.Fatal(err)
	}
	for _, c := range checkpoints {
		want[fmt.Sprintf("checkpoint:%d", c.Size)] = 1
	}
	for _, key := range slices.Sorted(keysOf(want, m.marks)) {
		if m.marks[key] != want[key] {
			m.t.Errorf("%s stands in Slack %d times, want %d", key, m.marks[key], want[key])
		}
	}
}

// told tells whether the owner of an account hears what was done with it.
func (m *remains) told(r change.Request) bool {
	if r.Plan.Intent.Account == nil || r.Plan.Reveal != nil || !made(r.State) {
		return false
	}
	a, err := m.ledger.Account(m.ctx(), r.Plan.Intent.Site, r.Plan.Intent.Account.Name)
	return err == nil && a.Owner != "" && a.Owner != r.Requester
}

// reveals are all those of a request.
func (m *remains) reveals(r change.Request) []change.Reveal {
	var all []change.Reveal
	ids := []string{"reveal-" + r.ID}
	for i := range r.Plan.HandOut {
		ids = append(ids, fmt.Sprintf("reveal-%s-%d", r.ID, i+1))
	}
	for _, id := range ids {
		if v, err := m.ledger.Reveal(m.ctx(), id); err == nil {
			all = append(all, v)
		}
	}
	return all
}

// keysOf are the keys of several maps, each once.
func keysOf(all ...map[string]int) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		seen := map[string]bool{}
		for _, m := range all {
			for key := range m {
				if !seen[key] && !yield(key) {
					return
				}
				seen[key] = true
			}
		}
	}
}
