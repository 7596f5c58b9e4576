package change

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Earlier is the approval on which a request runs that nobody asks for when it
// comes to it: it was given with the date of an account.
type Earlier struct {
	Request   string     `json:"request"` // its ID
	Number    int64      `json:"number"`
	Digest    string     `json:"digest"` // of the plan that was approved
	Requester PersonID   `json:"requester"`
	Approvals []Approval `json:"approvals"`
}

// NewExpiry makes the request that ends an account because the date has come that
// was approved with granted. It is approved from the beginning, as the trail says,
// and plan says what it does on the router. It returns ErrNotAllowed when granted
// approves no such thing, and ErrEmptyPlan when there is nothing to do.
func NewExpiry(now time.Time, id string, plan Plan, granted Request) (Move, error) {
	end, date := plan.Intent.Account, granted.Plan.Intent.Account
	switch {
	case end == nil || end.Do != AccountExpire || date == nil || !slices.Contains([]State{Applied, Unproven, Proven}, granted.State):
		return Move{}, ErrNotAllowed
	case end.Name != date.Name || plan.Intent.Site != granted.Plan.Intent.Site || !end.Expires.Equal(date.Expires):
		return Move{}, ErrNotAllowed
	case date.Expires.IsZero() || now.Before(date.Expires) || len(granted.Approvals) == 0:
		return Move{}, ErrNotAllowed
	case plan.Empty():
		return Move{}, ErrEmptyPlan
	}
	digest, err := plan.Digest()
	if err != nil {
		return Move{}, err
	}
	r := Request{
		ID: id, State: Approved, Plan: plan, Digest: digest, Requester: SystemPerson, Created: now, Submitted: now,
		Under: &Earlier{
			Request: granted.ID, Number: granted.Number, Digest: granted.Digest,
			Requester: granted.asker(), Approvals: slices.Clone(granted.Approvals),
		},
	}
	if granted.Under != nil {
		return Move{}, ErrNotAllowed // an expiry gives no date
	}
	m := Move{Request: &r, To: Approved, Notices: []Notice{r.Card()}}
	e := r.event(now, EventDue, System(), "")
	e.Facts["approved-in"] = "#" + strconv.FormatInt(granted.Number, 10)
	e.Facts["approved-digest"] = granted.Digest
	var by []string
	for _, a := range granted.Approvals {
		by = append(by, string(a.Person))
	}
	e.Facts["approved-by"] = strings.Join(by, ",")
	m.Events = []Event{e}
	return m, nil
}

// asker is who is told how the request ends.
func (r Request) asker() PersonID {
	if r.Under != nil {
		return r.Under.Requester
	}
	return r.Requester
}

// The reminders before an account ends, and the word that it could not be ended in
// time.
const (
	WarnWeek = 7 * 24 * time.Hour
	WarnDay  = 24 * time.Hour
	WarnLate = -ApprovalLife
)

// Warning returns what the people of the account are to be told now about its
// date, and false when nothing is due: a week and a day before, unless the date was
// set later than that, and once when it is over and the account has not ended.
func (a Account) Warning(now time.Time) (time.Duration, bool) {
	if a.Expires.IsZero() || !a.Removed.IsZero() || a.Expired {
		return 0, false
	}
	list := []time.Duration{WarnDay, WarnWeek}
	if !now.Before(a.Expires) {
		list = []time.Duration{WarnLate}
	}
	for _, before := range list {
		if at := a.Expires.Add(-before); !now.Before(at) {
			return before, a.Warned.Before(at) && (before < 0 || a.Set.Before(at))
		}
	}
	return 0, false
}

// Warn records that the people of the account are told about its date: before it
// the owner and who asked for it, afterwards the approvers.
func (a Account) Warn(now time.Time, granted Request) (Move, error) {
	before, due := a.Warning(now)
	if !due {
		return Move{}, &StateError{Have: State("warned"), Want: State("due")}
	}
	a.Warned = now
	m := Move{Accounts: []Account{a}, Events: []Event{a.event(now, EventWarned)}}
	m.Events[0].Facts["expires"] = a.Expires.UTC().Format(time.RFC3339)
	tell := func(to Audience) {
		key := "expiring:" + granted.ID + ":" + before.String() + ":" + string(to.Channel) + string(to.Person)
		m.Notices = append(m.Notices, Notice{Key: key, Kind: NoticeExpiring, Audience: to, Request: granted.ID})
	}
	if before < 0 {
		tell(Audience{Channel: ChannelApprovals})
		return m, nil
	}
	people := []PersonID{granted.asker()}
	if _, outside := a.Owner.Outside(); !outside && a.Owner != "" {
		people = append(people, a.Owner)
	}
	slices.Sort(people)
	for _, p := range slices.Compact(people) {
		tell(Audience{Person: p})
	}
	return m, nil
}

// Leave records that the date of the account has come and that the bot does
// nothing about it: why is "gone" when there is no such account any more, "off"
// when nobody can use it anyway, "released" when a person has taken it over, and
// else the reason why it must not be touched, which is told to the approvers.
func (a Account) Leave(now time.Time, why string, granted Request) Move {
	switch why {
	case "gone":
		a.Removed = now
	case "off":
		a.Expired = true
	default:
		a = a.until(time.Time{}, "", now)
	}
	m := Move{Accounts: []Account{a}, Events: []Event{a.event(now, EventLeft)}}
	m.Events[0].Facts["why"] = why
	if why == "gone" || why == "off" || why == "released" {
		return m
	}
	m.Notices = []Notice{{
		Key: "left:" + granted.ID, Kind: NoticeLeft, Audience: Audience{Channel: ChannelApprovals}, Request: granted.ID,
	}}
	return m
}

func (a Account) event(now time.Time, kind EventKind) Event {
	return Event{
		At: now, Kind: kind, Actor: SystemPerson, Site: a.Site, Router: a.Router,
		Facts: map[string]string{"account": a.Name, "subject": "account " + a.Site + "/" + a.Name},
	}
}
