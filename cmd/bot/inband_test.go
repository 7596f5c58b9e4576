//go:build !nodemo

package main

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/change"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// inBandWorld is the world of "bot demo --in-band": the bot reaches the router at
// fengshan through the tunnel that is changed.
func inBandWorld(t *testing.T) *world {
	t.Helper()
	c := &cable{}
	w := newWorldIn(t, network{listen: c.listen, dial: c.dial, inBand: true})
	w.settingUp = time.Hour
	return w
}

// Ensure a change of the tunnel that the bot talks through ends well: committed, or
// put back when the two ends cannot agree on it, with the tunnel up and both routers
// reached; also when the bot dies between the two scripts that it queues.
func TestDemo_InBand(t *testing.T) {
	const redo, rotate, set, never = "/vpn redo hq-fengshan", "/vpn rotate psk hq-fengshan", "/vpn tunnel set hq-fengshan exchange=ike2", -1
	for _, tt := range []struct {
		name, line string
		wrong      bool // the definition cannot agree
		dies       time.Duration
		want       change.State // where a bot is left to end it
	}{
		{name: "redo", line: redo, want: change.Committed},
		{name: "rotate psk", line: rotate, want: change.Committed},
		{name: "tunnel set", line: set, want: change.Committed},
		{name: "wrong redo", line: redo, wrong: true, want: change.Reverted},
		{name: "death between the scripts", line: redo, dies: time.Second, want: change.Reverted},
		{name: "a long death between the scripts", line: redo, dies: 6 * time.Minute, want: change.Reverted},
		{name: "death between the scripts of a rotation", line: rotate, dies: 20 * time.Second, want: change.Reverted},
		{name: "death between the scripts of a tunnel set", line: set, dies: time.Second, want: change.Reverted},
		{name: "death between the scripts of a wrong redo", line: redo, wrong: true, dies: 20 * time.Second, want: change.Reverted},
		{name: "death for ever in a redo", line: redo, dies: never},
		{name: "death for ever in a rotation", line: rotate, dies: never},
		{name: "death for ever in a wrong redo", line: redo, wrong: true, dies: never},
	} {
		t.Run(strings.ReplaceAll(tt.name, " ", "-"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := inBandWorld(t)
				w.unchecked = tt.wrong
				w.start(nil)
				if tt.wrong {
					w.nobodyCalls(t)
				}
				time.Sleep(90 * time.Second)
				died := w.diesBetween(tt.dies != 0)
				w.approved(t, tt.line)
				if tt.dies != 0 {
					<-died
					w.stop()
					for _, o := range w.routers {
						o.router.SetFaults(rossim.Faults{})
					}
				}
				if tt.dies == never {
					w.alone(t)
					return
				}
				if tt.dies > 0 {
					time.Sleep(tt.dies)
					w.start(nil)
				}
				r := w.over1(t)
				if r.State != tt.want {
					t.Errorf("got %s (%v), want %s", r.State, r.Outcome, tt.want)
				}
				time.Sleep(time.Minute)
				w.unguarded(t)
				if def, err := w.sys.store.Definition(t.Context(), vpn.KindTunnel, "hq-fengshan"); err != nil {
					t.Error(err)
				} else if want := expected(t, w.demo, def); !up(w.internet, *want) {
					t.Error("the tunnel is not up")
				}
			})
		})
	}
}

// approved asks for a change, which is said to be in band, and approves it.
func (w *world) approved(t *testing.T, line string) {
	t.Helper()
	if err := w.slack.Command(t.Context(), "U0OLIVE", "C0VPNOPS", line); err != nil {
		t.Fatal(err)
	}
	w.click(t, "U0OLIVE", "C0VPNOPS", "submit", "hq-fengshan")
	w.click(t, "U0ANN", "C0VPNOPS", "approve", "hq-fengshan")
	form := w.view(t, "U0ANN", "hq-fengshan")
	if !strings.Contains(form.Plain(), "gw-fengshan") || !strings.Contains(form.Plain(), "就是經由這條通道") {
		t.Errorf("the plan does not say that it is in band")
	}
	if err := w.slack.Submit(t.Context(), "U0ANN", form.ID, nil); err != nil {
		t.Fatal(err)
	}
}

// alone leaves the routers to themselves: both have the old rows in use, and the tunnel
// that leads to the far one is up, and stays so.
func (w *world) alone(t *testing.T) {
	t.Helper()
	far := w.office("fengshan")
	for _, later := range []time.Duration{10 * time.Minute, time.Hour} {
		time.Sleep(later)
		synctest.Wait()
		if !(*far.way.through.Load())() {
			t.Errorf("nothing gets to fengshan %v after the bot died", later)
		}
		for _, o := range []*office{w.office("hq"), far} {
			used := map[string]bool{}
			for _, row := range o.router.Rows("/ip/ipsec/policy") {
				if row["template"] != "true" && row["disabled"] != "true" {
					used[row["peer"]] = true
				}
			}
			for _, row := range o.router.Rows("/ip/ipsec/peer") {
				staged := strings.HasPrefix(row["name"], "hq-fengshan-")
				if staged && (row["disabled"] != "true" || used[row["name"]]) {
					t.Errorf("%s goes on with %s", o.Router, row["name"])
				}
			}
		}
	}
}

