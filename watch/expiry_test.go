package watch_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/watch"
)

// dated brings a new account with an end as far as its router holds it.
func (w *world) dated(name string, expires time.Time) change.Request {
	w.t.Helper()
	now := time.Now()
	w.unproven(name)
	a, err := w.ledger.Account(w.t.Context(), "hq", name)
	if err != nil {
		w.t.Fatal(err)
	}
	// The date stands in the approved plan of a request of its own.
	plan := change.Plan{
		Intent:  change.Intent{Verb: "extend", Site: "hq", Account: &change.AccountIntent{Name: name, Do: change.AccountExtend, Owner: "staff", Expires: expires}},
		Routers: []string{"gw1"}, Summary: change.T("plan.account.summary.extend"),
	}
	r := w.commit(change.NewDraft(now, "date-"+name, plan, actor("olga", change.Operator), change.Rule{Approvals: 1}, nil))
	r = w.commit(r.Submit(now, actor("olga", change.Operator)))
	r = w.commit(r.Approve(now, actor("anna", change.Approver), r.Digest, ""))
	r = w.commit(r.Start(now))
	a = a.After(now, r)
	r = w.commit(r.Complete(now, false, &a, nil))
	w.lan.mu.Lock()
	defer w.lan.mu.Unlock()
	w.lan.secrets["gw1"] = append(w.lan.secrets["gw1"], schema.Row{"name": name, "service": "l2tp", "comment": "staff [vpnbot 1.1]"})
	return r
}

// due returns the requests that dates have made, oldest first.
func (w *world) due() []change.Request {
	w.t.Helper()
	all, err := w.ledger.Requests(w.t.Context(), change.Filter{})
	if err != nil {
		w.t.Fatal(err)
	}
	var list []change.Request
	for _, r := range all {
		if r.Under != nil {
			list = append(list, r)
		}
	}
	return list
}

func (w *world) account(name string) change.Account {
	w.t.Helper()
	a, err := w.ledger.Account(w.t.Context(), "hq", name)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// Ensure one request comes of a date, approved with it, and that people are told a
// week and a day before.
func TestWatch_Dates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, newLAN("gw1"), func(o *watch.Options) { o.Round, o.Poll = time.Hour, time.Hour })
		r := w.dated("vpn-01", time.Now().Add(10*24*time.Hour))
		pass(2 * 24 * time.Hour)
		if n := w.count(change.EventWarned); n != 0 {
			t.Errorf("told %d times after two days", n)
		}
		pass(2 * 24 * time.Hour)
		if n := w.count(change.EventWarned); n != 1 {
			t.Errorf("told %d times, want once a week before", n)
		}
		pass(5*24*time.Hour + 2*time.Hour)
		if n := w.count(change.EventWarned); n != 2 {
			t.Errorf("told %d times, want once more a day before", n)
		}
		if len(w.due()) != 0 {
			t.Fatal("a request was made before the date")
		}
		pass(24 * time.Hour)
		list := w.due()
		if len(list) != 1 {
			t.Fatalf("%d requests, want 1", len(list))
		}
		got := list[0]
		if got.State != change.Approved || got.Number == 0 || got.Under.Request != r.ID || got.Plan.Steps[0].Action != schema.Disable {
			t.Errorf("got %+v", got)
		}
		if a := w.account("vpn-01"); a.Due != got.ID {
			t.Errorf("the account names %q, want %q", a.Due, got.ID)
		}
		pass(5 * time.Hour)
		if n := len(w.due()); n != 1 {
			t.Errorf("%d requests while the first is on its way", n)
		}
	})
}

// Ensure nothing is made for a router that does not answer, a request that came to
// nothing is made again after a while, and one that a person has ended is not.
func TestWatch_Dates_Again(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, newLAN("gw1"))
		w.dated("vpn-01", time.Now().Add(time.Hour))
		w.lan.set("gw1", func(context.Context) error { return errors.New("no way there") })
		pass(2 * time.Hour)
		if n := len(w.due()); n != 0 {
			t.Fatalf("%d requests for a silent router", n)
		}
		if n := w.count(change.EventWarned); n != 1 {
			t.Errorf("told %d times that it has not ended, want once", n)
		}
		w.lan.set("gw1", nil)
		pass(3 * time.Minute)
		if n := len(w.due()); n != 1 {
			t.Fatalf("%d requests, want 1", n)
		}
		r := w.commit(w.due()[0].Start(time.Now()))
		w.commit(r.Fail(time.Now(), change.T("x")))
		pass(10 * time.Minute)
		if n := len(w.due()); n != 1 {
			t.Fatalf("%d requests right after a refusal", n)
		}
		pass(10 * time.Minute)
		if n := len(w.due()); n != 2 {
			t.Fatalf("%d requests, want another after the refusal", n)
		}
		w.commit(w.due()[1].Overtake(time.Now(), change.Moved{Router: "gw1", Menu: "/ppp/secret"}))
		pass(3 * time.Minute)
		if n := len(w.due()); n != 3 {
			t.Fatalf("%d requests, want another after somebody was faster", n)
		}
		r = w.commit(w.due()[2].Start(time.Now()))
		r = w.commit(r.Attend(time.Now(), change.T("x")))
		pass(time.Hour)
		if n := len(w.due()); n != 3 {
			t.Fatalf("%d requests while a person has to decide", n)
		}
		w.commit(r.Release(time.Now(), actor("anna", change.Approver), "done by hand"))
		pass(time.Hour)
		if a := w.account("vpn-01"); len(w.due()) != 3 || !a.Expires.IsZero() || w.count(change.EventLeft) != 1 {
			t.Errorf("%d requests, %+v, want none after a person has ended it", len(w.due()), a)
		}
	})
}

// Ensure an account that is gone, off, or somebody else's by now is left alone.
func TestWatch_Dates_Left(t *testing.T) {
	for why, edit := range map[string]func(schema.Row){
		"gone": func(r schema.Row) { r["name"] = "another" }, "off": func(r schema.Row) { r["disabled"] = "true" },
		"plan.refuse.made_anew": func(r schema.Row) { r["comment"] = "new" },
	} {
		t.Run(why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, newLAN("gw1"))
				w.dated("vpn-01", time.Now().Add(time.Hour))
				w.lan.mu.Lock()
				edit(w.lan.secrets["gw1"][0])
				w.lan.mu.Unlock()
				pass(2 * time.Hour)
				if len(w.due()) != 0 || w.count(change.EventLeft) != 1 {
					t.Errorf("%d requests, left %d times, want none and once", len(w.due()), w.count(change.EventLeft))
				}
			})
		})
	}
}
