package change_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vpnbot/change"
	"vpnbot/change/secret"
)

// zone loads a time zone or skips the test where there is no database of them.
func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Skipf("no time zones here: %v", err)
	}
	return loc
}

// Ensure working hours leave Saturdays and Sundays of the configured zone out.
func TestWorkingDeadline(t *testing.T) {
	taipei := zone(t, "Asia/Taipei")
	for _, c := range []struct {
		from string
		d    time.Duration
		want string
	}{
		{"2026-03-02 09:00", 72 * time.Hour, "2026-03-05 09:00"}, // Monday to Thursday
		{"2026-03-04 09:00", 72 * time.Hour, "2026-03-09 09:00"}, // Wednesday, over a weekend
		{"2026-03-06 23:59", 72 * time.Hour, "2026-03-11 23:59"}, // Friday night
		{"2026-03-07 12:00", 72 * time.Hour, "2026-03-12 00:00"}, // Saturday counts from Monday
		{"2026-03-08 23:00", time.Hour, "2026-03-09 01:00"},      // Sunday
		{"2026-03-06 23:00", time.Hour, "2026-03-07 00:00"},      // to the end of Friday
		{"2026-03-06 23:00", time.Hour + 1, "2026-03-09 00:00"},  // and a moment
		{"2026-03-02 09:00", 0, "2026-03-02 09:00"},
		{"2026-03-02 09:00", 10 * 24 * time.Hour, "2026-03-16 09:00"}, // two weeks of work
	} {
		from, err := time.ParseInLocation("2006-01-02 15:04", c.from, taipei)
		if err != nil {
			t.Fatal(err)
		}
		got := change.WorkingDeadline(from.UTC(), c.d, taipei)
		if got.In(taipei).Format("2006-01-02 15:04") != c.want || got.Location() != time.UTC {
			t.Errorf("%s and %v: got %v, want %s", c.from, c.d, got.In(taipei), c.want)
		}
	}
	// Friday 20:00 UTC is Saturday in Taipei.
	if got, want := change.WorkingDeadline(time.Date(2026, 3, 6, 20, 0, 0, 0, time.UTC), time.Hour, taipei),
		time.Date(2026, 3, 8, 17, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Ensure a zone whose clocks jump over midnight ends no loop and loses no time.
func TestWorkingDeadline_ClockChanges(t *testing.T) {
	for _, name := range []string{"America/Havana", "America/Santiago", "Asia/Beirut", "Africa/Cairo", "Europe/Berlin", "UTC"} {
		loc := zone(t, name)
		rapid.Check(t, func(t *rapid.T) {
			from := time.Date(2026, 1, 1, 0, rapid.IntRange(0, 365*24*60).Draw(t, "minute"), 0, 0, time.UTC)
			d := time.Duration(rapid.IntRange(1, 200*60).Draw(t, "length")) * time.Minute
			got := change.WorkingDeadline(from, d, loc)
			worked := time.Duration(0)
			for at := from; at.Before(got); at = at.Add(time.Minute) {
				if wd := at.In(loc).Weekday(); wd != time.Saturday && wd != time.Sunday {
					worked += time.Minute
				}
			}
			if worked != d {
				t.Fatalf("%s: from %v to %v there are %v of work, want %v", name, from.In(loc), got.In(loc), worked, d)
			}
		})
	}
}

func granted(t testing.TB) change.Reveal {
	t.Helper()
	v := change.NewReveal(start, request(t, change.Applying), time.UTC)
	if v == nil {
		t.Fatal("no reveal for a plan with credentials")
	}
	return *v
}

// opened returns v after an opening at the time.
func opened(t testing.TB, v change.Reveal, at time.Time) change.Reveal {
	t.Helper()
	m, err := v.Open(at, staff)
	if err != nil {
		t.Fatal(err)
	}
	return *m.Reveal
}

// Ensure only the reader opens, within the windows and no more than three times.
func TestReveal_Open(t *testing.T) {
	v := granted(t)
	if want := start.Add(72 * time.Hour); !v.Until.Equal(want) || v.ID != "reveal-id-1" || v.Number != 42 {
		t.Errorf("got %+v, want until %v", v, want)
	}
	if change.NewReveal(start, change.Request{}, time.UTC) != nil {
		t.Error("a plan without credentials got a reveal")
	}
	for _, by := range []change.Actor{olga, anna, change.System()} {
		if _, err := v.Open(start, by); !errors.Is(err, change.ErrNotReader) {
			t.Errorf("%s: got %v, want ErrNotReader", by.Person.ID, err)
		}
	}
	if _, err := v.Open(v.Until, staff); !errors.Is(err, change.ErrExpired) {
		t.Errorf("at the deadline: got %v, want ErrExpired", err)
	}
	at := v.Until.Add(-time.Second)
	m, err := v.Open(at, staff)
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Openings) != 0 {
		t.Error("opening changed the reveal it was called on")
	}
	e, n := m.Events[0], m.Notices[0]
	if e.Kind != change.EventRevealed || e.Actor != "staff" || e.Slack != staff.Slack || e.Request != 42 || e.Facts["openings"] != "1" {
		t.Errorf("got event %+v", e)
	}
	if n.Kind != change.NoticeOpened || n.Audience.Person != "staff" || n.Number != 1 {
		t.Errorf("got notice %+v", n)
	}
	v = *m.Reveal
	if want := at.Add(change.OpenedWindow); !v.Until.Equal(want) {
		t.Errorf("after the first opening until %v, want %v", v.Until, want)
	}
	v = opened(t, opened(t, v, at), at.Add(time.Minute))
	if want := at.Add(change.OpenedWindow); !v.Until.Equal(want) {
		t.Errorf("later openings moved the end to %v, want %v", v.Until, want)
	}
	if _, err := v.Open(at.Add(time.Minute), staff); !errors.Is(err, change.ErrSpent) {
		t.Errorf("a fourth time: got %v, want ErrSpent", err)
	}
	if _, err := v.Open(at.Add(change.OpenedWindow), staff); !errors.Is(err, change.ErrExpired) {
		t.Errorf("after ten minutes: got %v, want ErrExpired", err)
	}
}

// Ensure an opening that Slack refused does not count and costs no time.
func TestReveal_GiveBack(t *testing.T) {
	v := granted(t)
	if _, err := v.GiveBack(start, staff); err == nil {
		t.Error("gave back what was never opened")
	}
	first := opened(t, v, start.Add(time.Hour))
	m, err := first.GiveBack(start.Add(time.Hour), staff)
	if err != nil {
		t.Fatal(err)
	}
	back := *m.Reveal
	if back.Counted() != 0 || !back.Until.Equal(v.Until) || m.Events[0].Kind != change.EventRevealFailed || first.Openings[0].Failed {
		t.Errorf("got %d counted, until %v, %+v", back.Counted(), back.Until, m.Events[0])
	}
	if _, err := back.GiveBack(start, staff); err == nil {
		t.Error("gave one opening back twice")
	}
	// Close to the end there is time for another try.
	last := v.Until.Add(-time.Second)
	m, err = opened(t, v, last).GiveBack(last, staff)
	if err != nil || !m.Reveal.Until.Equal(last.Add(change.OpenedWindow)) {
		t.Errorf("got %v until %v", err, m.Reveal.Until)
	}
	// The ten minutes of an opening that was seen go on.
	seen := opened(t, opened(t, v, start), start.Add(time.Minute))
	m, err = seen.GiveBack(start.Add(time.Minute), staff)
	if err != nil || m.Reveal.Counted() != 1 || !m.Reveal.Until.Equal(start.Add(change.OpenedWindow)) {
		t.Errorf("got %v, %d counted, until %v", err, m.Reveal.Counted(), m.Reveal.Until)
	}
	// Failures cost none of the three openings.
	again := back
	for range change.OpeningsAllowed {
		again = opened(t, again, start.Add(2*time.Hour))
	}
	if again.Counted() != change.OpeningsAllowed || len(again.Openings) != change.OpeningsAllowed+1 {
		t.Errorf("got %d counted of %d", again.Counted(), len(again.Openings))
	}
}

// Ensure a window closes once, after its time, and takes the password with it.
func TestReveal_Close(t *testing.T) {
	v := granted(t)
	if _, err := v.Close(v.Until.Add(-1)); err == nil {
		t.Error("closed before its time")
	}
	m, err := v.Close(v.Until)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(m.Destroy, []secret.Ref{"ref-1"}) || m.Events[0].Kind != change.EventRevealClosed {
		t.Errorf("got %+v", m)
	}
	if len(m.Notices) != 1 || m.Notices[0].Kind != change.NoticeUnopened {
		t.Errorf("nobody had opened: got notices %+v", m.Notices)
	}
	closed := *m.Reveal
	if _, err := closed.Close(v.Until); !errors.Is(err, change.ErrExpired) {
		t.Errorf("closed twice: got %v", err)
	}
	if err := closed.MayOpen(start, "staff"); !errors.Is(err, change.ErrExpired) {
		t.Errorf("got %v, want ErrExpired", err)
	}
	o := opened(t, v, start)
	m, err = o.Close(o.Until)
	if err != nil || len(m.Notices) != 0 {
		t.Errorf("it had been opened: got %v, notices %+v", err, m.Notices)
	}
	if _, err := m.Reveal.GiveBack(o.Until, staff); !errors.Is(err, change.ErrExpired) {
		t.Errorf("gave back after the end: got %v", err)
	}
}

// Ensure a completed request grants its reader the credentials in one move.
func TestComplete_Grants(t *testing.T) {
	r := request(t, change.Applying)
	v := change.NewReveal(start, r, time.UTC)
	account := change.Account{Site: "hq", Name: "vpn-01"}
	m, err := r.Complete(start, true, &account, v)
	if err != nil {
		t.Fatal(err)
	}
	if m.Reveal == nil || len(m.Accounts) != 1 || len(m.Events) != 2 || m.Events[1].Kind != change.EventGranted {
		t.Errorf("got %+v", m)
	}
	if !slices.ContainsFunc(m.Notices, func(n change.Notice) bool {
		return n.Kind == change.NoticeCredentials && n.Audience.Person == "staff" && n.Reveal == v.ID
	}) {
		t.Errorf("the reader is not told: %+v", m.Notices)
	}
	connected := start.Add(time.Hour)
	p, err := m.Request.Prove(connected, account)
	if err != nil || !p.Accounts[0].Connected.Equal(connected) || !p.Request.Ended.Equal(start) || account.Connected != nil {
		t.Errorf("got %+v, %v", p.Accounts, err)
	}
}
