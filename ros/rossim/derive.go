package rossim

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"vpnbot/ros/schema"
)

// Every version is derived from the dump of 7.22.3: the timeline takes away what
// came later and gives back what went before. 6.49 is 7.9, the oldest version of
// the timeline, with the attributes of its own table.

// entriesOf returns the menus of a version by path.
func entriesOf(v schema.Version) (map[string]*entry, error) {
	entries := make(map[string]*entry)
	for _, name := range []string{"menus-7.22.3.json", "menus-extra.json"} {
		var f struct{ Menus map[string]entry }
		if err := decode(name, &f); err != nil {
			return nil, err
		}
		for path, e := range f.Menus {
			entries[path] = e.clone()
		}
	}
	var timeline struct{ Menus map[string][]string }
	if err := decode("timeline.json", &timeline); err != nil {
		return nil, err
	}
	for path, lines := range timeline.Menus {
		for _, line := range lines {
			if err := age(entries, v, path, line); err != nil {
				return nil, fmt.Errorf("timeline of %s: %w", path, err)
			}
		}
	}
	return entries, entries6(entries, v.Major < 7)
}

// age applies one line of the timeline, "since-until kind names".
func age(entries map[string]*entry, v schema.Version, path, line string) error {
	words := strings.Fields(line)
	if len(words) < 2 {
		return fmt.Errorf("%q has no kind", line)
	}
	has, err := within7(words[0], v)
	if err != nil {
		return err
	}
	e := entries[path]
	switch {
	case e == nil:
		return fmt.Errorf("no such menu")
	case words[1] == "menu" && !has:
		delete(entries, path)
	case words[1] == "command":
		e.Commands = keep(e.Commands, words[2:], has)
		if e.Kind == "dir" && slices.Contains(e.Commands, "print") {
			e.Kind = "list"
		}
	case words[1] == "print":
		e.Print = keep(e.Print, words[2:], has)
	case words[1] == "write":
		e.write(words[2:], has)
	}
	return nil
}

// within7 tells whether a version lies in a span of minor versions, "7.10-7.19";
// either end may be open. What is older than 7 counts as 7.9.
func within7(span string, v schema.Version) (bool, error) {
	v.Patch = 0
	if v.Major < 7 {
		v = schema.Version{Major: 7, Minor: 9}
	}
	since, until, ok := strings.Cut(span, "-")
	if !ok {
		return false, fmt.Errorf("%q is no span", span)
	}
	for _, end := range []struct {
		text string
		sign int
	}{{since, 1}, {until, -1}} {
		if end.text == "" {
			continue
		}
		w, err := schema.ParseVersion(end.text)
		if err != nil {
			return false, err
		}
		if v.Compare(w)*end.sign < 0 {
			return false, nil
		}
	}
	return true, nil
}

// keep adds names to a list, or takes them out.
func keep(list, names []string, has bool) []string {
	list = slices.DeleteFunc(list, func(s string) bool { return slices.Contains(names, s) })
	if has {
		list = append(list, names...)
	}
	return list
}

// write adds writable attributes, or takes them out. One that the menu does not
// know yet carries its kind after a colon.
func (e *entry) write(names []string, has bool) {
	for _, n := range names {
		name, kind, named := strings.Cut(n, ":")
		if !has {
			delete(e.Write, name)
			e.Read = keep(e.Read, []string{name}, false)
			continue
		}
		if named {
			e.Write[name] = kind
		}
		e.Read = keep(e.Read, []string{name}, true)
	}
}

// limit bounds the values of attributes as the console tells.
func (p *profile) limit() error {
	var f struct{ Menus map[string]map[string]string }
	if err := decode("limits.json", &f); err != nil {
		return err
	}
	for path, limits := range f.Menus {
		for name, text := range limits {
			m := p.menus[path]
			if m == nil {
				continue
			}
			a, ok := m.attrs[name]
			if !ok {
				continue
			}
			var err error
			if a.limit, err = limitOf(text); err != nil {
				return fmt.Errorf("limits of %s in %s: %w", name, path, err)
			}
			m.attrs[name] = a
		}
	}
	return nil
}

