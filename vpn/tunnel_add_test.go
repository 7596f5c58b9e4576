package vpn_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

const (
	filterMenu = "/ip/firewall/filter"
	memberMenu = "/interface/list/member"
)

// addWorld is hq and fengshan without a tunnel between them, with the rows of others,
// and the request for one.
func addWorld(t failer, typed string) vpn.TunnelChange {
	t.Helper()
	in := redoWorld()
	in.Intent = change.Intent{Verb: "tunnel add", Site: "hq", Far: "fengshan", Tunnel: "hq-fengshan", Settings: settings(t, typed)}
	in.Definition.Version = 0
	for i, end := range handMadeEnds {
		ours := func(r schema.Row) bool {
			return r["name"] == end.to || r["peer"] == end.to || strings.HasPrefix(r["comment"], "不做 NAT")
		}
		for _, menu := range []string{profileMenu, proposalMenu, peerMenu, identityMenu, policyMenu, natMenu} {
			drop(in, i, menu, ours)
		}
		in.Snapshots[i].Menus[filterMenu], in.Snapshots[i].Menus[memberMenu] = []schema.Row{}, []schema.Row{}
	}
	var err error
	if in.Tunnel, err = vpn.NewTunnel(in.Estate, in.Intent); err != nil {
		t.Fatal(explain(err))
	}
	return in
}

const addLANs = "hq.prefixes=192.168.77.0/24 fengshan.prefixes=192.168.88.0/24"

// guarded gives both routers rules as the default configuration has them.
func guarded(in vpn.TunnelChange, forward ...schema.Row) {
	for i := range in.Snapshots {
		in.Snapshots[i].Menus[filterMenu] = nil
		insert(in, i, filterMenu, 0, append([]schema.Row{
			{"chain": "input", "action": "accept", "connection-state": "established,related"},
			{"chain": "input", "action": "accept", "protocol": "icmp"},
			{"chain": "input", "action": "drop", "in-interface-list": "!LAN", "comment": "other defconf"},
		}, forward...)...)
		insert(in, i, memberMenu, 0, schema.Row{"list": "LAN", "interface": "bridge"})
	}
}

// Ensure a new tunnel has rows of its own at both ends, good values, bypasses on top
// and, where rules would drop its packets, rules that let exactly them in.
func TestPlanAddTunnel(t *testing.T) {
	in := addWorld(t, addLANs)
	guarded(in)
	plan := planned(t, vpn.PlanAddTunnel, in)
	want := map[string][]string{
		change.PhaseStage: {
			"profile add twin hq-fengshan-1", "proposal add twin hq-fengshan-1", "peer add twin hq-fengshan-1", "identity add twin hq-fengshan-1",
			"policy add twin hq-fengshan-1 192.168.77.0/24 192.168.88.0/24", "nat add twin 192.168.77.0/24 192.168.88.0/24 at top",
			"filter add twin 198.51.100.20 at top", "filter add twin 198.51.100.20 at top",
		},
		change.PhaseCutOver: {
			"proposal enable twin hq-fengshan-1", "policy enable twin hq-fengshan-1 192.168.77.0/24 192.168.88.0/24", "peer enable twin hq-fengshan-1",
		},
		change.PhaseCommit: nil,
	}
	for phase, steps := range want {
		if diff := cmp.Diff(steps, brief(plan.In(phase, "gw-hq"))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", phase, diff)
		}
	}
	stage := plan.In(change.PhaseStage, "gw-hq")
	wantRules := []schema.Row{
		{"chain": "input", "action": "accept", "protocol": "udp", "dst-port": "500,4500", "src-address": "198.51.100.20", "comment": "hq-fengshan"},
		{"chain": "input", "action": "accept", "protocol": "ipsec-esp", "src-address": "198.51.100.20", "comment": "hq-fengshan"},
	}
	if diff := cmp.Diff(wantRules, []schema.Row{stage[6].After, stage[7].After}); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	next := defined(t, plan)
	if next.Exchange != "ike2" || !slices.Equal(next.Profile.DHGroups, []string{"ecp384", "modp2048"}) || next.Profile.DPDInterval != "8s" ||
		next.Profile.DPDFailures != 4 || next.Proposal.PFSGroup != "ecp384" || next.Proposal.Encryption[0] != "aes-256-cbc" {
		t.Errorf("values %+v %+v", next.Profile, next.Proposal)
	}
	if _, weak := next.Graded(); weak {
		t.Error("a new tunnel is called weak")
	}
	// The routers themselves answer in their networks, since their rules let pings in.
	if got := next.Ends[0].Probes; len(got) != 1 || got[0].String() != "192.168.77.1" || len(plan.Tunnel.Unproven) > 0 {
		t.Errorf("probes %v, unproven %v", got, plan.Tunnel.Unproven)
	}
	if got := told(plan.Blast); got != "plan.add.outage plan.add.rows plan.add.rows plan.add.failure" {
		t.Errorf("blast radius %s", got)
	}
}

