package apply_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/change"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// deeds returns what a bot does for a change that nothing disturbs, or that its
// plan makes fail.
func deeds(t *testing.T, verb string, make planner, nat func() schema.Row, edit func(*change.Plan)) []string {
	t.Helper()
	l := &life{}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, rossim.Switches{}, nat())
		defer w.close()
		id := w.plan(verb, make, edit)
		w.start(l)
		w.wait(id, 10*time.Minute)
		w.kill()
	})
	return l.deeds
}

// full tells whether every point is tried, as "make kill" does.
func full() bool { return os.Getenv("VPNBOT_KILL") == "full" }

// tried tells whether point n of all is tried. Each costs a tenth of a second, so
// only those around scripts and decisions are, and some of the others.
func tried(all []string, n int) bool {
	near := strings.Contains(all[n], "script c") || strings.Contains(all[n], "decided")
	switch {
	case full():
		return true
	case sparse:
		return near && n%2 == 0
	}
	return n%17 == 5 || near
}

// spoil makes a plan that cannot come up.
func spoil(p *change.Plan) {
	p.Steps[slices.IndexFunc(p.Steps, adds("/ip/ipsec/profile"))].After["hash-algorithm"] = "md5"
}

// changes are the ways through the engine of which every point is tried.
var changes = []struct {
	name, verb string
	make       planner
	nat        func() schema.Row
	edit       func(*change.Plan)
}{
	{"redo", "redo", vpn.PlanRedo, everything, nil},
	{"rotate", "rotate psk", vpn.PlanRotatePSK, outside, nil},
	{"rekey", "rekey", vpn.PlanRekey, outside, nil},
	{"redo in vain", "redo", vpn.PlanRedo, everything, spoil},
}

// sound fails unless a change has ended on new or old rows at both ends, with the
// tunnel up.
func (w *world) sound(r change.Request, where string) {
	w.Helper()
	want := "old"
	if r.State == change.Committed && len(r.Plan.Steps) > 0 {
		want = "new"
	}
	for _, name := range names {
		if got := w.kindOf(name); got != want || !r.State.Ended() {
			w.Errorf("%s: %s (%v), rows of %s are %s", where, r.State, r.Outcome, name, got)
		}
	}
	if !w.up() {
		w.Errorf("%s: %s (%v), the tunnel is not up", where, r.State, r.Outcome)
	}
	w.others()
	w.clean()
}

// Ensure a death before and after every commit and every router write leaves new
// rows at both ends or old rows at both ends, once a bot is back: at once, or
// after the guards have fired.
func TestEngine_Tunnel_Death(t *testing.T) {
	outcomes := map[string]int{}
	for _, c := range changes {
		all := deeds(t, c.verb, c.make, c.nat, c.edit)
		for n := range len(all) {
			if !tried(all, n) {
				continue
			}
			for _, f := range []fate{dieBefore, dieAfter} {
				for i, away := range []time.Duration{time.Second, 7 * time.Minute} {
					if !full() && (n%2 == i) == (f == dieAfter) {
						continue // one of the two will do
					}
					synctest.Test(t, func(t *testing.T) {
						w := newWorld(t, rossim.Switches{}, c.nat())
						defer w.close()
						id := w.plan(c.verb, c.make, c.edit)
						w.start(&life{befall: map[int]fate{n + 1: f}})
						w.wait(id, 2*time.Minute)
						w.kill()
						time.Sleep(away)
						synctest.Wait()
						w.start(&life{})
						r := w.wait(id, 20*time.Minute)
						w.sound(r, fmt.Sprintf("%s: %s %d (%s), away %v", c.name, f, n+1, all[n], away))
						outcomes[fmt.Sprintf("%s, away %v: %s", c.name, away, r.State)]++
					})
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(outcomes)) {
		t.Logf("%4d %s", outcomes[name], name)
	}
}

// Ensure a bot that never comes back leaves both routers on one side, without it,
// but for the sequences that DESIGN.md lists.
func TestEngine_Tunnel_Never(t *testing.T) {
	splits := map[string]int{}
	for _, c := range changes {
		all := deeds(t, c.verb, c.make, c.nat, c.edit)
		for n := range len(all) {
			if !tried(all, n) {
				continue
			}
			for _, f := range []fate{dieBefore, dieAfter} {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, rossim.Switches{}, c.nat())
					defer w.close()
					id := w.plan(c.verb, c.make, c.edit)
					w.start(&life{befall: map[int]fate{n + 1: f}})
					w.wait(id, 2*time.Minute)
					w.kill()
					time.Sleep(10 * time.Minute)
					synctest.Wait()
					side := func(name string) string { return strings.TrimPrefix(w.kindOf(name), "on ") }
					if side("gw-hq") != side("gw-fengshan") || !w.up() {
						splits[fmt.Sprintf("%s: %s %s: hq %s, fengshan %s", c.name, f, all[n], w.kindOf("gw-hq"), w.kindOf("gw-fengshan"))]++
					}
					w.others()
				})
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(splits)) {
		t.Errorf("split %s", name)
	}
}

// Ensure every single write that is refused or whose answer is lost ends in new
// rows at both ends or old rows at both ends.
func TestEngine_Tunnel_Failing(t *testing.T) {
	outcomes := map[string]int{}
	for _, c := range changes {
		all := deeds(t, c.verb, c.make, c.nat, c.edit)
		for n := range len(all) {
			if !strings.HasPrefix(all[n], "gw-") || !tried(all, n) {
				continue
			}
			fates := []fate{refuse, loseBefore, loseAfter}
			if strings.Contains(all[n], "script") {
				fates = append(fates, comeLate, comeLate, comeLate)
			}
			for i, f := range fates {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, rossim.Switches{}, c.nat())
					defer w.close()
					id := w.plan(c.verb, c.make, c.edit)
					l := &life{befall: map[int]fate{n + 1: f}, later: []time.Duration{0, 0, 0, time.Millisecond, 700 * time.Millisecond, 3 * time.Second}[i]}
					w.start(l)
					r := w.wait(id, 20*time.Minute)
					l.late.Wait()
					w.sound(r, fmt.Sprintf("%s: %s %d (%s)", c.name, f, n+1, all[n]))
					outcomes[fmt.Sprintf("%s, %s: %s", c.name, f, r.State)]++
				})
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(outcomes)) {
		t.Logf("%4d %s", outcomes[name], name)
	}
}
