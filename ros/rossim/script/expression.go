package script

import (
	"strconv"
	"strings"
)

// value reads an argument's value.
func (p *parser) value() expression {
	p.enter()
	defer func() { p.depth-- }()
	switch p.peek() {
	case '"':
		return literal{p.quoted()}
	case '$':
		p.at++
		if name := p.letters(); name != "" {
			return variable{name}
		}
		p.fail("syntax error")
	case '[':
		return p.bracket()
	case '(':
		p.at++
		rows := p.rows
		x := p.expression(0)
		p.rows = rows
		p.blank()
		if p.peek() != ')' {
			p.fail("expected )")
		}
		p.at++
		return x
	}
	start := p.at
	for p.at < len(p.src) && !strings.ContainsRune(" \t\r\n;()[]{}\"$=!<>", rune(p.src[p.at])) {
		p.at++
	}
	w := p.src[start:p.at]
	if w == "" {
		p.fail("syntax error")
	}
	return literal{scalar(w)}
}

// letters reads the name of a variable.
func (p *parser) letters() string {
	start := p.at
	for p.at < len(p.src) && (p.src[p.at]|0x20 >= 'a' && p.src[p.at]|0x20 <= 'z' || p.src[p.at] >= '0' && p.src[p.at] <= '9') {
		p.at++
	}
	return p.src[start:p.at]
}

// scalar is what a bare word is: a number, a time, a truth value or text.
func scalar(w string) Value {
	if n, err := strconv.ParseInt(w, 10, 64); err == nil {
		return n
	}
	switch w {
	case "true":
		return true
	case "false":
		return false
	}
	return w
}

// bracket reads [command].
func (p *parser) bracket() expression {
	p.at++
	rows := p.rows
	p.rows = false
	defer func() { p.rows = rows }()
	p.separators()
	s := p.statement(p.path)
	p.separators()
	if p.peek() != ']' {
		p.fail("expected ]")
	}
	p.at++
	return command{s}
}

// condition reads what follows where: terms that stand side by side must all
// hold.
func (p *parser) condition() expression {
	rows := p.rows
	p.rows = true
	defer func() { p.rows = rows }()
	x := p.expression(0)
	for {
		p.blank()
		if p.at == len(p.src) || p.ends(p.peek()) {
			return x
		}
		x = binary{"and", x, p.expression(0)}
	}
}

// levels are the operators by how tightly they bind, loosest first.
var levels = [][]string{{"||", "or"}, {"&&", "and"}, {"!=", "<=", ">=", "=", "<", ">"}, {"."}}

// expression reads operators of at least this level.
func (p *parser) expression(level int) expression {
	p.enter()
	defer func() { p.depth-- }()
	if level == len(levels) {
		return p.term()
	}
	x := p.expression(level + 1)
	for {
		p.blank()
		op := p.operator(levels[level])
		if op == "" {
			return x
		}
		x = binary{op, x, p.expression(level + 1)}
	}
}

// operator takes one of ops off the source.
func (p *parser) operator(ops []string) string {
	rest := p.src[p.at:]
	for _, op := range ops {
		if !strings.HasPrefix(rest, op) {
			continue
		}
		if op[0] >= 'a' && len(rest) > len(op) && !strings.ContainsRune(" \t(!$[", rune(rest[len(op)])) {
			continue // the beginning of a longer word
		}
		p.at += len(op)
		switch op {
		case "||":
			return "or"
		case "&&":
			return "and"
		}
		return op
	}
	return ""
}

// term reads "not", a value, or an attribute where rows are looked at.
func (p *parser) term() expression {
	p.blank()
	start := p.at
	if p.peek() == '!' {
		p.at++
		return unary{p.term()}
	}
	if w := p.bare(); w == "not" {
		return unary{p.term()}
	} else if w != "" && p.rows && w[0] >= 'a' && w[0] <= 'z' && w != "true" && w != "false" && w != "yes" && w != "no" {
		p.blank()
		if c := p.peek(); c == '=' || c == '!' || c == '<' || c == '>' {
			return p.compared(w)
		}
		return attribute{w}
	}
	p.at = start
	return p.value()
}

// compared reads the comparison of an attribute; the other side is a value.
func (p *parser) compared(name string) expression {
	op := p.operator(levels[2])
	if op == "" {
		return attribute{name}
	}
	p.blank()
	rows := p.rows
	p.rows = false
	defer func() { p.rows = rows }()
	return binary{op, attribute{name}, p.value()}
}

// escapes of strings, as in MikroTik's manual.
var escapes = map[byte]byte{'"': '"', '\\': '\\', 'n': '\n', 'r': '\r', 't': '\t', '$': '$', '?': '?', '_': ' ', 'a': 7, 'b': 8, 'f': 12, 'v': 11}

// quoted reads a string. A name after $ inside is not filled in here: the
// product's scripts do not use it, and a script that does is refused.
func (p *parser) quoted() string {
	var b strings.Builder
	for p.at++; p.at < len(p.src); p.at++ {
		switch c := p.src[p.at]; c {
		case '"':
			p.at++
			return b.String()
		case '$':
			p.fail("substitution in a string is not modelled")
		case '\\':
			p.at++
			c = p.peek()
			if e, ok := escapes[c]; ok {
				b.WriteByte(e)
				continue
			}
			n, err := strconv.ParseUint(p.src[p.at:min(p.at+2, len(p.src))], 16, 8)
			if err != nil {
				p.fail("syntax error")
			}
			b.WriteByte(byte(n))
			p.at++
		default:
			b.WriteByte(c)
		}
	}
	p.fail("expected closing quote")
	return ""
}
