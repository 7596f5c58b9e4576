package watch

import (
	"slices"
	"sync"
	"time"

	"vpnbot/vpn"
)

// kept is how many samples of one router are remembered, and spacing how far
// apart all but the newest two are, so that they reach over vpn.Window however
// often routers are polled.
const (
	kept    = 8
	spacing = vpn.Window / 6
)

// samples remembers what the last polls of each router read. Rows that were
// handed out are never changed.
type samples struct {
	mu       sync.Mutex // never held while waiting
	byRouter map[string][]vpn.Half
}

// add remembers h as the newest sample of its router.
func (s *samples) add(h vpn.Half) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.byRouter[h.Router]
	if n := len(old); n >= 2 && old[n-1].At.Sub(old[n-2].At) < spacing {
		old = old[:n-1] // too close behind its neighbour to be worth keeping
	}
	// One sample from before the window stays, so that the window is covered.
	recent := slices.IndexFunc(old, func(o vpn.Half) bool { return h.At.Sub(o.At) <= vpn.Window })
	if recent < 0 {
		recent = len(old)
	}
	first := max(0, recent-1, len(old)+1-kept)
	s.byRouter[h.Router] = append(slices.Clone(old[first:]), h)
}

// of returns the samples of a router, oldest first. The slice is never written
// again.
func (s *samples) of(router string) []vpn.Half {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byRouter[router]
}

// newest returns the newest sample of a router that was read after since.
func (s *samples) newest(router string, since time.Time) (vpn.Half, bool) {
	list := s.of(router)
	if len(list) == 0 {
		return vpn.Half{}, false
	}
	h := list[len(list)-1]
	return h, h.Err == nil && h.At.After(since)
}
