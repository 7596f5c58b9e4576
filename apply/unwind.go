package apply

import (
	"context"
	"slices"
	"time"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// unwindable tells whether everything that was written before step can be taken
// back. An account is not half of something: there a person decides.
func (j *job) unwindable(step change.Step) bool {
	if j.r.Plan.Intent.Account != nil || j.r.Decided != change.Undecided {
		return false
	}
	for _, s := range j.r.Plan.Steps {
		if s.ID == step.ID {
			return true
		}
		if _, ok := s.Undo(); !ok || s.Class == change.OneWay {
			return false
		}
	}
	return false
}

// unwind takes back what was written, the last first, and ends the request on the
// old rows.
func (j *job) unwind(ctx context.Context, why change.Text) error {
	m, err := j.r.Unwind(time.Now(), why)
	if err := j.commit(ctx, m, err); err != nil {
		return err
	}
	journal, err := j.e.o.Ledger.Journal(ctx, j.r.ID)
	if err != nil {
		return err
	}
	return j.rewind(ctx, journal)
}

// rewind is unwind from where an earlier process stopped.
func (j *job) rewind(ctx context.Context, journal []change.Entry) error {
	forth, back := map[int]change.EntryMark{}, map[int]change.EntryMark{}
	marks := forth
	for _, entry := range journal {
		if entry.Mark == change.StepDecided {
			marks = back
			continue
		}
		marks[entry.Step] = entry.Mark
	}
	for _, step := range slices.Backward(j.r.Plan.Steps) {
		if forth[step.ID] == "" || back[step.ID] == change.StepDone {
			continue
		}
		if err := j.undo(ctx, step, back[step.ID] != ""); err != nil || j.r.State != change.Applying {
			return err
		}
	}
	m, err := j.r.Fail(time.Now(), j.r.Cause)
	return j.commit(ctx, m, err)
}

// undo takes one step back. begun tells that it may have been taken back already.
func (j *job) undo(ctx context.Context, step change.Step, begun bool) error {
	if !begun || step.Action == schema.Add {
		switch b, err := j.look(ctx, step, false); {
		case err != nil:
			return err
		case b == absent || b == unwritten:
			return nil
		case b != ours:
			return j.ask(ctx, j.trouble(step, b, nil))
		}
	}
	u, ok := step.Undo()
	if !ok {
		return j.ask(ctx, j.trouble(step, altered, nil))
	}
	if menu, _ := schema.Lookup(step.Menu); step.Action == schema.Add && menu.Comment {
		// The row stands there with the mark. By its own words alone it might be
		// another's, or not be found.
		mark := change.Mark(step.After["comment"], j.r.Number, step.ID)
		u.Match, u.Before = u.Match.Clone(), u.Before.Clone()
		u.Match["comment"], u.Before["comment"] = mark, mark
	}
	return j.settle(ctx, u, begun)
}
