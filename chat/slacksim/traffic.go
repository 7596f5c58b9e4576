package slacksim

import (
	"slices"
	"strings"
	"time"
)

// Call is something that the app sent.
type Call struct {
	Time time.Time
	// Method is the Web API method, ResponseURL, or "ack" for a frame on a socket.
	Method string
	// Body is what was sent, byte for byte but for the app's own tokens.
	Body string
}

// traffic is the recorder. The server's lock guards it.
type traffic struct {
	on    bool
	calls []Call
}

// Record starts or stops recording what the app sends.
func (s *Server) Record(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.traffic.on = on
}

// Traffic returns what was recorded, oldest first.
func (s *Server) Traffic() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.traffic.calls)
}

func (s *Server) record(c Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.traffic.on {
		return
	}
	c.Time = time.Now()
	c.Body = strings.NewReplacer(s.opts.BotToken, "[bot token]", s.opts.AppToken, "[app token]").Replace(c.Body)
	s.traffic.calls = append(s.traffic.calls, c)
}
