package commands

import (
	"context"
	"sync"
	"time"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/vpn"
)

// verbVerbose is "logs SITE --verbose 10m": what changes routers, unlike logs.
const verbVerbose = "logs verbose"

// argVerbose is the flag that makes one of the other.
const argVerbose = "verbose"

// verbose plans detailed logging for a while and shows the plan to its requester.
func (s *Service) verbose(ctx context.Context, c *call) (Reply, error) {
	intent := change.Intent{
		Verb: c.Verb, Site: c.site, Settings: []change.Setting{{Key: argVerbose, Value: c.Args[argVerbose]}},
	}
	if !intent.Grants(c.Actor.Person, change.Operator) {
		return Reply{}, change.ErrNotAllowed
	}
	return s.propose(ctx, c, intent, c.Args["yes"] != "")
}

// planVerbose reads every router of the site and computes the plan.
func (s *Service) planVerbose(ctx context.Context, intent change.Intent) (change.Plan, []secret.Sealed, error) {
	site, err := s.siteNamed(intent.Site)
	if err != nil {
		return change.Plan{}, nil, err
	}
	if site.Foreign {
		return change.Plan{}, nil, foreignSite(site)
	}
	in := vpn.Verbose{Intent: intent}
	for _, set := range intent.Settings {
		in.For, _ = time.ParseDuration(set.Value) // a date is no duration: refused as too short
	}
	if in.Snapshots, err = s.each(ctx, site.Routers, vpn.VerboseMenus()); err != nil {
		return change.Plan{}, nil, err
	}
	plan, err := vpn.PlanVerbose(in)
	return plan, nil, err
}

// each reads menus of several routers at once.
func (s *Service) each(ctx context.Context, routers, menus []string) ([]change.Snapshot, error) {
	snapshots, errs := make([]change.Snapshot, len(routers)), make([]error, len(routers))
	var wg sync.WaitGroup
	for i, router := range routers {
		wg.Go(func() { snapshots[i], errs[i] = s.snapshot(ctx, router, menus...) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return snapshots, nil
}
