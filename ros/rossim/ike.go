package rossim

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"vpnbot/ros/schema"
)

const noCookie = "0000000000000000"

// ike is a phase 1 that came up. Each end keeps it or has lost it by itself.
type ike struct {
	id       uint64
	exchange string
	natt     bool
	cookies  [2]string
	ends     [2]end // the initiator's first
	asked    schema.Attempt
	phase1   schema.Phase1
	gens     [2]uint64
	kids     []*child
	session  uint64    // the dial-in session above it, at the responder
	rekey    time.Time // a new phase 1 is due
	expires  time.Time
	expired  bool      // only SAs made under it are left
	retry    time.Time // missing phase 2s are due
}

// end is what one end has of a phase 1.
type end struct {
	node          int    // -1: a computer that dials in
	via           int    // the router whose line it uses, -1 for none
	peer          uint64 // serial of its row
	local, remote netip.Addr
	seen          netip.Addr // local, as the other end sees it
	id            string     // what the other end calls itself
	row           uint64     // in active-peers
	gone          bool
	dead          time.Time // when the silence has lasted too long; zero while there is none
	patience      time.Duration
	beat          time.Duration
}

func (k *ike) v2() bool { return k.exchange == "ike2" }

// at returns which end a router's peer is, or -1.
func (k *ike) at(node int, peer uint64) int {
	return slices.IndexFunc(k.ends[:], func(e end) bool { return e.node == node && e.peer == peer })
}

// port is the one that IKE and ESP use after the first packets.
func (k *ike) port() string {
	if k.natt {
		return "4500"
	}
	return "500"
}

func (in *Internet) newCookie() string { return fmt.Sprintf("%016x", in.roll()) }

// establish makes a phase 1 of an agreement, with the SAs agreed on under it.
func (in *Internet) establish(o *opening) {
	p1 := *o.outcome.Phase1
	if p1.Exchange == "" {
		p1.Exchange = o.exchange
	}
	k := &ike{
		id:       in.id(),
		exchange: p1.Exchange, natt: p1.NATTraversal, cookies: [2]string{o.cookie, in.newCookie()}, asked: o.attempt, phase1: p1,
		gens: [2]uint64{in.gen(o.from), in.gen(o.to)}, session: o.session,
	}
	if o.from >= 0 {
		o.via = o.from
	}
	k.ends[0] = end{node: o.from, via: o.via, peer: o.peer, local: o.out.inside, seen: o.out.public, remote: o.in.public}
	k.ends[1] = end{node: o.to, via: o.to, peer: in.serialOf(o.to, "/ip/ipsec/peer", p1.Peer), local: o.in.inside, seen: o.in.public, remote: o.out.public}
	k.ends[0].id = in.identity(o.to, p1.Identity, o.in.inside)
	k.ends[1].id = in.identity(o.from, p1.OwnIdentity, o.out.inside)
	in.initialContact(k)
	in.start(k)
	in.ikes = append(in.ikes, k)
	in.tellUp(k)
	for _, p2 := range o.outcome.Phase2 {
		in.addChild(k, p2, nil)
	}
	in.afterPhase2(k, o)
	if in.opts.Switches.SimultaneousOpen {
		in.letOpen(k)
	}
	in.touch(k)
}

func (in *Internet) gen(i int) uint64 {
	if i < 0 {
		return 0
	}
	return in.nodes[i].gen
}

// identity is what an end calls itself: its my-id, or its address.
func (in *Internet) identity(i int, id string, local netip.Addr) string {
	row, ok := in.row(i, "/ip/ipsec/identity", in.serialOf(i, "/ip/ipsec/identity", id))
	if kind, value, has := strings.Cut(row["my-id"], ":"); ok && has && kind != "" {
		return value
	}
	return local.String()
}

// start begins a phase 1's life: times and rows at both ends.
func (in *Internet) start(k *ike) {
	life, err := schema.ParseDuration(k.phase1.LifetimeText)
	if err != nil || life <= 0 {
		life = 24 * time.Hour
	}
	k.expires = in.clock.Add(life)
	k.rekey = in.clock.Add(life * time.Duration(90+in.roll()%6) / 100)
	for e := range k.ends {
		end := &k.ends[e]
		end.gone, end.dead = false, time.Time{}
		if end.node < 0 {
			continue
		}
		peer, _ := in.row(end.node, "/ip/ipsec/peer", end.peer)
		end.beat, end.patience = in.patience(end.node, peer, k.v2())
		if e == 0 && end.beat == 0 {
			k.rekey = time.Time{} // without dead peer detection nothing renews it
		}
		end.row = in.addState(in.nodes[end.node], "/ip/ipsec/active-peers", k.activePeer(e),
			&live{born: in.clock, seen: in.clock, beat: end.beat}, []string{"rx-bytes", "rx-packets", "tx-bytes", "tx-packets"})
	}
}

