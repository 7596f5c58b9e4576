//go:build !nodemo

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/change"
	"vpnbot/commands/text"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
)

// killFull has every death met in every way, as "make kill" does; else a sample.
func killFull() bool { return os.Getenv("VPNBOT_KILL") == "full" }

// reaper counts the points at which a bot can die and stops it for ever at one
// of them: before a transaction is on disk, after it and before its caller is
// told, before a router executes a write, after it and before the answer.
type reaper struct {
	at    int    // the point to die at; 0: none
	until string // another one, by where it is
	// turn is held from before a transaction to after it and at both moments of a
	// router's write: while one point stands still nothing is committed, so that
	// copies of ledger, routers and Slack fit together.
	turn  chan struct{}
	armed bool   // who has the turn may change these
	n     int    // points so far
	where string // the last one
	dead  chan struct{}
	free  chan struct{} // closed when the copies are made
}

func newReaper(at int) *reaper {
	return &reaper{at: at, turn: make(chan struct{}, 1), dead: make(chan struct{}), free: make(chan struct{})}
}

func (r *reaper) around(written bool) error {
	if written {
		r.point("after a transaction")
		<-r.turn
		return nil
	}
	r.turn <- struct{}{}
	r.point("before a transaction")
	return nil
}

func (r *reaper) write(_ int, when rossim.When, menu string, action schema.Action) {
	r.turn <- struct{}{}
	r.point(fmt.Sprintf("%s %s %s", when, menu, action))
	<-r.turn
}

func (r *reaper) point(where string) {
	if !r.armed {
		return
	}
	if r.n++; r.where != "" || r.n != r.at && (r.until == "" || where != r.until) {
		return
	}
	r.where = where
	close(r.dead)
	<-r.free
}

// arm counts from here on, or no more. It tells whether the bot still lives.
func (r *reaper) arm(on bool) bool {
	select {
	case r.turn <- struct{}{}:
		r.armed = on
		<-r.turn
		return true
	case <-r.dead:
		return false
	}
}

// rebirth is how the bot starts again after its death.
type rebirth struct {
	name   string
	wait   time.Duration
	reboot bool // the router, meanwhile
	again  int  // the bot dies once more, some points later: more or fewer
}

func rebirths() []rebirth {
	return []rebirth{
		{name: "at once"},
		{name: "rebooted", reboot: true},
		{name: "again", again: 1},
		{name: "again and again", again: 2},
		// Approvals have lapsed; drafts and opened credentials are gone.
		{name: "late", wait: 2 * time.Hour},
		// Requests have expired, and credentials that nobody has opened in three
		// working days.
		{name: "too late", wait: 80 * time.Hour},
	}
}

const (
	patience = 30 * time.Second // of the people under virtual time
	// monday is how long after the beginning of virtual time a week begins.
	monday = 48 * time.Hour
)

