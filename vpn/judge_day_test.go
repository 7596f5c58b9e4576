package vpn_test

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/change"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
	"vpnbot/vpn/ike"
)

// simulated is two simulated routers with a tunnel that people made by hand, and
// what polls of them saw.
type simulated struct {
	*testing.T
	in      *rossim.Internet
	routers [2]*rossim.Router
	want    vpn.Expected
	samples [2][]vpn.Half
	silent  [2]error
}

func simulate(t *testing.T, mode string, sw rossim.Switches) *simulated {
	t.Helper()
	in, err := rossim.NewInternet(rossim.InternetOptions{Negotiator: ike.Model{}, Switches: sw})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	})
	e := lineEstate(fixedWAN())
	tunnel := vpn.Tunnel{Name: "hq-fengshan", Exchange: mode, Ends: [2]vpn.End{{Site: "hq"}, {Site: "fengshan"}}}.WithDefaults(e)
	s := &simulated{T: t, in: in, want: tunnel.Expect(e)}
	for i, x := range s.want.Ends {
		s.routers[i] = s.router(x, tunnel)
	}
	return s
}

func (s *simulated) router(x vpn.ExpectedEnd, tunnel vpn.Tunnel) *rossim.Router {
	s.Helper()
	r, err := rossim.New(rossim.Options{Name: x.Router})
	if err != nil {
		s.Fatal(err)
	}
	if err := s.in.Attach(r, rossim.Place{}); err != nil {
		s.Fatal(err)
	}
	addresses := []schema.Row{{"address": x.Local.String() + "/24", "interface": "ether1"}}
	var policies []schema.Row
	for _, p := range x.Policies {
		if lan := p.Source.Addr().Next().String() + "/24"; len(policies) == 0 || x.Router == "gw-hq" {
			addresses = append(addresses, schema.Row{"address": lan, "interface": "ether2"})
		}
		policies = append(policies, schema.Row{
			"peer": "by-hand", "tunnel": "yes", "src-address": p.Source.String(), "dst-address": p.Destination.String(), "proposal": "p2", "level": "unique",
		})
	}
	err = r.Load(map[string][]schema.Row{
		"/ip/address":        addresses,
		"/ip/ipsec/profile":  {{"name": "p1", "hash-algorithm": "sha256", "enc-algorithm": "aes-256", "dh-group": "ecp384"}},
		"/ip/ipsec/proposal": {{"name": "p2", "auth-algorithms": "sha256", "enc-algorithms": "aes-256-cbc", "pfs-group": "ecp384"}},
		peerMenu:             {{"name": "by-hand", "address": x.Remote.String() + "/32", "profile": "p1", "exchange-mode": tunnel.Exchange}},
		"/ip/ipsec/identity": {{"peer": "by-hand", "secret": "key"}},
		policyMenu:           policies,
		"/ip/firewall/nat":   {{"chain": "srcnat", "action": "masquerade", "out-interface": "ether1", "ipsec-policy": "out,none"}},
	})
	if err != nil {
		s.Fatal(err)
	}
	return r
}

// poll reads both routers, one a little after the other.
func (s *simulated) poll() vpn.Judged {
	s.Helper()
	for i, r := range s.routers {
		h := vpn.Half{Snapshot: change.Snapshot{Router: r.Name(), At: time.Now(), Menus: map[string][]schema.Row{}}, Err: s.silent[i]}
		for _, menu := range vpn.StatusMenus() {
			if s.silent[i] == nil {
				h.Menus[menu] = r.Rows(menu)
			}
		}
		if s.samples[i] = append(s.samples[i], h); len(s.samples[i]) > 6 {
			s.samples[i] = s.samples[i][1:]
		}
		time.Sleep(70 * time.Millisecond)
	}
	return vpn.Judge(s.want, s.samples, time.Now())
}

