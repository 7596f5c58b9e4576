package vpn

import (
	"net/netip"
	"slices"
	"strings"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// rulesMenu is the menu of routing rules: another in RouterOS 6.
func (s *setup) rulesMenu() string {
	if _, ok := s.Snapshot.Menus[menuRule]; ok {
		return menuRule
	}
	return menuRule6
}

// ruled plans what keeps packets in the main table where a routing rule sends them to
// another one: those to the pool's range r, or those from it to a network. A rule that
// drops them is somebody's will, and refused.
func (s *setup) ruled(p packet, interfaces []string, r string, to netip.Prefix) error {
	for _, part := range prefixesOf(spans(r)) {
		row := schema.Row{"action": "lookup", "dst-address": part.String(), "table": mainTable}
		if p.to = spans(part.String()); to.IsValid() {
			row["src-address"], row["dst-address"] = part.String(), to.String()
			p.from, p.to = p.to, spans(to.String())
		}
		for _, name := range interfaces {
			p.in = name
			by, away := s.rule(p)
			if !away {
				continue
			}
			if action := defaulted(s.rulesMenu(), by, "action"); action != "lookup" && action != "lookup-only-in-table" {
				return refuse("dialin_rule", "router", s.DialIn.Router, "action", action, "rule", ruleWords(by))
			}
			s.addRule(s.rulesMenu(), row.Clone(), row, change.T("plan.dialin.step.rule"))
			break
		}
	}
	return nil
}

// rule is the first routing rule by which a packet may end elsewhere than in the main
// table.
func (s *setup) rule(p packet) (schema.Row, bool) {
	menu := s.rulesMenu()
	for _, row := range s.Snapshot.Menus[menu] {
		if isTrue(row, menu, "disabled") || isTrue(row, menu, "inactive") || row["routing-mark"] != "" && row["routing-mark"] != mainTable {
			continue // what has a mark was marked, and nothing here is
		}
		m := yes
		for name, of := range map[string][]span{"src-address": p.from, "dst-address": p.to} {
			if row[name] != "" {
				m = min(m, among(row[name], of))
			}
		}
		if name := row["interface"]; name != "" {
			m = min(m, whether(p.in != "" && name == p.in))
		}
		table := defaulted(menu, row, "table")
		lookup := defaulted(menu, row, "action") == "lookup" || defaulted(menu, row, "action") == "lookup-only-in-table"
		switch {
		case m == no || lookup && table == mainTable && m == perhaps:
		case lookup && table == mainTable:
			return nil, false
		default:
			return row, true
		}
	}
	return nil, false
}

// ruleWords names a routing rule by what it matches.
func ruleWords(row schema.Row) string {
	var words []string
	for _, name := range []string{"src-address", "dst-address", "interface"} {
		if row[name] != "" {
			words = append(words, name+"="+ReadableBytes(row[name]))
		}
	}
	if len(words) == 0 {
		return "*"
	}
	return strings.Join(words, " ")
}

// prefixesOf are the fewest prefixes that cover IPv4 ranges exactly: routing rules take
// no ranges.
func prefixesOf(ranges []span) []netip.Prefix {
	var all []netip.Prefix
	for _, r := range ranges {
		for a := r.first; a.IsValid() && a.Is4() && !r.last.Less(a); {
			bits := 32
			for bits > 0 {
				wider := netip.PrefixFrom(a, bits-1).Masked()
				if wider.Addr() != a || r.last.Less(lastOf(wider)) {
					break
				}
				bits--
			}
			p := netip.PrefixFrom(a, bits)
			all = append(all, p)
			a = lastOf(p).Next()
		}
	}
	return slices.Compact(all)
}
