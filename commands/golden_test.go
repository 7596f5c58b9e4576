package commands

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"vpnbot/change"
	"vpnbot/commands/text"
)

var update = flag.Bool("update", false, "write the golden files anew")

// volatile are values that no two runs share.
var volatile = []struct {
	pattern *regexp.Regexp
	as      string
}{
	{regexp.MustCompile(`password:[0-9a-f]{8}`), "password:MARK"},
	{regexp.MustCompile(`psk:[0-9a-f]{8}`), "psk:MARK"},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "DIGEST"},
	{regexp.MustCompile(`\b[0-9a-f]{12}\b`), "DIGEST"},
	{regexp.MustCompile(`(?m)\b\d+[smh](\d+[sm])*$`), "UPTIME"},
	{regexp.MustCompile(`( for |已連 )\d+[smh](\d+[sm])*([:：])`), "${1}UPTIME${3}"},
}

// style writes times without their value, so that a golden file keeps.
func style() text.Style {
	return text.Style{
		Time:   func(time.Time) string { return "TIME" },
		Person: func(p change.PersonID) string { return "@" + string(p) },
	}
}

// golden compares what a scene says in both languages with its file.
func (w *world) golden(name string, scene []change.Text, replies ...Reply) {
	w.t.Helper()
	for _, lang := range []string{text.English, text.Chinese} {
		say := func(t change.Text) string { return w.catalog.Say(lang, t, style()) }
		var b strings.Builder
		for i, r := range replies {
			fmt.Fprintf(&b, "── %s\n%s", scene[i].ID, Plain(r, say))
			for _, p := range r.Parts {
				for _, button := range p.Buttons {
					fmt.Fprintf(&b, "[ %s ]", say(button.Label))
				}
			}
			b.WriteString("\n\n")
		}
		got := b.String()
		for _, v := range volatile {
			got = v.pattern.ReplaceAllString(got, v.as)
		}
		file := filepath.Join("testdata", name+"."+lang+".txt")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				w.t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			w.t.Fatal(err)
		}
		if got != string(want) {
			w.t.Errorf("%s differs (see -update), got:\n%s", file, got)
		}
		if strings.Contains(got, "[") && regexp.MustCompile(`\[[a-z_]+\.[a-z._]+\]`).MatchString(got) {
			w.t.Errorf("%s holds a message without words", file)
		}
		if strings.Contains(got, "planted") {
			w.t.Errorf("%s holds a secret", file)
		}
	}
}

// film collects scenes.
type film struct {
	names   []change.Text
	replies []Reply
}

func (f *film) add(name string, r Reply) {
	f.names, f.replies = append(f.names, change.Text{ID: name}), append(f.replies, r)
}

// Ensure the reading verbs say what they should in both languages.
func TestGolden_Reading(t *testing.T) {
	w := newWorld(t)
	w.pending("vpn-01")
	_, err := w.say("U0OLGA", "users hunter2")
	if err == nil {
		t.Fatal("want a refusal for the trail to show")
	}
	var f film
	for _, line := range []string{
		"help", "help adduser", "help audit", "sites", "users", "users fengshan", "who", "requests", "show 1", "locks", "audit", "audit --kind refused",
		"me", "lang", "lang zh-TW",
	} {
		f.add("/vpn "+line, w.must(w.say("U0OLGA", line)))
	}
	w.golden("reading", f.names, f.replies...)
}

// Ensure preview, card, form and notices read well through the life of a
// request.
func TestGolden_Life(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Rules = change.Rules{{Approvals: 2, Reason: `CHG-\d+`}} })
	ctx, now := t.Context(), time.Now()
	var f film
	card := func(name, id string) { f.add(name, w.must(w.Card(ctx, id))) }
	notice := func(name string, n change.Notice) { f.add(name, w.must(w.Notice(ctx, n))) }

	preview := w.must(w.say("U0OLGA", "adduser vpn-01 --for <@U0STAFF> --note 出差 --address 192.168.77.60"))
	f.add("preview", preview)
	f.add("submitted", w.must(w.Press(ctx, w.as("U0OLGA"), ActionSubmit, buttons(preview)[ActionSubmit].Value, newID())))
	r, err := w.store.RequestByNumber(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	card("card, pending", r.ID)
	notice("reminder", change.Notice{Kind: change.NoticeReminder, Request: r.ID})
	form, err := w.Form(ctx, w.as("U0AMIR"), ActionApprove, r.ID+" "+r.Digest)
	if err != nil {
		t.Fatal(err)
	}
	f.add("form to approve", Reply{Title: form.Title, Parts: append(form.Parts, Say(Hint, form.Fields[0].Hint))})
	reason := map[string]string{FieldReason: "CHG-7"}
	f.add("approved by one", w.must(w.Submit(ctx, w.as("U0AMIR"), form.Action, form.Value, reason, newID())))
	card("card, one missing", r.ID)
	f.add("approved by two", w.must(w.Submit(ctx, w.as("U0BEA"), form.Action, form.Value, reason, newID())))
	card("card, approved", r.ID)
	w.transition(r.ID, func(r change.Request) (change.Move, error) { return r.Start(now) })
	w.transition(r.ID, func(r change.Request) (change.Move, error) { return r.Begin(now, r.Plan.Steps[0]) })
	card("card, applying", r.ID)
	w.transition(r.ID, func(r change.Request) (change.Move, error) { return r.Finish(now, r.Plan.Steps[0]) })
	account := change.Account{Site: "hq", Router: "gw-hq", Name: "vpn-01", Owner: r.Plan.Intent.Account.Owner, Reader: r.Plan.Reveal.Reader, Request: r.ID, Number: 1, Created: now}
	done := w.transition(r.ID, func(r change.Request) (change.Move, error) {
		return r.Complete(now, true, &account, change.NewReveal(now, r, time.UTC))
	})
	card("card, unproven", r.ID)
	notice("outcome, unproven", change.Notice{Kind: change.NoticeOutcome, Request: r.ID})
	reveal := "reveal-" + r.ID
	notice("credentials", change.Notice{Kind: change.NoticeCredentials, Reveal: reveal})
	f.add("me, with credentials", w.must(w.say("U0STAFF", "me")))
	w.open(reveal)
	notice("opened", change.Notice{Kind: change.NoticeOpened, Reveal: reveal, Number: 1})
	notice("unopened", change.Notice{Kind: change.NoticeUnopened, Reveal: reveal})
	if account, err = w.store.Account(ctx, "hq", "vpn-01"); err != nil {
		t.Fatal(err)
	}
	w.transition(done.ID, func(r change.Request) (change.Move, error) { return r.Prove(now, account) })
	notice("proven", change.Notice{Kind: change.NoticeProven, Request: r.ID})
	card("card, proven", r.ID)
	w.golden("life", f.names, f.replies...)
}

