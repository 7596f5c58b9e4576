package apply

import (
	"testing"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// Ensure that what stands on the router, and nothing else, decides what the
// engine believes about an added row.
func TestBelieve(t *testing.T) {
	step := change.Step{
		ID: 3, Router: "gw-hq", Menu: "/ppp/secret", Action: schema.Add,
		Match: schema.Row{"name": "vpn-01"},
		After: schema.Row{"name": "vpn-01", "service": "l2tp", "profile": "vpn-users", "comment": "mei"},
	}
	row := func(edit ...string) schema.Row {
		r := schema.Row{
			".id": "*7", "name": "vpn-01", "service": "l2tp", "profile": "vpn-users", "comment": "mei [vpnbot 42.3]",
			"disabled": "false", "last-logged-out": "1970-01-01 00:00:00",
		}
		for i := 0; i+1 < len(edit); i += 2 {
			r[edit[i]] = edit[i+1]
		}
		return r
	}
	tests := []struct {
		name string
		rows []schema.Row
		want belief
	}{
		{"no row at all", nil, absent},
		{"another account", []schema.Row{row("name", "vpn-02")}, absent},
		{"the planned row", []schema.Row{row()}, ours},
		{"the planned row after a session", []schema.Row{row("last-logged-out", "2026-11-23 09:00:00")}, ours},
		{"our mark, another profile", []schema.Row{row("profile", "default")}, altered},
		{"our mark, a caller nobody approved", []schema.Row{row("caller-id", "198.51.100.1")}, altered},
		{"our mark, an address nobody approved", []schema.Row{row("remote-address", "10.77.0.9")}, altered},
		{"our mark, disabled", []schema.Row{row("disabled", "true")}, altered},
		{"our mark, what RouterOS fills in", []schema.Row{row("caller-id", "", "limit-bytes-in", "0")}, ours},
		{"our mark, another note", []schema.Row{row("comment", "eve [vpnbot 42.3]")}, altered},
		{"no mark", []schema.Row{row("comment", "mei")}, foreign},
		{"the mark of another request", []schema.Row{row("comment", "mei [vpnbot 41.3]")}, foreign},
		{"the mark of another step", []schema.Row{row("comment", "mei [vpnbot 42.1]")}, foreign},
		{"a mark that only begins like ours", []schema.Row{row("comment", "mei [vpnbot 142.3]")}, foreign},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			snap := change.Snapshot{Router: "gw-hq", Menus: map[string][]schema.Row{"/ppp/secret": tt.rows}}
			if got := believe(step, 42, snap); got != tt.want {
				t.Errorf("belief %q, want %q", got, tt.want)
			}
		})
	}
}

// Ensure that a router is locked by one request at a time, and is named while
// it is.
func TestLocks(t *testing.T) {
	l := newLocks()
	release, err := l.acquire(t.Context(), []string{"gw-fengshan", "gw-hq"}, 7)
	if err != nil {
		t.Fatal(err)
	}
	if held := l.list(); len(held) != 2 || held[0].Router != "gw-fengshan" || held[1].Request != 7 {
		t.Errorf("held %+v, want both routers by request 7", held)
	}
	got := make(chan func())
	go func() {
		second, err := l.acquire(t.Context(), []string{"gw-hq"}, 8)
		if err != nil {
			t.Error(err)
		}
		got <- second
	}()
	select {
	case <-got:
		t.Fatal("a second request got a locked router")
	default:
	}
	release()
	second := <-got
	if held := l.list(); len(held) != 1 || held[0].Request != 8 {
		t.Errorf("held %+v, want gw-hq by request 8", held)
	}
	second()
	if held := l.list(); len(held) != 0 {
		t.Errorf("held %+v after release, want none", held)
	}
}
