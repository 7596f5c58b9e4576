package vpn

import (
	"net/netip"
	"slices"

	"vpnbot/ros/schema"
)

// bypass is what a router holds to keep one pair of networks out of address
// translation.
type bypass struct {
	Selectors
	good bool
	// flawed are rows that are meant to be it and do not do it: below a rule that
	// translates, switched off, or with a matcher that somebody opened and left.
	flawed []schema.Row
}

// matchers are the attributes by which a rule may match less than its addresses
// say. Those that are true can be opened in WinBox by a click, and match from
// then on with whatever value stands there: nobody means them in a bypass.
var matchers = map[string]bool{
	"src-address-type": true, "dst-address-type": true, "limit": true, "time": true, "nth": true, "psd": true, "random": true, "fragment": true,
	"src-address-list": false, "dst-address-list": false, "src-port": false, "dst-port": false, "port": false, "protocol": false,
	"in-interface": false, "in-interface-list": false, "out-interface": false, "out-interface-list": false, "ipsec-policy": false,
	"connection-mark": false, "packet-mark": false, "routing-mark": false,
}

// findBypasses looks at each wanted pair as a first packet would.
func (e *held) findBypasses() {
	rows := e.standing()
	for _, pair := range e.want.Policies {
		b := bypass{Selectors: pair, good: bypassed(rows, pair)}
		if !b.good {
			for _, row := range rows {
				if meant(row, pair) {
					b.flawed = append(b.flawed, row)
				}
			}
		}
		e.bypasses = append(e.bypasses, b)
	}
}

// bypassed walks the rules as the router does and tells whether a packet of the
// pair is accepted before any rule that could translate it. Dynamic rows that
// lead stand above everything; nothing can be put before them.
func bypassed(rows []schema.Row, pair Selectors) bool {
	leading := true
	for _, row := range rows {
		leading = leading && isTrue(row, menuNAT, "dynamic")
		if leading || row["chain"] != "srcnat" || isTrue(row, menuNAT, "disabled") || isTrue(row, menuNAT, "invalid") {
			continue
		}
		if defaulted(menuNAT, row, "action") == "accept" {
			if plain(row) && covers(row["src-address"], pair.Source) && covers(row["dst-address"], pair.Destination) {
				return true
			}
			continue
		}
		if translates(row, pair) {
			return false
		}
	}
	return false
}

// plain tells whether a rule matches by nothing but its addresses.
func plain(row schema.Row) bool {
	for name := range matchers {
		if _, set := row[name]; set {
			return false
		}
	}
	return true
}

// meant tells whether a row was made to be the bypass of the pair, whatever keeps
// it from being one.
func meant(row schema.Row, pair Selectors) bool {
	if row["chain"] != "srcnat" || defaulted(menuNAT, row, "action") != "accept" || isTrue(row, menuNAT, "dynamic") ||
		!same(row["src-address"], pair.Source) || !same(row["dst-address"], pair.Destination) {
		return false
	}
	for name, opened := range matchers {
		if row[name] != "" && !opened {
			return false // somebody's rule for a part of the traffic
		}
	}
	return true
}

// translates tells whether a rule may change the addresses of a packet of the
// pair. What cannot be read may.
func translates(row schema.Row, pair Selectors) bool {
	switch row["action"] {
	case "log", "passthrough", "add-src-to-address-list", "add-dst-to-address-list":
		return false
	}
	// What the policy is about to encrypt does not match out,none.
	return row["ipsec-policy"] != "out,none" && touches(row["src-address"], pair.Source) && touches(row["dst-address"], pair.Destination)
}

func covers(text string, p netip.Prefix) bool {
	network := hostOrPrefix(text)
	return text == "" || network.IsValid() && network.Bits() <= p.Bits() && network.Contains(p.Addr())
}

func touches(text string, p netip.Prefix) bool {
	network := hostOrPrefix(text)
	return !network.IsValid() || network.Overlaps(p)
}

func same(text string, p netip.Prefix) bool { return hostOrPrefix(text).Masked() == p }

// needed are the bypasses that must be made.
func (e *held) needed() []bypass {
	return slices.DeleteFunc(slices.Clone(e.bypasses), func(b bypass) bool { return b.good })
}
