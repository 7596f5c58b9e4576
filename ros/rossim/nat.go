package rossim

import (
	"net/netip"
	"slices"
	"strings"

	"vpnbot/ros/schema"
)

// The rules for source translation that are understood: the matchers in
// matchesRule, the actions in translate. A rule with another matcher set does
// not match, as one that WinBox left half filled in does not.

// translate returns the source address that a connection's first packet leaves
// with.
func (in *Internet) translate(i int, p packet, out string) netip.Addr {
	n := in.nodes[i]
	n.r.mu.Lock()
	defer n.r.mu.Unlock()
	pol, found := n.r.st.match(p)
	q := natQuery{packet: p, out: out, ipsec: found && pol.action == "encrypt"}
	rule := n.r.st.natRule("srcnat", q, 0)
	if rule == nil {
		return p.src
	}
	rule.turn(in.clock, "packets", 0, 1)
	rule.turn(in.clock, "bytes", 0, 100)
	switch rule.vals["action"] {
	case "masquerade":
		for _, net := range n.nets {
			if net.iface == out {
				return net.prefix.Addr()
			}
		}
	case "src-nat":
		first, _, _ := strings.Cut(rule.vals["to-addresses"], "-")
		if a, err := netip.ParseAddr(first); err == nil {
			return a
		}
	}
	return p.src
}

type natQuery struct {
	packet
	out   string
	ipsec bool
}

// natRule returns the rule that decides, or nil: the first that matches, without
// those that only count or log, and with the chains that rules jump to.
func (s *state) natRule(chain string, q natQuery, depth int) *record {
	for _, rec := range s.tables["/ip/firewall/nat"] {
		v := rec.vals
		if v["chain"] != chain || v["disabled"] == "true" || !s.matchesRule(v, q) {
			continue
		}
		if _, broken := s.faulty(v); broken {
			continue
		}
		switch v["action"] {
		case "passthrough", "log", "add-src-to-address-list", "add-dst-to-address-list":
		case "jump":
			if r := s.natRule(v["jump-target"], q, depth+1); r != nil && depth < 8 {
				return r
			}
		case "return":
			return nil
		default:
			return rec
		}
	}
	return nil
}

// plainly are the attributes of a rule that match nothing.
var plainly = []string{
	"chain", "action", "disabled", "log", "log-prefix", "comment", "to-addresses", "to-ports", "jump-target", "address-list",
	"address-list-timeout", "randomise-ports", "same-not-by-dst",
}

func (s *state) matchesRule(v schema.Row, q natQuery) bool {
	for name, want := range v {
		if slices.Contains(plainly, name) {
			continue
		}
		want, not := strings.CutPrefix(want, "!")
		var is bool
		switch name {
		case "src-address":
			is = inRange(want, q.src)
		case "dst-address":
			is = inRange(want, q.dst)
		case "src-address-list":
			is = s.listed(want, q.src)
		case "dst-address-list":
			is = s.listed(want, q.dst)
		case "protocol":
			is = takes(want, q.protocol)
		case "src-port":
			is = port(want, q.sport)
		case "dst-port":
			is = port(want, q.dport)
		case "out-interface":
			is = want == q.out
		case "out-interface-list":
			is = s.member(want, q.out)
		case "ipsec-policy":
			is = want == "out,ipsec" && q.ipsec || want == "out,none" && !q.ipsec
		default:
			return false
		}
		if is == not {
			return false
		}
	}
	return true
}

func inRange(want string, a netip.Addr) bool {
	rs, err := addressRanges(want)
	return err == nil && slices.ContainsFunc(rs, func(r addressRange) bool { return !a.Less(r.from) && !r.to.Less(a) })
}

func (s *state) listed(list string, a netip.Addr) bool {
	return slices.ContainsFunc(s.tables["/ip/firewall/address-list"], func(r *record) bool {
		return r.vals["list"] == list && r.vals["disabled"] != "true" && inRange(r.vals["address"], a)
	})
}

func (s *state) member(list, iface string) bool {
	return list == "all" || slices.ContainsFunc(s.tables["/interface/list/member"], func(r *record) bool {
		return r.vals["list"] == list && r.vals["interface"] == iface && r.vals["disabled"] != "true"
	})
}
