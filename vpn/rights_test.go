package vpn_test

import (
	"errors"
	"net/netip"
	"testing"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// Ensure the first right that a plan takes and a user of the bot lacks is named,
// with router and user, and that what a router does not tell is no refusal.
func TestCheckRights(t *testing.T) {
	change1 := change.Plan{Routers: []string{"gw-hq"}, Steps: []change.Step{{Router: "gw-hq"}}}
	ping := change.Plan{Routers: []string{"gw-hq"}, Tunnel: &change.TunnelPlan{Ends: [2]change.TunnelEnd{
		{Router: "gw-hq", Probes: []change.Probe{{From: netip.MustParseAddr("192.168.77.1"), To: netip.MustParseAddr("192.168.88.1")}}}, {Router: "gw-fengshan"},
	}}}
	blind := change.Plan{Routers: []string{"gw-hq"}, Tunnel: &change.TunnelPlan{Ends: [2]change.TunnelEnd{{Router: "gw-hq"}, {Router: "gw-fengshan"}}}}
	for _, tt := range []struct {
		name, read, write string // policies of both groups; "-": no such user
		plan              change.Plan
		user, right       string
	}{
		{"all", "api,read,test,!write", "api,read,write,test", ping, "", ""},
		{"no test", "api,read,!test", "api,read,write,test", ping, "bot-read", "test"},
		{"no test, no ping", "api,read,!test", "api,read,write", blind, "", ""},
		{"no test, a row", "api,read,!test", "api,read,write", change1, "", ""},
		{"no write", "api,read,test", "api,read,!write", ping, "bot-write", "write"},
		{"no write, a row", "api,read", "api,read,!write", change1, "bot-write", "write"},
		{"writing login cannot read", "api,read", "api,write", change1, "bot-write", "read"},
		{"reading login cannot read", "api", "api,read,write", change1, "bot-read", "read"},
		{"no api", "api,read", "read,write,rest-api", change1, "bot-write", "api"},
		{"definition alone", "api,read", "api,read", change.Plan{Routers: []string{"gw-hq"}}, "", ""},
		{"users elsewhere", "-", "-", ping, "", ""},
	} {
		snap := change.Snapshot{Router: "gw-hq", Menus: map[string][]schema.Row{"/user": {{"name": "admin", "group": "full"}}, "/user/group": {
			{"name": "ro", "policy": tt.read}, {"name": "rw", "policy": tt.write}, {"name": "full", "policy": "api,read,write,policy,test"},
		}}}
		if tt.read != "-" {
			snap.Menus["/user"] = append(snap.Menus["/user"], schema.Row{"name": "bot-read", "group": "ro"}, schema.Row{"name": "bot-write", "group": "rw"})
		}
		err := vpn.CheckRights(redoEstate(), tt.plan, []change.Snapshot{snap})
		if tt.right == "" {
			if err != nil {
				t.Errorf("%s: %s", tt.name, explain(err))
			}
			continue
		}
		refusal, ok := errors.AsType[*vpn.Refusal](err)
		if !ok || refusal.Text.ID != "plan.refuse.right" || refusal.Text.Args["right"].Str != tt.right || refusal.Text.Args["user"].Str != tt.user {
			t.Errorf("%s: got %v, want %s of %s", tt.name, err, tt.right, tt.user)
			continue
		}
		saysAll(t, "en", refusal.Text)
		saysAll(t, "zh-TW", refusal.Hint)
	}
}
