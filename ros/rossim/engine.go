package rossim

import (
	"math"
	"slices"
	"time"
)

// never is the moment at which nothing is due.
const never = math.MaxInt64

// enter takes the turn. It returns false when the Internet is closed.
func (in *Internet) enter() bool {
	select {
	case in.turn <- struct{}{}:
	case <-in.done:
		return false
	}
	select {
	case <-in.done:
		<-in.turn
		return false
	default:
		return true
	}
}

// leave gives the turn back after arming the timer.
func (in *Internet) leave() {
	in.arm()
	<-in.turn
}

// settle plays what is due by now. Routers call it before they read and after
// they write; most of the time there is nothing to do.
func (in *Internet) settle() {
	now := time.Now()
	if !in.wake.Load() && now.UnixNano() < in.next.Load() {
		return
	}
	if !in.enter() {
		return
	}
	defer in.leave()
	in.advance(now)
}

// settle lets the Internet that the router is attached to catch up.
func (r *Router) settle() {
	r.mu.Lock()
	in := r.net
	r.mu.Unlock()
	if in != nil {
		in.settle()
	}
}

// arm sets the one timer to the next moment at which something is due.
func (in *Internet) arm() {
	_, at, ok := in.earliest()
	next := int64(never)
	if ok {
		next = at.UnixNano()
	}
	if in.next.Swap(next) == next && in.timer != nil {
		return
	}
	in.stopTimer()
	select {
	case <-in.done:
		return
	default:
	}
	if !ok {
		return
	}
	in.wg.Add(1)
	in.timer = time.AfterFunc(time.Until(at), func() {
		defer in.wg.Done()
		in.settle()
	})
}

func (in *Internet) stopTimer() {
	if in.timer != nil && in.timer.Stop() {
		in.wg.Done()
	}
	in.timer = nil
}

// advance plays everything up to now, in the order of time: first what was due,
// then what people wrote meanwhile, then what that makes due at once.
func (in *Internet) advance(now time.Time) {
	in.play(now)
	if now.After(in.clock) {
		in.clock = now
	}
	for in.wake.Swap(false) {
		in.drain()
		in.play(in.clock)
	}
	in.reroute()
}

func (in *Internet) play(now time.Time) {
	for {
		act, at, ok := in.earliest()
		if !ok || at.After(now) {
			return
		}
		if at.After(in.clock) {
			in.clock = at
		}
		act()
		in.reroute()
	}
}

// earliest finds what is due first. What is due together is played in the order
// in which it is found here, which is always the same.
func (in *Internet) earliest() (act func(), at time.Time, ok bool) {
	// A closure is made only for what comes before all that was found so far: this
	// looks at everything, again and again.
	sooner := func(t time.Time) bool {
		if t.IsZero() || ok && !t.Before(at) {
			return false
		}
		at, ok = t, true
		return true
	}
	for i, n := range in.nodes {
		for _, t := range n.tries {
			if sooner(t.due) {
				act = func() { in.try(i, t) }
			}
		}
	}
	for _, k := range in.ikes {
		if f := in.dueOf(k, sooner); f != nil {
			act = f
		}
	}
	for _, c := range in.closings {
		if sooner(c.due) {
			act = func() { in.closeSession(c) }
		}
	}
	for _, c := range in.conns {
		if sooner(c.ends) {
			act = func() { in.forget(c) }
		}
	}
	return act, at, ok
}

// dueOf finds what of one phase 1 is due sooner than all else, or nil.
func (in *Internet) dueOf(k *ike, sooner func(time.Time) bool) (act func()) {
	for e := range k.ends {
		if sooner(k.ends[e].dead) {
			act = func() { in.giveUp(k, e) }
		}
	}
	if sooner(k.rekey) {
		act = func() { in.renew(k) }
	}
	if sooner(k.expires) {
		act = func() { in.expire(k) }
	}
	if sooner(k.retry) {
		act = func() { in.complete(k) }
	}
	for _, c := range k.kids {
		if sooner(c.soft) {
			act = func() { in.rekeyChild(k, c) }
		}
		if sooner(c.hard) {
			act = func() { in.dropChild(k, c) }
		}
	}
	return act
}

// drain looks at what was written into every router.
func (in *Internet) drain() {
	for i, n := range in.nodes {
		n.r.mu.Lock()
		effects := n.r.st.effects
		n.r.st.effects = nil
		n.r.mu.Unlock()
		for _, e := range effects {
			in.affect(i, e)
		}
		if len(effects) > 0 {
			in.changed(n)
		}
	}
}

// changed looks at a router's rows anew: what they show, and what the router
// wants to have up.
func (in *Internet) changed(n *node) {
	i := in.byName[n.name]
	in.stale.node(i)
	n.known = false
	in.wrote(i)
	for _, k := range slices.Clone(in.ikes) {
		if k.ends[0].node == i || k.ends[1].node == i {
			in.listen(k)
		}
	}
	in.review(n)
	in.plan(i)
}

// roll returns the next of a row of numbers that look random and are the same
// for the same seed.
func (in *Internet) roll() uint64 {
	in.dice += 0x9E3779B97F4A7C15
	z := in.dice
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9
	z = (z ^ (z >> 27)) * 0x94D049BB133111EB
	return z ^ (z >> 31)
}

func (in *Internet) id() uint64 {
	in.ids++
	return in.ids
}
