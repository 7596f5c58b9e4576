package apply_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"vpnbot/change"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// remove removes the rows of a menu that have the value.
func remove(w *world, router, menu, attr, value string) {
	w.Helper()
	for _, row := range w.in.Router(router).Rows(menu) {
		if row[attr] == value {
			if err := w.in.Router(router).Remove(menu, row[schema.ID]); err != nil {
				w.Fatal(err)
			}
		}
	}
}

// switchOff disables the rows of a menu that have the value.
func switchOff(w *world, router, menu, attr, value string) {
	w.Helper()
	for _, row := range w.in.Router(router).Rows(menu) {
		if row[attr] == value {
			if err := w.in.Router(router).Set(menu, row[schema.ID], schema.Row{"disabled": "yes"}); err != nil {
				w.Fatal(err)
			}
		}
	}
}

// Ensure a redo brings every state before it to the definition's rows, and that one
// in vain leaves it byte for byte as it was, ids aside.
func TestEngine_Tunnel_Before(t *testing.T) {
	const policies, peers = "/ip/ipsec/policy", "/ip/ipsec/peer"
	states := map[string]func(w *world){
		"nothing there": func(w *world) {
			for _, router := range names {
				remove(w, router, policies, "peer", "by hand")
				remove(w, router, "/ip/ipsec/identity", "peer", "by hand")
				remove(w, router, peers, "name", "by hand")
			}
		},
		"a policy missing at hq":   func(w *world) { remove(w, "gw-hq", policies, "src-address", "192.168.78.0/24") },
		"no policy at fengshan":    func(w *world) { remove(w, "gw-fengshan", policies, "peer", "by hand") },
		"a policy off at hq":       func(w *world) { switchOff(w, "gw-hq", policies, "src-address", "192.168.77.0/24") },
		"the peer off at fengshan": func(w *world) { switchOff(w, "gw-fengshan", peers, "name", "by hand") },
		"no identity at hq":        func(w *world) { remove(w, "gw-hq", "/ip/ipsec/identity", "peer", "by hand") },
		"a policy that nobody wants": func(w *world) {
			if _, err := w.in.Router("gw-hq").Add(policies, schema.Row{
				"peer": "by hand", "tunnel": "yes", "src-address": "192.168.77.128/25", "dst-address": "192.168.88.128/25", "proposal": "p2",
			}); err != nil {
				w.Fatal(err)
			}
		},
	}
	for i, name := range slices.Sorted(maps.Keys(states)) {
		edit := states[name]
		for _, vain := range []bool{false, true} {
			if sparse && vain == (i%2 == 0) {
				continue
			}
			t.Run(name, func(t *testing.T) {
				play(t, everything(), func(w *world) {
					edit(w)
					w.settle()
					// What only lives on what was negotiated before does not come back.
					up := w.up() && name != "no identity at hq"
					spoiled, want, rows := (func(*change.Plan))(nil), change.Committed, "new"
					if vain {
						spoiled, want, rows = spoil, change.Reverted, "old"
					}
					id := w.plan("redo", vpn.PlanRedo, spoiled)
					w.start(&life{})
					r := w.wait(id, 20*time.Minute)
					if r.State != want {
						w.Errorf("got %s (%v), want %s", r.State, r.Outcome, want)
					}
					for _, router := range names {
						if got := w.kindOf(router); got != rows {
							w.Errorf("rows of %s are %s, want %s: %v", router, got, rows, w.rows(router))
						}
					}
					if w.up() != (up || !vain) {
						w.Errorf("up %v, before %v", w.up(), up)
					}
					if !vain {
						w.again()
					}
					w.others()
					w.clean()
				})
			})
		}
	}
}

// again fails unless a rotation right afterwards ends on a third generation.
func (w *world) again() {
	w.Helper()
	id := w.plan("rotate psk", vpn.PlanRotatePSK, nil)
	r := w.wait(id, 10*time.Minute)
	if r.State != change.Committed || !w.up() {
		w.Errorf("a rotation afterwards is %s (%v)", r.State, r.Outcome)
	}
}

// Ensure behaviours that no source proves do not matter.
func TestEngine_Tunnel_Switches(t *testing.T) {
	switches := map[string]rossim.Switches{
		"both initiate":        {SimultaneousOpen: true},
		"old SAs dropped":      {DropOldSAs: true},
		"policy keeps its SAs": {PolicyEditKeeps: true},
		"peer kept when off":   {PeerEdits: []string{"address"}},
		"deletion is told":     {DeleteNotify: true},
		"contact purges all":   {InitialContact: "address"},
		"contact purges none":  {InitialContact: "nothing"},
	}
	for i, name := range slices.Sorted(maps.Keys(switches)) {
		sw := switches[name]
		for _, vain := range []bool{false, true} {
			if sparse && vain == (i%2 == 0) {
				continue
			}
			t.Run(name, func(t *testing.T) {
				playWith(t, sw, everything(), func(w *world) {
					spoiled, want := (func(*change.Plan))(nil), change.Committed
					if vain {
						spoiled, want = spoil, change.Reverted
					}
					id := w.plan("redo", vpn.PlanRedo, spoiled)
					w.start(&life{})
					w.ended(w.wait(id, 20*time.Minute), want)
				})
			})
		}
	}
}

// Ensure versions, and behaviours of tables that no source proves, do not matter.
func TestEngine_Tunnel_Kinds(t *testing.T) {
	kinds := map[string]rossim.Options{
		"6.49.7":                 {Profile: "6.49.7"},
		"7.17.2":                 {Profile: "7.17.2"},
		"secrets in clear":       {PrintMasks: "no"},
		"words of 7.23":          {Tables: rossim.Tables{Texts: "newest"}},
		"what is in use dangles": {Tables: rossim.Tables{InUseDangles: true}},
		"static rows in front":   {Tables: rossim.Tables{StaticFirst: true}},
		"part of a list":         {Tables: rossim.Tables{PartWay: true}},
	}
	for i, name := range slices.Sorted(maps.Keys(kinds)) {
		kind := kinds[name]
		for _, vain := range []bool{false, true} {
			if sparse && vain == (i%2 == 0) {
				continue
			}
			t.Run(name, func(t *testing.T) {
				playOf(t, kind, rossim.Switches{}, everything(), func(w *world) {
					spoiled, want := (func(*change.Plan))(nil), change.Committed
					if vain {
						spoiled, want = spoil, change.Reverted
					}
					id := w.plan("redo", vpn.PlanRedo, spoiled)
					w.start(&life{})
					w.ended(w.wait(id, 20*time.Minute), want)
				})
			})
		}
	}
}
