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
	in := vpn.Verbose{Intent: intent, Snapshots: make([]change.Snapshot, len(site.Routers))}
	for _, set := range intent.Settings {
		in.For, _ = time.ParseDuration(set.Value) // a date is no duration: refused as too short
	}
	errs := make([]error, len(site.Routers))
	var wg sync.WaitGroup
	for i, router := range site.Routers {
		wg.Go(func() { in.Snapshots[i], errs[i] = s.snapshot(ctx, router, vpn.VerboseMenus()...) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return change.Plan{}, nil, err
		}
	}
	plan, err := vpn.PlanVerbose(in)
	return plan, nil, err
}
