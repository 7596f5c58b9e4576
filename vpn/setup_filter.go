package vpn

import (
	"net/netip"
	"slices"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// firewall plans a rule on top for each kind of packet that the rules do not
// certainly let in: IKE, ESP, L2TP inside IPsec and never outside it, names, and
// the LAN.
func (s *setup) firewall() error {
	if err := s.forwarded(); err != nil {
		return err
	}
	s.raw()
	for _, wan := range s.wans() {
		aim := s.aim(wan)
		s.letIn(packet{chain: "input", protocol: "udp", port: 500, in: wan, to: aim}, schema.Row{"protocol": "udp", "dst-port": "500,4500"}, "ike")
		s.letIn(packet{chain: "input", protocol: "udp", port: 4500, in: wan, to: aim}, schema.Row{"protocol": "udp", "dst-port": "500,4500"}, "ike")
		s.letIn(packet{chain: "input", protocol: "ipsec-esp", in: wan, to: aim}, schema.Row{"protocol": "ipsec-esp"}, "esp")
		s.letIn(packet{chain: "input", protocol: "udp", port: 1701, ipsec: true, in: wan, to: aim},
			schema.Row{"protocol": "udp", "dst-port": "1701", "ipsec-policy": "in,ipsec"}, "l2tp")
		if s.fate(packet{chain: "input", protocol: "udp", port: 1701, in: wan, to: aim}) == accepted && len(s.rows(menuFilter, schema.Row{"chain": "input"})) > 0 {
			s.warn("dialin_clear", "router", s.DialIn.Router)
		}
	}
	if s.ownDNS() && !isTrue(s.row(menuDNS, nil), menuDNS, "allow-remote-requests") {
		s.warn("dialin_dns", "router", s.DialIn.Router)
	}
	list := s.sessionList()
	for _, r := range s.poolRanges() {
		if s.ownDNS() {
			for _, protocol := range []string{"udp", "tcp"} {
				s.letIn(packet{chain: "input", protocol: protocol, port: 53, from: spans(r), list: list},
					schema.Row{"protocol": protocol, "dst-port": "53", "src-address": r}, "dns")
			}
		}
		for _, lan := range s.Site.LAN {
			s.letIn(packet{chain: "forward", protocol: "tcp", port: 443, from: spans(r), to: []span{{lan.Masked().Addr(), lastOf(lan)}}, list: list},
				schema.Row{"src-address": r, "dst-address": lan.String()}, "lan")
			for _, in := range s.lanInterfaces() {
				s.letIn(packet{chain: "forward", answer: true, from: []span{{lan.Masked().Addr(), lastOf(lan)}}, to: spans(r), in: in},
					schema.Row{"src-address": lan.String(), "dst-address": r, "connection-state": "established,related"}, "back")
			}
		}
		for _, far := range s.DialIn.farNetworks(s.Tunnels) {
			s.letIn(packet{chain: "forward", protocol: "tcp", port: 443, from: spans(r), to: spans(far.String()), list: list},
				schema.Row{"src-address": r, "dst-address": far.String()}, "reach")
		}
	}
	return nil
}

// letIn plans a rule unless people's rules let the packet in anyway, or the rule is
// planned. Above the rules of RouterOS itself none can stand.
func (s *setup) letIn(p packet, row schema.Row, what string) {
	if p.of = system; s.fate(p) != accepted && !slices.ContainsFunc(s.warnings, func(t change.Text) bool { return t.ID == "plan.warn.dialin_dynamic" }) {
		s.warn("dialin_dynamic", "router", s.DialIn.Router)
	}
	if p.of = people; s.fate(p) == accepted {
		return
	}
	row["chain"], row["action"] = p.chain, "accept"
	matcher := row.Clone()
	why := change.T("plan.dialin.step." + what)
	if slices.ContainsFunc(s.steps, func(step change.Step) bool {
		return step.Menu == menuFilter && step.Why.ID == why.ID && covered(matcher, step.After)
	}) {
		return
	}
	s.addRule(menuFilter, matcher, row, why)
	s.above(menuFilter, p)
}

// above tells people of hosts that rules keep out by a list, and that a rule on top
// lets in again.
func (s *setup) above(menu string, p packet) {
	for _, row := range s.Snapshot.Menus[menu] {
		action := defaulted(menu, row, "action")
		if p.spared(row) && row["chain"] == p.chain && !isTrue(row, menu, "disabled") && slices.Contains([]string{"drop", "reject", "tarpit", "jump"}, action) &&
			s.matches(row, p) != no && !slices.ContainsFunc(s.warnings, func(t change.Text) bool { return t.ID == "plan.warn.dialin_blacklist" }) {
			s.warn("dialin_blacklist", "router", s.DialIn.Router, "list", ReadableBytes(row["src-address-list"]))
		}
	}
}

// raw plans rules on top of the table that sees packets before the filter does, for
// those that it drops.
func (s *setup) raw() {
	let := func(p packet, row schema.Row, what string) {
		p.chain = "prerouting"
		if s.walk(menuRaw, p, p.chain, 0) != dropped {
			return
		}
		row["chain"], row["action"] = p.chain, "accept"
		matcher := row.Clone()
		if slices.ContainsFunc(s.steps, func(step change.Step) bool { return step.Menu == menuRaw && covered(matcher, step.After) }) {
			return
		}
		s.addRule(menuRaw, matcher, row, change.T("plan.dialin.step."+what))
		s.above(menuRaw, p)
	}
	for _, wan := range s.wans() {
		aim := s.aim(wan)
		for _, port := range []int{500, 4500} {
			let(packet{protocol: "udp", port: port, in: wan, to: aim, local: true}, schema.Row{"protocol": "udp", "dst-port": "500,4500"}, "ike")
		}
		let(packet{protocol: "ipsec-esp", in: wan, to: aim, local: true}, schema.Row{"protocol": "ipsec-esp"}, "esp")
		let(packet{protocol: "udp", port: 1701, ipsec: true, in: wan, to: aim, local: true},
			schema.Row{"protocol": "udp", "dst-port": "1701", "ipsec-policy": "in,ipsec"}, "l2tp")
	}
	for _, r := range s.poolRanges() {
		for _, lan := range s.Site.LAN {
			let(packet{protocol: "tcp", port: 443, from: spans(r), to: []span{{lan.Masked().Addr(), lastOf(lan)}}, list: s.sessionList()}, schema.Row{"src-address": r}, "raw")
		}
		if s.ownDNS() {
			let(packet{protocol: "udp", port: 53, from: spans(r), local: true, list: s.sessionList()}, schema.Row{"src-address": r}, "raw")
		}
	}
}

// covered tells whether a row that is planned has each of the matchers.
func covered(matchers, row schema.Row) bool {
	for name, value := range matchers {
		if row[name] != value {
			return false
		}
	}
	return true
}

// wans are the interfaces by which clients come; one of no name stands for a
// site that names none.
func (s *setup) wans() []string {
	var names []string
	for _, w := range s.Site.WANs {
		names = append(names, w.Interface)
	}
	if len(names) == 0 {
		names = []string{unnamed}
	}
	return names
}

// sessionList is the interface list that sessions will be in.
func (s *setup) sessionList() string {
	if row := s.row(menuProfile, schema.Row{"name": s.DialIn.Profile}); row["interface-list"] != "" {
		return row["interface-list"]
	}
	return s.trusted()
}

// ownDNS tells whether clients are told the router itself as their name server.
func (s *setup) ownDNS() bool {
	return slices.ContainsFunc(s.DialIn.Setup.DNS, func(ip netip.Addr) bool {
		return ip == s.DialIn.Setup.Local || slices.ContainsFunc(s.Snapshot.Menus[menuAddress], func(row schema.Row) bool {
			p, err := netip.ParsePrefix(row["address"])
			return err == nil && p.Addr() == ip
		})
	})
}
