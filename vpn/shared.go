package vpn

import (
	"slices"
	"strings"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// How a tunnel changes at a peer that takes any address. Two such peers of one mode
// cannot be on at once, since only the first of them would answer. Where the tunnel
// has the peer for itself, a new one takes its place as anywhere else. Where others
// have it too, peer and profile are theirs as well and stay: the tunnel has an
// identity of its own beside the old one, and a policy group of its own with a
// template for each pair of networks, from which the router makes policies when the
// other end calls.

// findShared finds the peer for any address, and who else has it.
func (e *held) findShared() error {
	var found []schema.Row
	for i := range e.page.peers {
		p, row := &e.page.peers[i], e.snap.Menus[menuPeer][i]
		if p.Dynamic || p.prefix.IsSingleIP() || !e.leads(p) {
			continue
		}
		if p.odd != "" {
			return e.unreadable(p.origin)
		}
		found = append(found, row)
	}
	used := slices.DeleteFunc(slices.Clone(found), func(r schema.Row) bool { return isTrue(r, menuPeer, "disabled") })
	if len(found) == 1 {
		used = found
	}
	switch {
	case len(found) == 0:
		return nil
	case len(used) != 1:
		two := append(used, found...)[:2]
		return refuse("tunnel_peers", "router", e.Router, "first", ReadableBytes(two[0]["name"]), "second", ReadableBytes(two[1]["name"]))
	}
	e.peer = used[0]
	e.left = slices.DeleteFunc(found, func(r schema.Row) bool { return r["name"] == e.peer["name"] })
	for _, row := range e.rows(menuIdentity, schema.Row{"peer": e.peer["name"]}) {
		if row["remote-id"] != e.far.ID {
			e.sharers = append(e.sharers, row)
		}
	}
	e.joins = len(e.sharers) > 0 || slices.ContainsFunc(e.snap.Menus[menuPolicy], func(r schema.Row) bool {
		return static(r) && slices.Contains(strings.Split(r["peer"], ","), e.peer["name"])
	})
	return nil
}

// peerName is the peer that the tunnel has after the change.
func (e *held) peerName(t *works) string {
	if e.joins {
		return e.peer["name"]
	}
	return t.name
}

// sharerNames are the IDs of the others at the peer, as people read them.
func (e *held) sharerNames() string {
	var names []string
	for _, row := range e.sharers {
		_, name, named := strings.Cut(row["remote-id"], ":")
		if !named {
			name = "?"
		}
		names = append(names, ReadableBytes(name))
	}
	return strings.Join(names, ", ")
}

// checkShared refuses what cannot be changed without touching the others, and what
// nobody knows the router to do.
func (e *held) checkShared(t *works) error {
	if !e.shares() {
		return nil
	}
	if t.was != nil {
		if was := t.was.Ends[1-slices.Index(t.ends[:], e)].ID; was != e.far.ID { // the old one would stay and count as another's
			return refuse("shared_id", "router", e.Router, "site", e.far.Site, "was", was, "is", e.far.ID, "tunnel", e.tunnel)
		}
	}
	for i, row := range e.policies {
		if pair := e.want.Policies[i]; row != nil {
			return refuse("shared_static", "router", e.Router, "source", pair.Source.String(), "destination", pair.Destination.String(), "site", e.far.Site)
		}
	}
	if !e.joins {
		return nil
	}
	name := ReadableBytes(e.peer["name"])
	if isTrue(e.peer, menuPeer, "disabled") {
		return refuse("shared_off", "router", e.Router, "peer", name, "others", e.sharerNames())
	}
	for _, row := range e.sharers {
		if id := row["remote-id"]; !isTrue(row, menuIdentity, "disabled") && (id == "" || id == "auto" || id == "ignore") {
			return refuse("shared_open", "router", e.Router, "peer", name, "site", e.far.Site)
		}
	}
	if t.was != nil {
		for _, d := range t.was.Differences(t.Tunnel) {
			if strings.HasPrefix(d.Key, "profile.") {
				return refuse("shared_profile", "key", d.Key, "router", e.Router, "peer", name, "others", e.sharerNames())
			}
		}
	}
	return nil
}

// redoShared makes every step at a peer for any address.
func (e *held) redoShared(t *works) {
	if !e.joins {
		e.stage(menuProfile1, t.Tunnel.Profile.row(t.name), change.T("plan.step.profile"))
	}
	proposal := t.Tunnel.Proposal.row(t.name)
	proposal["disabled"] = "true"
	e.stage(menuProposal, commented(proposal, nil), change.T("plan.step.proposal"))
	if !e.joins {
		e.stage(menuPeer, commented(e.newPeer(t), e.peer), change.T("plan.step.peer"))
		e.unkept(menuPeer, e.peer, e.newPeer(t))
	}
	var templates []schema.Row // without a level: routers show none there, and what is made from them is unique
	for _, pair := range e.want.Policies {
		templates = append(templates, schema.Row{"src-address": pair.Source.String(), "dst-address": pair.Destination.String(), "proposal": t.name})
	}
	e.stageTemplates(t, templates)
	e.stageShared(t, e.newIdentity(t))
	e.stageBypasses(t)

	e.cut(schema.Enable, change.Twin, menuProposal, schema.Row{"name": t.name}, nil, nil, change.T("plan.step.canary"))
	e.cutShared(t)

	e.commitPolicies()
	e.commitBypasses()
	e.commitShared(t)
	e.noteShared(t)
}

// rotateShared gives the tunnel's identity at a peer that others have too a new key.
// The group is new as well: by it the new identity is told from the old one.
func (e *held) rotateShared(t *works) {
	var templates []schema.Row
	for _, row := range e.snap.Menus[menuPolicy] {
		if !slices.ContainsFunc(e.want.Policies, func(pair Selectors) bool { return e.makes(row, pair) }) {
			continue
		}
		copied := schema.Row{}
		for _, name := range []string{"src-address", "src-port", "dst-address", "dst-port", "protocol", "proposal", "level", "ipsec-protocols"} {
			if value := row[name]; value != "" {
				copied[name] = value
			}
		}
		templates = append(templates, copied)
	}
	e.stageTemplates(t, templates)
	identity := kept(e.identity, identityKeeps, schema.Row{"peer": e.peer["name"]})
	e.stageShared(t, identity)
	e.unkept(menuIdentity, e.identity, identity)
	e.cutShared(t)
	e.commitShared(t)
	e.noteShared(t)
}

// stageTemplates adds the group of the tunnel and its templates.
func (e *held) stageTemplates(t *works, templates []schema.Row) {
	e.stage(menuGroup, schema.Row{"name": t.name}, change.T("plan.step.group"))
	for _, row := range templates {
		row["template"], row["group"] = "true", t.name
		s := e.stage(menuPolicy, row, change.T("plan.step.template", "source", row["src-address"], "destination", row["dst-address"]))
		s.Match = schema.Row{"template": "true", "group": t.name, "src-address": row["src-address"], "dst-address": row["dst-address"]}
	}
}

// stageShared adds the identity; at a peer that is on it waits for the cut-over.
func (e *held) stageShared(t *works, row schema.Row) {
	row["peer"], row["remote-id"] = e.peerName(t), e.far.ID
	row["policy-template-group"] = t.name
	if v := row["generate-policy"]; v != "port-override" {
		row["generate-policy"] = "port-strict"
	}
	delete(row, "disabled")
	if e.joins {
		row["disabled"] = "true"
	}
	e.stageIdentity(commented(row, e.identity), t.PSK, t.Mark)
	s := &e.steps[len(e.steps)-1]
	s.Match = e.newShared(t)
}

// newShared names the new identity at a peer for any address.
func (e *held) newShared(t *works) schema.Row {
	return schema.Row{"peer": e.peerName(t), "remote-id": e.far.ID, "policy-template-group": t.name}
}

// oldShared names the old one: by its group, or by its comment where it has none of
// its own, so that it stays apart from the new one.
func (e *held) oldShared() schema.Row {
	match := schema.Row{"peer": e.peer["name"], "remote-id": e.identity["remote-id"]}
	if group := e.identity["policy-template-group"]; group != "" {
		match["policy-template-group"] = group
	} else {
		match["comment"] = e.identity["comment"]
	}
	return match
}

// cutShared lets the new identity take over, at the peer that is there or at a new
// one.
func (e *held) cutShared(t *works) {
	if !e.joins {
		e.cutOldPeer()
		e.cut(schema.Enable, change.Twin, menuPeer, schema.Row{"name": t.name}, nil, nil, change.T("plan.step.peer_on"))
		return
	}
	e.cutIdentity()
	e.cut(schema.Enable, change.Twin, menuIdentity, e.newShared(t), nil, nil, change.T("plan.step.identity_on"))
}

// cutIdentity switches the old identity off; the engine ends its phase 1 then.
func (e *held) cutIdentity() {
	if e.identity != nil && !isTrue(e.identity, menuIdentity, "disabled") {
		e.cut(schema.Disable, change.InPlace, menuIdentity, e.oldShared(), nil, nil, change.T("plan.step.identity_off"))
	}
}

// commitShared removes what was the tunnel's alone: its identity, its group with the
// templates, and peer and profile where nobody else has them.
func (e *held) commitShared(t *works) {
	if e.joins && e.identity != nil {
		s := e.commit(menuIdentity, e.identity, e.oldShared(), change.T("plan.step.identity_gone"))
		s.Class = change.OneWay
	}
	var peers []schema.Row
	if !e.joins {
		e.commitOld()
		peers = e.commitLeft(t)
	}
	templates := e.commitGroup()
	ours := append(slices.Clone(templates), e.made()...)
	var proposals []string
	for _, row := range templates {
		if name := defaulted(menuPolicy, row, "proposal"); !slices.Contains(proposals, name) && t.kind != rotate {
			proposals = append(proposals, name)
			e.commitUnshared(menuProposal, name, menuPolicy, "proposal", ours)
		}
	}
	e.commitProfiles(peers)
}

// made are the policies that the router has made for the tunnel: they go with the
// phase 1 under which they were made.
func (e *held) made() (list []schema.Row) {
	for i, row := range e.snap.Menus[menuPolicy] {
		if e.page.policies[i].Dynamic && slices.Contains(slices.Concat(e.want.Policies, e.dropped), e.page.policies[i].Selectors) {
			list = append(list, row)
		}
	}
	return list
}

// commitGroup removes the old group and its templates, unless something else refers
// to it.
func (e *held) commitGroup() (templates []schema.Row) {
	if e.identity == nil {
		return nil
	}
	group := e.group()
	rows := e.rows(menuGroup, schema.Row{"name": group})
	shared := slices.ContainsFunc(e.snap.Menus[menuIdentity], func(r schema.Row) bool {
		return r[schema.ID] != e.identity[schema.ID] && r["policy-template-group"] == group
	})
	if len(rows) == 0 || shared || group == "default" || isTrue(rows[0], menuGroup, "default") {
		e.note("plan.warn.shared", "router", e.Router, "kind", "policy group", "name", ReadableBytes(group))
		return nil
	}
	for _, row := range e.rows(menuPolicy, schema.Row{"template": "true", "group": group}) {
		match, ok := e.identify(menuPolicy, row, "template", "group", "src-address", "dst-address")
		if !ok {
			e.note("plan.warn.shared", "router", e.Router, "kind", "policy group", "name", ReadableBytes(group))
			return nil
		}
		e.commit(menuPolicy, row, match, change.T("plan.step.template_gone", "source", row["src-address"], "destination", row["dst-address"]))
		templates = append(templates, row)
	}
	e.commit(menuGroup, rows[0], schema.Row{"name": group}, change.T("plan.step.group_gone"))
	return templates
}

// noteShared says what the others keep, and what a peer for any address cannot do.
func (e *held) noteShared(t *works) {
	e.note("plan.warn.shared_gap", "router", e.Router, "site", e.far.Site)
	if !e.joins || t.kind == rotate {
		return
	}
	for _, row := range e.rows(menuProfile1, schema.Row{"name": defaulted(menuPeer, e.peer, "profile")}) {
		before, after := changes(menuProfile1, row, t.Tunnel.Profile.row(row["name"]))
		for _, name := range after.Names() {
			e.note("plan.warn.shared_profile", "router", e.Router, "profile", ReadableBytes(row["name"]), "attribute", name,
				"is", before[name], "want", after[name])
		}
	}
}

// together says whose peer it is besides, and that they keep it.
func (e *held) together() []change.Text {
	if !e.joins || len(e.sharers) == 0 {
		return nil
	}
	return []change.Text{change.T("plan.tunnel.shared", "router", e.Router, "peer", ReadableBytes(e.peer["name"]), "others", e.sharerNames())}
}

// joinShared finds the peer that an addition joins: the one that takes any address
// already, whoever made it.
func (e *held) joinShared() error {
	if err := e.findShared(); err != nil || e.peer == nil {
		return err
	}
	e.joins = true
	e.left = nil
	if rows := e.rows(menuIdentity, schema.Row{"peer": e.peer["name"], "remote-id": e.far.ID}); len(rows) > 0 {
		return refuse("add_rows", "router", e.Router, "menu", menuIdentity, "row", ReadableBytes(e.far.ID))
	}
	return nil
}

// sharedQueries names what a plan rests on at a shared end. The policies there come
// and go with each call, and the other identities are other tunnels'.
func (e *held) sharedQueries(t *works) []change.Query {
	list := []change.Query{
		{Menu: menuMode},
		{Menu: menuAddress, Where: schema.Row{"interface": e.WAN, "dynamic": "false"}},
		{Menu: menuPolicy, Where: schema.Row{"template": "true", "group": e.group()}},
		{Menu: menuGroup, Where: schema.Row{"name": e.group()}},
		{Menu: menuPeer, Where: schema.Row{"address": "0.0.0.0/0"}},
		{Menu: menuPeer, Where: schema.Row{"address": "::/0"}},
	}
	ask := func(menu string, where schema.Row) { list = append(list, change.Query{Menu: menu, Where: where}) }
	if t.kind != rekey {
		for _, menu := range []string{menuPeer, menuProfile1, menuProposal, menuGroup} {
			ask(menu, schema.Row{"name": t.name})
		}
		ask(menuIdentity, schema.Row{"policy-template-group": e.group()})
	}
	for _, pair := range append(slices.Clone(e.want.Policies), e.dropped...) {
		if t.kind.rebuilds() || t.kind == removal {
			ask(menuNAT, schema.Row{"chain": "srcnat", "src-address": pair.Source.String(), "dst-address": pair.Destination.String()})
		}
	}
	if t.kind.rebuilds() {
		ask(menuNAT, schema.Row{"chain": "srcnat", "action": "masquerade"})
		ask(menuNAT, schema.Row{"chain": "srcnat", "action": "src-nat"})
	}
	switch {
	case e.was != nil:
		ask(menuFilter, nil)
		ask(menuMember, nil)
	case t.kind == removal:
		ask(menuFilter, schema.Row{"chain": "input", "comment": e.tunnel})
	case t.kind == addition, t.kind == reaching:
		ask(menuPool, nil)
		ask(menuFilter, nil)
		ask(menuMember, nil)
	}
	for _, d := range e.servers {
		if t.kind == reaching {
			ask(menuProfile, schema.Row{"name": d.Profile})
		}
	}
	if e.peer == nil {
		return list
	}
	name := e.peer["name"]
	ask(menuPeer, schema.Row{"name": name})
	ask(menuIdentity, schema.Row{"peer": name, "remote-id": e.far.ID})
	ask(menuProfile1, schema.Row{"name": defaulted(menuPeer, e.peer, "profile")})
	if t.kind == rekey {
		return list
	}
	if !e.joins {
		ask(menuIdentity, schema.Row{"peer": name}) // nobody else may come to it meanwhile
		ask(menuPeer, schema.Row{"profile": defaulted(menuPeer, e.peer, "profile")})
		return list
	}
	ask(menuIdentity, schema.Row{"peer": name, "remote-id": "auto"})
	ask(menuIdentity, schema.Row{"peer": name, "remote-id": "ignore"})
	return list
}
