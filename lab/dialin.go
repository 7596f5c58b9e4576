package lab

import (
	"fmt"
	"slices"
	"strings"

	"vpnbot/ros/schema"
)

// The menus of a dial-in server that a guest is made from.
const (
	menuServer  = "/interface/l2tp-server/server"
	menuPool    = "/ip/pool"
	menuPPP     = "/ppp/profile"
	menuSecret  = "/ppp/secret"
	menuFilter  = "/ip/firewall/filter"
	menuMember  = "/interface/list/member"
	menuIPAddr  = "/ip/address"
	menuGroup   = "/ip/ipsec/policy/group"
	guestRouter = "lns" // what the server calls itself in PPP
)

// DialInServer translates a router's dial-in server for the programs that play it in
// a guest: strongSwan, xl2tpd, pppd and nft, one file each by its name. links says
// which link of the guest stands for an interface of the router. Secrets must be
// among the rows. An attribute that it has no words for is an error, as a guest
// without it would be another server.
func DialInServer(rows map[string][]schema.Row, links map[string]string) (map[string]string, error) {
	server, err := only(rows, menuServer, nil)
	if err != nil {
		return nil, err
	}
	profile, err := only(rows, menuPPP, schema.Row{"name": server["default-profile"]})
	if err != nil {
		return nil, err
	}
	d := dialIn{rows: rows, links: links, server: server, profile: profile}
	files := map[string]string{}
	for name, write := range map[string]func() (string, error){
		"swanctl.conf": d.swanctl, "xl2tpd.conf": d.xl2tpd, "options": d.options, "chap-secrets": d.secrets, "rules.nft": d.firewall,
		"addresses": d.addresses,
	} {
		if files[name], err = write(); err != nil {
			return nil, fmt.Errorf("writing %s: %w", name, err)
		}
	}
	return files, nil
}

// Rules translates the filter and the address translation of a router alone, as
// "rules.nft" of DialInServer.
func Rules(rows map[string][]schema.Row, links map[string]string) (string, error) {
	return dialIn{rows: rows, links: links}.firewall()
}

// dialIn is a server on the way to its files.
type dialIn struct {
	rows            map[string][]schema.Row
	links           map[string]string
	server, profile schema.Row
}

// only returns the row of menu with these values. Without values it is the menu's
// only one.
func only(rows map[string][]schema.Row, menu string, where schema.Row) (schema.Row, error) {
	var found schema.Row
	for _, row := range rows[menu] {
		fits := true
		for name, value := range where {
			fits = fits && row[name] == value
		}
		if fits && found == nil {
			found = row
		}
	}
	if found == nil {
		return nil, fmt.Errorf("no row in %s with %v", menu, where)
	}
	return found, nil
}

// swanctl writes phase 1 and 2 as the dynamic peer l2tp-in-server has them: the
// default profile, the proposal of the default group's template, main mode, transport.
func (d dialIn) swanctl() (string, error) {
	if use := d.server["use-ipsec"]; !on(d.server, "enabled") || use != "required" && use != "yes" {
		return "", fmt.Errorf("the server is off or has no IPsec")
	}
	profile, err := only(d.rows, menuProfile, schema.Row{"default": "true"})
	if err != nil {
		return "", err
	}
	group, err := only(d.rows, menuGroup, schema.Row{"default": "true"})
	if err != nil {
		return "", err
	}
	template, err := only(d.rows, menuPolicy, schema.Row{"template": "true", "group": group["name"], "disabled": "false"})
	if err != nil {
		return "", err
	}
	proposal, err := only(d.rows, menuProposal, schema.Row{"name": template["proposal"], "disabled": "false"})
	if err != nil {
		return "", err
	}
	if or(proposal, "pfs-group", "none") != "none" {
		return "", &unknown{menuProposal, proposal[schema.ID], "pfs-group", proposal["pfs-group"]}
	}
	ike, err := phase1Proposals(profile, "main")
	if err != nil {
		return "", err
	}
	esp, err := phase2Proposals(proposal, "esp")
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(`connections { l2tp { version = 1
 proposals = %s
 local { auth = psk }
 remote { auth = psk
 id = %%any }
 children { l2tp { mode = transport
 local_ts = dynamic[udp/1701]
 remote_ts = dynamic[udp]
 esp_proposals = %s } } } }
secrets { ike-l2tp { secret = "%s" } }
`, strings.Join(ike, ","), strings.Join(esp, ","), d.server["ipsec-secret"]), nil
}

// xl2tpd writes the pool's addresses and the router's own.
func (d dialIn) xl2tpd() (string, error) {
	pool, err := only(d.rows, menuPool, schema.Row{"name": d.profile["remote-address"]})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("[global]\nport = 1701\n[lns default]\nip range = %s\nlocal ip = %s\nrequire authentication = yes\npppoptfile = %%DIR%%/options\n",
		pool["ranges"], d.profile["local-address"]), nil
}

