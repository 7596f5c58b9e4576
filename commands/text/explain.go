package text

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"vpnbot/change"
	"vpnbot/change/secret"
)

// Explainer is an error that knows what to tell a person: one sentence and one
// hint, either of which is part of the catalog. The hint may be the zero Text.
// The errors of packages that this one does not import implement it.
type Explainer interface {
	error
	Explain() (sentence, hint change.Text)
}

// sentinel is an error and the name of its messages.
type sentinel struct {
	err  error
	name string
}

// explained pairs the refusals of the domain with their messages. Each has a
// sentence, "error.<name>", and a hint, "error.<name>.hint".
func explained() []sentinel {
	return []sentinel{
		{change.ErrNotFound, "notfound"},
		{change.ErrNotAllowed, "notallowed"},
		{change.ErrSelfApproval, "selfapproval"},
		{change.ErrTwice, "twice"},
		{change.ErrDigest, "digest"},
		{change.ErrReason, "reason"},
		{change.ErrExpired, "expired"},
		{change.ErrSpent, "spent"},
		{change.ErrNotReader, "notreader"},
		{change.ErrEmptyPlan, "emptyplan"},
		{change.ErrStale, "stale"},
		{change.ErrConflict, "conflict"},
		{change.ErrDone, "done"},
		{secret.ErrDestroyed, "destroyed"},
		{context.DeadlineExceeded, "deadline"},
		{context.Canceled, "stopping"},
	}
}

// Explain returns what a person reads of err. known is false for an error that
// has no words of its own: it reads "internal error" with a reference, which
// Reference gives to the log as well.
func Explain(err error) (sentence, hint change.Text, known bool) {
	if e, ok := errors.AsType[Explainer](err); ok {
		sentence, hint = e.Explain()
		return sentence, hint, true
	}
	if e, ok := errors.AsType[*change.StateError](err); ok {
		return change.T("error.state", "have", e.Have), change.T("error.state.hint"), true
	}
	for _, e := range explained() {
		if errors.Is(err, e.err) {
			return change.T("error." + e.name), change.T("error." + e.name + ".hint"), true
		}
	}
	return change.T("error.internal", "reference", Reference(err)), change.T("error.internal.hint"), false
}

// Reference is a short name for err, equal for equal errors: a person can say it
// and the log can be searched for it.
func Reference(err error) string {
	sum := sha256.Sum256([]byte(err.Error()))
	return hex.EncodeToString(sum[:4])
}
