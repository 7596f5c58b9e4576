package vpn_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// settledOnPlan checks that in, on whose routers plan was carried out, holds the
// tunnel as defined: a second redo leaves the same rows but for the names of its
// generation.
func settledOnPlan(t failer, in vpn.TunnelChange, plan change.Plan) {
	t.Helper()
	again, err := vpn.PlanRedo(in)
	if err != nil {
		t.Fatal("second redo: " + explain(err))
	}
	for _, step := range again.Steps {
		if step.Menu == natMenu || step.Menu == policyMenu && step.Action != schema.Change {
			t.Errorf("second redo: step %d on %s: %s %s %v", step.ID, step.Router, step.Menu, step.Action, step.Match)
		}
	}
	first, second := tunnelRows(in), copied(in)
	performAll(t, second, again, change.PhaseStage, change.PhaseCutOver, change.PhaseCommit)
	if diff := cmp.Diff(first, tunnelRows(second)); diff != "" {
		t.Errorf("a second redo ends elsewhere (-first +second):\n%s", diff)
	}
}

// tunnelRows are the rows of both routers in the form in which generations do not
// show.
func tunnelRows(in vpn.TunnelChange) map[string][]schema.Row {
	all := map[string][]schema.Row{}
	for _, s := range in.Snapshots {
		for path, rows := range s.Menus {
			menu, _ := schema.Lookup(path)
			list := []schema.Row{}
			for _, r := range rows {
				r = r.Clone()
				r["comment"] = change.Unmarked(r["comment"])
				r = menu.Stable(r)
				for name, v := range r {
					if rest, ok := strings.CutPrefix(v, in.Tunnel.Name+"-"); ok && strings.Trim(rest, "0123456789") == "" {
						v = in.Tunnel.Name + "-N"
					}
					if a, _ := menu.Attr(name); v == a.Default {
						v = ""
					}
					if r[name] = v; v == "" {
						delete(r, name)
					}
				}
				list = append(list, r)
			}
			if !menu.Ordered {
				slices.SortFunc(list, func(a, b schema.Row) int { return strings.Compare(rowText(a), rowText(b)) })
			}
			all[s.Router+path] = list
		}
	}
	return all
}

func rowText(r schema.Row) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(r)) {
		b.WriteString(name + "=" + r[name] + "\x00")
	}
	return b.String()
}

