package schema

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// raw is a value that is not UTF-8, in a JSON document. Comments that people
// typed into older consoles are Big5 or anything else, and JSON text would not
// give them back.
type raw struct {
	Bytes []byte `json:"bytes"`
}

// MarshalJSON writes r as an object of strings; a value that is not UTF-8 is
// written as {"bytes": base64}, so that r is read back byte for byte.
func (r Row) MarshalJSON() ([]byte, error) {
	if r == nil {
		return []byte("null"), nil
	}
	out := make(map[string]any, len(r))
	for name, value := range r {
		if utf8.ValidString(value) {
			out[name] = value
		} else {
			out[name] = raw{[]byte(value)}
		}
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (r *Row) UnmarshalJSON(b []byte) error {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(b, &values); err != nil {
		return fmt.Errorf("reading row: %w", err)
	}
	if values == nil {
		*r = nil
		return nil
	}
	out := make(Row, len(values))
	for name, v := range values {
		var text string
		if json.Unmarshal(v, &text) == nil {
			out[name] = text
			continue
		}
		var other raw
		if err := json.Unmarshal(v, &other); err != nil {
			return fmt.Errorf("reading %s of a row: %w", name, err)
		}
		out[name] = string(other.Bytes)
	}
	*r = out
	return nil
}
