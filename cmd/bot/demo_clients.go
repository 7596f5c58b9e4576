//go:build !nodemo

package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"vpnbot/change"
	"vpnbot/ros/rossim"
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

// dialIn plays the owner's computer. It knows the password from the router itself:
// only the owner was shown it.
func (d *demo) dialIn(c change.Credentials) error {
	for _, o := range d.routers {
		if o.Name != c.Site {
			continue
		}
		client := rossim.DialIn{Account: c.Account, CallerID: "198.51.100.180"}
		for _, row := range o.router.Rows("/interface/l2tp-server/server") {
			client.PSK = row["ipsec-secret"]
		}
		for _, row := range o.router.Rows("/ppp/secret") {
			if row["name"] == c.Account {
				client.Password = row["password"]
			}
		}
		_, err := o.router.Connect(client)
		return err
	}
	return fmt.Errorf("site %s has no router here", c.Site)
}
