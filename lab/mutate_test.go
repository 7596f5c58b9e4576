package lab_test

import (
	"net/netip"
	"slices"
	"strings"

	"vpnbot/ros/schema"
)

// The ends that a mutation may change.
const (
	either = iota
	initiator
	responder
)

// mutation changes one attribute at one end. Whether the ends still agree is not
// its business. It returns false when there is nothing to change.
type mutation struct {
	attr   string
	end    int
	change func(g *generator, p *schema.Party, a schema.Attempt) bool
}

// mutations are what may be changed; one that stands twice is picked twice as
// often.
func mutations() []mutation {
	set := func(attr string, end int, row func(*generator, *schema.Party) schema.Row, value func(*generator, schema.Row) string) mutation {
		_, name, _ := strings.Cut(attr, ".")
		return mutation{attr, end, func(g *generator, p *schema.Party, _ schema.Attempt) bool {
			r := row(g, p)
			if r == nil {
				return false
			}
			was := r[name]
			r[name] = value(g, r)
			return r[name] != was
		}}
	}
	the := func(menu string) func(*generator, *schema.Party) schema.Row {
		return func(_ *generator, p *schema.Party) schema.Row { return one(p, menu) }
	}
	always := func(v string) func(*generator, schema.Row) string {
		return func(*generator, schema.Row) string { return v }
	}
	among := func(of ...string) func(*generator, schema.Row) string {
		return func(g *generator, _ schema.Row) string { return pick(g, of...) }
	}
	subset := func(of []string) func(*generator, schema.Row) string {
		return func(g *generator, _ schema.Row) string { return some(g, 2, of) }
	}
	return []mutation{
		set("profile.enc-algorithm", either, the("profile"), subset(ikeCiphers)),
		set("profile.hash-algorithm", either, the("profile"), among(ikeHashes...)),
		set("profile.prf-algorithm", either, the("profile"), among("sha1", "sha256", "sha512")),
		set("profile.dh-group", either, the("profile"), subset(ikeGroups)),
		set("peer.profile", either, the("peer"), always("default")),
		set("peer.exchange-mode", either, the("peer"), among("main", "aggressive", "ike2")),
		set("peer.exchange-mode", either, the("peer"), among("main", "aggressive", "ike2")),
		set("peer.address", responder, the("peer"), among(nowhere[0]+"/32", nowhere[2]+"/32", "198.51.100.0/24", "203.0.113.0/24", "0.0.0.0/0")),
		set("peer.address", initiator, the("peer"), among(nowhere[0]+"/32", nowhere[2]+"/32", "0.0.0.0/0", "gone.example")),
		set("peer.local-address", responder, the("peer"), among(nowhere[2], homes[0].String(), homes[1].String())),
		set("peer.local-address", initiator, the("peer"), among(nowhere[2], spare.String())),
		set("peer.disabled", either, the("peer"), always("true")),
		set("peer.passive", either, the("peer"), always("true")),
		{"identity.secret", either, changeKey},
		{"identity.secret", either, changeKey},
		set("identity.my-id", either, the("identity"), among("address:192.0.2.99", "address:"+homes[0].String(), "fqdn:else.example", "fqdn:hq.example")),
		set("identity.my-id", either, the("identity"), among("auto", "address:"+inside.String(), "address:"+homes[1].String())),
		set("identity.remote-id", either, the("identity"), among("address:192.0.2.99", "address:"+homes[0].String(), "fqdn:else.example", "ignore")),
		set("identity.disabled", either, the("identity"), always("true")),
		set("identity.peer", either, the("identity"), always("other1")),
		set("proposal.enc-algorithms", either, aProposal, subset(espCiphers)),
		set("proposal.auth-algorithms", either, aProposal, subset(espHashes)),
		set("proposal.pfs-group", either, aProposal, among(pfsGroups...)),
		set("policy.proposal", either, aPolicy, always("default")),
		set("policy.src-address", either, aPolicy, moved("src-address")),
		set("policy.dst-address", either, aPolicy, moved("dst-address")),
		set("policy.disabled", responder, aPolicy, always("true")),
		set("policy.tunnel", responder, aPolicy, always("false")),
		set("policy.tunnel", either, aPolicy, always("false")),
		set("policy.ipsec-protocols", either, aPolicy, always("ah")),
		set("policy.action", responder, aPolicy, among("none", "discard")),
		set("policy.peer", responder, aPolicy, always("other1")),
		{"policy.missing", responder, dropPolicy},
		{"policy.template", responder, generatePolicy},
	}
}

func changeKey(_ *generator, p *schema.Party, _ schema.Attempt) bool {
	p.Keys["*3"] = "a key of another time"
	return true
}

// aProposal picks one that a policy of the tunnel uses.
func aProposal(g *generator, p *schema.Party) schema.Row {
	name := aPolicy(g, p)["proposal"]
	rows := p.Rows["/ip/ipsec/proposal"]
	i := slices.IndexFunc(rows, func(r schema.Row) bool { return r["name"] == name })
	return rows[i]
}

// aPolicy picks one of the tunnel's.
func aPolicy(g *generator, p *schema.Party) schema.Row {
	return pick(g, own(p)...)
}

// own are the policies that the tunnel has, disabled ones aside.
func own(p *schema.Party) []schema.Row {
	return slices.DeleteFunc(slices.Clone(p.Rows["/ip/ipsec/policy"]), func(r schema.Row) bool {
		return !strings.HasPrefix(r[".id"], "*5") || r[".id"] == "*59"
	})
}

// moved is another network, or rarely a part of what was there: those overlap,
// and no daemon judges them.
func moved(attr string) func(*generator, schema.Row) string {
	return func(g *generator, r schema.Row) string {
		was := netip.MustParsePrefix(r[attr])
		if g.IntN(6) == 0 && was.Bits() < 30 {
			return netip.PrefixFrom(was.Addr(), was.Bits()+1).String()
		}
		return g.network()
	}
}

// dropPolicy removes one policy. A router that has none is one of the cases.
func dropPolicy(g *generator, p *schema.Party, _ schema.Attempt) bool {
	id := aPolicy(g, p)[".id"]
	p.Rows["/ip/ipsec/policy"] = slices.DeleteFunc(p.Rows["/ip/ipsec/policy"], func(r schema.Row) bool {
		return r[".id"] == id
	})
	if len(own(p)) == 0 { // a later mutation finds one to change
		add(p, "policy", schema.Row{".id": "*58", "peer": "other9", "tunnel": "true", "src-address": g.network(), "dst-address": g.network(), "proposal": "site"})
	}
	return true
}

// generatePolicy lets a router make policies from its default template in the
// place of its own.
func generatePolicy(_ *generator, p *schema.Party, _ schema.Attempt) bool {
	one(p, "identity")["generate-policy"] = "port-strict"
	for _, r := range own(p) {
		r["disabled"] = "true"
	}
	return true
}
