package commands

import (
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// What people paste and what phones type becomes words here. The rules:
//
//   - Any space separates: non-breaking, ideographic and zero-width ones too.
//   - "…", “…”, '…', ‘…’, 「…」 and 『…』 keep what is inside together, at the
//     beginning of a word or behind "=".
//   - A dash of whatever length at the beginning of a word followed by a letter
//     makes a flag, since phones write "--" as "—".
//   - <…> is Slack's own mark-up: a mention stays a mention, a link or channel
//     becomes its label. What a person types as < arrives as &lt;.
//   - Words are compared in NFKC; free text keeps the form in which it was typed.

// word is one piece of a command line.
type word struct {
	raw    string // as typed, unescaped
	quoted bool
	flag   string // name of a flag, folded; raw is then its value
	value  bool   // the flag came with "=" and a value
	user   string // Slack user ID of a mention
}

// fold returns the form of w that is compared.
func (w word) fold() string { return norm.NFKC.String(w.raw) }

const (
	doubleQuotes = "\"“”„‟＂"
	singleQuotes = "'‘’‚‛＇"
	dashes       = "-‐‑‒–—―−﹘﹣－"
)

// closers pairs an opening quotation mark with those that close it.
func closers(open rune) string {
	switch {
	case strings.ContainsRune(doubleQuotes, open):
		return doubleQuotes
	case strings.ContainsRune(singleQuotes, open):
		return singleQuotes
	case open == '「':
		return "」"
	case open == '『':
		return "』"
	}
	return ""
}

func space(r rune) bool {
	switch r {
	case '\u200b', '\u200c', '\u200d', '\u2060', '\ufeff', '\u00ad', '\u200e', '\u200f':
		return true
	}
	return unicode.IsSpace(r)
}

// scanner splits a line into words.
type scanner struct {
	in []rune
	at int
}

// split returns the words of line. open tells that a quotation mark was never
// closed.
func split(line string) (words []word, open bool) {
	s := scanner{in: []rune(line)}
	for {
		for s.at < len(s.in) && space(s.in[s.at]) {
			s.at++
		}
		if s.at == len(s.in) {
			return words, open
		}
		w, unclosed := s.word()
		words, open = append(words, w), open || unclosed
	}
}

func (s *scanner) word() (w word, unclosed bool) {
	if name, ok := s.flagName(); ok {
		w.flag = name
		if s.at < len(s.in) && (s.in[s.at] == '=' || s.in[s.at] == '＝') {
			s.at++
			w.value = true
		}
		if !w.value {
			return w, false
		}
	}
	if s.at < len(s.in) {
		if text, ok, bad := s.quotedText(); ok || bad {
			w.raw, w.quoted = unescape(text), true
			return w, bad
		}
	}
	var raw strings.Builder
	users := 0
	for s.at < len(s.in) && !space(s.in[s.at]) {
		if s.in[s.at] == '<' {
			label, user := s.markup()
			raw.WriteString(label)
			users += min(1, len(user))
			w.user = user
			continue
		}
		raw.WriteRune(s.in[s.at])
		if s.at++; raw.Len() > 1 && s.at < len(s.in) && (s.in[s.at-1] == '=' || s.in[s.at-1] == '＝') {
			text, ok, bad := s.quotedText()
			if raw.WriteString(text); ok || bad {
				unclosed = bad
				break
			}
		}
	}
	w.raw = unescape(raw.String())
	if users > 1 || (users == 1 && w.raw != "") { // names nobody for certain
		w.user, w.raw = "", "@"
	}
	return w, unclosed
}

// flagName reads dashes and the name behind them, or nothing.
func (s *scanner) flagName() (string, bool) {
	i := s.at
	for i < len(s.in) && strings.ContainsRune(dashes, s.in[i]) {
		i++
	}
	if i == s.at || i == len(s.in) || !unicode.IsLetter(s.in[i]) {
		return "", false
	}
	start := i
	for i < len(s.in) && (unicode.IsLetter(s.in[i]) || unicode.IsDigit(s.in[i]) || strings.ContainsRune(dashes, s.in[i])) {
		i++
	}
	if i < len(s.in) && !space(s.in[i]) && s.in[i] != '=' && s.in[i] != '＝' && s.in[i] != '<' {
		return "", false
	}
	name := strings.ToLower(norm.NFKC.String(string(s.in[start:i])))
	s.at = i
	return name, true
}

// quotedText reads a quoted text when one begins here. An opening apostrophe
// that nothing closes is a letter like any other; bad tells that another opening
// mark was never closed.
func (s *scanner) quotedText() (text string, ok, bad bool) {
	closing := closers(s.in[s.at])
	if closing == "" {
		return "", false, false
	}
	for i := s.at + 1; i < len(s.in); i++ {
		if strings.ContainsRune(closing, s.in[i]) && (i+1 == len(s.in) || space(s.in[i+1])) {
			text = string(s.in[s.at+1 : i])
			s.at = i + 1
			return text, true, false
		}
	}
	if closing == singleQuotes {
		return "", false, false
	}
	s.at = len(s.in)
	return "", false, true
}

// mention is Slack's mark-up for a user.
var mention = regexp.MustCompile(`^@([UW][A-Z0-9]{1,20})$`)

// markup reads one <…>: the label that a reader sees, and the user of a mention.
func (s *scanner) markup() (label, user string) {
	end := s.at + 1
	for end < len(s.in) && s.in[end] != '>' {
		end++
	}
	if end == len(s.in) {
		s.at = end
		return "", ""
	}
	target, shown, _ := strings.Cut(string(s.in[s.at+1:end]), "|")
	s.at = end + 1
	if m := mention.FindStringSubmatch(target); m != nil {
		return "", m[1]
	}
	switch {
	case shown != "":
		return shown, ""
	case strings.HasPrefix(target, "!"), strings.HasPrefix(target, "#"):
		return "", ""
	}
	for _, scheme := range []string{"https://", "http://", "mailto:", "tel:"} {
		target = strings.TrimPrefix(target, scheme)
	}
	return target, ""
}

// unescape undoes the three escapes that Slack sends.
func unescape(text string) string {
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(text)
}
