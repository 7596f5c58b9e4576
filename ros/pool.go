package ros

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	routeros "github.com/go-routeros/routeros/v3"
)

// maxAge bounds the life of a session: RouterOS fixes a session's rights at
// login, so rights that were taken away go with the session.
const maxAge = 6 * time.Hour

// pool holds the sessions of one login on one router: at most cap(slots), the
// one used last given out first, the others left to end by themselves.
type pool struct {
	router  Router
	login   Login
	tls     *tls.Config // nil: plain
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	log     *slog.Logger
	timeout time.Duration
	idle    time.Duration // how long an unused session stays open
	count   *counters
	reach   *breaker      // of the router, for both logins
	refused breaker       // of this login
	slots   chan struct{} // held by who uses a session or opens one

	mu    sync.Mutex // never held while waiting
	rest  []*resting
	ended bool
}

// resting is an unused session and the timer that closes it.
type resting struct {
	session *session
	timer   *time.Timer
}

// use runs f with a session, as soon as one may be had. See hold.
func (p *pool) use(ctx context.Context, f func(*session) error) error {
	if err := p.wait(ctx); err != nil {
		return err
	}
	return p.hold(ctx, f)
}

// wait takes a slot as soon as one is free.
func (p *pool) wait(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-limited.Done():
		if ctx.Err() != nil {
			return stopped(ctx)
		}
		return fmt.Errorf("%w: every connection is in use", ErrTimeout)
	}
}

// free takes a slot if one is free now.
func (p *pool) free() bool {
	select {
	case p.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

// hold runs f with a session and gives the slot back that the caller has taken.
// When the session lay idle before and its connection turns out to be gone, f runs
// once more on a new one. So a write in f that may have happened must end in
// ErrUnknownOutcome.
func (p *pool) hold(ctx context.Context, f func(*session) error) error {
	defer func() { <-p.slots }()
	s := p.take()
	if s != nil {
		broken, err := p.serve(s, f)
		if lost := errors.Is(err, ErrUnreachable) && !errors.Is(err, ErrUnknownOutcome); !lost || ctx.Err() != nil {
			p.tell(ctx, err, broken)
			return err
		}
	}
	s, err := p.open(ctx)
	if err != nil {
		return err
	}
	broken, err := p.serve(s, f)
	p.tell(ctx, err, broken)
	return err
}

// serve runs f and puts the session back when it is still good.
func (p *pool) serve(s *session, f func(*session) error) (broken bool, err error) {
	err = f(s)
	broken = s.broken // not to be read once it is put back
	p.put(s)
	return broken, err
}

// tell tells the breakers how a session did: only an answer counts for a router,
// not that it lets us in.
func (p *pool) tell(ctx context.Context, err error, broken bool) {
	switch {
	case !broken:
		p.reach.passed()
		p.refused.passed()
	case err != nil && ctx.Err() == nil: // otherwise it is the caller's doing
		p.reach.failed(err, true, time.Now())
	}
}

// take returns the session that was used last, or nil.
func (p *pool) take() *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.rest) > 0 {
		r := p.rest[len(p.rest)-1]
		p.rest = p.rest[:len(p.rest)-1]
		r.timer.Stop()
		if time.Since(r.session.opened) < maxAge {
			return r.session
		}
		p.drop(r.session)
	}
	return nil
}

// put keeps s for the next caller, unless it is broken.
func (p *pool) put(s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.broken || p.ended {
		p.drop(s)
		return
	}
	r := &resting{session: s}
	r.timer = time.AfterFunc(p.idle, func() { p.expire(r) })
	p.rest = append(p.rest, r)
}

// expire closes a session that nobody used for long.
func (p *pool) expire(r *resting) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.rest, r); i >= 0 {
		p.rest = slices.Delete(p.rest, i, i+1)
		p.drop(r.session)
	}
}

// drop closes s, which is in no list any more.
func (p *pool) drop(s *session) {
	s.close()
	p.count.open.Add(-1)
}

// end closes the unused sessions and lets no session rest any more.
func (p *pool) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	for _, r := range p.rest {
		r.timer.Stop()
		p.drop(r.session)
	}
	p.rest = nil
}

// open makes a new session unless a breaker forbids it.
func (p *pool) open(ctx context.Context) (*session, error) {
	for _, b := range []*breaker{p.reach, &p.refused} {
		if err := b.check(time.Now()); err != nil {
			return nil, err
		}
	}
	return p.openNow(ctx)
}

// openNow makes a new session whatever the breakers say, and tells them what went
// wrong.
func (p *pool) openNow(ctx context.Context) (*session, error) {
	s, err := p.connect(ctx)
	switch {
	case err == nil:
		p.count.open.Add(1)
		p.log.Info("logged in to router", "router", p.router.Name, "user", p.login.User)
	case ctx.Err() != nil: // the caller's doing, not the router's
	default:
		p.count.errors.Add(1)
		if errors.Is(err, ErrLogin) {
			p.reach.passed()
			p.refused.failed(err, false, time.Now())
		} else {
			p.reach.failed(err, false, time.Now())
		}
		p.log.Warn("no session with router", "router", p.router.Name, "user", p.login.User, "err", err)
	}
	return s, err
}

// connect dials, verifies the certificate and logs in, all within the timeout.
func (p *pool) connect(ctx context.Context) (*session, error) {
	limited, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	raw, err := p.dial(limited, "tcp", p.router.Address)
	if err != nil {
		if ctx.Err() != nil {
			return nil, stopped(ctx)
		}
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	s := &session{guard: &guard{Conn: raw, raw: raw}, opened: time.Now()}
	if p.tls != nil {
		conn, cert, err := handshake(limited, raw, p.tls)
		if err != nil {
			_ = raw.Close()
			return nil, err
		}
		s.guard.Conn, s.cert = conn, cert
	}
	if s.client, err = routeros.NewClient(s.guard); err != nil {
		_ = raw.Close()
		return nil, fmt.Errorf("preparing client: %w", err)
	}
	s.client.SetLogHandler(slog.DiscardHandler) // it would print passwords
	p.count.logins.Add(1)
	if err := s.login(limited, p.login, p.timeout); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// stopped tells why ctx has ended: time is over, or somebody ended it.
func stopped(ctx context.Context) error {
	err := context.Cause(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", ErrTimeout, err)
	}
	return err
}
