package change_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vpnbot/change"
)

// Ensure approval is refused for the right reason, the first that applies.
func TestRequest_Approve(t *testing.T) {
	late := start.Add(24 * time.Hour)
	elsewhere := anna
	elsewhere.Person.Sites = []string{"fengshan"}
	here := anna
	here.Person.Sites = []string{"fengshan", "hq"}
	olgaToo := olga
	olgaToo.Slack = &change.SlackID{Team: "T1", User: "USECOND"}
	olgaToo.Person.Role = change.Approver
	for name, c := range map[string]struct {
		rule   change.Rule
		by     change.Actor
		at     time.Time
		digest string // empty: the right one
		reason string
		want   error
	}{
		"approver":                    {by: anna},
		"approver of the site":        {by: here},
		"approver of another site":    {by: elsewhere, want: change.ErrNotAllowed},
		"operator":                    {by: actor("otto", change.Operator, "U9"), want: change.ErrNotAllowed},
		"nobody":                      {by: staff, want: change.ErrNotAllowed},
		"unlisted":                    {by: actor("slack:T1/U7", change.NoRole, "U7"), want: change.ErrNotAllowed},
		"requester":                   {by: olga, want: change.ErrSelfApproval},
		"requester's second Slack ID": {by: olgaToo, want: change.ErrSelfApproval},
		"requester, too late":         {by: olga, at: late, want: change.ErrExpired},
		"the bot itself":              {by: change.System(), want: change.ErrSelfApproval},
		"too late":                    {by: anna, at: late, want: change.ErrExpired},
		"at the last moment":          {by: anna, at: start.Add(change.PendingLife), want: change.ErrExpired},
		"just before":                 {by: anna, at: start.Add(change.PendingLife - 1)},
		"another digest":              {by: anna, digest: "00", want: change.ErrDigest},
		"named":                       {rule: change.Rule{People: []change.PersonID{"anna"}}, by: anna},
		"not named":                   {rule: change.Rule{People: []change.PersonID{"anna"}}, by: bert, want: change.ErrNotAllowed},
		"named operator":              {rule: change.Rule{People: []change.PersonID{"otto"}}, by: actor("otto", change.Operator, "U9"), want: change.ErrNotAllowed},
		"reason as wanted":            {rule: change.Rule{Reason: `CHG-\d+`}, by: anna, reason: "CHG-7"},
		"reason with more around":     {rule: change.Rule{Reason: `CHG-\d+`}, by: anna, reason: "see CHG-7", want: change.ErrReason},
		"reason of two lines":         {rule: change.Rule{Reason: `CHG-\d+`}, by: anna, reason: "CHG-7\nCHG-8", want: change.ErrReason},
		"reason missing":              {rule: change.Rule{Reason: `CHG-\d+`}, by: anna, want: change.ErrReason},
		"pattern that is none":        {rule: change.Rule{Reason: `(`}, by: anna, reason: "(", want: change.ErrReason},
		"one branch of a pattern":     {rule: change.Rule{Reason: `a|b`}, by: anna, reason: "ax", want: change.ErrReason},
	} {
		r := ruled(t, change.Pending, c.rule)
		digest, at := c.digest, c.at
		if digest == "" {
			digest = r.Digest
		}
		if at.IsZero() {
			at = start
		}
		m, err := r.Approve(at, c.by, digest, c.reason)
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
			continue
		}
		if err != nil {
			continue
		}
		a := m.Request.Approvals[0]
		if a.Person != c.by.Person.ID || a.Slack != c.by.Slack || a.Digest != r.Digest || !a.At.Equal(at) || a.Reason != c.reason {
			t.Errorf("%s: got approval %+v", name, a)
		}
		if m.Events[0].Facts["reason"] != c.reason {
			t.Errorf("%s: got facts %v", name, m.Events[0].Facts)
		}
	}
}

// Ensure one person counts once, under whatever Slack ID.
func TestRequest_Approve_Twice(t *testing.T) {
	r := ruled(t, change.Pending, change.Rule{Approvals: 2})
	m, err := r.Approve(start, anna, r.Digest, "")
	r = must(t, m, err)
	if r.State != change.Pending || m.Events[0].Kind != change.EventApproval || r.Missing() != 1 {
		t.Fatalf("after one of two: %s, %s, %d missing", r.State, m.Events[0].Kind, r.Missing())
	}
	second := anna
	second.Slack = &change.SlackID{Team: "T1", User: "USECOND"}
	for _, by := range []change.Actor{anna, second} {
		if _, err := r.Approve(start, by, r.Digest, ""); !errors.Is(err, change.ErrTwice) {
			t.Errorf("%v: got %v, want ErrTwice", by.Slack, err)
		}
	}
	// Who said yes may still say no.
	if m, err := r.Deny(start, anna, "changed my mind"); err != nil || m.Request.DecidedBy != "anna" {
		t.Errorf("got %v", err)
	}
	m, err = r.Approve(start, bert, r.Digest, "")
	if r = must(t, m, err); r.State != change.Approved || m.Events[0].Kind != change.EventApproved {
		t.Errorf("after two of two: %s, %s", r.State, m.Events[0].Kind)
	}
}

