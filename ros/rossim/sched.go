package rossim

import (
	"strconv"
	"time"

	"vpnbot/ros/schema"
)

const schedulerMenu = "/system/scheduler"

// bootDelay is how long after a boot start-time=startup is.
const bootDelay = 3 * time.Second

// planned is when a schedule runs next.
type planned struct {
	at   time.Time
	wall bool // at is of the router's clock, which may jump; otherwise of the world's
}

// due returns when that is by the world's clock.
func (s *state) due(p planned) time.Time {
	if p.wall {
		return p.at.Add(-s.skew)
	}
	return p.at
}

// schedule follows writes into the scheduler.
func (s *state) schedule(done []touched) {
	for _, t := range done {
		if t.rec.home.path != schedulerMenu {
			continue
		}
		switch {
		case t.verb == "removed":
			delete(s.planned, t.rec.serial)
		case t.verb == "added":
			t.rec.since = s.now()
			s.plan(t.rec)
		case retimed(t.old, t.rec.vals):
			if s.scripting.StartupFrom != "added" {
				t.rec.since = s.now()
			}
			s.plan(t.rec)
		default:
			continue
		}
		s.rearm()
	}
}

// retimed tells whether a change of a schedule makes it begin anew.
func retimed(old, row schema.Row) bool {
	for _, name := range []string{"start-time", "start-date", "interval", "disabled"} {
		if old[name] != row[name] {
			return true
		}
	}
	return false
}

// rearm sets the router's alarm to the schedule that is due first.
func (s *state) rearm() {
	if s.alarm != nil {
		s.alarm()
	}
}

// plan works out when a schedule runs next, strictly after now.
func (s *state) plan(rec *record) {
	p := s.nextRun(rec, time.Now())
	if rec.vals["disabled"] == "true" || p.at.IsZero() {
		delete(s.planned, rec.serial)
		return
	}
	s.planned[rec.serial] = p
}

func (s *state) nextRun(rec *record, now time.Time) planned {
	interval, _ := schema.ParseDuration(rec.vals["interval"])
	if rec.vals["start-time"] == "startup" {
		boot := s.booted.Add(-s.skew).Add(bootDelay)
		if interval == 0 {
			return planned{at: nth(boot, 0, 0, now)}
		}
		if s.scripting.StartupFrom == "boot" {
			return planned{at: nth(boot, interval, 1, now)}
		}
		return planned{at: nth(rec.since.Add(-s.skew), interval, 1, now)}
	}
	start, ok := s.prof.parseDateTime(rec.vals["start-date"], rec.vals["start-time"])
	if !ok {
		return planned{}
	}
	return planned{at: nth(start, interval, 0, now.Add(s.skew)), wall: true}
}

// nth returns the first of from + n*step, n counted from first, that lies
// after now; without a step from itself or nothing.
func nth(from time.Time, step time.Duration, first int64, now time.Time) time.Time {
	if step <= 0 {
		if from.After(now) {
			return from
		}
		return time.Time{}
	}
	n := first
	if !now.Before(from) {
		n = max(first, int64(now.Sub(from)/step)+1)
	}
	return from.Add(time.Duration(n) * step)
}

// date fills in start-date and start-time of a new schedule: the moment at which
// it was added. A schedule that begins with the boot has no date.
func (s *state) date(vals schema.Row) {
	if vals["start-time"] == "startup" {
		return
	}
	now := s.now().UTC()
	if vals["start-time"] == "" {
		vals["start-time"] = now.Format(time.TimeOnly)
	}
	if vals["start-date"] == "" {
		vals["start-date"] = s.prof.date(now)
	}
}

// jumped follows a step of the router's clock.
func (s *state) jumped() {
	now := time.Now()
	for _, rec := range s.tables[schedulerMenu] {
		p, ok := s.planned[rec.serial]
		over := ok && p.wall && !s.due(p).After(now)
		if (over && !s.scripting.JumpSkips) || rec.vals["start-time"] == "startup" {
			continue // it is due at once, or has nothing to do with the clock
		}
		s.plan(rec)
	}
	s.rearm()
}

// rebootSchedules makes every schedule begin anew.
func (s *state) rebootSchedules() {
	clear(s.planned)
	for _, rec := range s.tables[schedulerMenu] {
		rec.since = s.booted
		s.plan(rec)
	}
	s.rearm()
}

// ran counts a run of a schedule or a script.
func (s *state) ran(rec *record) {
	n, _ := strconv.Atoi(rec.vals["run-count"])
	rec.vals = rec.vals.Clone()
	rec.vals["run-count"] = itoa(n + 1)
	if rec.home.readable["last-started"] {
		rec.vals["last-started"] = s.stamp()
	}
	s.changed(rec, false)
}

// arm sets the one timer to the schedule that is due first. Callers hold r.mu.
func (r *Router) arm() {
	var at time.Time
	for _, p := range r.st.planned {
		if due := r.st.due(p); at.IsZero() || due.Before(at) {
			at = due
		}
	}
	r.disarm()
	if at.IsZero() || r.closed {
		return
	}
	r.alarms++
	which := r.alarms
	r.wg.Add(1)
	r.alarm = time.AfterFunc(time.Until(at), func() {
		defer r.wg.Done()
		r.ring(which)
	})
}

// disarm stops the timer. Callers hold r.mu.
func (r *Router) disarm() {
	if r.alarm != nil && r.alarm.Stop() {
		r.wg.Done()
	}
	r.alarm = nil
}

// ring begins what is due.
func (r *Router) ring(which uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if which != r.alarms {
		return // set anew meanwhile
	}
	r.alarm = nil
	if r.closed {
		return
	}
	now := time.Now()
	for _, rec := range r.st.tables[schedulerMenu] {
		p, ok := r.st.planned[rec.serial]
		if !ok || r.st.due(p).After(now) {
			continue
		}
		r.st.plan(rec)
		if r.st.feature("scheduler") {
			r.launch(rec)
		}
	}
	r.arm()
}

// launch runs a schedule's script: its own text, or the script that it names,
// which may not ask for more than the schedule has. Callers hold r.mu.
func (r *Router) launch(rec *record) {
	s, v := r.st, rec.vals
	s.ran(rec)
	who := account{name: v["owner"], from: v["name"], via: "scheduler", rights: granted(v["policy"])}
	src := v["on-event"]
	for _, named := range s.tables["/system/script"] {
		if named.name() != src {
			continue
		}
		if named.vals["dont-require-permissions"] != "true" && !grants(who.rights, named.vals["policy"]) {
			s.log("script,error", errRights().Error())
			s.log("script,error", failedText(v["name"]))
			return
		}
		s.ran(named)
		src = named.vals["source"]
		break
	}
	t := &task{src: src, who: who, via: v["name"]}
	s.enlist(t)
	r.begin(t)
}

func failedText(name string) string {
	return "executing script " + name + " from scheduler failed, please check it manually"
}
