package apply

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// maxWrites bounds how often one step is written before a person is asked.
const maxWrites = 5

// recover continues what an earlier process began.
func (j *job) recover(ctx context.Context) error {
	journal, err := j.e.o.Ledger.Journal(ctx, j.r.ID)
	if err != nil {
		return fmt.Errorf("reading journal: %w", err)
	}
	m, err := j.r.Recover(time.Now(), len(journal))
	if err := j.commit(ctx, m, err); err != nil {
		return err
	}
	return j.carry(ctx, journal)
}

// steps brings every step to its planned row and completes the request. A step
// that the journal calls done is not looked at again; one that it calls begun is
// looked at first.
func (j *job) steps(ctx context.Context, journal []change.Entry) error {
	last := map[int]change.EntryMark{}
	for _, entry := range journal {
		last[entry.Step] = entry.Mark
	}
	for _, step := range j.r.Plan.Steps {
		mark := last[step.ID]
		if mark == change.StepDone {
			continue
		}
		if err := j.settle(ctx, step, mark != ""); err != nil || j.r.State != change.Applying {
			return err
		}
	}
	return j.complete(ctx)
}

// settle writes one step until the router is seen to hold it. written tells that
// the step may have been written before. It returns with the request out of
// "applying" when a person must decide or nothing was done.
func (j *job) settle(ctx context.Context, step change.Step, written bool) error {
	var refusal error
	for try := 0; ; try++ {
		if written {
			b, err := j.look(ctx, step)
			if err != nil {
				return err
			}
			if done, err := j.judge(ctx, step, b, refusal); done || err != nil {
				return err
			}
		}
		if try == maxWrites {
			m, err := j.r.Attend(time.Now(), change.T("apply.giveup", "router", step.Router, "tries", maxWrites))
			return j.commit(ctx, m, err)
		}
		var err error
		if refusal, err = j.write(ctx, step); err != nil {
			return err
		}
		written = true
	}
}

// write journals and sends step once. It returns the router's refusal, which is
// no failure of the job: what the router holds is read next, in any case.
func (j *job) write(ctx context.Context, step change.Step) (refusal, err error) {
	refusal, _, err = j.send(ctx, step)
	return refusal, err
}

// send is write, and tells whether the answer was lost.
func (j *job) send(ctx context.Context, step change.Step) (refusal error, lost bool, err error) {
	m, err := j.r.Begin(time.Now(), step)
	if err := j.commit(ctx, m, err); err != nil {
		return nil, false, err
	}
	err = j.e.o.Routers.Execute(ctx, step.Router, j.r.Number, step)
	switch {
	case err == nil:
		return nil, false, nil
	case errors.Is(err, ErrUnknown):
		j.e.o.Log.Warn("answer lost", "request", j.r.Number, "router", step.Router, "step", step.ID, "err", err)
		m, merr := j.r.Lost(time.Now(), step, "answer lost")
		return nil, true, j.commit(ctx, m, merr)
	case ctx.Err() != nil:
		return nil, false, ctx.Err()
	}
	j.e.o.Log.Warn("write refused", "request", j.r.Number, "router", step.Router, "step", step.ID, "err", err)
	return err, false, nil
}

// judge acts on what was seen. It tells whether the step is settled or the
// request has left "applying"; otherwise the write is repeated.
func (j *job) judge(ctx context.Context, step change.Step, b belief, refusal error) (bool, error) {
	switch {
	case b == ours:
		m, err := j.r.Finish(time.Now(), step)
		return true, j.commit(ctx, m, err)
	case refusal != nil && (b == absent || b == foreign) && step.ID == j.r.Plan.Steps[0].ID:
		m, err := j.r.Fail(time.Now(), change.T("apply.refused", "router", step.Router, "why", j.e.o.Explain(refusal)))
		return true, j.commit(ctx, m, err)
	case b == absent && refusal == nil:
		return false, nil
	}
	m, err := j.r.Attend(time.Now(), change.T("apply.attend."+string(b), "router", step.Router, "row", rowName(step)))
	return true, j.commit(ctx, m, err)
}

// complete ends the request: the account is recorded and its credentials are
// granted in the same transaction.
func (j *job) complete(ctx context.Context) error {
	now := time.Now()
	a := j.r.Plan.Intent.Account
	if a == nil {
		m, err := j.r.Complete(now, false, nil, nil)
		if err == nil {
			err = j.define(ctx, now, &m)
		}
		return j.commit(ctx, m, err)
	}
	account := &change.Account{
		Site: j.r.Plan.Intent.Site, Router: j.r.Plan.Steps[0].Router, Name: a.Name,
		Owner: a.Owner, Reader: a.Reader(), Address: a.Address, Note: a.Note,
		Request: j.r.ID, Number: j.r.Number, Created: now,
	}
	m, err := j.r.Complete(now, true, account, change.NewReveal(now, j.r, j.e.o.Location))
	return j.commit(ctx, m, err)
}

// belief is what was seen of a step's row.
type belief string

const (
	absent  belief = "absent"
	ours    belief = "ours"
	altered belief = "altered"
	foreign belief = "foreign"
)

// look reads the step's menu and says what stands there.
func (j *job) look(ctx context.Context, step change.Step) (belief, error) {
	snap, err := j.read(ctx, step.Router, step.Menu)
	if err != nil {
		return "", err
	}
	return believe(step, j.r.Number, snap), nil
}

// believe compares the rows of a snapshot with an added row.
func believe(step change.Step, number int64, snap change.Snapshot) belief {
	menu, _ := schema.Lookup(step.Menu)
	seen := absent
	for _, row := range snap.Menus[step.Menu] {
		if !step.Finds(row) {
			continue
		}
		if menu.Comment && !change.HasMark(row["comment"], number, step.ID) {
			seen = foreign
			continue
		}
		switch {
		case holds(menu, step, row):
			return ours
		case !menu.Comment:
			return foreign // where rows have no mark, their values make them ours
		}
		return altered
	}
	return seen
}

// holds tells whether an added row is what the plan says and nothing besides:
// what the plan does not name must be as RouterOS leaves it, so that no
// caller-id stands there that nobody approved.
func holds(menu schema.Menu, step change.Step, row schema.Row) bool {
	for name, want := range step.After {
		if !same(step.Menu, name, row, want) {
			return false
		}
	}
	for name := range menu.Stable(row) {
		a, known := menu.Attr(name)
		if _, planned := step.After[name]; planned || !known || a.ReadOnly || name == "comment" {
			continue
		}
		if !same(step.Menu, name, row, "") {
			return false
		}
	}
	return true
}

// rowName names the row of a step for people: what it joins, or its natural key.
func rowName(step change.Step) string {
	if src, dst := step.Match["src-address"], step.Match["dst-address"]; src != "" && dst != "" {
		return src + " → " + dst
	}
	menu, _ := schema.Lookup(step.Menu)
	return strings.Trim(menu.KeyOf(step.Match), "/")
}
