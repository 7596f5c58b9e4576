package change

import (
	"strconv"
	"time"

	"vpnbot/change/secret"
)

// Opening is one time that credentials were shown.
type Opening struct {
	At     time.Time `json:"at"`
	Slack  *SlackID  `json:"slack,omitempty"`
	Failed bool      `json:"failed,omitempty"` // Slack definitely refused the text: does not count
}

// Reveal is an account's credentials waiting for their reader. It opens at most
// OpeningsAllowed times, within UnopenedWindow of working days, and within
// OpenedWindow of its first opening.
type Reveal struct {
	ID          string      `json:"id"`
	Version     uint64      `json:"version"`
	Request     string      `json:"request"`
	Number      int64       `json:"number"`
	Credentials Credentials `json:"credentials"`
	Granted     time.Time   `json:"granted"`
	Until       time.Time   `json:"until"`
	Deadline    time.Time   `json:"deadline"` // Until, as granted: for the first opening
	Openings    []Opening   `json:"openings,omitempty"`
	Closed      time.Time   `json:"closed,omitzero"`
}

// NewReveal grants c from now on. loc is where working days are counted.
func NewReveal(now time.Time, r Request, loc *time.Location) *Reveal {
	if r.Plan.Reveal == nil {
		return nil
	}
	until := WorkingDeadline(now, UnopenedWindow, loc)
	return &Reveal{
		ID: "reveal-" + r.ID, Request: r.ID, Number: r.Number, Credentials: *r.Plan.Reveal,
		Granted: now, Until: until, Deadline: until,
	}
}

// HandOuts returns a reveal for each reader of r's plan, granted from now on.
func HandOuts(now time.Time, r Request, loc *time.Location) []Reveal {
	until := WorkingDeadline(now, UnopenedWindow, loc)
	list := make([]Reveal, len(r.Plan.HandOut))
	for i, c := range r.Plan.HandOut {
		list[i] = Reveal{
			ID: "reveal-" + r.ID + "-" + strconv.Itoa(i+1), Request: r.ID, Number: r.Number, Credentials: c,
			Granted: now, Until: until, Deadline: until,
		}
	}
	return list
}

// HandOut is m with reveals for others than whom a plan is about.
func (m Move) HandOut(now time.Time, r Request, list []Reveal) Move {
	for _, v := range list {
		g := v.grant(now, r)
		g.Reveal, g.Grants = nil, []Reveal{v}
		m = m.And(g)
	}
	return m
}

// WorkingDeadline returns the time that lies d after from when Saturdays and
// Sundays in loc do not count.
func WorkingDeadline(from time.Time, d time.Duration, loc *time.Location) time.Time {
	t := from.In(loc)
	for d > 0 {
		y, m, day := t.Date()
		midnight := time.Date(y, m, day+1, 0, 0, 0, 0, loc)
		if !midnight.After(t) {
			midnight = t.Add(time.Hour) // the clock jumps over midnight tonight
		}
		if wd := t.Weekday(); wd == time.Saturday || wd == time.Sunday {
			t = midnight
			continue
		}
		step := min(d, midnight.Sub(t))
		t, d = t.Add(step), d-step
	}
	return t.UTC()
}

// Counted returns how many openings count.
func (v Reveal) Counted() int {
	n := 0
	for _, o := range v.Openings {
		if !o.Failed {
			n++
		}
	}
	return n
}

// MayOpen tells whether by may open v now: ErrNotReader, ErrExpired or ErrSpent.
func (v Reveal) MayOpen(now time.Time, by PersonID) error {
	switch {
	case by != v.Credentials.Reader:
		return ErrNotReader
	case !v.Closed.IsZero() || !now.Before(v.Until):
		return ErrExpired
	case v.Counted() >= OpeningsAllowed:
		return ErrSpent
	}
	return nil
}

