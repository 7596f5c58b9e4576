package rossim_test

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-routeros/routeros/v3"

	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
)

// library serves r on loopback and logs in with a client library that knows
// nothing of this package.
func library(t *testing.T, r *rossim.Router, name, password string) *routeros.Client {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- r.Serve(l) }()
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	c, err := routeros.DialTimeout(l.Addr().String(), name, password, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// run fails when the router refuses.
func run(t *testing.T, c *routeros.Client, words ...string) *routeros.Reply {
	t.Helper()
	reply, err := c.Run(words...)
	if err != nil {
		t.Fatalf("%q: %v", words, err)
	}
	return reply
}

// Ensure a client library of others adds, reads, changes and removes rows, and
// sees traps as its device errors.
func TestLibrary(t *testing.T) {
	r, err := rossim.New(rossim.Options{Name: "gw"})
	if err != nil {
		t.Fatal(err)
	}
	c := library(t, r, "admin", "")
	id := run(t, c, "/ppp/secret/add", "=name=alice", "=service=l2tp", "=password=pw").Done.Map["ret"]
	if id != "*1" {
		t.Fatalf("id = %q", id)
	}
	run(t, c, "/ppp/secret/set", "=.id="+id, "=comment=first", "=disabled=yes")
	reply := run(t, c, "/ppp/secret/print", "?name=alice", "=.proplist=.id,name,comment,disabled,profile")
	want := map[string]string{".id": "*1", "name": "alice", "comment": "first", "disabled": "true", "profile": "default"}
	if len(reply.Re) != 1 || !maps.Equal(reply.Re[0].Map, want) {
		t.Errorf("print = %v, want %v", reply.Re, want)
	}
	_, err = c.Run("/ppp/secret/add", "=name=alice")
	if de, ok := errors.AsType[*routeros.DeviceError](err); !ok || de.Sentence.Map["message"] != "failure: secret with the same name already exists" {
		t.Errorf("second alice: %v", err)
	}
	run(t, c, "/ppp/secret/remove", "=.id="+id)
	if reply := run(t, c, "/ppp/secret/print"); len(reply.Re) != 0 {
		t.Errorf("after removal: %v", reply.Re)
	}
}

// pipe is a listener whose one client is at the other end.
type pipe struct {
	conns chan net.Conn
	once  sync.Once
}

func newPipe() (*pipe, net.Conn) {
	near, far := net.Pipe()
	p := &pipe{conns: make(chan net.Conn, 1)}
	p.conns <- far
	return p, near
}

func (p *pipe) Accept() (net.Conn, error) {
	if c, ok := <-p.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (p *pipe) Close() error {
	p.once.Do(func() { close(p.conns) })
	return nil
}

func (p *pipe) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// Ensure the library's asynchronous mode works: listen beside commands, and a
// cancel that ends it. The library loses replies that are faster than itself;
// in a bubble no reply is, as long as the router takes any time at all.
func TestLibrary_Listen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := rossim.New(rossim.Options{Latency: 5 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		l, nc := newPipe()
		served := make(chan error, 1)
		go func() { served <- r.Serve(l) }()
		c, err := routeros.NewClient(nc)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Login("admin", ""); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context()) // the library waits for its end
		defer cancel()
		c.AsyncContext(ctx)
		listen, err := c.ListenArgsQueueContext(ctx, []string{"/ppp/secret/listen"}, 8) // what is heard may overtake the answer
		if err != nil {
			t.Fatal(err)
		}
		run(t, c, "/ppp/secret/add", "=name=bob")
		select {
		case re := <-listen.Chan():
			if re.Map["name"] != "bob" {
				t.Errorf("listen: %v", re)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("nothing heard")
		}
		if _, err := listen.Cancel(); err != nil {
			t.Errorf("cancel: %v", err)
		}
		if names := names(r.Rows("/ppp/secret")); !slices.Equal(names, []string{"bob"}) {
			t.Errorf("secrets = %v", names)
		}
		if err := errors.Join(c.Close(), r.Close(), <-served); err != nil {
			t.Error(err)
		}
	})
}

func names(rows []schema.Row) []string {
	var ns []string
	for _, row := range rows {
		ns = append(ns, row["name"])
	}
	return ns
}

// Ensure the sentences of a Terraform provider's life cycle are all taken:
// create, read back, update, destroy.
func TestLibrary_Provider(t *testing.T) {
	r, err := rossim.New(rossim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := library(t, r, "admin", "")
	type row struct{ menu, id string }
	var rows []row
	for _, words := range [][]string{
		{"/ip/ipsec/proposal", "=name=s2s", "=enc-algorithms=aes-128-cbc", "=pfs-group=none", "=auth-algorithms=sha1"},
		{"/ip/pool", "=name=l2tp", "=ranges=10.10.50.10-10.10.50.50"},
		{"/ip/ipsec/profile", "=dh-group=modp1024", "=dpd-interval=300s", "=enc-algorithm=aes-128", "=hash-algorithm=sha1", "=name=s2s"},
		{"/ip/firewall/nat", "=src-address=10.10.1.0/24", "=action=accept", "=dst-address=10.10.2.0/24", "=chain=srcnat"},
		{"/ip/ipsec/peer", "=exchange-mode=main", "=profile=s2s", "=address=198.51.100.2/32", "=name=site-b"},
		{
			"/ppp/profile", "=local-address=10.10.50.1", "=use-mpls=default", "=name=l2tp", "=use-upnp=default", "=change-tcp-mss=default",
			"=use-encryption=default", "=remote-address=l2tp", "=use-ipv6=default", "=use-compression=default", "=only-one=default", "=bridge-learning=default",
		},
		{"/ip/ipsec/identity", "=peer=site-b", "=secret=psk-1", "=auth-method=pre-shared-key"},
		{"/ip/ipsec/policy", "=src-address=10.10.1.0/24", "=proposal=s2s", "=tunnel=yes", "=dst-address=10.10.2.0/24", "=peer=site-b"},
		{"/ppp/secret", "=limit-bytes-out=0", "=name=user1", "=service=l2tp", "=profile=l2tp", "=password=pw", "=limit-bytes-in=0"},
	} {
		menu := words[0]
		id := run(t, c, append([]string{menu + "/add"}, words[1:]...)...).Done.Map["ret"]
		rows = append(rows, row{menu, id})
		if got := run(t, c, menu+"/print", "?.id="+id); len(got.Re) != 1 {
			t.Errorf("%s %s reads back as %v", menu, id, got.Re)
		}
	}
	profile := rows[2]
	run(t, c, profile.menu+"/set", "=.id="+profile.id, "=dpd-interval=120s", "=dh-group=ecp384,x25519,modp2048")
	got := run(t, c, profile.menu+"/print", "?.id="+profile.id).Re[0].Map
	if got["dpd-interval"] != "2m" || got["dh-group"] != "x25519,ecp384,modp2048" {
		t.Errorf("canonical values: %v", got)
	}
	if _, err := c.Run("/ip/ipsec/proposal/remove", "=.id="+rows[0].id); err == nil {
		t.Error("a proposal in use was removed")
	}
	for _, rw := range slices.Backward(rows) {
		run(t, c, rw.menu+"/remove", "=.id="+rw.id)
	}
}
