package vpn_test

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// Ensure what cannot be planned for is refused with its reason.
func TestPlanRedo_Refused(t *testing.T) {
	policy := func(in vpn.TunnelChange) schema.Row { return find(in, 0, policyMenu, "peer", "to-fengshan")[0] }
	tests := []struct {
		want string
		edit func(*vpn.TunnelChange)
	}{
		{"flagged", func(in *vpn.TunnelChange) { in.Snapshots[1].Menus["/system/device-mode"][0]["flagged"] = "true" }},
		{"tunnel_mode", func(in *vpn.TunnelChange) {
			in.Snapshots[1].Menus["/system/device-mode"] = []schema.Row{{"mode": "home"}}
		}},
		{"tunnel_mode", func(in *vpn.TunnelChange) { in.Snapshots[0].Menus["/system/device-mode"][0]["scheduler"] = "no" }},
		{"tunnel_mode", func(in *vpn.TunnelChange) { in.Snapshots[0].Menus["/system/device-mode"][0]["ipsec"] = "false" }},
		{"tunnel_version", func(in *vpn.TunnelChange) { in.Snapshots[0].Version = "6.44.6 (long-term)" }},
		{"tunnel_version", func(in *vpn.TunnelChange) { in.Snapshots[0].Version = "" }},
		{"tunnel_safemode", func(in *vpn.TunnelChange) {
			in.Snapshots[0].Menus["/safe-mode"] = []schema.Row{{"enabled": "true", "user": "alice"}}
		}},
		{"tunnel_foreign", func(in *vpn.TunnelChange) { in.Estate.Routers = in.Estate.Routers[:1] }},
		{"tunnel_definition", func(in *vpn.TunnelChange) { in.Tunnel.Ends[0].Role, in.Tunnel.Ends[1].Role = vpn.Respond, vpn.Respond }},
		{"shared_static", func(in *vpn.TunnelChange) {
			in.Estate.Sites[1].WANs = []vpn.WAN{{Interface: "ether1", Dynamic: true, NAT: vpn.NoNAT, Role: vpn.Initiate}}
			in.Tunnel.Ends[0].Role, in.Tunnel.Ends[0].ID = vpn.Respond, "fqdn:hq"
			in.Tunnel.Ends[1].Role, in.Tunnel.Ends[1].ID = vpn.Initiate, "fqdn:fengshan"
		}},
		{"tunnel_address", func(in *vpn.TunnelChange) {
			in.Estate.Sites[1].WANs = []vpn.WAN{{Interface: "ether9", DNS: "vpn.example.com", NAT: vpn.NoNAT, Role: vpn.Both}}
			in.Tunnel.Ends[1].WAN = "ether9"
		}},
		{"tunnel_row", func(in *vpn.TunnelChange) { policy(*in)["disabled"] = "perhaps" }},
		{"tunnel_policy_generated", func(in *vpn.TunnelChange) { policy(*in)["dynamic"] = "true" }},
		{"tunnel_policy_action", func(in *vpn.TunnelChange) { policy(*in)["action"] = "discard" }},
		{"tunnel_policy_twice", func(in *vpn.TunnelChange) { insert(*in, 0, policyMenu, 2, policy(*in).Clone()) }},
		{"tunnel_policy_peers", func(in *vpn.TunnelChange) { policy(*in)["peer"] = "to-fengshan,vendor" }},
		{"tunnel_peers", func(in *vpn.TunnelChange) {
			insert(*in, 0, peerMenu, 3, schema.Row{"name": "old", "address": "198.51.100.20/32", "exchange-mode": "ike2", "disabled": "false"})
		}},
		{"tunnel_peers", func(in *vpn.TunnelChange) {
			drop(*in, 0, policyMenu, func(r schema.Row) bool { return r["peer"] == "to-fengshan" })
			update(*in, 0, peerMenu, "name", "to-fengshan", "disabled", "true")
			insert(*in, 0, peerMenu, 3, schema.Row{"name": "old", "address": "198.51.100.20/32", "exchange-mode": "ike2", "disabled": "true"})
		}},
		{"tunnel_peer_shared", func(in *vpn.TunnelChange) {
			gre := schema.Row{"peer": "to-fengshan", "src-address": "203.0.113.10/32", "dst-address": "198.51.100.20/32", "protocol": "gre", "ph2-state": "established", "disabled": "false"}
			insert(*in, 0, policyMenu, 2, gre)
		}},
		{"tunnel_identities", func(in *vpn.TunnelChange) {
			insert(*in, 0, identityMenu, 2, schema.Row{"peer": "to-fengshan", "disabled": "false"})
		}},
		{"tunnel_identity_other", func(in *vpn.TunnelChange) {
			find(*in, 0, identityMenu, "peer", "to-fengshan")[0]["auth-method"] = "digital-signature"
		}},
		// A peer of a vendor in the way: it would answer instead of the new one.
		{"tunnel_disagree", func(in *vpn.TunnelChange) {
			insert(*in, 0, peerMenu, 3, schema.Row{"name": "gre", "address": "198.51.100.20/32", "exchange-mode": "ike2", "profile": "default", "disabled": "false"})
			insert(*in, 0, policyMenu, 2, schema.Row{"peer": "gre", "src-address": "203.0.113.10/32", "dst-address": "198.51.100.20/32", "protocol": "gre", "ph2-state": "established", "disabled": "false"})
		}},
		{"tunnel_unclear", func(in *vpn.TunnelChange) {
			insert(*in, 0, peerMenu, 0, schema.Row{"name": "odd", "address": "198.51.100.20/32", "exchange-mode": "ike3", "profile": "default", "disabled": "false"})
			insert(*in, 0, policyMenu, 2, schema.Row{"peer": "odd", "src-address": "203.0.113.10/32", "dst-address": "198.51.100.20/32", "protocol": "gre", "ph2-state": "established", "disabled": "false"})
		}},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			in := narrow(redoWorld())
			tt.edit(&in)
			_, err := vpn.PlanRedo(in)
			refusal, ok := errors.AsType[*vpn.Refusal](err)
			if !ok || refusal.Text.ID != "plan.refuse."+tt.want {
				t.Fatalf("got %v, want %s", err, tt.want)
			}
			for _, text := range []change.Text{refusal.Text, refusal.Hint} {
				for _, lang := range []string{"en", "zh-TW"} {
					saysAll(t, lang, text)
				}
			}
		})
	}
}

