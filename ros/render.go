package ros

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// render makes the sentence of a step on row. It is the one place of this
// package that opens secrets; they leave it in the sentence, towards the router.
func render(ctx context.Context, request int64, step change.Step, row schema.Row, vault Vault) (command, error) {
	c := command{words: []string{step.Menu + "/" + string(step.Action)}}
	if id := row[schema.ID]; id != "" {
		c.words = append(c.words, word(schema.ID, id))
	}
	switch step.Action {
	case schema.Remove, schema.Enable, schema.Disable:
		return c, nil
	case schema.Add, schema.Change:
	default:
		return command{}, fmt.Errorf("%w: action %s has no sentence", ErrStep, step.Action)
	}
	for _, name := range cleared(step) {
		c.words = append(c.words, word("!"+name, ""))
	}
	if len(step.Secrets) > 0 && vault == nil {
		return command{}, fmt.Errorf("%w: no vault to open its secrets", ErrStep)
	}
	values := marked(request, step, row)
	for _, name := range values.Names() {
		c.words = append(c.words, word(name, values[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(step.Secrets)) {
		s, err := vault.Open(ctx, step.Secrets[name])
		if err != nil {
			return command{}, fmt.Errorf("opening secret %s: %w", name, err)
		}
		if s.Empty() {
			return command{}, fmt.Errorf("%w: secret %s is empty", ErrStep, name)
		}
		c.words = append(c.words, word(name, s.Expose()))
		c.hide = append(c.hide, s.Expose())
	}
	return c, nil
}

func word(name, value string) string { return "=" + name + "=" + value }

// marked returns the attributes to write. Where rows have comments, the step's
// generation mark goes to the end of the new comment, or of the one that row
// has when the step brings none. What takes a step back takes its mark away.
func marked(request int64, step change.Step, row schema.Row) schema.Row {
	values := make(schema.Row, len(step.After)+1)
	maps.Copy(values, step.After)
	if menu, _ := schema.Lookup(step.Menu); marks(menu, step) {
		comment, given := step.After["comment"]
		if !given {
			comment = row["comment"]
		}
		switch {
		case step.Phase != change.PhaseRevert:
			values["comment"] = change.Mark(comment, request, step.ID)
		case !given:
			values["comment"] = change.Unmarked(comment)
		}
	}
	return values
}
