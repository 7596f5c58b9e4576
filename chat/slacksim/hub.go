package slacksim

import (
	"context"
	"encoding/json"
	"slices"
	"time"
)

// maxSockets is how many connections Slack gives an app.
const maxSockets = 10

// Reasons for which Slack closes a connection.
const (
	ReasonWarning  = "warning"
	ReasonRefresh  = "refresh_requested"
	ReasonDisabled = "link_disabled"
	ReasonTooMany  = "too_many_websockets"
)

// closeGrace is how long a connection stays open after its disconnect frame.
const closeGrace = 10 * time.Second

// hub is the app's connections. The server's lock guards it.
type hub struct {
	tickets  map[string]time.Time
	socks    []*socket
	next     int
	opened   int
	disabled bool
}

func newHub() hub { return hub{tickets: map[string]time.Time{}} }

func (h *hub) all() []*socket { return slices.Clone(h.socks) }

// live are the connections that envelopes may be sent on.
func (h *hub) live() []*socket {
	return slices.DeleteFunc(h.all(), func(c *socket) bool { return c.leaving })
}

// pick chooses the connection for the next envelope: each in turn.
func (h *hub) pick() *socket {
	live := h.live()
	if len(live) == 0 {
		return nil
	}
	h.next++
	return live[h.next%len(live)]
}

func (h *hub) drop(c *socket) {
	h.socks = slices.DeleteFunc(h.socks, func(o *socket) bool { return o == c })
}

// Connections is how many Socket Mode connections are open and will get
// envelopes.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.hub.live())
}

// Opened is how many Socket Mode connections the app has opened so far.
func (s *Server) Opened() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hub.opened
}

// Disconnect sends a disconnect frame with one of the Reason constants on
// every connection. After ReasonWarning nothing else happens; after the others
// no envelope is sent on these connections, and Slack closes them 10 s later
// if the app has not.
func (s *Server) Disconnect(reason string) {
	s.mu.Lock()
	socks := s.hub.all()
	s.mu.Unlock()
	for _, c := range socks {
		c.disconnect(reason)
	}
}

// SetLinkDisabled switches Socket Mode off in the app's settings, or on again.
// While it is off every connection is closed with ReasonDisabled.
func (s *Server) SetLinkDisabled(off bool) {
	s.mu.Lock()
	s.hub.disabled = off
	s.mu.Unlock()
	if off {
		s.Disconnect(ReasonDisabled)
	}
}

// Cut closes every connection without a word, as a failing network does.
func (s *Server) Cut() {
	s.mu.Lock()
	socks := s.hub.all()
	s.mu.Unlock()
	for _, c := range socks {
		c.shut()
	}
}

// envelope is what Socket Mode delivers.
type envelope struct {
	ID            string `json:"envelope_id"`
	Type          string `json:"type"`
	AcceptsAnswer bool   `json:"accepts_response_payload"`
	Payload       any    `json:"payload"`
	Retry         int    `json:"retry_attempt,omitempty"`
	RetryReason   string `json:"retry_reason,omitempty"`
}

// deliver sends an envelope on one connection and waits for its
// acknowledgement there. It returns the payload of the acknowledgement.
func (s *Server) deliver(ctx context.Context, e envelope, c *socket) (json.RawMessage, error) {
	acked := c.expect(e.ID)
	defer c.forget(e.ID)
	frame, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.last = e
	patience := s.opts.AckTimeout
	s.mu.Unlock()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	c.send(frame)
	select {
	case body := <-acked:
		if !e.AcceptsAnswer {
			return nil, nil
		}
		return body, nil
	case <-timer.C:
		return nil, ErrTimeout
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.busy.closing:
		return nil, ErrTimeout
	}
}
