package commands

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"vpnbot/change"
	"vpnbot/commands/text"
	"vpnbot/ros/schema"
	"vpnbot/store/storetest"
	"vpnbot/vpn"
)

// star is an estate whose hub hq has a tunnel to every other site. Its routers
// answer as they would while packets flow; a test spoils rows or silences them.
type star struct {
	sites   int
	estate  vpn.Estate
	tunnels []vpn.Tunnel
	polled  map[string][]vpn.Half // what Samples tells

	mu     sync.Mutex
	silent map[string]error
	spoil  map[string]func(rows map[string][]schema.Row) // by router
	reads  map[string]int
}

func siteName(k int) string {
	switch k {
	case 0:
		return "hq"
	case 1:
		return "fengshan"
	case 2:
		return "taichung"
	}
	return fmt.Sprintf("site%02d", k)
}

func wanOf(k int) string { return fmt.Sprintf("198.51.100.%d", k+1) }

func newStar(sites int) *star {
	n := &star{
		sites: sites, polled: map[string][]vpn.Half{}, silent: map[string]error{},
		spoil: map[string]func(map[string][]schema.Row){}, reads: map[string]int{},
	}
	aliases := map[int][]string{0: {"總公司"}, 1: {"鳳山"}, 2: {"台中"}}
	for k := range sites {
		name := siteName(k)
		n.estate.Sites = append(n.estate.Sites, vpn.Site{
			Name: name, Aliases: aliases[k], LAN: []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("10.%d.0.0/24", k))},
			Routers: []string{"gw-" + name},
			WANs:    []vpn.WAN{{Interface: "ether1", Address: netip.MustParseAddr(wanOf(k)), NAT: vpn.NoNAT, Role: vpn.Both}},
		})
		n.estate.Routers = append(n.estate.Routers, vpn.Router{Name: "gw-" + name, Site: name})
		if k > 0 {
			t := vpn.Tunnel{Name: "hq-" + name, Exchange: "ike2", Ends: [2]vpn.End{{Site: "hq"}, {Site: name}}}.WithDefaults(n.estate)
			n.tunnels = append(n.tunnels, t)
		}
	}
	return n
}

