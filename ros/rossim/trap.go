package rossim

import (
	"strconv"
	"strings"
)

// Categories of a trap.
const (
	catNone        = -1
	catItem        = 0 // missing item or command
	catArgument    = 1 // argument value failure
	catInterrupted = 2
	catScript      = 3 // scripting failure
	catGeneral     = 4
	catAPI         = 5
)

// trap is a refusal as RouterOS words it.
type trap struct {
	category int
	message  string
}

// Error returns the text that a client is sent.
func (t *trap) Error() string { return t.message }

// words returns the reply sentence without its tag.
func (t *trap) words() []string {
	w := []string{"!trap"}
	if t.category != catNone {
		w = append(w, "=category="+strconv.Itoa(t.category))
	}
	return append(w, "=message="+t.message)
}

func errUnknownParameter() error { return &trap{catNone, "unknown parameter"} }
func errNoItem() error           { return &trap{catItem, "no such item"} }
func errNoCommand() error        { return &trap{catItem, "no such command"} }
func errNoPrefix() error         { return &trap{catItem, "no such command prefix"} }
func errInterrupted() error      { return &trap{catInterrupted, "interrupted"} }
func errRights() error           { return &trap{catNone, "not enough permissions (9)"} }
func errFailure(s string) error {
	return &trap{catGeneral, "failure: " + strings.TrimPrefix(s, "failure: ")}
}

func errNoMatch(attr string) error {
	return &trap{catArgument, "input does not match any value of " + attr}
}

func errInvalid(attr string) error {
	return &trap{catArgument, "invalid value for argument " + attr}
}

func errAmbiguous(attr string) error {
	return &trap{catArgument, "ambiguous value of " + attr + ", more than one possible value matches input"}
}

func errRange(attr string, lo, hi uint64) error {
	return &trap{catArgument, "value of " + attr + " out of range (" + strconv.FormatUint(lo, 10) + ".." + strconv.FormatUint(hi, 10) + ")"}
}

func errMissing(attrs []string) error {
	return &trap{catNone, "missing value(s) of argument(s) " + strings.Join(attrs, " ")}
}
