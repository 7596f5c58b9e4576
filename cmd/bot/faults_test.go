//go:build !nodemo

package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/change"
	"vpnbot/commands/text"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
)

// overdue is how long a change may take once everything works again that a mishap
// broke: reading a router that was away is tried again after half a minute at most,
// guards look every two minutes, and what a router goes on refusing is left to a
// person after ten.
const overdue = 12 * time.Minute

// mess is one change that is played while something goes wrong at one of its
// writes.
type mess struct {
	*fork
	mishap
	nth  int      // the write
	on   []string // the routers
	mu   sync.Mutex
	seen map[string]int // writes so far, by router, those of scripts included
	api  map[string]int // of them, over the API
	at   time.Time      // when it happened; zero: not yet
	full bool           // the disk of the bot's host
}

// count counts writes, and lets the mishap happen at the one that it is about.
func (m *mess) count(o *office, when rossim.When, menu string, scripted bool) {
	m.mu.Lock()
	if when == rossim.Before {
		m.seen[o.Router]++
		if !scripted {
			m.api[o.Router]++
		}
	}
	moment := rossim.Before
	if m.behind {
		moment = rossim.After
	}
	n := m.seen[o.Router]
	if m.scripts {
		n -= m.api[o.Router]
	}
	now := m.at.IsZero() && m.befall != nil && o.Router == m.on[0] && n == m.nth && when == moment && (scripted || !m.scripts)
	if now {
		m.at = time.Now()
	}
	m.mu.Unlock()
	if !now {
		return
	}
	for _, router := range m.on {
		m.befall(m, router)
	}
	if m.mend != nil {
		time.AfterFunc(m.lasts, m.repair)
	}
}

func (m *mess) repair() {
	for _, router := range m.on {
		m.mend(m, router)
	}
}

// around is the bot's disk.
func (m *mess) around(bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.full {
		return syscall.ENOSPC
	}
	return nil
}

// lay sets the trap.
func (m *mess) lay() {
	m.w.slack.SetLatency(20 * time.Millisecond)
	for _, o := range m.w.routers {
		f := m.faults(o)
		if m.strike != nil && slices.Contains(m.on, o.Router) {
			s := *m.strike
			s.Class, s.Nth = rossim.Writes, m.nth
			f.Strikes = []rossim.Strike{s}
		}
		o.router.SetFaults(f)
	}
}

// faults are none, but writes are counted.
func (m *mess) faults(o *office) rossim.Faults {
	hook := func(scripted bool) func(int, rossim.When, string, schema.Action) {
		return func(_ int, when rossim.When, menu string, _ schema.Action) { m.count(o, when, menu, scripted) }
	}
	return rossim.Faults{Latency: 10 * time.Millisecond, OnWrite: hook(false), OnScriptWrite: hook(true)}
}

// lift takes faults of a router away that hold until somebody does.
func (m *mess) lift() {
	for _, o := range m.w.routers {
		o.router.SetFaults(m.faults(o))
		o.router.SetCertificate(o.cert)
	}
}

// muddle plays a story with a mishap at a write, in a bubble of its own, and
// returns how it ended, after how long, and how many writes there were. No mishap
// plays it undisturbed.
func muddle(t *testing.T, catalog *text.Catalog, c story, x mishap, nth int, on ...string) (got muddled) {
	if c.inBand && x.meddles { // who breaks the tunnel in band shuts the bot out, and lets it in by another way
		x.lasts, x.mend = dark, detour
	}
	synctest.Test(t, func(t *testing.T) {
		m := &mess{mishap: x, nth: nth, on: on, seen: map[string]int{}, api: map[string]int{}}
		m.fork = newForkOn(t, catalog, c, 0, m.around)
		m.p.trusting, m.meddled = true, x.meddles
		m.fork.noise, m.fork.late = x.noise, x.late
		m.lay()
		got = m.play()
	})
	return got
}

// muddled is what came of a mishap.
type muddled struct {
	end    change.State
	why    string // the ID of the text that says why a person is asked for
	struck bool
	took   time.Duration  // from when everything works again until the change has ended and the tunnel is up
	seen   map[string]int // writes by router
	api    map[string]int
}

// writes is at how many writes of a router a mishap can happen.
func (m muddled) writes(x mishap, router string) int {
	switch {
	case x.strike != nil:
		return m.api[router]
	case x.scripts:
		return m.seen[router] - m.api[router]
	}
	return m.seen[router]
}

