package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"vpnbot/vpn"
)

// maxFile bounds what is read: no estate needs more, and the YAML library is slow
// on large files that are not YAML.
const maxFile = 256 << 10

// document is a parsed file with the mistakes found so far. Values are read from
// it by name, and every place that was read can be named in a mistake later.
type document struct {
	name     string
	dir      string
	errs     []*Error
	warnings []*Error
	places   map[string]*token.Position // by path
}

// value is one node and the path that led to it. The zero node means that the
// key is absent; reading it gives zero values.
type value struct {
	doc  *document
	node ast.Node
	path []string
}

// entry is one key of a mapping whose keys are names.
type entry struct {
	name string
	key  ast.Node
	value
}

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading configuration: %w", err)
	}
	if info.Size() > maxFile {
		return nil, &Error{File: path, Message: fmt.Sprintf("expected at most %d bytes", maxFile)}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading configuration: %w", err)
	}
	return b, nil
}

// parse reads YAML. name stands in mistakes; paths are relative to its directory.
func parse(name string, data []byte) (*document, value, error) {
	doc := &document{name: name, dir: filepath.Dir(name), places: map[string]*token.Position{}}
	if len(data) > maxFile {
		return nil, value{}, &Error{File: name, Message: fmt.Sprintf("expected at most %d bytes", maxFile)}
	}
	if !utf8.Valid(data) {
		return nil, value{}, &Error{File: name, Line: 1, Column: 1, Message: "expected UTF-8"}
	}
	file, err := parseYAML(data)
	if err != nil {
		return nil, value{}, syntaxError(name, err)
	}
	var bodies []ast.Node
	for _, d := range file.Docs {
		if d.Body != nil {
			bodies = append(bodies, d.Body)
		}
	}
	root := value{doc: doc}
	switch len(bodies) {
	case 0:
		return nil, value{}, &Error{File: name, Line: 1, Column: 1, Message: "the file is empty: expected keys and values"}
	case 1:
		root.node = bodies[0]
		return doc, root, nil
	}
	at := position(bodies[1])
	return nil, value{}, &Error{File: name, Line: at.Line, Column: at.Column, Message: "a second document begins here: expected one"}
}

// parseYAML turns a panic of the YAML library, which some broken files cause,
// into an error.
func parseYAML(data []byte) (file *ast.File, err error) {
	defer func() {
		if recover() != nil {
			file, err = nil, errors.New("not readable as YAML")
		}
	}()
	return parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
}

// syntaxError keeps the library's message and place, and leaves out the source
// lines that it would quote.
func syntaxError(name string, err error) error {
	e := &Error{File: name, Message: "expected YAML"}
	if y, ok := errors.AsType[yaml.Error](err); ok {
		if message, _, _ := strings.Cut(y.GetMessage(), `"`); message != "" {
			e.Message += ": " + strings.TrimSpace(message)
		}
		if t := y.GetToken(); t != nil && t.Position != nil {
			e.Line, e.Column = t.Position.Line, t.Position.Column
		}
	}
	return e
}

func position(n ast.Node) *token.Position {
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		return position(m.Values[0].Key)
	}
	if m, ok := n.(*ast.MappingValueNode); ok {
		return position(m.Key)
	}
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return &token.Position{Line: 1, Column: 1}
	}
	return n.GetToken().Position
}

// failAt records a mistake at the place of path, or of the nearest key above it
// that stands in the file.
func (d *document) failAt(path []string, message string) {
	d.errs = append(d.errs, d.at(path, message))
}

// warnAt records what is allowed and unwise.
func (d *document) warnAt(path []string, message string) {
	d.warnings = append(d.warnings, d.at(path, message))
}

func (d *document) at(path []string, message string) *Error {
	e := &Error{File: d.name, Line: 1, Column: 1, Path: show(path), Message: message}
	for n := len(path); n > 0; n-- {
		if p, ok := d.places[key(path[:n])]; ok {
			e.Line, e.Column = p.Line, p.Column
			break
		}
	}
	return e
}

// failures records the problems that validation found.
func (d *document) failures(problems []vpn.Problem, prefix ...string) {
	for _, p := range problems {
		d.failAt(append(slices.Clone(prefix), p.Path...), p.Message)
	}
}

func key(path []string) string { return strings.Join(path, "\x00") }

// show writes a path. A name that does not look like one is left out: it could
// be a secret in the wrong place.
func show(path []string) string {
	words := make([]string, len(path))
	for i, w := range path {
		words[i] = w
		if utf8.RuneCountInString(w) > 32 {
			words[i] = "…"
		}
	}
	return strings.Join(words, ".")
}

func (v value) fail(message string) { v.doc.failAt(v.path, message) }

