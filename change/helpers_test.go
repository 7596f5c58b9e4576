package change_test

import (
	"encoding/json"
	"testing"
	"time"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/ros/schema"
)

// start is where the tests' time begins: a Monday.
var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func actor(name string, role change.Role, slack string) change.Actor {
	id := change.SlackID{Team: "T1", User: slack}
	return change.Actor{Person: change.Person{ID: change.PersonID(name), Name: name, Role: role}, Slack: &id}
}

var (
	olga  = actor("olga", change.Operator, "UOLGA")
	anna  = actor("anna", change.Approver, "UANNA")
	bert  = actor("bert", change.Approver, "UBERT")
	carla = actor("carla", change.Approver, "UCARLA")
	staff = actor("staff", change.NoRole, "USTAFF")
)

func plan() change.Plan {
	ref := secret.Ref("ref-1")
	return change.Plan{
		Intent: change.Intent{Verb: "adduser", Site: "hq", Account: &change.AccountIntent{Name: "vpn-01", Owner: "staff"}},
		Steps: []change.Step{{
			ID: 1, Router: "gw1", Menu: "/ppp/secret", Action: schema.Add, Class: change.Twin,
			Match: schema.Row{"name": "vpn-01"}, After: schema.Row{"name": "vpn-01", "service": "l2tp"},
			Secrets: map[string]secret.Ref{"password": ref}, Marks: map[string]string{"password": "password:00112233"},
		}},
		Reveal:  &change.Credentials{Site: "hq", Server: "vpn.example", Account: "vpn-01", Reader: "staff", Password: ref},
		Summary: change.T("plan.adduser.summary", "account", "vpn-01"),
	}
}

// request returns a request of olga's in state s, as its life would have left
// it at start. An approved one was approved at start.
func request(t testing.TB, s change.State) change.Request {
	t.Helper()
	return ruled(t, s, change.Rule{Approvals: 1})
}

func ruled(t testing.TB, s change.State, rule change.Rule) change.Request {
	t.Helper()
	m, err := change.NewDraft(start.Add(-time.Minute), "id-1", plan(), olga, rule, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := *m.Request
	r.State, r.Version = s, 3
	if s == change.Draft || s == change.Discarded {
		return r
	}
	r.Number, r.Submitted, r.Expires = 42, start.Add(-time.Second), start.Add(change.PendingLife)
	switch s {
	case change.Pending, change.Cancelled, change.Denied, change.Expired:
		return r
	}
	r.Approvals = []change.Approval{{Person: "anna", Slack: anna.Slack, At: start, Digest: r.Digest}}
	if s == change.Unproven {
		r.Ended = start
	}
	return r
}

// dump is a value as JSON, to see whether it was changed.
func dump(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// must returns the request that the move makes.
func must(t testing.TB, m change.Move, err error) change.Request {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return *m.Request
}
