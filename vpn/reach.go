package vpn

import (
	"net/netip"
	"slices"
	"strings"

	"vpnbot/change"
)

// network is where packets of a site's dial-in clients come from, as selectors of a
// tunnel name it: the smallest network that holds the pool, with the router's own
// address in the sessions where nothing of the site's LAN comes in with it.
func (s DialInSetup) network(site Site) netip.Prefix {
	total := spans(strings.Join(s.Ranges, ","))
	if len(total) == 0 {
		return netip.Prefix{}
	}
	alone := cover(total)
	if s.Local.Is4() {
		with := cover(append(slices.Clone(total), span{s.Local, s.Local}))
		if with.Bits() >= maxPoolNetwork && !slices.ContainsFunc(site.LAN, with.Overlaps) {
			return with
		}
	}
	return alone
}

// maxPoolNetwork bounds the network that a router's address far from the pool makes.
const maxPoolNetwork = 20

// cover is the smallest network that holds all of list, which is not empty.
func cover(list []span) netip.Prefix {
	low, high := list[0].first, list[0].last
	for _, s := range list[1:] {
		if s.first.Less(low) {
			low = s.first
		}
		if high.Less(s.last) {
			high = s.last
		}
	}
	for bits := low.BitLen(); bits > 0; bits-- {
		if p := netip.PrefixFrom(low, bits).Masked(); p.Contains(high) {
			return p
		}
	}
	return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
}

// Reached returns t with the networks of those dial-in clients that reach the other
// end through it. They follow from the definitions of the dial-in servers and stand
// in none of a tunnel: who changes one of either has both in step.
func (t Tunnel) Reached(dialins []DialIn, e Estate) Tunnel {
	t = t.clone()
	for i := range t.Ends {
		end := &t.Ends[i]
		end.Pools = nil
		site, _ := e.Site(end.Site)
		for _, d := range dialins {
			if !SameName(d.Router, end.Router) || !d.reaches(t.Ends[1-i].Site) {
				continue
			}
			if p := d.Setup.network(site); p.IsValid() && !within(end.Prefixes, p) && !slices.Contains(end.Pools, p) {
				end.Pools = append(end.Pools, p)
			}
		}
	}
	return t
}

// reaches tells whether the clients of d are to reach a site.
func (d DialIn) reaches(site string) bool {
	return d.Setup != nil && slices.ContainsFunc(d.Setup.Reach, func(name string) bool { return SameName(name, site) })
}

// networks are all that an end's policies carry.
func (e End) networks() []netip.Prefix { return slices.Concat(e.Prefixes, e.Pools) }

// ways are the tunnels by which clients of d come to a site.
func (d DialIn) ways(site string, tunnels []Tunnel) []Tunnel {
	return slices.DeleteFunc(slices.Clone(tunnels), func(t Tunnel) bool {
		return !slices.ContainsFunc([]int{0, 1}, func(i int) bool {
			return SameName(t.Ends[i].Router, d.Router) && SameName(t.Ends[1-i].Site, site)
		})
	})
}

// ReachProblems returns what keeps the clients of d from the sites that its
// definition lets them reach: a tunnel that is missing, networks that overlap. It
// returns nothing where it lists none. Paths begin at the definition.
func (d DialIn) ReachProblems(e Estate, tunnels []Tunnel, dialins []DialIn) []Problem {
	var ps problems
	if d.Setup == nil || len(d.Setup.Reach) == 0 {
		return nil
	}
	site, _ := e.Site(d.Site)
	network := d.Setup.network(site)
	if !network.IsValid() {
		return nil // said of the ranges
	}
	for i, name := range d.Setup.Reach {
		d.checkReach(&ps, e, name, tunnels)
		if slices.ContainsFunc(d.Setup.Reach[:i], func(o string) bool { return SameName(o, name) }) {
			ps.say(change.T("problem.reach_twice", "far", name), "this site stands in the list already: expected it once", "reach")
		}
	}
	for _, other := range e.Sites {
		if other.Name != site.Name && slices.ContainsFunc(other.LAN, network.Overlaps) {
			ps.say(change.T("problem.reach_lan", "network", network.String(), "far", other.Name),
				"the clients' network "+network.String()+" overlaps the lan of "+other.Name+": expected addresses apart from it", "reach")
		}
	}
	for _, o := range dialins {
		if o.Setup == nil || SameName(o.Site, d.Site) {
			continue
		}
		theirs, _ := e.Site(o.Site)
		if p := o.Setup.network(theirs); p.IsValid() && p.Overlaps(network) {
			ps.say(change.T("problem.reach_pool", "network", network.String(), "far", o.Site),
				"the clients' network "+network.String()+" overlaps that of the clients of "+o.Site+": expected addresses apart from it", "reach")
		}
	}
	d.checkCarried(&ps, network, tunnels)
	return ps
}

// checkReach refuses a site to which no tunnel of this router leads.
func (d DialIn) checkReach(ps *problems, e Estate, name string, tunnels []Tunnel) {
	far, known := e.Site(name)
	ways := d.ways(name, tunnels)
	switch {
	case !known:
		ps.say(change.T("problem.reach_site", "far", name), "expected the name of a site in the configuration", "reach")
	case SameName(far.Name, d.Site):
		ps.say(change.T("problem.reach_own", "far", name), "clients reach their own site anyway: expected another site", "reach")
	case len(ways) == 0:
		ps.say(change.T("problem.reach_no_tunnel", "far", name, "router", d.Router), "no tunnel leads from "+d.Router+" to "+name+": expected a site with one", "reach")
	case len(ways) > 1:
		ps.say(change.T("problem.reach_several", "far", name, "router", d.Router), "several tunnels lead from "+d.Router+" to "+name+": expected one", "reach")
	}
	for _, t := range ways {
		for _, end := range t.Ends {
			if _, ours := e.Router(end.Router); !ours {
				ps.say(change.T("problem.reach_foreign", "far", name, "tunnel", t.Name), "tunnel "+t.Name+" ends at a router that is not ours: expected one whose both ends are", "reach")
			}
		}
	}
}

// checkCarried refuses clients' addresses of which a tunnel of this router carries a
// part only, and those that lie behind another end of one.
func (d DialIn) checkCarried(ps *problems, network netip.Prefix, tunnels []Tunnel) {
	for _, t := range tunnels {
		for i, end := range t.Ends {
			if !SameName(end.Router, d.Router) {
				continue
			}
			part := !within(end.Prefixes, network) && slices.ContainsFunc(end.Prefixes, network.Overlaps)
			if part || slices.ContainsFunc(t.Ends[1-i].Prefixes, network.Overlaps) {
				ps.say(change.T("problem.reach_tunnel", "network", network.String(), "tunnel", t.Name),
					"the clients' network "+network.String()+" overlaps networks of tunnel "+t.Name+": expected addresses apart from them", "reach")
			}
		}
	}
}

// Redefined returns the version of held that follows when also holds: the sites that
// the clients of a dial-in server reach. Whatever else has been changed since also was
// computed stays.
func Redefined(held change.Definition, also change.Redefinition) (change.Definition, error) {
	d, err := DecodeDialIn(held)
	if err != nil {
		return change.Definition{}, err
	}
	next, err := DecodeDialIn(change.Definition{DefinitionRef: also.DefinitionRef, Body: also.Body})
	if err != nil {
		return change.Definition{}, err
	}
	if d.Setup != nil && next.Setup != nil {
		d.Setup.Reach = next.Setup.Reach
	}
	held.Version++
	held.Body, err = d.Encode()
	return held, err
}
