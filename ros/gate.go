package ros

import (
	"fmt"
	"slices"
	"strings"

	"vpnbot/ros/schema"
)

// readVerbs are the commands that change nothing.
var readVerbs = []string{"print", "ping"}

// gate is the last look at a sentence before it leaves: whatever made it, one
// that writes must be on the allow-list word by word. Steps were admitted before;
// this is what makes the list the only way to write.
func (c command) gate() error {
	i := strings.LastIndexByte(c.words[0], '/')
	if i < 0 {
		return fmt.Errorf("%w: %q is no command", ErrStep, c.words[0])
	}
	menu, verb := c.words[0][:i], c.words[0][i+1:]
	var names []string
	for _, word := range c.words[1:] {
		if table, _ := schema.Lookup(menu); verb == "print" && table.Only != "" && word == table.Only {
			continue // which rows, of a menu that may hold very many
		}
		name, ok := strings.CutPrefix(word, "=")
		if !ok {
			return fmt.Errorf("%w: word without a name", ErrStep)
		}
		name, _, _ = strings.Cut(strings.TrimPrefix(name, "!"), "=")
		names = append(names, name)
	}
	switch {
	case slices.Contains(readVerbs, verb):
		return nil
	case c.words[0] == "/execute" && c.script:
		return nil
	case verb == string(schema.Move):
		return fmt.Errorf("%w: move in %s", schema.ErrNotAllowed, menu)
	}
	// What finds a row, or its place, is no value of it.
	names = slices.DeleteFunc(names, func(name string) bool { return name == schema.ID || name == "place-before" })
	return schema.Allowed(menu, schema.Action(verb), names)
}
