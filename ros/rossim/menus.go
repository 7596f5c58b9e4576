package rossim

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"vpnbot/ros/schema"
)

// menu is one menu of a profile.
type menu struct {
	path     string
	list     bool
	ordered  bool
	commands map[string]bool
	attrs    map[string]attr // what add and set accept
	readable map[string]bool
	unset    []string
	printing []string // print's own arguments in this menu
	rule     rule
	space    string // menus that share a space share one counter of ids
}

// rule is what rules.json says about a menu.
type rule struct {
	Required  []string
	Unique    []string          // these attributes together are unique
	Duplicate string            // what a second one is told
	Refs      map[string]string // attribute → menus that name its values, or literal words, joined by |
	Lists     []string          // references that may name several rows
	Kinds     map[string]string
	Numbers   map[string][2]uint64
	NumberOr  map[string]string
	Secrets   []string
	Hidden    []string     // never answered
	Defaults  schema.Row   // filled in by add
	Flags     schema.Row   // answered when a row has nothing else
	Rows      []schema.Row // present from the factory
	Fixed     bool         // the factory rows cannot be removed
	InUse     string       // what removal of a referenced row is told
	Type      string       // interface type, in menus that are interfaces
	FirstID   uint64
	Unread    []string // attributes that the version does not show
	NextID    bool     // rows tell the id of the one behind
	Names     string   // what rows without a name are called, with a number behind
	Protocols []string // "tcp=6"
}

// attr is how one attribute is checked and written.
type attr struct {
	schema.Attr
	form   string   // how the value is checked; see (attr).parse
	words  []string // words taken besides the form
	refs   []string
	not    bool // the value may begin with "!"
	limit  limit
	months bool // a date is written with the month's name
}

// limit bounds a time or the length of a text; zero is none.
type limit struct {
	least, most       time.Duration
	shortest, longest int
}

// limitOf reads "1s..1h", "max 31" and "min 16".
func limitOf(text string) (limit, error) {
	var l limit
	lo, hi, ranged := strings.Cut(text, "..")
	if !ranged {
		word, n, _ := strings.Cut(text, " ")
		length, err := strconv.Atoi(n)
		if word == "min" {
			l.shortest = length
		} else {
			l.longest = length
		}
		return l, err
	}
	var err error
	if l.least, err = schema.ParseDuration(lo); err == nil {
		l.most, err = schema.ParseDuration(hi)
	}
	return l, err
}

// newMenu joins what the console reported with the rule. What the version lacks
// is dropped from the rule's rows.
func newMenu(p *profile, path string, e *entry, r rule) *menu {
	m := &menu{
		path: path, list: e.Kind == "list", ordered: e.Ordered,
		commands: make(map[string]bool), attrs: make(map[string]attr), readable: make(map[string]bool),
		unset: e.Unset, printing: e.Print, rule: r, space: path,
	}
	if r.Type != "" || path == "/interface" {
		m.space = "/interface"
	}
	m.setCommands(e.Commands)
	for _, name := range e.Read {
		m.readable[name] = true
	}
	for _, name := range r.Unread {
		delete(m.readable, name)
	}
	m.readable[".about"] = m.readable["about"] // a warning, which the API spells with a dot
	for name, kind := range e.Write {
		a := m.attr(name, kind)
		a.months = p.months()
		m.attrs[name] = a
	}
	lacks := func(name, _ string) bool {
		_, ok := m.attrs[name]
		return !ok && !m.readable[name] && name != schema.ID
	}
	m.rule.Defaults, m.rule.Flags = r.Defaults.Clone(), r.Flags.Clone()
	maps.DeleteFunc(m.rule.Defaults, lacks)
	maps.DeleteFunc(m.rule.Flags, lacks)
	m.rule.Rows = nil
	for _, row := range r.Rows {
		row = row.Clone()
		maps.DeleteFunc(row, lacks)
		m.rule.Rows = append(m.rule.Rows, row)
	}
	return m
}

func (m *menu) setCommands(names []string) {
	for _, name := range names {
		m.commands[name] = true
	}
	if m.commands["print"] {
		m.commands["getall"] = true
	}
	if m.list && m.commands["print"] {
		m.commands["listen"] = true
	}
}

// attr joins the console's kind of a value, the correction in rules.json and
// what ros/schema knows about the attribute.
func (m *menu) attr(name, kind string) attr {
	if k, ok := m.rule.Kinds[name]; ok {
		kind = k
	}
	form, rest, _ := strings.Cut(kind, " ")
	form, not := strings.CutPrefix(form, "!")
	a := attr{Attr: schema.Attr{Name: name, Kind: kindOf(form)}, form: form, words: strings.Fields(rest), not: not}
	if sm, ok := schema.Lookup(m.path); ok {
		if sa, ok := sm.Attr(name); ok && sa.Kind != schema.Text {
			a.Kind = sa.Kind
			a.Values = sa.Values
		}
	}
	if a.form == "set" || a.form == "enum" {
		a.Values = a.words
	}
	if _, ok := m.rule.Numbers[name]; ok {
		a.form, a.Kind = "number", schema.Number
	}
	if word, ok := m.rule.NumberOr[name]; ok {
		a.form, a.words = "number", []string{word}
	}
	if ref, ok := m.rule.Refs[name]; ok {
		ref, a.not = strings.CutPrefix(ref, "!")
		a.form, a.refs = "ref", strings.Split(ref, "|")
	}
	if a.form == "protocol" {
		a.Values = m.rule.Protocols
	}
	if a.form == "pool" {
		a.refs = []string{"/ip/pool"}
	}
	a.Secret = slices.Contains(m.rule.Secrets, name)
	return a
}

func kindOf(form string) schema.Kind {
	switch form {
	case "enum":
		return schema.Enum
	case "bool":
		return schema.Bool
	case "time":
		return schema.Duration
	case "ip":
		return schema.Address
	case "prefix":
		return schema.Prefix
	case "ranges":
		return schema.Ranges
	case "set":
		return schema.Set
	}
	return schema.Text
}

// secret tells whether the attribute is sensitive, in menus without set too.
func (m *menu) secret(name string) bool { return slices.Contains(m.rule.Secrets, name) }

// named tells whether rows of the menu can be addressed by their name.
func (m *menu) named() bool { return m.readable["name"] }

// lists tells whether an attribute may name several rows.
func (m *menu) lists(name string) bool { return slices.Contains(m.rule.Lists, name) }

// factory is the row of a settings menu as it left the factory.
func (m *menu) factory() schema.Row {
	if len(m.rule.Rows) == 0 {
		return nil
	}
	return m.rule.Rows[0]
}
