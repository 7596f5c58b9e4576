package ros

import (
	"fmt"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// Why a router could not be used.
var (
	ErrUnknownRouter = failure("router not known", "unknown")
	ErrUnreachable   = failure("router not reachable", "unreachable")
	ErrTimeout       = failure("router did not answer in time", "timeout")
	ErrCertificate   = failure("router certificate not the expected one", "certificate")
	ErrLogin         = failure("router refused the login", "login")
	ErrProtocol      = failure("router reply not understood", "protocol")
	ErrClosed        = failure("router client is closed", "closed")
)

// What a router answered. A *TrapError matches the one that fits its kind.
var (
	ErrPermission = failure("router user lacks the right", "permission")
	ErrFlagged    = failure("device mode forbids it", "flagged")
	ErrNoRow      = failure("no such row", "norow")
	ErrManyRows   = failure("more than one row matches", "manyrows")
	ErrRowExists  = failure("row exists already", "exists")
)

// ErrUnknownOutcome is returned when a write was sent and its answer is not
// known: it may have happened or not.
var ErrUnknownOutcome = failure("write sent, outcome unknown", "outcome")

// ErrStep is returned for a step that contradicts itself or the schema. Nothing
// was sent.
var ErrStep = failure("step not executable", "step")

// Kind is what a trap means.
type Kind uint8

// The trap kinds.
const (
	KindOther            Kind = iota
	KindNoItem                // the row does not exist
	KindExists                // a row with that key exists
	KindPermission            // the user's group lacks a policy
	KindFlagged               // device mode or the flag forbids it
	KindValue                 // an argument's value is missing or wrong
	KindUnknownCommand        // the router has no such menu or command
	KindUnknownParameter      // the command has no such attribute
	KindInterrupted           // ended before its end: whether it took effect is open
)

// TrapError is a failure that a router answered.
type TrapError struct {
	Category int // as sent; -1 when the router named none
	Kind     Kind
	Message  string // the router's words, every secret that was sent replaced
	Right    string // the policy that the command takes: what is missing, for KindPermission
}

// Error returns the router's words.
func (e *TrapError) Error() string { return "router answered: " + e.Message }

// Is matches the sentinel of the trap's kind.
func (e *TrapError) Is(target error) bool {
	switch e.Kind {
	case KindNoItem:
		return target == ErrNoRow
	case KindExists:
		return target == ErrRowExists
	case KindPermission:
		return target == ErrPermission
	case KindFlagged:
		return target == ErrFlagged
	}
	return false
}

// StepError tells which step of a plan failed. Err says why; when it is
// ErrUnknownOutcome the step may have taken effect, otherwise it has not.
type StepError struct {
	Router string
	Step   int
	Menu   string
	Action schema.Action
	Err    error
}

// Error names router, step and reason.
func (e *StepError) Error() string {
	return fmt.Sprintf("step %d (%s %s) on %s: %v", e.Step, e.Action, e.Menu, e.Router, e.Err)
}

// Unwrap returns the reason.
func (e *StepError) Unwrap() error { return e.Err }

// explained is a sentinel with words for people: the messages router.ID and
// router.ID.hint.
type explained struct{ text, id string }

func failure(text, id string) error { return &explained{text, id} }

// Error returns the words for logs.
func (e *explained) Error() string { return e.text }

// Explain returns the sentence and the hint.
func (e *explained) Explain() (sentence, hint change.Text) {
	return change.T("router." + e.id), change.T("router." + e.id + ".hint")
}

// Explain returns what the router refused, in its words where its kind has none.
func (e *TrapError) Explain() (sentence, hint change.Text) {
	id := map[Kind]string{KindNoItem: "norow", KindExists: "exists", KindPermission: "permission", KindFlagged: "flagged"}[e.Kind]
	if e.Kind == KindPermission && e.Right != "" {
		return change.T("router.right", "right", e.Right), change.T("router.permission.hint")
	}
	if id == "" {
		return change.T("router.refused", "message", e.Message), change.T("router.refused.hint")
	}
	return change.T("router." + id), change.T("router." + id + ".hint")
}
