//go:build !nodemo

package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/change"
	"vpnbot/config"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// demoChange is one way to change the demo's tunnel hq-fengshan.
type demoChange struct {
	name, line string
	// flagged lets fengshan's router refuse its cut-over, so that everything has to
	// be put back. Deaths are counted from there on.
	flagged bool
}

func demoChanges() []demoChange {
	return []demoChange{
		{name: "redo", line: "/vpn redo fengshan"},
		{name: "rotate psk", line: "/vpn rotate psk fengshan"},
		{name: "rekey", line: "/vpn rekey fengshan"},
		{name: "redo refused", line: "/vpn redo fengshan", flagged: true},
	}
}

// absence is how long the bot of the second copy stays away: guards look every
// two minutes, and both have looked more than once.
const absence = 10 * time.Minute

// fork is one change of hq-fengshan, in which the bot dies, and what follows from
// that in two copies of the world: in one the bot is started at once; in the other
// only time passes, and then it is started too.
type fork struct {
	t      *testing.T
	c      demoChange
	w      *world
	p      *people
	r      *reaper
	want   vpn.Expected
	before map[string]holdings
	keys   hunt
	notes  [][]byte
}

// passing is what came of one death.
type passing struct {
	points int    // of the bot's first life
	where  string // it died; "" when it did not
	once   change.State
	never  standing
	late   change.State
}

// newFork makes the world before the change: the tunnel is up.
func newFork(t *testing.T, c demoChange, at int) *fork {
	t.Helper()
	w := newWorld(t)
	w.quieten("taichung")
	f := &fork{t: t, c: c, w: w, before: map[string]holdings{}, r: newReaper(at)}
	f.p = newPeople(w.demo, "hq-fengshan", patience)
	f.p.line, f.p.form, f.p.ends = c.line, "總公司↔鳳山", []string{"已確認生效", "已還原", "需人工處理"}
	f.p.trusting = at/2%2 == 0
	w.start(f.r.around)
	f.want = expectation(t, w)
	time.Sleep(20 * time.Second)
	for _, o := range w.routers {
		f.before[o.Router] = held(o)
	}
	f.plant(w)
	if now := stand(w.demo, f.want); !now.up || now.split() {
		t.Fatalf("before the change: %v", now)
	}
	return f
}

// expectation is what hq-fengshan should be, as the ledger and the configuration
// say.
func expectation(t *testing.T, w *world) vpn.Expected {
	t.Helper()
	cfg, err := config.Load(w.configFile())
	if err != nil {
		t.Fatal(err)
	}
	def, err := w.sys.store.Definition(t.Context(), vpn.KindTunnel, "hq-fengshan")
	if err != nil {
		t.Fatal(err)
	}
	tunnel, err := vpn.DecodeTunnel(def)
	if err != nil {
		t.Fatal(err)
	}
	return tunnel.Expect(cfg.Estate)
}

// lay sets the traps: at every write over the API and of every script.
func (f *fork) lay() {
	f.w.slack.SetLatency(20 * time.Millisecond)
	for _, o := range f.w.routers {
		write := func(kind string) func(int, rossim.When, string, schema.Action) {
			return func(_ int, when rossim.When, menu string, action schema.Action) {
				f.r.turn <- struct{}{}
				if f.c.flagged && !f.r.armed && o.Name == "fengshan" && kind == "script" && menu == "/ip/ipsec/proposal" {
					f.r.armed = true
					if err := o.router.Force("/system/device-mode", "", schema.Row{"flagged": "true"}); err != nil {
						f.t.Error(err)
					}
				}
				f.r.point(fmt.Sprintf("%s %s: %s %s %s", when, kind, o.Router, menu, action))
				<-f.r.turn
			}
		}
		o.router.SetFaults(rossim.Faults{Latency: 10 * time.Millisecond, OnWrite: write("API"), OnScriptWrite: write("script")})
	}
	if !f.c.flagged {
		f.r.arm(true)
	}
}

