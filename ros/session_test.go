package ros

import (
	"strings"
	"testing"
)

// Ensure traps are told apart by category and by the fixed part of their
// message, and never by a part that a person chose.
func TestClassify(t *testing.T) {
	tests := []struct {
		category int
		message  string
		want     Kind
	}{
		{0, "no such item", KindNoItem},
		{-1, "no such item (4)", KindNoItem},
		{0, "no such command prefix", KindUnknownCommand},
		{-1, "no such command", KindUnknownCommand},
		{0, "no such command or directory (foo)", KindUnknownCommand},
		{-1, "unknown parameter", KindUnknownParameter},
		{-1, "unknown parameter nosuch", KindUnknownParameter},
		{-1, "bad parameter nosuch", KindUnknownParameter},
		{1, "unknown parameter", KindUnknownParameter},
		{1, "input does not match any value of profile", KindValue},
		{-1, "input does not match any value of profile", KindValue},
		{1, "invalid value for argument remote-address", KindValue},
		{-1, "invalid value of remote-address", KindValue},
		{-1, "value of mtu out of range (68..65535)", KindValue},
		{1, "ambiguous value of service, more than one possible value matches input", KindValue},
		{-1, "missing value(s) of argument(s) name", KindValue},
		{4, "failure: contents too long", KindValue},
		{4, "failure: already have such entry", KindExists},
		{-1, "failure: already have such address", KindExists},
		{-1, "failure: secret with the same name already exists", KindExists},
		{-1, "failure: pool with such name exists", KindExists},
		{-1, "not enough permissions (9)", KindPermission},
		{4, "failure: configuration flagged, check all router configuration for unauthorized changes", KindFlagged},
		{4, "failure: not allowed by device-mode", KindFlagged},
		{2, "interrupted", KindInterrupted},
		{-1, "interrupted", KindInterrupted},
		{2, "no such item", KindInterrupted},
		{4, "failure: std failure: timeout (13)", KindInterrupted},
		{4, "failure: cannot change builtin", KindOther},
		{-1, "failure: not allowed to remove", KindOther},
		{3, "expected end of command (line 1 column 9)", KindOther},
		{0, "something new", KindOther},
		{1, "something new", KindValue},
		{1, "invalid value for argument name: secret with the same name already exists", KindValue},
		{-1, "failure: profile \"no such item\" in use", KindOther},
		{-1, "", KindOther},
	}
	for _, tt := range tests {
		if got := classify(tt.category, tt.message); got != tt.want {
			t.Errorf("%d %q: got %d, want %d", tt.category, tt.message, got, tt.want)
		}
	}
}

// Ensure texts of a router cannot carry secrets, control characters or novels
// into an error.
func TestClean(t *testing.T) {
	tests := []struct{ in, want string }{
		{"plain", "plain"},
		{"value s3cret is wrong, s3cret", "value [secret] is wrong, [secret]"},
		{"two\r\nlines\x1b[31m", "twolines[31m"},
		{"帳號 已存在", "帳號 已存在"},
		{strings.Repeat("帳", 100), strings.Repeat("帳", 66) + "…"},
	}
	for _, tt := range tests {
		if got := clean(tt.in, []string{"", "s3cret"}); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
