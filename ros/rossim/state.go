package rossim

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"vpnbot/ros/rossim/script"
	"vpnbot/ros/schema"
)

// record is one row with what the wire does not show.
type record struct {
	id      string
	home    *menu
	vals    schema.Row // without .id
	dynamic bool
	builtin bool
	origin  string     // the name that a row from the factory had there
	since   time.Time  // when a session began; uptime counts from here
	session uint64     // the dial-in session that the row belongs to, 0 for none
	conn    uint64     // the API session that the row stands for, 0 for none
	serial  uint64     // names the row for as long as it exists, over reboots too
	view    schema.Row // what the Internet has the row show besides
	meters  map[string]meter
	live    *live
}

func (r *record) name() string { return r.vals["name"] }

func (r *record) clone() *record {
	c := *r
	c.vals, c.view, c.meters = r.vals.Clone(), r.view.Clone(), maps.Clone(r.meters)
	if r.live != nil {
		l := *r.live
		c.live = &l
	}
	return &c
}

// state is everything a router remembers. Router.mu guards it.
type state struct {
	prof     *profile
	tables   map[string][]*record
	next     map[string]uint64 // next id by id space
	sessions uint64            // dial-in sessions so far
	booted   time.Time         // router time of the last boot
	boots    uint64
	skew     time.Duration // router clock minus real clock
	watchers map[*watcher]bool
	serials  uint64       // rows so far
	effects  []effect     // writes that the Internet has not looked at yet
	wake     *atomic.Bool // set with each effect; nil while the router is not attached

	scripting Scripting
	switches  Tables
	tasks     []*task
	planned   map[uint64]planned // when schedules run next, by their serials
	alarm     func()             // sets the router's timer anew
}

func newState(p *profile, now time.Time) *state {
	s := &state{prof: p, tables: make(map[string][]*record), next: make(map[string]uint64), booted: now, watchers: make(map[*watcher]bool), planned: make(map[uint64]planned)}
	for _, path := range p.paths {
		m := p.menus[path]
		for _, row := range m.rule.Rows {
			rec := &record{home: m, vals: row.Clone(), builtin: m.rule.Fixed, origin: row["name"]}
			delete(rec.vals, schema.ID)
			if path == groupMenu {
				rec.vals["policy"] = p.mergePolicy("", row["policy"])
			}
			if rec.id = row[schema.ID]; rec.id == "" && m.list {
				rec.id = s.newID(m)
			}
			s.number(rec)
			s.tables[path] = append(s.tables[path], rec)
		}
		if !m.list && m.commands["print"] && len(s.tables[path]) == 0 {
			s.tables[path] = []*record{s.number(&record{home: m, vals: schema.Row{}})}
		}
	}
	return s
}

// clone copies the state without watchers and without the rows that stand for
// API connections, since those are not copied either.
func (s *state) clone() *state {
	c := *s
	c.next = maps.Clone(s.next)
	c.watchers, c.effects, c.wake = make(map[*watcher]bool), slices.Clone(s.effects), nil
	c.planned, c.alarm, c.tasks = maps.Clone(s.planned), nil, nil
	for _, t := range s.tasks {
		c.tasks = append(c.tasks, t.clone())
	}
	c.tables = make(map[string][]*record, len(s.tables))
	for path, recs := range s.tables {
		for _, r := range recs {
			if r.conn == 0 {
				c.tables[path] = append(c.tables[path], r.clone())
			}
		}
	}
	c.endTasks(func(t *task) bool { return t.conn != 0 })
	return &c
}

func (s *state) now() time.Time { return time.Now().Add(s.skew) }

// number gives a new row the serial that it keeps.
func (s *state) number(rec *record) *record {
	if rec.serial == 0 {
		s.serials++
		rec.serial = s.serials
	}
	return rec
}

// bySerial returns the row of the menu at path with that serial, or nil.
func (s *state) bySerial(path string, serial uint64) *record {
	for _, r := range s.tables[path] {
		if r.serial == serial {
			return r
		}
	}
	return nil
}

func (s *state) newID(m *menu) string {
	n := max(s.next[m.space], m.rule.FirstID, 1)
	s.next[m.space] = n + 1
	return "*" + strings.ToUpper(strconv.FormatUint(n, 16))
}

// rows returns the records that m shows, in order. /interface shows the rows
// of every menu that holds interfaces.
func (s *state) rows(m *menu) []*record {
	if m.path != "/interface" {
		return s.tables[m.path]
	}
	var all []*record
	for _, im := range s.prof.interfaces() {
		all = append(all, s.tables[im.path]...)
	}
	return all
}

