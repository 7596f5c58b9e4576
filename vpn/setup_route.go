package vpn

import (
	"net/netip"
	"slices"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// unmarked keeps what goes between clients and the LAN in the main routing table, the
// only one that knows clients. Where a site has several WANs, rules mark what comes from
// the LAN for the table of one of them, or send it there by its source: what they may
// take of this is excepted above them.
func (s *setup) unmarked() error {
	lan := s.lanSpans()
	for _, r := range s.poolRanges() {
		answers := packet{chain: "prerouting", any: true, from: lan, to: spans(r)}
		if s.marked(answers, s.lanInterfaces()) {
			s.except(schema.Row{"dst-address": r})
		}
		if err := s.ruled(answers, s.lanInterfaces(), r, netip.Prefix{}); err != nil {
			return err
		}
		for _, p := range s.Site.LAN {
			calls := packet{chain: "prerouting", any: true, from: spans(r), to: spans(p.Masked().String()), list: s.sessionList()}
			if s.marked(calls, []string{""}) {
				s.except(schema.Row{"src-address": r, "dst-address": p.Masked().String()})
			}
			if err := s.ruled(calls, []string{""}, r, p.Masked()); err != nil {
				return err
			}
		}
	}
	return s.unmarkedOwn()
}

// unmarkedOwn does so for answers to clients that are hidden behind the router's own
// address: that is where they go when marks are set, before it is translated back.
func (s *setup) unmarkedOwn() error {
	if s.DialIn.Setup.Return != ByMasquerade {
		return nil
	}
	for _, lan := range s.lanNetworks() {
		own := netip.PrefixFrom(lan.own, lan.own.BitLen()).String()
		p := packet{chain: "prerouting", any: true, local: true, from: spans(lan.network.String()), to: spans(own)}
		if s.marked(p, []string{lan.iface}) {
			s.except(schema.Row{"dst-address": own})
		}
	}
	return nil
}

// except plans the rule that lets packets go unmarked.
func (s *setup) except(row schema.Row) {
	row["chain"], row["action"] = "prerouting", "accept"
	s.addRule(menuMangle, row.Clone(), row, change.T("plan.dialin.step.unmarked"))
}

// marked tells whether a packet that comes in by one of the interfaces may be marked.
func (s *setup) marked(p packet, interfaces []string) bool {
	return slices.ContainsFunc(interfaces, func(name string) bool {
		p.in = name
		return s.marks(p, p.chain, 0) == astray
	})
}

// course is what rules that mark do with a packet.
type course uint8

const (
	onward course = iota // nothing, to the end of the chain or back from it
	home                 // certainly left to the main table, whatever comes after
	astray               // perhaps marked for another table
)

// marks walks a chain that marks packets. As in every firewall of RouterOS, accept ends
// the whole walk, wherever it stands, and return goes back to the rule that jumped.
func (s *setup) marks(p packet, chain string, depth int) course {
	if depth > 8 {
		return astray // chains that jump in a circle
	}
	for _, row := range s.Snapshot.Menus[menuMangle] {
		if row["chain"] != chain || isTrue(row, menuMangle, "disabled") || isTrue(row, menuMangle, "invalid") || isTrue(row, menuMangle, "dynamic") {
			continue
		}
		m := s.matches(row, p)
		if m == no {
			continue
		}
		last := m == yes && row["passthrough"] != "" && !isTrue(row, menuMangle, "passthrough")
		switch defaulted(menuMangle, row, "action") {
		case "mark-routing":
			if row["new-routing-mark"] != mainTable {
				return astray
			}
			if last {
				return home
			}
		case "route":
			return astray
		case "mark-connection", "mark-packet":
			if last {
				return home
			}
		case "accept":
			if m == yes {
				return home
			}
		case "return":
			if m == yes {
				return onward
			}
		case "jump":
			if c := s.marks(p, row["jump-target"], depth+1); c == astray || c == home && m == yes {
				return c
			}
		}
	}
	return onward
}

// lanSpans are the addresses of the site's LAN.
func (s *setup) lanSpans() []span {
	var lan []span
	for _, p := range s.Site.LAN {
		lan = append(lan, span{p.Masked().Addr(), lastOf(p)})
	}
	return lan
}

// lanInterfaces are those on which the router has an address of the site's LAN.
func (s *setup) lanInterfaces() []string {
	var names []string
	for _, row := range s.Snapshot.Menus[menuAddress] {
		p, err := netip.ParsePrefix(row["address"])
		if err == nil && !isTrue(row, menuAddress, "disabled") && s.Site.Contains(p.Addr()) && !slices.Contains(names, row["interface"]) {
			names = append(names, row["interface"])
		}
	}
	return names
}

// translation lets clients out to the Internet as the LAN gets there: an untouched
// Windows sends everything through its connection. Where the router hides the LAN
// behind a WAN, and clients by no rule, they are hidden likewise; where rules keep them
// from the Internet, that is left to people.
func (s *setup) translation() error {
	lan := s.lanSpans()
	for _, w := range s.Site.WANs {
		if !s.hides(w.Interface, lan) {
			continue
		}
		for _, r := range s.poolRanges() {
			out := packet{chain: "forward", protocol: "tcp", port: 443, from: spans(r), to: []span{{outside(), outside()}}, list: s.sessionList()}
			if s.hides(w.Interface, spans(r)) || s.fate(out) != accepted {
				continue
			}
			row := schema.Row{"chain": "srcnat", "action": "masquerade", "src-address": r, "out-interface": w.Interface}
			s.addRule(menuNAT, row.Clone(), row, change.T("plan.dialin.step.internet", "interface", w.Interface))
		}
	}
	return nil
}

// hides tells whether the router certainly translates the source of what goes from
// some addresses to the Internet by a WAN.
func (s *setup) hides(wan string, from []span) bool {
	for _, row := range s.Snapshot.Menus[menuNAT] {
		if row["chain"] != "srcnat" || isTrue(row, menuNAT, "disabled") || isTrue(row, menuNAT, "invalid") || isTrue(row, menuNAT, "dynamic") {
			continue
		}
		match := yes
		for name, value := range row {
			switch name {
			case "src-address":
				match = min(match, among(value, from))
			case "dst-address":
				match = min(match, among(value, []span{{outside(), outside()}}))
			case "out-interface":
				match = min(match, word(value, func(v string) bool { return v == wan }))
			case "out-interface-list":
				match = min(match, s.member(value, packet{in: wan}))
			case "ipsec-policy":
				match = min(match, whether(value == "out,none"))
			default:
				if _, matcher := matchers[name]; matcher {
					match = min(match, perhaps)
				}
			}
		}
		if match != yes {
			continue
		}
		switch defaulted(menuNAT, row, "action") {
		case "masquerade", "src-nat":
			return true
		case "accept":
			return false
		}
	}
	return false
}
