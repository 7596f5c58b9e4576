//go:build !nodemo

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vpnbot/deploy"
	"vpnbot/ros"
)

// bot runs one command line to its end.
func bot(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, problems bytes.Buffer
	code = run(t.Context(), args, &out, &problems)
	return code, out.String(), problems.String()
}

// background runs a command line until stop, which waits for its end and
// returns the exit code. Its standard output is read up to the line with which it
// is ready.
func background(t *testing.T, args ...string) (lines []string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	var problems bytes.Buffer
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, args, w, &problems)
		_ = w.Close()
	}()
	var once bool
	stop = func() int {
		if once {
			return done
		}
		once = true
		cancel()
		_, _ = io.Copy(io.Discard, r)
		c := <-code
		if t.Failed() || c != done {
			t.Logf("%q said:\n%s", args, problems.String())
		}
		return c
	}
	t.Cleanup(func() { stop() })
	scan := bufio.NewScanner(r)
	for scan.Scan() {
		lines = append(lines, scan.Text())
		if strings.HasPrefix(scan.Text(), "ready") {
			return lines, stop
		}
	}
	t.Fatalf("%q ended before it was ready: %v", args, lines)
	return nil, nil
}

// write puts a file into a directory of the test.
func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Ensure what is wrong with a command line or a configuration ends with code 2
// and a sentence that names it.
func TestRun_Misuse(t *testing.T) {
	dir := t.TempDir()
	broken := write(t, filepath.Join(dir, "broken.yaml"), "state: s\nlanguag: en\n")
	for _, tt := range []struct {
		name string
		args []string
		want string // in standard error
	}{
		{"nothing", nil, "expected one of"},
		{"unknown command", []string{"frobnicate"}, "frobnicate"},
		{"unknown flag", []string{"version", "--loud"}, "--loud"},
		{"no configuration", []string{"check", "--config", filepath.Join(dir, "none.yaml")}, "no such file"},
		{"broken configuration", []string{"check", "--config", broken}, "broken.yaml:2:1"},
		{"serve on a broken configuration", []string{"serve", "--config", broken}, "broken.yaml:2:1"},
		{"ask nothing", []string{"ask"}, "verb"},
		{"import nothing", []string{"import"}, "file"},
		{"import what is not there", []string{"import", filepath.Join(dir, "none.yaml")}, "no such file"},
		{"list nothing", []string{"audit", "list", "--limit", "0"}, "--limit"},
		{"verify against what is not there", []string{"audit", "verify", "--checkpoint", filepath.Join(dir, "none")}, "no such file"},
		{"demo for everyone", []string{"demo", "--listen", "0.0.0.0:0"}, "loopback"},
		{"demo without a port", []string{"demo", "--listen", "127.0.0.1"}, "--listen"},
		{"sim of another version", []string{"sim", "--profile", "6.49"}, "6.49.7, 7.17.2, 7.22.3"},
		{"sim of a version for nobody", []string{"sim", "--profile", "7.17.2,hq=6.49.7"}, "no router is called hq"},
		{"sim of no router", []string{"sim", "--routers", "0"}, "--routers"},
		{"sim out of time", []string{"sim", "--latency", "-1s"}, "--latency"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, stdout, stderr := bot(t, tt.args...)
			if code != misuse || !strings.Contains(stderr, tt.want) {
				t.Errorf("code %d, %q; want %d and %q", code, stderr, misuse, tt.want)
			}
			if stdout != "" {
				t.Errorf("standard output: %q", stdout)
			}
		})
	}
}

// Ensure the commands without a configuration work.
func TestRun_About(t *testing.T) {
	if code, stdout, _ := bot(t, "version"); code != done || !strings.HasPrefix(stdout, "bot ") {
		t.Errorf("version: %d, %q", code, stdout)
	}
	if code, stdout, _ := bot(t, "manifest"); code != done || stdout != string(deploy.Manifest()) {
		t.Errorf("manifest: %d, %q", code, stdout)
	}
	if code, stdout, _ := bot(t, "--help"); code != done || !strings.Contains(stdout, "serve") {
		t.Errorf("help: %d, %q", code, stdout)
	}
}

// Ensure the example configuration that is installed passes the check.
func TestCheck_Example(t *testing.T) {
	code, stdout, stderr := bot(t, "check", "--config", filepath.Join("..", "..", "deploy", "vpnbot.yaml"))
	if code != done || !strings.Contains(stdout, "2 sites, 2 routers") {
		t.Errorf("check: %d, %q, %q", code, stdout, stderr)
	}
}

// Ensure a rule about a verb that changes nothing is a mistake with its place.
func TestCheck_Verbs(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "vpnbot.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	path := write(t, filepath.Join(t.TempDir(), "vpnbot.yaml"), strings.Replace(string(text), "verbs: [adduser]", "verbs: [sites]", 1))
	code, _, stderr := bot(t, "check", "--config", path)
	if code != misuse || !strings.Contains(stderr, "approvals.0.verbs.0") {
		t.Errorf("check: %d, %q", code, stderr)
	}
}

// Ensure a key that is no key is refused without being repeated.
func TestKeys_Refused(t *testing.T) {
	t.Setenv("VPNBOT_TEST_KEY", "planted-not-hexadecimal")
	_, err := keyBytes("sealing-key", "env:VPNBOT_TEST_KEY")
	if err == nil || strings.Contains(err.Error(), "planted") || !strings.Contains(err.Error(), "64 hexadecimal digits") {
		t.Errorf("got %v", err)
	}
}

