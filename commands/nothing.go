package commands

import (
	"errors"

	"vpnbot/change"
	"vpnbot/commands/text"
)

// hinted is an error of the domain with a hint that fits what was asked for.
type hinted struct {
	err  error
	hint change.Text
}

// Error is that of the error.
func (e *hinted) Error() string { return e.err.Error() }

// Unwrap returns the error.
func (e *hinted) Unwrap() error { return e.err }

// Explain returns the sentence of the error, and the hint.
func (e *hinted) Explain() (sentence, hint change.Text) {
	sentence, _, _ = text.Explain(e.err)
	return sentence, e.hint
}

// nothingToDo gives an empty plan the hint that goes with what was asked for. Other
// errors stay as they are.
func nothingToDo(intent change.Intent, err error) error {
	if !errors.Is(err, change.ErrEmptyPlan) {
		return err
	}
	switch {
	case intent.Account != nil:
		return &hinted{err, change.T("nothing.account", "site", intent.Site, "account", intent.Account.Name)}
	case intent.Tunnel != "":
		return &hinted{err, change.T("nothing.tunnel", "tunnel", intent.Tunnel)}
	case intent.Verb == verbVerbose || intent.Undoes == verbVerbose:
		return &hinted{err, change.T("nothing.logs", "site", intent.Site)}
	}
	return &hinted{err, change.T("nothing.dialin", "site", intent.Site)}
}
