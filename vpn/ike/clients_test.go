package ike_test

import (
	"testing"

	"vpnbot/ros/schema"
	"vpnbot/vpn/ike"
)

func pfsOn(p schema.Party) { set(p, proposals, "*0", "pfs-group", "modp1024") }

// Ensure that each system's own client meets the router as far as its proposals are
// known.
func TestModel_Clients(t *testing.T) {
	tests := []struct {
		name   string
		model  ike.Model
		system string
		do     func(office schema.Party)
		want   string
	}{
		{"Windows, defaults and PFS off", ike.Model{}, "windows", nil, "agree"},
		{"Windows, as the notes set it", ike.Model{}, "windows", func(p schema.Party) {
			set(p, profiles, "*1", "enc-algorithm", "3des")
			set(p, profiles, "*1", "dh-group", "modp1024")
			set(p, proposals, "*0", "enc-algorithms", "aes-128-cbc")
		}, "agree"},
		{"Windows, the strongest it takes", ike.Model{}, "windows", func(p schema.Party) {
			set(p, profiles, "*1", "enc-algorithm", "aes-256")
			set(p, profiles, "*1", "dh-group", "ecp384")
			set(p, proposals, "*0", "enc-algorithms", "aes-256-cbc")
		}, "agree"},
		{"Windows wants SHA-1", ike.Model{}, "windows", func(p schema.Party) { set(p, profiles, "*1", "hash-algorithm", "sha256") }, noProposal + "hash-algorithm"},
		{"Windows ties groups to ciphers", ike.Model{}, "windows", func(p schema.Party) {
			set(p, profiles, "*1", "enc-algorithm", "aes-128")
			set(p, profiles, "*1", "dh-group", "modp2048")
		}, noProposal + "dh-group"},
		// The vendor's recipe for an L2TP server leaves the default proposal, whose
		// group is modp1024; the field notes leave it too, and Windows connects.
		{"Windows without PFS", ike.Model{}, "windows", pfsOn, "agree"},
		{"Windows without PFS, claimed", ike.Model{}, "windows", func(p schema.Party) {
			pfsOn(p)
			set(p, profiles, "*1", "proposal-check", "claim")
		}, "disagree phase2:pfs-group:pfs-group"},
		{"Windows without PFS, refused", ike.Model{ClientsNeedNoPFS: true}, "windows", pfsOn, "disagree phase2:pfs-group:pfs-group"},
		{"Windows without PFS, obeyed by all", ike.Model{ClientsNeedNoPFS: true, CheckCoversPFS: true}, "windows", pfsOn, "agree"},
		{"Windows without GCM", ike.Model{}, "windows", func(p schema.Party) { set(p, proposals, "*0", "enc-algorithms", "aes-256-gcm") }, "disagree phase2:no-proposal:enc-algorithms"},
		{"Windows and SHA-256 in phase 2", ike.Model{}, "windows", func(p schema.Party) { set(p, proposals, "*0", "auth-algorithms", "sha256") }, "disagree phase2:no-proposal:auth-algorithms"},
		{"NAT traversal off", ike.Model{}, "windows", func(p schema.Party) { set(p, profiles, "*1", "nat-traversal", "no") }, "disagree phase1:nat-traversal:nat-traversal"},
		{"the template is off", ike.Model{}, "windows", func(p schema.Party) { set(p, policies, "*FFFFFF", "disabled", "true") }, "disagree phase2:no-policy:policy-template-group"},
		{"the template's proposal is another", ike.Model{}, "windows", func(p schema.Party) { set(p, policies, "*FFFFFF", "proposal", "s2s") }, "disagree phase2:no-proposal:auth-algorithms"},
		{"the template is for another protocol", ike.Model{}, "windows", func(p schema.Party) { set(p, policies, "*FFFFFF", "protocol", "gre") }, "disagree phase2:no-policy:policy-template-group"},
		{"another key", ike.Model{}, "windows", func(p schema.Party) { p.Keys["*B"] = "other" }, "disagree auth:key:secret"},
		{"a key that nobody knows", ike.Model{}, "windows", func(p schema.Party) { delete(p.Keys, "*B") }, "cannot tell ?auth:key:secret"},
		{"a lifetime that nobody knows", ike.Model{}, "windows", func(p schema.Party) { set(p, profiles, "*1", "proposal-check", "exact") }, "cannot tell ?phase2:proposal-check:lifetime"},
		{"a lifetime of phase 1", ike.Model{CheckPhase1Lifetime: true}, "windows", func(p schema.Party) {
			set(p, profiles, "*1", "proposal-check", "strict")
			set(p, profiles, "*1", "lifetime", "1h")
		}, "disagree phase1:proposal-check:lifetime ?phase2:proposal-check:lifetime"},
		{"no server", ike.Model{}, "windows", func(p schema.Party) { set(p, peers, "*4", "disabled", "true") }, "disagree peer:disabled:disabled"},
		{"macOS", ike.Model{}, "macos", nil, "cannot tell ?phase1:unknown-value:transforms"},
		{"macOS, assumed", ike.Model{AssumeClients: true}, "macos", func(p schema.Party) { set(p, profiles, "*1", "enc-algorithm", "aes-256") }, "agree"},
		{"iOS", ike.Model{}, "ios", nil, "cannot tell ?phase1:unknown-value:transforms"},
		{"iOS, assumed, and another key", ike.Model{AssumeClients: true}, "ios", func(p schema.Party) { p.Keys["*B"] = "other" }, "disagree auth:key:secret"},
		{"Android", ike.Model{}, "android", nil, "cannot tell ?phase1:unknown-value:transforms"},
		{"Android without modp1024", ike.Model{}, "android", func(p schema.Party) { set(p, profiles, "*1", "dh-group", "modp2048") }, noProposal + "dh-group ?phase1:unknown-value:transforms"},
		{"Android, assumed", ike.Model{AssumeClients: true}, "android", nil, "agree"},
		{"a system that nobody knows", ike.Model{}, "plan9", nil, "cannot tell ?phase1:unknown-value:system"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			office := serveL2TP(hq())
			if tt.do != nil {
				tt.do(office)
			}
			if got := summary(negotiate(t, tt.model, dial(tt.system, homeAddr), office)); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// Ensure what an untouched Windows agrees on with a router's defaults: of its five
// transforms the first that the default profile has is 3DES with modp2048.
func TestModel_Clients_Windows(t *testing.T) {
	o := negotiate(t, ike.Model{}, dial("windows", homeAddr), serveL2TP(hq()))
	want := schema.Phase1{
		Exchange: "main", Encryption: "3des", Hash: "sha1", DHGroup: "modp2048", NATTraversal: true,
		Peer: "*4", Identity: "*B", LifetimeText: "8h", ServesL2TP: true,
	}
	if *o.Phase1 != want {
		t.Errorf("phase 1 is %+v\nwant %+v", *o.Phase1, want)
	}
	p := o.Phase2[0]
	if p.Encryption != "aes-256-cbc" || p.Auth != "sha1" || p.PFSGroup != "none" || p.ResponderPolicy != "*FFFFFF" || p.Source.String() != "192.168.10.23/32" {
		t.Errorf("phase 2 is %+v", p)
	}
}

// Ensure that a computer cannot reach a server behind NAT, unless that forwards.
func TestModel_Clients_ServerBehindNAT(t *testing.T) {
	office := serveL2TP(hq())
	office.Local = dial("windows", homeAddr).Local
	if got := summary(negotiate(t, ike.Model{}, dial("windows", homeAddr), office)); got != "disagree reach:nat:address" {
		t.Errorf("got %s", got)
	}
	if got := summary(negotiate(t, ike.Model{NATForwards: true}, dial("windows", homeAddr), office)); got != "agree" {
		t.Errorf("forwarded: got %s", got)
	}
}

// Ensure that PFS at the router is mentioned although a computer is taken without.
func TestModel_Clients_PFS(t *testing.T) {
	office := serveL2TP(hq())
	pfsOn(office)
	o := negotiate(t, ike.Model{}, dial("windows", homeAddr), office)
	if len(o.Hints) != 1 || o.Hints[0].Code != schema.FaultPFS || o.Hints[0].ResponderRow.ID != "*0" {
		t.Errorf("hints: %+v", o.Hints)
	}
	if o.Phase2[0].PFSGroup != "none" {
		t.Errorf("PFS group %s", o.Phase2[0].PFSGroup)
	}
}
