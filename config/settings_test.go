package config

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Ensure the difference between two configurations names each key that changed,
// with what stood there and what stands there now, and shows no reference to a
// secret.
func TestDifference(t *testing.T) {
	path := filepath.Join("..", "deploy", "vpnbot.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, err := Parse(path, text)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer("language: zh-TW", "language: en", "credential:", "env:OTHER_", "  journal: false\n", "").Replace(string(text))
	after, err := Parse(path, []byte(changed))
	if err != nil {
		t.Fatal(err)
	}
	diff := Difference(before.Settings(), after.Settings())
	if got := diff["language"]; got != "zh-TW → en" {
		t.Errorf("language: got %q", got)
	}
	if got := diff["witness.journal"]; got != "false → –" {
		t.Errorf("journal: got %q", got)
	}
	hidden := 0
	for path, d := range diff {
		if strings.Contains(d, "credential") || strings.Contains(d, "OTHER") {
			t.Errorf("%s shows %q", path, d)
		}
		if strings.HasPrefix(d, "hidden:") && strings.Contains(d, " → hidden:") {
			hidden++
		}
	}
	if hidden == 0 {
		t.Errorf("no secret's reference changed: %v", diff)
	}
	if got := Difference(before.Settings(), before.Settings()); len(got) > 0 {
		t.Errorf("from itself: got %v", got)
	}
}

// Ensure values come out under their paths, lists of words as one.
func TestSettings(t *testing.T) {
	text := "people:\n  olive: {slack: [U1, U2], role: operator}\nrules:\n  - {verbs: [adduser], need: 2}\nslack:\n  bot-token: xoxb-in-the-wrong-place\n  team: 12\n"
	_, root, err := parse("x.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	root.flatten(got)
	if !strings.HasPrefix(got["slack.bot-token"], "hidden:") {
		t.Errorf("a token is shown: %v", got)
	}
	delete(got, "slack.bot-token")
	want := map[string]string{
		"people.olive.slack": "U1, U2", "people.olive.role": "operator", "rules.0.verbs": "adduser", "rules.0.need": "2", "slack.team": "12",
	}
	if !maps.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
	if got := Difference(map[string]string{"a": "1", "b": "2"}, map[string]string{"b": "3", "c": ""}); !maps.Equal(got, map[string]string{"a": "1 → –", "b": "2 → 3", "c": "– → "}) {
		t.Errorf("got %v", got)
	}
}
