package ike_test

import (
	"testing"

	"vpnbot/ros/schema"
	"vpnbot/vpn/ike"
)

// pol is a further policy of the tunnel.
func pol(id, src, dst string, more ...string) schema.Row {
	r := schema.Row{".id": id, "peer": "other", "tunnel": "true", "src-address": src, "dst-address": dst, "proposal": "s2s"}
	for i := 0; i < len(more); i += 2 {
		r[more[i]] = more[i+1]
	}
	return r
}

// Ensure that algorithms are compared as sets, and that a cipher that authenticates
// by itself needs no hash in common.
func TestModel_Proposals(t *testing.T) {
	tests := []struct {
		name                 string
		enc, auth            [2]string
		want, cipher, digest string
	}{
		{"sets", [2]string{"aes-128-cbc,aes-256-cbc", "3des,aes-256-cbc,aes-128-cbc"}, [2]string{"md5,sha1,sha256", "sha1"}, "agree", "aes-256-cbc", "sha1"},
		{"GCM needs no hash", [2]string{"aes-256-gcm", "aes-256-gcm"}, [2]string{"sha1", "sha256"}, "agree", "aes-256-gcm", ""},
		{"GCM where hashes differ", [2]string{"aes-256-cbc,aes-128-gcm", "aes-128-gcm,aes-256-cbc"}, [2]string{"sha1", "sha256"}, "agree", "aes-128-gcm", ""},
		{"ChaCha20", [2]string{"chacha20poly1305", "chacha20poly1305"}, [2]string{"sha1", "null"}, "agree", "chacha20poly1305", ""},
		{"CTR needs a hash", [2]string{"aes-256-ctr", "aes-256-ctr"}, [2]string{"sha1", "sha256"}, "disagree phase2:no-proposal:auth-algorithms", "", ""},
		{"GCM against CBC", [2]string{"aes-256-gcm", "aes-256-cbc"}, [2]string{"sha1", "sha256"}, "disagree phase2:no-proposal:enc-algorithms", "", ""},
		{"nothing in common", [2]string{"aes-256-cbc", "3des"}, [2]string{"sha1", "sha256"}, "disagree phase2:no-proposal:enc-algorithms phase2:no-proposal:auth-algorithms", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := hq(), fengshan()
			for i, p := range []schema.Party{a, b} {
				set(p, proposals, "*2", "enc-algorithms", tt.enc[i])
				set(p, proposals, "*2", "auth-algorithms", tt.auth[i])
			}
			o := negotiate(t, ike.Model{}, a, b)
			if got := summary(o); got != tt.want {
				t.Fatalf("got  %s\nwant %s", got, tt.want)
			}
			if len(o.Phase2) == 1 && (o.Phase2[0].Encryption != tt.cipher || o.Phase2[0].Auth != tt.digest) {
				t.Errorf("agreed on %s and %q, want %s and %q", o.Phase2[0].Encryption, o.Phase2[0].Auth, tt.cipher, tt.digest)
			}
		})
	}
}

// Ensure that PFS is part of every IKEv1 negotiation, but in IKEv2 not of the pair of
// SAs that comes with the IKE SA (RFC 7296, 1.2): a difference shows at the rekey, and
// the first outcome warns of it.
func TestModel_PFS(t *testing.T) {
	const pfs = "disagree phase2:pfs-group:pfs-group"
	tests := []struct {
		name        string
		model       ike.Model
		mode, check string
		rekey       bool
		from, to    string
		want        string
		hints       int
	}{
		{"main", ike.Model{}, "main", "obey", false, "modp2048", "modp1024", pfs, 0},
		{"ike2 at first", ike.Model{}, "ike2", "obey", false, "modp2048", "modp1024", "agree", 1},
		{"ike2 at the rekey", ike.Model{}, "ike2", "obey", true, "modp2048", "modp1024", pfs, 0},
		{"ike2 alike", ike.Model{}, "ike2", "obey", false, "modp2048", "modp2048", "agree", 0},
		{"obey", ike.Model{CheckCoversPFS: true}, "main", "obey", false, "modp2048", "modp1024", "agree", 0},
		{"strict and none", ike.Model{CheckCoversPFS: true}, "main", "strict", false, "modp2048", "none", "agree", 0},
		{"claim and another", ike.Model{CheckCoversPFS: true}, "main", "claim", false, "modp2048", "modp1024", pfs, 0},
		{"exact and none", ike.Model{CheckCoversPFS: true}, "main", "exact", false, "modp2048", "none", pfs, 0},
		{"obey in ike2", ike.Model{CheckCoversPFS: true}, "ike2", "obey", true, "modp2048", "none", pfs, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := hq(), fengshan()
			both(a, b, peers, "*3", "exchange-mode", tt.mode)
			both(a, b, profiles, "*2", "proposal-check", tt.check)
			set(a, proposals, "*2", "pfs-group", tt.from)
			set(b, proposals, "*2", "pfs-group", tt.to)
			o, err := tt.model.Negotiate(t.Context(), schema.Attempt{Initiator: a, Responder: b, Peer: "*3", Rekey: tt.rekey})
			if err != nil {
				t.Fatal(err)
			}
			if got := summary(o); got != tt.want || len(o.Hints) != tt.hints {
				t.Errorf("got %s with hints %+v, want %s with %d", got, o.Hints, tt.want, tt.hints)
			}
		})
	}
}

