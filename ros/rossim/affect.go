package rossim

import (
	"slices"
	"strings"
	"time"

	"vpnbot/ros/schema"
)

// selectors are the attributes of a policy that its SAs were made for.
var selectors = []string{
	"src-address", "src-port", "dst-address", "dst-port", "protocol", "tunnel", "action", "ipsec-protocols", "template", "disabled",
}

// affect carries out what a write does to what is up.
func (in *Internet) affect(i int, e effect) {
	n, sw := in.nodes[i], in.opts.Switches
	if slices.Contains(negotiated, e.path) {
		n.gen++
	}
	switch e.path {
	case "/ip/ipsec/peer":
		if differs(e, sw.PeerEdits) {
			in.dropPeer(i, e.serial)
		}
	case "/ip/ipsec/identity":
		if sw.IdentityEditDrops && e.old != nil {
			in.dropPeers(i, func(peer schema.Row) bool { return peer["name"] == e.row["peer"] })
		}
	case "/ip/ipsec/profile":
		if sw.ProfileEditDrops && e.old != nil {
			in.dropPeers(i, func(peer schema.Row) bool { return peer["profile"] == e.row["name"] })
		}
	case "/ip/ipsec/proposal":
		if sw.ProposalEditDrops && e.old != nil {
			in.dropPolicies(i, func(pol schema.Row) bool { return pol["proposal"] == e.row["name"] })
		}
	case "/ip/ipsec/policy":
		if e.verb == "removed" || differs(e, selectors) || (differs(e, []string{"peer"}) && !sw.PolicyEditKeeps) {
			in.dropPolicy(i, e.serial)
		}
	case "/ip/ipsec/active-peers":
		in.removedPeer(i, e)
	case "/ip/ipsec/installed-sa":
		in.flushed(i)
	case "/ip/firewall/connection":
		in.conns = slices.DeleteFunc(in.conns, func(c *connection) bool { return c.node == i && c.row == e.serial })
	case "/ppp/active":
		in.sessionEnded(i, e.session)
	}
	in.orphans(i)
}

// differs tells whether a set changed one of the attributes.
func differs(e effect, attrs []string) bool {
	return e.old != nil && slices.ContainsFunc(attrs, func(a string) bool { return e.old[a] != e.row[a] })
}

// dropPeer ends everything that a router has with one peer row.
func (in *Internet) dropPeer(i int, serial uint64) {
	for _, k := range slices.Clone(in.ikes) {
		for e := range k.ends {
			if k.ends[e].node == i && k.ends[e].peer == serial {
				in.cut(k, e)
			}
		}
	}
	n := in.nodes[i]
	for _, t := range slices.Clone(n.tries) {
		if t.peer == serial {
			in.dropTry(n, t)
		}
	}
}

// cut ends a phase 1 at one end on purpose.
func (in *Internet) cut(k *ike, e int) {
	told := in.opts.Switches.DeleteNotify && in.linked(k, IKE)
	if k.expired {
		for _, c := range slices.Clone(k.kids) {
			in.dropChildEnd(k, c, e)
		}
	}
	in.dropEnd(k, e, "purging")
	if told {
		in.dropEnd(k, 1-e, "purging")
	}
}

func (in *Internet) dropPeers(i int, which func(schema.Row) bool) {
	for _, serial := range in.serials(i, "/ip/ipsec/peer", which) {
		in.dropPeer(i, serial)
	}
}

func (in *Internet) dropPolicies(i int, which func(schema.Row) bool) {
	for _, serial := range in.serials(i, "/ip/ipsec/policy", which) {
		in.dropPolicy(i, serial)
	}
}

// dropPolicy ends the SAs of a policy. The other end is told, as long as there
// is a phase 1 to tell it by.
func (in *Internet) dropPolicy(i int, policy uint64) {
	for {
		k, c, e := in.pair(i, policy)
		if k == nil {
			return
		}
		if in.linked(k, IKE) && !k.expired && !k.ends[1-e].gone {
			in.dropChild(k, c)
			continue
		}
		in.dropChildEnd(k, c, e)
		in.touch(k)
	}
}

func (in *Internet) serials(i int, path string, which func(schema.Row) bool) []uint64 {
	r := in.nodes[i].r
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []uint64
	for _, rec := range r.st.tables[path] {
		if which(rec.vals) {
			out = append(out, rec.serial)
		}
	}
	return out
}

