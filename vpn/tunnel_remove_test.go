package vpn_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// removal makes the request to take the tunnel of a world away.
func removal(in vpn.TunnelChange) vpn.TunnelChange {
	in.Intent.Verb, in.PSK, in.Mark = "tunnel remove", "", ""
	for i := range in.Snapshots {
		in.Snapshots[i].Menus[filterMenu], in.Snapshots[i].Menus[memberMenu] = []schema.Row{}, []schema.Row{}
	}
	return in
}

// Ensure a tunnel's rows go and no others: off at both ends first, removed at the end.
func TestPlanRemove(t *testing.T) {
	in := removal(narrow(redoWorld()))
	insert(in, 0, filterMenu, 0,
		schema.Row{"chain": "input", "action": "accept", "protocol": "ipsec-esp", "src-address": "198.51.100.20", "comment": "hq-fengshan [vpnbot 7.4]"},
		schema.Row{"chain": "input", "action": "accept", "protocol": "udp", "dst-port": "500,4500", "comment": "hq-fengshan"}, // somebody's own
		schema.Row{"chain": "input", "action": "accept", "protocol": "udp", "dst-port": "500,4500", "comment": "hq-taichung [vpnbot 8.4]"},
	)
	plan := planned(t, vpn.PlanRemove, in)
	want := map[string][]string{
		change.PhaseStage:   nil,
		change.PhaseCutOver: {"peer disable in place to-fengshan", "policy disable in place 192.168.77.0/24 192.168.88.0/24"},
		change.PhaseCommit: {
			"policy remove in place 192.168.77.0/24 192.168.88.0/24", "nat remove in place 192.168.77.0/24 192.168.88.0/24", "filter remove in place",
			"identity remove one-way to-fengshan", "peer remove in place to-fengshan", "profile remove in place to-fengshan", "proposal remove in place to-fengshan",
		},
	}
	for phase, steps := range want {
		if diff := cmp.Diff(steps, brief(plan.In(phase, "gw-hq"))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", phase, diff)
		}
	}
	if !plan.Retires || plan.Defines != nil || !plan.Tunnel.Removes || len(plan.Tunnel.Ends[0].Probes)+len(plan.Tunnel.Unproven) > 0 {
		t.Errorf("plan %+v %+v", plan.Retires, plan.Tunnel)
	}
	if got := told(plan.Blast); got != "plan.remove.after plan.remove.rows plan.remove.rows plan.remove.failure plan.remove.kept" {
		t.Errorf("blast radius %s", got)
	}
}

// Ensure what is there of a tunnel goes whatever is missing of it, and that one of
// which nothing is left ends in the ledger alone.
func TestPlanRemove_Partly(t *testing.T) {
	in := removal(narrow(redoWorld()))
	gone := func(i int) {
		end := handMadeEnds[i]
		for _, menu := range []string{peerMenu, identityMenu, policyMenu} {
			drop(in, i, menu, func(r schema.Row) bool { return r["name"] == end.to || r["peer"] == end.to })
		}
		drop(in, i, natMenu, func(r schema.Row) bool { return r["action"] == "accept" })
	}
	gone(1)
	plan := planned(t, vpn.PlanRemove, in)
	if len(plan.In(change.PhaseCommit, "gw-fengshan")) > 0 || len(plan.In(change.PhaseCutOver, "gw-hq")) != 2 || !strings.Contains(told(plan.Blast), "plan.remove.nothing") {
		t.Errorf("got %v", brief(plan.Steps))
	}
	gone(0)
	plan = planned(t, vpn.PlanRemove, in)
	if plan.Phased() || len(plan.Steps) > 0 || !plan.Retires || plan.Empty() || plan.Summary.ID != "plan.remove.alone" {
		t.Errorf("got %+v", plan)
	}
}

