//go:build !nodemo

package main

import (
	"slices"
	"strings"
	"time"

	"vpnbot/change"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
)

// mishap is something that goes wrong at a write: either what a router does to its
// API, or what befalls routers, lines, the bot's host.
type mishap struct {
	name string
	// strike is at writes over the API; befall at those of scripts too, before the
	// write or behind it.
	strike *rossim.Strike
	befall func(m *mess, router string)
	behind bool
	// mend ends it, when it has lasted so long; strikes end then by themselves.
	mend  func(m *mess, router string)
	lasts time.Duration
	// scripts: only at writes of scripts. What arrives over the API dies with a router
	// that reboots; a strike does that.
	scripts bool
	// single: on both routers it would be the same as on one.
	single bool
	// person: it explains that a person is asked for. meddles: somebody changed the
	// very rows, so nobody can say what the end must be. apart: then the guards cannot
	// bring the ends together.
	person, meddles, apart bool
	noise                  string // the log may tell of it
	late                   bool   // what the router is told it does later
}

// silence is how long a router does not answer, and dark how long a line is cut.
const (
	silence = 4 * time.Minute
	dark    = 4 * time.Minute
)

// mishaps are all that go wrong at every write.
func mishaps() []mishap {
	return slices.Concat(strikes(), befallen(), meddling())
}

func mishapNamed(name string) mishap {
	all := mishaps()
	return all[slices.IndexFunc(all, func(x mishap) bool { return x.name == name })]
}

// strikes are what a router's API does.
func strikes() []mishap {
	var all []mishap
	for _, s := range []struct {
		kind rossim.FaultKind
		at   []rossim.When
	}{
		{rossim.FaultDrop, []rossim.When{rossim.Inside, rossim.Before, rossim.After, rossim.Answering}},
		{rossim.FaultReboot, []rossim.When{rossim.Before, rossim.After}},
		{rossim.FaultFatal, []rossim.When{rossim.Before, rossim.After}},
		{rossim.FaultHalfOpen, []rossim.When{rossim.Before, rossim.After}},
		{rossim.FaultGarbage, []rossim.When{rossim.After}},
		{rossim.FaultOversize, []rossim.When{rossim.After}},
		{rossim.FaultTrap, []rossim.When{rossim.Before, rossim.After}},
	} {
		for _, at := range s.at {
			all = append(all, mishap{name: string(s.kind) + " " + string(at), strike: &rossim.Strike{Kind: s.kind, At: at}})
		}
	}
	for _, at := range []rossim.When{rossim.Before, rossim.After} {
		all = append(all, mishap{name: "hang " + string(at), strike: &rossim.Strike{Kind: rossim.FaultHang, At: at}, lasts: silence, late: at == rossim.Before})
	}
	return append(all,
		mishap{name: "drip", strike: &rossim.Strike{Kind: rossim.FaultDrip, By: 100 * time.Millisecond}},
		mishap{name: "refused from here on", strike: &rossim.Strike{Kind: rossim.FaultTrap, Times: rossim.Always}, lasts: silence},
		mishap{name: "another certificate", strike: &rossim.Strike{Kind: rossim.FaultCertificate}, lasts: silence},
	)
}

// befallen is what happens to routers, lines and the bot's host.
func befallen() []mishap {
	router := func(m *mess, name string) *rossim.Router { return m.w.internet.Router(name) }
	flag := func(m *mess, name, value string) {
		if err := router(m, name).Force("/system/device-mode", "", schema.Row{"flagged": value}); err != nil {
			m.t.Error(err)
		}
	}
	away := func(on bool) func(m *mess, name string) {
		return func(m *mess, name string) {
			for _, o := range m.w.routers {
				if o.Router != name {
					continue
				}
				f := m.faults(o)
				f.Refuse = on
				o.router.SetFaults(f)
				o.router.Drop()
			}
		}
	}
	return []mishap{
		{name: "reboot in a script", scripts: true, befall: func(m *mess, name string) { router(m, name).Reboot() }},
		{name: "reboot behind it", behind: true, befall: func(m *mess, name string) { router(m, name).Reboot() }},
		{name: "reboot, flagged at it", behind: true, lasts: 20 * time.Minute, person: true, apart: true, befall: func(m *mess, name string) {
			flag(m, name, "true")
			router(m, name).Reboot()
		}, mend: func(m *mess, name string) { flag(m, name, "false") }},
		{name: "clock a year back", befall: func(m *mess, name string) {
			router(m, name).SetClock(router(m, name).Now().AddDate(-1, 0, 0))
		}},
		{name: "clock a year on", behind: true, befall: func(m *mess, name string) {
			router(m, name).SetClock(router(m, name).Now().AddDate(1, 0, 0))
		}},
		{name: "out of the bot's reach", lasts: silence, befall: away(true), mend: away(false)},
		{name: "out of reach for an hour", behind: true, lasts: time.Hour, befall: away(true), mend: away(false)},
		{name: "line cut", single: true, lasts: dark, befall: func(m *mess, _ string) {
			if err := outage(m.w.internet); err != nil {
				m.t.Error(err)
			}
		}},
		{name: "right revoked", lasts: 20 * time.Minute, person: true, befall: func(m *mess, name string) { m.revoke(name, true) }, mend: func(m *mess, name string) { m.revoke(name, false) }},
		{name: "guard looks at once", behind: true, befall: func(m *mess, name string) { m.hurry(name) }},
		{name: "disk full", single: true, noise: "no space left on device", lasts: silence, befall: func(m *mess, _ string) { m.fill(true) }, mend: func(m *mess, _ string) { m.fill(false) }},
	}
}

