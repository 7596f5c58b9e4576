//go:build !nodemo

package main

import (
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"vpnbot/change"
)

// Ensure a start with another configuration records what is other in it, and a
// start with the same one nothing.
func TestStarted_Difference(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		text, err := os.ReadFile(w.configFile())
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.NewReplacer("[U0ANN]\n    role: approver", "[U0ANN, U0BEN2]\n    role: viewer",
			"file:secrets/gw-hq-read", "file:./secrets/gw-hq-read", "timezone: Asia/Taipei\n", "timezone: Asia/Tokyo\nretention: {inbox: 7d}\n").Replace(string(text))
		for _, text := range []string{string(text), string(text), changed} {
			if err := os.WriteFile(w.configFile(), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			w.start(nil)
			w.stop()
		}
		w.start(nil)
		events, err := w.sys.store.Events(t.Context(), change.EventFilter{Kinds: []change.EventKind{change.EventConfig}})
		if err != nil || len(events) != 2 {
			t.Fatalf("got %d events, %v; want 2", len(events), err)
		}
		if got := events[0].Event.Facts; len(got) != 1 || got["after"] == "" {
			t.Errorf("first start: got %v, want a digest alone", got)
		}
		got := events[1].Event.Facts
		for path, want := range map[string]string{
			"people.ann.slack": "U0ANN → U0ANN, U0BEN2", "people.ann.role": "approver → viewer", "timezone": "Asia/Taipei → Asia/Tokyo", "retention.inbox": "– → 7d",
			"before": events[0].Event.Digest,
		} {
			if got[path] != want {
				t.Errorf("%s: got %q, want %q", path, got[path], want)
			}
		}
		if reference := got["sites.hq.routers.gw-hq.read.password"]; !strings.HasPrefix(reference, "hidden:") || strings.Contains(reference, "secrets/") {
			t.Errorf("reference: got %q, want it hidden", reference)
		}
		if len(got) != 7 {
			t.Errorf("got %d facts, want 7: %v", len(got), got)
		}
	})
}
