package vpn_test

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"vpnbot/change"
	"vpnbot/vpn"
)

func estate() vpn.Estate {
	login := func(user string) vpn.Login { return vpn.Login{User: user, Password: "env:" + "X"} }
	return vpn.Estate{
		Sites: []vpn.Site{
			{
				Name: "hq", Aliases: []string{"總公司"}, Routers: []string{"gw-hq"},
				LAN:  []netip.Prefix{netip.MustParsePrefix("192.168.77.0/24")},
				WANs: []vpn.WAN{{Interface: "ether1", Dynamic: true, NAT: vpn.CarrierNAT, Role: vpn.Initiate}},
			},
			{Name: "fengshan", Aliases: []string{"鳳山", "FS"}, Routers: []string{"gw-fs"}},
		},
		Routers: []vpn.Router{
			{Name: "gw-hq", Site: "hq", Address: "192.168.77.1:8729", CAFile: "ca.pem", Read: login("ro"), Write: login("rw")},
			{
				Name: "gw-fs", Site: "fengshan", Address: "gw.example.com:8729",
				Fingerprint: "sha256:" + strings.Repeat("0a", 32), Read: login("ro"), Write: login("rw"),
			},
		},
	}
}

// Ensure a site is found by every name that people give it.
func TestEstate_Site(t *testing.T) {
	e := estate()
	for word, want := range map[string]string{"hq": "hq", "HQ": "hq", "總公司": "hq", "鳳山": "fengshan", "fs": "fengshan", "Fengshan": "fengshan"} {
		if s, ok := e.Site(word); !ok || s.Name != want {
			t.Errorf("Site(%s) = %s, %v", word, s.Name, ok)
		}
	}
	if _, ok := e.Site("feng"); ok {
		t.Error("a beginning is not a name")
	}
	if r, ok := e.Router("GW-HQ"); !ok || r.Site != "hq" {
		t.Errorf("Router(GW-HQ) = %+v, %v", r, ok)
	}
}

// Ensure the nearest name is a slip away, not a guess.
func TestNearest(t *testing.T) {
	e := estate()
	for word, want := range map[string]string{
		"fengshna": "fengshan", "fengshn": "fengshan", "Fengshan2": "fengshan", "鳳凰": "鳳山", "kaohsiung": "", "": "", "hqq": "hq",
		"x": "", strings.Repeat("f", 5000): "",
	} {
		if got := e.Nearest(word); got != want {
			t.Errorf("Nearest(%.20q) = %q, want %q", word, got, want)
		}
	}
	if got := vpn.Nearest("aduser", []string{"users", "adduser", "audit"}); got != "adduser" {
		t.Errorf("got %q", got)
	}
}

