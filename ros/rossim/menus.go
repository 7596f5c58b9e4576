package rossim

import (
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"vpnbot/ros/schema"
)

// The tables under data are the profile: what the console of a real router
// reported (menus-*.json) and what it does not report (rules.json).
//
//go:embed data/*.json
var data embed.FS

// ProfileDefault is the RouterOS version that a Router plays when Options
// names none.
const ProfileDefault = "7.22.3"

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
}

// attr is how one attribute is checked and written.
type attr struct {
	schema.Attr
	form  string   // how the value is checked; see (attr).parse
	words []string // words taken besides the form
	refs  []string
}

// profile is every menu of one RouterOS version.
type profile struct {
	version string
	menus   map[string]*menu
	paths   []string
}

var profile7223 = sync.OnceValues(func() (*profile, error) { return compile("7.22.3") })

// loadProfile returns the tables of a version. They are never written to.
func loadProfile(version string) (*profile, error) {
	switch version {
	case "7.22.3":
		return profile7223()
	}
	return nil, fmt.Errorf("RouterOS profile %q is not known: want 7.22.3", version)
}

type menuFile struct {
	Menus map[string]struct {
		Kind     string
		Ordered  bool
		Commands []string
		Write    map[string]string
		Read     []string
		Unset    []string
		Print    []string
	}
}

func compile(version string) (*profile, error) {
	p := &profile{version: version, menus: make(map[string]*menu)}
	var rules struct{ Menus map[string]rule }
	if err := decode("data/rules.json", &rules); err != nil {
		return nil, err
	}
	for _, name := range []string{"menus-" + version, "menus-extra"} {
		var f menuFile
		if err := decode("data/"+name+".json", &f); err != nil {
			return nil, err
		}
		for path, m := range f.Menus {
			c := &menu{
				path: path, list: m.Kind == "list", ordered: m.Ordered,
				commands: make(map[string]bool), attrs: make(map[string]attr), readable: make(map[string]bool),
				unset: m.Unset, printing: m.Print, rule: rules.Menus[path], space: path,
			}
			if c.rule.Type != "" || path == "/interface" {
				c.space = "/interface"
			}
			c.setCommands(m.Commands)
			for _, name := range m.Read {
				c.readable[name] = true
			}
			c.readable[".about"] = c.readable["about"] // a warning, which the API spells with a dot
			for name, kind := range m.Write {
				c.attrs[name] = c.attr(name, kind)
			}
			p.menus[path] = c
		}
	}
	for _, path := range []string{"", "/tool"} {
		p.menus[path] = &menu{path: path, commands: map[string]bool{"ping": true}}
	}
	p.menus[""].commands["execute"], p.menus[""].commands["parse"] = true, true
	p.menus["/system"] = &menu{path: "/system", commands: map[string]bool{"reboot": true, "shutdown": true}}
	p.paths = slices.Sorted(maps.Keys(p.menus))
	return p, nil
}

func decode(name string, into any) error {
	b, err := data.ReadFile(name)
	if err != nil {
		return fmt.Errorf("reading profile tables: %w", err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("reading profile table %s: %w", name, err)
	}
	return nil
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
	a := attr{Attr: schema.Attr{Name: name, Kind: kindOf(form)}, form: form, words: strings.Fields(rest)}
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
		a.form, a.refs = "ref", strings.Split(ref, "|")
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

// since tells whether the profile is that version or newer.
func (p *profile) since(major, minor int) bool {
	v, err := schema.ParseVersion(p.version)
	return err == nil && v.Compare(schema.Version{Major: major, Minor: minor}) >= 0
}

// prefixOf tells whether path or a menu below it exists.
func (p *profile) prefixOf(path string) bool {
	return slices.ContainsFunc(p.paths, func(q string) bool {
		return q == path || strings.HasPrefix(q, path+"/")
	})
}

// interfaces returns the menus whose rows are interfaces, "/interface" first.
func (p *profile) interfaces() []*menu {
	var ms []*menu
	for _, path := range p.paths {
		if m := p.menus[path]; m.space == "/interface" {
			ms = append(ms, m)
		}
	}
	return ms
}
