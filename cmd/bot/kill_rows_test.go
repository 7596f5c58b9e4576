//go:build !nodemo

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"vpnbot/change"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
)

// holdings are the rows that somebody configured on a router, by menu and in the
// router's order, secrets included.
type holdings map[string][]schema.Row

// unsettled are menus whose rows come and go by themselves.
func unsettled(menu string) bool {
	return slices.Contains([]string{
		"/interface", "/ip/firewall/connection", "/ip/ipsec/active-peers", "/ip/ipsec/installed-sa", "/ip/route", "/log", "/ppp/active",
		"/system/clock", "/system/health", "/system/history", "/system/resource", "/user/active", "/tool/netwatch",
	}, menu)
}

func held(r *rossim.Router) holdings {
	all := holdings{}
	for _, path := range schema.Paths() {
		if unsettled(path) {
			continue
		}
		menu, _ := schema.Lookup(path)
		for _, row := range r.Rows(path) {
			if row["dynamic"] == "true" {
				continue
			}
			stable := menu.Stable(row)
			for name := range stable {
				if a, known := menu.Attr(name); known && a.ReadOnly && name != "default" {
					delete(stable, name)
				}
			}
			for _, name := range menu.Secrets() {
				stable[name] = row[name]
			}
			for name := range stable {
				// Flagged makes some changes fail.
				if strings.HasPrefix(name, "last-") || slices.Contains([]string{"used", "available", "flagged"}, name) {
					delete(stable, name)
				}
			}
			all[path] = append(all[path], stable)
		}
	}
	return all
}

// planned marks a row of which the plan names the values.
const planned = "planned by"

// after returns what a router holds when a plan was carried out. Rows of the plan
// hold at least its values; all others hold what they held, byte for byte.
func (h holdings) after(r change.Request, router string) holdings {
	all := maps.Clone(h)
	for _, s := range r.Plan.Steps {
		if s.Router != router || unsettled(s.Menu) {
			continue
		}
		rows := slices.Clone(all[s.Menu])
		i := slices.IndexFunc(rows, s.Finds)
		if i < 0 && s.Action != schema.Add {
			panic(fmt.Sprintf("%s: no row for step %+v among %v", router, s, rows))
		}
		switch s.Action {
		case schema.Add:
			row := s.After.Clone()
			row[planned] = fmt.Sprintf("#%d step %d", r.Number, s.ID)
			if s.Place == change.TopPlace {
				rows = slices.Insert(rows, 0, row)
			} else {
				rows = append(rows, row)
			}
		case schema.Remove:
			rows = slices.Delete(rows, i, i+1)
		default:
			row := rows[i].Clone()
			maps.Copy(row, s.After)
			for name := range s.Secrets {
				delete(row, name) // nobody but the router and the bot knows it
			}
			for name := range s.Before {
				if _, kept := s.After[name]; !kept {
					delete(row, name)
				}
			}
			if on, off := s.Action == schema.Enable, s.Action == schema.Disable; on || off {
				row["disabled"] = fmt.Sprint(off)
			}
			row[planned] = fmt.Sprintf("#%d step %d", r.Number, s.ID)
			rows[i] = row
		}
		all[s.Menu] = rows
	}
	return all
}

// differs names what a router holds otherwise than wanted.
func (h holdings) differs(got holdings) []string {
	var list []string
	for _, path := range schema.Paths() {
		menu, _ := schema.Lookup(path)
		want, have := h[path], got[path]
		if len(want) != len(have) {
			list = append(list, fmt.Sprintf("%s: %d rows, want %d: %v", path, len(have), len(want), namesOf(have)))
			continue
		}
		for i, row := range want {
			if row[planned] == "" {
				if !maps.Equal(row, have[i]) {
					list = append(list, fmt.Sprintf("%s: row %d is not as it was: %v", path, i, parting(row, have[i])))
				}
				continue
			}
			for name, value := range row {
				now := have[i][name]
				if name == "comment" {
					now, value = change.Unmarked(now), change.Unmarked(value)
				}
				if name != planned && !menu.Same(name, now, value) {
					list = append(list, fmt.Sprintf("%s: %s of row %d, %s, is %q, want %q", path, name, i, row[planned], now, value))
				}
			}
		}
	}
	return list
}

