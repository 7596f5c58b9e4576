package vpn_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"vpnbot/change"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// clear takes all rules of people out of a menu.
func (w *dialInWorld) clear(menu string) {
	w.Helper()
	for _, row := range w.router.Rows(menu) {
		if row["dynamic"] == "true" {
			continue
		}
		if err := w.router.Remove(menu, row[schema.ID]); err != nil {
			w.Fatal(err)
		}
	}
}

// Ensure routers as people build them get the rules that they lack and no others, that a
// Windows computer gets in then, and that a second plan finds nothing to do.
func TestPlanDialIn_Odd(t *testing.T) {
	type rows = map[string][]schema.Row
	for name, tt := range map[string]struct {
		rows  rows
		site  func(*vpn.Site)
		want  string // steps in the firewall, "menu what"
		warns []string
	}{
		"raw as in the advanced example": {rows: rows{"/ip/firewall/raw": {
			{"chain": "prerouting", "action": "accept", "disabled": "yes"},
			{"chain": "prerouting", "action": "drop", "src-address-list": "bad_ipv4"},
			{"chain": "prerouting", "action": "drop", "dst-address-list": "bad_ipv4"},
			{"chain": "prerouting", "action": "drop", "in-interface-list": "LAN", "src-address": "!192.168.77.0/24"},
			{"chain": "prerouting", "action": "accept", "in-interface-list": "LAN"},
			{"chain": "prerouting", "action": "accept", "in-interface-list": "WAN"},
			{"chain": "prerouting", "action": "drop"},
		}}, want: "raw ike, raw esp, raw l2tp, raw raw, filter ike, filter esp, filter l2tp", warns: []string{"dialin_blacklist"}},
		"raw that drops clients alone": {rows: rows{"/ip/firewall/raw": {
			{"chain": "prerouting", "action": "drop", "in-interface-list": "LAN", "src-address": "!192.168.77.0/24"},
		}}, want: "raw raw, filter ike, filter esp, filter l2tp"},
		"raw that drops amplifiers": {rows: rows{"/ip/firewall/raw": {
			{"chain": "prerouting", "action": "drop", "protocol": "udp", "dst-port": "53", "in-interface-list": "WAN"},
			{"chain": "prerouting", "action": "notrack", "protocol": "ipsec-esp"},
		}}, want: "filter ike, filter esp, filter l2tp"},
		"a list that includes another": {rows: rows{"/interface/list": {{"name": "outside", "include": "WAN"}}, "/ip/firewall/filter": {
			{"chain": "input", "action": "drop", "in-interface-list": "outside"},
		}}, want: "filter ike, filter esp, filter l2tp"},
		"a list that excludes another": {rows: rows{"/interface/list": {{"name": "inside", "include": "all", "exclude": "WAN"}}, "/ip/firewall/filter": {
			{"chain": "input", "action": "drop", "in-interface-list": "!inside"},
		}}, want: "filter ike, filter esp, filter l2tp"},
		"all PPP dropped": {rows: rows{"/ip/firewall/filter": {
			{"chain": "forward", "action": "drop", "in-interface": "all-ppp"},
		}}, want: "filter lan"},
		"a WAN on PPPoE": {
			rows: rows{"/interface/pppoe-client": {{"name": "pppoe-out1", "interface": "ether1", "user": "isp", "disabled": "no"}}, "/ip/firewall/filter": {
				{"chain": "input", "action": "drop", "in-interface": "all-ppp"},
			}},
			site: func(s *vpn.Site) {
				s.WANs = []vpn.WAN{{Interface: "pppoe-out1", DNS: "vpn.example.com", Dynamic: true, NAT: vpn.NoNAT, Role: vpn.Both}}
			},
			want: "filter ike, filter esp, filter l2tp, filter dns, filter dns",
		},
		"the line below PPPoE dropped": {
			rows: rows{"/interface/pppoe-client": {{"name": "pppoe-out1", "interface": "ether1", "user": "isp", "disabled": "no"}}, "/ip/firewall/filter": {
				{"chain": "input", "action": "drop", "in-interface": "ether1"},
			}},
			site: func(s *vpn.Site) {
				s.WANs = []vpn.WAN{{Interface: "pppoe-out1", DNS: "vpn.example.com", Dynamic: true, NAT: vpn.NoNAT, Role: vpn.Both}}
			},
			warns: []string{"dialin_clear"},
		},
		"a site that names no WAN": {rows: rows{"/ip/firewall/filter": {
			{"chain": "input", "action": "drop", "in-interface": "ether1"},
		}}, site: func(s *vpn.Site) { s.WANs = nil }, want: "filter ike, filter esp, filter l2tp"},
		"nothing of states": {rows: rows{"/ip/firewall/filter": {
			{"chain": "forward", "action": "accept", "in-interface": "ether2", "out-interface": "ether1"},
			{"chain": "forward", "action": "drop"},
		}}, want: "filter lan, filter back"},
		"people kept out by a list": {rows: rows{"/ip/firewall/filter": {
			{"chain": "input", "action": "drop", "src-address-list": "attackers"},
			{"chain": "input", "action": "accept", "connection-state": "established,related"},
			{"chain": "input", "action": "drop", "in-interface": "ether1"},
		}}, want: "filter ike, filter esp, filter l2tp, filter dns, filter dns", warns: []string{"dialin_blacklist"}},
		"people let in by a list": {rows: rows{"/ip/firewall/filter": {
			{"chain": "input", "action": "accept", "src-address-list": "admins"},
			{"chain": "input", "action": "drop"},
		}}, want: "filter ike, filter esp, filter l2tp, filter dns, filter dns"},
		"let in at its own address": {rows: rows{"/ip/firewall/filter": {
			{"chain": "input", "action": "accept", "protocol": "udp", "dst-port": "500,4500", "dst-address": "203.0.113.10"},
			{"chain": "input", "action": "accept", "protocol": "ipsec-esp"},
			{"chain": "input", "action": "accept", "protocol": "udp", "dst-port": "1701", "ipsec-policy": "in,ipsec"},
			{"chain": "input", "action": "drop", "in-interface-list": "WAN"},
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newDialInWorld(t)
				if tt.site != nil {
					tt.site(&w.site)
				}
				for _, menu := range []string{"/interface/pppoe-client", "/interface/list", "/ip/firewall/filter", "/ip/firewall/raw"} {
					if menu == "/ip/firewall/filter" && tt.rows[menu] != nil {
						w.clear(menu)
					}
					for _, row := range tt.rows[menu] {
						w.put(menu, row)
					}
				}
				p, err := vpn.PlanDialIn(w.input())
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, s := range p.Steps {
					if menu, isRule := strings.CutPrefix(s.Menu, "/ip/firewall/"); isRule && menu != "nat" {
						got = append(got, menu+" "+strings.TrimPrefix(s.Why.ID, "plan.dialin.step."))
					}
				}
				if have := strings.Join(got, ", "); have != tt.want {
					t.Errorf("rules %s\nwant  %s", have, tt.want)
				}
				warns := append(warned(p, "dialin_blacklist"), warned(p, "dialin_clear")...)
				if !slices.Equal(warns, tt.warns) && len(warns)+len(tt.warns) > 0 {
					t.Errorf("warns %v, want %v", warns, tt.warns)
				}
				w.carryOut(p)
				if again, err := vpn.PlanDialIn(w.input()); err != nil || len(again.Steps) > 0 {
					t.Errorf("then %v\n%s", err, stepWords(again))
				}
				w.put("/ppp/secret", schema.Row{"name": "chen", "password": "pass", "service": "l2tp", "profile": "vpn-users"})
				if _, err := w.router.Connect(rossim.DialIn{Account: "chen", Password: "pass", PSK: "the key of the server", CallerID: "198.51.100.71", System: "windows"}); err != nil {
					t.Errorf("a Windows computer does not get in: %v", err)
				}
			})
		})
	}
}

