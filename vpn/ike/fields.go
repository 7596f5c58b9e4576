package ike

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"vpnbot/ros/schema"
)

// base is what every row that was read has: where it stands, and which of its
// attributes could not be read.
type base struct {
	ref schema.RowRef
	bad []unreadable
	row schema.Row
}

type unreadable struct{ attr, value string }

// misses tells whether one of the attributes could not be read.
func (b base) misses(attrs ...string) bool {
	return slices.ContainsFunc(b.bad, func(u unreadable) bool { return slices.Contains(attrs, u.attr) })
}

// value returns the attribute, or def where the row does not print it: a router
// leaves out what has its default in several menus.
func (b *base) value(attr, def string) string {
	if v := b.row[attr]; v != "" {
		return v
	}
	return def
}

func (b *base) fail(attr string) {
	b.bad = append(b.bad, unreadable{attr, b.row[attr]})
}

// flag reads true, false, yes and no.
func (b *base) flag(attr, def string) bool {
	switch b.value(attr, def) {
	case "yes", "true":
		return true
	case "no", "false":
		return false
	}
	b.fail(attr)
	return false
}

// enum reads one word of a list whose first is the default.
func (b *base) enum(attr string, known ...string) string {
	v := b.value(attr, known[0])
	if !slices.Contains(known, v) {
		b.fail(attr)
	}
	return v
}

// set reads a comma list whose order means nothing. The members come in the order
// of known, which is the one that a router prints.
func (b *base) set(attr, def string, known []string) []string {
	members := strings.Split(b.value(attr, def), ",")
	for i, m := range members {
		members[i] = strings.TrimSpace(m)
		if !slices.Contains(known, members[i]) {
			b.fail(attr)
			return nil
		}
	}
	slices.SortFunc(members, func(x, y string) int { return slices.Index(known, x) - slices.Index(known, y) })
	return slices.Compact(members)
}

// duration reads a time.
func (b *base) duration(attr, def string) time.Duration {
	d, err := schema.ParseDuration(b.value(attr, def))
	if err != nil || d < 0 {
		b.fail(attr)
		return 0
	}
	return d
}

// addr reads one address; unset and the unspecified one are the zero Addr.
func (b *base) addr(attr string) netip.Addr {
	v := b.value(attr, "")
	if v == "" {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(v)
	if err != nil {
		b.fail(attr)
		return netip.Addr{}
	}
	if a.IsUnspecified() {
		return netip.Addr{}
	}
	return a.Unmap()
}

// prefix reads an address with its mask length; a bare address is a host.
func (b *base) prefix(attr, def string) netip.Prefix {
	p, ok := parsePrefix(b.value(attr, def))
	if !ok {
		b.fail(attr)
	}
	return p
}

func parsePrefix(v string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(v); err == nil {
		return p.Masked(), true
	}
	if a, err := netip.ParseAddr(v); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	return netip.Prefix{}, false
}

// any tells whether p takes every address: both "::/0" and "0.0.0.0/0" do.
func anyAddress(p netip.Prefix) bool { return p.IsValid() && p.Bits() == 0 }

// covers tells whether each address of inner lies in outer.
func covers(outer, inner netip.Prefix) bool {
	if !outer.IsValid() || !inner.IsValid() {
		return false
	}
	return anyAddress(outer) || outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}

// hostname tells whether v may be a DNS name; a malformed address is none.
func hostname(v string) bool {
	letter := false
	for _, r := range v {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z':
			letter = true
		case r >= '0' && r <= '9', r == '-', r == '.', r == '_':
		default:
			return false
		}
	}
	return letter
}

// addr writes an address, or a dash for none.
func addr(a netip.Addr) string {
	if !a.IsValid() {
		return "-"
	}
	return a.String()
}
