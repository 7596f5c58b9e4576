package chat

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"vpnbot/change"
	"vpnbot/commands"
	"vpnbot/commands/text"
)

var update = flag.Bool("update", false, "write the golden files anew")

func value(s string) change.Text { return change.T("common.value", "value", s) }

// hugeReply is past every limit at once.
func hugeReply() commands.Reply {
	long := strings.Repeat("a long line of words & <signs>\n", 200)
	r := commands.Reply{Title: value(strings.Repeat("t", 400)), Share: false}
	for range 30 {
		r.Parts = append(r.Parts, commands.Say("", value(long)))
	}
	var facts []commands.Labelled
	for i := range 25 {
		facts = append(facts, commands.Labelled{Label: value(fmt.Sprint("label ", i)), Value: value(long)})
	}
	table := &commands.Table{Head: []change.Text{value("name"), value("note")}}
	for i := range 300 {
		table.Rows = append(table.Rows, []change.Text{value(fmt.Sprint("vpn-", i)), value(strings.Repeat("字", 90))})
	}
	status, record := *table, *table
	status.Layout, record.Layout = commands.Lines, commands.Record
	var many []commands.Button
	for range 30 {
		b := button(commands.ActionCancel, strings.Repeat("v", 1900))
		ask := value(strings.Repeat("sure? ", 200))
		b.Label, b.Confirm = value(strings.Repeat("press ", 40)), &ask
		many = append(many, b)
	}
	many = append(many, button(commands.ActionCancel, strings.Repeat("v", 2001)))
	return commands.Reply{Title: r.Title, Parts: append([]commands.Part{
		{Table: table},
		{Table: table},
		{Table: &status},
		{Table: &record},
		{Facts: facts},
		{Buttons: many},
		{Diff: &commands.Diff{Step: 1, Router: "gw", Menu: "/ppp/secret", Action: "add", Class: "twin", Lines: []commands.DiffLine{{Name: "comment", After: long}}}},
	}, r.Parts...)}
}

// fullReply shows every kind of part once.
func fullReply() commands.Reply {
	at := time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
	ask := change.T("button.cancel.confirm", "number", 42)
	cancel := button(commands.ActionCancel, "r1")
	cancel.Confirm = &ask
	approve := button(commands.ActionApprove, "r1 digest")
	approve.Style = commands.Primary
	return commands.Reply{
		Title: change.T("form.approve.title", "number", 42), Tone: commands.Warning,
		Parts: []commands.Part{
			commands.Say("", change.T("plan.adduser.summary", "site", "hq", "owner", change.PersonID("staff"), "account", "<!channel> & `x`")),
			{Facts: []commands.Labelled{
				{Label: change.T("label.state"), Value: change.T("card.state", "state", change.Pending, "at", at)},
				{Label: change.T("label.requester"), Value: change.T("common.value", "value", change.PersonID("olga"))},
				{Label: change.T("label.site"), Value: change.T("common.value", "value", change.Outside("Ms <Out>"))},
			}},
			{Table: &commands.Table{
				Head: []change.Text{change.T("label.requester"), change.T("label.state")},
				Rows: [][]change.Text{{value("vpn-01"), change.T("common.value", "value", at)}, {value(""), value("字 & <b>")}, {value("who"), change.T("common.value", "value", change.Unlisted(change.SlackID{Team: "T1", User: "UNEW"}))}},
			}},
			{Diff: &commands.Diff{
				Step: 1, Router: "gw1", Menu: "/ppp/secret", Action: "add", Row: "vpn-01", Class: "twin", Why: change.T("plan.adduser.step"),
				Lines: []commands.DiffLine{{Name: "name", After: "vpn-01"}, {Name: "comment", Before: "a```b", After: "<new> & more"}, {Name: "profile", Before: "default"}},
			}},
			{Progress: []commands.ProgressStep{{Label: value("one"), State: commands.StepDone}, {Label: value("two"), State: commands.StepNow}, {Label: value("three"), State: commands.StepTodo}, {Label: value("four"), State: commands.StepUnknown}, {Label: value("five"), State: commands.StepFailed}}},
			{Table: &commands.Table{
				Head: []change.Text{change.T("label.when"), change.T("label.message")}, Layout: commands.Record,
				Rows: [][]change.Text{{value("09:00:00"), value("<l2tp-bob>: connected & well")}, {value("09:00:01"), value("a```b")}},
			}},
			{Table: &commands.Table{
				Head: []change.Text{change.T("label.state"), change.T("label.site"), change.T("label.when")}, Layout: commands.Lines,
				Rows: [][]change.Text{{value("🟢 UP"), value("hq-<b>"), change.T("common.value", "value", at)}, {value("🔴 DOWN"), value("hq-*c*"), value("why & how")}},
			}},
			commands.Say(commands.Hint, change.T("error.twice.hint")),
			{Buttons: []commands.Button{approve, cancel, cancel}},
		},
	}
}

func fullForm() commands.Form {
	return commands.Form{
		Action: commands.ActionApprove, Value: "r1 digest", Title: change.T("form.approve.title", "number", 42),
		Submit: change.T("button.approve"), Close: change.T("button.back"), Parts: fullReply().Parts[:5],
		Fields: []commands.Field{{Name: commands.FieldReason, Label: change.T("form.reason"), Hint: change.T("form.deny.reason"), MaxLength: 500}},
	}
}

// bench is a Chat that talks to nobody.
func bench(t testing.TB) *Chat {
	t.Helper()
	catalog, err := text.New()
	if err != nil {
		t.Fatal(err)
	}
	return &Chat{o: Options{Catalog: catalog, People: directory(), Location: time.UTC, Language: text.English}, teamID: "T1"}
}

