package slacksim

import (
	"embed"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
)

// assets is the page: HTML, CSS and JavaScript as they are served.
//
//go:embed web
var assets embed.FS

// page answers everything that is not Slack's: the page and its own API.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/sim/") {
		s.sim(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "+
		"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	web, err := fs.Sub(assets, "web")
	if err != nil {
		http.Error(w, "no page", http.StatusInternalServerError)
		return
	}
	if rest, ok := strings.CutPrefix(r.URL.Path, "/archives/"); ok { // a permalink
		channel, _, _ := strings.Cut(rest, "/")
		http.Redirect(w, r, "/#//"+url.PathEscape(channel), http.StatusFound)
		return
	}
	http.FileServerFS(web).ServeHTTP(w, r)
}
