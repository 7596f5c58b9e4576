package rossim

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"vpnbot/ros/schema"
)

// child is a pair of IPsec SAs. Each end chose the SPI of what comes in to it.
type child struct {
	spi     [2]uint32
	ends    [2]childEnd
	phase2  schema.Phase2
	first   int // which end asked for it; phase2 speaks from there
	soft    time.Time
	hard    time.Time
	dying   bool
	rekeyed bool // it replaced another, on the rows of gens
	gens    [2]uint64
}

type childEnd struct {
	policy    uint64 // serial of the row
	generated bool   // the row lives as long as the SAs
	in, out   uint64 // in installed-sa
	gone      bool
}

// fresh returns the SAs of a policy at one end that need no renewal, or nil.
func (k *ike) fresh(e int, policy uint64) *child {
	for _, c := range k.kids {
		if c.ends[e].policy == policy && !c.ends[e].gone && !c.dying {
			return c
		}
	}
	return nil
}

// childOf returns the SAs that a policy uses, the newest first, or nil.
func (in *Internet) childOf(i int, policy uint64) *child {
	_, c, _ := in.pair(i, policy)
	return c
}

func (in *Internet) pair(i int, policy uint64) (*ike, *child, int) {
	for _, k := range slices.Backward(in.ikes) {
		for e := range k.ends {
			if k.ends[e].node != i || (k.ends[e].gone && !k.expired) {
				continue
			}
			for _, c := range slices.Backward(k.kids) {
				if c.ends[e].policy == policy && !c.ends[e].gone {
					return k, c, e
				}
			}
		}
	}
	return nil, nil, 0
}

// addChild brings up SAs that end first asked for, in place of old ones when
// old is not nil.
func (in *Internet) addChild(k *ike, p2 schema.Phase2, old *child) { in.addChildFrom(k, 0, p2, old) }

func (in *Internet) addChildFrom(k *ike, first int, p2 schema.Phase2, old *child) {
	const path = "/ip/ipsec/policy"
	life, err := schema.ParseDuration(p2.LifetimeText)
	if err != nil || life <= 0 {
		life = 30 * time.Minute
	}
	hard := (life + life*time.Duration(in.roll()%20)/1000).Truncate(time.Second)
	soft := (hard * time.Duration(790+in.roll()%20) / 1000).Truncate(time.Second)
	c := &child{phase2: p2, first: first, soft: in.clock.Add(soft), hard: in.clock.Add(hard)}
	c.rekeyed, c.gens = old != nil, [2]uint64{in.gen(k.ends[0].node), in.gen(k.ends[1].node)}
	c.ends[first].policy = in.serialOf(k.ends[first].node, path, p2.InitiatorPolicy)
	switch {
	case p2.Generated && old != nil && old.ends[1-first].generated:
		c.ends[1-first] = childEnd{policy: old.ends[1-first].policy, generated: true}
		old.ends[1-first].generated = false
	case p2.Generated:
		c.ends[1-first] = childEnd{policy: in.generate(k, 1-first, p2), generated: true}
	default:
		c.ends[1-first].policy = in.serialOf(k.ends[1-first].node, path, p2.ResponderPolicy)
	}
	for e := range c.spi {
		c.spi[e] = uint32(in.roll()>>32) | 0x01000000
	}
	for e := range k.ends {
		in.installSAs(k, c, e, fmt.Sprint(schema.FormatDuration(soft), "/", schema.FormatDuration(hard)))
	}
	k.kids = append(k.kids, c)
	in.countSAs(k)
}

// installSAs writes the two rows of one end.
func (in *Internet) installSAs(k *ike, c *child, e int, lifetime string) {
	end := k.ends[e]
	if end.node < 0 {
		return
	}
	local, remote := end.local.String(), end.remote.String()
	if k.natt {
		local, remote = local+":"+k.port(), remote+":"+k.port()
	}
	n := in.nodes[end.node]
	put := func(spi uint32, src, dst string) uint64 {
		row := saKind(c.phase2, in.opts.Switches.Seed, spi)
		row["src-address"], row["dst-address"], row["add-lifetime"] = src, dst, lifetime
		return in.addState(n, "/ip/ipsec/installed-sa", row, &live{born: in.clock, hard: c.hard}, []string{"current-bytes", "current-packets"})
	}
	c.ends[e].in = put(c.spi[e], remote, local)
	c.ends[e].out = put(c.spi[1-e], local, remote)
}

