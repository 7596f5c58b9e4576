package slacksim

import (
	"net/http"
	"strings"
)

// route sends a request to Slack's own paths, which an outage closes, or to
// the page, which stays.
func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	switch {
	case strings.HasPrefix(path, "/api/"), path == "/link", path == "/link/",
		strings.HasPrefix(path, "/commands/"), strings.HasPrefix(path, "/actions/"):
		if s.out() {
			drop(w)
			return
		}
	default:
		s.page(w, r)
		return
	}
	switch {
	case strings.HasPrefix(path, "/api/"):
		s.api(w, r, strings.TrimPrefix(path, "/api/"))
	case strings.HasPrefix(path, "/link"):
		s.link(w, r)
	default:
		s.respond(w, r)
	}
}

// drop closes the connection without an answer.
func drop(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		w.WriteHeader(http.StatusBadGateway) // HTTP/2 has no connection to cut
		return
	}
	_ = conn.Close()
}

// base is the scheme and host to put into URLs handed out for this request.
func (s *Server) base(r *http.Request) string {
	if s.opts.BaseURL != "" {
		return s.opts.BaseURL
	}
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
