package apply_test

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/change"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// siteKind is a way in which fengshan stands on the Internet, and headquarters too.
type siteKind struct {
	name  string
	wan   vpn.WAN // of fengshan
	hq    []vpn.WAN
	inner string // what fengshan has on ether1 when a box translates it
	// shared lets headquarters' peer for any address serve taichung as well.
	shared bool
	down   bool // its tunnel cannot come up
	second bool // fengshan has a second network, which the tunnel joins too
}

func siteKinds() []siteKind {
	ip := netip.MustParseAddr
	fixed := vpn.WAN{Interface: "ether1", Address: ip("198.51.100.20"), NAT: vpn.NoNAT, Role: vpn.Both}
	behind := func(nat vpn.NAT, role vpn.WANRole) vpn.WAN {
		w := fixed
		w.NAT, w.Role = nat, role
		return w
	}
	dynamic := vpn.WAN{Interface: "ether1", Dynamic: true, NAT: vpn.NoNAT, Role: vpn.Initiate}
	carrier := vpn.WAN{Interface: "ether1", Dynamic: true, NAT: vpn.CarrierNAT, Role: vpn.Initiate}
	one := vpn.WAN{Interface: "ether1", Address: ip("203.0.113.10"), NAT: vpn.NoNAT, Role: vpn.Both}
	two := vpn.WAN{Interface: "ether3", Address: ip("203.0.113.130"), NAT: vpn.NoNAT, Role: vpn.Both}
	return []siteKind{
		{name: "fixed", wan: fixed},
		{name: "DNS", wan: vpn.WAN{Interface: "ether1", DNS: "fengshan.example", NAT: vpn.NoNAT, Role: vpn.Both}},
		{name: "1:1 NAT, calls", wan: behind(vpn.OneToOneNAT, vpn.Initiate), inner: "10.64.0.2"},
		{name: "1:1 NAT, both", wan: behind(vpn.OneToOneNAT, vpn.Both), inner: "10.64.0.2"},
		{name: "1:1 NAT, waits", wan: behind(vpn.OneToOneNAT, vpn.Respond), inner: "10.64.0.2", down: true},
		{name: "several WANs", wan: fixed, hq: []vpn.WAN{one, two}},
		{name: "several WANs, a dynamic end", wan: dynamic, hq: []vpn.WAN{one, two}},
		{name: "several WANs, shared", wan: dynamic, hq: []vpn.WAN{one, two}, shared: true},
		{name: "dynamic", wan: dynamic},
		{name: "dynamic, shared", wan: dynamic, shared: true},
		{name: "carrier NAT", wan: carrier, inner: "10.64.0.2"},
		{name: "carrier NAT, shared", wan: carrier, inner: "10.64.0.2", shared: true},
	}
}

// siteWorld holds a tunnel of a kind that people made by hand, or no tunnel yet.
func siteWorld(t tester, k siteKind, dug bool) *world {
	t.Helper()
	return siteWorldOf(t, rossim.Options{}, k, dug)
}

// siteWorldOf is siteWorld with routers of another kind.
func siteWorldOf(t tester, kind rossim.Options, k siteKind, dug bool) *world {
	t.Helper()
	w := &world{tester: t, kind: kind, estate: sites(), resolve: map[string]netip.Addr{"fengshan.example": netip.MustParseAddr("198.51.100.20")}}
	w.estate.Sites[0].LAN = w.estate.Sites[0].LAN[:1]
	w.estate.Sites[1].WANs[0] = k.wan
	if k.second {
		w.estate.Sites[1].LAN = append(w.estate.Sites[1].LAN, netip.MustParsePrefix("192.168.89.0/24"))
	}
	if k.hq != nil {
		w.estate.Sites[0].WANs = k.hq
	}
	if k.inner != "" {
		w.places = map[string]rossim.Place{"gw-fengshan": {NAT: []rossim.NAT{{
			Inside: netip.MustParseAddr(k.inner), Public: netip.MustParseAddr("198.51.100.20"), Carrier: k.wan.NAT == vpn.CarrierNAT,
		}}}}
	}
	w.tunnel = vpn.Tunnel{Name: "hq-fengshan", Exchange: "ike2", Ends: [2]vpn.End{
		{Site: "hq", WAN: "ether1", Probes: addresses("192.168.77.1")}, {Site: "fengshan", Probes: addresses("192.168.88.1")},
	}}.WithDefaults(w.estate)
	if k.second {
		w.tunnel.Ends[1].Probes = append(w.tunnel.Ends[1].Probes, addresses("192.168.89.1")...)
	}
	if k.shared {
		w.also = func() { w.taichung() }
	}
	w.build(rossim.Switches{}, func(x vpn.ExpectedEnd) (string, map[string][]schema.Row) { return "", k.rows(x, w.tunnel, dug) })
	return w
}

