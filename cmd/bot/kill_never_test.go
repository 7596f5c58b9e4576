//go:build !nodemo

package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"vpnbot/change"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// standing is how the routers of a change stand: on which rows each is, and whether
// the tunnel is as it must be then: up on both ends, or gone from both.
type standing struct {
	ends [2]string
	well bool
}

func (s standing) split() bool {
	return s.ends[1] != "" && s.ends[0] != s.ends[1] || s.ends[0] == "mixed" || !s.well
}

// String names the rows, and the routers where these differ.
func (s standing) String() string {
	what := s.ends[0] + " rows"
	switch {
	case s.ends[1] == "":
	case s.ends[0] == s.ends[1]:
		what += " at both ends"
	default:
		what = fmt.Sprintf("%s and %s rows", s.ends[0], s.ends[1])
	}
	if !s.well {
		return what + ", the tunnel is not as it must be"
	}
	return what + ", tunnel well"
}

// stand looks at the routers of the change and at the tunnel.
func (f *fork) stand(in *rossim.Internet) standing {
	f.t.Helper()
	var s standing
	for i, router := range f.c.routers {
		s.ends[i] = f.footing(router, held(in.Router(router)))
	}
	want := f.want
	if s.ends[0] == "new" && s.ends[1] != "old" {
		want = f.wanted()
	}
	s.well = want == nil && gone(in, f.want) || want != nil && up(in, *want)
	return s
}

// footing tells on which rows a router is: on the "old" ones or the "new" ones, as
// far as they have an effect, or on neither.
func (f *fork) footing(router string, now holdings) string {
	was, will := f.before[router], f.before[router].after(change.Request{Plan: f.plan}, router)
	if f.plan.Phased() {
		was, will, now = was.working(), will.working(), now.working()
	} else {
		was, will, now = was.only(f.plan, router), will.only(f.plan, router), now.only(f.plan, router)
	}
	switch {
	case len(was.differs(now)) == 0:
		return "old"
	case len(will.differs(now)) == 0:
		return "new"
	}
	return "mixed"
}

// up tells whether both ends show the tunnel: cookies and SPIs that both know, all
// policies established.
func up(in *rossim.Internet, want vpn.Expected) bool {
	var halves [2][]vpn.Half
	for i, x := range want.Ends {
		snap := change.Snapshot{Router: x.Router, At: time.Now(), Menus: map[string][]schema.Row{}}
		for _, menu := range vpn.StatusMenus() {
			snap.Menus[menu] = in.Router(x.Router).Rows(menu)
		}
		halves[i] = []vpn.Half{{Snapshot: snap}}
	}
	for _, side := range vpn.Judge(want, halves, time.Now()).Sides {
		n, of := side.Established()
		same := slices.ContainsFunc(side.Phase1, func(p vpn.ActivePeer) bool { return p.Matched })
		if n < of || of == 0 || !same || len(side.SAs) == 0 || slices.ContainsFunc(side.SAs, func(sa vpn.SA) bool { return !sa.Matched }) {
			return false
		}
	}
	return true
}

// badLuck is what befalls the routers of a bot that has died.
type badLuck struct {
	name   string
	strike func(*rossim.Internet) error
}

func badLucks() []badLuck {
	reboot := func(routers ...string) func(*rossim.Internet) error {
		return func(in *rossim.Internet) error {
			for _, router := range routers {
				in.Router(router).Reboot()
			}
			return nil
		}
	}
	return []badLuck{
		{"nothing else", func(*rossim.Internet) error { return nil }},
		{"hq reboots", reboot("gw-hq")},
		{"fengshan reboots", reboot("gw-fengshan")},
		{"both reboot", reboot("gw-hq", "gw-fengshan")},
		{"an outage", outage},
	}
}

// worseLucks are badLucks, and what a bot that comes back cannot mend by itself.
func worseLucks() []badLuck {
	flag := func(router string) func(*rossim.Internet) error {
		return func(in *rossim.Internet) error {
			return in.Router(router).Force("/system/device-mode", "", schema.Row{"flagged": "true"})
		}
	}
	return append(badLucks(),
		badLuck{"a router is flagged", flag("gw-hq")},
		badLuck{"a router is flagged", flag("gw-fengshan")},
		badLuck{"clocks jump", func(in *rossim.Internet) error {
			in.Router("gw-hq").SetClock(time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC))
			in.Router("gw-fengshan").SetClock(time.Now().AddDate(3, 0, 0))
			return nil
		}},
	)
}

