package script

import "fmt"

// SyntaxError tells where a script cannot be read.
type SyntaxError struct {
	Line, Column int
	Text         string // "syntax error", "expected end of command", …
}

// Error returns the text as RouterOS puts it.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s (line %d column %d)", e.Text, e.Line, e.Column)
}

// statement is one command: a menu's (Path set) or a global one (Name begins
// with a colon).
type statement struct {
	path, name string
	args       []argument
	where      expression // of find; nil: every row
}

// argument is a positional value (no name), a named one, or a named block.
type argument struct {
	name  string
	value expression
	block []statement
}

// arg returns the named argument.
func (s statement) arg(name string) (argument, bool) {
	for _, a := range s.args {
		if a.name == name {
			return a, true
		}
	}
	return argument{}, false
}

// plain returns the values of the positional arguments.
func (s statement) plain() []expression {
	var list []expression
	for _, a := range s.args {
		if a.name == "" && a.block == nil {
			list = append(list, a.value)
		}
	}
	return list
}

type expression any

type (
	literal   struct{ value Value }
	variable  struct{ name string }
	attribute struct{ name string } // of the row that find looks at
	command   struct{ statement statement }
	unary     struct{ x expression } // not
	binary    struct {
		op   string
		l, r expression
	}
)

// verbs are the menu commands.
var verbs = map[string]bool{
	"add": true, "set": true, "remove": true, "enable": true, "disable": true, "find": true, "get": true,
}

// globals are the global commands and the named arguments that each takes.
var globals = map[string][]string{
	":local": nil, ":if": {"do", "else"}, ":foreach": {"in", "do"}, ":do": {"on-error"}, ":delay": nil,
	":log": nil, ":error": nil, ":len": nil, ":parse": nil,
}