// Ensure pools that follow each other are seen: a DHCP server at either end is refused,
// further addresses are told of.
func TestPlanDialIn_Chained(t *testing.T) {
	pool := func(name, ranges, next string) schema.Row {
		row := schema.Row{"name": name, "ranges": ranges}
		if next != "" {
			row["next-pool"] = next
		}
		return row
	}
	dhcp := func(pool string) schema.Row {
		return schema.Row{"name": "lan", "interface": "ether2", "address-pool": pool}
	}
	for name, tt := range map[string]struct {
		pools []schema.Row
		dhcp  schema.Row
		want  string
	}{
		"more of its own":          {[]schema.Row{pool("more", "10.7.0.2-10.7.0.9", ""), pool("vpn-pool", "192.168.178.10-192.168.178.99", "more")}, nil, "plan.warn.dialin_next"},
		"in a circle":              {[]schema.Row{pool("more", "10.7.0.2-10.7.0.9", "more"), pool("vpn-pool", "192.168.178.10-192.168.178.99", "more")}, nil, "plan.warn.dialin_next"},
		"what DHCP gives away":     {[]schema.Row{pool("lan", "192.168.77.100-192.168.77.199", ""), pool("vpn-pool", "192.168.178.10-192.168.178.99", "lan")}, dhcp("lan"), "plan.refuse.dialin_next_dhcp"},
		"what DHCP gives away far": {[]schema.Row{pool("lan", "192.168.77.100-192.168.77.199", ""), pool("more", "10.7.0.2-10.7.0.9", "lan"), pool("vpn-pool", "192.168.178.10-192.168.178.99", "more")}, dhcp("lan"), "plan.refuse.dialin_next_dhcp"},
		"DHCP comes to it":         {[]schema.Row{pool("vpn-pool", "192.168.178.10-192.168.178.99", ""), pool("lan", "192.168.77.100-192.168.77.199", "vpn-pool")}, dhcp("lan"), "plan.refuse.dialin_pool_dhcp"},
		"DHCP has it":              {[]schema.Row{pool("vpn-pool", "192.168.178.10-192.168.178.99", "")}, dhcp("vpn-pool"), "plan.refuse.dialin_pool_dhcp"},
		"none":                     {[]schema.Row{pool("vpn-pool", "192.168.178.10-192.168.178.99", ""), pool("lan", "192.168.77.100-192.168.77.199", "")}, dhcp("lan"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newDialInWorld(t)
				for _, row := range tt.pools {
					next := row["next-pool"]
					if next == row["name"] {
						delete(row, "next-pool")
					}
					w.put("/ip/pool", row)
					if next == row["name"] {
						rows := w.router.Rows("/ip/pool")
						w.set("/ip/pool", rows[len(rows)-1], schema.Row{"next-pool": next})
					}
				}
				if tt.dhcp != nil {
					w.put("/ip/dhcp-server", tt.dhcp)
				}
				p, err := vpn.PlanDialIn(w.input())
				got := ""
				for _, id := range []string{"plan.refuse.dialin_next_dhcp", "plan.refuse.dialin_pool_dhcp"} {
					if refused(err, id) {
						got = id
					}
				}
				if slices.ContainsFunc(p.Warnings, func(x change.Text) bool { return x.ID == "plan.warn.dialin_next" }) {
					got = "plan.warn.dialin_next"
				}
				if got != tt.want {
					t.Errorf("got %q (%v), want %q", got, err, tt.want)
				}
			})
		})
	}
}