// saKind is the part of an SA's row that tells how it protects. Both ends have
// the same keys.
func saKind(p2 schema.Phase2, seed uint64, spi uint32) schema.Row {
	enc, bits := p2.Encryption, ""
	for _, size := range []string{"128", "192", "256"} {
		if strings.Contains(enc, "-"+size) {
			enc, bits = strings.Replace(enc, "-"+size, "", 1), size
		}
	}
	row := schema.Row{
		"spi": fmt.Sprintf("0x%X", spi), "state": "mature", "auth-algorithm": p2.Auth, "enc-algorithm": enc, "replay": "128",
		"auth-key": key(seed, spi, "auth", 32), "enc-key": key(seed, spi, "enc", 32),
	}
	switch {
	case enc == "3des":
		bits = "192"
	case enc == "aes-gcm" || p2.Auth == "":
		row["hw-aead"] = "true"
		delete(row, "auth-algorithm")
		delete(row, "auth-key")
	}
	if bits != "" {
		row["enc-key-size"] = bits
	}
	if p2.Protocol == "ah" {
		row["AH"] = "true"
	} else {
		row["ESP"] = "true"
	}
	return row
}

func key(seed uint64, spi uint32, use string, size int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %d %s", seed, spi, use))
	return hex.EncodeToString(sum[:size])
}

// generate makes the dynamic policy that a template gives for an end that
// answered.
func (in *Internet) generate(k *ike, e int, p2 schema.Phase2) uint64 {
	end := k.ends[e]
	peer, _ := in.row(end.node, "/ip/ipsec/peer", end.peer)
	template, _ := in.row(end.node, "/ip/ipsec/policy", in.serialOf(end.node, "/ip/ipsec/policy", p2.ResponderPolicy))
	row := schema.Row{
		"peer": peer["name"], "tunnel": "true", "src-address": p2.Destination.String(), "dst-address": p2.Source.String(),
		"src-port": "any", "dst-port": "any", "protocol": "all", "action": "encrypt", "level": "unique", "ipsec-protocols": "esp",
		"proposal": template["proposal"], "disabled": "false",
	}
	if !p2.Tunnel {
		row["tunnel"], row["protocol"], row["src-port"], row["dst-port"] = "false", "udp", "1701", "1701"
		row["src-address"] = netip.PrefixFrom(end.local, end.local.BitLen()).String()
		row["dst-address"] = netip.PrefixFrom(end.remote, end.remote.BitLen()).String()
	}
	return in.addState(in.nodes[end.node], "/ip/ipsec/policy", row, nil, nil)
}

// dropChildEnd makes one end forget a pair of SAs.
func (in *Internet) dropChildEnd(k *ike, c *child, e int) {
	end := &c.ends[e]
	if !end.gone && k.ends[e].node >= 0 {
		n := in.nodes[k.ends[e].node]
		in.lost(k.ends[e].node, c.phase2.Ref)
		in.removeState(n, "/ip/ipsec/installed-sa", end.in)
		in.removeState(n, "/ip/ipsec/installed-sa", end.out)
		if end.generated {
			in.removeState(n, "/ip/ipsec/policy", end.policy)
		}
	}
	end.gone = true
	in.stale.ike(k)
	if (c.ends[0].gone || k.ends[0].node < 0) && (c.ends[1].gone || k.ends[1].node < 0) {
		k.kids = slices.DeleteFunc(k.kids, func(o *child) bool { return o == c })
	}
	in.countSAs(k)
}

// dropChild ends a pair of SAs at both ends: its time is up, or one end says
// so.
func (in *Internet) dropChild(k *ike, c *child) {
	c.soft, c.hard = time.Time{}, time.Time{}
	in.dropChildEnd(k, c, 0)
	in.dropChildEnd(k, c, 1)
	if k.expired && len(k.kids) == 0 {
		k.ends[0].gone, k.ends[1].gone = true, true
		in.bury(k)
	}
	for e := range k.ends {
		if k.ends[e].node >= 0 && in.childOf(k.ends[e].node, c.ends[e].policy) == nil {
			in.touch(k)
			return
		}
	}
}

// countSAs writes into a phase 1's rows how many SAs it has.
func (in *Internet) countSAs(k *ike) {
	for e, end := range k.ends {
		if end.node < 0 || end.gone {
			continue
		}
		n := 0
		for _, c := range k.kids {
			if !c.ends[e].gone && !c.dying {
				n++
			}
		}
		in.edit(in.nodes[end.node], "/ip/ipsec/active-peers", end.row, func(rec *record) {
			delete(rec.vals, "ph2-total")
			if n > 0 {
				rec.vals["ph2-total"] = itoa(n)
			}
		})
	}
}

// rekeyChild replaces SAs before they end. What the rows say now decides, so a
// proposal that was changed meanwhile shows here.
func (in *Internet) rekeyChild(k *ike, c *child) {
	c.soft = in.clock.Add(in.opts.Switches.TimeUp)
	if k.expired {
		c.dying, c.soft = true, time.Time{}
		in.touch(k)
		return
	}
	if c.ends[0].gone || c.ends[1].gone || k.ends[0].gone || k.ends[1].gone || !in.linked(k, IKE) || !in.backed(k) {
		return
	}
	p2, ok := c.phase2, c.rekeyed && c.gens == [2]uint64{in.gen(k.ends[0].node), in.gen(k.ends[1].node)}
	if !ok {
		p2, ok = in.renegotiate(k, c)
	}
	if !ok {
		return
	}
	c.soft, c.dying = time.Time{}, true
	in.addChildFrom(k, c.first, p2, c)
	if k.v2() || in.opts.Switches.DropOldSAs {
		in.dropChild(k, c)
		return
	}
	in.fade(k, c)
	in.countSAs(k)
	in.stale.ike(k)
}

