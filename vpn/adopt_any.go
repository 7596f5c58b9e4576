package vpn

import (
	"net/netip"
	"slices"

	"vpnbot/ros/schema"
)

// Where nobody can know the other end's address, one peer takes any and is shared by
// all such ends: the tunnel is told from the others by its identity, the policy
// group that this names, and the templates in the group. Its policies are made by
// the router when the other end calls, and go with its phase 1.

// shares tells whether this end has such a peer.
func (e *held) shares() bool { return e.want.RemoteAny }

// mine leaves, of the identities of a shared peer, those of the other end's ID.
func (e *held) mine(identities []schema.Row) []schema.Row {
	if !e.shares() {
		return identities
	}
	return slices.DeleteFunc(identities, func(r schema.Row) bool { return r["remote-id"] != e.far.ID })
}

// called is the address from which the other end calls now: that of the one phase 1
// under its ID, invalid where there is none or several.
func (e *held) called() netip.Addr {
	var from []netip.Addr
	for i := range e.page.phase1 {
		if p := &e.page.phase1[i]; p.odd == "" && p.State == established && e.want.RemoteID != "" && p.ID == e.want.RemoteID {
			from = add(from, p.Remote)
		}
	}
	if len(from) != 1 {
		return netip.Addr{}
	}
	return from[0]
}

// group is the policy group of the tunnel's identity.
func (e *held) group() string {
	if g := e.identity["policy-template-group"]; g != "" {
		return g
	}
	return "default"
}

// checkTemplates refuses a shared end at which the router would make no policy for a
// pair of networks.
func (e *held) checkTemplates() error {
	if v := defaulted(menuIdentity, e.identity, "generate-policy"); v != "port-strict" && v != "port-override" {
		return refuse("tunnel_missing", "router", e.Router, "what", "generate-policy=port-strict")
	}
	for _, pair := range e.want.Policies {
		if !slices.ContainsFunc(e.snap.Menus[menuPolicy], func(r schema.Row) bool { return e.makes(r, pair) }) {
			return refuse("tunnel_missing", "router", e.Router, "what", "policy template "+pair.Source.String()+" - "+pair.Destination.String())
		}
	}
	return nil
}

// makes tells whether a row is a template of the tunnel's group by which the router
// makes a policy for the pair.
func (e *held) makes(row schema.Row, pair Selectors) bool {
	group := row["group"]
	if group == "" {
		group = "default"
	}
	return isTrue(row, menuPolicy, "template") && !isTrue(row, menuPolicy, "disabled") && group == e.group() &&
		coversPrefix(row["src-address"], pair.Source) && coversPrefix(row["dst-address"], pair.Destination)
}

// coversPrefix is covers for a template, where ::/0 means everything.
func coversPrefix(text string, p netip.Prefix) bool { return text == "::/0" || covers(text, p) }
