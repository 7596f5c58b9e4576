package commands

import (
	"context"
	"slices"
	"sync"

	"vpnbot/change"
	"vpnbot/vpn"
)

// entitled refuses a plan that would stop half-way, since the bot's users on a
// router lack a right. Nobody has seen the plan then.
func (s *Service) entitled(ctx context.Context, plan change.Plan) error {
	routers := slices.Compact(slices.Sorted(slices.Values(plan.Routers)))
	if len(plan.Steps) == 0 && plan.Tunnel == nil {
		return nil // nothing is asked of any router
	}
	if plan.Intent.Resume != 0 && !plan.Phased() {
		return nil // to be decided though a router is away: it is looked at when it is back
	}
	snapshots, errs := make([]change.Snapshot, len(routers)), make([]error, len(routers))
	var wg sync.WaitGroup
	for i, router := range routers {
		wg.Go(func() { snapshots[i], errs[i] = s.snapshot(ctx, router, vpn.RightsMenus()...) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return vpn.CheckRights(s.o.Estate, plan, snapshots)
}
