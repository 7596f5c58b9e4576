package slacksim

import (
	"errors"
	"fmt"
	"time"
)

// What a person sees when the app does not do its part.
var (
	// ErrDispatchFailed means that the app has no connection open.
	ErrDispatchFailed = errors.New("dispatch_failed")
	// ErrTimeout means that the app did not acknowledge in time.
	ErrTimeout = errors.New("operation_timeout")
	// ErrTrouble means that the app acknowledged with something unusable.
	ErrTrouble = errors.New("trouble connecting")
	// ErrNoSuchCommand means that this person has no such command.
	ErrNoSuchCommand = errors.New("not a valid command")
	// ErrNotThere means that the person cannot see what they tried to use.
	ErrNotThere = errors.New("not there")
	// ErrRequired means that an input was left empty; see [InputErrors].
	ErrRequired = errors.New("required")
)

// InputErrors is what Submit returns when the modal stays open with messages
// below its inputs.
type InputErrors struct {
	// ByBlock holds the messages by block ID.
	ByBlock map[string]string
	// FromApp is set when the app answered with them; otherwise Slack itself did.
	FromApp bool
}

// Error names the blocks.
func (e *InputErrors) Error() string { return fmt.Sprintf("inputs refused: %v", e.ByBlock) }

// Is makes errors.Is(err, ErrRequired) true for what Slack itself refused.
func (e *InputErrors) Is(target error) bool { return target == ErrRequired && !e.FromApp }

// apiError is an answer with ok false.
type apiError struct {
	code     string
	messages []string
	retry    time.Duration // with ratelimited
}

func (e *apiError) Error() string { return e.code }

func fail(code string, messages ...string) error {
	return &apiError{code: code, messages: messages}
}
