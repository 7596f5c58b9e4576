package strangers

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "vpnbot/ros/rossim" // so that no test result is kept once the simulator differs
)

// scriptLimit is how long one script may run. It only ends what hangs.
const scriptLimit = 4 * time.Minute

// program is the bot that TestMain built.
var program string

// TestMain builds the bot once, without the race detector: strangers time out
// where a slow simulator answers late.
func TestMain(m *testing.M) { os.Exit(runAll(m)) }

func runAll(m *testing.M) (code int) {
	dir, err := os.MkdirTemp("", "strangers")
	if err == nil {
		defer func() {
			if err := os.RemoveAll(dir); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}()
		program = filepath.Join(dir, "bot")
		err = prepare()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func prepare() error {
	if os.Getenv("VPNBOT_STRANGERS") == "off" {
		return nil
	}
	if out, err := exec.Command("go", "build", "-o", program, "vpnbot/cmd/bot").CombinedOutput(); err != nil {
		return fmt.Errorf("building the bot: %w\n%s", err, out)
	}
	return nil
}

// router is what a line of "bot sim" tells.
type router struct {
	version                                          string
	name, plain, user, password, secure, fingerprint string
}

// versions are the profiles of RouterOS that are driven.
var versions = []string{"6.49.7", "7.17.2", "7.22.3"}

// missing skips, or fails where every program has to be there.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("VPNBOT_STRANGERS") == "required" {
		t.Fatalf("VPNBOT_STRANGERS=required, and %s is missing", what)
	}
	t.Skipf("%s is missing", what)
}

// simulate starts "bot sim" with one router of the version, which ends with the
// test. It must end well.
func simulate(t *testing.T, version string, args ...string) router {
	t.Helper()
	if os.Getenv("VPNBOT_STRANGERS") == "off" {
		t.Skip("VPNBOT_STRANGERS=off")
	}
	t.Parallel()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, append([]string{"sim", "--routers", "1", "--profile", version}, args...)...)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Errorf("stopping bot sim: %v", err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("bot sim: %v", err)
		}
	})
	lines := bufio.NewScanner(out)
	var f []string
	for lines.Scan() && lines.Text() != "ready" {
		f = strings.Fields(lines.Text())
	}
	if lines.Text() != "ready" || len(f) != 6 {
		t.Fatalf("bot sim printed %q and then %q, want a router's six fields and ready", f, lines.Text())
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the process
	return router{version, f[0], f[1], f[2], f[3], f[4], f[5]}
}

// environment tells a script where the router is.
func (r router) environment(t *testing.T) []string {
	t.Helper()
	host, port, err := net.SplitHostPort(r.plain)
	if err != nil {
		t.Fatal(err)
	}
	_, secure, err := net.SplitHostPort(r.secure)
	if err != nil {
		t.Fatal(err)
	}
	return append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1",
		"ROUTER_VERSION="+r.version, "ROUTER_NAME="+r.name, "ROUTER_HOST="+host, "ROUTER_PORT="+port, "ROUTER_TLS_PORT="+secure,
		"ROUTER_USER="+r.user, "ROUTER_PASSWORD="+r.password, "ROUTER_FINGERPRINT="+r.fingerprint)
}

var (
	verdict = regexp.MustCompile(`(?m)^passed (\d+)$`)
	passes  = regexp.MustCompile(`(?m)^ok .*\n`)
)

// play runs a script against the router. It has to end well and to have checked
// as many things as it says, at least one.
func (r router) play(t *testing.T, environment []string, command ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), scriptLimit)
	defer cancel()
	watchScripts(t)
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir = "testdata"
	cmd.Env = append(r.environment(t), environment...)
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", filepath.Base(command[len(command)-1]), err, passes.ReplaceAll(out, nil))
	}
	m := verdict.FindSubmatch(out)
	if m == nil {
		t.Fatalf("%s gave no verdict:\n%s", filepath.Base(command[len(command)-1]), out)
	}
	checked := strings.Count("\n"+string(out), "\nok ")
	if said, err := strconv.Atoi(string(m[1])); err != nil || said != checked || checked == 0 {
		t.Errorf("passed %s of %d checks:\n%s", m[1], checked, out)
	}
	t.Logf("%d checks", checked)
}

// watchScripts looks at every script, so that no test result is kept once one
// differs.
func watchScripts(t *testing.T) {
	t.Helper()
	scripts, err := filepath.Glob("testdata/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range scripts {
		if _, err := os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
}

// python is Debian's interpreter, which sees Debian's modules.
const python = "/usr/bin/python3"

// needPython skips when the interpreter or a module is missing.
func needPython(t *testing.T, modules ...string) {
	t.Helper()
	if _, err := os.Stat(python); err != nil {
		missing(t, python)
	}
	for _, m := range modules {
		if err := exec.CommandContext(t.Context(), python, "-c", "import "+m).Run(); err != nil {
			missing(t, "the Python module "+m)
		}
	}
}
