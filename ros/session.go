package ros

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	routeros "github.com/go-routeros/routeros/v3"

	"vpnbot/ros/schema"
)

// session is one logged-in connection. It is used by one caller at a time.
type session struct {
	guard  *guard
	client *routeros.Client
	cert   *x509.Certificate // what the router showed; nil on a plain connection
	opened time.Time
	broken bool // closed, or to be closed
	tag    uint64
}

// command is one sentence to send.
type command struct {
	words   []string
	tag     string   // which every sentence of the answer repeats; empty at login
	hide    []string // secrets among the words, kept out of errors
	script  bool     // it runs a script that RenderScript has made of admitted steps
	timeout time.Duration
}

// size is the length of the command on the wire.
func (c command) size() int {
	n := 1
	for _, w := range c.words {
		switch l := len(w); {
		case l < 0x80:
			n += 1 + l
		case l < 0x4000:
			n += 2 + l
		case l < 0x200000:
			n += 3 + l
		default:
			n += 4 + l
		}
	}
	return n
}

// answer is what came back.
type answer struct {
	rows []schema.Row
	sent bool // all of the command left, so that it may have been executed
}

// run sends c and waits for its whole answer. A *TrapError leaves the session
// usable; after every other error it is closed.
func (s *session) run(ctx context.Context, c command) (answer, error) {
	if err := c.gate(); err != nil {
		return answer{}, err
	}
	s.tag++
	c.tag = strconv.FormatUint(s.tag, 10)
	c.words = append(slices.Clip(c.words), ".tag="+c.tag)
	reply, err := s.exchange(ctx, c, func() (*routeros.Reply, error) {
		return s.client.RunArgs(c.words)
	})
	a := answer{sent: s.guard.written >= c.size()}
	if err != nil {
		return a, err
	}
	a.rows = make([]schema.Row, 0, len(reply.Re))
	for _, re := range reply.Re {
		a.rows = append(a.rows, re.Map)
	}
	return a, nil
}

// login presents name and password. A trap is ErrLogin, even when the router
// hangs up right behind it.
func (s *session) login(ctx context.Context, l Login, timeout time.Duration) error {
	password := l.Password.Expose()
	c := command{timeout: timeout, hide: []string{password}}
	_, err := s.exchange(ctx, c, func() (*routeros.Reply, error) {
		return nil, s.client.Login(l.User, password)
	})
	if traps := s.guard.scan.traps; err != nil && len(traps) > 0 {
		return fmt.Errorf("%w: %s", ErrLogin, newTrap(traps, c.hide).Message)
	}
	return err
}

// exchange runs f, which talks over the guard, under the deadline of ctx and c,
// and turns what went wrong into an error of this package. The client's own
// error texts repeat what was received, so none is passed on.
func (s *session) exchange(ctx context.Context, c command, f func() (*routeros.Reply, error)) (*routeros.Reply, error) {
	if ctx.Err() != nil {
		s.guard.written = 0
		return nil, stopped(ctx)
	}
	if err := s.guard.begin(time.Now().Add(c.timeout)); err != nil {
		s.close()
		return nil, fmt.Errorf("%w: connection is closed", ErrUnreachable)
	}
	stop := context.AfterFunc(ctx, func() { _ = s.guard.SetDeadline(time.Unix(1, 0)) })
	reply, err := f()
	if !stop() {
		s.broken = true // the deadline is being moved under us: use it no more
	}
	trapped := isTrap(err)
	if err != nil && !trapped {
		s.close()
		return nil, s.cause(ctx, c)
	}
	if !s.guard.scan.answers(c.tag) {
		s.close()
		return nil, fmt.Errorf("%w: answer to another command", ErrProtocol)
	}
	if trapped {
		trap := newTrap(s.guard.scan.traps, c.hide)
		trap.Right = c.right()
		return nil, trap
	}
	return reply, nil
}

// isTrap tells whether err stands for a complete answer with a trap in it: the
// client returns it only after the sentence that ends the answer.
func isTrap(err error) bool {
	device, ok := errors.AsType[*routeros.DeviceError](err)
	return ok && device.Sentence.Word == "!trap"
}

