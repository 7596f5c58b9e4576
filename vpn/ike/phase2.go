package ike

import (
	"slices"

	"vpnbot/ros/schema"
)

// child is one pair of IPsec SAs that the caller asks for.
type child struct {
	policy schema.RowRef // none for a computer
	// traffic is what the caller proposes; asSeen is the same with the addresses
	// that the responder sees, which differ for a computer behind NAT.
	traffic, asSeen selector
	tunnel          bool
	protocol        string
	proposal        proposal
	known           bool // whether there is a proposal to compare
	first           bool // the pair that comes with the IKE SA
}

// phase2 asks for each policy of the calling peer. A router brings them all up by
// itself after phase 1, traffic or not.
func (n *negotiation) phase2() {
	if n.from.Client != nil {
		n.phase2Client()
		return
	}
	all := n.from.policies()
	asked, waiting := 0, 0
	for _, q := range all {
		switch {
		case !q.of(n.caller):
			continue
		case len(q.bad) > 0 && !(q.disabled && !q.misses("disabled")):
			n.unread(schema.StagePhase2, q.base, base{})
			asked++
			continue
		case !q.enforced(n.caller):
			continue
		case n.UseWaits && q.level == "use":
			waiting++
			continue
		}
		n.met = false
		if q.invalid || duplicate(all, q) {
			n.fault(schema.StagePhase2, schema.FaultInvalid, "invalid", says(q.ref, q.plain().text()), said{})
		}
		n.child(n.request(q, asked == 0))
		asked++
	}
	if asked == 0 {
		n.nothingAsked(all, waiting)
	}
}

// request makes what the caller asks for out of its policy.
func (n *negotiation) request(q policy, first bool) child {
	s := q.selector(n.from.local, n.to.seen)
	c := child{policy: q.ref, traffic: s, asSeen: s, tunnel: q.tunnel, protocol: q.protocols, first: first}
	c.proposal, c.known = n.from.proposal(q.proposal)
	if !c.known {
		n.unknown(schema.StagePhase2, schema.FaultNoRow, "proposal", says(q.ref, q.proposal), said{})
	}
	if !q.tunnel && n.nat {
		// Transport mode between routers with NAT in between: the selectors hold
		// addresses that the other end does not see, and no page says what a router
		// makes of them.
		n.unknown(schema.StagePhase2, schema.FaultMode, "tunnel", says(q.ref, "false"), said{})
	}
	return c
}

// nothingAsked says why the caller has no policy to ask for.
func (n *negotiation) nothingAsked(all []policy, waiting int) {
	i := slices.IndexFunc(all, func(q policy) bool { return q.of(n.caller) && q.disabled && q.standing(n.caller) && len(q.bad) == 0 })
	switch {
	case n.callerI.modeConfig:
		n.unknown(schema.StagePhase2, schema.FaultUnknownRow, "mode-config", says(n.callerI.ref, n.callerI.row["mode-config"]), said{})
	case i >= 0:
		n.fault(schema.StagePhase2, schema.FaultDisabled, "disabled", says(all[i].ref, "true"), said{})
		n.child(n.request(all[i], true))
	case waiting > 0:
		n.fault(schema.StagePhase2, schema.FaultPassive, "level", says(n.caller.ref, "use"), said{})
	default:
		n.fault(schema.StagePhase2, schema.FaultNoPolicy, "peer", says(n.caller.ref, n.caller.name), said{})
	}
}

// child finds what the responder has for the request and compares the two. The
// responder looks among the policies of the peer that answered; policies are
// generated only for traffic that has none.
func (n *negotiation) child(c child) {
	all := n.to.policies()
	want := c.asSeen.mirror()
	exact := func(on bool) func(q policy) bool {
		return func(q policy) bool {
			return len(q.bad) == 0 && q.of(n.callee) && q.standing(n.callee) && q.disabled != on &&
				len(q.selector(n.to.local, n.from.seen).differs(want)) == 0
		}
	}
	if i := slices.IndexFunc(all, exact(true)); i >= 0 {
		if all[i].invalid || duplicate(all, all[i]) {
			n.fault(schema.StagePhase2, schema.FaultInvalid, "invalid", said{}, says(all[i].ref, want.text()))
		}
		n.policies(c, all[i], c.traffic)
		return
	}
	if n.garbled(all) {
		return
	}
	if n.ok.calleeI && n.calleeI.generate != "no" {
		n.generated(c, all)
		return
	}
	if i := slices.IndexFunc(all, exact(false)); i >= 0 {
		n.fault(schema.StagePhase2, schema.FaultDisabled, "disabled", says(c.policy, c.traffic.text()), says(all[i].ref, "true"))
		n.policies(c, all[i], c.traffic)
		return
	}
	n.unmatched(c, all, want)
}

