package vpn

import (
	"slices"
	"strconv"
	"strings"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/ros/schema"
)

// redo makes every step at this end: new rows from the definition beside the old
// ones, policies pointed at them, old rows gone.
func (e *held) redo(t *works) {
	e.stage(menuProfile1, t.Tunnel.Profile.row(t.name), change.T("plan.step.profile"))
	proposal := t.Tunnel.Proposal.row(t.name)
	proposal["disabled"] = "true"
	e.stage(menuProposal, commented(proposal, nil), change.T("plan.step.proposal"))
	e.stage(menuPeer, commented(e.newPeer(t), e.peer), change.T("plan.step.peer"))
	e.stageIdentity(commented(e.newIdentity(t), e.identity), t.PSK, t.Mark)
	e.stagePolicies(t)
	e.stageBypasses(t)

	e.cut(schema.Enable, change.Twin, menuProposal, schema.Row{"name": t.name}, nil, nil, change.T("plan.step.canary"))
	e.cutOldPeer()
	e.cutPolicies(t)
	e.cut(schema.Enable, change.Twin, menuPeer, schema.Row{"name": t.name}, nil, nil, change.T("plan.step.peer_on"))

	e.commitPolicies()
	e.commitOld()
	ours := e.commitLeft(t)
	e.commitAlgorithms(ours)
}

// row returns the profile as a router prints it.
func (p Profile) row(name string) schema.Row {
	return canonical(menuProfile1, schema.Row{
		"name": name, "enc-algorithm": strings.Join(p.Encryption, ","), "hash-algorithm": p.Hash, "dh-group": strings.Join(p.DHGroups, ","),
		"lifetime": p.Lifetime, "dpd-interval": p.DPDInterval, "dpd-maximum-failures": strconv.Itoa(p.DPDFailures),
		"nat-traversal": strconv.FormatBool(p.NATTraversal),
	})
}

// row returns the proposal as a router prints it. Ciphers that authenticate by
// themselves go with the algorithm null.
func (p Proposal) row(name string) schema.Row {
	auth := strings.Join(p.Auth, ",")
	if auth == "" {
		auth = "null"
	}
	return canonical(menuProposal, schema.Row{
		"name": name, "enc-algorithms": strings.Join(p.Encryption, ","), "auth-algorithms": auth, "pfs-group": p.PFSGroup, "lifetime": p.Lifetime,
	})
}

// canonical writes each value in the form that RouterOS prints.
func canonical(path string, row schema.Row) schema.Row {
	menu, _ := schema.Lookup(path)
	for name, value := range row {
		row[name] = menu.Canonical(name, value)
	}
	return row
}

// commented gives a new row the comment of the one that it follows, byte for
// byte.
func commented(row, old schema.Row) schema.Row {
	if comment := change.Unmarked(old["comment"]); comment != "" {
		row["comment"] = comment
	}
	return row
}

// newPeer is the peer of the definition, switched off. A local-address that
// somebody set stays set, since it is this WAN's; where a site has several WANs it
// is what keeps the tunnel on its own.
func (e *held) newPeer(t *works) schema.Row {
	row := schema.Row{
		"name": t.name, "address": e.want.RemoteName, "exchange-mode": t.Tunnel.Exchange, "profile": t.name,
		"passive": strconv.FormatBool(e.Role == Respond), "disabled": "true",
	}
	if e.want.Remote.IsValid() {
		row["address"] = e.want.Remote.String()
	}
	switch {
	case e.want.Local.IsValid() && len(e.site.WANs) > 1:
		row["local-address"] = e.want.Local.String()
	case e.peer["local-address"] != "":
		row["local-address"] = e.peer["local-address"]
	}
	return canonical(menuPeer, row)
}

func (e *held) newIdentity(t *works) schema.Row {
	row := schema.Row{"peer": t.name, "auth-method": "pre-shared-key"}
	if e.ID != "" {
		row["my-id"] = e.ID
	}
	if e.far.ID != "" {
		row["remote-id"] = e.far.ID
	}
	return row
}

