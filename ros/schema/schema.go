// Package schema holds what is known about RouterOS menus: which attributes a
// row has, how each value is written, which values are secret or volatile, and
// which writes the product may ever send.
//
// It is a leaf: it imports nothing of this module and knows neither the wire
// nor the simulator. Both the client (ros) and the stand-in (ros/rossim) read
// the same facts here, but each encodes sentences by its own code.
//
// A Row is one RouterOS row as the API prints it: attribute name to value, in
// the router's own spelling ("remote-address", "5m", "true"). The row's id, when
// present, stands under ".id"; ids are not stable over reboots and are never
// stored.
//
// Source of the tables: vendor documentation and the console dumps of
// tikoci/restraml (The Unlicense).
package schema

import (
	"encoding/hex"
	"maps"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// ID is the attribute that carries a row's id, "*1F". It lives until the next
// reboot at most.
const ID = ".id"

// Row is one row of a menu in the router's own form.
type Row map[string]string

// Clone returns a copy that shares nothing with r.
func (r Row) Clone() Row { return maps.Clone(r) }

// Names returns the attribute names of r in alphabetical order.
func (r Row) Names() []string { return slices.Sorted(maps.Keys(r)) }

// Kind is the form in which RouterOS writes the values of an attribute.
type Kind uint8

// The value kinds. Comparison and canonical form follow the kind.
const (
	Text     Kind = iota // free bytes, compared as they are
	Enum                 // one word of a closed list
	Bool                 // "true"/"false" in replies, "yes"/"no" accepted
	Number               // decimal integer
	Duration             // "1d2h3m4s", "0s", "none"
	Address              // one IPv4 or IPv6 address
	Prefix               // address with mask length; a bare address is a host prefix
	Ranges               // "10.0.0.1-10.0.0.9,10.0.1.0/24"
	Set                  // comma list whose order means nothing
	List                 // comma list whose order means something
)

// Attr is one attribute of a menu.
type Attr struct {
	Name     string
	Kind     Kind
	Default  string // value a row has when the attribute is not given; "" when it is then absent
	Secret   bool   // never read, never shown
	Volatile bool   // moves by itself (counters, times); never part of a state digest
	ReadOnly bool   // cannot be written
	Values   []string
}

// Menu is one RouterOS menu.
type Menu struct {
	Path      string // "/ppp/secret"
	Ordered   bool   // rows have a meaningful order (move, place-before)
	Singleton bool   // settings: one row without id, set without id
	Comment   bool   // rows carry a comment, so a generation mark can stand there
	Live      bool   // rows come and go by themselves; a step that removes takes all that it names, and none is fine
	Key       []string
	Attrs     []Attr
	Only      string // query word of the rows that are read, of menus that may hold very many; "": all
}

// Attr returns the attribute called name. The second result tells whether the
// menu knows it.
func (m Menu) Attr(name string) (Attr, bool) {
	for _, a := range m.Attrs {
		if a.Name == name {
			return a, true
		}
	}
	return Attr{}, false
}

// Proplist returns the attributes to ask for, ".id" first (not for singletons):
// every known attribute that is no secret. Reading always names its attributes,
// so that a router never sends a secret that nobody asked for.
func (m Menu) Proplist() []string {
	var names []string
	if !m.Singleton {
		names = append(names, ID)
	}
	for _, a := range m.Attrs {
		if !a.Secret {
			names = append(names, a.Name)
		}
	}
	return names
}

// Secrets returns the names of the menu's secret attributes.
func (m Menu) Secrets() []string {
	var names []string
	for _, a := range m.Attrs {
		if a.Secret {
			names = append(names, a.Name)
		}
	}
	return names
}

// Canonical returns value in the one form in which two values of the attribute
// are compared. An unknown attribute is compared byte by byte.
func (m Menu) Canonical(name, value string) string {
	a, ok := m.Attr(name)
	if !ok {
		return value
	}
	return a.Canonical(value)
}

// Same tells whether RouterOS means the same by a and b.
func (m Menu) Same(name, a, b string) bool {
	return m.Canonical(name, a) == m.Canonical(name, b)
}

// Stable returns the part of r that a state digest covers: known and unknown
// attributes in canonical form, without id, secrets and volatile values. Bytes
// that are no UTF-8 are written in hex, so that they survive being stored.
func (m Menu) Stable(r Row) Row {
	s := make(Row, len(r))
	for name, value := range r {
		if name == ID || name == ".nextid" || name == ".about" {
			continue
		}
		a, ok := m.Attr(name)
		if ok && (a.Secret || a.Volatile) {
			continue
		}
		if ok {
			value = a.Canonical(value)
		}
		if !utf8.ValidString(value) {
			value = "0x" + hex.EncodeToString([]byte(value))
		}
		s[name] = value
	}
	return s
}

// KeyOf returns the values of the menu's natural key in r, joined by "/". It
// names a row to a person; a row is found again by it after a reboot.
func (m Menu) KeyOf(r Row) string {
	parts := make([]string, 0, len(m.Key))
	for _, k := range m.Key {
		parts = append(parts, r[k])
	}
	return strings.Join(parts, "/")
}

// Lookup returns the menu at path. The second result tells whether the product
// knows it.
func Lookup(path string) (Menu, bool) {
	i := sort.Search(len(menus), func(i int) bool { return menus[i].Path >= path })
	if i < len(menus) && menus[i].Path == path {
		return menus[i], true
	}
	return Menu{}, false
}

// Paths returns every known menu path in alphabetical order.
func Paths() []string {
	paths := make([]string, len(menus))
	for i, m := range menus {
		paths[i] = m.Path
	}
	return paths
}
