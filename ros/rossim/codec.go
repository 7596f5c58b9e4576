package rossim

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// The wire form: a sentence is a list of words that ends with an empty word; a
// word is a length of one to five bytes and that many bytes.

var (
	// errControl is a first length byte that the protocol reserves.
	errControl = errors.New("reserved control byte in place of a word length")
	// errTooLong is a word or sentence over the limit of an unknown client.
	errTooLong = errors.New("sentence over the limit")
)

// limits bounds what a sentence may hold. A word over word bytes is read and
// dropped; the sentence is then marked long. With strict set it is an error.
type limits struct {
	word   int
	words  int
	strict bool
}

// sentence is one command as it came in.
type sentence struct {
	words []string
	long  bool // a word was over the limit and is missing here
}

// readSentence reads words up to the empty one. Empty sentences are skipped.
func readSentence(r *bufio.Reader, lim limits) (sentence, error) {
	var s sentence
	for {
		n, err := readLength(r)
		if err != nil {
			if len(s.words) > 0 && errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return s, err
		}
		if n == 0 {
			if len(s.words) > 0 || s.long {
				return s, nil
			}
			continue
		}
		if n > uint32(lim.word) || len(s.words) >= lim.words {
			if lim.strict {
				return s, errTooLong
			}
			if _, err := io.CopyN(io.Discard, r, int64(n)); err != nil {
				return s, err
			}
			s.long = true
			continue
		}
		word := make([]byte, n)
		if _, err := io.ReadFull(r, word); err != nil {
			return s, err
		}
		s.words = append(s.words, string(word))
	}
}

// readLength reads a word's length in any of the five encodings. It takes
// encodings that are longer than needed, as RouterOS does.
func readLength(r *bufio.Reader) (uint32, error) {
	first, err := r.ReadByte()
	if err != nil {
		return 0, err
	}
	var more int
	n := uint32(first)
	switch {
	case first < 0x80:
	case first < 0xC0:
		more, n = 1, n&0x3F
	case first < 0xE0:
		more, n = 2, n&0x1F
	case first < 0xF0:
		more, n = 3, n&0x0F
	case first == 0xF0:
		more, n = 4, 0
	default:
		return 0, fmt.Errorf("%w: %#x", errControl, first)
	}
	for range more {
		b, err := r.ReadByte()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
		n = n<<8 | uint32(b)
	}
	return n, nil
}

// appendSentence appends words and the closing empty word to buf.
func appendSentence(buf []byte, words ...string) []byte {
	for _, w := range words {
		buf = appendLength(buf, uint32(len(w)))
		buf = append(buf, w...)
	}
	return append(buf, 0)
}

// appendLength appends the shortest encoding of n.
func appendLength(buf []byte, n uint32) []byte {
	switch {
	case n < 0x80:
		return append(buf, byte(n))
	case n < 0x4000:
		return append(buf, byte(n>>8)|0x80, byte(n))
	case n < 0x200000:
		return append(buf, byte(n>>16)|0xC0, byte(n>>8), byte(n))
	case n < 0x10000000:
		return append(buf, byte(n>>24)|0xE0, byte(n>>16), byte(n>>8), byte(n))
	}
	return append(buf, 0xF0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}
