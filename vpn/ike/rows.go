package ike

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"vpnbot/ros/schema"
)

// The menus that negotiation reads.
const (
	menuPeer     = "/ip/ipsec/peer"
	menuProfile  = "/ip/ipsec/profile"
	menuIdentity = "/ip/ipsec/identity"
	menuPolicy   = "/ip/ipsec/policy"
	menuGroup    = "/ip/ipsec/policy/group"
	menuProposal = "/ip/ipsec/proposal"
	menuAddress  = "/ip/address"
)

// Menus returns the menus that negotiation reads, in alphabetical order.
func Menus() []string {
	return []string{menuAddress, menuIdentity, menuPeer, menuPolicy, menuGroup, menuProfile, menuProposal}
}

// The algorithms in the order in which a router prints them, which is also the one
// in which it is taken to propose them; it decides which algorithm is used, not
// whether there is one. Blowfish and Camellia are in the vendor's list of profiles
// but not in the console of 7.22.
var (
	ikeCiphers = []string{"aes-256", "aes-192", "aes-128", "camellia-256", "camellia-192", "camellia-128", "blowfish", "3des", "des"}
	ikeGroups  = []string{"x25519", "ecp256", "ecp384", "ecp521", "modp8192", "modp6144", "modp4096", "modp3072", "modp2048", "modp1536", "modp1024", "modp768", "ec2n185", "ec2n155"}
	espCiphers = []string{
		"chacha20poly1305", "aes-256-cbc", "aes-256-ctr", "aes-256-gcm", "camellia-256", "aes-192-cbc", "aes-192-ctr", "aes-192-gcm", "camellia-192",
		"aes-128-cbc", "aes-128-ctr", "aes-128-gcm", "camellia-128", "3des", "blowfish", "twofish", "des", "null",
	}
	espHashes = []string{"sha512", "sha256", "sha1", "md5", "null"}
	pfsGroups = []string{"modp1024", "none", "modp768", "modp1536", "modp2048", "modp3072", "modp4096", "modp6144", "modp8192", "ecp256", "ecp384", "ecp521"}
)

// party is one end with its rows at hand.
type party struct {
	schema.Party
	local, seen netip.Addr
}

// read fills in what a caller of the model may leave out: without NAT both
// addresses are one.
func read(p schema.Party) party {
	q := party{Party: p, local: p.Local.Unmap(), seen: p.Seen.Unmap()}
	if !q.local.IsValid() {
		q.local = q.seen
	}
	if !q.seen.IsValid() {
		q.seen = q.local
	}
	return q
}

func (p party) base(menu string, r schema.Row) base {
	return base{ref: schema.RowRef{Menu: menu, ID: r[schema.ID]}, row: r}
}

// peer is a row of /ip/ipsec/peer.
type peer struct {
	base
	name, host, exchange, profile, port string
	address                             netip.Prefix // not valid when host is set
	local                               netip.Addr
	passive, disabled, dynamic          bool
}

// peers reads every peer, in the router's order.
func (p party) peers() []peer {
	var all []peer
	for _, r := range p.Rows[menuPeer] {
		q := peer{base: p.base(menuPeer, r), name: r["name"], profile: r["profile"]}
		q.exchange = q.enum("exchange-mode", "main", "aggressive", "ike2", "base")
		q.passive, q.disabled, q.dynamic = q.flag("passive", "no"), q.flag("disabled", "no"), q.flag("dynamic", "no")
		q.local = q.addr("local-address")
		q.port = q.value("port", "500")
		if n, err := strconv.Atoi(q.port); err != nil || n < 0 || n > 65535 {
			q.fail("port")
		}
		v := q.value("address", "0.0.0.0/0")
		var ok bool
		if q.address, ok = parsePrefix(v); !ok && hostname(v) {
			q.host = v
		} else if !ok {
			q.fail("address")
		}
		all = append(all, q)
	}
	return all
}

// profile is a row of /ip/ipsec/profile.
type profile struct {
	base
	ciphers, groups  []string
	hash, prf, check string
	lifetime         time.Duration
	traversal        bool
	ppk              string
}

