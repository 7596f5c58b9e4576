package lab_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"

	"vpnbot/lab"
	"vpnbot/ros/schema"
)

// pair is an attempt between two routers, and the attributes that were changed at
// one end after both agreed.
type pair struct {
	seed     uint64
	mutated  []string
	attempt  schema.Attempt
	excluded string // why no daemon can judge it
}

// generator makes pairs. The same seed makes the same pair.
type generator struct {
	*rand.Rand
	nets int // networks given out so far
}

// generate makes the pair of a seed: two routers that agree, then none, one or two
// mutations.
func generate(seed uint64) pair {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 7))}
	p := pair{seed: seed, attempt: g.agreeing()}
	// Few are left as they are; two mutations show which of two faults comes first.
	n := []int{0, 1, 1, 1, 2, 2}[g.IntN(6)]
	for len(p.mutated) < n {
		m := mutations()[g.IntN(len(mutations()))]
		if slices.Contains(p.mutated, m.attr) {
			continue
		}
		end := &p.attempt.Initiator
		if m.end == responder || m.end == either && g.IntN(2) == 0 {
			end = &p.attempt.Responder
		}
		if m.change(g, end, p.attempt) {
			p.mutated = append(p.mutated, m.attr)
		}
	}
	slices.Sort(p.mutated)
	p.excluded = lab.Beyond(p.attempt)
	return p
}

func pick[T any](g *generator, of ...T) T { return of[g.IntN(len(of))] }

// some picks up to most members of a list, in the list's order.
func some(g *generator, most int, of []string) string {
	keep := g.Perm(len(of))[:1+g.IntN(min(most, len(of)))]
	slices.Sort(keep)
	var s []string
	for _, i := range keep {
		s = append(s, of[i])
	}
	return strings.Join(s, ",")
}

// The algorithms that both worlds know.
var (
	ikeCiphers = []string{"aes-256", "aes-192", "aes-128", "3des"}
	ikeHashes  = []string{"md5", "sha1", "sha256", "sha384", "sha512"}
	ikeGroups  = []string{"x25519", "ecp256", "ecp384", "ecp521", "modp2048", "modp1536", "modp1024"}
	espCiphers = []string{"aes-256-cbc", "aes-256-ctr", "aes-256-gcm", "aes-192-cbc", "aes-128-cbc", "aes-128-gcm", "3des"}
	espHashes  = []string{"sha512", "sha256", "sha1", "md5"}
	pfsGroups  = []string{"none", "modp1024", "modp1536", "modp2048", "ecp256", "ecp384"}
)

// The addresses of the two routers, and of others that nobody has.
var (
	homes   = [2]netip.Addr{netip.MustParseAddr("203.0.113.5"), netip.MustParseAddr("198.51.100.7")}
	inside  = netip.MustParseAddr("192.168.88.2")
	spare   = netip.MustParseAddr("203.0.113.6") // a second one of the initiator
	nowhere = []string{"192.0.2.19", "192.0.2.77", "198.51.100.8"}
)

// agreeing makes two routers that agree, with what stands beside a tunnel on
// routers in the field.
func (g *generator) agreeing() schema.Attempt {
	exchange := pick(g, "main", "main", "aggressive", "ike2", "ike2")
	a := schema.Attempt{Initiator: g.router("hq", homes[0]), Responder: g.router("fengshan", homes[1]), Peer: "*2", Rekey: g.IntN(2) == 0}
	ends := []*schema.Party{&a.Initiator, &a.Responder}
	if g.IntN(8) == 0 { // behind the address translation of another box
		a.Initiator.Local = inside
		a.Initiator.Rows["/ip/address"][0]["address"] = inside.String() + "/24"
	}
	key := fmt.Sprintf("key %d", g.IntN(1000))
	most := 3
	if exchange == "aggressive" {
		most = 1
	}
	profile := schema.Row{
		"enc-algorithm": some(g, 3, ikeCiphers), "hash-algorithm": pick(g, ikeHashes...), "dh-group": some(g, most, ikeGroups),
	}
	for i, p := range ends {
		add(p, "profile", profile, schema.Row{".id": "*1", "name": "site"})
		peer := schema.Row{".id": "*2", "name": "site", "address": homes[1-i].String() + "/32", "profile": "site", "exchange-mode": exchange}
		if g.IntN(4) == 0 {
			peer["local-address"] = p.Local.String()
		}
		add(p, "peer", peer)
		add(p, "identity", schema.Row{".id": "*3", "peer": "site", "auth-method": "pre-shared-key"})
		p.Keys["*3"] = key
	}
	if g.IntN(2) == 0 {
		one(ends[1], "peer")["passive"] = "true"
	}
	g.named(ends, exchange)
	g.protect(ends)
	for _, p := range ends {
		g.furnish(p, exchange)
	}
	return a
}

