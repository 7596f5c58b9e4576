package commands

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// guarded is a whole star whose routers show the guard of a request as well, and of
// menus that nobody has filled that they are empty.
type guarded struct {
	whole
	guard string // "": none
}

func (g guarded) Snapshot(ctx context.Context, router string, menus ...string) (change.Snapshot, error) {
	snap, err := g.whole.Snapshot(ctx, router, menus...)
	if err != nil {
		return snap, err
	}
	rows := map[string][]schema.Row{}
	for _, menu := range menus {
		rows[menu] = []schema.Row{}
	}
	if g.guard != "" {
		rows["/system/scheduler"] = []schema.Row{{schema.ID: "*1", "name": g.guard, "interval": "2m"}}
	}
	maps.Copy(rows, snap.Menus)
	snap.Menus = rows
	return snap, nil
}

// stopped is a request for line that has stopped in the middle.
func (w *world) stopped(line string) change.Request {
	w.t.Helper()
	p := w.started(line)
	p.enter(change.PhaseProve)
	p.do(func(r change.Request, now time.Time) (change.Move, error) {
		return r.Attend(now, change.T("apply.tunnel.odd", "router", "gw-hq", "row", "hq-fengshan-1"))
	})
	r, err := w.store.Request(w.t.Context(), p.id)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// Ensure what routers hold is planned as a definition for whoever may change both
// ends, with the request that stopped, its guards and the reason in the plan.
func TestResolve_Adopt(t *testing.T) {
	n := newStar(3)
	w := openWhole(t, n)
	w.o.Routers = guarded{whole{n}, change.GuardName(1)}
	r := w.stopped("redo fengshan")
	for _, tt := range []struct{ user, line, why string }{
		{"U0VERA", "resolve 1 adopt why", "error.notallowed"},
		{"U0FRED", "resolve 1 adopt why", "error.notallowed"}, // one end is his
		{"U0OLGA", "resolve 1 adapt why", "parse.resolution"},
		{"U0OLGA", "resolve 1 adopt", "parse.missing"},
	} {
		if _, err := w.say(tt.user, tt.line); why(err) != tt.why {
			t.Errorf("%s %s: got %v, want %s", tt.user, tt.line, err, tt.why)
		}
	}
	got := w.drafted(w.must(w.say("U0OLGA", "處理 1 採納 這樣就好")))
	i := got.Plan.Intent
	if i.Verb != "resolve" || i.Resume != r.Number || i.Towards != change.DecidedAdopt || i.Tunnel != "hq-fengshan" || i.Reason != "這樣就好" {
		t.Errorf("got %+v", i)
	}
	if got.Subject() != r.Subject() || !got.Plan.Phased() || len(got.Plan.SecretRefs()) > 0 {
		t.Errorf("got %s with secrets %v", got.Subject(), got.Plan.SecretRefs())
	}
	for _, router := range got.Plan.Routers {
		if steps := got.Plan.In(change.PhaseDisarm, router); len(steps) != 1 || steps[0].Match["name"] != change.GuardName(1) {
			t.Errorf("%s: got %+v, want the guard gone first", router, steps)
		}
	}
}

// Ensure a tunnel that a stopped change would have defined can be adopted too: the
// ledger holds no definition of it yet.
func TestResolve_AdoptNew(t *testing.T) {
	n := newStar(3)
	w := openWhole(t, n)
	w.o.Routers = guarded{whole: whole{n}}
	r := w.stopped("tunnel add fengshan taichung")
	if r.Plan.Defines == nil {
		t.Fatal("the plan defines nothing")
	}
	_, err := w.say("U0OLGA", "resolve 1 adopt why")
	if got := why(err); !strings.HasPrefix(got, "plan.refuse.held_") {
		t.Errorf("got %v, want both routers looked at and nothing found", err)
	}
}

// Ensure people can decide to finish or undo while a router is away.
func TestResolve_Away(t *testing.T) {
	n := newStar(3)
	w := openWhole(t, n)
	w.stopped("redo fengshan")
	n.silent["gw-fengshan"] = errors.New("planted")
	for _, how := range []string{"keep", "restore"} {
		if _, err := w.say("U0OLGA", "resolve 1 "+how+" why"); err != nil {
			t.Errorf("%s: got %v, want a plan", how, err)
		}
	}
	if _, err := w.say("U0OLGA", "resolve 1 adopt why"); err == nil {
		t.Error("adopted what nobody can see")
	}
}
