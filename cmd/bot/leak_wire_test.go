//go:build !nodemo

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
)

// wiretap stands between the bot and the routers, with their certificates, and
// keeps every sentence of both sides. It has a decoder of its own.
type wiretap struct {
	mu       sync.Mutex
	sent     []uttered         // by the bot
	answered map[string][]byte // by routers, raw
	refuse   bool              // the next identity is refused by a router that repeats its key
	refused  string            // that key
}

// uttered is one sentence of the API.
type uttered struct {
	router string
	words  []string
}

// around taps the connections that dial opens to the routers.
func (w *wiretap) around(dial dialer, routers []*office) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		i := slices.IndexFunc(routers, func(o *office) bool { return o.Address == address })
		if err != nil || i < 0 {
			return conn, err
		}
		near, far := net.Pipe()
		go w.relay(routers[i], far, conn)
		return near, nil
	}
}

// relay is the router to the bot and the bot to the router, until either is gone.
func (w *wiretap) relay(o *office, bot, router net.Conn) {
	server := tls.Server(bot, &tls.Config{Certificates: []tls.Certificate{o.cert}, SessionTicketsDisabled: true})
	client := tls.Client(router, &tls.Config{InsecureSkipVerify: true})
	var both sync.WaitGroup
	both.Go(func() {
		defer router.Close()
		w.ask(o, server, client)
	})
	both.Go(func() {
		defer bot.Close()
		_, _ = io.Copy(io.MultiWriter(server, answers{w, o.Router}), client)
	})
	both.Wait()
	_ = bot.Close()
	_ = router.Close()
}

// answers keeps what a router says.
type answers struct {
	w      *wiretap
	router string
}

func (a answers) Write(p []byte) (int, error) {
	a.w.mu.Lock()
	defer a.w.mu.Unlock()
	if a.w.answered == nil {
		a.w.answered = map[string][]byte{}
	}
	a.w.answered[a.router] = append(a.w.answered[a.router], p...)
	return len(p), nil
}

// ask hands on what the bot says, sentence by sentence.
func (w *wiretap) ask(o *office, bot io.ReadWriter, router io.Writer) {
	from := bufio.NewReader(bot)
	for {
		words, raw, err := readSentence(from)
		if err != nil {
			return
		}
		if len(words) == 0 {
			continue
		}
		w.mu.Lock()
		w.sent = append(w.sent, uttered{o.Router, words})
		stop := w.refuse && words[0] == "/ip/ipsec/identity/add"
		w.mu.Unlock()
		if stop {
			err = w.trap(bot, words)
		} else {
			_, err = router.Write(raw)
		}
		if err != nil {
			return
		}
	}
}

// trap refuses an identity in the place of the router, and repeats its key.
func (w *wiretap) trap(bot io.Writer, words []string) error {
	w.mu.Lock()
	w.refuse = false
	w.mu.Unlock()
	var tag []string
	for _, word := range words {
		if key, found := strings.CutPrefix(word, "=secret="); found {
			w.mu.Lock()
			w.refused = key
			w.mu.Unlock()
		}
		if strings.HasPrefix(word, ".tag=") {
			tag = []string{word}
		}
	}
	why := append([]string{"!trap", `=message=failure: "` + w.refused + `" is a bad secret`}, tag...)
	_, err := bot.Write(append(spelt(why), spelt(append([]string{"!done"}, tag...))...))
	return err
}

// spelt encodes a sentence of short words.
func spelt(words []string) []byte {
	var b []byte
	for _, w := range words {
		b = append(append(b, byte(len(w))), w...) // all are shorter than 128 bytes
	}
	return append(b, 0)
}

// readSentence reads one sentence, and returns its bytes too.
func readSentence(from *bufio.Reader) (words []string, raw []byte, err error) {
	for {
		size, head, err := readLength(from)
		if err != nil {
			return nil, nil, err
		}
		raw = append(raw, head...)
		if size == 0 {
			return words, raw, nil
		}
		word := make([]byte, size)
		if _, err := io.ReadFull(from, word); err != nil {
			return nil, nil, err
		}
		raw = append(raw, word...)
		words = append(words, string(word))
	}
}

// readLength reads how long the next word is: the number of leading ones in the
// first byte says how many bytes follow it.
func readLength(from *bufio.Reader) (size uint32, raw []byte, err error) {
	first, err := from.ReadByte()
	if err != nil {
		return 0, nil, err
	}
	more := 0
	for bit := byte(0x80); bit > 0x08 && first&bit != 0; bit >>= 1 {
		more++
	}
	raw = make([]byte, 1+more)
	raw[0] = first
	if _, err := io.ReadFull(from, raw[1:]); err != nil {
		return 0, nil, err
	}
	if more < 4 {
		size = uint32(first & (0xff >> (more + 1))) // what the ones leave of the first byte
	}
	for _, b := range raw[1:] {
		size = size<<8 | uint32(b)
	}
	return size, raw, nil
}

// leaks returns the keys that the wire carries where it must not: one may stand as
// the value of an identity's secret in what the bot sends, as it is, and nowhere
// else. It also counts how often one stands there.
func (w *wiretap) leaks(keys hunt) (found []string, meant int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.sent {
		for _, word := range s.words {
			key, isSecret := strings.CutPrefix(word, "=secret=")
			if isSecret && slices.Contains([]string{"/ip/ipsec/identity/add", "/ip/ipsec/identity/set"}, s.words[0]) && keys.whole(key) {
				meant++
				continue
			}
			for _, f := range keys.in([]byte(word)) {
				found = append(found, fmt.Sprintf("%s to %s: %s", s.words[0], s.router, f))
			}
		}
	}
	for router, said := range w.answered {
		for _, f := range keys.in(said) {
			found = append(found, fmt.Sprintf("what %s answers: %s", router, f))
		}
	}
	return found, meant
}

// whole tells whether text is one of the secrets, as it is.
func (h hunt) whole(text string) bool {
	return slices.ContainsFunc(h, func(n needle) bool { return n.form == "raw" && string(n.bytes) == text })
}

// Ensure the wiretap reads words of every length.
func TestLeak_Wire(t *testing.T) {
	for _, c := range []struct {
		head []byte
		want int
	}{
		{[]byte{0x00}, 0},
		{[]byte{0x7f}, 0x7f},
		{[]byte{0x80, 0x80}, 0x80},
		{[]byte{0xbf, 0xff}, 0x3fff},
		{[]byte{0xc0, 0x40, 0x00}, 0x4000},
		{[]byte{0xc3, 0x12, 0x34}, 0x31234},
		{[]byte{0xe0, 0x20, 0x00, 0x00}, 0x200000},
		{[]byte{0xf0, 0x10, 0x00, 0x00, 0x00}, 0x10000000},
	} {
		got, raw, err := readLength(bufio.NewReader(bytes.NewReader(append(c.head, "rest"...))))
		if err != nil || int(got) != c.want || !bytes.Equal(raw, c.head) {
			t.Errorf("% x: got %#x behind % x, %v; want %#x", c.head, got, raw, err, c.want)
		}
	}
	if _, _, err := readSentence(bufio.NewReader(strings.NewReader("\x05short"))); !errors.Is(err, io.EOF) {
		t.Errorf("a sentence without an end: %v", err)
	}
}
