package commands

import (
	_ "embed"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"vpnbot/vpn"
)

// People type passwords where a name belongs, and the router logs the name;
// scripts that somebody scheduled are logged with what stands in them. So a line
// of a router's log is shown word by word, and only words that are certainly no
// password are: those of RouterOS's own messages, numbers, addresses, times and
// names that the bot knows. Everything else is hidden, and so is any value behind
// "password", "secret" or the like, and any unknown name behind "user".

// hidden stands for a word that could be a password.
const hidden = "•••"

//go:embed logwords.txt
var logWords string

// knownWords are the words of RouterOS's own messages.
var knownWords = sync.OnceValue(func() map[string]bool {
	known := map[string]bool{}
	for w := range strings.FieldsSeq(logWords) {
		known[w] = true
	}
	return known
})

// The forms of words that are shown whatever they say. A pair of cookies, an SPI
// and a MAC address have a form that no password has.
var (
	assignment = regexp.MustCompile(`(?i)\b(?:[a-z0-9-]*(?:password|passwd|passphrase|secret|psk|token|pin|shared-key|private-key|auth-key|enc-key))\s*[=:]\s*(\\?"(?:[^"\\]|\\.)*"?|'[^']*'?|\S+)`)
	userName   = regexp.MustCompile(`(?i)\buser\s+<?([^\s>]+)>?\s+(?:logged|authentication|from)\b`)
	shapes     = regexp.MustCompile(`^(?:` + strings.Join([]string{
		`\d{1,5}`,                              // ports, numbers of processes, counts
		`\d{1,3}%`,                             //
		`0x[0-9a-fA-F]{1,8}`,                   // an SPI
		`[0-9a-f]{16}:[0-9a-f]{16}`,            // cookies
		`(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}`, // a MAC address
		`(?:\d+w)?(?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?(?:\d+ms)?`,
		`\d{1,2}:\d{2}:\d{2}`, `\d{4}-\d{2}-\d{2}`,
		`v?\d{1,2}\.\d{1,3}(?:\.\d{1,3})?`, // a version
		`\d{1,5}(?i:bytes|[kmg]bps|[kmg]b?)`,
		`[A-Za-z]`,
		`(?:ether|bridge|vlan|bonding|sfp|sfp-sfpplus|wlan|wifi|lte|l2tp-out|l2tp-in|pppoe-out|pptp-out|l2tp-|ppp|wg|wireguard)\d{0,3}`,
	}, "|") + `)$`)
)

// redactor hides what could be a password in one router's log.
type redactor struct {
	names map[string]bool // known for certain to be names
	hid   bool            // something was hidden so far
}

func newRedactor(names ...string) *redactor {
	r := &redactor{names: map[string]bool{}}
	for _, n := range names {
		if n != "" {
			r.names[n] = true
		}
	}
	return r
}

// line returns a message as it may be shown.
func (r *redactor) line(raw string) string {
	message := vpn.ReadableBytes(raw)
	message = r.replace(message, assignment, func(string) bool { return false })
	message = r.replace(message, userName, func(name string) bool { return r.names[name] || name == "admin" })
	var b strings.Builder
	for i, field := range strings.Fields(message) {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(r.field(field))
	}
	return b.String()
}

// replace hides what the first group of pattern matches, unless keep says that
// it may be shown.
func (r *redactor) replace(message string, pattern *regexp.Regexp, keep func(string) bool) string {
	var b strings.Builder
	at := 0
	for _, m := range pattern.FindAllStringSubmatchIndex(message, -1) {
		if keep(message[m[2]:m[3]]) {
			continue
		}
		b.WriteString(message[at:m[2]] + r.hide())
		at = m[3]
	}
	return b.String() + message[at:]
}

func (r *redactor) hide() string {
	r.hid = true
	return hidden
}

// field shows one run of characters without spaces: whole when it is known or an
// address, else piece by piece.
func (r *redactor) field(field string) string {
	if r.known(field) {
		return field
	}
	var b strings.Builder
	for field != "" {
		n := strings.IndexFunc(field, separates)
		if n < 0 {
			n = len(field)
		}
		if n > 0 {
			b.WriteString(r.piece(field[:n]))
			field = field[n:]
			continue
		}
		// Pieces that hold separators themselves.
		if rest, ok := strings.CutPrefix(field, hidden); ok {
			b.WriteString(hidden)
			field = rest
			continue
		}
		_, size := utf8.DecodeRuneInString(field)
		b.WriteString(field[:size])
		field = field[size:]
	}
	return b.String()
}

// separates tells whether c stands between the words of a message.
func separates(c rune) bool { return strings.ContainsRune("[](){}<>,;=\"'@/|…•", c) || c == '→' }

// piece shows a run without separators. Ends of sentences and what joins two
// known words are looked through.
func (r *redactor) piece(p string) string {
	if r.known(p) {
		return p
	}
	core := strings.Trim(p, ".:!?-")
	if core != p {
		at := strings.Index(p, core)
		return p[:at] + r.piece(core) + p[at+len(core):]
	}
	if name, ok := strings.CutPrefix(core, "l2tp-"); ok && r.names[name] { // a session's interface
		return p
	}
	if joined(core, "-", r.word) || joined(core, "->", r.known) || joined(core, ":", r.known) || joined(core, "#", r.known) {
		return p
	}
	if head, tail, ok := strings.Cut(core, ":"); ok && r.word(head) && r.known(tail) {
		return p
	}
	return r.hide()
}

// joined tells whether text is a few pieces with joint between them, each of
// which fits.
func joined(text, joint string, fits func(string) bool) bool {
	parts := strings.Split(text, joint)
	if len(parts) < 2 || len(parts) > 4 {
		return false
	}
	for _, part := range parts {
		if part == "" || !fits(part) {
			return false
		}
	}
	return true
}

// word tells whether w is a word of RouterOS's or a name, and no number.
func (r *redactor) word(w string) bool { return r.names[w] || knownWords()[strings.ToLower(w)] }

// known tells whether w is certainly no password.
func (r *redactor) known(w string) bool {
	if w == hidden || r.names[w] || knownWords()[strings.ToLower(w)] || shapes.MatchString(w) {
		return true
	}
	if _, err := netip.ParseAddr(w); err == nil {
		return true
	}
	if _, err := netip.ParsePrefix(w); err == nil {
		return true
	}
	if _, err := netip.ParseAddrPort(w); err == nil {
		return true
	}
	return strings.IndexFunc(w, func(c rune) bool { return !unicode.IsPunct(c) && !unicode.IsSymbol(c) && !unicode.Is(unicode.Han, c) }) < 0
}