// policy is what a policy of the tunnel says of itself. Several pairs of networks
// get SAs of their own, so that no end takes one pair's for another's.
func (t *works) policy() schema.Row {
	level := "require"
	if len(t.ends[0].want.Policies) > 1 {
		level = "unique"
	}
	return schema.Row{"peer": t.name, "proposal": t.name, "level": level, "tunnel": "true", "ipsec-protocols": "esp"}
}

// stagePolicies adds policies for pairs of networks that have none, switched off.
// One that would stand behind a policy for the same packets goes to the top.
func (e *held) stagePolicies(t *works) {
	for i, pair := range e.want.Policies {
		if e.policies[i] != nil {
			continue
		}
		row := t.policy()
		row["src-address"], row["dst-address"] = pair.Source.String(), pair.Destination.String()
		row["action"], row["disabled"] = "encrypt", "true"
		s := e.stage(menuPolicy, row, change.T("plan.step.policy", "source", pair.Source.String(), "destination", pair.Destination.String()))
		s.Match = schema.Row{"peer": t.name, "src-address": row["src-address"], "dst-address": row["dst-address"]}
		if e.shadowed(pair, nil) {
			s.Place = change.TopPlace
		}
	}
}

// shadowed tells whether a policy that stands above row, or at all when there is
// no row, takes packets of the pair: the first one that fits does.
func (e *held) shadowed(pair Selectors, row schema.Row) bool {
	id := row[schema.ID]
	for i := range e.page.policies {
		p, row := &e.page.policies[i], e.snap.Menus[menuPolicy][i]
		if id != "" && row[schema.ID] == id {
			return false
		}
		if static(row) && !p.Disabled && p.Source.Overlaps(pair.Source) && p.Destination.Overlaps(pair.Destination) {
			return true
		}
	}
	return false
}

// stageBypasses adds a clean row on top for each pair that has none that works. A
// flawed row is not mended where it stands: a new one can be taken away again
// without a trace, and until commit the old one is as somebody left it. Its
// comment goes on, with the name of the generation behind it, so that the two
// can be told apart.
func (e *held) stageBypasses(t *works) {
	for _, b := range e.needed() {
		row := schema.Row{"chain": "srcnat", "action": "accept", "src-address": b.Source.String(), "dst-address": b.Destination.String()}
		match := row.Clone()
		why := change.T("plan.step.bypass", "source", b.Source.String(), "destination", b.Destination.String())
		if len(b.flawed) > 0 {
			row["comment"] = strings.TrimPrefix(change.Unmarked(b.flawed[0]["comment"])+" "+t.name, " ")
			why = change.T("plan.step.bypass_flawed", "source", b.Source.String(), "destination", b.Destination.String())
		}
		if len(e.rows(menuNAT, match)) > 0 {
			if row["comment"] == "" {
				row["comment"] = t.name
			}
			match["comment"] = row["comment"]
		}
		s := e.stage(menuNAT, row, why)
		s.Match, s.Place = match, change.TopPlace
	}
}

// cutOldPeer switches the old peer off; the engine ends its phase 1 then.
func (e *held) cutOldPeer() {
	if e.peer != nil && !isTrue(e.peer, menuPeer, "disabled") {
		e.cut(schema.Disable, change.InPlace, menuPeer, schema.Row{"name": e.peer["name"]}, nil, nil, change.T("plan.step.peer_off"))
	}
}

