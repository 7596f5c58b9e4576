package apply_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"vpnbot/change"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// stuck has a redo stop in the middle: when it is proven, somebody points the
// policies of both ends at RouterOS's own proposal, and the tunnel comes up on it.
func (w *world) stuck() change.Request {
	w.Helper()
	body, err := w.tunnel.Encode()
	if err != nil {
		w.Fatal(err)
	}
	w.ledger.defs = []change.Definition{{DefinitionRef: change.DefinitionRef{Kind: vpn.KindTunnel, Name: w.tunnel.Name, Version: 1}, Body: body}}
	id := w.plan("redo", vpn.PlanRedo, nil)
	w.start(&life{phase: map[string]func(){change.PhaseProve: func() { time.AfterFunc(300*time.Millisecond, w.takeOver) }}})
	r := w.wait(id, 10*time.Minute)
	if r.State != change.NeedsAttention {
		w.Fatalf("got %s (%v), want a person's decision", r.State, r.Outcome)
	}
	time.Sleep(20 * time.Second)
	synctest.Wait()
	if !w.up() {
		w.Fatal("the tunnel is not up on what people made of it")
	}
	w.kill()
	return r
}

func (w *world) takeOver() {
	for _, name := range names {
		r := w.in.Router(name)
		for _, row := range r.Rows("/ip/ipsec/policy") {
			if row["peer"] == "hq-fengshan-1" {
				if err := r.Set("/ip/ipsec/policy", row[schema.ID], schema.Row{"proposal": "default"}); err != nil {
					w.Error(err)
				}
			}
		}
	}
}

// adopt plans and approves the adoption of what r left.
func (w *world) adopt(r change.Request) string {
	w.Helper()
	in := vpn.TunnelChange{
		Intent: change.Intent{Verb: "resolve", Site: "fengshan", Tunnel: w.tunnel.Name, Resume: r.Number, Towards: change.DecidedAdopt},
		Estate: w.estate, Tunnel: w.tunnel, Definition: w.ledger.defs[0].DefinitionRef,
	}
	for i, name := range names {
		snap, err := w.fleet.Snapshot(w.Context(), name, vpn.AdoptMenus()...)
		if err != nil {
			w.Fatal(err)
		}
		in.Snapshots[i] = snap
	}
	plan, err := vpn.PlanAdopt(in, r)
	if err != nil {
		w.Fatalf("planning: %v", err)
	}
	return w.approve(plan)
}

// adopted fails unless what both routers held before is the definition, as it was,
// and nothing else of the request is left.
func (w *world) adopted(id string, r change.Request, before map[string]map[string][]schema.Row, where string) {
	w.Helper()
	other, err := w.ledger.Request(w.Context(), r.ID)
	if err != nil {
		w.Fatal(err)
	}
	if other.State != change.Stale || other.Outcome.ID != "apply.adopted" {
		w.Errorf("%s: #%d is %s (%v)", where, other.Number, other.State, other.Outcome)
	}
	if def := w.ledger.defs[0]; def.Version != 2 {
		w.Errorf("%s: definition is version %d", where, def.Version)
	} else if tunnel, err := vpn.DecodeTunnel(def); err != nil || tunnel.Proposal.PFSGroup != "modp1024" || tunnel.PSKMark != "psk:00112233" {
		w.Errorf("%s: definition %+v, %v", where, tunnel, err)
	}
	for _, name := range names {
		want := map[string][]schema.Row{}
		for path, rows := range before[name] {
			for _, row := range rows {
				left := row["name"] == "by hand" || row["peer"] == "by hand" || row["name"] == "p1" || row["name"] == "p2" ||
					row["name"] == change.GuardName(r.Number) || path == "/ip/ipsec/proposal" && row["name"] == "hq-fengshan-1"
				if !left {
					want[path] = append(want[path], row)
				}
			}
		}
		if diff := cmp.Diff(want, w.rows(name)); diff != "" {
			w.Errorf("%s: rows of %s (-want +got):\n%s", where, name, diff)
		}
	}
	if !w.up() {
		w.Errorf("%s: the tunnel is not up", where)
	}
	committed := slices.ContainsFunc(w.ledger.events, func(e change.Event) bool {
		return e.Kind == change.EventCommitted && e.Facts["definition"] == "2" && e.Facts["peer.gw-hq"] == "hq-fengshan-1"
	})
	if !committed {
		w.Errorf("%s: the trail does not say what was adopted", where)
	}
	w.others()
	w.clean()
}

func (w *world) both() map[string]map[string][]schema.Row {
	w.Helper()
	all := map[string]map[string][]schema.Row{}
	for _, name := range names {
		all[name] = w.rows(name)
	}
	return all
}

