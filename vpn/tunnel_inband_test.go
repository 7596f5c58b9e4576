package vpn_test

import (
	"strings"
	"testing"
	"time"

	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// Ensure a router is known to be reached through the tunnel by its own active users:
// from behind the other end, or from the dial-in pool; that its scripts come first and
// wait; and that guards wait longer than everything before them may take.
func TestPlan_InBand(t *testing.T) {
	for name, tt := range map[string]struct {
		end           int
		user, address string
		via           string
		inBand        string
	}{
		"from the other site":     {1, "bot-read", "192.168.77.5", "api", "gw-fengshan"},
		"over TLS":                {1, "bot-write", "192.168.77.5", "api-ssl", "gw-fengshan"},
		"dialled in":              {0, "bot-read", "10.77.0.10", "api", "gw-hq"},
		"somebody else":           {1, "admin", "192.168.77.5", "api", ""},
		"somebody else in WinBox": {1, "bot-read", "192.168.77.5", "winbox", ""},
		"over the Internet":       {1, "bot-read", "192.0.2.200", "api", ""},
	} {
		in := narrow(redoWorld())
		in.Snapshots[tt.end].Menus["/user/active"] = []schema.Row{{"name": tt.user, "address": tt.address, "via": tt.via}}
		plan := planned(t, vpn.PlanRedo, in)
		p, got := plan.Tunnel, ""
		for _, end := range p.Ends {
			if end.InBand {
				got += end.Router
			}
		}
		if got != tt.inBand || (p.Delay > 0) != (tt.inBand != "") || strings.Contains(told(plan.Warnings), "plan.warn.in_band") != (tt.inBand != "") {
			t.Errorf("%s: in band %q, delay %v, warnings %s", name, got, p.Delay, told(plan.Warnings))
		}
		if tt.inBand != "" && p.Ends[0].Router != tt.inBand {
			t.Errorf("%s: %s is written first", name, p.Ends[0].Router)
		}
		const givenUp, commits = time.Minute, 20 * time.Second
		if least := p.Delay + givenUp + p.Patience + commits; p.Guard <= least {
			t.Errorf("%s: guards look after %v, and everything may take %v", name, p.Guard, least)
		}
	}
}
