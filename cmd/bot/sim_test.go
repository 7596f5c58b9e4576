//go:build !nodemo

package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vpnbot/vpn"
)

// Ensure a configuration can pin a simulated router's certificate: it is told
// how, and the certificate stays the same. Its logins have the rights that a real
// router's would.
func TestSim_Config(t *testing.T) {
	dir := t.TempDir()
	d, err := newDemo(systemNetwork(), dir, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
	cfg := d.configFile()
	said := simulate(t, cfg, nil)
	if strings.Count(said, "tls: {fingerprint: sha256:") != len(d.routers) {
		t.Fatalf("said %q, want a pin for each router", said)
	}
	text, err := os.ReadFile(cfg)
	if err != nil {
		t.Fatal(err)
	}
	pins := strings.Split(said, "fingerprint: ")
	for i, o := range d.routers {
		pin, _, _ := strings.Cut(pins[i+1], "}")
		text = bytes.Replace(text, []byte(o.Fingerprint), []byte(pin), 1)
	}
	write(t, cfg, string(text))
	if info, err := os.Stat(filepath.Join(dir, "sim", "gw-hq.pem")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("kept certificate: %v, %v", info, err)
	}
	said = simulate(t, cfg, func() {
		_, checked, problems := bot(t, "check", "--live", "--config", cfg)
		for _, name := range []string{"gw-hq", "gw-fengshan"} {
			if !strings.Contains(checked, "router "+name+": ok") {
				t.Errorf("check --live: %s\n%s", checked, problems)
			}
		}
		if strings.Contains(checked, "warning") || !strings.Contains(checked, "login vpnbot-ro in group vpnbot-ro: read,test,api\n") {
			t.Errorf("check --live: %s, want the rights of deploy/router.rsc", checked)
		}
	})
	if said != "" {
		t.Errorf("pinned: said %q", said)
	}
}

// simulate runs "sim" on a configuration, does something in between, and returns
// what it printed to standard error.
func simulate(t *testing.T, cfg string, during func()) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ready, problems := listenFor("ready"), &bytes.Buffer{}
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, []string{"sim", "--config", cfg}, ready, problems) }()
	select {
	case <-ready.seen:
		if during != nil {
			during()
		}
		cancel()
	case code := <-ended:
		t.Fatalf("sim: code %d: %s", code, problems.String())
	}
	if code := <-ended; code != done {
		t.Errorf("sim: code %d: %s", code, problems.String())
	}
	return problems.String()
}

// heard is a writer that tells when a word was written.
type heard struct {
	word string
	seen chan struct{}
	text bytes.Buffer
}

func listenFor(word string) *heard { return &heard{word: word, seen: make(chan struct{})} }

func (s *heard) Write(p []byte) (int, error) {
	before := strings.Contains(s.text.String(), s.word)
	s.text.Write(p)
	if !before && strings.Contains(s.text.String(), s.word) {
		close(s.seen)
	}
	return len(p), nil
}

// Ensure each simulated router plays the version that it was given, and the others
// that of all.
func TestSim_Profiles(t *testing.T) {
	routers := []vpn.Router{{Name: "sim1"}, {Name: "sim2"}, {Name: "sim3"}}
	for _, tt := range []struct {
		flag string
		want []string
	}{
		{"7.22.3", []string{"7.22.3", "7.22.3", "7.22.3"}},
		{"7.17.2,sim2=6.49.7", []string{"7.17.2", "6.49.7", "7.17.2"}},
		{"sim3=7.17.2", []string{"7.22.3", "7.22.3", "7.17.2"}},
	} {
		versions, err := simCommand{Profile: tt.flag}.profiles(routers)
		if err != nil {
			t.Errorf("%s: %v", tt.flag, err)
			continue
		}
		for i, r := range routers {
			s, err := simCommand{}.start(r, versions[r.Name], "")
			if err != nil {
				t.Fatal(err)
			}
			if got := s.router.Rows("/system/resource")[0]["version"]; got != tt.want[i]+" (stable)" {
				t.Errorf("%s: %s is %s, want %s", tt.flag, r.Name, got, tt.want[i])
			}
			if err := s.close(); err != nil {
				t.Error(err)
			}
		}
	}
	for _, flag := range []string{"", "7.9", "sim1=7.9", "gw=7.17.2", "sim1="} {
		if _, err := (simCommand{Profile: flag}).profiles(routers); err == nil {
			t.Errorf("%q was taken", flag)
		}
	}
}