// cutPolicies points policies at the new rows where they stand: a policy is never
// off while its networks are wanted, since packets would leave in clear.
func (e *held) cutPolicies(t *works) {
	for i, pair := range e.want.Policies {
		facts := []any{"source", pair.Source.String(), "destination", pair.Destination.String()}
		old := e.policies[i]
		if old == nil {
			match := schema.Row{"peer": t.name, "src-address": pair.Source.String(), "dst-address": pair.Destination.String()}
			e.cut(schema.Enable, change.Twin, menuPolicy, match, nil, nil, change.T("plan.step.policy_on", facts...))
			continue
		}
		if e.shadowed(pair, old) {
			e.note("plan.warn.policy_shadowed", append(facts, "router", e.Router)...)
		}
		match, _ := e.identify(menuPolicy, old, "src-address", "dst-address")
		before, after := changes(menuPolicy, old, t.policy())
		e.cut(schema.Change, change.InPlace, menuPolicy, match, before, after, change.T("plan.step.policy_set", facts...))
		if isTrue(old, menuPolicy, "disabled") {
			e.cut(schema.Enable, change.InPlace, menuPolicy, match, nil, nil, change.T("plan.step.policy_on", facts...))
		}
	}
	for _, old := range e.extra {
		if isTrue(old, menuPolicy, "disabled") {
			continue
		}
		e.cut(schema.Disable, change.InPlace, menuPolicy, e.oldPolicy(old), nil, nil,
			change.T("plan.step.policy_off", "source", old["src-address"], "destination", old["dst-address"]))
	}
}

// changes returns what a set must write, and what stands there now. A value that
// RouterOS does not print is the default.
func changes(path string, old, want schema.Row) (before, after schema.Row) {
	menu, _ := schema.Lookup(path)
	before, after = schema.Row{}, schema.Row{}
	for name, value := range want {
		now := defaulted(path, old, name)
		if menu.Same(name, now, value) {
			continue
		}
		after[name] = value
		if now != "" {
			before[name] = now
		}
	}
	return before, after
}

func (e *held) oldPolicy(row schema.Row) schema.Row {
	match, _ := e.identify(menuPolicy, row, "peer", "src-address", "dst-address")
	return match
}

// commitPolicies removes what the definition does not want, and bypasses that a
// new one stands for.
func (e *held) commitPolicies() {
	for _, row := range e.extra {
		e.commit(menuPolicy, row, e.oldPolicy(row), change.T("plan.step.policy_gone", "source", row["src-address"], "destination", row["dst-address"]))
	}
	for _, b := range e.needed() {
		for _, row := range b.flawed {
			match, ok := e.identify(menuNAT, row, "chain", "action", "src-address", "dst-address")
			if match["comment"] = row["comment"]; !ok {
				e.note("plan.warn.bypass_left", "router", e.Router, "source", b.Source.String(), "destination", b.Destination.String())
				continue
			}
			e.commit(menuNAT, row, match, change.T("plan.step.bypass_gone", "source", b.Source.String(), "destination", b.Destination.String()))
		}
	}
}

// commitOld removes the old identity, then its peer.
func (e *held) commitOld() {
	if e.identity != nil {
		s := e.commit(menuIdentity, e.identity, schema.Row{"peer": e.peer["name"]}, change.T("plan.step.identity_gone"))
		s.Class = change.OneWay
	}
	if e.peer != nil {
		e.commit(menuPeer, e.peer, schema.Row{"name": e.peer["name"]}, change.T("plan.step.peer_gone"))
	}
}

// commitLeft removes peers of earlier generations that the bot left behind, with
// their identities, and returns them with the old peer. What somebody else left
// stays.
func (e *held) commitLeft(t *works) (peers []schema.Row) {
	if e.peer != nil {
		peers = append(peers, e.peer)
	}
	for _, row := range e.left {
		identities := e.rows(menuIdentity, schema.Row{"peer": row["name"]})
		if !strings.HasPrefix(row["name"], t.Tunnel.Name+"-") || !marked(row) || len(identities) > 1 {
			e.note("plan.warn.peer_left", "router", e.Router, "peer", ReadableBytes(row["name"]))
			continue
		}
		for _, identity := range identities {
			e.commit(menuIdentity, identity, schema.Row{"peer": row["name"]}, change.T("plan.step.left_gone"))
		}
		e.commit(menuPeer, row, schema.Row{"name": row["name"]}, change.T("plan.step.left_gone"))
		peers = append(peers, row)
	}
	return peers
}

// marked tells whether the bot wrote the row last.
func marked(row schema.Row) bool { return change.Unmarked(row["comment"]) != row["comment"] }