// meddling is another administrator in the rows of the change.
func meddling() []mishap {
	each := func(do func(m *mess, r *rossim.Router, menu string, row schema.Row)) func(m *mess, name string) {
		return func(m *mess, name string) {
			for menu, rows := range m.own(name) {
				for _, row := range rows {
					do(m, m.w.internet.Router(name), menu, row)
				}
			}
		}
	}
	other := map[string]schema.Row{
		"/ip/ipsec/policy": {"level": "use"}, "/ip/ipsec/peer": {"disabled": "yes"}, "/ip/ipsec/proposal": {"lifetime": "45m"},
		"/ip/ipsec/profile": {"dpd-interval": "1m"}, "/ip/ipsec/identity": {"remote-id": "fqdn:elsewhere"}, "/ppp/secret": {"profile": "default"},
		"/ppp/profile": {"only-one": "no"}, "/ip/pool": {"ranges": "192.168.1.10-192.168.1.20"}, "/interface/l2tp-server/server": {"max-mtu": "1300"},
	}
	return []mishap{
		{name: "somebody's comments", befall: each(func(_ *mess, r *rossim.Router, menu string, row schema.Row) {
			_ = r.Set(menu, row[schema.ID], schema.Row{"comment": "\xa4\xa4\xa4\xe5"}) // where rows have none it is refused
		}), person: true, meddles: true},
		{name: "somebody's values", behind: true, befall: each(func(_ *mess, r *rossim.Router, menu string, row schema.Row) {
			if values := other[menu]; values != nil {
				_ = r.Set(menu, row[schema.ID], values)
			}
		}), person: true, meddles: true, apart: true},
		{name: "somebody removes rows", befall: each(func(m *mess, r *rossim.Router, menu string, row schema.Row) {
			if strings.Contains(row["comment"], "[vpnbot ") || menu == "/ip/ipsec/identity" && strings.HasPrefix(row["peer"], m.c.tunnel+"-") {
				_ = r.Remove(menu, row[schema.ID])
			}
		}), person: true, meddles: true, apart: true},
		{name: "somebody removes the guard", behind: true, befall: func(m *mess, name string) {
			for _, row := range m.w.internet.Router(name).Rows("/system/scheduler") {
				if strings.HasPrefix(row["name"], "vpnbot-guard-") {
					_ = m.w.internet.Router(name).Remove("/system/scheduler", row[schema.ID])
				}
			}
		}, person: true, meddles: true},
	}
}

// detour lets the bot reach routers without the tunnel that it is about.
func detour(m *mess, _ string) {
	for _, o := range m.w.routers {
		o.way.through.Store(nil)
	}
}

// own are the rows of a router that the plan is about, by menu.
func (m *mess) own(router string) map[string][]schema.Row {
	requests, err := m.w.sys.store.Requests(m.t.Context(), change.Filter{States: []change.State{change.Applying}})
	if err != nil {
		m.t.Error(err)
	}
	all := map[string][]schema.Row{}
	for _, r := range requests {
		for _, s := range r.Plan.Steps {
			if s.Router != router || unsettled(s.Menu) {
				continue
			}
			for _, row := range m.w.internet.Router(router).Rows(s.Menu) {
				known := slices.ContainsFunc(all[s.Menu], func(other schema.Row) bool { return other[schema.ID] == row[schema.ID] })
				if s.Finds(row) && !known && row["dynamic"] != "true" {
					all[s.Menu] = append(all[s.Menu], row)
				}
			}
		}
	}
	return all
}

// revoke takes the writing login its right to write, or gives it back.
func (m *mess) revoke(router string, off bool) {
	for _, g := range botGroups() {
		policy := g["policy"]
		if off {
			policy = strings.ReplaceAll(policy, "read,write,test", "read,!write,test")
		}
		if err := m.w.internet.Router(router).Set("/user/group", g["name"], schema.Row{"policy": policy}); err != nil {
			m.t.Error(err)
		}
	}
	m.w.internet.Router(router).Drop() // what is logged in keeps the rights that it had
}

// hurry has the guard look after a second instead of minutes.
func (m *mess) hurry(router string) {
	for _, row := range m.w.internet.Router(router).Rows("/system/scheduler") {
		if strings.HasPrefix(row["name"], "vpnbot-guard-") {
			_ = m.w.internet.Router(router).Set("/system/scheduler", row[schema.ID], schema.Row{"interval": "1s"})
		}
	}
}

func (m *mess) fill(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.full = on
}
