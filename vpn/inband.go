package vpn

import (
	"net/netip"
	"slices"
	"strings"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// logins are the addresses from which the bot is logged in at r, as the router says:
// its API sessions under the names that r gives the bot. Of a Router that names none
// there are none.
func logins(s change.Snapshot, r Router) []netip.Addr {
	var list []netip.Addr
	for _, row := range s.Menus[menuUserActive] {
		if name := row["name"]; name == "" || name != r.Read.User && name != r.Write.User || !strings.HasPrefix(row["via"], "api") {
			continue
		}
		if ip, err := netip.ParseAddr(row["address"]); err == nil {
			list = add(list, ip)
		}
	}
	return list
}

// dialledIn tells whether the bot comes to the router by one of these sessions.
func dialledIn(s change.Snapshot, r Router, sessions []schema.Row) bool {
	from := logins(s, r)
	return slices.ContainsFunc(sessions, func(row schema.Row) bool {
		ip, err := netip.ParseAddr(row["address"])
		return err == nil && slices.Contains(from, ip)
	})
}

// unharmed refuses what ends the session through which the bot itself comes: nobody
// could see or say what became of it.
func (p *accountPlan) unharmed() error {
	ends := slices.ContainsFunc(p.steps, func(s change.Step) bool { return s.Menu == menuActive })
	if ends && dialledIn(p.Snapshot, p.Router, p.live) {
		return refuse("account_in_band", "account", p.account.Name, "router", p.DialIn.Router)
	}
	return nil
}

// unharmed refuses a change to the server through which the bot itself comes: by a
// session of anybody, or from an address that the server gives away.
func (s *setup) unharmed() error {
	pool := s.row(menuPool, schema.Row{"name": s.DialIn.Pool})
	given := slices.ContainsFunc(logins(s.Snapshot, s.Router), func(ip netip.Addr) bool { return pool != nil && inRanges(pool["ranges"], ip) })
	if len(s.steps) > 0 && (given || dialledIn(s.Snapshot, s.Router, s.Snapshot.Menus[menuActive])) {
		return refuse("dialin_in_band", "site", s.Intent.Site, "router", s.DialIn.Router)
	}
	return nil
}
