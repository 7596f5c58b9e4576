//go:build !nodemo

package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"vpnbot/change"
	"vpnbot/store"
)

// clients lets the owner of a new account dial in some seconds after the
// credentials were opened.
func (d *demo) clients(ctx context.Context, ledger *store.Store, log *slog.Logger) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	dialled := map[string]bool{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		reveals, err := ledger.Reveals(ctx)
		if err != nil {
			continue
		}
		for _, v := range reveals {
			if v.Counted() == 0 || dialled[v.ID] || time.Since(v.Openings[0].At) < d.settingUp {
				continue
			}
			dialled[v.ID] = true
			if err := d.dialIn(v.Credentials); err != nil {
				log.Warn("simulated client", "account", v.Credentials.Account, "err", err)
			}
		}
	}
}

// dialIn plays the owner's computer, somewhere on the Internet.
func (d *demo) dialIn(c change.Credentials) error {
	o := d.office(c.Site)
	if o == nil {
		return fmt.Errorf("site %s has no router here", c.Site)
	}
	_, err := o.router.Connect(o.client(c.Account, "198.51.100.180"))
	return err
}
