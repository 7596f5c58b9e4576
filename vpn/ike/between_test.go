package ike_test

import (
	"net/netip"
	"testing"

	"vpnbot/ros/schema"
	"vpnbot/vpn/ike"
)

// Ensure that a prediction joins both directions and the rekey.
func TestModel_Between(t *testing.T) {
	tests := []struct {
		name      string
		do        func(a, b schema.Party)
		want      schema.Verdict
		initiates [2]bool
		fault     string // the code of the first fault or unknown thing
	}{
		{"good", func(_, _ schema.Party) {}, schema.Agree, [2]bool{true, true}, ""},
		{"one passive", at(peers, "*3", "passive", "yes"), schema.Agree, [2]bool{true, false}, ""},
		{"both passive", func(a, b schema.Party) { both(a, b, peers, "*3", "passive", "yes") }, schema.Disagree, [2]bool{}, schema.FaultPassive},
		{"one takes any address", at(peers, "*3", "address", "0.0.0.0/0"), schema.Agree, [2]bool{true, false}, ""},
		{"one lacks a second policy", func(a, _ schema.Party) {
			a.Rows[policies] = append(a.Rows[policies], pol("*2", "192.168.78.0/24", "192.168.10.0/24"))
		}, schema.Disagree, [2]bool{true, true}, schema.FaultSelectors},
		{"ike2 that fails at the rekey", func(a, b schema.Party) {
			both(a, b, peers, "*3", "exchange-mode", "ike2")
			set(b, proposals, "*2", "pfs-group", "none")
		}, schema.Disagree, [2]bool{true, true}, schema.FaultPFS},
		{"a key that nobody knows", func(a, _ schema.Party) { delete(a.Keys, "*A") }, schema.CannotTell, [2]bool{true, true}, schema.FaultKey},
		{"sure one way only", func(a, b schema.Party) {
			// proposal-check is the responder's: one direction fails, the other does not.
			set(b, profiles, "*2", "proposal-check", "strict")
			set(a, proposals, "*2", "lifetime", "1h")
		}, schema.Disagree, [2]bool{true, true}, schema.FaultLifetime},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := hq(), fengshan()
			tt.do(a, b)
			p := ike.Model{}.Between(ike.End{Party: a, Peer: "*3"}, ike.End{Party: b, Peer: "*3"})
			if p.Verdict != tt.want {
				t.Errorf("verdict %s, want %s; faults %+v, unknown %+v", p.Verdict, tt.want, p.Faults, p.Unknown)
			}
			if got := [2]bool{p.Calls[0].Initiates, p.Calls[1].Initiates}; got != tt.initiates {
				t.Errorf("initiates %v, want %v", got, tt.initiates)
			}
			if all := append(p.Faults, p.Unknown...); tt.fault == "" && len(all) > 0 || tt.fault != "" && (len(all) == 0 || all[0].Code != tt.fault) {
				t.Errorf("found %+v, want %q first", all, tt.fault)
			}
		})
	}
}

// Ensure that a prediction finds the tunnel's peers by the other end's address when
// there is one each, and cannot tell when there are two.
func TestModel_Between_Peers(t *testing.T) {
	a, b := hq(), fengshan()
	set(b, peers, "*3", "address", "hq.example.net")
	b.Names = map[string]netip.Addr{"hq.example.net": hqAddr}
	if p := (ike.Model{}).Between(ike.End{Party: a}, ike.End{Party: b}); p.Verdict != schema.Agree {
		t.Errorf("got %s: %+v", p.Verdict, p.Unknown)
	}
	a.Rows[peers] = append(a.Rows[peers], schema.Row{".id": "*5", "name": "twin", "address": fengshanAddr.String(), "exchange-mode": "ike2", "profile": "s2s"})
	p := ike.Model{}.Between(ike.End{Party: a}, ike.End{Party: b})
	if p.Calls[0].Initiates || p.Calls[0].First.Verdict != schema.CannotTell || !p.Calls[1].Initiates {
		t.Errorf("got %+v", p.Calls)
	}
	set(a, peers, "*5", "disabled", "yes")
	if p := (ike.Model{}).Between(ike.End{Party: a}, ike.End{Party: b}); p.Verdict != schema.Agree {
		t.Errorf("with the twin off: %s", p.Verdict)
	}
}

// Ensure that a tunnel is refused whose call another row answers, although that row
// would agree.
func TestModel_Between_OtherPeer(t *testing.T) {
	a, b := hq(), fengshan()
	twin := b.Rows[peers][0].Clone()
	twin[".id"], twin["address"] = "*9", "198.51.100.0/24"
	b.Rows[peers] = append(b.Rows[peers], twin)
	set(b, peers, "*3", "local-address", "")
	p := ike.Model{}.Between(ike.End{Party: a, Peer: "*3"}, ike.End{Party: b, Peer: "*9"})
	if p.Verdict != schema.Disagree || p.Faults[0].Code != schema.FaultOtherPeer || p.Faults[0].ResponderRow.ID != "*3" {
		t.Errorf("got %s, %+v", p.Verdict, p.Faults)
	}
}