// Ensure what the routers hold becomes the definition, proven afresh, and that what
// the interrupted change left is gone with nothing else.
func TestEngine_Adopt(t *testing.T) {
	play(t, everything(), func(w *world) {
		r := w.stuck()
		before := w.both()
		cookies := fmt.Sprint(w.in.Router("gw-hq").Rows("/ip/ipsec/active-peers")[0]["spii"])
		id := w.adopt(r)
		w.start(&life{})
		if got := w.wait(id, 5*time.Minute); got.State != change.Committed {
			w.Fatalf("got %s (%v)", got.State, got.Outcome)
		}
		if got := w.in.Router("gw-hq").Rows("/ip/ipsec/active-peers")[0]["spii"]; got == cookies {
			w.Error("phase 1 is the old one")
		}
		w.adopted(id, r, before, "undisturbed")
	})
}

// Ensure an adoption that dies before or after any of its deeds, and one of whose
// writes is refused or lost, either ends as planned or changes no row but guards.
func TestEngine_Adopt_Trouble(t *testing.T) {
	undisturbed := &life{}
	play(t, everything(), func(w *world) {
		id := w.adopt(w.stuck())
		w.start(undisturbed)
		w.wait(id, 5*time.Minute)
		w.kill()
	})
	outcomes := map[string]int{}
	for n, deed := range undisturbed.deeds {
		if sparse && n%5 != 2 {
			continue
		}
		for i, f := range []fate{dieBefore, dieAfter, refuse, loseBefore, loseAfter} {
			if !full() && n%5 != i {
				continue
			}
			play(t, everything(), func(w *world) {
				r := w.stuck()
				before := w.both()
				id := w.adopt(r)
				where := fmt.Sprintf("%s %d (%s)", f, n+1, deed)
				w.start(&life{befall: map[int]fate{n + 1: f}})
				got := w.wait(id, 2*time.Minute)
				if !got.State.Ended() {
					w.kill()
					w.start(&life{})
					got = w.wait(id, 20*time.Minute)
				}
				outcomes[fmt.Sprintf("%s: %s", f, got.State)]++
				if got.State == change.Committed {
					w.adopted(id, r, before, where)
					return
				}
				w.untouched(got, r, before, where)
			})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(outcomes)) {
		t.Logf("%4d %s", outcomes[name], name)
	}
}

// untouched fails unless an adoption that came to nothing has left every row but
// guards, the definition and the other request as they were.
func (w *world) untouched(got, r change.Request, before map[string]map[string][]schema.Row, where string) {
	w.Helper()
	if got.State != change.Reverted {
		w.Errorf("%s: got %s (%v)", where, got.State, got.Outcome)
	}
	if other, err := w.ledger.Request(w.Context(), r.ID); err != nil || other.State != change.NeedsAttention {
		w.Errorf("%s: the other request is %s, %v", where, other.State, err)
	}
	if w.ledger.defs[0].Version != 1 {
		w.Errorf("%s: definition is version %d", where, w.ledger.defs[0].Version)
	}
	for _, name := range names {
		now := w.rows(name)
		delete(now, "/system/scheduler")
		was := maps.Clone(before[name])
		delete(was, "/system/scheduler")
		if diff := cmp.Diff(was, now); diff != "" {
			w.Errorf("%s: rows of %s (-was +now):\n%s", where, name, diff)
		}
	}
}

// Ensure what cannot be proven, what somebody changes meanwhile and what needs no
// decision any more is not adopted.
func TestEngine_Adopt_InVain(t *testing.T) {
	for name, tt := range map[string]struct {
		strike func(w *world, r change.Request)
		phase  string
		why    string
	}{
		"no line": {func(w *world, _ change.Request) {
			if err := w.in.Block("gw-hq", "gw-fengshan", rossim.ESP); err != nil {
				w.Error(err)
			}
		}, change.PhaseDisarm, "apply.tunnel.ping"},
		"a row changes": {func(w *world, _ change.Request) {
			for _, row := range w.in.Router("gw-hq").Rows("/ip/ipsec/profile") {
				if row["name"] == "hq-fengshan-1" {
					if err := w.in.Router("gw-hq").Set("/ip/ipsec/profile", row[schema.ID], schema.Row{"dpd-interval": "30s"}); err != nil {
						w.Error(err)
					}
				}
			}
		}, change.PhaseProve, "apply.adopt.moved"},
		"released": {func(w *world, r change.Request) {
			r, err := w.ledger.Request(w.Context(), r.ID)
			if err != nil {
				w.Error(err)
			}
			m, err := r.Release(time.Now(), change.Actor{Person: people["anna"]}, "by hand")
			w.must(m, err)
		}, "", "apply.resume.gone"},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, everything(), func(w *world) {
				r := w.stuck()
				id := w.adopt(r)
				before := w.both()
				strike := func() { tt.strike(w, r) }
				if tt.phase == "" {
					strike()
				}
				w.start(&life{phase: map[string]func(){tt.phase: strike}})
				got := w.wait(id, 10*time.Minute)
				if got.State != change.Reverted || got.Cause.ID != tt.why {
					w.Errorf("got %s (%v), want it undone for %s", got.State, got.Cause, tt.why)
				}
				if name == "no line" {
					w.untouched(got, r, before, name)
				}
			})
		})
	}
}