// Ensure that the second policy of an IKEv2 tunnel has PFS at once: it comes by an
// exchange of its own.
func TestModel_PFS_SecondPolicy(t *testing.T) {
	a, b := hq(), fengshan()
	both(a, b, peers, "*3", "exchange-mode", "ike2")
	set(b, proposals, "*2", "pfs-group", "none")
	a.Rows[policies] = append(a.Rows[policies], pol("*2", "192.168.78.0/24", "192.168.10.0/24"))
	b.Rows[policies] = append(b.Rows[policies], pol("*2", "192.168.10.0/24", "192.168.78.0/24"))
	o := negotiate(t, ike.Model{}, a, b)
	if got := summary(o); got != "disagree phase2:pfs-group:pfs-group" || len(o.Phase2) != 1 {
		t.Errorf("got %s, %d up", got, len(o.Phase2))
	}
}

// Ensure that proposal-check follows the vendor's words: obey takes what is proposed,
// claim the shorter, strict nothing longer, exact nothing else.
func TestModel_ProposalCheck(t *testing.T) {
	tests := []struct {
		check, proposed, own, want, lifetime string
	}{
		{"obey", "2h", "30m", "agree", "2h"},
		{"obey", "10m", "30m", "agree", "10m"},
		{"claim", "2h", "30m", "agree", "30m"},
		{"claim", "10m", "30m", "agree", "10m"},
		{"strict", "10m", "30m", "agree", "10m"},
		{"strict", "00:30:00", "30m", "agree", "30m"},
		{"strict", "2h", "30m", "disagree phase2:proposal-check:lifetime", ""},
		{"exact", "1800s", "30m", "agree", "30m"},
		{"exact", "10m", "30m", "disagree phase2:proposal-check:lifetime", ""},
		{"", "2h", "", "agree", "2h"}, // the defaults: obey, 30m
	}
	for _, tt := range tests {
		a, b := hq(), fengshan()
		set(a, proposals, "*2", "lifetime", tt.proposed)
		set(b, proposals, "*2", "lifetime", tt.own)
		set(b, profiles, "*2", "proposal-check", tt.check)
		o := negotiate(t, ike.Model{}, a, b)
		if got := summary(o); got != tt.want {
			t.Errorf("%s %s to %s: got %s, want %s", tt.check, tt.proposed, tt.own, got, tt.want)
		} else if len(o.Phase2) == 1 && o.Phase2[0].LifetimeText != tt.lifetime {
			t.Errorf("%s %s to %s: lifetime %s, want %s", tt.check, tt.proposed, tt.own, o.Phase2[0].LifetimeText, tt.lifetime)
		}
		// IKEv2 ignores proposal-check, as the page says, and negotiates no lifetimes.
		both(a, b, peers, "*3", "exchange-mode", "ike2")
		if got := summary(negotiate(t, ike.Model{CheckPhase1Lifetime: true}, a, b)); got != "agree" {
			t.Errorf("%s in ike2: %s", tt.check, got)
		}
	}
}

