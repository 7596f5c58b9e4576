package lab

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"vpnbot/ros/schema"
)

// read adds to an outcome what is up. The last message of an exchange may still
// be on its way to the responder, so it gets a moment.
func (l *Lab) read(ctx context.Context, s setup, out schema.Outcome) (schema.Outcome, error) {
	out.Verdict = schema.Agree
	if len(out.Faults) > 0 {
		out.Verdict = schema.Disagree
	}
	if len(out.Faults) == 0 || out.Faults[0].Stage != schema.StageReach && out.Faults[0].Stage != schema.StagePeer {
		out.Answered = s.answering()
	}
	for deadline := time.Now().Add(settleTimeout); ; {
		var whole bool
		var err error
		if out.Phase1, out.Phase2, whole, err = l.both(ctx, s); err != nil {
			return out, err
		}
		up := out.Phase1 != nil && len(out.Phase2) == len(s.initiator.children)
		switch {
		case whole && (up || out.Verdict == schema.Disagree):
			return out, nil
		case time.Now().After(deadline) && out.Verdict == schema.Disagree:
			return out, nil
		case time.Now().After(deadline):
			return out, fmt.Errorf("%d of %d policies are up at both ends, and no fault was logged", len(out.Phase2), len(s.initiator.children))
		}
		select {
		case <-ctx.Done():
			return out, ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// rekeys tells whether the attempt is about SAs that replace the first: IKEv1
// treats those as it treats the first.
func (s setup) rekeys() bool { return s.Rekey && s.initiator.exchange == "ike2" }

// answering is the peer that answers, by the rule that the translation follows.
func (s setup) answering() schema.RowRef {
	for _, c := range s.responder {
		if c.exchange == s.initiator.exchange && fits(s.Attempt, c.peer) {
			return schema.RowRef{Menu: menuPeer, ID: c.peer[schema.ID]}
		}
	}
	return schema.RowRef{}
}

// settleTimeout is how long both ends may differ about what is up.
const settleTimeout = 5 * time.Second

// both reads what is up at both ends; whole is false while the responder lacks
// something that the initiator has.
func (l *Lab) both(ctx context.Context, s setup) (p *schema.Phase1, all []schema.Phase2, whole bool, err error) {
	mine, err := l.sites[0].daemon.held(ctx)
	if err != nil {
		return nil, nil, false, err
	}
	theirs, err := l.sites[1].daemon.held(ctx)
	if err != nil {
		return nil, nil, false, err
	}
	whole = true
	for _, sa := range mine {
		if sa.text("state") != "ESTABLISHED" || sa.name != s.initiator.name {
			continue
		}
		i := slices.IndexFunc(theirs, func(o heldSA) bool {
			return o.text("state") == "ESTABLISHED" && o.text("initiator-spi") == sa.text("initiator-spi")
		})
		if i < 0 {
			whole = false
			continue
		}
		p, all, whole = s.agreed(sa.message, theirs[i])
	}
	return p, all, whole, nil
}

// agreed is what both daemons say of an SA; whole is false while the responder
// lacks one of its children.
func (s setup) agreed(mine message, theirs heldSA) (p *schema.Phase1, all []schema.Phase2, whole bool) {
	var in connection
	for _, c := range s.responder {
		if c.name == theirs.name {
			in = c
		}
	}
	whole = true
	p = &schema.Phase1{
		Exchange:   s.initiator.exchange,
		Encryption: cipherName(mine, false),
		Hash:       hashName(mine.text("integ-alg")), DHGroup: groupName(mine.text("dh-group")),
		LifetimeText: s.initiator.lifetime,
		NATTraversal: s.Initiator.Local != s.Initiator.Seen,
		Peer:         in.peer[schema.ID], Identity: in.identity[schema.ID], OwnIdentity: s.initiator.identity[schema.ID],
		Ref: mine.text("initiator-spi"),
	}
	for _, k := range s.initiator.children {
		mine, ok := installed(mine, func(m message) bool { return m.text("name") == k.name })
		if !ok {
			continue
		}
		theirs, ok := installed(theirs.message, func(m message) bool { return m.text("spi-in") == mine.text("spi-out") })
		if !ok {
			whole = false
			continue
		}
		q := schema.Phase2{
			InitiatorPolicy: k.policy[schema.ID], Tunnel: mine.text("mode") == "TUNNEL", Protocol: k.protocol,
			Encryption: cipherName(mine, true), Auth: hashName(mine.text("integ-alg")), PFSGroup: groupName(mine.text("dh-group")),
			LifetimeText: k.lifetime,
			Ref:          p.Ref + "/" + mine.text("spi-in"),
			Source:       selected(mine, "local-ts"), Destination: selected(mine, "remote-ts"),
		}
		for _, r := range in.children {
			if r.name == theirs.text("name") {
				q.ResponderPolicy, q.Generated = r.policy[schema.ID], on(r.policy, "template")
			}
		}
		all = append(all, q)
	}
	return p, all, whole
}

// installed finds a child SA that is up.
func installed(sa message, is func(message) bool) (message, bool) {
	for _, p := range sa.section("child-sas") {
		if m, ok := p.value.(message); ok && m.text("state") == "INSTALLED" && is(m) {
			return m, true
		}
	}
	return nil, false
}

func selected(m message, key string) netip.Prefix {
	if ts := m.list(key); len(ts) == 1 {
		return parsePrefix(ts[0])
	}
	return netip.Prefix{}
}
