package vpn_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// Ensure a router is told to stop before it is told to begin, logs nothing twice and
// no packets, and that one which cannot stop by itself is refused.
func TestPlanVerbose(t *testing.T) {
	snap := func(menus map[string][]schema.Row) change.Snapshot {
		s := change.Snapshot{Router: "gw-hq", Menus: map[string][]schema.Row{"/system/logging": {{"topics": "info"}}, "/system/scheduler": {}}}
		maps.Copy(s.Menus, menus)
		return s
	}
	for _, tt := range []struct {
		name, want string
		d          time.Duration
		menus      map[string][]schema.Row
	}{
		{"all", "schedule ipsec l2tp ppp", 10 * time.Minute, nil},
		{"some are logged", "schedule l2tp ppp", time.Hour, map[string][]schema.Row{"/system/logging": {{"topics": "ipsec"}, {"topics": "l2tp", "disabled": "true"}, {"topics": "ppp", "action": "disk"}}}},
		{"all are logged", "plan.refuse.verbose_on", time.Minute, map[string][]schema.Row{"/system/logging": {{"topics": "ipsec"}, {"topics": "l2tp,!packet"}, {"topics": "ppp"}}}},
		{"on already", "plan.refuse.verbose_on", time.Minute, map[string][]schema.Row{"/system/scheduler": {{"name": "vpnbot-verbose"}}}},
		{"no schedules", "plan.refuse.verbose_mode", time.Minute, map[string][]schema.Row{"/system/device-mode": {{"mode": "home", "scheduler": "false"}}}},
		{"flagged", "plan.refuse.flagged", time.Minute, map[string][]schema.Row{"/system/device-mode": {{"mode": "advanced", "flagged": "true"}}}},
		{"too short", "plan.refuse.verbose_time", time.Second, nil},
		{"too long", "plan.refuse.verbose_time", 2 * time.Hour, nil},
	} {
		p, err := vpn.PlanVerbose(vpn.Verbose{Intent: change.Intent{Site: "hq"}, Snapshots: []change.Snapshot{snap(tt.menus)}, For: tt.d})
		if strings.HasPrefix(tt.want, "plan.") {
			if !refused(err, tt.want) {
				t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
			}
			continue
		}
		var got []string
		for _, s := range p.Steps {
			if s.Menu == "/system/scheduler" {
				got = append(got, "schedule")
				if s.After["interval"] != schema.FormatDuration(tt.d) || s.After["start-time"] != "startup" {
					t.Errorf("%s: schedule %v", tt.name, s.After)
				}
				continue
			}
			topic, rest, _ := strings.Cut(s.After["topics"], ",")
			if rest != "!packet" {
				t.Errorf("%s: logs %s", tt.name, s.After["topics"])
			}
			got = append(got, topic)
		}
		if err != nil || strings.Join(got, " ") != tt.want {
			t.Errorf("%s: got %v, %v, want %s", tt.name, got, err, tt.want)
		}
	}
}
