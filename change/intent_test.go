package change_test

import (
	"errors"
	"testing"
	"time"

	"vpnbot/change"
)

// Ensure a change that touches two sites asks for rights at both, and may be read
// with rights at one.
func TestIntent_Sites(t *testing.T) {
	tunnel := change.Intent{Verb: "redo", Site: "hq", Tunnel: "hq-fengshan", Far: "fengshan"}
	account := change.Intent{Verb: "adduser", Site: "hq"}
	for _, tt := range []struct {
		name          string
		sites         []string
		intent        change.Intent
		grants, reads bool
	}{
		{"everywhere", nil, tunnel, true, true},
		{"both", []string{"fengshan", "hq"}, tunnel, true, true},
		{"near alone", []string{"hq"}, tunnel, false, true},
		{"far alone", []string{"fengshan"}, tunnel, false, true},
		{"neither", []string{"taichung"}, tunnel, false, false},
		{"account", []string{"hq"}, account, true, true},
		{"account elsewhere", []string{"fengshan"}, account, false, false},
	} {
		p := change.Person{ID: "ann", Role: change.Approver, Sites: tt.sites}
		if got := tt.intent.Grants(p, change.Approver); got != tt.grants {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.grants)
		}
		if got := tt.intent.Concerns(p); got != tt.reads {
			t.Errorf("%s: got read %v, want %v", tt.name, got, tt.reads)
		}
		p.Role = change.Viewer
		if tt.intent.Grants(p, change.Operator) {
			t.Errorf("%s: a viewer is granted more", tt.name)
		}
	}
}

// Ensure one rule for either site of a tunnel decides.
func TestRules_TwoSites(t *testing.T) {
	rules := change.Rules{{Sites: []string{"fengshan"}, Approvals: 2}, {Approvals: 3}}
	for _, tt := range []struct {
		sites []string
		want  int
	}{{[]string{"hq", "fengshan"}, 2}, {[]string{"fengshan", "hq"}, 2}, {[]string{"hq", "taichung"}, 3}} {
		if got := rules.For("redo", tt.sites...).Approvals; got != tt.want {
			t.Errorf("%v: got %d, want %d", tt.sites, got, tt.want)
		}
	}
}

// Ensure a request to change a tunnel waits for an hour, and its approvers need
// both sites.
func TestSubmit_Tunnel(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	olga := change.Actor{Person: change.Person{ID: "olga", Role: change.Operator}}
	plan := change.Plan{
		Intent: change.Intent{Verb: "rekey", Site: "hq", Tunnel: "hq-fengshan", Far: "fengshan"},
		Tunnel: &change.TunnelPlan{Name: "hq-fengshan"},
	}
	m, err := change.NewDraft(now, "draft", plan, olga, change.Rule{Approvals: 1}, nil)
	if err == nil {
		m, err = m.Request.Submit(now, olga)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got, want := m.Request.Expires, now.Add(time.Hour); !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := m.Events[0].Facts["far-site"]; got != "fengshan" {
		t.Errorf("got far site %q, want it told", got)
	}
	half := change.Person{ID: "fred", Role: change.Approver, Sites: []string{"fengshan"}}
	if err := m.Request.MayApprove(now, half); !errors.Is(err, change.ErrNotAllowed) {
		t.Errorf("got %v, want an approver of one site refused", err)
	}
}
