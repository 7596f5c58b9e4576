package vpn_test

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// lever is something that somebody does at one end, or to the line, and how it is put
// right again; nil: it rights itself.
type lever struct {
	name string
	pull func(s *simulated, end int) (undo func() error, err error)
}

// wire are the names of the two routers, from an end on.
func (s *simulated) wire(end int) (from, to string) {
	return s.want.Ends[end].Router, s.want.Ends[1-end].Router
}

// edit gives an attribute of the last static row of a menu its next value. The first
// is the default.
func edit(menu, attr string, values ...string) lever {
	return lever{menu + " " + attr, func(s *simulated, end int) (func() error, error) {
		rows := slices.DeleteFunc(s.routers[end].Rows(menu), func(r schema.Row) bool {
			return r["template"] == "true" || r["dynamic"] == "true" || r["default"] == "true"
		})
		row := rows[len(rows)-1]
		was := cmp.Or(row[attr], values[0]) // absent: the default
		next := values[(slices.Index(values, was)+1)%len(values)]
		change := func(value string) error {
			now := slices.DeleteFunc(s.routers[end].Rows(menu), func(r schema.Row) bool {
				return r["name"] != row["name"] || r["dst-address"] != row["dst-address"] || r["address"] != row["address"] || r["dynamic"] == "true"
			})
			return s.routers[end].Set(menu, now[len(now)-1][schema.ID], schema.Row{attr: value}) // a reboot gives rows other IDs
		}
		return func() error { return change(was) }, change(next)
	}}
}

func levers() []lever {
	line := func(name string, what rossim.Traffic) lever {
		return lever{name, func(s *simulated, end int) (func() error, error) {
			from, to := s.wire(end)
			return func() error { return s.in.Unblock(from, to, what) }, s.in.Block(from, to, what)
		}}
	}
	return []lever{
		edit(peerMenu, "disabled", "false", "true"), edit(peerMenu, "passive", "false", "true"),
		edit(peerMenu, "send-initial-contact", "true", "false"), edit(peerMenu, "exchange-mode", "main", "ike2", "aggressive"),
		edit(policyMenu, "disabled", "false", "true"), edit(policyMenu, "level", "unique", "require", "use"),
		edit(policyMenu, "src-address", "192.168.78.0/24", "192.168.0.0/24"), edit("/ip/ipsec/proposal", "enc-algorithms", "aes-256-cbc", "aes-128-cbc"),
		edit("/ip/ipsec/proposal", "lifetime", "30m", "5m"), edit("/ip/ipsec/profile", "lifetime", "1d", "10m"),
		edit("/ip/ipsec/profile", "dpd-interval", "2m", "disable-dpd", "8s"), edit("/ip/ipsec/profile", "dh-group", "ecp384", "modp2048"),
		edit("/ip/ipsec/identity", "secret", "key", "other"), edit("/ip/address", "disabled", "false", "true"),
		line("IKE is lost", rossim.IKE), line("ESP is lost", rossim.ESP), line("all is lost", rossim.Everything),
		{"SAs are flushed", func(s *simulated, end int) (func() error, error) { return nil, s.routers[end].Flush(saMenu) }},
		{"phase 1 is removed", func(s *simulated, end int) (func() error, error) {
			rows := s.routers[end].Rows(phase1Menu)
			if len(rows) == 0 {
				return nil, nil
			}
			return nil, s.routers[end].Remove(phase1Menu, rows[len(rows)-1][schema.ID])
		}},
		{"a router reboots", func(s *simulated, end int) (func() error, error) { s.routers[end].Reboot(); return nil, nil }},
		{"a router is silent", func(s *simulated, end int) (func() error, error) {
			s.silent[end] = errors.New("no route")
			return func() error { s.silent[end] = nil; return nil }, nil
		}},
	}
}

