package config_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"vpnbot/change"
	"vpnbot/config"
	"vpnbot/vpn"
)

// tunnelEstate has a site with two ways out, one that is called by name, one
// with a dynamic address and one behind a carrier's NAT.
func tunnelEstate() vpn.Estate {
	lan := func(s string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(s)} }
	return vpn.Estate{
		Sites: []vpn.Site{
			{Name: "hq", Aliases: []string{"總公司"}, LAN: lan("192.168.0.0/17"), Routers: []string{"gw-hq"}, WANs: []vpn.WAN{
				{Interface: "ether1", Address: netip.MustParseAddr("203.0.113.10"), NAT: vpn.NoNAT, Role: vpn.Both},
				{Interface: "ether2", Address: netip.MustParseAddr("203.0.113.90"), NAT: vpn.NoNAT, Role: vpn.Respond},
			}},
			{Name: "fengshan", Aliases: []string{"鳳山"}, LAN: lan("192.168.188.0/24"), Routers: []string{"gw-fengshan"}, WANs: []vpn.WAN{
				{Interface: "pppoe-out1", DNS: "fs.example.com", NAT: vpn.NoNAT, Role: vpn.Both},
			}},
			{Name: "depot", LAN: lan("10.30.0.0/16"), Routers: []string{"gw-depot"}, WANs: []vpn.WAN{
				{Interface: "lte1", Dynamic: true, NAT: vpn.CarrierNAT, Role: vpn.Initiate},
			}},
			{Name: "kiosk", LAN: lan("10.40.0.0/16"), Routers: []string{"gw-kiosk"}, WANs: []vpn.WAN{
				{Interface: "pppoe-out1", Dynamic: true, NAT: vpn.NoNAT, Role: vpn.Initiate},
			}},
		},
		Routers: []vpn.Router{
			{Name: "gw-hq", Site: "hq"},
			{Name: "gw-fengshan", Site: "fengshan"},
			{Name: "gw-depot", Site: "depot"},
			{Name: "gw-kiosk", Site: "kiosk"},
		},
	}
}

const tunnelsText = `tunnels:
  hq-fengshan:
    exchange: main
    ends:
      總公司: {wan: ether1, prefixes: [192.168.77.0/24, 192.168.78.0/24], role: both, probes: [192.168.77.1]}
      fengshan: {role: both}
    profile: {encryption: [aes-128, 3des], hash: sha1, dh-groups: [modp1024], dpd-interval: 300s}
    proposal: {encryption: [aes-256-cbc], auth: [sha1], pfs-group: none, lifetime: 30m}
  hq-depot:
    ends:
      hq: {wan: ether1, prefixes: [192.168.77.0/24]}
      depot: {}
    proposal: {encryption: [aes-256-gcm]}
dialin:
  hq: {router: gw-hq, server: vpn.example.com, pool: p1, profile: p2}
`

// Ensure what a file leaves open gets a value that fits the site and its WANs.
func TestParseDefinitions_TunnelDefaults(t *testing.T) {
	list, err := config.ParseDefinitions("t.yaml", []byte(tunnelsText), tunnelEstate(), nil)
	if err != nil {
		t.Fatal(err)
	}
	first, second := list[1].Tunnel, list[2].Tunnel
	if e := first.Ends[0]; e.Site != "hq" || e.Router != "gw-hq" || e.ID != "" || len(e.Prefixes) != 2 {
		t.Errorf("first end %+v", e)
	}
	if e := first.Ends[1]; e.Router != "gw-fengshan" || e.WAN != "pppoe-out1" || e.Prefixes[0].String() != "192.168.188.0/24" {
		t.Errorf("second end %+v", e)
	}
	if second.Exchange != "ike2" || second.Ends[0].Role != vpn.Respond || second.Ends[1].Role != vpn.Initiate ||
		second.Ends[0].ID != "fqdn:hq" || second.Ends[1].ID != "fqdn:depot" {
		t.Errorf("spoke %+v", second)
	}
	if p := second.Proposal; p.Auth != nil || p.PFSGroup != "ecp384" || p.Lifetime != "30m" {
		t.Errorf("proposal %+v", p)
	}
	if p := second.Profile; !p.NATTraversal || p.Hash != "sha256" || p.DPDFailures != 4 {
		t.Errorf("profile %+v", p)
	}
}

