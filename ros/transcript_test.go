package ros_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"vpnbot/change/secret"
	"vpnbot/ros"
	"vpnbot/ros/rossim"
)

// A transcript is what one test and a real router said to each other: sentences
// in the order in which they came, those of one connection together, one a line:
//
//	connection
//	> "/login" "=name=bot" "=password=(hidden)"
//	< "!done"
//
// With ROUTEROS_TEST_RECORD the tests that run against ROUTEROS_TEST_ADDRESS write
// theirs below testdata/transcripts, in a directory of that name, and from then on
// replay them wherever they run. Values of secrets are left out. The stand-in is
// never recorded: it would then be its own witness.

// spoken is one connection of a transcript. sent tells who said a sentence.
type spoken struct {
	sent  []bool
	words [][]string
}

// format writes connections as text, without the secrets.
func format(connections []*spoken) string {
	var b strings.Builder
	var hidden []string
	for _, c := range connections {
		b.WriteString("connection\n")
		for i, words := range c.words {
			b.WriteString(map[bool]string{true: ">", false: "<"}[c.sent[i]])
			for _, word := range words {
				fmt.Fprintf(&b, " %q", hide(word, &hidden))
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// hide replaces the value of a secret, and what repeats one.
func hide(word string, hidden *[]string) string {
	for _, name := range []string{"=password=", "=secret=", "=ipsec-secret="} {
		if value, ok := strings.CutPrefix(word, name); ok && value != "" {
			*hidden = append(*hidden, value)
		}
	}
	for _, value := range *hidden {
		word = strings.ReplaceAll(word, value, "(hidden)")
	}
	return word
}

// parse reads what format wrote.
func parse(text string) ([]*spoken, error) {
	var all []*spoken
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		direction, rest, _ := strings.Cut(line, " ")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
			continue
		case direction == "connection":
			all = append(all, &spoken{})
			continue
		case len(all) == 0 || (direction != ">" && direction != "<"):
			return nil, fmt.Errorf("%q is no sentence of a connection", line)
		}
		var words []string
		for rest != "" {
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", line, err)
			}
			word, _ := strconv.Unquote(quoted)
			words, rest = append(words, word), strings.TrimSpace(rest[len(quoted):])
		}
		last := all[len(all)-1]
		last.sent, last.words = append(last.sent, direction == ">"), append(last.words, words)
	}
	return all, nil
}

// recorder notes what goes over the connections that it dials.
type recorder struct {
	to func(ctx context.Context, network, address string) (net.Conn, error)

	mu  sync.Mutex
	all []*spoken
}

func (r *recorder) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := r.to(ctx, network, address)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, &spoken{})
	return &recorded{Conn: conn, r: r, into: r.all[len(r.all)-1]}, nil
}

// text is what was said so far.
func (r *recorder) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return format(r.all)
}

// recorded is a connection that is noted down.
type recorded struct {
	net.Conn
	r       *recorder
	into    *spoken
	out, in []byte // of sentences that are not complete
}

func (c *recorded) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.note(&c.in, p[:n], false)
	return n, err
}

func (c *recorded) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.note(&c.out, p[:n], true)
	return n, err
}

func (c *recorded) note(buf *[]byte, p []byte, sent bool) {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	*buf = append(*buf, p...)
	for {
		r := bytes.NewReader(*buf)
		words, ok := readWords(r)
		if !ok {
			return
		}
		*buf = (*buf)[len(*buf)-r.Len():]
		c.into.sent, c.into.words = append(c.into.sent, sent), append(c.into.words, words)
	}
}

// replay plays the router's part of a transcript and notes what differs.
type replay struct {
	mu    sync.Mutex
	left  []*spoken
	wrong []error
	group sync.WaitGroup
}

func (r *replay) dial(context.Context, string, string) (net.Conn, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.left) == 0 {
		return nil, errors.New("one connection more than in the transcript")
	}
	next := r.left[0]
	r.left = r.left[1:]
	near, far := net.Pipe()
	r.group.Go(func() {
		defer func() { _ = far.Close() }()
		if err := next.play(far); err != nil {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.wrong = append(r.wrong, err)
		}
	})
	return near, nil
}

// play says what the router said, as long as the client says what it said.
func (s *spoken) play(conn net.Conn) error {
	var hidden []string
	r := one{conn}
	for i, want := range s.words {
		if !s.sent[i] {
			if _, err := conn.Write([]byte(frame(want...))); err != nil {
				return fmt.Errorf("the client did not wait for %q", want)
			}
			continue
		}
		got, ok := readWords(r)
		for j := range got {
			got[j] = hide(got[j], &hidden)
		}
		if !ok || !slices.Equal(got, want) {
			return fmt.Errorf("the client said %q, in the transcript %q", got, want)
		}
	}
	if got, ok := readWords(r); ok {
		return fmt.Errorf("the client went on with %q", got[0])
	}
	return nil
}

// one makes a reader of single bytes.
type one struct{ net.Conn }

func (o one) ReadByte() (byte, error) {
	var b [1]byte
	_, err := o.Read(b[:])
	return b[0], err
}

// readWords reads one sentence. It is false when it is not there yet.
func readWords(r byteReader) ([]string, bool) {
	var words []string
	for {
		n, ok := readLength(r)
		if !ok || n == 0 {
			return words, ok && len(words) > 0
		}
		word := make([]byte, n)
		if _, err := io.ReadFull(r, word); err != nil {
			return nil, false
		}
		words = append(words, string(word))
	}
}

type byteReader interface {
	io.Reader
	io.ByteReader
}

