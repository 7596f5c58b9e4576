package commands

import (
	"slices"
	"strings"
	"testing"
)

// Ensure columns align whatever is in them: Chinese characters take two columns,
// combining ones none, and what write makes of a cell does not count.
func TestGrid(t *testing.T) {
	rows := [][]string{{"帳號", "x"}, {"a&b", "y"}, {"e\u0301", "z", "last "}, {}}
	want := []string{"帳號  x", "a&amp;b   y", "e\u0301     z  last", ""}
	got := Grid(rows, func(cell string) string { return strings.ReplaceAll(cell, "&", "&amp;") })
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