// entries6 makes 6.49 of 7.9, and takes from newer versions what 6.49 alone has.
func entries6(entries map[string]*entry, old bool) error {
	var f struct {
		Gone  []string
		Own   []string
		Menus map[string]struct{ Commands, Seen, Inferred string }
	}
	if err := decode("menus-6.49.7.json", &f); err != nil {
		return err
	}
	if !old {
		maps.DeleteFunc(entries, func(path string, _ *entry) bool { return slices.Contains(f.Own, path) })
		return nil
	}
	maps.DeleteFunc(entries, func(path string, _ *entry) bool { return slices.Contains(f.Gone, path) })
	for path, m := range f.Menus {
		e := entries[path]
		if e == nil {
			return fmt.Errorf("menus of 6.49: %s is not known", path)
		}
		e.Commands = strings.Fields(m.Commands)
		names := strings.Fields(m.Seen + " " + m.Inferred)
		e.write(names, true)
		for name := range maps.Clone(e.Write) {
			if !slices.ContainsFunc(names, func(n string) bool { return n == name || strings.HasPrefix(n, name+":") }) {
				e.write([]string{name}, false)
			}
		}
	}
	for _, e := range entries {
		e.Commands = keep(e.Commands, []string{"reset"}, false)
	}
	return nil
}

// amendment is what was otherwise before a version. A null takes a value away.
type amendment struct {
	Before string
	Menus  map[string]struct {
		Defaults, Flags map[string]*string
		Kinds           map[string]string
		Rows            map[string]map[string]*string // by name
		Gone            []string                      // rows by name
		Unread          []string                      // what print does not show
	}
}

// rulesOf returns the rules of a version by path. They share nothing with those
// of another version.
func rulesOf(v schema.Version) (map[string]rule, error) {
	var rules struct{ Menus map[string]rule }
	if err := decode("rules.json", &rules); err != nil {
		return nil, err
	}
	if err := matchers(rules.Menus); err != nil {
		return nil, err
	}
	var older struct{ Amendments []amendment }
	if err := decode("rules-older.json", &older); err != nil {
		return nil, err
	}
	for _, a := range older.Amendments {
		before, err := schema.ParseVersion(a.Before)
		if err != nil {
			return nil, err
		}
		if v.Compare(before) >= 0 {
			continue
		}
		for path, m := range a.Menus {
			r := rules.Menus[path]
			r.Defaults, r.Flags = amend(r.Defaults, m.Defaults), amend(r.Flags, m.Flags)
			if r.Kinds == nil {
				r.Kinds = make(map[string]string)
			}
			maps.Copy(r.Kinds, m.Kinds)
			r.Rows = slices.DeleteFunc(r.Rows, func(row schema.Row) bool { return slices.Contains(m.Gone, row["name"]) })
			for i, row := range r.Rows {
				r.Rows[i] = amend(row, m.Rows[row["name"]])
			}
			r.Unread = append(r.Unread, m.Unread...)
			rules.Menus[path] = r
		}
	}
	return rules.Menus, nil
}

// matchers gives the firewall menus the rules that they share. A menu's own rule
// goes before.
func matchers(rules map[string]rule) error {
	var f struct {
		Menus       []string
		Kinds, Refs map[string]string
		Numbers     map[string][2]uint64
		Protocols   map[string]int
	}
	if err := decode("rules-firewall.json", &f); err != nil {
		return err
	}
	var protocols []string
	for name, n := range f.Protocols {
		protocols = append(protocols, name+"="+itoa(n))
	}
	slices.Sort(protocols)
	for _, path := range f.Menus {
		r := rules[path]
		r.Kinds, r.Refs, r.Numbers = under(r.Kinds, f.Kinds), under(r.Refs, f.Refs), under(r.Numbers, f.Numbers)
		r.Protocols = protocols
		rules[path] = r
	}
	policy := rules["/ip/ipsec/policy"]
	policy.Protocols = protocols
	rules["/ip/ipsec/policy"] = policy
	return nil
}

// under returns what own and shared say, own first.
func under[V any](own, shared map[string]V) map[string]V {
	all := maps.Clone(shared)
	maps.Copy(all, own)
	return all
}

func amend(row schema.Row, with map[string]*string) schema.Row {
	if len(with) == 0 {
		return row
	}
	if row = row.Clone(); row == nil {
		row = make(schema.Row)
	}
	for name, value := range with {
		if value == nil {
			delete(row, name)
		} else {
			row[name] = *value
		}
	}
	return row
}
