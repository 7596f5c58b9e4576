package ros

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/ros/schema"
)

// Vault opens sealed secrets.
type Vault interface {
	Open(ctx context.Context, ref secret.Ref) (secret.Secret, error)
}

// Execute sends one step of request. The step's row is found by what it is
// (Match); an add whose row exists already is refused. A remove in a live menu
// takes every row that Match names. Failures are *StepError:
// with ErrUnknownOutcome inside, the write may have happened; with any other
// error inside, it has not.
func (f *Fleet) Execute(ctx context.Context, router string, request int64, step change.Step, vault Vault) error {
	fail := func(err error) error {
		return &StepError{Router: router, Step: step.ID, Menu: step.Menu, Action: step.Action, Err: err}
	}
	if err := admit(router, step); err != nil {
		return fail(err)
	}
	r, ctx, leave, err := f.enter(ctx, router)
	if err != nil {
		return fail(err)
	}
	defer leave()
	err = r.write.use(ctx, func(s *session) error {
		return r.write.execute(ctx, s, request, step, vault)
	})
	if err != nil {
		return fail(err)
	}
	return nil
}

// admit is the gate of every write: the allow-list first, then what the schema
// says about secrets.
func admit(router string, step change.Step) error {
	if err := schema.Allowed(step.Menu, step.Action, written(step)); err != nil {
		return err
	}
	menu, ok := schema.Lookup(step.Menu)
	if !ok {
		return fmt.Errorf("%w: menu %s is not in the schema", ErrStep, step.Menu)
	}
	if step.Router != router {
		return fmt.Errorf("%w: it is for router %q", ErrStep, step.Router)
	}
	secrets := menu.Secrets()
	for name := range step.After {
		if slices.Contains(secrets, name) {
			return fmt.Errorf("%w: secret attribute %s in clear", ErrStep, name)
		}
	}
	for name := range step.Secrets {
		if !slices.Contains(secrets, name) {
			return fmt.Errorf("%w: attribute %s is no secret", ErrStep, name)
		}
	}
	if step.Place != "" && (!menu.Ordered || step.Action != schema.Add || step.Place != change.TopPlace) {
		return fmt.Errorf("%w: place %q in %s", ErrStep, step.Place, step.Menu)
	}
	if len(step.Match) == 0 && !menu.Singleton {
		return fmt.Errorf("%w: nothing to find the row by", ErrStep)
	}
	if menu.Live && step.Match["name"] == "" {
		return fmt.Errorf("%w: rows of everybody", ErrStep)
	}
	return nil
}

// written returns the names of the attributes that the step writes or clears,
// the comment among them when it carries the generation mark.
func written(step change.Step) []string {
	names := slices.AppendSeq(step.After.Names(), maps.Keys(step.Secrets))
	if menu, _ := schema.Lookup(step.Menu); marks(menu, step) {
		names = append(names, "comment")
	}
	return append(names, cleared(step)...)
}

// marks tells whether the step leaves its generation mark in a comment.
func marks(menu schema.Menu, step change.Step) bool {
	return menu.Comment && (step.Action == schema.Add || step.Action == schema.Change)
}

// cleared returns the attributes that a set takes away: those of Before that
// After lacks. A comment is never cleared, since the mark stands there.
func cleared(step change.Step) []string {
	var names []string
	if step.Action == schema.Change {
		for _, name := range step.Before.Names() {
			if _, kept := step.After[name]; !kept && name != "comment" {
				names = append(names, name)
			}
		}
	}
	return names
}

// execute finds the row and writes. The read before the write also proves that
// a session which lay idle is alive.
func (p *pool) execute(ctx context.Context, s *session, request int64, step change.Step, vault Vault) error {
	if menu, _ := schema.Lookup(step.Menu); menu.Live {
		return p.finish(ctx, s, step)
	}
	row, err := p.find(ctx, s, step)
	if err != nil {
		return err
	}
	c, err := render(ctx, request, step, row, vault)
	if err != nil {
		return err
	}
	if step.Place == change.TopPlace {
		id, err := p.top(ctx, s, step.Menu)
		if err != nil {
			return err
		}
		if id != "" {
			c.words = append(c.words, word("place-before", id))
		}
	}
	return p.send(ctx, s, c)
}

// send sends a write once. Without its answer it ends in ErrUnknownOutcome.
func (p *pool) send(ctx context.Context, s *session, c command) error {
	a, err := p.run(ctx, s, c)
	if err == nil {
		return nil
	}
	trap, trapped := errors.AsType[*TrapError](err)
	answered := trapped && trap.Kind != KindInterrupted
	if answered || !a.sent {
		return err // refused, or cut off before its end: not executed
	}
	return fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
}

// top returns the id of the first row that somebody placed: dynamic rows lead by
// themselves and cannot be overtaken. Without such a row it is empty.
func (p *pool) top(ctx context.Context, s *session, path string) (string, error) {
	menu, _ := schema.Lookup(path)
	names := []string{schema.ID}
	for _, name := range []string{"dynamic", "default"} {
		if _, known := menu.Attr(name); known {
			names = append(names, name)
		}
	}
	rows, err := p.print(ctx, s, path, names)
	if err != nil {
		return "", err
	}
	for _, row := range rows {
		if !isTrue(row["dynamic"]) && !isTrue(row["default"]) {
			return row[schema.ID], nil
		}
	}
	return "", nil
}

// finish removes the live rows that the step names, by the ids that they have now.
// What went by itself meanwhile is as good as removed; what is left is seen when
// the router is read back.
func (p *pool) finish(ctx context.Context, s *session, step change.Step) error {
	rows, err := p.named(ctx, s, step)
	if err != nil {
		return err
	}
	var ids []string
	for _, row := range rows {
		if row[schema.ID] == "" {
			return fmt.Errorf("%w: row without id", ErrProtocol)
		}
		ids = append(ids, row[schema.ID])
	}
	if len(ids) == 0 {
		return nil
	}
	err = p.send(ctx, s, command{words: []string{step.Menu + "/remove", word(schema.ID, strings.Join(ids, ","))}})
	if trap, ok := errors.AsType[*TrapError](err); ok && trap.Kind == KindNoItem {
		return nil
	}
	return err
}

// named returns the rows that the step's Match names, with what it needs of them.
func (p *pool) named(ctx context.Context, s *session, step change.Step) ([]schema.Row, error) {
	menu, _ := schema.Lookup(step.Menu)
	names := step.Match.Names()
	if !menu.Singleton {
		names = append(names, schema.ID)
	}
	if menu.Comment && !slices.Contains(names, "comment") {
		names = append(names, "comment")
	}
	if len(names) == 0 {
		names = nil
	}
	rows, err := p.print(ctx, s, step.Menu, names)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(rows, func(row schema.Row) bool { return !step.Finds(row) }), nil
}

// find returns the one row that the step is about: its id, if it is no
// settings menu, its comment and what it was found by. An add has none.
func (p *pool) find(ctx context.Context, s *session, step change.Step) (schema.Row, error) {
	menu, _ := schema.Lookup(step.Menu)
	rows, err := p.named(ctx, s, step)
	if err != nil {
		return nil, err
	}
	switch {
	case step.Action == schema.Add && len(rows) == 0:
		return nil, nil
	case step.Action == schema.Add:
		return nil, ErrRowExists
	case len(rows) == 0:
		return nil, ErrNoRow
	case len(rows) > 1:
		return nil, fmt.Errorf("%w: %d", ErrManyRows, len(rows))
	case !menu.Singleton && rows[0][schema.ID] == "":
		return nil, fmt.Errorf("%w: row without id", ErrProtocol)
	}
	return rows[0], nil
}
