//go:build !nodemo

package main

import (
	"cmp"
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
	"vpnbot/commands/text"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// absence is how long the bot of the second copy stays away: guards look every
// two minutes, and both have looked more than once.
const absence = 10 * time.Minute

// fork is one story, in which the bot dies, and what follows from that in two copies
// of the world: in one the bot is started at once; in the other only time passes, and
// then it is started too.
type fork struct {
	t      *testing.T
	c      story
	w      *world
	p      *people
	r      *reaper
	plan   change.Plan         // once it is being applied
	want   *vpn.Expected       // what the tunnel was before; nil: there was none
	def    string              // its definition then
	past   int64               // the last request of the stories before
	aside  int64               // the last one whose plan does not count
	before map[string]holdings // by router
	keys   hunt
	notes  [][]byte
	// meddled tells that somebody else was in the rows of the change meanwhile.
	meddled bool
	late    bool   // a router may have carried out a write long after it was given up
	noise   string // in errors that the log may tell of
}

// passing is what came of one death.
type passing struct {
	points  int    // of the bot's first life
	where   string // it died; "" when it did not
	once    change.State
	parted  map[string]standing // by how, without a bot
	haunted []haunting
	late    change.State
	luck    string // what befell the routers too, in a third copy; "" nothing
	unwell  change.State
}

// newFork makes the world before the change: the tunnel is up, if there is one.
func newFork(t *testing.T, catalog *text.Catalog, c story, at int) *fork {
	t.Helper()
	r := newReaper(at)
	f := newForkOn(t, catalog, c, at, r.around)
	f.r = r
	return f
}

// newForkOn is newFork with something else around the ledger's transactions.
func newForkOn(t *testing.T, catalog *text.Catalog, c story, at int, around func(bool) error) *fork {
	t.Helper()
	w := worldOf(t, c)
	w.catalog = catalog
	f := &fork{t: t, c: c, w: w, before: map[string]holdings{}, r: newReaper(0)}
	f.open(around)
	for _, c := range c.before {
		f.prelude(c)
	}
	if c.stuck != nil && c.stuck.replaced {
		f.stall()
		f.aside = 1
	}
	if def, err := w.sys.store.Definition(t.Context(), vpn.KindTunnel, c.tunnel); err == nil {
		f.want, f.def = expected(t, w.demo, def), string(def.Body)
	}
	for _, o := range w.routers {
		f.before[o.Router] = held(o.router)
	}
	f.plant(w.internet)
	if now := f.stand(w.internet); now.split() {
		t.Fatalf("before the change: %v", now)
	}
	if c.stuck != nil && !c.stuck.replaced {
		f.stall()
	}
	f.p = newStoryPeople(w.demo, c, patience)
	f.p.trusting = at/2%2 == 0
	return f
}

// worldOf is the world of a story.
func worldOf(t *testing.T, c story) *world {
	t.Helper()
	w := newWorld
	if c.inBand {
		w = inBandWorld
	}
	return w(t)
}

// open starts the bot and lets the tunnels come up.
func (f *fork) open(around func(bool) error) {
	f.t.Helper()
	f.w.quieten("taichung")
	f.w.unchecked = f.c.wrong
	f.w.start(around)
	if f.c.wrong {
		f.w.nobodyCalls(f.t)
	}
	time.Sleep(20 * time.Second)
	if f.c.inBand {
		time.Sleep(70 * time.Second) // the far router is reached a little later
	}
}

// prelude plays a story that comes before the one with the deaths.
func (f *fork) prelude(c story) {
	f.t.Helper()
	if err := newStoryPeople(f.w.demo, c, patience).play(f.t.Context()); err != nil {
		f.t.Fatalf("%s: %v", c.name, err)
	}
	time.Sleep(time.Minute)
	requests, err := f.w.sys.store.Requests(f.t.Context(), change.Filter{})
	if err != nil {
		f.t.Fatal(err)
	}
	for _, r := range requests {
		if f.past = max(f.past, r.Number); r.Number > 0 && !made(r.State) {
			f.t.Errorf("%s: %s ended %q", c.name, r.Title(), r.State)
		}
	}
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
}

// play has the people change the tunnel until they are done, and tells where the
// bot died; "" when it did not.
func (f *fork) play() string {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 3*time.Hour)
	defer cancel()
	var playing sync.WaitGroup
	ended := make(chan error, 1)
	playing.Go(func() {
		err := f.p.play(ctx)
		pause(ctx, time.Minute)
		ended <- err
	})
	select {
	case err := <-ended:
		if err != nil {
			f.t.Error(err)
		}
		if f.r.arm(false) {
			return ""
		}
	case <-f.r.dead:
		cancel()
		playing.Wait()
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
func dies(t *testing.T, catalog *text.Catalog, c story, at int) (got passing) {
	synctest.Test(t, func(t *testing.T) {
		f := newFork(t, catalog, c, at)
		f.lay()
		if !c.flagged {
			f.r.arm(true)
		}
		where := f.play()
		if got.points = f.r.n; where == "" {
			got.once = f.verdict(f.w, "")
			return
		}
		got.where = where
		decided := f.grave()
		once, late, ghosts := f.twin(), f.twin(), f.haunt()
		unwell, luck, soon := f.unlucky(at)
		died, p := time.Now(), f.p
		close(f.r.free)
		f.w.end()

		time.Sleep(time.Second) // scripts go on without the bot
		guarded := guards(late.internet)
		got.once = f.after(once, p, where+", at once", again(at))
		p.trusting, p.heard = false, map[string]bool{} // from here on much has expired, and must be said again
		if got.luck = luck.name; soon {
			got.unwell = f.after(unwell, p, where+", "+luck.name+", at once", 0)
		}
		time.Sleep(time.Until(died.Add(absence)))
		synctest.Wait()
		got.parted, got.haunted = f.layToRest(ghosts, decided, guarded)
		got.late = f.after(late, p, where+", late", 0)
		if luck.name != "" && !soon {
			got.unwell = f.after(unwell, p, where+", "+luck.name+", late", 0)
		}
	})
	return got
}

// twin copies the world as it is at the bot's death.
func (f *fork) twin() *world {
	f.t.Helper()
	return f.w.copy(func(to io.Writer) error { return f.w.sys.store.Copy(f.t.Context(), to) })
}

// unlucky makes a third copy at some of the points, in which something befalls the
// routers too. It tells whether the bot is to be started there soon.
func (f *fork) unlucky(at int) (w *world, luck badLuck, soon bool) {
	f.t.Helper()
	if at%4 != 0 {
		return nil, badLuck{}, false
	}
	lucks := badLucks()[1:]
	luck, w = lucks[at/4%len(lucks)], f.twin()
	if err := luck.strike(w.internet); err != nil {
		f.t.Error(err)
	}
	return w, luck, at/4/len(lucks)%2 == 0
}

// again is after how many points the bot that was started at once dies once more;
// 0: it does not.
func again(at int) int {
	if at%3 != 0 {
		return 0
	}
	return 1 + 7*at%31
}

// after starts a bot in a copy, which dies at the next of its points unless that is
// 0, and returns how the change ends there.
func (f *fork) after(w *world, p *people, where string, next int) change.State {
	f.t.Helper()
	f.w, f.r, f.p = w, newReaper(next), p.at(w.demo)
	f.p.pressed, f.p.heard = maps.Clone(p.pressed), maps.Clone(p.heard)
	f.lay()
	w.boot(f.r.around)
	f.r.arm(true)
	if second := f.play(); second != "" {
		next := f.twin()
		close(f.r.free)
		w.end()
		return f.after(next, f.p, where+", and "+second, 0)
	}
	if f.c.stuck != nil && strings.Contains(where, "an outage") {
		f.insist()
	}
	for end := time.Now().Add(absence); time.Now().Before(end); { // an outage ends, a router has rebooted
		if f.well(w.demo, w.sys.store) {
			break
		}
		time.Sleep(time.Second)
	}
	return f.verdict(w, where)
}

// tally counts what came of the deaths in one kind of change.
type tally struct {
	toll
	c      story
	splits map[string]int // by how the ends part without a bot
	deaths int
}

func (l *tally) add(got passing) {
	if got.where == "" {
		return
	}
	ended := func(s change.State) string { return cmp.Or(string(s), "nothing left to do") }
	l.toll.add(l.c.name, "back at once", ended(got.once))
	l.toll.add(l.c.name, "back after the guards", ended(got.late))
	if got.luck != "" {
		l.toll.add(l.c.name, "back, and "+got.luck, ended(got.unwell))
	}
	for _, h := range got.haunted {
		l.toll.add(l.c.name, "never back, "+h.luck, h.stood)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deaths++
	for how := range got.parted {
		l.splits[how]++
	}
}

// play lets the bot die at every point, or at a sample of them.
func (l *tally) play(t *testing.T) {
	catalog, err := text.New()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	undisturbed := dies(t, catalog, l.c, 0)
	t.Run("at", func(t *testing.T) {
		for at := 1; at <= undisturbed.points; at++ {
			if !killFull() && !sampled(l.c, at) {
				continue
			}
			t.Run(fmt.Sprintf("%03d", at), func(t *testing.T) {
				t.Parallel()
				l.add(dies(t, catalog, l.c, at))
			})
		}
	})
	t.Logf("%d points of %s, which ends %s by itself; %d deaths, %.1f s", undisturbed.points, l.c.name, undisturbed.once, l.deaths, time.Since(began).Seconds())
	l.log(t)
	for _, split := range slices.Sorted(maps.Keys(l.splits)) {
		t.Logf("%d points of %s, bot never back, ends part: %s", l.splits[split], l.c.name, split)
	}
}

// Ensure every change ends on its new rows or on its old rows, a tunnel at both ends,
// wherever the bot dies in it, and whether it comes back at once, after the guards
// have looked, or never; but for the sequences in which it never does and that
// DESIGN.md lists, of which there is none too many.
func TestKill_Verb(t *testing.T) {
	parted := map[string]int{}
	var all []*tally
	t.Run("of", func(t *testing.T) {
		for _, c := range stories() {
			if raceDetector && !killFull() && c.far() {
				continue // the race detector makes everything slow, and there is nothing to race for in these
			}
			l := &tally{c: c, splits: map[string]int{}}
			all = append(all, l)
			t.Run(strings.ReplaceAll(strings.ReplaceAll(c.name, ",", ""), " ", "-"), func(t *testing.T) {
				t.Parallel()
				l.play(t)
			})
		}
	})
	for _, l := range all {
		for split, n := range l.splits {
			parted[split] += n
		}
	}
	known := knownSplits(t)
	for _, split := range slices.Sorted(maps.Keys(parted)) {
		if !slices.Contains(known, split) {
			t.Errorf("DESIGN.md does not know that the ends part: %s", split)
		}
	}
	whole := !slices.ContainsFunc(all, func(l *tally) bool { return l.deaths == 0 })
	for _, split := range known {
		if killFull() && whole && parted[split] == 0 {
			t.Errorf("DESIGN.md lists what was not seen: %s", split)
		}
	}
}

// sampled chooses the deaths that every run of the tests plays: of what takes long to
// get to, fewer.
func sampled(c story, at int) bool {
	every := 41
	switch {
	case raceDetector:
		every = 149
	case c.far():
		every = 83
	}
	return at%every == len(c.name)%every
}