// Ensure how policies of several kinds meet.
func TestModel_Policies(t *testing.T) {
	tests := []struct {
		name  string
		model ike.Model
		do    func(a, b schema.Party)
		want  string
		up    int
	}{
		{"two of each", ike.Model{}, func(a, b schema.Party) {
			a.Rows[policies] = append(a.Rows[policies], pol("*2", "192.168.78.0/24", "192.168.10.0/24"))
			b.Rows[policies] = append(b.Rows[policies], pol("*2", "192.168.10.0/24", "192.168.78.0/24"))
		}, "agree", 2},
		{"one of two", ike.Model{}, func(a, b schema.Party) {
			a.Rows[policies] = append(a.Rows[policies], pol("*2", "192.168.78.0/24", "192.168.10.0/24"))
		}, "disagree phase2:selectors:dst-address", 1},
		{"more at the responder", ike.Model{}, func(_, b schema.Party) {
			b.Rows[policies] = append(b.Rows[policies], pol("*2", "192.168.10.0/24", "192.168.78.0/24"))
		}, "agree", 1},
		{"a duplicate at the caller", ike.Model{}, func(a, _ schema.Party) {
			a.Rows[policies] = append(a.Rows[policies], pol("*2", "192.168.77.0/24", "192.168.10.0/24"))
		}, "disagree phase2:invalid:invalid", 1},
		{"a duplicate that is off", ike.Model{}, func(a, _ schema.Party) {
			a.Rows[policies] = append(a.Rows[policies], pol("*2", "192.168.77.0/24", "192.168.10.0/24", "disabled", "true"))
		}, "agree", 1},
		{"another peer's policy has the selectors", ike.Model{}, func(_, b schema.Party) {
			b.Rows[policies] = append([]schema.Row{pol("*2", "192.168.10.0/24", "192.168.77.0/24", "peer", "old")}, b.Rows[policies]...)
		}, "disagree phase2:invalid:invalid", 0},
		{"a policy of two peers", ike.Model{}, func(a, _ schema.Party) { set(a, policies, tunnelPolicy, "peer", "backup,other") }, "agree", 1},
		{"what an earlier negotiation left", ike.Model{}, func(a, b schema.Party) {
			a.Rows[policies] = append(a.Rows[policies], pol("*2", "192.168.99.0/24", "192.168.10.0/24", "dynamic", "true"))
		}, "agree", 1},
		{"everything", ike.Model{}, func(a, b schema.Party) {
			set(a, policies, tunnelPolicy, "dst-address", "0.0.0.0/0")
			set(b, policies, tunnelPolicy, "src-address", "::/0")
		}, "agree", 1},
		{"host bits do not count", ike.Model{}, func(a, b schema.Party) { set(a, policies, tunnelPolicy, "src-address", "192.168.77.1/24") }, "agree", 1},
		{"ports mirrored", ike.Model{}, func(a, b schema.Party) {
			both(a, b, policies, tunnelPolicy, "protocol", "tcp")
			set(a, policies, tunnelPolicy, "dst-port", "443")
			set(b, policies, tunnelPolicy, "src-port", "443")
		}, "agree", 1},
		{"transport between the routers", ike.Model{}, func(a, b schema.Party) {
			for _, p := range []schema.Party{a, b} {
				set(p, policies, tunnelPolicy, "tunnel", "no")
				set(p, policies, tunnelPolicy, "src-address", "")
				set(p, policies, tunnelPolicy, "dst-address", "")
			}
		}, "agree", 1},
		{"AH at both ends", ike.Model{}, func(a, b schema.Party) { both(a, b, policies, tunnelPolicy, "ipsec-protocols", "ah") }, "agree", 1},
		{"level use", ike.Model{}, from(policies, tunnelPolicy, "level", "use"), "agree", 1},
		{"level use waits", ike.Model{UseWaits: true}, from(policies, tunnelPolicy, "level", "use"), "disagree phase2:passive:level", 0},
		{"IKEv2 narrower", ike.Model{NarrowIKEv2: true}, func(a, b schema.Party) {
			both(a, b, peers, "*3", "exchange-mode", "ike2")
			set(b, policies, tunnelPolicy, "src-address", "192.168.10.0/25")
		}, "agree", 1},
		{"IKEv2 narrower, not narrowed", ike.Model{}, func(a, b schema.Party) {
			both(a, b, peers, "*3", "exchange-mode", "ike2")
			set(b, policies, tunnelPolicy, "src-address", "192.168.10.0/25")
		}, "disagree phase2:selectors:src-address", 0},
		{"IKEv1 never narrows", ike.Model{NarrowIKEv2: true}, func(_, b schema.Party) {
			set(b, policies, tunnelPolicy, "src-address", "192.168.10.0/25")
		}, "disagree phase2:selectors:src-address", 0},
		{"IKEv2 with nothing to narrow to", ike.Model{NarrowIKEv2: true}, func(a, b schema.Party) {
			both(a, b, peers, "*3", "exchange-mode", "ike2")
			set(b, policies, tunnelPolicy, "src-address", "192.168.11.0/24")
		}, "disagree phase2:selectors:src-address", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := hq(), fengshan()
			tt.do(a, b)
			o := negotiate(t, tt.model, a, b)
			if got := summary(o); got != tt.want || len(o.Phase2) != tt.up {
				t.Errorf("got  %s, %d up\nwant %s, %d up", got, len(o.Phase2), tt.want, tt.up)
			}
		})
	}
}

