package commands

import (
	"os"
	"strings"
	"testing"

	"vpnbot/change"
	"vpnbot/commands/text"
)

// Ensure the README shows the table of verbs that the program has.
func TestReadme_VerbTable(t *testing.T) {
	const path, begin, end = "../README.md", "<!-- verbs -->\n", "<!-- /verbs -->"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(b), begin)
	got, tail, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("README.md has no %q … %q", begin, end)
	}
	catalog, err := text.New()
	if err != nil {
		t.Fatal(err)
	}
	want := VerbTable(func(s change.Text) string { return catalog.Say(text.English, s, text.Style{}) })
	if got == want {
		return
	}
	if !*update {
		t.Fatalf("README.md shows another table; run go test ./commands -update\ngot:\n%s\nwant:\n%s", got, want)
	}
	if err := os.WriteFile(path, []byte(head+begin+want+end+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}
