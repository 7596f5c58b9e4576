package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sync/errgroup"
)

type serveCommand struct{ configured }

// Run serves until a signal comes.
func (c serveCommand) Run(env *environment) error {
	log := slog.New(slog.NewTextHandler(env.stderr, nil))
	cfg, err := c.load(env.stderr)
	if err != nil {
		return err
	}
	if err := harden(); err != nil {
		return err
	}
	s, err := newSystem(env.ctx, cfg, options{log: log, socket: true})
	if err != nil {
		return err
	}
	// Systemd is told at once: interrupted work goes on while Slack is away.
	notify(log, daemon.SdNotifyReady)
	err = runUntilReady(env.ctx, s, func() {
		log.Info("connected to Slack", "version", version())
		notify(log, "STATUS=connected to Slack")
	})
	notify(log, daemon.SdNotifyStopping)
	return errors.Join(err, s.close())
}

// notify tells systemd, when it has started us.
func notify(log *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn("telling systemd", "err", err)
	}
}

// runUntilReady runs s and calls ready once, when Slack is connected.
func runUntilReady(ctx context.Context, s *system, ready func()) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.run(ctx) })
	g.Go(func() error {
		select {
		case <-s.chat.Ready():
			ready()
		case <-ctx.Done():
		}
		return nil
	})
	return g.Wait()
}
