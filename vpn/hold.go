package vpn

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"vpnbot/ros/schema"
)

// HeldTunnel returns the definition of what both routers hold for a tunnel now:
// in's, with networks, mode, roles, IDs and algorithms as the rows have them, and
// without a key that the bot knows. It returns a *Refusal where rows are missing,
// and where the two ends hold what one definition cannot say.
func HeldTunnel(in TunnelChange) (Tunnel, error) {
	in.Unchecked = true // the definition is what gives way
	t, err := in.survey(false)
	if err != nil {
		return Tunnel{}, err
	}
	for i, e := range t.ends {
		if e.shares() {
			return Tunnel{}, refuse("tunnel_dynamic", "tunnel", in.Tunnel.Name, "router", e.Router, "site", t.ends[1-i].Site)
		}
	}
	held := in.Tunnel
	held.PSK, held.PSKMark = "", ""
	for i, e := range t.ends {
		if held.Ends[i], err = e.asEnd(); err != nil {
			return Tunnel{}, err
		}
	}
	if err := t.pairs(held); err != nil {
		return Tunnel{}, err
	}
	if held.Exchange, err = t.both(menuPeer, "exchange-mode", t.ends[0].peer, t.ends[1].peer); err != nil {
		return Tunnel{}, err
	}
	if held.Profile, err = t.heldProfile(); err != nil {
		return Tunnel{}, err
	}
	if held.Proposal, err = t.heldProposal(); err != nil {
		return Tunnel{}, err
	}
	if ps := held.Problems(in.Estate, t.Others, in.DialIns); len(ps) > 0 {
		return Tunnel{}, refuse("tunnel_definition", "tunnel", in.Tunnel.Name, "path", in.Tunnel.spot(ps[0].Path), "problem", ps[0].said())
	}
	return held, nil
}

// carrying are the policies of the tunnel's peer.
func (e *held) carrying() []schema.Row {
	return slices.DeleteFunc(slices.Concat(e.policies, e.extra), func(r schema.Row) bool {
		return r == nil || r["peer"] != e.peer["name"] || isTrue(r, menuPolicy, "disabled")
	})
}

// asEnd returns the end of a definition that this router holds.
func (e *held) asEnd() (End, error) {
	missing := func(what string) error { return refuse("held_missing", "router", e.Router, "what", what) }
	end := e.End
	switch {
	case e.peer == nil:
		return end, missing("peer")
	case e.identity == nil:
		return end, missing("identity")
	case len(e.carrying()) == 0:
		return end, missing("policy")
	}
	end.Prefixes = nil
	for _, row := range e.carrying() {
		if p := hostOrPrefix(row["src-address"]).Masked(); !slices.Contains(end.Prefixes, p) && !slices.Contains(end.Pools, p) {
			end.Prefixes = append(end.Prefixes, p)
		}
	}
	slices.SortFunc(end.Prefixes, func(a, b netip.Prefix) int { return cmp.Or(a.Addr().Compare(b.Addr()), a.Bits()-b.Bits()) })
	end.Probes = slices.DeleteFunc(slices.Clone(end.Probes), func(ip netip.Addr) bool { return !within(end.Prefixes, netip.PrefixFrom(ip, ip.BitLen())) })
	passive := isTrue(e.peer, menuPeer, "passive")
	switch {
	case passive:
		end.Role = Respond
	case end.Role == Respond:
		end.Role = Both
	}
	if end.ID = e.identity["my-id"]; end.ID == "auto" {
		end.ID = ""
	}
	return end, nil
}

// pairs refuses policies that are not one for each pair of networks.
func (t *works) pairs(held Tunnel) error {
	for i, e := range t.ends {
		for _, source := range held.Ends[i].Prefixes {
			for _, destination := range held.Ends[1-i].Prefixes {
				if !slices.ContainsFunc(e.carrying(), func(r schema.Row) bool {
					return hostOrPrefix(r["src-address"]).Masked() == source && hostOrPrefix(r["dst-address"]).Masked() == destination
				}) {
					return refuse("held_missing", "router", e.Router, "what", "policy "+source.String()+" - "+destination.String())
				}
			}
		}
	}
	return nil
}

// both returns the value that both rows have, in canonical form.
func (t *works) both(path, attr string, a, b schema.Row) (string, error) {
	menu, _ := schema.Lookup(path)
	x, y := menu.Canonical(attr, defaulted(path, a, attr)), menu.Canonical(attr, defaulted(path, b, attr))
	if x != y {
		return "", refuse("tunnel_differs", "attribute", attr, "near", t.ends[0].Router, "says", ReadableBytes(x), "far", t.ends[1].Router, "answers", ReadableBytes(y))
	}
	return x, nil
}

// bothOf reads several attributes that both rows have in common.
func (t *works) bothOf(path string, names [2]string, attrs ...string) (map[string]string, error) {
	var rows [2]schema.Row
	for i, e := range t.ends {
		found := e.rows(path, schema.Row{"name": names[i]})
		if len(found) == 0 {
			return nil, refuse("held_missing", "router", e.Router, "what", path[strings.LastIndexByte(path, '/')+1:]+" "+ReadableBytes(names[i]))
		}
		rows[i] = found[0]
	}
	values := map[string]string{}
	for _, attr := range attrs {
		v, err := t.both(path, attr, rows[0], rows[1])
		if err != nil {
			return nil, err
		}
		values[attr] = v
	}
	return values, nil
}

func (t *works) heldProfile() (Profile, error) {
	names := [2]string{defaulted(menuPeer, t.ends[0].peer, "profile"), defaulted(menuPeer, t.ends[1].peer, "profile")}
	v, err := t.bothOf(menuProfile1, names, "enc-algorithm", "hash-algorithm", "dh-group", "lifetime", "dpd-interval", "dpd-maximum-failures", "nat-traversal")
	if err != nil {
		return Profile{}, err
	}
	failures, _ := strconv.Atoi(v["dpd-maximum-failures"]) // Problems refuses what is no number
	return Profile{
		Encryption: strings.Split(v["enc-algorithm"], ","), Hash: v["hash-algorithm"], DHGroups: strings.Split(v["dh-group"], ","),
		Lifetime: v["lifetime"], DPDInterval: v["dpd-interval"], DPDFailures: failures, NATTraversal: v["nat-traversal"] == "true",
	}, nil
}

func (t *works) heldProposal() (Proposal, error) {
	var names [2]string
	for i, e := range t.ends {
		rows := e.carrying()
		names[i] = defaulted(menuPolicy, rows[0], "proposal")
		for _, row := range rows[1:] {
			if other := defaulted(menuPolicy, row, "proposal"); other != names[i] {
				return Proposal{}, refuse("tunnel_differs", "attribute", "proposal", "near", e.Router, "says", ReadableBytes(names[i]),
					"far", e.Router, "answers", ReadableBytes(other))
			}
		}
	}
	v, err := t.bothOf(menuProposal, names, "enc-algorithms", "auth-algorithms", "pfs-group", "lifetime")
	if err != nil {
		return Proposal{}, err
	}
	p := Proposal{Encryption: strings.Split(v["enc-algorithms"], ","), PFSGroup: v["pfs-group"], Lifetime: v["lifetime"]}
	if auth := v["auth-algorithms"]; slices.ContainsFunc(p.Encryption, needsAuth) {
		p.Auth = strings.Split(auth, ",")
	}
	return p, nil
}
