package lab

import (
	"errors"
	"strings"
	"testing"

	"vpnbot/ros/schema"
)

// dialInRows are a dial-in server with all that its translation reads.
func dialInRows() map[string][]schema.Row {
	return map[string][]schema.Row{
		menuServer: {{
			"enabled": "true", "use-ipsec": "required", "ipsec-secret": "a key", "authentication": "mschap2",
			"default-profile": "vpn", "max-mtu": "1400", "max-mru": "1400",
		}},
		menuPPP:      {{"name": "vpn", "local-address": "10.9.0.1", "remote-address": "pool", "interface-list": "LAN", "use-encryption": "yes"}},
		menuPool:     {{"name": "pool", "ranges": "10.9.0.10-10.9.0.20"}},
		menuProfile:  {{"name": "default", "default": "true", "enc-algorithm": "aes-256", "hash-algorithm": "sha1", "dh-group": "modp2048"}},
		menuGroup:    {{"name": "default", "default": "true"}},
		menuPolicy:   {{"template": "true", "group": "default", "disabled": "false", "proposal": "clients"}},
		menuProposal: {{"name": "default", "default": "true", "enc-algorithms": "3des", "auth-algorithms": "md5"}, {"name": "clients", "disabled": "false", "enc-algorithms": "aes-128-cbc", "auth-algorithms": "sha1", "pfs-group": "none"}},
		menuSecret: {
			{"name": "mei", "password": "one", "profile": "vpn", "service": "l2tp"},
			{"name": "off", "password": "two", "profile": "vpn", "service": "l2tp", "disabled": "true"},
			{"name": "other", "password": "three", "profile": "vpn", "service": "pptp"},
		},
		menuMember: {{"list": "LAN", "interface": "ether2"}},
		menuFilter: {
			{"chain": "input", "protocol": "udp", "dst-port": "1701", "ipsec-policy": "in,ipsec"},
			{"chain": "input", "action": "drop", "in-interface-list": "!LAN"},
			{"chain": "input", "action": "drop", "disabled": "true"},
		},
		menuIPAddr: {{"interface": "ether2", "address": "10.1.0.1/24"}},
	}
}

// Ensure a guest is given the rows' server: the template's proposal, the accounts that
// may dial in, the rules in their order.
func TestDialInServer(t *testing.T) {
	files, err := DialInServer(dialInRows(), map[string]string{"ether2": "lan"})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"swanctl.conf": "esp_proposals = aes128-sha1 ", "xl2tpd.conf": "ip range = 10.9.0.10-10.9.0.20\nlocal ip = 10.9.0.1\n",
		"options": "refuse-mschap\nrequire-mschap-v2\n", "addresses": "lan 10.1.0.1/24\n",
		"rules.nft": "  th dport { 1701 } meta secpath exists meta l4proto udp counter accept\n  iifname != { \"none\", lan, \"ppp*\" } counter drop\n }\n",
	} {
		if !strings.Contains(files[name], want) {
			t.Errorf("%s holds no %q:\n%s", name, want, files[name])
		}
	}
	if got, want := files["chap-secrets"], "\"mei\" lns \"one\" *\n"; got != want {
		t.Errorf("the accounts are %q, want %q", got, want)
	}
}

// Ensure what the guest's programs cannot play is refused by its name, as a guest
// without it would be another server.
func TestDialInServer_Unknown(t *testing.T) {
	for attr, c := range map[string]struct {
		menu, value string
	}{
		"use-encryption": {menuPPP, "required"}, "layer7-protocol": {menuFilter, "x"}, "action": {menuFilter, "jump"},
		"ipsec-policy": {menuFilter, "in,everything"}, "in-interface": {menuFilter, "ether9"}, "interface": {menuIPAddr, "ether9"},
		"profile": {menuSecret, "another"},
	} {
		rows := dialInRows()
		rows[c.menu][0][attr] = c.value
		_, err := DialInServer(rows, map[string]string{"ether2": "lan"})
		var bad *unknown
		if !errors.As(err, &bad) || bad.attr != attr || bad.menu != c.menu {
			t.Errorf("%s=%s in %s: got %v, want a refusal of it", attr, c.value, c.menu, err)
		}
	}
	for menu, rows := range map[string][]schema.Row{
		menuServer: {{"enabled": "true", "use-ipsec": "no", "default-profile": "vpn"}}, menuPolicy: nil, menuPool: nil, menuPPP: nil,
	} {
		all := dialInRows()
		all[menu] = rows
		if _, err := DialInServer(all, map[string]string{"ether2": "lan"}); err == nil {
			t.Errorf("a server is made of %v in %s", rows, menu)
		}
	}
}
