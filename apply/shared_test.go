package apply_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vpnbot/change"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// sharedKind is a site that calls from anywhere, at a peer that taichung has too.
func sharedKind() siteKind {
	return siteKind{
		name: "shared", shared: true,
		wan: vpn.WAN{Interface: "ether1", Dynamic: true, NAT: vpn.NoNAT, Role: vpn.Initiate},
	}
}

func verbCalled(name string) siteVerb {
	for _, v := range siteVerbs() {
		if v.name == name {
			return v
		}
	}
	return siteVerb{}
}

// Ensure one site after the other of its changes goes through a peer that others
// have too, from adding to removing, and that headquarters then is as it was.
func TestEngine_Shared_Life(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := siteWorld(t, sharedKind(), false)
		defer w.close()
		before := w.both()
		cookies, _ := w.bystander()
		for _, name := range []string{"tunnel add", "rotate psk", "redo", "rekey", "tunnel set", "rotate psk", "tunnel remove"} {
			r := w.carryOut(verbCalled(name))
			gone := name == "tunnel remove"
			if now, carries := w.bystander(); r.State != change.Committed || w.up() == gone || w.carries() == gone || now != cookies || !carries {
				t.Fatalf("%s: %s (%v), up %v, carries %v; beside: %s, was %s, carries %v", name, r.State, r.Cause, w.up(), w.carries(), now, cookies, carries)
			}
		}
		if diff := cmp.Diff(before, w.both()); diff != "" {
			t.Errorf("rows (-before +after):\n%s", diff)
		}
	})
}

// Ensure a site with several networks goes through all of its changes behind a peer
// that others have too.
func TestEngine_Shared_Networks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sharedKind()
		k.second = true
		w := siteWorld(t, k, false)
		defer w.close()
		before := w.both()
		for _, name := range []string{"tunnel add", "rotate psk", "redo", "tunnel set", "tunnel remove"} {
			r := w.carryOut(verbCalled(name))
			gone := name == "tunnel remove"
			if _, carries := w.bystander(); r.State != change.Committed || w.up() == gone || !carries {
				t.Fatalf("%s: %s (%v), up %v; the one beside carries %v", name, r.State, r.Cause, w.up(), carries)
			}
		}
		if diff := cmp.Diff(before, w.both()); diff != "" {
			t.Errorf("rows (-before +after):\n%s", diff)
		}
	})
}

// Ensure the peer that the bot made for the first site serves a second one, and
// stays when the first one's tunnel is removed.
func TestEngine_Shared_FirstGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sharedKind()
		k.shared = false
		w := siteWorld(t, k, false)
		defer w.close()
		if r := w.carryOut(verbCalled("tunnel add")); r.State != change.Committed || !w.carries() {
			t.Fatalf("%s (%v)", r.State, r.Cause)
		}
		hq := w.in.Router("gw-hq")
		for _, add := range []struct {
			menu string
			row  schema.Row
		}{
			{"/ip/ipsec/policy/group", schema.Row{"name": "taichung"}},
			{"/ip/ipsec/policy", schema.Row{"template": "yes", "group": "taichung", "src-address": "192.168.77.0/24", "dst-address": "192.168.99.0/24", "proposal": "hq-fengshan-1"}},
			{"/ip/ipsec/identity", schema.Row{
				"peer": "hq-fengshan-1", "my-id": "fqdn:hq", "remote-id": "fqdn:taichung", "secret": "another-key",
				"generate-policy": "port-strict", "policy-template-group": "taichung",
			}},
		} {
			if _, err := hq.Add(add.menu, add.row); err != nil {
				t.Fatal(err)
			}
		}
		w.taichung()
		taichung := w.in.Router("gw-taichung")
		for _, row := range taichung.Rows("/ip/ipsec/proposal") {
			if row["name"] == "p2" {
				if err := taichung.Set("/ip/ipsec/proposal", row[schema.ID], schema.Row{"pfs-group": "ecp384"}); err != nil {
					t.Fatal(err)
				}
			}
		}
		time.Sleep(time.Minute)
		cookies, carries := w.bystander()
		if !carries {
			t.Fatal("the second site has no tunnel")
		}
		if r := w.carryOut(verbCalled("tunnel remove")); r.State != change.Committed || w.up() || w.carries() {
			t.Errorf("%s (%v), up %v", r.State, r.Cause, w.up())
		}
		time.Sleep(time.Minute)
		if now, carries := w.bystander(); now != cookies || !carries {
			t.Errorf("the second site: carries %v, phase 1 %s, was %s", carries, now, cookies)
		}
		if rows := hq.Rows("/ip/ipsec/peer"); len(rows) != 1 || rows[0]["disabled"] != "false" {
			t.Errorf("peers of headquarters: %v", rows)
		}
	})
}

