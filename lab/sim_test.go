package lab_test

import (
	"net/netip"
	"testing"
	"time"

	"vpnbot/lab"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
)

// simulated is two simulated routers whose negotiations real daemons judge; hq
// calls, with key as its own.
func simulated(t *testing.T, l *lab.Lab, key string) (in *rossim.Internet, hq *rossim.Router) {
	t.Helper()
	in, err := rossim.NewInternet(rossim.InternetOptions{Negotiator: l})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	})
	site := func(name, wan, lan, other, otherLAN, key, passive string) *rossim.Router {
		r, err := rossim.New(rossim.Options{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		err = r.Load(map[string][]schema.Row{
			"/ip/address":        {{"address": wan + "/24", "interface": "ether1"}, {"address": lan + ".1/24", "interface": "ether2"}},
			"/ip/ipsec/profile":  {{"name": "site", "hash-algorithm": "sha256", "enc-algorithm": "aes-256", "dh-group": "ecp384"}},
			"/ip/ipsec/proposal": {{"name": "site", "auth-algorithms": "sha256", "enc-algorithms": "aes-256-cbc", "pfs-group": "ecp384"}},
			"/ip/ipsec/peer":     {{"name": "site", "address": other + "/32", "profile": "site", "exchange-mode": "main", "passive": passive}},
			"/ip/ipsec/identity": {{"peer": "site", "secret": key}},
			"/ip/ipsec/policy":   {{"peer": "site", "tunnel": "yes", "src-address": lan + ".0/24", "dst-address": otherLAN + ".0/24", "proposal": "site"}},
		})
		if err == nil {
			err = in.Attach(r, rossim.Place{})
		}
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	site("fengshan", "198.51.100.7", "192.168.10", "203.0.113.5", "192.168.77", "a key", "yes")
	hq = site("hq", "203.0.113.5", "192.168.77", "198.51.100.7", "192.168.10", key, "no")
	return in, hq
}

// comes waits until the router's policy is in a state.
func comes(t *testing.T, r *rossim.Router, state string) {
	t.Helper()
	for began := time.Now(); time.Since(began) < 30*time.Second; time.Sleep(20 * time.Millisecond) {
		for _, row := range r.Rows("/ip/ipsec/policy") {
			if row["tunnel"] == "true" && row["ph2-state"] == state {
				return
			}
		}
	}
	t.Fatalf("no policy comes to %s: %v; log %v", state, r.Rows("/ip/ipsec/policy"), r.Rows("/log"))
}

// Ensure that simulated routers come up by the judgement of real daemons, and that
// simulator and daemons carry the same packets for the same rules of address
// translation.
func TestSimulator_NAT(t *testing.T) {
	l := start(t)
	in, hq := simulated(t, l, "a key")
	comes(t, hq, "established")
	masquerade := schema.Row{"chain": "srcnat", "action": "masquerade", "out-interface": "ether1"}
	accept := schema.Row{"chain": "srcnat", "action": "accept", "src-address": "192.168.77.0/24", "dst-address": "192.168.10.0/24"}
	outside := schema.Row{"chain": "srcnat", "action": "masquerade", "out-interface": "ether1", "ipsec-policy": "out,none"}
	here, there := netip.MustParsePrefix("192.168.77.0/24"), netip.MustParsePrefix("192.168.10.0/24")
	for _, test := range []struct {
		name  string
		rules []schema.Row
		want  bool
	}{
		{"no rules", nil, true},
		{"masquerade alone", []schema.Row{masquerade}, false},
		{"accept above masquerade", []schema.Row{accept, masquerade}, true},
		{"accept below masquerade", []schema.Row{masquerade, accept}, false},
		{"masquerade of what no policy takes", []schema.Row{outside}, true},
	} {
		for _, row := range hq.Rows("/ip/firewall/nat") {
			if err := hq.Remove("/ip/firewall/nat", row[".id"]); err != nil {
				t.Fatal(err)
			}
		}
		if err := hq.Load(map[string][]schema.Row{"/ip/firewall/nat": test.rules}); err != nil {
			t.Fatal(err)
		}
		if err := l.SetNAT(t.Context(), hq.Rows("/ip/firewall/nat")); err != nil {
			t.Fatal(err)
		}
		err := l.Ping(within(t, 5*time.Second, test.want), here, there)
		simulator := in.Ping("hq", netip.MustParseAddr("192.168.77.1"), netip.MustParseAddr("192.168.10.2"))
		if (err == nil) != test.want || simulator != test.want {
			t.Errorf("%s: with the daemons %v, in the simulator %v, want %v", test.name, err, simulator, test.want)
		}
	}
}

// Ensure that simulated routers stay down when real daemons refuse.
func TestSimulator_WrongKey(t *testing.T) {
	l := start(t)
	in, hq := simulated(t, l, "another key")
	comes(t, hq, "no-phase2")
	deadline := time.Now().Add(30 * time.Second)
	for !lab.Asked(l) {
		if time.Now().After(deadline) {
			t.Fatal("the daemons were never asked")
		}
		time.Sleep(20 * time.Millisecond)
	}
	if peers := hq.Rows("/ip/ipsec/active-peers"); len(peers) > 0 && peers[0]["state"] == "established" {
		t.Errorf("up with two keys: %v", peers)
	}
	if in.Ping("hq", netip.MustParseAddr("192.168.77.1"), netip.MustParseAddr("192.168.10.2")) {
		t.Error("packets cross a tunnel that is down")
	}
}
