package ike_test

import (
	"net/netip"
	"slices"
	"testing"

	"vpnbot/ros/schema"
	"vpnbot/vpn/ike"
)

// Ensure that the field notes' riddle has its explanation: a Windows computer that
// calls hq from behind fengshan's public address is taken for fengshan's router,
// because the peer for that address is more specific than the L2TP server's. From
// anywhere else it connects, and with the tunnel on ike2 from everywhere.
func TestModel_Riddle(t *testing.T) {
	// hq as the notes have it: the default profile and proposal serve Windows.
	office := func(mode string) schema.Party {
		p := serveL2TP(hq())
		set(p, peers, "*3", "exchange-mode", mode)
		return p
	}
	tests := []struct {
		name     string
		office   schema.Party
		pc       schema.Party
		want     string
		answered string
		hint     bool
	}{
		{
			"behind fengshan", office("main"), dial("windows", fengshanAddr),
			"disagree phase1:no-proposal:hash-algorithm auth:key:secret phase2:no-policy:generate-policy", "*3", true,
		},
		{"from home", office("main"), dial("windows", homeAddr), "agree", "*4", false},
		{"behind fengshan, tunnel on ike2", office("ike2"), dial("windows", fengshanAddr), "agree", "*4", false},
		{"from home, tunnel on ike2", office("ike2"), dial("windows", homeAddr), "agree", "*4", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := negotiate(t, ike.Model{}, tt.pc, tt.office)
			if got := summary(o); got != tt.want {
				t.Fatalf("got  %s\nwant %s", got, tt.want)
			}
			if o.Answered != (schema.RowRef{Menu: peers, ID: tt.answered}) {
				t.Errorf("%v answered, want %s", o.Answered, tt.answered)
			}
			if !tt.hint {
				if len(o.Hints) != 0 {
					t.Errorf("hints: %+v", o.Hints)
				}
				if !o.Phase1.ServesL2TP || !o.Phase1.NATTraversal || !o.Phase2[0].Generated || o.Phase2[0].Tunnel {
					t.Errorf("agreed on %+v, %+v", *o.Phase1, o.Phase2)
				}
				return
			}
			want := schema.Fault{
				Stage: schema.StagePeer, Code: schema.FaultOtherPeer, Attr: "address",
				Initiator: "l2tp-in-server", InitiatorRow: schema.RowRef{Menu: peers, ID: "*4"},
				Responder: "other 198.51.100.7/32", ResponderRow: schema.RowRef{Menu: peers, ID: "*3"},
			}
			if len(o.Hints) != 1 || o.Hints[0] != want {
				t.Errorf("hints: %+v\nwant %+v", o.Hints, want)
			}
		})
	}
}

