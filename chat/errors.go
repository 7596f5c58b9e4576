package chat

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"vpnbot/change"
)

// Errors of starting up.
var (
	ErrAuth   = errors.New("slack refuses the token")
	ErrTeam   = errors.New("the token belongs to another workspace")
	ErrShared = errors.New("channel is shared with another organisation")
)

// errUnknown is in every error of a call whose effect nobody can tell.
var errUnknown = errors.New("outcome not known")

// apiError is a definite refusal by Slack: nothing was done. Code is Slack's.
type apiError struct {
	method, code string
	details      []string
	retry        time.Duration // of a rate limit
}

// Error names the method and Slack's code.
func (e *apiError) Error() string {
	if len(e.details) > 0 {
		return e.method + ": " + e.code + ": " + strings.Join(e.details, "; ")
	}
	return e.method + ": " + e.code
}

// Explain tells a person that Slack did not answer as it should.
func (e *apiError) Explain() (sentence, hint change.Text) {
	return change.T("chat.slack", "code", e.code), change.T("chat.slack.hint")
}

// code returns Slack's code when err is a definite refusal.
func code(err error) string {
	if e, ok := errors.AsType[*apiError](err); ok {
		return e.code
	}
	return ""
}

// retryAfter returns how long Slack asks to wait.
func retryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*apiError](err); ok {
		return e.retry
	}
	return 0
}

// secrets matches what must not stand in a log: tokens and URLs, since a ticket
// or a response URL is a key by itself.
var secrets = regexp.MustCompile(`xox[a-z]-[\w-]+|xapp-[\w-]+|(?:https?|wss?)://[^\s"]+`)

func redact(s string) string { return secrets.ReplaceAllString(s, "[…]") }

// foreign turns an error of the Slack client into ours: an *apiError when
// nothing was done, otherwise one that wraps errUnknown.
func foreign(method string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
		if slices.Contains([]string{"fatal_error", "internal_error", "request_timeout", "service_unavailable"}, e.Err) {
			return fmt.Errorf("%s: %w: %s", method, errUnknown, e.Err)
		}
		return &apiError{method: method, code: redact(e.Err), details: e.ResponseMetadata.Messages}
	}
	if e, ok := errors.AsType[*slack.RateLimitedError](err); ok {
		return &apiError{method: method, code: "ratelimited", retry: max(e.RetryAfter, time.Second)}
	}
	if e, ok := errors.AsType[slack.StatusCodeError](err); ok && e.Code < http.StatusInternalServerError {
		return &apiError{method: method, code: fmt.Sprintf("status_%d", e.Code)}
	}
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "dial" {
		return &apiError{method: method, code: codeUnreachable, details: []string{redact(e.Err.Error())}}
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // without the URL
	}
	return fmt.Errorf("%s: %w: %s", method, errUnknown, redact(err.Error()))
}

// codeUnreachable is our own code for a connection that never came to be.
const codeUnreachable = "unreachable"

// invalidToken tells whether Slack will never accept the token again.
func invalidToken(err error) bool {
	switch code(err) {
	case "invalid_auth", "account_inactive", "not_authed", "token_revoked", "token_expired", "not_allowed_token_type", "missing_scope":
		return true
	}
	return false
}

// refusal is a reason of chat's own not to do what somebody wants. It is the
// name of its messages.
type refusal string

// The refusals.
const (
	refuseForeign  refusal = "foreign"
	refuseInactive refusal = "inactive"
	refuseBot      refusal = "bot"
	refuseUnread   refusal = "unread"
	refuseBusy     refusal = "busy"
	refuseTrigger  refusal = "trigger"
	refuseShared   refusal = "shared"
)

// Error names the refusal.
func (r refusal) Error() string { return "refused: " + string(r) }

// Explain returns the sentence and the hint.
func (r refusal) Explain() (sentence, hint change.Text) {
	switch r {
	case refuseForeign:
		return change.T("chat.foreign"), change.T("chat.foreign.hint")
	case refuseInactive:
		return change.T("chat.inactive"), change.T("chat.inactive.hint")
	case refuseBot:
		return change.T("chat.bot"), change.T("chat.bot.hint")
	case refuseUnread:
		return change.T("chat.unread"), change.T("chat.unread.hint")
	case refuseBusy:
		return change.T("chat.busy"), change.T("chat.busy.hint")
	case refuseShared:
		return change.T("chat.share.foreign"), change.T("chat.share.foreign.hint")
	}
	return change.T("chat.trigger"), change.T("chat.trigger.hint")
}

// ownerRefusal is a refusal of somebody whom the caller names.
type ownerRefusal struct{ refusal }

// Unwrap returns what is said to that person themselves.
func (o ownerRefusal) Unwrap() error { return o.refusal }

// Explain speaks about that person.
func (o ownerRefusal) Explain() (sentence, hint change.Text) {
	switch o.refusal {
	case refuseForeign:
		return change.T("chat.owner.foreign"), change.T("chat.owner.foreign.hint")
	case refuseInactive:
		return change.T("chat.owner.inactive"), change.T("chat.inactive.hint")
	case refuseBot:
		return change.T("chat.owner.bot"), change.T("chat.bot.hint")
	case refuseUnread:
		return change.T("chat.owner.unread"), change.T("chat.owner.unread.hint")
	}
	return o.refusal.Explain()
}
