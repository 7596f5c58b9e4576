package rossim

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"vpnbot/ros/schema"
)

func itoa(n int) string { return strconv.Itoa(n) }

// stamp is the router's time as it prints it.
func (s *state) stamp() string { return s.prof.dateTime(s.now()) }

// log writes a row into memory when a logging rule asks for its topics.
func (s *state) log(topics, message string) { s.logAt(time.Now(), topics, message) }

// logAt writes what happened at a moment of the world's clock.
func (s *state) logAt(at time.Time, topics, message string) {
	if !s.logged(strings.Split(topics, ",")) {
		return
	}
	m := s.prof.menus["/log"]
	rec := &record{home: m, id: s.newID(m), vals: schema.Row{
		"time": s.prof.dateTime(at.Add(s.skew)), "topics": topics, "message": message, "buffer": "memory",
	}}
	s.insert(rec, nil)
	limit := s.memoryLines()
	if over := len(s.tables["/log"]) - limit; over > 0 {
		s.tables["/log"] = slices.Clone(s.tables["/log"][over:])
	}
}

func (s *state) memoryLines() int {
	for _, r := range s.tables["/system/logging/action"] {
		if n, err := strconv.Atoi(r.vals["memory-lines"]); err == nil && r.name() == "memory" {
			return max(n, 1)
		}
	}
	return 1000
}

// logged tells whether a rule with action memory matches: every topic of the
// rule is among the row's, none of its negated ones is.
func (s *state) logged(topics []string) bool {
	return slices.ContainsFunc(s.tables["/system/logging"], func(r *record) bool {
		if r.vals["disabled"] == "true" || r.vals["action"] != "memory" {
			return false
		}
		for want := range strings.SplitSeq(r.vals["topics"], ",") {
			no, negated := strings.CutPrefix(want, "!")
			if slices.Contains(topics, no) == negated {
				return false
			}
		}
		return true
	})
}

// logWrite tells the log who changed what, as routers since 7.13 do: with the
// transport and the source.
func (s *state) logWrite(a account, done []touched) {
	for _, t := range done {
		if silent(t.rec.home.path) {
			continue
		}
		by := " by " + a.via + ":" + a.name + "@" + a.from
		switch text, ok := scheduled[t.verb]; {
		case t.rec.home.path != schedulerMenu || !ok:
			s.log("system,info", object(t)+" "+t.verb+by)
		case t.verb == "added": // the text that is scheduled comes along
			s.log("system,info", text+by+" ("+t.rec.id+" = "+command("add", "", t.rec, t.rec.vals, false)+")")
		default:
			s.log("system,info", text+by)
		}
	}
}

// scheduled is what the log says of schedules.
var scheduled = map[string]string{
	"added": "new script scheduled", "changed": "changed scheduled script settings", "removed": "script removed from scheduler",
}

// silent tells whether writes in the menu are not told about.
func silent(path string) bool {
	return path == "/log" || path == "/ip/ipsec/installed-sa" || sessionMenu(path)
}

// object names the row that a write was about.
func object(t touched) string {
	object := strings.ReplaceAll(strings.TrimPrefix(t.rec.home.path, "/"), "/", " ")
	for _, p := range []string{"ip ", "system ", "interface "} {
		if rest, ok := strings.CutPrefix(object, p); ok {
			object = rest
			break
		}
	}
	if name := t.rec.name(); name != "" && t.rec.home.list {
		object += " <" + name + ">"
	}
	return object
}
