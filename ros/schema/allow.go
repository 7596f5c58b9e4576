package schema

import (
	"errors"
	"fmt"
	"slices"
)

// Action is what a write does to a row.
type Action string

// The writes that RouterOS menus know and the product uses.
const (
	Add     Action = "add"
	Change  Action = "set"
	Remove  Action = "remove"
	Enable  Action = "enable"
	Disable Action = "disable"
	Move    Action = "move"
)

// ErrNotAllowed is returned for a write that is not on the allow-list.
var ErrNotAllowed = errors.New("write not on the allow-list")

// allowed is the write allow-list: RouterOS has no rights per menu, so what the
// product may change is decided here and nowhere else. The attributes are the
// only ones that an add or set may name.
var allowed = map[string]map[Action][]string{
	"/ppp/secret": {
		Add:    {"name", "password", "service", "profile", "remote-address", "comment"},
		Remove: nil,
	},
}

// Allowed checks a write against the allow-list: nil, or an error that wraps
// ErrNotAllowed and names the menu, action or attribute.
func Allowed(path string, action Action, attrs []string) error {
	actions, ok := allowed[path]
	if !ok {
		return fmt.Errorf("%w: menu %s", ErrNotAllowed, path)
	}
	names, ok := actions[action]
	if !ok {
		return fmt.Errorf("%w: %s in %s", ErrNotAllowed, action, path)
	}
	for _, a := range attrs {
		if !slices.Contains(names, a) {
			return fmt.Errorf("%w: attribute %s in %s %s", ErrNotAllowed, a, path, action)
		}
	}
	return nil
}
