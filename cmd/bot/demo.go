//go:build !nodemo

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"vpnbot/chat/slacksim"
	"vpnbot/config"
	"vpnbot/ros/rossim"
)

type demoCommand struct {
	Listen string `default:"127.0.0.1:8421" help:"Address of the page; loopback only (${default})."`
	State  string `placeholder:"DIR" help:"Keep the ledger here and take it up at the next start. Without it everything is thrown away at the end."`
	InBand bool   `help:"Reach the second router through the first one's tunnel."`
}

// Run plays until a signal comes.
func (c demoCommand) Run(env *environment) (err error) {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil || !loopback(host) {
		return usageError{errors.New("--listen: expected host:port on a loopback address, such as 127.0.0.1:8421: whoever reaches the page plays everybody")}
	}
	dir := c.State
	if dir == "" {
		if dir, err = os.MkdirTemp("", "vpnbot-demo-"); err != nil {
			return fmt.Errorf("making a directory for the demo: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	if err := harden(); err != nil {
		return err
	}
	n := systemNetwork()
	n.inBand = c.InBand
	d, err := newDemo(n, dir, c.Listen)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	return d.run(env.ctx, env.stdout, env.stderr)
}

func systemNetwork() network {
	return network{listen: func(address string) (net.Listener, error) { return net.Listen("tcp", address) }}
}

// demo is the world around the bot. What it starts it ends in close.
type demo struct {
	network
	dir      string
	routers  []*office
	internet *rossim.Internet
	outside  *outside
	calls    map[string]func() // ends the talk through a tunnel
	slack    *slacksim.Server
	url      string
	serving  errgroup.Group
	tokens   slackTokens
	listener net.Listener
	// settingUp is how long people take to type new credentials into a client.
	settingUp time.Duration
	// adjust changes how each life of the bot is built, and born is told of it: for
	// tests under virtual time. Nil for neither.
	adjust func(*options)
	born   func(*system)
}

// network is where the demo's servers listen and the bot finds them.
type network struct {
	listen func(address string) (net.Listener, error)
	dial   dialer // nil: the system's network
	inBand bool   // the bot reaches the second router through the first one's tunnel
}

func newDemo(n network, dir, listen string) (_ *demo, err error) {
	d := &demo{network: n, dir: dir, outside: newOutside(), settingUp: 5 * time.Second}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if err := d.secrets(); err != nil {
		return nil, err
	}
	if d.listener, err = d.listen(listen); err != nil {
		return nil, usageError{fmt.Errorf("--listen: %w", err)}
	}
	d.url = "http://" + d.listener.Addr().String()
	o := workspace(d.url, d.tokens)
	o.Levers, o.Pull = d.levers, d.pull
	if d.slack, err = slacksim.New(o); err != nil {
		return nil, fmt.Errorf("making the workspace: %w", err)
	}
	d.serving.Go(func() error { return d.slack.Serve(d.listener) })
	for _, site := range demoSites() {
		o, err := newOffice(d.network, dir, site)
		if err != nil {
			return nil, fmt.Errorf("making router %s: %w", site.Router, err)
		}
		d.routers = append(d.routers, o)
	}
	if err := d.joinUp(); err != nil {
		return nil, err
	}
	return d, d.configure()
}

// run has the real bot work in this world. A bot that is killed at the page is
// started again, as systemd would.
func (d *demo) run(ctx context.Context, stdout, stderr io.Writer) error {
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	for out := stdout; ; out = io.Discard {
		life, end := context.WithCancel(ctx)
		var killed atomic.Bool
		watch := make(chan struct{})
		go func() {
			defer close(watch)
			select {
			case <-d.outside.kill:
				killed.Store(true)
				end()
			case <-life.Done():
			}
		}()
		err := d.live(life, out, log, &killed)
		end()
		<-watch
		if !killed.Load() || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(2 * time.Second):
		case <-ctx.Done():
			return nil
		}
	}
}

// live is one life of the bot. A killed one does not record its end.
func (d *demo) live(ctx context.Context, stdout io.Writer, log *slog.Logger, killed *atomic.Bool) error {
	cfg, err := config.Load(d.configFile())
	if err != nil {
		return err
	}
	o := options{dialSlack: d.dial, dialRouter: d.dial, log: log, socket: true, round: time.Second, poll: 2 * time.Second}
	if d.adjust != nil {
		d.adjust(&o)
	}
	s, err := newSystem(ctx, cfg, o)
	if err != nil {
		return err
	}
	if d.born != nil {
		d.born(s)
	}
	err = d.together(ctx, s, stdout, log)
	if killed.Load() {
		return s.desk.close()
	}
	return errors.Join(err, s.close())
}

func (d *demo) together(ctx context.Context, s *system, stdout io.Writer, log *slog.Logger) error {
	if err := d.define(ctx, s); err != nil {
		return fmt.Errorf("importing the demo's definitions: %w", err)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return runUntilReady(ctx, s, func() { fmt.Fprintln(stdout, "ready", d.url) })
	})
	g.Go(func() error {
		d.clients(ctx, s.store, log)
		return nil
	})
	return g.Wait()
}

// close ends everything that newDemo began.
func (d *demo) close() error {
	var errs []error
	if d.internet != nil {
		errs = append(errs, d.internet.Close())
	}
	for _, o := range d.routers {
		errs = append(errs, o.close())
	}
	if d.slack != nil {
		errs = append(errs, d.slack.Close(), d.serving.Wait())
	} else if d.listener != nil {
		errs = append(errs, d.listener.Close())
	}
	return errors.Join(errs...)
}