// disagree says in which the two ends' rows of the last look disagree, as somebody
// would find who reads them side by side; "" when they do not. It shares nothing
// with Judge but the rows.
func (s *simulated) disagree() string {
	var mature, cookies [2]map[string]string // SPI to source and destination
	for i := range s.routers {
		h := s.samples[i][len(s.samples[i])-1]
		if h.Err != nil {
			return "silence"
		}
		mature[i], cookies[i] = map[string]string{}, map[string]string{}
		for _, want := range s.want.Ends[i].Policies {
			if !slices.ContainsFunc(h.Menus[policyMenu], func(r schema.Row) bool {
				return r["src-address"] == want.Source.String() && r["dst-address"] == want.Destination.String() &&
					r["disabled"] != "true" && r["invalid"] != "true" && r["ph2-state"] == "established" && r["template"] != "true"
			}) {
				return fmt.Sprintf("policy %v at end %d", want, i)
			}
		}
		for _, r := range h.Menus[saMenu] {
			if r["state"] == "mature" {
				mature[i][r["spi"]] = r["src-address"] + " " + r["dst-address"]
			}
		}
		for _, r := range h.Menus[phase1Menu] {
			if r["state"] == "established" {
				cookies[i][r["spii"]+r["spir"]] = ""
			}
		}
		if !slices.ContainsFunc(h.Menus[peerMenu], func(r schema.Row) bool { return r["dynamic"] != "true" && r["disabled"] != "true" }) {
			return fmt.Sprintf("peer at end %d", i)
		}
	}
	if !maps.Equal(mature[0], mature[1]) {
		return fmt.Sprintf("SAs %v and %v", mature[0], mature[1])
	}
	for c := range cookies[0] {
		if _, both := cookies[1][c]; both {
			return ""
		}
	}
	return "phase 1"
}

// meddling is one world in which people pull levers and put them right again.
type meddling struct {
	*simulated
	dice   *rand.Rand
	pulled []string
	seen   map[vpn.Verdict]int
	differ int
}

// look polls some time later and holds the verdict to the rows.
func (m *meddling) look() {
	m.Helper()
	time.Sleep(time.Duration(1+m.dice.IntN(90)) * time.Second)
	synctest.Wait()
	j := m.poll()
	m.seen[j.Verdict]++
	why := m.disagree()
	if why == "" {
		return
	}
	m.differ++
	if j.Verdict == vpn.Up {
		m.Fatalf("UP, and the ends disagree: %s\n%s", why, strings.Join(m.pulled, "\n"))
	}
}

// round pulls one to three levers, looks, and puts them right.
func (m *meddling) round() {
	m.Helper()
	var undo []func() error
	for range 1 + m.dice.IntN(3) {
		l, end := levers()[m.dice.IntN(len(levers()))], m.dice.IntN(2)
		m.pulled = append(m.pulled, fmt.Sprint(l.name, " at ", end))
		back, err := l.pull(m.simulated, end)
		if err != nil {
			m.Fatalf("%s at end %d: %v", l.name, end, err)
		}
		if back != nil {
			undo = append(undo, back)
		}
		for range 1 + m.dice.IntN(3) {
			m.look()
		}
	}
	for _, back := range slices.Backward(undo) {
		if err := back(); err != nil {
			m.Fatal(err)
		}
		m.look()
	}
	m.pulled = append(m.pulled, "and back")
	for range 4 + m.dice.IntN(4) {
		m.look()
	}
}

// Ensure no sequence of what people and lines do makes a tunnel UP while the rows of
// one end disagree with the other's.
func TestJudge_Levers(t *testing.T) {
	const worlds, rounds = 24, 20
	seen := map[vpn.Verdict]int{}
	differed := 0
	for n := range worlds {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := simulate(t, []string{"main", "ike2"}[n%2], rossim.Switches{
					SimultaneousOpen: n/2%2 == 1, DeleteNotify: n/4%2 == 1, DropOldSAs: n/8%2 == 1,
				})
				s.flow("192.168.77.20", "192.168.88.50", 2, 1)
				s.flow("192.168.88.60", "192.168.78.20", 2, 1)
				m := &meddling{simulated: s, dice: rand.New(rand.NewPCG(1, uint64(n))), seen: seen}
				for range rounds {
					m.round()
				}
				differed += m.differ
			})
		})
	}
	t.Logf("verdicts %v; the ends disagreed %d times", seen, differed)
	for _, v := range []vpn.Verdict{vpn.Up, vpn.UpOneWay, vpn.Down, vpn.Unknown} {
		if seen[v] < 50 {
			t.Errorf("%d times %s, want it more often", seen[v], v)
		}
	}
}
