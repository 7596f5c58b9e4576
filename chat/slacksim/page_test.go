package slacksim_test

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/slack-go/slack"

	"vpnbot/chat/slacksim"
)

// playing serves the story with its little app, for a browser.
func playing(t *testing.T) (*slacksim.Server, string) {
	t.Helper()
	s, base := start(t, story())
	connect(t, s, base, app)
	return s, base
}

// axe fails on what axe-core calls serious. It looks only where AXE names a
// copy of axe.min.js, which is not ours to keep here.
func (b browser) axe(where string) {
	b.t.Helper()
	path := os.Getenv("AXE")
	if path == "" {
		return
	}
	src, err := os.ReadFile(path)
	if err != nil {
		b.t.Fatal(err)
	}
	run := string(src) + `;axe.run().then(r => JSON.stringify(r.violations.map(v => v.impact + " " + v.id + ": " + v.nodes.map(n => n.html.slice(0, 160) + " :: " + n.failureSummary).join(" | "))))`
	out, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](run, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatal(err)
	}
	var faults []string
	if err := json.Unmarshal([]byte(out), &faults); err != nil {
		b.t.Fatal(err)
	}
	for _, f := range faults {
		if strings.HasPrefix(f, "serious") || strings.HasPrefix(f, "critical") {
			b.t.Errorf("%s: %s", where, f)
		} else {
			b.t.Logf("%s: %s", where, f)
		}
	}
}

func (b browser) fits(where string) {
	b.t.Helper()
	if got := b.text(`String(document.documentElement.scrollWidth - innerWidth)`); got != "0" && !strings.HasPrefix(got, "-") {
		b.t.Errorf("%s: the page is %s pixels too wide", where, got)
	}
}

// Ensure the whole story works on the page with the keyboard alone: a command,
// its preview, a card, another person, Approve.
func TestPage_KeyboardStory(t *testing.T) {
	for _, size := range []struct {
		name          string
		width, height int64
	}{{"wide", 1280, 800}, {"narrow", 390, 844}} {
		t.Run(size.name, func(t *testing.T) {
			s, base := playing(t)
			b := openBrowser(t, base+"/#/UOP/COPS", size.width, size.height)
			b.axe("empty channel")
			b.tabTo(`"#composer"`)
			b.keys("/vpn adduser vpn-01 --for @me")
			b.until(`document.querySelector("#suggestions [role=option]")`)
			b.axe("suggestions")
			b.keys(kb.Enter) // picks @mei
			b.until(`document.getElementById("composer").value === "/vpn adduser vpn-01 --for @mei "`)
			b.keys("--site hq" + kb.Enter)
			b.until(`document.querySelector(".ephemeral [data-action-id=submit]")`)
			b.fits("preview")
			b.axe("preview")
			b.until(`document.activeElement.id === "composer"`)
			b.tabTo(`"[data-action-id=submit]"`)
			b.keys(kb.Enter)
			b.until(`document.querySelector("[data-action-id=approve]")`)
			b.axe("card")
			b.fits("card")
			if size.name == "narrow" {
				b.tabTo(`"#menu"`)
				b.keys(kb.Enter)
				b.until(`document.activeElement.dataset.person === "UOP"`)
				b.axe("drawer")
			}
			b.tabTo(`"[data-person=UAP]"`)
			b.keys(kb.Enter)
			b.until(`document.querySelector("[data-person=UAP][aria-current]") && document.activeElement.id === "composer"`)
			b.tabTo(`"[data-action-id=approve]"`)
			b.keys(kb.Enter)
			b.until(`document.body.innerText.includes("Request #42 approved")`)
			if got := last(t, s, "UAP", "COPS").Plain(); !strings.Contains(got, "approved") {
				t.Errorf("last message: got %q", got)
			}
		})
	}
}

