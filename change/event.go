package change

import "time"

// EventKind names what happened.
type EventKind string

// The kinds of events. A kind is never renamed: old trails keep theirs.
const (
	EventStarted      EventKind = "bot.started"
	EventStopped      EventKind = "bot.stopped"
	EventConfig       EventKind = "config.changed"
	EventRefused      EventKind = "refused" // a wish that was not granted, with its reason
	EventDrafted      EventKind = "request.drafted"
	EventSubmitted    EventKind = "request.submitted"
	EventDiscarded    EventKind = "request.discarded"
	EventApproval     EventKind = "request.approval" // one approval, maybe not the last
	EventApproved     EventKind = "request.approved"
	EventLapsed       EventKind = "request.lapsed" // approved, not started in time
	EventDenied       EventKind = "request.denied"
	EventCancelled    EventKind = "request.cancelled"
	EventExpired      EventKind = "request.expired"
	EventStale        EventKind = "request.stale"
	EventWaiting      EventKind = "request.waiting"
	EventReverted     EventKind = "request.reverted"
	EventApplying     EventKind = "request.applying"
	EventStepBegin    EventKind = "step.begin"
	EventStepDone     EventKind = "step.done"
	EventStepUnknown  EventKind = "step.unknown" // the answer was lost; the router is read again
	EventApplied      EventKind = "request.applied"
	EventProven       EventKind = "request.proven"
	EventAttention    EventKind = "request.attention"
	EventReleased     EventKind = "request.released"
	EventRecovering   EventKind = "request.recovering"
	EventPhase        EventKind = "request.phase"     // a change in phases has come to the next
	EventSeen         EventKind = "request.seen"      // what a tunnel showed before it was touched
	EventDecided      EventKind = "request.decided"   // commit or revert; not taken back
	EventCommitted    EventKind = "request.committed" // new rows at both ends, proven
	EventResumed      EventKind = "request.resumed"   // a person decided where to finish
	EventAdopted      EventKind = "request.adopted"   // what it left became the definition
	EventLogged       EventKind = "request.logged"    // the routers' logs of that time were kept
	EventReminded     EventKind = "request.reminded"
	EventGranted      EventKind = "reveal.granted"
	EventRevealed     EventKind = "reveal.opened"
	EventRevealFailed EventKind = "reveal.failed" // Slack refused the text: the opening does not count
	EventRevealClosed EventKind = "reveal.closed"
	EventDefinition   EventKind = "definition.imported"
	EventPreference   EventKind = "preference.set"
	EventCheckpoint   EventKind = "checkpoint.signed"
	EventSessionFirst EventKind = "account.connected"
	EventDue          EventKind = "request.due"    // a date that was approved earlier has come
	EventWarned       EventKind = "account.warned" // its people were told that its date comes
	EventLeft         EventKind = "account.left"   // its date has come, and nothing is done about it
)

// Event is one entry of the audit trail, before the trail gives it a place in
// its chain. It never holds a secret.
type Event struct {
	At      time.Time         `json:"at"`
	Kind    EventKind         `json:"kind"`
	Actor   PersonID          `json:"actor"`
	Slack   *SlackID          `json:"slack,omitempty"` // the Slack user that the actor used
	Request int64             `json:"request,omitempty"`
	Draft   string            `json:"draft,omitempty"` // request ID, before it has a number
	Site    string            `json:"site,omitempty"`
	Router  string            `json:"router,omitempty"`
	Step    int               `json:"step,omitempty"`
	From    State             `json:"from,omitempty"`
	To      State             `json:"to,omitempty"`
	Digest  string            `json:"digest,omitempty"`
	Facts   map[string]string `json:"facts,omitempty"`
}

// Actor is who does something, and through which Slack user. Slack is nil for
// the terminal and for the bot itself.
type Actor struct {
	Person Person
	Slack  *SlackID
}

// System is the bot acting by itself.
func System() Actor { return Actor{Person: Person{ID: SystemPerson, Name: "vpnbot"}} }
