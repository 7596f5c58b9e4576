package apply_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// edit is what another administrator does on a router.
type edit func(w *world, router string)

// sets gives the first row of a menu that has the value other ones.
func sets(menu, name, value string, values schema.Row) edit {
	return func(w *world, router string) {
		w.Helper()
		if err := w.in.Router(router).Set(menu, w.row(router, menu, name, value), values); err != nil {
			w.Error(err)
		}
	}
}

func removes(menu, name, value string) edit {
	return func(w *world, router string) {
		w.Helper()
		if err := w.in.Router(router).Remove(menu, w.row(router, menu, name, value)); err != nil {
			w.Error(err)
		}
	}
}

// row is the id of a row.
func (w *world) row(router, menu, name, value string) string {
	w.Helper()
	rows := w.in.Router(router).Rows(menu)
	i := slices.IndexFunc(rows, func(r schema.Row) bool { return r[name] == value && r["dynamic"] != "true" })
	if i < 0 {
		w.Fatalf("%s has no %s with %s=%s: %v", router, menu, name, value, rows)
	}
	return rows[i][schema.ID]
}

const newName = "hq-fengshan-1"

// rivals are what somebody may do to the rows of a redo. None of it ends the tunnel.
func rivals() map[string]edit {
	return map[string]edit{
		"profile's dpd":         sets("/ip/ipsec/profile", "name", newName, schema.Row{"dpd-interval": "1m"}),
		"profile's other value": sets("/ip/ipsec/profile", "name", newName, schema.Row{"proposal-check": "strict"}),
		"proposal's lifetime":   sets("/ip/ipsec/proposal", "name", newName, schema.Row{"lifetime": "45m"}),
		"identity's comment":    sets("/ip/ipsec/identity", "peer", newName, schema.Row{"comment": "\xa4\xa4 secret=hunter2"}),
		"peer's comment":        sets("/ip/ipsec/peer", "name", newName, schema.Row{"comment": "mine"}),
		"bypass's comment":      sets("/ip/firewall/nat", "action", "accept", schema.Row{"comment": "mine"}),
		"old peer's comment":    sets("/ip/ipsec/peer", "name", "by hand", schema.Row{"comment": "mine"}),
		"old identity's ID":     sets("/ip/ipsec/identity", "peer", "by hand", schema.Row{"remote-id": "fqdn:elsewhere"}),
		"old identity gone":     removes("/ip/ipsec/identity", "peer", "by hand"),
		"old profile used":      sets("/ip/ipsec/peer", "name", "elsewhere", schema.Row{"profile": "p1"}),
		"old proposal used":     sets("/ip/ipsec/policy", "peer", "elsewhere", schema.Row{"proposal": "p2"}),
	}
}

// Ensure what somebody makes of a row of the change while it is being proven is
// noticed before either router has lost its old rows: a person is told which row of
// which router it is, and can still have both ends on the old rows, or on the new.
func TestEngine_Tunnel_Rival(t *testing.T) {
	all := rivals()
	for i, name := range slices.Sorted(maps.Keys(all)) {
		x := all[name]
		for k, router := range names {
			if sparse && (i+k)%4 != 0 {
				continue
			}
			t.Run(name+" on "+router, func(t *testing.T) {
				play(t, everything(), func(w *world) {
					id := w.plan("redo", vpn.PlanRedo, nil)
					w.start(&life{phase: map[string]func(){change.PhaseProve: func() { time.AfterFunc(300*time.Millisecond, func() { x(w, router) }) }}})
					r := w.wait(id, 10*time.Minute)
					w.noticed(r, router)
					if r.Decided != change.Undecided {
						w.Errorf("it was decided: %s", r.Decided)
					}
					switch name {
					case "old identity gone": // there is no way back
						w.decide(r, change.DecidedRevert, change.NeedsAttention)
					case "old identity's ID": // nor is there one that leads anywhere
						w.decide(r, change.DecidedCommit, change.Committed)
					default:
						w.decide(r, change.DecidedRevert, change.Reverted)
					}
				})
			})
		}
	}
}

// noticed fails unless a person is told of a row of the router, while both ends run
// on the new rows and hold the old ones and a guard.
func (w *world) noticed(r change.Request, router string) {
	w.Helper()
	if r.State != change.NeedsAttention || r.Outcome.Args["router"].Str != router {
		w.Fatalf("it is %s (%v)", r.State, r.Outcome)
	}
	if text := fmt.Sprint(r.Outcome); strings.Contains(text, "hunter2") {
		w.Errorf("a comment is repeated: %s", text)
	}
	for _, name := range names {
		if got := w.kindOf(name); got != "on new" {
			w.Errorf("rows of %s are %s, want the new ones in use and the old ones there", name, got)
		}
		w.row(name, "/system/scheduler", "name", change.GuardName(r.Number))
		w.row(name, "/ip/ipsec/peer", "name", "by hand")
	}
	if !w.up() {
		w.Error("the tunnel is not up")
	}
}

