package vpn_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// Ensure users lists what can dial in by L2TP, with comments readable and their
// marks taken off.
func TestUsers(t *testing.T) {
	snapshot := office().Snapshot
	snapshot.Menus["/ppp/secret"][0]["last-logged-out"] = "1970-01-01 00:00:00"
	snapshot.Menus["/ppp/secret"][1]["last-logged-out"] = "2026-11-20 18:02:11"
	got := vpn.Users(snapshot)
	want := []vpn.AccountRow{
		{Name: "legacy", Service: "any", Profile: "vpn-users", Comment: "0xfffe"},
		{Name: "vpn-01", Service: "l2tp", Profile: "vpn-users", Comment: "bob: phone", Managed: true, Online: true},
		{
			Name: "vpn-02", Service: "l2tp", Profile: "vpn-users", Address: "10.77.0.5", Disabled: true, Comment: "成功",
			LastLoggedOut: "2026-11-20 18:02:11",
		},
	}
	want[2].Comment = vpn.ReadableBytes("\xa6\x61\xb7\xc0")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Ensure a row that names no service can dial in: RouterOS means "any" by it.
func TestUsers_Defaults(t *testing.T) {
	s := change.Snapshot{Menus: map[string][]schema.Row{"/ppp/secret": {{"name": "x"}}}}
	got := vpn.Users(s)
	if len(got) != 1 || got[0].Service != "any" || got[0].Profile != "default" {
		t.Errorf("got %+v", got)
	}
}

// Ensure sessions lists live L2TP sessions and no other service's.
func TestSessions(t *testing.T) {
	want := []vpn.SessionRow{{Account: "vpn-01", CallerID: "198.51.100.9", Address: "10.77.0.99", Uptime: "1h2m3s"}}
	if diff := cmp.Diff(want, vpn.Sessions(office().Snapshot)); diff != "" {
		t.Error(diff)
	}
}

// Ensure bytes read as UTF-8, else Big5, else hex, and cannot break a line.
func TestReadableBytes(t *testing.T) {
	for _, tt := range []struct{ raw, want string }{
		{"", ""},
		{"laptop", "laptop"},
		{"鳳山", "鳳山"},
		{"\xbb\xf1\xa4s", "鳳山"},
		{"a\nb\x1b[0m\u0085", "a b [0m "},
		{"\xff", "0xff"},
		{"\xa4", "0xa4"},
	} {
		if got := vpn.ReadableBytes(tt.raw); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.raw, got, tt.want)
		}
	}
}
