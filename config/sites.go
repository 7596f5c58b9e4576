package config

import (
	"net/netip"
	"strings"

	"vpnbot/vpn"
)

func (c *Config) readSites(v value) {
	if !v.present() {
		v.fail("expected at least one site")
		return
	}
	for _, e := range v.entries("sites by name") {
		c.readSite(e)
	}
	c.doc.failures(c.Estate.Problems())
}

func (c *Config) readSite(e entry) {
	f := e.object("aliases", "lan", "wan", "routers", "foreign")
	site := vpn.Site{Name: e.name, Aliases: f["aliases"].words("a list of other names"), Foreign: f["foreign"].flag()}
	for _, item := range f["lan"].items("a list of networks such as 192.168.77.0/24") {
		s, _ := item.text("an IPv4 network such as 192.168.77.0/24")
		p, _ := netip.ParsePrefix(s) // the zero prefix is refused with the estate
		site.LAN = append(site.LAN, p)
	}
	for _, item := range f["wan"].items("a list of WANs") {
		site.WANs = append(site.WANs, readWAN(item))
	}
	for _, r := range f["routers"].entries("routers by name") {
		site.Routers = append(site.Routers, r.name)
		c.Estate.Routers = append(c.Estate.Routers, readRouter(e.name, r))
	}
	c.Estate.Sites = append(c.Estate.Sites, site)
}

func readWAN(v value) vpn.WAN {
	f := v.object("interface", "address", "nat", "role")
	w := vpn.WAN{NAT: vpn.NoNAT}
	w.Interface, _ = f["interface"].text("the name of an interface")
	if s, ok := f["nat"].text(`none, "1:1" or carrier`); ok {
		w.NAT = vpn.NAT(s)
	}
	address, _ := f["address"].text("an address")
	ip, err := netip.ParseAddr(address)
	switch {
	case address == "dynamic":
		w.Dynamic = true
	case err == nil && ip.Is4():
		w.Address = ip
	default:
		w.DNS = address
	}
	w.Role = vpn.Both
	if !w.Callable() {
		w.Role = vpn.Initiate
	}
	if s, ok := f["role"].text("initiate, respond or both"); ok {
		w.Role = vpn.WANRole(s)
	}
	return w
}

func readRouter(site string, e entry) vpn.Router {
	f := e.object("address", "tls", "plain", "read", "write")
	r := vpn.Router{Name: e.name, Site: site, Plain: f["plain"].flag()}
	r.Address, _ = f["address"].text("host:port, such as 192.168.77.1:8729")
	tls := f["tls"].object("fingerprint", "ca", "name")
	pin, _ := tls["fingerprint"].text("sha256: and 64 hexadecimal digits")
	r.Fingerprint = canonicalFingerprint(pin)
	if ca, ok := tls["ca"].text("the path of a PEM file"); ok {
		r.CAFile = e.doc.resolve(ca)
	}
	r.ServerName, _ = tls["name"].text("the name in the router's certificate")
	r.Read, r.Write = readLogin(f["read"]), readLogin(f["write"])
	return r
}

// canonicalFingerprint accepts what people copy: colons and capitals.
func canonicalFingerprint(s string) string {
	hexDigits, ok := strings.CutPrefix(strings.ToLower(s), "sha256:")
	if !ok {
		return s
	}
	return "sha256:" + strings.ReplaceAll(hexDigits, ":", "")
}

func readLogin(v value) vpn.Login {
	f := v.object("user", "password")
	user, _ := f["user"].text("the name of a RouterOS user")
	return vpn.Login{User: user, Password: f["password"].source(false)}
}
