package ike

import (
	"net/netip"
	"strings"
)

// id is what an end says it is, or expects the other to be: a kind and a value.
type id struct{ kind, value string }

// The kinds of IDs that carry a value; auto and ignore have none.
const (
	idAuto    = "auto"
	idIgnore  = "ignore"
	idAddress = "address"
)

// id reads my-id or remote-id: "auto", "address:192.0.2.1", "fqdn:a.example".
func (b *base) id(attr string, remote bool) id {
	kind, value, _ := strings.Cut(b.value(attr, idAuto), ":")
	switch kind {
	case idAuto:
		if value == "" {
			return id{kind: idAuto}
		}
	case idIgnore:
		if remote && value == "" {
			return id{kind: idIgnore}
		}
	case idAddress:
		if a, err := netip.ParseAddr(value); err == nil {
			return id{idAddress, a.Unmap().String()}
		}
	case "fqdn", "user-fqdn", "key-id":
		if value != "" {
			return id{kind, value}
		}
	}
	b.fail(attr)
	return id{kind: idAuto}
}

// text writes the ID as a router does.
func (i id) text() string {
	if i.value == "" {
		return i.kind
	}
	return i.kind + ":" + i.value
}

// open tells whether the ID accepts any other, as remote-id.
func (i id) open() bool { return i.kind == idAuto || i.kind == idIgnore }

// name tells whether the ID is of a kind that is documented for IKEv2 alone.
func (i id) name() bool { return !i.open() && i.kind != idAddress }

// sent is what an end with this my-id says: with a pre-shared key, auto is the
// address that it sends from, also when a NAT changes that on the way.
func (i id) sent(local netip.Addr) id {
	if i.kind != idAuto {
		return i
	}
	return id{idAddress, addr(local)}
}

// accepts tells whether an end that expects i takes the ID of an end that is seen
// at the address.
func (m Model) accepts(i, other id, seen netip.Addr) bool {
	switch {
	case i.kind == idAuto && m.AutoChecksAddress:
		return other == id{idAddress, addr(seen)}
	case i.open():
		return true
	}
	return i == other
}
