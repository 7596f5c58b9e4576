package rossim

import (
	"slices"
	"strings"
	"testing"

	"vpnbot/ros/schema"
)

// sampleOf returns a value that an attribute takes, "" when nothing on the router
// can be named.
func sampleOf(s *state, m *menu, a attr) string {
	switch a.form {
	case "bool":
		return "yes"
	case "enum":
		return a.words[len(a.words)-1]
	case "set":
		return strings.Join([]string{a.words[1], a.words[0]}, ",")
	case "number":
		return itoa(int(max(m.rule.Numbers[a.Name][0], 7)))
	case "time":
		if a.limit.most > 0 {
			return schema.FormatDuration(a.limit.most)
		}
		return "90s"
	case "ip":
		return "192.0.2.9"
	case "ips":
		return "192.0.2.9,192.0.2.10"
	case "prefix", "prefixes", "hosts", "host", "range", "ranges":
		return "192.0.2.0/24"
	case "clock":
		return "01:02:03"
	case "date":
		return s.prof.date(s.now())
	case "mac":
		return "02:00:5e:00:00:01"
	case "ports", "numbers":
		return "20-30"
	case "protocol":
		return "tcp"
	case "flags":
		return a.words[0]
	case "ipsec-policy":
		return "in,ipsec"
	case "identity":
		return "fqdn:a.example"
	case "policy", "policies":
		return "read"
	case "ref", "pool":
		return target(s, a)
	}
	return strings.Repeat("x", max(1, a.limit.shortest))
}

// target returns something that an attribute may refer to.
func target(s *state, a attr) string {
	for _, ref := range a.refs {
		if !strings.HasPrefix(ref, "/") {
			return ref
		}
		for _, rec := range s.rows(s.prof.menus[ref]) {
			if rec.name() != "" {
				return rec.name()
			}
		}
	}
	return ""
}

// ready makes rows that others name.
func ready(t *testing.T, r *Router) {
	t.Helper()
	for path, row := range map[string]schema.Row{
		"/interface/bridge": {"name": "lan"}, "/ip/pool": {"name": "pool", "ranges": "10.0.0.2-10.0.0.9"},
		"/ip/ipsec/peer": {"name": "peer"}, "/certificate": {"name": "cert"},
	} {
		add(t, r, path, row)
	}
}

// A consistency check, no expectation: the simulator against its own tables. In
// every menu of every version each attribute takes a value of its form, is kept in
// a form that it takes again unchanged, is shown where it can be read, and can be
// taken away; an unknown one is refused.
func TestConsistency_Attributes(t *testing.T) {
	eachProfile(t, func(t *testing.T, r *Router) {
		ready(t, r)
		checked := 0
		for _, path := range r.prof.paths {
			m := r.prof.menus[path]
			if !m.commands["set"] && !m.commands["add"] || path == "/system/clock" || path == "/user/active" {
				continue
			}
			id := subject(t, r, m)
			if id == "" && m.list {
				continue
			}
			for name, a := range m.attrs {
				if name == "name" || !m.commands["set"] {
					continue
				}
				checked += checkAttribute(t, r, m, id, a)
			}
			if _, err := r.administer(path, "set", id, schema.Row{"no-such-attribute": "x"}); err == nil || !strings.HasSuffix(err.Error(), "unknown parameter") {
				t.Errorf("%s takes what it does not have: %v", path, err)
			}
		}
		if checked < 500 {
			t.Errorf("%d attributes were checked", checked)
		}
	})
}

// subject returns the row of a menu to try attributes on: a new one where rows
// can be added, else the first that can be changed.
func subject(t *testing.T, r *Router, m *menu) string {
	t.Helper()
	if !m.list {
		return ""
	}
	if m.commands["add"] {
		row := schema.Row{}
		r.mu.Lock()
		for _, name := range slices.Concat(m.rule.Required, m.rule.Unique) {
			if a, ok := m.attrs[name]; ok {
				row[name] = sampleOf(r.st, m, a)
			}
		}
		if m.named() && row["name"] != "" {
			row["name"] = strings.ReplaceAll(strings.TrimPrefix(m.path, "/"), "/", "-")
		}
		r.mu.Unlock()
		id, err := r.Add(m.path, row)
		if err != nil {
			t.Errorf("adding %v to %s: %v", row, m.path, err)
		}
		return id
	}
	for _, row := range r.Rows(m.path) {
		if row["dynamic"] != "true" {
			return row[schema.ID]
		}
	}
	return ""
}

func checkAttribute(t *testing.T, r *Router, m *menu, id string, a attr) int {
	t.Helper()
	r.mu.Lock()
	value := sampleOf(r.st, m, a)
	r.mu.Unlock()
	if value == "" || slices.Contains(m.rule.Unique, a.Name) || m.path == "/user" {
		return 0
	}
	write := func(value string) string {
		if err := r.Set(m.path, id, schema.Row{a.Name: value}); err != nil {
			t.Errorf("%s %s=%s (%s): %v", m.path, a.Name, value, a.form, err)
			return ""
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		recs, err := r.st.targets(change{menu: m, ids: id})
		if err != nil {
			t.Fatal(err)
		}
		kept, shown := recs[0].vals[a.Name], r.st.show(m, recs[0])[a.Name]
		if m.readable[a.Name] && shown != kept && !slices.Contains(m.rule.Hidden, a.Name) {
			t.Errorf("%s %s is kept as %q and shown as %q", m.path, a.Name, kept, shown)
		}
		return kept
	}
	first := write(value)
	if again := write(first); again != first {
		t.Errorf("%s %s: %q becomes %q and then %q", m.path, a.Name, value, first, again)
	}
	if slices.Contains(m.rule.Required, a.Name) {
		return 1
	}
	if err := r.Set(m.path, id, schema.Row{"!" + a.Name: ""}); err != nil {
		t.Errorf("%s: taking %s away: %v", m.path, a.Name, err)
	}
	return 1
}

// A consistency check, too: in every menu that has them, comment, disable, enable,
// copy-from, move and remove do to a row what they say.
func TestConsistency_Commands(t *testing.T) {
	eachProfile(t, func(t *testing.T, r *Router) {
		ready(t, r)
		c := member(t, r)
		for _, path := range r.prof.paths {
			m := r.prof.menus[path]
			if !m.commands["add"] || !m.commands["remove"] || path == "/user/active" || path == "/ip/ipsec/active-peers" {
				continue
			}
			id := subject(t, r, m)
			value := func(name string) string {
				for _, row := range r.Rows(path) {
					if row[schema.ID] == id {
						return row[name]
					}
				}
				return "gone"
			}
			steps := []struct{ command, args, name, want string }{
				{"comment", "=comment=note", "comment", "note"},
				{"disable", "", "disabled", "true"},
				{"enable", "", "disabled", "false"},
				{"move", "", schema.ID, id},
				{"remove", "", schema.ID, "gone"},
			}
			for _, s := range steps {
				if !m.commands[s.command] {
					c.want(path+"/"+s.command+" =numbers="+id, "!trap =category=0 =message=no such command", "!done")
					continue
				}
				c.want(strings.TrimSpace(path+"/"+s.command+" =numbers="+id+" "+s.args), "!done")
				if got := value(s.name); (s.name == schema.ID || m.readable[s.name]) && got != s.want {
					t.Errorf("%s/%s: %s is %q", path, s.command, s.name, got)
				}
			}
		}
	})
}
