package apply_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"vpnbot/change"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// Ensure a removal stops before it has removed anything where somebody has changed
// what it is to remove, and that both ends follow what people then decide, although
// guards have looked in between.
func TestEngine_Remove_Rival(t *testing.T) {
	for name, x := range map[string]edit{
		"peer's comment":       sets("/ip/ipsec/peer", "name", "by hand", schema.Row{"comment": "mine"}),
		"identity's ID":        sets("/ip/ipsec/identity", "peer", "by hand", schema.Row{"my-id": "fqdn:hq"}),
		"proposal used by one": sets("/ip/ipsec/policy", "peer", "elsewhere", schema.Row{"proposal": "p2"}),
	} {
		for i, router := range names {
			for k, towards := range []change.Decision{change.DecidedCommit, change.DecidedRevert} {
				if name == "identity's ID" && towards == change.DecidedRevert || name == "proposal used by one" && towards == change.DecidedCommit {
					continue // it would not come up, and cannot go
				}
				if sparse && i == k {
					continue
				}
				t.Run(name+" on "+router+", then "+string(towards), func(t *testing.T) {
					play(t, everything(), func(w *world) {
						id := w.plan("tunnel remove", vpn.PlanRemove, nil)
						w.start(&life{phase: map[string]func(){change.PhaseProve: func() { x(w, router) }}})
						r := w.wait(id, time.Minute)
						if r.State != change.NeedsAttention || r.Outcome.Args["router"].Str != router {
							w.Fatalf("it is %s (%v)", r.State, r.Outcome)
						}
						for _, name := range names {
							if got := w.stands(name); got != "off" {
								w.Errorf("%s has it %s", name, got)
							}
						}
						time.Sleep(5 * time.Minute) // the guards bring it back meanwhile
						plan, err := change.PlanResume(r, towards)
						if err != nil {
							w.Fatal(err)
						}
						w.wait(w.approve(plan), time.Minute)
						time.Sleep(time.Second)
						want, stands := change.Committed, "gone"
						if towards == change.DecidedRevert {
							want, stands = change.Reverted, "there"
						}
						if r = w.wait(id, 20*time.Minute); r.State != want || w.stands("gw-hq") != stands || w.stands("gw-fengshan") != stands {
							w.Errorf("it is %s (%v), hq has it %s, fengshan %s", r.State, r.Outcome, w.stands("gw-hq"), w.stands("gw-fengshan"))
						}
					})
				})
			}
		}
	}
}

// Ensure a bot that dies in a change, finds the rows of the tunnel changed by hand when
// it comes back: it ends the change with both ends alike, or asks a person before one
// end has lost what the other still has.
func TestEngine_Tunnel_Hand(t *testing.T) {
	all := deeds(t, "redo", vpn.PlanRedo, everything, nil)
	reset := edit(func(w *world, router string) { // the router was replaced: nothing of the tunnel is there
		for _, menu := range []string{"/system/scheduler", "/ip/ipsec/policy", "/ip/ipsec/identity", "/ip/ipsec/peer", "/ip/ipsec/profile", "/ip/ipsec/proposal"} {
			for _, row := range w.in.Router(router).Rows(menu) {
				if row["dynamic"] != "true" && row["default"] != "true" && !strings.Contains(row["name"]+row["peer"], "elsewhere") && row["name"] != "default" && row["name"] != "nightly" {
					_ = w.in.Router(router).Remove(menu, row[schema.ID])
				}
			}
		}
	})
	edits := map[string]edit{
		"reset": reset,
		"guard removed": func(w *world, router string) {
			for _, row := range w.in.Router(router).Rows("/system/scheduler") {
				if strings.HasPrefix(row["name"], "vpnbot-guard-") {
					_ = w.in.Router(router).Remove("/system/scheduler", row[schema.ID])
				}
			}
		},
		"new profile edited": func(w *world, router string) {
			for _, row := range w.in.Router(router).Rows("/ip/ipsec/profile") {
				if row["name"] == newName {
					_ = w.in.Router(router).Set("/ip/ipsec/profile", row[schema.ID], schema.Row{"dpd-interval": "1m"})
				}
			}
		},
		"old peer edited": func(w *world, router string) {
			for _, row := range w.in.Router(router).Rows("/ip/ipsec/peer") {
				if row["name"] == "by hand" {
					_ = w.in.Router(router).Set("/ip/ipsec/peer", row[schema.ID], schema.Row{"comment": "mine"})
				}
			}
		},
	}
	for i, name := range slices.Sorted(maps.Keys(edits)) {
		for k, router := range names {
			for n := range len(all) {
				if !full() && (!strings.HasPrefix(all[n], "gw-") && !strings.Contains(all[n], "decided") || (n+i+k)%4 != 0) || sparse && n%3 != 0 {
					continue
				}
				play(t, everything(), func(w *world) {
					id := w.plan("redo", vpn.PlanRedo, nil)
					w.start(&life{befall: map[int]fate{n + 1: dieAfter}})
					w.wait(id, 2*time.Minute)
					w.kill()
					edits[name](w, router)
					w.start(&life{})
					r := w.wait(id, 20*time.Minute)
					where := name + " on " + router + " after " + all[n]
					hq, fengshan := w.kindOf("gw-hq"), w.kindOf("gw-fengshan")
					side := func(kind string) string { return strings.TrimPrefix(kind, "on ") }
					switch {
					case name == "reset": // one router has nothing any more
						if !r.State.Ended() && r.State != change.NeedsAttention {
							w.Errorf("%s: it is %s", where, r.State)
						}
						return
					case r.State == change.NeedsAttention && name == "guard removed":
						w.Errorf("%s: a person is asked (%v)", where, r.Outcome)
					case !r.State.Ended() && r.State != change.NeedsAttention:
						w.Errorf("%s: it is %s", where, r.State)
					}
					if side(hq) != side(fengshan) || !w.up() {
						w.Errorf("%s: %s (%v), hq is %s, fengshan %s, up %v", where, r.State, r.Outcome, hq, fengshan, w.up())
					}
					if r.State == change.NeedsAttention && name == "old peer edited" && (hq == "new") != (fengshan == "new") {
						w.Errorf("%s: %v, hq is %s, fengshan %s", where, r.Outcome, hq, fengshan)
					}
				})
			}
		}
	}
}

// Ensure a router that is silent from the moment on at which it is to commit counts
// for committed only when it was read.
func TestEngine_Tunnel_SilentCommit(t *testing.T) {
	for _, router := range names {
		play(t, everything(), func(w *world) {
			id := w.plan("redo", vpn.PlanRedo, nil)
			w.start(&life{before: map[string]func(){router + ": script commit": func() {
				w.in.Router(router).SetFaults(rossim.Faults{Refuse: true})
				w.in.Router(router).Drop()
				time.AfterFunc(time.Minute, func() { w.in.Router(router).SetFaults(rossim.Faults{}) })
			}}})
			w.ended(w.wait(id, 10*time.Minute), change.Committed)
		})
	}
}