// Ensure a modal takes the focus, shows what it refuses, keeps what was typed,
// and gives the focus back when Escape closes it.
func TestPage_Modal(t *testing.T) {
	s, base := playing(t)
	b := openBrowser(t, base+"/#/UAP/COPS", 1280, 800)
	b.keys("/vpn form" + kb.Enter)
	b.until(`document.querySelector("#modal[open]") && document.activeElement.dataset.actionId === "name"`)
	b.axe("modal")
	b.keys("ab" + kb.Enter) // Enter in an input submits
	b.until(`document.querySelectorAll("#modal [aria-invalid]").length === 2`)
	b.axe("modal with errors")
	if got := b.text(`document.querySelector("#modal [data-action-id=name]").value`); got != "ab" {
		t.Errorf("typed name: got %q, want ab", got)
	}
	b.tabTo(`"[data-action-id=site]"`)
	b.keys("f") // chooses fengshan? no: the label begins with a Chinese word
	b.keys(kb.ArrowDown)
	b.tabTo(`"input[type=radio]"`)
	b.keys(" " + kb.Enter)
	b.until(`document.querySelector("#modal .fault")?.textContent.includes("太短")`)
	b.until(`document.activeElement.dataset.actionId === "name"`)
	b.keys(kb.Escape)
	b.until(`!document.querySelector("#modal[open]") && document.activeElement.id === "composer"`)
	if v := s.Views("UAP"); len(v) != 0 {
		t.Errorf("views after Escape: got %d", len(v))
	}
	b.keys("/vpn form" + kb.Enter)
	b.until(`document.querySelector("#modal[open]")`)
	b.keys("vpn-07")
	b.tabTo(`"[data-action-id=site]"`)
	b.keys(kb.ArrowDown)
	b.tabTo(`"input[type=radio]"`)
	b.keys(" " + kb.Enter)
	b.until(`!document.querySelector("#modal[open]")`)
}

// Ensure the page says what Slack says when the app is not there, and follows
// what happens elsewhere.
func TestPage_NoApp(t *testing.T) {
	s, base := start(t, story())
	b := openBrowser(t, base+"/#/UEXT/CJOINT", 390, 844)
	b.until(`!document.getElementById("banner").hidden`)
	if got := b.text(`String(document.querySelectorAll("[data-channel]").length)`); got != "1" {
		t.Errorf("channels of the other organisation's member: got %s, want 1", got)
	}
	b.do(chromedp.Focus("#composer"))
	b.keys("/vpn help" + kb.Enter)
	b.until(`document.body.innerText.includes("is not a valid command")`)
	if _, err := s.Say("UOP", "CJOINT", "你好 <b>"); err != nil {
		t.Fatal(err)
	}
	b.until(`document.getElementById("live").textContent.includes("你好 <b>")`)
	b.fits("joint channel")
	b.axe("no app")
}

// dark makes the browser prefer a dark page.
func dark(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
	scheme := &emulation.MediaFeature{Name: "prefers-color-scheme", Value: "dark"}
	_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{scheme}})
	return chromedp.Void{}, err
}

// Ensure the dark page is as legible as the light one, with a card and a
// modal on it, and that a permalink leads to its channel.
func TestPage_Dark(t *testing.T) {
	s, base := start(t, story())
	api := connect(t, s, base, app)
	_, ts, err := api.PostMessage("COPS", slack.MsgOptionText("Request #42", false), slack.MsgOptionBlocks(card()...))
	if err != nil {
		t.Fatal(err)
	}
	link, err := api.GetPermalink(&slack.PermalinkParameters{Channel: "COPS", Ts: ts})
	if err != nil {
		t.Fatal(err)
	}
	b := openBrowser(t, link, 1280, 800, dark)
	b.until(`document.querySelector("[data-action-id=approve]")`)
	if got := b.text(`getComputedStyle(document.body).backgroundColor`); got != "rgb(23, 25, 26)" {
		t.Errorf("background: got %s", got)
	}
	b.axe("dark card")
	b.tabTo(`"[data-action-id=more]"`)
	b.keys(kb.Enter)
	b.until(`document.activeElement.getAttribute("role") === "menuitem"`)
	b.axe("dark menu")
	b.keys(kb.Escape)
	b.until(`document.activeElement.dataset.actionId === "more"`)
	b.tabTo(`"[data-action-id=deny]"`)
	b.keys(kb.Enter)
	b.until(`document.querySelector("#confirm[open]")`)
	b.axe("dark question")
	b.keys(kb.Escape)
	b.until(`!document.querySelector("#confirm[open]") && document.activeElement.dataset.actionId === "deny"`)
}
