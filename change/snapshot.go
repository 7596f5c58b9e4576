package change

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"vpnbot/ros/schema"
)

// Query names rows of one menu: those whose attributes equal Where. An empty
// Where names every row. A planner states what it looks at as queries, so that
// freshness compares exactly that and nothing else.
type Query struct {
	Menu  string     `json:"menu"`
	Where schema.Row `json:"where,omitempty"`
}

// Matches tells whether row is one that q names. Values are compared in
// canonical form; an empty one names rows that lack the attribute as well, and a
// row that lacks one has what RouterOS means by that. A comment without generation
// mark names rows with one, too.
func (q Query) Matches(row schema.Row) bool {
	menu, _ := schema.Lookup(q.Menu)
	for name, want := range q.Where {
		have, ok := row[name]
		if !ok {
			a, _ := menu.Attr(name)
			have = a.Default
		}
		if have == "" && want != "" {
			return false
		}
		if !menu.Same(name, have, want) && (name != "comment" || Unmarked(have) != want) {
			return false
		}
	}
	return true
}

// Snapshot is what was read from one router: the rows of some menus in the
// router's order, never a secret among them. Reading began At and was over Until;
// a zero Until says that it took no time.
type Snapshot struct {
	Router  string                  `json:"router"`
	At      time.Time               `json:"at"`
	Until   time.Time               `json:"until,omitzero"`
	Version string                  `json:"version"`
	Menus   map[string][]schema.Row `json:"menus"`
}

// Rows returns the rows that q names, in the router's order.
func (s Snapshot) Rows(q Query) []schema.Row {
	var rows []schema.Row
	for _, row := range s.Menus[q.Menu] {
		if q.Matches(row) {
			rows = append(rows, row)
		}
	}
	return rows
}

// Observation is what one query found when the plan was made: the stable part
// of each row. Finding no row is an observation too.
type Observation struct {
	Router string       `json:"router"`
	Query  Query        `json:"query"`
	Rows   []schema.Row `json:"rows"`
}

// Observe records what q finds in s.
func (s Snapshot) Observe(q Query) Observation {
	menu, _ := schema.Lookup(q.Menu)
	o := Observation{Router: s.Router, Query: q, Rows: []schema.Row{}}
	for _, row := range s.Rows(q) {
		o.Rows = append(o.Rows, menu.Stable(row))
	}
	if !menu.Ordered {
		slices.SortFunc(o.Rows, func(a, b schema.Row) int {
			return cmp.Or(strings.Compare(menu.KeyOf(a), menu.KeyOf(b)), compareRows(a, b))
		})
	}
	return o
}

// compareRows puts rows with one key into an order that does not depend on the
// router's.
func compareRows(a, b schema.Row) int {
	for _, name := range namesOf(a, b) {
		if c := strings.Compare(a[name], b[name]); c != 0 {
			return c
		}
	}
	return len(a) - len(b)
}

// namesOf returns the attributes that a or b has, each once.
func namesOf(a, b schema.Row) []string {
	return slices.Compact(slices.Sorted(slices.Values(append(a.Names(), b.Names()...))))
}

// Moved is the first difference between what a plan saw and what is there now.
type Moved struct {
	Router string `json:"router"`
	Menu   string `json:"menu"`
	Row    string `json:"row,omitempty"`
	Field  string `json:"field,omitempty"` // empty: a row came or went
	Was    string `json:"was,omitempty"`
	Is     string `json:"is,omitempty"`
}

// Compare returns the first difference between o and what now holds, and
// whether there is one.
func (o Observation) Compare(now Snapshot) (Moved, bool) {
	menu, _ := schema.Lookup(o.Query.Menu)
	current := now.Observe(o.Query).Rows
	for i := range max(len(o.Rows), len(current)) {
		var was, is schema.Row
		if i < len(o.Rows) {
			was = o.Rows[i]
		}
		if i < len(current) {
			is = current[i]
		}
		m := Moved{Router: o.Router, Menu: o.Query.Menu, Row: menu.KeyOf(was)}
		if was == nil || is == nil || (len(menu.Key) > 0 && menu.KeyOf(was) != menu.KeyOf(is)) {
			// Of two sorted rows the smaller one is on one side only.
			if was == nil || (is != nil && !menu.Ordered && menu.KeyOf(is) < menu.KeyOf(was)) {
				m.Row = menu.KeyOf(is)
			}
			return m, true
		}
		for _, name := range namesOf(was, is) {
			if was[name] != is[name] {
				m.Field, m.Was, m.Is = name, was[name], is[name]
				return m, true
			}
		}
	}
	return Moved{}, false
}

// StateDigest is the digest of what a plan was computed from: hex SHA-256 over
// the canonical encoding of the observations, volatile fields left out.
func StateDigest(seen []Observation) string {
	b, err := json.Marshal(seen)
	if err != nil { // only strings inside: cannot happen, and must not pass silently
		return "unencodable"
	}
	sum := sha256.Sum256(append([]byte("vpnbot state v1\n"), b...))
	return hex.EncodeToString(sum[:])
}
