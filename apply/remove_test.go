package apply_test

import (
	"fmt"
	"maps"
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

// stands tells whether a router has the tunnel, by what is switched on: "there",
// "off" (rows are left), "gone" or "mixed".
func (w *world) stands(router string) string {
	w.Helper()
	rows := w.rows(router)
	on, off := 0, 0
	for path, name := range map[string]string{"/ip/ipsec/peer": "name", "/ip/ipsec/policy": "peer"} {
		for _, row := range rows[path] {
			switch {
			case row[name] != "by hand":
			case row["disabled"] == "true":
				off++
			default:
				on++
			}
		}
	}
	switch text := fmt.Sprint(rows); {
	case on > 0 && off == 0:
		return "there"
	case on > 0:
		return "mixed"
	case strings.Contains(text, "by hand") || strings.Contains(text, "name:p1") || strings.Contains(text, "name:p2"):
		return "off"
	}
	return "gone"
}

// quiet tells whether nothing of what the tunnel negotiated is left on either end.
func (w *world) quiet() bool {
	w.Helper()
	for _, name := range names {
		r := w.in.Router(name)
		if len(r.Rows("/ip/ipsec/installed-sa")) > 0 || slices.ContainsFunc(r.Rows("/ip/ipsec/active-peers"), func(row schema.Row) bool { return row["state"] == "established" }) {
			return false
		}
	}
	return true
}

// alike fails unless both ends have the tunnel, and it is up, or neither has.
func (w *world) alike(where string) string {
	w.Helper()
	hq, fengshan := w.stands("gw-hq"), w.stands("gw-fengshan")
	one := func(s string) string { return strings.Replace(s, "gone", "off", 1) }
	switch {
	case one(hq) != one(fengshan) || hq == "mixed":
		w.Errorf("%s: hq has it %s, fengshan %s", where, hq, fengshan)
	case hq == "there" && !w.up():
		w.Errorf("%s: there at both ends and not up", where)
	case hq != "there" && !w.quiet():
		w.Errorf("%s: off at both ends, and something is left", where)
	}
	w.others()
	return one(hq)
}

// removed fails unless a removal has ended, and the routers hold what that means.
func (w *world) removed(r change.Request, where string) {
	w.Helper()
	want := map[change.State]string{change.Committed: "gone", change.Reverted: "there"}[r.State]
	for _, name := range names {
		if got := w.stands(name); got != want {
			w.Errorf("%s: %s (%v), %s has it %s", where, r.State, r.Outcome, name, got)
		}
	}
	w.alike(where)
	w.clean()
}

// Ensure a removal leaves nothing of the tunnel at either end and is committed.
func TestEngine_Remove(t *testing.T) {
	play(t, everything(), func(w *world) {
		id := w.plan("tunnel remove", vpn.PlanRemove, nil)
		began := time.Now()
		w.start(&life{})
		r := w.wait(id, 2*time.Minute)
		if r.State != change.Committed || time.Since(began) > 5*time.Second {
			w.Errorf("got %s (%v) after %v", r.State, r.Outcome, time.Since(began))
		}
		w.removed(r, "undisturbed")
	})
}

// Ensure a death before and after every commit and every router write of a removal
// leaves the tunnel at both ends or at neither: once a bot is back, at once or after
// the guards have looked, and without one.
func TestEngine_Remove_Death(t *testing.T) {
	outcomes := map[string]int{}
	all := deeds(t, "tunnel remove", vpn.PlanRemove, everything, nil)
	for n := range len(all) {
		if !tried(all, n) {
			continue
		}
		for _, f := range []fate{dieBefore, dieAfter} {
			for i, away := range []time.Duration{time.Second, 11 * time.Minute} {
				if !full() && (n%2 == i) == (f == dieAfter) {
					continue // one of the two will do
				}
				play(t, everything(), func(w *world) {
					id := w.plan("tunnel remove", vpn.PlanRemove, nil)
					w.start(&life{befall: map[int]fate{n + 1: f}})
					w.wait(id, 2*time.Minute)
					w.kill()
					time.Sleep(away)
					synctest.Wait()
					where := fmt.Sprintf("%s %d (%s), away %v", f, n+1, all[n], away)
					if away > time.Minute {
						outcomes["never: "+w.alike(where)]++
					}
					w.start(&life{})
					r := w.wait(id, 20*time.Minute)
					w.removed(r, where)
					outcomes[fmt.Sprintf("away %v: %s", away, r.State)]++
				})
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(outcomes)) {
		t.Logf("%4d %s", outcomes[name], name)
	}
}

// Ensure every single write of a removal that is refused or whose answer is lost ends
// with the tunnel at both ends or at neither.
func TestEngine_Remove_Failing(t *testing.T) {
	all := deeds(t, "tunnel remove", vpn.PlanRemove, everything, nil)
	for n := range len(all) {
		if !strings.HasPrefix(all[n], "gw-") || !tried(all, n) {
			continue
		}
		fates := []fate{refuse, loseBefore, loseAfter}
		if strings.Contains(all[n], "script") {
			fates = append(fates, comeLate, comeLate, comeLate)
		}
		for i, f := range fates {
			play(t, everything(), func(w *world) {
				id := w.plan("tunnel remove", vpn.PlanRemove, nil)
				l := &life{befall: map[int]fate{n + 1: f}, later: []time.Duration{0, 0, 0, time.Millisecond, 700 * time.Millisecond, 3 * time.Second}[i]}
				w.start(l)
				r := w.wait(id, 20*time.Minute)
				l.late.Wait()
				w.removed(r, fmt.Sprintf("%s %d (%s)", f, n+1, all[n]))
			})
		}
	}
}

// Ensure what befalls the routers of a bot that never comes back leaves the tunnel at
// both ends or at neither, once it has been switched off at one.
func TestEngine_Remove_Never(t *testing.T) {
	for _, tt := range []struct {
		name, deed string // the last that the bot does
		strike     func(w *world)
		want       string
	}{
		{"nothing after the first end", "gw-fengshan: script cut over", func(*world) {}, "there"},
		{"the first end reboots", "gw-fengshan: script cut over", func(w *world) { w.in.Router("gw-fengshan").Reboot() }, "there"},
		{"the second end reboots", "gw-fengshan: script cut over", func(w *world) { w.in.Router("gw-hq").Reboot() }, "there"},
		{"the first end is flagged", "gw-fengshan: script cut over", func(w *world) {
			_ = w.in.Router("gw-fengshan").Force("/system/device-mode", "", schema.Row{"flagged": "true"})
		}, "off"},
		{"the second end is flagged", "gw-fengshan: script cut over", func(w *world) {
			_ = w.in.Router("gw-hq").Force("/system/device-mode", "", schema.Row{"flagged": "true"})
		}, "there"},
		{"nothing between the commits", "gw-fengshan: script commit", func(*world) {}, "off"},
		{"the second end reboots between the commits", "gw-fengshan: script commit", func(w *world) { w.in.Router("gw-hq").Reboot() }, "off"},
	} {
		all := deeds(t, "tunnel remove", vpn.PlanRemove, everything, nil)
		n := slices.IndexFunc(all, func(d string) bool { return strings.HasPrefix(d, tt.deed) })
		if n < 0 {
			t.Fatalf("%s: no %s in %v", tt.name, tt.deed, all)
		}
		play(t, everything(), func(w *world) {
			id := w.plan("tunnel remove", vpn.PlanRemove, nil)
			w.start(&life{befall: map[int]fate{n + 1: dieAfter}})
			w.wait(id, time.Minute)
			w.kill()
			tt.strike(w)
			time.Sleep(15 * time.Minute)
			synctest.Wait()
			if got := w.alike(tt.name); got != tt.want {
				w.Errorf("%s: %s", tt.name, got)
			}
			for _, name := range names {
				_ = w.in.Router(name).Force("/system/device-mode", "", schema.Row{"flagged": "false"})
			}
			w.start(&life{})
			w.removed(w.wait(id, 20*time.Minute), tt.name)
		})
	}
}

// Ensure RouterOS may do either of what no source tells of peers that are switched
// off: what is left is removed, or the removal is put back.
func TestEngine_Remove_Switches(t *testing.T) {
	for name, sw := range map[string]rossim.Switches{
		"editing a peer drops nothing": {PeerEdits: []string{"address"}}, "deletes are told": {DeleteNotify: true},
	} {
		playWith(t, sw, everything(), func(w *world) {
			id := w.plan("tunnel remove", vpn.PlanRemove, nil)
			w.start(&life{})
			r := w.wait(id, 5*time.Minute)
			if r.State != change.Committed {
				w.Errorf("%s: got %s (%v)", name, r.State, r.Outcome)
			}
			w.removed(r, name)
		})
	}
}
