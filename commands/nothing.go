package commands

import (
	"errors"

	"vpnbot/change"
)

// emptyPlan is change.ErrEmptyPlan with a hint of where to look at what is there.
type emptyPlan struct{ hint change.Text }

// Error is that of change.ErrEmptyPlan.
func (e *emptyPlan) Error() string { return change.ErrEmptyPlan.Error() }

// Unwrap returns change.ErrEmptyPlan.
func (e *emptyPlan) Unwrap() error { return change.ErrEmptyPlan }

// Explain returns its sentence, and the hint.
func (e *emptyPlan) Explain() (sentence, hint change.Text) {
	return change.T("error.emptyplan"), e.hint
}

// nothingToDo gives an empty plan the hint that goes with what was asked for. Other
// errors stay as they are.
func nothingToDo(intent change.Intent, err error) error {
	if !errors.Is(err, change.ErrEmptyPlan) {
		return err
	}
	switch {
	case intent.Account != nil:
		return &emptyPlan{change.T("nothing.account", "site", intent.Site, "account", intent.Account.Name)}
	case intent.Tunnel != "":
		return &emptyPlan{change.T("nothing.tunnel", "tunnel", intent.Tunnel)}
	case intent.Verb == verbVerbose || intent.Undoes == verbVerbose:
		return &emptyPlan{change.T("nothing.logs", "site", intent.Site)}
	}
	return &emptyPlan{change.T("nothing.dialin", "site", intent.Site)}
}