// cause tells why an exchange ended without an answer.
func (s *session) cause(ctx context.Context, c command) error {
	g := s.guard
	switch {
	case g.scan.fatal != "":
		return fmt.Errorf("%w: session ended by the router: %s", ErrUnreachable, clean(g.scan.fatal, c.hide))
	case ctx.Err() != nil:
		return stopped(ctx)
	case g.timedOut():
		return fmt.Errorf("%w: no answer within %v", ErrTimeout, c.timeout)
	case g.err == nil:
		return fmt.Errorf("%w: malformed sentence", ErrProtocol)
	case errors.Is(g.err, ErrProtocol):
		return g.err
	}
	return fmt.Errorf("%w: connection lost", ErrUnreachable)
}

// close ends the session. It may be called more than once.
func (s *session) close() {
	s.broken = true
	_ = s.client.Close() // nothing to be done about it; the descriptor is gone
}

// right is the policy that a command takes of its user's group.
func (c command) right() string {
	if len(c.words) == 0 {
		return "api" // a login
	}
	switch word := c.words[0]; {
	case word == "/ping":
		return "test"
	case strings.HasSuffix(word, "/print"), word == "/execute":
		return "read"
	}
	return "write"
}

// newTrap turns the traps of one reply into an error. The first decides what it
// is; the others are consequences, and their words are kept.
func newTrap(traps []trapWord, hide []string) *TrapError {
	first := traps[0]
	messages := make([]string, 0, len(traps))
	for _, t := range traps {
		messages = append(messages, clean(t.message, hide))
	}
	return &TrapError{
		Category: first.category,
		Kind:     classify(first.category, first.message),
		Message:  strings.Join(messages, "; "),
	}
}

// fixed holds the fixed parts of trap messages, the failure prefix left off.
// They are matched at the beginning, since an argument that a person chose may
// stand at the end.
var fixed = []struct {
	text string
	kind Kind
}{
	{"no such item", KindNoItem},
	{"no such command", KindUnknownCommand},
	{"unknown parameter", KindUnknownParameter},
	{"bad parameter", KindUnknownParameter},
	{"already have", KindExists},
	{"not enough permissions", KindPermission},
	{"configuration flagged", KindFlagged},
	{"not allowed by device-mode", KindFlagged},
	{"input does not match", KindValue},
	{"invalid value", KindValue},
	{"value of", KindValue},
	{"ambiguous value", KindValue},
	{"missing value", KindValue},
	{"contents too long", KindValue},
	{"interrupted", KindInterrupted},
	{"std failure: timeout", KindInterrupted},
	{"action timed out", KindInterrupted},
}

// nameTaken holds the other forms of "row exists": the kind of row stands first.
var nameTaken = []string{"with the same name already exists", "with such name exists", "with such name already exists"}

// classify names the kind of a trap: by its category where that decides, by the
// fixed part of its message otherwise, since most traps come without a category.
func classify(category int, message string) Kind {
	if category == 2 {
		return KindInterrupted
	}
	message = strings.TrimPrefix(message, "failure: ")
	kind := KindOther
	for _, f := range fixed {
		if strings.HasPrefix(message, f.text) {
			kind = f.kind
			break
		}
	}
	for _, suffix := range nameTaken {
		if kind == KindOther && strings.HasSuffix(message, suffix) {
			kind = KindExists
		}
	}
	switch {
	case category == 0 && kind != KindNoItem && kind != KindUnknownCommand:
		return KindOther
	case category == 1 && kind != KindUnknownParameter:
		return KindValue
	}
	return kind
}

// clean makes text of a router fit for an error: secrets replaced, control
// characters dropped, length bounded.
func clean(text string, hide []string) string {
	for _, h := range hide {
		if h != "" {
			text = strings.ReplaceAll(text, h, "[secret]")
		}
	}
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
	const limit = 200
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "…"
	}
	return text
}
