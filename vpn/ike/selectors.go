package ike

import (
	"net/netip"
	"slices"
)

// selector is the traffic that a policy is about, from its own end.
type selector struct {
	src, dst         netip.Prefix
	protocol         string
	srcPort, dstPort string
}

// selector returns the policy's. In transport mode both ends are the routers
// themselves; rows that leave the addresses out, or unspecified, mean them.
func (q policy) selector(local, remote netip.Addr) selector {
	s := selector{q.src, q.dst, q.protocol, q.srcPort, q.dstPort}
	if !q.tunnel {
		if s.src.Addr().IsUnspecified() {
			s.src = host(local)
		}
		if s.dst.Addr().IsUnspecified() {
			s.dst = host(remote)
		}
	}
	return s
}

func host(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// mirror is the same traffic as the other end writes it.
func (s selector) mirror() selector {
	return selector{s.dst, s.src, s.protocol, s.dstPort, s.srcPort}
}

// differs names the attributes in which two selectors of one end differ.
func (s selector) differs(t selector) []string {
	var attrs []string
	for _, d := range []struct {
		attr string
		same bool
	}{
		{"src-address", samePrefix(s.src, t.src)},
		{"dst-address", samePrefix(s.dst, t.dst)},
		{"protocol", s.protocol == t.protocol},
		{"src-port", s.srcPort == t.srcPort},
		{"dst-port", s.dstPort == t.dstPort},
	} {
		if !d.same {
			attrs = append(attrs, d.attr)
		}
	}
	return attrs
}

// samePrefix compares prefixes; every address is the same in both families, as
// routers print either.
func samePrefix(a, b netip.Prefix) bool {
	return a == b || anyAddress(a) && anyAddress(b)
}

// narrowed is what two selectors of one end have in common.
func (s selector) narrowed(t selector) (selector, bool) {
	both := s
	var ok [2]bool
	both.src, ok[0] = common(s.src, t.src)
	both.dst, ok[1] = common(s.dst, t.dst)
	words := func(a, b, all string) (string, bool) {
		if a == all {
			return b, true
		}
		return a, b == all || a == b
	}
	var more [3]bool
	both.protocol, more[0] = words(s.protocol, t.protocol, "all")
	both.srcPort, more[1] = words(s.srcPort, t.srcPort, "any")
	both.dstPort, more[2] = words(s.dstPort, t.dstPort, "any")
	return both, ok == [2]bool{true, true} && !slices.Contains(more[:], false)
}

// common is the smaller of two prefixes of which one contains the other.
func common(a, b netip.Prefix) (netip.Prefix, bool) {
	switch {
	case covers(a, b):
		return b, true
	case covers(b, a):
		return a, true
	}
	return netip.Prefix{}, false
}

// text writes the selector for a person.
func (s selector) text() string {
	t := s.src.String() + " - " + s.dst.String()
	if s.protocol != "all" {
		t += " " + s.protocol
	}
	if s.srcPort != "any" || s.dstPort != "any" {
		t += " " + s.srcPort + "-" + s.dstPort
	}
	return t
}

// duplicate tells whether an earlier enabled policy of the router has the same
// selectors: the router marks the later one invalid.
func duplicate(all []policy, q policy) bool {
	for _, other := range all {
		if other.ref == q.ref {
			return false
		}
		if other.disabled || other.template || len(other.bad) > 0 {
			continue
		}
		if len(other.plain().differs(q.plain())) == 0 {
			return true
		}
	}
	return false
}

func (q policy) plain() selector {
	return selector{q.src, q.dst, q.protocol, q.srcPort, q.dstPort}
}

// enforced tells whether the policy can carry SAs of the peer: it is on, no
// template, encrypts, and is not what an earlier negotiation left behind.
func (q policy) enforced(p peer) bool {
	return q.of(p) && !q.disabled && q.standing(p)
}

// standing is enforced without regard to whether the policy is on. Policies of a
// dynamic peer are dynamic themselves; the L2TP server's are made per computer.
func (q policy) standing(p peer) bool {
	return !q.template && q.action == "encrypt" && (!q.dynamic || p.dynamic && !p.servesL2TP())
}
