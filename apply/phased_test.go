package apply_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/change"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// play runs f in a world of its own.
func play(t *testing.T, nat schema.Row, f func(w *world)) {
	t.Helper()
	playWith(t, rossim.Switches{}, nat, f)
}

func playWith(t *testing.T, sw rossim.Switches, nat schema.Row, f func(w *world)) {
	t.Helper()
	playOf(t, rossim.Options{}, sw, nat, f)
}

// playOf is playWith with routers of another kind.
func playOf(t *testing.T, kind rossim.Options, sw rossim.Switches, nat schema.Row, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOf(t, kind, sw, nat)
		defer w.close()
		if !w.up() {
			w.Fatal("the tunnel is not up to begin with")
		}
		f(w)
	})
}

// ended fails unless the request ended so and the routers hold what that means.
func (w *world) ended(r change.Request, want change.State) {
	w.Helper()
	if r.State != want {
		w.Errorf("request is %s (%s, %v), want %s", r.State, r.Phase, r.Outcome, want)
	}
	rows := map[change.State]string{change.Committed: "new", change.Reverted: "old"}[r.State]
	for _, name := range names {
		if got := w.kindOf(name); got != rows {
			w.Errorf("%s: rows of %s are %s, want %s", r.State, name, got, rows)
		}
	}
	if !w.up() {
		w.Error("the tunnel is not up")
	}
	if r.State.Ended() != slices.Contains(w.ledger.gone, "psk") && len(r.Plan.SecretRefs()) > 0 {
		w.Errorf("%s, secrets destroyed: %v", r.State, w.ledger.gone)
	}
	w.others()
	w.clean()
}

// Ensure a redo and a rotation go through every phase to new rows at both ends,
// in little time, and that a rekey negotiates afresh.
func TestEngine_Tunnel(t *testing.T) {
	for verb, make := range map[string]planner{"redo": vpn.PlanRedo, "rotate psk": vpn.PlanRotatePSK, "rekey": vpn.PlanRekey} {
		t.Run(verb, func(t *testing.T) {
			nat := outside()
			if verb == "redo" {
				nat = everything()
			}
			play(t, nat, func(w *world) {
				cookies := fmt.Sprint(w.in.Router("gw-hq").Rows("/ip/ipsec/active-peers")[0]["spii"])
				id := w.plan(verb, make, nil)
				begun, sent := time.Now(), w.commands()
				l := &life{}
				w.start(l)
				r := w.wait(id, 5*time.Minute)
				w.Logf("%s took %v at %v of latency, %d API round trips, %d deeds", verb, time.Since(begun), latency, w.commands()-sent, len(l.deeds))
				if time.Since(begun) > 4*time.Second {
					w.Errorf("took %v", time.Since(begun))
				}
				if verb == "rekey" {
					if r.State != change.Committed || !w.up() || w.kindOf("gw-hq") != "old" {
						w.Errorf("%s %v, rows %s", r.State, r.Outcome, w.kindOf("gw-hq"))
					}
				} else {
					w.ended(r, change.Committed)
				}
				if got := w.in.Router("gw-hq").Rows("/ip/ipsec/active-peers")[0]["spii"]; got == cookies {
					w.Error("phase 1 is the old one")
				}
				var phases []string
				for _, e := range w.ledger.events {
					if e.Kind == change.EventPhase {
						phases = append(phases, e.Facts["phase"])
					}
				}
				w.Log(phases)
			})
		})
	}
}

// Ensure a definition that cannot come up is put back, and the state before is
// proven again.
func TestEngine_Tunnel_Wrong(t *testing.T) {
	for name, edit := range map[string]func(*change.Plan){
		"phase 1": func(p *change.Plan) {
			p.Steps[slices.IndexFunc(p.Steps, adds("/ip/ipsec/profile"))].After["hash-algorithm"] = "md5"
		},
		"phase 2": func(p *change.Plan) {
			p.Steps[slices.IndexFunc(p.Steps, adds("/ip/ipsec/proposal"))].After["pfs-group"] = "none"
		},
		"line": nil,
	} {
		t.Run(name, func(t *testing.T) {
			play(t, everything(), func(w *world) {
				if name == "line" {
					if err := w.in.Block("gw-hq", "gw-fengshan", rossim.ESP); err != nil {
						w.Fatal(err)
					}
				}
				id := w.plan("redo", vpn.PlanRedo, edit)
				w.start(&life{})
				r := w.wait(id, 10*time.Minute)
				w.ended(r, change.Reverted)
				w.Log(r.Outcome)
			})
		})
	}
}

func adds(menu string) func(change.Step) bool {
	return func(s change.Step) bool { return s.Menu == menu && s.Action == schema.Add }
}
