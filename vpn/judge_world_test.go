package vpn_test

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

const (
	peerMenu   = "/ip/ipsec/peer"
	policyMenu = "/ip/ipsec/policy"
	phase1Menu = "/ip/ipsec/active-peers"
	saMenu     = "/ip/ipsec/installed-sa"
)

var judgeDay = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// failer is a *testing.T or *rapid.T.
type failer interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
}

// line is a tunnel as two routers show it, healthy until a test spoils it.
type line struct {
	want    vpn.Expected
	samples [2][]vpn.Half // oldest first
	at      time.Time
}

// lineEstate has hq with a fixed address and a far end of any kind.
func lineEstate(far vpn.WAN) vpn.Estate {
	return vpn.Estate{
		Sites: []vpn.Site{
			{
				Name: "hq", LAN: []netip.Prefix{netip.MustParsePrefix("192.168.77.0/24"), netip.MustParsePrefix("192.168.78.0/24")}, Routers: []string{"gw-hq"},
				WANs: []vpn.WAN{{Interface: "ether1", Address: netip.MustParseAddr("203.0.113.10"), NAT: vpn.NoNAT, Role: vpn.Both}},
			},
			{
				Name: "fengshan", LAN: []netip.Prefix{netip.MustParsePrefix("192.168.88.0/24")}, Routers: []string{"gw-fengshan"},
				WANs: []vpn.WAN{far},
			},
		},
		Routers: []vpn.Router{{Name: "gw-hq", Site: "hq"}, {Name: "gw-fengshan", Site: "fengshan"}},
	}
}

func fixedWAN() vpn.WAN {
	return vpn.WAN{Interface: "ether1", Address: netip.MustParseAddr("198.51.100.20"), NAT: vpn.NoNAT, Role: vpn.Both}
}

// newLine plays looks looks, a minute apart, of a tunnel with n policies that
// carries packets both ways.
func newLine(t failer, looks, n int) *line {
	t.Helper()
	e := lineEstate(fixedWAN())
	tunnel := vpn.Tunnel{Name: "hq-fengshan", Exchange: "main", Ends: [2]vpn.End{{Site: "hq"}, {Site: "fengshan"}}}.WithDefaults(e)
	tunnel.Ends[0].Prefixes = tunnel.Ends[0].Prefixes[:n]
	if ps := tunnel.Problems(e, nil, nil); len(ps) != 0 {
		t.Fatal(ps)
	}
	l := &line{want: tunnel.Expect(e), at: judgeDay.Add(time.Duration(looks-1)*time.Minute + 2*time.Second)}
	for k := range looks {
		for i := range 2 {
			l.samples[i] = append(l.samples[i], l.half(i, k))
		}
	}
	return l
}

// half makes look k of end i. SPIs tell who made them, not which policy.
func (l *line) half(i, k int) vpn.Half {
	addresses := []string{"203.0.113.10", "198.51.100.20"}
	local, remote := addresses[i], addresses[1-i]
	packets := func(from int) string { return fmt.Sprint(1000*(from+1) + 60*k) }
	menus := map[string][]schema.Row{
		"/ip/address":                   {{"address": local + "/24", "interface": "ether1", "disabled": "false"}},
		"/interface/l2tp-server/server": {{"enabled": "true", "use-ipsec": "required"}},
		"/ppp/active":                   {{"name": "ann", "service": "l2tp", "address": "10.9.0.9"}, {"name": "x", "service": "pppoe"}},
		peerMenu: {
			{".id": "*1", "name": "made-by-hand", "address": remote + "/32", "exchange-mode": "main", "profile": "p", "disabled": "false", "dynamic": "false"},
			{".id": "*2", "name": "l2tp-in-server", "address": "0.0.0.0/0", "exchange-mode": "main", "profile": "default", "passive": "true", "disabled": "false", "dynamic": "true", "responder": "true"},
		},
		phase1Menu: {{
			".id": "*5", "id": remote, "local-address": local, "remote-address": remote, "state": "established", "side": []string{"initiator", "responder"}[i],
			"uptime": "1h2m3s", "last-seen": "3s", "ph2-total": "1", "spii": "a1b2c3d4e5f60718", "spir": "18f7e6d5c4b3a291",
		}},
		policyMenu: {{".id": "*0", "group": "default", "src-address": "::/0", "dst-address": "::/0", "template": "true", "default": "true"}},
	}
	for n, s := range l.want.Ends[i].Policies {
		menus[policyMenu] = append(menus[policyMenu], schema.Row{
			".id": fmt.Sprintf("*1%d", n), "peer": "made-by-hand", "tunnel": "true", "src-address": s.Source.String(), "dst-address": s.Destination.String(),
			"protocol": "all", "action": "encrypt", "level": "require", "sa-src-address": local, "sa-dst-address": remote,
			"proposal": "p", "ph2-count": "1", "ph2-state": "established", "active": "true", "invalid": "false", "disabled": "false", "dynamic": "false",
		})
		for from := range 2 {
			menus[saMenu] = append(menus[saMenu], schema.Row{
				".id": fmt.Sprintf("*%d%d", n, from), "spi": fmt.Sprintf("0xC%d%d0001", from, n), "src-address": addresses[from], "dst-address": addresses[1-from],
				"state": "mature", "enc-algorithm": "aes-cbc", "enc-key-size": "256", "auth-algorithm": "sha256",
				"add-lifetime": "24m/30m", "expires-in": "20m", "current-bytes": "99", "current-packets": packets(from), "ESP": "true",
			})
		}
	}
	return vpn.Half{Snapshot: change.Snapshot{
		Router: l.want.Ends[i].Router, At: judgeDay.Add(time.Duration(k)*time.Minute + time.Duration(i)*50*time.Millisecond),
		Version: "7.22.3", Menus: menus,
	}}
}

