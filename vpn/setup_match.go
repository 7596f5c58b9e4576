package vpn

import (
	"slices"
	"strconv"
	"strings"

	"vpnbot/ros/schema"
)

// packet is one packet, as a rule of the firewall sees it: the first of a connection,
// unless it is any.
type packet struct {
	chain    string
	protocol string // as RouterOS names it: udp, tcp, ipsec-esp; "" for any
	port     int    // destination; 0 when the protocol has none
	ipsec    bool   // came in through an SA
	any      bool   // of any state that a connection may be in
	answer   bool   // of a connection that the other side began
	local    bool   // to the router itself
	in       string // interface that it came in by; "" for a PPP session, unnamed for one that nobody named
	list     string // the list that sessions' interfaces join
	from, to []span // none: anybody
	of       part   // which rules of its chain count
}

// unnamed stands for the WAN of a site that names none.
const unnamed = "?"

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

// fate walks the rules of the filter as the router does: the first that fits decides,
// and what no rule takes is accepted.
func (s *setup) fate(p packet) fate {
	if f := s.walk(menuFilter, p, p.chain, 0); f != returned {
		return f
	}
	return accepted
}

// walk goes through one chain of a menu. A jump that perhaps is taken counts by its
// worst.
func (s *setup) walk(menu string, p packet, chain string, depth int) fate {
	if depth > 8 {
		return dropped // chains that jump in a circle
	}
	for _, row := range s.Snapshot.Menus[menu] {
		if row["chain"] != chain || isTrue(row, menu, "disabled") || isTrue(row, menu, "invalid") {
			continue
		}
		if own := isTrue(row, menu, "dynamic"); depth == 0 && (p.of == people && own || p.of == system && !own) {
			continue
		}
		m := s.matches(row, p)
		if m == no {
			continue
		}
		switch defaulted(menu, row, "action") {
		case "log", "passthrough", "add-src-to-address-list", "add-dst-to-address-list", "fasttrack-connection", "notrack":
		case "accept":
			if m == yes {
				return accepted
			}
		case "return":
			if m == yes {
				return returned
			}
		case "jump":
			f := s.walk(menu, p, row["jump-target"], depth+1)
			if f == dropped && !p.spared(row) || f == accepted && m == yes {
				return f
			}
		default: // drop, reject, tarpit, and what nobody knows
			if !p.spared(row) {
				return dropped
			}
		}
	}
	return returned
}

// matches compares every matcher that the rule has. One that says nothing of this
// packet leaves it open whether the rule takes it.
func (s *setup) matches(row schema.Row, p packet) match {
	all := yes
	for name, value := range row {
		switch name {
		case schema.ID, "chain", "action", "disabled", "invalid", "dynamic", "comment", "log", "log-prefix", "bytes", "packets",
			".about", "jump-target", "reject-with", "new-routing-mark", "new-connection-mark", "passthrough", "to-addresses", "to-ports":
			continue
		}
		if all = min(all, s.matcher(name, value, p)); all == no {
			return no
		}
	}
	return all
}

// matcher compares one matcher of a rule.
func (s *setup) matcher(name, value string, p packet) match {
	switch name {
	case "protocol":
		if p.protocol != "" {
			return word(value, func(v string) bool { return v == p.protocol })
		}
	case "dst-port":
		if p.protocol != "" {
			return word(value, func(v string) bool { return p.port != 0 && inPorts(v, p.port) })
		}
	case "connection-state":
		if !p.any {
			state := "new"
			if p.answer {
				state = "established"
			}
			return word(value, func(v string) bool { return slices.Contains(strings.Split(v, ","), state) })
		}
	case "ipsec-policy":
		return whether(value == "in,ipsec" && p.ipsec || value == "in,none" && !p.ipsec)
	case "dst-address-type":
		kind := "unicast"
		if p.local || p.chain == "input" {
			kind = "local"
		}
		return word(value, func(v string) bool { return slices.Contains(strings.Split(v, ","), kind) })
	case "in-interface":
		return s.incoming(value, p)
	case "in-interface-list":
		return s.member(value, p)
	case "src-address":
		return among(value, p.from)
	case "dst-address":
		return among(value, p.to)
	}
	return perhaps
}

// incoming compares the interface that a packet came in by with a name, or with one
// of RouterOS's words for a kind.
func (s *setup) incoming(value string, p packet) match {
	if p.in == unnamed {
		return perhaps
	}
	kind := s.row(menuInterface, schema.Row{"name": p.in})["type"]
	return word(value, func(v string) bool {
		switch v {
		case "all-ppp":
			return p.in == "" || strings.HasPrefix(kind, "ppp") || strings.HasSuffix(kind, "-out")
		case "all-ethernet":
			return p.in != "" && kind == "ether"
		case "all-vlan":
			return p.in != "" && kind == "vlan"
		case "all-wireless":
			return p.in != "" && (kind == "wlan" || kind == "wifi")
		}
		return p.in != "" && v == p.in
	})
}

// spared tells whether a rule is for hosts of a list, of which somebody who comes from
// anywhere is none: whom people keep out stays out.
func (p packet) spared(row schema.Row) bool {
	list := row["src-address-list"]
	return len(p.from) == 0 && list != "" && !strings.HasPrefix(list, "!")
}

func whether(is bool) match {
	if is {
		return yes
	}
	return no
}

// word matches a value that may be negated by a leading "!".
func word(value string, fits func(string) bool) match {
	return negatable(value, func(v string) match { return whether(fits(v)) })
}

// negatable is word for what may be open.
func negatable(value string, fits func(string) match) match {
	rest, negated := strings.CutPrefix(value, "!")
	m := fits(rest)
	if negated && m != perhaps {
		return whether(m == no)
	}
	return m
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
	return negatable(value, func(list string) match {
		if p.in == unnamed && list != "all" && list != "none" {
			return perhaps
		}
		return whether(s.listed(list, p, 0))
	})
}

// listed tells whether a list has the interface of a packet: by itself, or by a list
// that it includes and none that it excludes.
func (s *setup) listed(list string, p packet, depth int) bool {
	dynamic := p.in == "" || isTrue(s.row(menuInterface, schema.Row{"name": p.in}), menuInterface, "dynamic")
	switch {
	case depth > 8 || list == "none" || list == "":
		return false
	case list == "all" || list == "dynamic" && dynamic || list == "static" && !dynamic || p.in == "" && list == p.list:
		return true
	case p.in != "" && slices.ContainsFunc(s.rows(menuMember, schema.Row{"list": list, "interface": p.in}), func(r schema.Row) bool {
		return !isTrue(r, menuMember, "disabled")
	}):
		return true
	}
	row := s.row(menuList, schema.Row{"name": list})
	among := func(names string) bool {
		return slices.ContainsFunc(strings.Split(names, ","), func(name string) bool { return s.listed(name, p, depth+1) })
	}
	return among(row["include"]) && !among(row["exclude"])
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
