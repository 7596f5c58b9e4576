//go:build !nodemo

package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/chat/slacksim"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
)

// answer sends a command and waits for the answer that holds all of words.
func (w *world) answer(t *testing.T, user, line string, words ...string) string {
	t.Helper()
	before := len(w.slack.Messages(user, "C0VPNOPS"))
	if err := w.slack.Command(t.Context(), user, "C0VPNOPS", line); err != nil {
		t.Fatal(err)
	}
	var said string
	w.until(t, line+" to say "+strings.Join(words, ", "), func() bool {
		messages := w.slack.Messages(user, "C0VPNOPS")
		return slices.ContainsFunc(messages[min(before, len(messages)):], func(m slacksim.Message) bool {
			said = m.Plain()
			return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(said, word) })
		})
	})
	return said
}

// fengshan is the client of the notes' riddle: a Windows computer of 陳雅惠, who
// dials the head office from behind fengshan's public address.
func (w *world) fengshan() error {
	hq := w.office("hq")
	client := hq.client("chen-yh", "")
	client.Behind, client.System = "gw-fengshan", "windows"
	_, err := hq.router.Connect(client)
	return err
}

// logged returns what the head office's router has written about IPsec.
func (w *world) logged() string {
	var b strings.Builder
	for _, row := range w.office("hq").router.Rows("/log") {
		if strings.Contains(row["topics"], "ipsec") {
			b.WriteString(row["topics"] + " " + row["message"] + "\n")
		}
	}
	return b.String()
}

// Ensure a client behind the other site's address is taken for that site's
// router, and that the bot shows the rows and lines that say so.
func TestFengshan_Behind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start(nil)
		time.Sleep(90 * time.Second)
		w.answer(t, "U0BEN", "/vpn status 鳳山", "UP", "hq-fengshan")
		if err := w.fengshan(); !errors.Is(err, rossim.ErrIPsec) {
			t.Fatalf("got %v, want %v", err, rossim.ErrIPsec)
		}
		// Which transforms fit first differs; that it is phase 1 with fengshan's
		// address, refused, does not.
		if got := w.logged(); !strings.Contains(got, "ipsec,error 198.51.100.20 phase1 negotiation failed.") {
			t.Errorf("the router's log:\n%s", got)
		}
		w.answer(t, "U0BEN", "/vpn logs hq --topic ipsec --since 5m", "198.51.100.20")
		w.answer(t, "U0BEN", "/vpn status 鳳山", "UP", "hq-fengshan")
	})
}

// Ensure the same client connects from anywhere else.
func TestFengshan_Elsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start(nil)
		time.Sleep(90 * time.Second)
		hq := w.office("hq")
		client := hq.client("huang-sl", "198.51.100.77")
		client.System = "windows"
		if _, err := hq.router.Connect(client); err != nil {
			t.Fatalf("%v\n%s", err, w.logged())
		}
		w.answer(t, "U0BEN", "/vpn who hq", "huang-sl", "198.51.100.77")
	})
}

// Ensure that with the tunnel on ike2 both the tunnel and the client work.
func TestFengshan_IKE2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for site, peer := range map[string]string{"hq": "to-fengshan", "fengshan": "to-hq"} {
			if err := w.office(site).router.Set("/ip/ipsec/peer", peer, schema.Row{"exchange-mode": "ike2"}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Minute)
		if err := w.fengshan(); err != nil {
			t.Fatalf("%v\n%s", err, w.logged())
		}
		for _, site := range []string{"hq", "fengshan"} {
			peers := w.office(site).router.Rows("/ip/ipsec/active-peers")
			if !slices.ContainsFunc(peers, func(r schema.Row) bool { return r["state"] == "established" }) {
				t.Errorf("%s has no phase 1: %v", site, peers)
			}
			policies := w.office(site).router.Rows("/ip/ipsec/policy")
			if !slices.ContainsFunc(policies, func(r schema.Row) bool {
				return r["ph2-state"] == "established" && r["dst-address"] != "" && r["tunnel"] == "true"
			}) {
				t.Errorf("%s has no phase 2: %v", site, policies)
			}
		}
	})
}