// play has the people change something until they are done, and judges.
func (m *mess) play() (got muddled) {
	m.t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(m.t.Context(), m.lasts+m.c.waits+overdue)
	defer cancel()
	if m.strike != nil && m.lasts > 0 {
		lift := time.AfterFunc(m.c.waits+m.lasts, m.lift)
		defer lift.Stop()
	}
	where := fmt.Sprintf("%s at write %d on %s", m.name, m.nth, strings.Join(m.on, " and "))
	if err := m.p.play(ctx); err != nil {
		m.t.Errorf("%s: not over %v after everything works again: %v", where, overdue, err)
	}
	m.conclude(ctx, where)
	got, mended := m.tell(began)
	attended := len(m.needing()) > 0
	if !attended {
		waitFor(mended)
	}
	if !attended && !m.meddles { // what somebody has made of the rows may never come up
		m.settle()
	}
	got.took = max(0, time.Since(mended))
	if got.struck && got.took > overdue {
		m.t.Errorf("%s: it took %v after everything works again, more than %v", where, got.took, overdue)
	}
	waitFor(mended)
	time.Sleep(time.Minute)
	m.lift()
	if attended {
		return m.attended(got, where)
	}
	m.settle()
	m.again()
	got.end = m.verdict(m.w, where)
	return got
}

// again has people decide once more about the change that needed them before, where
// what they decided was taken back.
func (m *mess) again() {
	m.t.Helper()
	if m.c.stuck != nil && m.c.stuck.replaced {
		m.insist()
	}
}

// conclude waits until nothing is under way on routers: the card that people wait for
// may be that of their decision about another request, which goes on after it.
func (m *mess) conclude(ctx context.Context, where string) {
	m.t.Helper()
	for {
		all, err := m.w.sys.store.Requests(m.t.Context(), change.Filter{States: []change.State{change.Approved, change.Applying}})
		switch {
		case err != nil:
			m.t.Error(err)
			return
		case len(all) == 0:
			return
		case ctx.Err() != nil:
			m.t.Errorf("%s: %s is still %s", where, all[0].Title(), all[0].State)
			return
		}
		pause(ctx, time.Second)
	}
}

// needing are the requests that wait for a person, but for the one that had to be
// waiting for this story to begin.
func (m *mess) needing() []change.Request {
	m.t.Helper()
	all, err := m.w.sys.store.Requests(m.t.Context(), change.Filter{States: []change.State{change.NeedsAttention}})
	if err != nil {
		m.t.Error(err)
	}
	return slices.DeleteFunc(all, func(r change.Request) bool { return r.Number <= m.aside })
}

// tell says what has happened so far, and when everything works again.
func (m *mess) tell(began time.Time) (got muddled, mended time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	got = muddled{seen: maps.Clone(m.seen), api: maps.Clone(m.api), struck: !m.at.IsZero()}
	for _, o := range m.w.routers {
		got.struck = got.struck || m.strike != nil && o.router.Fired(m.strike.Kind) > 0
	}
	if mended = m.at; mended.IsZero() {
		mended = began.Add(m.c.waits)
	}
	return got, mended.Add(m.lasts)
}

// waitFor sleeps until a moment that may be over.
func waitFor(moment time.Time) {
	if d := time.Until(moment); d > 0 {
		time.Sleep(d)
	}
}

// settle waits until the tunnel is up, as long as guards may take.
func (m *mess) settle() {
	for end := time.Now().Add(absence); time.Now().Before(end) && !m.well(m.w.demo, m.w.sys.store); time.Sleep(time.Second) {
		continue
	}
}

// attended checks a change with which a person has to deal: only where the mishap
// explains it, told once, the ends together as far as guards can bring them. Then a
// person has it finished.
func (m *mess) attended(got muddled, where string) muddled {
	m.t.Helper()
	if !m.person || m.t.Failed() {
		m.t.Errorf("%s: a person is asked for: %v", where, m.why())
	}
	time.Sleep(absence)
	m.grave()
	decided := m.decided()
	if s := m.stand(m.w.internet); m.plan.Phased() && !m.apart && (!s.well || s.split() && !m.meddles) {
		m.t.Errorf("%s: a person is asked for, %v", where, s)
	}
	got.end, got.why = change.NeedsAttention, m.why().ID
	switch {
	case m.meddles:
		m.w.stop()
	case m.plan.Phased():
		m.resumed(where, decided)
	default:
		m.released(where)
	}
	return got
}