// open opens a reveal as its reader.
func (w *world) open(id string) {
	w.t.Helper()
	v, err := w.store.Reveal(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	m, err := v.Open(time.Now(), w.as("U0STAFF").Actor)
	if err == nil {
		_, err = w.store.Commit(w.t.Context(), m)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// Ensure the ends of a request say why, and what can be done.
func TestGolden_Ends(t *testing.T) {
	w := newWorld(t)
	ctx, now := t.Context(), time.Now()
	var f film
	end := func(name string, do func(change.Request) (change.Move, error)) {
		r := w.pending("vpn-" + strings.ReplaceAll(name, " ", "-"))
		w.transition(r.ID, do)
		f.add("outcome, "+name, w.must(w.Notice(ctx, change.Notice{Kind: change.NoticeOutcome, Request: r.ID})))
	}
	amir := w.as("U0AMIR").Actor
	end("denied", func(r change.Request) (change.Move, error) { return r.Deny(now, amir, "not this week") })
	end("cancelled", func(r change.Request) (change.Move, error) { return r.Cancel(now, w.as("U0OLGA").Actor, "") })
	end("expired", func(r change.Request) (change.Move, error) { return r.Expire(now.Add(9 * time.Hour)) })
	end("stale", func(r change.Request) (change.Move, error) {
		return r.Overtake(now, change.Moved{Router: "gw-hq", Menu: "/ip/pool", Row: "vpn-pool", Field: "ranges", Was: "a-b", Is: "a-c"})
	})
	end("stale row", func(r change.Request) (change.Move, error) {
		return r.Overtake(now, change.Moved{Router: "gw-hq", Menu: "/ppp/secret", Row: "vpn-stale-row"})
	})
	r := w.pending("vpn-attention")
	w.must(w.Submit(ctx, w.as("U0AMIR"), ActionApprove, r.ID+" "+r.Digest, nil, newID()))
	w.transition(r.ID, func(r change.Request) (change.Move, error) { return r.Start(now) })
	w.transition(r.ID, func(r change.Request) (change.Move, error) { return r.Begin(now, r.Plan.Steps[0]) })
	w.transition(r.ID, func(r change.Request) (change.Move, error) { return r.Lost(now, r.Plan.Steps[0], "connection lost") })
	w.transition(r.ID, func(r change.Request) (change.Move, error) {
		return r.Attend(now, change.T("apply.attend.altered", "router", "gw-hq", "row", "vpn-attention"))
	})
	f.add("outcome, attention", w.must(w.Notice(ctx, change.Notice{Kind: change.NoticeOutcome, Request: r.ID})))
	f.add("/vpn locks", w.must(w.say("U0OLGA", "locks")))
	f.add("/vpn resolve", w.must(w.say("U0BEA", "resolve 6 release looked at it")))
	f.add("/vpn requests", w.must(w.say("U0OLGA", "requests")))
	w.golden("ends", f.names, f.replies...)
}

// Ensure every refusal has a sentence and a hint in both languages.
func TestGolden_Refusals(t *testing.T) {
	w := newWorld(t)
	w.define("fengshan", "gw-fs", "fs.example.com")
	for _, lang := range []string{text.English, text.Chinese} {
		say := func(t change.Text) string { return w.catalog.Say(lang, t, style()) }
		var b strings.Builder
		for _, line := range []string{
			"adusser", "adduser", "adduser vpn-01", "adduser vpn-01 --for anna", "adduser vpn-01 --for <@U0STAFF>", "adduser vpn-01 --fro x",
			"adduser vpn-01 --for <@U0STAFF> --expires soon", "adduser vpn-01 --for <@U0STAFF> --note a b", "adduser vpn.01. --for <@U0STAFF>",
			"adduser vpn-01 --for <@U0STAFF> --address 1.2.3", "users fengshna", "show x", "show 99", "audit --kind refsed", "audit --since soon",
			"resolve 1 keep", "lang klingon",
		} {
			_, err := w.say("U0OLGA", line)
			sentence, hint, known := text.Explain(err)
			if !known {
				t.Errorf("%s: %v has no words", line, err)
			}
			fmt.Fprintf(&b, "/vpn %s\n  %s\n  → %s\n", line, say(sentence), say(hint))
		}
		file := filepath.Join("testdata", "refusals."+lang+".txt")
		if *update {
			if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil || b.String() != string(want) {
			t.Errorf("%s differs (%v, see -update), got:\n%s", file, err, b.String())
		}
	}
}
