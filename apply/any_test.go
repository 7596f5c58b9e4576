package apply_test

import (
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"vpnbot/change"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// spokeWorld is a hub whose one peer takes any address, for fengshan and others who
// are told apart by their IDs, and fengshan, whose address nobody knows beforehand.
func spokeWorld(t *testing.T) *world {
	t.Helper()
	w := &world{tester: t, estate: sites()}
	w.estate.Sites[0].LAN = w.estate.Sites[0].LAN[:1]
	w.estate.Sites[1].WANs[0] = vpn.WAN{Interface: "ether1", Dynamic: true, NAT: vpn.NoNAT, Role: vpn.Initiate}
	w.tunnel = vpn.Tunnel{Name: "hq-fengshan", Exchange: "ike2", Ends: [2]vpn.End{
		{Site: "hq", Probes: addresses("192.168.77.1")}, {Site: "fengshan", Probes: addresses("192.168.88.1")},
	}}.WithDefaults(w.estate)
	w.build(rossim.Switches{}, func(x vpn.ExpectedEnd) (string, map[string][]schema.Row) {
		if x.Router == "gw-hq" {
			return "", hub()
		}
		return "", spoke()
	})
	return w
}

func hub() map[string][]schema.Row {
	template := func(group, lan string) schema.Row {
		return schema.Row{"template": "yes", "group": group, "src-address": "192.168.77.0/24", "dst-address": lan, "proposal": "p2"}
	}
	identity := func(site, key string) schema.Row {
		return schema.Row{
			"peer": "spokes", "my-id": "fqdn:hq", "remote-id": "fqdn:" + site, "secret": key, "generate-policy": "port-strict",
			"policy-template-group": site, "comment": "\xbb\xf1 " + site,
		}
	}
	return map[string][]schema.Row{
		"/ip/address":            {{"address": "203.0.113.10/24", "interface": "ether1"}, {"address": "192.168.77.1/24", "interface": "ether2"}},
		"/ip/ipsec/profile":      {{"name": "p1", "hash-algorithm": "sha256", "enc-algorithm": "aes-256", "dh-group": "modp2048"}},
		"/ip/ipsec/proposal":     {{"name": "p2", "auth-algorithms": "sha256", "enc-algorithms": "aes-256-cbc", "pfs-group": "modp2048"}},
		"/ip/ipsec/policy/group": {{"name": "fengshan"}, {"name": "taichung"}},
		"/ip/ipsec/peer":         {{"name": "spokes", "address": "0.0.0.0/0", "profile": "p1", "exchange-mode": "ike2", "passive": "yes"}},
		"/ip/ipsec/identity":     {identity("taichung", "another-key"), identity("fengshan", "old-key")},
		"/ip/ipsec/policy":       {template("taichung", "192.168.99.0/24"), template("fengshan", "192.168.88.0/24")},
		"/ip/firewall/nat":       {outside()},
	}
}

func spoke() map[string][]schema.Row {
	return map[string][]schema.Row{
		"/ip/address":        {{"address": "198.51.100.20/24", "interface": "ether1"}, {"address": "192.168.88.1/24", "interface": "ether2"}},
		"/ip/ipsec/profile":  {{"name": "p1", "hash-algorithm": "sha256", "enc-algorithm": "aes-256", "dh-group": "modp2048"}},
		"/ip/ipsec/proposal": {{"name": "p2", "auth-algorithms": "sha256", "enc-algorithms": "aes-256-cbc", "pfs-group": "modp2048"}},
		"/ip/ipsec/peer":     {{"name": "to-hq", "address": "203.0.113.10/32", "profile": "p1", "exchange-mode": "ike2"}},
		"/ip/ipsec/identity": {{"peer": "to-hq", "my-id": "fqdn:fengshan", "remote-id": "fqdn:hq", "secret": "old-key"}},
		"/ip/ipsec/policy":   {{"peer": "to-hq", "tunnel": "yes", "src-address": "192.168.88.0/24", "dst-address": "192.168.77.0/24", "proposal": "p2"}},
		"/ip/firewall/nat":   {outside()},
	}
}

// Ensure a tunnel behind a peer that takes any address negotiates afresh, with no
// row changed, and that a definition of rows that are not there is refused.
func TestEngine_AnyAddress_Rekey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := spokeWorld(t)
		defer w.close()
		if !w.up() || !w.carries() {
			t.Fatalf("up %v, carries %v to begin with", w.up(), w.carries())
		}
		before := w.both()
		cookies := w.in.Router("gw-hq").Rows("/ip/ipsec/active-peers")[0]["spii"]
		plan, refused := w.wildPlan("rekey", vpn.PlanRekey)
		if plan == nil {
			t.Fatal(refused)
		}
		r := w.carry(*plan)
		if r.State != change.Committed || !w.up() || !w.carries() {
			t.Errorf("%s (%v), up %v, carries %v", r.State, r.Outcome, w.up(), w.carries())
		}
		if got := w.in.Router("gw-hq").Rows("/ip/ipsec/active-peers"); len(got) != 1 || got[0]["spii"] == cookies {
			t.Errorf("phase 1 is %v, was %s", got, cookies)
		}
		if diff := cmp.Diff(before, w.both()); diff != "" {
			t.Errorf("rows (-before +after):\n%s", diff)
		}
	})
	for name, tt := range map[string]struct {
		menu, by, value string
		set             schema.Row
		want            string
	}{
		"no template":  {"/ip/ipsec/policy", "group", "fengshan", schema.Row{"disabled": "yes"}, "plan.refuse.tunnel_missing"},
		"identity":     {"/ip/ipsec/identity", "policy-template-group", "fengshan", schema.Row{"remote-id": "fqdn:elsewhere"}, "plan.refuse.tunnel_missing"},
		"off":          {"/ip/ipsec/identity", "policy-template-group", "fengshan", schema.Row{"disabled": "yes"}, "plan.refuse.tunnel_off"},
		"group":        {"/ip/ipsec/identity", "policy-template-group", "fengshan", schema.Row{"policy-template-group": "taichung"}, "plan.refuse.tunnel_missing"},
		"made by hand": {"/ip/ipsec/identity", "policy-template-group", "fengshan", schema.Row{"generate-policy": "no"}, "plan.refuse.tunnel_missing"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := spokeWorld(t)
			defer w.close()
			hq := w.in.Router("gw-hq")
			for _, row := range hq.Rows(tt.menu) {
				if row[tt.by] == tt.value {
					if err := hq.Set(tt.menu, row[schema.ID], tt.set); err != nil {
						t.Fatal(err)
					}
				}
			}
			if _, refused := w.wildPlan("rekey", vpn.PlanRekey); refused != tt.want {
				t.Errorf("%s: got %q, want %s", name, refused, tt.want)
			}
		})
	}
}

func addresses(list ...string) (out []netip.Addr) {
	for _, a := range list {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}
