package vpn

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

const (
	menuProfile1 = "/ip/ipsec/profile"
	menuProposal = "/ip/ipsec/proposal"
)

// maxPrefixes bounds an end: a tunnel has a policy for each pair of prefixes.
const maxPrefixes = 16

var (
	tunnelName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,61}[a-z0-9]$`)
	ikeID      = regexp.MustCompile(`^(fqdn:[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|user-fqdn:[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,190}|key-id:[A-Za-z0-9._@-]{1,64}|address:.+)$`)
)

// Problems returns what is wrong with t, with its place in e and beside the
// other definitions: one that bears t's name does not count. Paths begin at the
// definition; an end is ends, 0 or ends, 1.
func (t Tunnel) Problems(e Estate, others []Tunnel, dialins []DialIn) []Problem {
	var ps problems
	t.checkSelf(&ps, e)
	var wans [2]WAN
	known := true
	for i := range t.Ends {
		w, ok := t.checkEnd(&ps, e, i)
		wans[i], known = w, known && ok
	}
	t.checkPrefixes(&ps, e)
	if SameName(t.Ends[0].Site, t.Ends[1].Site) {
		ps.say(change.T("problem.one_site"), "both ends are at one site: expected two sites", "ends")
		return ps
	}
	if t.foreign(e, 0) && t.foreign(e, 1) {
		ps.say(change.T("problem.both_foreign"), "somebody else runs the routers of both ends: expected one end that is ours", "ends")
		return ps
	}
	if known {
		t.checkRoles(&ps, wans)
		t.checkExchange(&ps, wans, dialins)
		t.checkIDs(&ps, wans)
		for _, o := range others {
			if !SameName(o.Name, t.Name) {
				t.checkBeside(&ps, e, o)
			}
		}
	}
	return ps
}

func (t Tunnel) checkSelf(ps *problems, e Estate) {
	if !tunnelName.MatchString(t.Name) {
		ps.say(change.T("problem.tunnel_name"), "expected a tunnel name of lower-case letters, digits and hyphens that begins with a letter", "name")
	} else if _, taken := e.Site(t.Name); taken {
		ps.say(change.T("problem.named_like_site", "site", t.Name), "a site is called this: expected a name of its own, such as hq-fengshan", "name")
	}
	if !plainText(t.Note, maxNote) {
		ps.say(change.T("problem.note"), "expected one line of at most 200 characters", "note")
	}
	t.Profile.check(ps)
	t.Proposal.check(ps)
}

// checkEnd returns the end's WAN; ok is false when there is none.
func (t Tunnel) checkEnd(ps *problems, e Estate, i int) (w WAN, ok bool) {
	end := t.Ends[i]
	at := func(more ...string) []string { return append([]string{"ends", strconv.Itoa(i)}, more...) }
	site, known := e.Site(end.Site)
	if !known {
		ps.say(change.T("problem.no_site", "site", end.Site), "expected the name of a site in the configuration", at()...)
		return WAN{}, false
	}
	if site.Foreign {
		if end.Router != "" {
			ps.say(change.T("problem.foreign_router", "site", site.Name), "somebody else runs the routers of this site: expected no router", at("router")...)
		}
	} else if r, found := e.Router(end.Router); !found || r.Site != site.Name {
		ps.say(change.T("problem.no_router", "site", site.Name, "routers", saidList(site.Routers)), "expected a router of this site; it has "+list(site.Routers), at("router")...)
	}
	var names []string
	for _, w := range site.WANs {
		names = append(names, w.Interface)
	}
	w, ok = site.WAN(end.WAN)
	if !ok {
		ps.say(change.T("problem.no_wan", "site", site.Name, "wans", saidList(names)), "expected the interface of one of this site's WANs; it has "+list(names), at("wan")...)
	}
	switch end.Role {
	case Initiate, Respond, Both, "":
	default:
		ps.say(change.T("problem.role", "site", site.Name), "expected initiate, respond or both", at("role")...)
	}
	for n, probe := range end.Probes {
		if !slices.ContainsFunc(end.Prefixes, func(p netip.Prefix) bool { return p.Contains(probe) }) {
			ps.say(change.T("problem.probe_outside"), "expected an address inside one of this end's prefixes", at("probes", strconv.Itoa(n))...)
		}
	}
	return w, ok
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// saidList is list for people who read in Slack.
func saidList(names []string) change.Text {
	if len(names) == 0 {
		return change.T("common.none")
	}
	return change.T("common.value", "value", strings.Join(names, ", "))
}

func (t Tunnel) checkPrefixes(ps *problems, e Estate) {
	var seen []netip.Prefix
	for i, end := range t.Ends {
		site, known := e.Site(end.Site)
		if n := len(end.Prefixes); known && (n == 0 || n > maxPrefixes) {
			ps.say(change.T("problem.prefixes", "site", end.Site, "count", maxPrefixes), "expected 1 to 16 networks such as 192.168.77.0/24", "ends", strconv.Itoa(i), "prefixes")
		}
		for n, p := range end.Prefixes {
			at := []string{"ends", strconv.Itoa(i), "prefixes", strconv.Itoa(n)}
			switch {
			case !p.IsValid() || p != p.Masked() || !p.Addr().Is4():
				ps.say(change.T("problem.network"), "expected an IPv4 network such as 192.168.77.0/24, host part zero", at...)
				continue
			case known && !slices.ContainsFunc(site.LAN, func(lan netip.Prefix) bool { return lan.Bits() <= p.Bits() && lan.Contains(p.Addr()) }):
				ps.say(change.T("problem.outside_lan"), "this network is not in the site's lan: expected one that is, or add it to lan in the configuration", at...)
			case slices.ContainsFunc(seen, p.Overlaps):
				ps.say(change.T("problem.overlaps_self"), "this network overlaps another of this tunnel: no router could tell which end it is at; expected networks apart", at...)
			}
			seen = append(seen, p)
		}
	}
}

// checkRoles refuses tunnels that nobody would start.
func (t Tunnel) checkRoles(ps *problems, wans [2]WAN) {
	for i, end := range t.Ends {
		at := []string{"ends", strconv.Itoa(i), "role"}
		if wans[i].NAT == OneToOneNAT && end.Role == Respond {
			ps.say(change.T("problem.nat_responds", "site", end.Site), "this WAN is behind 1:1 NAT, and a responder behind NAT is not relied on: expected role initiate or both", at...)
		}
		if wans[i].Callable() || end.Role == Initiate {
			continue
		}
		why, said := "this WAN's address is dynamic", change.T("problem.dynamic_called", "site", end.Site)
		if wans[i].NAT == CarrierNAT {
			why, said = "this WAN is behind a carrier's NAT", change.T("problem.carrier_called", "site", end.Site)
		}
		ps.say(said, why+", so nobody can call it: expected role initiate", at...)
	}
	switch {
	case t.Ends[0].Role == Respond && t.Ends[1].Role == Respond:
		ps.say(change.T("problem.both_respond"), "both ends respond, so nobody starts: expected role initiate or both at one end", "ends", "1", "role")
	case !wans[0].Callable() && !wans[1].Callable():
		ps.say(change.T("problem.neither_callable"), "neither WAN can be called, as its address is dynamic or behind a carrier's NAT: expected another WAN at one end", "ends", "1", "wan")
	}
}

// checkExchange refuses modes in which RouterOS would take the wrong peer.
func (t Tunnel) checkExchange(ps *problems, wans [2]WAN, dialins []DialIn) {
	switch t.Exchange {
	case exchangeIKE2:
		return
	case exchangeMain, exchangeAggressive:
	default:
		ps.say(change.T("problem.exchange"), "expected ike2, main or aggressive", "exchange")
		return
	}
	for i, w := range wans {
		if w.Callable() {
			continue
		}
		other := t.Ends[1-i].Site
		if slices.ContainsFunc(dialins, func(d DialIn) bool { return SameName(d.Site, other) }) {
			ps.say(change.T("problem.any_main", "site", other), "the router at "+other+" would need a peer for any address in this mode, and its L2TP server has one:"+
				" only the first of the two answers; expected exchange: ike2", "exchange")
			return
		}
		ps.say(change.T("problem.needs_ike2"), "an end whose address is dynamic or behind a carrier's NAT can be told apart by its ID only: expected exchange: ike2", "exchange")
		return
	}
}

func (t Tunnel) checkIDs(ps *problems, wans [2]WAN) {
	for i, end := range t.Ends {
		at := []string{"ends", strconv.Itoa(i), "id"}
		kind, text, _ := strings.Cut(end.ID, ":")
		_, err := netip.ParseAddr(text)
		switch {
		case end.ID == "" && t.Exchange == exchangeIKE2 && !wans[i].Callable():
			ps.say(change.T("problem.id_missing", "site", end.Site), "nothing but its ID tells this end from others: expected fqdn:NAME", at...)
		case end.ID == "":
		case !ikeID.MatchString(end.ID) || (kind == "address" && err != nil):
			ps.say(change.T("problem.id_form"), "expected fqdn:NAME, user-fqdn:NAME@HOST, key-id:NAME, address:IP or auto", at...)
		case kind != "address" && t.Exchange != exchangeIKE2:
			ps.say(change.T("problem.id_needs_ike2", "kind", kind), kind+" IDs work with ike2 only, since main mode picks the key before it can read an ID: expected exchange: ike2, or no id", at...)
		case i == 1 && end.ID == t.Ends[0].ID:
			ps.say(change.T("problem.id_twice"), "the other end has this ID: expected one of its own", at...)
		}
	}
}

func (p Profile) check(ps *problems) {
	checkAlgorithms(ps, menuProfile1, "enc-algorithm", p.Encryption, "profile", "encryption")
	checkAlgorithms(ps, menuProfile1, "hash-algorithm", []string{p.Hash}, "profile", "hash")
	checkAlgorithms(ps, menuProfile1, "dh-group", p.DHGroups, "profile", "dh-groups")
	checkLifetime(ps, p.Lifetime, "profile", "lifetime")
	if d, err := schema.ParseDuration(p.DPDInterval); p.DPDInterval != "disable-dpd" && (err != nil || d < time.Second || d > time.Hour) {
		ps.say(change.T("problem.dpd_interval"), "expected a time from 1s to 1h, such as 8s, or disable-dpd", "profile", "dpd-interval")
	}
	if p.DPDFailures < 1 || p.DPDFailures > 100 {
		ps.say(change.T("problem.dpd_failures"), "expected a number from 1 to 100", "profile", "dpd-maximum-failures")
	}
}

func (p Proposal) check(ps *problems) {
	checkAlgorithms(ps, menuProposal, "enc-algorithms", p.Encryption, "proposal", "encryption")
	if slices.ContainsFunc(p.Encryption, needsAuth) || len(p.Auth) > 0 {
		checkAlgorithms(ps, menuProposal, "auth-algorithms", p.Auth, "proposal", "auth")
	}
	checkAlgorithms(ps, menuProposal, "pfs-group", []string{p.PFSGroup}, "proposal", "pfs-group")
	checkLifetime(ps, p.Lifetime, "proposal", "lifetime")
}

// checkAlgorithms checks names against what RouterOS knows. A tunnel without
// encryption or authentication is none.
func checkAlgorithms(ps *problems, path, attr string, names []string, at ...string) {
	menu, _ := schema.Lookup(path)
	a, _ := menu.Attr(attr)
	known := slices.DeleteFunc(slices.Clone(a.Values), func(v string) bool { return v == "null" })
	expected, why := "expected "+strings.Join(known, ", "), change.T("problem.algorithm", "values", strings.Join(known, ", "))
	if a.Kind == schema.Set {
		expected = "expected a list of " + strings.Join(known, ", ")
	}
	for i, name := range names {
		where := at
		if a.Kind == schema.Set {
			where = append(slices.Clone(at), strconv.Itoa(i))
		}
		switch {
		case !slices.Contains(known, name):
			if near := Nearest(name, known); near != "" {
				expected, why = "expected "+near+"?", change.T("problem.algorithm_near", "near", near)
			}
			ps.say(why, expected, where...)
		case slices.Index(names, name) < i:
			ps.say(change.T("problem.algorithm_twice"), "this stands in the list already: expected it once", where...)
		}
	}
	if len(names) == 0 {
		ps.say(why, expected, at...)
	}
}

func checkLifetime(ps *problems, value string, at ...string) {
	if d, err := schema.ParseDuration(value); err != nil || d < time.Minute || d > 30*24*time.Hour {
		ps.say(change.T("problem.lifetime"), "expected a time from 1m to 30d, such as 8h", at...)
	}
}

// ValidTunnelName tells whether a tunnel can be called so.
func ValidTunnelName(name string) bool { return tunnelName.MatchString(name) }
