//go:build !nodemo

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/change"
	"vpnbot/chat/slacksim"
	"vpnbot/ros/schema"
)

// raceWorld is how many runs share a world: a long trail makes every run dearer,
// and so does a new world.
const raceWorld = 20

// contest is two people who act on one request at the same moment, and who of
// them may win.
type contest struct {
	config   map[string]string // what is edited in the configuration
	one, two entrant
	outcomes [2]finish // when one, when two was first
}

// entrant leads a person up to the moment and returns what they do then.
type entrant func(r *race) (act func() error)

// finish is how a request must stand when everything has come to rest.
type finish struct {
	state change.State
	// won is the one event of this kind by this person, with this reason, that
	// tells who was first.
	won    change.EventKind
	by     change.PersonID
	reason string
	// refused is why the other one was refused; empty when both count.
	refused string
	writes  int
}

// Ensure that of two who act at once exactly one has their way, whoever is
// first: raceRuns times each, both orders seen.
func TestRace(t *testing.T) {
	const needsTwo = "approvals:\n  - {count: 2, reason: (one)?}\npeople:\n"
	applied := func(by change.PersonID) finish {
		return finish{state: change.Unproven, won: change.EventApproved, by: by, refused: "error.state", writes: 1}
	}
	once := func(reason string) finish {
		return finish{state: change.Pending, won: change.EventApproval, by: "ann", reason: reason, refused: "error.twice"}
	}
	counted := func(by change.PersonID) finish {
		return finish{state: change.Unproven, won: change.EventApproval, by: by, writes: 1}
	}
	ended := func(state change.State, kind change.EventKind, by change.PersonID) finish {
		return finish{state: state, won: kind, by: by, refused: "error.state"}
	}
	for name, c := range map[string]contest{
		"two approvers": {
			one: submits("U0ANN", "approve", ""), two: submits("U0BEN", "approve", ""),
			outcomes: [2]finish{applied("ann"), applied("ben")},
		},
		"two approvers, both needed": {
			config: map[string]string{"people:\n": needsTwo},
			one:    submits("U0ANN", "approve", "one"), two: submits("U0BEN", "approve", "one"),
			outcomes: [2]finish{counted("ann"), counted("ben")},
		},
		"one approver twice": {
			config: map[string]string{"people:\n": needsTwo},
			one:    submits("U0ANN", "approve", "one"), two: elsewhere("U0ANN", "approve", ""),
			outcomes: [2]finish{once("one"), once("")},
		},
		"one approver, two accounts": {
			config: map[string]string{"people:\n": needsTwo, "[U0OLIVE, U0OLIVE2]": "[U0OLIVE]", "[U0ANN]": "[U0ANN, U0OLIVE2]"},
			one:    submits("U0ANN", "approve", "one"), two: elsewhere("U0OLIVE2", "approve", ""),
			outcomes: [2]finish{once("one"), once("")},
		},
		"approve and deny": {
			one: submits("U0ANN", "approve", ""), two: submits("U0BEN", "deny", ""),
			outcomes: [2]finish{applied("ann"), ended(change.Denied, change.EventDenied, "ben")},
		},
		"approve and cancel": {
			one: submits("U0ANN", "approve", ""), two: types("U0OLIVE", "cancel"),
			outcomes: [2]finish{applied("ann"), ended(change.Cancelled, change.EventCancelled, "olive")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var orders, together [2]int
			for range raceRuns / raceWorld {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					w.edit(c.config)
					w.start(nil)
					for i := range raceWorld {
						first := w.race(c, i)
						orders[first]++
						if i%10 < 8 {
							together[first]++
						}
					}
				})
			}
			t.Logf("first: %v, of these at the same moment: %v", orders, together)
			if orders[0] == 0 || orders[1] == 0 || orders[0]+orders[1] != raceRuns {
				t.Errorf("orders: got %v, want both", orders)
			}
		})
	}
}

