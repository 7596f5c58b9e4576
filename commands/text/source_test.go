package text_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A mention is a message that Go source names: change.T("id", "arg", …).
type mention struct {
	id     string
	prefix bool // the source adds the rest when it runs
	args   []string
	open   bool // arguments that are not written out
	where  token.Position
}

// literal returns the string that e is, or that it begins with.
func literal(e ast.Expr) (value string, whole, ok bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		v, err := strconv.Unquote(e.Value)
		return v, true, err == nil
	case *ast.BinaryExpr:
		v, _, ok := literal(e.X)
		return v, false, ok
	}
	return "", false, false
}

// mentions reads every non-test file of the module.
func mentions(t *testing.T) (calls []mention, strs map[string]bool) {
	t.Helper()
	strs = map[string]bool{}
	set := token.NewFileSet()
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && len(d.Name()) > 2 {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(set, path, src, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				if v, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
					strs[v] = true
				}
			case *ast.CallExpr:
				if m, ok := call(set, n); ok {
					calls = append(calls, m)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return calls, strs
}

// call reads n when it is a call of change.T, or of T inside change.
func call(set *token.FileSet, n *ast.CallExpr) (mention, bool) {
	sel, ok := n.Fun.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != "T" || len(n.Args) == 0 {
		return mention{}, false
	}
	if pkg, ok := sel.X.(*ast.Ident); !ok || pkg.Name != "change" {
		return mention{}, false
	}
	id, whole, ok := literal(n.Args[0])
	if !ok {
		return mention{}, false
	}
	m := mention{id: id, prefix: !whole, open: n.Ellipsis.IsValid(), where: set.Position(n.Pos())}
	for i := 1; i < len(n.Args); i += 2 {
		name, whole, ok := literal(n.Args[i])
		if !ok || !whole {
			m.open = true
			break
		}
		m.args = append(m.args, name)
	}
	slices.Sort(m.args)
	return m, true
}

// Ensure every message that the source names has words, and gets exactly the
// arguments that the words ask for.
func TestSource(t *testing.T) {
	c := catalog(t)
	ids := c.IDs()
	calls, _ := mentions(t)
	if len(calls) < 100 {
		t.Fatalf("found %d calls, want the module's", len(calls))
	}
	for _, m := range calls {
		if m.prefix {
			if !slices.ContainsFunc(ids, func(id string) bool { return strings.HasPrefix(id, m.id) }) {
				t.Errorf("%s: no message begins with %q", m.where, m.id)
			}
			continue
		}
		if !c.Has(m.id) {
			t.Errorf("%s: no words for %q", m.where, m.id)
			continue
		}
		if want := c.Args(m.id); !m.open && !slices.Equal(m.args, want) {
			t.Errorf("%s: %s gets %v, asks for %v", m.where, m.id, m.args, want)
		}
	}
}

// Ensure no message is left over: each stands in the source whole, or its end
// does, which the source joins to a beginning.
func TestSource_Unused(t *testing.T) {
	_, strs := mentions(t)
	for _, id := range catalog(t).IDs() {
		rest, said := strings.TrimSuffix(id, ".hint"), strs[id]
		for more := true; more && !said; _, rest, more = strings.Cut(rest, ".") {
			said = strs[rest] || strs["."+rest]
		}
		if !said {
			t.Errorf("%s is said nowhere", id)
		}
	}
}
