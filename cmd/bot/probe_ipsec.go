package main

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

const (
	profileMenu  = "/ip/ipsec/profile"
	proposalMenu = "/ip/ipsec/proposal"
	peerMenu     = "/ip/ipsec/peer"
	identityMenu = "/ip/ipsec/identity"
	policyMenu   = "/ip/ipsec/policy"
	natMenu      = "/ip/firewall/nat"
)

var peerNumbered = regexp.MustCompile(`^peer\d+$`)

// tryRows adds the rows of a tunnel to nobody, every one of them switched off, and
// looks at what they show.
func (p *probe) tryRows(ctx context.Context) {
	named := schema.Row{"name": probeName}
	peer := schema.Row{
		"name": probeName, "address": "192.0.2.1/32", "profile": probeName, "exchange-mode": "main", "passive": "yes", "disabled": "yes",
	}
	identity := schema.Row{"peer": probeName, "auth-method": "pre-shared-key", "disabled": "yes"}
	for _, row := range []struct {
		menu       string
		match, row schema.Row
		secrets    []string
	}{
		{profileMenu, named, named, nil},
		{proposalMenu, named, schema.Row{"name": probeName, "disabled": "yes"}, nil},
		{peerMenu, named, peer, nil},
		{identityMenu, schema.Row{"peer": probeName}, identity, []string{"secret"}},
		{policyMenu, probePolicy(), withAll(probePolicy(), schema.Row{"tunnel": "yes", "level": "require", "disabled": "yes"}), nil},
	} {
		step, err := p.add(ctx, row.menu, row.match, row.row, row.secrets...)
		if err != nil {
			p.skip(fmt.Sprintf("%s: %s", row.menu, told(err)), "58", "79", "83", "86", "87", "T8", "T14", "T15")
			return
		}
		p.tryRow(ctx, row.menu, step, row.row)
	}
}

// probePolicy is what the policy of a probe is found by.
func probePolicy() schema.Row {
	return schema.Row{"peer": probeName, "src-address": "192.0.2.0/25", "dst-address": "192.0.2.128/25"}
}

func withAll(row, more schema.Row) schema.Row {
	row = row.Clone()
	maps.Copy(row, more)
	return row
}

// tryRow compares what a new row shows with what was written and with the schema.
func (p *probe) tryRow(ctx context.Context, menu string, step int, written schema.Row) {
	var row schema.Row
	var err error
	if menu == profileMenu { // without comments
		var rows []schema.Row
		if rows, err = p.rows(ctx, menu, schema.Row{"name": probeName}); err == nil && len(rows) == 1 {
			row = rows[0]
		}
	} else {
		row, err = p.stepRow(ctx, menu, step)
	}
	if row == nil {
		p.skip(fmt.Sprintf("%s: %v", menu, err), "86")
		return
	}
	p.tryDefaults("86", menu, row, append(written.Names(), "comment")...)
	if menu != policyMenu {
		return
	}
	switch state, shown := row["ph2-state"]; {
	case !shown:
		p.skip("a policy that is switched off shows no ph2-state", "58")
	default:
		known := slices.Contains([]string{"no-phase2", "ready-to-send", "established", "expired"}, state) || strings.HasPrefix(state, "msg") || strings.HasPrefix(state, "getspi")
		p.say("58", known, "a known ph2-state (SAs were not tried)", fmt.Sprintf("%q", state))
	}
}

// tryRemovals looks at names that RouterOS gives, and takes rows away that others
// name.
func (p *probe) tryRemovals(ctx context.Context) {
	if f := p.found["T8"]; f.verdict == notTried {
		return
	}
	if step, err := p.add(ctx, peerMenu, schema.Row{"address": "192.0.2.2/32"}, schema.Row{"address": "192.0.2.2/32", "passive": "yes", "disabled": "yes"}); err != nil {
		p.skip(told(err), "T14")
	} else if row, err := p.stepRow(ctx, peerMenu, step); err != nil {
		p.skip(err.Error(), "T14")
	} else {
		p.say("T14", peerNumbered.MatchString(row["name"]), "peer1, peer2 …", row["name"])
	}
	if step, err := p.add(ctx, natMenu, schema.Row{"src-address": "192.0.2.1"}, schema.Row{
		"chain": "srcnat", "action": "accept", "src-address": "192.0.2.1/32", "dst-address": "192.0.2.128/25",
	}); err != nil {
		p.skip(told(err), "T16")
	} else if row, err := p.stepRow(ctx, natMenu, step); err != nil {
		p.skip(err.Error(), "T16")
	} else {
		p.say("T16", row["src-address"] == "192.0.2.1", "192.0.2.1 (protocols were not tried)", row["src-address"])
	}
	p.tryInUse(ctx)
}

// tryInUse removes a profile that a peer names, and then a peer that an identity
// names.
func (p *probe) tryInUse(ctx context.Context) {
	const name = probeName + "-used"
	if _, err := p.add(ctx, profileMenu, schema.Row{"name": name}, schema.Row{"name": name}); err != nil {
		p.skip(told(err), "T8", "T15")
		return
	}
	peerStep, err := p.add(ctx, peerMenu, schema.Row{"name": name}, schema.Row{
		"name": name, "address": "192.0.2.3/32", "profile": name, "passive": "yes", "disabled": "yes",
	})
	if err != nil {
		p.skip(told(err), "T8", "T15")
		return
	}
	identityStep, err := p.add(ctx, identityMenu, schema.Row{"peer": name}, schema.Row{"peer": name, "disabled": "yes"}, "secret")
	if err != nil {
		p.skip(told(err), "T15")
	}
	err = p.remove(ctx, profileMenu, schema.Row{"name": name})
	_, refused := refusal(err)
	peerErr := p.remove(ctx, peerMenu, schema.Row{"name": name, "comment": change.Mark(probeName, probeRequest, peerStep)})
	p.say("T8", refused && peerErr == nil, "the profile is refused, the peer goes", fmt.Sprintf("the profile: %s; the peer: %s", told(err), told(peerErr)))
	if peerErr != nil || identityStep == 0 {
		p.skip("the peer stays", "T15")
		return
	}
	row, err := p.stepRow(ctx, identityMenu, identityStep)
	if err != nil {
		p.say("T15", false, "the id of the peer that is gone", err.Error())
		return
	}
	p.say("T15", strings.HasPrefix(row["peer"], "*"), "the id of the peer that is gone", fmt.Sprintf("%q", row["peer"]))
}
