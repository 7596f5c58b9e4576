package rossim

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// counted is a strike with what it has seen.
type counted struct {
	Strike
	seen int
}

// armed makes the counters of new faults and their row of jitters.
func armed(f Faults) ([]*counted, *rand.Rand) {
	var all []*counted
	for _, s := range f.Strikes {
		if s.At == "" || s.Kind == FaultInstant {
			s.At = Before
		}
		if s.Kind == FaultDrip {
			s.At = After
		}
		all = append(all, &counted{Strike: s})
	}
	return all, rand.New(rand.NewPCG(f.Seed, 0))
}

// strikes are what strikes the answer to a command.
type strikes struct {
	all  []Strike
	call call
}

// occasion is what strikes count.
type occasion struct {
	class Class
	menu  string
	user  string
}

// readVerbs are the commands that change nothing.
var readVerbs = []string{"print", "getall", "get", "find", "listen", "ping", "parse"}

var writeVerbs = []string{
	"add", "set", "remove", "unset", "enable", "disable", "move", "comment", "kill-connections", "flush", "execute", "run",
}

// occasionOf sorts a command by its first word. A login is counted under the name
// that the connection has so far.
func occasionOf(path, user string) occasion {
	e := occasion{class: Sentences, menu: path, user: user}
	if path == "/login" {
		e.class = Logins
		return e
	}
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return e
	}
	verb := path[i+1:]
	if i > 0 {
		e.menu = path[:i]
	}
	switch {
	case slices.Contains(readVerbs, verb):
		e.class = Reads
	case slices.Contains(writeVerbs, verb):
		e.class = Writes
	}
	return e
}

// about tells whether a strike counts an occasion.
func (s *counted) about(e occasion) bool {
	sentence := e.class != Connections
	return (s.Class == e.class || (s.Class == Sentences && sentence)) &&
		(s.Menu == "" || s.Menu == e.menu) && (s.User == "" || s.User == e.user)
}

// due counts an occasion and returns what strikes it. Strikes inside a sentence are
// counted apart, since they are looked for while it arrives.
func (r *Router) due(e occasion, inside bool) []Strike {
	r.mu.Lock()
	defer r.mu.Unlock()
	var hits []Strike
	for _, s := range r.armed {
		if (s.At == Inside) != inside || !s.about(e) {
			continue
		}
		s.seen++
		first := max(s.Nth, 1)
		if s.seen >= first && s.seen-first < max(s.Times, 1) {
			hits = append(hits, s.Strike)
		}
	}
	return hits
}

// insides tells whether any fault strikes inside a sentence.
func (r *Router) insides() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.armed, func(s *counted) bool { return s.At == Inside })
}

// lag draws what the faults add to a sentence's latency.
func (r *Router) lag() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.faults.Jitter <= 0 {
		return r.faults.Latency
	}
	return r.faults.Latency + time.Duration(r.jitters.Int64N(int64(r.faults.Jitter)+1))
}

// moment returns the strikes of one moment.
func moment(hits []Strike, when When) []Strike {
	return slices.DeleteFunc(slices.Clone(hits), func(s Strike) bool { return s.At != when })
}

func has(hits []Strike, kind FaultKind) bool {
	return slices.ContainsFunc(hits, func(s Strike) bool { return s.Kind == kind })
}
