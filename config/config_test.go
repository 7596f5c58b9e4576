package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpnbot/change"
	"vpnbot/config"
	"vpnbot/vpn"
)

const example = "../deploy/vpnbot.yaml"

func mustLoad(t *testing.T) *config.Config {
	t.Helper()
	c, err := config.Load(example)
	if err != nil {
		t.Fatalf("Load(%s): %v", example, err)
	}
	return c
}

// Ensure the example that is shipped is valid, without warnings, and means what
// its comments say.
func TestLoad_Example(t *testing.T) {
	c := mustLoad(t)
	for _, w := range c.Warnings {
		t.Errorf("warning: %v", w)
	}
	if c.State != "/var/lib/vpnbot" || c.Language != "zh-TW" || c.Location.String() != "Asia/Taipei" {
		t.Errorf("state %q, language %q, location %v", c.State, c.Language, c.Location)
	}
	if got := c.Channels[change.ChannelAudit]; got != "C0456EFGH" {
		t.Errorf("audit channel %q", got)
	}
	if got := c.ChannelLanguages; got[change.ChannelApprovals] != "zh-TW" || got[change.ChannelAudit] != "en" {
		t.Errorf("channel languages %v", got)
	}
	site, ok := c.Estate.Site("鳳山")
	if !ok || site.Name != "fengshan" || !slices.Equal(site.Routers, []string{"gw-fengshan"}) {
		t.Errorf("Site(鳳山) = %+v, %v", site, ok)
	}
	router, _ := c.Estate.Router("gw-fengshan")
	if want := filepath.Join("..", "deploy", "router-ca.pem"); router.CAFile != want {
		t.Errorf("CA file %q, want %q", router.CAFile, want)
	}
	bob := c.People[slices.IndexFunc(c.People, func(p change.Person) bool { return p.ID == "bob" })]
	want := change.Person{ID: "bob", Name: "Bob Lin", Role: change.Approver, Slack: []change.SlackID{
		{Team: "T0123ABCD", User: "U0456EFGH"}, {Team: "T0123ABCD", User: "U0457EFGH"},
	}}
	if diff := cmp.Diff(want, bob); diff != "" {
		t.Error(diff)
	}
	if rule := c.Rules.For("adduser", "hq"); !rule.Accepts("INC-7 new colleague") || rule.Accepts("because") {
		t.Errorf("rule %+v", rule)
	}
}

// Ensure every key of the example is known to the test's own list: a new key is
// explained in the example.
func TestLoad_ExampleExplainsEveryKey(t *testing.T) {
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{
		"state", "language", "timezone", "slack", "team", "bot-token", "app-token", "signing-secret", "api",
		"channels", "approvals", "audit", "id", "secrets", "sealing-key", "checkpoint-key", "people", "name",
		"role", "sites", "verbs", "count", "reason", "aliases", "lan", "wan", "interface", "address", "nat",
		"routers", "tls", "fingerprint", "ca", "plain", "read", "write", "user", "password", "retention",
		"inbox", "witness", "webhook", "journal", "foreign",
	} {
		if !strings.Contains(string(text), key+":") {
			t.Errorf("%s does not show key %s", example, key)
		}
	}
}

// broken replaces one text of the example and expects one mistake.
type broken struct {
	name     string
	old, new string
	at       string // text at whose beginning the mistake stands, in the new file
	path     string
	want     string // part of the message
}

