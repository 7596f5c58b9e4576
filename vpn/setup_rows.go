package vpn

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// maxDialInMTU is what passes through PPP, L2TP and ESP on a line of 1500 bytes,
// behind NAT as well, without being cut in pieces.
const maxDialInMTU = 1400

// pool plans the addresses. A row that is there keeps whatever else it says.
func (s *setup) pool() error {
	match := schema.Row{"name": s.DialIn.Pool}
	row, want := s.row(menuPool, match), schema.Row{"ranges": s.ranges()}
	why := change.T("plan.dialin.step.pool")
	if row == nil {
		s.add(menuPool, match, schema.Row{"name": s.DialIn.Pool, "ranges": s.ranges()}, why)
		return nil
	}
	if err := s.chained(row); err != nil {
		return err
	}
	if s.set(menuPool, match, row, want, why) {
		for _, p := range s.rows(menuProfile, schema.Row{"remote-address": s.DialIn.Pool}) {
			if p["name"] != s.DialIn.Profile {
				s.affects("pool_shared", "pool", s.DialIn.Pool, "profile", ReadableBytes(p["name"]))
			}
		}
	}
	return nil
}

// chained looks where the pool gets further addresses when its own are given away, and
// who gets addresses from it so. A DHCP server among them is refused.
func (s *setup) chained(own schema.Row) error {
	for _, server := range s.Snapshot.Menus[menuDHCP] {
		if slices.Contains(s.chain(server["address-pool"]), s.DialIn.Pool) {
			return refuse("dialin_pool_dhcp", "pool", s.DialIn.Pool, "server", ReadableBytes(server["name"]))
		}
	}
	for _, next := range s.chain(own["next-pool"]) {
		if server := s.row(menuDHCP, schema.Row{"address-pool": next}); server != nil {
			return refuse("dialin_next_dhcp", "router", s.DialIn.Router, "pool", s.DialIn.Pool, "next", ReadableBytes(next), "server", ReadableBytes(server["name"]))
		}
	}
	if next := own["next-pool"]; next != "" && next != "none" {
		s.warn("dialin_next", "router", s.DialIn.Router, "pool", s.DialIn.Pool, "next", ReadableBytes(next), "ranges", s.row(menuPool, schema.Row{"name": next})["ranges"])
	}
	return nil
}

// chain are the pools that follow each other from one on, each once.
func (s *setup) chain(name string) []string {
	var names []string
	for name != "" && name != "none" && !slices.Contains(names, name) {
		names = append(names, name)
		name = s.row(menuPool, schema.Row{"name": name})["next-pool"]
	}
	return names
}

// profile plans the PPP profile. Scripts and whatever else stands there stay.
func (s *setup) profile() error {
	set := s.DialIn.Setup
	want := schema.Row{
		"local-address": set.Local.String(), "remote-address": s.DialIn.Pool, "change-tcp-mss": "yes",
		"use-encryption": "yes", "only-one": "yes",
	}
	if len(set.DNS) > 0 {
		want["dns-server"] = joinAddrs(set.DNS)
	}
	match := schema.Row{"name": s.DialIn.Profile}
	row := s.row(menuProfile, match)
	if isTrue(row, menuProfile, "default") {
		return refuse("dialin_profile_default", "profile", s.DialIn.Profile)
	}
	if list := s.trusted(); list != "" && row["interface-list"] == "" {
		want["interface-list"] = list
	}
	if row["use-encryption"] == "required" {
		delete(want, "use-encryption") // more than is wanted
	}
	why := change.T("plan.dialin.step.profile")
	if row == nil {
		want["name"] = s.DialIn.Profile
		s.add(menuProfile, match, want, why)
		return nil
	}
	if s.set(menuProfile, match, row, want, why) {
		accounts := 0
		for _, a := range s.rows(menuSecret, schema.Row{"profile": s.DialIn.Profile}) {
			if service := defaulted(menuSecret, a, "service"); service != "l2tp" {
				s.affects("profile_service", "profile", s.DialIn.Profile, "account", ReadableBytes(a["name"]), "service", service)
				continue
			}
			accounts++
		}
		s.affects("profile", "count", accounts)
	}
	return nil
}

// trusted is the interface list that the input rules of RouterOS's own default
// configuration let in, when this router has it.
func (s *setup) trusted() string {
	if s.row(menuList, schema.Row{"name": "LAN"}) != nil {
		return "LAN"
	}
	return ""
}

// server plans the L2TP server itself, last of all: who dials in before that
// meets what was there before.
func (s *setup) server() error {
	row := s.row(menuServer, nil)
	want := schema.Row{
		"enabled": "true", "use-ipsec": "required", "authentication": "mschap2", "default-profile": s.DialIn.Profile, "allow-fast-path": "false",
	}
	for _, name := range []string{"max-mtu", "max-mru"} {
		if n, err := strconv.Atoi(defaulted(menuServer, row, name)); err != nil || n > maxDialInMTU {
			want[name] = strconv.Itoa(maxDialInMTU)
		}
	}
	changed := s.set(menuServer, nil, row, want, change.T("plan.dialin.step.server"))
	if s.PSK != "" {
		if !changed { // a server without IPsec always has something to set
			return refuse("dialin_unclear", "router", s.DialIn.Router)
		}
		s.rekeyServer(&s.steps[len(s.steps)-1])
	}
	if online := len(s.sessions()); changed && online > 0 {
		s.affects("sessions", "online", online)
	}
	return nil
}

