package apply

import (
	"testing"

	"vpnbot/change"
	"vpnbot/change/secret"
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
			if got := believe(step, 42, snap, false); got != tt.want {
				t.Errorf("belief %q, want %q", got, tt.want)
			}
		})
	}
}

// Ensure that what stands on the router decides what is believed of rows that are
// removed, set or switched, and of sessions that are ended.
func TestBelieve_Others(t *testing.T) {
	const big5 = "\xa4\xa4\xa4\xe5"
	row := func(edit ...string) schema.Row {
		r := schema.Row{".id": "*7", "name": "vpn-01", "service": "l2tp", "profile": "vpn-users", "comment": big5, "disabled": "false"}
		for i := 0; i+1 < len(edit); i += 2 {
			r[edit[i]] = edit[i+1]
		}
		return r
	}
	step := func(action schema.Action) change.Step {
		return change.Step{ID: 3, Router: "gw-hq", Menu: "/ppp/secret", Action: action, Match: schema.Row{"name": "vpn-01", "service": "l2tp"}}
	}
	remove := step(schema.Remove)
	remove.Before = schema.Row{"name": "vpn-01", "service": "l2tp", "profile": "vpn-users", "comment": big5, "disabled": "false"}
	password := step(schema.Change)
	password.Secrets = map[string]secret.Ref{"password": "ref"}
	session := change.Step{ID: 4, Router: "gw-hq", Menu: "/ppp/active", Action: schema.Remove, Match: schema.Row{"name": "vpn-01", "service": "l2tp"}}
	kick := session
	kick.Match = schema.Row{"name": "vpn-01", "service": "l2tp", "session-id": "0x81A00001"}
	settings := change.Step{
		ID: 1, Router: "gw-hq", Menu: "/interface/l2tp-server/server", Action: schema.Change,
		Before: schema.Row{"use-ipsec": "yes"}, After: schema.Row{"use-ipsec": "required"},
	}
	key := settings
	key.Before, key.After, key.Secrets = nil, nil, map[string]secret.Ref{"ipsec-secret": "ref"}
	live := schema.Row{"name": "vpn-01", "service": "l2tp", "session-id": "0x81A00001"}
	tests := []struct {
		name string
		step change.Step
		rows []schema.Row
		sure bool
		want belief
	}{
		{"removed", remove, nil, false, ours},
		{"to be removed", remove, []schema.Row{row()}, false, unwritten},
		{"to be removed, of another service", remove, []schema.Row{row("service", "pppoe")}, false, ours},
		{"to be removed, made anew", remove, []schema.Row{row("profile", "default")}, false, foreign},
		{"to be removed, another comment", remove, []schema.Row{row("comment", big5+" [vpnbot 41.1]")}, false, foreign},
		{"switched off", step(schema.Disable), []schema.Row{row("disabled", "true")}, false, ours},
		{"not switched off", step(schema.Disable), []schema.Row{row()}, false, unwritten},
		{"nothing to switch off", step(schema.Disable), nil, false, gone},
		{"switched on", step(schema.Enable), []schema.Row{row()}, false, ours},
		{"not switched on", step(schema.Enable), []schema.Row{row("disabled", "true")}, false, unwritten},
		{"which one", step(schema.Enable), []schema.Row{row(), row()}, false, altered},
		{"a password with our mark", password, []schema.Row{row("comment", big5+" [vpnbot 42.3]")}, false, ours},
		{"a password without mark", password, []schema.Row{row()}, true, unwritten},
		{"a password with an older mark", password, []schema.Row{row("comment", big5+" [vpnbot 41.3]")}, false, unwritten},
		{"no row for a password", password, nil, false, gone},
		{"settings written", settings, []schema.Row{{"use-ipsec": "required"}}, false, ours},
		{"settings as before", settings, []schema.Row{{"use-ipsec": "yes"}}, false, unwritten},
		{"settings of somebody else", settings, []schema.Row{{"use-ipsec": "no"}}, false, altered},
		{"a key that the router took", key, []schema.Row{{"use-ipsec": "yes"}}, true, ours},
		{"a key of which nobody knows", key, []schema.Row{{"use-ipsec": "yes"}}, false, unwritten},
		{"no session", session, nil, false, ours},
		{"a session", session, []schema.Row{live}, false, unwritten},
		{"somebody else's session", session, []schema.Row{{"name": "vpn-02", "service": "l2tp"}}, false, ours},
		{"a session of another service", session, []schema.Row{{"name": "vpn-01", "service": "pppoe"}}, false, ours},
		{"the session that was named", kick, []schema.Row{live}, false, unwritten},
		{"another session", kick, []schema.Row{{"name": "vpn-01", "service": "l2tp", "session-id": "0x81A00002"}}, false, ours},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			snap := change.Snapshot{Router: "gw-hq", Menus: map[string][]schema.Row{tt.step.Menu: tt.rows}}
			if got := believe(tt.step, 42, snap, tt.sure); got != tt.want {
				t.Errorf("belief %q, want %q", got, tt.want)
			}
		})
	}
	for user, want := range map[string]belief{"vpn-01": unwritten, "vpn-02": ours} {
		snap := change.Snapshot{Router: "gw-hq", Menus: map[string][]schema.Row{
			"/ppp/active": nil, "/interface/l2tp-server": {{"name": "<l2tp-x>", "user": user, "running": "true", "dynamic": "true"}},
		}}
		if got := believe(session, 42, snap, false); got != want {
			t.Errorf("an interface of %s: belief %q, want %q", user, got, want)
		}
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
