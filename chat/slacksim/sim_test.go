package slacksim_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// Ensure the page's own API answers this machine and its own page only, and
// the page forbids everything that comes from elsewhere.
func TestPageAPI_LocalOnly(t *testing.T) {
	s, base := start(t, options())
	for name, tt := range map[string]struct {
		host, origin, kind string
		want               int
	}{
		"own page":     {"", base, "application/json", 200},
		"no origin":    {"", "", "application/json", 200},
		"other site":   {"", "https://evil.example", "application/json", 403},
		"other host":   {"evil.example", "", "application/json", 403},
		"a plain form": {"", base, "text/plain", 405},
	} {
		req, err := http.NewRequest(http.MethodPost, base+"/sim/send", strings.NewReader(`{"user":"UOP","channel":"COPS","text":"hi"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", tt.kind)
		if tt.origin != "" {
			req.Header.Set("Origin", tt.origin)
		}
		if tt.host != "" {
			req.Host = tt.host
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != tt.want {
			t.Errorf("%s: got %d, want %d", name, res.StatusCode, tt.want)
		}
	}
	if got := len(s.Messages("UOP", "COPS")); got != 2 {
		t.Errorf("messages: got %d, want 2", got)
	}
	res, err := http.Get(base + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if p := res.Header.Get("Content-Security-Policy"); !strings.HasPrefix(p, "default-src 'none'") || strings.Contains(p, "unsafe") {
		t.Errorf("policy: got %q", p)
	}
	if s := string(page); strings.Contains(s, "//") && strings.Contains(s, "https://") || !strings.Contains(s, `lang="en"`) {
		t.Error("the page names another site or no language")
	}
}
