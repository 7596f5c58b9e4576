package vpn

import (
	"net/netip"
	"slices"

	"vpnbot/ros/schema"
)

// checkRouter refuses a router on which the plan would stop half-way or do
// nothing.
func (s *setup) checkRouter() error {
	router := s.DialIn.Router
	if mode := s.row(menuMode, nil); mode != nil {
		if isTrue(mode, menuMode, "flagged") {
			return refuse("flagged", "router", router)
		}
		for _, feature := range []string{"l2tp", "ipsec"} {
			if on, known := mode[feature]; known && on != "true" && on != "yes" {
				return refuse("dialin_mode", "router", router, "mode", mode["mode"], "feature", feature)
			}
		}
	}
	return nil
}

// checkRanges refuses addresses that somebody else gives away or has.
func (s *setup) checkRanges() error {
	total := spans(s.ranges())
	touch := func(ranges string) bool {
		return slices.ContainsFunc(spans(ranges), func(a span) bool { return slices.ContainsFunc(total, a.overlaps) })
	}
	for _, pool := range s.Snapshot.Menus[menuPool] {
		if pool["name"] == s.DialIn.Pool || !touch(pool["ranges"]) {
			continue
		}
		if dhcp := s.row(menuDHCP, schema.Row{"address-pool": pool["name"]}); dhcp != nil {
			return refuse("dialin_dhcp", "server", ReadableBytes(dhcp["name"]), "ranges", pool["ranges"])
		}
		return refuse("dialin_pool", "pool", ReadableBytes(pool["name"]), "ranges", pool["ranges"])
	}
	for _, row := range s.Snapshot.Menus[menuAddress] {
		if p, err := netip.ParsePrefix(row["address"]); err == nil && touch(p.Addr().String()) {
			return refuse("dialin_own", "router", s.DialIn.Router, "address", p.Addr().String())
		}
	}
	for _, lease := range s.Snapshot.Menus[menuLease] {
		if ip, err := netip.ParseAddr(lease["address"]); err == nil && !isTrue(lease, menuLease, "dynamic") && !isTrue(lease, menuLease, "disabled") && touch(ip.String()) {
			return refuse("dialin_lease", "router", s.DialIn.Router, "address", ip.String(), "mac", lease["mac-address"])
		}
	}
	for _, a := range s.Snapshot.Menus[menuSecret] {
		if ip := a["remote-address"]; ip != "" && touch(ip) {
			return refuse("dialin_account", "account", ReadableBytes(a["name"]), "address", ip)
		}
	}
	for _, p := range s.Snapshot.Menus[menuPolicy] {
		dst := hostOrPrefix(p["dst-address"])
		if static(p) && !isTrue(p, menuPolicy, "disabled") && dst.IsValid() && slices.ContainsFunc(total, func(a span) bool { return a.touches(dst) }) {
			return refuse("dialin_policy", "network", dst.String())
		}
	}
	return nil
}
