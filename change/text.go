package change

import (
	"fmt"
	"time"
)

// Text is a sentence as data: the ID of a message and its arguments. Only
// commands/text turns it into words, in the reader's language.
type Text struct {
	ID   string           `json:"id"`
	Args map[string]Value `json:"args,omitempty"`
}

// Value is one argument of a Text. Exactly one field is set; the zero Value is
// the empty string.
type Value struct {
	Str    string     `json:"s,omitempty"`
	Num    *int64     `json:"n,omitempty"`
	Time   *time.Time `json:"t,omitempty"`
	Person PersonID   `json:"p,omitempty"`
	Text   *Text      `json:"x,omitempty"`
}

// T makes a Text. pairs are names and values in turn; a value is a string, an
// integer, a time.Time, a time.Duration (seconds), a PersonID, a State or a Text.
// Another type is written with %v.
func T(id string, pairs ...any) Text {
	t := Text{ID: id}
	for i := 0; i+1 < len(pairs); i += 2 {
		if t.Args == nil {
			t.Args = make(map[string]Value, len(pairs)/2)
		}
		t.Args[fmt.Sprint(pairs[i])] = valueOf(pairs[i+1])
	}
	return t
}

// IsZero tells whether t says nothing.
func (t Text) IsZero() bool { return t.ID == "" }

func valueOf(v any) Value {
	num := func(n int64) Value { return Value{Num: &n} }
	switch v := v.(type) {
	case string:
		return Value{Str: v}
	case int:
		return num(int64(v))
	case int64:
		return num(v)
	case uint64:
		return num(int64(v))
	case time.Duration:
		return num(int64(v / time.Second))
	case time.Time:
		v = v.UTC()
		return Value{Time: &v}
	case PersonID:
		return Value{Person: v}
	case State:
		t := T("state." + string(v))
		return Value{Text: &t}
	case Text:
		return Value{Text: &v}
	}
	return Value{Str: fmt.Sprint(v)}
}