// Ensure what is not planned is said.
func TestPlanAddTunnel_Said(t *testing.T) {
	drop := schema.Row{"chain": "forward", "action": "drop", "in-interface-list": "!LAN"}
	fast := schema.Row{"chain": "forward", "action": "fasttrack-connection", "connection-state": "established,related"}
	in, out := schema.Row{"chain": "forward", "action": "accept", "ipsec-policy": "in,ipsec"}, schema.Row{"chain": "forward", "action": "accept", "ipsec-policy": "out,ipsec"}
	for _, tt := range []struct {
		name  string
		rules []schema.Row
		warns []string
	}{
		{"nothing", nil, nil},
		{"forward dropped", []schema.Row{drop}, []string{"plan.warn.forward"}},
		{"forward accepted", []schema.Row{in, drop}, nil},
		{"fast-tracked", []schema.Row{fast, in, out}, []string{"plan.warn.fasttrack"}},
		{"spared", []schema.Row{in, out, fast}, nil},
	} {
		world := addWorld(t, addLANs)
		guarded(world, tt.rules...)
		plan := planned(t, vpn.PlanAddTunnel, world)
		for _, id := range []string{"plan.warn.forward", "plan.warn.fasttrack", "plan.warn.wans"} {
			if got := strings.Contains(told(plan.Warnings), id); got != slices.Contains(tt.warns, id) {
				t.Errorf("%s: %s is said: %v", tt.name, id, got)
			}
		}
	}
	// A router that drops pings is no probe, and the network is said to be unproven.
	world := addWorld(t, addLANs)
	guarded(world)
	world.Snapshots[0].Menus[filterMenu] = slices.Delete(world.Snapshots[0].Menus[filterMenu], 1, 2)
	plan := planned(t, vpn.PlanAddTunnel, world)
	if got := plan.Tunnel.Unproven; len(got) != 1 || got[0] != prefix("192.168.77.0/24") {
		t.Errorf("unproven %v", got)
	}
	// Where rules let everything in, none is planned.
	for _, s := range planned(t, vpn.PlanAddTunnel, addWorld(t, addLANs)).Steps {
		if s.Menu == filterMenu {
			t.Errorf("plans a rule: %v", s.After)
		}
	}
}

