package slacksim

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// Server is one workspace and the servers in front of it.
type Server struct {
	opts Options
	http *http.Server
	busy *tracker // connections, handlers and sockets still at work

	mu      sync.Mutex // held for memory only, never across a wait
	st      *state
	changed chan struct{} // closed and replaced at each change
	closed  bool
	hub     hub
	faults  faults
	rates   map[string]bucket
	traffic traffic
	last    envelope // the newest that was sent
}

// New makes a workspace. It starts nothing; Serve does.
func New(opts Options) (*Server, error) {
	opts.setDefaults()
	if err := opts.validate(); err != nil {
		return nil, err
	}
	return newServer(opts, newState(&opts, time.Now())), nil
}

func newServer(opts Options, st *state) *Server {
	s := &Server{
		opts:    opts,
		st:      st,
		busy:    newTracker(),
		changed: make(chan struct{}),
		rates:   map[string]bucket{},
		hub:     newHub(),
	}
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		ConnState:         s.connState,
	}
	return s
}

// Clone makes a second workspace that remembers everything this one does:
// messages, open views, unused triggers and response URLs. It has no
// connections, no faults and no recorded traffic.
func (s *Server) Clone() *Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return newServer(s.opts, s.st.clone())
}

// Serve answers on l until Close. It returns nil after Close.
func (s *Server) Serve(l net.Listener) error {
	err := s.http.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Close closes the listeners and every connection, and waits until all that
// the server started has ended.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	s.busy.begin()
	s.notify()
	socks := s.hub.all()
	s.mu.Unlock()
	err := s.http.Close()
	for _, c := range socks {
		c.shut()
	}
	s.busy.wait()
	return err
}

// ServeHTTP answers the Web API, Socket Mode, the page and the page's API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.busy.add() {
		http.Error(w, "closed", http.StatusServiceUnavailable)
		return
	}
	defer s.busy.done()
	s.route(w, r)
}

// connState counts connections, because http.Server.Close does not wait.
func (s *Server) connState(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.busy.force()
	case http.StateClosed, http.StateHijacked:
		s.busy.done()
	}
}

// Wait returns when cond holds, looking again after each change of the
// workspace, or with the context's error.
func (s *Server) Wait(ctx context.Context, cond func() bool) error {
	for {
		changed := s.Changed()
		if cond() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Changed is closed at the next change of the workspace: a message, a view, a
// connection.
func (s *Server) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// notify wakes everyone who waits for a change. The caller holds mu.
func (s *Server) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// update runs f on the state and tells the waiting if f changed it.
func (s *Server) update(f func(*state) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	rev := s.st.rev
	err := f(s.st)
	if s.st.rev != rev {
		s.notify()
	}
	return err
}

// tracker counts what must end before Close returns.
type tracker struct {
	mu     sync.Mutex
	n      int
	closed bool
	zero   chan struct{}
	// closing is closed when waiting begins.
	closing chan struct{}
}

func newTracker() *tracker { return &tracker{zero: make(chan struct{}), closing: make(chan struct{})} }

// add counts one more, unless waiting has begun.
func (t *tracker) add() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.n++
	return true
}

// force counts one more even when waiting has begun.
func (t *tracker) force() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n++
}

func (t *tracker) done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n--
	t.signal()
}

func (t *tracker) signal() {
	if t.closed && t.n == 0 {
		select {
		case <-t.zero:
		default:
			close(t.zero)
		}
	}
}

func (t *tracker) wait() {
	t.begin()
	<-t.zero
}

// begin refuses new work from here on.
func (t *tracker) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.closed = true
		close(t.closing)
	}
	t.signal()
}

// run starts f and counts it. It reports false when the server is closing.
func (t *tracker) run(f func()) bool {
	if !t.add() {
		return false
	}
	go func() {
		defer t.done()
		f()
	}()
	return true
}
