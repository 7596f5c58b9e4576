package ros

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// Pauses after failures. Two are free; a refused login is not, since each one
// stands in the router's log and may lock the user out. A login that works and
// leads to no answer is free as well, but comes to stand in the log as often: it
// is tried ever more seldom.
const (
	freeFailures = 2
	firstPause   = time.Second
	longestPause = 15 * time.Second
	longestVain  = 5 * time.Minute
	firstRefused = 15 * time.Second
)

// breaker keeps a router, or one login of it, from being tried over and over
// while it cannot work. Its lock is never held while waiting.
type breaker struct {
	mu       sync.Mutex
	failures int // in a row
	vain     int // of these, behind a login
	until    time.Time
	last     error
}

// check returns nil when a connection may be tried, and otherwise why not yet.
// The error wraps the last failure, so that callers see the same reason.
func (b *breaker) check(now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !now.Before(b.until) {
		return nil
	}
	return fmt.Errorf("next attempt in %v: %w", b.until.Sub(now).Round(time.Second), b.last)
}

// passed forgets all failures.
func (b *breaker) passed() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.vain, b.until, b.last = 0, 0, time.Time{}, nil
}

// failed counts a failure and sets the pause. vain is one behind a login.
func (b *breaker) failed(err error, vain bool, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures++
	if vain {
		b.vain++
	}
	b.last = err
	wait := max(pause(b.failures-freeFailures, firstPause, longestPause), pause(b.vain-freeFailures, firstPause, longestVain))
	if errors.Is(err, ErrLogin) {
		wait = pause(b.failures, firstRefused, longestVain)
	}
	b.until = now.Add(jitter(wait))
}

// resting returns the reason of the current pause, nil when there is none.
func (b *breaker) resting(now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !now.Before(b.until) {
		return nil
	}
	return b.last
}

// pause doubles with every failure up to a bound.
func pause(failures int, first, longest time.Duration) time.Duration {
	if failures <= 0 {
		return 0
	}
	return min(first<<min(failures-1, 16), longest)
}

// jitter spreads d by a quarter to either side, so that many routers that went
// away together are not tried together.
func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return d*3/4 + rand.N(d/2+1)
}
