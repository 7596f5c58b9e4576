//go:build !nodemo

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"

	"vpnbot/change"
	"vpnbot/commands/text"
	"vpnbot/config"
	"vpnbot/ros/rossim"

	"vpnbot/store"
)

// cable joins what listens to what dials by net.Pipe, so that whole systems run
// in a synctest bubble. An address that nobody serves refuses.
type cable struct {
	// wrap, when set, stands between whoever dials and the wire.
	wrap func(net.Conn) net.Conn

	mu   sync.Mutex
	ends map[string]*socketEnd
}

// socketEnd is one listening address.
type socketEnd struct {
	at    net.TCPAddr
	conns chan net.Conn
	gone  chan struct{}
	close func()
}

func (c *cable) listen(address string) (net.Listener, error) {
	at, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if at.Port == 0 {
		at.Port = 20000 + len(c.ends)
	}
	e := &socketEnd{at: *at, conns: make(chan net.Conn), gone: make(chan struct{})}
	e.close = sync.OnceFunc(func() { close(e.gone) })
	if c.ends == nil {
		c.ends = map[string]*socketEnd{}
	}
	c.ends[at.String()] = e
	return e, nil
}

func (c *cable) dial(ctx context.Context, _, address string) (net.Conn, error) {
	c.mu.Lock()
	e := c.ends[address]
	c.mu.Unlock()
	if e == nil {
		return nil, fmt.Errorf("dial %s: connection refused", address)
	}
	near, far := net.Pipe()
	select {
	case e.conns <- tcp{far, e.at}:
		if c.wrap != nil {
			near = c.wrap(near)
		}
		return near, nil
	case <-e.gone:
		return nil, fmt.Errorf("dial %s: connection refused", address)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (e *socketEnd) Accept() (net.Conn, error) {
	select {
	case c := <-e.conns:
		return c, nil
	case <-e.gone:
		return nil, net.ErrClosed
	}
}

func (e *socketEnd) Close() error   { e.close(); return nil }
func (e *socketEnd) Addr() net.Addr { return &e.at }

// tcp is the serving end of a pipe, with the addresses of a TCP connection.
type tcp struct {
	net.Conn
	at net.TCPAddr
}

func (c tcp) LocalAddr() net.Addr  { return &c.at }
func (c tcp) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 40000} }

// journal collects what the bot logs.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *journal) Write(p []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.b.Write(p) }

func (l *journal) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

// world is the demo's world under virtual time: call newWorld inside a bubble.
// The bot in it is started, stopped and started again by the test.
type world struct {
	*demo
	t    *testing.T
	log  journal
	sys  *system
	stop func()
	over bool // ended
	// unchecked lets plans come to be that are foreseen to fail.
	unchecked bool
	catalog   *text.Catalog // nil: each bot reads its own
}

func newWorld(t *testing.T) *world { return newWorldOn(t, &cable{}) }

func newWorldOn(t *testing.T, c *cable) *world {
	t.Helper()
	return newWorldIn(t, network{listen: c.listen, dial: c.dial})
}

func newWorldIn(t *testing.T, n network) *world {
	t.Helper()
	d, err := newDemo(n, t.TempDir(), "127.0.0.1:8421")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{demo: d, t: t, stop: func() {}}
	t.Cleanup(w.end)
	return w
}

// end stops the bot and then everything around it.
func (w *world) end() {
	if w.over {
		return
	}
	w.over = true
	w.stop()
	if err := w.close(); err != nil {
		w.t.Errorf("the world: %v", err)
	}
	if w.t.Failed() {
		w.t.Log(w.log.String())
	}
}

// start starts the bot on what the state directory holds and waits until it is
// connected. around is called at every transaction of the ledger; nil for none.
func (w *world) start(around func(written bool) error) {
	w.t.Helper()
	// Slack may not have noticed yet that the last bot hung up, and would hand it an event.
	w.until(w.t, "no connection", func() bool { return w.slack.Connections() == 0 })
	w.boot(around)
	w.until(w.t, "a connection", func() bool { return w.slack.Connections() > 0 })
}

// boot starts the bot without waiting. With an empty ledger it imports the
// definitions first.
func (w *world) boot(around func(written bool) error) {
	w.t.Helper()
	cfg, err := config.Load(w.configFile())
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s, err := newSystem(ctx, cfg, options{
		dialSlack: w.dial, dialRouter: w.dial, log: slog.New(slog.NewTextHandler(&w.log, nil)),
		ledger: store.Options{NoSync: true, Around: around}, unchecked: w.unchecked, catalog: w.catalog,
	})
	if err != nil {
		cancel()
		w.t.Fatal(err)
	}
	_, err = s.store.Definition(ctx, "dialin", "hq")
	if errors.Is(err, change.ErrNotFound) {
		err = w.define(ctx, s)
	}
	if err != nil {
		w.t.Errorf("definitions: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- errors.Join(s.run(ctx), s.close()) }()
	w.sys = s
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("the bot: %v", err)
		}
	})
}

// copy returns a world like this one is now, with its own ledger, Slack and
// routers and no bot. The copies take nothing from the running bot.
func (w *world) copy(ledger func(io.Writer) error) *world {
	w.t.Helper()
	c := &cable{}
	d := &demo{
		network: network{listen: c.listen, dial: c.dial, inBand: w.inBand}, dir: w.t.TempDir(),
		url: w.url, tokens: w.tokens, settingUp: w.settingUp, slack: w.slack.Clone(),
	}
	twin := &world{demo: d, t: w.t, stop: func() {}, catalog: w.catalog, unchecked: w.unchecked}
	w.t.Cleanup(twin.end)
	if err := os.CopyFS(filepath.Join(d.dir, "secrets"), os.DirFS(filepath.Join(w.dir, "secrets"))); err != nil {
		w.t.Fatal(err)
	}
	b, err := os.ReadFile(w.configFile())
	if err == nil {
		err = os.WriteFile(d.configFile(), b, 0o600)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(d.dir, "ledger.db"), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := errors.Join(ledger(f), f.Close()); err != nil {
		w.t.Fatal(err)
	}
	d.internet = w.internet.Clone()
	for _, o := range w.routers {
		d.routers = append(d.routers, o.copy(d.internet.Router(o.Router)))
		d.routers[len(d.routers)-1].way = d.wayTo(o.Name)
	}
	d.lead()
	twin.serve()
	return twin
}

// serve has the copied servers listen where the originals do.
func (w *world) serve() {
	w.t.Helper()
	l, err := w.listen("127.0.0.1:8421")
	if err != nil {
		w.t.Fatal(err)
	}
	w.listener = l
	w.serving.Go(func() error { return w.slack.Serve(l) })
	for _, o := range w.routers {
		if err := o.serve(w.network, o.Address); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (o *office) copy(router *rossim.Router) *office {
	twin := &office{demoSite: o.demoSite, Address: o.Address, Fingerprint: o.Fingerprint, cert: o.cert, router: router}
	twin.Live = maps.Clone(o.Live)
	return twin
}

// Ensure the story ends well under virtual time, and on a copy of the world.
func TestWorld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start(nil)
		w.use(t, "mei-01")
		twin := w.copy(func(to io.Writer) error { return w.sys.store.Copy(t.Context(), to) })
		w.stop()
		twin.start(nil)
		twin.use(t, "mei-02")
	})
}

// use plays the story with an owner who dials in at once.
func (w *world) use(t *testing.T, account string) {
	t.Helper()
	w.story(t, account)
	if err := w.dialIn(change.Credentials{Site: "hq", Account: account}); err != nil {
		t.Fatal(err)
	}
	w.proven(t, account)
}