// outage parts the two routers for as long as both guards need to look, and has
// them notice at once.
func outage(in *rossim.Internet) error {
	if err := in.Cut("gw-hq", "gw-fengshan"); err != nil {
		return err
	}
	time.AfterFunc(4*time.Minute, func() { _ = in.Mend("gw-hq", "gw-fengshan") })
	for router, far := range map[string]string{"gw-hq": "198.51.100.20", "gw-fengshan": "203.0.113.10"} {
		for _, row := range in.Router(router).Rows("/ip/ipsec/active-peers") {
			if row["remote-address"] != far {
				continue
			}
			_ = in.Router(router).Remove("/ip/ipsec/active-peers", row[schema.ID]) // the other end may have been faster
		}
	}
	return nil
}

// ghost is the routers of a bot that never comes back.
type ghost struct {
	badLuck
	in *rossim.Internet
}

// haunt copies the routers once for each kind of bad luck, which strikes.
func (f *fork) haunt() []ghost {
	f.t.Helper()
	var all []ghost
	for _, luck := range worseLucks() {
		g := ghost{luck, f.w.internet.Clone()}
		f.t.Cleanup(func() { _ = g.in.Close() })
		if err := luck.strike(g.in); err != nil {
			f.t.Error(err)
		}
		all = append(all, g)
	}
	return all
}

// guards says which routers have a guard.
func guards(in *rossim.Internet) string {
	var on []string
	for _, router := range in.Routers() {
		if slices.ContainsFunc(in.Router(router).Rows("/system/scheduler"), func(row schema.Row) bool {
			return strings.HasPrefix(row["name"], "vpnbot-guard-")
		}) {
			on = append(on, router)
		}
	}
	switch len(on) {
	case 0:
		return "no guards"
	case 1:
		return "guard on one end"
	}
	return "guards on both ends"
}

// knownSplits are the sequences that DESIGN.md lists, in which the ends part when
// the bot never comes back: each begins a row of the table there.
func knownSplits(t *testing.T) []string {
	t.Helper()
	b, err := os.ReadFile("../../DESIGN.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(b), "### Where two ends may part\n")
	section, _, _ = strings.Cut(section, "\n#")
	var list []string
	for line := range strings.Lines(section) {
		if cells := strings.Split(line, "|"); len(cells) == 4 && !strings.Contains(cells[1], "--") {
			list = append(list, strings.TrimSpace(cells[1]))
		}
	}
	if !found || len(list) < 2 {
		t.Fatal("DESIGN.md lists no sequences")
	}
	return list[1:]
}

// haunting is how the two ends stand in the end without a bot, by what befell them.
type haunting struct{ luck, stood string }

// layToRest looks at how the ghosts stand in the end. It returns the ways in which
// their ends part (what was decided, who had a guard, what befell them), and how all
// of them stand. Ends that stand together must be able to negotiate afresh.
func (f *fork) layToRest(all []ghost, decided change.Decision, guarded string) (parted map[string]standing, stood []haunting) {
	f.t.Helper()
	parted = map[string]standing{}
	var whole []meeting
	for _, g := range all {
		s := f.stand(g.in)
		stood = append(stood, haunting{g.name, s.String()})
		want := f.want
		if s.ends[0] == "new" {
			want = f.wanted()
		}
		switch {
		case s.split() && !f.plan.Phased():
			parted["one router, step by step"] = s
		case s.split():
			parted[fmt.Sprintf("%s, %s, %s", cmp.Or(string(decided), "undecided"), guarded, g.name)] = s
		case want != nil:
			whole = append(whole, meeting{g.in, *want})
		}
		f.plant(g.in)
		f.searchRouters(g.in, func(format string, args ...any) { f.t.Errorf(g.name+": "+format, args...) })
		f.untouched(g)
	}
	if slices.Contains(afresh(f.t, whole...), false) {
		f.t.Errorf("%s, never back: the tunnel does not come up afresh", f.r.where)
	}
	for _, g := range all {
		if err := g.in.Close(); err != nil {
			f.t.Error(err)
		}
	}
	return parted, stood
}

// untouched checks that no router lost or changed a row that the plan is not about.
func (f *fork) untouched(g ghost) {
	f.t.Helper()
	for router, before := range f.before {
		for _, d := range before.lacks(held(g.in.Router(router)), f.plan, router) {
			f.t.Errorf("%s, %s: %s", g.name, router, d)
		}
	}
}
