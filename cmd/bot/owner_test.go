//go:build !nodemo

package main

import (
	"strings"
	"testing"
	"testing/synctest"

	"vpnbot/chat/slacksim"
)

// Ensure Slack is asked about the owner of an account: a guest can own one, a
// member of another organisation cannot, and the answer speaks about them and not
// about who asked.
func TestAdduser_Owner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start(nil)
		for owner, want := range map[string]string{
			"@gus": "只有",
			"@eve": "此人屬於其他組織，不能在此擁有帳號。",
		} {
			before := len(w.slack.Messages("U0OLIVE", "C0VPNOPS"))
			if err := w.slack.Command(t.Context(), "U0OLIVE", "C0VPNOPS", "/vpn adduser new-01 --for "+owner+" --site hq"); err != nil {
				t.Fatal(err)
			}
			var answer slacksim.Message
			w.until(t, "an answer", func() bool {
				all := w.slack.Messages("U0OLIVE", "C0VPNOPS")
				if len(all) == before {
					return false
				}
				answer = all[len(all)-1]
				return true
			})
			if got := answer.Plain(); !strings.Contains(got, want) {
				t.Errorf("for %s: got %q, want %q in it", owner, got, want)
			}
		}
	})
}