// spoil does to end i what people do to tunnels.
var spoil = map[string]func(t *rapid.T, in *vpn.TunnelChange, i int, end handMade){
	"nothing": func(*rapid.T, *vpn.TunnelChange, int, handMade) {},
	"profile default": func(_ *rapid.T, in *vpn.TunnelChange, i int, end handMade) {
		update(*in, i, peerMenu, "name", end.to, "profile", "default")
	},
	"proposal default": func(_ *rapid.T, in *vpn.TunnelChange, i int, end handMade) {
		update(*in, i, policyMenu, "peer", end.to, "proposal", "default")
	},
	"shared profile": func(_ *rapid.T, in *vpn.TunnelChange, i int, end handMade) {
		update(*in, i, peerMenu, "name", "vendor", "profile", end.to)
	},
	"shared proposal": func(_ *rapid.T, in *vpn.TunnelChange, i int, end handMade) {
		update(*in, i, policyMenu, "peer", "vendor", "proposal", end.to)
	},
	"peer off": func(_ *rapid.T, in *vpn.TunnelChange, i int, end handMade) {
		update(*in, i, peerMenu, "name", end.to, "disabled", "true")
	},
	"peer outdated": func(_ *rapid.T, in *vpn.TunnelChange, i int, end handMade) {
		update(*in, i, peerMenu, "name", end.to, "address", "198.51.100.99/32")
	},
	"peer gone": func(_ *rapid.T, in *vpn.TunnelChange, i int, end handMade) {
		drop(*in, i, peerMenu, func(r schema.Row) bool { return r["name"] == end.to })
		drop(*in, i, identityMenu, func(r schema.Row) bool { return r["peer"] == end.to })
	},
	"identity gone": func(_ *rapid.T, in *vpn.TunnelChange, i int, end handMade) {
		drop(*in, i, identityMenu, func(r schema.Row) bool { return r["peer"] == end.to })
	},
	"policy gone": func(_ *rapid.T, in *vpn.TunnelChange, i int, end handMade) {
		drop(*in, i, policyMenu, func(r schema.Row) bool { return r["peer"] == end.to })
	},
	"policy off": func(_ *rapid.T, in *vpn.TunnelChange, i int, end handMade) {
		update(*in, i, policyMenu, "peer", end.to, "disabled", "true")
	},
	"policy at a stranger's peer": func(_ *rapid.T, in *vpn.TunnelChange, i int, end handMade) {
		update(*in, i, policyMenu, "peer", end.to, "peer", "vendor")
	},
	"policy of the peer that nobody wants": func(_ *rapid.T, in *vpn.TunnelChange, i int, end handMade) {
		insert(*in, i, policyMenu, 1, schema.Row{
			"peer": end.to, "tunnel": "true", "src-address": end.lan + ".64/26", "dst-address": end.farLAN + ".0/24", "proposal": end.to,
			"level": "require", "action": "encrypt", "protocol": "all", "ph2-state": "no-phase2", "disabled": "false",
		})
	},
	"comment": func(t *rapid.T, in *vpn.TunnelChange, i int, end handMade) {
		bytes := string(rapid.SliceOf(rapid.Byte()).Draw(t, "comment"))
		menu := rapid.SampledFrom([]string{peerMenu, identityMenu, policyMenu, natMenu}).Draw(t, "menu")
		for _, r := range in.Snapshots[i].Menus[menu] {
			if r["dynamic"] == "true" || r["default"] == "true" || strings.HasPrefix(r["comment"], "other ") {
				continue
			}
			if r["comment"] = bytes; bytes == "" {
				delete(r, "comment")
			}
		}
	},
	"translation": func(t *rapid.T, in *vpn.TunnelChange, i int, end handMade) {
		rows := in.Snapshots[i].Menus[natMenu]
		rest := rapid.Permutation(rows[1:]).Draw(t, "order")
		in.Snapshots[i].Menus[natMenu] = append(slices.Clone(rows[:1]), rest...)
	},
	"bypass": func(t *rapid.T, in *vpn.TunnelChange, i int, end handMade) {
		name := rapid.SampledFrom([]string{"disabled", "limit", "time", "src-port", "protocol", "dst-address", "out-interface"}).Draw(t, "matcher")
		value := map[string]string{"disabled": "true", "dst-address": "192.168.0.0/16", "src-port": ""}[name]
		if value == "" && name != "src-port" {
			value = "1"
		}
		update(*in, i, natMenu, "action", "accept", name, value)
	},
	"bypass gone": func(_ *rapid.T, in *vpn.TunnelChange, i int, end handMade) {
		drop(*in, i, natMenu, func(r schema.Row) bool { return r["action"] == "accept" })
	},
	"bypass twice": func(_ *rapid.T, in *vpn.TunnelChange, i int, end handMade) {
		insert(*in, i, natMenu, 3, schema.Row{
			"chain": "srcnat", "action": "accept", "src-address": end.lan + ".0/24", "dst-address": end.farLAN + ".0/24", "disabled": "false",
		})
	},
	"another network": func(_ *rapid.T, in *vpn.TunnelChange, i int, end handMade) {
		more := map[string]string{"hq": "192.168.78.0/24", "fengshan": "192.168.89.0/24"}[end.site]
		if !slices.Contains(in.Tunnel.Ends[i].Prefixes, prefix(more)) {
			in.Tunnel.Ends[i].Prefixes = append(in.Tunnel.Ends[i].Prefixes, prefix(more))
		}
	},
	"left behind": func(_ *rapid.T, in *vpn.TunnelChange, i int, end handMade) {
		if len(find(*in, i, proposalMenu, "name", "hq-fengshan-1")) == 0 {
			leftBehind(*in, i)
		}
	},
	"names taken": func(_ *rapid.T, in *vpn.TunnelChange, i int, end handMade) {
		if len(find(*in, i, proposalMenu, "name", "hq-fengshan-1")) == 0 {
			insert(*in, i, proposalMenu, 0, schema.Row{"name": "hq-fengshan-1", "disabled": "true", "comment": "other left over"})
		}
	},
	"mode": func(t *rapid.T, in *vpn.TunnelChange, i int, end handMade) {
		in.Tunnel.Exchange = rapid.SampledFrom([]string{"main", "ike2"}).Draw(t, "mode")
	},
	"others": func(t *rapid.T, in *vpn.TunnelChange, i int, end handMade) {
		for n := range rapid.IntRange(1, 3).Draw(t, "others") {
			at := rapid.IntRange(1, len(in.Snapshots[i].Menus[natMenu])).Draw(t, "at")
			action := rapid.SampledFrom([]string{"accept", "masquerade", "src-nat", "passthrough"}).Draw(t, "action")
			insert(*in, i, natMenu, at, schema.Row{
				"chain": "srcnat", "action": action, "src-address": fmt.Sprintf("10.%d.0.0/16", n), "disabled": "false", "comment": fmt.Sprintf("other %d ", n) + big5,
			})
			insert(*in, i, policyMenu, 1, schema.Row{
				"peer": "vendor", "tunnel": "true", "src-address": fmt.Sprintf("10.%d.0.0/16", n), "dst-address": "10.99.0.0/16", "proposal": "default",
				"level": "require", "action": "encrypt", "ph2-state": "established", "disabled": "false", "comment": fmt.Sprintf("other %d ", n) + big5,
			})
		}
	},
}

