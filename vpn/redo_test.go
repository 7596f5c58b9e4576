package vpn_test

import (
	"fmt"
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
