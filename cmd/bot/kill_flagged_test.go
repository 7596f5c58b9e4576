//go:build !nodemo

package main

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// Ensure a bot that finds, after its death, that RouterOS has flagged a router in
// the middle of its change asks for a person, once, touches nothing more, and is
// led to the old rows at both ends by what people then decide.
func TestKill_Flagged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFork(t, nil, stories()[0], 0)
		f.lay()
		f.r.until = "after script: gw-fengshan /ip/ipsec/peer enable"
		f.r.arm(true)
		if where := f.play(); where != f.r.until {
			t.Fatalf("the bot died %q", where)
		}
		f.grave()
		w, died := f.twin(), f.r
		if err := w.internet.Router("gw-fengshan").Force("/system/device-mode", "", schema.Row{"flagged": "true"}); err != nil {
			t.Fatal(err)
		}
		close(died.free)
		f.w.end()

		f.w, f.r, f.p = w, newReaper(0), f.p.at(w.demo)
		w.start(nil)
		f.play()
		if cards := f.p.cards(); !slices.Equal(cards, []string{"需人工處理"}) {
			t.Errorf("the cards say %q", cards)
		}
		held := f.stand(w.internet)
		time.Sleep(absence)
		if now := f.stand(w.internet); now != held || !now.split() {
			t.Errorf("when a person was asked for: %v; later: %v", held, now)
		}

		if err := w.internet.Router("gw-fengshan").Force("/system/device-mode", "", schema.Row{"flagged": "false"}); err != nil {
			t.Fatal(err)
		}
		f.p = newTunnelPeople(w.demo, "/vpn resolve 1 restore 設備已確認", patience)
		f.p.form, f.p.ends = "兩台路由器都恢復舊設定", []string{"已套用"}
		f.play()
		if got := f.verdict(w, "flagged"); got != change.Reverted {
			t.Errorf("in the end it is %s", got)
		}
	})
}