// Ensure the first fitting rule decides and none asks for less than one approval.
func TestRules_For(t *testing.T) {
	rules := change.Rules{
		{Verbs: []string{"redo"}, Sites: []string{"hq"}, Approvals: 3},
		{Verbs: []string{"redo"}, Approvals: 2},
		{Sites: []string{"lab"}},
	}
	for _, c := range []struct {
		rules      change.Rules
		verb, site string
		want       int
	}{
		{rules, "redo", "hq", 3},
		{rules, "redo", "fengshan", 2},
		{rules, "redo", "lab", 2},
		{rules, "adduser", "lab", 1},
		{rules, "adduser", "hq", 1},
		{nil, "adduser", "hq", 1},
		{change.Rules{{Approvals: -4}}, "adduser", "hq", 1},
	} {
		if got := c.rules.For(c.verb, c.site).Approvals; got != c.want {
			t.Errorf("%s at %s: got %d, want %d", c.verb, c.site, got, c.want)
		}
	}
	if got := ruled(t, change.Pending, change.Rule{}).Missing(); got != 1 {
		t.Errorf("a rule without a number: %d missing, want 1", got)
	}
}

// Ensure that two rules together ask for what both ask for, and the first holds where
// nobody could meet both.
func TestRule_And(t *testing.T) {
	anyTwo := change.Rule{Approvals: 2}
	chief := change.Rule{Approvals: 1, People: []change.PersonID{"chief"}, Reason: "^CHG-"}
	three := change.Rule{Approvals: 1, People: []change.PersonID{"ann", "ben", "chief"}}
	for _, c := range []struct {
		name       string
		r, o, want change.Rule
	}{
		{"numbers", change.Rule{Approvals: 1}, anyTwo, anyTwo},
		{"people and reason of the second", change.Rule{Approvals: 1}, chief, chief},
		{"people and reason of the first", chief, change.Rule{Approvals: 1}, chief},
		{"people of both", three, chief, chief},
		{"more approvals than people", chief, anyTwo, chief},
		{"enough people", three, anyTwo, change.Rule{Approvals: 2, People: three.People}},
		{"nobody in both", change.Rule{Approvals: 1, People: []change.PersonID{"ann"}}, chief, change.Rule{Approvals: 1, People: []change.PersonID{"ann"}}},
	} {
		if got := c.r.And(c.o); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

// Ensure that whatever people press, in whatever order and whenever, nobody
// approves their own request, nobody counts twice, an ended request stays, what
// starts was approved as it is, and every move has its event.
func TestRequest_Invariants(t *testing.T) {
	people := []change.Actor{
		olga, anna, bert, carla, staff, change.System(),
		actor("olga", change.Approver, "USECOND"), actor("anna", change.Approver, "USECOND2"),
	}
	rapid.Check(t, func(t *rapid.T) {
		need := rapid.IntRange(0, 3).Draw(t, "approvals")
		m, err := change.NewDraft(start, "id-1", plan(), olga, change.Rule{Approvals: need}, nil)
		if err != nil {
			t.Fatal(err)
		}
		r, now := *m.Request, start
		for range rapid.IntRange(1, 25).Draw(t, "moves") {
			now = now.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "minutes")) * time.Minute)
			by := rapid.SampledFrom(people).Draw(t, "by")
			was := r
			m, err := press(t, r, now, by)
			if err != nil {
				if m.Request != nil || len(m.Events) != 0 || len(m.Destroy) != 0 {
					t.Fatalf("a refusal came with a move: %v", err)
				}
				continue
			}
			r = *m.Request
			r.Version++
			holds(t, was, r, m, need)
		}
	})
}

func press(t *rapid.T, r change.Request, now time.Time, by change.Actor) (change.Move, error) {
	step := r.Plan.Steps[0]
	switch rapid.IntRange(0, 15).Draw(t, "press") {
	case 0:
		return r.Submit(now, by)
	case 1:
		return r.Discard(now, by)
	case 2:
		return r.Deny(now, by, "no")
	case 3:
		return r.Cancel(now, by, "")
	case 4:
		return r.Expire(now)
	case 5:
		return r.Lapse(now)
	case 6:
		return r.Start(now)
	case 7:
		return r.Begin(now, step)
	case 8:
		return r.Complete(now, true, nil, change.NewReveal(now, r, time.UTC))
	case 9:
		return r.Attend(now, change.T("why"))
	case 10:
		return r.Release(now, by, "by hand")
	case 11:
		return r.Approve(now, by, "00", "")
	}
	return r.Approve(now, by, r.Digest, "")
}

func holds(t *rapid.T, was, r change.Request, m change.Move, need int) {
	if was.State.Ended() {
		t.Fatalf("moved from %s to %s", was.State, r.State)
	}
	valid := make(map[change.PersonID]bool)
	lapsed := false
	for _, a := range r.Approvals {
		if a.Person == r.Requester {
			t.Fatal("the requester approved")
		}
		if a.Digest != r.Digest {
			t.Fatal("another digest was approved")
		}
		lapsed = lapsed || a.Lapsed
		if a.Lapsed {
			continue
		}
		if valid[a.Person] {
			t.Fatalf("%s counts twice", a.Person)
		}
		valid[a.Person] = true
	}
	if r.State == change.Approved && len(valid) < max(1, need) && !lapsed {
		t.Fatalf("approved by %d of %d", len(valid), need)
	}
	if r.State == change.Applying && was.State != change.Applying && was.State != change.Approved {
		t.Fatalf("started from %s", was.State)
	}
	e := m.Events[0]
	if e.From != was.State || e.To != r.State || m.From != was.State || m.To != r.State || m.Version != was.Version {
		t.Fatalf("event %+v for %s to %s", e, was.State, r.State)
	}
	if r.State.Ended() && len(m.Destroy) == 0 {
		t.Fatalf("a secret outlives %s", r.State)
	}
}

// Ensure the error says which state there is.
func TestStateError(t *testing.T) {
	err := fmt.Errorf("approving: %w", &change.StateError{Have: change.Denied, Want: change.Pending})
	if got, want := err.Error(), "approving: request is denied, not pending"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
