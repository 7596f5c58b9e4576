//go:build !nodemo

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vpnbot/change"
	"vpnbot/chat/slacksim"
	"vpnbot/config"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
)

// childConfig names the configuration of a bot that TestKill_Process starts.
const childConfig = "VPNBOT_KILL_CHILD"

// TestKill_Child is no test but the process that TestKill_Process kills: the bot
// of "bot serve" with a watch that looks more often. It ends with its standard
// input.
func TestKill_Child(t *testing.T) {
	file := os.Getenv(childConfig)
	if file == "" {
		return
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	s, err := newSystem(ctx, cfg, options{log: log, socket: true, round: 200 * time.Millisecond, poll: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.run(ctx); err != nil {
		t.Error(err)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
}

// chase is a world whose bot is another process that is killed again and again.
type chase struct {
	*demo
	t     *testing.T
	dice  *rand.Rand
	all   []*people
	notes [][]byte
	next  func(n int) *people // the nth, from 0; nil: there are no more
	deep  int                 // a router's writes, of which one is chosen to kill at

	mu  sync.Mutex // guards what the hooks see
	log bytes.Buffer
	hit chan string   // cap 1: kill now, and why
	rip chan struct{} // closed when the process is gone
}

// child is one life of the bot.
type child struct {
	*exec.Cmd
	stdin io.Closer
}

func (h *chase) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.log.Write(p)
}

// settle makes the ledger, with the definitions of the dial-in servers.
func (h *chase) settle() {
	h.t.Helper()
	cfg, err := config.Load(h.configFile())
	if err != nil {
		h.t.Fatal(err)
	}
	s, err := newSystem(h.t.Context(), cfg, options{log: slog.New(slog.DiscardHandler)})
	if err != nil {
		h.t.Fatal(err)
	}
	if err := errors.Join(h.define(h.t.Context(), s), s.close()); err != nil {
		h.t.Fatal(err)
	}
}

// birth starts the bot.
func (h *chase) birth() child {
	h.t.Helper()
	self, err := os.Executable()
	if err != nil {
		h.t.Fatal(err)
	}
	c := exec.Command(self, "-test.run=^TestKill_Child$", "-test.count=1", "-test.timeout=10m")
	c.Env = append(os.Environ(), childConfig+"="+h.configFile())
	c.Stdout, c.Stderr = h, h
	stdin, err := c.StdinPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return child{c, stdin}
}

// stop ends the bot in good order.
func (h *chase) stop(c child) {
	h.t.Helper()
	if err := c.stdin.Close(); err != nil {
		h.t.Error(err)
	}
	if err := c.Wait(); err != nil {
		h.t.Errorf("the bot ended with %v", err)
	}
}

// strike asks for the kill and waits until the process is gone.
func (h *chase) strike(why string, wait bool) {
	h.mu.Lock()
	hit, rip := h.hit, h.rip
	h.mu.Unlock()
	select {
	case hit <- why:
	default: // somebody was faster
	}
	if wait {
		<-rip
	}
}

// aim sets one trap for the life that begins, and returns how to take it away.
func (h *chase) aim(ctx context.Context) {
	h.mu.Lock()
	h.hit, h.rip = make(chan string, 1), make(chan struct{})
	h.mu.Unlock()
	h.spare()
	switch h.dice.IntN(5) {
	case 0:
		h.snare(rossim.Before)
	case 1:
		h.snare(rossim.After)
	case 2: // while a call of the bot to Slack is on its way
		left := 1 + h.dice.IntN(25)
		h.slack.FailNext("*", slacksim.Fault{Kind: slacksim.FaultUnknown, Times: -1, When: func(map[string]any) bool {
			if left--; left == 0 {
				h.strike("call", false)
			}
			return false
		}})
	case 3: // after people have seen so much
		changes := 1 + h.dice.IntN(25)
		go h.see(ctx, changes)
	case 4: // at any time, the start included
		delay := time.Duration(h.dice.IntN(1500)) * time.Millisecond
		go func() {
			select {
			case <-time.After(delay):
				h.strike("time", false)
			case <-ctx.Done():
			}
		}()
	}
}

// spare takes all traps away.
func (h *chase) spare() {
	h.slack.ClearFaults()
	for _, o := range h.routers {
		o.router.SetFaults(rossim.Faults{})
	}
}

// snare kills the bot at one of its next writes to the routers, which scripts do
// some of.
func (h *chase) snare(at rossim.When) {
	var left atomic.Int64
	left.Store(int64(1 + h.dice.IntN(h.deep)))
	trap := func(kind string) func(int, rossim.When, string, schema.Action) {
		return func(_ int, when rossim.When, _ string, _ schema.Action) {
			if when == at && left.Add(-1) == 0 {
				h.strike(string(when)+kind, true)
			}
		}
	}
	for _, o := range h.routers {
		o.router.SetFaults(rossim.Faults{OnWrite: trap(" a write"), OnScriptWrite: trap(" a script's write")})
	}
}

// see kills the bot when Slack has changed so often.
func (h *chase) see(ctx context.Context, changes int) {
	for range changes {
		select {
		case <-h.slack.Changed():
		case <-ctx.Done():
			return
		}
	}
	h.strike("seen", false)
}

// linger is the longest life, for a trap into which the bot does not fall.
const linger = 4 * time.Second

// life is one life of the bot, which ends by kill -9. It returns what struck.
func (h *chase) life() string {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.t.Context())
	h.aim(ctx)
	c := h.birth()
	ended := make(chan error, 1)
	go func() { ended <- h.work(ctx) }()
	why := "age"
	wait, over := context.WithTimeout(ctx, time.Minute)
	connected := make(chan error, 1)
	go func() {
		connected <- h.slack.Wait(wait, func() bool { return h.slack.Connections() > 0 })
	}()
	select {
	case why = <-h.hit:
	case err := <-connected:
		if err != nil {
			h.t.Error("the bot did not connect within a minute")
			break
		}
		select {
		case why = <-h.hit:
		case <-time.After(linger):
		}
	}
	over()
	if err := c.Process.Kill(); err != nil {
		h.t.Error(err)
	}
	_ = c.Wait()
	close(h.rip)
	cancel()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		h.t.Error(err)
	}
	h.grave()
	return why
}

// maxAccounts is how many people dial in at most.
const maxAccounts = 12

// account has people make one account after the other.
func (h *chase) account(n int) *people {
	if n == maxAccounts {
		return nil
	}
	return newPeople(h.demo, fmt.Sprintf("kill-%02d", n+1), 3*time.Second)
}

// work has the people play one change after the other until ctx ends.
func (h *chase) work(ctx context.Context) error {
	for {
		last := len(h.all) - 1
		if last >= 0 {
			p := h.all[last].at(h.demo)
			h.all[last] = p
			if err := p.play(ctx); err != nil {
				return err
			}
		}
		p := h.next(len(h.all))
		if p == nil {
			<-ctx.Done()
			return ctx.Err()
		}
		p.trusting = len(h.all)%2 == 0
		h.all = append(h.all, p)
	}
}

// grave checks what a killed bot has left: a whole ledger whose trail holds, and
// no row without a request that is being applied.
func (h *chase) grave() {
	h.t.Helper()
	m := exhume(h.t, h.demo)
	defer func() { _ = m.ledger.Close() }()
	if c := m.checkpoint(); c.Size > 0 {
		h.notes = append(h.notes, c.Note)
		m.verify(nil)
	}
	applying := m.count(change.EventApplying, 0)
	if rows := len(m.routers[0].router.Rows("/ppp/secret")) - len(m.routers[0].Accounts); rows > applying {
		h.t.Errorf("%d new rows, %d requests that were applied", rows, applying)
	}
}

// calm lets the last bot finish everything, however often it has to be looked at.
func (h *chase) calm() {
	h.t.Helper()
	h.spare()
	for range 20 {
		c := h.birth()
		for i, p := range h.all {
			ctx, cancel := context.WithTimeout(h.t.Context(), 2*time.Minute)
			h.all[i] = p.at(h.demo)
			err := h.all[i].play(ctx)
			cancel()
			if err != nil {
				h.t.Fatal(err)
			}
		}
		h.quiet(2 * time.Second)
		h.stop(c)
		if h.idle() {
			return
		}
	}
}

// quiet waits until Slack has not changed for d.
func (h *chase) quiet(d time.Duration) {
	for {
		select {
		case <-h.slack.Changed():
		case <-time.After(d):
			return
		}
	}
}

// idle tells whether the bot had nothing left to do.
func (h *chase) idle() bool {
	h.t.Helper()
	m := exhume(h.t, h.demo)
	defer func() { _ = m.ledger.Close() }()
	inbox, err := m.ledger.Inbox(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	outbox, err := m.ledger.Outbox(h.t.Context(), 1)
	if err != nil {
		h.t.Fatal(err)
	}
	return len(inbox) == 0 && len(outbox) == 0
}

// newChase makes the world and its ledger.
func newChase(t *testing.T, seed uint64) *chase {
	t.Helper()
	d, err := newDemo(systemNetwork(), t.TempDir(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &chase{demo: d, t: t, dice: rand.New(rand.NewPCG(20, seed)), deep: 1}
	t.Cleanup(func() {
		if err := d.close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(h.log.String())
		}
	})
	h.settle()
	return h
}

// run kills the bot as often as that, and then lets it finish. It returns what
// struck how often.
func (h *chase) run(kills int) map[string]int {
	h.t.Helper()
	struck := map[string]int{}
	for range kills {
		struck[h.life()]++
	}
	h.calm()
	return struck
}

// Ensure a bot that is killed again and again, as a process with a disk and a
// network, keeps every promise.
func TestKill_Process(t *testing.T) {
	t.Parallel()
	began, kills := time.Now(), 3
	if killFull() {
		kills = 22
	}
	h := newChase(t, 9)
	h.next = h.account
	struck := h.run(kills)
	exhume(t, h.demo).check(h.all, h.notes)
	t.Logf("%d kills %v, %d accounts, %.1f s", kills, struck, len(h.all), time.Since(began).Seconds())
}

// Ensure a bot that is killed again and again while it makes one change after the
// other leaves the routers on new rows or on old rows, at both ends, and the tunnel
// up.
func TestKill_VerbProcess(t *testing.T) {
	t.Parallel()
	began, kills := time.Now(), 1
	if killFull() {
		kills = 22
	}
	h := newChase(t, 10)
	h.deep = 40
	all := slices.DeleteFunc(stories(), func(c story) bool { return !c.repeats })
	h.next = func(n int) *people {
		c := all[n%len(all)]
		if n/len(all)%2 == 1 && c.again != "" {
			c.line = c.again
		}
		return newStoryPeople(h.demo, c, 3*time.Second)
	}
	f := &fork{t: t, c: story{name: "one change after the other", about: tunnelName, tunnel: tunnelName, routers: []string{"gw-hq", "gw-fengshan"}}, before: map[string]holdings{}}
	for _, o := range h.routers {
		f.before[o.Router] = held(o.router)
	}
	f.plant(h.internet)
	struck := h.run(kills)
	f.notes = h.notes
	m := exhume(t, h.demo)
	f.want = expectation(t, h.demo, m.ledger, tunnelName)
	end := f.judge(h.demo, m, h.log.String(), func(format string, args ...any) { t.Errorf(format, args...) })
	t.Logf("%d kills %v, %d changes, the last one %s, %.1f s", kills, struck, len(h.all), end, time.Since(began).Seconds())
}
