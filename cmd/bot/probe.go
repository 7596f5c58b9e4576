package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"vpnbot/docs"
	"vpnbot/ros"
	"vpnbot/vpn"
)

// probeCommand is "bot probe": it tries on a spare router what
// docs/assumptions.md says of all, and prints what the router did.
type probeCommand struct {
	configured
	Router   string `required:"" placeholder:"NAME" help:"A spare router of the configuration: rows are added to it and removed again."`
	Occupied bool   `help:"Also on a router that holds tunnels or accounts."`
}

// Run tries the assumptions. What does not hold is exit code 1.
func (c probeCommand) Run(env *environment) error {
	cfg, err := c.load(env.stderr)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(cfg.Estate.Routers, func(r vpn.Router) bool { return r.Name == c.Router })
	if i < 0 {
		return usageError{fmt.Errorf("--router: %s is no router of the configuration", c.Router)}
	}
	router, err := connection(cfg.Estate.Routers[i])
	if err != nil {
		return usageError{fmt.Errorf("router %s: %w", c.Router, err)}
	}
	p := &probe{router: router, occupied: c.Occupied}
	err = p.run(env.ctx)
	if len(p.found) == 0 {
		return err
	}
	if differ := p.print(env.stdout); err == nil && differ > 0 {
		return exitError(failed)
	}
	return err
}

// verdict is what came of an assumption.
type verdict string

const (
	isSo     verdict = "holds"
	isNot    verdict = "differs"
	notTried verdict = "not tried"
)

// finding is what came of one assumption, and why.
type finding struct {
	expected, did string
	verdict       verdict
}

// probe tries the assumptions on one router.
type probe struct {
	router   ros.Router
	dial     dialer // nil: the network
	occupied bool

	fleet  *ros.Fleet
	report ros.Report
	steps  int                // so far; their numbers are in the marks
	found  map[string]finding // by the number of the assumption
	traps  []*ros.TrapError   // refusals that were met
}

// run tries everything, and leaves nothing behind.
func (p *probe) run(ctx context.Context) (err error) {
	if p.fleet, err = p.client(p.router, p.dial); err != nil {
		return err
	}
	defer p.fleet.Close()
	if p.report, err = p.fleet.Check(ctx, p.router.Name); err != nil {
		return err
	}
	if err := p.clean(ctx); err != nil { // after a probe that was killed
		return fmt.Errorf("removing the rows of an earlier probe: %w", err)
	}
	if err := p.spare(ctx); err != nil {
		return err
	}
	p.found = map[string]finding{}
	defer func() { err = errors.Join(err, p.clean(ctx)) }()
	for _, try := range []func(context.Context){
		p.tryReads, p.tryAccounts, p.tryLogins, p.tryRows, p.tryRemovals, p.trySchedules, p.tryScripts, p.tryCut, p.tryRefusals,
	} {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		try(ctx)
	}
	return nil
}

// client is a Fleet that knows this router alone.
func (p *probe) client(router ros.Router, dial dialer) (*ros.Fleet, error) {
	return ros.New(ros.Options{Routers: []ros.Router{router}, Dial: dial})
}

// say notes what came of an assumption. The first word on it counts, unless it is
// that it could not be tried.
func (p *probe) say(number string, ok bool, expected, did string) {
	v := isNot
	if ok {
		v = isSo
	}
	if old, said := p.found[number]; !said || old.verdict == notTried {
		p.found[number] = finding{expected, did, v}
	}
}

// skip notes why an assumption could not be tried.
func (p *probe) skip(why string, numbers ...string) {
	for _, number := range numbers {
		if _, said := p.found[number]; !said {
			p.found[number] = finding{did: why, verdict: notTried}
		}
	}
}

// print writes the table and returns how many assumptions do not hold.
func (p *probe) print(w io.Writer) int {
	count := map[verdict]int{}
	fmt.Fprintf(w, "RouterOS %s on %s\n\n", p.report.Version, p.report.Board)
	fmt.Fprintln(w, "| # | assumed | expected | the router | verdict |\n|---|---|---|---|---|")
	for _, a := range docs.Assumptions() {
		f, said := p.found[a.Number]
		if !said {
			f = finding{did: untried(a), verdict: notTried}
		}
		count[f.verdict]++
		cells := []string{a.Number, a.Text, f.expected, f.did, string(f.verdict)}
		for i := range cells {
			cells[i] = strings.ReplaceAll(cells[i], "|", "/")
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
	}
	fmt.Fprintf(w, "\n%d hold, %d differ, %d not tried\n", count[isSo], count[isNot], count[notTried])
	return count[isNot]
}
