package schema

import (
	"slices"
	"strings"
)

// menus is sorted by path; Lookup searches it. A menu stands here when the
// product reads or writes it.
var menus = append([]Menu(nil), sorted(plainMenus, dialInMenus, ipsecMenus, trafficMenus)...)

// sorted joins tables of menus in the order of their paths.
func sorted(tables ...[]Menu) []Menu {
	return slices.SortedFunc(slices.Values(slices.Concat(tables...)), func(a, b Menu) int { return strings.Compare(a.Path, b.Path) })
}

// plainMenus are addresses, accounts and the router itself.
var plainMenus = []Menu{
	{
		Path: "/interface/l2tp-server", Comment: true, Key: []string{"name"}, // one a session, and what people bind to a user
		Attrs: []Attr{
			{Name: "name", Kind: Text},
			{Name: "user", Kind: Text},
			{Name: "client-address", Kind: Text, ReadOnly: true},
			{Name: "running", Kind: Bool, ReadOnly: true},
			{Name: "dynamic", Kind: Bool, ReadOnly: true},
			{Name: "disabled", Kind: Bool, Default: "false"},
			{Name: "comment", Kind: Text},
		},
	},
	{
		Path: "/interface/l2tp-server/server", Singleton: true,
		Attrs: []Attr{
			{Name: "enabled", Kind: Bool, Default: "false"},
			{Name: "max-mtu", Kind: Number, Default: "1450"},
			{Name: "max-mru", Kind: Number, Default: "1450"},
			{Name: "mrru", Kind: Text, Default: "disabled"},
			{Name: "authentication", Kind: Set, Default: "pap,chap,mschap1,mschap2", Values: []string{"pap", "chap", "mschap1", "mschap2"}},
			{Name: "keepalive-timeout", Kind: Text, Default: "30"},
			{Name: "max-sessions", Kind: Text, Default: "unlimited"},
			{Name: "default-profile", Kind: Text, Default: "default-encryption"},
			{Name: "use-ipsec", Kind: Enum, Default: "no", Values: []string{"no", "required", "yes"}},
			{Name: "ipsec-secret", Kind: Text, Secret: true},
			{Name: "caller-id-type", Kind: Enum, Default: "ip-address"},
			{Name: "one-session-per-host", Kind: Bool, Default: "false"},
			{Name: "allow-fast-path", Kind: Bool, Default: "false"},
		},
	},
	{
		Path: "/ip/address", Comment: true, Key: []string{"address", "interface"},
		Attrs: []Attr{
			{Name: "address", Kind: Prefix},
			{Name: "network", Kind: Address},
			{Name: "interface", Kind: Text},
			{Name: "actual-interface", Kind: Text, ReadOnly: true},
			{Name: "dynamic", Kind: Bool, ReadOnly: true},
			{Name: "invalid", Kind: Bool, ReadOnly: true},
			{Name: "disabled", Kind: Bool, Default: "false"},
			{Name: "comment", Kind: Text},
		},
	},
	{
		Path: "/ip/dhcp-server", Key: []string{"name"},
		Attrs: []Attr{
			{Name: "name", Kind: Text},
			{Name: "interface", Kind: Text},
			{Name: "address-pool", Kind: Text},
			{Name: "disabled", Kind: Bool, Default: "false"},
		},
	},
	{
		Path: "/ip/pool", Comment: true, Key: []string{"name"},
		Attrs: []Attr{
			{Name: "name", Kind: Text},
			{Name: "ranges", Kind: Ranges},
			{Name: "next-pool", Kind: Text},
			{Name: "comment", Kind: Text},
		},
	},
	{
		Path: "/ppp/active", Live: true, Key: []string{"name"},
		Attrs: []Attr{
			{Name: "name", Kind: Text, ReadOnly: true},
			{Name: "service", Kind: Enum, ReadOnly: true},
			{Name: "caller-id", Kind: Text, ReadOnly: true},
			{Name: "address", Kind: Address, ReadOnly: true},
			{Name: "uptime", Kind: Duration, ReadOnly: true, Volatile: true},
			{Name: "encoding", Kind: Text, ReadOnly: true},
			{Name: "session-id", Kind: Text, ReadOnly: true, Volatile: true},
			{Name: "radius", Kind: Bool, ReadOnly: true},
			{Name: "comment", Kind: Text, ReadOnly: true},
		},
	},
	{
		Path: "/ppp/profile", Comment: true, Key: []string{"name"},
		Attrs: []Attr{
			{Name: "name", Kind: Text},
			{Name: "local-address", Kind: Text},
			{Name: "remote-address", Kind: Text},
			{Name: "dns-server", Kind: List},
			{Name: "change-tcp-mss", Kind: Enum, Default: "default"},
			{Name: "use-encryption", Kind: Enum, Default: "default"},
			{Name: "only-one", Kind: Enum, Default: "default"},
			{Name: "on-up", Kind: Text},
			{Name: "on-down", Kind: Text},
			{Name: "interface-list", Kind: Text},
			{Name: "default", Kind: Bool, ReadOnly: true},
			{Name: "comment", Kind: Text},
		},
	},
	{
		Path: "/ppp/secret", Comment: true, Key: []string{"name"},
		Attrs: []Attr{
			{Name: "name", Kind: Text},
			{Name: "password", Kind: Text, Secret: true},
			{Name: "service", Kind: Enum, Default: "any", Values: []string{"any", "async", "l2tp", "ovpn", "pppoe", "pptp", "sstp"}},
			{Name: "profile", Kind: Text, Default: "default"},
			{Name: "caller-id", Kind: Text},
			{Name: "local-address", Kind: Address},
			{Name: "remote-address", Kind: Address},
			{Name: "remote-ipv6-prefix", Kind: Text},
			{Name: "routes", Kind: Text},
			{Name: "ipv6-routes", Kind: Text},
			{Name: "limit-bytes-in", Kind: Number, Default: "0"},
			{Name: "limit-bytes-out", Kind: Number, Default: "0"},
			{Name: "last-logged-out", Kind: Text, ReadOnly: true, Volatile: true},
			{Name: "last-caller-id", Kind: Text, ReadOnly: true, Volatile: true},
			{Name: "last-disconnect-reason", Kind: Text, ReadOnly: true, Volatile: true},
			{Name: "disabled", Kind: Bool, Default: "false"},
			{Name: "comment", Kind: Text},
		},
	},
	{
		Path: "/safe-mode", Singleton: true, // since 7.18
		Attrs: []Attr{
			{Name: "enabled", Kind: Bool, ReadOnly: true},
			{Name: "user", Kind: Text, ReadOnly: true},
		},
	},
	{
		Path: "/system/clock", Singleton: true,
		Attrs: []Attr{
			{Name: "date", Kind: Text, Volatile: true},
			{Name: "time", Kind: Text, Volatile: true},
			{Name: "time-zone-name", Kind: Text},
			{Name: "gmt-offset", Kind: Text, ReadOnly: true, Volatile: true},
		},
	},
	{
		Path: "/system/device-mode", Singleton: true,
		Attrs: []Attr{
			{Name: "mode", Kind: Enum, ReadOnly: true},
			{Name: "flagged", Kind: Bool, ReadOnly: true},
			{Name: "flagging-enabled", Kind: Bool, ReadOnly: true},
			{Name: "scheduler", Kind: Bool, ReadOnly: true},
			{Name: "l2tp", Kind: Bool, ReadOnly: true},
			{Name: "ipsec", Kind: Bool, ReadOnly: true},
		},
	},
	{
		Path: "/system/history", Key: []string{"time", "by", "action"}, // the commands themselves are never read
		Attrs: []Attr{
			{Name: "action", Kind: Text, ReadOnly: true},
			{Name: "by", Kind: Text, ReadOnly: true},
			{Name: "time", Kind: Text, ReadOnly: true},
		},
	},
	{
		Path: "/system/identity", Singleton: true,
		Attrs: []Attr{{Name: "name", Kind: Text}},
	},
	{
		Path: "/system/resource", Singleton: true,
		Attrs: []Attr{
			{Name: "uptime", Kind: Duration, ReadOnly: true, Volatile: true},
			{Name: "version", Kind: Text, ReadOnly: true},
			{Name: "board-name", Kind: Text, ReadOnly: true},
			{Name: "architecture-name", Kind: Text, ReadOnly: true},
		},
	},
	{
		Path: "/system/scheduler", Comment: true, Key: []string{"name"},
		Attrs: []Attr{
			{Name: "name", Kind: Text},
			{Name: "start-date", Kind: Text},
			{Name: "start-time", Kind: Text}, // a clock, or startup
			{Name: "interval", Kind: Duration, Default: "0s"},
			{Name: "policy", Kind: Set},
			{Name: "on-event", Kind: Text},
			{Name: "owner", Kind: Text, ReadOnly: true},
			{Name: "run-count", Kind: Number, ReadOnly: true, Volatile: true},
			{Name: "next-run", Kind: Text, ReadOnly: true, Volatile: true},
			{Name: "disabled", Kind: Bool, Default: "false"},
			{Name: "comment", Kind: Text},
		},
	},
	{
		Path: "/user", Comment: true, Key: []string{"name"},
		Attrs: []Attr{
			{Name: "name", Kind: Text},
			{Name: "group", Kind: Text},
			{Name: "disabled", Kind: Bool, Default: "false"},
			{Name: "comment", Kind: Text},
		},
	},
	{
		Path: "/user/active", Key: []string{"name"},
		Attrs: []Attr{
			{Name: "name", Kind: Text, ReadOnly: true},
			{Name: "address", Kind: Text, ReadOnly: true},
			{Name: "via", Kind: Text, ReadOnly: true},
			{Name: "when", Kind: Text, ReadOnly: true, Volatile: true},
		},
	},
	{
		Path: "/user/group", Comment: true, Key: []string{"name"},
		Attrs: []Attr{
			{Name: "name", Kind: Text},
			{Name: "policy", Kind: Set},
			{Name: "comment", Kind: Text},
		},
	},
}