func golden(t *testing.T, name string, v any) {
	t.Helper()
	got, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; run with -update and read the difference\n%s", file, got)
	}
}

// Ensure messages and modals look as they did, in both languages.
func TestRender_Golden(t *testing.T) {
	c := bench(t)
	for _, lang := range []string{text.English, text.Chinese} {
		v := c.voice(lang)
		for name, m := range map[string]message{"message": v.message(fullReply()), "simple": v.simple(fullReply()), "bare": v.bare(fullReply())} {
			golden(t, name+"."+lang+".json", map[string]any{"text": m.text, "blocks": m.blocks})
		}
		form, err := c.formView(fullForm(), lang, "CAPP")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "form."+lang+".json", form)
	}
}

// Ensure what comes from people cannot mention, link or end a block of code.
func TestRender_Escape(t *testing.T) {
	m := bench(t).voice(text.English).message(fullReply())
	b, err := json.Marshal(m.blocks)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{`<!channel>`, `<new>`, `<Out>`, "a```b"} {
		if strings.Contains(strings.ReplaceAll(strings.ReplaceAll(string(b), `\u003c`, "<"), `\u003e`, ">"), bad) {
			t.Errorf("blocks hold %q", bad)
		}
		if strings.Contains(m.text, bad) {
			t.Errorf("text holds %q", bad)
		}
	}
}

// Ensure Slack takes every rendering, also of replies past every limit: posted,
// updated, told to one person, and as a modal.
func TestRender_Accepted(t *testing.T) {
	for name, reply := range map[string]commands.Reply{"full": fullReply(), "huge": hugeReply(), "empty title": said("x")} {
		t.Run(name, func(t *testing.T) {
			bubble(t, workspace(), func(t *testing.T, r *rig) {
				for _, lang := range []string{text.English, text.Chinese} {
					v := r.chat.voice(lang)
					for degree := range degrees {
						only := func(int) message { return v.rendering(reply)(degree) }
						ref, err := r.chat.slack.post(t.Context(), "CAPP", "", "key", only)
						if err != nil {
							t.Fatalf("posting degree %d in %s: %v", degree, lang, err)
						}
						if err := r.chat.slack.update(t.Context(), ref, "key", only); err != nil {
							t.Errorf("updating degree %d in %s: %v", degree, lang, err)
						}
						if err := r.chat.slack.ephemeral(t.Context(), "CAPP", "UOPS", only); err != nil {
							t.Errorf("telling degree %d in %s: %v", degree, lang, err)
						}
					}
				}
			})
		})
	}
}

// Ensure a form that cannot be shown whole cannot be submitted: nobody approves
// what they were not shown.
func TestRender_FormCut(t *testing.T) {
	c := bench(t)
	form := fullForm()
	whole, err := c.formView(form, text.English, "CAPP")
	if err != nil || whole.Submit == nil {
		t.Fatalf("a small form has no submit button (%v)", err)
	}
	for range 120 {
		form.Parts = append(form.Parts, fullReply().Parts[3])
	}
	part, err := c.formView(form, text.English, "CAPP")
	if err != nil {
		t.Fatal(err)
	}
	if part.Submit != nil || len(part.Blocks.BlockSet) > maxViewBlocks {
		t.Errorf("a cut form of %d blocks has submit %v", len(part.Blocks.BlockSet), part.Submit)
	}
	for _, b := range part.Blocks.BlockSet {
		if b.BlockType() == slack.MBTInput {
			t.Error("a cut form has an input")
		}
	}
}

// Ensure the buttons that commands marks as forms are those that open modals
// here.
func TestOpensForm(t *testing.T) {
	want := map[string]bool{
		commands.ActionSubmit: false, commands.ActionDiscard: false, commands.ActionCancel: false, commands.ActionAgain: false,
		commands.ActionShare: false, commands.ActionApprove: true, commands.ActionDeny: true, commands.ActionReveal: true,
	}
	for action, form := range want {
		if opensForm(action) != form {
			t.Errorf("opensForm(%q) = %v", action, !form)
		}
		for nth := range 3 {
			if got := actionOf(actionID(commands.Button{Action: action}, nth)); got != action {
				t.Errorf("button %d of %s reads back as %s", nth, action, got)
			}
		}
	}
}

// Ensure cutting and splitting lose nothing silently, keep every limit and never
// break an escape or a mention.
func TestLimits(t *testing.T) {
	for _, s := range []string{
		"", "short", strings.Repeat("x", 50), strings.Repeat("字😀", 30), "aaaaaaa&amp;bbbb", "aaaaaaa<@U12345>bbb",
		strings.Repeat("line\n", 20), strings.Repeat("&lt;", 20), strings.Repeat("<@U1>", 12),
	} {
		for n := 9; n < 24; n++ {
			if got := cut(s, n); units(got) > n {
				t.Errorf("cut(%q, %d) has %d units", s, n, units(got))
			}
			whole := ""
			for _, piece := range split(s, n) {
				if units(piece) > n {
					t.Errorf("split(%q, %d) has a piece of %d units", s, n, units(piece))
				}
				if strings.Count(piece, "<") != strings.Count(piece, ">") {
					t.Errorf("split(%q, %d) breaks a mention: %q", s, n, piece)
				}
				if strings.Count(piece, "&") != strings.Count(piece, ";") {
					t.Errorf("split(%q, %d) breaks an escape: %q", s, n, piece)
				}
				whole += piece
			}
			if strings.ReplaceAll(whole, "\n", "") != strings.ReplaceAll(s, "\n", "") {
				t.Errorf("split(%q, %d) loses something: %q", s, n, whole)
			}
		}
	}
}
