package rossim

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"vpnbot/ros/schema"
)

// maxValue is the longest value that a router takes, about 60 KiB.
const maxValue = 60 << 10

// flagged is what a router with a flagged configuration refuses to add or
// enable; removing and disabling still work.
var flagged = []string{"/system/scheduler", "/ip/ipsec/", "/interface/l2tp-"}

// features are those of the device mode, each with the menus in which nothing
// may be added or enabled without it. In mode home there is no scheduler.
var features = map[string]string{"scheduler": "/system/scheduler", "ipsec": "/ip/ipsec/", "l2tp": "/interface/l2tp-"}

func (s *state) deviceMode(c change) error {
	turnsOn := c.action == "add" || c.action == "enable" || slices.Contains([]string{"yes", "true"}, c.values["enabled"]) ||
		slices.Contains([]string{"no", "false"}, c.values["disabled"])
	if !turnsOn {
		return nil
	}
	guarded := slices.ContainsFunc(flagged, func(p string) bool { return strings.HasPrefix(c.menu.path, p) })
	if guarded && s.setting("/system/device-mode")["flagged"] == "true" {
		return errFailure("configuration flagged, check all router configuration for unauthorized changes and update device-mode")
	}
	for name, path := range features {
		if strings.HasPrefix(c.menu.path, path) && !s.feature(name) {
			return errFailure("not allowed by device-mode")
		}
	}
	return nil
}

// feature tells whether the device mode allows a feature.
func (s *state) feature(name string) bool {
	value := s.setting("/system/device-mode")[name]
	return value != "false" && value != "no"
}

// derive fills in the values that a router works out when a row is written.
func (s *state) derive(m *menu, vals schema.Row) {
	switch {
	case m.path == "/ip/address":
		if p, err := netip.ParsePrefix(vals["address"]); err == nil && vals["network"] == "" {
			vals["network"] = p.Masked().Addr().String()
		}
		vals["actual-interface"] = vals["interface"]
	case m.path == "/ip/firewall/address-list" && vals["creation-time"] == "":
		vals["creation-time"] = s.stamp()
	case m.rule.Type != "" && vals["name"] == "":
		vals["name"] = s.freeName("/interface", m.rule.Type)
	case m.rule.Names != "" && vals["name"] == "":
		vals["name"] = s.freeName(m.path, m.rule.Names)
	case m.path == "/ip/ipsec/policy":
		s.shapePolicy(m, vals)
	}
}

// freeName returns the first name with a number that no row has.
func (s *state) freeName(path, name string) string {
	for n := 1; ; n++ {
		if !s.exists(path, name+itoa(n)) {
			return name + itoa(n)
		}
	}
}

// shapePolicy leaves out of a template what it does not decide, and gives a
// policy that is none the defaults of one.
func (s *state) shapePolicy(m *menu, vals schema.Row) {
	if vals["template"] == "true" {
		for _, name := range []string{"peer", "tunnel", "src-port", "dst-port", "action", "level", "ipsec-protocols", "sa-src-address", "sa-dst-address"} {
			delete(vals, name)
		}
		if vals["group"] == "" {
			if rec := s.original("/ip/ipsec/policy/group", "default"); rec != nil {
				vals["group"] = rec.name()
			}
		}
		return
	}
	delete(vals, "template")
	for name := range m.rule.Defaults {
		if _, ok := vals[name]; !ok {
			vals[name], _ = s.defaultOf(m, name)
		}
	}
}

// follow carries out what the written row changes elsewhere.
func (s *state) follow(rec *record) {
	switch rec.home.path {
	case "/system/clock":
		s.setClock(rec.vals)
	case "/interface/l2tp-server/server":
		s.l2tpPeer()
	}
}

// setClock takes date and time out of the row, where they would stand still,
// and moves the clock.
func (s *state) setClock(vals schema.Row) {
	now := s.now().UTC()
	date, clock := vals["date"], vals["time"]
	delete(vals, "date")
	delete(vals, "time")
	if date == "" {
		date = s.prof.date(now)
	}
	if clock == "" {
		clock = now.Format(time.TimeOnly)
	}
	if t, ok := s.prof.parseDateTime(date, clock); ok {
		s.moveClock(t)
	}
}

// moveClock sets the clock. Uptime is not read from the clock, so everything
// that counts from a moment moves with it.
func (s *state) moveClock(t time.Time) {
	step := t.Sub(s.now())
	s.skew += step
	s.booted = s.booted.Add(step)
	for _, recs := range s.tables {
		for _, r := range recs {
			if !r.since.IsZero() {
				r.since = r.since.Add(step)
			}
		}
	}
	s.jumped()
}

// l2tpPeer makes or removes the dynamic peer and identity that the L2TP server
// has while it runs with IPsec.
func (s *state) l2tpPeer() {
	const name = "l2tp-in-server"
	server := s.setting("/interface/l2tp-server/server")
	if server["enabled"] != "true" || server["use-ipsec"] == "no" {
		for _, path := range []string{"/ip/ipsec/identity", "/ip/ipsec/peer"} {
			for _, r := range slices.Clone(s.tables[path]) {
				if r.dynamic && (r.vals["peer"] == name || r.name() == name) {
					s.delete(r)
				}
			}
		}
		return
	}
	profile := "default"
	if rec := s.original("/ip/ipsec/profile", profile); rec != nil {
		profile = rec.name()
	}
	s.keepDynamic("/ip/ipsec/peer", schema.Row{
		"name": name, "address": "0.0.0.0/0", "passive": "true", "profile": profile, "exchange-mode": "main",
		"send-initial-contact": "true", "disabled": "false", "responder": "true",
	})
	s.keepDynamic("/ip/ipsec/identity", schema.Row{
		"peer": name, "auth-method": "pre-shared-key", "remote-id": "ignore", "generate-policy": "port-strict",
		"secret": server["ipsec-secret"], "disabled": "false",
	})
}

// keepDynamic adds a dynamic row for the L2TP server's peer, or rewrites it.
func (s *state) keepDynamic(path string, vals schema.Row) {
	for _, r := range s.tables[path] {
		if r.dynamic && r.name() == vals["name"] && r.vals["peer"] == vals["peer"] {
			r.vals = vals
			s.changed(r, false)
			return
		}
	}
	s.addDynamic(path, vals, 0)
}

// reboot drops what lives in memory only.
func (s *state) reboot() {
	for _, rec := range slices.Clone(s.tables["/ppp/active"]) {
		s.endSession(rec, "reboot")
	}
	s.tables["/user/active"] = nil
	s.endTasks(func(*task) bool { return true })
	s.tables[historyMenu] = nil
	s.ipsecReboot()
	s.tables["/log"] = nil
	s.boots++
	s.booted = s.now()
	s.l2tpPeer()
	s.renumber()
	s.reviewAlone()
	s.rebootSchedules()
	s.log("system,info", "router rebooted")
}
