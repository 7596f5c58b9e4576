package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"vpnbot/deploy"
)

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

type manifest struct {
	Metadata struct {
		Major int `yaml:"major_version"`
		Minor int `yaml:"minor_version"`
	} `yaml:"_metadata"`
	Display struct {
		Name        string
		Description string
		Background  string `yaml:"background_color"`
	} `yaml:"display_information"`
	Features struct {
		Home struct {
			Home     bool `yaml:"home_tab_enabled"`
			Messages bool `yaml:"messages_tab_enabled"`
			ReadOnly bool `yaml:"messages_tab_read_only_enabled"`
		} `yaml:"app_home"`
		Bot struct {
			Name   string `yaml:"display_name"`
			Online bool   `yaml:"always_online"`
		} `yaml:"bot_user"`
		Commands []struct {
			Command     string
			Description string
			Hint        string `yaml:"usage_hint"`
			Escape      bool   `yaml:"should_escape"`
		} `yaml:"slash_commands"`
	}
	OAuth struct {
		Scopes struct{ Bot []string }
	} `yaml:"oauth_config"`
	Settings struct {
		Interactivity struct {
			Enabled bool `yaml:"is_enabled"`
		}
		Org      bool `yaml:"org_deploy_enabled"`
		Socket   bool `yaml:"socket_mode_enabled"`
		Rotation bool `yaml:"token_rotation_enabled"`
	}
}

// Ensure the manifest has only keys that Slack's schema has, keeps its lengths,
// and asks for no more than the bot uses.
func TestManifest(t *testing.T) {
	if got := read(t, "slack-manifest.yaml"); got != string(deploy.Manifest()) {
		t.Error("embedded manifest is not the file")
	}
	var m manifest
	if err := yaml.UnmarshalWithOptions(deploy.Manifest(), &m, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	if len(m.Display.Name) > 35 || len(m.Display.Description) > 140 || m.Metadata.Major != 1 {
		t.Errorf("display information %+v", m.Display)
	}
	if len(m.Features.Commands) != 1 || m.Features.Commands[0].Command != "/vpn" || !m.Features.Commands[0].Escape {
		t.Errorf("commands %+v", m.Features.Commands)
	}
	if !m.Settings.Socket || !m.Settings.Interactivity.Enabled || m.Features.Home.Home || !m.Features.Home.Messages {
		t.Errorf("settings %+v, home %+v", m.Settings, m.Features.Home)
	}
	want := []string{"commands", "chat:write", "im:write", "users:read", "channels:history", "groups:history", "im:history", "channels:read", "groups:read"}
	if !slices.Equal(m.OAuth.Scopes.Bot, want) {
		t.Errorf("scopes %v, want %v", m.OAuth.Scopes.Bot, want)
	}
}

// Ensure systemd accepts the unit, with a stand-in where the program would be.
func TestUnit_Verify(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "bot")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(dir, "vpnbot.service")
	text := strings.ReplaceAll(read(t, "vpnbot.service"), "/usr/local/bin/bot", program)
	if err := os.WriteFile(unit, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", unit).CombinedOutput()
	// systemd also reports on units of this host; only lines about ours count.
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, unit) || strings.Contains(line, "Unknown key") {
			t.Error(strings.TrimSpace(line))
		}
	}
	if err != nil {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

// Ensure every credential that the example configuration names is loaded by the
// unit, and no other.
func TestUnit_Credentials(t *testing.T) {
	named := func(pattern, text string) []string {
		var list []string
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			list = append(list, m[1])
		}
		slices.Sort(list)
		return slices.Compact(list)
	}
	want := named(`(?m)^[^#\n]*credential:([a-z-]+)`, read(t, "vpnbot.yaml"))
	got := named(`(?m)^LoadCredential=([a-z-]+):`, read(t, "vpnbot.service"))
	if !slices.Equal(got, want) {
		t.Errorf("unit loads %v, the example names %v", got, want)
	}
}

// Ensure the router script holds no password and gives neither group a policy
// beyond what the bot needs.
func TestRouterScript(t *testing.T) {
	text := read(t, "router.rsc")
	first, _, _ := strings.Cut(text, "\n")
	if !strings.Contains(strings.ToLower(first), "not yet run on a router") {
		t.Errorf("first line %q", first)
	}
	for _, name := range []string{"botAddress", "readPassword", "writePassword", "commonName"} {
		if !strings.Contains(text, ":local "+name+` ""`) {
			t.Errorf("variable %s is not an empty placeholder", name)
		}
	}
	if m := regexp.MustCompile(`password=[^$\s]\S*`).FindString(text); m != "" {
		t.Errorf("a password stands in the script: %s", m)
	}
	tokens := []string{
		"api", "ftp", "local", "password", "policy", "read", "reboot", "rest-api", "romon", "sensitive",
		"sniff", "ssh", "telnet", "test", "web", "winbox", "write",
	}
	want := map[string][]string{"vpnbot-ro": {"api", "read", "test"}, "vpnbot-rw": {"api", "read", "test", "write"}}
	groups := regexp.MustCompile(`(?m)^/user/group/add name=(\S+) .*policy="([^"]+)"`).FindAllStringSubmatch(text, -1)
	if len(groups) != 2 {
		t.Fatalf("found %d groups", len(groups))
	}
	for _, g := range groups {
		var granted, named []string
		for token := range strings.SplitSeq(g[2], ",") {
			name, denied := strings.CutPrefix(token, "!")
			named = append(named, name)
			if !denied {
				granted = append(granted, name)
			}
		}
		slices.Sort(granted)
		slices.Sort(named)
		if !slices.Equal(granted, want[g[1]]) || !slices.Equal(named, tokens) {
			t.Errorf("%s grants %v and names %v", g[1], granted, named)
		}
	}
}
