package slacksim_test

import (
	"os"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

var _ = emulation.MediaFeature{}

func TestShots(t *testing.T) {
	dir := os.Getenv("SHOTS")
	if dir == "" {
		t.Skip()
	}
	for _, v := range []struct {
		name string
		w, h int64
		url  string
		js   string
	}{
		{"ops-wide", 1280, 800, "/#/UOP/COPS", ""},
		{"ops-top", 1280, 800, "/#/UOP/COPS", "document.getElementById('scroll').scrollTop=0"},
		{"ops-narrow", 390, 844, "/#/UOP/COPS", ""},
		{"modal-wide", 1280, 800, "/#/UAP/COPS", "document.getElementById('modal-submit').click()"},
		{"modal-narrow", 390, 844, "/#/UAP/COPS", ""},
		{"drawer", 390, 844, "/#/USTAFF/COPS", "document.getElementById('menu').click()"},
		{"direct", 1280, 800, "/#/USTAFF/COPS", "document.querySelector('[data-direct]').click()"},
		{"suggest", 1280, 800, "/#/UOP/COPS", "const c=document.getElementById('composer');c.value='/vpn ';c.dispatchEvent(new Event('input'))"},
		{"confirm", 1280, 800, "/#/UAP2/COPS", "document.querySelector('[data-action-id=deny]').click()"},
	} {
		b := openBrowser(t, "http://127.0.0.1:8431"+v.url, v.w, v.h)
		if v.js != "" {
			_, err := chromedp.Run(b.ctx, chromedp.Evaluate[chromedp.Void](v.js+";0"))
			if err != nil {
				t.Error(v.name, err)
			}
		}
		time.Sleep(600 * time.Millisecond)
		b.shot(dir + "/" + v.name + ".png")
	}
}