// garbled notes the responder's policies that cannot be read: one of them may be the
// one that is looked for.
func (n *negotiation) garbled(all []policy) bool {
	found := false
	for _, q := range all {
		off := q.disabled && !q.misses("disabled")
		relevant := q.of(n.callee) || q.template && n.ok.calleeI && n.calleeI.generate != "no"
		if len(q.bad) > 0 && relevant && !off {
			n.unread(schema.StagePhase2, base{}, q.base)
			found = true
		}
	}
	return found || n.calleeI.misses("generate-policy")
}

// unmatched says what the responder has instead of the mirrored policy: nothing, or
// the one that comes nearest.
func (n *negotiation) unmatched(c child, all []policy, want selector) {
	nearest, least := -1, 0
	for i, q := range all {
		if !q.enforced(n.callee) || len(q.bad) > 0 {
			continue
		}
		s := q.selector(n.to.local, n.from.seen)
		if both, ok := want.narrowed(s); ok && n.NarrowIKEv2 && !n.ikev1() && q.tunnel == c.tunnel {
			n.policies(c, q, both.mirror())
			return
		}
		d := len(s.differs(want))
		if q.tunnel != c.tunnel {
			d++
		}
		if nearest < 0 || d < least {
			nearest, least = i, d
		}
	}
	from := says(c.policy, c.traffic.text())
	if nearest < 0 || n.from.Client != nil {
		// No policy of its own, and none is made: "no policy found/generated".
		n.fault(schema.StagePhase2, schema.FaultNoPolicy, "generate-policy", from, says(n.calleeI.ref, n.calleeI.generate))
		return
	}
	q := all[nearest]
	s := q.selector(n.to.local, n.from.seen)
	n.fault(schema.StagePhase2, schema.FaultSelectors, s.differs(want)[0], from, says(q.ref, s.text()))
	n.policies(c, q, c.traffic)
}

// generated looks for the template that the responder makes a policy from: the first
// enabled one of the identity's group whose prefixes contain what is asked for, with
// protocol all or the same. Ports are taken over (port-strict) or dropped
// (port-override), but never refused.
func (n *negotiation) generated(c child, all []policy) {
	group := n.calleeI.value("policy-template-group", "default")
	from := says(c.policy, c.traffic.text())
	if group == "none" {
		n.unknown(schema.StagePhase2, schema.FaultUnknownRow, "policy-template-group", from, says(n.calleeI.ref, group))
		return
	}
	want := c.asSeen.mirror()
	for _, q := range all {
		if !q.template || q.disabled || q.group != group || !covers(q.src, want.src) || !covers(q.dst, want.dst) {
			continue
		}
		if q.protocol != "all" && q.protocol != want.protocol {
			continue
		}
		if c.protocol != "esp" {
			// The page does not list ipsec-protocols among what templates compare.
			n.unknown(schema.StagePhase2, schema.FaultProtocol, "ipsec-protocols", says(c.policy, c.protocol), says(q.ref, q.protocols))
			return
		}
		n.proposals(c, q, phase2Of(c, q, true, c.traffic))
		return
	}
	if rows, ok := n.to.Rows[menuGroup]; ok && group != "default" && !slices.ContainsFunc(rows, func(r schema.Row) bool { return r["name"] == group }) {
		n.unknown(schema.StagePhase2, schema.FaultNoRow, "policy-template-group", from, says(n.calleeI.ref, group))
		return
	}
	n.fault(schema.StagePhase2, schema.FaultNoPolicy, "policy-template-group", from, says(n.calleeI.ref, group))
}

// policies compares a request with the policy that it meets.
func (n *negotiation) policies(c child, q policy, traffic selector) {
	if q.tunnel != c.tunnel {
		n.fault(schema.StagePhase2, schema.FaultMode, "tunnel", says(c.policy, onOff(c.tunnel)), says(q.ref, onOff(q.tunnel)))
	}
	if q.protocols != c.protocol {
		n.fault(schema.StagePhase2, schema.FaultProtocol, "ipsec-protocols", says(c.policy, c.protocol), says(q.ref, q.protocols))
	}
	if c.protocol == "ah" && n.nat {
		// AH signs the addresses that a NAT changes.
		n.fault(schema.StagePhase2, schema.FaultTraversal, "ipsec-protocols", says(c.policy, c.protocol), says(q.ref, q.protocols))
	}
	n.proposals(c, q, phase2Of(c, q, false, traffic))
}

func phase2Of(c child, q policy, generated bool, traffic selector) schema.Phase2 {
	return schema.Phase2{
		InitiatorPolicy: c.policy.ID, ResponderPolicy: q.ref.ID, Generated: generated,
		Tunnel: c.tunnel, Protocol: c.protocol, Source: traffic.src, Destination: traffic.dst,
	}
}
