package change

import (
	"errors"
	"fmt"
)

// Refusals that a caller tells apart.
var (
	ErrNotFound     = errors.New("not found")
	ErrNotAllowed   = errors.New("not allowed")
	ErrSelfApproval = errors.New("requester may not approve")
	ErrTwice        = errors.New("person has approved already")
	ErrDigest       = errors.New("approval names another plan digest")
	ErrReason       = errors.New("reason missing or not of the required form")
	ErrExpired      = errors.New("time is over")
	ErrSpent        = errors.New("opened as often as allowed")
	ErrNotReader    = errors.New("credentials belong to another person")
	ErrEmptyPlan    = errors.New("nothing to do")
	ErrStale        = errors.New("router changed since the plan")
	ErrConflict     = errors.New("record moved meanwhile")
	ErrDone         = errors.New("already processed")
	ErrDecided      = errors.New("decided otherwise, or not yet")
	ErrNotPhased    = errors.New("plan has no phases")
)

// StateError is returned for a transition that the request's state does not
// have: somebody else was faster, or the request has ended.
type StateError struct {
	Have, Want State
}

// Error names both states.
func (e *StateError) Error() string {
	return fmt.Sprintf("request is %s, not %s", e.Have, e.Want)
}
