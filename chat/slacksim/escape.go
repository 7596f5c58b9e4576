package slacksim

import (
	"regexp"
	"slices"
	"strings"
)

// clickable is what a person's client turns into an ID or a link: @handle,
// #channel and URLs, each at the beginning of a word.
var clickable = regexp.MustCompile(`(^|[\s(])(@[\p{L}\p{N}._-]+|#[\p{L}\p{N}_-]+|https?://[^\s<>|]+)`)

// mark escapes the three characters that are special in Slack's text.
func mark(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// escape is text as a client sends it: mentions of people and channels chosen
// by name become IDs, the rest is escaped. The caller holds mu.
func (s *Server) escape(st *state, text string) string {
	var b strings.Builder
	at := 0
	for _, m := range clickable.FindAllStringSubmatchIndex(text, -1) {
		b.WriteString(mark(text[at:m[4]]))
		word := text[m[4]:m[5]]
		at = m[5]
		switch word[0] {
		case '@':
			b.WriteString(s.mention(st, word))
		case '#':
			b.WriteString(channelLink(st, word))
		default:
			b.WriteString("<" + mark(word) + ">")
		}
	}
	return b.String() + mark(text[at:])
}

// mention resolves @handle, leaving punctuation after it alone.
func (s *Server) mention(st *state, word string) string {
	users := append(slices.Clone(st.users), s.botUser())
	for n := len(word); n > 1; n-- {
		for _, u := range users {
			if !u.Stranger && strings.EqualFold(u.Handle, word[1:n]) {
				return "<@" + u.ID + ">" + mark(word[n:])
			}
		}
		if c := word[n-1]; c != '.' && c != '-' && c != '_' {
			break
		}
	}
	return mark(word)
}

func channelLink(st *state, word string) string {
	for _, c := range st.channels {
		if c.Name != "" && c.Name == word[1:] {
			if c.Private {
				return "<#" + c.ID + "|>"
			}
			return "<#" + c.ID + "|" + c.Name + ">"
		}
	}
	return mark(word)
}
