//go:build !nodemo

package main

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/lab"
	"vpnbot/ros/schema"
)

// Ensure that what a guest is given to play a router (see TestGuest, which dials in to
// it) can be made of the rows of every stage, and that the rules without the bot's own
// one for L2TP, and with a careless one, are others than its own.
func TestGuest_Rows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := guestFiles(t)
		for _, name := range []string{"account", "password", "before.nft", "unruled.nft", "careless.nft"} {
			if files[name] == "" {
				t.Errorf("%s is empty", name)
			}
		}
		if !strings.Contains(files["careless.nft"], "1701") || strings.Contains(files["unruled.nft"], "1701") {
			t.Errorf("the rules for L2TP: careless\n%s\nwithout\n%s", files["careless.nft"], files["unruled.nft"])
		}
	})
}

// guestFiles sets up a server and an account through Slack and takes them away again,
// and returns what a guest needs to play that router: for each stage a directory, and
// the rules of before, and those of after without the bot's rule for L2TP, and with
// one that does not ask for IPsec.
func guestFiles(t *testing.T) map[string]string {
	w := newWorld(t)
	i := slices.IndexFunc(w.routers, func(o *office) bool { return o.Name == "taichung" })
	o := w.routers[i]
	for _, rule := range defaultFirewall() {
		if _, err := o.router.Add(rule.menu, rule.row); err != nil {
			t.Fatal(err)
		}
	}
	files := map[string]string{
		"world": "SERVER=192.0.2.30\nCLIENT=192.0.2.50\nHOST=192.168.99.31\nGATEWAY=192.168.99.1\nLAN=192.168.99.0/24\n",
	}
	var err error
	if files["before.nft"], err = lab.Rules(guestRows(o), guestLinks()); err != nil {
		t.Fatal(err)
	}
	w.start(nil)
	w.order(t, "/vpn dialin setup taichung server=192.0.2.30 ranges=192.168.199.10-192.168.199.60 local=192.168.199.1 dns=192.168.99.1", "taichung")
	w.order(t, "/vpn adduser mei-01 --for @mei --site taichung", "mei-01")
	w.order(t, "/vpn adduser mei-02 --for @mei --site taichung", "mei-02") // stays: without any account pppd does not ask for one
	c := o.client("mei-01", "192.0.2.50")
	files["account"], files["password"] = c.Account, c.Password
	guestStage(t, files, o, "set-up")
	ours := func(row schema.Row) bool { return row["chain"] == "input" && row["dst-port"] == "1701" }
	files["unruled.nft"] = guestRules(t, o, func(row schema.Row) bool { return !ours(row) })
	files["careless.nft"] = guestRules(t, o, func(row schema.Row) bool {
		if ours(row) {
			delete(row, "ipsec-policy")
		}
		return true
	})

	connect := func() {
		t.Helper()
		if _, err := o.router.Connect(o.client("mei-01", "192.0.2.50")); err != nil {
			t.Fatal(err)
		}
	}
	connect()
	w.order(t, "/vpn disable mei-01 --site taichung", "mei-01")
	guestStage(t, files, o, "disabled")
	w.order(t, "/vpn enable mei-01 --site taichung", "mei-01")
	w.order(t, "/vpn rotate l2tp taichung --handover @olive", "taichung")
	guestStage(t, files, o, "rotated")
	w.order(t, "/vpn dialin set taichung legacy=yes", "taichung")
	guestStage(t, files, o, "legacy")
	connect()
	w.order(t, "/vpn deluser mei-01 --site taichung", "mei-01")
	guestStage(t, files, o, "deleted")

	for _, name := range []string{"rules.nft", "xl2tpd.conf", "options", "addresses"} {
		for _, stage := range []string{"disabled", "rotated", "legacy", "deleted"} {
			if files[stage+"/"+name] != files["set-up/"+name] {
				t.Errorf("%s: %s is another one", stage, name)
			}
		}
	}
	if files["rotated/psk"] == files["set-up/psk"] || files["set-up/rules.nft"] == files["unruled.nft"] || files["set-up/rules.nft"] == files["careless.nft"] {
		t.Error("a stage is as the one before")
	}
	return files
}

// guestRows is what the router holds.
func guestRows(o *office) map[string][]schema.Row {
	all := map[string][]schema.Row{}
	for _, menu := range schema.Paths() {
		all[menu] = o.router.Rows(menu)
	}
	return all
}

// guestLinks are the guest's links that stand for the router's.
func guestLinks() map[string]string { return map[string]string{"ether1": "wan", "ether2": "lan"} }

// guestRules writes the rules of a server whose filter has those rows that keep lets
// pass, which may change them.
func guestRules(t *testing.T, o *office, keep func(schema.Row) bool) string {
	t.Helper()
	const menu = "/ip/firewall/filter"
	rows := guestRows(o)
	rows[menu] = slices.DeleteFunc(rows[menu], func(row schema.Row) bool { return !keep(row) })
	made, err := lab.DialInServer(rows, guestLinks())
	if err != nil {
		t.Fatal(err)
	}
	return made["rules.nft"]
}

// guestStage adds a directory with the server as the router's rows have it now.
func guestStage(t *testing.T, files map[string]string, o *office, stage string) {
	t.Helper()
	rows := guestRows(o)
	made, err := lab.DialInServer(rows, guestLinks())
	if err != nil {
		t.Fatalf("%s: %v", stage, err)
	}
	made["psk"] = o.client("", "").PSK
	for _, row := range rows["/ppp/active"] {
		made["sessions"] += row["name"] + "\n"
	}
	for name, content := range made {
		files[stage+"/"+name] = content
	}
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
