package vpn_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// brief writes steps in one line each.
func brief(steps []change.Step) []string {
	var list []string
	for _, s := range steps {
		line := fmt.Sprintf("%s %s %s", s.Menu[strings.LastIndexByte(s.Menu, '/')+1:], s.Action, s.Class)
		for _, name := range []string{"name", "peer", "src-address", "dst-address"} {
			if v := s.Match[name]; v != "" {
				line += " " + v
			}
		}
		if s.Place != "" {
			line += " at " + s.Place
		}
		list = append(list, line)
	}
	return list
}

// Ensure the hand-made tunnel of the notes is re-created: found by what its rows
// are, policies pointed elsewhere in place, others' rows not named.
func TestPlanRedo(t *testing.T) {
	in := narrow(redoWorld())
	plan := planned(t, vpn.PlanRedo, in)
	want := map[string][]string{
		change.PhaseStage: {
			"profile add twin hq-fengshan-1", "proposal add twin hq-fengshan-1", "peer add twin hq-fengshan-1", "identity add twin hq-fengshan-1",
		},
		change.PhaseCutOver: {
			"proposal enable twin hq-fengshan-1", "peer disable in place to-hq",
			"policy set in place 192.168.88.0/24 192.168.77.0/24", "peer enable twin hq-fengshan-1",
		},
		change.PhaseCommit: {
			"identity remove one-way to-hq", "peer remove in place to-hq", "profile remove in place to-hq", "proposal remove in place to-hq",
		},
	}
	for phase, steps := range want {
		if diff := cmp.Diff(steps, brief(plan.In(phase, "gw-fengshan"))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", phase, diff)
		}
		if got := len(plan.In(phase, "gw-hq")); got != len(steps) {
			t.Errorf("%s: %d steps on gw-hq, want %d", phase, got, len(steps))
		}
	}
	identity := plan.In(change.PhaseStage, "gw-hq")[3]
	if identity.Secrets["secret"] != "psk-new" || identity.Marks["secret"] != "psk:9f3a" {
		t.Errorf("identity is written with %v %v", identity.Secrets, identity.Marks)
	}
	peer := plan.In(change.PhaseStage, "gw-hq")[2]
	wantPeer := schema.Row{
		"name": "hq-fengshan-1", "address": "198.51.100.20/32", "exchange-mode": "ike2", "profile": "hq-fengshan-1", "passive": "false",
		"disabled": "true", "comment": big5,
	}
	if diff := cmp.Diff(wantPeer, peer.After); diff != "" {
		t.Errorf("peer (-want +got):\n%s", diff)
	}
	set := plan.In(change.PhaseCutOver, "gw-hq")[2]
	wantSet := [2]schema.Row{{"peer": "to-fengshan", "proposal": "to-fengshan"}, {"peer": "hq-fengshan-1", "proposal": "hq-fengshan-1"}}
	if diff := cmp.Diff(wantSet, [2]schema.Row{set.Before, set.After}); diff != "" {
		t.Errorf("policy (-want +got):\n%s", diff)
	}
	for i, step := range plan.Steps {
		if i > 0 && step.Phase == plan.Steps[i-1].Phase && step.Router == "gw-fengshan" && plan.Steps[i-1].Router == "gw-hq" {
			t.Errorf("step %d: the far router comes second", step.ID)
		}
	}
	if got := plan.Tunnel.Ends[0]; got.Router != "gw-fengshan" || got.Local.String() != "198.51.100.20" || got.Remote.String() != "203.0.113.10" ||
		len(got.Selectors) != 1 || len(got.Probes) != 1 || got.Probes[0].From.String() != "192.168.88.1" || got.Probes[0].To.String() != "192.168.77.31" {
		t.Errorf("end %+v", got)
	}
	if len(plan.Tunnel.Unproven) != 0 || plan.Tunnel.Delay != 0 {
		t.Errorf("tunnel %+v", plan.Tunnel)
	}
	if got := told(plan.Blast); got != "plan.tunnel.outage plan.tunnel.sealed plan.tunnel.rows plan.tunnel.rows plan.tunnel.failure" {
		t.Errorf("blast radius %s", got)
	}
	if told(plan.Warnings) != "plan.warn.prediction" {
		t.Errorf("warnings %s", told(plan.Warnings))
	}
}

