package strangers

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/go-routeros/routeros/v3"
)

// crowdSize is how many routers one process has to hold, and crowdMemory how much
// memory they may take in all.
const (
	crowdSize   = 500
	crowdMemory = 1 << 30
)

// Ensure one "bot sim" holds 500 routers of all versions with a client logged in
// to each, in less than 1 GiB.
func TestCrowd(t *testing.T) {
	if now, peak := crowd(t); peak >= crowdMemory {
		t.Errorf("%d routers take %d MiB, and took %d at most", crowdSize, now>>20, peak>>20)
	} else {
		t.Logf("%d routers take %d MiB, and took %d at most", crowdSize, now>>20, peak>>20)
	}
}

// BenchmarkCrowd tells the same figures.
func BenchmarkCrowd(b *testing.B) {
	for b.Loop() {
		now, peak := crowd(b)
		b.ReportMetric(float64(now)/(1<<20), "MiB")
		b.ReportMetric(float64(peak)/(1<<20), "MiB-peak")
	}
}

// crowd returns the resident memory of the process while all clients are logged
// in, and its peak.
func crowd(tb testing.TB) (now, peak uint64) {
	tb.Helper()
	if os.Getenv("VPNBOT_STRANGERS") == "off" {
		tb.Skip("VPNBOT_STRANGERS=off")
	}
	if _, err := os.Stat("/proc/self/status"); err != nil {
		tb.Skip("the kernel does not tell how much memory a process takes")
	}
	var mixed []string
	for i := range crowdSize {
		mixed = append(mixed, fmt.Sprintf("sim%d=%s", i+1, []string{"6.49.7", "7.17.2", "7.22.3"}[i%3]))
	}
	cmd := exec.CommandContext(context.WithoutCancel(tb.Context()), program, "sim", "--routers", strconv.Itoa(crowdSize), "--profile", strings.Join(mixed, ","))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	defer func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			tb.Errorf("stopping bot sim: %v", err)
		}
		if err := cmd.Wait(); err != nil {
			tb.Errorf("bot sim: %v", err)
		}
	}()
	var routers [][]string
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "ready" {
		routers = append(routers, strings.Fields(lines.Text()))
	}
	if len(routers) != crowdSize || lines.Text() != "ready" {
		tb.Fatalf("bot sim printed %d routers and then %q", len(routers), lines.Text())
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the process
	defer enter(tb, routers)()
	return resident(tb, cmd.Process.Pid)
}

// enter logs in to each router and reads from it. The clients stay until the
// function that it returns is called.
func enter(tb testing.TB, routers [][]string) (leave func()) {
	tb.Helper()
	clients := make([]*routeros.Client, len(routers))
	turns := make(chan struct{}, 20)
	var all sync.WaitGroup
	for i, f := range routers {
		all.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			nc, err := net.Dial("tcp", f[1])
			if err != nil {
				tb.Errorf("%s: %v", f[0], err)
				return
			}
			if clients[i], err = routeros.NewClient(nc); err != nil {
				tb.Errorf("%s: %v", f[0], err)
				return
			}
			if err := clients[i].Login(f[2], f[3]); err != nil {
				tb.Errorf("%s: %v", f[0], err)
				return
			}
			reply, err := clients[i].Run("/ip/ipsec/policy/print")
			if err != nil || len(reply.Re) != 1 {
				tb.Errorf("%s: %v, %v", f[0], reply, err)
			}
		})
	}
	all.Wait()
	return func() {
		for _, c := range clients {
			if c != nil {
				_ = c.Close()
			}
		}
	}
}

// resident reads how much memory a process has, and had at most.
func resident(tb testing.TB, pid int) (now, peak uint64) {
	tb.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		kib, _ := strconv.ParseUint(f[1], 10, 64)
		switch f[0] {
		case "VmRSS:":
			now = kib << 10
		case "VmHWM:":
			peak = kib << 10
		}
	}
	if now == 0 || peak < now {
		tb.Fatalf("process %d: %d and %d bytes", pid, now, peak)
	}
	return now, peak
}
