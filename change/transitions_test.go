package change_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"vpnbot/change"
	"vpnbot/change/secret"
)

var allStates = []change.State{
	change.Draft, change.Pending, change.Approved, change.Applying, change.Committed, change.Applied,
	change.Unproven, change.Proven, change.Discarded, change.Cancelled, change.Denied, change.Expired,
	change.Stale, change.Reverted, change.NeedsAttention,
}

// transition is one way in which a request moves.
type transition struct {
	name string
	do   func(change.Request) (change.Move, error)
	to   map[change.State]change.State // from which states, and where to
	kind change.EventKind
	// wipes tells that the plan's secrets are destroyed.
	wipes bool
}

func transitions() []transition {
	soon, late := start.Add(time.Minute), start.Add(24*time.Hour)
	step := plan().Steps[0]
	stay := func(s ...change.State) map[change.State]change.State {
		m := make(map[change.State]change.State)
		for _, s := range s {
			m[s] = s
		}
		return m
	}
	from := func(to change.State, s ...change.State) map[change.State]change.State {
		m := stay(s...)
		for s := range m {
			m[s] = to
		}
		return m
	}
	why := change.T("why.test")
	return []transition{
		{"Submit", func(r change.Request) (change.Move, error) { return r.Submit(soon, olga) }, from(change.Pending, change.Draft), change.EventSubmitted, false},
		{"Discard", func(r change.Request) (change.Move, error) { return r.Discard(soon, olga) }, from(change.Discarded, change.Draft), change.EventDiscarded, true},
		{"Approve", func(r change.Request) (change.Move, error) { return r.Approve(soon, bert, r.Digest, "") }, from(change.Approved, change.Pending), change.EventApproved, false},
		{"Deny", func(r change.Request) (change.Move, error) { return r.Deny(soon, bert, "no") }, from(change.Denied, change.Pending), change.EventDenied, true},
		{"Cancel", func(r change.Request) (change.Move, error) { return r.Cancel(soon, olga, "") }, from(change.Cancelled, change.Pending, change.Approved), change.EventCancelled, true},
		{"Expire", func(r change.Request) (change.Move, error) { return r.Expire(late) }, map[change.State]change.State{change.Pending: change.Expired, change.Draft: change.Discarded}, "", true},
		{"Lapse", func(r change.Request) (change.Move, error) { return r.Lapse(late) }, from(change.Pending, change.Approved), change.EventLapsed, false},
		{"Remind", func(r change.Request) (change.Move, error) { return r.Remind(soon) }, stay(change.Pending), change.EventReminded, false},
		{"Overtake", func(r change.Request) (change.Move, error) { return r.Overtake(soon, change.Moved{Router: "gw1"}) }, from(change.Stale, change.Pending, change.Approved), change.EventStale, true},
		{"Revoke", func(r change.Request) (change.Move, error) { return r.Revoke(soon, why) }, from(change.Stale, change.Approved), change.EventStale, true},
		{"Start", func(r change.Request) (change.Move, error) { return r.Start(soon) }, from(change.Applying, change.Approved), change.EventApplying, false},
		{"Wait", func(r change.Request) (change.Move, error) { return r.Wait(soon, why) }, stay(change.Approved, change.Applying), change.EventWaiting, false},
		{"Begin", func(r change.Request) (change.Move, error) { return r.Begin(soon, step) }, stay(change.Applying), change.EventStepBegin, false},
		{"Lost", func(r change.Request) (change.Move, error) { return r.Lost(soon, step, "timeout") }, stay(change.Applying), change.EventStepUnknown, false},
		{"Finish", func(r change.Request) (change.Move, error) { return r.Finish(soon, step) }, stay(change.Applying), change.EventStepDone, false},
		{"Recover", func(r change.Request) (change.Move, error) { return r.Recover(soon, 2) }, stay(change.Applying), change.EventRecovering, false},
		{"Complete", func(r change.Request) (change.Move, error) {
			return r.Complete(soon, true, &change.Account{Name: "vpn-01"}, change.NewReveal(soon, r, time.UTC))
		}, from(change.Unproven, change.Applying), change.EventApplied, false},
		{"Complete proven at once", func(r change.Request) (change.Move, error) { return r.Complete(soon, false, nil, nil) }, from(change.Applied, change.Applying), change.EventApplied, true},
		{"Prove", func(r change.Request) (change.Move, error) { return r.Prove(soon, change.Account{Name: "vpn-01"}) }, from(change.Proven, change.Unproven), change.EventProven, false},
		{"Fail", func(r change.Request) (change.Move, error) { return r.Fail(soon, why) }, from(change.Reverted, change.Applying), change.EventReverted, true},
		{"Attend", func(r change.Request) (change.Move, error) { return r.Attend(soon, why) }, from(change.NeedsAttention, change.Applying), change.EventAttention, false},
		{"Release", func(r change.Request) (change.Move, error) { return r.Release(soon, anna, "by hand") }, from(change.Stale, change.NeedsAttention), change.EventReleased, true},
	}
}

