package vpn

import (
	"slices"
	"strings"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

const (
	menuUser      = "/user"
	menuUserGroup = "/user/group"
)

// RightsMenus returns the menus that the snapshots for CheckRights hold.
func RightsMenus() []string { return []string{menuUser, menuUserGroup} }

// CheckRights refuses a plan for which the bot's users on a router lack a right:
// the first one missing, in the order of the plan's routers. What a router does not
// tell of its users, as it asks somebody else about them, is taken to suffice.
func CheckRights(e Estate, plan change.Plan, snapshots []change.Snapshot) error {
	for _, snap := range snapshots {
		r, ok := e.Router(snap.Router)
		if !ok {
			continue
		}
		for _, need := range needs(plan, r) {
			group, rights, known := rightsOf(snap, need.user)
			if known && !slices.Contains(rights, need.right) {
				return refuse("right", "router", r.Name, "user", need.user, "group", ReadableBytes(group), "right", need.right)
			}
		}
	}
	return nil
}

// need is one right that one of the bot's users must have.
type need struct{ user, right string }

// needs are those of a plan on one router: reading always, writing where it changes
// rows or a tunnel, test where it sends pings.
func needs(plan change.Plan, r Router) []need {
	list := []need{{r.Read.User, "api"}, {r.Read.User, "read"}}
	if len(plan.Steps) > 0 || plan.Tunnel != nil {
		list = append(list, need{r.Write.User, "api"}, need{r.Write.User, "read"}, need{r.Write.User, "write"})
	}
	if plan.Tunnel == nil {
		return list
	}
	for _, end := range plan.Tunnel.Ends {
		if SameName(end.Router, r.Name) && len(end.Probes) > 0 {
			list = append(list, need{r.Read.User, "test"})
		}
	}
	return list
}

// rightsOf are the policies of a user's group as they stand now. A session that is
// open keeps those of its login; the next one has these.
func rightsOf(snap change.Snapshot, user string) (group string, rights []string, known bool) {
	users := snap.Rows(change.Query{Menu: menuUser, Where: schema.Row{"name": user}})
	if len(users) == 0 {
		return "", nil, false
	}
	group = users[0]["group"]
	groups := snap.Rows(change.Query{Menu: menuUserGroup, Where: schema.Row{"name": group}})
	if len(groups) == 0 {
		return group, nil, false
	}
	return group, strings.Split(groups[0]["policy"], ","), true
}
