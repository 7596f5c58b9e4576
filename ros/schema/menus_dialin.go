package schema

import (
	"slices"
	"strings"
)

// dialInMenus are what a dial-in server needs besides accounts and IPsec: who may
// come in, where packets go, and what answers for its clients on the LAN.
var dialInMenus = []Menu{
	{
		Path: "/interface", Key: []string{"name"},
		Attrs: []Attr{
			{Name: "name", Kind: Text},
			{Name: "type", Kind: Text, ReadOnly: true},
			{Name: "slave", Kind: Bool, ReadOnly: true},
			{Name: "dynamic", Kind: Bool, ReadOnly: true},
			{Name: "running", Kind: Bool, ReadOnly: true, Volatile: true},
			{Name: "disabled", Kind: Bool, Default: "false"},
		},
	},
	{Path: "/interface/bonding", Key: []string{"name"}, Attrs: arpAttrs},
	{Path: "/interface/bridge", Key: []string{"name"}, Attrs: arpAttrs},
	{Path: "/interface/ethernet", Key: []string{"name"}, Attrs: arpAttrs},
	{Path: "/interface/macvlan", Key: []string{"name"}, Attrs: arpAttrs},
	{Path: "/interface/mesh", Key: []string{"name"}, Attrs: arpAttrs},
	{Path: "/interface/vlan", Key: []string{"name"}, Attrs: arpAttrs},
	{Path: "/interface/vrrp", Key: []string{"name"}, Attrs: arpAttrs},
	{Path: "/interface/vxlan", Key: []string{"name"}, Attrs: arpAttrs},
	{Path: "/interface/wifi", Key: []string{"name"}, Attrs: arpAttrs},
	{Path: "/interface/wireless", Key: []string{"name"}, Attrs: arpAttrs},
	{Path: "/interface/eoip", Key: []string{"name"}, Attrs: append(slices.Clone(tunnelAttrs), arpAttrs[1])},
	{Path: "/interface/gre", Key: []string{"name"}, Attrs: tunnelAttrs},
	{Path: "/interface/ipip", Key: []string{"name"}, Attrs: tunnelAttrs},
	{
		Path: "/interface/list", Comment: true, Key: []string{"name"},
		Attrs: []Attr{
			{Name: "name", Kind: Text},
			{Name: "include", Kind: Set},
			{Name: "exclude", Kind: Set},
			{Name: "builtin", Kind: Bool, ReadOnly: true},
			{Name: "dynamic", Kind: Bool, ReadOnly: true},
			{Name: "comment", Kind: Text},
		},
	},
	{
		Path: "/interface/list/member", Comment: true, Key: []string{"list", "interface"},
		Attrs: []Attr{
			{Name: "list", Kind: Text},
			{Name: "interface", Kind: Text},
			{Name: "dynamic", Kind: Bool, ReadOnly: true},
			{Name: "disabled", Kind: Bool, Default: "false"},
			{Name: "comment", Kind: Text},
		},
	},
	{
		Path: "/ip/firewall/filter", Comment: true, Ordered: true,
		Key:   []string{"chain", "action", "protocol", "src-address", "dst-address", "dst-port"},
		Attrs: filterAttrs,
	},
	{
		Path: "/ip/firewall/raw", Comment: true, Ordered: true,
		Key:   []string{"chain", "action", "protocol", "src-address", "dst-address", "dst-port"},
		Attrs: rawAttrs(),
	},
	{
		Path: "/ip/firewall/mangle", Comment: true, Ordered: true,
		Key:   []string{"chain", "action", "src-address", "dst-address", "new-routing-mark"},
		Attrs: mangleAttrs(),
	},
	{
		Path: "/routing/rule", Comment: true, Ordered: true, Key: []string{"action", "src-address", "dst-address", "table"},
		Attrs: append(slices.Clone(ruleAttrs), Attr{Name: "inactive", Kind: Bool, ReadOnly: true}),
	},
	{ // those that somebody fixed alone: the others come and go
		Path: "/ip/dhcp-server/lease", Only: "?dynamic=false", Key: []string{"address", "mac-address"},
		Attrs: []Attr{
			{Name: "address", Kind: Text, ReadOnly: true}, // an address, or the name of a pool
			{Name: "mac-address", Kind: Text, ReadOnly: true},
			{Name: "server", Kind: Text, ReadOnly: true},
			{Name: "dynamic", Kind: Bool, ReadOnly: true},
			{Name: "disabled", Kind: Bool, ReadOnly: true},
		},
	},
	{
		Path: "/ip/dns", Singleton: true,
		Attrs: []Attr{{Name: "allow-remote-requests", Kind: Bool, ReadOnly: true}},
	},
	{ // default routes alone: a router may have a million others
		Path: "/ip/route", Only: "?dst-address=0.0.0.0/0", Key: []string{"dst-address", "gateway"},
		Attrs: []Attr{
			{Name: "dst-address", Kind: Prefix, ReadOnly: true},
			{Name: "gateway", Kind: Text, ReadOnly: true},
			{Name: "immediate-gw", Kind: Text, ReadOnly: true, Volatile: true}, // since 7
			{Name: "routing-table", Kind: Text, ReadOnly: true},                // since 7; before, tables are not told apart
			{Name: "active", Kind: Bool, ReadOnly: true, Volatile: true},
			{Name: "disabled", Kind: Bool, ReadOnly: true},
		},
	},
	{ // in RouterOS 6
		Path: "/ip/route/rule", Comment: true, Ordered: true, Key: []string{"action", "src-address", "dst-address", "table"},
		Attrs: append(slices.Clone(ruleAttrs), Attr{Name: "inactive", Kind: Bool, ReadOnly: true}),
	},
	{
		Path: "/interface/l2tp-client", Comment: true, Key: []string{"name"},
		Attrs: []Attr{
			{Name: "name", Kind: Text},
			{Name: "connect-to", Kind: Text},
			{Name: "use-ipsec", Kind: Bool, Default: "false"},
			{Name: "disabled", Kind: Bool},
			{Name: "comment", Kind: Text},
		},
	},
}

