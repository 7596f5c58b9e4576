//go:build !nodemo

package main

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"vpnbot/chat/slacksim"
	"vpnbot/ros/schema"
)

// play starts the demo's world with the bot in it.
func play(t *testing.T, dir string) *demo {
	t.Helper()
	d, err := newDemo(systemNetwork(), dir, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.settingUp = 0
	d.slack.SetPatience(time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	var problems bytes.Buffer
	go func() { ended <- d.run(ctx, io.Discard, &problems) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the bot: %v", err)
		}
		if err := d.close(); err != nil {
			t.Errorf("the world: %v", err)
		}
		if t.Failed() {
			t.Log(problems.String())
		}
	})
	d.until(t, "a connection", func() bool { return d.slack.Connections() > 0 })
	return d
}

// until waits for something that a person would see.
func (d *demo) until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := d.slack.Wait(ctx, cond); err != nil {
		t.Fatalf("waiting for %s: %v", what, err)
	}
}

// offered waits for a message to user in channel that offers an action and is
// about something.
func (d *demo) offered(t *testing.T, user, channel, action, about string) slacksim.Message {
	t.Helper()
	var found slacksim.Message
	d.until(t, action+" for "+user, func() bool {
		for _, m := range d.slack.Messages(user, channel) {
			if strings.Contains(m.Plain(), about) && slices.ContainsFunc(m.Actions(), func(a string) bool { return strings.HasPrefix(a, action) }) {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

func (d *demo) click(t *testing.T, user, channel, action, about string) {
	t.Helper()
	m := d.offered(t, user, channel, action, about)
	i := slices.IndexFunc(m.Actions(), func(a string) bool { return strings.HasPrefix(a, action) })
	if err := d.slack.Click(t.Context(), user, m.Ref(), m.Actions()[i], ""); err != nil {
		t.Fatalf("%s by %s: %v", action, user, err)
	}
}

// Ensure the demo's tips lead from a wish to a proven account: asked for,
// submitted, approved, written to the router, opened by its owner, connected.
// The second start has the old ledger beside new routers and a new workspace.
func TestDemo_Story(t *testing.T) {
	dir := t.TempDir()
	for _, account := range []string{"mei-01", "mei-02"} {
		t.Run(account, func(t *testing.T) {
			d := play(t, dir)
			d.story(t, account)
			d.proven(t, account)
		})
	}
}

// story leads from the wish to the opened credentials.
func (d *demo) story(t *testing.T, account string) {
	if err := d.slack.Command(t.Context(), "U0OLIVE", "C0VPNOPS", "/vpn adduser "+account+" --for @mei --site hq"); err != nil {
		t.Fatal(err)
	}
	d.click(t, "U0OLIVE", "C0VPNOPS", "submit", account)
	d.click(t, "U0ANN", "C0VPNOPS", "approve", account)
	form := d.view(t, "U0ANN", account)
	if err := d.slack.Submit(t.Context(), "U0ANN", form.ID, nil); err != nil {
		t.Fatal(err)
	}
	d.click(t, "U0MEI", d.slack.Direct("U0MEI"), "reveal", account)
	rows := d.routers[0].router.Rows("/ppp/secret")
	i := slices.IndexFunc(rows, func(r schema.Row) bool { return r["name"] == account })
	if i < 0 {
		t.Fatal("the router has no such account")
	}
	d.view(t, "U0MEI", rows[i]["password"])
	for _, m := range d.slack.Messages("U0ANN", "C0VPNOPS") {
		if strings.Contains(m.Plain(), rows[i]["password"]) {
			t.Error("the password stands in the channel")
		}
	}
}

// proven waits until everybody sees that the account was used.
func (d *demo) proven(t *testing.T, account string) {
	t.Helper()
	d.until(t, "the card to say that it is proven", func() bool {
		return slices.ContainsFunc(d.slack.Messages("U0ANN", "C0VPNOPS"), func(m slacksim.Message) bool {
			return strings.Contains(m.Plain(), account) && strings.Contains(m.Plain(), "已驗證 ·")
		})
	})
}

// view waits until the topmost modal of user holds text.
func (d *demo) view(t *testing.T, user, text string) slacksim.View {
	t.Helper()
	var found slacksim.View
	d.until(t, "a modal for "+user, func() bool {
		views := d.slack.Views(user)
		if len(views) == 0 || !strings.Contains(views[len(views)-1].Plain(), text) {
			return false
		}
		found = views[len(views)-1]
		return true
	})
	return found
}