// judge judges, and both ways round: the order of the ends must not matter.
func (l *line) judge(t failer) vpn.Judged {
	t.Helper()
	got := vpn.Judge(l.want, l.samples, l.at)
	turned := l.want
	turned.Ends[0], turned.Ends[1] = l.want.Ends[1], l.want.Ends[0]
	back := vpn.Judge(turned, [2][]vpn.Half{l.samples[1], l.samples[0]}, l.at)
	slices.Reverse(back.Flows[:])
	slices.Reverse(back.Sides[:])
	if got.Verdict != back.Verdict || !reflect.DeepEqual(got.Reason, back.Reason) || !reflect.DeepEqual(got.Notes, back.Notes) ||
		got.Flows != back.Flows || got.Window != back.Window || !reflect.DeepEqual(got.Sides, back.Sides) {
		t.Errorf("got %+v, with the ends changed over %+v", got, back)
	}
	known(t, append(slices.Clone(got.Notes), got.Reason))
	return got
}

// known checks that texts are among those that a catalogue must have.
func known(t failer, texts []change.Text) {
	t.Helper()
	all := vpn.StatusTexts()
	for _, text := range texts {
		want, ok := all[text.ID]
		names := slices.Sorted(maps.Keys(text.Args))
		slices.Sort(want)
		if !ok || !slices.Equal(names, want) {
			t.Errorf("text %q has arguments %v, want %v", text.ID, names, want)
		}
	}
}

// rows changes the rows of a menu of end i in every sample from look on.
func (l *line) rows(i int, menu string, from int, edit func(rows []schema.Row) []schema.Row) {
	for k := range l.samples[i] {
		if k >= from {
			l.samples[i][k].Menus[menu] = edit(l.samples[i][k].Menus[menu])
		}
	}
}

// set gives every row of a menu that has the attribute with the old value
// ("" for any) a new one.
func (l *line) set(i int, menu, attr, old, value string) {
	l.rows(i, menu, 0, func(rows []schema.Row) []schema.Row {
		for _, r := range rows {
			if r["template"] != "true" && r["dynamic"] != "true" && (old == "" || r[attr] == old) {
				r[attr] = value
			}
		}
		return rows
	})
}

// drop removes rows for which a part of the attribute fits.
func (l *line) drop(i int, menu, attr, part string) {
	l.rows(i, menu, 0, func(rows []schema.Row) []schema.Row {
		return slices.DeleteFunc(rows, func(r schema.Row) bool { return strings.Contains(r[attr], part) })
	})
}

// still keeps the counters of one direction at end i as they first were, from a
// look on.
func (l *line) still(i, from int, spi string) {
	var first string
	for k := range l.samples[i] {
		for _, r := range l.samples[i][k].Menus[saMenu] {
			if !strings.HasPrefix(r["spi"], spi) {
				continue
			}
			if k == from {
				first = r["current-packets"]
			}
			if k > from {
				r["current-packets"] = first
			}
		}
	}
}

// last cuts the older samples away.
func (l *line) last(i, n int) { l.samples[i] = l.samples[i][len(l.samples[i])-n:] }

func prefixesOf(l *line, i int) []netip.Prefix { return l.want.Tunnel.Ends[i].Prefixes }
