package vpn

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// packet is the first packet of a connection, as a filter rule sees it.
type packet struct {
	chain    string
	protocol string // as RouterOS names it: udp, tcp, ipsec-esp
	port     int    // destination; 0 when the protocol has none
	ipsec    bool   // came in through an SA
	in       string // interface that it came in by; "" for a PPP session
	list     string // the list that sessions' interfaces join
	from, to []span // none: anybody
	of       part   // which rules of its chain count
}

// part is some of a chain's rules. Those of RouterOS itself, of a hotspot for one,
// stand in front of everybody's, and go as they come.
type part uint8

const (
	whole part = iota
	people
	system
)

// fate is what becomes of a packet.
type fate uint8

const (
	accepted fate = iota
	dropped       // or perhaps: what cannot be read may drop
	returned
)

// match is whether a rule takes a packet.
type match uint8

const (
	no match = iota
	perhaps
	yes
)

// fate walks the rules as the router does: the first that fits decides, and what
// no rule takes is accepted.
func (s *setup) fate(p packet) fate {
	if f := s.walk(p, p.chain, 0); f != returned {
		return f
	}
	return accepted
}

// walk goes through one chain. A jump that perhaps is taken counts by its worst.
func (s *setup) walk(p packet, chain string, depth int) fate {
	if depth > 8 {
		return dropped // chains that jump in a circle
	}
	for _, row := range s.Snapshot.Menus[menuFilter] {
		if row["chain"] != chain || isTrue(row, menuFilter, "disabled") || isTrue(row, menuFilter, "invalid") {
			continue
		}
		if own := isTrue(row, menuFilter, "dynamic"); depth == 0 && (p.of == people && own || p.of == system && !own) {
			continue
		}
		m := s.matches(row, p)
		if m == no {
			continue
		}
		switch defaulted(menuFilter, row, "action") {
		case "log", "passthrough", "add-src-to-address-list", "add-dst-to-address-list", "fasttrack-connection":
		case "accept":
			if m == yes {
				return accepted
			}
		case "return":
			if m == yes {
				return returned
			}
		case "jump":
			f := s.walk(p, row["jump-target"], depth+1)
			if f == dropped || f == accepted && m == yes {
				return f
			}
		default: // drop, reject, tarpit, and what nobody knows
			return dropped
		}
	}
	return returned
}

// matches compares every matcher that the rule has. One that says nothing of this
// packet leaves it open whether the rule takes it.
func (s *setup) matches(row schema.Row, p packet) match {
	all := yes
	for name, value := range row {
		var m match
		switch name {
		case schema.ID, "chain", "action", "disabled", "invalid", "dynamic", "comment", "log", "log-prefix", "bytes", "packets",
			".about", "jump-target", "reject-with", "new-routing-mark", "new-connection-mark", "passthrough":
			continue
		case "protocol":
			m = word(value, func(v string) bool { return v == p.protocol })
		case "dst-port":
			m = word(value, func(v string) bool { return p.port != 0 && inPorts(v, p.port) })
		case "connection-state":
			m = word(value, func(v string) bool { return slices.Contains(strings.Split(v, ","), "new") })
		case "ipsec-policy":
			m = whether(value == "in,ipsec" && p.ipsec || value == "in,none" && !p.ipsec)
		case "dst-address-type":
			m = word(value, func(v string) bool { return v == "local" && p.chain == "input" })
		case "in-interface":
			m = word(value, func(v string) bool { return v == p.in })
		case "in-interface-list":
			m = s.member(value, p)
		case "src-address":
			m = among(value, p.from)
		case "dst-address":
			m = among(value, p.to)
		default:
			m = perhaps
		}
		all = min(all, m)
		if all == no {
			return no
		}
	}
	return all
}

func whether(is bool) match {
	if is {
		return yes
	}
	return no
}

// word matches a value that may be negated by a leading "!".
func word(value string, fits func(string) bool) match {
	rest, negated := strings.CutPrefix(value, "!")
	return whether(fits(rest) != negated)
}

func inPorts(list string, port int) bool {
	for part := range strings.SplitSeq(list, ",") {
		from, to, ranged := strings.Cut(part, "-")
		if !ranged {
			to = from
		}
		a, err1 := strconv.Atoi(from)
		b, err2 := strconv.Atoi(to)
		if err1 == nil && err2 == nil && a <= port && port <= b {
			return true
		}
	}
	return false
}

// member tells whether the interface of a packet is in a list.
func (s *setup) member(value string, p packet) match {
	return word(value, func(list string) bool {
		if list == "all" || p.in == "" && (list == p.list || list == "dynamic") {
			return true
		}
		return p.in != "" && slices.ContainsFunc(s.rows(menuMember, schema.Row{"list": list, "interface": p.in}), func(r schema.Row) bool {
			return !isTrue(r, menuMember, "disabled")
		})
	})
}

// among compares the addresses of a packet with a matcher: all of them in it, none,
// or some.
func among(value string, of []span) match {
	rest, negated := strings.CutPrefix(value, "!")
	nets := spans(rest)
	if len(nets) != strings.Count(rest, ",")+1 || len(of) == 0 {
		return perhaps
	}
	inside, touched := true, false
	for _, a := range of {
		inside = inside && slices.ContainsFunc(nets, func(n span) bool { return !a.first.Less(n.first) && !n.last.Less(a.last) })
		touched = touched || slices.ContainsFunc(nets, a.overlaps)
	}
	switch {
	case inside:
		return whether(!negated)
	case !touched:
		return whether(negated)
	}
	return perhaps
}

// firewall plans a rule on top for each kind of packet that the rules do not
// certainly let in: IKE, ESP, L2TP inside IPsec and never outside it, names, and
// the LAN.
func (s *setup) firewall() error {
	if len(s.Site.WANs) > 1 {
		s.warn("dialin_wans", "site", s.Site.Name)
	}
	for _, wan := range s.wans() {
		s.letIn(packet{chain: "input", protocol: "udp", port: 500, in: wan}, schema.Row{"protocol": "udp", "dst-port": "500,4500"}, "ike")
		s.letIn(packet{chain: "input", protocol: "udp", port: 4500, in: wan}, schema.Row{"protocol": "udp", "dst-port": "500,4500"}, "ike")
		s.letIn(packet{chain: "input", protocol: "ipsec-esp", in: wan}, schema.Row{"protocol": "ipsec-esp"}, "esp")
		s.letIn(packet{chain: "input", protocol: "udp", port: 1701, ipsec: true, in: wan},
			schema.Row{"protocol": "udp", "dst-port": "1701", "ipsec-policy": "in,ipsec"}, "l2tp")
		if s.fate(packet{chain: "input", protocol: "udp", port: 1701, in: wan}) == accepted && len(s.rows(menuFilter, schema.Row{"chain": "input"})) > 0 {
			s.warn("dialin_clear", "router", s.DialIn.Router)
		}
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
	if slices.ContainsFunc(s.steps, func(step change.Step) bool { return step.Why.ID == why.ID && covered(matcher, step.After) }) {
		return
	}
	s.addRule(menuFilter, matcher, row, why)
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
		names = []string{"?"}
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
