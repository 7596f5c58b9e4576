package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// arrows are the imports inside the module that are allowed beyond cmd/bot,
// which may import everything. Who may import change may import change/secret.
var arrows = map[string]string{
	"apply":         "change ros/schema vpn", // rows as read back
	"change":        "ros/schema",
	"change/secret": "",
	"change/trail":  "change",
	"chat":          "change commands commands/text",
	"chat/slacksim": "",
	"commands":      "apply change commands/text ros/schema vpn",
	"commands/text": "change",
	"config":        "change vpn",
	"deploy":        "",
	"docs":          "",
	"ros":           "change ros/schema",
	"lab":           "ros/rossim ros/schema",
	"ros/rossim":    "ros/rossim/script ros/schema",
	"ros/schema":    "",
	"store":         "change change/trail ros/schema",
	"vpn":           "change ros/schema vpn/ike",
	"vpn/ike":       "ros/schema",
	"watch":         "change vpn",

	"chat/slacksim/pagetest": "",
	"ros/rossim/script":      "ros/schema",
	"ros/rossim/strangers":   "",
	"store/storetest":        "change change/trail store",
}

// libraries names the packages that import each library of others.
var libraries = map[string]string{
	"github.com/alecthomas/kong":    "cmd/bot",
	"github.com/chromedp":           "chat/slacksim/pagetest",
	"github.com/coreos/go-systemd":  "cmd/bot",
	"github.com/go-routeros":        "ros",
	"github.com/goccy/go-yaml":      "config",
	"github.com/gorilla/websocket":  "chat chat/slacksim", // slack-go takes its dialer as this library's
	"github.com/nicksnyder/go-i18n": "commands/text",
	"github.com/slack-go/slack":     "chat",
	"go.etcd.io/bbolt":              "store",
	"golang.org/x/mod/sumdb/note":   "change/trail",
	"golang.org/x/sync":             "chat cmd/bot",
	"golang.org/x/sys":              "cmd/bot lab store",
	"golang.org/x/text":             "chat commands commands/text vpn",
}

// listed is what the go command says of a package.
type listed struct {
	ImportPath, Name, Doc, Dir string
	Imports, GoFiles           []string
}

func (p listed) short() string { return strings.TrimPrefix(p.ImportPath, "vpnbot/") }

// list asks the go command in the module's root.
func list(t *testing.T, args ...string) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Name,Doc,Dir,Imports,GoFiles"}, args...)...)
	cmd.Dir = filepath.Join("..", "..")
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, problems.String())
	}
	var packages []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

// Ensure packages import only what the map of the code lets them, and each has a
// package comment.
func TestArrows(t *testing.T) {
	for _, p := range list(t, "./...") {
		if p.Doc == "" {
			t.Errorf("%s has no package comment", p.short())
		}
		if p.Name == "main" {
			continue
		}
		allowed, ok := arrows[p.short()]
		if !ok {
			t.Errorf("%s is not on the map", p.short())
			continue
		}
		may := strings.Fields(allowed)
		if slices.Contains(may, "change") || p.short() == "change" {
			may = append(may, "change/secret")
		}
		for _, i := range p.Imports {
			if name, inside := strings.CutPrefix(i, "vpnbot/"); inside && !slices.Contains(may, name) {
				t.Errorf("%s imports %s", p.short(), name)
			}
		}
	}
}

// Ensure each library of others is imported where the map says and nowhere else.
func TestLibraries(t *testing.T) {
	used := map[string]bool{}
	for _, p := range list(t, "./...") {
		for _, i := range p.Imports {
			if first, _, _ := strings.Cut(i, "/"); !strings.Contains(first, ".") {
				continue
			}
			lib := library(i)
			used[lib] = true
			if !slices.Contains(strings.Fields(libraries[lib]), p.short()) {
				t.Errorf("%s imports %s", p.short(), i)
			}
		}
	}
	for _, lib := range slices.Sorted(maps.Keys(libraries)) {
		if !used[lib] {
			t.Errorf("nobody imports %s any more", lib)
		}
	}
}

func library(path string) string {
	for lib := range libraries {
		if path == lib || strings.HasPrefix(path, lib+"/") {
			return lib
		}
	}
	return path
}

// Ensure a release links no stand-in.
func TestRelease(t *testing.T) {
	for _, p := range list(t, "-tags", "nodemo", "-deps", "./cmd/bot") {
		if p.short() == "ros/rossim" || p.short() == "chat/slacksim" {
			t.Errorf("the release links %s", p.short())
		}
	}
}

// readers are the files that read the text of a secret, by the method. Each new
// one needs its reason in the commit that adds it.
var readers = map[string][]string{
	"Expose": {
		"chat/reveal.go", "chat/socket.go", "chat/web.go",
		"cmd/bot/configuration.go", "cmd/bot/sim.go", "cmd/bot/slack.go", "cmd/bot/witness.go",
		"ros/render.go", "ros/session.go",
	},
	// Of secret.Key: ros's vault and the owner's modal.
	"Open": {"chat/reveal.go", "cmd/bot/routers.go"},
}

// Ensure nobody else calls secret.Secret's Expose, or opens what is sealed.
func TestSecretReaders(t *testing.T) {
	got := map[string][]string{}
	for _, p := range list(t, "./...") {
		for _, file := range p.GoFiles {
			name := p.short() + "/" + file
			for _, method := range secretCalls(t, filepath.Join(p.Dir, file)) {
				if !slices.Contains(got[method], name) {
					got[method] = append(got[method], name)
				}
			}
		}
	}
	for method, want := range readers {
		for _, file := range got[method] {
			if !slices.Contains(want, file) {
				t.Errorf("%s calls %s", file, method)
			}
		}
		for _, file := range want {
			if !slices.Contains(got[method], file) {
				t.Errorf("%s does not call %s any more", file, method)
			}
		}
	}
}

// secretCalls returns the methods among readers that a file calls. Key.Open is
// told by the name of what it is called on: a key.
func secretCalls(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(gotoken.NewFileSet(), path, text, 0)
	if err != nil {
		t.Fatal(err)
	}
	var calls []string
	ast.Inspect(file, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		on := strings.ToLower(lastName(s.X))
		if s.Sel.Name == "Expose" || s.Sel.Name == "Open" && (on == "key" || on == "sealing") {
			calls = append(calls, s.Sel.Name)
		}
		return true
	})
	return calls
}

func lastName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}