// rows are one end of the tunnel as people make it, or what is there without it.
func (k siteKind) rows(x vpn.ExpectedEnd, t vpn.Tunnel, dug bool) map[string][]schema.Row {
	end, lan, far := t.Ends[0], "192.168.77.0/24", "192.168.88.0/24"
	menus := map[string][]schema.Row{"/ip/firewall/nat": {outside()}}
	if x.Router == "gw-hq" {
		menus["/ip/address"] = []schema.Row{{"address": "203.0.113.10/25", "interface": "ether1"}, {"address": "192.168.77.1/24", "interface": "ether2"}}
		if k.hq != nil {
			menus["/ip/address"] = append(menus["/ip/address"], schema.Row{"address": "203.0.113.130/25", "interface": "ether3"})
		}
	} else {
		end, lan, far = t.Ends[1], far, lan
		inner := k.inner
		if inner == "" {
			inner = "198.51.100.20"
		}
		menus["/ip/address"] = []schema.Row{{"address": inner + "/24", "interface": "ether1"}, {"address": "192.168.88.1/24", "interface": "ether2"}}
		if k.second {
			menus["/ip/address"] = append(menus["/ip/address"], schema.Row{"address": "192.168.89.1/24", "interface": "ether2"})
		}
	}
	if k.shared && x.Router == "gw-hq" {
		addresses := menus["/ip/address"]
		maps.Copy(menus, hub())
		menus["/ip/address"] = addresses
		if !dug {
			menus["/ip/ipsec/identity"], menus["/ip/ipsec/policy"] = menus["/ip/ipsec/identity"][:1], menus["/ip/ipsec/policy"][:1]
			menus["/ip/ipsec/policy/group"] = menus["/ip/ipsec/policy/group"][1:]
		}
		return menus
	}
	if !dug {
		return menus
	}
	menus["/ip/ipsec/profile"] = []schema.Row{{"name": "p1", "hash-algorithm": "sha256", "enc-algorithm": "aes-256", "dh-group": "modp2048"}}
	menus["/ip/ipsec/proposal"] = []schema.Row{{"name": "p2", "auth-algorithms": "sha256", "enc-algorithms": "aes-256-cbc", "pfs-group": "modp2048"}}
	if x.RemoteAny {
		all := hub()
		for _, path := range []string{"/ip/ipsec/policy/group", "/ip/ipsec/peer", "/ip/ipsec/identity", "/ip/ipsec/policy"} {
			rows := all[path]
			menus[path] = slices.DeleteFunc(rows, func(r schema.Row) bool {
				return r["name"] == "taichung" || r["group"] == "taichung" || r["policy-template-group"] == "taichung"
			})
		}
		return menus
	}
	peer := schema.Row{"name": "by hand", "address": x.RemoteName, "profile": "p1", "exchange-mode": "ike2"}
	if x.Remote.IsValid() {
		peer["address"] = x.Remote.String() + "/32"
	}
	if x.Passive {
		peer["passive"] = "yes"
	}
	if len(k.hq) > 0 && x.Router == "gw-hq" {
		peer["local-address"] = x.Local.String()
	}
	identity := schema.Row{"peer": "by hand", "secret": "old-key"}
	if end.ID != "" {
		identity["my-id"], identity["remote-id"] = end.ID, t.Ends[0].ID
		if x.Router == "gw-hq" {
			identity["remote-id"] = t.Ends[1].ID
		}
	}
	menus["/ip/ipsec/peer"], menus["/ip/ipsec/identity"] = []schema.Row{peer}, []schema.Row{identity}
	menus["/ip/ipsec/policy"] = []schema.Row{{"peer": "by hand", "tunnel": "yes", "src-address": lan, "dst-address": far, "proposal": "p2"}}
	return menus
}

// taichung is a third router, whose tunnel goes to headquarters' peer for any
// address as well.
func (w *world) taichung() {
	w.Helper()
	rows := spoke()
	rows["/ip/address"] = []schema.Row{{"address": "192.0.2.30/24", "interface": "ether1"}, {"address": "192.168.99.1/24", "interface": "ether2"}}
	rows["/ip/ipsec/identity"] = []schema.Row{{"peer": "to-hq", "my-id": "fqdn:taichung", "remote-id": "fqdn:hq", "secret": "another-key"}}
	rows["/ip/ipsec/policy"] = []schema.Row{{"peer": "to-hq", "tunnel": "yes", "src-address": "192.168.99.0/24", "dst-address": "192.168.77.0/24", "proposal": "p2"}}
	w.router("gw-taichung", "", rows)
}

// bystander tells how taichung's tunnel stands: its cookies, and whether it carries.
func (w *world) bystander() (cookies string, carries bool) {
	w.Helper()
	for _, row := range w.in.Router("gw-taichung").Rows("/ip/ipsec/active-peers") {
		cookies += row["spii"] + row["spir"]
	}
	return cookies, w.in.Ping("gw-taichung", netip.MustParseAddr("192.168.99.1"), netip.MustParseAddr("192.168.77.1")) &&
		w.in.Ping("gw-hq", netip.MustParseAddr("192.168.77.1"), netip.MustParseAddr("192.168.99.1"))
}

