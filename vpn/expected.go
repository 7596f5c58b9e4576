package vpn

import "net/netip"

// Expected is what the routers should hold for a tunnel, by what rows are and
// not by their names: rows that somebody made by hand count.
type Expected struct {
	Tunnel Tunnel
	Ends   [2]ExpectedEnd
}

// ExpectedEnd is what one router should hold.
type ExpectedEnd struct {
	Router    string
	Interface string
	// Local is the address that this end sends from, Remote the one at which it
	// sees the other end. An invalid address is one that the configuration does
	// not know: dynamic, or private behind NAT.
	Local, Remote netip.Addr
	RemoteName    string // DNS name of the other end, when it has one
	RemoteAny     bool   // the other end's address is dynamic: the peer takes any
	RemoteID      string // as RouterOS shows it in active-peers, without its kind
	Passive       bool
	Policies      []Selectors
}

// Selectors are the source and destination of one policy.
type Selectors struct {
	Source, Destination netip.Prefix
}

// Expect returns what the routers should hold for t. An end at a site or WAN
// that e does not know is expected by its prefixes alone.
func (t Tunnel) Expect(e Estate) Expected {
	return Expected{Tunnel: t}
}