// find returns the record with that id or, where rows have names, that name.
func (s *state) find(m *menu, id string) (*record, error) {
	for _, r := range s.rows(m) {
		if strings.HasPrefix(id, "*") && strings.EqualFold(r.id, id) {
			return r, nil
		}
	}
	if m.named() {
		for _, r := range s.rows(m) {
			if r.name() == id {
				return r, nil
			}
		}
	}
	return nil, errNoItem()
}

// findAll resolves a comma list of ids and names, up to the first that does not
// exist.
func (s *state) findAll(m *menu, ids string) ([]*record, error) {
	var recs []*record
	for id := range strings.SplitSeq(ids, ",") {
		r, err := s.find(m, id)
		if err != nil {
			return recs, err
		}
		if !slices.Contains(recs, r) {
			recs = append(recs, r)
		}
	}
	return recs, nil
}

// exists tells whether a row of the menu at path carries that name.
func (s *state) exists(path, name string) bool {
	m := s.prof.menus[path]
	return m != nil && slices.ContainsFunc(s.rows(m), func(r *record) bool { return r.name() == name })
}

func (s *state) delete(rec *record) {
	path := rec.home.path
	i := slices.Index(s.tables[path], rec)
	if i < 0 {
		return
	}
	s.tables[path] = slices.Delete(slices.Clone(s.tables[path]), i, i+1)
	s.changed(rec, true)
}

// addDynamic adds a row that the router itself makes.
func (s *state) addDynamic(path string, vals schema.Row, session uint64) *record {
	m := s.prof.menus[path]
	rec := &record{home: m, id: s.newID(m), vals: vals, dynamic: true, session: session}
	s.insert(rec, nil)
	return rec
}

// setting returns the one row of a settings menu.
func (s *state) setting(path string) schema.Row {
	if recs := s.tables[path]; len(recs) > 0 {
		return recs[0].vals
	}
	return schema.Row{}
}

// renumber gives every row a new id, as a boot does. Each id moves on by one
// per boot, so that an id kept from before names another row or none.
func (s *state) renumber() {
	s.next = make(map[string]uint64)
	for _, path := range s.prof.paths {
		m := s.prof.menus[path]
		if s.next[m.space] == 0 {
			s.next[m.space] = max(m.rule.FirstID, 1) + s.boots
		}
		for _, r := range s.tables[path] {
			fixed := slices.ContainsFunc(m.rule.Rows, func(row schema.Row) bool { return row[schema.ID] == r.id })
			if m.list && !fixed {
				r.id = s.newID(m)
			}
		}
	}
}

// show returns the row as it is printed, secrets in clear.
func (s *state) show(m *menu, rec *record) schema.Row {
	row := make(schema.Row, len(rec.vals)+4)
	if rec.id != "" {
		row[schema.ID] = rec.id
	}
	maps.Copy(row, rec.home.rule.Flags)
	for name, value := range rec.vals {
		if !m.readable[name] {
			continue
		}
		row[name] = value
	}
	maps.Copy(row, rec.view)
	s.measure(rec, row)
	if rec.dynamic && m.readable["dynamic"] {
		row["dynamic"] = "true"
	}
	if !rec.since.IsZero() && m.readable["uptime"] {
		row["uptime"] = uptime(s.now().Sub(rec.since))
	}
	if m.path == "/interface" && rec.home.rule.Type != "" {
		row["type"] = rec.home.rule.Type
	}
	s.compute(m, rec, row)
	s.warn(m, rec, row)
	if m.rule.NextID {
		row[".nextid"] = s.nextID(rec)
	}
	for _, name := range m.rule.Hidden {
		delete(row, name)
	}
	return row
}

// compute fills in what a router works out when it is asked.
func (s *state) compute(m *menu, rec *record, row schema.Row) {
	switch m.path {
	case "/system/resource":
		row["uptime"] = uptime(s.now().Sub(s.booted))
	case "/system/clock":
		now := s.now().UTC()
		row["date"], row["time"] = s.prof.date(now), now.Format(time.TimeOnly)
	case "/log":
		row["time"] = s.prof.logTime(row["time"], s.now())
	case "/ip/pool":
		if m.readable["total"] {
			s.countPool(rec, row)
		}
	case schedulerMenu:
		if p, ok := s.planned[rec.serial]; ok {
			row["next-run"] = s.prof.dateTime(s.due(p).Add(s.skew))
		}
	case "/system/script":
		if script.Parse(row["source"]) != nil {
			row["invalid"] = "true"
		}
	}
}

func uptime(d time.Duration) string {
	return schema.FormatDuration(max(d, 0).Truncate(time.Second))
}