// commitAlgorithms removes the profiles of those peers and the proposals of the
// tunnel's policies unless they are RouterOS's own or somebody else refers to
// them.
func (e *held) commitAlgorithms(peers []schema.Row) {
	var profiles, proposals []string
	for _, row := range peers {
		profiles = append(profiles, defaulted(menuPeer, row, "profile"))
	}
	ours := slices.DeleteFunc(slices.Concat(e.policies, e.extra), func(r schema.Row) bool { return r == nil })
	for _, row := range ours {
		proposals = append(proposals, defaulted(menuPolicy, row, "proposal"))
	}
	for _, row := range peers[min(1, len(peers)):] {
		if slices.ContainsFunc(e.rows(menuProposal, schema.Row{"name": row["name"]}), marked) {
			proposals = append(proposals, row["name"])
		}
	}
	for i, name := range profiles {
		if slices.Index(profiles, name) == i {
			e.commitUnshared(menuProfile1, name, menuPeer, "profile", peers)
		}
	}
	for i, name := range proposals {
		if slices.Index(proposals, name) == i {
			e.commitUnshared(menuProposal, name, menuPolicy, "proposal", ours)
		}
	}
}

// commitUnshared removes the row called name, to which rows of another menu refer
// by attr, unless one does that is not ours.
func (e *held) commitUnshared(menu, name, from, attr string, ours []schema.Row) {
	rows := e.rows(menu, schema.Row{"name": name})
	if len(rows) == 0 {
		return
	}
	shared := slices.ContainsFunc(e.snap.Menus[from], func(r schema.Row) bool {
		mine := slices.ContainsFunc(ours, func(o schema.Row) bool { return o[schema.ID] == r[schema.ID] })
		return !mine && defaulted(from, r, attr) == name
	})
	if shared || name == "default" || isTrue(rows[0], menu, "default") {
		e.note("plan.warn.shared", "router", e.Router, "kind", attr, "name", ReadableBytes(name))
		return
	}
	e.commit(menu, rows[0], schema.Row{"name": name}, change.T("plan.step.algorithms_gone"))
}

func (e *held) note(id string, pairs ...any) { e.notes = append(e.notes, change.T(id, pairs...)) }

// stage appends the step that adds a row. The caller may complete it until the
// next one.
func (e *held) stage(menu string, row schema.Row, why change.Text) *change.Step {
	e.steps = append(e.steps, change.Step{
		Router: e.Router, Menu: menu, Action: schema.Add, Class: change.Twin, Phase: change.PhaseStage,
		Match: schema.Row{"name": row["name"]}, After: row, Why: why,
	})
	return &e.steps[len(e.steps)-1]
}

func (e *held) stageIdentity(row schema.Row, psk secret.Ref, mark string) {
	s := e.stage(menuIdentity, row, change.T("plan.step.identity"))
	s.Match = schema.Row{"peer": row["peer"]}
	s.Secrets, s.Marks = map[string]secret.Ref{"secret": psk}, map[string]string{"secret": mark}
}

func (e *held) cut(action schema.Action, class change.Class, menu string, match, before, after schema.Row, why change.Text) {
	e.steps = append(e.steps, change.Step{
		Router: e.Router, Menu: menu, Action: action, Class: class, Phase: change.PhaseCutOver,
		Match: match, Before: before, After: after, Why: why,
	})
}

// commit appends the step that removes a row; what it says is shown to people.
func (e *held) commit(path string, row, match schema.Row, why change.Text) *change.Step {
	menu, _ := schema.Lookup(path)
	before := schema.Row{}
	for name, value := range row {
		if a, known := menu.Attr(name); known && !a.Secret && !a.ReadOnly && !a.Volatile {
			before[name] = value
		}
	}
	e.steps = append(e.steps, change.Step{
		Router: e.Router, Menu: path, Action: schema.Remove, Class: change.InPlace, Phase: change.PhaseCommit,
		Match: match, Before: before, Why: why,
	})
	return &e.steps[len(e.steps)-1]
}
