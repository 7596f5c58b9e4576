//go:build !nodemo

package main

import (
	"cmp"
	"fmt"
	"maps"
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

// standing is how the tunnel stands: on which rows each end is, and whether both
// ends show it up.
type standing struct {
	ends [2]string
	up   bool
}

func (s standing) split() bool { return s.ends[0] != s.ends[1] || !s.up }

func (s standing) String() string {
	up := "up"
	if !s.up {
		up = "not up"
	}
	if s.ends[0] == s.ends[1] {
		return s.ends[0] + " rows at both ends, " + up
	}
	return fmt.Sprintf("hq on %s rows, fengshan on %s rows, %s", s.ends[0], s.ends[1], up)
}

// stand looks at both ends.
func stand(in *rossim.Internet, want vpn.Expected) standing {
	s := standing{up: up(in, want)}
	for i, x := range want.Ends {
		s.ends[i] = footing(in.Router(x.Router), "to-"+want.Ends[1-i].Site)
	}
	return s
}

// footing tells on which rows a router is: "old" ones, of the peer of that name,
// "new" ones, or on neither.
func footing(r *rossim.Router, old string) string {
	isNew := func(name string) bool { return strings.HasPrefix(name, "hq-fengshan-") }
	on := map[bool]bool{} // whether a new peer, or the old one, is on
	for _, row := range r.Rows("/ip/ipsec/peer") {
		if row["disabled"] != "true" && (isNew(row["name"]) || row["name"] == old) {
			on[isNew(row["name"])] = true
		}
	}
	for _, row := range r.Rows("/ip/ipsec/policy") {
		if its := isNew(row["peer"]); row["disabled"] != "true" && (its || row["peer"] == old) && on[its] && !on[!its] {
			return map[bool]string{true: "new", false: "old"}[its]
		}
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
	var whole []*rossim.Internet
	for _, g := range all {
		s := stand(g.in, f.want)
		if stood = append(stood, haunting{g.name, s.String()}); s.split() {
			parted[fmt.Sprintf("%s, %s, %s", cmp.Or(string(decided), "undecided"), guarded, g.name)] = s
		} else {
			whole = append(whole, g.in)
		}
		f.plant(g.in)
		f.searchRouters(g.in, func(format string, args ...any) { f.t.Errorf(g.name+": "+format, args...) })
		f.untouched(g)
	}
	for _, s := range afresh(f.t, f.want, whole...) {
		if s.split() {
			f.t.Errorf("never back: negotiated afresh: %v", s)
		}
	}
	for _, g := range all {
		if err := g.in.Close(); err != nil {
			f.t.Error(err)
		}
	}
	return parted, stood
}

// afresh has both ends forget what they negotiated, in each of several worlds, and
// returns how the tunnel stands when it is up again, or is not after two minutes:
// what was agreed before a change says nothing about the rows after it.
func afresh(t *testing.T, want vpn.Expected, all ...*rossim.Internet) []standing {
	t.Helper()
	for _, in := range all {
		for _, x := range want.Ends {
			for _, row := range in.Router(x.Router).Rows("/ip/ipsec/active-peers") {
				if row["remote-address"] == x.Remote.String() {
					_ = in.Router(x.Router).Remove("/ip/ipsec/active-peers", row[schema.ID]) // the other end may have been faster
				}
			}
		}
		if up(in, want) {
			t.Error("a tunnel that was hung up is up: this tests nothing")
		}
	}
	stood := make([]standing, len(all))
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(time.Second) {
		waiting := false
		for i, in := range all {
			stood[i] = stand(in, want)
			waiting = waiting || stood[i].split()
		}
		if !waiting || time.Now().After(end) {
			return stood
		}
	}
}

// untouched checks that no router lost or changed a row that is not the tunnel's.
func (f *fork) untouched(g ghost) {
	f.t.Helper()
	for router, before := range f.before {
		want, got := others(before), others(held(g.in.Router(router)))
		for _, d := range want.differs(got) {
			f.t.Errorf("%s, %s: %s", g.name, router, d)
		}
	}
}

// others are the rows that are not of hq-fengshan.
func others(h holdings) holdings {
	all := maps.Clone(h)
	for path, rows := range all {
		all[path] = slices.DeleteFunc(slices.Clone(rows), func(row schema.Row) bool {
			for _, name := range []string{row["name"], row["peer"], row["comment"]} {
				if strings.HasPrefix(name, "hq-fengshan-") || strings.HasPrefix(name, "vpnbot-guard-") || slices.Contains([]string{"to-hq", "to-fengshan"}, name) {
					return true
				}
			}
			return false
		})
	}
	return all
}
