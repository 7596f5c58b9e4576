//go:build !nodemo

package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"vpnbot/change"
)

// Ensure each promise is kept and each threat comes to nothing. A scenario is a
// play in testdata/scenario: the demo's world under virtual time, the bot in it,
// and people who type, press and read. At the end of every play the trail
// verifies, no secret stands where it must not, and no router was written more
// often than the trail tells.
//
// People are operator, phone (the operator's second Slack account), approver,
// approver2 (who reads English), staff (who gets an account), guest and outsider
// (of another organisation). Each of them can:
//
//	WHO /vpn …              type a command in #vpn-ops (outsider: in #other-co)
//	WHO in CHANNEL /vpn …   type it elsewhere
//	WHO answered TEXT…      gets exactly one answer that only they see, with each TEXT in it
//	WHO sees TEXT…          one message before their eyes holds each TEXT
//	WHO told N TEXT…        N direct messages hold each TEXT
//	WHO presses ACTION TEXT…  presses a button of the newest message that has it and each TEXT
//	WHO reads TEXT…         the window on top holds each TEXT
//	WHO submits [FIELD=VALUE…]  sends the window's form
//	WHO closes              closes all windows
//	WHO dials SITE          connects with the credentials in the window on top
//
// The world around them:
//
//	time 30m                            time passes; d counts days
//	request N is STATE                  comes to it within two minutes
//	router SITE has|lacks MENU K=V…     a row; several values must all hold
//	router SITE adds MENU K=V…          by hand, as in WinBox
//	router SITE sets|forces MENU ROW K=V…  likewise; ROW is a name, K=V,… (the last), or "-" for
//	                                    settings; forces: unchecked
//	router SITE removes MENU ROW
//	router SITE carries ACCOUNT IP      the account's client pings it
//	router SITE flushes                 all of its SAs
//	router SITE without MENU…           their package is disabled
//	router SITE wrote N                 write commands of the bot so far, exactly
//	router SITE is FAULT                away, back, hanging, slow, rebooted, replaced (its certificate)
//	router SITE next FAULT              at the next write: refused [TEXT], refused-at N (the Nth), lost-before, lost-after,
//	                                    hang-before, hang-after, reboot-before, reboot-after
//	router SITE meddles MENU NAME K=V…  somebody sets a row right after the next write
//	router SITE at SCRIPT before|after FAULT|removes MENU NAME
//	                                    around one that a tunnel's change hands it: arm, cut-over, commit
//	line SITE SITE EVENT                cut, mended, ike-lost, ike-back, calls-lost (what the first sends),
//	                                    calls-back, answers-lost (what the second sends), answers-back,
//	                                    quiet (nobody talks through the tunnel any more),
//	                                    talks THERE BACK (packets a second, instead of what was said)
//	routeros SWITCH                     what no source proves is otherwise: off-keeps, gone-keeps (the
//	                                    SAs of a peer that is disabled, removed)
//	slack fails METHOD CODE, slack loses METHOD   definite and unknown failure of the next call
//	slack is away|back
//	slack repeats                       delivers the last click, form or command again
//	slack forges WHO ACTION VALUE       a button that the bot never made
//	slack forges-form WHO ACTION VALUE  likewise a form; "{id 1}" and "{digest 1}" are request 1's
//	bot stops, bot starts, bot starts-unchecked (plans that are foreseen to fail come to be)
//	definition TUNNEL waits|calls       both its ends wait for the other, or call
//	definition TUNNEL joins SITE PREFIX…  these networks of a site, whose LAN they are
//	config OLD NEW                      edits vpnbot.yaml; \n is a new line
//	terminal ARGS…                      runs "bot ARGS"; out TEXT… looks at what it printed
//	trail has [COUNT] KIND [K=V…]       events; K is by, request, from, to, site or a fact
//	ledger lacks TEXT                   in the file, free pages too
//	ledger damaged                      changes a byte of an event there
//	ledger copied, ledger put-back      takes the file as it is, and brings it back later
//	checkpoint kept FILE                the last one, in the play's directory ($WORK)
//
// A ! before a line turns it round. What is waited for has two minutes of virtual
// time; what must not be gets ten seconds to show up. In a TEXT "…" is anything.
// Plays of many days leave the
// race detector out: "[race] skip".
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/scenario/*/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		dir, name := filepath.Split(strings.TrimSuffix(file, ".txtar"))
		t.Run(filepath.Base(dir)+"/"+name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { perform(t, file) })
		})
	}
}

// stage lets testscript play inside a bubble, where no subtest can run.
type stage struct{ *testing.T }

func (s stage) Run(_ string, f func(testscript.T)) { f(s) }
func (s stage) Parallel()                          {}
func (s stage) Verbose() bool                      { return testing.Verbose() }

// scene is one scenario under way.
type scene struct {
	*world
	ts       *testscript.TestScript
	before   map[string]map[string]bool // by person: what they saw when they last acted
	running  bool
	away     bool // Slack
	tampered bool
	// passwords are all that stood on a router so far, with their accounts.
	passwords map[string]string
	copied    []byte       // the ledger
	printed   bytes.Buffer // by the terminal
}

func perform(t *testing.T, file string) {
	p := &scene{world: newWorldOn(t, &cable{wrap: newBuffered}), before: map[string]map[string]bool{}, passwords: map[string]string{}}
	p.slack.Record(true)
	testscript.RunT(stage{t}, testscript.Params{
		Files: []string{file},
		Setup: func(env *testscript.Env) error {
			if err := p.approvals(env.WorkDir); err != nil {
				return err
			}
			p.start(nil)
			p.running = true
			settle(time.Second) // the bot has looked at every router
			return nil
		},
		Cmds:      p.verbs(),
		Condition: func(cond string) (bool, error) { return cond == "race" && raceDetector, nil },
	})
	if !t.Failed() {
		p.epilogue()
	}
}

// approvals adds the script's own approvals.yaml to the configuration.
func (p *scene) approvals(dir string) error {
	b, err := os.ReadFile(filepath.Join(dir, "approvals.yaml"))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	old, err := os.ReadFile(p.configFile())
	if err != nil {
		return err
	}
	return os.WriteFile(p.configFile(), append(old, b...), 0o600)
}

type verb = func(ts *testscript.TestScript, neg bool, args []string)

func (p *scene) verbs() map[string]verb {
	list := map[string]func(neg bool, args []string){
		"time": p.pass, "line": p.line, "request": p.request, "router": p.atRouter, "slack": p.atSlack, "bot": p.bot, "config": p.config,
		"terminal": p.terminal, "out": p.out, "trail": p.trailHas, "ledger": p.ledger, "checkpoint": p.checkpoint,
		"definition": p.definition, "routeros": p.routerOS,
	}
	for who, id := range cast() {
		list[who] = func(neg bool, args []string) { p.person(id, neg, args) }
	}
	verbs := map[string]verb{}
	for name, do := range list {
		verbs[name] = func(ts *testscript.TestScript, neg bool, args []string) {
			p.ts = ts
			do(neg, args)
			p.learn()
		}
	}
	return verbs
}

// cast names the people by what they are.
func cast() map[string]string {
	return map[string]string{
		"operator": "U0OLIVE", "phone": "U0OLIVE2", "approver": "U0ANN", "approver2": "U0BEN",
		"staff": "U0MEI", "guest": "U0GUS", "outsider": "U0EVE",
	}
}

// need fails the script unless there are at least n arguments.
func (p *scene) need(args []string, n int, usage string) {
	if len(args) < n {
		p.ts.Fatalf("usage: %s", usage)
	}
}

// expect waits until cond holds, or with neg makes sure that it does not.
func (p *scene) expect(neg bool, cond func() bool, otherwise func() string) {
	if neg {
		settle(10 * time.Second)
		if cond() {
			p.ts.Fatalf("it is so, but must not be\n%s", otherwise())
		}
		return
	}
	for range 240 {
		synctest.Wait()
		if cond() {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
	p.ts.Fatalf("never came to be\n%s", otherwise())
}

// settle lets d pass and everything come to rest.
func settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// pairs reads K=V….
func (p *scene) pairs(args []string) map[string]string {
	m := map[string]string{}
	for _, a := range args {
		k, v, ok := strings.Cut(a, "=")
		if !ok {
			p.ts.Fatalf("want K=V, got %q", a)
		}
		m[k] = v
	}
	return m
}

func (p *scene) pass(_ bool, args []string) {
	p.need(args, 1, "time DURATION")
	word, unit := args[0], time.Duration(1)
	if n, ok := strings.CutSuffix(word, "d"); ok {
		word, unit = n+"h", 24
	}
	d, err := time.ParseDuration(word)
	p.ts.Check(err)
	settle(d * unit)
}

func (p *scene) request(neg bool, args []string) {
	p.need(args, 3, "request N is STATE")
	var n int64
	if _, err := fmt.Sscan(args[0], &n); err != nil {
		p.ts.Fatalf("request: %v", err)
	}
	want := change.State(args[2])
	var r change.Request
	p.expect(neg, func() bool {
		var err error
		r, err = p.sys.store.RequestByNumber(p.t.Context(), n)
		return err == nil && r.State == want
	}, func() string { return fmt.Sprintf("request %d is %q, %+v", n, r.State, r.Outcome) })
}

// epilogue checks what every play must leave behind.
func (p *scene) epilogue() {
	p.t.Helper()
	settle(10 * time.Second)
	ran := p.running
	p.stopBot()
	if !p.tampered {
		var out, problems bytes.Buffer
		if code := run(p.t.Context(), []string{"audit", "verify", "--config", p.configFile()}, &out, &problems); code != done {
			p.t.Errorf("audit verify: exit %d, %s", code, problems.String())
		}
	}
	p.searchSecrets()
	if ran {
		p.countWrites()
	}
}

// countWrites compares what the routers were told with what the trail tells.
func (p *scene) countWrites() {
	begun := map[string]int{}
	for _, r := range p.events() {
		if r.Event.Kind == change.EventStepBegin {
			begun[r.Event.Router]++
		}
	}
	for _, o := range p.routers {
		if o.router.Writes() > begun[o.Router] {
			p.t.Errorf("%s was written %d times, the trail tells of %d", o.Router, o.router.Writes(), begun[o.Router])
		}
		delete(begun, o.Router)
	}
	if len(begun) > 0 {
		p.t.Errorf("steps on unknown routers: %v", maps.Collect(maps.All(begun)))
	}
}
