package commands

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// Ensure what is kept of a router's log is that of the time of a change by the router's
// own clock, the newest lines, hidden as logs hides them, and that it says what cannot
// stand there.
func TestLogWindow(t *testing.T) {
	at := func(clock string) time.Time { // in the bot's time, as the router of office1 says it
		v, err := time.ParseInLocation(time.DateTime, "2026-11-23 "+clock, time.FixedZone("", 8*60*60))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	many := func(s *change.Snapshot) {
		for i := range change.MaxLogLines + 3 {
			s.Menus[menuLog] = append(s.Menus[menuLog], schema.Row{"time": "2026-11-23 09:09:50", "topics": "ipsec,info", "message": "phase " + strconv.Itoa(i)})
		}
	}
	ahead := func(s *change.Snapshot) { s.At = s.At.Add(-time.Hour) }
	for _, tt := range []struct {
		name     string
		edit     func(*change.Snapshot)
		from, to time.Time
		first    string
		lines    int
		older    int
		notes    []string
	}{
		{"a minute", nil, at("09:09:00"), at("09:10:00"), "purging ISAKMP-SA 203.0.113.5[500]<=>198.51.100.7[500] spi=a1b2c3d4e5f60718:18f7e6d5c4b3a291.", 1, 0, nil},
		{"whole seconds", nil, at("09:09:41"), at("09:10:00"), "purging ISAKMP-SA 203.0.113.5[500]<=>198.51.100.7[500] spi=a1b2c3d4e5f60718:18f7e6d5c4b3a291.", 1, 0, nil},
		{"over before", nil, at("09:04:30"), at("09:06:00"), "", 0, 0, nil},
		{"a password", nil, at("08:58:00"), at("09:00:00"), "login failure for user ••• from 192.0.2.9 via winbox", 1, 0, []string{"logs.hidden"}},
		{"memory is short", nil, at("09:09:00").AddDate(0, 0, -2), at("08:00:00"), "router rebooted", 1, 0, []string{"logs.short"}},
		{"many lines", many, at("09:09:30"), at("09:10:00"), "phase 3", change.MaxLogLines, 4, nil},
		{"a clock ahead", ahead, at("08:09:30"), at("08:10:00"), "purging ISAKMP-SA 203.0.113.5[500]<=>198.51.100.7[500] spi=a1b2c3d4e5f60718:18f7e6d5c4b3a291.", 1, 0, []string{"logs.ahead"}},
		{"nothing logged", func(s *change.Snapshot) { s.Menus[menuLogging] = nil }, at("09:09:00"), at("09:10:00"), "purging ISAKMP-SA 203.0.113.5[500]<=>198.51.100.7[500] spi=a1b2c3d4e5f60718:18f7e6d5c4b3a291.", 1, 0, []string{"logs.unlogged"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newLogWorld(t)
			if tt.edit != nil {
				w = newLogWorld(t, tt.edit)
			}
			got := w.LogWindow(t.Context(), change.Request{}, "gw-hq", tt.from, tt.to)
			if len(got.Lines) != tt.lines || got.Older != tt.older || !got.Unread.IsZero() {
				t.Fatalf("%d lines and %d older, want %d and %d: %+v", len(got.Lines), got.Older, tt.lines, tt.older, got)
			}
			if tt.lines > 0 && got.Lines[0].Message != tt.first {
				t.Errorf("first line %q, want %q", got.Lines[0].Message, tt.first)
			}
			var notes []string
			for _, n := range got.Notes {
				notes = append(notes, n.ID)
			}
			if !slices.Equal(notes, tt.notes) {
				t.Errorf("notes %v, want %v", notes, tt.notes)
			}
		})
	}
}

// Ensure a router that does not answer is said, and the names of a plan's own rows are
// shown while other words are not.
func TestLogWindow_Names(t *testing.T) {
	w := newLogWorld(t, func(s *change.Snapshot) {
		s.Menus[menuLog] = append(s.Menus[menuLog],
			schema.Row{"time": "2026-11-23 09:09:50", "topics": "system,info", "message": "ipsec profile <hq-north-1> added by api:Xq7mPl9z"})
	})
	r := change.Request{Plan: change.Plan{Steps: []change.Step{{Match: schema.Row{"name": "hq-north-1"}}}}}
	now := office1().At
	got := w.LogWindow(t.Context(), r, "gw-hq", now.Add(-15*time.Second), now)
	if want := "ipsec profile <hq-north-1> added by •••"; len(got.Lines) != 1 || got.Lines[0].Message != want {
		t.Errorf("got %+v, want %q", got.Lines, want)
	}
	if got := w.LogWindow(t.Context(), r, "gw-away", now, now); got.Unread.IsZero() || len(got.Lines) > 0 {
		t.Errorf("of a router that cannot be read: %+v", got)
	}
}

// Ensure each line bears the router's own date and time, and that of schedules only the
// bot's own guard is left out, whose text says what the plan says.
func TestLogWindow_Lines(t *testing.T) {
	scheduled := func(name string) schema.Row {
		return schema.Row{
			"time": "09:09:50", "topics": "system,info",
			"message": "new script scheduled by api:vpnbot-rw@192.168.77.5 (*4 = /system scheduler add interval=2m name=" + name + " on-event=\":if (true) do={}\" start-time=startup)",
		}
	}
	w := newLogWorld(t, func(s *change.Snapshot) {
		s.Menus[menuLog] = append(s.Menus[menuLog], scheduled("vpnbot-guard-4"), scheduled("vpnbot-guard-42"), scheduled("theirs"))
	})
	now := office1().At
	got := w.LogWindow(t.Context(), change.Request{Number: 4}, "gw-hq", now.Add(-15*time.Second), now)
	if len(got.Lines) != 2 {
		t.Fatalf("%d lines, want those of the two other schedules: %+v", len(got.Lines), got.Lines)
	}
	for _, line := range got.Lines {
		if line.When != "2026-11-23 09:09:50" {
			t.Errorf("a line of %q, want the router's date and time", line.When)
		}
	}
}
