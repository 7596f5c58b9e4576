package chat

import (
	"strings"
	"unicode/utf16"
)

// Slack's limits, in its own units. We count UTF-16 units, the largest of the
// counts that "characters" may mean short of bytes.
const (
	maxMessageBlocks = 50
	maxViewBlocks    = 100
	maxSection       = 3000
	maxField         = 2000
	maxFields        = 10
	maxHeader        = 150
	maxContext       = 2000
	maxButtons       = 25
	maxLabel         = 75
	maxValue         = 2000
	maxModalTitle    = 24
	maxInputLabel    = 2000
	maxFallback      = 3000 // chat.update refuses more than 4,000
	maxTableRows     = 100
	maxTableColumns  = 20
	maxTableText     = 10_000
	maxMetadata      = 3000
	maxConfirmText   = 300
	maxConfirmLabel  = 30
	maxViewErrors    = 2000
)

// units is the length of s as we count it.
func units(s string) int {
	n := 0
	for _, r := range s {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}

// cut shortens s to at most n units, with a sign where something is missing. It
// cuts no escape and no mention in two.
func cut(s string, n int) string {
	if units(s) <= n {
		return s
	}
	return head(s, n-1) + "…"
}

// head returns the longest safe beginning of s of at most n units.
func head(s string, n int) string {
	end, used := len(s), 0
	for i, r := range s {
		if used += max(1, utf16.RuneLen(r)); used > n {
			end = i
			break
		}
	}
	h := s[:end]
	if i := strings.LastIndexByte(h, '&'); i >= 0 && end < len(s) && !strings.Contains(h[i:], ";") && i > end-6 {
		h = h[:i]
	}
	if i := strings.LastIndexByte(h, '<'); i >= 0 && end < len(s) && !strings.Contains(h[i:], ">") {
		h = h[:i]
	}
	return h
}

// split breaks s into pieces of at most n units, at line ends where it can.
func split(s string, n int) []string {
	var pieces []string
	for units(s) > n {
		h := head(s, n)
		if i := strings.LastIndexByte(h, '\n'); i > 0 {
			h = h[:i]
		}
		if h == "" { // one mention longer than a piece: cannot be ours
			h = s[:len(s)-len(strings.TrimLeft(s, "<&"))]
			if h == "" {
				break
			}
		}
		pieces = append(pieces, h)
		s = strings.TrimPrefix(s[len(h):], "\n")
	}
	if s != "" {
		pieces = append(pieces, s)
	}
	return pieces
}