// resumed has a person finish a tunnel's change in the direction that was decided.
func (m *mess) resumed(where string, decided change.Decision) {
	m.t.Helper()
	c, want, number := m.c, change.Reverted, m.stuck().Number
	c.about = m.plan.Tunnel.Name
	c.line, c.form, c.ends = fmt.Sprintf("/vpn resolve %d restore 查過了", number), "兩台路由器都恢復舊設定", []string{"已套用"}
	if decided == change.DecidedCommit {
		c.line, c.form, want = fmt.Sprintf("/vpn resolve %d keep 查過了", number), "兩台路由器都改到新設定", change.Committed
	}
	m.act(where, c)
	if m.again(); m.c.stuck != nil && m.c.stuck.replaced {
		want = change.Committed
	}
	if end := m.verdict(m.w, where); end != want {
		m.t.Errorf("%s: a person had it finished, and it is %s, want %s", where, end, want)
	}
}

// released has a person unlock what cannot be taken back, and ask for it again where
// it does not go by itself.
func (m *mess) released(where string) {
	m.t.Helper()
	line := fmt.Sprintf("/vpn resolve %d release 查過了", m.past+1)
	if err := m.w.slack.Command(m.t.Context(), "U0ANN", "C0VPNOPS", line); err != nil {
		m.t.Error(err)
	}
	time.Sleep(10 * time.Second)
	if m.c.fleeting > 0 {
		time.Sleep(m.c.fleeting)
		if end := m.verdict(m.w, where); end != "" {
			m.t.Errorf("%s: unlocked, and it is %q", where, end)
		}
		return
	}
	c := m.c
	c.line = cmp.Or(c.finish, c.line)
	m.act(where, c)
	m.meddled = true // the second plan is not about what the first has written
	if end := m.verdict(m.w, where); !made(end) {
		m.t.Errorf("%s: asked for once more, and it is %q", where, end)
	}
}

// act has people act once more.
func (m *mess) act(where string, c story) {
	m.t.Helper()
	m.p = newStoryPeople(m.w.demo, c, patience)
	m.p.trusting = true
	ctx, cancel := context.WithTimeout(m.t.Context(), overdue)
	defer cancel()
	if err := m.p.play(ctx); err != nil {
		m.t.Errorf("%s: people could do nothing: %v", where, err)
	}
	time.Sleep(time.Minute)
	m.settle()
}

// why is what the request says of itself.
func (m *mess) why() change.Text { return m.stuck().Outcome }

func (m *mess) decided() change.Decision { return m.stuck().Decided }

// stuck is the request that needs attention.
func (m *mess) stuck() change.Request {
	m.t.Helper()
	requests := m.needing()
	if len(requests) != 1 {
		m.t.Fatalf("%d requests need a person", len(requests))
	}
	return requests[0]
}

// Ensure a change ends as every other does, on its new rows or on its old ones, a
// tunnel at both ends, told once and with nothing left behind, whatever goes wrong
// at any of its writes on either router or on both; and that it does so within
// overdue of the moment at which everything works again.
func TestFaults(t *testing.T) {
	catalog, err := text.New()
	if err != nil {
		t.Fatal(err)
	}
	var counts toll
	began, cells := time.Now(), 0
	var mu sync.Mutex // guards slowest and cells
	slowest := map[string]slow{}
	t.Run("of", func(t *testing.T) {
		for i, c := range stories() {
			if c.flagged || !killFull() && c.far() || raceDetector && !slices.Contains([]string{"redo", "tunnel remove", "deluser", "dialin setup"}, c.name) {
				continue // the race detector makes everything slow, and there is nothing to race for in the others
			}
			calm := muddle(t, catalog, c, mishap{name: "nothing"}, 0, c.routers...)
			for k, x := range mishaps() {
				if c.fleeting > 0 && x.lasts >= c.fleeting {
					continue
				}
				for _, on := range sets(c.routers) {
					for nth := 1; nth <= calm.writes(x, on[0]); nth++ {
						if x.single && len(on) > 1 || killFull() && !due(c, k, nth, on) || !killFull() && !drawn(i, k, nth, on) {
							continue
						}
						t.Run(fmt.Sprintf("%s/%s/%d %s", c.name, x.name, nth, strings.Join(on, " and ")), func(t *testing.T) {
							t.Parallel()
							got := muddle(t, catalog, c, x, nth, on...)
							mu.Lock()
							defer mu.Unlock()
							if cells++; got.struck {
								counts.add(c.name, "struck: "+x.name, string(got.end))
								if got.took >= slowest[x.name].took {
									slowest[x.name] = slow{got.took, c.name}
								}
							}
						})
					}
				}
			}
		}
	})
	t.Logf("%d mishaps, %.1f s", cells, time.Since(began).Seconds())
	counts.log(t)
	var worst slow
	for _, name := range slices.Sorted(maps.Keys(slowest)) {
		took := slowest[name].took.Round(time.Second)
		t.Logf("%v after the mishap at most: %s (%s)", took, name, slowest[name].verb)
		if took >= worst.took {
			worst = slow{took, slowest[name].verb + ", " + name}
		}
	}
	t.Logf("%v after the mishap at most, of all: %s; the bound is %v", worst.took, worst.verb, overdue)
}

