package ike

import (
	"slices"
	"strings"
	"time"

	"vpnbot/ros/schema"
)

// transform is one set of algorithms that phase 1 could run with.
type transform struct{ cipher, hash, prf, group string }

// phase1 compares the profiles. A caller proposes every combination of its ciphers
// and groups with its one hash; the responder takes the first that it has too
// (RFC 2409, 5; RFC 7296, 3.3). Each attribute without anything in common is a fault
// of its own.
func (n *negotiation) phase1() {
	to, found := n.to.profile(n.callee)
	if !found {
		n.unknown(schema.StagePhase1, schema.FaultNoRow, "profile", said{}, says(n.callee.ref, n.callee.profile))
	}
	n.ike.Exchange = n.caller.exchange
	n.ike.Peer = n.callee.ref.ID
	n.ike.ServesL2TP = n.callee.servesL2TP()
	if n.from.Client != nil {
		n.phase1Client(to, found)
		return
	}
	from, ok := n.from.profile(n.caller)
	if !ok {
		n.unknown(schema.StagePhase1, schema.FaultNoRow, "profile", says(n.caller.ref, n.caller.profile), said{})
	}
	if !ok || !found {
		return
	}
	n.unread(schema.StagePhase1, from.base, to.base)
	n.methods()
	n.algorithms(offer{ref: from.ref, transforms: from.transforms(), ciphers: from.ciphers, hashes: []string{from.hash}, groups: from.groups, bad: from.base}, to)
	if n.ikev1() {
		n.traversal(says(from.ref, onOff(from.traversal)), from.traversal, to)
		n.lifetime1(says(from.ref, schema.FormatDuration(from.lifetime)), from.lifetime, to)
	} else {
		// IKEv2 has NAT traversal always and negotiates no lifetimes: each end keeps
		// its own, and the shorter one ends the SA.
		n.ike.NATTraversal = n.nat
		n.ike.LifetimeText = schema.FormatDuration(min(from.lifetime, to.lifetime))
	}
	if from.ppk != "no" || to.ppk != "no" {
		n.unknown(schema.StagePhase1, schema.FaultUnknownRow, "ppk", says(from.ref, from.ppk), says(to.ref, to.ppk))
	}
}

// transforms lists what a router proposes.
func (f profile) transforms() []transform {
	var all []transform
	for _, c := range f.ciphers {
		for _, g := range f.groups {
			all = append(all, transform{c, f.hash, f.function(), g})
		}
	}
	return all
}

// function is the pseudo-random function that keys are made with: auto is the hash's.
func (f profile) function() string {
	if f.prf == "auto" {
		return f.hash
	}
	return f.prf
}

// offer is what a caller proposes for phase 1.
type offer struct {
	ref                     schema.RowRef
	transforms              []transform
	ciphers, hashes, groups []string
	bad                     base
}

// algorithms notes each attribute in which the two have nothing in common, and
// otherwise picks the transform.
func (n *negotiation) algorithms(o offer, to profile) {
	lacking := false
	check := func(attr string, have, want []string) {
		if o.bad.misses(attr) || to.misses(attr) {
			lacking = true
			return
		}
		if !slices.ContainsFunc(have, func(s string) bool { return slices.Contains(want, s) }) {
			n.fault(schema.StagePhase1, schema.FaultProposal, attr, says(o.ref, strings.Join(have, ",")), says(to.ref, strings.Join(want, ",")))
			lacking = true
		}
	}
	check("enc-algorithm", o.ciphers, to.ciphers)
	check("hash-algorithm", o.hashes, []string{to.hash})
	if !n.ikev1() {
		// IKEv1 takes the hash for this, IKEv2 negotiates it apart (RFC 7296, 3.3.2).
		check("prf-algorithm", functions(o.transforms), []string{to.function()})
	}
	check("dh-group", o.groups, to.groups)
	if lacking {
		return
	}
	i := slices.IndexFunc(o.transforms, func(t transform) bool {
		return slices.Contains(to.ciphers, t.cipher) && t.hash == to.hash && slices.Contains(to.groups, t.group)
	})
	if i < 0 {
		// A computer ties groups to ciphers: each of ours may be there, but in no
		// transform together.
		n.fault(schema.StagePhase1, schema.FaultProposal, "dh-group", says(o.ref, transformsText(o.transforms)),
			says(to.ref, strings.Join(to.ciphers, ",")+" with "+strings.Join(to.groups, ",")))
		return
	}
	n.aggressiveGroup(o, to)
	t := o.transforms[i]
	n.ike.Encryption, n.ike.Hash, n.ike.DHGroup = t.cipher, t.hash, t.group
}

