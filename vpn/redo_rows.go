package vpn

import (
	"strconv"
	"strings"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/ros/schema"
)

// redo makes every step at this end: new rows from the definition beside the old
// ones, policies pointed at them, old rows gone.
func (e *held) redo(t *works) {
	if e.shares() {
		e.redoShared(t)
		return
	}
	e.stage(menuProfile1, t.Tunnel.Profile.row(t.name), change.T("plan.step.profile"))
	proposal := t.Tunnel.Proposal.row(t.name)
	proposal["disabled"] = "true"
	e.stage(menuProposal, commented(proposal, nil), change.T("plan.step.proposal"))
	e.stage(menuPeer, commented(e.newPeer(t), e.peer), change.T("plan.step.peer"))
	e.unkept(menuPeer, e.peer, e.newPeer(t))
	e.stageIdentity(commented(e.newIdentity(t), e.identity), t.PSK, t.Mark)
	e.stagePolicies(t)
	e.stageBypasses(t)

	e.cut(schema.Enable, change.Twin, menuProposal, schema.Row{"name": t.name}, nil, nil, change.T("plan.step.canary"))
	e.cutOldPeer()
	e.cutPolicies(t)
	e.cut(schema.Enable, change.Twin, menuPeer, schema.Row{"name": t.name}, nil, nil, change.T("plan.step.peer_on"))

	e.commitPolicies()
	e.commitBypasses()
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
	switch {
	case e.shares():
		row["address"], row["passive"] = "0.0.0.0/0", "true"
	case e.want.Remote.IsValid():
		row["address"] = e.want.Remote.String()
	}
	switch {
	case e.want.Local.IsValid() && len(e.site.WANs) > 1:
		row["local-address"] = e.want.Local.String()
	case e.peer["local-address"] != "" && !e.moves():
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
	if chain := e.identity["notrack-chain"]; chain != "" { // of this router, and nothing of the tunnel's
		row["notrack-chain"] = chain
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
