//go:build !nodemo

package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
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
				if a, known := menu.Attr(name); known && a.ReadOnly {
					delete(stable, name)
				}
			}
			for _, name := range menu.Secrets() {
				stable[name] = row[name]
			}
			for _, name := range []string{"last-logged-in", "used", "available", "flagged"} { // the last makes some changes fail
				delete(stable, name)
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
		if s.Router != router {
			continue
		}
		rows := slices.Clone(all[s.Menu])
		i := slices.IndexFunc(rows, s.Finds)
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
					list = append(list, fmt.Sprintf("%s: row %d is not as it was", path, i))
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

func namesOf(rows []schema.Row) []string {
	var names []string
	for _, row := range rows {
		names = append(names, row["name"]+row["peer"])
	}
	return names
}

// grave checks what stands at a death: no router has been touched without an
// earlier "applying" in the trail. It returns what was decided by then.
func (f *fork) grave() change.Decision {
	f.t.Helper()
	w := f.twin()
	m := exhume(f.t, w.demo)
	defer w.end()
	defer func() { _ = m.ledger.Close() }()
	if c := m.checkpoint(); c.Size > 0 {
		f.notes = append(f.notes, c.Note)
	}
	touched := strings.Contains(f.r.where, "gw-")
	for _, o := range w.routers {
		touched = touched || len(f.before[o.Router].differs(held(o.router))) > 0
	}
	if n := m.count(change.EventApplying, 0); touched && n != 1 {
		f.t.Errorf("%s: %d requests began to be applied, want 1", f.r.where, n)
	}
	requests, err := m.ledger.Requests(m.ctx(), change.Filter{States: []change.State{change.Applying}})
	if err != nil || len(requests) != 1 {
		return change.Undecided
	}
	return requests[0].Decided
}

// verdict ends a world in which the people are done, holds what is left to what
// was promised, and returns how the change has ended.
func (f *fork) verdict(w *world, where string) change.State {
	f.t.Helper()
	problem := func(format string, args ...any) {
		f.t.Helper()
		f.t.Errorf("%s: %s", where, fmt.Sprintf(format, args...))
	}
	if locks := w.sys.engine.Locks(); len(locks) > 0 {
		problem("locked: %v", locks)
	}
	w.stop()
	defer w.end()
	for line := range strings.Lines(w.log.String()) {
		if strings.Contains(line, "level=ERROR") {
			problem("the log says: %s", line)
		}
	}
	m := exhume(f.t, w.demo)
	defer func() { _ = m.ledger.Close() }()
	return f.judge(w.demo, m, w.log.String(), problem)
}

// judge looks at what a bot that has stopped leaves behind.
func (f *fork) judge(d *demo, m *remains, log string, problem func(string, ...any)) change.State {
	f.t.Helper()
	m.verify(f.notes)
	m.idle()
	m.marks = m.posted()
	m.notices()
	end, rows := m.ended(f.before, problem)
	for _, o := range d.routers {
		for _, d := range rows[o.Router].differs(held(o.router)) {
			problem("ended %s, %s: %s", end, o.Router, d)
		}
		if jobs := o.router.Rows("/system/script/job"); len(jobs) > 0 {
			problem("scripts run on %s: %d", o.Router, len(jobs))
		}
	}
	if now := stand(d.internet, f.want); now.split() {
		problem("ended %s, %v", end, now)
	} else if now := afresh(f.t, f.want, d.internet)[0]; now.split() {
		problem("ended %s, negotiated afresh: %v", end, now)
	}
	f.search(d, m, log, problem)
	return end
}

// ended checks how every request ended, and returns the end of the one that was
// applied last, with the rows that must stand then.
func (m *remains) ended(before map[string]holdings, problem func(string, ...any)) (change.State, map[string]holdings) {
	m.t.Helper()
	requests, err := m.ledger.Requests(m.ctx(), change.Filter{})
	if err != nil {
		m.t.Fatal(err)
	}
	rows := maps.Clone(before)
	slices.SortFunc(requests, func(a, b change.Request) int { return a.Ended.Compare(b.Ended) })
	var end change.State
	for _, r := range requests {
		begun := m.count(change.EventApplying, r.Number)
		switch r.State {
		case change.Committed:
			for router, h := range rows {
				rows[router] = h.after(r, router)
			}
			end = r.State
		case change.Reverted:
			end = r.State
		case change.Draft, change.Discarded, change.Expired, change.Stale:
			begun++ // none
		case change.Applied: // it ended another one
			if r.Plan.Intent.Resume == 0 {
				problem("%s ended %q", r.Title(), r.State)
			}
		default:
			problem("%s ended %q: %v", r.Title(), r.State, r.Outcome)
			end = r.State
		}
		if r.Number == 0 {
			continue
		}
		if begun != 1 {
			problem("%s, %s: the trail tells %d times that it began", r.Title(), r.State, begun)
		}
		for kind, state := range map[change.EventKind]change.State{change.EventCommitted: change.Committed, change.EventReverted: change.Reverted} {
			if got := m.count(kind, r.Number); got != btoi(r.State == state) {
				problem("%s, %s: %d events %s", r.Title(), r.State, got, kind)
			}
		}
		for _, ref := range r.Plan.SecretRefs() {
			if _, err := m.ledger.Sealed(m.ctx(), ref); err == nil {
				problem("%s, %s: the key is still kept", r.Title(), r.State)
			}
		}
	}
	return end, rows
}

// plant looks up the keys that the tunnel has, to search for them.
func (f *fork) plant(in *rossim.Internet) {
	for _, router := range in.Routers() {
		for _, row := range in.Router(router).Rows("/ip/ipsec/identity") {
			if row["dynamic"] != "true" {
				f.keys.plant("key of "+row["peer"]+" on "+router, row["secret"])
			}
		}
	}
}

// searchRouters looks for the tunnel's keys where routers keep what was done.
func (f *fork) searchRouters(in *rossim.Internet, problem func(string, ...any)) {
	for _, router := range in.Routers() {
		for _, menu := range []string{"/log", "/system/history", "/system/scheduler", "/system/script", "/system/script/job"} {
			for _, found := range f.keys.in(asJSON(f.t, in.Router(router).Rows(menu))) {
				problem("%s of %s: %s", menu, router, found)
			}
		}
	}
}

// search looks for the tunnel's keys, old and new, wherever they must not stand.
func (f *fork) search(d *demo, m *remains, log string, problem func(string, ...any)) {
	f.t.Helper()
	f.plant(d.internet)
	places := map[string][]byte{"the log": []byte(log)}
	file, err := os.ReadFile(filepath.Join(d.dir, "ledger.db"))
	if err != nil {
		f.t.Fatal(err)
	}
	places["the ledger's pages"] = file
	requests, err := m.ledger.Requests(m.ctx(), change.Filter{})
	if err != nil {
		f.t.Fatal(err)
	}
	places["requests"] = asJSON(f.t, requests)
	for _, r := range requests {
		journal, err := m.ledger.Journal(m.ctx(), r.ID)
		if err != nil {
			f.t.Fatal(err)
		}
		places["requests"] = append(places["requests"], asJSON(f.t, journal)...)
	}
	places["events"] = asJSON(f.t, m.events(change.EventFilter{}))
	for _, u := range d.slack.People() {
		for _, c := range []string{"C0VPNOPS", "C0VPNAUDIT", "C0PARTNER", d.slack.Direct(u.ID)} {
			places["messages"] = append(places["messages"], asJSON(f.t, d.slack.Messages(u.ID, c))...)
		}
		places["modals"] = append(places["modals"], asJSON(f.t, d.slack.Views(u.ID))...)
	}
	for where, data := range places {
		for _, found := range f.keys.in(data) {
			problem("%s: %s", where, found)
		}
	}
	f.searchRouters(d.internet, problem)
	if !bytes.Contains(places["messages"], []byte("hq-fengshan")) || !bytes.Contains(places["events"], []byte("gw-fengshan")) {
		problem("nothing was found to search")
	}
}
