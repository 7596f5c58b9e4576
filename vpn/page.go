package vpn

import (
	"net/netip"
	"time"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// page is one sample of a router, decoded once for all of its tunnels.
type page struct {
	at, until time.Time // while it was read
	peers     []peerRow
	policies  []policyRow
	phase1    []phase1Row
	sas       []saRow
	addresses []addressRow
}

// origin is where a decoded row comes from, and the first of its attributes that
// is not understood. Key is set with odd only.
type origin struct {
	menu, key, odd string
}

type peerRow struct {
	origin
	Peer
	prefix         netip.Prefix // of Address, unless it is a name
	current, local netip.Addr   // resolved to, bound to
}

type policyRow struct {
	origin
	Policy
	carries bool          // encrypts all of its traffic in tunnel mode
	sa      [2]netip.Addr // sa-src-address, sa-dst-address
}

type phase1Row struct {
	origin
	ActivePeer
}

// saRow is an SA with its two ends.
type saRow struct {
	origin
	SA
	from, to netip.AddrPort
}

type addressRow struct {
	interfaces [2]string
	ip         netip.Addr
	dynamic    bool
}

// decode reads the rows of a sample that Judge goes by.
func decode(h Half) *page {
	p := &page{at: h.At, until: h.At}
	if h.Until.After(h.At) {
		p.until = h.Until
	}
	for _, row := range h.Menus[menuPeer] {
		r := &reader{menu: menuPeer, row: row}
		d := peerRow{Peer: r.peer(), current: r.optional("current-address"), local: r.optional("local-address")}
		d.prefix, d.origin = hostOrPrefix(d.Address), r.origin()
		p.peers = append(p.peers, d)
	}
	for _, row := range h.Menus[menuPolicy] {
		r := &reader{menu: menuPolicy, row: row}
		d := policyRow{sa: [2]netip.Addr{r.optional("sa-src-address"), r.optional("sa-dst-address")}}
		d.Policy, d.carries = r.policy()
		d.origin = r.origin()
		p.policies = append(p.policies, d)
	}
	for _, row := range h.Menus[menuActivePeers] {
		r := &reader{menu: menuActivePeers, row: row}
		d := phase1Row{ActivePeer: r.activePeer()}
		d.origin = r.origin()
		p.phase1 = append(p.phase1, d)
	}
	for _, row := range h.Menus[menuSA] {
		r := &reader{menu: menuSA, row: row}
		var d saRow
		d.SA, d.from, d.to = r.sa()
		d.origin = r.origin()
		p.sas = append(p.sas, d)
	}
	for _, row := range h.Menus[menuAddress] {
		if prefix := hostOrPrefix(row["address"]); prefix.IsValid() && row["disabled"] != "true" {
			p.addresses = append(p.addresses, addressRow{[2]string{row["interface"], row["actual-interface"]}, prefix.Addr(), row["dynamic"] == "true"})
		}
	}
	return p
}

func hostOrPrefix(s string) netip.Prefix {
	if prefix, err := netip.ParsePrefix(s); err == nil {
		return prefix
	}
	ip, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(ip, ip.BitLen())
}

func (r *reader) origin() origin {
	o := origin{menu: r.menu, odd: r.odd}
	if r.odd != "" {
		m, _ := schema.Lookup(r.menu)
		o.key = ReadableBytes(m.KeyOf(r.row))
	}
	return o
}

// text says which row of router is not understood.
func (o origin) text(router string) change.Text {
	return change.T("status.unknown.row", "router", router, "menu", o.menu, "row", o.key, "attribute", o.odd)
}

// before tells whether all of p was read before any of q.
func (p *page) before(q *page) bool { return p.until.Before(q.at) }

// holds tells whether the page shows an SA with this SPI.
func (a SA) holds(p *page) bool {
	for i := range p.sas {
		if p.sas[i].number == a.number {
			return true
		}
	}
	return false
}

// holds tells whether the page shows a phase 1 with these cookies.
func (a ActivePeer) holds(p *page) bool {
	for i := range p.phase1 {
		if p.phase1[i].SPII == a.SPII && p.phase1[i].SPIR == a.SPIR {
			return true
		}
	}
	return false
}
