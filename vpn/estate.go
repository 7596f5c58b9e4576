package vpn

import (
	"net/netip"
	"strings"

	"vpnbot/change/secret"
)

// Estate is every site and router that the configuration names.
type Estate struct {
	Sites   []Site
	Routers []Router
}

// Site is a place.
type Site struct {
	Name    string
	Aliases []string
	LAN     []netip.Prefix
	WANs    []WAN
	Routers []string
	// Foreign tells that somebody else runs the routers there: there are none in the
	// estate, and nothing is read or changed. Of a tunnel to it one end is known.
	Foreign bool
}

// WAN is one way out of a site. Exactly one of Address, DNS and Dynamic is set.
type WAN struct {
	Interface string
	Address   netip.Addr
	DNS       string
	Dynamic   bool
	NAT       NAT
	Role      WANRole
}

// NAT is what stands between a WAN and the Internet.
type NAT string

// The kinds of NAT.
const (
	NoNAT       NAT = "none"
	OneToOneNAT NAT = "1:1"
	CarrierNAT  NAT = "carrier"
)

// WANRole says which end of a tunnel starts the negotiation.
type WANRole string

// The roles of a WAN.
const (
	Initiate WANRole = "initiate"
	Respond  WANRole = "respond"
	Both     WANRole = "both"
)

// Router is one RouterOS device and how it is reached.
type Router struct {
	Name    string
	Site    string
	Address string // host:port of api-ssl
	// Fingerprint pins the router's certificate: "sha256:" and 64 lower-case hex
	// digits. Without it CAFile names the authority that signed the certificate,
	// and ServerName the name in it (the host of Address when empty).
	Fingerprint string
	CAFile      string
	ServerName  string
	Plain       bool // API without TLS: loopback only
	Read        Login
	Write       Login
}

// Login is one RouterOS user and where the password is kept.
type Login struct {
	User     string
	Password secret.Source
}

// Site finds a site by its name or an alias.
func (e Estate) Site(word string) (Site, bool) {
	for _, s := range e.Sites {
		if s.Called(word) {
			return s, true
		}
	}
	return Site{}, false
}

// Called tells whether word is the site's name or one of its aliases.
func (s Site) Called(word string) bool {
	if SameName(s.Name, word) {
		return true
	}
	for _, a := range s.Aliases {
		if SameName(a, word) {
			return true
		}
	}
	return false
}

// Contains tells whether ip lies in one of the site's LAN prefixes.
func (s Site) Contains(ip netip.Addr) bool {
	for _, p := range s.LAN {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// Router finds a router by its name.
func (e Estate) Router(name string) (Router, bool) {
	for _, r := range e.Routers {
		if SameName(r.Name, name) {
			return r, true
		}
	}
	return Router{}, false
}

// Nearest returns the site name or alias that word was probably meant to be, or
// "" when none is near.
func (e Estate) Nearest(word string) string {
	var names []string
	for _, s := range e.Sites {
		names = append(append(names, s.Name), s.Aliases...)
	}
	return Nearest(word, names)
}

// SameName tells whether two names of sites, routers or accounts are one to a
// person: case does not count.
func SameName(a, b string) bool { return strings.EqualFold(a, b) }
