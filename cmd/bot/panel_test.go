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
	"vpnbot/commands/text"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
	"vpnbot/store"
)

// press is one way to use the demo's panel while a tunnel is changed.
type press struct {
	story story
	lever string
	phase string        // in which it is pressed
	into  time.Duration // and how long after that phase began
	hold  time.Duration // how long a toggle stays on
}

func (c press) name() string {
	name := fmt.Sprintf("%s/%s/%s", c.story.name, c.lever, c.phase)
	if c.hold > 0 {
		name += fmt.Sprintf(" for %v", c.hold)
	}
	if c.into > 0 {
		name += fmt.Sprintf(" after %v", c.into)
	}
	return strings.ReplaceAll(name, " ", "-")
}

// presses are all: every lever that is no client, in every phase of redo and rotate
// psk, at its beginning and some writes later, and toggles both shorter and longer
// than the guards wait.
func presses() []press {
	var all []press
	levers := map[string][]time.Duration{
		"meddle": {0}, "reboot": {0}, "kill": {0},
		"silent": {40 * time.Second, 6 * time.Minute}, "cut": {40 * time.Second, 6 * time.Minute},
	}
	for _, c := range stories()[:2] { // redo and rotate psk
		for _, lever := range slices.Sorted(maps.Keys(levers)) {
			for _, phase := range []string{change.PhaseStage, change.PhaseArm, change.PhaseCutOver, change.PhaseProve, change.PhaseCommit, change.PhaseRevert} {
				for _, hold := range levers[lever] {
					for _, into := range []time.Duration{0, 130 * time.Millisecond} {
						all = append(all, press{c, lever, phase, into, hold})
					}
				}
			}
		}
	}
	return all
}

// panel is the demo with somebody at its panel: the bot in it lives and dies as it
// does there.
type panel struct {
	*fork
	c     press
	ctx   context.Context
	wg    sync.WaitGroup
	mu    sync.Mutex // guards what follows; never held while waiting
	life  *system    // the bot that lives now, or lived last
	lives int
	done  chan struct{} // closed when the lever was pressed, and let go
	once  sync.Once
	noIKE bool // IKE is being lost, so that the change has to be put back
	// drift is how a new row differs from the plan since another administrator has
	// changed it: a change that holds leaves that as it is.
	drift string
}

func newPanel(t *testing.T, catalog *text.Catalog, c press) *panel {
	t.Helper()
	w := newWorld(t)
	w.quieten("taichung")
	w.adjust = func(o *options) {
		o.socket, o.catalog, o.ledger, o.poll = false, catalog, store.Options{NoSync: true}, 20*time.Second
	}
	p := &panel{c: c, done: make(chan struct{})}
	p.fork = &fork{t: t, c: c.story, w: w, before: map[string]holdings{}, r: newReaper(0)}
	w.born = p.born
	ctx, cancel := context.WithCancel(context.Background())
	p.ctx = ctx
	ended := make(chan error, 1)
	go func() { ended <- w.run(ctx, io.Discard, &w.log) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		p.wg.Wait()
		if err := <-ended; err != nil {
			t.Errorf("the bot: %v", err)
		}
	})
	w.until(t, "a connection", func() bool { return w.slack.Connections() > 0 })
	time.Sleep(20 * time.Second)
	w.slack.SetLatency(20 * time.Millisecond)
	for _, o := range w.routers {
		p.before[o.Router] = held(o.router)
		o.router.SetFaults(rossim.Faults{Latency: 10 * time.Millisecond})
	}
	p.want = expectation(t, w.demo, p.bot().store, tunnelName)
	p.plant(w.internet)
	if !up(w.internet, *p.want) {
		t.Fatal("before the change the tunnel is not up")
	}
	p.p = newStoryPeople(w.demo, c.story, patience)
	return p
}

