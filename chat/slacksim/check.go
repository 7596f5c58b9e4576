package slacksim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf16"
)

// place is where blocks stand.
type place int

const (
	inMessage place = 1 << iota
	inModal
	inHome

	anywhere = inMessage | inModal | inHome
)

// rule checks one value and reports what is wrong with it.
type rule func(c *checker, at string, v any)

// shape describes one kind of object: which properties it may have, by which
// rules, and which it must have.
type shape struct {
	fields map[string]rule
	need   []string
	// also checks what concerns several properties.
	also func(c *checker, at string, m map[string]any)
}

// checker walks blocks and collects what Slack would complain about.
type checker struct {
	where    place
	faults   []string
	shapes   map[string]shape // elements by type
	blockIDs map[string]bool
	tables   int
	markdown int // characters of markdown blocks together
	focus    int // elements that want the focus on load
	inputs   int
}

// units is a length as Slack is taken to count it: UTF-16 units, which is what
// its clients' language counts in.
func units(s string) int { return len(utf16.Encode([]rune(s))) }

func (c *checker) bad(at, format string, a ...any) {
	c.faults = append(c.faults, fmt.Sprintf(format, a...)+" [json-pointer:"+at+"]")
}

// object checks a value against a shape.
func (c *checker) object(at string, v any, sh shape) {
	m, ok := v.(map[string]any)
	if !ok {
		c.bad(at, "must provide an object")
		return
	}
	for _, key := range sh.need {
		if _, ok := m[key]; !ok {
			c.bad(at, "missing required field: %s", key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		rule, ok := sh.fields[key]
		switch {
		case key == "type":
		case !ok:
			c.bad(at, "invalid additional property: %s", key)
		default:
			rule(c, at+"/"+key, m[key])
		}
	}
	if sh.also != nil {
		sh.also(c, at, m)
	}
}

// text is a string of a length between lo and hi.
func text(lo, hi int) rule {
	return func(c *checker, at string, v any) {
		s, ok := v.(string)
		switch n := units(s); {
		case !ok:
			c.bad(at, "must provide a string")
		case n < lo:
			c.bad(at, "must be more than %d characters", lo-1)
		case n > hi:
			c.bad(at, "must be less than %d characters", hi+1)
		}
	}
}

// words is a text object; kinds are the types allowed.
func words(hi int, kinds ...string) rule {
	return func(c *checker, at string, v any) {
		m, _ := v.(map[string]any)
		kind := str(m, "type")
		switch {
		case m == nil:
			c.bad(at, "must provide an object")
		case !slices.Contains(kinds, kind):
			c.bad(at, "must be one of: %s", strings.Join(kinds, ", "))
		case kind == "mrkdwn":
			c.object(at, v, shape{fields: map[string]rule{"text": text(1, hi), "verbatim": boolean}, need: []string{"text"}})
		default:
			c.object(at, v, shape{fields: map[string]rule{"text": text(1, hi), "emoji": boolean}, need: []string{"text"}})
		}
	}
}

func plainText(hi int) rule { return words(hi, "plain_text") }
func anyText(hi int) rule   { return words(hi, "plain_text", "mrkdwn") }

func boolean(c *checker, at string, v any) {
	if _, ok := v.(bool); !ok {
		c.bad(at, "must be a boolean")
	}
}

// number is a whole number in a range. Some SDKs write numbers as strings.
func number(lo, hi float64) rule {
	return func(c *checker, at string, v any) {
		n, ok := v.(float64)
		if !ok || n != float64(int64(n)) || n < lo || n > hi {
			c.bad(at, "must be a whole number from %.0f to %.0f", lo, hi)
		}
	}
}

func oneOf(values ...string) rule {
	return func(c *checker, at string, v any) {
		if s, ok := v.(string); !ok || !slices.Contains(values, s) {
			c.bad(at, "must be one of: %s", strings.Join(values, ", "))
		}
	}
}

// items is a list of lo to hi things.
func items(lo, hi int, each rule) rule {
	return func(c *checker, at string, v any) {
		l, ok := v.([]any)
		switch {
		case !ok:
			c.bad(at, "must provide an array")
			return
		case len(l) < lo:
			c.bad(at, "no less than %d items allowed", lo)
		case len(l) > hi:
			c.bad(at, "no more than %d items allowed", hi)
		}
		for i, e := range l {
			each(c, fmt.Sprintf("%s/%d", at, i), e)
		}
	}
}

// is checks an object of one shape.
func is(sh shape) rule {
	return func(c *checker, at string, v any) { c.object(at, v, sh) }
}

// anything is for what the stand-in does not look into.
func anything(*checker, string, any) {}

// only allows elements of the types named.
func only(types ...string) rule {
	return func(c *checker, at string, v any) {
		m, ok := v.(map[string]any)
		kind := str(m, "type")
		sh, known := c.shapes[kind]
		switch {
		case !ok:
			c.bad(at, "must provide an object")
		case !known || !slices.Contains(types, kind):
			c.bad(at, "unsupported type: %s", kind)
		default:
			c.object(at, m, sh)
		}
	}
}

// merge joins tables of properties.
func merge(tables ...map[string]rule) map[string]rule {
	all := map[string]rule{}
	for _, t := range tables {
		maps.Copy(all, t)
	}
	return all
}
