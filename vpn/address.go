package vpn

import (
	"net/netip"
	"slices"
	"strings"

	"vpnbot/ros/schema"
)

// checkAddress returns the reason why an account must not have the fixed address
// that was asked for. Without one there is nothing to check.
func (a AddAccount) checkAddress() error {
	text := a.Intent.Account.Address
	if text == "" {
		return nil
	}
	ip, err := netip.ParseAddr(text)
	if err != nil || !ip.Is4() || !ip.IsGlobalUnicast() {
		return refuse("address")
	}
	if err := a.checkRanges(ip); err != nil {
		return err
	}
	if err := a.checkHolders(ip); err != nil {
		return err
	}
	if err := a.checkNetworks(ip); err != nil {
		return err
	}
	return a.checkReach(ip)
}

// checkRanges refuses an address that a pool may give to somebody else.
func (a AddAccount) checkRanges(ip netip.Addr) error {
	for _, pool := range a.Snapshot.Menus[menuPool] {
		if !inRanges(pool["ranges"], ip) {
			continue
		}
		dhcp := a.row(menuDHCP, schema.Row{"address-pool": pool["name"]})
		if dhcp != nil {
			return refuse("address_dhcp", "address", ip.String(), "server", ReadableBytes(dhcp["name"]), "ranges", pool["ranges"])
		}
		return refuse("address_pool", "address", ip.String(), "pool", ReadableBytes(pool["name"]), "ranges", pool["ranges"])
	}
	return nil
}

// checkHolders refuses an address that another account has or uses now.
func (a AddAccount) checkHolders(ip netip.Addr) error {
	if r := a.row(menuSecret, schema.Row{"remote-address": ip.String()}); r != nil {
		return refuse("address_account", "address", ip.String(), "account", ReadableBytes(r["name"]))
	}
	if r := a.row(menuActive, schema.Row{"address": ip.String()}); r != nil {
		return refuse("address_session", "address", ip.String(), "account", ReadableBytes(r["name"]))
	}
	return nil
}

// checkNetworks refuses the router's own addresses and those that no host has.
func (a AddAccount) checkNetworks(ip netip.Addr) error {
	if profile := a.row(menuProfile, schema.Row{"name": a.DialIn.Profile}); profile["local-address"] == ip.String() {
		return refuse("address_router", "address", ip.String(), "router", a.DialIn.Router)
	}
	prefixes := append([]netip.Prefix(nil), a.Site.LAN...)
	for _, p := range a.connected() {
		if p.Addr() == ip {
			return refuse("address_router", "address", ip.String(), "router", a.DialIn.Router)
		}
		prefixes = append(prefixes, p)
	}
	for _, p := range prefixes {
		if p.Bits() < 31 && p.Contains(ip) && (ip == p.Masked().Addr() || ip == lastOf(p)) {
			return refuse("address_network", "address", ip.String(), "network", p.Masked().String())
		}
	}
	return nil
}

// checkReach refuses an address from which nothing at the site would be reached:
// neither near the pool's addresses nor in a network of the site. Without a pool
// there is nothing to judge by.
func (a AddAccount) checkReach(ip netip.Addr) error {
	pool := a.row(menuPool, schema.Row{"name": a.DialIn.Pool})
	near := neighbourhood(pool["ranges"])
	if len(near) == 0 || a.Site.Contains(ip) {
		return nil
	}
	for _, p := range append(near, a.inside()...) {
		if p.Contains(ip) {
			return nil
		}
	}
	return refuse("address_outside", "address", ip.String(), "site", a.Intent.Site, "networks", joinPrefixes(append(near, a.Site.LAN...)))
}

// connected returns the router's own IPv4 addresses with their networks.
func (a AddAccount) connected() []netip.Prefix {
	return a.addresses(func(string) bool { return true })
}

// inside is connected without the networks of the site's WANs: those belong to
// the provider.
func (a AddAccount) inside() []netip.Prefix {
	return a.addresses(func(name string) bool {
		return !slices.ContainsFunc(a.Site.WANs, func(w WAN) bool { return w.Interface == name })
	})
}

func (a AddAccount) addresses(keep func(interfaceName string) bool) []netip.Prefix {
	var prefixes []netip.Prefix
	for _, row := range a.Snapshot.Menus[menuAddress] {
		p, err := netip.ParsePrefix(row["address"])
		if err == nil && p.Addr().Is4() && keep(row["interface"]) {
			prefixes = append(prefixes, p)
		}
	}
	return prefixes
}

// span is a range of addresses, both ends included.
type span struct{ first, last netip.Addr }

// spans reads the ranges of a pool: "10.0.0.1-10.0.0.9,10.0.1.0/24". Parts that
// do not parse are left out.
func spans(ranges string) []span {
	var list []span
	for part := range strings.SplitSeq(ranges, ",") {
		if p, err := netip.ParsePrefix(part); err == nil && p.Addr().Is4() {
			list = append(list, span{p.Masked().Addr(), lastOf(p)})
			continue
		}
		from, to, ok := strings.Cut(part, "-")
		if !ok {
			to = from
		}
		first, err1 := netip.ParseAddr(from)
		last, err2 := netip.ParseAddr(to)
		if err1 == nil && err2 == nil && first.Is4() && last.Is4() && !last.Less(first) {
			list = append(list, span{first, last})
		}
	}
	return list
}

func inRanges(ranges string, ip netip.Addr) bool {
	for _, s := range spans(ranges) {
		if !ip.Less(s.first) && !s.last.Less(ip) {
			return true
		}
	}
	return false
}

// size returns how many addresses ranges hold.
func size(ranges string) int {
	n := 0
	for _, s := range spans(ranges) {
		n += int(number(s.last)-number(s.first)) + 1
	}
	return n
}

// neighbourhood returns, for each range, the smallest network of /24 or larger
// that holds it: where accounts with a fixed address belong.
func neighbourhood(ranges string) []netip.Prefix {
	var list []netip.Prefix
	for _, s := range spans(ranges) {
		p := netip.PrefixFrom(s.first, 24).Masked()
		for p.Bits() > 8 && !p.Contains(s.last) {
			p = netip.PrefixFrom(s.first, p.Bits()-1).Masked()
		}
		list = append(list, p)
	}
	return list
}

func lastOf(p netip.Prefix) netip.Addr {
	n := number(p.Masked().Addr()) | (1<<(32-p.Bits()) - 1)
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

func number(ip netip.Addr) uint32 {
	b := ip.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

func joinPrefixes(prefixes []netip.Prefix) string {
	var words []string
	seen := map[netip.Prefix]bool{}
	for _, p := range prefixes {
		if !seen[p] {
			seen[p] = true
			words = append(words, p.String())
		}
	}
	return strings.Join(words, ", ")
}