// edit changes the configuration before the bot starts.
func (w *world) edit(pairs map[string]string) {
	w.t.Helper()
	b, err := os.ReadFile(w.configFile())
	if err != nil {
		w.t.Fatal(err)
	}
	text := string(b)
	for was, is := range pairs {
		if strings.Count(text, was) != 1 {
			w.t.Fatalf("%q stands %d times in the configuration", was, strings.Count(text, was))
		}
		text = strings.Replace(text, was, is, 1)
	}
	if err := os.WriteFile(w.configFile(), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// race is one request over which two people race.
type race struct {
	*world
	account string
	request change.Request
}

// race plays c once and returns who was first. Most of the time both act in the
// same moment; for some runs the one is a moment earlier, for as many the other,
// so that seeing both orders is no matter of luck.
func (w *world) race(c contest, i int) int {
	w.t.Helper()
	r := &race{world: w, account: fmt.Sprintf("mei-%02d", i)}
	line := "/vpn adduser " + r.account + " --for @mei --site hq --yes"
	if err := w.slack.Command(w.t.Context(), "U0OLIVE", "C0VPNOPS", line); err != nil {
		w.t.Fatal(err)
	}
	w.offered(w.t, "U0ANN", "C0VPNOPS", "approve", r.account)
	r.read(int64(i + 1))
	writes := w.routers[0].router.Writes()
	acts := []func() error{c.one(r), c.two(r)}
	errs := make([]error, 2)
	var both sync.WaitGroup
	for n := range 2 {
		k := (n + i) % 2 // who is started first does not decide
		both.Go(func() {
			if i%10 == 8+k {
				time.Sleep(time.Nanosecond)
			}
			errs[k] = acts[k]()
		})
	}
	both.Wait()
	settle(3 * time.Second)
	if err := errors.Join(errs...); err != nil {
		w.t.Fatal(err)
	}
	r.read(r.request.Number)
	return r.judge(c, w.routers[0].router.Writes()-writes)
}

func (r *race) read(number int64) {
	r.t.Helper()
	var err error
	if r.request, err = r.sys.store.RequestByNumber(r.t.Context(), number); err != nil {
		r.t.Fatal(err)
	}
}

// judge checks that one of the two outcomes came about, and nothing besides.
func (r *race) judge(c contest, writes int) int {
	r.t.Helper()
	recorded, err := r.sys.store.Events(r.t.Context(), change.EventFilter{Request: r.request.Number})
	if err != nil {
		r.t.Fatal(err)
	}
	var refusals, told []string
	first, unrefused := -1, false
	for _, e := range recorded {
		told = append(told, fmt.Sprint(e.Event.Kind, " ", e.Event.Actor, " ", e.Event.Facts))
		if e.Event.Kind == change.EventRefused {
			refusals = append(refusals, e.Event.Facts["why"])
		}
		for k, o := range c.outcomes {
			if e.Event.Kind != o.won || e.Event.Actor != o.by || e.Event.Facts["reason"] != o.reason && o.refused != "" {
				continue
			}
			if e.Event.Kind == change.EventCancelled && e.Event.From == change.Approved {
				first = -1 // after the approval and before the work: the later word holds
				unrefused = true
			}
			if first >= 0 {
				r.t.Errorf("%s: both have won\n%s", r.account, strings.Join(told, "\n"))
			}
			first = k
		}
	}
	if first < 0 {
		r.t.Fatalf("%s: nobody has won\n%s", r.account, strings.Join(told, "\n"))
	}
	want := c.outcomes[first]
	var refused []string
	if want.refused != "" && !unrefused {
		refused = []string{want.refused}
	}
	held := slices.ContainsFunc(r.routers[0].router.Rows("/ppp/secret"), func(row schema.Row) bool { return row["name"] == r.account })
	if r.request.State != want.state || writes != want.writes || held != (want.writes == 1) || !slices.Equal(refusals, refused) {
		r.t.Errorf("%s is %q with %d writes, row %v, refusals %v; want %+v\n%s",
			r.account, r.request.State, writes, held, refusals, want, strings.Join(told, "\n"))
	}
	people := map[change.PersonID]bool{}
	for _, a := range r.request.Approvals {
		if people[a.Person] || a.Person == r.request.Requester {
			r.t.Errorf("%s: approvals %+v", r.account, r.request.Approvals)
		}
		people[a.Person] = true
	}
	return first
}

// submits sends the form of an action at the moment. Every fifth time it opens the
// window for it; otherwise the form comes as from a window on another device,
// which costs less.
func submits(user, action, reason string) entrant {
	return func(r *race) func() error {
		if r.request.Number%5 == 0 {
			return r.open(user, action, reason)
		}
		return elsewhere(user, action, reason)(r)
	}
}

func (r *race) open(user, action, reason string) func() error {
	r.click(r.t, user, "C0VPNOPS", action, r.account)
	var v slacksim.View
	r.until(r.t, "a form", func() bool {
		views := r.slack.Views(user)
		if len(views) > 0 {
			v = views[len(views)-1]
		}
		return v.CallbackID == action
	})
	values := slacksim.Values{}
	if reason != "" {
		values = slacksim.Enter(map[string]string{"reason": reason})
	}
	return func() error { return r.slack.Submit(r.t.Context(), user, v.ID, values) }
}

// elsewhere sends the form from another device.
func elsewhere(user, action, reason string) entrant {
	return func(r *race) func() error {
		meta, err := json.Marshal(map[string]string{"a": action, "v": r.request.ID + " " + r.request.Digest, "c": "C0VPNOPS"})
		if err != nil {
			r.t.Fatal(err)
		}
		inputs := map[string]string{"reason": reason}
		return func() error { return r.slack.ForgeSubmit(r.t.Context(), user, action, string(meta), inputs) }
	}
}

// types sends a command about the request at the moment.
func types(user, verb string) entrant {
	return func(r *race) func() error {
		line := fmt.Sprintf("/vpn %s %d", verb, r.request.Number)
		return func() error { return r.slack.Command(r.t.Context(), user, "C0VPNOPS", line) }
	}
}