// Ensure every transition works from its states and from no other, and that what
// it returns is a whole move: event, version, secrets wiped where a request ends.
func TestTransitions(t *testing.T) {
	for _, tr := range transitions() {
		for _, s := range allStates {
			r := request(t, s)
			before := dump(t, r)
			m, err := tr.do(r)
			if after := dump(t, r); after != before {
				t.Errorf("%s from %q changed the request it was called on", tr.name, s)
			}
			want, ok := tr.to[s]
			if !ok {
				if se, is := errors.AsType[*change.StateError](err); !is || se.Have != s {
					t.Errorf("%s from %q: got %v, want a StateError", tr.name, s, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s from %q: %v", tr.name, s, err)
				continue
			}
			checkMove(t, tr, r, m, want)
		}
	}
}

func checkMove(t *testing.T, tr transition, r change.Request, m change.Move, want change.State) {
	t.Helper()
	where := tr.name + " from " + string(r.State)
	n := m.Request
	if n.State != want || m.To != want || m.From != r.State || m.Version != r.Version {
		t.Errorf("%s: got %q (%q to %q, version %d), want %q", where, n.State, m.From, m.To, m.Version, want)
	}
	if n.Digest != r.Digest || n.ID != r.ID || n.Number != r.Number || n.Requester != r.Requester {
		t.Errorf("%s changed what never changes", where)
	}
	e := m.Events[0]
	if e.From != r.State || e.To != want || e.Digest != r.Digest || (e.Request != r.Number && e.Draft != r.ID) || (tr.kind != "" && e.Kind != tr.kind) {
		t.Errorf("%s: got event %+v", where, e)
	}
	if wiped := slices.Equal(m.Destroy, []secret.Ref{"ref-1"}); wiped != tr.wipes {
		t.Errorf("%s: secrets wiped %v, want %v", where, wiped, tr.wipes)
	}
	if ended := want.Ended() || want == change.Unproven; ended == n.Ended.IsZero() {
		t.Errorf("%s: ended at %v in %q", where, n.Ended, want)
	}
	card := slices.ContainsFunc(m.Notices, func(n change.Notice) bool { return n.Kind == change.NoticeCard })
	if visible := want != change.Discarded && tr.name != "Remind"; card != visible {
		t.Errorf("%s: card %v, want %v", where, card, visible)
	}
	for _, n := range m.Notices {
		if n.Key == "" || (n.Audience.Channel == "") == (n.Audience.Person == "") {
			t.Errorf("%s: notice %+v", where, n)
		}
	}
}

// Ensure a draft holds its plan's digest, and that an empty plan makes none.
func TestNewDraft(t *testing.T) {
	m, err := change.NewDraft(start, "id-1", plan(), olga, change.Rule{Approvals: 1}, []secret.Sealed{{Ref: "ref-1"}})
	if err != nil {
		t.Fatal(err)
	}
	digest, err := plan().Digest()
	if err != nil {
		t.Fatal(err)
	}
	r := m.Request
	if r.State != change.Draft || r.Digest != digest || r.Requester != "olga" || !r.Expires.Equal(start.Add(change.DraftLife)) {
		t.Errorf("got %+v", r)
	}
	if m.Version != 0 || m.From != "" || m.To != change.Draft || len(m.Seal) != 1 || len(m.Notices) != 0 {
		t.Errorf("got move %+v", m)
	}
	if e := m.Events[0]; e.Kind != change.EventDrafted || e.Draft != "id-1" || e.To != change.Draft {
		t.Errorf("got event %+v", e)
	}
	if _, err := change.NewDraft(start, "id-1", change.Plan{}, olga, change.Rule{}, nil); !errors.Is(err, change.ErrEmptyPlan) {
		t.Errorf("got %v, want ErrEmptyPlan", err)
	}
}

// Ensure each refusal has its own error.
func TestTransitions_Refused(t *testing.T) {
	draft, pending, approved := request(t, change.Draft), request(t, change.Pending), request(t, change.Approved)
	attention := request(t, change.NeedsAttention)
	late := start.Add(24 * time.Hour)
	step := plan().Steps[0]
	tampered := approved
	tampered.Plan.Steps = append(slices.Clone(approved.Plan.Steps), step)
	unapproved := approved
	unapproved.Approvals = nil
	other := approved
	other.Approvals = []change.Approval{{Person: "anna", At: start, Digest: "00"}}
	self := approved
	self.Approvals = []change.Approval{{Person: "olga", At: start, Digest: approved.Digest}}
	for name, c := range map[string]struct {
		do   func() (change.Move, error)
		want error
	}{
		"submit by another":           {func() (change.Move, error) { return draft.Submit(start, anna) }, change.ErrNotAllowed},
		"submit too late":             {func() (change.Move, error) { return draft.Submit(late, olga) }, change.ErrExpired},
		"discard by another":          {func() (change.Move, error) { return draft.Discard(start, anna) }, change.ErrNotAllowed},
		"cancel by another":           {func() (change.Move, error) { return pending.Cancel(start, anna, "") }, change.ErrNotAllowed},
		"deny by the requester":       {func() (change.Move, error) { return pending.Deny(start, olga, "") }, change.ErrSelfApproval},
		"deny without the role":       {func() (change.Move, error) { return pending.Deny(start, staff, "") }, change.ErrNotAllowed},
		"start too late":              {func() (change.Move, error) { return approved.Start(start.Add(change.ApprovalLife)) }, change.ErrExpired},
		"start another plan":          {func() (change.Move, error) { return tampered.Start(start) }, change.ErrDigest},
		"start unapproved":            {func() (change.Move, error) { return unapproved.Start(start) }, change.ErrExpired},
		"start on another approval":   {func() (change.Move, error) { return other.Start(start) }, change.ErrDigest},
		"start on one's own approval": {func() (change.Move, error) { return self.Start(start) }, change.ErrDigest},
		"release by an operator":      {func() (change.Move, error) { return attention.Release(start, olga, "x") }, change.ErrNotAllowed},
		"release without a reason":    {func() (change.Move, error) { return attention.Release(start, anna, "") }, change.ErrReason},
	} {
		if m, err := c.do(); !errors.Is(err, c.want) || m.Request != nil {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	if _, err := pending.Expire(start); err == nil {
		t.Error("expired before its time")
	}
	if _, err := approved.Lapse(start); err == nil {
		t.Error("lapsed before its time")
	}
}

// Ensure an approved request that could not start needs one more yes, to the same
// digest, from somebody who may have said yes before.
func TestLapse(t *testing.T) {
	r := ruled(t, change.Pending, change.Rule{Approvals: 2})
	m, err := r.Approve(start, anna, r.Digest, "")
	r = must(t, m, err)
	m, err = r.Approve(start, bert, r.Digest, "")
	r = must(t, m, err)
	if r.State != change.Approved {
		t.Fatalf("got %s after two of two", r.State)
	}
	late := start.Add(change.ApprovalLife)
	m, err = r.Lapse(late)
	lapsed := must(t, m, err)
	if lapsed.State != change.Pending || lapsed.Missing() != 1 || !lapsed.Expires.Equal(late.Add(change.PendingLife)) {
		t.Fatalf("got %s, %d missing, until %v", lapsed.State, lapsed.Missing(), lapsed.Expires)
	}
	if r.Approvals[0].Lapsed {
		t.Error("lapsing changed the request it was called on")
	}
	if _, err := lapsed.Approve(late, olga, lapsed.Digest, ""); !errors.Is(err, change.ErrSelfApproval) {
		t.Errorf("got %v, want ErrSelfApproval", err)
	}
	if _, err := lapsed.Approve(late, anna, "00", ""); !errors.Is(err, change.ErrDigest) {
		t.Errorf("got %v, want ErrDigest", err)
	}
	m, err = lapsed.Approve(late, anna, lapsed.Digest, "")
	again := must(t, m, err)
	if again.State != change.Approved || again.Missing() != 0 {
		t.Fatalf("got %s, %d missing", again.State, again.Missing())
	}
	m, err = again.Start(late.Add(time.Minute))
	if r := must(t, m, err); r.State != change.Applying {
		t.Errorf("got %s", r.State)
	}
}

// Ensure titles and subjects are what people and locks go by.
func TestRequest_Names(t *testing.T) {
	d, p := request(t, change.Draft), request(t, change.Pending)
	if d.Title() != "draft" || p.Title() != "#42" {
		t.Errorf("got %q and %q", d.Title(), p.Title())
	}
	if p.Subject() != "account hq/vpn-01" {
		t.Errorf("got %q", p.Subject())
	}
	p.Plan.Intent = change.Intent{Verb: "redo", Site: "fengshan"}
	if p.Subject() != "redo fengshan" {
		t.Errorf("got %q", p.Subject())
	}
}