// Ensure a tunnel that cannot work is refused at the place of the reason.
func TestParseDefinitions_TunnelRefused(t *testing.T) {
	const second = `  hq-depot:
    ends:
      hq: {wan: ether1, prefixes: [192.168.77.0/24]}
      depot: {}
`
	for _, b := range []broken{
		{"unknown site", "      fengshan: {", "      fengsan: {", "{role: both}\n", "tunnels.hq-fengshan.ends.fengsan", "name of a site"},
		{"same site twice", "      fengshan: {", "      hq: {", "ends:", "tunnels.hq-fengshan.ends", "expected two sites"},
		{"one end", "      fengshan: {role: both}\n", "", "ends:", "tunnels.hq-fengshan.ends", "expected two ends"},
		{"no end", second + "    proposal: {encryption: [aes-256-gcm]}\n", "  hq-depot: {}\n", "{}\ndialin", "tunnels.hq-depot.ends", "expected two ends"},
		{"unknown router", "fengshan: {role: both}", "fengshan: {router: gw-hq}", "gw-hq}", "tunnels.hq-fengshan.ends.fengshan.router", "it has gw-fengshan"},
		{"unknown WAN", "wan: ether1, prefixes: [192.168.77.0/24, ", "wan: ether9, prefixes: [192.168.77.0/24, ", "ether9", "tunnels.hq-fengshan.ends.總公司.wan", "it has ether1, ether2"},
		{"several WANs", "hq: {wan: ether1, prefixes: [192.168.77.0/24]}", "hq: {prefixes: [192.168.77.0/24]}", "{prefixes: [192.168.77.0/24]", "tunnels.hq-depot.ends.hq.wan", "it has ether1, ether2"},
		{"not in lan", "192.168.78.0/24]", "172.16.0.0/12]", "172.16.0.0/12", "tunnels.hq-fengshan.ends.總公司.prefixes.1", "add it to lan"},
		{"wider than lan", "192.168.78.0/24]", "192.168.0.0/16]", "192.168.0.0/16", "tunnels.hq-fengshan.ends.總公司.prefixes.1", "not in the site's lan"},
		{"no network", "192.168.78.0/24]", "192.168.78.1/24]", "192.168.78.1", "tunnels.hq-fengshan.ends.總公司.prefixes.1", "host part zero"},
		{"no networks", "[192.168.77.0/24, 192.168.78.0/24]", "[]", "[]", "tunnels.hq-fengshan.ends.總公司.prefixes", "1 to 16 networks"},
		{"overlap in one end", "192.168.78.0/24]", "192.168.77.128/25]", "192.168.77.128", "tunnels.hq-fengshan.ends.總公司.prefixes.1", "overlaps another of this tunnel"},
		{"both respond", "role: both, probes: [192.168.77.1]}\n      fengshan: {role: both}", "role: respond}\n      fengshan: {role: respond}", "respond}\n    profile", "tunnels.hq-fengshan.ends.fengshan.role", "both ends respond"},
		{"carrier responds", "depot: {}", "depot: {role: respond}", "respond}", "tunnels.hq-depot.ends.depot.role", "carrier's NAT"},
		{"carrier both", "depot: {}", "depot: {role: both}", "both}\n    proposal", "tunnels.hq-depot.ends.depot.role", "expected role initiate"},
		{"dynamic responds", "depot: {}", "kiosk: {role: respond}", "respond}", "tunnels.hq-depot.ends.kiosk.role", "address is dynamic"},
		{"nobody callable", "hq: {wan: ether1, prefixes: [192.168.77.0/24]}", "kiosk: {}", "{}\n    proposal", "tunnels.hq-depot.ends.depot.wan", "neither WAN can be called"},
		{"word as role", "depot: {}", "depot: {role: server}", "server}", "tunnels.hq-depot.ends.depot.role", "initiate, respond or both"},
		{"any address main beside L2TP", "  hq-depot:\n", "  hq-depot:\n    exchange: main\n", "main\n    ends:\n      hq:", "tunnels.hq-depot.exchange", "its L2TP server has one"},
		{"dynamic main", "exchange: main\n    ends:\n      總公司: {wan: ether1, prefixes: [192.168.77.0/24, 192.168.78.0/24], role: both, probes: [192.168.77.1]}", "exchange: aggressive\n    ends:\n      kiosk: {role: initiate}", "aggressive", "tunnels.hq-fengshan.exchange", "told apart by its ID"},
		{"unknown exchange", "exchange: main", "exchange: base", "base", "tunnels.hq-fengshan.exchange", "ike2, main or aggressive"},
		{"fqdn without ike2", "fengshan: {role: both}", `fengshan: {id: "fqdn:fs"}`, `"fqdn:fs"`, "tunnels.hq-fengshan.ends.fengshan.id", "ike2 only"},
		{"spoke without ID", "depot: {}", "depot: {id: auto}", "auto}", "tunnels.hq-depot.ends.depot.id", "expected fqdn:NAME"},
		{"no ID", "depot: {}", "depot: {id: depot}", "depot}", "tunnels.hq-depot.ends.depot.id", "expected fqdn:NAME"},
		{"no address", "fengshan: {role: both}", `fengshan: {id: "address:x"}`, `"address:x"`, "tunnels.hq-fengshan.ends.fengshan.id", "address:IP"},
		{"same ID twice", "depot: {}", `depot: {id: "fqdn:hq"}`, `"fqdn:hq"`, "tunnels.hq-depot.ends.depot.id", "one of its own"},
		{"probe elsewhere", "probes: [192.168.77.1]", "probes: [192.168.88.1]", "192.168.88.1", "tunnels.hq-fengshan.ends.總公司.probes.0", "inside one of this end's prefixes"},
		{"algorithm", "[aes-128, 3des]", "[aes-128, aes256]", "aes256", "tunnels.hq-fengshan.profile.encryption.1", "expected aes-256?"},
		{"algorithm of phase 2", "[aes-256-cbc]", "[aes-256]", "aes-256]", "tunnels.hq-fengshan.proposal.encryption.0", "aes-256-cbc"},
		{"algorithm twice", "[aes-128, 3des]", "[3des, 3des]", "3des]", "tunnels.hq-fengshan.profile.encryption.1", "in the list already"},
		{"no encryption", "[aes-256-cbc]", "[null]", "null", "tunnels.hq-fengshan.proposal.encryption.0", "list of ciphers"},
		{"no auth", "auth: [sha1]", "auth: []", "[], pfs", "tunnels.hq-fengshan.proposal.auth", "list of sha512"},
		{"x25519 for PFS", "pfs-group: none", "pfs-group: x25519", "x25519", "tunnels.hq-fengshan.proposal.pfs-group", "ecp384"},
		{"lifetime", "lifetime: 30m", "lifetime: 5s", "5s", "tunnels.hq-fengshan.proposal.lifetime", "1m to 30d"},
		{"dpd", "dpd-interval: 300s", "dpd-interval: never", "never", "tunnels.hq-fengshan.profile.dpd-interval", "disable-dpd"},
		{"dpd failures", "dpd-interval: 300s", "dpd-maximum-failures: 0", "0}", "tunnels.hq-fengshan.profile.dpd-maximum-failures", "1 to 100"},
		{"unknown key", "hash: sha1", "hashs: sha1", "hashs", "tunnels.hq-fengshan.profile", "expected hash?"},
		{"psk itself", "    exchange: main", "    psk: MySharedKey", "MySharedKey", "tunnels.hq-fengshan.psk", "never the secret itself"},
		{"named like a site", "  hq-depot:", "  depot:", "depot:", "tunnels.depot", "a site is called this"},
		{"bad name", "  hq-depot:", "  HQ depot:", "HQ depot", "tunnels.HQ depot", "lower-case letters"},
		{"same selectors", second, "  other:\n    ends:\n      hq: {wan: ether2, prefixes: [192.168.77.0/25]}\n      fengshan: {}\n", "192.168.77.0/25", "tunnels.other.ends.hq.prefixes.0", "tunnel hq-fengshan joins networks that overlap"},
		{"same WANs", second, "  other:\n    exchange: main\n    ends:\n      hq: {wan: ether1, prefixes: [192.168.79.0/24]}\n      fengshan: {role: both}\n", "{role: both}\n    proposal", "tunnels.other.ends.fengshan.wan", "joins the same two WANs"},
		{"same ID on one peer", "dialin:", "  hq-kiosk:\n    ends: {hq: {wan: ether1}, kiosk: {id: \"fqdn:depot\"}}\ndialin:", `"fqdn:depot"`, "tunnels.hq-kiosk.ends.kiosk.id", "tunnel hq-depot has this ID on the same peer"},
	} {
		t.Run(b.name, func(t *testing.T) {
			changed := strings.Replace(tunnelsText, b.old, b.new, 1)
			if changed == tunnelsText {
				t.Fatalf("text has no %q", b.old)
			}
			_, err := config.ParseDefinitions("t.yaml", []byte(changed), tunnelEstate(), nil)
			line, column := place(t, changed, b.at, false)
			if !slices.ContainsFunc(config.Errors(err), func(e *config.Error) bool {
				return e.Line == line && e.Column == column && e.Path == b.path && strings.Contains(e.Message, b.want)
			}) {
				t.Errorf("got\n%v\nwant t.yaml:%d:%d: %s: … %s", err, line, column, b.path, b.want)
			}
			if err != nil && strings.Contains(err.Error(), "MySharedKey") {
				t.Errorf("message repeats the key: %v", err)
			}
		})
	}
}

