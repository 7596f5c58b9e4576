package ike

import (
	"slices"
	"strings"

	"vpnbot/ros/schema"
)

// aead tells whether the cipher authenticates by itself, so that it goes with no
// hash (RFC 4106, RFC 7634).
func aead(cipher string) bool {
	return strings.HasSuffix(cipher, "-gcm") || cipher == "chacha20poly1305"
}

// proposals compares the algorithms of phase 2, the PFS group and the lifetime.
func (n *negotiation) proposals(c child, q policy, agreed schema.Phase2) {
	to, ok := n.to.proposal(q.proposal)
	if !ok {
		n.unknown(schema.StagePhase2, schema.FaultNoRow, "proposal", said{}, says(q.ref, q.proposal))
	}
	if !ok || !c.known {
		return
	}
	from := c.proposal
	n.unread(schema.StagePhase2, from.base, to.base)
	if from.disabled {
		n.fault(schema.StagePhase2, schema.FaultDisabled, "disabled", says(from.ref, "true"), said{})
	}
	if to.disabled {
		n.fault(schema.StagePhase2, schema.FaultDisabled, "disabled", said{}, says(to.ref, "true"))
	}
	n.ciphers(from, to, &agreed)
	n.pfs(c, from, to, &agreed)
	n.lifetime2(from, to, &agreed)
	if !n.met {
		n.children = append(n.children, agreed)
	}
}

// ciphers picks the first cipher of the caller that the responder has too and that
// has a hash to go with, if it needs one.
func (n *negotiation) ciphers(from, to proposal, agreed *schema.Phase2) {
	if from.misses("enc-algorithms", "auth-algorithms") || to.misses("enc-algorithms", "auth-algorithms") {
		return
	}
	both := intersect(from.ciphers, to.ciphers)
	hashes := intersect(from.hashes, to.hashes)
	if agreed.Protocol == "ah" {
		both = nil // AH encrypts nothing
	} else if len(both) == 0 {
		n.fault(schema.StagePhase2, schema.FaultProposal, "enc-algorithms", says(from.ref, strings.Join(from.ciphers, ",")), says(to.ref, strings.Join(to.ciphers, ",")))
		if !slices.ContainsFunc(from.ciphers, plain) || !slices.ContainsFunc(to.ciphers, plain) {
			return // mended, it would be a cipher that needs no hash
		}
	}
	for _, c := range both {
		if aead(c) {
			agreed.Encryption = c
			return
		}
		if len(hashes) > 0 {
			agreed.Encryption, agreed.Auth = c, hashes[0]
			return
		}
	}
	if len(hashes) == 0 {
		n.fault(schema.StagePhase2, schema.FaultProposal, "auth-algorithms", says(from.ref, strings.Join(from.hashes, ",")), says(to.ref, strings.Join(to.hashes, ",")))
		return
	}
	agreed.Auth = hashes[0]
}

func plain(cipher string) bool { return !aead(cipher) }

// intersect keeps the order of a.
func intersect(a, b []string) []string {
	var both []string
	for _, s := range a {
		if slices.Contains(b, s) {
			both = append(both, s)
		}
	}
	return both
}

// pfs compares the groups. The pair that comes with an IKEv2 SA has no exchange of
// its own (RFC 7296, 1.2), so that there a difference shows at the first rekey.
func (n *negotiation) pfs(c child, from, to proposal, agreed *schema.Phase2) {
	agreed.PFSGroup = from.pfs
	if from.misses("pfs-group") || to.misses("pfs-group") {
		return
	}
	a, b := says(from.ref, from.pfs), says(to.ref, to.pfs)
	if !n.ikev1() && c.first && !n.rekey {
		agreed.PFSGroup = "none"
		if from.pfs != to.pfs {
			n.hint(schema.StagePhase2, schema.FaultPFS, "pfs-group", a, b)
		}
		return
	}
	if from.pfs == to.pfs {
		return
	}
	if n.from.Client != nil && !n.ClientsNeedNoPFS {
		if check, ok := n.check(); !ok || check == "obey" {
			n.hint(schema.StagePhase2, schema.FaultPFS, "pfs-group", a, b)
			return
		}
	}
	if n.ikev1() && n.CheckCoversPFS {
		check, ok := n.check()
		if !ok || check == "obey" || check != "exact" && to.pfs == "none" {
			return
		}
	}
	n.fault(schema.StagePhase2, schema.FaultPFS, "pfs-group", a, b)
}

// check is the responder's proposal-check, which governs phase 2 although it stands
// in the profile. A profile that is missing was noted before.
func (n *negotiation) check() (string, bool) {
	f, ok := n.to.profile(n.callee)
	return f.check, ok && !f.misses("proposal-check")
}

// lifetime2 settles the lifetime of a pair of SAs. IKEv2 does not negotiate it.
func (n *negotiation) lifetime2(from, to proposal, agreed *schema.Phase2) {
	agreed.LifetimeText = schema.FormatDuration(to.lifetime)
	if n.ikev1() {
		n.lifetimeChecked(from, to, agreed)
	} else {
		agreed.LifetimeText = schema.FormatDuration(min(from.lifetime, to.lifetime))
	}
}

func (n *negotiation) lifetimeChecked(from, to proposal, agreed *schema.Phase2) {
	check, ok := n.check()
	if !ok || from.misses("lifetime") || to.misses("lifetime") {
		return
	}
	row := says(to.ref, check+" "+schema.FormatDuration(to.lifetime))
	if !from.known {
		// No source says what lifetime a computer proposes for phase 2.
		if check == "strict" || check == "exact" {
			n.unknown(schema.StagePhase2, schema.FaultLifetime, "lifetime", said{}, row)
		}
		return
	}
	d, taken := settle(check, from.lifetime, to.lifetime)
	if !taken {
		n.fault(schema.StagePhase2, schema.FaultLifetime, "lifetime", says(from.ref, schema.FormatDuration(from.lifetime)), row)
	}
	agreed.LifetimeText = schema.FormatDuration(d)
}
