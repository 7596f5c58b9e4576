package ike_test

import (
	"net/netip"
	"strings"
	"testing"

	"vpnbot/ros/schema"
	"vpnbot/vpn/ike"
)

// mutation is one thing wrong in a good pair: hq calls fengshan.
type mutation struct {
	name string
	// do changes the responder b, or the caller a.
	do   func(a, b schema.Party)
	want string
}

// at changes one attribute of one row at the responder.
func at(menu, id, attr, value string) func(a, b schema.Party) {
	return func(_, b schema.Party) { set(b, menu, id, attr, value) }
}

// from changes one attribute of one row at the caller.
func from(menu, id, attr, value string) func(a, b schema.Party) {
	return func(a, _ schema.Party) { set(a, menu, id, attr, value) }
}

const (
	tunnelPolicy = "*1000001"
	noProposal   = "disagree phase1:no-proposal:"
)

// faults are the ways to break a good main-mode pair, with the stage at which each
// shows. The cases marked "daemons" were tried with two strongSwan daemons, which
// failed in the same phase; the others follow the sources named.
func faults() []mutation {
	return []mutation{
		// Reach. The vendor's page, Peers: passive waits; address names the other end.
		{"caller disabled", from(peers, "*3", "disabled", "true"), "disagree reach:disabled:disabled"},
		{"caller passive", from(peers, "*3", "passive", "yes"), "disagree reach:passive:passive"},
		{"caller names nobody", from(peers, "*3", "address", "0.0.0.0/0"), "disagree reach:passive:address"},
		{"caller names a network", from(peers, "*3", "address", "198.51.100.0/29"), "disagree reach:passive:address"},
		{"caller names another", from(peers, "*3", "address", "198.51.100.99/32"), "disagree reach:elsewhere:address"}, // daemons
		{"caller's name is unresolved", from(peers, "*3", "address", "vpn.example.net"), "disagree reach:unresolved:address"},
		{"caller binds an address it lacks", from(peers, "*3", "local-address", "203.0.113.9"), "disagree reach:elsewhere:local-address"},
		// The page, Peers: port is for calling; a responder listens on 500 and 4500.
		{"caller's port", from(peers, "*3", "port", "1500"), "disagree reach:elsewhere:port"},
		{"caller has no identity", from(identities, "*A", "peer", "nobody"), "disagree reach:no-identity:identity"},
		{"caller's identity disabled", from(identities, "*A", "disabled", "true"), "disagree reach:disabled:identity"},
		// Peer. The page, Peers: address, exchange-mode, local-address.
		{"responder disabled", at(peers, "*3", "disabled", "true"), "disagree peer:disabled:disabled"},
		{"responder expects another", at(peers, "*3", "address", "198.51.100.99/32"), "disagree peer:no-peer:address"},           // daemons
		{"main against aggressive", at(peers, "*3", "exchange-mode", "aggressive"), "disagree peer:exchange-mode:exchange-mode"}, // daemons
		{"IKEv1 against IKEv2", at(peers, "*3", "exchange-mode", "ike2"), "disagree peer:exchange-mode:exchange-mode"},           // daemons
		{"responder bound elsewhere", at(peers, "*3", "local-address", "198.51.100.8"), "disagree peer:no-peer:local-address"},
		{"responder's name is unresolved", at(peers, "*3", "address", "hq.example.net"), "disagree peer:unresolved:address"},
		// Phase 1. The page, Phase 1: authentication method, DH group, encryption,
		// exchange mode and hash must match.
		{"cipher", at(profiles, "*2", "enc-algorithm", "aes-128"), noProposal + "enc-algorithm"},                            // daemons
		{"hash", at(profiles, "*2", "hash-algorithm", "sha1"), noProposal + "hash-algorithm"},                               // daemons
		{"DH group", at(profiles, "*2", "dh-group", "modp1024"), noProposal + "dh-group"},                                   // daemons
		{"default profile", at(peers, "*3", "profile", ""), noProposal + "enc-algorithm phase1:no-proposal:hash-algorithm"}, // sets: modp2048 is common
		{"authentication", at(identities, "*A", "auth-method", "digital-signature"), "disagree phase1:auth-method:auth-method"},
		// Authentication.
		{"key", func(_, b schema.Party) { b.Keys["*A"] = "other" }, "disagree auth:key:secret"},                                  // daemons
		{"responder expects another ID", at(identities, "*A", "remote-id", "address:203.0.113.9"), "disagree auth:id:remote-id"}, // daemons
		{"caller expects another ID", from(identities, "*A", "remote-id", "address:203.0.113.9"), "disagree auth:id:my-id"},
		// The page, Identities: names as remote-id are for IKEv2 alone.
		{"a name in IKEv1", at(identities, "*A", "remote-id", "fqdn:hq.example.net"), "disagree auth:id:remote-id auth:id:remote-id"},
		{"responder has no identity", at(identities, "*A", "peer", "nobody"), "disagree auth:no-identity:identity"},
		{"responder's identity disabled", at(identities, "*A", "disabled", "true"), "disagree auth:disabled:identity"},
		// Phase 2. The page, Phase 2: protocol, mode, authentication, PFS group.
		{"policy to another net", at(policies, tunnelPolicy, "dst-address", "192.168.78.0/24"), "disagree phase2:selectors:dst-address"}, // daemons
		{"policy too wide", at(policies, tunnelPolicy, "dst-address", "192.168.0.0/16"), "disagree phase2:selectors:dst-address"},
		{"policy too narrow", at(policies, tunnelPolicy, "src-address", "192.168.10.0/25"), "disagree phase2:selectors:src-address"},
		{"policy for one protocol", at(policies, tunnelPolicy, "protocol", "gre"), "disagree phase2:selectors:protocol"},
		{"policy for one port", at(policies, tunnelPolicy, "dst-port", "443"), "disagree phase2:selectors:dst-port"},
		{"tunnel against transport", at(policies, tunnelPolicy, "tunnel", "false"), "disagree phase2:mode:tunnel"}, // daemons
		{"ESP against AH", at(policies, tunnelPolicy, "ipsec-protocols", "ah"), "disagree phase2:ipsec-protocols:ipsec-protocols"},
		{"policy disabled", at(policies, tunnelPolicy, "disabled", "true"), "disagree phase2:disabled:disabled"},
		{"policy of another peer", at(policies, tunnelPolicy, "peer", "nobody"), "disagree phase2:no-policy:generate-policy"},
		{"policy lets pass", at(policies, tunnelPolicy, "action", "none"), "disagree phase2:no-policy:generate-policy"},
		{"policy marked invalid", at(policies, tunnelPolicy, "invalid", "true"), "disagree phase2:invalid:invalid"},
		{"caller's policy disabled", from(policies, tunnelPolicy, "disabled", "true"), "disagree phase2:disabled:disabled"},
		{"caller has no policy", from(policies, tunnelPolicy, "peer", "nobody"), "disagree phase2:no-policy:peer"},
		{"P2 cipher", at(proposals, "*2", "enc-algorithms", "aes-128-cbc"), "disagree phase2:no-proposal:enc-algorithms"}, // daemons
		{"P2 hash", at(proposals, "*2", "auth-algorithms", "sha1"), "disagree phase2:no-proposal:auth-algorithms"},
		{"PFS group", at(proposals, "*2", "pfs-group", "modp1024"), "disagree phase2:pfs-group:pfs-group"}, // daemons
		{"PFS off", at(proposals, "*2", "pfs-group", "none"), "disagree phase2:pfs-group:pfs-group"},
		{"proposal disabled", at(proposals, "*2", "disabled", "true"), "disagree phase2:disabled:disabled"},
		// The page, Profiles: proposal-check. Both changes are needed for a fault.
		{"exact lifetime", func(_, b schema.Party) {
			set(b, profiles, "*2", "proposal-check", "exact")
			set(b, proposals, "*2", "lifetime", "1h")
		}, "disagree phase2:proposal-check:lifetime"},
		{"strict lifetime", func(a, b schema.Party) {
			set(b, profiles, "*2", "proposal-check", "strict")
			set(a, proposals, "*2", "lifetime", "1h")
		}, "disagree phase2:proposal-check:lifetime"},
	}
}