// router makes one with nothing but its default rows.
func (g *generator) router(name string, own netip.Addr) schema.Party {
	p := schema.Party{Name: name, Local: own, Seen: own, Keys: map[string]string{}, Rows: map[string][]schema.Row{
		"/ip/address": {
			{".id": "*A1", "address": own.String() + "/24", "interface": "ether1"},
			{".id": "*A2", "address": spare.String() + "/24", "interface": "ether1"},
		},
	}}
	add(&p, "profile", schema.Row{
		".id": "*0", "name": "default", "hash-algorithm": "sha1", "enc-algorithm": "aes-128,3des",
		"dh-group": "modp2048,modp1024", "default": "true",
	})
	add(&p, "proposal", schema.Row{
		".id": "*0", "name": "default", "auth-algorithms": "sha1", "enc-algorithms": "aes-256-cbc,aes-192-cbc,aes-128-cbc",
		"pfs-group": "modp1024", "default": "true",
	})
	add(&p, "policy", schema.Row{
		".id": "*FFFFFF", "group": "default", "src-address": "::/0", "dst-address": "::/0", "protocol": "all",
		"proposal": "default", "template": "true", "default": "true",
	})
	return p
}

// named gives the ends IDs now and then. Names are for IKEv2.
func (g *generator) named(ends []*schema.Party, exchange string) {
	for i, p := range ends {
		id := "address:" + p.Local.String()
		if exchange == "ike2" && g.IntN(2) == 0 {
			id = pick(g, "fqdn:", "user-fqdn:vpn@", "key-id:") + p.Name + ".example"
		}
		own, other := one(p, "identity"), one(ends[1-i], "identity")
		switch g.IntN(4) {
		case 0:
			own["my-id"], other["remote-id"] = id, id
		case 1:
			own["my-id"] = id
		case 2:
			other["remote-id"] = "ignore"
		}
	}
}

// protect gives the ends one to three mirrored policies under one or two
// proposals.
func (g *generator) protect(ends []*schema.Party) {
	names := []string{"site", "strong"}[:1+g.IntN(2)]
	for k, name := range names {
		proposal := schema.Row{
			"enc-algorithms": some(g, 3, espCiphers), "auth-algorithms": some(g, 2, espHashes), "pfs-group": pick(g, pfsGroups...),
		}
		for _, p := range ends {
			add(p, "proposal", proposal, schema.Row{".id": fmt.Sprintf("*4%d", k), "name": name})
		}
	}
	for i := range 1 + g.IntN(3) {
		nets := [2]string{g.network(), g.network()}
		name := pick(g, names...)
		for e, p := range ends {
			add(p, "policy", schema.Row{
				".id": fmt.Sprintf("*5%d", i), "peer": "site", "tunnel": "true", "proposal": name,
				"src-address": nets[e], "dst-address": nets[1-e],
			})
		}
	}
}

// network is one that no other overlaps.
func (g *generator) network() string {
	g.nets++
	return fmt.Sprintf("10.%d.%d.0/%d", g.nets, g.IntN(4)*64, pick(g, 24, 24, 24, 26, 18, 29, 32))
}

// furnish adds rows that have nothing to do with the tunnel.
func (g *generator) furnish(p *schema.Party, exchange string) {
	other := func(id, address, mode string) {
		name := "other" + id
		add(p, "peer", schema.Row{".id": "*2" + id, "name": name, "address": address, "profile": "default", "exchange-mode": mode})
		add(p, "identity", schema.Row{".id": "*3" + id, "peer": name})
		p.Keys["*3"+id] = "another key"
	}
	if g.IntN(3) == 0 {
		other("1", pick(g, nowhere...)+"/32", pick(g, "main", "ike2"))
	}
	if g.IntN(4) == 0 {
		other("2", "0.0.0.0/0", map[bool]string{true: "main", false: "ike2"}[exchange == "ike2"])
	}
	if g.IntN(4) == 0 {
		add(p, "policy", schema.Row{".id": "*59", "peer": "site", "tunnel": "true", "src-address": g.network(), "dst-address": g.network(), "proposal": "default", "disabled": "true"})
	}
	for _, menu := range []string{"peer", "identity"} {
		rows := p.Rows["/ip/ipsec/"+menu]
		g.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	}
}

// add appends a row that is made of parts.
func add(p *schema.Party, menu string, parts ...schema.Row) {
	r := schema.Row{}
	for _, part := range parts {
		maps.Copy(r, part)
	}
	p.Rows["/ip/ipsec/"+menu] = append(p.Rows["/ip/ipsec/"+menu], r)
}

// one returns the tunnel's own row of a menu.
func one(p *schema.Party, menu string) schema.Row {
	id := map[string]string{"profile": "*1", "peer": "*2", "identity": "*3"}[menu]
	for _, r := range p.Rows["/ip/ipsec/"+menu] {
		if r[".id"] == id {
			return r
		}
	}
	return nil
}