// Ensure what would cut the bot off for good is refused: the end of the tunnel through
// which it comes, and, where it comes from the dial-in pool, changes to that server.
func TestDemo_InBand_Refused(t *testing.T) {
	for _, tt := range []struct {
		line, from string
		want       []string
	}{
		{"/vpn tunnel remove hq-fengshan", botAddress, []string{"gw-fengshan", "經由 hq-fengshan", "移除"}},
		{"/vpn dialin set hq ranges=192.168.178.10-192.168.178.99 local=192.168.178.1", "192.168.77.207", []string{"gw-hq", "遠端撥入伺服器連到"}},
		{"/vpn rotate l2tp hq --handover @olive", "192.168.77.207", []string{"gw-hq", "遠端撥入伺服器連到"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := inBandWorld(t)
			w.office("hq").way.from = tt.from
			w.start(nil)
			time.Sleep(90 * time.Second)
			w.answer(t, "U0OLIVE", tt.line, tt.want...)
			if r, err := w.sys.store.RequestByNumber(t.Context(), 1); err == nil {
				t.Errorf("%s: a request was made: %s", tt.line, r.State)
			}
		})
	}
}

// Ensure a tunnel is changed in band where the bot has dialled in to the near router:
// then both ends are behind what is changed.
func TestDemo_InBand_DialledIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := inBandWorld(t)
		w.office("hq").way.from = "192.168.77.207"
		w.start(nil)
		time.Sleep(90 * time.Second)
		w.approved(t, "/vpn redo hq-fengshan")
		r := w.over1(t)
		if r.State != change.Committed {
			t.Errorf("got %s (%v)", r.State, r.Outcome)
		}
		for _, end := range r.Plan.Tunnel.Ends {
			if !end.InBand {
				t.Errorf("%s is not said to be in band", end.Router)
			}
		}
		time.Sleep(time.Minute)
		w.unguarded(t)
	})
}

// diesBetween arranges that the router at hq cannot be reached any more once the one
// at fengshan has taken its cut-over, and tells when that is.
func (w *world) diesBetween(so bool) <-chan struct{} {
	died := make(chan struct{})
	if !so {
		return died
	}
	var scripts atomic.Int64
	w.office("fengshan").router.SetFaults(rossim.Faults{OnWrite: func(_ int, when rossim.When, menu string, _ schema.Action) {
		if menu == "/execute" && when == rossim.After && scripts.Add(1) == 2 { // arm, cut over
			w.office("hq").router.SetFaults(rossim.Faults{Hang: true})
			close(died)
		}
	}})
	return died
}

// nobodyCalls writes a definition with which both ends wait for the other.
func (w *world) nobodyCalls(t *testing.T) {
	t.Helper()
	def, err := w.sys.store.Definition(t.Context(), vpn.KindTunnel, "hq-fengshan")
	if err != nil {
		t.Fatal(err)
	}
	tunnel, err := vpn.DecodeTunnel(def)
	if err != nil {
		t.Fatal(err)
	}
	tunnel.Ends[0].Role, tunnel.Ends[1].Role = vpn.Respond, vpn.Respond
	if def.Body, err = tunnel.Encode(); err != nil {
		t.Fatal(err)
	}
	def.Version++
	_, err = w.sys.store.Commit(t.Context(), change.Move{
		Definitions: []change.Definition{def},
		Events:      []change.Event{{At: time.Now(), Kind: change.EventDefinition, Actor: change.SystemPerson, Facts: map[string]string{"name": def.Name}}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// over1 waits until the first request has ended.
func (w *world) over1(t *testing.T) change.Request {
	t.Helper()
	var r change.Request
	for end := time.Now().Add(20 * time.Minute); time.Now().Before(end); time.Sleep(time.Second) {
		var err error
		if r, err = w.sys.store.RequestByNumber(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if r.State.Ended() || r.State == change.NeedsAttention {
			break
		}
	}
	return r
}

// unguarded fails when something of a change in phases is left on a router.
func (w *world) unguarded(t *testing.T) {
	t.Helper()
	for _, o := range w.routers {
		for _, row := range o.router.Rows("/system/scheduler") {
			if strings.HasPrefix(row["name"], "vpnbot-guard-") {
				t.Errorf("%s still has %s", o.Router, row["name"])
			}
		}
	}
}

// Ensure nothing reaches the far router in band while the line is cut, and something
// does once it is mended.
func TestDemo_InBand_Line(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := inBandWorld(t)
		w.start(nil)
		time.Sleep(time.Minute)
		reached := func() bool {
			_, err := w.sys.fleet.Snapshot(t.Context(), "gw-fengshan", "/user/active")
			return err == nil
		}
		if !reached() {
			t.Error("not reached through the tunnel")
		}
		if err := w.internet.Cut("gw-hq", "gw-fengshan"); err != nil {
			t.Fatal(err)
		}
		if reached() {
			t.Error("reached although the line is cut")
		}
		if _, err := w.sys.fleet.Snapshot(t.Context(), "gw-taichung", "/user/active"); err != nil {
			t.Errorf("a router beside the tunnel: %v", err)
		}
		if err := w.internet.Mend("gw-hq", "gw-fengshan"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if !reached() {
			t.Error("not reached after the line was mended")
		}
	})
}
