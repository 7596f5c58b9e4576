package rossim_test

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
	"vpnbot/vpn/ike"
)

// star is one router with tunnels to many, traffic in each.
func star(t testing.TB, n int) (*rossim.Internet, []*rossim.Router) {
	t.Helper()
	in, err := rossim.NewInternet(rossim.InternetOptions{Negotiator: ike.Model{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	})
	var routers []*rossim.Router
	wan := func(i int) string { return fmt.Sprintf("203.0.113.%d", i+1) }
	lan := func(i int) string { return fmt.Sprintf("10.%d.0", i) }
	for i := range n {
		r, err := rossim.New(rossim.Options{Name: fmt.Sprintf("r%d", i)})
		if err != nil {
			t.Fatal(err)
		}
		routers = append(routers, r)
		rows := map[string][]schema.Row{"/ip/address": {
			{"address": wan(i) + "/32", "interface": "ether1"}, {"address": lan(i) + ".1/24", "interface": "ether2"},
		}}
		tunnel := func(to int) {
			name := fmt.Sprintf("to%d", to)
			add := func(path string, row schema.Row) { rows[path] = append(rows[path], row) }
			add("/ip/ipsec/profile", schema.Row{"name": name, "hash-algorithm": "sha256"})
			add("/ip/ipsec/peer", schema.Row{"name": name, "address": wan(to) + "/32", "profile": name, "exchange-mode": "ike2"})
			add("/ip/ipsec/identity", schema.Row{"peer": name, "secret": "key"})
			add("/ip/ipsec/policy", schema.Row{"peer": name, "tunnel": "yes", "src-address": lan(i) + ".0/24", "dst-address": lan(to) + ".0/24"})
		}
		if i > 0 {
			tunnel(0)
		}
		for to := 1; i == 0 && to < n; to++ {
			tunnel(to)
		}
		if err := r.Load(rows); err != nil {
			t.Fatal(err)
		}
		if err := in.Attach(r, rossim.Place{}); err != nil {
			t.Fatal(err)
		}
	}
	for i := 1; i < n; i++ {
		if _, err := in.StartFlow(rossim.Flow{
			From: netip.MustParseAddr(lan(i) + ".20"), To: netip.MustParseAddr(lan(0) + ".20"), There: 3, Back: 2,
		}); err != nil {
			t.Fatal(err)
		}
	}
	return in, routers
}

// Ensure a day of fifty routers with lines that flap, reboots and a poll every
// five minutes passes quickly, and that the tunnels are up whenever lines have been
// whole for a while.
func TestDay_FiftyRouters(t *testing.T) {
	if testing.Short() {
		t.Skip("a day of fifty routers")
	}
	synctest.Test(t, func(t *testing.T) {
		in, routers := star(t, 50)
		for minute := 0; minute < 24*60; minute += 5 {
			switch minute % 60 {
			case 10:
				if err := in.Unplug(fmt.Sprintf("r%d", 1+minute/60)); err != nil {
					t.Fatal(err)
				}
			case 15:
				if err := in.Plug(fmt.Sprintf("r%d", 1+minute/60)); err != nil {
					t.Fatal(err)
				}
			case 30:
				routers[25+minute/60].Reboot()
			}
			wait(5 * time.Minute)
			up := 0
			for i, r := range routers {
				for _, path := range []string{"/ip/ipsec/active-peers", "/ip/ipsec/installed-sa"} {
					r.Rows(path)
				}
				for _, row := range r.Rows("/ip/ipsec/policy") {
					if i > 0 && row["ph2-state"] == "established" {
						up++
					}
				}
			}
			want := 49
			if m := minute % 60; m >= 10 && m < 15 {
				want = 48
			}
			if up != want {
				t.Fatalf("minute %d: %d tunnels up, want %d", minute, up, want)
			}
		}
	})
}
