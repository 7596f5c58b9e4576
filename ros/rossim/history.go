package rossim

import (
	"slices"
	"strings"

	"vpnbot/ros/schema"
)

const historyMenu = "/system/history"

// historyRows is how many actions a router remembers.
const historyRows = 100

// tell writes into log and history who changed what.
func (s *state) tell(a account, done []touched) {
	s.logWrite(a, done)
	for _, t := range done {
		if silent(t.rec.home.path) {
			continue
		}
		redo, undo := s.commands(t)
		s.addDynamic(historyMenu, schema.Row{
			"action": object(t) + " " + t.verb, "by": a.name, "time": s.stamp(), "policy": "write", "undoable": "true",
			"redo": redo, "undo": undo,
		}, 0)
	}
	if over := len(s.tables[historyMenu]) - historyRows; over > 0 {
		s.tables[historyMenu] = slices.Clone(s.tables[historyMenu][over:])
	}
}

// commands returns what would do a write once more, and take it back.
func (s *state) commands(t touched) (redo, undo string) {
	keep := s.scripting.HistoryKeepsSecrets
	id := t.rec.id
	switch t.verb {
	case "added":
		return command("add", "", t.rec, t.rec.vals, keep), command("remove", id, t.rec, nil, keep)
	case "removed":
		return command("remove", id, t.rec, nil, keep), command("add", "", t.rec, t.rec.vals, keep)
	case "changed":
		return command("set", id, t.rec, different(t.old, t.rec.vals), keep), command("set", id, t.rec, different(t.rec.vals, t.old), keep)
	}
	return "", ""
}

// different returns the attributes of next that old lacks or has otherwise.
func different(old, next schema.Row) schema.Row {
	row := schema.Row{}
	for name, value := range next {
		if was, had := old[name]; !had || was != value {
			row[name] = value
		}
	}
	for name := range old {
		if _, has := next[name]; !has {
			row["!"+name] = ""
		}
	}
	return row
}

// command writes a console command. Secrets are hidden unless they are to be
// kept.
func command(verb, id string, rec *record, vals schema.Row, secrets bool) string {
	words := []string{"/" + strings.ReplaceAll(strings.TrimPrefix(rec.home.path, "/"), "/", " "), verb}
	if id != "" {
		words = append(words, id)
	}
	for _, name := range vals.Names() {
		value := vals[name]
		if _, written := rec.home.attrs[strings.TrimPrefix(name, "!")]; !written {
			continue
		}
		if value != "" && !secrets && rec.home.secret(name) {
			value = mask
		}
		switch {
		case strings.HasPrefix(name, "!"):
			words = append(words, name)
		default:
			words = append(words, name+"="+quoted(value))
		}
	}
	return strings.Join(words, " ")
}

// escaped are the characters of a text that the console writes with a
// backslash.
var escaped = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "\n", `\n`, "\r", `\r`, "\t", `\t`)

// quoted writes a value as the console does.
func quoted(value string) string {
	if value != "" && !strings.ContainsAny(value, " ;\"'\\$[](){}=\r\n\t") {
		return value
	}
	return `"` + escaped.Replace(value) + `"`
}
