package lab_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"vpnbot/lab"
	"vpnbot/ros/schema"
)

// need returns how many pairs VPNBOT_LAB asks for. Where it asks for none the
// test is skipped; where it does and no lab can run, the test fails.
func need(t *testing.T) int {
	t.Helper()
	pairs, err := strconv.Atoi(os.Getenv("VPNBOT_LAB"))
	if err != nil || pairs < 1 {
		t.Skip("NOT RUN: nothing is checked against real daemons; VPNBOT_LAB=60 runs it, as root")
	}
	if err := lab.Missing(); err != nil {
		t.Fatalf("no lab can run here: %v", err)
	}
	return pairs
}

// start starts a lab for one test.
func start(t *testing.T) *lab.Lab {
	t.Helper()
	need(t)
	l, err := lab.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// sites is an attempt between two routers that agree.
func sites() schema.Attempt {
	party := func(name, own, other, src, dst string) schema.Party {
		return schema.Party{
			Name:  name,
			Local: netip.MustParseAddr(own), Seen: netip.MustParseAddr(own),
			Keys: map[string]string{"*3": "correct horse"},
			Rows: map[string][]schema.Row{
				"/ip/ipsec/profile": {{
					".id": "*1", "name": "site", "enc-algorithm": "aes-256,aes-128", "hash-algorithm": "sha256",
					"dh-group": "modp2048,modp1024",
				}},
				"/ip/ipsec/peer":     {{".id": "*2", "name": "site", "address": other + "/32", "profile": "site", "exchange-mode": "main"}},
				"/ip/ipsec/identity": {{".id": "*3", "peer": "site"}},
				"/ip/ipsec/proposal": {{
					".id": "*4", "name": "site", "enc-algorithms": "aes-256-cbc,aes-128-cbc", "auth-algorithms": "sha256",
					"pfs-group": "modp2048",
				}},
				"/ip/ipsec/policy": {{
					".id": "*5", "peer": "site", "tunnel": "true", "src-address": src, "dst-address": dst,
					"proposal": "site",
				}},
			},
		}
	}
	return schema.Attempt{
		Initiator: party("hq", "203.0.113.5", "198.51.100.7", "192.168.77.0/24", "192.168.10.0/24"),
		Responder: party("fengshan", "198.51.100.7", "203.0.113.5", "192.168.10.0/24", "192.168.77.0/24"),
		Peer:      "*2",
	}
}

// Ensure that two routers which agree come up by the daemons' judgement and
// carry packets.
func TestLab_Negotiate(t *testing.T) {
	l := start(t)
	a := sites()
	out, err := l.Negotiate(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	if out.Verdict != schema.Agree {
		t.Fatalf("got %+v, want agreement", out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := l.Ping(ctx, out.Phase2[0].Source, out.Phase2[0].Destination); err != nil {
		t.Error(err)
	}
	t.Logf("%+v %+v", out.Phase1, out.Phase2)
}

// Ensure that a disagreement leaves nothing through which packets could pass, and
// that the lab works again after it.
func TestLab_Negotiate_Disagree(t *testing.T) {
	l := start(t)
	for _, key := range []string{"correct horse", "another", "correct horse"} {
		a := sites()
		a.Responder.Keys["*3"] = key
		out, err := l.Negotiate(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		want := schema.Agree
		if key == "another" {
			want = schema.Disagree
		}
		if out.Verdict != want {
			t.Errorf("with key %q: got %+v, want %s", key, out, want)
		}
		crosses := l.Ping(within(t, 5*time.Second, want == schema.Agree), netip.MustParsePrefix("192.168.77.0/24"), netip.MustParsePrefix("192.168.10.0/24"))
		if (crosses == nil) != (want == schema.Agree) {
			t.Errorf("with key %q: pinging: %v", key, crosses)
		}
	}
}

// within bounds a ping: what must cross gets long, what must not gets a moment.
func within(t *testing.T, long time.Duration, crosses bool) context.Context {
	if !crosses {
		long = 400 * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(t.Context(), long)
	t.Cleanup(cancel)
	return ctx
}

// Ensure what address translation does to a tunnel that is up, with real packets:
// a masquerade takes the packets away from the policy, unless an accept above it
// lets them through; one below it comes too late.
func TestLab_SetNAT(t *testing.T) {
	masquerade := schema.Row{"chain": "srcnat", "action": "masquerade", "out-interface-list": "WAN"}
	accept := schema.Row{"chain": "srcnat", "action": "accept", "src-address": "192.168.77.0/24", "dst-address": "192.168.10.0/24"}
	tests := []struct {
		name    string
		rows    []schema.Row
		crosses bool
	}{
		{"no rules", nil, true},
		{"masquerade alone", []schema.Row{masquerade}, false},
		{"accept above masquerade", []schema.Row{accept, masquerade}, true},
		{"accept below masquerade", []schema.Row{masquerade, accept}, false},
		{"accept disabled", []schema.Row{{
			"chain": "srcnat", "action": "accept", "src-address": "192.168.77.0/24", "disabled": "true",
		}, masquerade}, false},
		{"accept for another network", []schema.Row{{
			"chain": "srcnat", "action": "accept", "src-address": "192.168.77.0/24", "dst-address": "192.168.11.0/24",
		}, masquerade}, false},
		{"masquerade of what no policy takes", []schema.Row{{
			"chain": "srcnat", "action": "masquerade", "out-interface-list": "WAN", "ipsec-policy": "out,none",
		}}, true},
	}
	l := start(t)
	out, err := l.Negotiate(t.Context(), sites())
	if err != nil || out.Verdict != schema.Agree {
		t.Fatal(out, err)
	}
	for _, test := range tests {
		if err := l.SetNAT(t.Context(), test.rows); err != nil {
			t.Fatal(err)
		}
		err := l.Ping(within(t, 5*time.Second, test.crosses), out.Phase2[0].Source, out.Phase2[0].Destination)
		if (err == nil) != test.crosses {
			t.Errorf("%s: pinging: %v, want crossing %v", test.name, err, test.crosses)
		}
	}
	if err := l.SetNAT(t.Context(), []schema.Row{{"chain": "srcnat", "action": "masquerade", "connection-mark": "x"}}); err == nil {
		t.Error("a rule with an attribute that the lab does not know was taken")
	}
}

// Ensure that nothing is left of a lab whose process is killed.
func TestLab_Killed(t *testing.T) {
	if os.Getenv("VPNBOT_LAB_VICTIM") != "" {
		l := start(t)
		fmt.Println("victim", lab.Dir(l), lab.PIDs(l))
		select {} // until it is killed
	}
	need(t)
	cmd := exec.Command(os.Args[0], "-test.run", "^TestLab_Killed$")
	cmd.Env = append(os.Environ(), "VPNBOT_LAB_VICTIM=1")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var dir string
	var a, b int
	_, scanned := fmt.Fscanf(stdout, "victim %s [%d %d]\n", &dir, &a, &b)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	if scanned != nil {
		t.Fatal(scanned)
	}
	for _, pid := range []int{a, b} {
		for began := time.Now(); alive(pid); time.Sleep(10 * time.Millisecond) {
			if time.Since(began) > 20*time.Second {
				t.Fatalf("daemon %d outlives its lab", pid)
			}
		}
	}
	start(t)
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s outlives its lab: %v", dir, err)
	}
}

// alive tells whether a daemon runs under a process id.
func alive(pid int) bool {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return err == nil && strings.HasPrefix(string(name), "charon")
}

// Ensure that two labs beside each other, with the same addresses, do not meet.
func TestLab_Two(t *testing.T) {
	for _, l := range []*lab.Lab{start(t), start(t)} {
		out, err := l.Negotiate(t.Context(), sites())
		if err != nil || out.Verdict != schema.Agree {
			t.Error(out, err)
		}
	}
}
