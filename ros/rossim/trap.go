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
	about    mistake
	word     string // the word at fault, where about says so
}

// mistake is a refusal that versions word differently.
type mistake uint8

const (
	other mistake = iota
	noItem
	noCommand
	noDirectory
	noParameter
)

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

// worded returns the refusal in the texts that Tables.Texts names.
func (t *trap) worded(texts string) *trap {
	c := *t
	switch {
	case texts == "oldest" && t.about == noItem:
		c.message += " (4)"
	case texts == "named" && t.about == noParameter:
		c.message += " " + t.word
	case texts == "newest" && t.about == noParameter:
		c.message = "bad parameter " + t.word
	case texts == "newest" && (t.about == noCommand || t.about == noDirectory):
		c.message = "no such command or directory (" + t.word + ")"
	}
	return &c
}

func errUnknownParameter(name string) error {
	return &trap{category: catNone, message: "unknown parameter", about: noParameter, word: name}
}

func errNoItem() error { return &trap{category: catItem, message: "no such item", about: noItem} }

func errNoCommand(word string) error {
	return &trap{category: catItem, message: "no such command", about: noCommand, word: word}
}

func errNoPrefix(word string) error {
	return &trap{category: catItem, message: "no such command prefix", about: noDirectory, word: word}
}

func errInterrupted() error { return &trap{category: catInterrupted, message: "interrupted"} }
func errRights() error      { return &trap{category: catNone, message: "not enough permissions (9)"} }

func errFailure(s string) error {
	return &trap{category: catGeneral, message: "failure: " + strings.TrimPrefix(s, "failure: ")}
}

func errNoMatch(attr string) error {
	return &trap{category: catArgument, message: "input does not match any value of " + attr}
}

func errInvalid(attr string) error {
	return &trap{category: catArgument, message: "invalid value for argument " + attr}
}

func errAmbiguous(attr string) error {
	return &trap{category: catArgument, message: "ambiguous value of " + attr + ", more than one possible value matches input"}
}

func errRange(attr string, lo, hi uint64) error {
	return errOutside(attr, strconv.FormatUint(lo, 10), strconv.FormatUint(hi, 10))
}

func errOutside(attr, lo, hi string) error {
	return &trap{category: catArgument, message: "value of " + attr + " out of range (" + lo + ".." + hi + ")"}
}

func errMissing(attrs []string) error {
	return &trap{category: catNone, message: "missing value(s) of argument(s) " + strings.Join(attrs, " ")}
}
