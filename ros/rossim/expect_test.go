package rossim

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpnbot/ros/schema"
)

// The files under testdata/expect say what a router answers in the menus that the
// product may write, made by hand from samples, published failure texts and
// descriptions. A line with a command is sent, \_ in it is a blank; indented
// lines are the replies, those of some versions after "VERSION,VERSION|"; the order
// of the attributes in a reply means nothing, and *ID stands for any id.
// "dynamic MENU name=value ..." adds a row that the router makes itself.

// exchange is one sentence with the replies that a version is to give.
type exchange struct {
	line  int
	sent  []string
	reply [][]string
	row   schema.Row // of a dynamic row, which is added instead
}

// expectations reads a file for one version.
func expectations(t *testing.T, file, version string) []exchange {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []exchange
	for i, line := range strings.Split(string(b), "\n") {
		reply, indented := strings.CutPrefix(line, "  ")
		switch {
		case strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#"):
		case indented:
			if versions, rest, some := strings.Cut(reply, "| "); some && !strings.HasPrefix(reply, "!") {
				if !slices.Contains(strings.Split(versions, ","), version) {
					continue
				}
				reply = rest
			}
			last := &all[len(all)-1]
			last.reply = append(last.reply, attributes(reply))
		case strings.HasPrefix(line, "dynamic "):
			all = append(all, exchange{line: i + 1, sent: strings.Fields(line)[1:2], row: rowOfWords(strings.Fields(line)[2:])})
		default:
			all = append(all, exchange{line: i + 1, sent: strings.Split(strings.ReplaceAll(line, `\_`, "\x00"), " ")})
		}
	}
	return all
}

// attributes parts a reply, first word first, the rest sorted.
func attributes(reply string) []string {
	words := strings.Split(reply, " =")
	slices.Sort(words[1:])
	return words
}

func rowOfWords(words []string) schema.Row {
	row := schema.Row{}
	for _, w := range words {
		name, value, _ := strings.Cut(strings.ReplaceAll(w, `\_`, " "), "=")
		row[name] = value
	}
	return row
}

func expected(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/expect/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no expectations: %v", err)
	}
	return files
}

// Ensure every menu that the product may write answers as expected, on every
// version.
func TestExpectations(t *testing.T) {
	for _, file := range expected(t) {
		for _, version := range Profiles() {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txt")+" "+version, func(t *testing.T) {
				alone(t, Options{Profile: version, PrintMasks: "no"}, func(t *testing.T, r *Router) {
					c := bubbled(t, r, "admin")
					for _, e := range expectations(t, file, version) {
						e.play(t, r, c)
					}
				})
			})
		}
	}
}

// play sends a sentence and compares what comes back.
func (e exchange) play(t *testing.T, r *Router, c *raw) {
	t.Helper()
	if e.row != nil {
		r.mu.Lock()
		r.st.sessions++
		r.st.addDynamic(e.sent[0], e.row, r.st.sessions)
		r.mu.Unlock()
		return
	}
	for i, w := range e.sent {
		e.sent[i] = strings.ReplaceAll(w, "\x00", " ")
	}
	c.send(e.sent...)
	var got [][]string
	for len(got) == 0 || !strings.HasPrefix(got[len(got)-1][0], "!done") {
		got = append(got, attributes(c.next()))
	}
	for i, reply := range got {
		if i < len(e.reply) && slices.Contains(e.reply[i], "ret=*ID") && len(reply) == 2 {
			reply[1] = "ret=*ID"
		}
	}
	if diff := cmp.Diff(e.reply, got); diff != "" {
		t.Errorf("line %d: %s (-want +got):\n%s", e.line, strings.Join(e.sent, " "), diff)
	}
}

// Ensure the expectations leave out no menu, action or attribute of the write
// allow-list.
func TestExpectations_Complete(t *testing.T) {
	done := make(map[string]bool) // "/menu/action" and "/menu/action attribute" that succeed
	for _, file := range expected(t) {
		for _, version := range []string{ProfileDefault, "6.49.7"} {
			for _, e := range expectations(t, file, version) {
				if e.row != nil || !strings.HasPrefix(e.reply[0][0], "!done") {
					continue
				}
				done[e.sent[0]] = true
				for _, w := range e.sent[1:] {
					name, _, _ := strings.Cut(strings.TrimPrefix(w, "="), "=")
					done[e.sent[0]+" "+name] = true
				}
			}
		}
	}
	actions := []schema.Action{schema.Add, schema.Change, schema.Remove, schema.Enable, schema.Disable, schema.Move}
	for _, path := range schema.Paths() {
		m, _ := schema.Lookup(path)
		for _, action := range actions {
			if schema.Allowed(path, action, nil) != nil {
				continue
			}
			command := path + "/" + string(action)
			if !done[command] {
				t.Errorf("nothing is expected of %s", command)
			}
			for _, a := range m.Attrs {
				if schema.Allowed(path, action, []string{a.Name}) == nil && !done[command+" "+a.Name] {
					t.Errorf("nothing is expected of %s in %s", a.Name, command)
				}
			}
		}
	}
}
