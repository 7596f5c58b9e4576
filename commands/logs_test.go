package commands

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// played are routers that answer from a table. What is not in it cannot be read.
type played map[string]change.Snapshot

func (p played) Snapshot(_ context.Context, router string, menus ...string) (change.Snapshot, error) {
	s, ok := p[router]
	if !ok {
		return change.Snapshot{}, errors.New("no such router here")
	}
	all := s.Menus
	s.Menus = map[string][]schema.Row{}
	for _, m := range menus {
		if rows, ok := all[m]; ok {
			s.Menus[m] = rows
		}
	}
	return s, nil
}

// office1 is a router in Taiwan at ten past nine in the morning.
func office1() change.Snapshot {
	line := func(at, topics, message string) schema.Row {
		return schema.Row{"time": at, "topics": topics, "message": message}
	}
	return change.Snapshot{
		Router: "gw-hq", At: time.Date(2026, 11, 23, 1, 10, 0, 0, time.UTC), Version: "7.22.3",
		Menus: map[string][]schema.Row{
			menuLog: {
				line("2026-11-22 23:50:00", "system,info", "router rebooted"),
				line("2026-11-23 08:59:00", "system,error,critical", "login failure for user planted-word from 192.0.2.9 via winbox"),
				line("2026-11-23 09:04:00", "l2tp,ppp,info,account", "bob logged in, 192.168.77.50 from 203.0.113.9"),
				line("2026-11-23 09:06:10", "ipsec,error", "198.51.100.7 parsing packet failed, possible cause: wrong password"),
				line("2026-11-23 09:09:40", "ipsec,info", "purging ISAKMP-SA 203.0.113.5[500]<=>198.51.100.7[500] spi=a1b2c3d4e5f60718:18f7e6d5c4b3a291."),
			},
			menuLogging: {
				{"topics": "info", "action": "memory"},
				{"topics": "error", "action": "memory"},
				{"topics": "warning", "action": "memory"},
				{"topics": "critical", "action": "echo"},
			},
			menuLogAction: {{"name": "memory", "target": "memory", "memory-lines": "1000"}, {"name": "echo", "target": "echo"}},
			menuClock:     {{"date": "2026-11-23", "time": "09:10:00", "gmt-offset": "+08:00"}},
			menuSecret:    {{"name": "bob", "service": "l2tp"}},
		},
	}
}

func newLogWorld(t *testing.T, edit ...func(*change.Snapshot)) *world {
	t.Helper()
	s := office1()
	for _, e := range edit {
		e(&s)
	}
	taipei := time.FixedZone("Asia/Taipei", 8*60*60)
	return newWorld(t, func(o *Options) { o.Routers, o.Location = played{"gw-hq": s}, taipei })
}

// lines are the messages of the first table of r.
func lines(r Reply) []string {
	var list []string
	for _, p := range r.Parts {
		if p.Table != nil {
			for _, row := range p.Table.Rows {
				list = append(list, cellText(row[2]))
			}
			return list
		}
	}
	return nil
}

// Ensure topics and times narrow the log down, and the answer says how far back
// it reaches and what is not written.
func TestLogs(t *testing.T) {
	tests := []struct {
		line  string
		first string // beginning of the first message; "": none
		count int
		said  []string
	}{
		{"logs hq", "router rebooted", 5, []string{"logs.reach", "logs.partly", "logs.hidden"}},
		{"日誌 總公司 --since 5m", "198.51.100.7 parsing", 2, []string{"logs.reach", "logs.partly"}},
		{"logs hq --topic ipsec", "198.51.100.7 parsing", 2, []string{"logs.reach", "logs.partly"}},
		{"logs hq --topic L2TP、ppp", "bob logged in", 1, []string{"logs.reach", "logs.partly"}},
		{"logs hq --topic error", "login failure for user •••", 2, []string{"logs.reach", "logs.hidden"}},
		{"logs hq --topic wireguard", "", 0, []string{"logs.none", "logs.reach", "logs.partly"}},
		{"logs hq --since 2d", "router rebooted", 5, []string{"logs.short", "logs.partly", "logs.hidden"}},
		{"logs hq --since 2026-11-23", "login failure", 4, []string{"logs.reach", "logs.partly", "logs.hidden"}},
	}
	w := newLogWorld(t)
	for _, tt := range tests {
		r := w.must(w.say("U0VERA", tt.line))
		got := lines(r)
		if len(got) != tt.count || tt.count > 0 && !strings.HasPrefix(got[0], tt.first) {
			t.Errorf("%s: got %q, want %d from %q", tt.line, got, tt.count, tt.first)
		}
		if got := said(r); !slices.Equal(got, tt.said) {
			t.Errorf("%s: got %v, want %v", tt.line, got, tt.said)
		}
	}
}

