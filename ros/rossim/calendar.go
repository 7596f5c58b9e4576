package rossim

import (
	"strings"
	"time"
)

// monthDate is how dates were written before 7.10, in lower case: jan/02/2025.
const monthDate = "Jan/02/2006"

// months tells whether the version writes dates with the month's name.
func (p *profile) months() bool { return !p.since(7, 10) }

// date writes a date as the version does.
func (p *profile) date(t time.Time) string {
	if p.months() {
		return strings.ToLower(t.UTC().Format(monthDate))
	}
	return t.UTC().Format(time.DateOnly)
}

// dateTime writes a moment as the version does.
func (p *profile) dateTime(t time.Time) string {
	return p.date(t) + " " + t.UTC().Format(time.TimeOnly)
}

// parseDateTime reads what date and a clock wrote.
func (p *profile) parseDateTime(date, clock string) (time.Time, bool) {
	layout := time.DateTime
	if p.months() {
		layout = monthDate + " " + time.TimeOnly
	}
	t, err := time.Parse(layout, date+" "+clock)
	return t, err == nil
}

// logTime is the time of a log row as print shows it: before 7.10 the clock
// alone stands for today.
func (p *profile) logTime(stamp string, now time.Time) string {
	if clock, today := strings.CutPrefix(stamp, p.date(now)+" "); today && p.months() {
		return clock
	}
	return stamp
}
