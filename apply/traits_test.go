package apply_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
)

// traits tells what a router of a world is like, by its rows and not by what was
// drawn.
func (w *world) traits(d wild, i int) map[string]bool {
	w.Helper()
	r, e, x := w.in.Router(names[i]), d.Ends[i], w.tunnel.Expect(w.estate).Ends[i]
	seen := map[string]bool{"RouterOS " + e.Version: strings.HasPrefix(r.Rows("/system/resource")[0]["version"], e.Version)}
	for _, path := range schema.Paths() {
		menu, _ := schema.Lookup(path)
		rows := r.Rows(path)
		for n, row := range rows {
			where := path
			if menu.Ordered && row["dynamic"] == "true" && slices.ContainsFunc(rows[n:], func(r schema.Row) bool { return r["dynamic"] != "true" }) {
				seen["dynamic in front of static, "+where] = true
			}
			if !utf8.ValidString(row["comment"]) && (row["name"] == e.Peer || row["peer"] == e.Peer) {
				seen["a comment of ours that is no UTF-8"] = true
			}
			if row["invalid"] == "true" {
				seen["invalid, "+where] = true
			}
			for name, value := range row {
				if strings.HasPrefix(value, "*") && name != schema.ID {
					seen["refers to what is gone, "+where+" "+name] = true
				}
			}
		}
	}
	w.tunnelTraits(seen, e.Peer, x.Router)
	nat := r.Rows("/ip/firewall/nat")
	var own []int
	for n, row := range nat {
		if _, opened := row["src-address-type"]; opened && row["src-address-type"] == "" {
			seen["opened and left empty, /ip/firewall/nat"] = true
		}
		for _, p := range x.Policies {
			if row["src-address"] == p.Source.String() && row["dst-address"] == p.Destination.String() {
				own = append(own, n)
				if row["disabled"] == "true" {
					seen["a bypass that is off"] = true
				}
			}
		}
	}
	if len(own) > 1 && own[len(own)-1]-own[0] >= len(own) {
		seen["rules of others between ours"] = true
	}
	if n := slices.IndexFunc(nat, func(r schema.Row) bool { return r["action"] == "masquerade" && r["ipsec-policy"] == "" }); n >= 0 && len(own) > 0 && own[0] > n {
		seen["a bypass below what translates"] = true
	}
	site, _ := w.estate.Site(x.Site)
	seen["several WANs"] = seen["several WANs"] || len(site.WANs) > 1
	seen["a box translates"] = !x.Local.IsValid()
	return seen
}

// tunnelTraits are those of the rows of IPsec.
func (w *world) tunnelTraits(seen map[string]bool, peer, router string) {
	rows := func(path string) []schema.Row { return w.in.Router(router).Rows(path) }
	mine := func(row schema.Row) bool { return row["name"] == peer || row["peer"] == peer }
	profiles, proposals := map[string]int{}, map[string]int{}
	for _, row := range rows("/ip/ipsec/peer") {
		switch {
		case row["dynamic"] == "true":
		case mine(row):
			profiles[row["profile"]] += 100
		default:
			profiles[row["profile"]]++
		}
		if port, opened := row["port"]; opened && port == "" {
			seen["opened and left empty, /ip/ipsec/peer"] = true
		}
		if row["disabled"] == "true" && slices.ContainsFunc(rows("/ip/ipsec/peer"), func(o schema.Row) bool { return mine(o) && !mine(row) && o["address"] == row["address"] }) {
			seen["a copy of the peer that is off"] = true
		}
	}
	stood := ""
	for _, row := range rows("/ip/ipsec/policy") {
		switch {
		case row["dynamic"] == "true":
		case mine(row):
			proposals[row["proposal"]] += 100
			if stood == "other" {
				seen["policies of others in front"] = true
			}
			stood = "ours"
		default:
			if stood == "ours" {
				seen["policies of others behind"] = true
			}
			if row["template"] != "true" {
				stood = "other"
			}
			proposals[row["proposal"]]++
		}
	}
	seen["the default profile shared"] = profiles["default"] > 100
	seen["the default proposal shared"] = proposals["default"] > 100
	for name, n := range profiles {
		seen["a profile of one's own shared"] = seen["a profile of one's own shared"] || name != "default" && n > 100 && n%100 > 0
	}
	seen["people have dialled in"] = len(rows("/ppp/active")) > 0
}

// Ensure the worlds that changes of tunnels are played in are as people and RouterOS
// leave routers: each trait occurs in as many as the plain run plays.
func TestWorlds_Traits(t *testing.T) {
	want := map[string]int{
		"dynamic in front of static, /ip/firewall/nat": 3, "dynamic in front of static, /ip/ipsec/policy": 2,
		"a comment of ours that is no UTF-8": 6, "invalid, /ip/firewall/nat": 2, "invalid, /ip/ipsec/policy": 2,
		"refers to what is gone, /ip/ipsec/policy peer": 2, "refers to what is gone, /ip/ipsec/policy proposal": 2,
		"refers to what is gone, /ip/ipsec/peer profile": 2, "refers to what is gone, /ip/firewall/nat out-interface": 2,
		"opened and left empty, /ip/firewall/nat": 2, "opened and left empty, /ip/ipsec/peer": 3,
		"a bypass that is off": 2, "rules of others between ours": 2, "a bypass below what translates": 2,
		"a copy of the peer that is off": 3, "policies of others in front": 3, "policies of others behind": 3,
		"the default profile shared": 2, "the default proposal shared": 2, "a profile of one's own shared": 1,
		"several WANs": 3, "a box translates": 1, "people have dialled in": 2,
	}
	for _, version := range rossim.Profiles() {
		want["RouterOS "+version] = 3
	}
	count := map[string]int{}
	property(t, 16, func(t *rapid.T) {
		d := drawWild(t, false)
		w := wildWorld(t, d)
		defer w.close()
		for i := range names {
			for trait, so := range w.traits(d, i) {
				if so {
					count[trait]++
				}
			}
		}
	})
	for _, trait := range slices.Sorted(maps.Keys(want)) {
		t.Logf("%3d %s", count[trait], trait)
		if count[trait] < want[trait] {
			t.Errorf("%d routers with %q, want %d at least", count[trait], trait, want[trait])
		}
	}
	for _, trait := range slices.Sorted(maps.Keys(count)) {
		if _, named := want[trait]; !named {
			t.Logf("%3d besides: %s", count[trait], trait)
		}
	}
}
