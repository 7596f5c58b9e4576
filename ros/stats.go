package ros

import (
	"cmp"
	"sync/atomic"
	"time"
)

// counters are the numbers of one router.
type counters struct {
	commands, logins, errors atomic.Uint64
	open                     atomic.Int64
	answered                 atomic.Int64 // Unix nanoseconds of the last answer
}

// RouterStats are the numbers of one router since the start.
type RouterStats struct {
	Router   string
	Commands uint64 // sentences sent, logins not among them
	Logins   uint64 // attempts
	Errors   uint64 // connections and commands that ended without an answer
	Open     int64  // connections open now
	Answered time.Time
	Resting  error // why no connection is tried just now; nil: none is held back
}

// Stats returns the numbers of every router in alphabetical order.
func (f *Fleet) Stats() []RouterStats {
	now := time.Now()
	all := make([]RouterStats, 0, len(f.routers))
	for _, name := range f.Routers() {
		r := f.routers[name]
		s := RouterStats{
			Router:   name,
			Commands: r.count.commands.Load(),
			Logins:   r.count.logins.Load(),
			Errors:   r.count.errors.Load(),
			Open:     r.count.open.Load(),
			Resting:  cmp.Or(r.reach.resting(now), r.read.refused.resting(now), r.write.refused.resting(now)),
		}
		if at := r.count.answered.Load(); at != 0 {
			s.Answered = time.Unix(0, at)
		}
		all = append(all, s)
	}
	return all
}
