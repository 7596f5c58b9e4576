package vpn

import (
	"slices"
	"time"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// clockSlack is by how much the beginning of a session, which a router tells by
// full seconds, may be mistaken.
const clockSlack = 2 * time.Second

// Used tells whether a snapshot shows that the credentials that r made work:
// somebody has connected with them. Who was connected before has used others.
func Used(r change.Request, snap change.Snapshot) bool {
	account := r.Plan.Intent.Account
	return slices.ContainsFunc(snap.Menus[menuActive], func(row schema.Row) bool {
		switch {
		case row["name"] != account.Name || row["service"] != "l2tp" || isTrue(row, menuActive, "radius"):
			return false
		case account.Do == change.AccountNew:
			return true // nobody of that name was connected
		}
		up, err := schema.ParseDuration(row["uptime"])
		return err == nil && snap.At.Add(-up).After(r.Ended.Add(clockSlack))
	})
}
