package vpn_test

import (
	"net/netip"
	"strings"
	"testing"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// Ensure each end expects what the other's WAN makes of it.
func TestTunnel_Expect(t *testing.T) {
	address := netip.MustParseAddr("198.51.100.20")
	tests := []struct {
		name   string
		far    vpn.WAN
		remote string
		any    bool
		local  string // of the far end
		id     string
	}{
		{"fixed", fixedWAN(), "198.51.100.20", false, "198.51.100.20", ""},
		{"1:1", vpn.WAN{Interface: "ether1", Address: address, NAT: vpn.OneToOneNAT, Role: vpn.Both}, "198.51.100.20", false, "invalid IP", "fengshan"},
		{"by name", vpn.WAN{Interface: "ether1", DNS: "fs.example.com", NAT: vpn.NoNAT, Role: vpn.Both}, "invalid IP", false, "invalid IP", ""},
		{"dynamic", vpn.WAN{Interface: "ether1", Dynamic: true, NAT: vpn.NoNAT, Role: vpn.Initiate}, "invalid IP", true, "invalid IP", "fengshan"},
		{"carrier", vpn.WAN{Interface: "lte1", Address: address, NAT: vpn.CarrierNAT, Role: vpn.Initiate}, "invalid IP", true, "invalid IP", "fengshan"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := lineEstate(tt.far)
			tunnel := vpn.Tunnel{Name: "hq-fengshan", Ends: [2]vpn.End{{Site: "hq"}, {Site: "fengshan"}}}.WithDefaults(e)
			if ps := tunnel.Problems(e, nil, nil); len(ps) != 0 {
				t.Fatal(ps)
			}
			x := tunnel.Expect(e).Ends
			if x[0].Remote.String() != tt.remote || x[0].RemoteAny != tt.any || x[1].Local.String() != tt.local || x[0].RemoteID != tt.id {
				t.Errorf("hq %+v, fengshan %+v", x[0], x[1])
			}
			if x[0].RemoteName != tt.far.DNS || x[1].Remote.String() != "203.0.113.10" || x[0].Passive != tt.any || x[1].Interface != tt.far.Interface {
				t.Errorf("hq %+v, fengshan %+v", x[0], x[1])
			}
			if len(x[0].Policies) != 2 || x[0].Policies[0].Source != x[1].Policies[0].Destination {
				t.Errorf("policies %v and %v", x[0].Policies, x[1].Policies)
			}
		})
	}
}

// spoke turns a line into one whose far end is behind a carrier's NAT and makes
// its policies at hq from a template.
func spoke(t *testing.T) *line {
	t.Helper()
	l := newLine(t, 3, 2)
	far := vpn.WAN{Interface: "lte1", Dynamic: true, NAT: vpn.CarrierNAT, Role: vpn.Initiate}
	e := lineEstate(far)
	l.want = vpn.Tunnel{Name: "hq-fengshan", Ends: [2]vpn.End{{Site: "hq"}, {Site: "fengshan"}}}.WithDefaults(e).Expect(e)
	l.set(0, peerMenu, "address", "", "0.0.0.0/0")
	l.set(0, peerMenu, "exchange-mode", "", "ike2")
	l.set(0, phase1Menu, "id", "", "fengshan")
	l.rows(0, policyMenu, 0, func(rows []schema.Row) []schema.Row {
		for _, r := range rows[1:] {
			r["dynamic"] = "true"
		}
		return rows
	})
	for k := range l.samples[1] {
		l.samples[1][k].Menus["/ip/address"][0]["interface"] = "lte1"
	}
	return l
}

// Ensure a spoke whose address nobody knows is found by its ID and cookies, and
// that the hub is not blamed for policies which its template makes.
func TestJudge_Spoke(t *testing.T) {
	l := spoke(t)
	if got := l.judge(t); got.Verdict != vpn.Up {
		t.Fatalf("got %s %+v", got.Verdict, got.Reason)
	}
	l.set(0, phase1Menu, "id", "", "100.64.9.9") // known by its cookies alone
	if got := l.judge(t); got.Verdict != vpn.Up {
		t.Errorf("without its ID: %s %+v", got.Verdict, got.Reason)
	}
	l = spoke(t)
	down(l)
	l.rows(0, policyMenu, 0, func(rows []schema.Row) []schema.Row { return rows[:1] })
	if got := l.judge(t); got.Verdict != vpn.Down || got.Reason.ID != "status.down.no_phase1" {
		t.Errorf("down: %s %+v", got.Verdict, got.Reason)
	}
	clearRows(l, 0)
	if got := l.judge(t); got.Reason.ID != "status.down.absent" || argument(got.Reason, "router") != "gw-hq" {
		t.Errorf("no peer: %s %+v", got.Verdict, got.Reason)
	}
}