// Ensure that the riddle's further shapes fail where the notes' sources say: with a
// profile that fits Windows it is the key, with the same key it is the policy, and a
// tunnel's identity that generates policies serves the computer too.
func TestModel_Riddle_Remedies(t *testing.T) {
	p := serveL2TP(hq())
	set(p, peers, "*3", "profile", "default")
	check := func(want string) {
		t.Helper()
		if got := summary(negotiate(t, ike.Model{}, dial("windows", fengshanAddr), p)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	check("disagree auth:key:secret phase2:no-policy:generate-policy")
	p.Keys["*A"] = "l2tp"
	check("disagree phase2:no-policy:generate-policy")
	set(p, identities, "*A", "generate-policy", "port-strict")
	check("agree")
	// A second public address for the tunnel: its peer does not listen where
	// computers call.
	p = serveL2TP(hq())
	set(p, peers, "*3", "local-address", "198.51.100.2")
	check("agree")
}

// Ensure that a site whose own peer is missing is taken for a computer by the L2TP
// server's peer, and that the outcome says so.
func TestModel_Answer_L2TPInstead(t *testing.T) {
	a, b := hq(), serveL2TP(fengshan())
	set(b, peers, "*3", "disabled", "true")
	o := negotiate(t, ike.Model{}, a, b)
	if o.Answered.ID != "*4" || len(o.Hints) != 1 || o.Hints[0].Code != schema.FaultOtherPeer {
		t.Errorf("answered by %v, hints %+v", o.Answered, o.Hints)
	}
	want := "disagree phase1:no-proposal:enc-algorithm phase1:no-proposal:hash-algorithm auth:key:secret phase2:no-proposal:auth-algorithms phase2:pfs-group:pfs-group"
	if got := summary(o); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Ensure that the responder's choice among several peers follows prefix length, mode,
// local-address and order.
func TestModel_Answer(t *testing.T) {
	add := func(p schema.Party, id, address, mode string, more ...string) {
		r := schema.Row{".id": id, "name": id, "address": address, "exchange-mode": mode, "profile": "s2s"}
		for i := 0; i < len(more); i += 2 {
			r[more[i]] = more[i+1]
		}
		p.Rows[peers] = append(p.Rows[peers], r)
	}
	tests := []struct {
		name  string
		model ike.Model
		peers func(p schema.Party)
		want  string
	}{
		{"longest prefix", ike.Model{}, func(p schema.Party) {
			add(p, "*1", "0.0.0.0/0", "main")
			add(p, "*2", "198.51.100.0/24", "main")
			add(p, "*5", "198.51.100.0/28", "main")
		}, "*5"},
		{"mode before prefix", ike.Model{}, func(p schema.Party) {
			add(p, "*1", "198.51.100.1/32", "ike2")
			add(p, "*2", "198.51.100.1/32", "aggressive")
			add(p, "*5", "0.0.0.0/0", "main")
		}, "*5"},
		{"a bare address is a host", ike.Model{}, func(p schema.Party) {
			add(p, "*1", "198.51.100.0/31", "main")
			add(p, "*2", "198.51.100.1", "main")
		}, "*2"},
		{"a name is a host", ike.Model{}, func(p schema.Party) {
			add(p, "*1", "198.51.100.0/31", "main")
			add(p, "*2", "hq.example.net", "main")
		}, "*2"},
		{"disabled never", ike.Model{}, func(p schema.Party) {
			add(p, "*1", "198.51.100.1/32", "main", "disabled", "yes")
			add(p, "*2", "::/0", "main")
		}, "*2"},
		{"the first of two", ike.Model{}, func(p schema.Party) {
			add(p, "*1", "0.0.0.0/0", "main")
			add(p, "*2", "0.0.0.0/0", "main")
		}, "*1"},
		{"another address is called", ike.Model{}, func(p schema.Party) {
			add(p, "*1", "198.51.100.1/32", "main", "local-address", "198.51.100.8")
			add(p, "*2", "198.51.100.0/24", "main", "local-address", "198.51.100.7")
		}, "*2"},
		{"dynamic before static", ike.Model{}, func(p schema.Party) {
			add(p, "*1", "0.0.0.0/0", "main")
			add(p, "*2", "0.0.0.0/0", "main", "dynamic", "true")
		}, "*2"},
		{"order alone", ike.Model{TieByOrder: true}, func(p schema.Party) {
			add(p, "*1", "0.0.0.0/0", "main")
			add(p, "*2", "0.0.0.0/0", "main", "dynamic", "true")
		}, "*1"},
		{"local-address does not rank", ike.Model{}, func(p schema.Party) {
			add(p, "*1", "0.0.0.0/0", "main")
			add(p, "*2", "0.0.0.0/0", "main", "local-address", "198.51.100.7")
		}, "*1"},
		{"local-address ranks", ike.Model{PreferLocalAddress: true}, func(p schema.Party) {
			add(p, "*1", "0.0.0.0/0", "main")
			add(p, "*2", "0.0.0.0/0", "main", "local-address", "198.51.100.7")
		}, "*2"},
		{"nobody", ike.Model{}, func(p schema.Party) { add(p, "*1", "203.0.113.0/24", "main") }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := fengshan()
			b.Rows[peers] = nil
			b.Names = map[string]netip.Addr{"hq.example.net": hqAddr}
			tt.peers(b)
			if got := negotiate(t, tt.model, hq(), b).Answered.ID; got != tt.want {
				t.Errorf("%q answered, want %q", got, tt.want)
			}
		})
	}
}

// Ensure that the rows which no packet reaches are found, as a router marks them: in a
// published export the static any-address main peer beside an L2TP server is one.
func TestModel_Shadowed(t *testing.T) {
	p := serveL2TP(hq())
	row := func(id, address, mode string, more ...string) {
		r := schema.Row{".id": id, "name": id, "address": address, "exchange-mode": mode}
		for i := 0; i < len(more); i += 2 {
			r[more[i]] = more[i+1]
		}
		p.Rows[peers] = append(p.Rows[peers], r)
	}
	row("*10", "::/0", "main")                                         // the L2TP server's goes before
	row("*11", "0.0.0.0/0", "ike2")                                    // another mode
	row("*12", "198.51.100.7", "main")                                 // the tunnel's
	row("*13", "198.51.100.7", "main", "disabled", "yes")              // off
	row("*14", "198.51.100.0/24", "main", "local-address", "10.1.1.1") // alone
	row("*15", "198.51.100.0/24", "main", "local-address", "10.1.1.2") // listens elsewhere
	row("*16", "198.51.100.0/24", "main", "local-address", "10.1.1.2") // and this is its double
	row("*17", "far.example.net", "main")
	row("*18", "far.example.net", "main")
	ref := func(id string) schema.RowRef { return schema.RowRef{Menu: peers, ID: id} }
	want := []ike.Shadow{{ref("*12"), ref("*3")}, {ref("*16"), ref("*15")}, {ref("*10"), ref("*4")}, {ref("*18"), ref("*17")}}
	got := ike.Model{}.Shadowed(p)
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if got := (ike.Model{TieByOrder: true}).Shadowed(p); len(got) != 4 {
		t.Errorf("by order alone: %v", got)
	}
}