// slow is how long a verb took.
type slow struct {
	took time.Duration
	verb string
}

// sets are each router by itself, and both.
func sets(routers []string) [][]string {
	var all [][]string
	for _, router := range routers {
		all = append(all, []string{router})
	}
	if len(routers) > 1 {
		all = append(all, routers)
	}
	return all
}

// due chooses what "make kill" plays: everything in a redo and in changes of one
// router, and in the others each mishap at each write on one router, on the other or
// on both in turn.
func due(c story, mishap, nth int, on []string) bool {
	if c.name == "redo" || len(c.routers) == 1 {
		return true
	}
	sets := sets(c.routers)
	return slices.Equal(sets[(mishap+nth)%len(sets)], on)
}

// drawn chooses the mishaps that every run of the tests plays.
func drawn(story, mishap, nth int, on []string) bool {
	every := 89
	if raceDetector {
		every = 307
	}
	return (31*story+17*mishap+7*nth+5*len(on)+len(on[0]))%every == 0
}

// Ensure what once went wrong does not again: a router that refuses for some
// minutes, with rows or a guard of the change on it, was left to a person at once; and a new
// key whose answer was lost, and that was refused the second time, counted as not
// written; a person was told of rows that never showed where the router had refused
// each; and an adoption that came to need a person could not be decided, because the
// change that it was about needed one too; a router that did not answer after its
// commit script counted as committed; and in band the end on this side went back alone
// while the tunnel still led to one that did not answer;
// and a rollback that had stopped half-way could not be asked for again.
func TestFaults_Once(t *testing.T) {
	for _, c := range []struct {
		story, mishap string
		nth           int
		on            []string
		want          []change.State
		why           string
	}{
		{"rotate psk", "refused from here on", 3, []string{"gw-hq", "gw-fengshan"}, []change.State{change.Reverted}, ""},
		{"dialin setup", "refused from here on", 5, []string{"gw-taichung"}, []change.State{change.Unproven, change.Reverted}, ""},
		{"dialin setup", "trap before", 4, []string{"gw-taichung"}, []change.State{change.Unproven, change.Reverted}, ""},
		{"tunnel remove", "refused from here on", 2, []string{"gw-fengshan"}, []change.State{change.Reverted}, ""},
		{"tunnel remove", "refused from here on", 3, []string{"gw-hq", "gw-fengshan"}, []change.State{change.Reverted}, ""},
		{"deluser", "refused from here on", 2, []string{"gw-hq"}, []change.State{change.Applied}, ""},
		{"rotate l2tp --handover", "right revoked", 1, []string{"gw-fengshan"}, []change.State{change.NeedsAttention}, ""},
		{"redo", "right revoked", 7, []string{"gw-fengshan"}, []change.State{change.NeedsAttention}, "apply.giveup.refused"},
		{"redo in band", "reboot after", 8, []string{"gw-fengshan"}, []change.State{change.Committed}, ""},
		{"rotate psk in band", "out of the bot's reach", 7, []string{"gw-fengshan"}, []change.State{change.Reverted}, ""},
		{"rollback of dialin setup", "right revoked", 2, []string{"gw-taichung"}, []change.State{change.NeedsAttention}, ""},
		{"resolve adopt", "right revoked", 1, []string{"gw-fengshan"}, []change.State{change.NeedsAttention}, ""},
	} {
		t.Run(c.story+"/"+c.mishap, func(t *testing.T) {
			t.Parallel()
			x := mishapNamed(c.mishap)
			s := stories()[slices.IndexFunc(stories(), func(s story) bool { return s.name == c.story })]
			if got := muddle(t, nil, s, x, c.nth, c.on...); !got.struck || !slices.Contains(c.want, got.end) {
				t.Errorf("struck %t, ended %q, want one of %q", got.struck, got.end, c.want)
			} else if c.why != "" && got.why != c.why {
				t.Errorf("a person is asked for because of %q, want %q", got.why, c.why)
			}
		})
	}
}
