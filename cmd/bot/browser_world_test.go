//go:build !nodemo

package main

import (
	"testing"

	"github.com/chromedp/chromedp/kb"

	"vpnbot/chat/slacksim/pagetest"
)

// Ensure tunnels can be looked at on the page in both languages, and that what
// happens around the bot can be played beside the chat, all by the keyboard.
func TestBrowser_World(t *testing.T) {
	for _, size := range pagetest.Sizes() {
		t.Run(size.Name, func(t *testing.T) {
			d := play(t, t.TempDir())
			b := pagetest.Open(t, d.url+"/#/U0BEN/C0VPNOPS", size)
			for _, line := range [][2]string{
				{"/vpn status", "hq-taichung"}, {"/vpn status fengshan", "gw-fengshan"}, {"/vpn sa fengshan", "Phase 2"},
			} {
				b.TabTo(`#composer`)
				b.Keys(line[0] + " " + kb.Enter)
				b.Says(line[1])
			}
			b.Look("sa-english")
			b.Choose(`[data-person=U0OLIVE]`)
			b.TabTo(`#composer`)
			b.Keys("/vpn status 鳳山 " + kb.Enter)
			b.Says("遠端撥入連線")
			b.Look("status-chinese")

			b.Press(`#world-open`)
			b.Press(`[data-lever=dial-fengshan]`)
			b.Says("chen-yh is not connected")
			b.Look("world")
			b.Press(`[data-lever=dial-home]`)
			b.Says("huang-sl is connected")
			b.Press(`[data-lever=kill]`)
			b.Says("The bot is dead")
			b.Until(`!document.getElementById("banner").hidden`)
			b.Until(`document.getElementById("banner").hidden`)
			b.Keys(kb.Escape)
			b.Until(`document.getElementById("panel").hidden`)
			b.TabTo(`#composer`)
			b.Keys("/vpn sites " + kb.Enter)
			b.Says("gw-taichung")
		})
	}
}
