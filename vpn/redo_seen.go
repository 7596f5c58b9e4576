package vpn

import (
	"net/netip"
	"slices"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// seen chooses the rows whose change makes the plan stale, and no others: what
// happens to another tunnel or to an account of the same router leaves the plan
// as it is.
func (t *works) seen(ends [2]*held) []change.Observation {
	var seen []change.Observation
	for _, e := range ends {
		var asked []change.Query
		for _, q := range e.queries(t) {
			same := func(p change.Query) bool {
				return p.Menu == q.Menu && slices.Equal(p.Where.Names(), q.Where.Names()) && q.Matches(p.Where)
			}
			if !slices.ContainsFunc(asked, same) {
				asked = append(asked, q)
				seen = append(seen, e.snap.Observe(q))
			}
		}
	}
	return seen
}

// touched adds the rows that the steps of both ends remove.
func (t *works) touched(seen []change.Observation) []change.Observation {
	for _, e := range t.ends {
		for _, s := range e.steps {
			seen = append(seen, e.snap.Observe(change.Query{Menu: s.Menu, Where: s.Match}))
		}
	}
	return seen
}

// queries names what this end's steps rest on: the tunnel's rows, whoever else
// refers to them, that nothing bears the new names, and what may translate.
func (e *held) queries(t *works) []change.Query {
	if e.shares() {
		return e.sharedQueries(t)
	}
	var list []change.Query
	ask := func(menu string, pairs ...string) {
		where := schema.Row{}
		for i := 0; i+1 < len(pairs); i += 2 {
			where[pairs[i]] = pairs[i+1]
		}
		list = append(list, change.Query{Menu: menu, Where: where})
	}
	ask(menuMode)
	ask(menuAddress, "interface", e.WAN, "dynamic", "false")
	names := []string{t.name}
	if e.peer != nil {
		names = append(names, e.peer["name"])
	}
	for _, row := range e.left {
		names = append(names, row["name"])
		ask(menuProposal, "name", row["name"])
		ask(menuPolicy, "proposal", row["name"])
		ask(menuPeer, "profile", defaulted(menuPeer, row, "profile"))
	}
	for _, name := range names {
		ask(menuPeer, "name", name)
		ask(menuIdentity, "peer", name)
		ask(menuPolicy, "peer", name)
	}
	ask(menuPeer, "address", e.newPeer(t)["address"])
	ask(menuProfile1, "name", t.name)
	ask(menuProposal, "name", t.name)
	if e.peer != nil {
		profile := defaulted(menuPeer, e.peer, "profile")
		ask(menuProfile1, "name", profile)
		ask(menuPeer, "profile", profile)
	}
	for i, pair := range e.want.Policies {
		ask(menuPolicy, "src-address", pair.Source.String(), "dst-address", pair.Destination.String())
		if old := e.policies[i]; old != nil {
			proposal := defaulted(menuPolicy, old, "proposal")
			ask(menuProposal, "name", proposal)
			ask(menuPolicy, "proposal", proposal)
		}
		if t.kind.rebuilds() {
			ask(menuNAT, "chain", "srcnat", "src-address", pair.Source.String(), "dst-address", pair.Destination.String())
		}
	}
	if t.kind == removal {
		ask(menuFilter, "chain", "input", "comment", e.tunnel)
	}
	for _, pair := range e.dropped {
		ask(menuNAT, "chain", "srcnat", "src-address", pair.Source.String(), "dst-address", pair.Destination.String())
	}
	if e.was != nil {
		ask(menuFilter)
		ask(menuMember)
	}
	if t.kind == addition || t.kind == reaching {
		ask(menuPool)
		ask(menuFilter)
		ask(menuMember)
	}
	for _, d := range e.servers {
		if t.kind == reaching {
			ask(menuProfile, "name", d.Profile)
		}
	}
	if t.kind.rebuilds() {
		ask(menuNAT, "chain", "srcnat", "action", "masquerade")
		ask(menuNAT, "chain", "srcnat", "action", "src-nat")
	}
	return list
}

// reach ranks how hard a router is to reach: through the tunnel itself, over the
// Internet, or at home.
func (e *held) reach() int {
	switch {
	case e.inBand():
		return 0
	case e.home():
		return 2
	}
	return 1
}

// inBand tells whether the bot's own logins come from networks behind the tunnel,
// or from the dial-in server of this router.
func (e *held) inBand() bool {
	return slices.ContainsFunc(e.logins(), func(ip netip.Addr) bool {
		if slices.ContainsFunc(e.far.Prefixes, func(p netip.Prefix) bool { return p.Contains(ip) }) {
			return true
		}
		return slices.ContainsFunc(e.snap.Menus[menuPool], func(r schema.Row) bool {
			return slices.Contains(e.pools, r["name"]) && inRanges(r["ranges"], ip)
		})
	})
}

// home tells whether the bot is at this router's own site.
func (e *held) home() bool {
	return slices.ContainsFunc(e.logins(), e.site.Contains)
}

// logins are the addresses from which the bot is logged in.
func (e *held) logins() []netip.Addr {
	r, _ := e.estate.Router(e.Router)
	return logins(e.snap, r)
}

// tunnelPlan is what the engine needs beyond the steps.
func (t *works) tunnelPlan(ends [2]*held) *change.TunnelPlan {
	p := &change.TunnelPlan{Name: t.Tunnel.Name, Guard: tunnelGuard, Patience: tunnelPatience}
	for i, e := range ends {
		end := change.TunnelEnd{Router: e.Router, Site: e.Site, Local: e.local, Remote: e.remote, InBand: e.inBand()}
		if e.was != nil {
			end.WasLocal, end.WasRemote = e.wasLocal, e.wasRemote
		}
		if e.shares() {
			end.RemoteID = e.want.RemoteID
		}
		if end.InBand {
			p.Delay = tunnelDelay
		}
		for _, pair := range e.want.Policies {
			end.Selectors = append(end.Selectors, change.Selectors(pair))
			from, near := e.own(pair.Source)
			to, far := e.probe(pair.Destination)
			switch {
			case near && far:
				end.Probes = append(end.Probes, change.Probe{From: from, To: to})
			case !near:
				p.Unproven = addPrefix(p.Unproven, pair.Source)
			default:
				p.Unproven = addPrefix(p.Unproven, pair.Destination)
			}
		}
		p.Ends[i] = end
	}
	slices.SortFunc(p.Unproven, netip.Prefix.Compare)
	return p
}

func addPrefix(list []netip.Prefix, p netip.Prefix) []netip.Prefix {
	if slices.Contains(list, p) {
		return list
	}
	return append(list, p)
}

// own returns this router's address in one of its networks: pings can be sent
// from there alone. The one that it has in a client's session goes with it.
func (e *held) own(p netip.Prefix) (netip.Addr, bool) {
	for _, a := range e.page.addresses {
		if p.Contains(a.ip) && (!a.dynamic || !slices.Contains(e.Pools, p)) {
			return a.ip, true
		}
	}
	return netip.Addr{}, false
}

// probe returns an address at the other end that answers.
func (e *held) probe(p netip.Prefix) (netip.Addr, bool) {
	i := slices.IndexFunc(e.far.Probes, p.Contains)
	if i < 0 {
		return netip.Addr{}, false
	}
	return e.far.Probes[i], true
}
