package rossim

import (
	"maps"
	"slices"
	"strconv"

	"vpnbot/ros/schema"
)

// change is what a write asks for, from the wire or from beside it.
type change struct {
	menu   *menu
	action string
	ids    string     // .id or numbers
	values schema.Row // attribute → value
	unset  []string
	before string  // place-before or destination
	copy   string  // copy-from
	who    account // who writes; an administrator beside the wire when empty
}

// touched is one row that a write has changed, for the log.
type touched struct {
	rec  *record
	verb string
	old  schema.Row // the row before a set
}

// apply checks and executes a change. It returns the id of an added row.
func (s *state) apply(c change) (string, []touched, error) {
	id, done, err := s.execute(c)
	s.affect(done)
	if ofIPsec(done) {
		s.reviewAlone()
	}
	s.fasttrack(done)
	s.schedule(done)
	return id, done, err
}

func (s *state) execute(c change) (string, []touched, error) {
	if err := s.deviceMode(c); err != nil {
		return "", nil, err
	}
	switch c.action {
	case "add":
		rec, err := s.add(c)
		if err != nil {
			return "", nil, err
		}
		return rec.id, []touched{{rec: rec, verb: "added"}}, nil
	case "set", "comment", "unset":
		return s.set(c)
	case "enable", "disable":
		if !c.menu.commands[c.action] {
			return "", nil, errNoCommand(c.action)
		}
		return s.turn(c)
	case "remove":
		return s.remove(c)
	case "move":
		return s.move(c)
	case "kill-connections", "flush":
		return s.clear(c)
	case "request-logout":
		return s.remove(c)
	case "reset-counters", "reset-counters-all", "clear", "expire-password", "force-update", "reset-freq-drift", "blink":
		return s.operate(c)
	}
	return "", nil, errNoCommand(c.action)
}

// turn enables or disables rows. Some menus have the commands and do not show
// what they did.
func (s *state) turn(c change) (string, []touched, error) {
	value := strconv.FormatBool(c.action == "disable")
	if _, ok := c.menu.attrs["disabled"]; ok {
		c.values = schema.Row{"disabled": value}
		return s.set(c)
	}
	recs, lost := s.targets(c)
	var done []touched
	for _, rec := range recs {
		old := rec.vals
		rec.vals = old.Clone()
		rec.vals["disabled"] = value
		s.changed(rec, false)
		done = append(done, touched{rec, "changed", old})
	}
	return "", done, lost
}

func (s *state) add(c change) (*record, error) {
	vals, err := s.addValues(c)
	if err != nil {
		return nil, err
	}
	if err := missing(c.menu, vals); err != nil {
		return nil, err
	}
	if err := s.unique(c.menu, vals, nil); err != nil {
		return nil, err
	}
	s.own(c, vals)
	for name := range c.menu.rule.Defaults {
		if _, ok := vals[name]; !ok {
			vals[name], _ = s.defaultOf(c.menu, name)
		}
	}
	s.derive(c.menu, vals)
	uncomment(vals)
	var before *record
	if c.before != "" {
		if before, err = s.find(c.menu, c.before); err != nil {
			return nil, err
		}
	}
	rec := &record{home: c.menu, id: s.newID(c.menu), vals: vals}
	s.insert(rec, before)
	return rec, nil
}

// uncomment drops an empty comment: a router does not print one.
func uncomment(vals schema.Row) {
	if vals["comment"] == "" {
		delete(vals, "comment")
	}
}

// addValues checks the values of an add, starting from the copied row.
func (s *state) addValues(c change) (schema.Row, error) {
	vals := schema.Row{}
	if c.copy != "" {
		from, err := s.find(c.menu, c.copy)
		if err != nil {
			return nil, err
		}
		for name, value := range from.vals {
			if _, ok := c.menu.attrs[name]; ok {
				vals[name] = value
			}
		}
	}
	checked, err := s.check(c)
	if err != nil {
		return nil, err
	}
	maps.Copy(vals, checked)
	return vals, nil
}

// check returns the values of c in the form in which they are kept.
func (s *state) check(c change) (schema.Row, error) {
	vals := make(schema.Row, len(c.values))
	for _, name := range c.values.Names() {
		if _, ok := c.menu.attrs[name]; !ok {
			return nil, errUnknownParameter(name)
		}
	}
	for _, name := range c.values.Names() {
		a := c.menu.attrs[name]
		value := c.values[name]
		if len(value) > maxValue {
			return nil, errFailure("contents too long")
		}
		v, err := a.parse(value, c.menu.rule.Numbers)
		if err != nil {
			return nil, err
		}
		if a.form == "hosts" && s.switches.HostsAsWritten {
			v = value
		}
		if v, err = s.resolve(c.menu, a, v); err != nil {
			return nil, err
		}
		vals[name] = v
	}
	return vals, lends(c, vals)
}

