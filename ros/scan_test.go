package ros

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/go-routeros/routeros/v3/proto"
)

// Ensure what the scanner keeps of failures is what was sent, in one piece or
// byte by byte.
func TestScanner(t *testing.T) {
	reply := encode("!re", ".tag=4", "=name=a") +
		encode("!trap", "=category=1", "=message=first", ".tag=4") +
		encode("!trap", "=message="+strings.Repeat("x", 200), ".tag=4") +
		encode("!fatal", "going down")
	for _, step := range []int{len(reply), 1, 7} {
		var s scanner
		for part := range slices.Chunk([]byte(reply), step) {
			if err := s.feed(part); err != nil {
				t.Fatal(err)
			}
		}
		want := []trapWord{{1, "first"}, {-1, strings.Repeat("x", 200)}}
		if !slices.Equal(s.traps, want) {
			t.Errorf("got traps %v, want %v", s.traps, want)
		}
		if s.fatal != "going down" {
			t.Errorf("got fatal %q", s.fatal)
		}
		if !slices.Equal(s.tags, []string{"4", ""}) {
			t.Errorf("got tags %q", s.tags)
		}
	}
}

// Ensure word lengths are bounded whatever their encoding, before any byte of
// the word has come.
func TestScanner_Limits(t *testing.T) {
	tests := []struct {
		name string
		in   string
		ok   bool
	}{
		{"largest word", "\xC2\x00\x00", true},
		{"one more", "\xC2\x00\x01", false},
		{"four bytes", "\xE1\x00\x00\x00", false},
		{"small length in five bytes", "\xF0\x00\x00\x00\x01", true},
		{"five bytes", "\xF0\x80\x00\x00\x00", false},
		{"control byte", "\xFF", false},
		{"most words", strings.Repeat("\x01a", maxWords) + "\x00", true},
		{"one word more", strings.Repeat("\x01a", maxWords+1), false},
		{"answer and more", encode("!done") + "\x00", false},
	}
	for _, tt := range tests {
		var s scanner
		err := s.feed([]byte(tt.in))
		if tt.ok != (err == nil) || (err != nil && !errors.Is(err, ErrProtocol)) {
			t.Errorf("%s: got %v, want accepted %v", tt.name, err, tt.ok)
		}
	}
}

// Ensure a reply that never ends is cut off, however little each of its rows holds.
func TestScanner_Endless(t *testing.T) {
	for _, row := range []string{encode("!re", "=name="+strings.Repeat("a", 1000)), encode("!re"), "\x00", "\x01=\x01="} {
		var s scanner
		part := []byte(strings.Repeat(row, 64))
		var err error
		for sum := 0; err == nil && sum <= maxReply+maxSum; sum += len(part) {
			err = s.feed(part)
		}
		if !errors.Is(err, ErrProtocol) {
			t.Errorf("%.9q: got %d bytes and %d words accepted, %v", row, s.total, s.sum, err)
		}
	}
}

// Ensure the size of a command is what the client library writes.
func TestCommand_Size(t *testing.T) {
	for _, n := range []int{0, 1, 0x7F, 0x80, 0x3FFF, 0x4000, 0x1FFFFF, 0x200000} {
		words := []string{"/a", strings.Repeat("x", n), "=b="}
		if n == 0 {
			words = words[:1]
		}
		if got, want := (command{words: words}).size(), len(encode(words...)); got != want {
			t.Errorf("word of %d bytes: got %d, want %d", n, got, want)
		}
	}
}

// Ensure the scanner never panics, judges the same whatever the chunks are, and
// lets no length through that would make the client allocate much.
func FuzzScanner(f *testing.F) {
	f.Add([]byte(encode("!re", "=a=b", ".tag=1")+encode("!done", ".tag=1")), uint8(3))
	f.Add([]byte("\xF0\xFF\xFF\xFF\xFF"), uint8(1))
	f.Add([]byte("\x05!trap\x09=message=\x00"), uint8(2))
	f.Fuzz(func(t *testing.T, in []byte, size uint8) {
		var whole, parts scanner
		err := whole.feed(in)
		var partly error
		for part := range slices.Chunk(in, int(size)+1) {
			if partly = parts.feed(part); partly != nil {
				break
			}
		}
		if (err == nil) != (partly == nil) {
			t.Fatalf("whole: %v, in parts: %v", err, partly)
		}
		if err != nil {
			return
		}
		if !slices.Equal(whole.traps, parts.traps) || whole.fatal != parts.fatal || !slices.Equal(whole.tags, parts.tags) {
			t.Fatalf("whole %+v, in parts %+v", whole, parts)
		}
		// The library must agree about where sentences are.
		r := proto.NewReader(bytes.NewReader(in))
		for range 8 {
			if _, err := r.ReadSentence(); err != nil {
				break
			}
		}
	})
}

// encode frames words with the client library.
func encode(words ...string) string {
	var b bytes.Buffer
	w := proto.NewWriter(&b)
	w.BeginSentence()
	for _, word := range words {
		w.WriteWord(word)
	}
	if err := w.EndSentence(); err != nil {
		panic(err)
	}
	return b.String()
}
