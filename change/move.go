package change

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"vpnbot/change/secret"
)

// Move is everything that one transition writes. It is committed whole or not
// at all, and a ledger knows no other write.
//
// Version is that of the request as the transition read it; a ledger refuses
// the move with ErrConflict when the stored request has moved since. Zero means
// that the request is new. The ledger gives the request its number when it first
// becomes pending or approved, and fills it into the events of the move. A move with Done
// keys that were done before is refused whole with ErrDone, so a click has its
// effect once.
type Move struct {
	Request  *Request
	Version  uint64
	From, To State

	Events      []Event
	Journal     []Entry
	Notices     []Notice
	Seal        []secret.Sealed
	Destroy     []secret.Ref
	Inbox       []Inbound
	Done        []string // keys of inbound deliveries that this move answers
	Accounts    []Account
	Reveal      *Reveal  // checked by its Version like the request
	Grants      []Reveal // further ones, likewise: one for each reader, and those that are over
	Definitions []Definition
	Preferences []Preference
	Deliveries  []Delivery
	Checkpoint  *Checkpoint
	Facts       []Fact
}

// Entry is one line of a request's journal: what is about to be done, or was.
type Entry struct {
	Request string    `json:"request"` // request ID
	At      time.Time `json:"at"`
	Step    int       `json:"step"`
	Mark    EntryMark `json:"mark"`
	Note    string    `json:"note,omitempty"` // a redacted reason, or the decision
	// In a change in phases: when, and what is done besides rows.
	Phase  string     `json:"phase,omitempty"`
	Act    ActName    `json:"act,omitempty"`
	Router string     `json:"router,omitempty"`
	Saw    []Sighting `json:"saw,omitempty"`
	// Logs is what the routers wrote down meanwhile, read when the work had ended.
	Logs []RouterLog `json:"logs,omitempty"`
}

// EntryMark is where in a step the journal stands.
type EntryMark string

// The journal's marks.
const (
	StepBegin   EntryMark = "begin"   // written before the router is
	StepDone    EntryMark = "done"    // read back and equal
	StepUnknown EntryMark = "unknown" // no answer; look before doing anything
	StepSeen    EntryMark = "seen"    // how a tunnel stood before it was touched
	StepDecided EntryMark = "decided" // commit or revert
	StepLogged  EntryMark = "logged"  // the routers' logs of that time
)

// Inbound is a click, submission or command as received: parsed fields only,
// stored before it is acknowledged.
type Inbound struct {
	Key  string          `json:"key"` // Slack's own identifier of the delivery
	At   time.Time       `json:"at"`
	Kind string          `json:"kind"`
	From SlackID         `json:"from"`
	Body json.RawMessage `json:"body"`
}

// Definition is one version of what a tunnel or a dial-in server should be. The
// body is decoded by vpn.
type Definition struct {
	DefinitionRef
	At   time.Time       `json:"at"`
	By   PersonID        `json:"by"`
	Body json.RawMessage `json:"body"`
	// Retired tells that the thing is no more. Its versions stay, and a later one
	// may bring it back.
	Retired bool `json:"retired,omitempty"`
}

// Preference is what a person chose for themselves.
type Preference struct {
	Person   PersonID `json:"person"`
	Language string   `json:"language"`
}

// Checkpoint is a signed statement of the trail's size and head.
type Checkpoint struct {
	Size uint64    `json:"size"`
	At   time.Time `json:"at"`
	Note []byte    `json:"note"`
}

// Fact is a small remembered value under a name, such as the digest of the
// configuration that was last loaded.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// And returns m with the extras of n: everything but the request.
func (m Move) And(n Move) Move {
	m.Events = append(m.Events, n.Events...)
	m.Journal = append(m.Journal, n.Journal...)
	m.Notices = append(m.Notices, n.Notices...)
	m.Seal = append(m.Seal, n.Seal...)
	m.Destroy = append(m.Destroy, n.Destroy...)
	m.Inbox = append(m.Inbox, n.Inbox...)
	m.Done = append(m.Done, n.Done...)
	m.Accounts = append(m.Accounts, n.Accounts...)
	m.Definitions = append(m.Definitions, n.Definitions...)
	m.Preferences = append(m.Preferences, n.Preferences...)
	m.Deliveries = append(m.Deliveries, n.Deliveries...)
	m.Facts = append(m.Facts, n.Facts...)
	switch {
	case m.Reveal == nil:
		m.Reveal = n.Reveal
	case n.Reveal != nil:
		m.Grants = append(m.Grants, *n.Reveal)
	}
	m.Grants = append(m.Grants, n.Grants...)
	if m.Checkpoint == nil {
		m.Checkpoint = n.Checkpoint
	}
	return m
}

// Beside adds a write of somebody else to the move that ends a request. It does
// nothing where there is no request, nor event.
func (m *Move) Beside(router, by, action string) {
	if m.Request == nil || len(m.Events) == 0 {
		return
	}
	m.Request.Beside = append(slices.Clone(m.Request.Beside), Beside{Router: router, By: by, Action: action})
	m.Events[0].Facts["beside."+strconv.Itoa(len(m.Request.Beside))] = router + ": " + by + ": " + action
}

// Receipt is what a ledger made of a Move: the request and reveal as stored,
// with their numbers and versions, and the size of the trail after it. Stored
// names the deliveries of Move.Inbox that had not been seen before: one that is
// delivered again is not stored again.
type Receipt struct {
	Request *Request
	Reveal  *Reveal
	Size    uint64
	Stored  []string
}

// Waiting is a notice that has not been delivered. Generation counts how often
// it was renewed; At is since when it waits, however often.
type Waiting struct {
	Notice     Notice    `json:"notice"`
	Generation uint64    `json:"generation"`
	At         time.Time `json:"at"`
}

// Filter chooses requests. The zero Filter names all of them, oldest first.
type Filter struct {
	States []State
	Limit  int  // 0: a ledger's own bound
	Newest bool // newest first
}

// Recorded is an event with its place in the trail, counted from 1.
type Recorded struct {
	Seq   uint64 `json:"seq"`
	Event Event  `json:"event"`
}

// EventFilter chooses events. The zero EventFilter names all of them, oldest
// first.
type EventFilter struct {
	After   uint64 // only events behind this place
	Since   time.Time
	Request int64
	Actor   PersonID
	Site    string
	Kinds   []EventKind
	Limit   int
	Newest  bool
}