func readLength(r byteReader) (int, bool) {
	first, err := r.ReadByte()
	n, more := int(first), 0
	switch {
	case first >= 0xE0:
		n, more = n&0x0F, 3
	case first >= 0xC0:
		n, more = n&0x1F, 2
	case first >= 0x80:
		n, more = n&0x3F, 1
	}
	for range more {
		var b byte
		if err == nil {
			b, err = r.ReadByte()
		}
		n = n<<8 | int(b)
	}
	return n, err == nil
}

// fleetOver returns a Fleet whose router is at the other end of dial, in the clear.
func fleetOver(t testing.TB, dial func(context.Context, string, string) (net.Conn, error), read, write ros.Login) *ros.Fleet {
	t.Helper()
	f, err := ros.New(ros.Options{
		Routers: []ros.Router{{Name: "gw", Address: "127.0.0.1:8728", Plain: true, Read: read, Write: write}},
		Dial:    dial, Timeout: timeout,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

const transcripts = "testdata/transcripts"

// recording returns a Fleet that knows the router at address and whose sentences
// go into a transcript when the test ends well.
func recording(t *testing.T, name, address, pin string, login ros.Login) *ros.Fleet {
	t.Helper()
	if err := recordable(address); err != nil {
		t.Fatal(err)
	}
	r := &recorder{to: func(ctx context.Context, network, _ string) (net.Conn, error) {
		if pin == "" {
			return nil, errors.New("ROUTEROS_TEST_FINGERPRINT is not set")
		}
		return (&tls.Dialer{Config: &tls.Config{
			InsecureSkipVerify: true, //nolint:gosec // pinned below
			VerifyConnection: func(state tls.ConnectionState) error {
				if got := ros.Fingerprint(state.PeerCertificates[0]); got != pin {
					return fmt.Errorf("certificate is %s", got)
				}
				return nil
			},
		}}).DialContext(ctx, network, address)
	}}
	t.Cleanup(func() {
		test, _, _ := strings.Cut(t.Name(), "/")
		file := filepath.Join(transcripts, name, test+".txt")
		if t.Failed() {
			return
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(r.text()), 0o644)); err != nil {
			t.Error(err)
		}
	})
	return fleetOver(t, r.dial, login, login)
}

// recordable refuses to record what may be a stand-in: it listens on loopback alone.
func recordable(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if ip, err := netip.ParseAddr(host); host == "localhost" || (err == nil && ip.Unmap().IsLoopback()) {
		return errors.New("a router at a loopback address is not recorded: it may be the stand-in")
	}
	return nil
}

// replaying returns a Fleet whose router is the transcript.
func replaying(t *testing.T, text string) *ros.Fleet {
	t.Helper()
	left, err := parse(text)
	if err != nil || len(left) == 0 {
		t.Fatalf("no transcript: %v", err)
	}
	r := &replay{left: left}
	t.Cleanup(func() {
		r.group.Wait() // after the Fleet is closed
		for _, err := range r.wrong {
			t.Error(err)
		}
		if len(r.left) > 0 {
			t.Errorf("%d connections fewer than in the transcript", len(r.left))
		}
	})
	user := left[0].words[0][1]
	login := ros.Login{User: strings.TrimPrefix(user, "=name="), Password: secret.New("replayed")}
	return fleetOver(t, r.dial, login, login)
}

// Ensure what a test that runs everywhere says can be recorded and replayed, and
// that the transcript holds no secret.
func TestTranscript(t *testing.T) {
	for name, test := range map[string]func(*testing.T, *ros.Fleet){
		"snapshot": testSnapshot, "execute": testExecute, "refused": testExecute_Refused, "check": testCheck,
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, rossim.Options{})
			r := &recorder{to: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, s.plain)
			}}
			var text string
			t.Run("recorded", func(t *testing.T) {
				t.Cleanup(func() { text = r.text() }) // what the test cleans up is in it too
				test(t, fleetOver(t, r.dial, s.router.Write, s.router.Write))
			})
			for _, secret := range []string{password, "of-bot-rw"} {
				if strings.Contains(text, secret) {
					t.Errorf("the transcript holds %q", secret)
				}
			}
			t.Run("replayed", func(t *testing.T) { test(t, replaying(t, text)) })
		})
	}
}

// Ensure a client that says something else than in the transcript is noticed.
func TestTranscript_Differs(t *testing.T) {
	s := newStand(t, rossim.Options{})
	r := &recorder{to: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, s.plain)
	}}
	login := s.router.Write
	f := fleetOver(t, r.dial, login, login)
	if err := f.Execute(t.Context(), "gw", 7, add(), vault{}); err != nil {
		t.Fatal(err)
	}
	all, err := parse(r.text())
	if err != nil {
		t.Fatal(err)
	}
	played := &replay{left: all}
	f = fleetOver(t, played.dial, login, login)
	step := add()
	step.After["comment"] = "something else"
	if err := f.Execute(t.Context(), "gw", 7, step, vault{}); !errors.Is(err, ros.ErrUnreachable) {
		t.Errorf("another sentence: got %v, want %v", err, ros.ErrUnreachable)
	}
	f.Close()
	played.group.Wait()
	if len(played.wrong) != 1 || !strings.Contains(played.wrong[0].Error(), "something else") {
		t.Errorf("got %v, want the difference told", played.wrong)
	}
}

// Ensure nothing is recorded that may be the stand-in.
func TestTranscript_Refused(t *testing.T) {
	for address, ok := range map[string]bool{"127.0.0.1:8729": false, "[::1]:8729": false, "localhost:8729": false, "192.0.2.1:8729": true} {
		if err := recordable(address); (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
	}
}
