package vpn

import (
	"slices"
	"strings"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

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
	var proposals []string
	ours := slices.DeleteFunc(slices.Concat(e.policies, e.extra), func(r schema.Row) bool { return r == nil })
	for _, row := range ours {
		proposals = append(proposals, defaulted(menuPolicy, row, "proposal"))
	}
	for _, row := range peers[min(1, len(peers)):] {
		if slices.ContainsFunc(e.rows(menuProposal, schema.Row{"name": row["name"]}), marked) {
			proposals = append(proposals, row["name"])
		}
	}
	e.commitProfiles(peers)
	for i, name := range proposals {
		if slices.Index(proposals, name) == i {
			e.commitUnshared(menuProposal, name, menuPolicy, "proposal", ours)
		}
	}
}

// commitProfiles removes the profiles of those peers.
func (e *held) commitProfiles(peers []schema.Row) {
	var profiles []string
	for _, row := range peers {
		if name := defaulted(menuPeer, row, "profile"); !slices.Contains(profiles, name) {
			profiles = append(profiles, name)
			e.commitUnshared(menuProfile1, name, menuPeer, "profile", peers)
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
