package store_test

import (
	"fmt"
	"testing"
	"time"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/ros/schema"
	"vpnbot/store"
)

// start is where the tests' time begins: a Monday.
var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func actor(name string, role change.Role) change.Actor {
	id := change.SlackID{Team: "T1", User: "U" + name}
	return change.Actor{Person: change.Person{ID: change.PersonID(name), Name: name, Role: role}, Slack: &id}
}

var (
	operator = actor("olga", change.Operator)
	approver = actor("anna", change.Approver)
)

func sealingKey(t testing.TB) secret.Key {
	t.Helper()
	k, err := secret.NewKey(make([]byte, secret.KeySize))
	if err != nil {
		t.Fatalf("making key: %v", err)
	}
	return k
}

// plan is the plan of an adduser with one secret.
func plan(account string, ref secret.Ref) change.Plan {
	return change.Plan{
		Intent: change.Intent{Verb: "adduser", Site: "hq", Account: &change.AccountIntent{Name: account, Owner: "staff"}},
		Steps: []change.Step{{
			ID: 1, Router: "gw1", Menu: "/ppp/secret", Action: schema.Add, Class: change.Twin,
			Match: schema.Row{"name": account}, After: schema.Row{"name": account, "service": "l2tp"},
			Secrets: map[string]secret.Ref{"password": ref},
		}},
		Reveal:  &change.Credentials{Site: "hq", Server: "vpn.example", Account: account, Reader: "staff", Password: ref},
		Summary: change.T("plan.adduser.summary", "account", account),
	}
}

// draft returns the move that makes request id.
func draft(t testing.TB, id string) change.Move {
	t.Helper()
	ref := secret.Ref("ref-" + id)
	sealed := sealingKey(t).Seal(ref, secret.New("hunter2-"+id))
	m, err := change.NewDraft(start, id, plan("vpn-"+id, ref), operator, change.Rule{Approvals: 1}, []secret.Sealed{sealed})
	if err != nil {
		t.Fatalf("drafting %s: %v", id, err)
	}
	return m
}

func commit(t testing.TB, s *store.Store, m change.Move, err error) change.Receipt {
	t.Helper()
	if err != nil {
		t.Fatalf("transition: %v", err)
	}
	rc, err := s.Commit(t.Context(), m)
	if err != nil {
		t.Fatalf("committing: %v", err)
	}
	return rc
}

// pending brings request id to be pending.
func pending(t testing.TB, s *store.Store, id string) change.Request {
	t.Helper()
	r := *commit(t, s, draft(t, id), nil).Request
	m, err := r.Submit(start.Add(time.Minute), operator)
	return *commit(t, s, m, err).Request
}

// applied brings request id to "applied, unproven" with an open reveal.
func applied(t testing.TB, s *store.Store, id string) change.Receipt {
	t.Helper()
	r := pending(t, s, id)
	now := start.Add(2 * time.Minute)
	m, err := r.Approve(now, approver, r.Digest, "")
	r = *commit(t, s, m, err).Request
	m, err = r.Start(now)
	r = *commit(t, s, m, err).Request
	m, err = r.Begin(now, r.Plan.Steps[0])
	r = *commit(t, s, m, err).Request
	m, err = r.Finish(now, r.Plan.Steps[0])
	r = *commit(t, s, m, err).Request
	account := change.Account{
		Site: "hq", Router: "gw1", Name: "vpn-" + id, Owner: "staff", Reader: "staff",
		Request: r.ID, Number: r.Number, Created: now,
	}
	m, err = r.Complete(now, true, &account, change.NewReveal(now, r, time.UTC))
	return commit(t, s, m, err)
}

// events is a move of n events and nothing else.
func events(n int) change.Move {
	var m change.Move
	for i := range n {
		m.Events = append(m.Events, change.Event{
			At: start, Kind: change.EventRefused, Actor: "olga",
			Facts: map[string]string{"n": fmt.Sprint(i)},
		})
	}
	return m
}
