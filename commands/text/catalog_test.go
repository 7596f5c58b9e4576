package text_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/commands/text"
	"vpnbot/ros/schema"
)

func catalog(t *testing.T) *text.Catalog {
	t.Helper()
	c, err := text.New()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Ensure everything that is turned into a message by its own name has words:
// states, roles, kinds of events, classes, actions and phases.
func TestCatalog_Vocabulary(t *testing.T) {
	var ids []string
	for _, s := range change.States() {
		ids = append(ids, "state."+string(s))
	}
	for _, k := range change.EventKinds() {
		ids = append(ids, "event."+string(k))
	}
	for r := change.NoRole; r <= change.Approver; r++ {
		ids = append(ids, "role."+r.String())
	}
	for _, c := range []change.Class{change.Twin, change.InPlace, change.OneWay} {
		ids = append(ids, "class."+string(c))
	}
	for _, a := range []schema.Action{schema.Add, schema.Change, schema.Remove, schema.Enable, schema.Disable, schema.Move} {
		ids = append(ids, "action."+string(a))
	}
	for _, p := range []string{change.PhaseWriting, change.PhaseReading} {
		ids = append(ids, "phase."+p)
	}
	for _, l := range []string{text.English, text.Chinese} {
		ids = append(ids, "language."+l)
	}
	c := catalog(t)
	for _, id := range ids {
		if !c.Has(id) {
			t.Errorf("no words for %s", id)
		}
	}
}

// Ensure Chinese words use Chinese punctuation, and both languages say something
// of their own.
func TestCatalog_Chinese(t *testing.T) {
	c := catalog(t)
	alike := 0
	for _, id := range c.IDs() {
		zh := c.Say(text.Chinese, change.Text{ID: id}, text.Style{})
		if zh == c.Say(text.English, change.Text{ID: id}, text.Style{}) {
			alike++
		}
		runes := []rune(zh)
		for i := 1; i < len(runes); i++ {
			if strings.ContainsRune(",;:?!", runes[i]) && runes[i-1] >= '\u4e00' && runes[i-1] <= '\u9fff' {
				t.Errorf("%s: %q has an ASCII %q behind a Chinese character", id, zh, runes[i])
			}
		}
	}
	if alike > 20 {
		t.Errorf("%d messages are the same in both languages", alike)
	}
}

// Ensure values are written as the style says, counts choose their form, and
// nothing that came from outside is left unescaped.
func TestSay(t *testing.T) {
	c := catalog(t)
	at := time.Date(2026, 11, 23, 1, 12, 0, 0, time.UTC)
	style := text.Style{
		Time:   func(t time.Time) string { return t.Format("15:04") },
		Person: func(p change.PersonID) string { return "@" + string(p) },
		Escape: func(s string) string { return strings.ReplaceAll(s, "<", "&lt;") },
	}
	tests := []struct {
		lang string
		text change.Text
		want string
	}{
		{"en", change.Text{}, ""},
		{"en", change.T("common.value", "value", "<b>"), "&lt;b>"},
		{"en", change.T("common.value", "value", 42), "42"},
		{"en", change.T("common.value", "value", at), "01:12"},
		{"en", change.T("common.value", "value", change.PersonID("anna")), "@anna"},
		{"en", change.T("common.value", "value", change.SystemPerson), "vpnbot"},
		{"en", change.T("common.value", "value", change.Outside("<Mr X>")), "&lt;Mr X>"},
		{"en", change.T("common.value", "value", change.T("common.yes")), "yes"},
		{"zh-TW", change.T("common.value", "value", change.T("common.yes")), "是"},
		{"en", change.T("common.value", "value", 90*time.Second), "90"}, // a duration counts seconds
		{"en", change.T("common.minutes", "count", 1), "1 minute"},
		{"en", change.T("common.minutes", "count", 10), "10 minutes"},
		{"en", change.T("common.minutes", "count", 0), "0 minutes"},
		{"en", change.T("plan.adduser.blast_sessions", "count", 0), "Nobody is connected there now."},
		{"zh-TW", change.T("plan.adduser.blast_sessions", "count", 0), "目前無人連線。"},
		{"fr", change.T("plan.adduser.blast_sessions", "count", 0), "Nobody is connected there now."},
		{"en", change.T("plan.rotate_l2tp.summary", "site", "hq", "online", 0), "Gives the dial-in server of hq a new pre-shared key: every computer needs it for its next call."},
		{"en", change.T("plan.dialin.summary", "site", "hq", "online", 1), "Sets up the dial-in server of hq as it is defined; 1 person is dialled in now."},
		{"zh-TW", change.T("common.minutes", "count", 1), "1 分鐘"},
		{"fr", change.T("common.yes"), "yes"},
		{"en", change.T("common.value", "value", change.Unproven), "applied, not yet proven"},
		{"en", change.T("no.such"), "[no.such]"},
		{"en", change.T("common.value"), ""},
	}
	for _, tt := range tests {
		if got := c.Say(tt.lang, tt.text, style); got != tt.want {
			t.Errorf("%s %v: got %q, want %q", tt.lang, tt.text, got, tt.want)
		}
	}
	if got := c.Say("en", change.T("common.value", "value", at), text.Style{}); got != "2026-11-23 01:12 UTC" {
		t.Errorf("got %q without a style", got)
	}
}

type explaining struct{ error }

func (explaining) Explain() (sentence, hint change.Text) {
	return change.T("common.yes"), change.T("common.no")
}

// Ensure every error of the domain has a sentence and a hint, however deep it is
// wrapped, and that others become a reference that the log can be searched for.
func TestExplain(t *testing.T) {
	tests := []struct {
		err  error
		want string
	}{
		{change.ErrNotFound, "error.notfound"},
		{change.ErrNotAllowed, "error.notallowed"},
		{change.ErrSelfApproval, "error.selfapproval"},
		{change.ErrTwice, "error.twice"},
		{change.ErrDigest, "error.digest"},
		{change.ErrReason, "error.reason"},
		{change.ErrExpired, "error.expired"},
		{change.ErrSpent, "error.spent"},
		{change.ErrNotReader, "error.notreader"},
		{change.ErrEmptyPlan, "error.emptyplan"},
		{change.ErrStale, "error.stale"},
		{change.ErrConflict, "error.conflict"},
		{change.ErrDone, "error.done"},
		{&change.StateError{Have: change.Denied, Want: change.Pending}, "error.state"},
		{secret.ErrDestroyed, "error.destroyed"},
		{context.DeadlineExceeded, "error.deadline"},
		{context.Canceled, "error.stopping"},
		{explaining{change.ErrStale}, "common.yes"},
	}
	c := catalog(t)
	for _, tt := range tests {
		sentence, hint, known := text.Explain(fmt.Errorf("doing this: %w", fmt.Errorf("doing that: %w", tt.err)))
		if sentence.ID != tt.want || !known || !c.Has(sentence.ID) || !c.Has(hint.ID) {
			t.Errorf("%v: got %s, %s, want %s and a hint", tt.err, sentence.ID, hint.ID, tt.want)
		}
	}
	strange := errors.New("disk on fire")
	sentence, hint, known := text.Explain(strange)
	if known || sentence.ID != "error.internal" || !c.Has(hint.ID) {
		t.Errorf("got %v, %v, want an internal error", sentence, known)
	}
	if got := c.Say("en", sentence, text.Style{}); !strings.Contains(got, text.Reference(strange)) || strings.Contains(got, "fire") {
		t.Errorf("got %q, want the reference and nothing of the error", got)
	}
}

// Ensure a locale of Slack finds its language.
func TestLanguage(t *testing.T) {
	for locale, want := range map[string]string{
		"en-US": "en", "en-GB": "en", "en": "en", "zh-TW": "zh-TW", "zh_tw": "zh-TW", "zh-Hant-TW": "zh-TW", "ja-JP": "", "": "",
	} {
		if got, ok := text.Language(locale); got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", locale, got, ok, want)
		}
	}
}

// Ensure argument names can be asked for.
func TestArgs(t *testing.T) {
	if got := catalog(t).Args("common.list"); !slices.Equal(got, []string{"first", "rest"}) {
		t.Errorf("got %v", got)
	}
}
