package vpn

import (
	"net/netip"
	"slices"
	"strings"
)

// Expected is what the routers should hold for a tunnel, by what rows are and
// not by their names or comments: rows that somebody made by hand count.
type Expected struct {
	Tunnel Tunnel
	Ends   [2]ExpectedEnd
}

// ExpectedEnd is what one router should hold.
type ExpectedEnd struct {
	Site, Router string
	Interface    string // of the WAN
	Exchange     string
	// Local is the address that this end sends from, Remote the one at which it
	// sees the other end. An invalid address is one that the configuration does
	// not know: dynamic, or private behind NAT.
	Local, Remote netip.Addr
	RemoteName    string // DNS name of the other end, when it has one
	Foreign       bool   // somebody else runs the router: nothing is known of it
	RemoteAny     bool   // nobody can know the other end's address: the peer takes any
	RemoteID      string // as active-peers shows it, without its kind; "" for auto
	Passive       bool
	Policies      []Selectors
}

// Selectors are the source and destination of one policy.
type Selectors struct {
	Source, Destination netip.Prefix
}

// Expect returns what the routers should hold for t. Where e does not know a
// site or WAN, the prefixes alone say what is expected.
func (t Tunnel) Expect(e Estate) Expected {
	want := Expected{Tunnel: t}
	for i, end := range t.Ends {
		far := t.Ends[1-i]
		x := ExpectedEnd{
			Site: end.Site, Router: end.Router, Interface: end.WAN, Exchange: t.Exchange, Passive: end.Role == Respond,
		}
		if own, ok := wanOf(e, end); ok && own.NAT == NoNAT {
			x.Local = own.Address
		}
		if other, ok := wanOf(e, far); ok {
			x.RemoteAny = !other.Callable()
			if !x.RemoteAny {
				x.Remote, x.RemoteName = other.Address, other.DNS
			}
		}
		if _, id, ok := strings.Cut(far.ID, ":"); ok {
			x.RemoteID = id
		}
		for _, source := range end.networks() {
			for _, destination := range far.networks() {
				// Clients of one end do not reach those of the other.
				if !slices.Contains(end.Pools, source) || !slices.Contains(far.Pools, destination) {
					x.Policies = append(x.Policies, Selectors{source, destination})
				}
			}
		}
		x.Foreign = t.foreign(e, i)
		want.Ends[i] = x
	}
	return want
}

func wanOf(e Estate, end End) (WAN, bool) {
	site, _ := e.Site(end.Site)
	return site.WAN(end.WAN)
}

// template tells whether the router makes its policies from a template when the
// other end calls: then their absence is no fault of its own.
func (x ExpectedEnd) template() bool { return x.RemoteAny }
