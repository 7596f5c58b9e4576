package ros

import (
	"errors"
	"fmt"

	"vpnbot/ros/schema"
)

// Why a router could not be used.
var (
	ErrUnknownRouter = errors.New("router not known")
	ErrUnreachable   = errors.New("router not reachable")
	ErrTimeout       = errors.New("router did not answer in time")
	ErrCertificate   = errors.New("router certificate not the expected one")
	ErrLogin         = errors.New("router refused the login")
	ErrProtocol      = errors.New("router reply not understood")
	ErrClosed        = errors.New("router client is closed")
)

// What a router answered. A *TrapError matches the one that fits its kind.
var (
	ErrPermission = errors.New("router user lacks the right")
	ErrFlagged    = errors.New("device mode forbids it")
	ErrNoRow      = errors.New("no such row")
	ErrManyRows   = errors.New("more than one row matches")
	ErrRowExists  = errors.New("row exists already")
)

// ErrUnknownOutcome is returned when a write was sent and its answer is not
// known: it may have happened or not.
var ErrUnknownOutcome = errors.New("write sent, outcome unknown")

// ErrStep is returned for a step that contradicts itself or the schema. Nothing
// was sent.
var ErrStep = errors.New("step not executable")

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
