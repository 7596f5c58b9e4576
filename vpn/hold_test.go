package vpn_test

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// Ensure the definition of what routers hold is what people set up by hand, and
// that a redo from it changes no algorithm.
func TestHeldTunnel(t *testing.T) {
	in := redoWorld()
	in.PSK, in.Mark = "", ""
	got, err := vpn.HeldTunnel(in)
	if err != nil {
		t.Fatal(explain(err))
	}
	want := narrow(redoWorld()).Tunnel
	want.Exchange = "main"
	want.Profile = vpn.Profile{
		Encryption: []string{"aes-128"}, Hash: "sha1", DHGroups: []string{"modp1024"}, Lifetime: "1d", DPDInterval: "5m", DPDFailures: 4, NATTraversal: true,
	}
	want.Proposal = vpn.Proposal{Encryption: []string{"aes-128-cbc"}, Auth: []string{"sha1"}, PFSGroup: "none", Lifetime: "30m"}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Ensure what was carried out is held: the definition comes back from the rows.
func TestHeldTunnel_AfterRedo(t *testing.T) {
	in := narrow(redoWorld())
	in.Tunnel.Ends[0].Prefixes = append(in.Tunnel.Ends[0].Prefixes, prefix("192.168.78.0/24"))
	in.Tunnel.Ends[1].Role, in.Tunnel.Ends[0].ID, in.Tunnel.Ends[1].ID = vpn.Respond, "fqdn:hq", "fqdn:fengshan"
	in.Tunnel.Proposal = vpn.Proposal{Encryption: []string{"aes-256-gcm"}, PFSGroup: "ecp384", Lifetime: "1h"}
	want := in.Tunnel
	performAll(t, in, planned(t, vpn.PlanRedo, in), change.PhaseStage, change.PhaseCutOver, change.PhaseCommit)
	in.Tunnel.Exchange, in.Tunnel.Ends[0].ID, in.Tunnel.Ends[0].Prefixes = "main", "", in.Tunnel.Ends[0].Prefixes[:1]
	in.Tunnel.Ends[1].ID, in.Tunnel.Profile.Hash = "", "md5"
	got, err := vpn.HeldTunnel(in)
	if err != nil {
		t.Fatal(explain(err))
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Ensure rows that one definition cannot describe are refused by name.
func TestHeldTunnel_Refused(t *testing.T) {
	for _, tt := range []struct {
		want string
		edit func(vpn.TunnelChange)
	}{
		{"tunnel_differs", func(in vpn.TunnelChange) { update(in, 1, profileMenu, "name", "to-hq", "dh-group", "modp2048") }},
		{"tunnel_differs", func(in vpn.TunnelChange) { update(in, 1, peerMenu, "name", "to-hq", "exchange-mode", "ike2") }},
		{"tunnel_differs", func(in vpn.TunnelChange) { update(in, 1, proposalMenu, "name", "to-hq", "lifetime", "1h") }},
		{"held_missing", func(in vpn.TunnelChange) {
			drop(in, 1, profileMenu, func(r schema.Row) bool { return r["name"] == "to-hq" })
		}},
		{"held_missing", func(in vpn.TunnelChange) {
			drop(in, 1, peerMenu, func(r schema.Row) bool { return r["name"] == "to-hq" })
		}},
		{"held_missing", func(in vpn.TunnelChange) { update(in, 1, policyMenu, "peer", "to-hq", "disabled", "true") }},
		{"held_missing", func(in vpn.TunnelChange) {
			more := find(in, 0, policyMenu, "peer", "to-fengshan")[0].Clone()
			more["src-address"] = "192.168.79.0/24"
			insert(in, 0, policyMenu, 2, more)
		}},
		{"tunnel_definition", func(in vpn.TunnelChange) {
			update(in, 0, peerMenu, "name", "to-fengshan", "passive", "true")
			update(in, 1, peerMenu, "name", "to-hq", "passive", "true")
		}},
	} {
		in := narrow(redoWorld())
		tt.edit(in)
		_, err := vpn.HeldTunnel(in)
		refusal, ok := errors.AsType[*vpn.Refusal](err)
		if !ok || refusal.Text.ID != "plan.refuse."+tt.want {
			t.Errorf("got %v, want %s", err, tt.want)
			continue
		}
		saysAll(t, "en", refusal.Text)
		saysAll(t, "zh-TW", refusal.Hint)
	}
}
