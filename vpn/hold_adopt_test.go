package vpn_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

const schedulerMenu = "/system/scheduler"

// stopped is redoWorld after request 42, a redo, has stopped when some phases were
// carried out, its guards armed on both routers.
func stopped(t *testing.T, phases ...string) (vpn.TunnelChange, change.Request) {
	t.Helper()
	in := narrow(redoWorld())
	plan := planned(t, vpn.PlanRedo, in)
	performAll(t, in, plan, phases...)
	for _, s := range in.Snapshots {
		s.Menus[schedulerMenu] = []schema.Row{
			{schema.ID: "*1", "name": "nightly", "interval": "1d", "on-event": ":log info night", "disabled": "false"},
			{schema.ID: "*2", "name": change.GuardName(42), "interval": "2m", "on-event": "guard", "disabled": "false", "run-count": "3"},
		}
	}
	in.Intent = change.Intent{Verb: "resolve", Site: "hq", Far: "fengshan", Tunnel: "hq-fengshan", Resume: 42, Towards: change.DecidedAdopt}
	in.PSK, in.Mark = "", ""
	return in, change.Request{Number: 42, State: change.NeedsAttention, Plan: plan}
}

// removals are the rows that the steps of a plan remove on a router, in order.
func removals(plan change.Plan, router string) (list []string) {
	for _, s := range plan.Steps {
		if s.Router == router {
			menu, _ := schema.Lookup(s.Menu)
			list = append(list, fmt.Sprintf("%s %s %s %s", s.Phase, s.Action, s.Menu, strings.Trim(menu.KeyOf(s.Match), "/")))
		}
	}
	return list
}

// valuesTold are the values of the definition that a plan says to change.
func valuesTold(plan change.Plan) (list []string) {
	for _, said := range plan.Blast {
		if key := said.Args["key"].Str; key != "" {
			list = append(list, fmt.Sprintf("%s %s→%s", key, said.Args["was"].Str, said.Args["is"].Str))
		}
	}
	return list
}

func adoption(other change.Request) func(vpn.TunnelChange) (change.Plan, error) {
	return func(in vpn.TunnelChange) (change.Plan, error) { return vpn.PlanAdopt(in, other) }
}

