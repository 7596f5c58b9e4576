package vpn

import (
	"net/netip"
	"slices"

	"vpnbot/change"
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
	pages   []*page      // samples that can be read, oldest first
}

// now is the newest page, nil for a silent end.
func (v *view) now() *page {
	if !v.silent.IsZero() {
		return &page{}
	}
	return v.pages[len(v.pages)-1]
}

// read fills v from the newest page, except for phase 1 and the SAs, which are
// the tunnel's only in the light of the other end.
func (v *view) read(p *page) {
	v.odd = map[string]change.Text{}
	for _, sel := range v.want.Policies {
		v.Policies = append(v.Policies, Policy{Selectors: sel})
	}
	for i := range p.policies {
		v.policy(&p.policies[i])
	}
	v.peers(p)
	v.addresses(p)
	for i := range p.phase1 {
		if r := &p.phase1[i]; r.odd != "" && !v.elsewhere(r.Remote) {
			v.doubtful(r.origin)
		}
	}
	for i := range p.sas {
		if r := &p.sas[i]; r.odd != "" && !(v.elsewhere(r.from.Addr()) && v.elsewhere(r.to.Addr())) {
			v.doubtful(r.origin)
		}
	}
}

// doubtful keeps the first row of a menu that is not understood.
func (v *view) doubtful(o origin) {
	if _, known := v.odd[o.menu]; !known {
		v.odd[o.menu] = o.text(v.Router)
	}
}

// policy keeps r when it is wanted and does more than what stands there.
func (v *view) policy(r *policyRow) {
	i := slices.IndexFunc(v.Policies, func(w Policy) bool { return w.Selectors == r.Selectors })
	readable := r.Source.IsValid() && r.Destination.IsValid()
	if r.odd != "" && (!readable || i >= 0) {
		v.doubtful(r.origin)
	}
	if i < 0 || !r.carries {
		return
	}
	p := r.Policy
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
func (v *view) peers(p *page) {
	var named []string
	for _, p := range v.Policies {
		named = append(named, p.Peers...)
	}
	var byName, byAddress []Peer
	for i := range p.peers {
		r := &p.peers[i]
		switch {
		case slices.Contains(named, r.Name):
			byName = append(byName, r.Peer)
		case !r.Dynamic && v.leads(r) && (!r.local.IsValid() || !v.want.Local.IsValid() || r.local == v.want.Local):
			byAddress = append(byAddress, r.Peer)
		default:
			continue
		}
		if r.odd != "" {
			v.doubtful(r.origin)
		}
		v.remotes = add(v.remotes, r.current)
		v.locals = add(v.locals, r.local)
		if r.prefix.IsSingleIP() {
			v.remotes = add(v.remotes, r.prefix.Addr())
		}
	}
	v.Peers = byName
	if len(named) == 0 {
		v.Peers = byAddress
	}
}

// leads tells whether a peer, by its address, leads to the other end.
func (v *view) leads(r *peerRow) bool {
	switch {
	case v.want.RemoteName != "" && r.Address == v.want.RemoteName:
		return true
	case v.want.Remote.IsValid() && r.current == v.want.Remote:
		return true
	case r.Address == "" || (r.prefix.IsValid() && r.prefix.Bits() == 0):
		return v.want.RemoteAny && r.Exchange == v.want.Exchange
	}
	return v.want.Remote.IsValid() && r.prefix.IsSingleIP() && r.prefix.Addr() == v.want.Remote
}

// addresses collects between which addresses the tunnel runs.
func (v *view) addresses(p *page) {
	v.locals = add(v.locals, v.want.Local)
	v.remotes = add(v.remotes, v.want.Remote)
	for _, a := range p.addresses {
		if slices.Contains(a.interfaces[:], v.want.Interface) {
			v.locals = add(v.locals, a.ip)
		}
	}
	for i := range p.policies {
		r := &p.policies[i]
		if r.carries && r.odd == "" && !r.Disabled && !r.Invalid && slices.Contains(v.want.Policies, r.Selectors) {
			v.locals = add(v.locals, r.sa[0])
			v.remotes = add(v.remotes, r.sa[1])
		}
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

// elsewhere tells whether ip is known not to be the other end's.
func (v *view) elsewhere(ip netip.Addr) bool {
	return ip.IsValid() && len(v.remotes) > 0 && !slices.Contains(v.remotes, ip)
}
