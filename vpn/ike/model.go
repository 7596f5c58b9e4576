package ike

import (
	"context"

	"vpnbot/ros/schema"
)

// Model says what two ends come to. Its zero value follows the vendor's page; each
// field switches to another reading where no source proves how a router behaves.
type Model struct {
	// TieByOrder lets row order alone decide between two peers with equally long
	// prefixes. By default a dynamic peer wins such a tie over a static one: in a
	// published export of 6.45.8 the static any-address main peer beside the L2TP
	// server carries the warning that it is unreachable.
	TieByOrder bool
	// PreferLocalAddress lets a peer with a local-address win a tie over one
	// without. The vendor's page says what local-address binds, not how it ranks.
	PreferLocalAddress bool
	// CheckPhase1Lifetime applies proposal-check to the lifetime of phase 1 too.
	// The vendor's page words it for phase 2 alone; in the daemon that its words
	// come from (racoon) it governs both.
	CheckPhase1Lifetime bool
	// CheckCoversPFS lets proposal-check decide about pfs-group in IKEv1, as racoon
	// does: obey takes whatever the caller proposes; claim and strict take anything
	// where the responder wants none. By default the groups must be equal, as the
	// vendor's page says.
	CheckCoversPFS bool
	// ClientsNeedNoPFS refuses a computer, which proposes no PFS, wherever the
	// proposal has a group. By default proposal-check=obey takes it: the vendor's
	// recipe for an L2TP server leaves the default proposal, with modp1024, and calls
	// the router ready. The outcome hints at it either way.
	ClientsNeedNoPFS bool
	// NarrowIKEv2 lets an IKEv2 responder narrow selectors to what both ends have
	// in common (RFC 7296, 2.9). By default selectors must mirror each other
	// exactly, as in IKEv1: the vendor's page does not mention narrowing.
	NarrowIKEv2 bool
	// AutoChecksAddress makes remote-id=auto expect the caller's address, as seen,
	// as its ID. By default auto accepts every ID, in the words of the vendor's page.
	AutoChecksAddress bool
	// StrictIDr makes an IKEv2 responder whose my-id is not auto refuse a caller
	// that does not ask for it by its remote-id. The page says that the responder
	// expects its my-id in what the caller asks for, not what happens without.
	StrictIDr bool
	// IdentitiesInOrder makes an IKEv2 responder take the first identity that
	// accepts the caller's ID. By default one whose remote-id names that ID goes
	// before those that accept any.
	IdentitiesInOrder bool
	// IdentitiesOfAllPeers lets an IKEv2 responder look for the caller's ID among
	// the identities of every peer that matches the first packet, the chosen peer's
	// first. By default it looks among the chosen peer's alone.
	IdentitiesOfAllPeers bool
	// UseWaits keeps policies with level=use from being negotiated by the caller.
	// The page says both that such a policy acquires no SA and that a peer that is
	// not passive brings up phase 2 by itself.
	UseWaits bool
	// NATForwards assumes that a NAT in front of a responder forwards UDP 500 and
	// 4500 to it. By default a responder behind NAT cannot be reached.
	NATForwards bool
	// AssumeClients takes for macOS, iOS and Android the proposals in clients.go,
	// which come from logs of other servers. By default nobody can tell what they
	// propose, except that Android up to 11 has modp1024 only.
	AssumeClients bool
}

// Negotiate says what the attempt comes to. It reads a and changes nothing; its only
// error is the context's.
func (m Model) Negotiate(ctx context.Context, a schema.Attempt) (schema.Outcome, error) {
	if err := ctx.Err(); err != nil {
		return schema.Outcome{}, err
	}
	return m.negotiate(a), nil
}

func (m Model) negotiate(a schema.Attempt) schema.Outcome {
	n := &negotiation{
		Model: m,
		from:  read(a.Initiator),
		to:    read(a.Responder),
		rekey: a.Rekey,
	}
	if n.start(a) && n.answer() {
		n.phase1()
		n.authenticate()
		n.phase2()
	}
	return n.outcome()
}

// negotiation is one attempt while it is looked at.
type negotiation struct {
	Model
	findings

	from, to party
	rekey    bool
	nat      bool // between the two ends

	caller  peer     // the caller's peer; for a computer, what it behaves like
	callerI identity // the caller's identity
	callee  peer     // the peer that answers
	calleeI identity
	ok      struct{ callerI, calleeI bool } // whether the identities are known

	answered schema.RowRef
	ike      schema.Phase1
	children []schema.Phase2
}

// ikev1 tells whether the attempt is IKEv1.
func (n *negotiation) ikev1() bool { return n.caller.exchange != "ike2" }

// outcome turns the findings into a verdict: the first one decides.
func (n *negotiation) outcome() schema.Outcome {
	o := schema.Outcome{Verdict: schema.Agree, Answered: n.answered, Hints: n.hints}
	early := false
	for i, f := range n.found {
		early = early || f.Stage != schema.StagePhase2
		verdict, list := schema.Disagree, &o.Faults
		if !f.certain {
			verdict, list = schema.CannotTell, &o.Unknown
		}
		if i == 0 {
			o.Verdict = verdict
		}
		*list = append(*list, f.Fault)
	}
	if !early {
		o.Phase1 = &n.ike
		o.Phase2 = n.children
	}
	return o
}
