package slacksim

import (
	"net/http"
	"time"
)

// FaultKind says how a call goes wrong.
type FaultKind int

// The ways in which a call can go wrong.
const (
	// FaultCode answers ok false with Fault.Code; nothing is done.
	FaultCode FaultKind = iota + 1
	// FaultUnknown does the work and drops the connection without an answer.
	FaultUnknown
	// FaultBefore drops the connection before anything is done.
	FaultBefore
	// FaultHTTP answers with status 500; nothing is done.
	FaultHTTP
	// FaultRateLimited answers 429 with Retry-After; nothing is done.
	FaultRateLimited
)

// Fault is something that goes wrong once or several times.
type Fault struct {
	Kind FaultKind
	// Code is the error code of FaultCode.
	Code string
	// Times is how often; 0 means once, negative means until ClearFaults.
	Times int
	// RetryAfter goes with FaultRateLimited; 1 s when zero.
	RetryAfter time.Duration
	// When, if set, chooses the calls by their arguments. A structure sent in
	// a form is a string of JSON.
	When func(args map[string]any) bool
}

// ResponseURL is the method name under which posts to a response_url fail and
// are recorded.
const ResponseURL = "response_url"

// faults is what is armed. The server's lock guards it.
type faults struct {
	next    map[string][]Fault
	latency time.Duration
	outage  bool
}

// FailNext makes the next calls of a method go wrong; "*" means any method.
// Faults of one method happen in the order in which they were added.
func (s *Server) FailNext(method string, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.Times = or(f.Times, 1)
	f.RetryAfter = or(f.RetryAfter, time.Second)
	if s.faults.next == nil {
		s.faults.next = map[string][]Fault{}
	}
	s.faults.next[method] = append(s.faults.next[method], f)
}

// ClearFaults disarms every fault, latency and outage.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = faults{}
}

// SetLatency delays every call of the Web API.
func (s *Server) SetLatency(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.latency = d
}

// SetPatience replaces Options.AckTimeout and Options.TriggerLife: for tests
// against the real clock, since a busy machine stalls for longer than Slack waits.
func (s *Server) SetPatience(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opts.AckTimeout, s.opts.TriggerLife = d, d
}

// SetOutage cuts the app off from Slack, or ends that: sockets are cut and
// calls are dropped unanswered. The page goes on.
func (s *Server) SetOutage(on bool) {
	s.mu.Lock()
	s.faults.outage = on
	var cut []*socket
	if on {
		cut = s.hub.all()
	}
	s.mu.Unlock()
	for _, c := range cut {
		c.shut()
	}
}

func (s *Server) out() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults.outage
}

// fault takes the fault that is armed for a call, if any.
func (s *Server) fault(name string, a args) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range []string{name, "*"} {
		for i, f := range s.faults.next[key] {
			if f.When != nil && !f.When(a) {
				continue
			}
			if f.Times > 0 {
				f.Times--
				if s.faults.next[key][i] = f; f.Times == 0 {
					s.faults.next[key] = append(s.faults.next[key][:i:i], s.faults.next[key][i+1:]...)
				}
			}
			return f
		}
	}
	return Fault{}
}

// spoil waits for the latency and, where the fault forbids the work, answers
// in its place.
func (s *Server) spoil(w http.ResponseWriter, r *http.Request, f Fault) bool {
	s.mu.Lock()
	latency := s.faults.latency
	s.mu.Unlock()
	if latency > 0 {
		select {
		case <-time.After(latency):
		case <-r.Context().Done():
		}
	}
	switch f.Kind {
	case FaultCode:
		writeError(w, fail(f.Code))
	case FaultBefore:
		drop(w)
	case FaultHTTP:
		http.Error(w, "internal error", http.StatusInternalServerError)
	case FaultRateLimited:
		writeError(w, &apiError{code: "ratelimited", retry: f.RetryAfter})
	default:
		return false
	}
	return true
}
