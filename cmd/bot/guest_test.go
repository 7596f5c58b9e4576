//go:build !nodemo

package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/lab"
	"vpnbot/ros/schema"
)

// Ensure a computer that proposes what an untouched Windows does gets in to a server
// that the bot set up: RouterOS's own default firewall before, "dialin setup" and
// "adduser", and then the router's rows as strongSwan, xl2tpd, pppd and nft play them
// under a stock kernel. It takes QEMU, minutes and root, so it runs when it is asked
// to ("make lab-l2tp").
func TestGuest(t *testing.T) {
	cache := os.Getenv("VPNBOT_GUEST")
	if cache == "" {
		t.Skip("VPNBOT_GUEST names no directory for the guest's kernel")
	}
	dir := t.TempDir()
	var files map[string]string
	synctest.Test(t, func(t *testing.T) { files = guestFiles(t) })
	for _, script := range []string{"boot.sh", "guest.sh"} {
		b, err := os.ReadFile(filepath.Join("..", "..", "lab", "testdata", "dialin", script))
		if err != nil {
			t.Fatal(err)
		}
		files[script] = string(b)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o700); err != nil { //nolint:gosec // scripts run
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	var out bytes.Buffer
	boot := exec.CommandContext(ctx, filepath.Join(dir, "boot.sh"), cache, dir)
	boot.Stdout = io.MultiWriter(&out, t.Output())
	boot.Stderr = boot.Stdout
	if err := boot.Run(); err != nil {
		t.Errorf("running the guest: %v", err)
	}
	said := map[string]bool{}
	for scanner := bufio.NewScanner(&out); scanner.Scan(); {
		word, _, _ := strings.Cut(strings.TrimSpace(scanner.Text()), " ")
		said[word] = true
	}
	for _, want := range []string{"KEPT-OUT-BEFORE", "IPSEC-UP", "ADDRESS", "LAN-REACHED", "LARGE-REACHED", "WRONG-PASSWORD-REFUSED"} {
		if !said[want] {
			t.Errorf("the guest never said %s", want)
		}
	}
}

// guestFiles sets up a server and an account through Slack, and returns what a guest
// needs to play that router.
func guestFiles(t *testing.T) map[string]string {
	w := newWorld(t)
	i := slices.IndexFunc(w.routers, func(o *office) bool { return o.Name == "taichung" })
	o := w.routers[i]
	for _, rule := range defaultFirewall() {
		if _, err := o.router.Add(rule.menu, rule.row); err != nil {
			t.Fatal(err)
		}
	}
	links := map[string]string{"ether1": "wan", "ether2": "lan"}
	rows := func() map[string][]schema.Row {
		all := map[string][]schema.Row{}
		for _, menu := range schema.Paths() {
			all[menu] = o.router.Rows(menu)
		}
		return all
	}
	before, err := lab.Rules(rows(), links)
	if err != nil {
		t.Fatal(err)
	}
	w.start(nil)
	w.order(t, "/vpn dialin setup taichung server=192.0.2.30 ranges=192.168.199.10-192.168.199.60 local=192.168.199.1 dns=192.168.99.1", "taichung")
	w.order(t, "/vpn adduser mei-01 --for @mei --site taichung", "mei-01")
	files, err := lab.DialInServer(rows(), links)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range o.router.Rows("/ppp/secret") {
		files["account"], files["password"] = row["name"], row["password"]
	}
	for _, row := range o.router.Rows("/interface/l2tp-server/server") {
		files["psk"] = row["ipsec-secret"]
	}
	files["before.nft"] = before
	files["world"] = "SERVER=192.0.2.30\nCLIENT=192.0.2.50\nHOST=192.168.99.31\nGATEWAY=192.168.99.1\nLAN=192.168.99.0/24\n"
	return maps.Clone(files)
}

// order has the operator ask for something and the approver approve it, and waits
// until it is on the router.
func (w *world) order(t *testing.T, line, subject string) {
	t.Helper()
	if err := w.slack.Command(t.Context(), "U0OLIVE", "C0VPNOPS", line); err != nil {
		t.Fatal(err)
	}
	w.click(t, "U0OLIVE", "C0VPNOPS", "submit", subject)
	w.click(t, "U0ANN", "C0VPNOPS", "approve", subject)
	form := w.view(t, "U0ANN", subject)
	writes := w.sent()
	if err := w.slack.Submit(t.Context(), "U0ANN", form.ID, nil); err != nil {
		t.Fatal(err)
	}
	time.Sleep(30 * time.Second)
	if w.sent() == writes {
		t.Fatalf("%s: nothing was written", line)
	}
}

// ruleOf is a row of some menu.
type ruleOf struct {
	menu string
	row  schema.Row
}

// defaultFirewall is what RouterOS's own default configuration puts between WAN and
// LAN, in as far as it concerns IPv4 (the vendor's documentation, Default
// configurations).
func defaultFirewall() []ruleOf {
	filter := func(chain, action string, pairs ...string) ruleOf {
		row := schema.Row{"chain": chain, "action": action}
		for i := 0; i < len(pairs); i += 2 {
			row[pairs[i]] = pairs[i+1]
		}
		return ruleOf{"/ip/firewall/filter", row}
	}
	const known = "established,related,untracked"
	return []ruleOf{
		{"/interface/list", schema.Row{"name": "WAN"}},
		{"/interface/list", schema.Row{"name": "LAN"}},
		{"/interface/list/member", schema.Row{"list": "WAN", "interface": "ether1"}},
		{"/interface/list/member", schema.Row{"list": "LAN", "interface": "ether2"}},
		filter("input", "accept", "connection-state", known),
		filter("input", "drop", "connection-state", "invalid"),
		filter("input", "accept", "protocol", "icmp"),
		filter("input", "drop", "in-interface-list", "!LAN"),
		filter("forward", "accept", "ipsec-policy", "in,ipsec"),
		filter("forward", "accept", "ipsec-policy", "out,ipsec"),
		filter("forward", "accept", "connection-state", known),
		filter("forward", "drop", "connection-state", "invalid"),
		filter("forward", "drop", "connection-state", "new", "connection-nat-state", "!dstnat", "in-interface-list", "WAN"),
		{"/ip/firewall/nat", schema.Row{"chain": "srcnat", "action": "masquerade", "out-interface-list": "WAN", "ipsec-policy": "out,none"}},
	}
}
