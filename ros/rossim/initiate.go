package rossim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"vpnbot/ros/schema"
)

// try is a phase 1 that a router wants: waiting to begin, or begun and not
// answered yet.
type try struct {
	peer   uint64    // serial of the row
	due    time.Time // when something happens next
	begun  time.Time // zero while it waits
	cookie string
	row    uint64 // its row in active-peers
	last   judged
	must   bool // goes on although the tunnel is up already
}

// judged remembers what an answer was given to, so that the same question is
// asked once.
type judged struct {
	to   int
	gens [2]uint64
	ok   bool
}

// wish is a peer that a router brings up by itself: enabled, not passive, one
// address, with a policy to protect.
type wish struct {
	serial   uint64
	row      schema.Row
	policies []uint64
}

func (in *Internet) wishes(n *node) []wish {
	n.r.mu.Lock()
	defer n.r.mu.Unlock()
	var ws []wish
	for _, rec := range n.r.st.tables["/ip/ipsec/peer"] {
		v := rec.vals
		if rec.dynamic || v["disabled"] == "true" || v["passive"] == "true" || v["address"] == "" {
			continue
		}
		if strings.Contains(v["address"], "/") && !single(v["address"]) {
			continue
		}
		w := wish{serial: rec.serial, row: v.Clone()}
		for _, pol := range n.r.st.tables["/ip/ipsec/policy"] {
			if pol.protects(rec.name()) {
				w.policies = append(w.policies, pol.serial)
			}
		}
		if len(w.policies) > 0 {
			ws = append(ws, w)
		}
	}
	return ws
}

// protects tells whether a policy's row wants SAs from that peer.
func (r *record) protects(peer string) bool {
	v := r.vals
	return !r.dynamic && v["disabled"] != "true" && v["template"] != "true" && v["action"] == "encrypt" &&
		r.view["invalid"] != "true" && slices.Contains(strings.Split(v["peer"], ","), peer)
}

