package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"vpnbot/apply"
	"vpnbot/change"
	"vpnbot/chat"
	"vpnbot/commands"
	"vpnbot/commands/text"
	"vpnbot/config"
	"vpnbot/ros"
	"vpnbot/store"
	"vpnbot/watch"
)

// dialer opens a connection.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// options are what a system does not find in its configuration.
type options struct {
	dialSlack, dialRouter dialer // nil: the network
	log                   *slog.Logger
	socket                bool          // listen for other commands
	round, poll           time.Duration // zero: watch's own
	ledger                store.Options // more about the ledger, for tests
	catalog               *text.Catalog // nil: a new one
	unchecked             bool          // tunnels' plans may be foreseen to fail, for tests
}

// system is the whole bot.
type system struct {
	*desk
	engine *apply.Engine
	watch  *watch.Watch
	chat   *chat.Chat
	log    *slog.Logger
	socket net.Listener
}

// newSystem builds the bot and records its start. Nothing runs before run; close
// must be called, whether it ran or not.
func newSystem(ctx context.Context, cfg *config.Config, o options) (*system, error) {
	k, err := readKeys(cfg)
	if err != nil {
		return nil, err
	}
	ledger, err := openLedger(cfg, ledgerOptions(o, k))
	if err != nil {
		return nil, err
	}
	s := &system{desk: &desk{cfg: cfg, store: ledger, keys: k, verifier: k.signer.VerifierKey()}, log: o.log}
	if err := s.build(ctx, o); err != nil {
		return nil, errors.Join(err, s.desk.close())
	}
	return s, nil
}

func ledgerOptions(o options, k keys) store.Options {
	l := o.ledger
	l.Log, l.Signer = o.log, k.signer
	return l
}

// openLedger opens the ledger in the state directory, which is made when it is
// missing.
func openLedger(cfg *config.Config, o store.Options) (*store.Store, error) {
	if err := os.MkdirAll(cfg.State, 0o700); err != nil {
		return nil, fmt.Errorf("making the state directory: %w", err)
	}
	o.Answered = cfg.Retention.Inbox
	ledger, err := store.Open(filepath.Join(cfg.State, "ledger.db"), o)
	if err != nil {
		return nil, fmt.Errorf("opening the ledger: %w", err)
	}
	return ledger, nil
}

func (s *system) build(ctx context.Context, o options) error {
	if err := s.connect(o); err != nil {
		return err
	}
	var err error
	writing := writers{s.fleet, vault{s.store, s.keys.sealing}}
	if s.engine, err = apply.New(apply.Options{
		Ledger: s.store, Routers: writing, Tunnels: writing, People: s.people,
		Location: s.cfg.Location, Explain: sentence, Logins: writeLogins(s.cfg.Estate), Logs: s.logWindow, Log: o.log,
	}); err != nil {
		return err
	}
	witness, err := newWitness(s.cfg, o.log)
	if err != nil {
		return err
	}
	if s.watch, err = watch.New(watch.Options{
		Ledger: s.store, Routers: s.fleet, Notary: s.store, Witness: witness, Log: o.log, Round: o.round, Poll: o.poll,
	}); err != nil {
		return err
	}
	s.samples, s.unchecked = s.watch, o.unchecked
	if err := s.serveCommands(s.engine, membership{s}, o.log); err != nil {
		return err
	}
	if s.chat, err = newChat(s, o); err != nil {
		return err
	}
	if o.socket {
		if s.socket, err = listenSocket(s.cfg.State); err != nil {
			return err
		}
	}
	return s.started(ctx)
}

// membership asks Slack about owners. The commands are there before the connection
// to Slack, so it is looked up when it is needed.
type membership struct{ s *system }

func (m membership) Member(ctx context.Context, id change.SlackID) error {
	return m.s.chat.Member(ctx, id)
}

// logWindow reads a router's log for the engine: the commands, which know what to
// hide, are there before it works.
func (s *system) logWindow(ctx context.Context, r change.Request, router string, from, to time.Time) change.RouterLog {
	return s.commands.LogWindow(ctx, r, router, from, to)
}

func sentence(err error) change.Text {
	t, _, _ := text.Explain(err)
	return t
}

// run works until ctx ends or a part of the bot cannot go on.
func (s *system) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return named("apply", s.engine.Run(ctx)) })
	g.Go(func() error { return named("watch", s.watch.Run(ctx)) })
	g.Go(func() error { return named("chat", s.chat.Run(ctx)) })
	if s.socket != nil {
		g.Go(func() error { return named("socket", s.serveSocket(ctx)) })
	}
	err := g.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func named(part string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", part, err)
	}
	return nil
}

// close records the end and lets go of everything.
func (s *system) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, err := s.store.Commit(ctx, change.Move{Events: []change.Event{{
		At: time.Now(), Kind: change.EventStopped, Actor: change.SystemPerson,
	}}})
	if err != nil {
		err = fmt.Errorf("recording the end: %w", err)
	}
	return errors.Join(err, s.desk.close())
}

// connect and serveCommands build what answers reading commands, with or without
// Slack.
func (d *desk) connect(o options) (err error) {
	if d.catalog = o.catalog; d.catalog == nil {
		if d.catalog, err = text.New(); err != nil {
			return err
		}
	}
	d.people = commands.NewDirectory(d.cfg.People)
	d.fleet, err = newFleet(d.cfg, o)
	return err
}

func (d *desk) serveCommands(locks commands.Locks, members commands.Members, log *slog.Logger) (err error) {
	d.commands, err = commands.New(commands.Options{
		Ledger: d.store, Routers: d.fleet, People: d.people, Members: members, Locks: locks, Estate: d.cfg.Estate, Rules: d.cfg.Rules,
		Samples: d.samples, Key: d.keys.sealing, Location: d.cfg.Location, Unchecked: d.unchecked, Log: log,
	})
	return err
}

// desk answers the commands of a terminal: it belongs to the running bot, or to
// a command that has opened the ledger itself.
type desk struct {
	cfg      *config.Config
	store    *store.Store
	keys     keys
	verifier string // of checkpoints; "": unknown here
	catalog  *text.Catalog
	people   commands.Directory
	fleet    *ros.Fleet
	samples  commands.Samples // nil where nobody polls
	commands *commands.Service
	// unchecked lets tunnels' plans come to be that are foreseen to fail.
	unchecked bool
}

func (d *desk) close() error {
	if d.fleet != nil {
		d.fleet.Close()
	}
	return d.store.Close()
}
