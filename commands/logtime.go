package commands

import (
	"strconv"
	"strings"
	"time"

	"vpnbot/change"
)

// A router writes its own local time into the log: all of it since 7.10
// ("2026-01-05 10:11:12", of the current year also "01-05 10:11:12"), before that
// "jan/05/2026 10:11:12", of the current year "jan/05 10:11:12"; and of today
// only "10:11:12" in any version.

// routerClock is a router's own clock when it was read.
type routerClock struct {
	now  time.Time // as the router believes
	skew time.Duration
}

// clockOf reads /system/clock. A router that does not tell is believed to have
// the bot's time.
func clockOf(s change.Snapshot, loc *time.Location) routerClock {
	rows := s.Menus[menuClock]
	if len(rows) != 1 {
		return routerClock{now: s.At.In(loc)}
	}
	zone := time.FixedZone("", int(offset(rows[0]["gmt-offset"])/time.Second))
	for _, form := range []string{time.DateTime, "Jan/02/2006 15:04:05"} {
		if now, err := time.ParseInLocation(form, capital(rows[0]["date"])+" "+rows[0]["time"], zone); err == nil {
			return routerClock{now: now, skew: now.Sub(s.At).Round(time.Second)}
		}
	}
	return routerClock{now: s.At.In(loc)}
}

// offset reads "+08:00", and "8h" as some versions print it.
func offset(text string) time.Duration {
	sign, rest := time.Duration(1), strings.TrimPrefix(text, "+")
	if r, ok := strings.CutPrefix(rest, "-"); ok {
		sign, rest = -1, r
	}
	if h, m, ok := strings.Cut(rest, ":"); ok {
		hours, _ := strconv.Atoi(h) // no number: no offset
		minutes, _ := strconv.Atoi(m)
		return sign * (time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute)
	}
	d, err := time.ParseDuration(rest)
	if err != nil {
		return 0
	}
	return sign * d
}

// capital makes "jan/05/2026" what the time package reads.
func capital(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// parse reads the time of a log line. The second result is false for a form that
// nobody knows.
func (c routerClock) parse(text string) (time.Time, bool) {
	text = capital(strings.TrimSpace(text))
	zone := c.now.Location()
	year, month, day := c.now.Date()
	for _, form := range []string{time.DateTime, "Jan/02/2006 15:04:05"} {
		if t, err := time.ParseInLocation(form, text, zone); err == nil {
			return t, true
		}
	}
	for _, form := range []string{"01-02 15:04:05", "Jan/02 15:04:05"} {
		if t, err := time.ParseInLocation("2006 "+form, strconv.Itoa(year)+" "+text, zone); err == nil {
			if t.After(c.now.Add(24 * time.Hour)) { // of last year
				t = t.AddDate(-1, 0, 0)
			}
			return t, true
		}
	}
	t, err := time.ParseInLocation(time.TimeOnly, text, zone)
	if err != nil {
		return time.Time{}, false
	}
	t = time.Date(year, month, day, t.Hour(), t.Minute(), t.Second(), 0, zone)
	if t.After(c.now.Add(time.Minute)) { // midnight came between the line and the reading
		t = t.AddDate(0, 0, -1)
	}
	return t, true
}
