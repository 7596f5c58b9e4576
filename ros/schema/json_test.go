package schema_test

import (
	"encoding/json"
	"maps"
	"testing"

	"pgregory.net/rapid"

	"vpnbot/ros/schema"
)

// Ensure a row comes back from JSON byte for byte, whatever its values are.
func TestRow_JSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
		want := schema.Row(rapid.MapOf(rapid.StringMatching(`[a-z-]{1,8}`), value).Draw(t, "row"))
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got schema.Row
		if err := json.Unmarshal(b, &got); err != nil || !maps.Equal(got, want) {
			t.Fatalf("got %q, %v, want %q (%s)", got, err, want, b)
		}
	})
}

// Ensure plain rows look plain, and a missing row stays missing.
func TestRow_JSON_Plain(t *testing.T) {
	for want, row := range map[string]schema.Row{
		`null`:                         nil,
		`{}`:                           {},
		`{"comment":"鳳山","name":"a"}`:  {"name": "a", "comment": "鳳山"},
		`{"comment":{"bytes":"u/E="}}`: {"comment": "\xbb\xf1"},
	} {
		b, err := json.Marshal(row)
		if err != nil || string(b) != want {
			t.Errorf("got %s, %v, want %s", b, err, want)
		}
		var back schema.Row
		if err := json.Unmarshal(b, &back); err != nil || (back == nil) != (row == nil) || !maps.Equal(back, row) {
			t.Errorf("%s: got %q, %v", want, back, err)
		}
	}
	var r schema.Row
	for _, bad := range []string{`[]`, `{"a":1}`, `{"a":{"bytes":"%"}}`} {
		if err := json.Unmarshal([]byte(bad), &r); err == nil {
			t.Errorf("%s was read as a row", bad)
		}
	}
}