func brokenTable() []broken {
	return []broken{
		{"unknown key", "timezone: Asia", "timezon: Asia", "timezon:", "", "expected timezone?"},
		{"unknown key far off", "timezone: Asia/Taipei", "timezone: Asia/Taipei\nfruit: apple", "fruit", "", "expected one of state, language"},
		{"nested unknown key", "    lan: [192.168.77.0/24]", "    lann: [192.168.77.0/24]", "lann", "sites.hq", "expected lan?"},
		{"key twice", "language: zh-TW", "language: zh-TW\nlanguage: en", "language: en", "", "twice"},
		{"site twice", "  fengshan:\n", "  hq:\n", "hq:\n    aliases: [鳳山", "sites", "twice"},
		{"language", "language: zh-TW", "language: zh-CN", "zh-CN", "language", "expected en or zh-TW"},
		{"time zone", "Asia/Taipei", "Taipei Time", "Taipei Time", "timezone", "such as Asia/Taipei"},
		{"role", "role: operator", "role: boss", "boss", "people.carol.role", "viewer, operator or approver"},
		{"slack id", "[U0123ABCD]", "['@ann']", "'@ann'", "people.ann.slack.0", "such as U0123ABCD"},
		{"slack id of two people", "[U0789JKLM]", "[U0123ABCD]", "U0123ABCD]\n    role: operator", "people.carol.slack.0", "twice"},
		{"unknown site", "sites: [fengshan]", "sites: [kaohsiung]", "kaohsiung", "people.carol.sites.0", "expected a site of this file: hq, fengshan"},
		{"empty sites", "sites: [fengshan]", "sites: []", "[]   ", "people.carol.sites", "every site"},
		{"lan host part", "192.168.77.0/24", "192.168.77.1/24", "192.168.77.1/24", "sites.hq.lan.0", "host part zero"},
		{"alias taken", "[鳳山, fs]", "[鳳山, HQ]", "HQ]", "sites.fengshan.aliases.1", "another site"},
		{"address without port", "192.168.77.1:8729", "192.168.77.1", "192.168.77.1 ", "sites.hq.routers.gw-hq.address", "host:port"},
		{"fingerprint", "sha256:2f1b", "sha256:zz", "sha256:zz", "sites.hq.routers.gw-hq.tls.fingerprint", "64 hexadecimal digits"},
		{"plain beside the office", "# plain: true ", "plain: true   ", "true   ", "sites.hq.routers.gw-hq.plain", "loopback only"},
		{"password itself", "credential:gw-hq-read", "hunter2", "hunter2", "sites.hq.routers.gw-hq.read.password", "never the secret itself"},
		{"token itself", "bot-token: credential:slack-bot-token", "bot-token: xoxb-12-abc", "xoxb", "slack.bot-token", "never the secret itself"},
		{"same login twice", "user: vpnbot-rw\n", "user: vpnbot-ro\n", "vpnbot-ro\n          password: credential:gw-hq-write", "sites.hq.routers.gw-hq.write.user", "other than read's"},
		{"nat", `nat: "1:1"`, "nat: full", "full", "sites.fengshan.wan.0.nat", `none, "1:1" or carrier`},
		{"plain http api", "# api: https://slack.com/api/", "api: http://slack.com/api/", "http://", "slack.api", "loopback"},
		{"channel name", "approvals: C0123ABCD", "approvals: '#vpn'", "'#vpn'", "channels.approvals", "C0123ABCD"},
		{"count", "count: 1 ", "count: many ", "many", "approvals.0.count", "from 1 to 9"},
		{"person of rule", "people: [ann, bob]", "people: [ann, bobby]", "bobby", "approvals.0.people.1", "expected a person of this file"},
		{"pattern", "'INC-[0-9]+ .*'", "'INC-[0-9+'", "'INC-[0-9+'", "approvals.0.reason", "pattern"},
		{"missing", "state: /var/lib/vpnbot\n", "", "language", "state", "expected the directory"},
		{"retention", "inbox: 30d", "inbox: 30", "30\n", "retention.inbox", "1d to 3650d"},
		{"bool", "journal: false", "journal: nein", "nein", "witness.journal", "true or false"},
		{"tab", "  journal: false", "\tjournal: false", "\tjournal", "", "expected YAML"},
		{"text for a mapping", "sites:\n  hq:", "sites: nowhere\nsitez:\n  hq:", "nowhere", "sites", "sites by name"},
		{"anchor", "[192.168.77.0/24]", "&net [192.168.77.0/24]", "&net", "sites.hq.lan", "expected a list"},
		{"second document", "retention:\n", "---\nretention:\n", "retention:\n", "", "second document"},
	}
}

// Ensure a broken file is refused with the place of the mistake and what is
// expected there.
func TestParse_Broken(t *testing.T) {
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range brokenTable() {
		t.Run(b.name, func(t *testing.T) {
			if !strings.Contains(string(text), b.old) {
				t.Fatalf("example has no %q", b.old)
			}
			changed := strings.Replace(string(text), b.old, b.new, 1)
			_, err := config.Parse("vpnbot.yaml", []byte(changed))
			if err == nil {
				t.Fatal("no error")
			}
			list := config.Errors(err)
			line, column := place(t, changed, b.at, b.name == "missing")
			if !slices.ContainsFunc(list, func(e *config.Error) bool {
				return e.File == "vpnbot.yaml" && e.Line == line && e.Column == column && e.Path == b.path && strings.Contains(e.Message, b.want)
			}) {
				t.Errorf("got\n%v\nwant vpnbot.yaml:%d:%d: %s: … %s", err, line, column, b.path, b.want)
			}
		})
	}
}

// place returns line and column of the first at in text; top asks for the place
// of a key that is missing at the top.
func place(t *testing.T, text, at string, top bool) (line, column int) {
	t.Helper()
	if top {
		return 1, 1
	}
	i := strings.Index(text, at)
	if i < 0 {
		t.Fatalf("no %q in the changed file", at)
	}
	before := text[:i]
	start := strings.LastIndex(before, "\n") + 1
	return strings.Count(before, "\n") + 1, len([]rune(before[start:])) + 1
}

