package rossim

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/ros/schema"
)

func loopback(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Ensure each fault at a write leaves the row as the fault says and the client
// without an answer, and strikes that write only.
func TestFaults_Write(t *testing.T) {
	for _, tt := range []struct {
		name   string
		faults Faults
		writes int
	}{
		{"dropped before", AtWrite(2, FaultDrop, Before), 1},
		{"dropped after", AtWrite(2, FaultDrop, After), 2},
		{"rebooted before", AtWrite(2, FaultReboot, Before), 1},
		{"rebooted after", AtWrite(2, FaultReboot, After), 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := router(t, Options{})
			r.SetFaults(tt.faults)
			c := member(t, r)
			c.want("/ppp/secret/add =name=first", "!done =ret=*1")
			c.send("/ppp/secret/add", "=name=second")
			c.gone()
			same(t, "secrets", len(r.Rows("/ppp/secret")), tt.writes)
			same(t, "fired", r.Fired(), 1)
			same(t, "writes", r.Writes(), tt.writes)
			c = dial(t, listening(t, r))
			c.want("/login =name=admin =password=", "!done")
			if got := c.ask("/ppp/secret/add =name=third"); !strings.HasPrefix(got[0], "!done") {
				t.Errorf("third: %q", got)
			}
		})
	}
}

// Ensure a trap at a write refuses it and changes nothing.
func TestFaults_Trap(t *testing.T) {
	r := router(t, Options{})
	r.SetFaults(AtWrite(1, FaultTrap, Before))
	c := member(t, r)
	c.want("/ppp/secret/add =name=a", "!trap =category=4 =message=failure: std failure: timeout (13)", "!done")
	same(t, "secrets", len(r.Rows("/ppp/secret")), 0)
	c.want("/ppp/secret/add =name=a", "!done =ret=*1")
	r.SetFaults(Faults{Strikes: []Strike{{Kind: FaultTrap, Class: Writes, Text: "failure: not today"}}})
	c.want("/ppp/secret/remove =.id=a", "!trap =category=4 =message=failure: not today", "!done")
}

// Ensure a refused client is cut off at once, and a hung router takes commands,
// answers none, and answers all when it recovers.
func TestFaults_Reach(t *testing.T) {
	r := router(t, Options{})
	addr := listening(t, r)
	r.SetFaults(Faults{Refuse: true})
	dial(t, addr).gone()
	r.SetFaults(Faults{})
	c := dial(t, addr)
	c.want("/login =name=admin =password=", "!done")
	r.SetFaults(Faults{Hang: true})
	c.send("/system/identity/print")
	if err := c.nc.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.br.Peek(1); err == nil {
		t.Error("a hung router answered")
	}
	if err := c.nc.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	r.SetFaults(Faults{})
	if got := c.next(); got != "!re =name=MikroTik" {
		t.Errorf("after the hang: %q", got)
	}
}

// Ensure the hook sees each write on both sides and may copy the router there:
// before without the row, after with it.
func TestFaults_OnWrite(t *testing.T) {
	r := router(t, Options{})
	var seen []string
	r.SetFaults(Faults{OnWrite: func(n int, when When, menu string, action schema.Action) {
		cp := r.Clone()
		seen = append(seen, fmt.Sprint(n, " ", when, " ", menu, " ", action, " ", len(cp.Rows("/ppp/secret"))))
		if err := cp.Close(); err != nil {
			t.Error(err)
		}
	}})
	c := member(t, r)
	c.want("/ppp/secret/add =name=a", "!done =ret=*1")
	c.want("/ppp/secret/remove =.id=a", "!done")
	same(t, "hook", seen, []string{
		"1 before /ppp/secret add 0", "1 after /ppp/secret add 1", "2 before /ppp/secret remove 1", "2 after /ppp/secret remove 0",
	})
}

// Ensure a copy shares nothing with its original and keeps sessions, not
// connections.
func TestClone(t *testing.T) {
	r := dialin(t)
	connect(t, r, "alice", "10.9.0.2")
	c := member(t, r)
	cp := r.Clone()
	t.Cleanup(func() {
		if err := cp.Close(); err != nil {
			t.Error(err)
		}
	})
	same(t, "sessions", column(cp, "/ppp/active", "name"), []string{"alice"})
	same(t, "connections", len(cp.Rows("/user/active")), 0)
	c.want("/ppp/secret/set =.id=alice =comment=changed", "!done")
	cp.Disconnect("alice")
	add(t, cp, "/ppp/secret", schema.Row{"name": "zoe"})
	same(t, "comment on the copy", cp.Rows("/ppp/secret")[0]["comment"], "Alice")
	same(t, "sessions of the original", len(r.Rows("/ppp/active")), 1)
	same(t, "accounts", len(cp.Rows("/ppp/secret"))-len(r.Rows("/ppp/secret")), 1)
	same(t, "writes", cp.Writes(), 0)
}