// Ensure refusals: no right, no router.
func TestLogs_Refused(t *testing.T) {
	w := newLogWorld(t)
	for _, tt := range []struct{ user, line, why string }{
		{"U0STAFF", "logs hq", "error.notallowed"},
		{"U0FRED", "logs hq", "error.notallowed"},
		{"U0VERA", "logs", "parse.missing"},
		{"U0VERA", "logs hq --topic hunter2", "parse.topic"},
		{"U0VERA", "logs hq --topic ,", "parse.topic"},
		{"U0VERA", "logs fengshan", "error.internal"},
	} {
		_, err := w.say(tt.user, tt.line)
		if got := why(err); got != tt.why {
			t.Errorf("%s %s: got %s, want %s", tt.user, tt.line, got, tt.why)
		}
	}
}

// Ensure a long log shows its end.
func TestLogs_Long(t *testing.T) {
	w := newLogWorld(t, func(s *change.Snapshot) {
		s.Menus[menuLog] = nil
		for range 500 {
			s.Menus[menuLog] = append(s.Menus[menuLog], schema.Row{"time": "09:00:00", "topics": "ipsec,info", "message": strings.Repeat("phase1 ", 100)})
		}
		s.Menus[menuLog] = append(s.Menus[menuLog], schema.Row{"time": "whenever", "topics": "ipsec,info", "message": "the end"})
	})
	r := w.must(w.say("U0VERA", "logs hq --since 1h"))
	got := lines(r)
	if len(got) != maxLines || got[len(got)-1] != "the end" || len([]rune(got[0])) != maxMessage {
		t.Errorf("got %d lines, the first %d long, want %d and %d", len(got), len([]rune(got[0])), maxLines, maxMessage)
	}
	if said(r)[0] != "logs.older" {
		t.Errorf("got %v, want the older ones counted first", said(r))
	}
}

// Ensure every form in which routers write times is read, in the router's zone.
func TestRouterClock(t *testing.T) {
	tests := []struct {
		clock schema.Row
		text  string
		want  string // UTC
	}{
		{schema.Row{"date": "2026-01-05", "time": "09:10:00", "gmt-offset": "+08:00"}, "2026-01-05 09:00:00", "2026-01-05 01:00:00"},
		{schema.Row{"date": "2026-01-05", "time": "09:10:00", "gmt-offset": "+08:00"}, "01-05 09:00:00", "2026-01-05 01:00:00"},
		{schema.Row{"date": "2026-01-05", "time": "09:10:00", "gmt-offset": "+08:00"}, "12-31 09:00:00", "2025-12-31 01:00:00"},
		{schema.Row{"date": "2026-01-05", "time": "09:10:00", "gmt-offset": "+08:00"}, "09:10:00", "2026-01-05 01:10:00"},
		{schema.Row{"date": "2026-01-05", "time": "00:01:00", "gmt-offset": "+08:00"}, "23:59:00", "2026-01-04 15:59:00"},
		{schema.Row{"date": "jan/05/2026", "time": "09:10:00", "gmt-offset": "8h"}, "jan/05 09:00:00", "2026-01-05 01:00:00"},
		{schema.Row{"date": "jan/05/2026", "time": "09:10:00", "gmt-offset": "8h"}, "dec/30 09:00:00", "2025-12-30 01:00:00"},
		{schema.Row{"date": "jan/05/2026", "time": "09:10:00", "gmt-offset": "-03:30"}, "jan/05/2026 09:00:00", "2026-01-05 12:30:00"},
		{schema.Row{"date": "2026-01-05", "time": "09:10:00"}, "09:00:00", "2026-01-05 09:00:00"},
		{nil, "09:00:00", "2026-01-05 09:00:00"}, // the bot's clock and zone
		{schema.Row{"date": "2026-01-05", "time": "09:10:00"}, "yesterday", ""},
		{schema.Row{"date": "2026-01-05", "time": "09:10:00"}, "", ""},
	}
	for _, tt := range tests {
		s := change.Snapshot{At: time.Date(2026, 1, 5, 9, 10, 0, 0, time.UTC), Menus: map[string][]schema.Row{}}
		if tt.clock != nil {
			s.Menus[menuClock] = []schema.Row{tt.clock}
		}
		got := ""
		if at, ok := clockOf(s, time.UTC).parse(tt.text); ok {
			got = at.UTC().Format(time.DateTime)
		}
		if got != tt.want {
			t.Errorf("%v %q: got %q, want %q", tt.clock, tt.text, got, tt.want)
		}
	}
}