// open is a service over the star. edit comes last.
func (n *star) open(t *testing.T, edit ...func(*Options)) *world {
	t.Helper()
	w := &world{t: t, store: storetest.Open(t), people: NewDirectory(cast())}
	var err error
	if w.catalog, err = text.New(); err != nil {
		t.Fatal(err)
	}
	o := Options{
		Ledger: w.store, Routers: n, Samples: n, People: w.people, Location: time.UTC, Log: slog.New(slog.DiscardHandler), Estate: n.estate,
	}
	for _, e := range edit {
		e(&o)
	}
	if w.Service, err = New(o); err != nil {
		t.Fatal(err)
	}
	m := change.Move{}
	for _, tunnel := range n.tunnels {
		body, err := tunnel.Encode()
		if err != nil {
			t.Fatal(err)
		}
		m.Definitions = append(m.Definitions, change.Definition{
			DefinitionRef: change.DefinitionRef{Kind: vpn.KindTunnel, Name: tunnel.Name, Version: 1}, At: time.Now(), By: change.SystemPerson, Body: body,
		})
		m.Events = append(m.Events, change.Event{At: time.Now(), Kind: change.EventDefinition, Actor: change.SystemPerson})
	}
	if len(m.Definitions) > 0 {
		if _, err := w.store.Commit(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// poll lets every router have been read at a time.
func (n *star) poll(at time.Time) {
	for _, r := range n.estate.Routers {
		h := vpn.Half{Snapshot: change.Snapshot{Router: r.Name, At: at.UTC()}}
		if h.Err = n.silent[r.Name]; h.Err == nil {
			h.Snapshot = n.snapshot(r.Name, at)
		}
		n.polled[r.Name] = append(n.polled[r.Name], h)
	}
}

func (n *star) Samples(router string) []vpn.Half { return n.polled[router] }

func (n *star) Snapshot(_ context.Context, router string, _ ...string) (change.Snapshot, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.reads[router]++
	if err := n.silent[router]; err != nil {
		return change.Snapshot{}, err
	}
	return n.snapshot(router, time.Now()), nil
}

func (n *star) snapshot(router string, at time.Time) change.Snapshot {
	k := slices.IndexFunc(n.estate.Routers, func(r vpn.Router) bool { return r.Name == router })
	menus := map[string][]schema.Row{
		"/ip/address":                   {{"address": wanOf(k) + "/24", "interface": "ether1"}},
		"/interface/l2tp-server/server": {{"enabled": "true", "use-ipsec": "required"}},
		"/ppp/active":                   {},
		"/ip/ipsec/peer":                {},
		"/ip/ipsec/policy":              {},
		"/ip/ipsec/active-peers":        {},
		"/ip/ipsec/installed-sa":        {},
	}
	if k == 0 {
		for i := range 3 {
			menus["/ppp/active"] = append(menus["/ppp/active"], schema.Row{"name": fmt.Sprint("vpn-", i), "service": "l2tp"})
		}
		for far := 1; far < n.sites; far++ {
			addLine(menus, at, 0, far, far)
		}
	} else {
		addLine(menus, at, k, 0, k)
	}
	if do := n.spoil[router]; do != nil {
		do(menus)
	}
	return change.Snapshot{Router: router, At: at.UTC(), Version: "7.22.3", Menus: menus}
}

// addLine adds what router own shows of its tunnel with router far: number id.
func addLine(menus map[string][]schema.Row, at time.Time, own, far, id int) {
	add := func(menu string, row schema.Row) { menus[menu] = append(menus[menu], row) }
	peer := "to-" + siteName(far)
	add("/ip/ipsec/peer", schema.Row{"name": peer, "address": wanOf(far) + "/32", "exchange-mode": "ike2", "disabled": "false"})
	add("/ip/ipsec/policy", schema.Row{
		"peer": peer, "tunnel": "true", "src-address": fmt.Sprintf("10.%d.0.0/24", own), "dst-address": fmt.Sprintf("10.%d.0.0/24", far),
		"action": "encrypt", "level": "require", "sa-src-address": wanOf(own), "sa-dst-address": wanOf(far), "ph2-count": "1",
		"ph2-state": "established", "active": "true", "disabled": "false",
	})
	side := "initiator"
	if own == 0 {
		side = "responder"
	}
	add("/ip/ipsec/active-peers", schema.Row{
		"local-address": wanOf(own), "remote-address": wanOf(far), "state": "established", "side": side, "uptime": "1h2m3s", "id": wanOf(far),
		"spii": fmt.Sprintf("a1b2c3d4e5f6%04x", id), "spir": fmt.Sprintf("18f7e6d5c4b3%04x", id),
	})
	for _, from := range []int{min(own, far), max(own, far)} {
		to := own + far - from
		packets := 10*(at.Unix()%100000) + int64(from)
		add("/ip/ipsec/installed-sa", schema.Row{
			"spi": fmt.Sprintf("0x%X%04X", 0xA0+min(from, 1), id), "src-address": wanOf(from), "dst-address": wanOf(to), "state": "mature",
			"enc-algorithm": "aes-cbc", "enc-key-size": "256", "auth-algorithm": "sha256", "add-lifetime": "24m/30m",
			"expires-in": "20m", "addtime": at.Add(-10 * time.Minute).UTC().Format(time.DateTime),
			"current-bytes": strconv.FormatInt(packets*900, 10), "current-packets": strconv.FormatInt(packets, 10),
		})
	}
}

// set changes an attribute in every row of a router's menu, in what is polled from
// now on too.
func (n *star) set(router, menu, attr, to string) {
	n.spoil[router] = func(menus map[string][]schema.Row) {
		for _, row := range menus[menu] {
			row[attr] = to
		}
	}
}
