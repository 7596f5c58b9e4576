package ros

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// Pauses after failed connections. Two failures are free; a refused login is
// not, since each one stands in the router's log and may lock the user out.
const (
	freeFailures  = 2
	firstPause    = time.Second
	longestPause  = 15 * time.Second
	firstRefused  = 15 * time.Second
	longestRefuse = 5 * time.Minute
)

// breaker keeps a login from being tried over and over while it cannot work.
// Its lock is never held while waiting.
type breaker struct {
	mu       sync.Mutex
	failures int
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
	b.failures, b.until, b.last = 0, time.Time{}, nil
}

// failed counts a failure and sets the pause.
func (b *breaker) failed(err error, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures++
	b.last = err
	b.until = now.Add(jitter(pause(b.failures, errors.Is(err, ErrLogin))))
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
func pause(failures int, refused bool) time.Duration {
	first, longest, n := firstPause, longestPause, failures-freeFailures
	if refused {
		first, longest, n = firstRefused, longestRefuse, failures
	}
	if n <= 0 {
		return 0
	}
	return min(first<<min(n-1, 16), longest)
}

// jitter spreads d by a quarter to either side, so that many routers that went
// away together are not tried together.
func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return d*3/4 + rand.N(d/2+1)
}
