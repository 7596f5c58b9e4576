package vpn

import (
	"net/netip"
	"slices"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// unmarked keeps answers from the LAN to clients in the main routing table. Where a
// site has several WANs, rules mark what comes from the LAN for the table of one of
// them, which knows no client: what they may mark of the answers is accepted above
// them.
func (s *setup) unmarked() error {
	var lan []span
	for _, p := range s.Site.LAN {
		lan = append(lan, span{p.Masked().Addr(), lastOf(p)})
	}
	for _, r := range s.poolRanges() {
		p := packet{chain: "prerouting", protocol: "tcp", port: 443, from: lan, to: spans(r)}
		if !slices.ContainsFunc(s.lanInterfaces(), func(name string) bool { p.in = name; return s.marks(p, "prerouting", 0) }) {
			continue
		}
		row := schema.Row{"chain": "prerouting", "action": "accept", "dst-address": r}
		s.addRule(menuMangle, row.Clone(), row, change.T("plan.dialin.step.unmarked"))
	}
	return nil
}

// marks tells whether a rule of a chain may mark a packet for another routing table,
// before one lets it go as it is.
func (s *setup) marks(p packet, chain string, depth int) bool {
	for _, row := range s.Snapshot.Menus[menuMangle] {
		if row["chain"] != chain || isTrue(row, menuMangle, "disabled") || isTrue(row, menuMangle, "invalid") || isTrue(row, menuMangle, "dynamic") {
			continue
		}
		m := s.matches(row, p)
		if m == no {
			continue
		}
		switch defaulted(menuMangle, row, "action") {
		case "mark-routing", "route":
			return true
		case "accept", "return":
			if m == yes {
				return false
			}
		case "jump":
			if depth > 8 || s.marks(p, row["jump-target"], depth+1) {
				return true
			}
		}
	}
	return false
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
	var lan []span
	for _, p := range s.Site.LAN {
		lan = append(lan, span{p.Masked().Addr(), lastOf(p)})
	}
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