// Ensure what cannot work, or is there already, is refused.
func TestPlanAddTunnel_Refused(t *testing.T) {
	fengshan := func(e vpn.Estate, edit func(*vpn.WAN)) vpn.Estate {
		e.Sites = slices.Clone(e.Sites)
		e.Sites[1].WANs = slices.Clone(e.Sites[1].WANs)
		edit(&e.Sites[1].WANs[0])
		return e
	}
	tests := []struct {
		name, typed string
		edit        func(*vpn.TunnelChange)
		want        string
	}{
		{"by name", addLANs, func(in *vpn.TunnelChange) { in.Others = []vpn.Tunnel{{Name: "HQ-fengshan"}} }, "add_exists"},
		{"the same networks", addLANs, func(in *vpn.TunnelChange) {
			other := in.Tunnel
			other.Name = "spare"
			in.Others = []vpn.Tunnel{other}
		}, "add_joined"},
		{"a peer by hand", addLANs, func(in *vpn.TunnelChange) {
			insert(*in, 0, peerMenu, 2, schema.Row{"name": "to-fengshan", "address": "198.51.100.20/32", "exchange-mode": "main", "disabled": "true"})
		}, "add_rows"},
		{"a policy by hand", addLANs, func(in *vpn.TunnelChange) {
			insert(*in, 0, policyMenu, 1, schema.Row{"peer": "vendor", "tunnel": "true", "src-address": "192.168.77.0/24", "dst-address": "192.168.88.0/24", "disabled": "true"})
		}, "add_rows"},
		{"a policy of somebody else", addLANs, func(in *vpn.TunnelChange) {
			insert(*in, 1, policyMenu, 1, schema.Row{"peer": "vendor", "tunnel": "true", "src-address": "192.168.88.0/24", "dst-address": "192.168.0.0/16", "disabled": "false", "action": "encrypt"})
		}, "add_overlap"},
		{"a bypass policy", addLANs, func(in *vpn.TunnelChange) {
			insert(*in, 1, policyMenu, 1, schema.Row{"src-address": "192.168.0.0/16", "dst-address": "192.168.0.0/16", "disabled": "false", "action": "none"})
		}, "add_overlap"},
		{"the same network at home", addLANs, func(in *vpn.TunnelChange) {
			insert(*in, 0, "/ip/address", 2, schema.Row{"address": "192.168.88.1/24", "interface": "ether5", "dynamic": "false", "disabled": "false"})
		}, "add_connected"},
		{"a dial-in pool", addLANs, func(in *vpn.TunnelChange) {
			in.Snapshots[0].Menus["/ip/pool"][0]["ranges"] = "192.168.88.200-192.168.88.220"
		}, "add_pool"},
		{"both respond", addLANs + " hq.role=respond fengshan.role=respond", nil, "tunnel_definition"},
		{"a name in main mode", addLANs + " exchange=main hq.id=fqdn:hq.example", nil, "tunnel_definition"},
		{"outside the LAN", "hq.prefixes=10.0.0.0/24", nil, "tunnel_definition"},
		{"behind a carrier and called", addLANs + " fengshan.role=respond", func(in *vpn.TunnelChange) {
			in.Estate = fengshan(in.Estate, func(w *vpn.WAN) { w.NAT, w.Role = vpn.CarrierNAT, vpn.Initiate })
		}, "tunnel_definition"},
		{"any address in main mode beside a dial-in server", addLANs + " exchange=main fengshan.role=initiate", func(in *vpn.TunnelChange) {
			in.Estate = fengshan(in.Estate, func(w *vpn.WAN) { w.Dynamic, w.Address, w.Role = true, netip.Addr{}, vpn.Initiate })
		}, "tunnel_definition"},
		{"flagged", addLANs, func(in *vpn.TunnelChange) { in.Snapshots[1].Menus["/system/device-mode"][0]["flagged"] = "true" }, "flagged"},
		{"no guard", addLANs, func(in *vpn.TunnelChange) { in.Snapshots[1].Menus["/system/device-mode"][0]["scheduler"] = "false" }, "tunnel_mode"},
	}
	for _, tt := range tests {
		in := addWorld(t, tt.typed)
		if tt.edit != nil {
			tt.edit(&in)
		}
		_, err := vpn.PlanAddTunnel(in)
		if r, ok := errors.AsType[*vpn.Refusal](err); !ok || r.Text.ID != "plan.refuse."+tt.want {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
}

// Ensure a definition leaves nothing open.
func TestNewTunnel(t *testing.T) {
	e := redoEstate()
	e.Sites[0].WANs = append(e.Sites[0].WANs, vpn.WAN{Interface: "ether2", Address: netip.MustParseAddr("203.0.113.11"), NAT: vpn.NoNAT, Role: vpn.Both})
	e.Sites[2].Routers = append(e.Sites[2].Routers, "gw-2")
	intent := func(site, far, name, typed string) change.Intent {
		return change.Intent{Site: site, Far: far, Tunnel: name, Settings: settings(t, typed)}
	}
	for name, tt := range map[string]struct {
		intent change.Intent
		want   string
	}{
		"two WANs":    {intent("hq", "fengshan", "a1", ""), "add_which"},
		"two routers": {intent("fengshan", "taichung", "a1", ""), "add_which"},
		"one site":    {intent("hq", "hq", "a1", ""), "add_one_site"},
		"a site's":    {intent("hq", "fengshan", "taichung", "hq.wan=ether1"), "add_name"},
	} {
		_, err := vpn.NewTunnel(e, tt.intent)
		if r, ok := errors.AsType[*vpn.Refusal](err); !ok || r.Text.ID != "plan.refuse."+tt.want {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
	got, err := vpn.NewTunnel(e, intent("hq", "fengshan", "a1", "hq.wan=ether2 proposal.encryption=aes-256-gcm"))
	if err != nil || got.Ends[0].WAN != "ether2" || got.Ends[1].Router != "gw-fengshan" || !got.Profile.NATTraversal || got.Proposal.Auth != nil {
		t.Errorf("got %+v, %v", got, err)
	}
}

// An addition to any estate: as a redo of the definition that it makes; taken back,
// nothing is left.
func TestPlanAddTunnel_Properties(t *testing.T) {
	draw := func(t *rapid.T) vpn.TunnelChange {
		typed := []string{addLANs}
		for n := range rapid.IntRange(0, 3).Draw(t, "settings") {
			v := rapid.SampledFrom([]string{
				"exchange=main", "hash=sha512", "pfs=none", "hq.role=respond", "hq.id=fqdn:hq.example", "proposal.encryption=aes-128-gcm", "proposal.lifetime=1h",
			}).Draw(t, fmt.Sprintf("setting %d", n))
			key, _, _ := strings.Cut(v, "=")
			if !slices.ContainsFunc(typed, func(o string) bool { return strings.HasPrefix(o, key+"=") }) {
				typed = append(typed, v)
			}
		}
		in := addWorld(t, strings.Join(typed, " "))
		if rapid.Bool().Draw(t, "guarded") {
			guarded(in)
		}
		for n := range rapid.IntRange(0, 3).Draw(t, "others") {
			i := rapid.IntRange(0, 1).Draw(t, "end")
			kind := rapid.SampledFrom([]string{"translation", "names taken", "others"}).Draw(t, fmt.Sprintf("kind %d", n))
			spoil[kind](t, &in, i, handMadeEnds[i])
		}
		for i := range in.Snapshots {
			for range rapid.IntRange(0, 2).Draw(t, "rules") {
				at := rapid.IntRange(0, len(in.Snapshots[i].Menus[filterMenu])).Draw(t, "at")
				insert(in, i, filterMenu, at, schema.Row{
					"chain": rapid.SampledFrom([]string{"input", "forward"}).Draw(t, "chain"), "action": rapid.SampledFrom([]string{"accept", "drop", "log"}).Draw(t, "action"),
					"protocol": rapid.SampledFrom([]string{"udp", "tcp", "ipsec-esp"}).Draw(t, "protocol"), "comment": "other " + big5,
				})
			}
		}
		return in
	}
	checkPlanner(t, draw, vpn.PlanAddTunnel, true)
}
