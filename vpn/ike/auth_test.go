package ike_test

import (
	"net/netip"
	"testing"

	"vpnbot/ros/schema"
	"vpnbot/vpn/ike"
)

// Ensure that IKEv2 compares IDs as the vendor's page words it: auto as remote-id
// takes any, a name must be the other's my-id, and the caller asks for it.
func TestModel_IDs_IKEv2(t *testing.T) {
	name := func(p schema.Party, attr, value string) { set(p, identities, "*A", attr, value) }
	tests := []struct {
		name  string
		model ike.Model
		do    func(a, b schema.Party)
		want  string
	}{
		{"names at both ends", ike.Model{}, func(a, b schema.Party) {
			name(a, "my-id", "fqdn:hq")
			name(a, "remote-id", "fqdn:fengshan")
			name(b, "my-id", "fqdn:fengshan")
			name(b, "remote-id", "fqdn:hq")
		}, "agree"},
		{"every kind", ike.Model{}, func(a, b schema.Party) {
			name(a, "my-id", "user-fqdn:bot@hq")
			name(b, "remote-id", "user-fqdn:bot@hq")
			name(b, "my-id", "key-id:7")
			name(a, "remote-id", "key-id:7")
		}, "agree"},
		{"the kind counts", ike.Model{}, func(a, b schema.Party) {
			name(a, "my-id", "fqdn:hq")
			name(b, "remote-id", "key-id:hq")
		}, "disagree auth:id:remote-id"},
		{"the responder expects a name", ike.Model{}, func(_, b schema.Party) { name(b, "remote-id", "fqdn:hq") }, "disagree auth:id:remote-id"},
		{"the caller expects a name", ike.Model{}, func(a, _ schema.Party) { name(a, "remote-id", "fqdn:fengshan") }, "disagree auth:id:my-id"},
		{"auto takes a name", ike.Model{}, func(a, _ schema.Party) { name(a, "my-id", "fqdn:hq") }, "agree"},
		{"auto takes the address alone", ike.Model{AutoChecksAddress: true}, func(a, _ schema.Party) { name(a, "my-id", "fqdn:hq") }, "disagree auth:id:remote-id"},
		{"ignore takes anything", ike.Model{AutoChecksAddress: true}, func(a, b schema.Party) {
			name(a, "my-id", "fqdn:hq")
			name(b, "remote-id", "ignore")
		}, "agree"},
		{"auto is the address", ike.Model{}, func(_, b schema.Party) { name(b, "remote-id", "address:198.51.100.1") }, "agree"},
		{"the responder's name is not asked for", ike.Model{}, func(_, b schema.Party) { name(b, "my-id", "fqdn:fengshan") }, "agree"},
		{"the responder insists on its name", ike.Model{StrictIDr: true}, func(_, b schema.Party) { name(b, "my-id", "fqdn:fengshan") }, "disagree auth:id:my-id"},
		{"two methods", ike.Model{}, func(_, b schema.Party) { name(b, "auth-method", "digital-signature") }, "disagree auth:auth-method:auth-method"},
		{"EAP on one side", ike.Model{}, func(a, b schema.Party) {
			name(a, "auth-method", "eap")
			name(b, "auth-method", "eap-radius")
		}, "cannot tell ?auth:auth-method:auth-method"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := hq(), fengshan()
			both(a, b, peers, "*3", "exchange-mode", "ike2")
			tt.do(a, b)
			if got := summary(negotiate(t, tt.model, a, b)); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// Ensure that several spokes share one any-address IKEv2 peer and are told apart by
// their IDs, each with its own key.
func TestModel_IDs_Spokes(t *testing.T) {
	office := func() schema.Party {
		p := fengshan()
		set(p, peers, "*3", "address", "0.0.0.0/0")
		set(p, peers, "*3", "passive", "yes")
		set(p, peers, "*3", "exchange-mode", "ike2")
		p.Rows[identities] = []schema.Row{
			{".id": "*1", "peer": "other", "remote-id": "auto"},
			{".id": "*2", "peer": "other", "remote-id": "fqdn:taichung"},
			{".id": "*5", "peer": "other", "remote-id": "fqdn:hq"},
			{".id": "*6", "peer": "other", "remote-id": "fqdn:off", "disabled": "true"},
		}
		p.Keys = map[string]string{"*1": "any", "*2": "taichung", "*5": "hq", "*6": "off"}
		return p
	}
	spoke := func(id, key string) schema.Party {
		p := hq()
		set(p, peers, "*3", "exchange-mode", "ike2")
		set(p, identities, "*A", "my-id", id)
		p.Keys["*A"] = key
		return p
	}
	tests := []struct {
		id, key  string
		model    ike.Model
		want     string
		identity string
	}{
		{"fqdn:hq", "hq", ike.Model{}, "agree", "*5"},
		{"fqdn:taichung", "taichung", ike.Model{}, "agree", "*2"},
		{"fqdn:taichung", "hq", ike.Model{}, "disagree auth:key:secret", ""},
		{"fqdn:off", "any", ike.Model{}, "agree", "*1"},
		{"fqdn:hq", "any", ike.Model{IdentitiesInOrder: true}, "agree", "*1"},
	}
	for _, tt := range tests {
		o := negotiate(t, tt.model, spoke(tt.id, tt.key), office())
		if got := summary(o); got != tt.want {
			t.Errorf("%s with key %s: got %s, want %s", tt.id, tt.key, got, tt.want)
			continue
		}
		if o.Phase1 != nil && o.Phase1.Identity != tt.identity {
			t.Errorf("%s: identity %s, want %s", tt.id, o.Phase1.Identity, tt.identity)
		}
	}
}

// Ensure that the identities of a less specific peer are looked at only where the
// switch says so.
func TestModel_IDs_OfAllPeers(t *testing.T) {
	a, b := hq(), fengshan()
	both(a, b, peers, "*3", "exchange-mode", "ike2")
	set(a, identities, "*A", "my-id", "fqdn:hq")
	set(b, identities, "*A", "remote-id", "fqdn:other")
	b.Rows[peers] = append(b.Rows[peers], schema.Row{".id": "*7", "name": "spokes", "exchange-mode": "ike2", "passive": "yes"})
	b.Rows[identities] = append(b.Rows[identities], schema.Row{".id": "*C", "peer": "spokes", "remote-id": "fqdn:hq"})
	b.Keys["*C"] = "tunnel"
	if got := summary(negotiate(t, ike.Model{}, a, b)); got != "disagree auth:id:remote-id" {
		t.Errorf("got %s", got)
	}
	o := negotiate(t, ike.Model{IdentitiesOfAllPeers: true}, a, b)
	if got := summary(o); got != "agree" || o.Phase1.Identity != "*C" {
		t.Errorf("all peers: got %s", got)
	}
}

// Ensure that a responder's IKEv1 identity follows from its peer: the first enabled
// one, whatever its remote-id. IKEv1 has no other way with a pre-shared key, since
// the ID comes under that key (RFC 2409, 5.4).
func TestModel_IDs_IKEv1(t *testing.T) {
	a, b := hq(), fengshan()
	b.Rows[identities] = append([]schema.Row{{".id": "*0", "peer": "other", "disabled": "yes"}, {".id": "*1", "peer": "other"}}, b.Rows[identities]...)
	b.Keys["*1"] = "first"
	if got := summary(negotiate(t, ike.Model{}, a, b)); got != "disagree auth:key:secret" {
		t.Errorf("got %s", got)
	}
	b.Keys["*1"] = "tunnel"
	if o := negotiate(t, ike.Model{}, a, b); o.Verdict != schema.Agree || o.Phase1.Identity != "*1" {
		t.Errorf("got %s", summary(o))
	}
}

// Ensure what NAT between the ends does: traffic needs NAT traversal, which IKEv2
// always has; the caller's ID stays the address that it sends from; who stands behind
// NAT cannot be called.
func TestModel_NAT(t *testing.T) {
	private := netip.MustParseAddr("10.0.0.2")
	tests := []struct {
		name  string
		model ike.Model
		mode  string
		do    func(a, b schema.Party)
		want  string
	}{
		{"main", ike.Model{}, "main", nil, "agree"},
		{"ike2", ike.Model{}, "ike2", nil, "agree"},
		{"off at the caller", ike.Model{}, "main", from(profiles, "*2", "nat-traversal", "no"), "disagree phase1:nat-traversal:nat-traversal"},
		{"off at the responder", ike.Model{}, "main", at(profiles, "*2", "nat-traversal", "false"), "disagree phase1:nat-traversal:nat-traversal"},
		// The page lists nat-traversal among what IKEv2 ignores.
		{"off in ike2", ike.Model{}, "ike2", at(profiles, "*2", "nat-traversal", "false"), "agree"},
		{"the ID is the private address", ike.Model{}, "ike2", at(identities, "*A", "remote-id", "address:10.0.0.2"), "agree"},
		{"the ID is not the public address", ike.Model{}, "ike2", at(identities, "*A", "remote-id", "address:198.51.100.1"), "disagree auth:id:remote-id"},
		{"auto would see another address", ike.Model{AutoChecksAddress: true}, "ike2", nil, "disagree auth:id:remote-id"},
		{"AH", ike.Model{}, "main", func(a, b schema.Party) { both(a, b, policies, tunnelPolicy, "ipsec-protocols", "ah") }, "disagree phase2:nat-traversal:ipsec-protocols"},
		{"transport mode", ike.Model{}, "main", func(a, b schema.Party) { both(a, b, policies, tunnelPolicy, "tunnel", "no") }, "cannot tell ?phase2:mode:tunnel"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := hq(), fengshan()
			a.Local = private
			both(a, b, peers, "*3", "exchange-mode", tt.mode)
			if tt.do != nil {
				tt.do(a, b)
			}
			o := negotiate(t, tt.model, a, b)
			if got := summary(o); got != tt.want {
				t.Fatalf("got  %s\nwant %s", got, tt.want)
			}
			if o.Verdict == schema.Agree && !o.Phase1.NATTraversal {
				t.Error("NAT traversal is not in use")
			}
			if got := summary(negotiate(t, ike.Model{}, b, a)); got[:len("disagree reach:nat:address")] != "disagree reach:nat:address" {
				t.Errorf("the other way: %s", got)
			}
		})
	}
}
