package secret

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

const hidden = "[secret]"

// ErrMarshal is returned by every attempt to write a Secret into a document.
var ErrMarshal = errors.New("a secret is never marshalled")

// Secret is a value that does not show itself. The zero Secret is empty.
//
// The text stands behind a pointer because fmt does not ask the methods of a
// value in an unexported field: it prints what it finds there, an address.
type Secret struct{ text *string }

// New wraps text. The caller must not keep text anywhere else.
func New(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{&text}
}

// Empty tells whether there is nothing in s.
func (s Secret) Empty() bool { return s.text == nil }

// Expose returns the text of s. It is called where the text leaves the program
// towards its one reader, and nowhere else.
func (s Secret) Expose() string { return s.plain() }

func (s Secret) plain() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// String returns a placeholder.
func (s Secret) String() string { return hidden }

// GoString returns a placeholder.
func (s Secret) GoString() string { return hidden }

// Format writes a placeholder for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue returns a placeholder.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalJSON refuses.
func (s Secret) MarshalJSON() ([]byte, error) { return nil, ErrMarshal }

// MarshalText refuses.
func (s Secret) MarshalText() ([]byte, error) { return nil, ErrMarshal }
