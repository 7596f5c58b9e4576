package apply_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/apply"
	"vpnbot/change"
	"vpnbot/ros/schema"
)

// porch is a router with accounts and sessions, on which clients log in at moments
// that no real one can be made to choose.
type porch struct {
	mu     sync.Mutex // guards what follows
	tables map[string][]schema.Row
	writes []string
	// after is what happens once a write was carried out, refuse what a write is
	// answered instead.
	after  func(p *porch, step change.Step)
	refuse func(step change.Step) error
}

func (p *porch) Snapshot(_ context.Context, router string, menus ...string) (change.Snapshot, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	snap := change.Snapshot{Router: router, At: time.Now(), Menus: map[string][]schema.Row{}}
	for _, menu := range menus {
		snap.Menus[menu] = slices.Clone(p.tables[menu])
	}
	return snap, nil
}

func (p *porch) Execute(_ context.Context, _ string, _ int64, step change.Step) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writes = append(p.writes, string(step.Action)+" "+step.Menu)
	if p.refuse != nil {
		if err := p.refuse(step); err != nil {
			return err
		}
	}
	p.tables[step.Menu] = slices.DeleteFunc(slices.Clone(p.tables[step.Menu]), func(r schema.Row) bool { return step.Finds(r) })
	if p.after != nil {
		p.after(p, step)
	}
	return nil
}

// online lets a session appear.
func (p *porch) online(id string) {
	p.tables["/ppp/active"] = append(p.tables["/ppp/active"], schema.Row{"name": "vpn-01", "service": "l2tp", "session-id": id})
}

// removal is the approved removal of vpn-01.
func removal() change.Plan {
	own := schema.Row{"name": "vpn-01", "service": "l2tp"}
	return change.Plan{
		Intent:  change.Intent{Verb: "deluser", Site: "hq", Account: &change.AccountIntent{Name: "vpn-01", Do: change.AccountRemove}},
		Routers: []string{"gw-hq"}, Seen: []change.Observation{}, State: change.StateDigest(nil),
		Steps: []change.Step{
			{ID: 1, Router: "gw-hq", Menu: "/ppp/secret", Action: schema.Remove, Class: change.OneWay, Match: own, Before: own},
			{ID: 2, Router: "gw-hq", Menu: "/ppp/active", Action: schema.Remove, Class: change.OneWay, Match: own},
		},
	}
}

// removed applies the removal on p and returns how it ended.
func removed(t *testing.T, p *porch) change.Request {
	t.Helper()
	w := &world{tester: t, ledger: newLedger()}
	e, err := apply.New(apply.Options{
		Ledger: w.ledger, Routers: p, People: directory{}, Location: time.UTC, Log: slog.New(slog.DiscardHandler),
		Explain: func(err error) change.Text { return change.T("why", "text", err.Error()) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = e.Run(ctx) })
	r := w.wait(w.approve(removal()), 10*time.Minute)
	cancel()
	running.Wait()
	return r
}

// Ensure the session of somebody who was just logging in is not left behind, and
// that a person is asked when a session does not end.
func TestEngine_Account_Sessions(t *testing.T) {
	session := func(step change.Step) bool { return step.Menu == "/ppp/active" }
	tests := []struct {
		name  string
		porch *porch
		live  int // sessions to begin with
		want  change.State
		write int
	}{
		{"nobody connected", &porch{}, 0, change.Applied, 1},
		{"somebody connected", &porch{}, 1, change.Applied, 2},
		{"two sessions", &porch{}, 2, change.Applied, 2},
		{"logging in when the secret went", &porch{after: func(p *porch, step change.Step) {
			if !session(step) {
				time.AfterFunc(2*time.Second, func() {
					p.mu.Lock()
					defer p.mu.Unlock()
					p.online("0x9")
				})
			}
		}}, 1, change.Applied, 3},
		{"a session that stays", &porch{after: func(p *porch, step change.Step) {
			if session(step) {
				p.online("0x9")
			}
		}}, 1, change.NeedsAttention, 6},
		{"an interface that stays", &porch{tables: map[string][]schema.Row{"/interface/l2tp-server": {{"user": "vpn-01", "running": "true"}}}}, 0, change.NeedsAttention, 6},
		{"no right to end sessions", &porch{refuse: func(step change.Step) error {
			if session(step) {
				return fmt.Errorf("%w: not enough permissions (9)", apply.ErrNoRight)
			}
			return nil
		}}, 1, change.NeedsAttention, 2},
		{"no right at all", &porch{refuse: func(change.Step) error { return errors.New("not enough permissions (9)") }}, 1, change.Reverted, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := tt.porch
				if p.tables == nil {
					p.tables = map[string][]schema.Row{}
				}
				p.tables["/ppp/secret"] = []schema.Row{{"name": "vpn-01", "service": "l2tp"}, {"name": "vpn-02", "service": "l2tp"}}
				for i := range tt.live {
					p.online(fmt.Sprintf("0x%d", i))
				}
				p.tables["/ppp/active"] = append(p.tables["/ppp/active"], schema.Row{"name": "vpn-02", "service": "l2tp", "session-id": "0x7"})
				r := removed(t, p)
				if r.State != tt.want || len(p.writes) != tt.write {
					t.Errorf("%s (%v) after %v, want %s after %d writes", r.State, r.Outcome, p.writes, tt.want, tt.write)
				}
				others := func(row schema.Row) bool { return row["name"] == "vpn-02" }
				if !slices.ContainsFunc(p.tables["/ppp/secret"], others) || !slices.ContainsFunc(p.tables["/ppp/active"], others) {
					t.Error("somebody else's rows are gone")
				}
				if left := len(p.tables["/ppp/active"]) - 1; tt.want == change.Applied && left > 0 {
					t.Errorf("%d sessions are left behind", left)
				}
				if len(p.writes) > 0 && p.writes[0] != "remove /ppp/secret" {
					t.Errorf("the first write is %s", p.writes[0])
				}
			})
		})
	}
}
