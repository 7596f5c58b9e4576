package main

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/config"
	"vpnbot/store/storetest"
	"vpnbot/vpn"
)

func importEstate() vpn.Estate {
	site := func(name, lan, wan string) vpn.Site {
		return vpn.Site{
			Name: name, LAN: []netip.Prefix{netip.MustParsePrefix(lan)}, Routers: []string{"gw-" + name},
			WANs: []vpn.WAN{{Interface: "ether1", Address: netip.MustParseAddr(wan), NAT: vpn.NoNAT, Role: vpn.Both}},
		}
	}
	return vpn.Estate{
		Sites:   []vpn.Site{site("hq", "192.168.77.0/24", "203.0.113.10"), site("fengshan", "192.168.88.0/24", "198.51.100.20")},
		Routers: []vpn.Router{{Name: "gw-hq", Site: "hq"}, {Name: "gw-fengshan", Site: "fengshan"}},
	}
}

// Ensure a tunnel enters a ledger that so far held dial-in servers alone, its
// pre-shared key sealed, and that an export prints both and no key.
func TestImport_Tunnel(t *testing.T) {
	const psk = "PlantedTunnelKey4711"
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.psk"), psk+"\n")
	key, err := secret.NewKey(bytes.Repeat([]byte{7}, secret.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "ledger.db")
	ledger := storetest.OpenAt(t, path)
	take := func(text string) string {
		held, err := ledger.Definitions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		list, err := config.ParseDefinitions(filepath.Join(dir, "d.yaml"), []byte(text), importEstate(), held)
		if err != nil {
			t.Fatal(err)
		}
		for _, im := range list {
			if _, err := importDefinition(t.Context(), ledger, key, im, "uid 0"); err != nil {
				t.Fatal(err)
			}
		}
		defs, err := ledger.Definitions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		out, err := config.FormatDefinitions(defs)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	const dialin = "dialin:\n  hq: {router: gw-hq, server: vpn.example.com, pool: p1, profile: p2}\n"
	if out := take(dialin); strings.Contains(out, "tunnels") {
		t.Errorf("dial-in alone: %s", out)
	}
	out := take(dialin + "tunnels:\n  hq-fengshan:\n    psk: file:a.psk\n    ends: {hq: {}, fengshan: {}}\n")
	mark := key.Mark("psk", secret.New(psk))
	if !strings.Contains(out, "hq-fengshan:") || !strings.Contains(out, mark) || strings.Contains(out, psk) {
		t.Errorf("export\n%s", out)
	}
	if again := take(out); again != out {
		t.Errorf("imported again\n%s\nwant\n%s", again, out)
	}
	def, err := ledger.Definition(t.Context(), vpn.KindTunnel, "hq-fengshan")
	if err != nil {
		t.Fatal(err)
	}
	tunnel, err := vpn.DecodeTunnel(def)
	if err != nil || tunnel.PSK == "" || tunnel.PSKMark != mark || def.Version != 1 {
		t.Errorf("got %+v, %v", tunnel, err)
	}
	if _, err := ledger.Sealed(t.Context(), tunnel.PSK); err != nil {
		t.Errorf("sealed key: %v", err)
	}
	events, err := ledger.Events(t.Context(), change.EventFilter{Kinds: []change.EventKind{change.EventDefinition}})
	if err != nil || len(events) != 2 || events[1].Event.Facts["kind"] != vpn.KindTunnel || events[1].Event.Site != "hq" || events[1].Event.Facts["far-site"] != "fengshan" {
		t.Errorf("events %+v, %v", events, err)
	}
	b, err := os.ReadFile(path)
	if err != nil || bytes.Contains(b, []byte(psk)) {
		t.Errorf("the ledger holds the key in clear, or: %v", err)
	}
}