// Ensure a clock that goes wrong is told.
func TestLogs_Skewed(t *testing.T) {
	for clock, want := range map[string]string{"09:10:30": "", "09:15:00": "logs.ahead", "08:10:00": "logs.behind"} {
		w := newLogWorld(t, func(s *change.Snapshot) { s.Menus[menuClock][0]["time"] = clock })
		got := ""
		for _, id := range said(w.must(w.say("U0VERA", "logs hq"))) {
			if id == "logs.ahead" || id == "logs.behind" {
				got = id
			}
		}
		if got != want {
			t.Errorf("clock at %s: got %q, want %q", clock, got, want)
		}
	}
}

// Ensure logging rules are read as the router reads them.
func TestCoverage(t *testing.T) {
	rule := func(topics string, more ...string) schema.Row {
		r := schema.Row{"topics": topics, "action": "memory"}
		for i := 0; i+1 < len(more); i += 2 {
			r[more[i]] = more[i+1]
		}
		return r
	}
	tests := []struct {
		name  string
		rules []schema.Row
		want  string // message; "" when all of ipsec is written
	}{
		{"stock", []schema.Row{rule("info"), rule("error"), rule("warning"), rule("critical", "action", "echo")}, "logs.partly"},
		{"by name", []schema.Row{rule("info"), rule("ipsec")}, ""},
		{"by name, without packets", []schema.Row{rule("ipsec,!packet")}, ""},
		{"other topics", []schema.Row{rule("l2tp"), rule("ppp,info")}, "logs.unlogged"},
		{"switched off", []schema.Row{rule("ipsec", "disabled", "true")}, "logs.unlogged"},
		{"left out", []schema.Row{rule("info,!ipsec")}, "logs.unlogged"},
		{"one level", []schema.Row{rule("ipsec,error")}, "logs.partly"},
		{"elsewhere", []schema.Row{rule("ipsec", "action", "remote")}, "logs.elsewhere"},
		{"own action in memory", []schema.Row{rule("ipsec", "action", "vpnlog")}, ""},
		{"elsewhere besides", []schema.Row{rule("info"), rule("ipsec", "action", "remote")}, "logs.partly"},
		{"none", nil, "logs.unlogged"},
	}
	for _, tt := range tests {
		s := change.Snapshot{Menus: map[string][]schema.Row{
			menuLogging:   tt.rules,
			menuLogAction: {{"name": "memory", "target": "memory"}, {"name": "remote", "target": "remote"}, {"name": "vpnlog", "target": "memory"}},
		}}
		got := ""
		if parts := gaps([]string{"ipsec"}, s); len(parts) > 0 {
			got = parts[0].Paragraph.Text.ID
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// Ensure a log reads well in both languages.
func TestGolden_Logs(t *testing.T) {
	w := newLogWorld(t)
	var f film
	for _, line := range []string{"logs hq", "logs hq --topic ipsec --since 5m", "logs hq --topic wireguard --since 2d", "help logs"} {
		f.add("/vpn "+line, w.must(w.say("U0OLGA", line)))
	}
	w.golden("logs", f.names, f.replies...)
}
