package ros

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Limits on what a router may send. RouterOS refuses values over about 60 KiB,
// and the largest menu read is a few thousand rows of a few hundred bytes. The
// sum of words bounds what the client makes of a reply: each costs it some
// hundred bytes, however short it is.
const (
	maxWord  = 128 << 10
	maxWords = 256
	maxReply = 16 << 20
	maxSum   = 1 << 20 // words and ends of sentences in a reply
	maxTraps = 8

	maxMessage = 4 << 10 // of a failure; a longer one is dropped
	maxTag     = 32      // our tags are decimal numbers
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
	sum    int    // words and sentences since reset
	head   string // first word of the current sentence
	buf    []byte // current word, when it is kept
	keep   bool
	trap   []string   // words of the current !trap
	traps  []trapWord // failures in the order they came
	fatal  string     // last word of a !fatal
	tag    string     // of the current sentence
	tags   []string   // the different tags seen since reset, "" for none
	done   bool       // the sentence that ends an answer was seen
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
		if s.done {
			return fmt.Errorf("%w: bytes behind the end of an answer", ErrProtocol)
		}
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
	if s.sum++; s.sum > maxSum {
		return fmt.Errorf("%w: reply of more than %d words", ErrProtocol, maxSum)
	}
	s.prefix = s.prefix[:0]
	if n == 0 {
		s.sentence()
		return nil
	}
	s.left, s.buf = n, s.buf[:0]
	// The head tells what follows; words of failures and tags are kept, a tag
	// being a short word. Values of rows are not.
	s.keep = n <= maxTag || (s.failing() && n <= maxMessage)
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
	if s.words == 1 {
		s.head = string(s.buf)
		return
	}
	if tag, ok := bytes.CutPrefix(s.buf, []byte(".tag=")); ok {
		s.tag = string(tag)
		return
	}
	switch s.head {
	case "!fatal":
		s.fatal = strings.TrimPrefix(string(s.buf), "=message=")
	case "!trap":
		s.trap = append(s.trap, string(s.buf))
	}
}

// answers tells whether everything that came since reset carries tag.
func (s *scanner) answers(tag string) bool {
	return len(s.tags) == 1 && s.tags[0] == tag
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
	if s.words > 0 && !slices.Contains(s.tags, s.tag) && len(s.tags) < 2 {
		s.tags = append(s.tags, s.tag)
	}
	s.done = s.head == "!done"
	s.words, s.head, s.trap, s.tag, s.keep = 0, "", nil, "", false
}
