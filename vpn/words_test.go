package vpn_test

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"regexp"
	"strings"
	"testing"

	"vpnbot/change"
	"vpnbot/vpn"
)

// messages reads the planner's words in one language: text with all its forms by
// message ID.
func messages(t *testing.T, lang string) map[string]string {
	t.Helper()
	b, err := os.ReadFile("../commands/text/locale/plan." + lang + ".json")
	if err != nil {
		t.Fatal(err)
	}
	raw := map[string]json.RawMessage{}
	if err := json.Unmarshal(b, &raw); err != nil {
		t.Fatal(err)
	}
	words := map[string]string{}
	for id, m := range raw {
		words[id] = string(m)
	}
	return words
}

// said returns every text that the tables of this package's tests bring about.
func said(t *testing.T) []change.Text {
	t.Helper()
	var texts []change.Text
	refused := func(err error) {
		if r, ok := errors.AsType[*vpn.Refusal](err); ok {
			sentence, hint := r.Explain()
			texts = append(texts, sentence, hint)
		}
	}
	planned := func(edit func(*vpn.AddAccount)) {
		in := office()
		edit(&in)
		plan, err := vpn.PlanAddAccount(in)
		refused(err)
		if err != nil {
			return
		}
		texts = append(append(append(texts, plan.Summary, plan.Steps[0].Why), plan.Blast...), plan.Warnings...)
	}
	for _, tt := range append(refusals(), warnings()...) {
		planned(tt.edit)
	}
	planned(address("192.168.77.60"))
	planned(name("王小明"))
	planned(func(in *vpn.AddAccount) { in.Intent.Account.Handover = "bob" })
	refused(vpn.NoDefinition("hq"))
	return texts
}

// Ensure every sentence of the planner has words in both languages that ask for
// no argument it does not give, and that no words are left over.
func TestWords(t *testing.T) {
	argument := regexp.MustCompile(`\{\{\.(\w+)\}\}`)
	for _, lang := range []string{"en", "zh-TW"} {
		words := messages(t, lang)
		left := maps.Clone(words)
		for _, text := range said(t) {
			delete(left, text.ID)
			m, ok := words[text.ID]
			if !ok {
				t.Errorf("%s: no words for %s", lang, text.ID)
			}
			for _, match := range argument.FindAllStringSubmatch(m, -1) {
				if _, given := text.Args[match[1]]; !given {
					t.Errorf("%s: %s asks for %s", lang, text.ID, match[1])
				}
			}
		}
		for id := range left {
			if strings.HasPrefix(id, "plan.") {
				t.Errorf("%s: nothing says %s", lang, id)
			}
		}
	}
}
