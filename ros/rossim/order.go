package rossim

import "slices"

// In a menu whose rows have an order, rows that the router makes stand in front
// of those that people made, and built-in ones in front of all.

// floor returns where the first static row of an ordered menu may stand.
func (s *state) floor(rows []*record) int {
	if s.switches.StaticFirst {
		return 0
	}
	for i, r := range slices.Backward(rows) {
		if r.dynamic || r.builtin {
			return i + 1
		}
	}
	return 0
}

// nextID returns the id of the row behind rec. Behind the last one stands the
// highest id.
func (s *state) nextID(rec *record) string {
	rows := s.tables[rec.home.path]
	if i := slices.Index(rows, rec); i >= 0 && i+1 < len(rows) {
		return rows[i+1].id
	}
	return "*FFFFFFFF"
}

// insert puts rec before the record called before, or last.
func (s *state) insert(rec *record, before *record) {
	s.number(rec)
	path := rec.home.path
	rows := s.tables[path]
	at := len(rows)
	if before != nil {
		at = slices.Index(rows, before)
	}
	switch {
	case rec.home.ordered && rec.dynamic:
		if first := slices.IndexFunc(rows, func(r *record) bool { return !r.dynamic && !r.builtin }); first >= 0 {
			at = first
		}
	case rec.home.ordered:
		at = max(at, s.floor(rows))
	}
	s.tables[path] = slices.Insert(rows, at, rec)
	s.changed(rec, false)
}

func (s *state) move(c change) (string, []touched, error) {
	recs, err := s.targets(c)
	if err != nil {
		return "", nil, err
	}
	for _, r := range recs {
		switch {
		case r.dynamic && r.builtin:
			return "", nil, errFailure("cannot change builtin")
		case r.dynamic:
			return "", nil, errFailure("cannot move dynamic entry")
		}
	}
	var before *record
	if c.before != "" {
		if before, err = s.find(c.menu, c.before); err != nil {
			return "", nil, err
		}
		if slices.Contains(recs, before) {
			return "", nil, nil
		}
	}
	rest := slices.DeleteFunc(slices.Clone(s.tables[c.menu.path]), func(r *record) bool { return slices.Contains(recs, r) })
	at := len(rest)
	if before != nil {
		at = slices.Index(rest, before)
	}
	s.tables[c.menu.path] = slices.Insert(rest, max(at, s.floor(rest)), recs...)
	var done []touched
	for _, r := range recs {
		s.changed(r, false)
		done = append(done, touched{rec: r, verb: "moved"})
	}
	return "", done, nil
}
