package script_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vpnbot/ros/rossim/script"
	"vpnbot/ros/schema"
)

// bench is a router of two menus that notes what is done to it.
type bench struct {
	menus map[string][]schema.Row
	did   []string
}

func newBench() *bench {
	return &bench{menus: map[string][]schema.Row{
		"/ip/ipsec/peer": {
			{".id": "*1", "name": "old", "disabled": "false", "address": "198.51.100.20/32"},
			{".id": "*2", "name": "new", "disabled": "true", "address": "198.51.100.20/32"},
		},
		"/ip/ipsec/policy": {
			{".id": "*1", "src-address": "192.168.77.0/24", "dst-address": "192.168.88.0/24", "peer": "old", "ph2-state": "established", "disabled": "false"},
			{".id": "*2", "src-address": "192.168.77.0/24", "dst-address": "10.0.0.0/8", "peer": "old", "ph2-state": "no-phase2", "disabled": "false"},
		},
		"/system/identity": {{"name": "gw"}},
	}}
}

func (b *bench) note(format string, args ...any) { b.did = append(b.did, fmt.Sprintf(format, args...)) }

func (b *bench) Do(path, verb string, ids []string, values schema.Row) (string, error) {
	if values["name"] == "refuse" {
		return "", errors.New("failure: already have such entry")
	}
	b.note("%s %s %v %v", path, verb, ids, values)
	return "*9", nil
}

func (b *bench) Rows(path string) ([]schema.Row, error) {
	rows, ok := b.menus[path]
	if !ok {
		return nil, errors.New("no such command prefix")
	}
	return rows, nil
}

func (b *bench) Log(topics, message string) { b.note("%s: %s", topics, message) }

func (b *bench) Sleep(_ context.Context, d time.Duration) error { b.note("sleep %v", d); return nil }