// siteVerb is a verb of tunnels, with what it needs.
type siteVerb struct {
	name  string
	make  planner
	dug   bool // there is a tunnel beforehand
	set   []change.Setting
	alone bool // of another WAN: for sites that have several
}

func siteVerbs() []siteVerb {
	return []siteVerb{
		{name: "redo", make: vpn.PlanRedo, dug: true},
		{name: "rekey", make: vpn.PlanRekey, dug: true},
		{name: "rotate psk", make: vpn.PlanRotatePSK, dug: true},
		{name: "tunnel set", make: vpn.PlanSet, dug: true, set: []change.Setting{{Key: "proposal.lifetime", Value: "1h"}}},
		{name: "tunnel set phase 1", make: vpn.PlanSet, dug: true, set: []change.Setting{{Key: "profile.lifetime", Value: "8h"}}},
		{name: "tunnel add", make: vpn.PlanAddTunnel},
		{name: "tunnel remove", make: vpn.PlanRemove, dug: true},
		{name: "tunnel set WAN", make: vpn.PlanSet, dug: true, set: []change.Setting{{Key: "hq.wan", Value: "ether3"}}, alone: true},
	}
}

// sitesRefused is why a verb is refused at a kind of site, "" where it is planned.
func sitesRefused(k siteKind, v siteVerb) string {
	switch {
	case k.down && v.name == "tunnel remove":
		return ""
	case k.shared && v.name == "tunnel set phase 1":
		return "plan.refuse.shared_profile"
	case k.down:
		return "plan.refuse.tunnel_definition"
	}
	return ""
}

// Ensure that at every kind of site every verb is planned and ends as planned, with
// traffic through the tunnel and the tunnels of others undisturbed, or is refused
// with its reason.
func TestEngine_Sites(t *testing.T) {
	for i, k := range siteKinds() {
		for n, v := range siteVerbs() {
			if v.alone && k.hq == nil || sparse && (i+n)%4 != 0 {
				continue
			}
			t.Run(strings.ReplaceAll(k.name+"/"+v.name, " ", "_"), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := siteWorld(t, k, v.dug)
					defer w.close()
					w.trySite(k, v)
				})
			})
		}
	}
}

func (w *world) trySite(k siteKind, v siteVerb) {
	w.Helper()
	if up := v.dug && !k.down; w.up() != up || w.carries() != up {
		w.Fatalf("up %v, carries %v to begin with", w.up(), w.carries())
	}
	cookies := ""
	if k.shared {
		var carries bool
		if cookies, carries = w.bystander(); !carries {
			w.Fatal("the tunnel beside does not carry to begin with")
		}
	}
	want := sitesRefused(k, v)
	plan, refused := w.sitePlan(v)
	if refused != want {
		w.Fatalf("refused %q, want %q", refused, want)
	}
	if plan == nil {
		return
	}
	if plan.Defines != nil {
		w.tunnel = decoded(w, plan.Defines)
	}
	r, _ := trial{w, names, func() (change.Plan, error) { return *plan, nil }, 0, false}.play()
	if gone := v.name == "tunnel remove"; r.State != change.Committed || w.up() == gone || w.carries() == gone {
		w.Errorf("%s (%v %v), up %v, carries %v", r.State, r.Outcome, r.Cause, w.up(), w.carries())
	}
	w.clean()
	if !k.shared {
		return
	}
	time.Sleep(time.Minute)
	if now, carries := w.bystander(); now != cookies || !carries {
		w.Errorf("the tunnel beside was disturbed: carries %v, phase 1 %s, was %s", carries, now, cookies)
	}
}

func (w *world) sitePlan(v siteVerb) (*change.Plan, string) {
	w.Helper()
	version, err := w.ledger.DefinitionVersion(w.Context(), vpn.KindTunnel, w.tunnel.Name)
	if err != nil {
		w.Fatal(err)
	}
	plan, err := v.make(vpn.TunnelChange{
		Intent: change.Intent{Verb: v.name, Site: "hq", Far: "fengshan", Tunnel: w.tunnel.Name, Settings: v.set}, Estate: w.estate, Tunnel: w.tunnel,
		Definition: change.DefinitionRef{Kind: vpn.KindTunnel, Name: w.tunnel.Name, Version: version},
		Snapshots:  [2]change.Snapshot{w.snapshot("gw-hq"), w.snapshot("gw-fengshan")}, PSK: "psk", Mark: "psk:00112233",
	})
	if refusal, ok := err.(*vpn.Refusal); ok { //nolint:errorlint // planners return it bare
		return nil, refusal.Text.ID
	}
	if err != nil {
		w.Fatal(err)
	}
	return &plan, ""
}

func decoded(w *world, body []byte) vpn.Tunnel {
	w.Helper()
	t, err := vpn.DecodeTunnel(change.Definition{DefinitionRef: change.DefinitionRef{Kind: vpn.KindTunnel, Name: w.tunnel.Name}, Body: body})
	if err != nil {
		w.Fatal(err)
	}
	return t
}
