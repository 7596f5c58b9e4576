package vpn_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// undoWorld is hq-fengshan after a redo by request 42, and the wish to take that back.
func undoWorld(t *testing.T) vpn.TunnelUndo {
	t.Helper()
	in := narrow(redoWorld())
	for i := range in.Snapshots {
		in.Snapshots[i].Menus[filterMenu], in.Snapshots[i].Menus[memberMenu] = []schema.Row{}, []schema.Row{}
	}
	plan := planned(t, vpn.PlanRedo, in)
	performAll(t, in, plan, change.PhaseStage, change.PhaseCutOver, change.PhaseCommit)
	before := in.Tunnel
	in.Intent = change.Intent{Verb: "rollback", Site: "hq", Far: "fengshan", Tunnel: in.Tunnel.Name, Undo: 42}
	in.Definition.Version = 2
	return vpn.TunnelUndo{TunnelChange: in, Done: change.Request{Number: 42, State: change.Committed, Plan: plan}, Before: &before}
}

// Ensure the rows of before come again and those of the change go, each at its time.
func TestPlanUndoTunnel(t *testing.T) {
	in := undoWorld(t)
	plan, err := vpn.PlanUndoTunnel(in)
	if err != nil {
		t.Fatal(explain(err))
	}
	want := map[string][]string{
		change.PhaseStage:   {"profile add twin to-fengshan", "proposal add twin to-fengshan", "peer add twin to-fengshan", "identity add twin to-fengshan"},
		change.PhaseCutOver: {"identity enable twin to-fengshan", "peer disable in place hq-fengshan-1", "policy set in place 192.168.77.0/24 192.168.88.0/24", "peer enable twin to-fengshan"},
		change.PhaseCommit: {
			"identity remove one-way hq-fengshan-1", "peer remove in place hq-fengshan-1", "profile remove in place hq-fengshan-1", "proposal remove in place hq-fengshan-1",
		},
	}
	for phase, steps := range want {
		if diff := cmp.Diff(steps, brief(plan.In(phase, "gw-hq"))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", phase, diff)
		}
	}
	i := slices.IndexFunc(plan.Steps, func(s change.Step) bool { return s.Router == "gw-hq" && s.Menu == peerMenu })
	if got := plan.Steps[i].After; got["comment"] != big5 || got["exchange-mode"] != "main" || got["disabled"] != "true" {
		t.Errorf("peer %v", got)
	}
	if plan.Defines != nil || plan.Retires || plan.Tunnel.Removes || plan.Summary.ID != "plan.back.summary" {
		t.Errorf("plan %+v", plan)
	}
}

// Ensure a change is not taken back over what came after it, and is not where there is
// nothing to go back to: the sentence names what stands in the way.
func TestPlanUndoTunnel_Refused(t *testing.T) {
	row := func(in *vpn.TunnelUndo, i int, menu, by, value string) schema.Row {
		return find(in.TunnelChange, i, menu, by, value)[0]
	}
	for name, tt := range map[string]struct {
		edit func(*vpn.TunnelUndo)
		want string
		arg  string // and its value
		is   string
	}{
		"a value of the change": {func(in *vpn.TunnelUndo) {
			row(in, 0, profileMenu, "name", "hq-fengshan-1")["hash-algorithm"] = "md5"
		}, "undo_row", "field", "hash-algorithm"},
		"a value that the change did not set": {func(in *vpn.TunnelUndo) {
			row(in, 1, peerMenu, "name", "hq-fengshan-1")["port"] = "4500"
		}, "undo_row", "field", "port"},
		"a policy": {func(in *vpn.TunnelUndo) {
			row(in, 1, policyMenu, "peer", "hq-fengshan-1")["proposal"] = "default"
		}, "undo_row", "field", "proposal"},
		"switched off": {func(in *vpn.TunnelUndo) {
			row(in, 0, proposalMenu, "name", "hq-fengshan-1")["disabled"] = "true"
		}, "undo_row", "field", "disabled"},
		"a row removed": {func(in *vpn.TunnelUndo) {
			drop(in.TunnelChange, 0, identityMenu, func(r schema.Row) bool { return r["peer"] == "hq-fengshan-1" })
		}, "undo_gone", "menu", identityMenu},
		"a name taken": {func(in *vpn.TunnelUndo) {
			insert(in.TunnelChange, 1, profileMenu, 0, schema.Row{"name": "to-hq"})
		}, "undo_taken", "row", "to-hq"},
		"another policy at the peer": {func(in *vpn.TunnelUndo) {
			insert(in.TunnelChange, 0, policyMenu, 1, schema.Row{
				"peer": "hq-fengshan-1", "tunnel": "true", "src-address": "192.168.78.0/24", "dst-address": "192.168.89.0/24", "action": "encrypt", "protocol": "all", "disabled": "false",
			})
		}, "undo_more", "destination", "192.168.89.0/24"},
		"the definition": {func(in *vpn.TunnelUndo) { in.Tunnel.Profile.Lifetime = "9h" }, "undo_defined", "key", "profile.lifetime"},
		"a peer that was off": {func(in *vpn.TunnelUndo) {
			in.Done.Plan.Steps = slices.DeleteFunc(slices.Clone(in.Done.Plan.Steps), func(s change.Step) bool {
				return s.Menu == peerMenu && s.Action == schema.Disable && s.Router == "gw-fengshan"
			})
		}, "undo_unwhole", "router", "gw-fengshan"},
		"a profile of others, gone": {func(in *vpn.TunnelUndo) {
			for _, s := range in.Done.Plan.Steps {
				if s.Menu == peerMenu && s.Action == schema.Remove {
					s.Before["profile"] = "vendor's"
				}
			}
		}, "undo_leans", "row", "vendor's"},
		"what the bot does not write": {func(in *vpn.TunnelUndo) {
			for _, s := range in.Done.Plan.Steps {
				if s.Menu == identityMenu && s.Action == schema.Remove {
					s.Before["mode-config"] = "request-only"
				}
			}
		}, "undo_unwritten", "field", "mode-config"},
		"a negotiation":         {func(in *vpn.TunnelUndo) { in.Done.Plan.Steps = nil }, "undo_rekey", "", ""},
		"what a person decided": {func(in *vpn.TunnelUndo) { in.Done.Plan.Intent.Resume = 41 }, "undo_resolved", "", ""},
		"a key alone": {func(in *vpn.TunnelUndo) {
			in.Done.Plan.Steps = slices.DeleteFunc(slices.Clone(in.Done.Plan.Steps), func(s change.Step) bool { return s.Menu == profileMenu || s.Menu == proposalMenu })
		}, "undo_key", "tunnel", "hq-fengshan"},
	} {
		t.Run(name, func(t *testing.T) {
			in := undoWorld(t)
			tt.edit(&in)
			_, err := vpn.PlanUndoTunnel(in)
			r, ok := errors.AsType[*vpn.Refusal](err)
			if !ok || r.Text.ID != "plan.refuse."+tt.want {
				t.Fatalf("got %v, want %s", err, tt.want)
			}
			if got := r.Text.Args[tt.arg]; tt.arg != "" && got != change.T("", tt.arg, tt.is).Args[tt.arg] {
				t.Errorf("%s is %v, want %s", tt.arg, got, tt.is)
			}
		})
	}
}
