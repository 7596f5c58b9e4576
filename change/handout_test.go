package change_test

import (
	"testing"
	"time"

	"vpnbot/change"
)

// Ensure everybody who is to know a new key gets a reveal and a message of their
// own, for as long as credentials, and that closing it destroys no key: the server
// goes on using that.
func TestHandOuts(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	r := change.Request{ID: "abc", Number: 7, Plan: change.Plan{HandOut: []change.Credentials{
		{Site: "hq", Server: "vpn.example.com", Account: "chen", Reader: "chen", PSK: "psk-new"},
		{Site: "hq", Server: "vpn.example.com", Account: "lin", Reader: "lin", PSK: "psk-new"},
	}}}
	list := change.HandOuts(now, r, time.UTC)
	m := change.Move{Reveal: &change.Reveal{ID: "own"}}.HandOut(now, r, list)
	if len(m.Grants) != 2 || m.Reveal.ID != "own" || len(m.Events) != 2 || len(m.Notices) != 2 {
		t.Fatalf("got %d grants, %d events, %d notices beside %s", len(m.Grants), len(m.Events), len(m.Notices), m.Reveal.ID)
	}
	if m.Grants[0].ID == m.Grants[1].ID || m.Notices[0].Audience.Person != "chen" || m.Notices[1].Audience.Person != "lin" {
		t.Errorf("got %+v and %+v", m.Grants, m.Notices)
	}
	if want := change.WorkingDeadline(now, change.UnopenedWindow, time.UTC); m.Grants[0].Until != want {
		t.Errorf("open until %v, want %v", m.Grants[0].Until, want)
	}
	closed, err := m.Grants[0].Close(m.Grants[0].Until)
	if err != nil || len(closed.Destroy) != 0 {
		t.Errorf("closing destroys %v, %v", closed.Destroy, err)
	}
}
