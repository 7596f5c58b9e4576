package vpn

import (
	"net/netip"
	"slices"
	"strings"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// answers judges, at a site with several WANs, whether the router's answers to clients
// leave by the WAN that clients come to. IKE, ESP and L2TP follow the main table
// whichever WAN they came in by, unless rules say otherwise; a client takes no answer
// that comes from another address, and a provider carries none with another's.
func (s *setup) answers() error {
	if len(s.Site.WANs) < 2 {
		return nil
	}
	out, known := s.defaultWANs()
	at, named := s.clientsCome()
	leave := strings.Join(out, ", ")
	switch {
	case !known:
		s.warn("dialin_wans", "site", s.Site.Name, "router", s.DialIn.Router, "server", s.DialIn.Server)
	case !named:
		s.warn("dialin_wan_name", "router", s.DialIn.Router, "server", s.DialIn.Server, "interface", leave)
	case slices.Contains(out, at):
		s.warn("dialin_wan_failover", "router", s.DialIn.Router, "server", s.DialIn.Server, "interface", at)
	case s.sentBack(at):
		s.warn("dialin_wan_marked", "router", s.DialIn.Router, "server", s.DialIn.Server, "interface", at, "default", leave)
	default:
		return refuse("dialin_wan", "router", s.DialIn.Router, "server", s.DialIn.Server, "interface", at, "default", leave)
	}
	return nil
}

// clientsCome is the interface of the WAN that the server's name or address belongs to.
func (s *setup) clientsCome() (string, bool) {
	ip, err := netip.ParseAddr(s.DialIn.Server)
	for _, w := range s.Site.WANs {
		if err != nil && w.DNS != "" && strings.EqualFold(w.DNS, s.DialIn.Server) || err == nil && w.Address == ip {
			return w.Interface, true
		}
		if err == nil && slices.Contains(s.ownAddresses(w.Interface), ip) {
			return w.Interface, true
		}
	}
	return "", false
}

// ownAddresses are the router's addresses on an interface.
func (s *setup) ownAddresses(name string) []netip.Addr {
	var all []netip.Addr
	for _, row := range s.rows(menuAddress, schema.Row{"interface": name}) {
		if p, err := netip.ParsePrefix(row["address"]); err == nil && !isTrue(row, menuAddress, "disabled") {
			all = append(all, p.Addr())
		}
	}
	return all
}

// defaultWANs are the interfaces by which the default routes of the main table leave. It
// tells as well whether all of them are known, and there is one.
func (s *setup) defaultWANs() ([]string, bool) {
	w, known := defaultWays(s.Snapshot)
	return w.names, known && (len(w.names) == 1 || !w.untold)
}

// sentBack tells whether rules perhaps send the router's own answers from a WAN back by
// it: marks on what leaves the router itself, or a routing rule for its address there.
func (s *setup) sentBack(wan string) bool {
	var own []span
	for _, ip := range s.ownAddresses(wan) {
		own = append(own, span{ip, ip})
	}
	p := packet{chain: "output", any: true, from: own}
	if s.marks(p, "output", 0) == astray {
		return true
	}
	if len(own) == 0 {
		return false
	}
	by, away := s.rule(p)
	return away && strings.HasPrefix(defaulted(s.rulesMenu(), by, "action"), "lookup")
}

// forwarded refuses where the router itself hands on to somebody else what clients
// send: a rule of an older server behind it, mostly.
func (s *setup) forwarded() error {
	for _, wan := range s.wans() {
		for _, p := range []packet{
			{protocol: "udp", port: 500}, {protocol: "udp", port: 4500},
		} {
			p.chain, p.in, p.local, p.to = "dstnat", wan, true, s.aim(wan)
			row, sure := s.handedOn(p, p.chain, 0)
			switch {
			case row == nil:
			case sure:
				return refuse("dialin_forwarded", "router", s.DialIn.Router, "port", p.port, "to", row["to-addresses"])
			case !slices.ContainsFunc(s.warnings, func(t change.Text) bool { return t.ID == "plan.warn.dialin_forwarded" }):
				s.warn("dialin_forwarded", "router", s.DialIn.Router, "port", p.port, "to", row["to-addresses"])
			}
		}
	}
	return nil
}

// aim is the address that clients who come by a WAN send to, as rules of the router see
// it: none when there are several.
func (s *setup) aim(wan string) []span {
	own := s.ownAddresses(wan)
	for _, w := range s.Site.WANs {
		if w.Interface == wan && slices.Contains(own, w.Address) {
			own = []netip.Addr{w.Address}
		}
	}
	if len(own) != 1 {
		return nil
	}
	return []span{{own[0], own[0]}}
}

// handedOn is the rule of destination NAT that takes a packet away from the router, and
// whether it certainly does; nil when none does.
func (s *setup) handedOn(p packet, chain string, depth int) (schema.Row, bool) {
	for _, row := range s.Snapshot.Menus[menuNAT] {
		if row["chain"] != chain || depth > 8 || isTrue(row, menuNAT, "disabled") || isTrue(row, menuNAT, "invalid") || isTrue(row, menuNAT, "dynamic") {
			continue
		}
		m := s.matches(row, p)
		if m == no {
			continue
		}
		switch defaulted(menuNAT, row, "action") {
		case "dst-nat", "netmap":
			if to := row["to-addresses"]; to != "" && !slices.ContainsFunc(p.to, func(a span) bool { return to == a.first.String() }) && !p.spared(row) {
				return row, m == yes
			}
		case "accept":
			if m == yes {
				return nil, true
			}
		case "return":
			if m == yes {
				return nil, false
			}
		case "jump":
			if by, sure := s.handedOn(p, row["jump-target"], depth+1); by != nil || sure && m == yes {
				return by, sure && m == yes
			}
		}
	}
	return nil, false
}
