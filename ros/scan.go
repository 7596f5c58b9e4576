package ros

import (
	"fmt"
	"strconv"
	"strings"
)

// Limits on what a router may send. RouterOS refuses values over about 60 KiB,
// and the largest menu read is a few thousand rows of a few hundred bytes.
const (
	maxWord  = 128 << 10
	maxWords = 256
	maxReply = 16 << 20
	maxTraps = 8
)

// scanner follows the framing of replies: length prefixes, words, sentences. It
// refuses what is out of bounds before anybody allocates for it, and keeps the
// words of failures: the client keeps one of several traps and cannot parse a
// fatal.
//
// A word is a length of one to five bytes and that many bytes; a word of length
// zero ends a sentence.
type scanner struct {
	total  int    // bytes since reset
	prefix []byte // length bytes seen of the next word
	left   int    // bytes missing of the current word
	words  int    // words seen in the current sentence
	head   string // first word of the current sentence
	buf    []byte // current word, when it is kept
	keep   bool
	trap   []string   // words of the current !trap or !fatal
	traps  []trapWord // failures in the order they came
	fatal  string     // words of a !fatal
}

// trapWord is one !trap: its category (-1: none) and message.
type trapWord struct {
	category int
	message  string
}

func (s *scanner) reset() { *s = scanner{prefix: s.prefix[:0], buf: s.buf[:0]} }

// feed scans p and returns an error that wraps ErrProtocol at the first
// violation.
func (s *scanner) feed(p []byte) error {
	s.total += len(p)
	if s.total > maxReply {
		return fmt.Errorf("%w: reply of more than %d bytes", ErrProtocol, maxReply)
	}
	for len(p) > 0 {
		if s.left > 0 {
			n := min(s.left, len(p))
			if s.keep {
				s.buf = append(s.buf, p[:n]...)
			}
			s.left -= n
			p = p[n:]
			if s.left == 0 {
				s.word()
			}
			continue
		}
		s.prefix = append(s.prefix, p[0])
		p = p[1:]
		if err := s.length(); err != nil {
			return err
		}
	}
	return nil
}

// length looks at the prefix and starts a word when it is complete.
func (s *scanner) length() error {
	n, ok := wordLength(s.prefix)
	switch {
	case s.prefix[0] >= 0xF8:
		return fmt.Errorf("%w: control byte 0x%x", ErrProtocol, s.prefix[0])
	case !ok:
		return nil
	case n > maxWord:
		return fmt.Errorf("%w: word of %d bytes", ErrProtocol, n)
	case n > 0 && s.words == maxWords:
		return fmt.Errorf("%w: sentence of more than %d words", ErrProtocol, maxWords)
	}
	s.prefix = s.prefix[:0]
	if n == 0 {
		s.sentence()
		return nil
	}
	s.left, s.buf = n, s.buf[:0]
	// The head tells what follows; the rest of a failure is kept, rows are not.
	s.keep = (s.words == 0 && n <= len("!trap  ")) || (s.failing() && n <= 4<<10)
	return nil
}

// wordLength decodes a prefix. The second result is false while bytes are
// missing.
func wordLength(b []byte) (int, bool) {
	first, size := int(b[0]), 1
	switch {
	case first >= 0xF0:
		first, size = 0, 5
	case first >= 0xE0:
		first, size = first&0x0F, 4
	case first >= 0xC0:
		first, size = first&0x1F, 3
	case first >= 0x80:
		first, size = first&0x3F, 2
	}
	if len(b) < size {
		return 0, false
	}
	n := first
	for _, c := range b[1:size] {
		n = n<<8 | int(c)
	}
	return n, true
}

func (s *scanner) failing() bool { return s.head == "!trap" || s.head == "!fatal" }

// word takes the current word in.
func (s *scanner) word() {
	s.words++
	if !s.keep {
		return
	}
	switch text := string(s.buf); {
	case s.words == 1:
		s.head = text
	case s.head == "!fatal":
		s.fatal = strings.TrimPrefix(text, "=message=")
	default:
		s.trap = append(s.trap, text)
	}
}

// sentence ends the current sentence.
func (s *scanner) sentence() {
	if s.head == "!trap" && len(s.traps) < maxTraps {
		t := trapWord{category: -1}
		for _, w := range s.trap {
			if v, ok := strings.CutPrefix(w, "=message="); ok {
				t.message = v
			}
			if v, ok := strings.CutPrefix(w, "=category="); ok {
				if n, err := strconv.Atoi(v); err == nil {
					t.category = n
				}
			}
		}
		s.traps = append(s.traps, t)
	}
	s.words, s.head, s.trap, s.keep = 0, "", nil, false
}
