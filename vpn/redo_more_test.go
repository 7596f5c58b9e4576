package vpn_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// standing is the world after a redo: the bot knows the key.
func standing(t *testing.T) vpn.TunnelChange {
	t.Helper()
	in := narrow(redoWorld())
	performAll(t, in, planned(t, vpn.PlanRedo, in), change.PhaseStage, change.PhaseCutOver, change.PhaseCommit)
	in.Tunnel.PSKMark = in.Mark
	in.PSK, in.Mark = "psk-2", "psk:0001"
	return in
}

// Ensure a new key changes the key and nothing else.
func TestPlanRotatePSK(t *testing.T) {
	in := narrow(redoWorld())
	plan := planned(t, vpn.PlanRotatePSK, in)
	want := []string{
		"peer add twin hq-fengshan-1", "identity add twin hq-fengshan-1",
		"identity enable twin hq-fengshan-1", "peer disable in place to-fengshan", "policy set in place 192.168.77.0/24 192.168.88.0/24", "peer enable twin hq-fengshan-1",
		"identity remove one-way to-fengshan", "peer remove in place to-fengshan",
	}
	var got []change.Step
	for _, phase := range []string{change.PhaseStage, change.PhaseCutOver, change.PhaseCommit} {
		got = append(got, plan.In(phase, "gw-hq")...)
	}
	if diff := cmp.Diff(want, brief(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	peer := schema.Row{
		"name": "hq-fengshan-1", "address": "198.51.100.20/32", "exchange-mode": "main", "profile": "to-fengshan", "disabled": "true", "comment": big5,
	}
	if diff := cmp.Diff(peer, got[0].After); diff != "" {
		t.Errorf("peer (-want +got):\n%s", diff)
	}
	if set := got[4]; !cmp.Equal(set.After, schema.Row{"peer": "hq-fengshan-1"}) {
		t.Errorf("policy gets %v", set.After)
	}
	if plan.Summary.ID != "plan.rotate.summary" || !strings.Contains(told(plan.Warnings), "plan.warn.main_dialin") {
		t.Errorf("summary %s, warnings %s", plan.Summary.ID, told(plan.Warnings))
	}
}

// Ensure a rekey writes no row, and says what nobody can know.
func TestPlanRekey(t *testing.T) {
	in := narrow(redoWorld())
	in.PSK, in.Mark = "", ""
	plan := planned(t, vpn.PlanRekey, in)
	if len(plan.Steps) != 0 || plan.Empty() || !plan.Phased() || plan.Summary.ID != "plan.rekey.summary" {
		t.Errorf("got %d steps, empty %v", len(plan.Steps), plan.Empty())
	}
	if !strings.Contains(told(plan.Warnings), "plan.warn.key_unknown") {
		t.Errorf("warnings %s", told(plan.Warnings))
	}
	in = standing(t)
	in.PSK, in.Mark = "", ""
	if plan := planned(t, vpn.PlanRekey, in); told(plan.Warnings) != "plan.warn.prediction" {
		t.Errorf("with a key of the bot: warnings %s", told(plan.Warnings))
	}
}

// Ensure neither is planned on a tunnel that does not stand as defined.
func TestPlanRotatePSK_Refused(t *testing.T) {
	tests := []struct {
		want string
		edit func(vpn.TunnelChange)
	}{
		{"tunnel_missing", func(in vpn.TunnelChange) {
			drop(in, 1, policyMenu, func(r schema.Row) bool { return r["peer"] == "to-hq" })
		}},
		{"tunnel_missing", func(in vpn.TunnelChange) {
			drop(in, 1, peerMenu, func(r schema.Row) bool { return r["name"] == "to-hq" })
		}},
		{"tunnel_missing", func(in vpn.TunnelChange) {
			drop(in, 1, identityMenu, func(r schema.Row) bool { return r["peer"] == "to-hq" })
		}},
		{"tunnel_missing", func(in vpn.TunnelChange) { update(in, 1, policyMenu, "peer", "to-hq", "peer", "vendor") }},
		{"tunnel_missing", func(in vpn.TunnelChange) { update(in, 1, policyMenu, "peer", "to-hq", "tunnel", "false") }},
		{"tunnel_off", func(in vpn.TunnelChange) { update(in, 1, peerMenu, "name", "to-hq", "disabled", "true") }},
		{"tunnel_off", func(in vpn.TunnelChange) { update(in, 1, identityMenu, "peer", "to-hq", "disabled", "true") }},
		{"tunnel_off", func(in vpn.TunnelChange) { update(in, 1, policyMenu, "peer", "to-hq", "disabled", "true") }},
		{"tunnel_disagree", func(in vpn.TunnelChange) { update(in, 1, profileMenu, "name", "to-hq", "dh-group", "modp2048") }},
		{"tunnel_disagree", func(in vpn.TunnelChange) { update(in, 1, proposalMenu, "name", "to-hq", "pfs-group", "modp2048") }},
		{"tunnel_disagree", func(in vpn.TunnelChange) { update(in, 1, peerMenu, "name", "to-hq", "exchange-mode", "ike2") }},
	}
	for _, tt := range tests {
		for _, planner := range []func(vpn.TunnelChange) (change.Plan, error){vpn.PlanRotatePSK, vpn.PlanRekey} {
			in := narrow(redoWorld())
			tt.edit(in)
			_, err := planner(in)
			refusal, ok := errors.AsType[*vpn.Refusal](err)
			if !ok || refusal.Text.ID != "plan.refuse."+tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
				continue
			}
			saysAll(t, "en", refusal.Text)
			saysAll(t, "zh-TW", refusal.Hint)
		}
	}
}

// Ensure a plan that is foreseen to fail comes to be only when a test asks for it,
// and says so.
func TestPlanRedo_Unchecked(t *testing.T) {
	in := narrow(redoWorld())
	in.Tunnel.Ends[0].Role, in.Tunnel.Ends[1].Role = vpn.Respond, vpn.Respond
	in.Unchecked = true
	plan := planned(t, vpn.PlanRedo, in)
	if !strings.Contains(told(plan.Warnings), "plan.warn.unchecked") {
		t.Errorf("warnings %s", told(plan.Warnings))
	}
}

// Ensure the plan names what is broken now, by parameter, as the demo's second
// tunnel is: one end's group was changed and the other's was not.
func TestPlanRedo_Broken(t *testing.T) {
	in := narrow(redoWorld())
	update(in, 1, profileMenu, "name", "to-hq", "dh-group", "modp2048")
	plan := planned(t, vpn.PlanRedo, in)
	i := slices.IndexFunc(plan.Warnings, func(w change.Text) bool { return w.ID == "plan.warn.broken_now" })
	if i < 0 {
		t.Fatalf("warnings %s", told(plan.Warnings))
	}
	args := plan.Warnings[i].Args
	if args["attribute"].Str != "dh-group" || args["why"].Text.ID != "plan.fault.no-proposal" || args["says"].Str != "modp1024" || args["answers"].Str != "modp2048" {
		t.Errorf("got %v", args)
	}
}

// Ensure a plan goes stale by what it rests on and by nothing else.
func TestPlanRedo_Fresh(t *testing.T) {
	tests := []struct {
		name  string
		edit  func(vpn.TunnelChange)
		stale bool
	}{
		{"another account is connected", func(in vpn.TunnelChange) { drop(in, 0, "/ppp/active", func(schema.Row) bool { return true }) }, false},
		{"another peer changes", func(in vpn.TunnelChange) { update(in, 0, peerMenu, "name", "vendor", "address", "192.0.2.78/32") }, false},
		{"another policy comes", func(in vpn.TunnelChange) {
			insert(in, 0, policyMenu, 1, schema.Row{"peer": "vendor", "src-address": "10.1.0.0/16", "dst-address": "10.2.0.0/16", "proposal": "vendor"})
		}, false},
		{"another bypass comes", func(in vpn.TunnelChange) {
			insert(in, 0, natMenu, 1, schema.Row{"chain": "srcnat", "action": "accept", "src-address": "192.168.77.0/24", "dst-address": "192.168.99.0/24"})
		}, false},
		{"phase 2 goes down", func(in vpn.TunnelChange) { update(in, 0, policyMenu, "peer", "to-fengshan", "ph2-state", "no-phase2") }, false},
		{"the peer changes", func(in vpn.TunnelChange) { update(in, 0, peerMenu, "name", "to-fengshan", "passive", "true") }, true},
		{"the peer's comment changes", func(in vpn.TunnelChange) { update(in, 0, peerMenu, "name", "to-fengshan", "comment", "mine") }, true},
		{"the identity changes", func(in vpn.TunnelChange) { update(in, 1, identityMenu, "peer", "to-hq", "my-id", "fqdn:x") }, true},
		{"the policy changes", func(in vpn.TunnelChange) { update(in, 1, policyMenu, "peer", "to-hq", "level", "unique") }, true},
		{"the policy is switched off", func(in vpn.TunnelChange) { update(in, 1, policyMenu, "peer", "to-hq", "disabled", "true") }, true},
		{"the peer gets another policy", func(in vpn.TunnelChange) {
			insert(in, 0, policyMenu, 1, schema.Row{"peer": "to-fengshan", "src-address": "10.1.0.0/16", "dst-address": "10.2.0.0/16", "proposal": "x"})
		}, true},
		{"somebody uses the old profile", func(in vpn.TunnelChange) { update(in, 0, peerMenu, "name", "vendor", "profile", "to-fengshan") }, true},
		{"somebody uses the old proposal", func(in vpn.TunnelChange) { update(in, 0, policyMenu, "peer", "vendor", "proposal", "to-fengshan") }, true},
		{"the profile changes", func(in vpn.TunnelChange) { update(in, 0, profileMenu, "name", "to-fengshan", "dh-group", "modp768") }, true},
		{"the new name is taken", func(in vpn.TunnelChange) { insert(in, 0, profileMenu, 0, schema.Row{"name": "hq-fengshan-1"}) }, true},
		{"another peer to the same address", func(in vpn.TunnelChange) {
			insert(in, 0, peerMenu, 0, schema.Row{"name": "x", "address": "198.51.100.20/32"})
		}, true},
		{"the bypass goes", func(in vpn.TunnelChange) {
			drop(in, 0, natMenu, func(r schema.Row) bool { return r["action"] == "accept" })
		}, true},
		{"another masquerade comes", func(in vpn.TunnelChange) {
			insert(in, 0, natMenu, 1, schema.Row{"chain": "srcnat", "action": "masquerade"})
		}, true},
		{"the router is flagged", func(in vpn.TunnelChange) { in.Snapshots[1].Menus["/system/device-mode"][0]["flagged"] = "true" }, true},
		{"the WAN's address changes", func(in vpn.TunnelChange) {
			update(in, 0, "/ip/address", "interface", "ether1", "address", "203.0.113.11/24")
		}, true},
	}
	for _, tt := range tests {
		in := narrow(redoWorld())
		plan := planned(t, vpn.PlanRedo, in)
		tt.edit(in)
		stale := slices.ContainsFunc(plan.Seen, func(o change.Observation) bool {
			_, differs := o.Compare(in.Snapshots[endOf(in, o.Router)])
			return differs
		})
		if stale != tt.stale {
			t.Errorf("%s: stale %v, want %v", tt.name, stale, tt.stale)
		}
	}
}

// Ensure the end that is harder to reach comes first, and that a plan knows when
// the bot sits behind the tunnel that it changes.
func TestPlanRedo_Reach(t *testing.T) {
	login := func(in vpn.TunnelChange, i int, user, from string) {
		in.Snapshots[i].Menus["/user/active"] = append(in.Snapshots[i].Menus["/user/active"], schema.Row{"name": user, "via": "api", "address": from})
	}
	tests := []struct {
		name   string
		edit   func(vpn.TunnelChange)
		first  string
		inBand [2]bool // hq, fengshan
	}{
		{"from elsewhere", func(vpn.TunnelChange) {}, "gw-fengshan", [2]bool{}},
		{"from hq, over the tunnel", func(in vpn.TunnelChange) {
			login(in, 0, "bot-read", "192.168.77.5")
			login(in, 1, "bot-read", "192.168.77.5")
		}, "gw-fengshan", [2]bool{false, true}},
		{"from fengshan, over the tunnel", func(in vpn.TunnelChange) {
			login(in, 0, "bot-write", "192.168.88.5")
			login(in, 1, "bot-write", "192.168.88.5")
		}, "gw-hq", [2]bool{true, false}},
		{"from fengshan, over the Internet", func(in vpn.TunnelChange) {
			login(in, 0, "bot-write", "198.51.100.20")
			login(in, 1, "bot-write", "192.168.88.5")
		}, "gw-hq", [2]bool{}},
		{"dialled in to hq", func(in vpn.TunnelChange) { login(in, 0, "bot-read", "10.77.0.12") }, "gw-hq", [2]bool{true, false}},
		{"somebody else from there", func(in vpn.TunnelChange) { login(in, 1, "alice", "192.168.77.5") }, "gw-fengshan", [2]bool{}},
	}
	for _, tt := range tests {
		in := narrow(redoWorld())
		tt.edit(in)
		plan := planned(t, vpn.PlanRedo, in)
		if plan.Routers[0] != tt.first || plan.Tunnel.Ends[0].Router != tt.first || plan.Steps[0].Router != tt.first {
			t.Errorf("%s: %s comes first, want %s", tt.name, plan.Routers[0], tt.first)
		}
		for _, end := range plan.Tunnel.Ends {
			if want := tt.inBand[endOf(in, end.Router)]; end.InBand != want {
				t.Errorf("%s: %s in band %v, want %v", tt.name, end.Router, end.InBand, want)
			}
		}
		if inBand := tt.inBand != [2]bool{}; inBand != (plan.Tunnel.Delay > 0) || inBand != strings.Contains(told(plan.Warnings), "plan.warn.in_band") {
			t.Errorf("%s: delay %v, warnings %s", tt.name, plan.Tunnel.Delay, told(plan.Warnings))
		}
		if p := plan.Tunnel; p.Guard <= p.Delay+p.Patience+30*time.Second {
			t.Errorf("%s: the guard looks after %v, the proof may take %v after %v", tt.name, p.Guard, p.Patience, p.Delay)
		}
	}
}

// Ensure DNS names and 1:1 NAT are planned for: phase 1 runs between what each
// router sees, and IDs say who is who.
func TestPlanRedo_WANs(t *testing.T) {
	in := narrow(redoWorld())
	in.Estate.Sites[1].WANs = []vpn.WAN{{Interface: "ether1", DNS: "vpn.fengshan.example", NAT: vpn.NoNAT, Role: vpn.Both}}
	in.Estate.Sites[0].WANs[0].NAT = vpn.OneToOneNAT
	in.Tunnel.Ends[0].ID, in.Tunnel.Ends[1].ID = "fqdn:hq", "fqdn:fengshan"
	in.Tunnel.Profile.NATTraversal = true
	update(in, 0, "/ip/address", "interface", "ether1", "address", "10.0.0.2/24")
	plan := planned(t, vpn.PlanRedo, in)
	hq, fengshan := plan.Tunnel.Ends[1], plan.Tunnel.Ends[0]
	want := [4]string{"10.0.0.2", "198.51.100.20", "198.51.100.20", "203.0.113.10"}
	if got := [4]string{hq.Local.String(), hq.Remote.String(), fengshan.Local.String(), fengshan.Remote.String()}; got != want {
		t.Errorf("phase 1 between %v, want %v", got, want)
	}
	peer, identity := plan.In(change.PhaseStage, "gw-hq")[2].After, plan.In(change.PhaseStage, "gw-hq")[3].After
	if peer["address"] != "vpn.fengshan.example" || identity["my-id"] != "fqdn:hq" || identity["remote-id"] != "fqdn:fengshan" {
		t.Errorf("peer %v, identity %v", peer, identity)
	}
	// A site with two WANs keeps the tunnel on its own.
	in = narrow(redoWorld())
	in.Estate.Sites[0].WANs = append(in.Estate.Sites[0].WANs, vpn.WAN{Interface: "ether2", Address: netip.MustParseAddr("203.0.113.99"), NAT: vpn.NoNAT})
	if got := planned(t, vpn.PlanRedo, in).In(change.PhaseStage, "gw-hq")[2].After["local-address"]; got != "203.0.113.10" {
		t.Errorf("local-address %q", got)
	}
}
