package schema

import (
	"errors"
	"fmt"
	"slices"
)

// Action is what a write does to a row.
type Action string

// The writes that RouterOS menus know and the product uses.
const (
	Add     Action = "add"
	Change  Action = "set"
	Remove  Action = "remove"
	Enable  Action = "enable"
	Disable Action = "disable"
	Move    Action = "move"
)

// ErrNotAllowed is returned for a write that is not on the allow-list.
var ErrNotAllowed = errors.New("write not on the allow-list")

// allowed is the write allow-list: RouterOS has no rights per menu, so what the
// product may change is decided here and nowhere else. The attributes are the
// only ones that an add or set may name.
var allowed = map[string]map[Action][]string{
	// An account. What a new one never has comes back with one that was removed.
	"/ppp/secret": {
		Add: {
			"name", "password", "service", "profile", "caller-id", "local-address", "remote-address", "remote-ipv6-prefix", "routes",
			"ipv6-routes", "limit-bytes-in", "limit-bytes-out", "disabled", "comment",
		},
		Change:  {"password", "comment"},
		Enable:  nil,
		Disable: nil,
		Remove:  nil,
	},
	"/ppp/active": {Remove: nil}, // the end of sessions
	// A dial-in server. What belongs to RouterOS itself or to an administrator is
	// set in place; what the bot made can be taken away again.
	"/ip/pool": {
		Add:    {"name", "ranges", "comment"},
		Change: {"ranges", "comment"},
		Remove: nil,
	},
	"/ppp/profile": {
		Add: {
			"name", "local-address", "remote-address", "dns-server", "change-tcp-mss", "use-encryption", "only-one", "interface-list", "comment",
		},
		Change: {
			"local-address", "remote-address", "dns-server", "change-tcp-mss", "use-encryption", "only-one", "interface-list", "comment",
		},
		Remove: nil,
	},
	"/interface/l2tp-server/server": {
		Change: {
			"enabled", "use-ipsec", "ipsec-secret", "authentication", "default-profile", "allow-fast-path", "max-mtu", "max-mru",
		},
	},
	// What answers on the LAN for clients, on whatever the LAN stands.
	"/interface/bonding":  {Change: {"arp"}},
	"/interface/bridge":   {Change: {"arp"}},
	"/interface/eoip":     {Change: {"arp"}},
	"/interface/ethernet": {Change: {"arp"}},
	"/interface/macvlan":  {Change: {"arp"}},
	"/interface/mesh":     {Change: {"arp"}},
	"/interface/vlan":     {Change: {"arp"}},
	"/interface/vrrp":     {Change: {"arp"}},
	"/interface/vxlan":    {Change: {"arp"}},
	"/interface/wifi":     {Change: {"arp"}},
	"/interface/wireless": {Change: {"arp"}},
	"/ip/firewall/filter": {
		Add: {
			"chain", "action", "protocol", "dst-port", "src-address", "dst-address", "ipsec-policy", "connection-state", "comment",
		},
		Remove: nil,
	},
	"/ip/firewall/raw": {
		Add:    {"chain", "action", "protocol", "dst-port", "src-address", "ipsec-policy", "comment"},
		Remove: nil,
	},
	"/ip/firewall/mangle": {
		Add:    {"chain", "action", "src-address", "dst-address", "comment"},
		Remove: nil,
	},
	"/routing/rule": {
		Add:    {"action", "src-address", "dst-address", "table", "comment"},
		Remove: nil,
	},
	"/ip/route/rule": { // in RouterOS 6
		Add:    {"action", "src-address", "dst-address", "table", "comment"},
		Remove: nil,
	},
	// A tunnel's rows. Old rows are changed by the scripts of a change in phases
	// alone, step by step admitted here.
	"/ip/ipsec/profile": {
		Add: {
			"name", "hash-algorithm", "prf-algorithm", "enc-algorithm", "dh-group", "lifetime", "proposal-check", "nat-traversal",
			"dpd-interval", "dpd-maximum-failures",
		},
		Change: {"hash-algorithm", "enc-algorithm", "dh-group", "nat-traversal"}, // the default one, for dial-in
		Remove: nil,
	},
	"/ip/ipsec/proposal": {
		Add:     {"name", "auth-algorithms", "enc-algorithms", "lifetime", "pfs-group", "disabled", "comment"},
		Change:  {"auth-algorithms", "enc-algorithms", "pfs-group", "comment"}, // the default one, for dial-in
		Enable:  nil,
		Disable: nil,
		Remove:  nil,
	},
	"/ip/ipsec/peer": {
		Add: {
			"name", "address", "local-address", "port", "profile", "exchange-mode", "passive", "send-initial-contact", "disabled", "comment",
		},
		Enable:  nil,
		Disable: nil,
		Remove:  nil,
	},
	"/ip/ipsec/identity": {
		Add: {
			"peer", "auth-method", "secret", "my-id", "remote-id", "match-by", "generate-policy", "policy-template-group", "notrack-chain",
			"disabled", "comment",
		},
		Enable:  nil,
		Disable: nil,
		Remove:  nil,
	},
	"/ip/ipsec/policy": {
		Add: {
			"peer", "tunnel", "src-address", "src-port", "dst-address", "dst-port", "protocol", "action", "level", "ipsec-protocols",
			"proposal", "template", "group", "disabled", "comment",
		},
		Change:  {"peer", "proposal", "level", "tunnel", "ipsec-protocols", "comment"},
		Enable:  nil,
		Disable: nil,
		Remove:  nil,
	},
	"/ip/ipsec/policy/group": {
		Add:    {"name", "comment"},
		Remove: nil,
	},
	"/ip/firewall/nat": {
		Add:    {"chain", "action", "src-address", "dst-address", "out-interface", "comment"},
		Remove: nil,
	},
	// What a change in phases does besides: guards, and the end of one phase 1 and
	// of connections that were translated.
	"/system/scheduler": {
		Add:    {"name", "start-time", "interval", "policy", "on-event", "disabled", "comment"},
		Enable: nil,
		Remove: nil,
	},
	"/system/logging": {
		Add:    {"topics", "action", "prefix"},
		Remove: nil,
	},
	"/ip/ipsec/active-peers":  {Remove: nil},
	"/ip/firewall/connection": {Remove: nil},
}

// Allowed checks a write against the allow-list: nil, or an error that wraps
// ErrNotAllowed and names the menu, action or attribute.
func Allowed(path string, action Action, attrs []string) error {
	actions, ok := allowed[path]
	if !ok {
		return fmt.Errorf("%w: menu %s", ErrNotAllowed, path)
	}
	names, ok := actions[action]
	if !ok {
		return fmt.Errorf("%w: %s in %s", ErrNotAllowed, action, path)
	}
	for _, a := range attrs {
		if !slices.Contains(names, a) {
			return fmt.Errorf("%w: attribute %s in %s %s", ErrNotAllowed, a, path, action)
		}
	}
	return nil
}