// Ensure a reboot ends sessions and connections, keeps the configuration,
// renumbers it so that an old id means another row, and restarts uptime.
func TestReboot(t *testing.T) {
	r := dialin(t)
	connect(t, r, "alice", "10.9.0.2")
	c := member(t, r)
	before := r.Rows("/ppp/secret")
	r.Reboot()
	c.gone()
	after := r.Rows("/ppp/secret")
	if len(after) != len(before) || after[0]["name"] != "alice" {
		t.Fatalf("secrets = %v", after)
	}
	for i := range after {
		if after[i][schema.ID] == before[i][schema.ID] {
			t.Errorf("%s keeps id %s", after[i]["name"], after[i][schema.ID])
		}
	}
	same(t, "the id that was bob's", after[0][schema.ID], before[1][schema.ID])
	same(t, "reason", after[0]["last-disconnect-reason"], "reboot")
	same(t, "sessions", len(r.Rows("/ppp/active")), 0)
	same(t, "profile ids", column(r, "/ppp/profile", ".id")[:2], []string{"*0", "*FFFFFFFE"})
	same(t, "uptime", r.Rows("/system/resource")[0]["uptime"], "0s")
	logged(t, r, "system,info router rebooted")
	if _, err := r.Add("/ppp/secret", schema.Row{"name": "new"}); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, id := range column(r, "/ppp/secret", ".id") {
		if ids[id] {
			t.Errorf("id %s twice", id)
		}
		ids[id] = true
	}
}

// Ensure a reboot over the API answers, then closes.
func TestReboot_Wire(t *testing.T) {
	r := router(t, Options{})
	c := member(t, r)
	c.want("/system/reboot", "!done")
	c.gone()
}

// pipes is a net.Listener over net.Pipe.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (p *pipes) dial() net.Conn {
	near, far := net.Pipe()
	p.conns <- far
	return near
}

// Ensure a router lives in a bubble of virtual time: latency costs none of
// ours and is the same for commands sent together.
func TestBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := New(Options{Latency: 20 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		p := newPipes()
		served := make(chan error, 1)
		go func() { served <- r.Serve(p) }()
		c := client(t, p.dial())
		if err := c.nc.SetDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		c.want("/login =name=admin =password=", "!done")
		same(t, "one command", time.Since(start), 20*time.Millisecond)
		start = time.Now()
		go func() {
			c.send("/system/identity/print", ".tag=1")
			c.send("/system/identity/print", ".tag=2")
		}()
		for _, want := range []string{"!re =name=MikroTik .tag=1", "!done .tag=1", "!re =name=MikroTik .tag=2", "!done .tag=2"} {
			same(t, "reply", c.next(), want)
		}
		same(t, "two together", time.Since(start), 20*time.Millisecond)
		time.Sleep(24 * time.Hour)
		same(t, "uptime", r.Rows("/system/resource")[0]["uptime"], "1d")
		r.SetFaults(Faults{Hang: true})
		c.send("/system/identity/print")
		time.Sleep(time.Hour)
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
		c.gone()
	})
}

// Ensure Close names the connection that keeps it waiting.
func TestClose_Hung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := New(Options{})
		if err != nil {
			t.Fatal(err)
		}
		release := make(chan struct{})
		r.SetFaults(Faults{OnWrite: func(int, When, string, schema.Action) { <-release }})
		p := newPipes()
		go func() { _ = r.Serve(p) }()
		c := client(t, p.dial())
		c.want("/login =name=admin =password=", "!done")
		c.send("/ppp/secret/add", "=name=a")
		synctest.Wait()
		if err := r.Close(); err == nil || !strings.Contains(err.Error(), "api from pipe") {
			t.Errorf("Close = %v", err)
		}
		close(release)
		if err := r.Close(); err != nil {
			t.Errorf("second Close = %v", err)
		}
	})
}

// Ensure a closed router serves nobody, and a profile that is not there is
// refused.
func TestNew_Refused(t *testing.T) {
	for _, version := range []string{"6.49.6", "7.17", "8.0", "latest"} {
		if _, err := New(Options{Profile: version}); err == nil || !strings.Contains(err.Error(), version) {
			t.Errorf("profile %s: %v", version, err)
		}
	}
	r := router(t, Options{})
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.Serve(loopback(t)); err == nil {
		t.Error("a closed router serves")
	}
}