// Ensure "sim" prints what its lines promise and serves TLS with that
// certificate.
func TestSim(t *testing.T) {
	lines, stop := background(t, "sim", "--routers", "2")
	if len(lines) != 3 {
		t.Fatalf("lines: %q", lines)
	}
	for _, line := range lines[:2] {
		f := strings.Fields(line)
		if len(f) != 6 {
			t.Fatalf("line %q", line)
		}
		c, err := tls.Dial("tcp", f[4], &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // compared below
		if err != nil {
			t.Fatal(err)
		}
		if got := fingerprint(c); got != strings.ToLower(f[5]) {
			t.Errorf("certificate %s, want %s", got, f[5])
		}
		_ = c.Close()
	}
	if code := stop(); code != done {
		t.Errorf("code %d", code)
	}
}

// Ensure the terminal gets the same answers from the running bot and, when none
// runs, from the ledger itself, and that a second start takes up where the first
// one ended.
func TestDemo_Terminal(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	cfg := filepath.Join(dir, "vpnbot.yaml")
	lines, stop := background(t, "demo", "--listen", "127.0.0.1:0", "--state", dir)
	url, _ := strings.CutPrefix(lines[len(lines)-1], "ready ")
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("page: %s", resp.Status)
	}
	for _, file := range []string{"vpnbot.yaml", "vpnbot.sock", "ledger.db"} {
		info, err := os.Stat(filepath.Join(dir, file))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info, err)
		}
	}
	expect(t, done, "fengshan", "ask", "--config", cfg, "sites")
	expect(t, done, `"parts"`, "ask", "--config", cfg, "users", "hq", "--json")
	expect(t, misuse, "", "ask", "--config", cfg, "frobnicate")
	expect(t, failed, "", "ask", "--config", cfg, "show", "4711")
	expect(t, done, "definition.imported", "audit", "list", "--config", cfg)
	expect(t, done, "T0", "check", "--live", "--config", cfg)
	definitions := expect(t, done, "dialin:", "export", "--config", cfg)
	again := write(t, filepath.Join(t.TempDir(), "again.yaml"), definitions)
	expect(t, done, "dialin hq: kept", "import", "--config", cfg, again)
	if code := stop(); code != done {
		t.Fatalf("code %d", code)
	}
	if got := expect(t, done, "dialin:", "export", "--config", cfg); got != definitions {
		t.Errorf("definitions from the ledger itself: %q, want %q", got, definitions)
	}
	expect(t, done, "The trail holds", "audit", "verify", "--config", cfg)
	expect(t, done, `"hash"`, "audit", "export", "--config", cfg)
	expect(t, failed, "", "check", "--live", "--config", cfg)
	_, stop = background(t, "demo", "--listen", "127.0.0.1:0", "--state", dir)
	expect(t, done, "bot.stopped", "audit", "list", "--config", cfg)
	if code := stop(); code != done {
		t.Fatalf("second start: code %d", code)
	}
}

// expect runs a command line and returns its standard output.
func expect(t *testing.T, code int, want string, args ...string) string {
	t.Helper()
	got, stdout, stderr := bot(t, args...)
	if got != code || !strings.Contains(stdout, want) {
		t.Errorf("%q: code %d, %q, %q; want %d and %q", args, got, stdout, stderr, code, want)
	}
	if code != done && stderr == "" && stdout == "" {
		t.Errorf("%q says nothing", args)
	}
	return stdout
}

// Ensure verify says that a checkpoint which was kept outside does not fit.
func TestAudit_VerifyRefuses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	cfg := filepath.Join(dir, "vpnbot.yaml")
	_, stop := background(t, "demo", "--listen", "127.0.0.1:0", "--state", dir)
	stop()
	note := write(t, filepath.Join(t.TempDir(), "note"), "no checkpoint\n")
	expect(t, failed, "", "audit", "verify", "--config", cfg, "--checkpoint", note)
}

// Ensure serve ends with code 2 when a secret is missing, and does not begin.
func TestServe_NoSecrets(t *testing.T) {
	code, _, stderr := bot(t, "serve", "--config", filepath.Join("..", "..", "deploy", "vpnbot.yaml"))
	if code != misuse || !strings.Contains(stderr, "sealing-key") {
		t.Errorf("serve: %d, %q", code, stderr)
	}
}

// Ensure serve works on a world that another process simulates, and tells the
// ledger of its start and end.
func TestServe(t *testing.T) {
	d, err := newDemo(systemNetwork(), t.TempDir(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.close(); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	var out, problems bytes.Buffer
	code := make(chan int, 1)
	go func() { code <- run(ctx, []string{"serve", "--config", d.configFile()}, &out, &problems) }()
	wait, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	if err := d.slack.Wait(wait, func() bool { return d.slack.Connections() > 0 }); err != nil {
		t.Fatal(err)
	}
	expect(t, done, "gw-hq", "ask", "--config", d.configFile(), "sites")
	cancel()
	if c := <-code; c != done {
		t.Errorf("code %d: %s", c, problems.String())
	}
	expect(t, done, "bot.stopped", "audit", "list", "--config", d.configFile())
}

func fingerprint(c *tls.Conn) string { return ros.Fingerprint(c.ConnectionState().PeerCertificates[0]) }
