package vpn_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// put adds a row as it stands.
func (w *dialInWorld) put(menu string, row schema.Row) {
	w.Helper()
	if _, err := w.router.Add(menu, row); err != nil {
		w.Fatalf("adding %v to %s: %v", row, menu, err)
	}
}

// lanOn puts the router's LAN on an interface of another kind.
func (w *dialInWorld) lanOn(menu string, row schema.Row) {
	w.Helper()
	w.put(menu, row)
	for _, at := range []string{"/ip/address", "/interface/list/member"} {
		for _, r := range w.router.Rows(at) {
			if r["interface"] == "ether2" {
				w.set(at, r, schema.Row{"interface": row["name"]})
			}
		}
	}
}

// lans are the kinds of interfaces on which a LAN stands, with the rows that they need.
func lans() map[string]schema.Row {
	return map[string]schema.Row{
		"/interface/bonding":  {"name": "lan", "slaves": "ether3,ether4"},
		"/interface/bridge":   {"name": "lan"},
		"/interface/eoip":     {"name": "lan", "remote-address": "198.51.100.9", "disabled": "no"},
		"/interface/macvlan":  {"name": "lan", "interface": "ether3"},
		"/interface/mesh":     {"name": "lan"},
		"/interface/vlan":     {"name": "lan", "interface": "ether3", "vlan-id": "20"},
		"/interface/vrrp":     {"name": "lan", "interface": "ether3"},
		"/interface/vxlan":    {"name": "lan", "vni": "7"},
		"/interface/wifi":     {"name": "lan"},
		"/interface/wireless": {"name": "lan"},
	}
}

// Ensure proxy-arp is planned on whatever kind of interface the LAN stands, once, and
// never where the administrator lets the interface answer for nobody.
func TestPlanDialIn_ARPKinds(t *testing.T) {
	for menu, row := range lans() {
		for arp, want := range map[string]string{
			"enabled": "proxy-arp", "disabled": "proxy-arp", "local-proxy-arp": "", "proxy-arp": "", "reply-only": "plan.refuse.dialin_reply_only",
		} {
			t.Run(menu+" "+arp, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newDialInWorld(t)
					w.insideLAN(vpn.ByProxyARP)
					if menu == "/interface/eoip" { // a tunnel that may bring IPsec of its own
						w.setDefault("/ip/ipsec/proposal", schema.Row{"pfs-group": "none"})
					}
					on := row.Clone()
					on["arp"] = arp
					w.lanOn(menu, on)
					p, err := vpn.PlanDialIn(w.input())
					if want != "" && want != "proxy-arp" {
						if !refused(err, want) {
							t.Errorf("got %v, want %s", err, want)
						}
						return
					}
					if err != nil {
						t.Fatal(err)
					}
					got := ""
					for _, s := range p.Steps {
						if s.After["arp"] != "" {
							got = s.After["arp"]
							if s.Menu != menu || s.Match["name"] != "lan" || s.Before["arp"] != arp {
								t.Errorf("sets %+v", s)
							}
						}
					}
					if got != want {
						t.Errorf("arp becomes %q, want %q", got, want)
					}
					w.carryOut(p)
					if again, err := vpn.PlanDialIn(w.input()); err != nil || len(again.Steps) > 0 {
						t.Errorf("then %v\n%s", err, stepWords(again))
					}
				})
			})
		}
	}
}

// Ensure nothing is set on the port of a bridge or bond, and that interfaces without
// arp are refused.
func TestPlanDialIn_ARPRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(w *dialInWorld)
		want  string
	}{
		"port of a bond": {func(w *dialInWorld) {
			w.put("/interface/bonding", schema.Row{"name": "bond", "slaves": "ether2,ether3"})
		}, "plan.refuse.dialin_slave"},
		"port of a bridge": {func(w *dialInWorld) {
			w.put("/interface/bridge", schema.Row{"name": "bridge"})
			w.put("/interface/bridge/port", schema.Row{"bridge": "bridge", "interface": "ether2"})
		}, "plan.refuse.dialin_slave"},
		"tunnel without arp": {func(w *dialInWorld) {
			w.setDefault("/ip/ipsec/proposal", schema.Row{"pfs-group": "none"})
			w.lanOn("/interface/gre", schema.Row{"name": "gre", "remote-address": "198.51.100.9", "disabled": "no"})
		}, "plan.refuse.dialin_arp_kind"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newDialInWorld(t)
				w.insideLAN(vpn.ByProxyARP)
				tt.spoil(w)
				if p, err := vpn.PlanDialIn(w.input()); !refused(err, tt.want) {
					t.Errorf("got %v with\n%s\nwant %s", err, stepWords(p), tt.want)
				}
			})
		})
	}
}

// Ensure a router that lacks kinds of interfaces is planned for all the same, and that
// one of which a kind was not read is not.
func TestSetupMenus_Absent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newDialInWorld(t)
		in := w.input()
		for menu := range lans() {
			if slices.Contains([]string{"/interface/macvlan", "/interface/mesh", "/interface/vxlan", "/interface/wifi", "/interface/wireless"}, menu) {
				delete(in.Snapshot.Menus, menu)
			}
		}
		if _, err := vpn.PlanDialIn(in); err != nil {
			t.Errorf("without what not every router has: %v", err)
		}
		delete(in.Snapshot.Menus, "/interface/bonding")
		if _, err := vpn.PlanDialIn(in); err == nil {
			t.Error("planned although bonds were not read")
		}
	})
}
