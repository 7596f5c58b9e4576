package apply_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
	"vpnbot/vpn/ike"
)

// serverUndo plans to take done back. before is the definition that held before it.
func (w *world) serverUndo(done change.Request, before *vpn.DialIn) func() (change.Plan, error) {
	return func() (change.Plan, error) {
		snap, err := w.fleet.Snapshot(w.Context(), "gw-hq", vpn.SetupMenus()...)
		if err != nil {
			w.Fatal(err)
		}
		in := vpn.DialInUndo{Done: done, Before: before, SetupDialIn: vpn.SetupDialIn{
			Intent: change.Intent{Verb: "rollback", Site: "hq", Undo: done.Number, Undoes: done.Plan.Intent.Verb},
			Site:   w.estate.Sites[0], Snapshot: snap, Model: ike.Model{},
		}}
		held, ref := w.server()
		in.Definition, in.Held = ref, held
		return vpn.PlanUndoDialIn(in)
	}
}

// server is the definition that the ledger holds, nil for none.
func (w *world) server() (*vpn.DialIn, change.DefinitionRef) {
	w.Helper()
	def, err := w.ledger.Definition(w.Context(), vpn.KindDialIn, "hq")
	if err != nil || def.Retired {
		return nil, change.DefinitionRef{Kind: vpn.KindDialIn, Name: "hq"}
	}
	held, err := vpn.DecodeDialIn(def)
	if err != nil {
		w.Fatal(err)
	}
	return &held, def.DefinitionRef
}

// spoken are rows as people compare them: without ids, marks and keys, and in menus
// whose rows stand in no order sorted.
func spoken(rows map[string][]schema.Row) map[string][]string { return alike(unmarked(rows)) }

// Ensure a dial-in server that was set up or changed on any router comes back to the
// rows and the definition of before when that is taken back, or to none of it when a
// write is refused; and that no other row moves.
func TestEngine_UndoServer_Worlds(t *testing.T) {
	worlds := 40
	if sparse {
		worlds /= 4
	}
	outcomes := map[string]int{}
	property(t, worlds, func(t *rapid.T) {
		d, dialin := drawServer(t)
		w := deskWorld(t, d)
		defer w.close()
		w.leaveOpen(d)
		next := drawDefinition(t, func(name string, of int) bool { return rapid.IntRange(1, of).Draw(t, name) == of })
		for _, c := range []struct {
			verb string
			of   vpn.DialIn
		}{{"dialin setup", dialin}, {"dialin set", next}} {
			before, held := w.whole("gw-hq"), w.held()
			done, outcome := trial{w, []string{"gw-hq"}, w.serverPlanner(c.verb, c.of), 0, false}.play()
			if done.State != change.Unproven {
				outcomes[c.verb+": "+outcome]++
				return
			}
			time.Sleep(time.Minute)
			strike := max(0, rapid.IntRange(-6, 6).Draw(t, "refused write"))
			r, outcome := trial{w, []string{"gw-hq"}, w.serverUndo(done, held), strike, false}.play()
			outcomes[c.verb+" taken back: "+outcome]++
			if r.State == change.Applied || r.State == change.Unproven {
				if diff := cmp.Diff(spoken(before), spoken(w.whole("gw-hq"))); diff != "" {
					t.Errorf("%s taken back: rows (-before +after):\n%s", c.verb, diff)
				}
				w.definedAs(held)
			}
			if c.verb == "dialin set" || r.State == change.NeedsAttention {
				return
			}
			if r.State != change.Applied {
				continue // stands as it was set up
			}
			w.ledger.defs = nil
			if again, _ := (trial{w, []string{"gw-hq"}, w.serverPlanner(c.verb, c.of), 0, false}).play(); again.State != change.Unproven {
				t.Errorf("set up again: %s", again.State)
				return
			}
		}
	})
	t.Log(outcomes)
}

func (w *world) held() *vpn.DialIn {
	held, _ := w.server()
	return held
}

// definedAs fails unless the ledger holds want, whatever its key.
func (w *world) definedAs(want *vpn.DialIn) {
	w.Helper()
	got := w.held()
	if want == nil || got == nil {
		if want != nil || got != nil {
			w.Errorf("definition %v, want %v", got, want)
		}
		return
	}
	a, b := *got, *want
	a.PSK, a.PSKMark, b.PSK, b.PSKMark = "", "", "", ""
	if diff := cmp.Diff(b, a, cmp.Comparer(func(a, b vpn.DialInSetup) bool {
		return slices.Equal(a.Ranges, b.Ranges) && a.Local == b.Local && slices.Equal(a.DNS, b.DNS) && a.Return == b.Return && a.Legacy == b.Legacy
	})); diff != "" {
		w.Errorf("definition (-before +after):\n%s", diff)
	}
}

// Ensure logging in detail that is ended early leaves the rows of before.
func TestEngine_UndoVerbose_Worlds(t *testing.T) {
	worlds := 12
	if sparse {
		worlds /= 4
	}
	outcomes := map[string]int{}
	property(t, worlds, func(t *rapid.T) {
		w := wildWorld(t, drawWild(t, true))
		defer w.close()
		if rapid.Bool().Draw(t, "a rule of somebody's") {
			if _, err := w.in.Router("gw-hq").Add("/system/logging", schema.Row{"topics": "l2tp", "action": "memory"}); err != nil {
				w.Fatal(err)
			}
		}
		look := func() (list []change.Snapshot) {
			for _, name := range names {
				snap, err := w.fleet.Snapshot(w.Context(), name, vpn.VerboseMenus()...)
				if err != nil {
					w.Fatal(err)
				}
				list = append(list, snap)
			}
			return list
		}
		before := map[string]map[string][]schema.Row{}
		for _, name := range names {
			before[name] = w.whole(name)
		}
		done, outcome := trial{w, names, func() (change.Plan, error) {
			return vpn.PlanVerbose(vpn.Verbose{Intent: change.Intent{Verb: "logs verbose", Site: "hq"}, For: time.Hour, Snapshots: look()})
		}, 0, false}.play()
		if done.State != change.Applied {
			outcomes[outcome]++
			return
		}
		undo := func() (change.Plan, error) {
			return vpn.PlanUndoVerbose(vpn.VerboseUndo{
				Intent: change.Intent{Verb: "rollback", Site: "hq", Undo: done.Number, Undoes: "logs verbose"}, Done: done, Snapshots: look(),
			})
		}
		r, outcome := trial{w, names, undo, 0, false}.play()
		outcomes["taken back: "+outcome]++
		if r.State != change.Applied {
			t.Fatalf("%s", outcome)
		}
		for _, name := range names {
			if diff := cmp.Diff(spoken(before[name]), spoken(w.whole(name))); diff != "" {
				t.Errorf("rows of %s (-before +after):\n%s", name, diff)
			}
		}
		if _, why := planOf(w, undo); why != "plan.refuse.undo_over" {
			t.Errorf("taken back twice: %q", why)
		}
	})
	t.Log(outcomes)
}