// play has the people change the tunnel until they are done, and tells where the
// bot died; "" when it did not.
func (f *fork) play() string {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 3*time.Hour)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		err := f.p.play(ctx)
		pause(ctx, time.Minute)
		ended <- err
	}()
	select {
	case err := <-ended:
		if err != nil {
			f.t.Fatal(err)
		}
		if f.r.arm(false) {
			return ""
		}
	case <-f.r.dead:
	}
	return f.r.where
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// dies plays one change in a bubble of its own, with a death at a point.
func dies(t *testing.T, c demoChange, at int) (got passing) {
	synctest.Test(t, func(t *testing.T) {
		f := newFork(t, c, at)
		f.lay()
		where := f.play()
		if got.points = f.r.n; where == "" {
			got.once = f.verdict(f.w, "")
			return
		}
		got.where = where
		f.grave()
		once, late := f.twin(), f.twin()
		died := time.Now()
		close(f.r.free)
		f.w.end()

		got.once = f.after(once, where+", at once")
		time.Sleep(time.Until(died.Add(absence)))
		synctest.Wait()
		got.never = stand(late.demo, f.want)
		f.p.trusting = false // much has expired, and must be said again
		clear(f.p.heard)
		got.late = f.after(late, where+", late")
	})
	return got
}

// twin copies the world as it is at the bot's death.
func (f *fork) twin() *world {
	f.t.Helper()
	return f.w.copy(func(to io.Writer) error { return f.w.sys.store.Copy(f.t.Context(), to) })
}

// after starts a bot in a copy, and returns how the change ends there.
func (f *fork) after(w *world, where string) change.State {
	f.t.Helper()
	w.slack.SetLatency(20 * time.Millisecond)
	for _, o := range w.routers {
		o.router.SetFaults(rossim.Faults{Latency: 10 * time.Millisecond})
	}
	ctx, cancel := context.WithTimeout(f.t.Context(), 3*time.Hour)
	defer cancel()
	w.boot(nil)
	if err := f.p.at(w.demo).play(ctx); err != nil {
		f.t.Errorf("%s: %v", where, err)
	}
	time.Sleep(time.Minute)
	return f.verdict(w, where)
}

// tally counts outcomes.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
	splits map[string]int
	deaths int
}

func (l *tally) add(c demoChange, got passing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if got.where == "" {
		return
	}
	l.deaths++
	l.counts[fmt.Sprintf("started at once: %s", got.once)]++
	l.counts[fmt.Sprintf("never started: %s", got.never)]++
	l.counts[fmt.Sprintf("started after the guards: %s", got.late)]++
	if got.never.split() {
		l.splits[c.name+", "+got.where+": "+got.never.String()]++
	}
}

// Ensure the tunnel ends on its new rows at both ends or on its old rows at both
// ends wherever the bot dies in a change of it, and whether it comes back at once,
// after the guards have looked, or never.
func TestKill_Tunnel(t *testing.T) {
	for _, c := range demoChanges() {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			began := time.Now()
			l := tally{counts: map[string]int{}, splits: map[string]int{}}
			undisturbed := dies(t, c, 0)
			t.Run("at", func(t *testing.T) {
				for at := 1; at <= undisturbed.points; at++ {
					if !killFull() && !sampled(c, at) {
						continue
					}
					t.Run(fmt.Sprintf("%03d", at), func(t *testing.T) {
						t.Parallel()
						l.add(c, dies(t, c, at))
					})
				}
			})
			t.Logf("%d points of %s, which ends %s by itself; %d deaths, %.1f s", undisturbed.points, c.name, undisturbed.once, l.deaths, time.Since(began).Seconds())
			for _, outcome := range slices.Sorted(maps.Keys(l.counts)) {
				t.Logf("%d points of %s, bot %s", l.counts[outcome], c.name, outcome)
			}
			for _, split := range slices.Sorted(maps.Keys(l.splits)) {
				t.Errorf("without a bot the ends part: %s", split)
			}
		})
	}
}

// sampled chooses the deaths that every run of the tests plays.
func sampled(c demoChange, at int) bool {
	every := 23
	if raceDetector {
		every = 61
	}
	return at%every == len(c.name)%every
}