// Ensure clients are hidden in each network of the LAN to which the router is attached,
// and that what asks for more encryption than we do stays.
func TestPlanDialIn_Networks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newDialInWorld(t)
		w.site.LAN = append(w.site.LAN, netip.MustParsePrefix("192.168.79.0/24"))
		w.put("/interface/bridge", schema.Row{"name": "labs"})
		w.put("/interface/bridge", schema.Row{"name": "guests"})
		w.put("/interface/vrrp", schema.Row{"name": "vrrp1", "interface": "labs"})
		w.put("/ip/address", schema.Row{"address": "192.168.79.2/24", "interface": "labs"})
		w.put("/ip/address", schema.Row{"address": "192.168.79.1/32", "interface": "vrrp1"})
		w.put("/ip/address", schema.Row{"address": "10.99.0.1/24", "interface": "guests"})
		w.put("/ppp/profile", schema.Row{"name": "vpn-users", "use-encryption": "required", "on-up": ":log info up", "interface-list": "WAN"})
		set := *w.dialin.Setup
		set.Return, w.dialin.Setup = vpn.ByMasquerade, &set
		got := w.planned("/ip/firewall/nat")
		slices.Sort(got)
		want := []string{
			"srcnat masquerade 192.168.178.10-192.168.178.99 192.168.77.0/24 ether2",
			"srcnat masquerade 192.168.178.10-192.168.178.99 192.168.79.0/24 labs",
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		for _, row := range w.router.Rows("/ppp/profile") {
			if row["name"] == "vpn-users" && (row["use-encryption"] != "required" || row["on-up"] != ":log info up" || row["interface-list"] != "WAN") {
				t.Errorf("the profile became %v", row)
			}
		}
	})
}

// Ensure people are told where clients would ask a router for names that answers nobody.
func TestPlanDialIn_Names(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newDialInWorld(t)
		for answers, want := range map[string]int{"no": 1, "yes": 0} {
			if err := w.router.Set("/ip/dns", "", schema.Row{"allow-remote-requests": answers}); err != nil {
				t.Fatal(err)
			}
			p, err := vpn.PlanDialIn(w.input())
			if got := warned(p, "dialin_dns"); err != nil || len(got) != want {
				t.Errorf("allow-remote-requests=%s: warns %v, %v", answers, got, err)
			}
		}
	})
}

// Ensure a peer for everybody that stands beside a server already is told of, and one
// bound to an address to which no client comes is let be.
func TestPlanDialIn_AnyPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newDialInWorld(t)
		w.put("/ip/ipsec/peer", schema.Row{"name": "labs", "passive": "yes", "exchange-mode": "main", "local-address": "192.168.77.1", "profile": "default"})
		p, err := vpn.PlanDialIn(w.input())
		if err != nil {
			t.Fatal(err)
		}
		w.carryOut(p)
		w.put("/ip/ipsec/peer", schema.Row{"name": "road", "passive": "yes", "exchange-mode": "main"})
		p, err = vpn.PlanDialIn(w.input())
		if got := warned(p, "dialin_any_peer"); err != nil || len(got) != 1 {
			t.Errorf("warns %v, %v", got, err)
		}
	})
}
