package ros

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"vpnbot/ros/schema"
)

// secretParts are in the names of what may be a secret, whether or not the schema
// knows the menu. A router's history keeps commands, and they may hold one.
var secretParts = []string{"password", "passphrase", "secret", "key", "redo", "undo"}

// Ask prints a menu as the reading login and returns the rows as they come, to
// find out what a router answers: unlike a snapshot it keeps what nobody asked for
// and passes further words on, and the menu need not exist. No secret can be asked
// for. A refusal is a *TrapError.
func (f *Fleet) Ask(ctx context.Context, router, path string, names []string, words ...string) ([]schema.Row, error) {
	menu, _ := schema.Lookup(path)
	for _, name := range names {
		suspect := slices.ContainsFunc(secretParts, func(part string) bool { return strings.Contains(name, part) })
		if suspect || slices.Contains(menu.Secrets(), name) {
			return nil, fmt.Errorf("%w: attribute %s of %s is never read", ErrStep, name, path)
		}
	}
	if len(names) == 0 || slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, "=.proplist") || strings.HasPrefix(w, "=proplist") }) {
		return nil, fmt.Errorf("%w: what is read of %s must be named", ErrStep, path)
	}
	r, ctx, leave, err := f.enter(ctx, router)
	if err != nil {
		return nil, err
	}
	defer leave()
	var rows []schema.Row
	err = r.read.use(ctx, func(s *session) error {
		a, err := r.read.run(ctx, s, command{words: append([]string{path + "/print", word(".proplist", strings.Join(names, ","))}, words...)})
		rows = a.rows
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("asking %s for %s: %w", router, path, err)
	}
	return rows, nil
}
