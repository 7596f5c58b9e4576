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

// The tables under data are the profiles: what the console of a real router
// reported (menus-*.json), what changed between versions (timeline.json) and what
// no console reports (rules.json, and rules-older.json for older versions).
//
//go:embed data/*.json
var data embed.FS

// ProfileDefault is the RouterOS version that a Router plays when Options
// names none.
const ProfileDefault = "7.22.3"

// Profiles returns the RouterOS versions that a Router can play, oldest first.
func Profiles() []string { return slices.Sorted(maps.Keys(profiles)) }

// profile is every menu of one RouterOS version.
type profile struct {
	version  string
	number   schema.Version
	menus    map[string]*menu
	paths    []string
	policies []string // what a group may grant, in the order in which it is answered
}

// profiles are compiled when they are first asked for, and never written to
// after.
var profiles = map[string]func() (*profile, error){
	"6.49.7": once("6.49.7"), "7.17.2": once("7.17.2"), ProfileDefault: once(ProfileDefault),
}

func once(version string) func() (*profile, error) {
	return sync.OnceValues(func() (*profile, error) { return compile(version) })
}

// loadProfile returns the tables of a version.
func loadProfile(version string) (*profile, error) {
	if load, ok := profiles[version]; ok {
		return load()
	}
	return nil, fmt.Errorf("RouterOS profile %q is not known: want %s", version, strings.Join(Profiles(), ", "))
}

// entry is a menu as the tables have it.
type entry struct {
	Kind     string
	Ordered  bool
	Commands []string
	Write    map[string]string
	Read     []string
	Unset    []string
	Print    []string
}

func (e entry) clone() *entry {
	e.Commands, e.Read, e.Print, e.Write = slices.Clone(e.Commands), slices.Clone(e.Read), slices.Clone(e.Print), maps.Clone(e.Write)
	if e.Write == nil {
		e.Write = make(map[string]string)
	}
	return &e
}

func compile(version string) (*profile, error) {
	number, err := schema.ParseVersion(version)
	if err != nil {
		return nil, err
	}
	entries, err := entriesOf(number)
	if err != nil {
		return nil, err
	}
	rules, err := rulesOf(number)
	if err != nil {
		return nil, err
	}
	p := &profile{version: version, number: number, menus: make(map[string]*menu)}
	p.policies = policiesSince7
	if !p.since(7, 0) {
		p.policies = policies6
	}
	for path, e := range entries {
		p.menus[path] = newMenu(p, path, e, rules[path])
	}
	for _, path := range []string{"", "/tool"} {
		p.menus[path] = &menu{path: path, commands: map[string]bool{"ping": true}}
	}
	p.menus[""].commands["execute"], p.menus[""].commands["parse"] = true, true
	p.menus["/system"] = &menu{path: "/system", commands: map[string]bool{"reboot": true, "shutdown": true}}
	p.paths = slices.Sorted(maps.Keys(p.menus))
	p.fill()
	return p, p.limit()
}

// fill puts the version where rows tell it, and drops references to menus that
// the version lacks.
func (p *profile) fill() {
	for _, m := range p.menus {
		for i, row := range m.rule.Rows {
			row = row.Clone()
			for name, value := range row {
				row[name] = strings.ReplaceAll(value, "{version}", p.version)
			}
			m.rule.Rows[i] = row
		}
		for name, a := range m.attrs {
			a.refs = slices.DeleteFunc(slices.Clone(a.refs), func(ref string) bool {
				return strings.HasPrefix(ref, "/") && p.menus[ref] == nil
			})
			if a.form == "ref" && len(a.refs) == 0 {
				a.form = "text"
			}
			m.attrs[name] = a
		}
	}
}

func decode(name string, into any) error {
	b, err := data.ReadFile("data/" + name)
	if err != nil {
		return fmt.Errorf("reading profile tables: %w", err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("reading profile table %s: %w", name, err)
	}
	return nil
}

// since tells whether the profile is that version or newer.
func (p *profile) since(major, minor int) bool {
	return p.number.Compare(schema.Version{Major: major, Minor: minor}) >= 0
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
