package rossim

import (
	"slices"
	"strings"

	"vpnbot/ros/schema"
)

// mask stands for a value that the reader may not see.
const mask = "*****"

// reading is one print-like command.
type reading struct {
	ids       string
	queries   []string
	props     []string // nil: everything
	sensitive bool     // show-sensitive given
	flags     schema.Row
}

// read returns the rows that the reader asked for, as the reader may see them.
func (r *Router) read(a account, m *menu, q reading) ([]schema.Row, error) {
	recs := r.st.rows(m)
	if q.ids != "" && m.list {
		var err error
		if recs, err = r.st.findAll(m, q.ids); err != nil {
			return nil, err
		}
	}
	kinds := func(name string) schema.Attr {
		if at, ok := m.attrs[name]; ok {
			return at.Attr
		}
		return guess(m, name)
	}
	clear := a.may("sensitive") && (q.sensitive || !r.masks())
	var rows []schema.Row
	for _, rec := range recs {
		row := r.st.show(m, rec)
		if !clear {
			hide(m, row)
		}
		ok, err := matches(q.queries, row, kinds)
		if err != nil {
			return nil, err
		}
		if ok && q.wants(row) {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// wants applies print's arguments dynamic and static.
func (q reading) wants(row schema.Row) bool {
	if _, ok := q.flags["dynamic"]; ok && row["dynamic"] != "true" {
		return false
	}
	if _, ok := q.flags["static"]; ok && row["dynamic"] == "true" {
		return false
	}
	return true
}

// known refuses to ask for what the menu lacks.
func (q reading) known(m *menu) error {
	for _, name := range q.props {
		if !strings.HasPrefix(name, ".") && !m.readable[name] {
			return errUnknownParameter(name)
		}
	}
	return nil
}

// guess is the kind of an attribute that cannot be written.
func guess(m *menu, name string) schema.Attr {
	if sm, ok := schema.Lookup(m.path); ok {
		if a, ok := sm.Attr(name); ok {
			return a
		}
	}
	kind := schema.Text
	switch name {
	case "dynamic", "invalid", "default", "running", "active", "disabled", "radius", "builtin", "slave":
		kind = schema.Bool
	case "uptime", "last-seen":
		kind = schema.Duration
	}
	return schema.Attr{Name: name, Kind: kind}
}

func hide(m *menu, row schema.Row) {
	for name, value := range row {
		if value != "" && m.secret(name) {
			row[name] = mask
		}
	}
}

// words writes a row as attribute words, .id first, the rest by name; with a
// proplist in its order, names that the row lacks left out.
func words(row schema.Row, props []string) []string {
	names := props
	if names == nil {
		names = row.Names()
		if i := slices.Index(names, schema.ID); i > 0 {
			names = slices.Insert(slices.Delete(names, i, i+1), 0, schema.ID)
		}
	}
	var ws []string
	for _, name := range names {
		if value, ok := row[name]; ok {
			ws = append(ws, "="+name+"="+value)
		}
	}
	return ws
}

// generic are the arguments of print that every menu has.
var generic = []string{
	"detail", "count-only", "show-ids", "as-value", "brief", "terse", "without-paging", "comments", "value-list", "from",
	"proplist", ".proplist", schema.ID, "numbers", "stats", "all",
}

// printable refuses arguments that the menu's print does not have.
func printable(m *menu, args schema.Row) error {
	for name := range args {
		if !slices.Contains(generic, name) && !slices.Contains(m.printing, name) {
			return errUnknownParameter(name)
		}
	}
	return nil
}

func splitList(s string) []string {
	var out []string
	for p := range strings.SplitSeq(s, ",") {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, p)
		}
	}
	return out
}
