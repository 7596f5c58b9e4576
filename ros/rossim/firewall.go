package rossim

import (
	"slices"
	"strings"

	"vpnbot/ros/schema"
)

// firewalls are the menus whose rules match packets.
var firewalls = []string{"/ip/firewall/filter", "/ip/firewall/mangle", "/ip/firewall/nat", "/ip/firewall/raw"}

// fasttracked is what the rule says that RouterOS puts in front of the filter
// while a rule fasttracks connections.
const fasttracked = "special dummy rule to show fasttrack counters"

// faulty tells whether a rule cannot match, and what its warning says: a matcher
// names an interface that is gone, or the port of a bridge or bond, whose packets are
// the master's.
func (s *state) faulty(rule schema.Row) (about string, is bool) {
	for _, name := range []string{"in-interface", "out-interface"} {
		iface := strings.TrimPrefix(rule[name], "!")
		if strings.HasPrefix(iface, "*") {
			return "", true
		}
		if master := s.master(iface); master != "" {
			return "in/out-interface matcher not possible when interface (" + iface + ") is slave - use master instead (" + master + ")", true
		}
	}
	return "", false
}

// master returns the bridge or bond of which an interface is a port, or "".
func (s *state) master(iface string) string {
	if iface == "" {
		return ""
	}
	for _, port := range s.tables["/interface/bridge/port"] {
		if port.vals["interface"] == iface && port.vals["disabled"] != "true" {
			return port.vals["bridge"]
		}
	}
	for _, bond := range s.tables["/interface/bonding"] {
		if bond.vals["disabled"] != "true" && slices.Contains(strings.Split(bond.vals["slaves"], ","), iface) {
			return bond.vals["name"]
		}
	}
	return ""
}

// warn adds what is wrong with a row because of its interface.
func (s *state) warn(m *menu, rec *record, row schema.Row) {
	switch {
	case slices.Contains(firewalls, m.path):
		if about, is := s.faulty(rec.vals); is {
			row["invalid"] = "true"
			if about != "" {
				row[".about"] = about
			}
		}
	case m.path == "/ip/address":
		if strings.HasPrefix(rec.vals["interface"], "*") {
			row["invalid"] = "true"
		}
		if s.master(rec.vals["interface"]) != "" {
			row["slave"] = "true"
		}
	case m.path == "/interface":
		if s.master(rec.vals["name"]) != "" {
			row["slave"] = "true"
		}
	}
}

// fasttrack keeps the built-in rule of the filter, which counts what goes past
// it, there as long as a rule asks for it.
func (s *state) fasttrack(done []touched) {
	const path = "/ip/firewall/filter"
	if !slices.ContainsFunc(done, func(t touched) bool { return t.rec.home.path == path }) {
		return
	}
	rows := s.tables[path]
	wanted := slices.ContainsFunc(rows, func(r *record) bool {
		return r.vals["action"] == "fasttrack-connection" && r.vals["disabled"] != "true"
	})
	at := slices.IndexFunc(rows, func(r *record) bool { return r.dynamic && r.builtin })
	switch {
	case wanted && at < 0:
		m := s.prof.menus[path]
		s.insert(&record{home: m, id: s.newID(m), dynamic: true, builtin: true, vals: schema.Row{
			"chain": "forward", "action": "passthrough", "log": "false", "log-prefix": "", "comment": fasttracked, "disabled": "false",
		}}, nil)
	case !wanted && at >= 0:
		s.delete(rows[at])
	}
}
