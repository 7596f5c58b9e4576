package rossim

import (
	"cmp"
	"net/netip"
	"strconv"
	"strings"

	"vpnbot/ros/schema"
)

func errQuery() error { return &trap{category: catAPI, message: "invalid query"} }

// matches evaluates the query words, each with its leading "?", on row. The
// words push onto a stack; what is left on it is ANDed.
func matches(queries []string, row schema.Row, kinds func(string) schema.Attr) (bool, error) {
	var stack []bool
	for _, q := range queries {
		body := strings.TrimPrefix(q, "?")
		if ops, ok := strings.CutPrefix(body, "#"); ok {
			var err error
			if stack, err = operate(stack, ops); err != nil {
				return false, err
			}
			continue
		}
		stack = append(stack, test(body, row, kinds))
	}
	for _, v := range stack {
		if !v {
			return false, nil
		}
	}
	return true, nil
}

// test answers one query word without its "?".
func test(body string, row schema.Row, kinds func(string) schema.Attr) bool {
	op := byte('=')
	if body != "" && strings.IndexByte("=<>-", body[0]) >= 0 {
		op, body = body[0], body[1:]
	} else if !strings.Contains(body, "=") {
		op = '+'
	}
	name, want, valued := strings.Cut(body, "=")
	have, ok := row[name]
	switch {
	case op == '-':
		return !ok
	case op == '+' || !valued:
		return ok
	case !ok:
		return false
	}
	order := compare(kinds(name), have, want)
	switch op {
	case '<':
		return order < 0
	case '>':
		return order > 0
	}
	return order == 0
}

// compare orders two values as what they are: numbers, times, addresses, and
// text when they are nothing else.
func compare(a schema.Attr, x, y string) int {
	x, y = a.Canonical(x), a.Canonical(y)
	if x == y {
		return 0
	}
	if m, err := strconv.ParseInt(x, 10, 64); err == nil {
		if n, err := strconv.ParseInt(y, 10, 64); err == nil {
			return cmp.Compare(m, n)
		}
	}
	if m, err := schema.ParseDuration(x); err == nil && a.Kind == schema.Duration {
		if n, err := schema.ParseDuration(y); err == nil {
			return cmp.Compare(m, n)
		}
	}
	if m, err := netip.ParseAddr(x); err == nil {
		if n, err := netip.ParseAddr(y); err == nil {
			return m.Compare(n)
		}
	}
	return strings.Compare(x, y)
}

// operate applies the operators of one ?# word, left to right. An index names
// a value counted from the top; at the end of the word it replaces the whole
// stack by that value, elsewhere it pushes a copy.
func operate(stack []bool, ops string) ([]bool, error) {
	for i := 0; i < len(ops); {
		n := len(stack)
		c := ops[i]
		switch {
		case c >= '0' && c <= '9':
			end := i
			for end < len(ops) && ops[end] >= '0' && ops[end] <= '9' {
				end++
			}
			index, err := strconv.Atoi(ops[i:end])
			if err != nil || index >= n {
				return nil, errQuery()
			}
			v := stack[n-1-index]
			if end == len(ops) {
				return []bool{v}, nil
			}
			stack = append(stack, v)
			i = end
			if ops[i] == '.' {
				i++
			}
			continue
		case n == 0:
			return nil, errQuery()
		case c == '!':
			stack[n-1] = !stack[n-1]
		case c == '.':
			stack = append(stack, stack[n-1])
		case (c == '&' || c == '|') && n >= 2:
			x, y := stack[n-2], stack[n-1]
			v := x && y
			if c == '|' {
				v = x || y
			}
			stack = append(stack[:n-2], v)
		default:
			return nil, errQuery()
		}
		i++
	}
	return stack, nil
}
