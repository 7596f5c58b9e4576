package docs_test

import (
	"os"
	"strings"
	"testing"

	"vpnbot/docs"
)

// Ensure every line of the tables is read, and none twice.
func TestAssumptions(t *testing.T) {
	text, err := os.ReadFile("assumptions.md")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Count(string(text), "\n| ") - strings.Count(string(text), "\n| # |")
	all := docs.Assumptions()
	if len(all) != want || want < 100 {
		t.Errorf("got %d lines, want %d", len(all), want)
	}
	seen := map[string]bool{}
	for _, a := range all {
		if seen[a.Number] || a.Number == "" {
			t.Errorf("number %q twice, or none", a.Number)
		}
		seen[a.Number] = true
		if a.Section == "" || a.Text == "" || a.Else == "" || !strings.Contains("ABC", a.Sure) || len(a.Sure) != 1 {
			t.Errorf("got %+v, want every column filled", a)
		}
	}
}
