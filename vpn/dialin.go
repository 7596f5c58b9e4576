package vpn

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"vpnbot/change"
	"vpnbot/change/secret"
)

// KindDialIn is the kind of a dial-in server's definition.
const KindDialIn = "dialin"

// DialIn defines a site's L2TP/IPsec server: what accounts are made for. A
// definition is named after its site.
type DialIn struct {
	Site    string `json:"site"`
	Router  string `json:"router"`
	Server  string `json:"server"` // what a client dials: a DNS name or an address
	Pool    string `json:"pool"`
	Profile string `json:"profile"` // PPP profile of the accounts
	// PSK names the sealed pre-shared key of the server, PSKMark its key mark.
	// Both are empty while nobody has told the bot the key.
	PSK     secret.Ref `json:"psk,omitempty"`
	PSKMark string     `json:"pskMark,omitempty"`
	Note    string     `json:"note,omitempty"`
	// Setup is what "dialin setup" brings about. It is nil while the server is as
	// an administrator made it, and the bot makes accounts alone.
	Setup *DialInSetup `json:"setup,omitempty"`
}

// DialInSetup is what the clients of a dial-in server get.
type DialInSetup struct {
	// Ranges are the addresses of the pool, as RouterOS writes them:
	// "192.168.178.10-192.168.178.99".
	Ranges []string `json:"ranges"`
	// Local is the router's own address in every session. It may be one that the
	// router has anyway.
	Local netip.Addr `json:"local"`
	// DNS are the name servers that clients are told; none tells them none.
	DNS []netip.Addr `json:"dns,omitempty"`
	// Return is how answers from the LAN find their way back.
	Return LANReturn `json:"return"`
	// Legacy adds 3des and modp1024, for clients of before Windows 10.
	Legacy bool `json:"legacy,omitempty"`
	// Reach are other sites that clients reach through a tunnel of this router.
	Reach []string `json:"reach,omitempty"`
}

// LANReturn is how hosts on the LAN answer a dial-in client.
type LANReturn string

// The ways back from the LAN.
const (
	// ByGateway: the router is the hosts' gateway, and the pool lies outside the LAN.
	ByGateway LANReturn = "gateway"
	// ByProxyARP: the pool lies inside the LAN, and the router answers ARP for it.
	ByProxyARP LANReturn = "proxy-arp"
	// ByMasquerade: hosts see the router's own address.
	ByMasquerade LANReturn = "masquerade"
)

// Encode returns the body that DecodeDialIn reads.
func (d DialIn) Encode() (json.RawMessage, error) {
	b, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encoding dial-in definition of %s: %w", d.Site, err)
	}
	return b, nil
}

// DecodeDialIn reads the body of a definition. Fields that it does not know come
// from a newer version and are refused.
func DecodeDialIn(def change.Definition) (DialIn, error) {
	if def.Kind != KindDialIn {
		return DialIn{}, fmt.Errorf("decoding definition %s: kind %q is not %q", def.Name, def.Kind, KindDialIn)
	}
	dec := json.NewDecoder(bytes.NewReader(def.Body))
	dec.DisallowUnknownFields()
	var d DialIn
	if err := dec.Decode(&d); err != nil {
		return DialIn{}, fmt.Errorf("decoding dial-in definition of %s: %w", def.Name, err)
	}
	return d, nil
}

// rosName is what the bot accepts as the name of a pool or profile: RouterOS
// takes more, but nothing else comes back the same from every tool.
var rosName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._+-]{0,62}$`)

// Problems returns what is wrong with d, and with its place in e. Paths begin at
// the definition.
func (d DialIn) Problems(e Estate) []Problem {
	var ps problems
	site, ok := e.Site(d.Site)
	if !ok {
		ps.add("expected the name of a site in the configuration", "site")
	}
	if r, known := e.Router(d.Router); !known || (ok && r.Site != site.Name) {
		ps.add("expected a router of this site", "router")
	}
	if !validHost(d.Server) {
		ps.add("expected the DNS name or IPv4 address that clients dial", "server")
	}
	if !rosName.MatchString(d.Pool) {
		ps.add("expected the name of the IP pool", "pool")
	}
	if !rosName.MatchString(d.Profile) {
		ps.add("expected the name of the PPP profile", "profile")
	}
	if !plainText(d.Note, maxNote) {
		ps.add("expected one line of at most 200 characters", "note")
	}
	if d.Setup != nil && ok {
		d.Setup.problems(&ps, e, site)
	}
	return ps
}

// problems adds what is wrong with the setup by itself and beside the networks of
// the sites.
func (s DialInSetup) problems(ps *problems, e Estate, site Site) {
	total := spans(strings.Join(s.Ranges, ","))
	if len(s.Ranges) == 0 || len(total) != len(s.Ranges) {
		ps.add("expected ranges of IPv4 addresses like 192.168.178.10-192.168.178.99", "ranges")
		return
	}
	for i, a := range total {
		for _, b := range total[:i] {
			if a.overlaps(b) {
				ps.add("these ranges share addresses", "ranges")
			}
		}
		for _, other := range e.Sites {
			if other.Name != site.Name && slices.ContainsFunc(other.LAN, a.touches) {
				ps.add(fmt.Sprintf("these addresses lie in the LAN of %s", other.Name), "ranges")
			}
		}
	}
	if !s.Local.Is4() || inRanges(strings.Join(s.Ranges, ","), s.Local) {
		ps.add("expected an IPv4 address outside the ranges", "local")
	}
	if slices.ContainsFunc(s.DNS, func(ip netip.Addr) bool { return !ip.Is4() }) {
		ps.add("expected IPv4 addresses", "dns")
	}
	inside := slices.ContainsFunc(total, func(a span) bool { return slices.ContainsFunc(site.LAN, a.touches) })
	switch {
	case s.Return != ByGateway && s.Return != ByProxyARP && s.Return != ByMasquerade:
		ps.add("expected gateway, proxy-arp or masquerade", "return")
	case s.Return == ByGateway && inside:
		ps.add("the pool lies in the LAN, whose hosts look for it there: expected proxy-arp or masquerade", "return")
	case s.Return == ByProxyARP && !inside:
		ps.add("the pool lies outside the LAN, whose hosts do not look for it there: expected gateway or masquerade", "return")
	}
}

func (a span) overlaps(b span) bool { return !a.last.Less(b.first) && !b.last.Less(a.first) }

// touches tells whether an address of a lies in p.
func (a span) touches(p netip.Prefix) bool {
	return p.Addr().Is4() && a.overlaps(span{p.Masked().Addr(), lastOf(p)})
}