// plan looks at what a router wants to have up, and begins what is missing.
func (in *Internet) plan(i int) {
	n := in.nodes[i]
	wishes := in.wishes(n)
	for _, t := range slices.Clone(n.tries) {
		k := slices.IndexFunc(wishes, func(w wish) bool { return w.serial == t.peer })
		if k < 0 || (in.served(i, wishes[k]) && !t.must) {
			in.dropTry(n, t)
		}
	}
	start := later(in.clock, n.up).Add(in.opts.Switches.StartAfter)
	for _, w := range wishes {
		k := slices.IndexFunc(n.tries, func(t *try) bool { return t.peer == w.serial })
		switch {
		case in.served(i, w):
			in.wantPhase2(i, w, start)
		case k < 0:
			n.tries = append(n.tries, &try{peer: w.serial, due: start})
		case n.tries[k].begun.IsZero() && start.Before(n.tries[k].due):
			n.tries[k].due = start
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// served tells whether a wish has its phase 1. One that has expired will do
// while the SAs made under it are fresh.
func (in *Internet) served(i int, w wish) bool {
	for _, k := range in.ikes {
		e := k.at(i, w.serial)
		if e < 0 || k.ends[e].gone {
			continue
		}
		if !k.expired {
			return true
		}
		covered := !slices.ContainsFunc(w.policies, func(p uint64) bool { return k.fresh(e, p) == nil })
		if covered {
			return true
		}
	}
	return false
}

// wantPhase2 makes the phase 1 of a wish negotiate the policies that have no
// SAs.
func (in *Internet) wantPhase2(i int, w wish, when time.Time) {
	for _, k := range in.ikes {
		e := k.at(i, w.serial)
		if e < 0 || k.ends[e].gone || k.expired || !k.retry.IsZero() {
			continue
		}
		missing := slices.ContainsFunc(w.policies, func(p uint64) bool { return in.childOf(i, p) == nil })
		if missing {
			k.retry = when
		}
		return
	}
}

func (in *Internet) dropTry(n *node, t *try) {
	n.tries = slices.DeleteFunc(n.tries, func(o *try) bool { return o == t })
	in.removeState(n, "/ip/ipsec/active-peers", t.row)
}

// try begins a phase 1, sends its packets again, or gives it up.
func (in *Internet) try(i int, t *try) {
	n, sw := in.nodes[i], in.opts.Switches
	peer, ok := in.row(i, "/ip/ipsec/peer", t.peer)
	if !ok {
		in.dropTry(n, t)
		return
	}
	remote, resolved := in.remoteOf(peer)
	out, has := in.leaves(n, peer["local-address"])
	if !resolved || !has {
		in.removeState(n, "/ip/ipsec/active-peers", t.row)
		t.begun, t.row, t.due = time.Time{}, 0, in.clock.Add(sw.RetryAfter)
		return
	}
	o := &opening{from: i, peer: t.peer, out: out, in: door{inside: remote, public: remote}, initiator: peer, exchange: peer["exchange-mode"]}
	switch {
	case t.begun.IsZero():
		in.begin(n, t, o)
	case !in.clock.Before(t.begun.Add(sw.TimeUp)):
		in.timeUp(n, t, o)
		return
	}
	o.cookie = t.cookie
	t.due = in.clock.Add(sw.Retransmit)
	if end := t.begun.Add(sw.TimeUp); end.Before(t.due) {
		t.due = end
	}
	in.ask(i, t, o)
}

func (in *Internet) begin(n *node, t *try, o *opening) {
	t.begun, t.cookie, t.last = in.clock, in.newCookie(), judged{}
	o.cookie = t.cookie
	in.tellBegin(n, o)
	if in.opts.Switches.NoAttemptRows {
		return
	}
	t.row = in.addState(n, "/ip/ipsec/active-peers", schema.Row{
		"local-address": o.out.inside.String(), "remote-address": o.in.public.String(), "state": "message-1-sent", "side": "initiator",
		"spii": t.cookie, "spir": noCookie,
	}, nil, nil)
}

func (in *Internet) timeUp(n *node, t *try, o *opening) {
	o.cookie = t.cookie
	in.tellTimeUp(n, o)
	in.removeState(n, "/ip/ipsec/active-peers", t.row)
	*t = try{peer: t.peer, due: in.clock.Add(in.opts.Switches.RetryAfter)}
}

// ask hands the packet to whoever has its address.
func (in *Internet) ask(i int, t *try, o *opening) {
	if !in.reach(o) {
		return
	}
	is := judged{o.to, [2]uint64{in.nodes[i].gen, in.nodes[o.to].gen}, true}
	if t.last == is {
		return
	}
	o.attempt = schema.Attempt{Initiator: in.party(i, o.out), Responder: in.party(o.to, o.in), Peer: o.initiator[schema.ID]}
	if !in.judge(o) {
		return
	}
	t.last = is
	if o.outcome.Phase1 == nil {
		in.tellFaults(o)
		return
	}
	in.dropTry(in.nodes[i], t)
	in.establish(o)
}

// reach finds who gets the packet, and whether an answer comes back.
func (in *Internet) reach(o *opening) bool {
	to, d, ok := in.owner(o.in.public)
	if !ok || to == o.from || in.dark[o.out.public] || in.nodes[to].up.After(in.clock) {
		return false
	}
	o.to, o.in = to, d
	return in.passes(o.from, to, IKE) && in.passes(to, o.from, IKE)
}

// judge asks the negotiator. A negotiator that fails or cannot tell is logged;
// to the routers it is a packet without answer.
func (in *Internet) judge(o *opening) bool {
	var err error
	o.outcome, err = in.negotiate(o.attempt)
	names := []any{"initiator", o.attempt.Initiator.Name, "responder", o.attempt.Responder.Name}
	if err != nil {
		in.log.Error("negotiating", append(names, "err", err)...)
		return false
	}
	if o.outcome.Verdict == schema.CannotTell {
		in.log.Warn("the negotiator cannot tell", append(names, "unknown", fmt.Sprint(o.outcome.Unknown))...)
		return false
	}
	return true
}

func single(prefix string) bool {
	return strings.HasSuffix(prefix, "/32") || strings.HasSuffix(prefix, "/128")
}
