package lab

import (
	"net/netip"
	"slices"
	"strings"

	"vpnbot/ros/schema"
)

// The menus that a translation reads.
const (
	menuPeer     = "/ip/ipsec/peer"
	menuProfile  = "/ip/ipsec/profile"
	menuIdentity = "/ip/ipsec/identity"
	menuPolicy   = "/ip/ipsec/policy"
	menuProposal = "/ip/ipsec/proposal"
	menuAddress  = "/ip/address"
)

// on tells whether a flag is set, in either form that RouterOS writes.
func on(r schema.Row, name string) bool {
	v := r[name]
	return v == "true" || v == "yes"
}

// or returns the value of an attribute, and instead when the row leaves it out.
func or(r schema.Row, name, instead string) string {
	if v := r[name]; v != "" {
		return v
	}
	return instead
}

// words splits a comma list.
func words(s string) []string {
	var list []string
	for w := range strings.SplitSeq(s, ",") {
		if w = strings.TrimSpace(w); w != "" {
			list = append(list, w)
		}
	}
	return list
}

// named returns the row of a menu with a name; RouterOS's default rows stand in
// for a name that is left out.
func named(p schema.Party, menu, name string) (schema.Row, bool) {
	i := slices.IndexFunc(p.Rows[menu], func(r schema.Row) bool { return r["name"] == name })
	if i < 0 {
		return nil, false
	}
	return p.Rows[menu][i], true
}

// enabled returns the rows of a menu that are not disabled.
func enabled(p schema.Party, menu string) []schema.Row {
	return slices.DeleteFunc(slices.Clone(p.Rows[menu]), func(r schema.Row) bool { return on(r, "disabled") })
}

// identities returns the identities of a peer that are not disabled.
func identities(p schema.Party, peer schema.Row) []schema.Row {
	return slices.DeleteFunc(enabled(p, menuIdentity), func(r schema.Row) bool { return r["peer"] != peer["name"] })
}

// policies returns the peer's own policies that encrypt.
func policies(p schema.Party, peer schema.Row) []schema.Row {
	return slices.DeleteFunc(enabled(p, menuPolicy), func(r schema.Row) bool {
		return on(r, "template") || or(r, "action", "encrypt") != "encrypt" ||
			!slices.Contains(words(r["peer"]), peer["name"])
	})
}

// templates returns the templates from which an identity generates policies.
func templates(p schema.Party, identity schema.Row) []schema.Row {
	if or(identity, "generate-policy", "no") == "no" {
		return nil
	}
	group := or(identity, "policy-template-group", "default")
	return slices.DeleteFunc(enabled(p, menuPolicy), func(r schema.Row) bool {
		return !on(r, "template") || or(r, "group", "default") != group
	})
}

// address reads the prefix of a peer: a prefix, an address or a name. The zero
// prefix is a name that the party cannot resolve.
func address(p schema.Party, peer schema.Row) netip.Prefix {
	text := or(peer, "address", "0.0.0.0/0")
	if text == "::/0" {
		text = "0.0.0.0/0"
	}
	if prefix := parsePrefix(text); prefix.IsValid() {
		return prefix
	}
	if a, ok := p.Names[text]; ok {
		return netip.PrefixFrom(a, a.BitLen())
	}
	return netip.Prefix{}
}

// parsePrefix reads a prefix or an address.
func parsePrefix(text string) netip.Prefix {
	if prefix, err := netip.ParsePrefix(text); err == nil {
		return prefix.Masked()
	}
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen())
	}
	return netip.Prefix{}
}

// selector is what a policy covers.
type selector struct {
	src, dst         netip.Prefix
	protocol         string
	srcPort, dstPort string
}

// selectorOf reads a policy or a template; ok is false when its addresses are
// none.
func selectorOf(r schema.Row) (s selector, ok bool) {
	any4 := func(text string) netip.Prefix {
		if text == "::/0" {
			text = "0.0.0.0/0"
		}
		return parsePrefix(text)
	}
	s = selector{
		src: any4(or(r, "src-address", "0.0.0.0/0")), dst: any4(or(r, "dst-address", "0.0.0.0/0")),
		protocol: or(r, "protocol", "all"), srcPort: or(r, "src-port", "any"), dstPort: or(r, "dst-port", "any"),
	}
	return s, s.src.IsValid() && s.dst.IsValid()
}

// mirror is s as the other end writes it.
func (s selector) mirror() selector {
	return selector{s.dst, s.src, s.protocol, s.dstPort, s.srcPort}
}

// overlaps tells whether a packet may fit both.
func (s selector) overlaps(o selector) bool {
	either := func(a, b, all string) bool { return a == b || a == all || b == all }
	return s.src.Overlaps(o.src) && s.dst.Overlaps(o.dst) && either(s.protocol, o.protocol, "all") &&
		either(s.srcPort, o.srcPort, "any") && either(s.dstPort, o.dstPort, "any")
}

// covers tells whether every packet of o fits s.
func (s selector) covers(o selector) bool {
	inside := func(a, b netip.Prefix) bool { return a.Bits() <= b.Bits() && a.Overlaps(b) }
	fits := func(a, b, all string) bool { return a == all || a == b }
	return inside(s.src, o.src) && inside(s.dst, o.dst) && fits(s.protocol, o.protocol, "all") &&
		fits(s.srcPort, o.srcPort, "any") && fits(s.dstPort, o.dstPort, "any")
}

// text returns the two traffic selectors as the daemon reads them.
func (s selector) text() (local, remote string) {
	end := func(p netip.Prefix, port string) string {
		if s.protocol == "all" && port == "any" {
			return p.String()
		}
		protocol := s.protocol
		if protocol == "all" {
			protocol = "any"
		}
		t := p.String() + "[" + protocol
		if port != "any" {
			t += "/" + port
		}
		return t + "]"
	}
	return end(s.src, s.srcPort), end(s.dst, s.dstPort)
}