// aggressiveGroup knows that in aggressive mode the first message carries the key
// exchange already, so the group cannot be negotiated (RFC 2409, 5). Which one of
// several a router sends, no page says: it matters only if the responder lacks some.
func (n *negotiation) aggressiveGroup(o offer, to profile) {
	if n.caller.exchange != "aggressive" {
		return
	}
	if slices.ContainsFunc(o.groups, func(g string) bool { return !slices.Contains(to.groups, g) }) {
		n.unknown(schema.StagePhase1, schema.FaultUnknownRow, "dh-group", says(o.ref, strings.Join(o.groups, ",")), says(to.ref, strings.Join(to.groups, ",")))
	}
}

// traversal wants NAT traversal on at both ends when there is a NAT between them:
// ESP has no ports that a NAT could change (RFC 3947, 3948).
func (n *negotiation) traversal(from said, on bool, to profile) {
	n.ike.NATTraversal = n.nat
	if n.nat && !(on && to.traversal) && !to.misses("nat-traversal") {
		n.fault(schema.StagePhase1, schema.FaultTraversal, "nat-traversal", from, says(to.ref, onOff(to.traversal)))
	}
}

// lifetime1 settles the lifetime of an IKEv1 phase 1.
func (n *negotiation) lifetime1(from said, proposed time.Duration, to profile) {
	agreed := min(proposed, to.lifetime)
	if n.CheckPhase1Lifetime {
		d, ok := settle(to.check, proposed, to.lifetime)
		if !ok {
			n.fault(schema.StagePhase1, schema.FaultLifetime, "lifetime", from, says(to.ref, to.check+" "+schema.FormatDuration(to.lifetime)))
		}
		agreed = d
	}
	n.ike.LifetimeText = schema.FormatDuration(agreed)
}

// settle applies the responder's proposal-check to a lifetime that the caller
// proposes, and tells whether it is taken.
func settle(check string, proposed, own time.Duration) (time.Duration, bool) {
	switch check {
	case "claim":
		return min(proposed, own), true
	case "strict":
		return proposed, proposed <= own
	case "exact":
		return proposed, proposed == own
	}
	return proposed, true
}

// methods compares how the two authenticate. In IKEv1 the method is part of the
// transform (RFC 2409, appendix A), so that two methods have no proposal in common.
func (n *negotiation) methods() {
	if !n.ikev1() || !n.ok.callerI {
		return
	}
	to, ok := n.first(n.to, n.callee, func(string, schema.RowRef) {})
	if !ok || to.misses("auth-method") || n.callerI.misses("auth-method") {
		return
	}
	if to.method != n.callerI.method {
		n.fault(schema.StagePhase1, schema.FaultMethod, "auth-method", says(n.callerI.ref, n.callerI.method), says(to.ref, to.method))
	}
}

func functions(all []transform) []string {
	var fs []string
	for _, t := range all {
		if !slices.Contains(fs, t.prf) {
			fs = append(fs, t.prf)
		}
	}
	return fs
}

func transformsText(all []transform) string {
	var parts []string
	for _, t := range all {
		parts = append(parts, t.cipher+"/"+t.hash+"/"+t.group)
	}
	return strings.Join(parts, ", ")
}

func onOff(b bool) string {
	if b {
		return "true"
	}
	return "false"
}