// carryOut plans and applies a verb, and holds every row against the plan.
func (w *world) carryOut(v siteVerb) change.Request {
	w.Helper()
	plan, refused := w.sitePlan(v)
	if plan == nil {
		w.Fatalf("%s: refused %s", v.name, refused)
	}
	if plan.Defines != nil {
		w.tunnel = decoded(w, plan.Defines)
	}
	r, _ := trial{w, names, func() (change.Plan, error) { return *plan, nil }, 0, false}.play()
	return r
}

// Ensure changes behind a peer that others have too end as planned or leave all as it
// was, whichever write is refused and whatever routers do where no source tells; the
// others carry on, or come back by themselves where a router ends their phase 1.
func TestEngine_Shared_Worlds(t *testing.T) {
	worlds := 24
	if sparse {
		worlds /= 4
	}
	outcomes := map[string]int{}
	property(t, worlds, func(t *rapid.T) {
		v := rapid.SampledFrom([]siteVerb{
			verbCalled("redo"), verbCalled("rotate psk"), verbCalled("tunnel set"), verbCalled("tunnel add"), verbCalled("tunnel remove"),
		}).Draw(t, "verb")
		k := rapid.SampledFrom(siteKinds()[len(siteKinds())-4:]).Draw(t, "kind")
		sw := rossim.Switches{
			IdentityEditDrops: rapid.Bool().Draw(t, "identity edits drop"), DeleteNotify: rapid.Bool().Draw(t, "deletes are told"),
			PeerRemovalKeeps: rapid.Bool().Draw(t, "removed peers linger"), ProposalEditDrops: rapid.Bool().Draw(t, "proposal edits drop"),
		}
		w := siteWorld(t, k, v.dug)
		defer w.close()
		w.in.SetSwitches(func(s *rossim.Switches) {
			s.IdentityEditDrops, s.DeleteNotify, s.PeerRemovalKeeps, s.ProposalEditDrops = sw.IdentityEditDrops, sw.DeleteNotify, sw.PeerRemovalKeeps, sw.ProposalEditDrops
		})
		plan, refused := w.sitePlan(v)
		if plan == nil {
			t.Fatalf("refused: %s", refused)
		}
		strike := max(0, rapid.IntRange(-8, 14).Draw(t, "refused write"))
		r, outcome := trial{w, names, func() (change.Plan, error) { return *plan, nil }, strike, false}.play()
		outcomes[v.name+" "+outcome]++
		time.Sleep(3 * time.Minute)
		up := v.dug
		if r.State == change.Committed {
			up = v.name != "tunnel remove"
		}
		if w.up() != up || w.carries() != up {
			t.Errorf("%s: up %v, carries %v", r.State, w.up(), w.carries())
		}
		if k.shared {
			if _, carries := w.bystander(); !carries {
				t.Error("the tunnel beside carries nothing any more")
			}
		}
	})
	t.Log(outcomes)
}

// Ensure a router that takes no second identity of one ID refuses before anything is
// touched.
func TestEngine_Shared_IdentityPerID(t *testing.T) {
	for _, name := range []string{"redo", "rotate psk", "tunnel add"} {
		synctest.Test(t, func(t *testing.T) {
			v := verbCalled(name)
			w := siteWorldOf(t, rossim.Options{Tables: rossim.Tables{IdentityPerID: true}}, sharedKind(), v.dug)
			defer w.close()
			before, want := w.both(), change.Reverted
			if !v.dug {
				want = change.Committed
			}
			if r := w.carryOut(v); r.State != want || !w.up() || !w.carries() {
				t.Errorf("%s: %s (%v), up %v", name, r.State, r.Cause, w.up())
			}
			if diff := cmp.Diff(before, w.both()); diff != "" && want == change.Reverted {
				t.Errorf("%s: rows (-before +after):\n%s", name, diff)
			}
		})
	}
}

