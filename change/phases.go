package change

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"vpnbot/ros/schema"
)

// Decision is how a change in phases will end. It is journaled before the first
// write that follows from it, and the bot never takes it back: whatever dies
// afterwards, the work goes on in this direction.
type Decision string

// The decisions.
const (
	Undecided     Decision = ""
	DecidedCommit Decision = "commit"
	DecidedRevert Decision = "revert"
	// DecidedAdopt stands in an intent alone: what the routers hold becomes the
	// definition, and the request that stopped half-way goes no further.
	DecidedAdopt Decision = "adopt"
)

// Act is something that is done on a router besides the plan's rows: it follows
// from the plan, and is journaled as a step is.
type Act struct {
	Name   ActName `json:"name"`
	Router string  `json:"router"`
}

// ActName names an act.
type ActName string

// The acts.
const (
	ActGuard   ActName = "add guard"          // switched off, until the router has parsed it
	ActArm     ActName = "arm"                // by script: parse everything, then switch the guard on
	ActCutOver ActName = "cut over"           // by script
	ActDrop    ActName = "drop phase 1"       // of this tunnel only
	ActForget  ActName = "forget connections" // that were translated before the bypass
	ActCommit  ActName = "commit"             // by script
	ActRestore ActName = "restore"            // by script: old rows as they were
	ActUnguard ActName = "remove guard"
)

// Script asks for one of a phased plan's scripts. What stands in it follows from
// the plan; no secret ever does.
type Script struct {
	Request int64
	Act     Act // arm, cut over, commit or restore
	Plan    Plan
	// Delay is how long the router waits before it looks at any row.
	Delay time.Duration
	// Again makes a cut-over take whatever values it finds, the guard's included:
	// it is decided that the new rows hold. A commit then does not look at the values
	// of new rows: they were looked at, or there is no way back any more.
	Again bool
	// Drop is the phase 1 that ends with the old rows, if there is one.
	Drop []Phase1
}

// Phase1 tells one row of active-peers from all others.
type Phase1 struct {
	Local  netip.Addr `json:"local"`
	Remote netip.Addr `json:"remote"`
	Port   string     `json:"port,omitempty"`
	ID     string     `json:"id,omitempty"`
	SPII   string     `json:"spii"` // the cookies
	SPIR   string     `json:"spir"`
	// Both tells that the other end had the same cookies: without that it may be a
	// dial-in client behind the other end's address, and is left alone.
	Both bool `json:"both,omitempty"`
}

// Cookies returns both cookies as one word.
func (p Phase1) Cookies() string { return p.SPII + ":" + p.SPIR }

// Sighting is what one end showed of a tunnel before it was touched. Cookies and
// SPIs are no secrets: they stand in clear in every packet.
type Sighting struct {
	Router string   `json:"router"`
	Up     bool     `json:"up,omitempty"` // every wanted policy is established
	Phase1 []Phase1 `json:"phase1,omitempty"`
	SPIs   []string `json:"spis,omitempty"`
}

// Finds tells whether row is one that Match names. An empty comment names rows
// without one. Of a row that the step adds, the generation mark does not count.
func (s Step) Finds(row schema.Row) bool {
	where := s.Match
	if comment, named := where["comment"]; named {
		have := row["comment"]
		if s.Action == schema.Add {
			have = Unmarked(have)
		}
		if have != comment {
			return false
		}
		where = where.Clone()
		delete(where, "comment")
	}
	return Query{Menu: s.Menu, Where: where}.Matches(row)
}

// Anyhow returns s with a Match that finds its rows whether or not s was carried out:
// it names no value that s changes.
func (s Step) Anyhow() Step {
	s.Match = s.Match.Clone()
	if s.Action == schema.Change {
		for _, changed := range []schema.Row{s.Before, s.After} {
			for name := range changed {
				delete(s.Match, name)
			}
		}
	}
	return s
}

// GuardName is the name of a request's guard, the same on both routers.
func GuardName(request int64) string { return fmt.Sprintf("vpnbot-guard-%d", request) }

// Enter begins a phase, so that the card shows it.
func (r Request) Enter(now time.Time, phase string) (Move, error) {
	if err := r.phased(Applying); err != nil {
		return Move{}, err
	}
	m := r.next(now, Applying, EventPhase, System(), func(n *Request) { n.Phase, n.Outcome = phase, Text{} })
	m.Events[0].Facts["phase"] = phase
	return m, nil
}