// removedPeer follows the removal of a row in active-peers.
func (in *Internet) removedPeer(i int, e effect) {
	if e.verb != "removed" {
		return
	}
	for _, k := range slices.Clone(in.ikes) {
		for end := range k.ends {
			if k.ends[end].node == i && k.ends[end].row == e.serial {
				in.cut(k, end)
			}
		}
	}
	n := in.nodes[i]
	n.tries = slices.DeleteFunc(n.tries, func(t *try) bool { return t.row == e.serial && t.row != 0 })
}

// flushed follows installed-sa/flush: this end has no SAs any more.
func (in *Internet) flushed(i int) {
	for _, k := range slices.Clone(in.ikes) {
		for e := range k.ends {
			if k.ends[e].node != i {
				continue
			}
			for _, c := range slices.Clone(k.kids) {
				in.dropChildEnd(k, c, e)
			}
		}
	}
}

// orphans ends what belongs to peer rows that are not there any more.
func (in *Internet) orphans(i int) {
	if in.opts.Switches.PeerRemovalKeeps {
		return
	}
	have := in.serials(i, "/ip/ipsec/peer", func(schema.Row) bool { return true })
	for _, k := range slices.Clone(in.ikes) {
		for e := range k.ends {
			if k.ends[e].node == i && !slices.Contains(have, k.ends[e].peer) {
				in.cut(k, e)
			}
		}
	}
}

// rebooted follows a reboot: the router has forgotten everything and is silent
// for a while; the others are not told.
func (in *Internet) rebooted(r *Router) {
	in.with(func() {
		i := slices.IndexFunc(in.nodes, func(n *node) bool { return n.r == r })
		n := in.nodes[i]
		n.up = in.clock.Add(in.opts.Switches.BootTime)
		n.tries = nil
		in.conns = slices.DeleteFunc(in.conns, func(c *connection) bool { return c.node == i })
		for _, k := range slices.Clone(in.ikes) {
			for e := range k.ends {
				if k.ends[e].node == i {
					in.dropEnd(k, e, "boot")
				}
			}
		}
		in.changed(n)
		for _, k := range slices.Clone(in.ikes) {
			in.listen(k)
		}
	})
}

// closing is a dial-in session that has lost its IPsec and will notice.
type closing struct {
	due     time.Time
	node    int
	session uint64
}

// sessionLost follows the end of a client's phase 1 at one end.
func (in *Internet) sessionLost(k *ike, e int) {
	if e == 1 && k.session != 0 {
		in.closings = append(in.closings, closing{in.clock.Add(in.opts.Switches.KeepaliveEnds), k.ends[1].node, k.session})
	}
}

func (in *Internet) closeSession(c closing) {
	in.closings = slices.DeleteFunc(in.closings, func(o closing) bool { return o == c })
	r := in.nodes[c.node].r
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rec := range slices.Clone(r.st.tables["/ppp/active"]) {
		if rec.session == c.session {
			r.st.endSession(rec, "hung-up")
		}
	}
}

// sessionEnded follows the end of a dial-in session: its client ends IPsec too.
func (in *Internet) sessionEnded(i int, session uint64) {
	if session == 0 {
		return
	}
	in.closings = slices.DeleteFunc(in.closings, func(c closing) bool { return c.node == i && c.session == session })
	for _, k := range slices.Clone(in.ikes) {
		if k.session == session && k.ends[1].node == i {
			k.session = 0
			in.dropEnd(k, 1, "deleted")
		}
	}
}

// ipsecReboot drops what a router forgets in a reboot.
func (s *state) ipsecReboot() {
	for path, recs := range s.tables {
		switch {
		case sessionMenu(path) && path != "/user/active" && path != "/ppp/active", path == "/ip/ipsec/installed-sa":
			s.tables[path] = nil
		case path == "/ip/ipsec/policy":
			s.tables[path] = slices.DeleteFunc(slices.Clone(recs), func(r *record) bool { return r.dynamic })
		case path == "/ip/ipsec/statistics", strings.HasPrefix(path, "/ip/firewall/"):
			for _, r := range recs {
				r.meters = nil
			}
		}
	}
	s.effects = nil
}