// fade marks SAs that only wait for their end.
func (in *Internet) fade(k *ike, c *child) {
	for e, end := range k.ends {
		if end.node < 0 {
			continue
		}
		for _, serial := range []uint64{c.ends[e].in, c.ends[e].out} {
			in.edit(in.nodes[end.node], "/ip/ipsec/installed-sa", serial, func(rec *record) { rec.vals["state"] = "dying" })
		}
	}
}

// renegotiate asks for SAs in place of old ones.
func (in *Internet) renegotiate(k *ike, c *child) (schema.Phase2, bool) {
	o := in.phase2(k, c.first)
	o.attempt.Rekey = true
	if !in.judge(o) {
		return schema.Phase2{}, false
	}
	i := slices.IndexFunc(o.outcome.Phase2, func(p schema.Phase2) bool { return p.InitiatorPolicy == c.phase2.InitiatorPolicy })
	if i < 0 {
		in.tellFaults(o)
		return schema.Phase2{}, false
	}
	return o.outcome.Phase2[i], true
}

// phase2 is an opening on a phase 1 that is up: its rows as they were agreed
// on, the rows of phase 2 as they are now.
func (in *Internet) phase2(k *ike, first int) *opening {
	o := in.reopen(k)
	o.attempt.Initiator = in.refreshed(k, 0)
	o.attempt.Responder = in.refreshed(k, 1)
	if first == 1 {
		o.from, o.to, o.peer, o.out, o.in = o.to, o.from, k.ends[1].peer, o.in, o.out
		o.attempt.Initiator, o.attempt.Responder = o.attempt.Responder, o.attempt.Initiator
		o.initiator, _ = in.row(o.from, "/ip/ipsec/peer", o.peer)
		o.attempt.Peer = o.initiator[schema.ID]
	}
	return o
}

func (in *Internet) refreshed(k *ike, e int) schema.Party {
	was := k.asked.Initiator
	if e == 1 {
		was = k.asked.Responder
	}
	if k.ends[e].node < 0 {
		return was
	}
	now := in.party(k.ends[e].node, door{inside: was.Local, public: was.Seen})
	rows := maps.Clone(was.Rows)
	for _, path := range []string{"/ip/ipsec/policy", "/ip/ipsec/policy/group", "/ip/ipsec/proposal"} {
		rows[path] = now.Rows[path]
	}
	was.Rows = rows
	return was
}

// missing returns the policies of an end that want SAs and have none.
func (in *Internet) missing(k *ike, e int) []uint64 {
	end := k.ends[e]
	peer, ok := in.row(end.node, "/ip/ipsec/peer", end.peer)
	if !ok || end.gone {
		return nil
	}
	r := in.nodes[end.node].r
	r.mu.Lock()
	var want []uint64
	for _, pol := range r.st.tables["/ip/ipsec/policy"] {
		if pol.protects(peer["name"]) {
			want = append(want, pol.serial)
		}
	}
	r.mu.Unlock()
	return slices.DeleteFunc(want, func(p uint64) bool { return in.childOf(end.node, p) != nil })
}

// complete negotiates what has no SAs yet, from each end that initiates.
func (in *Internet) complete(k *ike) {
	k.retry = time.Time{}
	if k.ends[0].gone || k.ends[1].gone || !in.linked(k, IKE) || !in.backed(k) {
		k.retry = in.clock.Add(in.opts.Switches.TimeUp)
		return
	}
	for e := range k.ends {
		want := in.missing(k, e)
		peer, _ := in.row(k.ends[e].node, "/ip/ipsec/peer", k.ends[e].peer)
		if len(want) == 0 || (e == 1 && peer["passive"] == "true") {
			continue
		}
		o := in.phase2(k, e)
		o.attempt.Rekey = k.v2() // its own keys, unlike those that came with phase 1
		if !in.judge(o) {
			k.retry = in.clock.Add(in.opts.Switches.TimeUp)
			continue
		}
		for _, p2 := range o.outcome.Phase2 {
			if slices.Contains(want, in.serialOf(o.from, "/ip/ipsec/policy", p2.InitiatorPolicy)) {
				in.addChildFrom(k, e, p2, nil)
			}
		}
		in.afterPhase2(k, o)
	}
	in.touch(k)
}

// afterPhase2 tells what failed of phase 2 and tries again later.
func (in *Internet) afterPhase2(k *ike, o *opening) {
	for e := range k.ends {
		if k.ends[e].node == o.from && len(in.missing(k, e)) > 0 {
			in.tellFaults(o)
			k.retry = in.clock.Add(in.opts.Switches.TimeUp)
		}
	}
	if o.from < 0 && len(o.outcome.Phase2) == 0 {
		in.tellFaults(o)
	}
}