// Ensure the two ends stand on one generation, and the others are left alone, wherever
// the bot dies for ever in a change behind a peer that others have too.
func TestEngine_Shared_NeverRestarted(t *testing.T) {
	for _, name := range []string{"redo", "rotate psk", "tunnel remove"} {
		t.Run(name, func(t *testing.T) {
			deeds, every := 1, 2
			if sparse {
				every = 7
			}
			outcomes := map[string]int{}
			for at := 0; at <= deeds; at += every {
				synctest.Test(t, func(t *testing.T) {
					w := siteWorld(t, sharedKind(), true)
					defer w.close()
					plan, refused := w.sitePlan(verbCalled(name))
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
					up, carries := w.up(), w.carries()
					outcomes[fmt.Sprint("up ", up)]++
					if up != carries || name != "tunnel remove" && !up {
						t.Errorf("dead at deed %d of %d: up %v, carries %v", at, deeds, up, carries)
					}
					if _, carries := w.bystander(); !carries {
						t.Errorf("dead at deed %d: the tunnel beside carries nothing", at)
					}
				})
			}
			t.Log(deeds, outcomes)
		})
	}
}

// Ensure what cannot be changed without touching the others, and what nobody knows a
// router to do, is refused with its reason.
func TestEngine_Shared_Refused(t *testing.T) {
	for _, tt := range []struct {
		verb, menu, by, value string
		set                   schema.Row
		add                   schema.Row // in place of set
		want                  string
	}{
		{verb: "redo", menu: "/ip/ipsec/identity", by: "remote-id", value: "fqdn:taichung", set: schema.Row{"remote-id": "ignore"}, want: "shared_open"},
		{verb: "rotate psk", menu: "/ip/ipsec/identity", by: "remote-id", value: "fqdn:taichung", set: schema.Row{"remote-id": "auto"}, want: "shared_open"},
		{verb: "redo", menu: "/ip/ipsec/peer", by: "name", value: "spokes", set: schema.Row{"disabled": "yes"}, want: "shared_off"},
		{
			verb: "tunnel set", menu: "/ip/ipsec/policy", want: "shared_static",
			add: schema.Row{"peer": "spokes", "tunnel": "yes", "src-address": "192.168.77.0/24", "dst-address": "192.168.88.0/24", "disabled": "yes"},
		},
		{verb: "tunnel set phase 1", want: "shared_profile"},
		{
			verb: "redo", menu: "/ip/ipsec/peer", want: "tunnel_peers",
			add: schema.Row{"name": "second", "exchange-mode": "ike2", "passive": "yes"},
		},
		{verb: "redo", menu: "/ip/ipsec/profile", by: "name", value: "p1", set: schema.Row{"dh-group": "modp1024"}, want: "tunnel_disagree"},
		{
			verb: "rotate psk", menu: "/ip/ipsec/identity", want: "tunnel_identities",
			add: schema.Row{"peer": "spokes", "remote-id": "fqdn:fengshan", "secret": "x", "disabled": "yes"},
		},
		{
			verb: "tunnel add", menu: "/ip/ipsec/identity", want: "add_rows",
			add: schema.Row{"peer": "spokes", "remote-id": "fqdn:fengshan", "secret": "x", "disabled": "yes"},
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			v := verbCalled(tt.verb)
			w := siteWorld(t, sharedKind(), v.dug)
			defer w.close()
			hq := w.in.Router("gw-hq")
			if tt.add != nil {
				if _, err := hq.Add(tt.menu, tt.add); err != nil {
					t.Fatal(err)
				}
			}
			for _, row := range hq.Rows(tt.menu) {
				if tt.set != nil && row[tt.by] == tt.value {
					if err := hq.Set(tt.menu, row[schema.ID], tt.set); err != nil {
						t.Fatal(err)
					}
				}
			}
			if _, refused := w.sitePlan(v); refused != "plan.refuse."+tt.want {
				t.Errorf("%s: got %q, want %s", tt.verb, refused, tt.want)
			}
		})
	}
}