// profile finds the profile that q names; none names the default one, which can be
// renamed.
func (p party) profile(q peer) (profile, bool) {
	for _, r := range p.Rows[menuProfile] {
		if q.profile != "" && r["name"] != q.profile {
			continue
		}
		if q.profile == "" && r["name"] != "default" && r["default"] != "true" && r["default"] != "yes" {
			continue
		}
		f := profile{base: p.base(menuProfile, r)}
		f.ciphers = f.set("enc-algorithm", "aes-128,3des", ikeCiphers)
		f.groups = f.set("dh-group", "modp2048,modp1024", ikeGroups)
		f.hash = f.enum("hash-algorithm", "sha1", "md5", "sha256", "sha384", "sha512")
		f.prf = f.enum("prf-algorithm", "auto", "sha1", "sha256", "sha384", "sha512")
		f.check = f.enum("proposal-check", "obey", "claim", "exact", "strict")
		f.lifetime = f.duration("lifetime", "1d")
		f.traversal = f.flag("nat-traversal", "yes")
		f.ppk = f.enum("ppk", "no", "psk", "psk-ike-initial", "qkd")
		return f, true
	}
	return profile{}, false
}

// identity is a row of /ip/ipsec/identity.
type identity struct {
	base
	method, generate, group string
	mine, theirs            id
	disabled, modeConfig    bool
}

// identities reads those of the peer, in the router's order.
func (p party) identities(q peer) []identity {
	var all []identity
	for _, r := range p.Rows[menuIdentity] {
		if q.name == "" || r["peer"] != q.name {
			continue
		}
		i := identity{base: p.base(menuIdentity, r), group: r["policy-template-group"]}
		i.method = i.enum("auth-method", "pre-shared-key", "pre-shared-key-xauth", "digital-signature", "rsa-key", "rsa-signature-hybrid", "eap", "eap-radius")
		i.generate = i.enum("generate-policy", "no", "port-strict", "port-override")
		i.mine, i.theirs = i.id("my-id", false), i.id("remote-id", true)
		i.disabled = i.flag("disabled", "no")
		i.modeConfig = i.value("mode-config", "none") != "none"
		all = append(all, i)
	}
	return all
}

// policy is a row of /ip/ipsec/policy.
type policy struct {
	base
	peers                               []string
	src, dst                            netip.Prefix
	protocol, srcPort, dstPort          string
	action, level, protocols            string
	proposal, group                     string
	tunnel, template, disabled, dynamic bool
	invalid                             bool
}

// policies reads every policy, in the router's order: the place in the menu is the
// only priority there is.
func (p party) policies() []policy {
	var all []policy
	for _, r := range p.Rows[menuPolicy] {
		q := policy{base: p.base(menuPolicy, r), proposal: r["proposal"]}
		if v := r["peer"]; v != "" {
			q.peers = strings.Split(v, ",")
		}
		q.tunnel, q.template = q.flag("tunnel", "no"), q.flag("template", "no")
		q.disabled, q.dynamic, q.invalid = q.flag("disabled", "no"), q.flag("dynamic", "no"), q.flag("invalid", "no")
		q.src, q.dst = q.prefix("src-address", "::/0"), q.prefix("dst-address", "::/0")
		q.protocol = q.value("protocol", "all")
		q.srcPort, q.dstPort = q.value("src-port", "any"), q.value("dst-port", "any")
		q.action = q.enum("action", "encrypt", "none", "discard")
		q.level = q.enum("level", "require", "unique", "use")
		q.protocols = q.enum("ipsec-protocols", "esp", "ah")
		q.group = q.value("group", "default")
		all = append(all, q)
	}
	return all
}

// of tells whether the policy belongs to the peer.
func (q policy) of(p peer) bool { return p.name != "" && slices.Contains(q.peers, p.name) }

// proposal is a row of /ip/ipsec/proposal.
type proposal struct {
	base
	ciphers, hashes []string
	pfs             string
	lifetime        time.Duration
	known           bool // whether the lifetime is: a computer's is not
	disabled        bool
}

// proposal finds the proposal that a policy names; none names the default one,
// which can be renamed.
func (p party) proposal(name string) (proposal, bool) {
	for _, r := range p.Rows[menuProposal] {
		if name != "" && r["name"] != name {
			continue
		}
		if name == "" && r["name"] != "default" && r["default"] != "true" && r["default"] != "yes" {
			continue
		}
		q := proposal{base: p.base(menuProposal, r), known: true}
		q.ciphers = q.set("enc-algorithms", "aes-256-cbc,aes-192-cbc,aes-128-cbc", espCiphers)
		q.hashes = q.set("auth-algorithms", "sha1", espHashes)
		q.pfs = q.enum("pfs-group", pfsGroups...)
		q.lifetime = q.duration("lifetime", "30m")
		q.disabled = q.flag("disabled", "no")
		return q, true
	}
	return proposal{}, false
}
