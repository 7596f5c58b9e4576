//go:build !nodemo

package main

import (
	"testing"

	"github.com/chromedp/chromedp/kb"

	"vpnbot/chat/slacksim/pagetest"
)

// Ensure the demo's story works on its page by keyboard alone, at a laptop's
// size and a phone's: nothing serious for people who depend on screen readers or
// keyboards, and no scrolling sideways.
func TestBrowser_Story(t *testing.T) {
	for _, size := range pagetest.Sizes() {
		t.Run(size.Name, func(t *testing.T) {
			d := play(t, t.TempDir())
			p := pagetest.Open(t, d.url+"/#/U0OLIVE/C0VPNOPS", size)
			p.Look("start")
			ask(p)
			approve(p)
			open(p)
			p.Choose(`[data-person=U0ANN]`)
			p.Choose(`[data-channel=C0VPNOPS]`)
			p.Says("已驗證 ·")
			p.Look("proven")
			d.proven(t, "mei-01")
		})
	}
}

// ask plays the operator: types the command, reads the preview, submits it.
func ask(p *pagetest.Page) {
	p.TabTo(`#composer`)
	p.Keys("/vpn adduser mei-01 --for @me")
	p.Until(`document.querySelector("#suggestions [role=option]")`)
	p.Look("suggestions")
	p.Keys(kb.Enter) // the first person suggested
	p.Until(`document.getElementById("composer").value.endsWith("@mei ")`)
	p.Keys("--site hq" + kb.Enter)
	p.Until(`document.querySelector(".ephemeral [data-action-id^=submit]")`)
	p.Look("preview")
	p.Press(`.ephemeral [data-action-id^=submit]`)
	p.Until(`document.querySelector("[data-action-id^=approve]")`)
	p.Look("card")
}

// approve plays an approver: reads the whole plan in a modal and approves it.
func approve(p *pagetest.Page) {
	if p.Narrow() {
		p.Press(`#menu`)
		p.Until(`document.body.classList.contains("drawer") && document.activeElement.dataset.person`)
		p.Look("drawer")
		p.Keys(kb.Escape)
	}
	p.Choose(`[data-person=U0ANN]`)
	p.Press(`[data-action-id^=approve]`)
	p.Until(`document.querySelector("#modal[open] #modal-submit")`)
	p.Look("plan")
	p.Press(`#modal-submit`)
	p.Until(`!document.querySelector("#modal[open]")`)
	p.Says("已套用")
	p.Look("applied")
}

// open plays the owner, who opens the credentials that came as a direct message.
func open(p *pagetest.Page) {
	p.Choose(`[data-person=U0MEI]`)
	p.Choose(`[data-direct=app]`)
	p.Until(`document.querySelector("[data-action-id^=reveal]")`)
	p.Look("direct message")
	p.Press(`[data-action-id^=reveal]`)
	p.Until(`document.querySelector("#modal[open] code, #modal[open] pre")`)
	p.Look("credentials")
	p.Keys(kb.Escape)
	p.Until(`!document.querySelector("#modal[open]")`)
	p.Look("opened")
}