// quieten takes the demo's tunnels down whose peers' names hold a word: hours of
// rekeying take long to play, and have no part in the story.
func (w *world) quieten(word string) {
	w.t.Helper()
	for _, o := range w.routers {
		for _, peer := range o.router.Rows("/ip/ipsec/peer") {
			if peer["dynamic"] == "true" || !strings.Contains(o.Router+peer["name"], word) {
				continue
			}
			if err := o.router.Set("/ip/ipsec/peer", peer[schema.ID], schema.Row{"disabled": "yes"}); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

// fate is one account's way through the deaths of the bot.
type fate struct {
	t     *testing.T
	w     *world
	r     *reaper // of the bot in w
	p     *people
	bury  func()   // ends the world in which the bot died
	notes [][]byte // checkpoints that somebody kept at a death
	had   bool     // the router had the row when this life began
	begun int      // how often the trail said by then that a step begins
}

// start starts the bot that dies at a point, and counts from here on. Slack and
// the routers have a latency, so that time passes between the points.
func (f *fate) start(at int) {
	f.t.Helper()
	f.r = newReaper(at)
	f.w.slack.SetLatency(20 * time.Millisecond)
	for _, o := range f.w.routers {
		o.router.SetFaults(rossim.Faults{Latency: 10 * time.Millisecond, OnWrite: f.r.write})
	}
	f.w.boot(f.r.around)
	f.r.arm(true)
}

// rest lets the bot run on when all is done, until credentials that were opened
// and drafts that nobody submitted are gone.
func rest(ctx context.Context, w *world) error {
	for {
		select {
		case <-time.After(change.OpenedWindow + time.Minute):
		case <-ctx.Done():
			return ctx.Err()
		}
		drafts, err := w.sys.store.Requests(ctx, change.Filter{States: []change.State{change.Draft}})
		if err != nil || len(drafts) == 0 {
			return err
		}
	}
}

// play goes on until the people are done or the bot is dead, and tells whether it
// is dead. The world is then as it was at that moment.
func (f *fate) play() bool {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 3*time.Hour)
	defer cancel()
	w, p, ended := f.w, f.p, make(chan error, 1)
	go func() {
		err := p.play(ctx)
		if err == nil {
			err = rest(ctx, w)
		}
		ended <- err
	}()
	select {
	case err := <-ended:
		if err != nil {
			f.t.Fatal(err)
		}
		if f.r.arm(false) {
			return false
		}
		f.die()
	case <-f.r.dead:
		f.die()
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			f.t.Error(err)
		}
	}
	f.p = f.p.at(f.w.demo)
	f.grave(w, f.r.where)
	return true
}

// die takes over the world as it is at the bot's death.
func (f *fate) die() {
	f.t.Helper()
	dead, r := f.w, f.r
	f.w = dead.copy(func(to io.Writer) error { return dead.sys.store.Copy(f.t.Context(), to) })
	f.bury = func() {
		close(r.free)
		dead.end()
	}
}

// rise starts the bot again.
func (f *fate) rise(how rebirth, next int) {
	f.t.Helper()
	if how.wait > 0 {
		f.bury()
		time.Sleep(how.wait)
		f.p.trusting = false // what has expired must be said again
		clear(f.p.heard)
	}
	if how.reboot {
		f.w.routers[0].router.Reboot()
	}
	f.start(next)
	if how.wait == 0 {
		f.bury()
	}
}

// killed plays the story in a bubble of its own with a death at a point. It
// returns how many points the bot's first life had, how often the bot died, and
// how the request stands in the end.
func killed(t *testing.T, catalog *text.Catalog, at int, how rebirth) (points, deaths int, end change.State) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(monday)
		w := newWorld(t)
		w.catalog = catalog
		w.quieten("")
		f := &fate{t: t, w: w, p: newPeople(w.demo, "mei-01", patience)}
		f.p.trusting = at/2%2 == 0
		f.start(at)
		first := f.r
		for f.play() {
			next := 0
			if deaths++; deaths == 1 && how.again > 0 {
				next = 1 + (5*at+7*how.again)%19
			}
			f.rise(how, next)
		}
		points = first.n
		end = f.end()
	})
	return points, deaths, end
}

// Ensure the story has one outcome wherever the bot dies in it, and however it
// starts again. A point that is not reached is no failure: now and then two moves
// share a transaction.
func TestKill_Point(t *testing.T) {
	began := time.Now()
	catalog, err := text.New()
	if err != nil {
		t.Fatal(err)
	}
	var points, deaths atomic.Int64
	var counts toll
	t.Run("none", func(t *testing.T) {
		n, _, _ := killed(t, catalog, 0, rebirth{})
		points.Store(int64(n))
	})
	t.Run("at", func(t *testing.T) {
		for at := 1; at <= int(points.Load()); at++ {
			for i, how := range rebirths() {
				if !killFull() && (at%3 != 1 || at/3%len(rebirths()) != i) {
					continue
				}
				t.Run(fmt.Sprintf("%02d %s", at, how.name), func(t *testing.T) {
					t.Parallel()
					_, n, end := killed(t, catalog, at, how)
					if deaths.Add(int64(n)); n > 0 {
						counts.add("adduser", "back "+how.name, string(end))
					}
				})
			}
		}
	})
	t.Logf("%d points of adduser, %d ways to start again, %d deaths, %.1f s", points.Load(), len(rebirths()), deaths.Load(), time.Since(began).Seconds())
	counts.log(t)
	if 4*deaths.Load() < points.Load() {
		t.Errorf("%d deaths at %d points", deaths.Load(), points.Load())
	}
}

// end stops the bot and looks at what is left.
func (f *fate) end() change.State {
	f.t.Helper()
	if locks := f.w.sys.engine.Locks(); len(locks) > 0 {
		f.t.Errorf("locked: %v", locks)
	}
	f.w.stop()
	for line := range strings.Lines(f.w.log.String()) {
		if strings.Contains(line, "level=ERROR") {
			f.t.Errorf("the log says: %s", line)
		}
	}
	return f.verdict()
}
