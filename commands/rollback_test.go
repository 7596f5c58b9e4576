package commands

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/commands/text"
	"vpnbot/ros/schema"
)

// afterwards are routers on which plans were carried out.
type afterwards struct {
	whole
	done []change.Request
}

func (n *afterwards) Snapshot(ctx context.Context, router string, menus ...string) (change.Snapshot, error) {
	snap, err := n.whole.Snapshot(ctx, router, menus...)
	if err != nil {
		return snap, err
	}
	snap.Menus["/interface/list/member"] = []schema.Row{}
	for _, r := range n.done {
		for _, s := range r.Plan.Steps {
			if s.Router == router {
				snap.Menus[s.Menu] = carried(snap.Menus[s.Menu], s, r.Number)
			}
		}
	}
	return snap, nil
}

// carried are the rows of a menu after a step.
func carried(rows []schema.Row, s change.Step, number int64) []schema.Row {
	if s.Action == schema.Add {
		row := s.After.Clone()
		row[schema.ID] = "*new" + s.Menu[len(s.Menu)-3:]
		if menu, _ := schema.Lookup(s.Menu); menu.Comment {
			row["comment"] = change.Mark(row["comment"], number, s.ID)
		}
		return append(rows, row)
	}
	if s.Action == schema.Remove {
		return slices.DeleteFunc(slices.Clone(rows), s.Finds)
	}
	for _, row := range rows {
		switch {
		case !s.Finds(row):
		case s.Action == schema.Change:
			maps.Copy(row, s.After)
		default:
			row["disabled"] = map[schema.Action]string{schema.Enable: "false", schema.Disable: "true"}[s.Action]
		}
	}
	return rows
}

// committed has line asked for, approved, carried out and committed.
func (w *world) committed(n *afterwards, line string) change.Request {
	w.t.Helper()
	p := w.started(line)
	for _, phase := range []string{change.PhaseStage, change.PhaseProve} {
		p.enter(phase)
	}
	p.do(func(r change.Request, now time.Time) (change.Move, error) {
		return r.Decide(now, change.DecidedCommit, change.Text{}, map[string]string{"phase1": "fresh"})
	})
	p.do(func(r change.Request, now time.Time) (change.Move, error) { return r.Commit(now) })
	r, err := w.store.Request(w.t.Context(), p.id)
	if err != nil {
		w.t.Fatal(err)
	}
	n.done = append(n.done, r)
	return r
}

// Ensure a rollback reads well in both languages: its preview, and each reason for
// which there is none.
func TestGolden_Rollback(t *testing.T) {
	star := newStar(3)
	n := &afterwards{whole: whole{star}}
	key, err := secret.NewKey(make([]byte, secret.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	w := star.open(t, func(o *Options) { o.Routers, o.Key = n, key })
	var f film
	refused := func(line, want string) {
		t.Helper()
		_, err := w.say("U0OLGA", line)
		if why(err) != want {
			t.Errorf("%s: got %v, want %s", line, err, want)
		}
		sentence, hint, _ := text.Explain(err)
		f.add("/vpn "+line, Reply{Parts: []Part{Say(Warning, sentence), Say(Hint, hint)}})
	}
	w.must(w.say("U0OLGA", "redo fengshan --yes"))
	refused("rollback 1", "rollback.state")
	w.must(w.say("U0OLGA", "cancel 1"))
	w.committed(n, "redo fengshan")
	f.add("/vpn rollback 2", w.must(w.say("U0OLGA", "rollback 2")))
	w.committed(n, "rollback 2")
	refused("rollback 2", "rollback.done")
	f.add("/vpn rollback 3", w.must(w.say("U0OLGA", "rollback 3")))
	w.committed(n, "rotate psk fengshan")
	f.add("/vpn rollback 3, after a new key", w.must(w.say("U0OLGA", "rollback 3")))
	refused("rollback 4", "plan.refuse.undo_key")
	w.committed(n, "rekey fengshan")
	refused("rollback 5", "plan.refuse.undo_rekey")
	n.done = nil
	w.committed(n, "redo fengshan")
	refused("rollback 3", "rollback.later")
	n.done = nil
	refused("rollback 6", "plan.refuse.undo_gone")
	w.committed(n, "tunnel remove fengshan")
	refused("rollback 7", "rollback.there")
	p := w.started("redo fengshan")
	p.do(func(r change.Request, now time.Time) (change.Move, error) {
		return r.Attend(now, change.T("apply.tunnel.odd", "router", "gw-hq", "row", "10.0.0.0/24/10.1.0.0/24"))
	})
	refused("rollback 8", "rollback.attention")
	w.golden("rollback", f.names, f.replies...)
}