// Ensure rows that carry the tunnel become its definition as they are, that what
// the interrupted change left goes whichever rows won, and that a second adoption
// finds nothing to do.
func TestPlanAdopt(t *testing.T) {
	for _, tt := range []struct {
		name   string
		phases []string
		edit   func(vpn.TunnelChange)
		psk    string // mark of the definition afterwards
		gone   []string
		differ []string // texts about values, with their keys
	}{
		{
			"the new rows, edited by hand",
			[]string{change.PhaseStage, change.PhaseCutOver},
			func(in vpn.TunnelChange) {
				for i := range in.Snapshots {
					update(in, i, proposalMenu, "name", "hq-fengshan-1", "lifetime", "1h")
				}
			},
			"psk:9f3a",
			[]string{
				"disarm remove /system/scheduler vpnbot-guard-42", "commit remove /ip/ipsec/identity to-fengshan",
				"commit remove /ip/ipsec/peer to-fengshan", "commit remove /ip/ipsec/profile to-fengshan", "commit remove /ip/ipsec/proposal to-fengshan",
			},
			[]string{"proposal.lifetime 30m→1h", "psk-mark →psk:9f3a"},
		},
		{
			"the old rows",
			[]string{change.PhaseStage},
			nil, "",
			[]string{
				"disarm remove /system/scheduler vpnbot-guard-42", "commit remove /ip/ipsec/identity hq-fengshan-1",
				"commit remove /ip/ipsec/peer hq-fengshan-1", "commit remove /ip/ipsec/profile hq-fengshan-1", "commit remove /ip/ipsec/proposal hq-fengshan-1",
			},
			[]string{
				"exchange ike2→main", "profile.encryption aes-256→aes-128", "profile.hash sha256→sha1",
				"profile.dh-groups ecp384,modp2048→modp1024", "profile.dpd-interval 8s→5m", "proposal.encryption aes-256-cbc→aes-128-cbc",
				"proposal.auth sha256→sha1", "proposal.pfs-group ecp384→none",
			},
		},
		{
			"rows of somebody's own",
			[]string{change.PhaseStage, change.PhaseCutOver},
			func(in vpn.TunnelChange) {
				for i, end := range handMadeEnds {
					update(in, i, peerMenu, "name", "hq-fengshan-1", "disabled", "true")
					own := find(in, i, peerMenu, "name", "hq-fengshan-1")[0].Clone()
					own["name"], own["comment"], own["disabled"] = "own", big5, "false"
					insert(in, i, peerMenu, 2, own)
					insert(in, i, identityMenu, 2, schema.Row{"peer": "own", "disabled": "false"})
					update(in, i, policyMenu, "peer", "hq-fengshan-1", "peer", "own", "comment", big5+end.site)
				}
			},
			"",
			// Its profile and proposal carry the tunnel, whoever made them.
			[]string{
				"disarm remove /system/scheduler vpnbot-guard-42",
				"commit remove /ip/ipsec/identity hq-fengshan-1", "commit remove /ip/ipsec/peer hq-fengshan-1",
				"commit remove /ip/ipsec/identity to-fengshan", "commit remove /ip/ipsec/peer to-fengshan",
				"commit remove /ip/ipsec/profile to-fengshan", "commit remove /ip/ipsec/proposal to-fengshan",
			},
			nil,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in, other := stopped(t, tt.phases...)
			if tt.edit != nil {
				tt.edit(in)
			}
			plan := planned(t, adoption(other), in)
			if diff := cmp.Diff(tt.gone, removals(plan, "gw-hq")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.differ, valuesTold(plan)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, said := range slices.Concat(plan.Blast, plan.Warnings) {
				saysAll(t, "en", said)
				saysAll(t, "zh-TW", said)
			}
			carriers := func() string { // the rows that must not change
				text := ""
				for i := range in.Snapshots {
					peer := plan.Tunnel.Ends[slices.IndexFunc(plan.Tunnel.Ends[:], func(e change.TunnelEnd) bool { return e.Router == in.Snapshots[i].Router })].Peer
					for _, menu := range []string{peerMenu, identityMenu, policyMenu} {
						for _, r := range in.Snapshots[i].Menus[menu] {
							if r["name"] == peer || r["peer"] == peer || r["peer"] == "vendor" || r["name"] == "vendor" {
								text += fmt.Sprint(r)
							}
						}
					}
				}
				return text
			}
			before := carriers()
			for n, step := range plan.Steps {
				if step.ID != n+1 || step.Action != schema.Remove {
					t.Fatalf("step %d: %+v", n+1, step)
				}
				perform(t, in.Snapshots[endOf(in, step.Router)], step)
			}
			if after := carriers(); after != before {
				t.Errorf("rows that carry the tunnel, before and after:\n%s\n%s", before, after)
			}
			if plan.Defines != nil {
				var err error
				if in.Tunnel, err = vpn.DecodeTunnel(change.Definition{DefinitionRef: in.Definition, Body: plan.Defines}); err != nil {
					t.Fatal(err)
				}
			}
			if in.Tunnel.PSKMark != tt.psk {
				t.Errorf("key mark %q, want %q", in.Tunnel.PSKMark, tt.psk)
			}
			again := planned(t, adoption(other), in)
			if len(again.Steps) > 0 || len(valuesTold(again)) > 0 || again.Defines != nil {
				t.Errorf("a second adoption: %v, %v", removals(again, "gw-hq"), valuesTold(again))
			}
		})
	}
}

// Ensure what is not one tunnel that would agree is refused, with the reason.
func TestPlanAdopt_Refused(t *testing.T) {
	whole := []string{change.PhaseStage, change.PhaseCutOver}
	for _, tt := range []struct {
		name, want string
		phases     []string
		edit       func(vpn.TunnelChange, change.Request)
	}{
		{"one end new, one old", "tunnel_differs", []string{change.PhaseStage}, func(in vpn.TunnelChange, other change.Request) {
			for _, step := range other.Plan.In(change.PhaseCutOver, "gw-hq") {
				perform(t, in.Snapshots[0], step)
			}
		}},
		{"two peers on", "tunnel_peers", whole, func(in vpn.TunnelChange, _ change.Request) {
			update(in, 1, peerMenu, "name", "to-hq", "disabled", "false")
		}},
		{"policies off", "held_missing", whole, func(in vpn.TunnelChange, _ change.Request) {
			update(in, 1, policyMenu, "peer", "hq-fengshan-1", "disabled", "true")
		}},
		{"identity off", "tunnel_off", whole, func(in vpn.TunnelChange, _ change.Request) {
			update(in, 0, identityMenu, "peer", "hq-fengshan-1", "disabled", "true")
		}},
		{"IDs do not fit", "tunnel_disagree", whole, func(in vpn.TunnelChange, _ change.Request) {
			update(in, 0, identityMenu, "peer", "hq-fengshan-1", "remote-id", "fqdn:nobody")
		}},
		{"modes that cannot be", "tunnel_definition", whole, func(in vpn.TunnelChange, _ change.Request) {
			for i := range in.Snapshots {
				update(in, i, peerMenu, "name", "hq-fengshan-1", "passive", "true")
			}
		}},
	} {
		in, other := stopped(t, tt.phases...)
		tt.edit(in, other)
		_, err := vpn.PlanAdopt(in, other)
		refusal, ok := errors.AsType[*vpn.Refusal](err)
		if !ok || refusal.Text.ID != "plan.refuse."+tt.want {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
			continue
		}
		if refusal.Hint.ID != "plan.refuse.adopt.hint" {
			t.Errorf("%s: got the hint %v", tt.name, refusal.Hint)
		}
		saysAll(t, "en", refusal.Text)
		saysAll(t, "zh-TW", refusal.Hint)
	}
}

