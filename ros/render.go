package ros

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// render makes the sentence of a step. It is the one place of this package that
// opens secrets; they leave it in the sentence, towards the router.
func render(ctx context.Context, request int64, step change.Step, id string, vault Vault) (command, error) {
	menu, _ := schema.Lookup(step.Menu)
	c := command{words: []string{step.Menu + "/" + string(step.Action)}}
	if id != "" {
		c.words = append(c.words, "="+schema.ID+"="+id)
	}
	switch step.Action {
	case schema.Remove, schema.Enable, schema.Disable:
		return c, nil
	case schema.Add, schema.Change:
	default:
		return command{}, fmt.Errorf("%w: action %s has no sentence", ErrStep, step.Action)
	}
	for _, name := range cleared(step) {
		c.words = append(c.words, "=!"+name+"=")
	}
	for name, value := range marked(menu, request, step) {
		c.words = append(c.words, "="+name+"="+value)
	}
	for _, name := range slices.Sorted(maps.Keys(step.Secrets)) {
		s, err := vault.Open(ctx, step.Secrets[name])
		if err != nil {
			return command{}, fmt.Errorf("opening secret %s: %w", name, err)
		}
		if s.Empty() {
			return command{}, fmt.Errorf("%w: secret %s is empty", ErrStep, name)
		}
		c.words = append(c.words, "="+name+"="+s.Expose())
		c.hide = append(c.hide, s.Expose())
	}
	return c, nil
}

// marked yields the attributes in alphabetical order, the comment with the
// step's generation mark where the menu has comments.
func marked(menu schema.Menu, request int64, step change.Step) func(yield func(string, string) bool) {
	row := step.After.Clone()
	if row == nil {
		row = schema.Row{}
	}
	if menu.Comment {
		row["comment"] = change.Mark(row["comment"], request, step.ID)
	}
	return func(yield func(string, string) bool) {
		for _, name := range row.Names() {
			if !yield(name, row[name]) {
				return
			}
		}
	}
}