// Ensure a definition of the ledger counts as a neighbour, and not against
// itself when it is imported again.
func TestParseDefinitions_Held(t *testing.T) {
	list, err := config.ParseDefinitions("t.yaml", []byte(tunnelsText), tunnelEstate(), nil)
	if err != nil {
		t.Fatal(err)
	}
	held := definitions(t, list)
	if _, err := config.ParseDefinitions("t.yaml", []byte(tunnelsText), tunnelEstate(), held); err != nil {
		t.Errorf("again: %v", err)
	}
	other := strings.Replace(tunnelsText, "hq-fengshan:", "hq-fs:", 1)
	if _, err := config.ParseDefinitions("t.yaml", []byte(other), tunnelEstate(), held); err == nil || !strings.Contains(err.Error(), "tunnel hq-fengshan joins") {
		t.Errorf("got %v", err)
	}
	unknown := []change.Definition{{DefinitionRef: change.DefinitionRef{Kind: "mesh", Name: "x"}}}
	if _, err := config.ParseDefinitions("t.yaml", []byte(tunnelsText), tunnelEstate(), unknown); err == nil {
		t.Error("a kind of a newer version is taken")
	}
}

// Ensure an export holds no reference to a tunnel's key, only its mark, in a
// comment.
func TestFormatDefinitions_TunnelPSK(t *testing.T) {
	list, err := config.ParseDefinitions("t.yaml", []byte(strings.Replace(tunnelsText, "    exchange: main", "    psk: file:a.psk\n    exchange: main", 1)), tunnelEstate(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if list[1].PSK != "file:a.psk" {
		t.Errorf("psk %q", list[1].PSK)
	}
	sealed := list[1].Sealed("0123456789abcdef01234567", "psk:9f3a1c0d")
	out, err := config.FormatDefinitions(definitions(t, []config.Imported{sealed}))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(out), "0123456789abcdef") || !strings.Contains(string(out), "# psk: the bot holds it (psk:9f3a1c0d)") {
		t.Errorf("got\n%s", out)
	}
	if _, err := config.ParseDefinitions("out.yaml", out, tunnelEstate(), nil); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// FuzzParseDefinitions: no input makes the reader panic, and what it accepts can
// be printed and read again.
func FuzzParseDefinitions(f *testing.F) {
	f.Add([]byte(tunnelsText))
	for _, s := range []string{
		"tunnels: {a-b: {ends: {hq: {wan: ether1}, depot: {}}}}", "tunnels: {a-b: {ends: [hq, depot]}}", "tunnels: {a-b: }",
		"tunnels: {a-b: {ends: {hq: , depot: {prefixes: [1, {}]}}, profile: [], proposal: {auth: }}}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 8<<10 {
			t.Skip("long input is slow in the YAML library and bounded by size instead")
		}
		list, err := config.ParseDefinitions("t.yaml", data, tunnelEstate(), nil)
		if err != nil {
			return
		}
		out, err := config.FormatDefinitions(definitions(t, list))
		if err != nil {
			t.Fatal(err)
		}
		if again, err := config.ParseDefinitions("out.yaml", out, tunnelEstate(), nil); err != nil || len(again) != len(list) {
			t.Errorf("printed and read again: %v\n%s", err, out)
		}
	})
}
