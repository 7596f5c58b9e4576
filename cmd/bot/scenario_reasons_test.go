//go:build !nodemo

package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"vpnbot/change"
	"vpnbot/commands/text"
	"vpnbot/vpn"
)

// Ensure every reason and note that vpn.Judge gives is told to somebody in a
// scenario who asked for a status: its whole sentence is a TEXT there. A reason
// that no scenario can bring about has no place in the code.
func TestScenarios_Reasons(t *testing.T) {
	sentences := reasonSentences(t)
	told := map[string][]string{} // scenarios by reason
	files, err := filepath.Glob("testdata/scenario/*/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		for _, said := range saidOfStatus(t, file) {
			for id, is := range sentences {
				if is.MatchString(said) && !slices.Contains(told[id], file) {
					told[id] = append(told[id], file)
				}
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(vpn.StatusTexts())) {
		if len(told[id]) == 0 {
			t.Errorf("%s comes up in no scenario", id)
		}
	}
}

// reasonSentences are the reasons' sentences in any language, as patterns.
func reasonSentences(t *testing.T) map[string]*regexp.Regexp {
	t.Helper()
	catalog, err := text.New()
	if err != nil {
		t.Fatal(err)
	}
	const gap = "GAP"
	all := map[string]*regexp.Regexp{}
	for id, names := range vpn.StatusTexts() {
		args := map[string]change.Value{}
		for _, name := range names {
			args[name] = change.Value{Str: gap}
		}
		var either []string
		for _, lang := range []string{text.English, text.Chinese} {
			sentence := catalog.Say(lang, change.Text{ID: id, Args: args}, text.Style{})
			either = append(either, strings.ReplaceAll(regexp.QuoteMeta(sentence), gap, ".+"))
		}
		all[id] = regexp.MustCompile("^(" + strings.Join(either, "|") + ")$")
	}
	return all
}

// saidOfStatus are the texts that people in a scenario find in the answers to a
// status that they asked for.
func saidOfStatus(t *testing.T, file string) []string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	asked := map[string]bool{} // who has asked for a status last
	for line := range strings.Lines(string(b)) {
		words := scriptWords(strings.TrimSpace(line))
		if len(words) < 3 || cast()[words[0]] == "" {
			continue
		}
		who := words[0]
		switch words[1] {
		case "/vpn":
			asked[who] = words[2] == "status" || words[2] == "狀態"
		case "answered", "sees":
			if asked[who] {
				said = append(said, words[2:]...)
			}
		}
	}
	return said
}

// scriptWords parts a line of a script as testscript does.
func scriptWords(line string) []string {
	var words []string
	word, begun, quoted := "", false, false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\'' && quoted && strings.HasPrefix(line[i+1:], "'"):
			word += "'"
			i++
		case c == '\'':
			quoted, begun = !quoted, true
		case c == '#' && !quoted:
			i = len(line)
		case c == ' ' && !quoted:
			if begun {
				words = append(words, word)
			}
			word, begun = "", false
		default:
			word, begun = word+line[i:i+1], true
		}
	}
	if begun {
		words = append(words, word)
	}
	return words
}
