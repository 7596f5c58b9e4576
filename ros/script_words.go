package ros

import (
	"fmt"
	"strings"
	"time"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// identity are the conditions that name a step's row whatever the step does to it.
func identity(step change.Step) []string {
	var conditions []string
	for _, name := range step.Match.Names() {
		_, was := step.Before[name]
		_, will := step.After[name]
		if step.Action == schema.Change && (was || will) {
			continue
		}
		conditions = append(conditions, equals(step.Menu, name, step.Match[name]))
	}
	if len(conditions) == 0 {
		return nil
	}
	menu, _ := schema.Lookup(step.Menu)
	for _, name := range []string{"dynamic", "template"} {
		if _, known := menu.Attr(name); known && step.Match[name] == "" {
			conditions = append(conditions, "!"+name)
		}
	}
	return conditions
}

// stagedRow are the conditions that name a row that the bot has added: by its mark
// where rows have comments.
func stagedRow(step change.Step, request int64) []string {
	menu, _ := schema.Lookup(step.Menu)
	var conditions []string
	for _, name := range step.Match.Names() {
		if name != "comment" {
			conditions = append(conditions, equals(step.Menu, name, step.Match[name]))
		}
	}
	if menu.Comment {
		conditions = append(conditions, equals(step.Menu, "comment", change.Mark(step.After["comment"], request, step.ID)))
	}
	return conditions
}

// before are the conditions that a row still holds what the plan saw.
func before(step change.Step) []string {
	switch step.Action {
	case schema.Enable:
		return []string{"disabled"}
	case schema.Disable:
		return []string{"!disabled"}
	}
	var conditions []string
	for _, name := range step.Before.Names() {
		conditions = append(conditions, equals(step.Menu, name, step.Before[name]))
	}
	return conditions
}

// differing are the conditions that name a step's row unless it holds the step's
// values already.
func differing(step change.Step, request int64) []string {
	conditions := identity(step)
	switch step.Action {
	case schema.Enable:
		return append(conditions, "disabled")
	case schema.Disable:
		return append(conditions, "!disabled")
	}
	var other []string
	for _, name := range step.After.Names() {
		other = append(other, name+"!="+literal(step.Menu, name, wanted(step, name, request)))
	}
	for _, name := range cleared(step) {
		other = append(other, name+`!=""`)
	}
	return append(conditions, "("+strings.Join(other, " or ")+")")
}

func rowsOf(menu string, conditions ...string) string {
	return menu + " find where " + strings.Join(conditions, " and ")
}

func equals(menu, name, value string) string { return name + "=" + literal(menu, name, value) }

// literal writes a value as the console reads its kind.
func literal(path, name, value string) string {
	menu, _ := schema.Lookup(path)
	a, _ := menu.Attr(name)
	switch a.Kind {
	case schema.Bool:
		if a.Canonical(value) == "true" {
			return "yes"
		}
		return "no"
	case schema.Number, schema.Duration, schema.Address, schema.Prefix:
		if bare(value) {
			return value
		}
	}
	return quote(value)
}

// bare tells whether value is made of the letters of numbers and addresses alone.
func bare(value string) bool {
	return value != "" && strings.Trim(value, "0123456789abcdefghijklmnopqrstuvwxyz.:/-") == ""
}

// quote writes a string literal. Bytes that are no plain text are written in hex,
// so that comments of any encoding come through unchanged.
func quote(value string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(value) {
		switch c := value[i]; {
		case c == '"' || c == '\\' || c == '$' || c == '?':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\%02X`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// delay writes whole seconds as such, anything else in milliseconds.
func delay(d time.Duration) string {
	if d%time.Second == 0 {
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return fmt.Sprintf("%dms", max(1, d/time.Millisecond))
}
