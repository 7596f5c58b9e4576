package rossim

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"vpnbot/ros/schema"
)

// Rows returns the rows of a menu, secrets in clear, in the router's order. An
// unknown menu has none.
func (r *Router) Rows(path string) []schema.Row {
	r.settle()
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.prof.menus[path]
	if m == nil {
		return nil
	}
	var rows []schema.Row
	for _, rec := range r.st.rows(m) {
		row := r.st.show(m, rec)
		for _, name := range m.rule.Hidden {
			if v, ok := rec.vals[name]; ok {
				row[name] = v
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// Add adds a row as an administrator in WinBox does: same checks, same log, no
// wire. It returns the new id.
func (r *Router) Add(path string, row schema.Row) (string, error) {
	return r.administer(path, "add", "", row)
}

// Set changes the row with that id or name; a settings menu takes "" as id. A
// key that starts with "!" unsets the attribute.
func (r *Router) Set(path, id string, row schema.Row) error {
	_, err := r.administer(path, "set", id, row)
	return err
}

// Remove removes the row with that id or name.
func (r *Router) Remove(path, id string) error {
	_, err := r.administer(path, "remove", id, nil)
	return err
}

// Flush empties a menu of state that has the command flush.
func (r *Router) Flush(path string) error {
	_, err := r.administer(path, "flush", "", nil)
	return err
}

func (r *Router) administer(path, action, id string, row schema.Row) (string, error) {
	r.settle()
	r.mu.Lock()
	m := r.prof.menus[path]
	if m == nil {
		r.mu.Unlock()
		return "", fmt.Errorf("%s in %s: %w", action, path, errNoPrefix(r.prof.stranger(path)))
	}
	c := change{menu: m, action: action, ids: id}
	c.values, c.unset = split(row)
	newID, done, err := r.st.apply(c)
	r.st.tell(winbox(), done)
	gone := r.orphans(done)
	r.mu.Unlock()
	defer r.settle()
	for _, g := range gone {
		g.close()
	}
	if err != nil {
		return "", fmt.Errorf("%s in %s: %w", action, path, err)
	}
	return newID, nil
}

// split parts "!attr" keys from values.
func split(row schema.Row) (values schema.Row, unset []string) {
	values = schema.Row{}
	for name, value := range row {
		if attr, ok := strings.CutPrefix(name, "!"); ok {
			unset = append(unset, attr)
			continue
		}
		values[name] = value
	}
	slices.Sort(unset)
	return values, unset
}

// Load writes rows menu by menu, in an order in which references resolve. A
// settings menu is set; a row whose name exists is changed; any other is
// added. Ids in the rows are ignored. It stops at the first row refused.
func (r *Router) Load(estate map[string][]schema.Row) error {
	var paths []string
	for _, p := range loadOrder {
		if _, ok := estate[p]; ok {
			paths = append(paths, p)
		}
	}
	for _, p := range slices.Sorted(maps.Keys(estate)) {
		if !slices.Contains(paths, p) {
			paths = append(paths, p)
		}
	}
	for _, p := range paths {
		for _, row := range estate[p] {
			if err := r.loadRow(p, row); err != nil {
				return err
			}
		}
	}
	return nil
}

// loadOrder puts what is referred to before what refers to it.
var loadOrder = []string{
	"/interface/bonding", "/interface/bridge", "/interface/vlan", "/interface/list", "/interface/list/member", "/interface/bridge/port", "/ip/address",
	"/routing/table",
	"/ip/pool", "/ppp/profile", "/ppp/secret", "/user/group", "/user", "/ip/ipsec/profile", "/ip/ipsec/proposal",
	"/ip/ipsec/policy/group", "/ip/ipsec/mode-config", "/ip/ipsec/peer", "/ip/ipsec/identity", "/ip/ipsec/policy",
}

func (r *Router) loadRow(path string, row schema.Row) error {
	m := r.prof.menus[path]
	row = row.Clone()
	delete(row, schema.ID)
	if m != nil && !m.list {
		return r.Set(path, "", row)
	}
	if m != nil && m.named() && row["name"] != "" {
		for _, have := range r.Rows(path) {
			if have["name"] == row["name"] {
				return r.Set(path, have[schema.ID], row)
			}
		}
	}
	_, err := r.Add(path, row)
	return err
}

// Force changes any readable attribute of a row without the checks of a write:
// what the router itself or a technician's hand would change, such as the
// device mode. A settings menu takes "" as id.
func (r *Router) Force(path, id string, row schema.Row) error {
	r.settle()
	defer r.settle()
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.prof.menus[path]
	if m == nil {
		return fmt.Errorf("force in %s: %w", path, errNoPrefix(r.prof.stranger(path)))
	}
	recs, err := r.st.targets(change{menu: m, ids: id})
	if err != nil {
		return fmt.Errorf("force in %s: %w", path, err)
	}
	for name := range row {
		if !m.readable[name] {
			return fmt.Errorf("force %s in %s: %w", name, path, errUnknownParameter(name))
		}
	}
	for _, rec := range recs {
		old := rec.vals.Clone()
		maps.Copy(rec.vals, row)
		r.st.changed(rec, false)
		r.st.affect([]touched{{rec, "forced", old}})
	}
	return nil
}
