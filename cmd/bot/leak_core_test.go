package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// coreChild says that the process is one that TestHarden starts, and whether it is
// to be hardened.
const coreChild = "VPNBOT_CORE_CHILD"

// TestHarden_Child is no test but the process that TestHarden lets crash.
func TestHarden_Child(t *testing.T) {
	how := os.Getenv(coreChild)
	if how == "" {
		return
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = limit.Max
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &limit); err != nil {
		t.Fatal(err)
	}
	if how == "hardened" {
		if err := harden(); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil {
		t.Fatal(err)
	}
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("limit %d, dumpable %d\n", limit.Cur, dumpable)
	if how == "hardened" {
		_ = syscall.Kill(os.Getpid(), syscall.SIGABRT)
		time.Sleep(time.Minute) // the signal is on its way
	}
}

// Ensure a bot that crashes leaves no core file, whatever the host allows: the limit
// is zero and its memory may not be read, which also holds where cores go to a
// program. A process that is not hardened shows that there is something to forbid.
func TestHarden(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for how, want := range map[string]string{"hardened": "limit 0, dumpable 0", "plain": "dumpable 1"} {
		dir := t.TempDir()
		c := exec.Command(self, "-test.run=^TestHarden_Child$", "-test.count=1")
		c.Dir = dir
		c.Env = append(os.Environ(), coreChild+"="+how, "GOTRACEBACK=crash")
		out, err := c.Output()
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("%s: got %q, %v; want %q", how, out, err, want)
		}
		if how != "hardened" {
			continue
		}
		status, ok := c.ProcessState.Sys().(syscall.WaitStatus)
		if !ok || !status.Signaled() || status.Signal() != syscall.SIGABRT {
			t.Errorf("ended with %v, want SIGABRT", c.ProcessState)
		}
		if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 || status.CoreDump() {
			t.Errorf("a hardened process left %q, %v, core dumped: %t", left, err, status.CoreDump())
		}
	}
}