// Ensure statements do what they do on a router, up to their first error.
func TestRun(t *testing.T) {
	for _, tt := range []struct {
		name, src string
		want      []string
		err       string
	}{
		{"log", `:log info "a" ; :log warning ("b" . "c")`, []string{"script,info: a", "script,warning: bc"}, ""},
		{"comment and joined line", "# nothing\n:log info \\\n \"x\\\"y\\\\\\24\"", []string{`script,info: x"y\$`}, ""},
		{"set by name", `/ip/ipsec/peer/set old disabled=yes`, []string{"/ip/ipsec/peer set [*1] map[disabled:yes]"}, ""},
		{"path with blanks", `/ip ipsec peer disable [find where name="old"]`, []string{"/ip/ipsec/peer disable [*1] map[]"}, ""},
		{"find in another menu", `/ip/ipsec/peer/enable [/ip/ipsec/peer/find where name=new and disabled=yes]`, []string{"/ip/ipsec/peer enable [*2] map[]"}, ""},
		{"find every row", `/ip/ipsec/policy remove [find]`, []string{"/ip/ipsec/policy remove [*1 *2] map[]"}, ""},
		{"terms side by side", `/ip/ipsec/policy set [find where dst-address=10.0.0.0/8 peer="old"] peer=new !comment`, []string{"/ip/ipsec/policy set [*2] map[!comment: peer:new]"}, ""},
		{"an empty find", `/ip/ipsec/policy remove [find where peer=none]`, nil, ""},
		{"not and attributes alone", `/ip/ipsec/peer set [find where !disabled] comment=x`, []string{"/ip/ipsec/peer set [*1] map[comment:x]"}, ""},
		{"count, then error", `:if ([:len [/ip/ipsec/peer find where address="198.51.100.20/32"]] != 1) do={ :error "2 peers" }; :log info never`, nil, "2 peers"},
		{"count holds", `:if ([:len [/ip/ipsec/peer find where name=old]] = 1 and not ([:len [/ip/ipsec/policy find]] < 2)) do={:log info yes} else={:log info no}`, []string{"script,info: yes"}, ""},
		{"else", `:if (1 > 2) do={:log info yes} else={:log info no}`, []string{"script,info: no"}, ""},
		{"foreach and get", `:foreach p in=[/ip/ipsec/policy find] do={ :local s [/ip/ipsec/policy get $p ph2-state]; :if ($s != "established") do={:log info $s} }`, []string{"script,info: no-phase2"}, ""},
		{"settings", `:log info [/system/identity get name]`, []string{"script,info: gw"}, ""},
		{"on-error", `:do { /ip/ipsec/peer add name=refuse } on-error={ :log error "kept" }`, []string{"script,error: kept"}, ""},
		{"refusal stops", `/ip/ipsec/peer add name=refuse; :log info never`, nil, "failure: already have such entry"},
		{"delay", `:delay 5s; :delay 2; :delay 1m30s`, []string{"sleep 5s", "sleep 2s", "sleep 1m30s"}, ""},
		{"unread end", ":log info a\n:global x 1\n:log info never", []string{"script,info: a"}, "bad command name global (line 2 column 1)"},
		{"parse", `:do { :parse ":if (" } on-error={ :log error bad }; :parse ":log info x"`, []string{"script,error: bad"}, ""},
		{"unknown menu", `/ip/nothing/set [find] a=b`, nil, "no such command prefix"},
		{"unknown variable", `:log info $nobody`, nil, "variable nobody is not defined"},
		{"no such row", `/ip/ipsec/peer set nobody disabled=yes`, nil, "no such item"},
		{"scope", `:if (true) do={ :local a 1 }; :log info $a`, nil, "variable a is not defined"},
		{"text that grows", `:local a "x"; ` + strings.Repeat(`:local a ($a . $a); `, 40), nil, "text is too long"},
		{"text in a string", `:log info "$x"`, nil, "substitution in a string is not modelled (line 1 column 12)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench()
			err := script.Run(t.Context(), tt.src, b)
			if got := fmt.Sprint(err); (tt.err == "" && err != nil) || (tt.err != "" && got != tt.err) {
				t.Errorf("got error %v, want %q", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, b.did); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Ensure Parse reads to the end and runs nothing.
func TestParse(t *testing.T) {
	if err := script.Parse(`/ip/ipsec/peer set [find where name="old"] disabled=yes; :if (1=1) do={:log info x} else={:log info y}`); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{`:if (1=1 do={}`, `:foreach x of=y`, `{`, `}`, `:log info "open`, `/ip/ipsec/peer set [find where name=]`, `:put x`, strings.Repeat("(", 200)} {
		var want *script.SyntaxError
		if err := script.Parse(bad); !errors.As(err, &want) {
			t.Errorf("%s: got %v, want a syntax error", bad, err)
		}
	}
}

// Ensure a script ends with its context, whatever it does.
func TestRun_Cancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := script.Run(ctx, `:do { :log info x } on-error={ :log info y }`, newBench()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

// Ensure no source makes the interpreter panic or run for ever, that what Parse
// reads runs without a syntax error, and that a run does the same twice.
func FuzzRun(f *testing.F) {
	for _, seed := range []string{
		`:if ([:len [/ip/ipsec/peer find where name="old"]] != 1) do={ :error "x" }`, `/ip ipsec policy set [find] peer=new`,
		`:foreach a in=[find] do={}`, `:do {} on-error={}`, ":local a (1 . \"b\")", `/a add !b c="\41"`, `:log info (not true || false)`,
		`:foreach p in=[/ip/ipsec/policy find] do={ :local s [/ip/ipsec/policy get $p ph2-state]; :if ($s != "established") do={:log info $s} }`,
		`:do { :parse ":if (" } on-error={ :log error bad }; :parse ":log info x"`, ":log info a # b\n:delay 1m30s; :local x; /system/identity set name=$x",
		`/ip/ipsec/peer set [find where !disabled and (name=old or address="198.51.100.20/32") && comment!=""] !comment disabled=yes`,
	} {
		f.Add(seed)
	}
	files, err := filepath.Glob("../../testdata/script/*.rsc")
	if err != nil || len(files) == 0 {
		f.Fatalf("got %v, %v, want the scripts of a change", files, err)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(src))
	}
	f.Fuzz(func(t *testing.T, src string) {
		parsed := script.Parse(src)
		b := newBench()
		err := script.Run(t.Context(), src, b)
		if syntax, ok := errors.AsType[*script.SyntaxError](err); ok && parsed == nil && !strings.Contains(src, ":parse") {
			t.Errorf("Parse read it, Run says %v", syntax)
		}
		again := newBench()
		if second := script.Run(t.Context(), src, again); fmt.Sprint(second) != fmt.Sprint(err) || !slices.Equal(again.did, b.did) {
			t.Errorf("first %q, %v, then %q, %v", b.did, err, again.did, second)
		}
	})
}