// Open records an opening before the text is shown.
func (v Reveal) Open(now time.Time, by Actor) (Move, error) {
	if err := v.MayOpen(now, by.Person.ID); err != nil {
		return Move{}, err
	}
	n := v
	n.Openings = append(append([]Opening(nil), v.Openings...), Opening{At: now, Slack: by.Slack})
	if n.Counted() == 1 {
		n.Until = now.Add(OpenedWindow)
	}
	m := Move{Reveal: &n, Events: []Event{n.event(now, EventRevealed, by)}}
	m.Notices = []Notice{{
		Key: "opened:" + v.ID + ":" + strconv.Itoa(len(n.Openings)), Kind: NoticeOpened,
		Audience: Audience{Person: v.Credentials.Reader}, Reveal: v.ID, Number: int64(len(n.Openings)),
	}}
	return m, nil
}

// GiveBack takes the last opening out of the count: Slack definitely refused the
// text, so nobody saw it.
func (v Reveal) GiveBack(now time.Time, by Actor) (Move, error) {
	if !v.Closed.IsZero() {
		return Move{}, ErrExpired
	}
	if len(v.Openings) == 0 || v.Openings[len(v.Openings)-1].Failed {
		return Move{}, &StateError{Have: State("unopened"), Want: State("opened")}
	}
	n := v
	n.Openings = append([]Opening(nil), v.Openings...)
	n.Openings[len(n.Openings)-1].Failed = true
	if n.Counted() == 0 {
		// The ten minutes had begun with an opening that did not happen: the
		// window is as before, and long enough to try again.
		n.Until = v.Deadline
		if again := now.Add(OpenedWindow); n.Until.Before(again) {
			n.Until = again
		}
	}
	return Move{Reveal: &n, Events: []Event{n.event(now, EventRevealFailed, by)}}, nil
}

// Close ends the window and destroys the password. It returns a *StateError
// while the window is still open.
func (v Reveal) Close(now time.Time) (Move, error) {
	if !v.Closed.IsZero() {
		return Move{}, ErrExpired
	}
	if now.Before(v.Until) {
		return Move{}, &StateError{Have: State("open"), Want: State("closed")}
	}
	n := v
	n.Closed = now
	m := Move{Reveal: &n}
	if v.Credentials.Password != "" {
		m.Destroy = []secret.Ref{v.Credentials.Password}
	}
	m.Events = []Event{n.event(now, EventRevealClosed, System())}
	if v.Counted() == 0 {
		m.Notices = []Notice{{
			Key: "unopened:" + v.ID, Kind: NoticeUnopened,
			Audience: Audience{Person: v.Credentials.Reader}, Reveal: v.ID,
		}}
	}
	return m, nil
}

// Supersede closes v before its time: what it shows is of no use any more, since
// the account has another password or is gone. It returns ErrExpired for one that
// is closed.
func (v Reveal) Supersede(now time.Time) (Move, error) {
	if !v.Closed.IsZero() {
		return Move{}, ErrExpired
	}
	n := v
	n.Closed = now
	m := Move{Reveal: &n, Destroy: []secret.Ref{v.Credentials.Password}}
	m.Events = []Event{n.event(now, EventRevealClosed, System())}
	m.Events[0].Facts["why"] = "superseded"
	return m, nil
}

// grant is the part of a Move that brings v to be.
func (v Reveal) grant(now time.Time, r Request) Move {
	return Move{
		Reveal: &v,
		Events: []Event{v.event(now, EventGranted, System())},
		Notices: []Notice{{
			Key: "credentials:" + v.ID, Kind: NoticeCredentials,
			Audience: Audience{Person: v.Credentials.Reader}, Reveal: v.ID, Request: r.ID,
		}},
	}
}

func (v Reveal) event(now time.Time, kind EventKind, by Actor) Event {
	return Event{
		At: now, Kind: kind, Actor: by.Person.ID, Slack: by.Slack, Request: v.Number, Site: v.Credentials.Site,
		Facts: map[string]string{"account": v.Credentials.Account, "openings": strconv.Itoa(v.Counted())},
	}
}