// Ensure nothing is removed that is not known to be the tunnel's, or that the bot
// needs.
func TestPlanRemove_Refused(t *testing.T) {
	for name, tt := range map[string]struct {
		edit func(*vpn.TunnelChange)
		want string
	}{
		"in band": {func(in *vpn.TunnelChange) {
			in.Snapshots[1].Menus["/user/active"] = []schema.Row{{"name": "bot-read", "address": "192.168.77.5", "via": "api"}}
		}, "remove_in_band"},
		"a peer of somebody else as well": {func(in *vpn.TunnelChange) {
			insert(*in, 0, policyMenu, 1, schema.Row{"peer": "to-fengshan", "tunnel": "true", "src-address": "10.1.0.0/16", "dst-address": "10.2.0.0/16", "action": "encrypt", "disabled": "false"})
		}, "tunnel_peer_shared"},
		"two peers": {func(in *vpn.TunnelChange) {
			insert(*in, 0, peerMenu, 1, schema.Row{"name": "also", "address": "198.51.100.20/32", "exchange-mode": "ike2", "disabled": "false"})
		}, "tunnel_peers"},
		"flagged": {func(in *vpn.TunnelChange) { in.Snapshots[1].Menus["/system/device-mode"][0]["flagged"] = "true" }, "flagged"},
	} {
		in := removal(narrow(redoWorld()))
		tt.edit(&in)
		_, err := vpn.PlanRemove(in)
		if r, ok := errors.AsType[*vpn.Refusal](err); !ok || r.Text.ID != "plan.refuse."+tt.want {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
	in := removal(narrow(redoWorld()))
	in.Tunnel.Ends[0].Role, in.Tunnel.Ends[1].Role = vpn.Respond, vpn.Respond
	if _, err := vpn.PlanRemove(in); err != nil {
		t.Errorf("a definition that cannot work cannot be removed: %s", explain(err))
	}
}

// A removal from any estate: the same plan each time; taken back, every row is as it
// was; carried out, nothing of the tunnel is left and all else is as it was; a second
// one has no row to write.
func TestPlanRemove_Properties(t *testing.T) {
	plans := 0
	rapid.Check(t, func(t *rapid.T) {
		in := removal(drawWorld(t))
		before := copied(in)
		plan, err := vpn.PlanRemove(in)
		if diff := cmp.Diff(before.Snapshots, in.Snapshots); diff != "" {
			t.Fatalf("planning wrote to its input:\n%s", diff)
		}
		if err != nil {
			if _, ok := errors.AsType[*vpn.Refusal](err); !ok {
				t.Fatalf("neither plan nor refusal: %v", err)
			}
			return
		}
		plans++
		again, err := vpn.PlanRemove(copied(in))
		if err != nil || !bytes.Equal(canonicalOf(t, plan), canonicalOf(t, again)) {
			t.Fatalf("second planning differs: %v", err)
		}
		for _, o := range plan.Seen {
			if moved, differs := o.Compare(in.Snapshots[endOf(in, o.Router)]); differs {
				t.Fatalf("stale at once: %+v", moved)
			}
		}
		back := copied(in)
		performAll(t, back, plan, change.PhaseStage, change.PhaseCutOver)
		undoAll(t, back, plan)
		if diff := cmp.Diff(normal(in), normal(back)); diff != "" {
			t.Fatalf("a revert leaves (-before +after):\n%s", diff)
		}
		performAll(t, in, plan, change.PhaseStage, change.PhaseCutOver, change.PhaseCommit)
		if diff := cmp.Diff(strangers(before), strangers(in)); diff != "" {
			t.Fatalf("rows of others (-before +after):\n%s", diff)
		}
		nothingOf(t, before, in, plan)
		second, err := vpn.PlanRemove(in)
		if err != nil || len(second.Steps) > 0 && !strings.Contains(told(plan.Warnings), "_left") {
			t.Fatalf("a second removal: %v, %v", brief(second.Steps), err)
		}
	})
	if plans < 10 {
		t.Errorf("%d plans came to be: the estates are too odd", plans)
	}
}

// nothingOf checks that neither router holds a row of the tunnel, but for what the
// plan says stays: peers that led to the other end or carried its networks before,
// with their identities and policies, and policies for its networks.
func nothingOf(t failer, before, in vpn.TunnelChange, plan change.Plan) {
	t.Helper()
	left := strings.Contains(told(plan.Warnings), "plan.warn.peer_left")
	for i, end := range handMadeEnds {
		pair := func(r schema.Row) bool {
			return r["src-address"] == end.lan+".0/24" && r["dst-address"] == end.farLAN+".0/24"
		}
		for _, peer := range before.Snapshots[i].Menus[peerMenu] {
			name := peer["name"]
			carried := slices.ContainsFunc(find(before, i, policyMenu, "peer", name), pair)
			if name == "vendor" || peer["dynamic"] == "true" || !carried && (left || peer["address"] != end.far+"/32") {
				continue
			}
			for menu, by := range map[string]string{peerMenu: "name", identityMenu: "peer", policyMenu: "peer"} {
				if rows := find(in, i, menu, by, name); len(rows) > 0 {
					t.Errorf("%s has %v in %s", end.router, rows, menu)
				}
			}
		}
		if rows := in.Snapshots[i].Menus[policyMenu]; slices.ContainsFunc(rows, pair) {
			t.Errorf("%s has a policy of the tunnel", end.router)
		}
	}
}