// patience is how long silence may last before a peer counts as dead: the
// interval of its profile, so often as it may fail. None means for ever.
func (in *Internet) patience(i int, peer schema.Row, v2 bool) (beat, patience time.Duration) {
	prof := in.profileOf(i, peer)
	beat, err := schema.ParseDuration(prof["dpd-interval"])
	if err != nil || beat <= 0 {
		return 0, 0
	}
	failures, err := strconv.Atoi(prof["dpd-maximum-failures"])
	if err != nil || v2 {
		failures = in.opts.Switches.IKE2Failures
	}
	return beat, beat * time.Duration(failures)
}

// activePeer is the row that an end shows.
func (k *ike) activePeer(e int) schema.Row {
	end := k.ends[e]
	row := schema.Row{
		"id": end.id, "local-address": end.local.String(), "remote-address": end.remote.String(), "state": "established",
		"side": "initiator", "spii": k.cookies[0], "spir": k.cookies[1],
	}
	if e == 1 {
		row["side"], row["responder"] = "responder", "true"
	}
	if k.natt {
		row["port"], row["natt-peer"] = k.port(), "true"
	}
	return row
}

// initialContact drops what an initiator has forgotten that it had.
func (in *Internet) initialContact(k *ike) {
	how := in.opts.Switches.InitialContact
	peer, ok := in.row(k.ends[0].node, "/ip/ipsec/peer", k.ends[0].peer)
	if how == "nothing" || in.opts.Switches.SimultaneousOpen || (ok && peer["send-initial-contact"] == "false") {
		return
	}
	for _, old := range slices.Clone(in.ikes) {
		for e, end := range old.ends {
			samePeer := end.peer == k.ends[1].peer && old.ends[0].node >= 0 && k.ends[0].node >= 0
			if end.node == k.ends[1].node && end.remote == k.ends[1].remote && !end.gone && (samePeer || how == "address") {
				in.dropEnd(old, e, "purging")
			}
		}
	}
}

// letOpen lets the other end finish opening a phase 1 of its own.
func (in *Internet) letOpen(k *ike) {
	if k.ends[1].node < 0 {
		return
	}
	for _, t := range in.nodes[k.ends[1].node].tries {
		if t.peer == k.ends[1].peer && !t.due.After(in.clock.Add(in.opts.Switches.StartAfter)) {
			t.must = true
		}
	}
}

// touch has both ends' rows reviewed and their wishes planned.
func (in *Internet) touch(k *ike) {
	in.stale.ike(k)
	for _, end := range k.ends {
		if end.node >= 0 {
			in.stale.node(end.node)
			in.review(in.nodes[end.node])
		}
	}
	for _, end := range k.ends {
		if end.node >= 0 {
			in.plan(end.node)
		}
	}
}

// dropEnd makes one end forget a phase 1 and the SAs under it. The other end
// hears of it when its packets are no longer answered.
func (in *Internet) dropEnd(k *ike, e int, how string) {
	end := &k.ends[e]
	if end.gone {
		return
	}
	end.gone, end.dead = true, time.Time{}
	in.lost(end.node, k.phase1.Ref)
	if end.node >= 0 {
		in.tellDown(k, e, how)
		in.removeState(in.nodes[end.node], "/ip/ipsec/active-peers", end.row)
	}
	for _, c := range slices.Clone(k.kids) {
		in.dropChildEnd(k, c, e)
	}
	if k.session != 0 {
		in.sessionLost(k, e)
	}
	in.listen(k)
	in.bury(k)
	in.touch(k)
}

// bury forgets a phase 1 that neither end has any more.
func (in *Internet) bury(k *ike) {
	if (k.ends[0].gone || k.ends[0].node < 0) && (k.ends[1].gone || k.ends[1].node < 0) {
		in.ikes = slices.DeleteFunc(in.ikes, func(o *ike) bool { return o == k })
	}
}

// listen looks whether the ends of a phase 1 still hear each other. Silence
// starts the time after which an end gives up.
func (in *Internet) listen(k *ike) {
	heard := !k.ends[0].gone && !k.ends[1].gone && in.linked(k, IKE)
	for e := range k.ends {
		end := &k.ends[e]
		if end.gone || k.expired {
			continue
		}
		switch {
		case heard:
			end.dead = time.Time{}
		case end.dead.IsZero() && end.patience > 0:
			end.dead = in.clock.Add(end.patience)
		}
		in.liven(end, heard)
	}
}

