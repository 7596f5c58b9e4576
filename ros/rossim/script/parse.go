package script

import (
	"slices"
	"strings"
)

// maxDepth bounds how deep blocks and expressions nest.
const maxDepth = 64

// parser reads statements off the front of a source.
type parser struct {
	src   string
	at    int
	depth int
	path  string // menu of the statement around a bracket
	rows  bool   // inside "where": bare words are attributes
}

// fault is thrown inside the parser and caught at its edge.
type fault struct{ err *SyntaxError }

// Parse reads a whole script and runs nothing. The error is a *SyntaxError.
func Parse(src string) error {
	p := &parser{src: src}
	for {
		_, more, err := p.next()
		if err != nil || !more {
			return err
		}
	}
}

// next reads one statement; more is false at the end of the source.
func (p *parser) next() (s statement, more bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			f, ok := r.(fault)
			if !ok {
				panic(r)
			}
			err = f.err
		}
	}()
	p.separators()
	if p.at == len(p.src) {
		return statement{}, false, nil
	}
	s = p.statement("")
	p.blank()
	if p.at < len(p.src) && !p.ends(p.src[p.at]) {
		p.fail("expected end of command")
	}
	return s, true, nil
}

func (p *parser) fail(text string) {
	before := p.src[:min(p.at, len(p.src))]
	line := 1 + strings.Count(before, "\n")
	panic(fault{&SyntaxError{Line: line, Column: len(before) - strings.LastIndexByte(before, '\n'), Text: text}})
}

func (p *parser) peek() byte {
	if p.at < len(p.src) {
		return p.src[p.at]
	}
	return 0
}

// blank skips blanks and joined lines, but no end of a statement.
func (p *parser) blank() {
	for p.at < len(p.src) {
		switch {
		case p.src[p.at] == ' ' || p.src[p.at] == '\t' || p.src[p.at] == '\r':
			p.at++
		case strings.HasPrefix(p.src[p.at:], "\\\n"):
			p.at += 2
		default:
			return
		}
	}
}

// separators skips what stands between statements, comments included.
func (p *parser) separators() {
	for p.blank(); p.at < len(p.src); p.blank() {
		switch p.src[p.at] {
		case ';', '\n':
			p.at++
		case '#':
			for p.at < len(p.src) && p.src[p.at] != '\n' {
				p.at++
			}
		default:
			return
		}
	}
}

func (p *parser) ends(c byte) bool { return c == ';' || c == '\n' || c == '}' || c == ']' }

func (p *parser) enter() {
	if p.depth++; p.depth > maxDepth {
		p.fail("nested too deep")
	}
}

// statement reads a command; menu is that of the statement around it.
func (p *parser) statement(menu string) statement {
	p.enter()
	defer func() { p.depth-- }()
	start := p.at
	var s statement
	switch p.peek() {
	case ':':
		p.at++
		s.name = ":" + p.bare()
		if _, ok := globals[s.name]; !ok {
			p.at = start
			p.fail("bad command name " + strings.TrimPrefix(s.name, ":"))
		}
	case '/':
		s.path, s.name = p.menu()
	default:
		s.path, s.name = menu, p.bare()
		if menu == "" || !verbs[s.name] {
			p.at = start
			p.fail("bad command name " + s.name)
		}
	}
	p.arguments(&s)
	return s
}

// menu reads "/ip/ipsec/peer set" and "/ip ipsec peer set" up to the verb.
func (p *parser) menu() (path, verb string) {
	start := p.at
	for {
		for p.peek() == '/' || p.peek() == ' ' || p.peek() == '\t' {
			p.at++
		}
		w := p.bare()
		switch {
		case w == "":
			p.at = start
			p.fail("bad command name")
		case verbs[w]:
			return path, w
		}
		path += "/" + w
	}
}

// bare reads the letters of a name.
func (p *parser) bare() string {
	start := p.at
	for p.at < len(p.src) && strings.IndexByte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", p.src[p.at]) >= 0 {
		p.at++
	}
	return p.src[start:p.at]
}

func (p *parser) arguments(s *statement) {
	outer := p.path
	p.path = s.path
	defer func() { p.path = outer }()
	for {
		p.blank()
		if p.at == len(p.src) || p.ends(p.peek()) {
			return
		}
		start := p.at
		if s.name == "find" {
			if p.bare() != "where" {
				p.at = start
				p.fail("expected where")
			}
			s.where = p.condition()
			continue
		}
		s.args = append(s.args, p.argument(s))
	}
}

// argument reads name=value, name={block}, {block} or a value.
func (p *parser) argument(s *statement) argument {
	start := p.at
	if name := p.bare(); name != "" && p.peek() == '=' {
		if names, global := globals[s.name]; global && !slices.Contains(names, name) {
			p.at = start
			p.fail("unknown parameter " + name)
		}
		p.at++
		if p.peek() == '{' {
			return argument{name: name, block: p.block()}
		}
		return argument{name: name, value: p.value()}
	}
	p.at = start
	if p.peek() == '!' { // a parameter that is unset
		p.at++
		return argument{name: "!" + p.bare(), value: literal{""}}
	}
	if p.peek() == '{' {
		return argument{block: p.block()}
	}
	return argument{value: p.value()}
}

// block reads statements between braces.
func (p *parser) block() []statement {
	p.enter()
	defer func() { p.depth-- }()
	p.at++
	list := []statement{}
	outer := p.path
	p.path = ""
	defer func() { p.path = outer }()
	for {
		p.separators()
		if p.at == len(p.src) {
			p.fail("expected }")
		}
		if p.peek() == '}' {
			p.at++
			return list
		}
		list = append(list, p.statement(""))
		p.blank()
		if p.at < len(p.src) && !p.ends(p.peek()) {
			p.fail("expected end of command")
		}
	}
}