// parting names the attributes in which two rows differ.
func parting(a, b schema.Row) []string {
	var names []string
	for _, row := range []schema.Row{a, b} {
		for name := range row {
			if a[name] != b[name] && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

func namesOf(rows []schema.Row) []string {
	var names []string
	for _, row := range rows {
		names = append(names, row["name"]+row["peer"])
	}
	return names
}

// working are the rows that decide what a router does with tunnels: those that are
// switched on, and what they refer to. What else stands there waits for its time.
func (h holdings) working() holdings {
	on := func(row schema.Row) bool {
		return row["disabled"] != "true" && row["disabled"] != "yes" && row["template"] != "true" && row["template"] != "yes"
	}
	pick := func(path string, is func(schema.Row) bool) (rows []schema.Row) {
		for _, row := range h[path] {
			if is(row) {
				rows = append(rows, row)
			}
		}
		return rows
	}
	names := func(rows []schema.Row, attr string) func(schema.Row) bool {
		return func(row schema.Row) bool {
			return slices.ContainsFunc(rows, func(r schema.Row) bool { return r[attr] == row["name"] })
		}
	}
	peers, policies := pick("/ip/ipsec/peer", on), pick("/ip/ipsec/policy", on)
	return holdings{
		"/ip/ipsec/peer": peers, "/ip/ipsec/policy": policies,
		"/ip/ipsec/identity": pick("/ip/ipsec/identity", func(row schema.Row) bool {
			return on(row) && slices.ContainsFunc(peers, func(p schema.Row) bool { return p["name"] == row["peer"] })
		}),
		"/ip/ipsec/profile": pick("/ip/ipsec/profile", names(peers, "profile")),
		"/ip/ipsec/proposal": pick("/ip/ipsec/proposal", func(row schema.Row) bool {
			return on(row) && names(policies, "proposal")(row)
		}),
	}
}

// once leaves out what a write leaves that a router carries out when it was written
// again long ago: a row that stands there already, and a guard that is switched off.
func (h holdings) once() holdings {
	all := holdings{}
	for path, rows := range h {
		for _, row := range rows {
			again := slices.ContainsFunc(all[path], func(other schema.Row) bool {
				return len(slices.DeleteFunc(parting(row, other), func(name string) bool { return name == "disabled" || name == "comment" })) == 0
			})
			if guard := strings.HasPrefix(row["name"], "vpnbot-guard-"); !again && (!guard || row["disabled"] != "true") {
				all[path] = append(all[path], row)
			}
		}
	}
	return all
}

// but leaves out one row that a change was to add and that it has taken back, when
// there is just one: the router has carried out a write long after it was given up.
func (h holdings) but(steps []change.Step) holdings {
	all, late := holdings{}, 0
	for path, rows := range h {
		all[path] = slices.DeleteFunc(slices.Clone(rows), func(row schema.Row) bool {
			is := slices.ContainsFunc(steps, func(s change.Step) bool { return s.Menu == path && s.Action == schema.Add && s.Finds(row) })
			late += btoi(is)
			return is
		})
	}
	if late != 1 {
		return h
	}
	return all
}

// unguarded leaves out guards: none outlives its change, and one that an earlier
// change has left goes when people deal with that.
func (h holdings) unguarded() holdings {
	all := maps.Clone(h)
	all["/system/scheduler"] = slices.DeleteFunc(slices.Clone(h["/system/scheduler"]), func(row schema.Row) bool {
		return strings.HasPrefix(row["name"], "vpnbot-guard-")
	})
	return all
}

// only are the rows of the menus that a plan writes on a router.
func (h holdings) only(plan change.Plan, router string) holdings {
	some := holdings{}
	for _, s := range plan.Steps {
		if s.Router == router && !unsettled(s.Menu) {
			some[s.Menu] = h[s.Menu]
		}
	}
	return some
}

// lacks names rows of h that got does not have as they are and in their order, but
// for those that a plan is about, and what got has besides that the plan does not
// explain.
func (h holdings) lacks(got holdings, plan change.Plan, router string) []string {
	var list []string
	for _, path := range schema.Paths() {
		may := 0
		var own []schema.Row
		for _, row := range h[path] {
			if slices.ContainsFunc(plan.Steps, func(s change.Step) bool { return s.Router == router && s.Menu == path && s.Finds(row) }) {
				may++
				continue
			}
			own = append(own, row)
		}
		for _, s := range plan.Steps {
			may += btoi(s.Router == router && s.Menu == path && s.Action == schema.Add)
		}
		if path == "/system/scheduler" && plan.Phased() {
			may++ // the guard
		}
		have := got[path]
		for _, row := range own {
			i := slices.IndexFunc(have, func(other schema.Row) bool { return maps.Equal(row, other) })
			if i < 0 {
				list = append(list, fmt.Sprintf("%s: a row of somebody else's is not as it was, or not in its place", path))
				break
			}
			may -= i
			have = have[i+1:]
		}
		if may -= len(have); may < 0 {
			list = append(list, fmt.Sprintf("%s: %d rows too many: %v", path, -may, namesOf(got[path])))
		}
	}
	return list
}
