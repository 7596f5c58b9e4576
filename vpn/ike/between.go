package ike

import (
	"slices"

	"vpnbot/ros/schema"
)

// End is one end of a tunnel: a router, and its peer for the tunnel.
type End struct {
	Party schema.Party
	// Peer is the .id of the row in /ip/ipsec/peer. Empty means the one enabled
	// static peer whose address or name is the other end's.
	Peer string
}

// Prediction is what the two ends of a tunnel come to.
type Prediction struct {
	// Verdict is Agree when at least one end calls, every end that calls reaches the
	// tunnel's own peer there, and both the first SAs and those of a rekey come up.
	Verdict schema.Verdict
	// Calls are the two directions: the first end calling the second, and the
	// reverse.
	Calls [2]Call
	// Faults and Unknown are what decides against Agree, of every direction that
	// counts, each once.
	Faults, Unknown []schema.Fault
}

// Call is one end calling the other.
type Call struct {
	// Initiates tells whether this end calls at all: its peer is on, not passive,
	// names the other end, and has an identity, and its packets get there.
	Initiates bool
	// First is what the first call comes to, Rekey what the replacement of its SAs
	// does.
	First, Rekey schema.Outcome
}

// Between predicts the tunnel between two ends. Rows that stand for a plan rather than
// for a router should come without what only a router prints, such as invalid: a
// duplicate is found by comparing rows anyway.
func (m Model) Between(a, b End) Prediction {
	ends := [2]End{a, b}
	var p Prediction
	for i := range ends {
		if ends[i].Peer == "" {
			ends[i].Peer = only(ends[i].Party, ends[1-i].Party)
		}
	}
	for i, from := range ends {
		p.Calls[i] = m.call(from, ends[1-i])
	}
	p.judge()
	return p
}

// only returns the .id of the one enabled static peer that leads from one party to
// the other, or nothing.
func only(from, to schema.Party) string {
	p, target := read(from), read(to)
	found := ""
	for _, q := range p.peers() {
		leads := q.host == "" && q.address.IsSingleIP() && q.address.Addr().Unmap() == target.seen ||
			q.host != "" && p.Names[q.host].Unmap() == target.seen
		if !leads || q.disabled || q.dynamic {
			continue
		}
		if found != "" {
			return ""
		}
		found = q.ref.ID
	}
	return found
}

func (m Model) call(from, to End) Call {
	a := schema.Attempt{Initiator: from.Party, Responder: to.Party, Peer: from.Peer}
	c := Call{First: m.negotiate(a)}
	a.Rekey = true
	c.Rekey = m.negotiate(a)
	at := func(list []schema.Fault) bool {
		return slices.ContainsFunc(list, func(f schema.Fault) bool { return f.Stage == schema.StageReach })
	}
	c.Initiates = !at(c.First.Faults) && !at(c.First.Unknown)
	for _, o := range []*schema.Outcome{&c.First, &c.Rekey} {
		meant(o, to.Peer)
	}
	return c
}

// meant makes it a fault that another row answers than the tunnel's own, even one
// that agrees. It is the first fault: what follows is about the wrong row.
func meant(o *schema.Outcome, row string) {
	if row == "" || o.Answered.ID == "" || o.Answered.ID == row {
		return
	}
	f := schema.Fault{
		Stage: schema.StagePeer, Code: schema.FaultOtherPeer, Attr: "address",
		Initiator: row, Responder: o.Answered.ID, ResponderRow: o.Answered,
	}
	o.Faults = append([]schema.Fault{f}, o.Faults...)
	early := func(f schema.Fault) bool { return f.Stage == schema.StageReach || f.Stage == schema.StagePeer }
	if o.Verdict != schema.CannotTell || !early(o.Unknown[0]) {
		o.Verdict = schema.Disagree
	}
}

// judge joins the directions. One that does not call counts only when neither does.
func (p *Prediction) judge() {
	var count []schema.Outcome
	for _, c := range p.Calls {
		if c.Initiates {
			count = append(count, c.First, c.Rekey)
		}
	}
	if len(count) == 0 {
		count = []schema.Outcome{p.Calls[0].First, p.Calls[1].First}
	}
	p.Verdict = schema.Agree
	for _, o := range count {
		p.Faults = appendNew(p.Faults, o.Faults)
		p.Unknown = appendNew(p.Unknown, o.Unknown)
		if o.Verdict == schema.Disagree || o.Verdict == schema.CannotTell && p.Verdict == schema.Agree {
			p.Verdict = o.Verdict
		}
	}
}

func appendNew(all, more []schema.Fault) []schema.Fault {
	for _, f := range more {
		if !slices.Contains(all, f) {
			all = append(all, f)
		}
	}
	return all
}
