package rossim

import (
	"slices"
	"strings"
	"testing"

	"vpnbot/ros/schema"
)

func kindsOfTest(name string) schema.Attr {
	kinds := map[string]schema.Kind{"disabled": schema.Bool, "uptime": schema.Duration, "address": schema.Address, "mtu": schema.Number}
	return schema.Attr{Name: name, Kind: kinds[name]}
}

// Ensure each form of query word and each stack operator decides as documented.
func TestMatches(t *testing.T) {
	row := schema.Row{".id": "*A", "name": "alice", "disabled": "false", "uptime": "1h5m", "address": "10.0.0.9", "mtu": "1450", "comment": ""}
	for _, tt := range []struct {
		query string // words with a blank between them
		want  bool
	}{
		{"", true},
		{"?name", true},
		{"?comment", true},
		{"?missing", false},
		{"?-missing", true},
		{"?-name", false},
		{"?name=alice", true},
		{"?=name=alice", true},
		{"?name=bob", false},
		{"?.id=*A", true},
		{"?comment=", true},
		{"?missing=", false},
		{"?disabled=no", true},
		{"?disabled=false", true},
		{"?disabled=yes", false},
		{"?>mtu=900", true},
		{"?<mtu=900", false},
		{"?>mtu=1450", false},
		{"?>uptime=59m", true},
		{"?<uptime=00:30:00", false},
		{"?>address=10.0.0.10", false},
		{"?<address=10.0.0.10", true},
		{"?>missing=1", false},
		{"?name=alice ?mtu=1450", true},
		{"?name=alice ?mtu=1", false},
		{"?name=bob ?name=alice ?#|", true},
		{"?name=bob ?name=carol ?#|", false},
		{"?name=alice ?mtu=1 ?#&", false},
		{"?name=alice ?#!", false},
		{"?name=bob ?#!", true},
		{"?name=bob ?mtu=1 ?#|!", true},
		{"?name=alice ?mtu=1450 ?name=bob ?#|&", true},
		{"?name=bob ?name=alice ?#0", true},
		{"?name=bob ?name=alice ?#1", false},
		{"?name=bob ?name=alice ?#0.1!&", false},
		{"?name=alice ?#.!", false},
		{"?name=alice ?#.&", true},
	} {
		got, err := matches(strings.Fields(tt.query), row, kindsOfTest)
		if err != nil || got != tt.want {
			t.Errorf("%q = %v, %v, want %v", tt.query, got, err, tt.want)
		}
	}
}

// Ensure operators without enough values and unknown ones are refused.
func TestMatches_Invalid(t *testing.T) {
	for _, query := range []string{"?#!", "?#&", "?name ?#&", "?name ?#7", "?name ?#x", "?#0", "?name ?#99999999999999999999"} {
		if _, err := matches(strings.Fields(query), schema.Row{"name": "x"}, kindsOfTest); err == nil {
			t.Errorf("%q: no error", query)
		}
	}
}

// Ensure no query word makes the evaluator panic, and that it keeps the laws of its
// stack: what is left on it is joined by "and", ".", "!" and "&" do what they say
// to the value on top.
func FuzzMatches(f *testing.F) {
	for _, seed := range []string{
		"?name=x\n?#!|&0.1", "?>a=1\n?<a=2\n?-b\n?c\n?#12", "?name\n?a\n?#|", "?=name=x\n?name=y\n?#!\n?#&", "?a=\n?>name\n?#.!|", "?#", "?",
		"?>t=1h\n?<t=00:30:00\n?#0.", "?-name\n?#!1", "?name=x\n?name=y\n?name=z\n?#||",
	} {
		f.Add(seed)
	}
	row := schema.Row{"name": "x", "a": "1", "t": "1h30m"}
	f.Fuzz(func(t *testing.T, words string) {
		query := strings.Split(words, "\n")
		ask := func(more ...string) (bool, error) {
			return matches(slices.Concat(query, more), row, kindsOfTest)
		}
		got, err := ask()
		for _, law := range []struct {
			more []string
			want bool
		}{
			{[]string{"?-nobody"}, got},
			{[]string{"?nobody"}, false},
			{[]string{"?name=x", "?#!!"}, got},
			{[]string{"?name=x", "?#.&"}, got},
			{[]string{"?name=x", "?#.!|"}, got},
			{[]string{"?name=x", "?#.!&"}, false},
			{[]string{"?nobody", "?#!"}, got},
		} {
			if is, lawErr := ask(law.more...); (err == nil) != (lawErr == nil) || (err == nil && is != law.want) {
				t.Errorf("%q is %v (%v), with %q %v (%v), want %v", query, got, err, law.more, is, lawErr, law.want)
			}
		}
	})
}