// born begins to look when the change comes to the phase in question.
func (p *panel) born(s *system) {
	p.mu.Lock()
	p.life = s
	p.lives++
	p.mu.Unlock()
	changed, stop := s.store.Changed()
	p.wg.Go(func() {
		defer stop()
		for {
			select {
			case <-changed:
				p.look(s)
			case <-p.done:
				return
			case <-p.ctx.Done():
				return
			}
		}
	})
}

func (p *panel) bot() *system {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.life
}

// look presses the lever once its phase has begun. For a change that has to be put
// back, the line loses IKE from the cut-over to the revert.
func (p *panel) look(s *system) {
	requests, err := s.store.Requests(p.ctx, change.Filter{States: []change.State{change.Applying}})
	if err != nil || len(requests) == 0 {
		return // that bot is dead
	}
	phase := requests[0].Phase
	if p.c.phase == change.PhaseRevert && phase == change.PhaseCutOver && !p.noIKE {
		p.noIKE = true
		p.must(p.w.internet.Block("gw-hq", "gw-fengshan", rossim.IKE))
	}
	if phase != p.c.phase {
		return
	}
	p.once.Do(func() {
		p.wg.Go(func() { p.pull(requests[0].Plan) })
		if p.noIKE {
			p.must(p.w.internet.Unblock("gw-hq", "gw-fengshan", rossim.IKE))
		}
	})
}

func (p *panel) must(err error) {
	if err != nil {
		p.t.Error(err)
	}
}

// pull does what the page does when somebody presses the lever, and presses it again
// after a while where it is a toggle.
func (p *panel) pull(plan change.Plan) {
	defer close(p.done)
	pause(p.ctx, p.c.into)
	p.plan = plan
	was := held(p.w.office("fengshan").router)
	if _, err := p.w.pull(p.ctx, p.c.lever); err != nil {
		p.t.Errorf("pressing %s: %v", p.c.lever, err)
	}
	if p.c.lever == "meddle" {
		p.note(was, held(p.w.office("fengshan").router))
	}
	if p.c.hold == 0 {
		return
	}
	pause(p.ctx, p.c.hold)
	if _, err := p.w.pull(p.ctx, p.c.lever); err != nil {
		p.t.Errorf("letting %s go: %v", p.c.lever, err)
	}
}

// note keeps what the other administrator did: in a row that was there before the
// change it stays, as everything of theirs, and in a new one too.
func (p *panel) note(was, is holdings) {
	const proposals = "/ip/ipsec/proposal"
	rows := slices.Clone(p.before["gw-fengshan"][proposals])
	p.before["gw-fengshan"][proposals] = rows
	changed := 0
	for i, row := range was[proposals] {
		now := is[proposals][i]
		if maps.Equal(row, now) {
			continue
		}
		changed++
		if k := slices.IndexFunc(rows, func(r schema.Row) bool { return r["name"] == row["name"] }); k >= 0 {
			rows[k] = now
			continue
		}
		p.drift = fmt.Sprintf("is %q, want %q", now["lifetime"], row["lifetime"])
	}
	if changed != 1 {
		p.t.Errorf("the lever changed %d proposals of the tunnel, want 1", changed)
	}
}

// Ensure that whatever is pressed at the demo's panel, in whatever phase of a change
// of the tunnel, both ends end on the new rows or both on the old ones, proven by
// negotiation, with no guard and no staged row left and the requester told once; and
// that a person has to decide only where somebody changed a row of the change.
func TestKill_Panel(t *testing.T) {
	catalog, err := text.New()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range (&demo{}).machinery() {
		if !strings.HasPrefix(l.ID, "dial-") && !slices.ContainsFunc(presses(), func(c press) bool { return c.lever == l.ID }) {
			t.Errorf("lever %s is never pressed", l.ID)
		}
	}
	l := &toll{}
	t.Run("pressing", func(t *testing.T) {
		for i, c := range presses() {
			if !killFull() && i%11 != 5 || raceDetector && i%33 != 5 {
				continue
			}
			t.Run(c.name(), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					how := newPanel(t, catalog, c).play()
					l.add(c.story.name, "there; "+c.lever+" in "+c.phase, how)
				})
			})
		}
	})
	l.log(t)
}