// Ensure a good estate has no problem and each bad value has one, at its path.
func TestEstate_Problems(t *testing.T) {
	if ps := estate().Problems(); len(ps) != 0 {
		t.Fatalf("got %v", ps)
	}
	tests := []struct {
		name string
		edit func(*vpn.Estate)
		path string
	}{
		{"no sites", func(e *vpn.Estate) { e.Sites = nil }, "sites"},
		{"site name", func(e *vpn.Estate) { e.Sites[0].Name = "HQ 1" }, "sites.HQ 1"},
		{"alias with a blank", func(e *vpn.Estate) { e.Sites[0].Aliases[0] = "head office" }, "sites.hq.aliases.0"},
		{"alias in full width", func(e *vpn.Estate) { e.Sites[0].Aliases[0] = "ＨＱ" }, "sites.hq.aliases.0"},
		{"alias like a flag", func(e *vpn.Estate) { e.Sites[0].Aliases[0] = "--hq" }, "sites.hq.aliases.0"},
		{"alias of the other", func(e *vpn.Estate) { e.Sites[1].Aliases[1] = "Hq" }, "sites.fengshan.aliases.1"},
		{"LAN", func(e *vpn.Estate) { e.Sites[0].LAN[0] = netip.MustParsePrefix("192.168.77.5/24") }, "sites.hq.lan.0"},
		{"LAN of IPv6", func(e *vpn.Estate) { e.Sites[0].LAN[0] = netip.MustParsePrefix("2001:db8::/32") }, "sites.hq.lan.0"},
		{"WAN interface", func(e *vpn.Estate) { e.Sites[0].WANs[0].Interface = "" }, "sites.hq.wan.0.interface"},
		{"WAN address", func(e *vpn.Estate) { e.Sites[0].WANs[0].Dynamic = false }, "sites.hq.wan.0.address"},
		{"WAN NAT", func(e *vpn.Estate) { e.Sites[0].WANs[0].NAT = "some" }, "sites.hq.wan.0.nat"},
		{"WAN role", func(e *vpn.Estate) { e.Sites[0].WANs[0].Role = "boss" }, "sites.hq.wan.0.role"},
		{"dynamic WAN that responds", func(e *vpn.Estate) { e.Sites[0].WANs[0].Role = vpn.Respond }, "sites.hq.wan.0.role"},
		{"interface twice", func(e *vpn.Estate) { e.Sites[0].WANs = append(e.Sites[0].WANs, e.Sites[0].WANs[0]) }, "sites.hq.wan.1.interface"},
		{"address of another WAN", func(e *vpn.Estate) {
			w := vpn.WAN{Interface: "ether9", Address: netip.MustParseAddr("192.0.2.9"), NAT: vpn.NoNAT, Role: vpn.Both}
			e.Sites[0].WANs = append(e.Sites[0].WANs, w)
			e.Sites[1].WANs = append(e.Sites[1].WANs, w)
		}, "sites.fengshan.wan.0.address"},
		{"no router", func(e *vpn.Estate) { e.Sites[0].Routers = nil }, "sites.hq.routers"},
		{"router twice", func(e *vpn.Estate) { e.Routers[1].Name = "GW-HQ" }, "sites.fengshan.routers.GW-HQ"},
		{"router address", func(e *vpn.Estate) { e.Routers[0].Address = "192.168.77.1" }, "sites.hq.routers.gw-hq.address"},
		{"router port", func(e *vpn.Estate) { e.Routers[0].Address = "192.168.77.1:0" }, "sites.hq.routers.gw-hq.address"},
		{"no pin", func(e *vpn.Estate) { e.Routers[0].CAFile = "" }, "sites.hq.routers.gw-hq.tls"},
		{"two pins", func(e *vpn.Estate) { e.Routers[1].CAFile = "x" }, "sites.fengshan.routers.gw-fs.tls"},
		{"pin", func(e *vpn.Estate) { e.Routers[1].Fingerprint = "sha1:00" }, "sites.fengshan.routers.gw-fs.tls.fingerprint"},
		{"plain", func(e *vpn.Estate) { e.Routers[0].Plain = true }, "sites.hq.routers.gw-hq.plain"},
		{"login", func(e *vpn.Estate) { e.Routers[0].Read.User = "a b" }, "sites.hq.routers.gw-hq.read.user"},
		{"password", func(e *vpn.Estate) { e.Routers[0].Write.Password = "hunter2" }, "sites.hq.routers.gw-hq.write.password"},
		{"one login", func(e *vpn.Estate) { e.Routers[0].Write.User = "ro" }, "sites.hq.routers.gw-hq.write.user"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := estate()
			tt.edit(&e)
			ps := e.Problems()
			if !slices.ContainsFunc(ps, func(p vpn.Problem) bool { return strings.Join(p.Path, ".") == tt.path }) {
				t.Errorf("got %v, want one at %s", ps, tt.path)
			}
			for _, p := range ps {
				if strings.Contains(p.Message, "hunter2") {
					t.Errorf("message repeats a value: %s", p.Message)
				}
			}
		})
	}
}

// Ensure the API without TLS is accepted on loopback.
func TestEstate_PlainOnLoopback(t *testing.T) {
	for _, address := range []string{"127.0.0.1:8728", "localhost:8728", "[::1]:8728"} {
		e := estate()
		r := &e.Routers[0]
		r.Plain, r.CAFile, r.Address = true, "", address
		if ps := e.Problems(); len(ps) != 0 {
			t.Errorf("%s: %v", address, ps)
		}
	}
}

// Ensure a definition survives its encoding, and one of a newer version or of
// another kind is refused.
func TestDecodeDialIn(t *testing.T) {
	d := office().DialIn
	body, err := d.Encode()
	if err != nil {
		t.Fatal(err)
	}
	def := change.Definition{DefinitionRef: change.DefinitionRef{Kind: vpn.KindDialIn, Name: "hq", Version: 1}, Body: body}
	if got, err := vpn.DecodeDialIn(def); err != nil || got != d {
		t.Errorf("got %+v, %v", got, err)
	}
	def.Kind = "tunnel"
	if _, err := vpn.DecodeDialIn(def); err == nil {
		t.Error("decoded a tunnel")
	}
	def.Kind, def.Body = vpn.KindDialIn, json.RawMessage(`{"site":"hq","hue":1}`)
	if _, err := vpn.DecodeDialIn(def); err == nil {
		t.Error("decoded an unknown field")
	}
}