// options writes what the server and its PPP profile ask of a client.
func (d dialIn) options() (string, error) {
	lines := []string{"name " + guestRouter, "auth", "nodefaultroute", "mtu " + d.server["max-mtu"], "mru " + d.server["max-mru"]}
	offered := words(d.server["authentication"])
	for _, method := range [][2]string{{"pap", "pap"}, {"chap", "chap"}, {"mschap1", "mschap"}, {"mschap2", "mschap-v2"}} {
		verb := "refuse-"
		if slices.Contains(offered, method[0]) {
			verb = "require-"
		}
		lines = append(lines, verb+method[1])
	}
	if use := or(d.profile, "use-encryption", "default"); use == "required" {
		return "", &unknown{menuPPP, d.profile[schema.ID], "use-encryption", use}
	}
	for _, ip := range words(d.profile["dns-server"]) {
		lines = append(lines, "ms-dns "+ip)
	}
	for _, menu := range []string{"/interface/bonding", "/interface/bridge", "/interface/ethernet", "/interface/vlan"} {
		for _, row := range d.rows[menu] {
			if row["arp"] == "proxy-arp" {
				lines = append(lines, "proxyarp")
			}
		}
	}
	return strings.Join(lines, "\n") + "\n", nil
}

// secrets writes the accounts that may dial in.
func (d dialIn) secrets() (string, error) {
	var b strings.Builder
	for _, row := range d.rows[menuSecret] {
		if service := or(row, "service", "any"); on(row, "disabled") || service != "any" && service != "l2tp" {
			continue
		}
		if row["profile"] != d.profile["name"] {
			return "", &unknown{menuSecret, row[schema.ID], "profile", row["profile"]}
		}
		fmt.Fprintf(&b, "%q %s %q %s\n", row["name"], guestRouter, row["password"], or(row, "remote-address", "*"))
	}
	return b.String(), nil
}

// addresses writes the router's own addresses, each with its link.
func (d dialIn) addresses() (string, error) {
	var b strings.Builder
	for _, row := range d.rows[menuIPAddr] {
		link, known := d.links[row["interface"]]
		if !known {
			return "", &unknown{menuIPAddr, row[schema.ID], "interface", row["interface"]}
		}
		fmt.Fprintf(&b, "%s %s\n", link, row["address"])
	}
	return b.String(), nil
}

// firewall writes the filter and the address translation, in their order.
func (d dialIn) firewall() (string, error) {
	var b strings.Builder
	b.WriteString("table ip vpnbot {\n")
	for _, chain := range []struct{ menu, name, hook string }{
		{menuFilter, "input", "type filter hook input priority 0; policy accept;"},
		{menuFilter, "forward", "type filter hook forward priority 0; policy accept;"},
		{menuNAT, "srcnat", "type nat hook postrouting priority 100; policy accept;"},
	} {
		fmt.Fprintf(&b, " chain %s {\n  %s\n", chain.name, chain.hook)
		for _, row := range d.rows[chain.menu] {
			if row["chain"] != chain.name || on(row, "disabled") || on(row, "invalid") {
				continue
			}
			rule, err := d.rule(chain.menu, row)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(&b, "  %s\n", rule)
		}
		b.WriteString(" }\n")
	}
	b.WriteString("}\n")
	return b.String(), nil
}

// rule writes one rule of the filter or of address translation for nft.
func (d dialIn) rule(menu string, row schema.Row) (string, error) {
	action := map[string]string{"accept": "accept", "drop": "drop", "reject": "reject", "masquerade": "masquerade"}[or(row, "action", "accept")]
	if action == "" {
		return "", &unknown{menu, row[schema.ID], "action", row["action"]}
	}
	var matchers []string
	for _, name := range row.Names() {
		if quiet[name] || name == "chain" || name == "action" {
			continue
		}
		word, ok := d.matcher(row, name)
		if !ok {
			return "", &unknown{menu, row[schema.ID], name, row[name]}
		}
		matchers = append(matchers, word)
	}
	return strings.TrimSpace(strings.Join(matchers, " ") + " counter " + action), nil
}

func (d dialIn) matcher(row schema.Row, name string) (string, bool) {
	value, negated := strings.CutPrefix(row[name], "!")
	not := ""
	if negated {
		not = "!= "
	}
	switch name {
	case "protocol":
		protocol := map[string]string{"udp": "udp", "tcp": "tcp", "icmp": "icmp", "ipsec-esp": "esp"}[value]
		return "meta l4proto " + not + protocol, protocol != ""
	case "dst-port":
		return "th dport " + not + "{ " + value + " }", true
	case "src-address", "dst-address":
		return "ip " + name[:1] + "addr " + not + "{ " + value + " }", value != ""
	case "connection-state":
		return "ct state " + not + "{ " + value + " }", !negated
	case "connection-nat-state":
		return "ct status & dnat == 0", negated && value == "dstnat"
	case "ipsec-policy":
		word := map[string]string{
			"in,ipsec": "meta secpath exists", "in,none": "meta secpath missing", "out,ipsec": "rt ipsec exists", "out,none": "rt ipsec missing",
		}[value]
		return word, word != "" && !negated
	case "in-interface", "out-interface":
		link, known := d.links[value]
		return name[:1] + "ifname " + not + link, known
	case "in-interface-list", "out-interface-list":
		return name[:1] + "ifname " + not + "{ " + strings.Join(d.members(value), ", ") + " }", true
	}
	return "", false
}

// members are the links in an interface list; sessions join the list that the PPP
// profile names.
func (d dialIn) members(list string) []string {
	names := []string{`"none"`}
	for _, row := range d.rows[menuMember] {
		if row["list"] == list && !on(row, "disabled") && d.links[row["interface"]] != "" {
			names = append(names, d.links[row["interface"]])
		}
	}
	if d.profile["interface-list"] == list {
		names = append(names, `"ppp*"`)
	}
	return names
}