// mangleAttrs are those of a rule that marks packets: it matches as a filter rule does.
func mangleAttrs() []Attr {
	attrs := slices.DeleteFunc(slices.Clone(filterAttrs), func(a Attr) bool { return a.Name == "reject-with" })
	return append(attrs, Attr{Name: "new-routing-mark", Kind: Text}, Attr{Name: "new-connection-mark", Kind: Text}, Attr{Name: "passthrough", Kind: Bool})
}

// rawAttrs are those of a rule that sees packets before they belong to a connection.
func rawAttrs() []Attr {
	return slices.DeleteFunc(slices.Clone(filterAttrs), func(a Attr) bool {
		return a.Name == "reject-with" || a.Name == "layer7-protocol" || a.Name == "routing-mark" || strings.HasPrefix(a.Name, "connection-")
	})
}

// arpAttrs are those of an interface that may answer for others.
var arpAttrs = []Attr{
	{Name: "name", Kind: Text},
	{Name: "arp", Kind: Enum, Default: "enabled", Values: []string{"disabled", "enabled", "local-proxy-arp", "proxy-arp", "reply-only"}},
	{Name: "disabled", Kind: Bool, Default: "false"},
}

// ruleAttrs are those of a rule that chooses a routing table.
var ruleAttrs = []Attr{
	{Name: "action", Kind: Enum, Default: "lookup"},
	{Name: "src-address", Kind: Prefix},
	{Name: "dst-address", Kind: Prefix},
	{Name: "interface", Kind: Text},
	{Name: "routing-mark", Kind: Text},
	{Name: "table", Kind: Text, Default: "main"},
	{Name: "disabled", Kind: Bool, Default: "false"},
	{Name: "comment", Kind: Text},
}

// tunnelAttrs are those of an interface that may bring IPsec of its own, with the
// default profile and proposal.
var tunnelAttrs = []Attr{
	{Name: "name", Kind: Text},
	{Name: "remote-address", Kind: Text},
	{Name: "ipsec-secret", Kind: Text, Secret: true},
	{Name: "disabled", Kind: Bool},
}

// filterAttrs are those of a filter rule. A matcher that is not among them is
// unknown, and a rule with one may match anything.
var filterAttrs = []Attr{
	{Name: "chain", Kind: Text},
	{Name: "action", Kind: Enum, Default: "accept"},
	{Name: "protocol", Kind: Text},
	{Name: "src-address", Kind: Prefix}, // or a range; a host has a mask or not
	{Name: "src-address-list", Kind: Text},
	{Name: "src-address-type", Kind: Text},
	{Name: "src-port", Kind: Text},
	{Name: "src-mac-address", Kind: Text},
	{Name: "dst-address", Kind: Prefix}, // or a range; a host has a mask or not
	{Name: "dst-address-list", Kind: Text},
	{Name: "dst-address-type", Kind: Text},
	{Name: "dst-port", Kind: Text},
	{Name: "port", Kind: Text},
	{Name: "in-interface", Kind: Text},
	{Name: "in-interface-list", Kind: Text},
	{Name: "out-interface", Kind: Text},
	{Name: "out-interface-list", Kind: Text},
	{Name: "connection-state", Kind: Set},
	{Name: "connection-nat-state", Kind: Set},
	{Name: "connection-mark", Kind: Text},
	{Name: "packet-mark", Kind: Text},
	{Name: "routing-mark", Kind: Text},
	{Name: "ipsec-policy", Kind: Text},
	{Name: "tcp-flags", Kind: Text},
	{Name: "icmp-options", Kind: Text},
	{Name: "connection-limit", Kind: Text},
	{Name: "connection-bytes", Kind: Text},
	{Name: "connection-rate", Kind: Text},
	{Name: "dst-limit", Kind: Text},
	{Name: "limit", Kind: Text},
	{Name: "time", Kind: Text},
	{Name: "nth", Kind: Text},
	{Name: "psd", Kind: Text},
	{Name: "random", Kind: Text},
	{Name: "content", Kind: Text},
	{Name: "layer7-protocol", Kind: Text},
	{Name: "hotspot", Kind: Text},
	{Name: "fragment", Kind: Bool},
	{Name: "jump-target", Kind: Text},
	{Name: "reject-with", Kind: Text},
	{Name: "log", Kind: Bool, Default: "false"},
	{Name: "log-prefix", Kind: Text},
	{Name: "bytes", Kind: Number, ReadOnly: true, Volatile: true},
	{Name: "packets", Kind: Number, ReadOnly: true, Volatile: true},
	{Name: "invalid", Kind: Bool, ReadOnly: true},
	{Name: "dynamic", Kind: Bool, ReadOnly: true},
	{Name: ".about", Kind: Text, ReadOnly: true, Volatile: true},
	{Name: "disabled", Kind: Bool, Default: "false"},
	{Name: "comment", Kind: Text},
}
