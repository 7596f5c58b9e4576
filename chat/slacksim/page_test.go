package slacksim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
	"github.com/slack-go/slack"

	"vpnbot/chat/slacksim"
	"vpnbot/chat/slacksim/pagetest"
)

// playing serves the story with its little app, for a browser.
func playing(t *testing.T) (*slacksim.Server, string) {
	t.Helper()
	s, base := start(t, story())
	s.SetPatience(time.Minute)
	connect(t, s, base, app)
	return s, base
}

// Ensure the whole story works on the page with the keyboard alone: a command,
// its preview, a card, another person, Approve.
func TestPage_KeyboardStory(t *testing.T) {
	for _, size := range pagetest.Sizes() {
		t.Run(size.Name, func(t *testing.T) {
			s, base := playing(t)
			b := pagetest.Open(t, base+"/#/UOP/COPS", size)
			b.Axe("empty channel")
			b.TabTo(`#composer`)
			b.Keys("/vpn adduser vpn-01 --for @me")
			b.Until(`document.querySelector("#suggestions [role=option]")`)
			b.Axe("suggestions")
			b.Keys(kb.Enter) // picks @mei
			b.Until(`document.getElementById("composer").value === "/vpn adduser vpn-01 --for @mei "`)
			b.Keys("--site hq" + kb.Enter)
			b.Until(`document.querySelector(".ephemeral [data-action-id=submit]")`)
			b.Fits("preview")
			b.Axe("preview")
			b.Until(`document.activeElement.id === "composer"`)
			b.TabTo(`[data-action-id=submit]`)
			b.Keys(kb.Enter)
			b.Until(`document.querySelector("[data-action-id=approve]")`)
			b.Axe("card")
			b.Fits("card")
			if b.Narrow() {
				b.Press(`#menu`)
				b.Until(`document.activeElement.dataset.person === "UOP"`)
				b.Axe("drawer")
				b.Keys(kb.Escape)
			}
			b.Choose(`[data-person=UAP]`)
			b.Press(`[data-action-id=approve]`)
			b.Until(`document.body.innerText.includes("Request #42 approved")`)
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
	b := pagetest.Open(t, base+"/#/UAP/COPS", pagetest.Sizes()[0])
	b.Keys("/vpn form" + kb.Enter)
	b.Until(`document.querySelector("#modal[open]") && document.activeElement.dataset.actionId === "name"`)
	b.Axe("modal")
	b.Keys("ab" + kb.Enter) // Enter in an input submits
	b.Until(`document.querySelectorAll("#modal [aria-invalid]").length === 2`)
	b.Axe("modal with errors")
	if got := b.Text(`document.querySelector("#modal [data-action-id=name]").value`); got != "ab" {
		t.Errorf("typed name: got %q, want ab", got)
	}
	b.TabTo(`[data-action-id=site]`)
	b.Keys("f") // chooses fengshan? no: the label begins with a Chinese word
	b.Keys(kb.ArrowDown)
	b.TabTo(`input[type=radio]`)
	b.Keys(" " + kb.Enter)
	b.Until(`document.querySelector("#modal .fault")?.textContent.includes("太短")`)
	b.Until(`document.activeElement.dataset.actionId === "name"`)
	b.Keys(kb.Escape)
	b.Until(`!document.querySelector("#modal[open]") && document.activeElement.id === "composer"`)
	if v := s.Views("UAP"); len(v) != 0 {
		t.Errorf("views after Escape: got %d", len(v))
	}
	b.Keys("/vpn form" + kb.Enter)
	b.Until(`document.querySelector("#modal[open]")`)
	b.Keys("vpn-07")
	b.TabTo(`[data-action-id=site]`)
	b.Keys(kb.ArrowDown)
	b.TabTo(`input[type=radio]`)
	b.Keys(" " + kb.Enter)
	b.Until(`!document.querySelector("#modal[open]")`)
}

// Ensure the page says what Slack says when the app is not there, and follows
// what happens elsewhere.
func TestPage_NoApp(t *testing.T) {
	s, base := start(t, story())
	b := pagetest.Open(t, base+"/#/UEXT/CJOINT", pagetest.Sizes()[1])
	b.Until(`!document.getElementById("banner").hidden`)
	if got := b.Text(`String(document.querySelectorAll("[data-channel]").length)`); got != "1" {
		t.Errorf("channels of the other organisation's member: got %s, want 1", got)
	}
	b.TabTo(`#composer`)
	b.Keys("/vpn help" + kb.Enter)
	b.Until(`document.body.innerText.includes("is not a valid command")`)
	if _, err := s.Say("UOP", "CJOINT", "你好 <b>"); err != nil {
		t.Fatal(err)
	}
	b.Until(`document.getElementById("live").textContent.includes("你好 <b>")`)
	b.Fits("joint channel")
	b.Axe("no app")
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
	b := pagetest.Open(t, link, pagetest.Size{Width: 1280, Height: 800, Dark: true})
	b.Until(`document.querySelector("[data-action-id=approve]")`)
	if got := b.Text(`getComputedStyle(document.body).backgroundColor`); got != "rgb(23, 25, 26)" {
		t.Errorf("background: got %s", got)
	}
	b.Axe("dark card")
	b.TabTo(`[data-action-id=more]`)
	b.Keys(kb.Enter)
	b.Until(`document.activeElement.getAttribute("role") === "menuitem"`)
	b.Axe("dark menu")
	b.Keys(kb.Escape)
	b.Until(`document.activeElement.dataset.actionId === "more"`)
	b.TabTo(`[data-action-id=deny]`)
	b.Keys(kb.Enter)
	b.Until(`document.querySelector("#confirm[open]")`)
	b.Axe("dark question")
	b.Keys(kb.Escape)
	b.Until(`!document.querySelector("#confirm[open]") && document.activeElement.dataset.actionId === "deny"`)
}