// See journals what both ends show before anything is cut over: the proof
// compares with it, after a restart too.
func (r Request) See(now time.Time, saw [2]Sighting) (Move, error) {
	m, err := r.act(now, Act{}, StepSeen, EventSeen, "")
	if err != nil {
		return Move{}, err
	}
	m.Journal[0].Saw = saw[:]
	facts := m.Events[0].Facts
	for _, s := range saw {
		var cookies []string
		for _, p := range s.Phase1 {
			cookies = append(cookies, p.Cookies())
		}
		facts["cookies."+s.Router] = strings.Join(cookies, ",")
		facts["spis."+s.Router] = strings.Join(s.SPIs, ",")
	}
	return m, nil
}

// BeginAct journals that a is about to be done.
func (r Request) BeginAct(now time.Time, a Act) (Move, error) {
	return r.act(now, a, StepBegin, EventStepBegin, "")
}

// LoseAct journals that the router's answer to a is not known. note is a redacted
// reason.
func (r Request) LoseAct(now time.Time, a Act, note string) (Move, error) {
	return r.act(now, a, StepUnknown, EventStepUnknown, note)
}

// FinishAct journals that a was seen to have had its effect.
func (r Request) FinishAct(now time.Time, a Act) (Move, error) {
	return r.act(now, a, StepDone, EventStepDone, "")
}

func (r Request) act(now time.Time, a Act, mark EntryMark, kind EventKind, note string) (Move, error) {
	if err := r.phased(Applying); err != nil {
		return Move{}, err
	}
	m := r.next(now, Applying, kind, System(), func(n *Request) { n.Phase = r.Phase })
	m.Journal = []Entry{{Request: r.ID, At: now, Mark: mark, Note: note, Act: a.Name, Router: a.Router, Phase: r.Phase}}
	e := &m.Events[0]
	e.Router = a.Router
	e.Facts["phase"] = r.Phase
	if a.Name != "" {
		e.Facts["action"] = string(a.Name)
	}
	if note != "" {
		e.Facts["note"] = note
	}
	return m, nil
}

// Decide journals how the change will end. why says what forced a revert; proof
// holds what the decision rests on.
func (r Request) Decide(now time.Time, d Decision, why Text, proof map[string]string) (Move, error) {
	if err := r.phased(Applying); err != nil {
		return Move{}, err
	}
	if r.Decided != Undecided || d == Undecided {
		return Move{}, ErrDecided
	}
	return r.decide(now, d, EventDecided, System(), why, proof), nil
}

func (r Request) decide(now time.Time, d Decision, kind EventKind, by Actor, why Text, proof map[string]string) Move {
	phase := PhaseCommit
	if d == DecidedRevert {
		phase = PhaseRevert
	}
	m := r.next(now, Applying, kind, by, func(n *Request) {
		n.Phase, n.Decided, n.Cause, n.Outcome = phase, d, why, Text{}
	})
	m.Journal = []Entry{{Request: r.ID, At: now, Mark: StepDecided, Note: string(d), Phase: phase}}
	facts := m.Events[0].Facts
	facts["decision"] = string(d)
	if !why.IsZero() {
		facts["why"] = why.ID
	}
	for name, value := range proof {
		facts["proof."+name] = value
	}
	return m
}

// Commit ends a change in phases on its new rows, at both ends. Its secrets are
// on the routers and nowhere needed any more.
func (r Request) Commit(now time.Time) (Move, error) {
	return r.end(now, DecidedCommit, Committed, EventCommitted, Text{})
}

// Revert ends a change in phases on its old rows, at both ends. outcome is said
// in place of why it was put back, when there is more to say.
func (r Request) Revert(now time.Time, outcome Text) (Move, error) {
	if outcome.IsZero() {
		outcome = r.Cause
	}
	return r.end(now, DecidedRevert, Reverted, EventReverted, outcome)
}

func (r Request) end(now time.Time, d Decision, to State, kind EventKind, outcome Text) (Move, error) {
	if err := r.phased(Applying); err != nil {
		return Move{}, err
	}
	if r.Decided != d {
		return Move{}, ErrDecided
	}
	m := r.next(now, to, kind, System(), func(n *Request) { n.Outcome = outcome })
	if !outcome.IsZero() {
		m.Events[0].Facts["why"] = outcome.ID
	}
	m.Destroy = r.Plan.SecretRefs()
	m.Notices = append(m.Notices, r.outcome())
	return m, nil
}

// phased is in for requests whose plan has phases.
func (r Request) phased(state State) error {
	if !r.Plan.Phased() {
		return ErrNotPhased
	}
	return r.in(state)
}
