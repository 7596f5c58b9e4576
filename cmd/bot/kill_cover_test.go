//go:build !nodemo

package main

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"vpnbot/commands"
)

// Ensure the bot dies in every verb of the table that changes something, and in
// every way in which people end what needs them.
func TestKill_Stories(t *testing.T) {
	var typed []string
	for _, c := range stories() {
		typed = append(typed, c.line)
	}
	told := func(words ...string) bool {
		return slices.ContainsFunc(typed, func(line string) bool {
			return strings.HasPrefix(line+" ", "/vpn "+words[0]+" ") && !slices.ContainsFunc(words[1:], func(w string) bool { return !strings.Contains(line+" ", " "+w+" ") })
		})
	}
	changing := 0
	for _, v := range commands.Verbs() {
		if !v.Changing || v.Name == "cancel" { // which no router hears of
			continue
		}
		changing++
		words := []string{cmp.Or(v.As, v.Name)}
		for _, f := range v.Flags {
			if !f.Optional {
				words = append(words, "--"+f.Name)
			}
		}
		if !told(words...) {
			t.Errorf("no story lets the bot die in %q", words)
		}
		for _, s := range v.Slots {
			if s.Kind != commands.ResolutionValue {
				continue
			}
			for way := range strings.SplitSeq(s.Shown, "|") {
				if way != "release" && !told(words[0], way) { // release unlocks, and no router hears of it
					t.Errorf("no story lets the bot die in %s %s", words[0], way)
				}
			}
		}
	}
	if changing < 15 {
		t.Errorf("%d verbs change something", changing)
	}
	if !slices.ContainsFunc(stories(), func(c story) bool { return c.waits > 0 }) {
		t.Error("no story lets the bot die in what it begins by itself")
	}
}