// liven sets whether an end's row is still seen to hear the other.
func (in *Internet) liven(end *end, heard bool) {
	if end.node < 0 {
		return
	}
	in.edit(in.nodes[end.node], "/ip/ipsec/active-peers", end.row, func(rec *record) {
		if rec.live == nil || rec.live.lost == !heard {
			return
		}
		rec.live.seen = in.clock.Add(-rec.lastSeen(in.clock))
		if heard {
			rec.live.seen = in.clock
		}
		rec.live.lost = !heard
	})
}

// linked tells whether a kind of traffic gets through between the ends, both
// ways.
func (in *Internet) linked(k *ike, what Traffic) bool {
	return in.carries(k, 0, what) && in.carries(k, 1, what)
}

// backed tells whether both ends still have a peer for a phase 1, which is on:
// what outlives its peer is not renewed.
func (in *Internet) backed(k *ike) bool {
	for _, end := range k.ends {
		if end.node < 0 {
			continue
		}
		if peer, ok := in.row(end.node, "/ip/ipsec/peer", end.peer); !ok || peer["disabled"] == "true" {
			return false
		}
	}
	return true
}

// carries tells whether traffic from end e reaches the other.
func (in *Internet) carries(k *ike, e int, what Traffic) bool {
	a, b := k.ends[e], k.ends[1-e]
	for _, end := range []end{a, b} {
		if in.dark[end.seen] || (end.node >= 0 && (!in.holds(in.nodes[end.node], end.local) || in.nodes[end.node].up.After(in.clock))) {
			return false
		}
	}
	return in.passes(a.via, b.via, what)
}

// giveUp is the end of patience.
func (in *Internet) giveUp(k *ike, e int) { in.dropEnd(k, e, "dpd") }

// expire ends a phase 1 that nothing renewed. IKEv1's SAs live on without it.
func (in *Internet) expire(k *ike) {
	k.rekey, k.expires, k.retry = time.Time{}, time.Time{}, time.Time{}
	if k.v2() || len(k.kids) == 0 {
		in.dropEnd(k, 0, "expired")
		in.dropEnd(k, 1, "expired")
		return
	}
	k.expired = true
	for e := range k.ends {
		end := &k.ends[e]
		end.dead = time.Time{}
		if end.node >= 0 && !end.gone {
			in.tellDown(k, e, "expired")
			in.removeState(in.nodes[end.node], "/ip/ipsec/active-peers", end.row)
			end.row = 0
		}
	}
	in.touch(k)
}

// renew makes a new phase 1 of an old one. IKEv2 does it inside the old one,
// without asking for keys again; IKEv1 begins anew.
func (in *Internet) renew(k *ike) {
	k.rekey = in.clock.Add(in.opts.Switches.TimeUp)
	if !k.rekey.Before(k.expires) {
		k.rekey = time.Time{}
	}
	if k.ends[0].gone || k.ends[1].gone || !in.linked(k, IKE) || !in.backed(k) {
		return
	}
	if !k.v2() && k.gens != [2]uint64{in.gen(k.ends[0].node), in.gen(k.ends[1].node)} && !in.again(k) {
		return
	}
	for e := range k.ends {
		if end := k.ends[e]; end.node >= 0 {
			in.tellDown(k, e, "rekey")
			in.removeState(in.nodes[end.node], "/ip/ipsec/active-peers", end.row)
		}
	}
	k.cookies = [2]string{in.newCookie(), in.newCookie()}
	in.start(k)
	in.countSAs(k)
	in.tellUp(k)
	in.stale.ike(k)
}

// again negotiates phase 1 from the rows as they are now.
func (in *Internet) again(k *ike) bool {
	o := in.reopen(k)
	if k.ends[0].node >= 0 {
		o.attempt.Initiator = in.party(k.ends[0].node, o.out)
	}
	o.attempt.Responder = in.party(k.ends[1].node, o.in)
	if !in.judge(o) {
		return false
	}
	if o.outcome.Phase1 == nil {
		in.tellFaults(o)
		return false
	}
	k.asked, k.phase1, k.exchange = o.attempt, *o.outcome.Phase1, o.outcome.Phase1.Exchange
	k.gens = [2]uint64{in.gen(k.ends[0].node), in.gen(k.ends[1].node)}
	return true
}

// reopen is the opening that would make this phase 1 again.
func (in *Internet) reopen(k *ike) *opening {
	a, b := k.ends[0], k.ends[1]
	o := &opening{
		from: a.node, to: b.node, peer: a.peer, out: door{inside: a.local, public: b.remote}, in: door{inside: b.local, public: a.remote},
		attempt: k.asked, cookie: k.cookies[0], session: k.session, exchange: k.exchange, via: a.via,
	}
	o.initiator, _ = in.row(a.node, "/ip/ipsec/peer", a.peer)
	return o
}