func (v value) present() bool { return v.node != nil }

// child makes the value below v and notes where it stands.
func (v value) child(name string, keyNode, node ast.Node) value {
	c := value{doc: v.doc, node: node, path: append(slices.Clone(v.path), name)}
	place := position(node)
	if keyNode != nil && (node == nil || node.Type() == ast.NullType || isBlock(node)) {
		place = position(keyNode)
	}
	if _, ok := v.doc.places[key(c.path)]; !ok {
		v.doc.places[key(c.path)] = place
	}
	if node == nil || node.Type() == ast.NullType {
		c.node = nil
	}
	return c
}

// isBlock tells whether n begins on a line below its key: then the key is the
// place to point at.
func isBlock(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.MappingNode:
		return !n.IsFlowStyle
	case *ast.MappingValueNode:
		return true
	case *ast.SequenceNode:
		return !n.IsFlowStyle
	}
	return false
}

// pairs returns the keys and values of a mapping; ok is false when v is none.
func (v value) pairs() (pairs []*ast.MappingValueNode, ok bool) {
	switch n := v.node.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

// entries reads a mapping whose keys are names chosen by people. expected says
// what should stand there otherwise.
func (v value) entries(expected string) []entry {
	if !v.present() {
		return nil
	}
	pairs, ok := v.pairs()
	if !ok {
		v.fail("expected " + expected)
		return nil
	}
	var list []entry
	for _, p := range pairs {
		name, ok := scalar(p.Key)
		if !ok || name == "" {
			v.doc.errs = append(v.doc.errs, v.misplaced(p.Key, "expected a plain key"))
			continue
		}
		if i := slices.IndexFunc(list, func(e entry) bool { return e.name == name }); i >= 0 {
			first := v.doc.places[key(list[i].path)]
			v.doc.errs = append(v.doc.errs, v.misplaced(p.Key, fmt.Sprintf("this key stands twice, first on line %d: expected it once", first.Line)))
			continue
		}
		list = append(list, entry{name, p.Key, v.child(name, p.Key, p.Value)})
	}
	return list
}

// misplaced is a mistake at a key of v.
func (v value) misplaced(keyNode ast.Node, message string) *Error {
	at := position(keyNode)
	return &Error{File: v.doc.name, Line: at.Line, Column: at.Column, Path: show(v.path), Message: message}
}

// object reads a mapping with known keys.
func (v value) object(keys ...string) map[string]value {
	fields := map[string]value{}
	expected := "keys and values: " + strings.Join(keys, ", ")
	for _, e := range v.entries(expected) {
		if slices.Contains(keys, e.name) {
			fields[e.name] = e.value
			continue
		}
		message := "unknown key: expected one of " + strings.Join(keys, ", ")
		if near := vpn.Nearest(e.name, keys); near != "" {
			message = "unknown key: expected " + near + "?"
		}
		v.doc.errs = append(v.doc.errs, v.misplaced(e.key, message))
	}
	for _, k := range keys {
		if _, ok := fields[k]; !ok {
			fields[k] = value{doc: v.doc, path: append(slices.Clone(v.path), k)}
		}
	}
	return fields
}

// items reads a list.
func (v value) items(expected string) []value {
	if !v.present() {
		return nil
	}
	seq, ok := v.node.(*ast.SequenceNode)
	if !ok {
		v.fail("expected " + expected)
		return nil
	}
	list := make([]value, 0, len(seq.Values))
	for i, n := range seq.Values {
		c := v.child(strconv.Itoa(i), nil, n)
		c.node = n
		list = append(list, c)
	}
	return list
}

// text reads one scalar as it is written. The second result is false when there
// is none; a mistake is recorded unless the key is just absent.
func (v value) text(expected string) (string, bool) {
	if !v.present() {
		return "", false
	}
	s, ok := scalar(v.node)
	if !ok {
		v.fail("expected " + expected)
	}
	return s, ok
}

// required is text of a key that must not be absent.
func (v value) required(expected string) (string, bool) {
	if !v.present() {
		v.fail("expected " + expected)
		return "", false
	}
	return v.text(expected)
}

// flag reads true or false.
func (v value) flag() bool {
	s, ok := v.text("true or false")
	if ok && s != "true" && s != "false" {
		v.fail("expected true or false")
	}
	return s == "true"
}

// words reads a list of scalars.
func (v value) words(expected string) []string {
	var list []string
	for _, item := range v.items(expected) {
		if s, ok := item.text(expected); ok {
			list = append(list, s)
		}
	}
	return list
}

// scalar returns the text of a scalar node, whatever YAML takes it for: a team
// named 123 and a version 1.10 stay what was written.
func scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}