// resolve checks what only the other rows can tell: names of rows, pools,
// policies of a group.
func (s *state) resolve(m *menu, a attr, value string) (string, error) {
	if a.Name == "name" && value == "" {
		return "", errInvalid(a.Name)
	}
	switch a.form {
	case "ref":
		return s.reference(m, a, value)
	case "pool":
		return s.poolOrAddress(a, value)
	case "policy":
		return s.prof.policyText(value)
	}
	return value, nil
}

func (s *state) set(c change) (string, []touched, error) {
	recs, lost := s.targets(c)
	if len(recs) == 0 {
		return "", nil, lost
	}
	vals, err := s.check(c)
	if err == nil {
		err = c.unsettable()
	}
	if err != nil {
		return "", nil, err
	}
	var done []touched
	for _, rec := range recs {
		old := rec.vals
		if err := s.setOne(c, rec, vals); err != nil {
			return "", done, err
		}
		done = append(done, touched{rec, "changed", old})
	}
	return "", done, lost
}

func (s *state) setOne(c change, rec *record, vals schema.Row) error {
	if err := changeable(c, rec); err != nil {
		return err
	}
	next := rec.vals.Clone()
	maps.Copy(next, vals)
	if c.menu.path == groupMenu && vals["policy"] != "" {
		next["policy"] = s.prof.mergePolicy(rec.vals["policy"], c.values["policy"])
	}
	for _, name := range c.unset {
		delete(next, name)
		if def, ok := s.defaultOf(rec.home, name); ok {
			next[name] = def
		}
	}
	if err := s.unique(rec.home, next, rec); err != nil {
		return err
	}
	if err := s.keepsAdmin(rec, next); err != nil {
		return err
	}
	s.derive(rec.home, next)
	uncomment(next)
	old := rec.name()
	rec.vals = next
	if rec.name() != old {
		s.renamed(rec.home, old, rec.name())
	}
	s.changed(rec, false)
	s.follow(rec)
	return nil
}

// changeable refuses to change a row that the router made, apart from the comment
// of a state.
func changeable(c change, rec *record) error {
	switch {
	case !rec.dynamic || rec.home.path == "/ip/ipsec/active-peers":
		return nil
	case rec.builtin:
		return errFailure("cannot change builtin")
	}
	return errFailure("cannot change dynamic entry")
}

// unsettable refuses to take away what a row cannot be without.
func (c change) unsettable() error {
	for _, name := range c.unset {
		_, ok := c.menu.attrs[name]
		switch {
		case !ok && c.action == "unset", c.action == "unset" && !slices.Contains(c.menu.unset, name):
			return errNoMatch("value-name")
		case !ok:
			return errUnknownParameter(name)
		case slices.Contains(c.menu.rule.Required, name):
			return errInvalid(name)
		}
	}
	return nil
}

// targets returns the rows that a set, remove or move names. With an error come
// those that are to be done before it.
func (s *state) targets(c change) ([]*record, error) {
	if !c.menu.list {
		return s.tables[c.menu.path][:1], nil
	}
	if c.ids == "" {
		return nil, errMissing([]string{"numbers"})
	}
	recs, err := s.findAll(c.menu, c.ids)
	if err != nil && !s.switches.PartWay {
		return nil, err
	}
	return recs, err
}

func (s *state) remove(c change) (string, []touched, error) {
	recs, lost := s.targets(c)
	var done []touched
	for _, rec := range recs {
		if err := s.removable(c.menu, rec); err != nil {
			return "", done, err
		}
		s.drop(rec)
		done = append(done, touched{rec: rec, verb: "removed"})
	}
	return "", done, lost
}

func (s *state) removable(m *menu, rec *record) error {
	if rec.builtin && rec.dynamic {
		return errFailure("cannot change builtin")
	}
	if rec.builtin {
		return errFailure("not allowed to remove")
	}
	if rec.dynamic && !sessionMenu(m.path) {
		return errFailure("not allowed to remove")
	}
	if m.rule.InUse != "" && !s.switches.InUseDangles && s.referenced(m, rec.name()) {
		return errFailure(m.rule.InUse)
	}
	return s.keepsAdmin(rec, nil)
}

// sessionMenu tells whether removing a row of the menu ends a session.
func sessionMenu(path string) bool {
	switch path {
	case "/ppp/active", "/user/active", "/ip/ipsec/active-peers", "/ip/firewall/connection", jobMenu:
		return true
	}
	return false
}

// drop removes a row and lets references to it dangle as ids, which is how a
// router prints them.
func (s *state) drop(rec *record) {
	if rec.home.path == "/ppp/active" {
		s.endSession(rec, "nas-request")
		return
	}
	s.delete(rec)
	if rec.home.named() && rec.name() != "" && rec.id != "" {
		s.renamed(rec.home, rec.name(), rec.id)
	}
	s.follow(rec)
}

// clear removes every row of a menu of state: kill-connections and flush ask for
// no ids.
func (s *state) clear(c change) (string, []touched, error) {
	var done []touched
	for _, rec := range slices.Clone(s.tables[c.menu.path]) {
		s.delete(rec)
		done = append(done, touched{rec: rec, verb: "removed"})
	}
	return "", done, nil
}
