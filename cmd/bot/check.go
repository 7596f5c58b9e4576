package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"vpnbot/ros"
)

// checkCommand is "bot check".
type checkCommand struct {
	configured
	Live bool `help:"Also log in to every router and to Slack."`
}

// liveTimeout bounds the check of one router or of Slack.
const liveTimeout = 20 * time.Second

// Run checks the configuration, and with --live the world that it names.
func (c checkCommand) Run(env *environment) error {
	cfg, err := c.load(env.stderr)
	if err != nil {
		return err
	}
	fmt.Fprintf(env.stdout, "%s: ok, %d people, %d sites, %d routers\n",
		c.Config, len(cfg.People), len(cfg.Estate.Sites), len(cfg.Estate.Routers))
	if !c.Live {
		return nil
	}
	if _, err := readKeys(cfg); err != nil {
		return err
	}
	fleet, err := newFleet(cfg, options{log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer fleet.Close()
	var errs []error
	for _, name := range fleet.Routers() {
		errs = append(errs, checkRouter(env.ctx, fleet, name, env.stdout))
	}
	ctx, cancel := context.WithTimeout(env.ctx, liveTimeout)
	defer cancel()
	who, err := checkSlack(ctx, cfg)
	if err == nil {
		fmt.Fprintf(env.stdout, "slack: ok, team %s (%s), bot %s\n", who.Team, who.TeamID, who.User)
	}
	return errors.Join(append(errs, err)...)
}

func checkRouter(ctx context.Context, fleet *ros.Fleet, name string, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, liveTimeout)
	defer cancel()
	r, err := fleet.Check(ctx, name)
	if err != nil {
		return fmt.Errorf("router %s: %w", name, err)
	}
	fmt.Fprintf(out, "router %s: ok, RouterOS %s on %s, identity %q\n", name, r.Version, r.Board, r.Identity)
	fmt.Fprintf(out, "  certificate %s until %s\n", r.Certificate.Fingerprint, r.Certificate.NotAfter.Format(time.DateOnly))
	for _, a := range []ros.Access{r.Read, r.Write} {
		fmt.Fprintf(out, "  login %s in group %s: %s\n", a.User, a.Group, strings.Join(a.Policies, ","))
	}
	for _, w := range r.Warnings {
		fmt.Fprintf(out, "  warning: %s %s %s\n", w.Kind, w.User, w.Detail)
	}
	return nil
}
