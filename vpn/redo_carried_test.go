package vpn_test

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"strings"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

func canonicalOf(t failer, p change.Plan) []byte {
	b, err := p.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// normal leaves out what RouterOS may print or not: defaults.
func normal(in vpn.TunnelChange) map[string][]schema.Row {
	all := map[string][]schema.Row{}
	for _, s := range in.Snapshots {
		for path, rows := range s.Menus {
			menu, _ := schema.Lookup(path)
			list := []schema.Row{}
			for _, r := range rows {
				r = r.Clone()
				maps.DeleteFunc(r, func(name, v string) bool {
					a, _ := menu.Attr(name)
					return a.Default != "" && v == a.Default
				})
				list = append(list, r)
			}
			all[s.Router+path] = list
		}
	}
	return all
}

// strangers are the rows that are not the tunnel's, in their order.
func strangers(in vpn.TunnelChange) map[string][]schema.Row {
	all := map[string][]schema.Row{}
	for i, s := range in.Snapshots {
		for path, rows := range s.Menus {
			for _, r := range rows {
				pair := strings.HasPrefix(r["src-address"], "192.168.") && strings.HasPrefix(r["dst-address"], "192.168.")
				ours := pair || strings.HasPrefix(r["comment"], in.Tunnel.Name+" [vpnbot ") || strings.HasPrefix(r["name"]+r["peer"], "hq-fengshan-") || r["name"] == handMadeEnds[i].to || r["peer"] == handMadeEnds[i].to
				if !ours || strings.HasPrefix(r["comment"], "other ") {
					all[s.Router+path] = append(all[s.Router+path], r)
				}
			}
		}
	}
	return all
}

// carried checks that both routers hold the tunnel after plan: a redo as the
// definition says, a rotation as before but for peer and identity.
func carried(t failer, in vpn.TunnelChange, plan change.Plan, redo bool) {
	name := plan.In(change.PhaseCutOver, "gw-hq")[0].Match
	generation := name["name"] + name["peer"]
	for i, end := range in.Tunnel.Ends {
		for menu, by := range map[string]string{peerMenu: "name", identityMenu: "peer"} {
			rows := find(in, i, menu, by, generation)
			if len(rows) != 1 || rows[0]["disabled"] != "false" {
				t.Fatal(fmt.Sprintf("%s on %s: %v", menu, end.Router, rows))
			}
		}
		if redo {
			algorithms(t, in, i, generation)
		}
		for _, source := range end.Prefixes {
			for _, destination := range in.Tunnel.Ends[1-i].Prefixes {
				rows := find(in, i, policyMenu, "src-address", source.String(), "dst-address", destination.String())
				if len(rows) != 1 || rows[0]["disabled"] != "false" || rows[0]["peer"] != generation || rows[0]["tunnel"] != "true" {
					t.Fatal(fmt.Sprintf("policy %s %s on %s: %v", source, destination, end.Router, rows))
				}
				if redo && !escapes(in.Snapshots[i].Menus[natMenu], source.Addr().Next(), destination.Addr().Next()) {
					t.Fatal(fmt.Sprintf("%s to %s is translated on %s", source, destination, end.Router))
				}
			}
		}
	}
}

func algorithms(t failer, in vpn.TunnelChange, i int, name string) {
	p, q := in.Tunnel.Profile, in.Tunnel.Proposal
	want := map[string]schema.Row{
		profileMenu: {
			"enc-algorithm": strings.Join(p.Encryption, ","), "hash-algorithm": p.Hash, "dh-group": strings.Join(p.DHGroups, ","), "lifetime": p.Lifetime,
			"dpd-interval": p.DPDInterval, "dpd-maximum-failures": fmt.Sprint(p.DPDFailures), "nat-traversal": "yes",
		},
		proposalMenu: {
			"enc-algorithms": strings.Join(q.Encryption, ","), "auth-algorithms": cmp.Or(strings.Join(q.Auth, ","), "null"), "pfs-group": q.PFSGroup,
			"lifetime": q.Lifetime, "disabled": "no",
		},
		peerMenu: {"exchange-mode": in.Tunnel.Exchange, "profile": name},
	}
	for path, row := range want {
		menu, _ := schema.Lookup(path)
		have := find(in, i, path, "name", name)[0]
		for attr, value := range row {
			if !menu.Same(attr, have[attr], value) {
				t.Errorf("%s %s is %q, want %q", path, attr, have[attr], value)
			}
		}
	}
}

// escapes sends one packet through the rules: it must be accepted before a rule
// that could translate it.
func escapes(rows []schema.Row, from, to netip.Addr) bool {
	for _, r := range rows {
		if r["chain"] != "srcnat" || r["disabled"] == "true" || r["dynamic"] == "true" {
			continue
		}
		hits := func(attr string, ip netip.Addr) bool { return r[attr] == "" || prefix(r[attr]).Contains(ip) }
		if !hits("src-address", from) || !hits("dst-address", to) {
			continue
		}
		limited := false
		for _, attr := range []string{"limit", "time", "src-port", "protocol", "out-interface"} {
			_, set := r[attr]
			limited = limited || set
		}
		switch {
		case r["action"] == "accept" && !limited:
			return true
		case r["action"] == "masquerade" || r["action"] == "src-nat":
			return false
		}
	}
	return false
}