// saysAll checks that a message has words, which ask for nothing that it lacks.
func saysAll(t *testing.T, lang string, text change.Text) {
	t.Helper()
	words := map[string]any{}
	for _, area := range []string{"redo", "plan", "adopt", "definition"} {
		b, err := os.ReadFile(filepath.Join("..", "commands", "text", "locale", area+"."+lang+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &words); err != nil {
			t.Fatal(err)
		}
	}
	sentence, ok := words[text.ID].(string)
	if !ok {
		t.Errorf("%s has no words in %s", text.ID, lang)
	}
	for _, m := range regexp.MustCompile(`{{\.(\w+)}}`).FindAllStringSubmatch(sentence, -1) {
		if _, given := text.Args[m[1]]; !given {
			t.Errorf("%s in %s asks for %s", text.ID, lang, m[1])
		}
	}
}

// Ensure too little input is no refusal but a fault of the caller.
func TestPlanRedo_Incomplete(t *testing.T) {
	for name, edit := range map[string]func(*vpn.TunnelChange){
		"no key":              func(in *vpn.TunnelChange) { in.PSK = "" },
		"no key mark":         func(in *vpn.TunnelChange) { in.Mark = "" },
		"another definition":  func(in *vpn.TunnelChange) { in.Definition.Name = "hq-taichung" },
		"a menu was not read": func(in *vpn.TunnelChange) { delete(in.Snapshots[0].Menus, natMenu) },
		"snapshots reversed":  func(in *vpn.TunnelChange) { slices.Reverse(in.Snapshots[:]) },
	} {
		in := narrow(redoWorld())
		edit(&in)
		if _, err := vpn.PlanRedo(in); err == nil || strings.HasPrefix(explain(err), "plan.refuse") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// Ensure what is wrong with a definition is said in words that have both languages:
// nothing of what a file's reader is told stands inside a sentence.
func TestPlanRedo_DefinitionInWords(t *testing.T) {
	tests := []struct {
		want string
		edit func(*vpn.TunnelChange)
	}{
		{"tunnel_name", func(in *vpn.TunnelChange) { in.Tunnel.Name, in.Definition.Name = "HQ fengshan", "HQ fengshan" }},
		{"named_like_site", func(in *vpn.TunnelChange) { in.Tunnel.Name, in.Definition.Name = "hq", "hq" }},
		{"note", func(in *vpn.TunnelChange) { in.Tunnel.Note = "a\nb" }},
		{"no_site", func(in *vpn.TunnelChange) { in.Tunnel.Ends[0].Site = "depot" }},
		{"no_router", func(in *vpn.TunnelChange) { in.Estate.Routers[0].Site = "depot" }},
		{"no_wan", func(in *vpn.TunnelChange) { in.Tunnel.Ends[0].WAN = "ether9" }},
		{"role", func(in *vpn.TunnelChange) { in.Tunnel.Ends[0].Role = "server" }},
		{"prefixes", func(in *vpn.TunnelChange) { in.Tunnel.Ends[0].Prefixes, in.Tunnel.Ends[0].Probes = nil, nil }},
		{"network", func(in *vpn.TunnelChange) {
			in.Tunnel.Ends[0].Prefixes, in.Tunnel.Ends[0].Probes = []netip.Prefix{netip.MustParsePrefix("192.168.77.1/24")}, nil
		}},
		{"exchange", func(in *vpn.TunnelChange) { in.Tunnel.Exchange = "base" }},
		{"id_form", func(in *vpn.TunnelChange) { in.Tunnel.Ends[0].ID = "hq" }},
		{"dpd_interval", func(in *vpn.TunnelChange) { in.Tunnel.Profile.DPDInterval = "never" }},
		{"dpd_failures", func(in *vpn.TunnelChange) { in.Tunnel.Profile.DPDFailures = 0 }},
		{"lifetime", func(in *vpn.TunnelChange) { in.Tunnel.Profile.Lifetime = "5s" }},
		{"algorithm", func(in *vpn.TunnelChange) { in.Tunnel.Profile.Encryption = nil }},
		{"algorithm_near", func(in *vpn.TunnelChange) { in.Tunnel.Profile.Encryption = []string{"aes256"} }},
		{"algorithm_twice", func(in *vpn.TunnelChange) { in.Tunnel.Profile.Encryption = []string{"aes-256", "aes-256"} }},
	}
	for _, tt := range tests {
		in := narrow(redoWorld())
		tt.edit(&in)
		_, err := vpn.PlanRedo(in)
		refusal, ok := errors.AsType[*vpn.Refusal](err)
		if !ok || refusal.Text.ID != "plan.refuse.tunnel_definition" {
			t.Errorf("%s: got %v, want the definition refused", tt.want, err)
			continue
		}
		if why := refusal.Text.Args["problem"].Text; why == nil || why.ID != "problem."+tt.want {
			t.Errorf("got %v, want problem.%s", why, tt.want)
		}
	}
}