// Ensure that a responder makes policies from the templates of the identity's group,
// and from no others.
func TestModel_Generate(t *testing.T) {
	template := func(id, src, dst, group string) schema.Row {
		return schema.Row{".id": id, "template": "yes", "src-address": src, "dst-address": dst, "group": group, "proposal": "s2s"}
	}
	tests := []struct {
		name string
		do   func(b schema.Party)
		want string
	}{
		{"from a group of its own", func(b schema.Party) {
			b.Rows[policies] = []schema.Row{template("*2", "192.168.10.0/24", "192.168.0.0/16", "sites")}
		}, "agree"},
		{"either way of naming ports", func(b schema.Party) {
			b.Rows[policies] = []schema.Row{template("*2", "0.0.0.0/0", "0.0.0.0/0", "sites")}
			set(b, identities, "*A", "generate-policy", "port-override")
		}, "agree"},
		{"the caller asks for more", func(b schema.Party) {
			b.Rows[policies] = []schema.Row{template("*2", "192.168.10.0/25", "192.168.0.0/16", "sites")}
		}, "disagree phase2:no-policy:policy-template-group"},
		{"another group", func(b schema.Party) {
			b.Rows[policies] = []schema.Row{template("*2", "0.0.0.0/0", "0.0.0.0/0", "default")}
		}, "disagree phase2:no-policy:policy-template-group"},
		{"the group is missing", func(b schema.Party) {
			b.Rows[policies] = nil
			set(b, identities, "*A", "policy-template-group", "gone")
		}, "cannot tell ?phase2:missing-reference:policy-template-group"},
		{"no group", func(b schema.Party) {
			b.Rows[policies] = nil
			set(b, identities, "*A", "policy-template-group", "none")
		}, "cannot tell ?phase2:unknown-value:policy-template-group"},
		{"a policy of its own goes first", func(b schema.Party) {
			b.Rows[policies] = append(b.Rows[policies], template("*2", "0.0.0.0/0", "0.0.0.0/0", "sites"))
			set(b, policies, tunnelPolicy, "tunnel", "no")
		}, "disagree phase2:mode:tunnel"},
		{"a template that cannot be read", func(b schema.Party) {
			b.Rows[policies] = []schema.Row{template("*2", "everything", "0.0.0.0/0", "sites")}
		}, "cannot tell ?phase2:unknown-value:src-address"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := hq(), fengshan()
			b.Rows[groups] = append(b.Rows[groups], schema.Row{".id": "*2", "name": "sites"})
			set(b, identities, "*A", "generate-policy", "port-strict")
			set(b, identities, "*A", "policy-template-group", "sites")
			tt.do(b)
			o := negotiate(t, ike.Model{}, a, b)
			if got := summary(o); got != tt.want {
				t.Fatalf("got  %s\nwant %s", got, tt.want)
			}
			if o.Verdict == schema.Agree && (!o.Phase2[0].Generated || o.Phase2[0].ResponderPolicy != "*2") {
				t.Errorf("agreed on %+v", o.Phase2[0])
			}
		})
	}
}

// Ensure that aggressive mode cannot negotiate the group: with several, it is sure
// only where the responder takes all of them or none.
func TestModel_Aggressive(t *testing.T) {
	for _, tt := range []struct{ groups, want string }{
		{"modp2048,ecp384,modp1024", "agree"},
		{"ecp384", "cannot tell ?phase1:unknown-value:dh-group"},
		{"modp1024", "disagree phase1:no-proposal:dh-group"},
	} {
		a, b := hq(), fengshan()
		both(a, b, peers, "*3", "exchange-mode", "aggressive")
		set(b, profiles, "*2", "dh-group", tt.groups)
		if got := summary(negotiate(t, ike.Model{}, a, b)); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.groups, got, tt.want)
		}
	}
}

// Ensure that IKEv2 compares the pseudo-random function apart from the hash.
func TestModel_PRF(t *testing.T) {
	for _, tt := range []struct{ mode, from, to, want string }{
		{"main", "sha512", "auto", "agree"},
		{"ike2", "sha256", "auto", "agree"},
		{"ike2", "sha512", "auto", "disagree phase1:no-proposal:prf-algorithm"},
	} {
		a, b := hq(), fengshan()
		both(a, b, peers, "*3", "exchange-mode", tt.mode)
		set(a, profiles, "*2", "prf-algorithm", tt.from)
		set(b, profiles, "*2", "prf-algorithm", tt.to)
		if got := summary(negotiate(t, ike.Model{}, a, b)); got != tt.want {
			t.Errorf("%s, %s against %s: got %s, want %s", tt.mode, tt.from, tt.to, got, tt.want)
		}
	}
}