// minutes polls once a minute and counts verdicts.
func (s *simulated) minutes(n int) map[string]int {
	s.Helper()
	seen := map[string]int{}
	for range n {
		time.Sleep(time.Minute - 140*time.Millisecond)
		synctest.Wait()
		j := s.poll()
		seen[string(j.Verdict)+" "+j.Reason.ID]++
	}
	return seen
}

func (s *simulated) flow(from, to string, there, back float64) (stop func()) {
	s.Helper()
	stop, err := s.in.StartFlow(rossim.Flow{From: netip.MustParseAddr(from), To: netip.MustParseAddr(to), There: there, Back: back})
	if err != nil {
		s.Fatal(err)
	}
	return stop
}

// only fails unless every poll but the first few gave one verdict.
func (s *simulated) only(seen map[string]int, want string, others int) {
	s.Helper()
	for got, n := range seen {
		if got != want {
			others -= n
		}
	}
	if others < 0 || seen[want] == 0 {
		s.Errorf("got %v, want %s", seen, want)
	}
}

// Ensure the history of verdicts is what was planted, each change seen at
// the next poll or the one after, through rekeys, silence and repairs.
func TestJudge_Day(t *testing.T) {
	for name, sw := range map[string]rossim.Switches{"": {}, ", both initiate": {SimultaneousOpen: true}, ", old SAs dropped": {DropOldSAs: true}} {
		for _, mode := range []string{"main", "ike2"} {
			t.Run(mode+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { playDay(simulate(t, mode, sw)) })
			})
		}
	}
}

func playDay(s *simulated) {
	s.only(s.minutes(20), "IDLE status.idle.none", 5)
	stop := s.flow("192.168.77.20", "192.168.88.50", 2, 1)
	s.only(s.minutes(4*60), "UP status.up", 1)

	s.silent[1] = errors.New("no route")
	s.only(s.minutes(10), "UNKNOWN status.unknown.unread", 0)
	s.silent[1] = nil
	s.only(s.minutes(10), "UP status.up", 1)

	s.set(1, peerMenu, 0, "disabled", "true")
	s.only(s.minutes(10), "DOWN status.down.peer_disabled", 0)
	s.set(1, peerMenu, 0, "disabled", "false")
	s.only(s.minutes(10), "UP status.up", 2)

	s.set(0, policyMenu, 1, "disabled", "true")
	s.only(s.minutes(10), "DOWN status.down.policy_disabled", 0)
	s.set(0, policyMenu, 1, "disabled", "false")
	s.only(s.minutes(10), "UP status.up", 2)

	s.block("gw-hq", "gw-fengshan", func() { s.only(s.minutes(6), "DOWN status.down.lost", 1) })
	s.only(s.minutes(10), "UP status.up", 2)
	back := s.flow("192.168.88.60", "192.168.78.20", 2, 0)
	s.block("gw-hq", "gw-fengshan", func() { s.only(s.minutes(6), "UP-ONE-WAY status.oneway.lost", 1) })
	s.only(s.minutes(10), "UP status.up", 2)
	stop()
	s.only(s.minutes(12), "UP-ONE-WAY status.oneway.silent", 6)
	back()
	s.only(s.minutes(20), "IDLE status.idle.none", 6)
	s.only(s.minutes(4*60), "IDLE status.idle.none", 0)
}

// block loses encrypted packets of one direction while f runs, and nothing else.
func (s *simulated) block(from, to string, f func()) {
	s.Helper()
	if err := s.in.Block(from, to, rossim.ESP); err != nil {
		s.Fatal(err)
	}
	f()
	if err := s.in.Unblock(from, to, rossim.ESP); err != nil {
		s.Fatal(err)
	}
}

func (s *simulated) set(i int, menu string, n int, attr, value string) {
	s.Helper()
	var own []schema.Row
	for _, r := range s.routers[i].Rows(menu) {
		if r["template"] != "true" && r["dynamic"] != "true" {
			own = append(own, r)
		}
	}
	if err := s.routers[i].Set(menu, own[n][schema.ID], schema.Row{attr: value}); err != nil {
		s.Fatal(err)
	}
}