// leftBehind puts the staged rows of a change that somebody has taken over.
func leftBehind(in vpn.TunnelChange, i int) {
	name, h := "hq-fengshan-1", handMadeEnds[i]
	insert(in, i, profileMenu, 1, schema.Row{"name": name, "hash-algorithm": "sha256"})
	insert(in, i, proposalMenu, 1, schema.Row{"name": name, "disabled": "true", "comment": "[vpnbot 41.2]"})
	insert(in, i, peerMenu, 3, schema.Row{
		"name": name, "address": h.far + "/32", "exchange-mode": "ike2", "profile": name, "disabled": "true", "comment": big5 + " [vpnbot 41.3]",
	})
	insert(in, i, identityMenu, 3, schema.Row{"peer": name, "disabled": "false", "comment": "[vpnbot 41.4]"})
}

// each does f to both ends.
func each(in vpn.TunnelChange, f func(i int, end handMade)) {
	for i, end := range handMadeEnds {
		f(i, end)
	}
}

// Ensure each thing that people leave on routers is met by the right steps.
func TestPlanRedo_Found(t *testing.T) {
	tests := []struct {
		name  string
		edit  func(*vpn.TunnelChange)
		want  []string // lines on gw-hq that must be there
		never []string // beginnings that must not
		warns string
		blast string
		not   string // what the blast radius must not say
	}{
		{
			name: "profile and proposal default", edit: func(in *vpn.TunnelChange) {
				each(*in, func(i int, end handMade) {
					find(*in, i, peerMenu, "name", end.to)[0]["profile"] = "default"
					find(*in, i, policyMenu, "peer", end.to)[0]["proposal"] = "default"
				})
			},
			never: []string{"profile remove", "proposal remove"}, warns: "plan.warn.shared",
		},
		{
			name: "a profile that another peer uses", edit: func(in *vpn.TunnelChange) { find(*in, 0, peerMenu, "name", "vendor")[0]["profile"] = "to-fengshan" },
			want: []string{"proposal remove in place to-fengshan"}, never: []string{"profile remove"}, warns: "plan.warn.shared",
		},
		{
			name: "bypass below masquerade", edit: func(in *vpn.TunnelChange) {
				rows := in.Snapshots[0].Menus[natMenu]
				rows[1], rows[2] = rows[2], rows[1]
			},
			want: []string{"nat add twin 192.168.77.0/24 192.168.88.0/24 at top", "nat remove in place 192.168.77.0/24 192.168.88.0/24"},
		},
		{
			name: "bypass with a matcher that was opened and left", edit: func(in *vpn.TunnelChange) {
				find(*in, 0, natMenu, "action", "accept")[0]["limit"] = "1,5:packet"
			},
			want: []string{"nat add twin 192.168.77.0/24 192.168.88.0/24 at top", "nat remove in place 192.168.77.0/24 192.168.88.0/24"},
		},
		{
			name: "bypass with an empty matcher", edit: func(in *vpn.TunnelChange) { find(*in, 0, natMenu, "action", "accept")[0]["src-port"] = "" },
			want: []string{"nat add twin 192.168.77.0/24 192.168.88.0/24 at top", "nat remove in place 192.168.77.0/24 192.168.88.0/24"},
		},
		{
			name: "bypass switched off, without comment", edit: func(in *vpn.TunnelChange) {
				row := find(*in, 0, natMenu, "action", "accept")[0]
				row["disabled"] = "true"
				delete(row, "comment")
			},
			want: []string{"nat add twin 192.168.77.0/24 192.168.88.0/24 at top", "nat remove in place 192.168.77.0/24 192.168.88.0/24"},
		},
		{
			name: "two bypasses below masquerade that nobody can tell apart", edit: func(in *vpn.TunnelChange) {
				low := schema.Row{"chain": "srcnat", "action": "accept", "src-address": "192.168.77.0/24", "dst-address": "192.168.88.0/24", "disabled": "false"}
				drop(*in, 0, natMenu, func(r schema.Row) bool { return r["action"] == "accept" })
				insert(*in, 0, natMenu, 2, low, low.Clone())
			},
			want: []string{"nat add twin 192.168.77.0/24 192.168.88.0/24 at top"}, never: []string{"nat remove"}, warns: "plan.warn.bypass_left plan.warn.bypass_left",
		},
		{
			name: "somebody's rule for a part of the traffic", edit: func(in *vpn.TunnelChange) {
				find(*in, 0, natMenu, "action", "accept")[0]["protocol"] = "tcp"
			},
			want: []string{"nat add twin 192.168.77.0/24 192.168.88.0/24 at top"}, never: []string{"nat remove"},
		},
		{
			name: "no bypass", edit: func(in *vpn.TunnelChange) {
				drop(*in, 0, natMenu, func(r schema.Row) bool { return r["action"] == "accept" })
			},
			want: []string{"nat add twin 192.168.77.0/24 192.168.88.0/24 at top"}, never: []string{"nat remove"},
		},
		{
			name: "a wider bypass above", edit: func(in *vpn.TunnelChange) {
				find(*in, 0, natMenu, "action", "accept")[0]["dst-address"] = "192.168.0.0/16"
			},
			never: []string{"nat"},
		},
		{
			name: "masquerade that leaves out what IPsec takes", edit: func(in *vpn.TunnelChange) {
				rows := in.Snapshots[0].Menus[natMenu]
				rows[1], rows[2] = rows[2], rows[1]
				rows[1]["ipsec-policy"] = "out,none"
			},
			never: []string{"nat"},
		},
		{
			name: "no policy", edit: func(in *vpn.TunnelChange) {
				drop(*in, 0, policyMenu, func(r schema.Row) bool { return r["peer"] == "to-fengshan" })
			},
			want: []string{
				"policy add twin hq-fengshan-1 192.168.77.0/24 192.168.88.0/24", "policy enable twin hq-fengshan-1 192.168.77.0/24 192.168.88.0/24",
				"peer disable in place to-fengshan", "peer remove in place to-fengshan",
			},
			never: []string{"proposal remove", "policy set"}, not: "plan.tunnel.sealed",
		},
		{
			name: "no policy, and somebody's for everything", edit: func(in *vpn.TunnelChange) {
				find(*in, 0, policyMenu, "peer", "to-fengshan")[0]["dst-address"] = "192.168.88.128/25"
			},
			want:  []string{"policy add twin hq-fengshan-1 192.168.77.0/24 192.168.88.0/24 at top", "policy remove in place to-fengshan 192.168.77.0/24 192.168.88.128/25"},
			warns: "plan.warn.policy_unwanted",
		},
		{
			name: "a policy switched off", edit: func(in *vpn.TunnelChange) { find(*in, 0, policyMenu, "peer", "to-fengshan")[0]["disabled"] = "true" },
			want: []string{"policy set in place 192.168.77.0/24 192.168.88.0/24", "policy enable in place 192.168.77.0/24 192.168.88.0/24"},
		},
		{
			name: "a policy in transport mode", edit: func(in *vpn.TunnelChange) { delete(find(*in, 0, policyMenu, "peer", "to-fengshan")[0], "tunnel") },
			want: []string{"policy set in place 192.168.77.0/24 192.168.88.0/24"},
		},
		{
			name: "a policy whose peer is gone", edit: func(in *vpn.TunnelChange) {
				delete(find(*in, 0, policyMenu, "peer", "to-fengshan")[0], "peer")
				drop(*in, 0, peerMenu, func(r schema.Row) bool { return r["name"] == "to-fengshan" })
				drop(*in, 0, identityMenu, func(r schema.Row) bool { return r["peer"] == "to-fengshan" })
			},
			want: []string{"policy set in place 192.168.77.0/24 192.168.88.0/24"}, never: []string{"peer disable", "peer remove", "identity remove", "profile remove"},
		},
		{
			name: "a policy that points at a stranger's peer", edit: func(in *vpn.TunnelChange) {
				find(*in, 0, policyMenu, "peer", "to-fengshan")[0]["peer"] = "vendor"
			},
			want: []string{"policy set in place 192.168.77.0/24 192.168.88.0/24", "peer remove in place to-fengshan"}, never: []string{"peer disable in place vendor", "peer remove in place vendor"},
		},
		{
			name: "a peer with an outdated address", edit: func(in *vpn.TunnelChange) {
				find(*in, 0, peerMenu, "name", "to-fengshan")[0]["address"] = "198.51.100.99/32"
			},
			want: []string{"peer disable in place to-fengshan", "peer remove in place to-fengshan"},
		},
		{
			name: "a peer switched off", edit: func(in *vpn.TunnelChange) { find(*in, 0, peerMenu, "name", "to-fengshan")[0]["disabled"] = "true" },
			want: []string{"peer remove in place to-fengshan"}, never: []string{"peer disable"}, warns: "plan.warn.peer_off plan.warn.broken_now",
		},
		{
			name: "nothing at one end", edit: func(in *vpn.TunnelChange) {
				for _, menu := range []string{peerMenu, identityMenu, policyMenu, profileMenu, proposalMenu} {
					drop(*in, 0, menu, func(r schema.Row) bool { return r["name"] == "to-fengshan" || r["peer"] == "to-fengshan" })
				}
			},
			want: []string{"policy add twin hq-fengshan-1 192.168.77.0/24 192.168.88.0/24"}, never: []string{"peer remove", "peer disable"},
		},
		{
			name: "another pair of networks in the definition", edit: func(in *vpn.TunnelChange) {
				in.Tunnel.Ends[0].Prefixes = append(in.Tunnel.Ends[0].Prefixes, prefix("192.168.78.0/24"))
			},
			want: []string{
				"policy set in place 192.168.77.0/24 192.168.88.0/24", "policy add twin hq-fengshan-1 192.168.78.0/24 192.168.88.0/24",
				"nat add twin 192.168.78.0/24 192.168.88.0/24 at top",
			},
			warns: "plan.warn.unproven",
		},
		{
			name: "a policy that the definition does not have", edit: func(in *vpn.TunnelChange) {
				extra := find(*in, 0, policyMenu, "peer", "to-fengshan")[0].Clone()
				extra["src-address"] = "192.168.79.0/24"
				insert(*in, 0, policyMenu, 2, extra)
			},
			want: []string{
				"policy disable in place to-fengshan 192.168.79.0/24 192.168.88.0/24", "policy remove in place to-fengshan 192.168.79.0/24 192.168.88.0/24",
			},
			warns: "plan.warn.policy_unwanted",
		},
		{
			name: "what an earlier change left behind", edit: func(in *vpn.TunnelChange) { leftBehind(*in, 0) },
			want: []string{
				"identity remove one-way to-fengshan", "identity remove in place hq-fengshan-1", "peer remove in place hq-fengshan-1",
				"profile remove in place hq-fengshan-1", "proposal remove in place hq-fengshan-1", "peer add twin hq-fengshan-2",
			},
		},
		{
			name: "what somebody left behind", edit: func(in *vpn.TunnelChange) {
				insert(*in, 0, peerMenu, 3, schema.Row{"name": "old", "address": "198.51.100.20/32", "profile": "default", "disabled": "true"})
			},
			never: []string{"peer remove in place old", "peer disable in place old"}, warns: "plan.warn.peer_left",
		},
		{
			name: "dialled in from the other end", edit: func(in *vpn.TunnelChange) {
				in.Snapshots[0].Menus["/ppp/active"][0]["caller-id"] = "198.51.100.20"
			},
			blast: "plan.tunnel.dialled",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := narrow(redoWorld())
			tt.edit(&in)
			plan := planned(t, vpn.PlanRedo, in)
			var lines []string
			for _, phase := range []string{change.PhaseStage, change.PhaseCutOver, change.PhaseCommit} {
				lines = append(lines, brief(plan.In(phase, "gw-hq"))...)
			}
			for _, line := range tt.want {
				if !slices.Contains(lines, line) {
					t.Errorf("no %q in\n%s", line, strings.Join(lines, "\n"))
				}
			}
			for _, begin := range tt.never {
				if i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, begin) }); i >= 0 {
					t.Errorf("%q in the plan", lines[i])
				}
			}
			if !strings.Contains(told(plan.Warnings), tt.warns) {
				t.Errorf("warnings %s, want %s", told(plan.Warnings), tt.warns)
			}
			if blast := told(plan.Blast); !strings.Contains(blast, tt.blast) || tt.not != "" && strings.Contains(blast, tt.not) {
				t.Errorf("blast radius %s, want %s, not %s", blast, tt.blast, tt.not)
			}
			after := copied(in)
			performAll(t, after, plan, change.PhaseStage, change.PhaseCutOver, change.PhaseCommit)
			if tt.warns != "plan.warn.bypass_left plan.warn.bypass_left" {
				settledOnPlan(t, after, plan)
			}
		})
	}
}

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
		{"tunnel_dynamic", func(in *vpn.TunnelChange) {
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
	for _, area := range []string{"redo", "plan"} {
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
