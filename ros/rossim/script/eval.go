package script

import (
	"errors"

	"vpnbot/ros/schema"
)

// find returns the ids of the rows that the condition holds for.
func (r *run) find(s statement, v vars) (Value, error) {
	rows, err := r.m.Rows(s.path)
	if err != nil {
		return nil, err
	}
	ids := []Value{}
	for _, row := range rows {
		yes := true
		if s.where != nil {
			c, err := r.eval(s.where, v, row)
			if err != nil {
				return nil, err
			}
			var ok bool
			if yes, ok = truth(c); !ok {
				return nil, errors.New("conditional not boolean")
			}
		}
		if yes {
			ids = append(ids, row[schema.ID])
		}
	}
	return ids, nil
}

// get reads one attribute of one row, or of a settings menu.
func (r *run) get(s statement, v vars) (Value, error) {
	var values []Value
	for _, x := range s.plain() {
		value, err := r.eval(x, v, nil)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	rows, err := r.m.Rows(s.path)
	if err != nil {
		return nil, err
	}
	switch len(values) {
	case 1:
		if len(rows) == 1 && rows[0][schema.ID] == "" {
			return value(rows[0], text(values[0])), nil
		}
	case 2:
		ids, err := r.rows(s.path, values[0])
		if err != nil {
			return nil, err
		}
		if len(ids) == 1 {
			for _, row := range rows {
				if row[schema.ID] == ids[0] {
					return value(row, text(values[1])), nil
				}
			}
		}
	}
	return nil, errors.New("no such item")
}

// value is an attribute of a row; one that is not set is nothing.
func value(row schema.Row, name string) Value {
	if s, ok := row[name]; ok {
		return s
	}
	return nil
}

// eval computes an expression; row is the one that find looks at, or nil.
func (r *run) eval(x expression, v vars, row schema.Row) (Value, error) {
	switch x := x.(type) {
	case literal:
		return x.value, nil
	case variable:
		value, ok := v[x.name]
		if !ok {
			return nil, errors.New("variable " + x.name + " is not defined")
		}
		return value, nil
	case attribute:
		return value(row, x.name), nil
	case command:
		return r.exec(x.statement, v)
	case unary:
		value, err := r.eval(x.x, v, row)
		if err != nil {
			return nil, err
		}
		yes, ok := truth(value)
		if !ok {
			return nil, errors.New("cannot invert a value that is not boolean")
		}
		return !yes, nil
	case binary:
		return r.combine(x, v, row)
	}
	return nil, errors.New("syntax error")
}

func (r *run) combine(x binary, v vars, row schema.Row) (Value, error) {
	l, err := r.eval(x.l, v, row)
	if err != nil {
		return nil, err
	}
	if x.op == "and" || x.op == "or" {
		yes, ok := truth(l)
		if !ok {
			return nil, errors.New("conditional not boolean")
		}
		if yes == (x.op == "or") {
			return yes, nil
		}
	}
	right, err := r.eval(x.r, v, row)
	if err != nil {
		return nil, err
	}
	switch x.op {
	case "and", "or":
		yes, ok := truth(right)
		if !ok {
			return nil, errors.New("conditional not boolean")
		}
		return yes, nil
	case "=":
		return equal(l, right), nil
	case "!=":
		return !equal(l, right), nil
	case ".":
		joined := text(l) + text(right)
		if len(joined) > maxText {
			return nil, errors.New("text is too long")
		}
		return joined, nil
	}
	a, aok := number(l)
	b, bok := number(right)
	if !aok || !bok {
		return nil, errors.New("cannot compare if values are not numbers")
	}
	switch x.op {
	case "<":
		return a < b, nil
	case ">":
		return a > b, nil
	case "<=":
		return a <= b, nil
	}
	return a >= b, nil
}