// Ensure that each single thing wrong shows at its stage, and nothing else does.
func TestModel_Faults(t *testing.T) {
	for _, tt := range faults() {
		t.Run(tt.name, func(t *testing.T) {
			a, b := hq(), fengshan()
			tt.do(a, b)
			o := negotiate(t, ike.Model{}, a, b)
			if got := summary(o); got != tt.want {
				t.Fatalf("got  %s\nwant %s", got, tt.want)
			}
			if o.Verdict == schema.Agree {
				return
			}
			up := o.Faults[0].Stage == schema.StagePhase2
			if (o.Phase1 != nil) != up {
				t.Errorf("phase 1 up: %v, want %v", o.Phase1 != nil, up)
			}
			if len(o.Phase2) != 0 {
				t.Errorf("phase 2 is up: %+v", o.Phase2)
			}
			if f := o.Faults[0]; f.InitiatorRow == (schema.RowRef{}) && f.ResponderRow == (schema.RowRef{}) {
				t.Errorf("the fault names no row: %+v", f)
			}
		})
	}
}

// Ensure that several things wrong come in the order in which they would show.
func TestModel_Faults_Order(t *testing.T) {
	a, b := hq(), fengshan()
	set(b, peers, "*3", "exchange-mode", "ike2")
	set(b, profiles, "*2", "dh-group", "modp1024")
	set(b, profiles, "*2", "enc-algorithm", "3des")
	b.Keys["*A"] = "other"
	set(b, identities, "*A", "remote-id", "address:203.0.113.9")
	set(b, policies, tunnelPolicy, "dst-address", "10.0.0.0/8")
	set(b, proposals, "*2", "pfs-group", "none")
	want := "disagree peer:exchange-mode:exchange-mode phase1:no-proposal:enc-algorithm phase1:no-proposal:dh-group" +
		" auth:key:secret auth:id:remote-id phase2:selectors:dst-address phase2:pfs-group:pfs-group"
	if got := summary(negotiate(t, ike.Model{}, a, b)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Ensure that what cannot be read decides only when nothing certain comes before it.
func TestModel_Unknown(t *testing.T) {
	tests := []struct {
		name string
		do   func(a, b schema.Party)
		want string
	}{
		{"key unknown", func(a, _ schema.Party) { delete(a.Keys, "*A") }, "cannot tell ?auth:key:secret"},
		{"key unknown behind a certain fault", func(a, b schema.Party) {
			delete(a.Keys, "*A")
			set(b, profiles, "*2", "dh-group", "modp1024")
		}, "disagree phase1:no-proposal:dh-group ?auth:key:secret"},
		{"key unknown before a certain fault", func(a, b schema.Party) {
			delete(a.Keys, "*A")
			set(b, proposals, "*2", "pfs-group", "none")
		}, "cannot tell phase2:pfs-group:pfs-group ?auth:key:secret"},
		{"cipher unknown", at(profiles, "*2", "enc-algorithm", "aes-256,kuznyechik"), "cannot tell ?phase1:unknown-value:enc-algorithm"},
		{"group unknown", from(profiles, "*2", "dh-group", "mlkem768"), "cannot tell ?phase1:unknown-value:dh-group"},
		{"address malformed", at(peers, "*3", "address", "198.51.100.300"), "cannot tell ?peer:unknown-value:address"},
		{"caller's address malformed", from(peers, "*3", "address", "198.51.100.1/99"), "cannot tell ?reach:unknown-value:address"},
		{"mode unknown", at(peers, "*3", "exchange-mode", "ike3"), "cannot tell ?peer:unknown-value:exchange-mode"},
		{"profile missing", at(peers, "*3", "profile", "gone"), "cannot tell ?phase1:missing-reference:profile"},
		{"proposal missing", at(policies, tunnelPolicy, "proposal", "gone"), "cannot tell ?phase2:missing-reference:proposal"},
		{"prefix malformed", at(policies, tunnelPolicy, "src-address", "192.168.10.0/33"), "cannot tell ?phase2:unknown-value:src-address"},
		{"caller's prefix malformed", from(policies, tunnelPolicy, "src-address", "lan"), "cannot tell ?phase2:unknown-value:src-address"},
		{"ID malformed", at(identities, "*A", "remote-id", "address:hq"), "cannot tell ?auth:unknown-value:remote-id"},
		{"expected ID malformed at the caller", from(identities, "*A", "remote-id", "dn"), "cannot tell ?reach:unknown-value:remote-id"},
		{"own ID malformed", at(identities, "*A", "my-id", "hq"), "cannot tell ?auth:unknown-value:my-id"},
		{"method unknown", at(identities, "*A", "auth-method", "kerberos"), "cannot tell ?auth:unknown-value:auth-method"},
		{"generate-policy unknown", at(identities, "*A", "generate-policy", "perhaps"), "cannot tell ?auth:unknown-value:generate-policy"},
		{"lifetime malformed", at(proposals, "*2", "lifetime", "soon"), "cannot tell ?phase2:unknown-value:lifetime"},
		{"PFS group unknown", from(proposals, "*2", "pfs-group", "x25519"), "cannot tell ?phase2:unknown-value:pfs-group"},
		{"P2 cipher unknown", at(proposals, "*2", "enc-algorithms", "aes-256-xts"), "cannot tell ?phase2:unknown-value:enc-algorithms"},
		{"local-address malformed", at(peers, "*3", "local-address", "wan"), "cannot tell ?peer:unknown-value:local-address"},
		{"a flag malformed", at(peers, "*3", "passive", "maybe"), "cannot tell ?peer:unknown-value:passive"},
		{"port 4500", from(peers, "*3", "port", "4500"), "cannot tell ?reach:unknown-value:port"},
		{"port malformed", from(peers, "*3", "port", "ike"), "cannot tell ?reach:unknown-value:port"},
		{"the caller's mode unknown", from(peers, "*3", "exchange-mode", "ike3"), "cannot tell ?reach:unknown-value:exchange-mode"},
		{"action unknown", at(policies, tunnelPolicy, "action", "sign"), "cannot tell ?phase2:unknown-value:action"},
		{"the caller's profile missing", from(peers, "*3", "profile", "gone"), "cannot tell ?phase1:missing-reference:profile"},
		{"the caller's proposal missing", from(policies, tunnelPolicy, "proposal", "gone"), "cannot tell ?phase2:missing-reference:proposal"},
		{"AH from a template", func(a, b schema.Party) {
			set(a, policies, tunnelPolicy, "ipsec-protocols", "ah")
			set(b, policies, tunnelPolicy, "peer", "nobody")
			set(b, identities, "*A", "generate-policy", "port-strict")
		}, "cannot tell ?phase2:ipsec-protocols:ipsec-protocols"},
		{"certificates", func(a, b schema.Party) { both(a, b, identities, "*A", "auth-method", "digital-signature") }, "cannot tell ?auth:auth-method:auth-method"},
		{"post-quantum key", at(profiles, "*2", "ppk", "psk"), "cannot tell ?phase1:unknown-value:ppk"},
		{"base mode", func(a, b schema.Party) { both(a, b, peers, "*3", "exchange-mode", "base") }, "cannot tell ?peer:unknown-value:exchange-mode"},
		{"a name as my-id in IKEv1", from(identities, "*A", "my-id", "fqdn:hq.example.net"), "cannot tell ?auth:id:my-id"},
		{"no such peer", func(a, _ schema.Party) { a.Rows[peers] = nil }, "cannot tell ?reach:missing-reference:.id"},
		{"mode config instead of policies", func(a, _ schema.Party) {
			set(a, policies, tunnelPolicy, "peer", "nobody")
			set(a, identities, "*A", "mode-config", "request-only")
		}, "cannot tell ?phase2:unknown-value:mode-config"},
		// A row that cannot be read and cannot answer is not judged.
		{"another row's address", func(_, b schema.Party) {
			b.Rows[peers] = append(b.Rows[peers], schema.Row{".id": "*9", "name": "x", "exchange-mode": "ike2", "address": "?"})
		}, "agree"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := hq(), fengshan()
			tt.do(a, b)
			if got := summary(negotiate(t, ike.Model{}, a, b)); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// Ensure that the row and what it says stand in what is unknown.
func TestModel_Unknown_Row(t *testing.T) {
	a, b := hq(), fengshan()
	set(b, profiles, "*2", "enc-algorithm", "aes-256,kuznyechik")
	f := negotiate(t, ike.Model{}, a, b).Unknown[0]
	want := schema.Fault{
		Stage: schema.StagePhase1, Code: schema.FaultUnknownRow, Attr: "enc-algorithm",
		Responder: "aes-256,kuznyechik", ResponderRow: schema.RowRef{Menu: profiles, ID: "*2"},
	}
	if f != want {
		t.Errorf("got  %+v\nwant %+v", f, want)
	}
}

// Ensure that the addresses of a caller's own making do what a router does with them.
func TestModel_Addresses(t *testing.T) {
	second := netip.MustParseAddr("198.51.100.2")
	tests := []struct {
		name string
		do   func(a, b *schema.Party)
		want string
	}{
		{"names at both ends", func(a, b *schema.Party) {
			set(*a, peers, "*3", "address", "fs.example.net")
			set(*b, peers, "*3", "address", "hq.example.net")
			a.Names = map[string]netip.Addr{"fs.example.net": fengshanAddr}
			b.Names = map[string]netip.Addr{"hq.example.net": hqAddr}
		}, "agree"},
		{"the name moved", func(a, _ *schema.Party) {
			set(*a, peers, "*3", "address", "fs.example.net")
			a.Names = map[string]netip.Addr{"fs.example.net": homeAddr}
		}, "disagree reach:elsewhere:address"},
		{"a second address as local-address", func(a, b *schema.Party) {
			a.Rows[addresses] = append(a.Rows[addresses], schema.Row{".id": "*2", "address": "198.51.100.2/24", "interface": "wan"})
			set(*a, peers, "*3", "local-address", second.String())
			set(*b, peers, "*3", "address", second.String())
		}, "agree"},
		{"a second address that the other end does not expect", func(a, _ *schema.Party) {
			a.Rows[addresses] = append(a.Rows[addresses], schema.Row{".id": "*2", "address": "198.51.100.2/24", "interface": "wan"})
			set(*a, peers, "*3", "local-address", second.String())
		}, "disagree peer:no-peer:address"},
		{"any-address responder", func(_, b *schema.Party) { set(*b, peers, "*3", "address", "") }, "agree"},
		{"any-address responder as newer routers print it", func(_, b *schema.Party) { set(*b, peers, "*3", "address", "::/0") }, "agree"},
		{"nobody knows the address", func(a, _ *schema.Party) { a.Local, a.Seen = netip.Addr{}, netip.Addr{} }, "cannot tell ?reach:unresolved:address"},
		{"only one address is given", func(a, b *schema.Party) { a.Local, b.Seen = netip.Addr{}, netip.Addr{} }, "agree"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := hq(), fengshan()
			tt.do(&a, &b)
			if got := summary(negotiate(t, ike.Model{}, a, b)); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// Ensure that no outcome ever shows a key, however the rows name one.
func TestModel_Secrets(t *testing.T) {
	a, b := hq(), fengshan()
	a.Keys["*A"], b.Keys["*A"] = "tops3cret-a", "tops3cret-b"
	both(a, b, identities, "*A", "secret", "tops3cret-row")
	o := negotiate(t, ike.Model{}, a, b)
	for _, f := range append(o.Faults, o.Unknown...) {
		if strings.Contains(f.Initiator+f.Responder, "tops3cret") {
			t.Errorf("a key in %+v", f)
		}
	}
}