// Ensure an end that is called by a name is found by what the router resolved.
func TestJudge_Name(t *testing.T) {
	l := newLine(t, 3, 1)
	e := lineEstate(vpn.WAN{Interface: "ether1", DNS: "fs.example.com", NAT: vpn.NoNAT, Role: vpn.Both})
	l.want = vpn.Tunnel{Name: "hq-fengshan", Ends: [2]vpn.End{{Site: "hq", Prefixes: prefixesOf(l, 0)}, {Site: "fengshan"}}}.WithDefaults(e).Expect(e)
	l.set(0, peerMenu, "address", "", "fs.example.com")
	l.set(0, peerMenu, "current-address", "", "198.51.100.20")
	l.set(0, policyMenu, "peer", "", "")
	if got := l.judge(t); got.Verdict != vpn.Up || len(got.Sides[0].Peers) != 1 {
		t.Errorf("got %s %+v, peers %+v", got.Verdict, got.Reason, got.Sides[0].Peers)
	}
	l.set(0, peerMenu, "address", "", "elsewhere.example.com")
	l.set(0, peerMenu, "current-address", "", "192.0.2.1")
	if got := l.judge(t); got.Reason.ID != "status.unknown.peer_missing" {
		t.Errorf("got %s %+v", got.Verdict, got.Reason)
	}
}

// Ensure two tunnels of the same sites over different WANs are told apart by
// their addresses.
func TestJudge_SecondWAN(t *testing.T) {
	l := newLine(t, 3, 1)
	e := lineEstate(fixedWAN())
	e.Sites[0].WANs = append(e.Sites[0].WANs, vpn.WAN{Interface: "ether2", Address: netip.MustParseAddr("203.0.113.90"), NAT: vpn.NoNAT, Role: vpn.Both})
	second := vpn.Tunnel{Name: "hq-fengshan-2", Ends: [2]vpn.End{
		{Site: "hq", WAN: "ether2", Prefixes: []netip.Prefix{netip.MustParsePrefix("192.168.78.0/24")}}, {Site: "fengshan"},
	}}.WithDefaults(e).Expect(e)
	got := vpn.Judge(second, l.samples, l.at)
	if got.Verdict != vpn.Down || got.Reason.ID != "status.down.absent" && got.Reason.ID != "status.down.policy_missing" {
		t.Errorf("got %s %+v", got.Verdict, got.Reason)
	}
	if n := len(got.Sides[0].Phase1) + len(got.Sides[0].SAs); n != 0 {
		t.Errorf("%d rows of the first tunnel count as the second's: %+v", n, got.Sides[0])
	}
}

// Ensure a site's sessions and its server are read from the same sample.
func TestServerOf(t *testing.T) {
	l := newLine(t, 1, 1)
	s, ok := vpn.ServerOf(l.samples[0][0].Snapshot)
	if !ok || !s.Enabled || s.IPsec != "required" || len(s.Sessions) != 1 || s.Sessions[0].Account != "ann" {
		t.Errorf("got %+v, %v", s, ok)
	}
	if _, ok := vpn.ServerOf(change.Snapshot{}); ok {
		t.Error("an empty snapshot tells of a server")
	}
	for _, menu := range vpn.StatusMenus() {
		m, ok := schema.Lookup(menu)
		if !ok {
			t.Errorf("%s is not in the schema", menu)
		}
		for _, name := range m.Proplist() {
			if a, _ := m.Attr(name); a.Secret || strings.Contains(name, "key") && name != "enc-key-size" || strings.Contains(name, "secret") {
				t.Errorf("a status reads %s of %s", name, menu)
			}
		}
	}
}

// Ensure a definition survives the ledger, and one of a newer version is refused.
func TestTunnel_Encode(t *testing.T) {
	e := lineEstate(fixedWAN())
	tunnel := vpn.Tunnel{Name: "hq-fengshan", Ends: [2]vpn.End{{Site: "hq"}, {Site: "fengshan"}}, PSK: "r", PSKMark: "psk:1"}.WithDefaults(e)
	body, err := tunnel.Encode()
	if err != nil {
		t.Fatal(err)
	}
	def := change.Definition{DefinitionRef: change.DefinitionRef{Kind: vpn.KindTunnel, Name: tunnel.Name}, Body: body}
	back, err := vpn.DecodeTunnel(def)
	if err != nil || len(back.Problems(e, nil, nil)) != 0 || back.PSKMark != "psk:1" || !back.Touches("FENGSHAN") || back.Touches("depot") {
		t.Errorf("got %+v, %v", back, err)
	}
	def.Kind = vpn.KindDialIn
	if _, err := vpn.DecodeTunnel(def); err == nil {
		t.Error("a dial-in server is taken for a tunnel")
	}
	def.Kind, def.Body = vpn.KindTunnel, []byte(`{"name":"x","colour":"red"}`)
	if _, err := vpn.DecodeTunnel(def); err == nil {
		t.Error("a newer definition is cut short")
	}
}