// update sets attributes of the rows that one attribute names.
func update(in vpn.TunnelChange, i int, menu, by, value string, pairs ...string) {
	for _, r := range find(in, i, menu, by, value) {
		for k := 0; k+1 < len(pairs); k += 2 {
			r[pairs[k]] = pairs[k+1]
		}
	}
}

func drawWorld(t *rapid.T) vpn.TunnelChange {
	in := narrow(redoWorld())
	kinds := slices.Sorted(maps.Keys(spoil))
	for n := range rapid.IntRange(0, 5).Draw(t, "count") {
		kind := rapid.SampledFrom(kinds).Draw(t, fmt.Sprintf("kind %d", n))
		i := rapid.IntRange(0, 1).Draw(t, "end")
		spoil[kind](t, &in, i, handMadeEnds[i])
	}
	return in
}

// A redo of any estate: the same plan each time; carried out, both routers hold
// the tunnel as defined and all else as it was; a second one ends on the same
// rows; taken back, every row is as it was, byte for byte.
func TestPlanRedo_Properties(t *testing.T) { checkPlanner(t, drawWorld, vpn.PlanRedo, true) }

// The same of a new key, where the tunnel stands as defined.
func TestPlanRotatePSK_Properties(t *testing.T) { checkPlanner(t, drawWorld, vpn.PlanRotatePSK, false) }

func checkPlanner(t *testing.T, draw func(*rapid.T) vpn.TunnelChange, planner func(vpn.TunnelChange) (change.Plan, error), redo bool) {
	plans := 0
	rapid.Check(t, func(t *rapid.T) {
		in := draw(t)
		before := copied(in)
		plan, err := planner(in)
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
		again, err := planner(copied(in))
		if err != nil || !bytes.Equal(canonicalOf(t, plan), canonicalOf(t, again)) {
			t.Fatalf("second planning differs: %v", err)
		}
		for _, o := range plan.Seen {
			if moved, differs := o.Compare(in.Snapshots[endOf(in, o.Router)]); differs {
				t.Fatalf("stale at once: %+v", moved)
			}
		}
		for _, upTo := range []int{1, 2} { // a revert from within stage, or after cut over
			back := copied(in)
			performAll(t, back, plan, []string{change.PhaseStage, change.PhaseCutOver}[:upTo]...)
			part := plan
			part.Steps = slices.DeleteFunc(slices.Clone(plan.Steps), func(s change.Step) bool { return upTo == 1 && s.Phase != change.PhaseStage })
			undoAll(t, back, part)
			if diff := cmp.Diff(normal(in), normal(back)); diff != "" {
				t.Fatalf("a revert leaves (-before +after):\n%s", diff)
			}
		}
		performAll(t, in, plan, change.PhaseStage, change.PhaseCutOver, change.PhaseCommit)
		if diff := cmp.Diff(strangers(before), strangers(in)); diff != "" {
			t.Fatalf("rows of others (-before +after):\n%s", diff)
		}
		if plan.Defines != nil {
			in.Tunnel = defined(t, plan)
		}
		carried(t, in, plan, redo)
		if redo && !strings.Contains(told(plan.Warnings), "bypass_left") {
			settledOnPlan(t, in, plan)
		}
	})
	if plans < 10 {
		t.Errorf("%d plans came to be: the estates are too odd", plans)
	}
}
