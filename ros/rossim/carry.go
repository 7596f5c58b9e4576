package rossim

import (
	"net/netip"
	"slices"
	"strings"
)

// carry takes a packet out of router i: connection tracking and address
// translation, policies, the SA or the bare Internet, and in at the other end.
// It tells where the packet arrives and what it looks like there.
func (in *Internet) carry(i int, p packet, w *walk) (int, packet, bool) {
	n := in.nodes[i]
	w.nodes = append(w.nodes, i)
	if in.local(n, p.dst) {
		return i, p, true
	}
	p = in.track(i, p, in.uplink(n), w)
	pol, found := in.match(i, p)
	switch {
	case !found || pol.action == "none":
		return in.bare(i, p, w)
	case pol.action == "discard":
		in.count(i, "out-policy-blocked", w)
		return 0, p, false
	}
	k, c, e := in.pair(i, pol.serial)
	if k == nil {
		if pol.level == "use" {
			return in.bare(i, p, w)
		}
		in.count(i, "out-no-states", w)
		return 0, p, false
	}
	return in.protect(k, c, e, p, w)
}

// protect sends a packet through an SA.
func (in *Internet) protect(k *ike, c *child, e int, p packet, w *walk) (int, packet, bool) {
	own, other := k.ends[e], k.ends[1-e]
	w.ikes = append(w.ikes, k.id)
	w.count(gauge{own.node, "/ip/ipsec/installed-sa", c.ends[e].out, "current-packets"}, 1)
	w.count(gauge{own.node, "/ip/ipsec/active-peers", own.row, "tx-packets"}, 1)
	if other.node < 0 || !in.carries(k, e, ESP) {
		return 0, p, false
	}
	if c.ends[1-e].gone {
		in.count(other.node, "in-no-states", w)
		return 0, p, false
	}
	w.count(gauge{other.node, "/ip/ipsec/installed-sa", c.ends[1-e].in, "current-packets"}, 1)
	w.count(gauge{other.node, "/ip/ipsec/active-peers", other.row, "rx-packets"}, 1)
	return in.arrive(other.node, p, w)
}

// bare sends a packet over the Internet as it is. Private addresses lead
// nowhere there.
func (in *Internet) bare(i int, p packet, w *walk) (int, packet, bool) {
	j, d, ok := in.owner(p.dst)
	if !ok || !public(p.src) || in.dark[p.src] || !in.passes(i, j, Plain) || in.nodes[j].up.After(in.clock) {
		return 0, p, false
	}
	p.dst = d.inside
	return in.arrive(j, p, w)
}

// arrive hands a packet to the router's LAN, or to the router itself.
func (in *Internet) arrive(j int, p packet, w *walk) (int, packet, bool) {
	n := in.nodes[j]
	w.nodes = append(w.nodes, j)
	out, _ := in.interfaceOf(n, p.dst)
	p = in.track(j, p, out, w)
	return j, p, in.local(n, p.dst)
}

func (in *Internet) count(i int, counter string, w *walk) {
	r := in.nodes[i].r
	r.mu.Lock()
	serial := r.st.tables["/ip/ipsec/statistics"][0].serial
	r.mu.Unlock()
	w.count(gauge{i, "/ip/ipsec/statistics", serial, counter}, 1)
}

// matched is the policy that a packet falls under.
type matched struct {
	serial        uint64
	action, level string
}

// match finds the first policy for a packet.
func (in *Internet) match(i int, p packet) (matched, bool) {
	r := in.nodes[i].r
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.st.match(p)
}

func (s *state) match(p packet) (matched, bool) {
	for _, rec := range s.tables["/ip/ipsec/policy"] {
		v := rec.vals
		if v["template"] == "true" || v["disabled"] == "true" || rec.view["invalid"] == "true" {
			continue
		}
		if covers(v["src-address"], p.src) && covers(v["dst-address"], p.dst) && takes(v["protocol"], p.protocol) &&
			port(v["src-port"], p.sport) && port(v["dst-port"], p.dport) {
			return matched{rec.serial, v["action"], v["level"]}, true
		}
	}
	return matched{}, false
}

func covers(prefix string, a netip.Addr) bool {
	if prefix == "::/0" || prefix == "0.0.0.0/0" || prefix == "" {
		return true
	}
	p, err := netip.ParsePrefix(prefix)
	return err == nil && p.Contains(a)
}

func takes(want, have string) bool { return want == "" || want == "all" || want == have }

func port(want string, have uint16) bool {
	return want == "" || want == "any" || want == "0" || slices.Contains(strings.Split(want, ","), itoa(int(have)))
}

// uplink is the interface that a router's main address is on.
func (in *Internet) uplink(n *node) string {
	d, ok := in.leaves(n, "")
	if !ok {
		return ""
	}
	name, _ := in.interfaceOf(n, d.inside)
	return name
}

// interfaceOf returns the interface in whose network an address lies.
func (in *Internet) interfaceOf(n *node, a netip.Addr) (string, bool) {
	for _, net := range in.networks(n) {
		if net.prefix.Contains(a) && (net.prefix.Addr() == a || !public(a)) {
			return net.iface, true
		}
	}
	return "", false
}

// network is a row in /ip/address that counts.
type network struct {
	prefix netip.Prefix
	iface  string
	client bool // the address of a session's client, not the router's own
}

// networks returns a router's addresses with their networks, as long as its rows
// stay as they are out of memory.
func (in *Internet) networks(n *node) []network {
	if n.known {
		return n.nets
	}
	n.r.mu.Lock()
	defer n.r.mu.Unlock()
	n.nets = nil
	for _, rec := range n.r.st.tables["/ip/address"] {
		if p, ok := n.r.st.addressOf(rec); ok {
			n.nets = append(n.nets, network{prefix: p, iface: rec.vals["interface"]})
			if client, err := netip.ParseAddr(rec.vals["network"]); err == nil && rec.dynamic && p.IsSingleIP() {
				n.nets = append(n.nets, network{netip.PrefixFrom(client, client.BitLen()), rec.vals["interface"], true})
			}
		}
	}
	n.known = true
	return n.nets
}
