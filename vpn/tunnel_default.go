package vpn

import (
	"slices"
	"strings"
)

// Exchange modes.
const (
	exchangeIKE2       = "ike2"
	exchangeMain       = "main"
	exchangeAggressive = "aggressive"
)

// WAN finds one of the site's WANs by its interface.
func (s Site) WAN(iface string) (WAN, bool) {
	i := slices.IndexFunc(s.WANs, func(w WAN) bool { return w.Interface == iface })
	if i < 0 {
		return WAN{}, false
	}
	return s.WANs[i], true
}

// Callable tells whether the other end can send the first packet to w: it has an
// address that can be known and no carrier's NAT before it.
func (w WAN) Callable() bool { return !w.Dynamic && w.NAT != CarrierNAT }

// WithDefaults returns t with each value that is left open: the site's only
// router and only WAN, all of its LAN, roles that fit the WANs, and algorithms
// that every RouterOS since 6.45 has and that hardware helps with. An ID "auto"
// becomes the empty one that means it. A definition is stored with its defaults,
// so that newer ones do not change it.
func (t Tunnel) WithDefaults(e Estate) Tunnel {
	if t.Exchange == "" {
		t.Exchange = exchangeIKE2
	}
	t.Profile, t.Proposal = t.Profile.withDefaults(), t.Proposal.withDefaults()
	var wans [2]WAN
	for i := range t.Ends {
		end := &t.Ends[i]
		site, ok := e.Site(end.Site)
		if !ok {
			continue
		}
		end.fromSite(site)
		wans[i], _ = site.WAN(end.WAN)
	}
	named := t.Exchange == exchangeIKE2 && slices.ContainsFunc(wans[:], func(w WAN) bool { return !w.Callable() || w.NAT == OneToOneNAT })
	for i := range t.Ends {
		end := &t.Ends[i]
		switch {
		case end.Role != "":
		case !wans[i].Callable():
			end.Role = Initiate
		case !wans[1-i].Callable():
			end.Role = Respond
		default:
			end.Role = wans[i].Role
		}
		switch {
		case end.ID == "auto":
			end.ID = ""
		case end.ID == "" && named:
			end.ID = "fqdn:" + strings.ToLower(end.Site)
		}
		if r, ok := e.Router(end.Router); ok {
			end.Router = r.Name
		}
	}
	return t
}

func (end *End) fromSite(s Site) {
	end.Site = s.Name
	if end.Router == "" && len(s.Routers) == 1 {
		end.Router = s.Routers[0]
	}
	if end.WAN == "" && len(s.WANs) == 1 {
		end.WAN = s.WANs[0].Interface
	}
	if end.Prefixes == nil {
		end.Prefixes = slices.Clone(s.LAN)
	}
}

func (p Profile) withDefaults() Profile {
	if p.Encryption == nil {
		p.Encryption = []string{"aes-256"}
	}
	if p.DHGroups == nil {
		p.DHGroups = []string{"ecp384", "modp2048"}
	}
	def(&p.Hash, "sha256")
	def(&p.Lifetime, "1d")
	def(&p.DPDInterval, "8s")
	if p.DPDFailures == 0 {
		p.DPDFailures = 4
	}
	return p
}

func (p Proposal) withDefaults() Proposal {
	if p.Encryption == nil {
		p.Encryption = []string{"aes-256-cbc"}
	}
	if p.Auth == nil && slices.ContainsFunc(p.Encryption, needsAuth) {
		p.Auth = []string{"sha256"}
	}
	def(&p.PFSGroup, "ecp384")
	def(&p.Lifetime, "30m")
	return p
}

func def(field *string, value string) {
	if *field == "" {
		*field = value
	}
}

// needsAuth tells whether a cipher of phase 2 does not authenticate by itself.
func needsAuth(cipher string) bool {
	return !strings.HasSuffix(cipher, "-gcm") && cipher != "chacha20poly1305"
}