// Ensure a secret that stands where something else belongs is in no message.
func TestParse_NeverRepeatsAValue(t *testing.T) {
	const planted = "xoxb-17-Planted9Secret"
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		key, _, ok := strings.Cut(line, ": ")
		if !ok || strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		for _, value := range []string{planted, "[" + planted + "]", "{" + planted + ": 1}", `"` + planted, "*" + planted, "!" + planted} {
			changed := slices.Clone(lines)
			changed[i] = key + ": " + value
			c, err := config.Parse("vpnbot.yaml", []byte(strings.Join(changed, "\n")))
			if err != nil && strings.Contains(err.Error(), planted) {
				t.Errorf("line %d: %v", i+1, err)
			}
			if c == nil {
				continue
			}
			for _, w := range c.Warnings {
				if strings.Contains(w.Error(), planted) {
					t.Errorf("line %d: %v", i+1, w)
				}
			}
		}
	}
}

// Ensure all mistakes of a file are told at once, in its order.
func TestParse_Several(t *testing.T) {
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer("language: zh-TW", "language: fr", "role: operator", "role: boss", "inbox: 30d", "inbox: x").Replace(string(text))
	_, err = config.Parse("vpnbot.yaml", []byte(changed))
	list := config.Errors(err)
	if len(list) != 3 || !slices.IsSortedFunc(list, func(a, b *config.Error) int { return a.Line - b.Line }) {
		t.Errorf("got %d mistakes, want 3 in order:\n%v", len(list), err)
	}
}

// Ensure what is unwise is told, with its place, and accepted.
func TestParse_Warnings(t *testing.T) {
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, old, new, want string }{
		{"one approver", "role: approver\n    language: en", "role: operator\n    language: en", "name a second approver"},
		{"rule asks too much", "count: 1 ", "count: 2 \n    # ", "asks for 2 approvals"},
		{"overlap", "lan: [192.168.88.0/24]", "lan: [192.168.0.0/16]", "overlaps with a network of hq"},
		{"signing secret", "  bot-token:", "  signing-secret: env:X\n  bot-token:", "is not used"},
		{"no witness", "  webhook: credential:witness-webhook\n", "", "no witness"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			changed := strings.Replace(string(text), tt.old, tt.new, 1)
			if tt.name == "rule asks too much" {
				changed = strings.Replace(changed, "role: approver\n    language: en", "role: operator\n    language: en", 1)
				changed = strings.Replace(changed, "people: [ann, bob]", "# any", 1)
			}
			c, err := config.Parse("vpnbot.yaml", []byte(changed))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(c.Warnings, func(w *config.Error) bool { return strings.Contains(w.Message, tt.want) && w.Line > 0 }) {
				t.Errorf("warnings %v, want one with %q", c.Warnings, tt.want)
			}
		})
	}
}

// Ensure a rule for a verb that does not exist is a mistake with its place.
func TestConfig_CheckVerbs(t *testing.T) {
	c := mustLoad(t)
	if err := c.CheckVerbs([]string{"adduser", "resolve"}); err != nil {
		t.Errorf("known verb: %v", err)
	}
	list := config.Errors(c.CheckVerbs([]string{"resolve"}))
	if len(list) != 1 || list[0].Path != "approvals.0.verbs.0" || list[0].Line < 10 {
		t.Errorf("got %v", list)
	}
}

// Ensure a file that is absent, empty or too large is an error that says so.
func TestLoad_NoFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := config.Load(filepath.Join(dir, "none.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	if _, err := config.Parse("x.yaml", nil); err == nil || !strings.Contains(err.Error(), "x.yaml:1:1: the file is empty") {
		t.Errorf("empty: %v", err)
	}
	large := filepath.Join(dir, "large.yaml")
	if err := os.WriteFile(large, make([]byte, 300<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Load(large); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("large: %v", err)
	}
}

// Ensure relative paths are relative to the file.
func TestParse_RelativePaths(t *testing.T) {
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer("state: /var/lib/vpnbot", "state: state", "credential:sealing-key", "file:keys/seal").Replace(string(text))
	c, err := config.Parse("/etc/vpnbot/vpnbot.yaml", []byte(changed))
	if err != nil {
		t.Fatal(err)
	}
	if c.State != "/etc/vpnbot/state" || c.Secrets.SealingKey != "file:/etc/vpnbot/keys/seal" {
		t.Errorf("state %q, sealing key %q", c.State, c.Secrets.SealingKey)
	}
}

// FuzzParse: no input makes the reader panic, and an accepted configuration is
// whole.
func FuzzParse(f *testing.F) {
	text, err := os.ReadFile(example)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	for _, s := range []string{"a: &x\n", "? [a]: b\n", "<<: *a\n", "- - -\n", "sites: {hq: {lan: [1, {}, []]}}\n", "people: {a: {slack: [T/U]}}", "state:\n  - |\n    x"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 8<<10 {
			t.Skip("long input is slow in the YAML library and bounded by size instead")
		}
		c, err := config.Parse("vpnbot.yaml", data)
		if err == nil && (c.State == "" || len(c.Estate.Sites) == 0 || c.Location == nil) {
			t.Errorf("accepted half a configuration: %+v", c)
		}
		_, _ = config.ParseDefinitions("dialin.yaml", data, vpn.Estate{}, nil)
	})
}
