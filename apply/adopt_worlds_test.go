package apply_test

import (
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// takeovers are what people make of both ends of a tunnel while a change of it is
// being proven. Each leaves one tunnel that comes up.
func takeovers() map[string]func(*world, string) {
	set := func(menu, by, value string, to schema.Row) func(*world, string) {
		return func(w *world, router string) {
			w.Helper()
			for _, row := range w.in.Router(router).Rows(menu) {
				if row[by] != value {
					continue
				}
				if err := w.in.Router(router).Set(menu, row[schema.ID], to); err != nil {
					w.Errorf("%s of %s: %v", menu, router, err)
				}
			}
		}
	}
	const next = "hq-fengshan-1"
	return map[string]func(*world, string){
		"another proposal": set("/ip/ipsec/policy", "peer", next, schema.Row{"proposal": "default"}),
		"another lifetime": set("/ip/ipsec/proposal", "name", next, schema.Row{"lifetime": "45m"}),
		"another hash":     set("/ip/ipsec/profile", "name", next, schema.Row{"hash-algorithm": "sha512"}),
		"another interval": set("/ip/ipsec/profile", "name", next, schema.Row{"dpd-interval": "33s"}),
	}
}

// Ensure what people made of a change that stopped half-way, on any two routers,
// becomes the definition with no row changed that carries the tunnel or is somebody
// else's; that nothing but it is left then; and that a write which is refused leaves
// all rows but guards.
func TestEngine_Adopt_Worlds(t *testing.T) {
	worlds := 8
	if sparse {
		worlds /= 4
	}
	outcomes := map[string]int{}
	property(t, worlds, func(t *rapid.T) {
		d := drawWild(t, true)
		for i := range d.Ends { // so that both ends make rows of the same names
			d.Ends[i].Peer = rapid.SampledFrom([]string{"by hand", "\xbb\xf1\xa4\x73", "鳳山"}).Draw(t, "peer")
			d.Ends[i].Profile = rapid.SampledFrom([]string{"p1", "default"}).Draw(t, "profile")
		}
		deed := rapid.SampledFrom(slices.Sorted(maps.Keys(takeovers()))).Draw(t, "people")
		strike := max(0, rapid.IntRange(-6, 5).Draw(t, "refused write"))
		outcomes[tryAdopt(t, d, deed, strike)]++
	})
	t.Log(outcomes)
}

func tryAdopt(t tester, d wild, deed string, strike int) string {
	w := wildWorld(t, d)
	defer w.close()
	w.defines()
	both := [2]kept{w.keep(d, 0), w.keep(d, 1)}
	plan, refused := w.wildPlan("redo", vpn.PlanRedo)
	if plan == nil {
		return refused
	}
	id := w.approve(*plan)
	w.start(&life{phase: map[string]func(){change.PhaseProve: func() {
		time.AfterFunc(300*time.Millisecond, func() {
			for _, name := range names {
				takeovers()[deed](w, name)
			}
		})
	}}})
	stuck := w.wait(id, 10*time.Minute)
	w.kill()
	if stuck.State != change.NeedsAttention {
		return deed + ": " + string(stuck.State)
	}
	time.Sleep(time.Minute)
	synctest.Wait()
	if !w.up() {
		return deed + ": not up on it"
	}
	held := [2]map[string][]schema.Row{w.whole(names[0]), w.whole(names[1])}
	make := func() (change.Plan, error) {
		in := w.change("resolve")
		in.Intent = change.Intent{Verb: "resolve", Site: "fengshan", Tunnel: w.tunnel.Name, Resume: stuck.Number, Towards: change.DecidedAdopt}
		in.PSK, in.Mark = "", ""
		for i, name := range names {
			snap, err := w.fleet.Snapshot(w.Context(), name, vpn.AdoptMenus()...)
			if err != nil {
				w.Fatal(err)
			}
			in.Snapshots[i] = snap
		}
		return vpn.PlanAdopt(in, stuck)
	}
	r, outcome := trial{w, names, make, strike, false}.play()
	for i, k := range both {
		k.untouched(w, "adopt")
		if r.ID == "" || r.State == change.Reverted {
			now := w.whole(names[i])
			for _, rows := range []map[string][]schema.Row{held[i], now} {
				delete(rows, "/system/scheduler")
			}
			if diff := cmp.Diff(held[i], now); diff != "" {
				w.Errorf("adopt in vain: rows of %s (-held +now):\n%s", names[i], diff)
			}
		}
	}
	if r.State != change.Committed {
		if strike == 0 && r.ID != "" {
			w.Errorf("adopt: %v (%v)", r.Outcome, r.Cause)
		}
		return deed + ": " + outcome
	}
	w.definition("adopt")
	for _, k := range both {
		carriers(w, k.router, held[slices.Index(names, k.router)])
		k.replaced(w, "adopt", gives("redo")[:2]...)
	}
	if again, why := planOf(w, make); again == nil {
		w.Errorf("adopted a second time: %s", why)
	} else if r := w.carry(*again); len(again.Steps) > 0 || again.Defines != nil || r.State == change.Committed { // the other request has ended
		w.Errorf("adopted a second time: %s, steps %v, definition %s", r.State, again.Steps, again.Defines)
	}
	w.carried("adopt")
	w.holds("adopt")
	w.takeAway("adopt", both)
	return deed + ": " + outcome
}

// carriers fails unless the rows that carry the tunnel are those that were held, byte
// for byte.
func carriers(w *world, router string, held map[string][]schema.Row) {
	w.Helper()
	pick := func(rows map[string][]schema.Row) map[string][]schema.Row {
		out := map[string][]schema.Row{}
		for path, by := range map[string]string{
			"/ip/ipsec/peer": "name", "/ip/ipsec/identity": "peer", "/ip/ipsec/policy": "peer", "/ip/ipsec/profile": "name",
		} {
			for _, row := range rows[path] {
				if row[by] == "hq-fengshan-1" {
					out[path] = append(out[path], row)
				}
			}
		}
		return out
	}
	was := pick(held)
	if diff := cmp.Diff(was, pick(w.whole(router))); diff != "" || len(was) != 4 {
		w.Errorf("what carries the tunnel on %s (-held +now), of %d menus:\n%s", router, len(was), diff)
	}
}
