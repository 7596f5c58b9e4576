package commands

import (
	"slices"
	"strings"

	"vpnbot/change"
)

// severities are the topics that say how grave a line is. Every line has one of
// them, beside the topics of what it is about.
func severities() []string { return []string{"critical", "error", "warning", "info", "debug"} }

// coverage tells how much of a topic a router writes into memory.
type coverage struct {
	whole     bool     // a rule names the topic itself
	levels    []string // severities of which all topics are written
	elsewhere []string // actions that a rule for the topic writes to instead
}

// coverageOf reads the logging rules. A rule matches a line that has every topic
// it names and none that it names with "!".
func coverageOf(topic string, s change.Snapshot) coverage {
	var c coverage
	for _, rule := range s.Menus[menuLogging] {
		if rule["disabled"] == "true" {
			continue
		}
		var wants []string
		excluded := false
		for t := range strings.SplitSeq(rule["topics"], ",") {
			no, negated := strings.CutPrefix(strings.TrimSpace(t), "!")
			switch {
			case negated:
				excluded = excluded || no == topic
			case t != "":
				wants = append(wants, no)
			}
		}
		if excluded || len(wants) == 0 {
			continue
		}
		rest := slices.DeleteFunc(slices.Clone(wants), func(t string) bool { return t == topic })
		action := rule["action"]
		switch {
		case !inMemory(action, s):
			if len(rest) < len(wants) {
				c.elsewhere = append(c.elsewhere, action)
			}
		case len(rest) == 0:
			c.whole = true
		case len(rest) == 1 && slices.Contains(severities(), rest[0]):
			c.levels = append(c.levels, rest[0])
		}
	}
	return c
}

// inMemory tells whether a logging action keeps lines where print finds them.
func inMemory(action string, s change.Snapshot) bool {
	for _, row := range s.Menus[menuLogAction] {
		if row["name"] == action {
			return row["target"] == "memory"
		}
	}
	return action == "" || action == "memory"
}

// gaps says what of some topics cannot stand in the log. Nothing when all of it
// can; topics with the same gap share a sentence.
func gaps(topics []string, s change.Snapshot) []Part {
	said := map[string][]change.Text{}
	by := map[string]coverage{}
	var order []string
	for _, topic := range topics {
		c := coverageOf(topic, s)
		if c.whole {
			continue
		}
		key := strings.Join(c.levels, ",") + " " + strings.Join(c.elsewhere, ",")
		if said[key] == nil {
			order, by[key] = append(order, key), c
		}
		said[key] = append(said[key], value(topic))
	}
	var parts []Part
	for _, key := range order {
		parts = append(parts, by[key].gap(listOf(said[key])))
	}
	return parts
}

func (c coverage) gap(topic change.Text) Part {
	switch {
	case len(c.levels) == 0 && len(c.elsewhere) > 0:
		return Say(Warning, change.T("logs.elsewhere", "topic", topic, "action", values(c.elsewhere)))
	case len(c.levels) == 0:
		return Say(Warning, change.T("logs.unlogged", "topic", topic))
	}
	levels := slices.DeleteFunc(severities(), func(l string) bool { return !slices.Contains(c.levels, l) })
	return Say(Hint, change.T("logs.partly", "topic", topic, "levels", values(levels)))
}

// values joins words with the reader's comma.
func values(words []string) change.Text {
	list := make([]change.Text, len(words))
	for i, w := range words {
		list[i] = value(w)
	}
	return listOf(list)
}
