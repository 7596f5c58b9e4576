package vpn

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"vpnbot/change"
)

// menuRoute holds routes, of which the default ones are read.
const menuRoute = "/ip/route"

// mainTable is the routing table of whatever no rule and no mark sends elsewhere.
const mainTable = "main"

// ways are the interfaces by which a router's active default routes leave.
type ways struct {
	names []string
	// untold: RouterOS 6 does not say of which table a route is.
	untold bool
}

// defaultWays reads the default routes of the main table. It returns false when one of
// them cannot be followed, or there is none.
func defaultWays(snap change.Snapshot) (ways, bool) {
	var w ways
	for _, row := range snap.Menus[menuRoute] {
		table := row["routing-table"]
		if row["dst-address"] != "0.0.0.0/0" || table != "" && table != mainTable || isTrue(row, menuRoute, "disabled") || !isTrue(row, menuRoute, "active") {
			continue
		}
		w.untold = w.untold || table == ""
		for gateway := range strings.SplitSeq(cmp.Or(row["immediate-gw"], row["gateway"]), ",") {
			name := wayTo(snap, gateway)
			if name == "" {
				return ways{}, false
			}
			if !slices.Contains(w.names, name) {
				w.names = append(w.names, name)
			}
		}
	}
	return w, len(w.names) > 0
}

// wayTo is the interface by which a gateway is reached: "pppoe-out1",
// "10.0.0.1%ether1", or an address in a network of the router's own. It is empty when
// that cannot be told, as of an address in another table ("10.0.0.1@wan2").
func wayTo(snap change.Snapshot, gateway string) string {
	address, name, scoped := strings.Cut(strings.TrimSpace(gateway), "%")
	if scoped {
		return name
	}
	ip, err := netip.ParseAddr(address)
	switch {
	case err != nil && strings.Contains(address, "@"):
		return ""
	case err != nil:
		return address
	}
	for _, row := range snap.Menus[menuAddress] {
		if p, err := netip.ParsePrefix(row["address"]); err == nil && !isTrue(row, menuAddress, "disabled") && p.Contains(ip) {
			return row["interface"]
		}
	}
	return ""
}
