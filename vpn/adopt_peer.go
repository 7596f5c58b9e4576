package vpn

import (
	"net/netip"
	"slices"
	"strings"

	"vpnbot/ros/schema"
)

// candidate is a peer that may be the tunnel's.
type candidate struct {
	row   schema.Row
	extra []schema.Row // policies of it that the definition does not want
	used  bool         // it is on, or carries something
}

// findPeer finds the one peer that the tunnel uses. Others to the same end that
// are off and carry nothing were left behind.
func (e *held) findPeer(others []Tunnel) error {
	if e.shares() {
		return e.findShared()
	}
	found, err := e.candidates(others)
	if err != nil {
		return err
	}
	used := slices.DeleteFunc(slices.Clone(found), func(c candidate) bool { return !c.used })
	if len(found) == 1 {
		used = found
	}
	switch {
	case len(found) == 0:
		return nil
	case len(used) != 1:
		two := append(used, found...)[:2]
		return refuse("tunnel_peers", "router", e.Router, "first", ReadableBytes(two[0].row["name"]), "second", ReadableBytes(two[1].row["name"]))
	}
	e.peer, e.extra = used[0].row, used[0].extra
	for _, c := range found {
		if c.row["name"] != e.peer["name"] {
			e.left = append(e.left, c.row)
		}
	}
	for _, row := range e.extra {
		if _, ok := e.identify(menuPolicy, row, "peer", "src-address", "dst-address"); !ok {
			return refuse("tunnel_policy_twice", "router", e.Router, "source", row["src-address"], "destination", row["dst-address"])
		}
	}
	return nil
}

// candidates are the peers that the tunnel may use: its policies name them, or
// they lead to the other end.
func (e *held) candidates(others []Tunnel) (found []candidate, err error) {
	for i := range e.page.peers {
		p, row := &e.page.peers[i], e.snap.Menus[menuPeer][i]
		named := slices.ContainsFunc(e.policies, func(r schema.Row) bool { return r != nil && r["peer"] == row["name"] })
		leads := e.leads(p)
		if p.Dynamic || !named && !leads {
			continue
		}
		if p.odd != "" {
			return nil, e.unreadable(p.origin)
		}
		extra, stranger := e.carried(row["name"], others)
		switch {
		case stranger != nil && named && leads:
			return nil, refuse("tunnel_peer_shared", "router", e.Router, "peer", ReadableBytes(row["name"]),
				"source", stranger["src-address"], "destination", stranger["dst-address"])
		case stranger != nil || !leads && e.elsewhere(p, others):
			continue // somebody else's, to which a policy of ours points or which goes the same way
		}
		found = append(found, candidate{row, extra, named || len(extra) > 0 || !p.Disabled})
	}
	return found, nil
}

// carried returns the policies of a peer that the definition does not want:
// those between the two sites' networks are the tunnel's, any other is a
// stranger's.
func (e *held) carried(peer string, others []Tunnel) (extra []schema.Row, stranger schema.Row) {
	for i, row := range e.snap.Menus[menuPolicy] {
		if !static(row) || !slices.Contains(strings.Split(row["peer"], ","), peer) {
			continue
		}
		p := &e.page.policies[i]
		wanted := slices.ContainsFunc(e.policies, func(r schema.Row) bool { return r != nil && r[schema.ID] == row[schema.ID] })
		switch {
		case wanted:
		case !p.unclear() && p.carries && row["peer"] == peer && e.between(p.Selectors) && !wantedBy(others, e.Router, p.Selectors):
			extra = append(extra, row)
		default:
			return nil, row
		}
	}
	return extra, nil
}

// between tells whether a pair joins the two sites, or did by a definition that is
// being changed.
func (e *held) between(s Selectors) bool {
	return within(e.site.LAN, s.Source) && within(e.farSite.LAN, s.Destination) || slices.Contains(e.dropped, s)
}

func within(networks []netip.Prefix, p netip.Prefix) bool {
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Bits() <= p.Bits() && n.Contains(p.Addr()) })
}

// wantedBy tells whether another definition joins the same networks at router.
func wantedBy(others []Tunnel, router string, s Selectors) bool {
	return slices.ContainsFunc(others, func(o Tunnel) bool {
		return slices.ContainsFunc([]int{0, 1}, func(i int) bool {
			return SameName(o.Ends[i].Router, router) && slices.Contains(o.Ends[i].Prefixes, s.Source) &&
				slices.Contains(o.Ends[1-i].Prefixes, s.Destination)
		})
	})
}

// leads tells whether a peer leads to the other end, over this end's WAN: the one of
// the definition, or the one from which the end moves.
func (e *held) leads(p *peerRow) bool {
	return e.leadsTo(p, e.want, e.remote) || e.was != nil && e.leadsTo(p, *e.was, e.wasRemote)
}

func (e *held) leadsTo(p *peerRow, want ExpectedEnd, remote netip.Addr) bool {
	if p.local.IsValid() && want.Local.IsValid() && p.local != want.Local {
		return false
	}
	if want.Remote = remote; p.prefix.IsSingleIP() && p.prefix.Addr().Unmap() == remote {
		return true
	}
	return (&view{want: want}).leads(p)
}

// elsewhere tells whether a peer leads to another tunnel's far end.
func (e *held) elsewhere(p *peerRow, others []Tunnel) bool {
	for _, o := range others {
		for i, end := range o.Expect(e.estate).Ends {
			if SameName(o.Ends[i].Router, e.Router) && (&view{want: end}).leads(p) {
				return true
			}
		}
	}
	return false
}

// findIdentity finds the peer's one identity.
func (e *held) findIdentity() error {
	if e.peer == nil {
		return nil
	}
	rows := e.mine(slices.DeleteFunc(e.rows(menuIdentity, schema.Row{"peer": e.peer["name"]}), func(r schema.Row) bool {
		return isTrue(r, menuIdentity, "dynamic")
	}))
	name := ReadableBytes(e.peer["name"])
	switch {
	case len(rows) == 0:
		return nil
	case len(rows) > 1:
		return refuse("tunnel_identities", "router", e.Router, "peer", name, "count", len(rows))
	}
	method := defaulted(menuIdentity, rows[0], "auth-method")
	if mode := rows[0]["mode-config"]; mode != "" && mode != "none" {
		method = "mode-config"
	}
	if method != "pre-shared-key" {
		return refuse("tunnel_identity_other", "router", e.Router, "peer", name, "method", method)
	}
	e.identity = rows[0]
	return nil
}
