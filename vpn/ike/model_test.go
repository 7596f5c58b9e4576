package ike_test

import (
	"context"
	"fmt"
	"net/netip"
	"testing"

	"vpnbot/ros/schema"
	"vpnbot/vpn/ike"
)

// The two sites of these tests: hq and fengshan, each with a public address.
var (
	hqAddr       = netip.MustParseAddr("198.51.100.1")
	fengshanAddr = netip.MustParseAddr("198.51.100.7")
	homeAddr     = netip.MustParseAddr("192.0.2.44")
)

type rows = map[string][]schema.Row

const (
	peers      = "/ip/ipsec/peer"
	profiles   = "/ip/ipsec/profile"
	identities = "/ip/ipsec/identity"
	policies   = "/ip/ipsec/policy"
	groups     = "/ip/ipsec/policy/group"
	proposals  = "/ip/ipsec/proposal"
	addresses  = "/ip/address"
)

// site is a router as it prints itself, with one good tunnel to another.
func site(name string, local, remote netip.Addr, lan, otherLAN string) schema.Party {
	return schema.Party{
		Name: name, Local: local, Seen: local,
		Keys: map[string]string{"*A": "tunnel"},
		Rows: rows{
			addresses: {{".id": "*1", "address": local.String() + "/24", "interface": "wan"}},
			profiles: {
				{".id": "*1", "name": "default", "hash-algorithm": "sha1", "enc-algorithm": "aes-128,3des", "dh-group": "modp2048,modp1024", "lifetime": "1d", "proposal-check": "obey", "nat-traversal": "true", "default": "true"},
				{".id": "*2", "name": "s2s", "hash-algorithm": "sha256", "enc-algorithm": "aes-256", "dh-group": "ecp384,modp2048", "lifetime": "1d", "proposal-check": "obey", "nat-traversal": "true"},
			},
			proposals: {
				{".id": "*0", "name": "default", "auth-algorithms": "sha1", "enc-algorithms": "aes-256-cbc,aes-192-cbc,aes-128-cbc", "lifetime": "30m", "pfs-group": "none", "disabled": "false", "default": "true"},
				{".id": "*2", "name": "s2s", "auth-algorithms": "sha256", "enc-algorithms": "aes-256-cbc", "lifetime": "30m", "pfs-group": "modp2048", "disabled": "false"},
			},
			peers:      {{".id": "*3", "name": "other", "address": remote.String() + "/32", "profile": "s2s", "exchange-mode": "main", "disabled": "false", "dynamic": "false"}},
			identities: {{".id": "*A", "peer": "other", "auth-method": "pre-shared-key", "generate-policy": "no", "disabled": "false", "dynamic": "false"}},
			policies: {
				{".id": "*FFFFFF", "group": "default", "src-address": "::/0", "dst-address": "::/0", "protocol": "all", "proposal": "default", "template": "true", "default": "true", "disabled": "false"},
				{".id": "*1000001", "peer": "other", "tunnel": "true", "src-address": lan, "src-port": "any", "dst-address": otherLAN, "dst-port": "any", "protocol": "all", "action": "encrypt", "level": "require", "ipsec-protocols": "esp", "proposal": "s2s", "disabled": "false", "dynamic": "false"},
			},
			groups: {{".id": "*1", "name": "default", "default": "true"}},
		},
	}
}

func hq() schema.Party {
	return site("hq", hqAddr, fengshanAddr, "192.168.77.0/24", "192.168.10.0/24")
}

func fengshan() schema.Party {
	return site("fengshan", fengshanAddr, hqAddr, "192.168.10.0/24", "192.168.77.0/24")
}

// serveL2TP adds what an L2TP server with IPsec adds.
func serveL2TP(p schema.Party) schema.Party {
	p.Rows[peers] = append(p.Rows[peers], schema.Row{".id": "*4", "name": "l2tp-in-server", "address": "0.0.0.0/0", "passive": "true", "profile": "default", "exchange-mode": "main", "disabled": "false", "dynamic": "true", "responder": "true"})
	p.Rows[identities] = append(p.Rows[identities], schema.Row{".id": "*B", "peer": "l2tp-in-server", "auth-method": "pre-shared-key", "remote-id": "ignore", "generate-policy": "port-strict", "disabled": "false", "dynamic": "true"})
	p.Keys["*B"] = "l2tp"
	return p
}

// dial is a computer that calls from behind a NAT.
func dial(system string, seen netip.Addr) schema.Party {
	return schema.Party{Name: "pc", Local: netip.MustParseAddr("192.168.10.23"), Seen: seen, Client: &schema.Client{System: system, Key: "l2tp"}}
}

// set changes one attribute of the first row with the id; an empty value unsets it.
func set(p schema.Party, menu, id, attr, value string) {
	for _, r := range p.Rows[menu] {
		if r[schema.ID] == id {
			if value == "" {
				delete(r, attr)
			} else {
				r[attr] = value
			}
			return
		}
	}
	panic("no row " + menu + " " + id)
}

// both sets the attribute at both ends.
func both(a, b schema.Party, menu, id, attr, value string) {
	set(a, menu, id, attr, value)
	set(b, menu, id, attr, value)
}

func negotiate(t testing.TB, m ike.Model, from, to schema.Party) schema.Outcome {
	t.Helper()
	a := schema.Attempt{Initiator: from, Responder: to}
	if from.Client == nil {
		a.Peer = "*3"
	}
	o, err := m.Negotiate(t.Context(), a)
	if err != nil {
		t.Fatalf("Negotiate: %v", err)
	}
	return o
}

// summary is an outcome in one line: the verdict and the findings in order.
func summary(o schema.Outcome) string {
	s := string(o.Verdict)
	for _, f := range o.Faults {
		s += fmt.Sprintf(" %s:%s:%s", f.Stage, f.Code, f.Attr)
	}
	for _, f := range o.Unknown {
		s += fmt.Sprintf(" ?%s:%s:%s", f.Stage, f.Code, f.Attr)
	}
	return s
}

// Ensure that a good pair agrees in every exchange mode, from both ends, and that the
// outcome names what was agreed.
func TestModel_Agree(t *testing.T) {
	for _, mode := range []string{"main", "aggressive", "ike2"} {
		a, b := hq(), fengshan()
		both(a, b, peers, "*3", "exchange-mode", mode)
		for _, pair := range [][2]schema.Party{{a, b}, {b, a}} {
			o := negotiate(t, ike.Model{}, pair[0], pair[1])
			if got := summary(o); got != "agree" {
				t.Fatalf("%s from %s: %s", mode, pair[0].Name, got)
			}
			want := schema.Phase1{Exchange: mode, Encryption: "aes-256", Hash: "sha256", DHGroup: "ecp384", Peer: "*3", Identity: "*A", OwnIdentity: "*A", LifetimeText: "1d"}
			if *o.Phase1 != want {
				t.Errorf("%s: phase 1 is %+v, want %+v", mode, *o.Phase1, want)
			}
			if len(o.Phase2) != 1 {
				t.Fatalf("%s: %d pairs of SAs, want 1", mode, len(o.Phase2))
			}
			p := o.Phase2[0]
			if p.Encryption != "aes-256-cbc" || p.Auth != "sha256" || !p.Tunnel || p.LifetimeText != "30m" || p.InitiatorPolicy != "*1000001" || p.ResponderPolicy != "*1000001" {
				t.Errorf("%s: phase 2 is %+v", mode, p)
			}
		}
	}
}

// Ensure that a context that has ended ends the question.
func TestModel_Context(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (ike.Model{}).Negotiate(ctx, schema.Attempt{}); err == nil {
		t.Fatal("no error")
	}
}
