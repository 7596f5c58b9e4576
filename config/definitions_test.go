package config_test

import (
	"encoding/json"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpnbot/change"
	"vpnbot/config"
	"vpnbot/vpn"
)

const definitionsExample = "../deploy/definitions.yaml"

// dialinExample is the part of the shipped example that defines dial-in servers.
func dialinExample(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(definitionsExample)
	if err != nil {
		t.Fatal(err)
	}
	_, part, ok := strings.Cut(string(text), "\ndialin:\n")
	if !ok {
		t.Fatal("the example defines no dial-in server")
	}
	return "dialin:\n" + part
}

func definitions(t *testing.T, list []config.Imported) []change.Definition {
	t.Helper()
	var defs []change.Definition
	for _, d := range list {
		body, err := d.Encode()
		if err != nil {
			t.Fatal(err)
		}
		defs = append(defs, change.Definition{
			DefinitionRef: change.DefinitionRef{Kind: d.Kind, Name: d.Name, Version: 1}, Body: body,
		})
	}
	return defs
}

// Ensure what export prints is what import reads: the shipped example survives
// import, export and import.
func TestDefinitions_RoundTrip(t *testing.T) {
	estate := mustLoad(t).Estate
	text, err := os.ReadFile(definitionsExample)
	if err != nil {
		t.Fatal(err)
	}
	first, err := config.ParseDefinitions(definitionsExample, text, estate, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(first) != 3 || first[0].DialIn.Note != "總公司遠端撥入" || first[2].Tunnel.Note != "總公司到鳳山" {
		t.Fatalf("got %+v", first)
	}
	first[0].DialIn.Note = `odd "note": #1, yes — 'x' \ end`
	out, err := config.FormatDefinitions(definitions(t, first))
	if err != nil {
		t.Fatal(err)
	}
	second, err := config.ParseDefinitions("out.yaml", out, estate, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	byName := func(list []config.Imported) map[string]config.Imported {
		m := map[string]config.Imported{}
		for _, d := range list {
			d.Line = 0
			m[d.Kind+" "+d.Name] = d
		}
		return m
	}
	same := cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
	address := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	if diff := cmp.Diff(byName(first), byName(second), same, address); diff != "" {
		t.Errorf("%s\n%s", diff, out)
	}
}

// Ensure awkward texts come back from an export as they were.
func TestFormatDefinitions_Quoting(t *testing.T) {
	estate := mustLoad(t).Estate
	for _, note := range []string{"yes", "null", "12", "1.5", "- a", "a: b", "a #b", "'", `"`, `\n`, "鳳山", "@x", "{}", "~", "x ", " x", "%", "!t", "&a", "*a", "|", ">"} {
		d := vpn.DialIn{Site: "hq", Router: "gw-hq", Server: "vpn.example.com", Pool: "p 1", Profile: "default", Note: note}
		out, err := config.FormatDefinitions(definitions(t, []config.Imported{{Kind: vpn.KindDialIn, Name: "hq", DialIn: d}}))
		if err != nil {
			t.Fatal(err)
		}
		back, err := config.ParseDefinitions("out.yaml", out, estate, nil)
		if err != nil || len(back) != 1 || back[0].DialIn != d {
			t.Errorf("note %q: got %+v, %v\n%s", note, back, err, out)
		}
	}
}

// Ensure an export holds no reference to a key, only its mark, in a comment.
func TestFormatDefinitions_PSK(t *testing.T) {
	d := vpn.DialIn{Site: "hq", Router: "gw-hq", Server: "v.example.com", Pool: "p", Profile: "q", PSK: "0123456789abcdef01234567", PSKMark: "psk:9f3a1c0d"}
	out, err := config.FormatDefinitions(definitions(t, []config.Imported{{Kind: vpn.KindDialIn, Name: "hq", DialIn: d}}))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(out), string(d.PSK)) || !strings.Contains(string(out), "# psk: the bot holds it (psk:9f3a1c0d)") {
		t.Errorf("got\n%s", out)
	}
	back, err := config.ParseDefinitions("out.yaml", out, mustLoad(t).Estate, nil)
	if err != nil || back[0].PSK != "" || back[0].DialIn.PSK != "" {
		t.Errorf("got %+v, %v", back, err)
	}
}

// Ensure a broken definition file is refused with the place of the mistake.
func TestParseDefinitions_Broken(t *testing.T) {
	text := dialinExample(t)
	estate := mustLoad(t).Estate
	for _, b := range []broken{
		{"unknown site", "  hq:\n", "  hp:\n", "hp:\n", "dialin.hp", "name of a site"},
		{"router of another site", "router: gw-fengshan", "router: gw-hq", "gw-hq\n    server: 198", "dialin.fengshan.router", "router of this site"},
		{"no router", "    router: gw-fengshan\n", "", "fengshan:", "dialin.fengshan.router", "router of this site"},
		{"server", "server: 198.51.100.20", "server: http://vpn", "http://", "dialin.fengshan.server", "that clients dial"},
		{"psk itself", "# psk: file:hq-l2tp.psk", "psk: MySharedKey", "MySharedKey", "dialin.hq.psk", "never the secret itself"},
		{"reach without tunnel", "reach: [fengshan]", "reach: [鳳山]", "[鳳山]", "dialin.hq.reach", "no tunnel leads from gw-hq to fengshan"},
		{"reach elsewhere", "reach: [fengshan]", "reach: [tainan]", "[tainan]", "dialin.hq.reach", "name of a site"},
		{"reach itself", "reach: [fengshan]", "reach: [hq]", "[hq]", "dialin.hq.reach", "another site"},
		{"unknown key", "pool: l2tp-pool", "pools: l2tp-pool", "pools", "dialin.fengshan", "expected pool?"},
		{"unknown section", "dialin:\n", "routers: {}\ndialin:\n", "routers", "", "expected one of dialin, tunnels"},
		{"twice by alias", "  fengshan:\n", "  總公司:\n", "總公司:", "dialin.總公司", "one for each site"},
		{"nothing", "dialin:\n", "dialing:\n", "dialing", "", "expected dialin?"},
	} {
		t.Run(b.name, func(t *testing.T) {
			changed := strings.Replace(text, b.old, b.new, 1)
			if changed == text {
				t.Fatalf("example has no %q", b.old)
			}
			_, err := config.ParseDefinitions("dialin.yaml", []byte(changed), estate, nil)
			line, column := place(t, changed, b.at, false)
			if !slices.ContainsFunc(config.Errors(err), func(e *config.Error) bool {
				return e.Line == line && e.Column == column && e.Path == b.path && strings.Contains(e.Message, b.want)
			}) {
				t.Errorf("got\n%v\nwant dialin.yaml:%d:%d: %s: … %s", err, line, column, b.path, b.want)
			}
			if err != nil && strings.Contains(err.Error(), "MySharedKey") {
				t.Errorf("message repeats the key: %v", err)
			}
		})
	}
}

// Ensure a definition of a newer version is refused instead of cut short.
func TestFormatDefinitions_Newer(t *testing.T) {
	def := change.Definition{DefinitionRef: change.DefinitionRef{Kind: vpn.KindDialIn, Name: "hq"}, Body: json.RawMessage(`{"site":"hq","colour":"red"}`)}
	if out, err := config.FormatDefinitions([]change.Definition{def}); err == nil {
		t.Errorf("got %s", out)
	}
}