// decide has a person decide, and fails unless the change then ends so with the
// tunnel up.
func (w *world) decide(r change.Request, towards change.Decision, want change.State) {
	w.Helper()
	plan, err := change.PlanResume(r, towards)
	if err != nil {
		w.Fatal(err)
	}
	w.wait(w.approve(plan), time.Minute)
	time.Sleep(time.Second)
	if r = w.wait(r.ID, 20*time.Minute); r.State != want || !w.up() {
		w.Errorf("people wanted %s, and it is %s (%v), up %v", towards, r.State, r.Outcome, w.up())
	}
	w.clean()
}

// Ensure a change that does not come up since somebody has changed a new row ends on
// the old rows at both ends, whatever becomes of that row.
func TestEngine_Tunnel_Rival_Broken(t *testing.T) {
	for name, c := range map[string]struct {
		edit edit
		want change.State
	}{
		"identity's ID":     {sets("/ip/ipsec/identity", "peer", newName, schema.Row{"remote-id": "fqdn:elsewhere"}), change.Reverted},
		"identity gone":     {removes("/ip/ipsec/identity", "peer", newName), change.Reverted},
		"profile's ciphers": {sets("/ip/ipsec/profile", "name", newName, schema.Row{"enc-algorithm": "aes-128"}), change.NeedsAttention},
	} {
		for _, router := range names {
			t.Run(name+" on "+router, func(t *testing.T) {
				play(t, everything(), func(w *world) {
					id := w.plan("redo", vpn.PlanRedo, nil)
					w.start(&life{phase: map[string]func(){change.PhaseProve: func() { time.AfterFunc(300*time.Millisecond, func() { c.edit(w, router) }) }}})
					r := w.wait(id, 10*time.Minute)
					if r.State != c.want || r.Decided != change.DecidedRevert {
						w.Errorf("it is %s, decided %s (%v)", r.State, r.Decided, r.Outcome)
					}
					if r.State == change.NeedsAttention {
						time.Sleep(30 * time.Second) // no guard has looked yet
					}
					for _, name := range names {
						if got := w.kindOf(name); got != "old" && got != "on old" {
							w.Errorf("rows of %s are %s", name, got)
						}
					}
					if !w.up() {
						w.Error("the tunnel is not up")
					}
					if r.State == change.NeedsAttention {
						w.decide(r, change.DecidedRevert, change.Reverted)
					}
				})
			})
		}
	}
}

// Ensure an edit behind the decision is noticed by the first script that would
// commit, and that behind it the change goes on: once one end has lost its old rows,
// both end on the new ones.
func TestEngine_Tunnel_Rival_Late(t *testing.T) {
	const first, second = "gw-fengshan", "gw-hq"
	profile := sets("/ip/ipsec/profile", "name", newName, schema.Row{"dpd-interval": "1m"})
	comment := sets("/ip/ipsec/peer", "name", newName, schema.Row{"comment": "mine"})
	policy := edit(func(w *world, router string) {
		w.Helper()
		sets("/ip/ipsec/policy", "peer", newName, schema.Row{"level": "use"})(w, router)
	})
	passing := edit(func(w *world, router string) {
		profile(w, router)
		time.AfterFunc(time.Second, func() { sets("/ip/ipsec/profile", "name", newName, schema.Row{"dpd-interval": "8s"})(w, router) })
	})
	off := sets("/ip/ipsec/peer", "name", newName, schema.Row{"disabled": "yes"})
	used := sets("/ip/ipsec/peer", "name", "elsewhere", schema.Row{"profile": "p1"})
	for _, c := range []struct {
		name       string
		edit       edit
		on, before string // the script before which it comes
		kind       string // what both routers hold then
		state      change.State
	}{
		{"profile", profile, first, first, "on new", change.NeedsAttention},
		{"comment", comment, first, first, "on new", change.NeedsAttention},
		{"policy", policy, first, first, "on new", change.NeedsAttention},
		{"profile", profile, second, first, "new", change.NeedsAttention},
		{"comment", comment, second, second, "new", change.NeedsAttention},
		{"edited and put back", passing, first, first, "new", change.Committed},
		{"policy", policy, second, second, "new", change.Committed},
		{"peer off", off, second, second, "new", change.Committed},
		{"profile", profile, first, second, "new", change.Committed}, // the first is done with
		{"old profile used", used, second, second, "new", change.NeedsAttention},
	} {
		t.Run(fmt.Sprintf("%s on %s before %s", c.name, c.on, c.before), func(t *testing.T) {
			play(t, everything(), func(w *world) {
				id := w.plan("redo", vpn.PlanRedo, nil)
				w.start(&life{before: map[string]func(){c.before + ": script commit": func() { c.edit(w, c.on) }}})
				r := w.wait(id, 20*time.Minute)
				if r.State != c.state || r.Decided != change.DecidedCommit {
					w.Errorf("it is %s, decided %s (%v)", r.State, r.Decided, r.Outcome)
				}
				if c.state == change.NeedsAttention && r.Outcome.Args["router"].Str != c.on {
					w.Errorf("it says %v", r.Outcome)
				}
				for _, name := range names {
					if got := w.kindOf(name); got != c.kind {
						w.Errorf("rows of %s are %s, want %s", name, got, c.kind)
					}
				}
				if !w.up() {
					w.Error("the tunnel is not up")
				}
				if c.state == change.NeedsAttention && c.name != "old profile used" {
					w.decide(r, change.DecidedCommit, change.Committed)
				}
			})
		})
	}
}
