package ros_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"vpnbot/change/secret"
	"vpnbot/ros"
)

// The scripted router of this file answers with exactly the bytes it is told. It
// has its own few lines of framing, so that it can break every rule of it.

// frame writes words as one sentence.
func frame(words ...string) string {
	var b strings.Builder
	for _, w := range words {
		b.WriteString(prefix(len(w)))
		b.WriteString(w)
	}
	b.WriteByte(0)
	return b.String()
}

func prefix(n int) string {
	switch {
	case n < 0x80:
		return string([]byte{byte(n)})
	case n < 0x4000:
		return string([]byte{byte(n>>8) | 0x80, byte(n)})
	}
	return string([]byte{byte(n>>16) | 0xC0, byte(n >> 8), byte(n)})
}

// wire is the router's end of one connection.
type wire struct {
	net.Conn
	r *bufio.Reader
}

// read returns the next sentence, its tag apart; nil at the end.
func (w *wire) read() (words []string, tag string) {
	for {
		first, err := w.r.ReadByte()
		if err != nil {
			return nil, ""
		}
		n := int(first)
		if first >= 0x80 {
			second, err := w.r.ReadByte()
			if err != nil {
				return nil, ""
			}
			n = int(first&0x3F)<<8 | int(second)
		}
		if n == 0 {
			return words, tag
		}
		word := make([]byte, n)
		if _, err := io.ReadFull(w.r, word); err != nil {
			return nil, ""
		}
		if t, ok := strings.CutPrefix(string(word), ".tag="); ok {
			tag = t
			continue
		}
		words = append(words, string(word))
	}
}

// send writes s and tells whether the peer took it.
func (w *wire) send(s string) bool {
	_, err := io.WriteString(w, s)
	return err == nil
}

// script plays a router after login. It answers what it has an answer for and
// returns false to hang up.
type script func(w *wire, words []string, tag string) bool

// scripted is a router that follows a script on every connection.
type scripted struct {
	script script
	// unbuffered reads byte by byte, so that what the script does not read has
	// not left the client.
	unbuffered bool
	login      string // bytes that answer a login; a bare !done when empty
	dials      atomic.Int64
	open       atomic.Int64
	most       atomic.Int64 // connections open at the same time
	group      sync.WaitGroup
}

// dial is the Dial of Options: a pipe to the script.
func (s *scripted) dial(context.Context, string, string) (net.Conn, error) {
	s.dials.Add(1)
	near, far := net.Pipe()
	s.group.Go(func() {
		defer s.open.Add(-1)
		if n := s.open.Add(1); n > s.most.Load() {
			s.most.Store(n)
		}
		defer func() { _ = far.Close() }()
		w := &wire{Conn: far, r: bufio.NewReader(far)}
		if s.unbuffered {
			w.r = bufio.NewReader(iotest.OneByteReader(far))
		}
		if words, _ := w.read(); len(words) == 0 {
			return
		}
		answer := s.login
		if answer == "" {
			answer = frame("!done")
		}
		if !w.send(answer) {
			return
		}
		for {
			words, tag := w.read()
			if len(words) == 0 || !s.script(w, words, tag) {
				return
			}
		}
	})
	return near, nil
}

// fleet returns a Fleet with the one router "r" that follows s. It is closed
// when the test ends, and every connection with it.
func (s *scripted) fleet(t testing.TB, timeout time.Duration) *ros.Fleet {
	t.Helper()
	t.Cleanup(s.group.Wait)
	return newFleet(t, s.dial, timeout)
}

// newFleet returns a Fleet with the one router "r" behind dial. It is closed
// when the test ends.
func newFleet(t testing.TB, dial func(context.Context, string, string) (net.Conn, error), timeout time.Duration) *ros.Fleet {
	t.Helper()
	f, err := ros.New(ros.Options{
		Routers: []ros.Router{{
			Name: "r", Address: "127.0.0.1:1", Plain: true,
			Read:  ros.Login{User: "bot-ro", Password: secret.New("read-only-password")},
			Write: ros.Login{User: "bot-rw", Password: secret.New("write-password")},
		}},
		Dial: dial, Timeout: timeout,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

const resourceRow = "=version=7.22.3 (stable)"

// polite answers every print with no rows, the resource menu with a version,
// and everything else with success.
func polite(w *wire, words []string, tag string) bool {
	if words[0] == "/system/resource/print" {
		return w.send(frame("!re", ".tag="+tag, resourceRow) + frame("!done", ".tag="+tag))
	}
	return w.send(frame("!done", ".tag="+tag))
}

// answering replies to reads politely and to the command called name with what
// answer makes of the command's tag.
func answering(name string, answer func(tag string) string) script {
	return func(w *wire, words []string, tag string) bool {
		if words[0] == name {
			return w.send(answer(".tag=" + tag))
		}
		return polite(w, words, tag)
	}
}
