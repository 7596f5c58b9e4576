package vpn

import (
	"net/netip"
	"slices"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// view is one end's side with what is needed to join it to the other.
type view struct {
	Side
	want ExpectedEnd
	// silent says why there is nothing to judge by.
	silent change.Text
	// odd holds, by menu, a row that could be this tunnel's and is not
	// understood: the absence of others proves nothing then.
	odd     map[string]change.Text
	locals  []netip.Addr // addresses that the end sends from; empty: any
	remotes []netip.Addr // addresses at which it sees the other end
	phase1  []ActivePeer // every row of the router
	sas     []saRow      // every row of the router
	samples []Half       // those that can be read, oldest first
}

// saRow is an SA with its two ends.
type saRow struct {
	SA
	source, destination netip.AddrPort
}

// read fills v from the newest sample, except for phase 1 and the SAs, which are
// the tunnel's only in the light of the other end.
func (v *view) read(s change.Snapshot) {
	v.odd = map[string]change.Text{}
	for _, sel := range v.want.Policies {
		v.Policies = append(v.Policies, Policy{Selectors: sel})
	}
	v.each(s, menuPolicy, func(r *reader) {
		if p, ok := r.policy(); ok {
			v.policy(p)
		}
		if r.odd != "" && v.foreign(r) {
			r.odd = ""
		}
	})
	v.peers(s)
	v.addresses(s)
	v.each(s, menuActivePeers, func(r *reader) {
		p := r.activePeer()
		if r.odd == "" {
			v.phase1 = append(v.phase1, p)
		} else if v.elsewhere(p.Remote) {
			r.odd = ""
		}
	})
	v.each(s, menuSA, func(r *reader) {
		row, ok := r.saRow()
		if ok {
			v.sas = append(v.sas, row)
		} else if v.elsewhere(row.source.Addr()) && v.elsewhere(row.destination.Addr()) {
			r.odd = ""
		}
	})
}

// foreign tells whether a policy row, whatever else it says, has selectors that
// nobody wants of this tunnel.
func (v *view) foreign(row *reader) bool {
	r := &reader{menu: menuPolicy, row: row.row}
	s := Selectors{r.prefix("src-address"), r.prefix("dst-address")}
	return r.odd == "" && !slices.Contains(v.want.Policies, s)
}

// elsewhere tells whether ip is known not to be the other end's.
func (v *view) elsewhere(ip netip.Addr) bool {
	return ip.IsValid() && len(v.remotes) > 0 && !slices.Contains(v.remotes, ip)
}

func (r *reader) saRow() (saRow, bool) {
	sa, source, destination := r.sa()
	return saRow{sa, source, destination}, r.odd == ""
}

// each reads the rows of a menu and keeps the first that is not understood.
func (v *view) each(s change.Snapshot, menu string, read func(*reader)) {
	for _, row := range s.Menus[menu] {
		r := &reader{menu: menu, row: row}
		read(r)
		if _, known := v.odd[menu]; r.odd == "" || known {
			continue
		}
		m, _ := schema.Lookup(menu)
		v.odd[menu] = change.T("status.unknown.row", "router", v.Router, "menu", menu,
			"row", ReadableBytes(m.KeyOf(row)), "attribute", r.odd)
	}
}

// policy keeps p when it is wanted and does more than what stands there.
func (v *view) policy(p Policy) {
	i := slices.IndexFunc(v.Policies, func(w Policy) bool { return w.Selectors == p.Selectors })
	if i < 0 {
		return
	}
	p.Rows += v.Policies[i].Rows
	if p.Rows == 1 || p.worth() > v.Policies[i].worth() {
		v.Policies[i] = p
		return
	}
	v.Policies[i].Rows = p.Rows
}

func (p Policy) worth() int {
	switch {
	case p.Established():
		return 3
	case p.Disabled:
		return 0
	case p.Invalid:
		return 1
	}
	return 2
}

// peers keeps the peers that the policies name, else those that lead to the
// other end's address.
func (v *view) peers(s change.Snapshot) {
	var named []string
	for _, p := range v.Policies {
		named = append(named, p.Peers...)
	}
	var byName, byAddress []Peer
	v.each(s, menuPeer, func(r *reader) {
		p := r.peer()
		current, local := r.optional("current-address"), r.optional("local-address")
		switch {
		case slices.Contains(named, p.Name):
			byName = append(byName, p)
		case !p.Dynamic && v.leads(p, current) && (!local.IsValid() || !v.want.Local.IsValid() || local == v.want.Local):
			byAddress = append(byAddress, p)
		default:
			r.odd = ""
			return
		}
		v.remotes = add(v.remotes, current)
		v.locals = add(v.locals, local)
		if host, err := netip.ParsePrefix(p.Address); err == nil && host.IsSingleIP() {
			v.remotes = add(v.remotes, host.Addr())
		} else if ip, err := netip.ParseAddr(p.Address); err == nil {
			v.remotes = add(v.remotes, ip)
		}
	})
	v.Peers = byName
	if len(named) == 0 {
		v.Peers = byAddress
	}
}

// leads tells whether p, by its address, leads to the other end.
func (v *view) leads(p Peer, current netip.Addr) bool {
	if v.want.RemoteName != "" && p.Address == v.want.RemoteName {
		return true
	}
	if v.want.Remote.IsValid() && current == v.want.Remote {
		return true
	}
	prefix, err := netip.ParsePrefix(p.Address)
	if ip, bare := netip.ParseAddr(p.Address); bare == nil {
		prefix, err = netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	switch {
	case p.Address == "" || (err == nil && prefix.Bits() == 0):
		return v.want.RemoteAny && p.Exchange == v.want.Exchange
	case err != nil || !v.want.Remote.IsValid():
		return false
	}
	return prefix.IsSingleIP() && prefix.Addr() == v.want.Remote
}

// addresses collects between which addresses the tunnel runs.
func (v *view) addresses(s change.Snapshot) {
	v.locals = add(v.locals, v.want.Local)
	v.remotes = add(v.remotes, v.want.Remote)
	for _, row := range s.Menus[menuIPAddress] {
		on := row["interface"] == v.want.Interface || row["actual-interface"] == v.want.Interface
		p, err := netip.ParsePrefix(row["address"])
		if on && err == nil && row["disabled"] != "true" {
			v.locals = add(v.locals, p.Addr())
		}
	}
	for _, row := range s.Menus[menuPolicy] {
		r := &reader{menu: menuPolicy, row: row}
		p, ok := r.policy()
		if !ok || r.odd != "" || p.Disabled || p.Invalid || !slices.Contains(v.want.Policies, p.Selectors) {
			continue
		}
		v.locals = add(v.locals, r.optional("sa-src-address"))
		v.remotes = add(v.remotes, r.optional("sa-dst-address"))
	}
}

func add(list []netip.Addr, ip netip.Addr) []netip.Addr {
	if !ip.IsValid() || ip.IsUnspecified() || slices.Contains(list, ip.Unmap()) {
		return list
	}
	return append(list, ip.Unmap())
}

// local tells whether the end may send from ip.
func (v *view) local(ip netip.Addr) bool { return len(v.locals) == 0 || slices.Contains(v.locals, ip) }