// play lets the change and the lever run their course, and tells how it ended.
func (p *panel) play() string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 2*time.Hour)
	defer cancel()
	p.must(p.p.play(ctx))
	select {
	case <-p.done:
	case <-time.After(time.Hour):
		p.t.Fatalf("the change never came to %s", p.c.phase)
	}
	time.Sleep(time.Minute)
	attention := slices.Contains(p.p.cards(), "需人工處理")
	if attention {
		if p.c.lever != "meddle" {
			p.t.Errorf("a person has to decide: %v", p.why())
		}
		p.resolve(ctx)
	}
	end := p.end()
	if attention {
		return "a person decided, " + end
	}
	return end
}

// why is what the bot says about the request that nobody but a person can end.
func (p *panel) why() string {
	r, err := p.bot().store.RequestByNumber(p.t.Context(), 1)
	p.must(err)
	return fmt.Sprint(r.State, " ", r.Phase, " ", r.Outcome)
}

// resolve has people decide: towards the old rows, and where these are gone already
// towards the new ones.
func (p *panel) resolve(ctx context.Context) {
	p.t.Helper()
	for _, way := range [][2]string{{"restore", "兩台路由器都恢復舊設定"}, {"keep", "兩台路由器都改到新設定"}} {
		p.p = newTunnelPeople(p.w.demo, "/vpn resolve 1 "+way[0]+" 有人動過設定", patience)
		p.p.form, p.p.ends = way[1], []string{"已套用"}
		p.must(p.p.play(ctx))
		time.Sleep(time.Minute)
		r, err := p.bot().store.RequestByNumber(ctx, 1)
		p.must(err)
		if r.State != change.NeedsAttention {
			return
		}
	}
	p.t.Errorf("people decided, and it is still so: %v", p.why())
}

// end stops the bot and holds what it leaves to what was promised.
func (p *panel) end() string {
	p.t.Helper()
	if locks := p.bot().engine.Locks(); len(locks) > 0 {
		p.t.Errorf("locked: %v", locks)
	}
	p.mu.Lock()
	if want := 1 + btoi(p.c.lever == "kill"); p.lives != want {
		p.t.Errorf("the bot lived %d times, want %d", p.lives, want)
	}
	p.mu.Unlock()
	for end := time.Now().Add(absence); !up(p.w.internet, *p.want) && time.Now().Before(end); {
		time.Sleep(time.Second)
	}
	p.w.stop()
	for line := range strings.Lines(p.w.log.String()) {
		if strings.Contains(line, "level=ERROR") {
			p.t.Errorf("the log says: %s", line)
		}
	}
	m := exhume(p.t, p.w.demo)
	defer func() { _ = m.ledger.Close() }()
	how := p.judge(p.w.demo, m, p.w.log.String(), func(format string, args ...any) {
		p.t.Helper()
		if what := fmt.Sprintf(format, args...); p.drift == "" || !strings.HasSuffix(what, p.drift) {
			p.t.Error(what)
		}
	})
	p.noGuard()
	p.toldOnce()
	return string(how)
}

// noGuard checks that no guard is left. Staged rows are among those that judge
// compares.
func (p *panel) noGuard() {
	p.t.Helper()
	for _, o := range p.w.routers {
		for _, row := range o.router.Rows("/system/scheduler") {
			p.t.Errorf("%s still has the guard %s", o.Router, row["name"])
		}
	}
}

// toldOnce checks that olive was told once how her request ended.
func (p *panel) toldOnce() {
	p.t.Helper()
	told := 0
	for _, m := range p.w.slack.Messages("U0OLIVE", p.w.slack.Direct("U0OLIVE")) {
		if strings.Contains(m.Plain(), "#1") && slices.ContainsFunc([]string{"已確認生效", "已還原"}, func(s string) bool { return strings.Contains(m.Plain(), s) }) {
			told++
		}
	}
	if told != 1 {
		p.t.Errorf("the requester was told %d times how it ended", told)
	}
}
