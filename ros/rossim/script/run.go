package script

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"vpnbot/ros/schema"
)

// maxSteps bounds how many statements one run executes, maxText how long a text
// grows that they join.
const (
	maxSteps = 100_000
	maxText  = 1 << 20
)

// Machine is the router that a script runs on. Its errors are the router's
// texts, such as "no such item".
type Machine interface {
	// Do runs add, set, remove, enable or disable on the rows of ids; an add and
	// a settings menu have none. Names that begin with "!" unset. An add returns
	// the new row's id.
	Do(path, verb string, ids []string, values schema.Row) (string, error)
	// Rows returns the rows of a menu with their ids, in order.
	Rows(path string) ([]schema.Row, error)
	Log(topics, message string)
	Sleep(ctx context.Context, d time.Duration) error
}

// Run executes src until its end, its first error or the end of ctx. The error
// is a *SyntaxError, the router's, the script's own (:error), or the context's.
func Run(ctx context.Context, src string, m Machine) error {
	r := &run{ctx: ctx, m: m}
	p := &parser{src: src}
	scope := vars{}
	for {
		s, more, err := p.next()
		if err != nil {
			return err
		}
		if !more {
			return nil
		}
		if _, err := r.exec(s, scope); err != nil {
			return err
		}
	}
}

// vars are local variables; a block sees those around it.
type vars map[string]Value

type run struct {
	ctx   context.Context // of this run only
	m     Machine
	steps int
}

func (r *run) block(list []statement, outer vars) error {
	scope := maps.Clone(outer)
	for _, s := range list {
		if _, err := r.exec(s, scope); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) exec(s statement, v vars) (Value, error) {
	if r.steps++; r.steps > maxSteps {
		return nil, errors.New("script ran too long")
	}
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	switch s.name {
	case ":local":
		return nil, r.local(s, v)
	case ":if":
		return nil, r.branch(s, v)
	case ":foreach":
		return nil, r.foreach(s, v)
	case ":do":
		return nil, r.attempt(s, v)
	case ":delay", ":log", ":error", ":len", ":parse":
		return r.global(s, v)
	case "find":
		return r.find(s, v)
	case "get":
		return r.get(s, v)
	}
	return r.change(s, v)
}

func (r *run) local(s statement, v vars) error {
	args := s.plain()
	if len(args) == 0 || len(args) > 2 {
		return errors.New("missing variable name")
	}
	name, ok := args[0].(literal)
	if !ok {
		return errors.New("variable name expected")
	}
	var value Value
	if len(args) == 2 {
		var err error
		if value, err = r.eval(args[1], v, nil); err != nil {
			return err
		}
	}
	v[text(name.value)] = value
	return nil
}

func (r *run) branch(s statement, v vars) error {
	args := s.plain()
	do, ok := s.arg("do")
	if len(args) != 1 || !ok {
		return errors.New("missing value(s) of argument(s) condition, do")
	}
	c, err := r.eval(args[0], v, nil)
	if err != nil {
		return err
	}
	yes, ok := truth(c)
	if !ok {
		return errors.New("conditional not boolean")
	}
	if yes {
		return r.block(do.block, v)
	}
	if other, ok := s.arg("else"); ok {
		return r.block(other.block, v)
	}
	return nil
}

func (r *run) foreach(s statement, v vars) error {
	args := s.plain()
	in, hasIn := s.arg("in")
	do, hasDo := s.arg("do")
	if len(args) != 1 || !hasIn || !hasDo {
		return errors.New("missing value(s) of argument(s) counter, in, do")
	}
	name, ok := args[0].(literal)
	if !ok {
		return errors.New("variable name expected")
	}
	list, err := r.eval(in.value, v, nil)
	if err != nil {
		return err
	}
	elements, ok := list.([]Value)
	if !ok {
		elements = []Value{list}
	}
	for _, e := range elements {
		inner := maps.Clone(v)
		inner[text(name.value)] = e
		if err := r.block(do.block, inner); err != nil {
			return err
		}
	}
	return nil
}

// attempt is :do { … } on-error={ … }.
func (r *run) attempt(s statement, v vars) error {
	i := slices.IndexFunc(s.args, func(a argument) bool { return a.name == "" && a.block != nil })
	if i < 0 {
		return errors.New("missing value(s) of argument(s) command")
	}
	err := r.block(s.args[i].block, v)
	other, caught := s.arg("on-error")
	if err == nil || !caught || r.ctx.Err() != nil {
		return err
	}
	return r.block(other.block, v)
}

func (r *run) global(s statement, v vars) (Value, error) {
	var values []Value
	for _, x := range s.plain() {
		value, err := r.eval(x, v, nil)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	want := 1
	if s.name == ":log" {
		want = 2
	}
	if len(values) != want {
		return nil, fmt.Errorf("%s takes %d value(s)", s.name, want)
	}
	switch s.name {
	case ":error":
		return nil, errors.New(text(values[0]))
	case ":len":
		return length(values[0]), nil
	case ":parse":
		return nil, Parse(text(values[0]))
	case ":log":
		r.m.Log("script,"+text(values[0]), text(values[1]))
		return nil, nil
	}
	d, ok := duration(text(values[0]))
	if n, plain := values[0].(int64); plain {
		d, ok = time.Duration(n)*time.Second, true
	}
	if !ok {
		return nil, errors.New("invalid time value for argument delay-time")
	}
	return nil, r.m.Sleep(r.ctx, d)
}

// change runs a writing menu command. What its first positional argument names
// are the rows: ids, or the names that rows have.
func (r *run) change(s statement, v vars) (Value, error) {
	values := schema.Row{}
	var ids []string
	for i, a := range s.args {
		if a.block != nil {
			return nil, errors.New("unknown parameter " + a.name)
		}
		value, err := r.eval(a.value, v, nil)
		if err != nil {
			return nil, err
		}
		switch {
		case a.name != "":
			values[a.name] = text(value)
		case i == 0 && s.name != "add":
			found, err := r.rows(s.path, value)
			if err != nil {
				return nil, err
			}
			if len(found) == 0 {
				return nil, nil // an empty find: nothing to do
			}
			ids = found
		default:
			return nil, errors.New("expected end of command")
		}
	}
	id, err := r.m.Do(s.path, s.name, ids, values)
	if s.name != "add" {
		return nil, err
	}
	return id, err
}

// rows turns what names rows into ids.
func (r *run) rows(path string, v Value) ([]string, error) {
	list, ok := v.([]Value)
	if !ok {
		list = []Value{v}
	}
	var ids []string
	for _, e := range list {
		id := text(e)
		if !strings.HasPrefix(id, "*") {
			rows, err := r.m.Rows(path)
			if err != nil {
				return nil, err
			}
			i := slices.IndexFunc(rows, func(row schema.Row) bool { return row["name"] == id })
			if i < 0 {
				return nil, errors.New("no such item")
			}
			id = rows[i][schema.ID]
		}
		ids = append(ids, id)
	}
	return ids, nil
}
