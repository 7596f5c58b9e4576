package vpn

import (
	"cmp"
	"net/netip"
	"slices"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// ReachMenus returns the menus that the snapshots for PlanReach hold.
func ReachMenus() []string { return append(AddMenus(), menuProfile) }

// ReachChange is what PlanReach computes from: the tunnel as its definition says, and
// the definitions of all dial-in servers as they hold.
type ReachChange struct {
	TunnelChange
	// DialIn is the server as it is to be, Server the version from which that was made.
	DialIn DialIn
	Server change.DefinitionRef
}

// ReachTunnels returns the tunnels that change when a dial-in server becomes next:
// their policies carry its clients to a site from then on, or no more.
func ReachTunnels(e Estate, tunnels []Tunnel, dialins []DialIn, next DialIn) []Tunnel {
	then := replaced(dialins, next)
	return slices.DeleteFunc(slices.Clone(tunnels), func(t Tunnel) bool {
		was, is := t.Reached(dialins, e), t.Reached(then, e)
		return slices.Equal(was.Ends[0].Pools, is.Ends[0].Pools) && slices.Equal(was.Ends[1].Pools, is.Ends[1].Pools)
	})
}

// replaced are dialins with next in the place of the one for its site.
func replaced(dialins []DialIn, next DialIn) []DialIn {
	list := slices.DeleteFunc(slices.Clone(dialins), func(d DialIn) bool { return SameName(d.Site, next.Site) })
	return append(list, next)
}

// CheckReach returns a *Refusal that says why clients of d cannot reach the sites that
// its definition lists.
func CheckReach(d DialIn, e Estate, tunnels []Tunnel, dialins []DialIn) error {
	if ps := d.ReachProblems(e, tunnels, dialins); len(ps) > 0 {
		return refuse("reach", "site", d.Site, "problem", ps[0].said())
	}
	return nil
}

// farNetworks are the networks behind the other end of each tunnel that brings clients
// of d to a site.
func (d DialIn) farNetworks(tunnels []Tunnel) []netip.Prefix {
	var list []netip.Prefix
	if d.Setup == nil {
		return nil
	}
	for _, site := range d.Setup.Reach {
		for _, t := range d.ways(site, tunnels) {
			for i, end := range t.Ends {
				if SameName(t.Ends[1-i].Router, d.Router) && SameName(end.Site, site) {
					list = append(list, end.Prefixes...)
				}
			}
		}
	}
	return list
}

// checkReach refuses a definition of the tunnel with which clients of a dial-in server
// would not reach what its definition lists.
func (in TunnelChange) checkReach(next Tunnel) error {
	tunnels := slices.DeleteFunc(slices.Clone(in.Others), func(o Tunnel) bool { return SameName(o.Name, next.Name) })
	for _, d := range in.DialIns {
		if d.reaches(next.Ends[0].Site) || d.reaches(next.Ends[1].Site) {
			if err := CheckReach(d, in.Estate, append(tunnels, next), in.DialIns); err != nil {
				return err
			}
		}
	}
	return nil
}

// PlanReach computes the plan that lets the clients of a dial-in server reach another
// site through a tunnel, or keeps them from it. The tunnel is made anew with policies
// for their network, as PlanSet does it: both ends have the new policies or neither
// has. The definition of the server changes with it, under the same digest. It returns
// a *Refusal when packets of something else would be taken.
func PlanReach(in ReachChange) (change.Plan, error) {
	held := in.DialIns
	was := in.Tunnel.Reached(held, in.Estate)
	in.DialIns = replaced(held, in.DialIn)
	in.Tunnel, in.was = in.Tunnel.Reached(in.DialIns, in.Estate), &was
	t, err := in.survey(true)
	if err != nil {
		return change.Plan{}, err
	}
	t.kind = reaching
	for _, e := range t.ends {
		if err := cmp.Or(e.checkPools(), e.checkShared(t)); err != nil {
			return change.Plan{}, err
		}
	}
	for _, e := range t.ends {
		e.redo(t)
		e.openForward()
		e.closeForward()
	}
	plan, err := t.finish()
	if err != nil {
		return change.Plan{}, err
	}
	body, err := in.DialIn.Encode()
	if err != nil {
		return change.Plan{}, err
	}
	plan.Also = []change.Redefinition{{DefinitionRef: in.Server, Body: body}}
	return plan, nil
}

// checkPools refuses networks of clients that this router has itself, gives away or
// sends elsewhere.
func (e *held) checkPools() error {
	if err := e.reachable(e.far.Pools); err != nil {
		return err
	}
	ours := slices.Concat(e.policies, e.extra)
	for i, row := range e.snap.Menus[menuPolicy] {
		p := &e.page.policies[i]
		if !static(row) || p.Disabled || slices.ContainsFunc(ours, func(r schema.Row) bool { return r != nil && r[schema.ID] == row[schema.ID] }) {
			continue
		}
		if slices.ContainsFunc(e.pairs(), func(s Selectors) bool { return s.Source.Overlaps(p.Source) && s.Destination.Overlaps(p.Destination) }) {
			return refuse("add_overlap", "router", e.Router, "source", p.Source.String(), "destination", p.Destination.String(),
				"peer", ReadableBytes(row["peer"]))
		}
	}
	return nil
}

// pairs are the networks that policies join for clients of either end.
func (e *held) pairs() []Selectors {
	return slices.DeleteFunc(slices.Clone(e.want.Policies), func(s Selectors) bool {
		return !slices.Contains(e.Pools, s.Source) && !slices.Contains(e.far.Pools, s.Destination)
	})
}

// openForward stages rules on top that let clients through to the other end, where the
// router's rules do not certainly do so: at their own end out of the session, at the
// other out of the tunnel. Answers belong to connections that were let through.
func (e *held) openForward() {
	rules := e.rules()
	for _, pair := range e.pairs() {
		row := schema.Row{"chain": "forward", "action": "accept", "src-address": pair.Source.String(), "dst-address": pair.Destination.String()}
		p := packet{chain: "forward", protocol: "tcp", port: 443, list: e.sessionList()}
		if slices.Contains(e.far.Pools, pair.Destination) {
			row["src-address"], row["dst-address"] = pair.Destination.String(), pair.Source.String()
			row["ipsec-policy"] = "in,ipsec"
			p.in, p.ipsec = e.WAN, true
		}
		p.from, p.to = spans(row["src-address"]), spans(row["dst-address"])
		if rules.fate(p) == accepted {
			continue
		}
		match := row.Clone()
		row["comment"] = e.tunnel
		if len(e.rows(menuFilter, match)) > 0 { // it is there and does not do it
			match["comment"] = row["comment"]
		}
		s := e.stage(menuFilter, row, change.T("plan.step.forward_clients", "source", row["src-address"], "destination", row["dst-address"]))
		s.Match, s.Place = match, change.TopPlace
	}
}

// closeForward removes the rules that openForward made for clients that do not reach
// the other end any more: they bear the bot's mark behind the tunnel's name.
func (e *held) closeForward() {
	for _, row := range e.snap.Menus[menuFilter] {
		if row["chain"] != "forward" || defaulted(menuFilter, row, "action") != "accept" || !marked(row) || change.Unmarked(row["comment"]) != e.tunnel {
			continue
		}
		gone := slices.ContainsFunc(e.dropped, func(s Selectors) bool {
			return same(row["src-address"], s.Source) && same(row["dst-address"], s.Destination) ||
				same(row["src-address"], s.Destination) && same(row["dst-address"], s.Source)
		})
		if match, ok := e.identify(menuFilter, row, "chain", "action", "src-address", "dst-address", "comment"); gone && ok {
			e.commit(menuFilter, row, match, change.T("plan.step.forward_gone", "source", row["src-address"], "destination", row["dst-address"]))
		}
	}
}

// sessionList is the interface list that sessions of this router's clients join.
func (e *held) sessionList() string {
	for _, d := range e.servers {
		if rows := e.rows(menuProfile, schema.Row{"name": d.Profile}); len(rows) > 0 {
			return rows[0]["interface-list"]
		}
	}
	return ""
}

// reachSummary is the first line of a plan about clients of a dial-in server.
func (t *works) reachSummary(facts []any) change.Text {
	gained, lost := 0, 0
	server, far := t.ends[0].site, t.ends[1].site
	for i, e := range t.ends {
		if !slices.Equal(e.Pools, t.was.Ends[i].Pools) {
			server, far = e.site, e.farSite
			gained, lost = len(e.Pools), len(t.was.Ends[i].Pools)
		}
	}
	facts = append(facts, "server", called(server), "reached", called(far))
	if gained < lost {
		return change.T("plan.reach.summary.less", facts...)
	}
	return change.T("plan.reach.summary", facts...)
}
