package change

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// State is where a request stands. There are no others.
type State string

// The states of a request.
const (
	Draft          State = "draft"
	Pending        State = "pending"
	Approved       State = "approved"
	Applying       State = "applying"
	Committed      State = "committed"
	Applied        State = "applied"
	Unproven       State = "applied, unproven"
	Proven         State = "proven"
	Discarded      State = "discarded"
	Cancelled      State = "cancelled"
	Denied         State = "denied"
	Expired        State = "expired"
	Stale          State = "stale"
	Reverted       State = "reverted"
	NeedsAttention State = "needs attention"
)

// Ended tells whether a request in s never moves again. "applied, unproven" has
// ended for the requester but still waits for its proof.
func (s State) Ended() bool {
	switch s {
	case Committed, Applied, Proven, Discarded, Cancelled, Denied, Expired, Stale, Reverted:
		return true
	}
	return false
}

// How long a request may wait.
const (
	DraftLife       = 30 * time.Minute // a preview that nobody submits
	PendingLife     = 8 * time.Hour    // a request that nobody approves
	TunnelLife      = time.Hour        // likewise, to change a tunnel
	ApprovalLife    = 15 * time.Minute // an approved request that has not started
	ReminderPause   = time.Hour        // between two reminders to approvers
	UnopenedWindow  = 72 * time.Hour   // credentials that nobody opens, working days only
	OpenedWindow    = 10 * time.Minute // credentials after their first opening
	OpeningsAllowed = 3
)

// Approval is one person's yes to one digest.
type Approval struct {
	Person PersonID  `json:"person"`
	Slack  *SlackID  `json:"slack,omitempty"`
	At     time.Time `json:"at"`
	Digest string    `json:"digest"`
	Reason string    `json:"reason,omitempty"`
	Lapsed bool      `json:"lapsed,omitempty"` // given too long before the work could start
}

// Beside is a write of somebody else while a request was applied, as the router's
// history has it.
type Beside struct {
	Router string `json:"router"`
	By     string `json:"by"` // login at the router
	Action string `json:"action"`
}

// Request is a plan on its way. Its fields change only through the transitions
// of this package.
type Request struct {
	ID      string `json:"id"`
	Number  int64  `json:"number,omitempty"` // zero while a draft
	Version uint64 `json:"version"`
	State   State  `json:"state"`
	Phase   string `json:"phase,omitempty"` // while applying

	Plan   Plan   `json:"plan"`
	Digest string `json:"digest"`
	Rule   Rule   `json:"rule"`

	Requester PersonID  `json:"requester"`
	Slack     *SlackID  `json:"slack,omitempty"`
	Created   time.Time `json:"created"`
	Submitted time.Time `json:"submitted,omitzero"`
	Expires   time.Time `json:"expires,omitzero"`
	Reminded  time.Time `json:"reminded,omitzero"`
	Started   time.Time `json:"started,omitzero"`
	Ended     time.Time `json:"ended,omitzero"`

	Approvals []Approval `json:"approvals,omitempty"`
	Under     *Earlier   `json:"under,omitempty"`     // approved with another request, before its time
	DecidedBy PersonID   `json:"decidedBy,omitempty"` // who denied, cancelled or released
	Reason    string     `json:"reason,omitempty"`    // theirs
	Outcome   Text       `json:"outcome,omitzero"`    // why it ended as it did
	Decided   Decision   `json:"decided,omitempty"`   // how a change in phases will end
	Cause     Text       `json:"cause,omitzero"`      // why it is put back
	Resumed   PersonID   `json:"resumed,omitempty"`   // who decided so after it needed attention
	Moved     *Moved     `json:"moved,omitempty"`     // what made it stale
	Beside    []Beside   `json:"beside,omitempty"`    // what others did on its routers meanwhile
}

// Title names the request as people do: "#42", or "draft" without a number.
func (r Request) Title() string {
	if r.Number == 0 {
		return string(Draft)
	}
	return fmt.Sprintf("#%d", r.Number)
}

// Subject names what the request changes. Requests with one subject cannot both
// be applied from the same state.
func (r Request) Subject() string {
	if a := r.Plan.Intent.Account; a != nil {
		return "account " + r.Plan.Intent.Site + "/" + a.Name
	}
	if t := r.Plan.Tunnel; t != nil {
		return "tunnel " + t.Name
	}
	if name := r.Plan.Intent.Tunnel; name != "" {
		return "tunnel " + name
	}
	return cmp.Or(r.Plan.Intent.Undoes, r.Plan.Intent.Verb) + " " + r.Plan.Intent.Site
}

// Missing returns how many approvals are still needed.
func (r Request) Missing() int {
	if r.Under != nil {
		return 0
	}
	valid := 0
	for _, a := range r.Approvals {
		if !a.Lapsed {
			valid++
		}
	}
	need := max(1, r.Rule.Approvals)
	if slices.ContainsFunc(r.Approvals, func(a Approval) bool { return a.Lapsed }) {
		need = 1 // all had agreed to this digest; one says that it still holds
	}
	return max(0, need-valid)
}

// LastApproval returns when the approval that counts last was given; of a request
// whose approval was given long before, when its time had come.
func (r Request) LastApproval() time.Time {
	if r.Under != nil {
		return r.Created
	}
	if len(r.Approvals) == 0 {
		return time.Time{}
	}
	return r.Approvals[len(r.Approvals)-1].At
}

// next starts the Move from r to state to: a changed copy, an event of kind by
// actor, and the request's card renewed.
func (r Request) next(now time.Time, to State, kind EventKind, by Actor, edit func(*Request)) Move {
	n := r
	n.Approvals = slices.Clone(r.Approvals)
	n.State = to
	n.Phase = ""
	if to.Ended() || to == Unproven {
		n.Ended = now
	}
	if edit != nil {
		edit(&n)
	}
	m := Move{Request: &n, Version: r.Version, From: r.State, To: to}
	m.Events = []Event{n.event(now, kind, by, r.State)}
	if to != Draft && to != Discarded {
		m.Notices = append(m.Notices, n.Card())
	}
	return m
}

func (r Request) event(now time.Time, kind EventKind, by Actor, from State) Event {
	e := Event{
		At: now, Kind: kind, Actor: by.Person.ID, Slack: by.Slack,
		Request: r.Number, Site: r.Plan.Intent.Site, From: from, To: r.State, Digest: r.Digest,
		Facts: map[string]string{"verb": r.Plan.Intent.Verb, "subject": r.Subject()},
	}
	if r.Number == 0 {
		e.Draft = r.ID
	}
	if far := r.Plan.Intent.Far; far != "" {
		e.Facts["far-site"] = far
	}
	if kind == EventSubmitted {
		for _, s := range r.Plan.Intent.Settings {
			e.Facts["set."+s.Key] = s.Value
		}
	}
	return e
}

// Card is the notice that renews the request's card.
func (r Request) Card() Notice {
	return Notice{Key: "card:" + r.ID, Kind: NoticeCard, Audience: Audience{Channel: ChannelApprovals}, Request: r.ID}
}

// outcome tells the requester how the request stands now.
func (r Request) outcome() Notice {
	return Notice{Key: "outcome:" + r.ID, Kind: NoticeOutcome, Audience: Audience{Person: r.asker()}, Request: r.ID}
}

func (r Request) in(states ...State) error {
	if slices.Contains(states, r.State) {
		return nil
	}
	return &StateError{Have: r.State, Want: states[0]}
}
