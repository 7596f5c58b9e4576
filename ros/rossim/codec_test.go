package rossim

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// wide are limits under which every test sentence is read whole.
var wide = limits{word: 1 << 20, words: 1 << 10}

// Ensure a length is written in the shortest of the five encodings and read back.
func TestLength(t *testing.T) {
	for _, tt := range []struct {
		n    uint32
		wire []byte
	}{
		{0, []byte{0x00}},
		{0x7F, []byte{0x7F}},
		{0x80, []byte{0x80, 0x80}},
		{0x100, []byte{0x81, 0x00}},
		{0x3FFF, []byte{0xBF, 0xFF}},
		{0x4000, []byte{0xC0, 0x40, 0x00}},
		{0x1FFFFF, []byte{0xDF, 0xFF, 0xFF}},
		{0x200000, []byte{0xE0, 0x20, 0x00, 0x00}},
		{0xFFFFFFF, []byte{0xEF, 0xFF, 0xFF, 0xFF}},
		{0x10000000, []byte{0xF0, 0x10, 0x00, 0x00, 0x00}},
		{0xFFFFFFFF, []byte{0xF0, 0xFF, 0xFF, 0xFF, 0xFF}},
	} {
		if got := appendLength(nil, tt.n); !bytes.Equal(got, tt.wire) {
			t.Errorf("appendLength(%#x) = % x, want % x", tt.n, got, tt.wire)
		}
		got, err := readLength(bufio.NewReader(bytes.NewReader(tt.wire)))
		if err != nil || got != tt.n {
			t.Errorf("readLength(% x) = %#x, %v, want %#x", tt.wire, got, err, tt.n)
		}
	}
}

// Ensure sentences are read however they are encoded and cut up, and that what
// is not a sentence is told apart.
func TestReadSentence(t *testing.T) {
	word := strings.Repeat("x", 300)
	for _, tt := range []struct {
		name string
		wire string
		want []string
		err  error
	}{
		{"one word", "\x05/quit\x00", []string{"/quit"}, nil},
		{"three words", "\x06/login\x08=name=me\x0b=password=x\x00", []string{"/login", "=name=me", "=password=x"}, nil},
		{"empty sentences first", "\x00\x00\x05/quit\x00", []string{"/quit"}, nil},
		{"two-byte length", "\x81\x2c" + word + "\x00", []string{word}, nil},
		{"three bytes where one does", "\xc0\x00\x05/quit\x00", []string{"/quit"}, nil},
		{"four bytes where one does", "\xe0\x00\x00\x05/quit\x00", []string{"/quit"}, nil},
		{"five bytes where one does", "\xf0\x00\x00\x00\x05/quit\x00", []string{"/quit"}, nil},
		{"long form of the empty word", "\x05/quit\xf0\x00\x00\x00\x00", []string{"/quit"}, nil},
		{"nothing", "", nil, io.EOF},
		{"ends inside a length", "\x05/quit\x81", nil, io.ErrUnexpectedEOF},
		{"ends inside a word", "\x05/qu", nil, io.ErrUnexpectedEOF},
		{"ends before the empty word", "\x05/quit", nil, io.ErrUnexpectedEOF},
		{"reserved control byte", "\xf8", nil, errControl},
		{"five-byte form with bits set", "\xf1\x00\x00\x00\x05/quit\x00", nil, errControl},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(tt.wire), iotest.OneByteReader(strings.NewReader(tt.wire))} {
				got, err := readSentence(bufio.NewReader(r), wide)
				if !errors.Is(err, tt.err) {
					t.Fatalf("error = %v, want %v", err, tt.err)
				}
				if tt.err == nil && !slices.Equal(got.words, tt.want) {
					t.Errorf("words = %q, want %q", got.words, tt.want)
				}
			}
		})
	}
}

// Ensure an overlong word is dropped for a member and ends a stranger's
// connection, and that neither declares memory.
func TestReadSentence_Limits(t *testing.T) {
	wire := append(appendSentence(nil, "/a", strings.Repeat("x", 50), "=b=c"), appendSentence(nil, "/next")...)
	br := bufio.NewReader(bytes.NewReader(wire))
	got, err := readSentence(br, limits{word: 10, words: 5})
	if err != nil || !got.long || !slices.Equal(got.words, []string{"/a", "=b=c"}) {
		t.Errorf("member: %q long=%v err=%v", got.words, got.long, err)
	}
	if next, err := readSentence(br, wide); err != nil || !slices.Equal(next.words, []string{"/next"}) {
		t.Errorf("after the long one: %q, %v", next.words, err)
	}
	if _, err := readSentence(bufio.NewReader(bytes.NewReader(wire)), limits{word: 10, words: 5, strict: true}); !errors.Is(err, errTooLong) {
		t.Errorf("stranger: %v, want %v", err, errTooLong)
	}
	huge := []byte{0xF0, 0xFF, 0xFF, 0xFF, 0xFF, 'x'}
	if _, err := readSentence(bufio.NewReader(bytes.NewReader(huge)), wide); !errors.Is(err, io.EOF) {
		t.Errorf("declared 4 GiB: %v, want %v", err, io.EOF)
	}
}

// Ensure the reader never panics, reads the same however the bytes come, keeps its
// limits, and that what it accepts survives being written and read again.
func FuzzReadSentence(f *testing.F) {
	for _, seed := range []string{
		"\x05/quit\x00", "\xf0\x00\x00\x00\x05/quit\x00", "\x80\x05/quit\x00", "\xc0\x00\x05/quit\x00", "\xe0\x00\x00\x05/quit\x00",
		"\x00\x00\x05/quit\x00", "\xf8", "\xff\xff", "\xf0\xff\xff\xff\xff", "\x05/qu",
		string(appendSentence(nil, "/ppp/secret/print", "?name=a", ".tag=1")), string(appendSentence(nil, "/a", strings.Repeat("x", 200))),
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, wire []byte, strict bool) {
		lim := limits{word: 1 << 12, words: 64, strict: strict}
		br := bufio.NewReader(bytes.NewReader(wire))
		s, err := readSentence(br, lim)
		slow := bufio.NewReader(iotest.OneByteReader(bytes.NewReader(wire)))
		if same, sameErr := readSentence(slow, lim); (err == nil) != (sameErr == nil) || !slices.Equal(s.words, same.words) || s.long != same.long {
			t.Errorf("in one piece %q, %v, byte by byte %q, %v", s.words, err, same.words, sameErr)
		}
		if len(s.words) > lim.words || slices.ContainsFunc(s.words, func(w string) bool { return w == "" || len(w) > lim.word }) || (strict && s.long) {
			t.Errorf("got %d words, long %v, want the limits kept", len(s.words), s.long)
		}
		if err != nil || len(s.words) == 0 {
			return
		}
		again, err := readSentence(bufio.NewReader(bytes.NewReader(appendSentence(nil, s.words...))), lim)
		if err != nil || !slices.Equal(again.words, s.words) {
			t.Errorf("second reading = %q, %v, want %q", again.words, err, s.words)
		}
	})
}
