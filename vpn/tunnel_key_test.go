package vpn_test

import (
	"testing"
	"time"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// Ensure a committed change leaves its key mark in the definition's next version,
// and no key.
func TestAfterCommit(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	body, err := vpn.Tunnel{Name: "hq-fengshan", Exchange: "main", PSK: "sealed-1", PSKMark: "psk:old"}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	def := change.Definition{DefinitionRef: change.DefinitionRef{Kind: vpn.KindTunnel, Name: "hq-fengshan", Version: 3}, Body: body}
	r := change.Request{Requester: "olga", Plan: change.Plan{Steps: []change.Step{
		{Menu: "/ip/ipsec/peer", Action: schema.Add},
		{Menu: "/ip/ipsec/identity", Action: schema.Add, Secrets: map[string]secret.Ref{"secret": "sealed-2"}, Marks: map[string]string{"secret": "psk:new"}},
	}}}
	next, old, ok, err := vpn.AfterCommit(now, def, r)
	if err != nil || !ok || old != "sealed-1" {
		t.Fatalf("got %v, %v, %v, want the old key named", old, ok, err)
	}
	if next.Version != 4 || next.Name != def.Name || next.By != "olga" || !next.At.Equal(now) {
		t.Errorf("got %+v, want the next version", next)
	}
	got, err := vpn.DecodeTunnel(next)
	if err != nil || got.PSK != "" || got.PSKMark != "psk:new" || got.Exchange != "main" {
		t.Errorf("got %+v, %v, want the new mark and no key", got, err)
	}
	if _, _, ok, err := vpn.AfterCommit(now, def, change.Request{}); ok || err != nil {
		t.Errorf("got %v, %v, want nothing new without a key", ok, err)
	}
}

// Ensure a plan that ends a definition leaves its last version, without a key.
func TestAfterCommit_Retires(t *testing.T) {
	body, err := vpn.Tunnel{Name: "hq-fengshan", PSK: "sealed", PSKMark: "psk:old"}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	def := change.Definition{DefinitionRef: change.DefinitionRef{Kind: vpn.KindTunnel, Name: "hq-fengshan", Version: 3}, Body: body}
	next, old, ok, err := vpn.AfterCommit(time.Now(), def, change.Request{Plan: change.Plan{Retires: true}})
	if err != nil || !ok || !next.Retired || next.Version != 4 || old != "sealed" {
		t.Fatalf("got %+v, %q, %v, %v", next, old, ok, err)
	}
	if got, err := vpn.DecodeTunnel(next); err != nil || got.PSK != "" || got.PSKMark != "psk:old" || got.Name != "hq-fengshan" {
		t.Errorf("got %+v, %v", got, err)
	}
}

// Ensure what a plan defines is the next version, or the first one, with the mark
// of the key that it wrote; a key that the definition still names is kept.
func TestAfterCommit_Defines(t *testing.T) {
	body := func(tunnel vpn.Tunnel) []byte {
		t.Helper()
		b, err := tunnel.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	ref := change.DefinitionRef{Kind: vpn.KindTunnel, Name: "hq-fengshan"}
	for _, tt := range []struct {
		name      string
		def       change.Definition
		defines   vpn.Tunnel
		mark, old string
		version   int
	}{
		{"first", change.Definition{DefinitionRef: ref}, vpn.Tunnel{Name: ref.Name}, "psk:new", "", 1},
		{"kept", change.Definition{DefinitionRef: change.DefinitionRef{Kind: ref.Kind, Name: ref.Name, Version: 3}, Body: body(vpn.Tunnel{PSK: "sealed"})}, vpn.Tunnel{Name: ref.Name, PSK: "sealed"}, "", "", 4},
		{"gone", change.Definition{DefinitionRef: change.DefinitionRef{Kind: ref.Kind, Name: ref.Name, Version: 3}, Body: body(vpn.Tunnel{PSK: "sealed"})}, vpn.Tunnel{Name: ref.Name}, "", "sealed", 4},
	} {
		r := change.Request{Requester: "olga", Plan: change.Plan{Defines: body(tt.defines)}}
		if tt.mark != "" {
			r.Plan.Steps = []change.Step{{Menu: "/ip/ipsec/identity", Action: schema.Add, Marks: map[string]string{"secret": tt.mark}}}
		}
		next, old, ok, err := vpn.AfterCommit(time.Now(), tt.def, r)
		if err != nil || !ok || string(old) != tt.old || next.Version != tt.version {
			t.Errorf("%s: got version %d, old key %q, %v, %v", tt.name, next.Version, old, ok, err)
		}
		got, err := vpn.DecodeTunnel(next)
		if err != nil || got.Name != ref.Name || got.PSKMark != tt.mark || got.PSK != tt.defines.PSK {
			t.Errorf("%s: got %+v, %v", tt.name, got, err)
		}
	}
}