// lanReturn plans what brings answers from the LAN back to clients.
func (s *setup) lanReturn() error {
	switch s.DialIn.Setup.Return {
	case ByProxyARP:
		return s.proxyARP()
	case ByMasquerade:
		return s.masquerade()
	}
	return nil
}

// lan is the interface of the LAN in whose network the pool lies.
func (s *setup) lan() (string, error) {
	total := spans(s.ranges())
	var found []string
	for _, lan := range s.lanNetworks() {
		if slices.ContainsFunc(total, func(a span) bool { return a.touches(lan.network) }) && !slices.Contains(found, lan.iface) {
			found = append(found, lan.iface)
		}
	}
	if len(found) != 1 {
		return "", refuse("dialin_lan", "router", s.DialIn.Router, "found", strings.Join(found, ", "))
	}
	if s.slave(found[0]) {
		return "", refuse("dialin_slave", "router", s.DialIn.Router, "interface", found[0])
	}
	return found[0], nil
}

// slave tells whether an interface is the port of a bridge or bond.
func (s *setup) slave(name string) bool {
	return isTrue(s.row(menuInterface, schema.Row{"name": name}), menuInterface, "slave")
}

// proxyARP lets the router answer for clients whose addresses lie in the LAN.
func (s *setup) proxyARP() error {
	name, err := s.lan()
	if err != nil {
		return err
	}
	match := schema.Row{"name": name}
	for _, menu := range slices.Concat(arpMenus(), someARPMenus()) {
		row := s.row(menu, match)
		switch {
		case row == nil:
			continue
		case defaulted(menu, row, "arp") == "reply-only":
			return refuse("dialin_reply_only", "router", s.DialIn.Router, "interface", name)
		case defaulted(menu, row, "arp") == "local-proxy-arp":
			return nil // answers for everything already
		}
		if s.set(menu, match, row, schema.Row{"arp": "proxy-arp"}, change.T("plan.dialin.step.arp", "interface", name)) {
			s.affects("arp", "interface", name)
		}
		return nil
	}
	return refuse("dialin_arp_kind", "router", s.DialIn.Router, "interface", name)
}

// attached is a network of the LAN to which the router is attached.
type attached struct {
	iface   string
	own     netip.Addr // the router's own address there
	network netip.Prefix
}

// lanNetworks are the networks of the LAN to which the router is attached, without
// addresses of single hosts, as VRRP has them.
func (s *setup) lanNetworks() []attached {
	var all []attached
	for _, row := range s.Snapshot.Menus[menuAddress] {
		p, err := netip.ParsePrefix(row["address"])
		if err != nil || isTrue(row, menuAddress, "disabled") || isTrue(row, menuAddress, "invalid") || p.IsSingleIP() || !s.Site.Contains(p.Addr()) {
			continue
		}
		if !slices.ContainsFunc(all, func(a attached) bool { return a.iface == row["interface"] && a.network == p.Masked() }) {
			all = append(all, attached{row["interface"], p.Addr(), p.Masked()})
		}
	}
	return all
}

// masquerade hides clients behind the router's own address on the LAN, for hosts
// whose gateway is somebody else: in each of its networks.
func (s *setup) masquerade() error {
	networks := s.lanNetworks()
	if len(networks) == 0 {
		return refuse("dialin_lan", "router", s.DialIn.Router, "found", "")
	}
	for _, lan := range networks {
		if s.slave(lan.iface) {
			return refuse("dialin_slave", "router", s.DialIn.Router, "interface", lan.iface)
		}
		for _, r := range s.poolRanges() {
			row := schema.Row{"chain": "srcnat", "action": "masquerade", "src-address": r, "dst-address": lan.network.String(), "out-interface": lan.iface}
			if slices.ContainsFunc(s.rows(menuNAT, row), func(have schema.Row) bool { return !isTrue(have, menuNAT, "disabled") }) {
				continue
			}
			s.addRule(menuNAT, row.Clone(), row, change.T("plan.dialin.step.masquerade", "network", lan.network.String()))
		}
	}
	return nil
}

// addRule plans a rule on top. One like it that is there and does not do it, below a
// rule that drops or switched off, stays as it is: the comment tells them apart.
func (s *setup) addRule(menu string, match, row schema.Row, why change.Text) {
	row["comment"] = dialInComment
	if like := s.rows(menu, match); len(like) > 0 {
		for n := 2; slices.ContainsFunc(like, func(r schema.Row) bool { return change.Unmarked(r["comment"]) == row["comment"] }); n++ {
			row["comment"] = dialInComment + " " + strconv.Itoa(n)
		}
		match["comment"] = row["comment"]
	}
	s.add(menu, match, row, why).Place = change.TopPlace
}

// dialInComment says on rules of the firewall whose they are.
const dialInComment = "L2TP/IPsec dial-in"

// poolRanges are the pool's ranges as rules name them.
func (s *setup) poolRanges() []string { return s.DialIn.Setup.Ranges }

func joinAddrs(list []netip.Addr) string {
	words := make([]string, len(list))
	for i, ip := range list {
		words[i] = ip.String()
	}
	return strings.Join(words, ",")
}