// Ensure two keys of which the bot knows that they differ are not called one
// tunnel, and that a key which it does not know is said to be one.
func TestPlanAdopt_Keys(t *testing.T) {
	in, other := stopped(t, change.PhaseStage, change.PhaseCutOver)
	in.Tunnel.PSKMark = "psk:old"
	// Somebody has put the old identity of fengshan under the new peer.
	drop(in, 1, identityMenu, func(r schema.Row) bool { return r["peer"] == "hq-fengshan-1" })
	update(in, 1, identityMenu, "peer", "to-hq", "peer", "hq-fengshan-1")
	plan := planned(t, adoption(other), in)
	if plan.Defines == nil || !slices.Contains(valuesTold(plan), "psk-mark psk:old→") {
		t.Errorf("got %v, want the key's mark gone", valuesTold(plan))
	}
	if !slices.ContainsFunc(plan.Warnings, func(w change.Text) bool { return w.ID == "plan.warn.key_unknown" }) {
		t.Errorf("got %v, want it said that the key is unknown", plan.Warnings)
	}
	// The identities are those that two requests of the bot wrote.
	for i, s := range other.Plan.Steps {
		if s.Menu == identityMenu && s.Phase == change.PhaseStage && s.Router == "gw-hq" {
			other.Plan.Steps[i].Marks = map[string]string{"secret": "psk:another"}
		}
	}
	in, _ = stopped(t, change.PhaseStage, change.PhaseCutOver)
	_, err := vpn.PlanAdopt(in, other)
	if refusal, ok := errors.AsType[*vpn.Refusal](err); !ok || refusal.Text.ID != "plan.refuse.tunnel_disagree" {
		t.Errorf("got %v, want two keys refused", err)
	}
}

// Ensure the scheduler must have been read, and that a change of what is adopted
// or removed makes the plan stale.
func TestPlanAdopt_Seen(t *testing.T) {
	in, other := stopped(t, change.PhaseStage, change.PhaseCutOver)
	plan := planned(t, adoption(other), in)
	for name, edit := range map[string]func(vpn.TunnelChange){
		"policy": func(in vpn.TunnelChange) { update(in, 0, policyMenu, "peer", "hq-fengshan-1", "level", "unique") },
		"guard": func(in vpn.TunnelChange) {
			update(in, 1, schedulerMenu, "name", change.GuardName(42), "disabled", "true")
		},
		"profile":  func(in vpn.TunnelChange) { update(in, 1, profileMenu, "name", "hq-fengshan-1", "dh-group", "ecp521") },
		"leftover": func(in vpn.TunnelChange) { update(in, 0, peerMenu, "name", "to-fengshan", "disabled", "false") },
	} {
		now := copied(in)
		edit(now)
		if !slices.ContainsFunc(plan.Seen, func(o change.Observation) bool {
			_, moved := o.Compare(now.Snapshots[endOf(now, o.Router)])
			return moved
		}) {
			t.Errorf("%s: the plan does not see the change", name)
		}
	}
	delete(in.Snapshots[1].Menus, schedulerMenu)
	if _, err := vpn.PlanAdopt(in, other); !errors.Is(err, vpn.ErrSnapshot) {
		t.Errorf("got %v, want the menu that was not read", err)
	}
}

// Ensure a tunnel that the ledger does not know yet is defined even when the routers
// hold exactly what was to be defined.
func TestPlanAdopt_Undefined(t *testing.T) {
	in, other := stopped(t, change.PhaseStage, change.PhaseCutOver)
	held, err := vpn.HeldTunnel(in)
	if err != nil {
		t.Fatal(explain(err))
	}
	held.PSKMark = "psk:9f3a"
	for _, undefined := range []bool{false, true} {
		in.Tunnel, in.Undefined = held, undefined
		plan := planned(t, adoption(other), in)
		if (plan.Defines != nil) != undefined || len(valuesTold(plan)) > 0 {
			t.Errorf("undefined %v: defines %s, tells %v", undefined, plan.Defines, valuesTold(plan))
		}
	}
}
