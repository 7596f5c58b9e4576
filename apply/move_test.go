package apply_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"vpnbot/change"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
)

// movers are the sites with several WANs at headquarters.
func movers() (list []siteKind) {
	for _, k := range siteKinds() {
		if k.hq != nil {
			list = append(list, k)
		}
	}
	return list
}

// fence lets in what the tunnel needs from the address that it has, and drops all
// else from outside.
func (w *world) fence(router string, from netip.Addr) {
	w.Helper()
	for _, rule := range []schema.Row{
		{"action": "accept", "protocol": "udp", "dst-port": "500,4500", "src-address": from.String(), "comment": "hq-fengshan [vpnbot 3.1]"},
		{"action": "accept", "protocol": "ipsec-esp", "src-address": from.String(), "comment": "hq-fengshan [vpnbot 3.2]"},
		{"action": "accept", "protocol": "icmp"},
		{"action": "drop", "in-interface": "ether1"},
	} {
		rule["chain"] = "input"
		if _, err := w.in.Router(router).Add("/ip/firewall/filter", rule); err != nil {
			w.Fatal(err)
		}
	}
}

// Ensure an end moves to another WAN of its site as planned, or stays where it was
// with every row, whichever write is refused; that the other end lets the new address
// in and the old one no more; and that the tunnel runs between the new addresses.
func TestEngine_Move_Worlds(t *testing.T) {
	worlds := 16
	if sparse {
		worlds /= 4
	}
	outcomes := map[string]int{}
	property(t, worlds, func(t *rapid.T) {
		k := rapid.SampledFrom(movers()).Draw(t, "kind")
		w := siteWorld(t, k, true)
		defer w.close()
		if rapid.Bool().Draw(t, "fenced") {
			w.fence("gw-fengshan", netip.MustParseAddr("203.0.113.10"))
		}
		notify := rapid.Bool().Draw(t, "deletes are told")
		w.in.SetSwitches(func(s *rossim.Switches) { s.DeleteNotify = notify })
		plan, refused := w.sitePlan(verbCalled("tunnel set WAN"))
		if plan == nil {
			t.Fatalf("refused: %s", refused)
		}
		was := w.tunnel
		w.tunnel = decoded(w, plan.Defines)
		strike := max(0, rapid.IntRange(-8, 12).Draw(t, "refused write"))
		r, outcome := trial{w, names, func() (change.Plan, error) { return *plan, nil }, strike, false}.play()
		outcomes[outcome]++
		local, rules := "203.0.113.130", "203.0.113.130"
		if r.State != change.Committed {
			w.tunnel, local, rules = was, "203.0.113.10", "203.0.113.10"
		}
		time.Sleep(time.Minute)
		if !w.up() || !w.carries() {
			t.Errorf("%s: up %v, carries %v", r.State, w.up(), w.carries())
		}
		if !w.runsBetween(local) {
			t.Errorf("%s: no phase 1 with %s: %v", r.State, local, w.in.Router("gw-fengshan").Rows("/ip/ipsec/active-peers"))
		}
		for _, row := range w.in.Router("gw-fengshan").Rows("/ip/firewall/filter") {
			if row["src-address"] != "" && row["src-address"] != rules {
				t.Errorf("%s: %v is still let in", r.State, row)
			}
		}
	})
	t.Log(outcomes)
}

// runsBetween tells whether fengshan has a phase 1 with that address of headquarters.
func (w *world) runsBetween(hq string) bool {
	w.Helper()
	return slices.ContainsFunc(w.in.Router("gw-fengshan").Rows("/ip/ipsec/active-peers"), func(row schema.Row) bool {
		return row["remote-address"] == hq && row["state"] == "established"
	})
}

// Ensure a move is taken back: the tunnel runs where it ran before, and the other end
// lets that address in again.
func TestEngine_Move_Rollback(t *testing.T) {
	for _, k := range movers()[:2] {
		synctest.Test(t, func(t *testing.T) {
			w := siteWorld(t, k, true)
			defer w.close()
			w.fence("gw-fengshan", netip.MustParseAddr("203.0.113.10"))
			was := w.tunnel
			w.define(1)
			done := w.carryOut(verbCalled("tunnel set WAN"))
			if done.State != change.Committed || !w.runsBetween("203.0.113.130") {
				t.Fatalf("%s (%v)", done.State, done.Cause)
			}
			plan, refused := w.planUndo(done, &was, 2)
			if k.wan.Dynamic {
				if !strings.Contains(refused, "undo_shared") {
					t.Errorf("got %q, want it refused", refused)
				}
				return
			}
			if plan == nil {
				t.Fatal(refused)
			}
			w.tunnel = decoded(w, plan.Defines)
			r, _ := trial{w, names, func() (change.Plan, error) { return *plan, nil }, 0, false}.play()
			if r.State != change.Committed || !w.runsBetween("203.0.113.10") || w.runsBetween("203.0.113.130") || !w.carries() || w.tunnel.Ends[0].WAN != "ether1" {
				t.Errorf("%s (%v), carries %v, at %s", r.State, r.Cause, w.carries(), w.tunnel.Ends[0].WAN)
			}
		})
	}
}

// Ensure both ends stand on one generation, wherever the bot dies for ever in a move.
func TestEngine_Move_NeverRestarted(t *testing.T) {
	deeds, every := 1, 2
	if sparse {
		every = 7
	}
	outcomes := map[string]int{}
	for at := 0; at <= deeds; at += every {
		synctest.Test(t, func(t *testing.T) {
			w := siteWorld(t, movers()[0], true)
			defer w.close()
			plan, refused := w.sitePlan(verbCalled("tunnel set WAN"))
			if plan == nil {
				t.Fatal(refused)
			}
			l := &life{befall: map[int]fate{at: dieBefore}}
			id := w.approve(*plan)
			w.start(l)
			if at == 0 {
				w.wait(id, 5*time.Minute)
				deeds = len(l.deeds)
			}
			time.Sleep(20 * time.Minute)
			at1, at2 := w.runsBetween("203.0.113.10"), w.runsBetween("203.0.113.130")
			outcomes[fmt.Sprint("moved ", at2)]++
			if at1 == at2 || !w.carries() {
				t.Errorf("dead at deed %d of %d: at the old WAN %v, at the new one %v, carries %v", at, deeds, at1, at2, w.carries())
			}
		})
	}
	t.Log(deeds, outcomes)
}
