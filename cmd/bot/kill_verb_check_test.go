//go:build !nodemo

package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"vpnbot/change"
	"vpnbot/ros/rossim"
	"vpnbot/store"
	"vpnbot/vpn"
)

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
	most := 1 + btoi(f.c.stuck != nil)
	if n := m.count(change.EventApplying, 0) - int(f.past); touched && (n < 1 || n > most) {
		f.t.Errorf("%s: %d requests began to be applied, want 1 to %d", f.r.where, n, most)
	}
	requests, err := m.ledger.Requests(m.ctx(), change.Filter{})
	if err != nil {
		f.t.Fatal(err)
	}
	for _, r := range requests {
		if r.Number > max(f.past, f.aside) && !resumes(r) && m.count(change.EventApplying, r.Number) > 0 {
			f.plan = r.Plan
			return r.Decided
		}
	}
	return change.Undecided
}

// resumes tells whether a request only has another one go on.
func resumes(r change.Request) bool {
	return r.Plan.Intent.Resume != 0 && r.Plan.Intent.Towards != change.DecidedAdopt
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
		if strings.Contains(line, "level=ERROR") && (f.noise == "" || !strings.Contains(line, f.noise)) {
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
	end, rows := m.ended(f.past, f.before, problem)
	for _, o := range d.routers {
		if f.meddled {
			f.leftovers(o.router, end, problem)
			continue
		}
		now := held(o.router)
		if f.late {
			now = now.once().but(m.takenBack(f.past, o.Router))
		}
		for _, d := range rows[o.Router].unguarded().differs(now) {
			problem("ended %s, %s: %s", end, o.Router, d)
		}
		if jobs := o.router.Rows("/system/script/job"); len(jobs) > 0 {
			problem("scripts run on %s: %d", o.Router, len(jobs))
		}
	}
	if !f.meddled { // what somebody else did stays as they left it
		f.tunnels(d, m.ledger, func(format string, args ...any) { problem("ended %s, "+format, append([]any{end}, args...)...) })
	}
	f.defined(m, problem)
	if f.c.holds != nil {
		if why := f.c.holds(d, made(end)); why != "" {
			problem("ended %s: %s", end, why)
		}
	}
	f.search(d, m, log, problem)
	return end
}

// takenBack are the steps by which changes that were reverted staged rows on a router.
func (m *remains) takenBack(past int64, router string) []change.Step {
	m.t.Helper()
	requests, err := m.ledger.Requests(m.ctx(), change.Filter{States: []change.State{change.Reverted}})
	if err != nil {
		m.t.Fatal(err)
	}
	var steps []change.Step
	for _, r := range requests {
		if r.Number > past {
			steps = append(steps, r.Plan.In(change.PhaseStage, router)...)
		}
	}
	return steps
}

// tunnels checks that the tunnels that are defined are up and come up afresh, and
// that nothing is left of the story's tunnel when it is not.
func (f *fork) tunnels(d *demo, ledger *store.Store, problem func(string, ...any)) {
	f.t.Helper()
	var all []meeting
	for _, name := range f.concerned() {
		want := expectation(f.t, d, ledger, name)
		switch {
		case want == nil && name == f.c.tunnel && !gone(d.internet, f.want):
			problem("something of %s is left", name)
		case want == nil:
		case !up(d.internet, *want):
			problem("%s is not up", name)
		default:
			all = append(all, meeting{d.internet, *want})
		}
	}
	for i, well := range afresh(f.t, all...) {
		if !well {
			problem("%s does not come up afresh", all[i].want.Tunnel.Name)
		}
	}
}

// concerned are the tunnels that have to be up when they are defined.
func (f *fork) concerned() []string { return slices.Compact([]string{tunnelName, f.c.tunnel}) }

// well tells whether the tunnels are as they must be, as far as they can be seen.
func (f *fork) well(d *demo, ledger *store.Store) bool {
	for _, name := range f.concerned() {
		if want := expectation(f.t, d, ledger, name); want != nil && !up(d.internet, *want) {
			return false
		}
	}
	return true
}

// leftovers looks, where somebody else was in the rows too, for what no bot may
// leave: a guard, and a staged row of a change that was taken back.
func (f *fork) leftovers(r *rossim.Router, end change.State, problem func(string, ...any)) {
	for path, rows := range held(r) {
		for _, row := range rows {
			ours := strings.Contains(row["comment"], "[vpnbot ")
			if strings.HasPrefix(row["name"], "vpnbot-guard-") || ours && !made(end) && len(f.c.before) == 0 {
				problem("ended %s, left on %s in %s: %s", end, r.Name(), path, row["name"]+row["peer"]+row["comment"])
			}
		}
	}
}

// made tells whether a change that ended so was made.
func made(end change.State) bool {
	return slices.Contains([]change.State{change.Committed, change.Applied, change.Unproven, change.Proven}, end)
}

// defined checks that what a plan defines holds exactly when the plan was carried
// out.
func (f *fork) defined(m *remains, problem func(string, ...any)) {
	f.t.Helper()
	requests, err := m.ledger.Requests(m.ctx(), change.Filter{})
	if err != nil {
		f.t.Fatal(err)
	}
	requests = slices.DeleteFunc(requests, func(r change.Request) bool { return r.Number <= f.past || !made(r.State) || resumes(r) })
	if len(requests) == 0 && f.def != "" {
		if def, err := m.ledger.Definition(m.ctx(), vpn.KindTunnel, f.c.tunnel); err != nil || string(def.Body) != f.def {
			problem("nothing was made, and the definition is another one, %v", err)
		}
	}
	requests = slices.DeleteFunc(requests, func(r change.Request) bool { return r.Plan.Defines == nil && !r.Plan.Retires })
	slices.SortFunc(requests, func(a, b change.Request) int { return a.Ended.Compare(b.Ended) })
	if len(requests) == 0 {
		return
	}
	r := requests[len(requests)-1]
	ref := r.Plan.Definition
	def, err := m.ledger.Definition(m.ctx(), ref.Kind, ref.Name)
	switch {
	case r.Plan.Retires && !errors.Is(err, change.ErrNotFound):
		problem("%s: the definition is still there, %v", r.Title(), err)
	case !r.Plan.Retires && (err != nil || def.Version <= ref.Version):
		problem("%s: the definition has version %d, %v; want one after %d", r.Title(), def.Version, err, ref.Version)
	}
}

// ended checks how every request ended, and returns the end of the one that was
// applied last, with the rows that must stand then.
func (m *remains) ended(past int64, before map[string]holdings, problem func(string, ...any)) (change.State, map[string]holdings) {
	m.t.Helper()
	requests, err := m.ledger.Requests(m.ctx(), change.Filter{})
	if err != nil {
		m.t.Fatal(err)
	}
	rows := maps.Clone(before)
	slices.SortFunc(requests, func(a, b change.Request) int { return a.Ended.Compare(b.Ended) })
	var end change.State
	for _, r := range requests {
		if r.Number > 0 && r.Number <= past {
			continue
		}
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
			begun = max(begun, 1) // none, but for one that people have released
		case change.Applied, change.Unproven, change.Proven:
			if resumes(r) {
				break
			}
			for router, h := range rows {
				rows[router] = h.after(r, router)
			}
			end = r.State
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
		applied := r.State == change.Applied || r.State == change.Unproven || r.State == change.Proven
		for kind, is := range map[change.EventKind]bool{
			change.EventCommitted: r.State == change.Committed, change.EventReverted: r.State == change.Reverted, change.EventApplied: applied,
		} {
			if got := m.count(kind, r.Number); got != btoi(is) {
				problem("%s, %s: %d events %s", r.Title(), r.State, got, kind)
			}
		}
		// Until their owners have opened them, and while a definition names them.
		shown := applied && (r.Plan.Reveal != nil || len(r.Plan.HandOut) > 0 || r.Plan.Defines != nil)
		for _, ref := range r.Plan.SecretRefs() {
			if _, err := m.ledger.Sealed(m.ctx(), ref); err == nil && !shown {
				problem("%s, %s: the key is still kept", r.Title(), r.State)
			}
		}
	}
	return end, rows
}

// plant looks up the keys and passwords that routers have, to search for them.
func (f *fork) plant(in *rossim.Internet) {
	for _, router := range in.Routers() {
		for menu, attr := range map[string]string{"/ip/ipsec/identity": "secret", "/ppp/secret": "password", "/interface/l2tp-server/server": "ipsec-secret"} {
			for _, row := range in.Router(router).Rows(menu) {
				if row["dynamic"] != "true" && row[attr] != "" {
					f.keys.plant(attr+" of "+row["peer"]+row["name"], row[attr])
				}
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
	asked := slices.ContainsFunc(requests, func(r change.Request) bool { return r.Number > 0 })
	if asked && !bytes.Contains(places["messages"], []byte(f.c.about)) || !bytes.Contains(places["events"], []byte("gw-")) {
		problem("nothing was found to search")
	}
}
