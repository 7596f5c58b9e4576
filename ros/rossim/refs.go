package rossim

import (
	"slices"
	"strings"

	"vpnbot/ros/schema"
)

// reference checks names of rows in other menus, or words that stand for none,
// and returns them by name. Only matchers may negate one.
func (s *state) reference(m *menu, a attr, value string) (string, error) {
	if a.not {
		if rest, ok := strings.CutPrefix(value, "!"); ok {
			v, err := s.reference(m, a, rest)
			return "!" + v, err
		}
	}
	if value == "" {
		return "", errAmbiguous(a.Name)
	}
	names := []string{value}
	if m.lists(a.Name) {
		names = strings.Split(value, ",")
	}
	for i, name := range names {
		known := slices.ContainsFunc(a.refs, func(ref string) bool {
			if !strings.HasPrefix(ref, "/") {
				return ref == name
			}
			if strings.HasPrefix(name, "*") {
				if rec, err := s.find(s.prof.menus[ref], name); err == nil {
					names[i] = rec.name()
					return true
				}
			}
			return s.exists(ref, name)
		})
		if !known {
			return "", errNoMatch(a.Name)
		}
	}
	return strings.Join(names, ","), nil
}

// defaultOf returns the default of an attribute. A default that is a row from
// the factory follows that row's name.
func (s *state) defaultOf(m *menu, name string) (string, bool) {
	value, ok := m.rule.Defaults[name]
	if !m.list {
		value, ok = m.factory()[name]
	}
	if !ok {
		return "", false
	}
	for _, ref := range m.attrs[name].refs {
		if to := s.prof.menus[ref]; to != nil && !s.exists(ref, value) {
			if rec := s.original(ref, value); rec != nil {
				return rec.name(), true
			}
		}
	}
	return value, true
}

// original returns the row that had that name when the router left the factory,
// or nil.
func (s *state) original(path, name string) *record {
	i := slices.IndexFunc(s.tables[path], func(r *record) bool { return r.origin == name })
	if i < 0 {
		return nil
	}
	return s.tables[path][i]
}

func missing(m *menu, vals schema.Row) error {
	var names []string
	for _, name := range m.rule.Required {
		if _, ok := vals[name]; !ok {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		return errMissing(names)
	}
	return nil
}

// unique refuses a second row with the same key. Interfaces share one space of
// names.
func (s *state) unique(m *menu, vals schema.Row, except *record) error {
	keys := m.rule.Unique
	if m.path == "/ip/ipsec/identity" && s.switches.IdentityPerID {
		keys = []string{"peer", "remote-id"}
	}
	if len(keys) == 0 {
		return nil
	}
	if _, ok := vals[keys[0]]; !ok {
		return nil
	}
	if m.path == "/ppp/secret" && s.switches.SecretPerService {
		keys = append(slices.Clip(keys), "service")
	}
	others := s.tables[m.path]
	if m.rule.Type != "" {
		others = s.rows(s.prof.menus["/interface"])
	}
	for _, r := range others {
		same := r != except && !slices.ContainsFunc(keys, func(k string) bool { return r.vals[k] != vals[k] })
		if same {
			text := m.rule.Duplicate
			if text == "" {
				text = "already have such entry"
			}
			return errFailure(text)
		}
	}
	return nil
}

// refers tells whether an attribute may name rows of the menu at m.
func (a attr) refers(m *menu) bool {
	return slices.Contains(a.refs, m.path) || (m.space == "/interface" && slices.Contains(a.refs, "/interface"))
}

// renamed lets every reference follow a row's new name, since a router refers
// to rows by id.
func (s *state) renamed(m *menu, old, name string) {
	s.references(m, old, func(r *record, attr string) {
		r.vals = r.vals.Clone()
		r.vals[attr] = replaced(r.vals[attr], old, name)
		s.changed(r, false)
	})
}

// references calls do for each row that names the row of m called name, and
// the attribute that does.
func (s *state) references(m *menu, name string, do func(r *record, attr string)) {
	for _, path := range s.prof.paths {
		for attrName, a := range s.prof.menus[path].attrs {
			if !a.refers(m) {
				continue
			}
			for _, r := range s.tables[path] {
				if value, ok := r.vals[attrName]; ok && names(value, name) {
					do(r, attrName)
				}
			}
		}
	}
}

// names tells whether a value names a row: alone, negated, or in a list.
func names(value, name string) bool {
	return value == name || slices.Contains(strings.Split(strings.TrimPrefix(value, "!"), ","), name)
}

// replaced puts another name in the place of old.
func replaced(value, old, name string) string {
	if value == old {
		return name
	}
	rest, negated := strings.CutPrefix(value, "!")
	parts := strings.Split(rest, ",")
	for i, p := range parts {
		if p == old {
			parts[i] = name
		}
	}
	if rest = strings.Join(parts, ","); negated {
		return "!" + rest
	}
	return rest
}

func (s *state) referenced(m *menu, name string) bool {
	found := false
	s.references(m, name, func(*record, string) { found = true })
	return found
}
