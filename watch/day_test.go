package watch_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/change"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
	"vpnbot/vpn/ike"
	"vpnbot/watch"
)

// estate is simulated routers in pairs, a tunnel between the two of each, read
// beside the wire.
type estate struct {
	t        *testing.T
	internet *rossim.Internet
	routers  map[string]*rossim.Router
	wants    []vpn.Expected
	flows    []func() // ends a tunnel's traffic; nil while there is none

	mu     sync.Mutex
	silent map[string]bool
}

func name(k int) string  { return fmt.Sprintf("gw%02d", k) }
func wan(k int) string   { return fmt.Sprintf("203.0.113.%d", k+1) }
func net10(k int) string { return fmt.Sprintf("10.0.%d", k) }

func newEstate(t *testing.T, pairs int) *estate {
	t.Helper()
	e := &estate{t: t, routers: map[string]*rossim.Router{}, silent: map[string]bool{}, flows: make([]func(), pairs)}
	var err error
	if e.internet, err = rossim.NewInternet(rossim.InternetOptions{Negotiator: ike.Model{}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.internet.Close(); err != nil {
			t.Error(err)
		}
	})
	sites := vpn.Estate{}
	for k := range 2 * pairs {
		r, err := rossim.New(rossim.Options{Name: name(k)})
		if err != nil {
			t.Fatal(err)
		}
		far := k ^ 1
		err = r.Load(map[string][]schema.Row{
			"/interface/l2tp-server/server": {{"enabled": "no"}},
			"/ip/address":                   {{"address": wan(k) + "/32", "interface": "ether1"}, {"address": net10(k) + ".1/24", "interface": "ether2"}},
			"/ip/ipsec/profile":             {{"name": "far", "hash-algorithm": "sha256"}},
			"/ip/ipsec/proposal":            {{"name": "far", "auth-algorithms": "sha256"}},
			"/ip/ipsec/peer":                {{"name": "far", "address": wan(far) + "/32", "profile": "far", "exchange-mode": "ike2"}},
			"/ip/ipsec/identity":            {{"peer": "far", "secret": "planted-key"}},
			"/ip/ipsec/policy":              {{"peer": "far", "tunnel": "yes", "src-address": net10(k) + ".0/24", "dst-address": net10(far) + ".0/24", "proposal": "far"}},
		})
		if err == nil {
			err = e.internet.Attach(r, rossim.Place{})
		}
		if err != nil {
			t.Fatal(err)
		}
		e.routers[name(k)] = r
		sites.Routers = append(sites.Routers, vpn.Router{Name: name(k), Site: name(k)})
		sites.Sites = append(sites.Sites, vpn.Site{
			Name: name(k), LAN: []netip.Prefix{netip.MustParsePrefix(net10(k) + ".0/24")}, Routers: []string{name(k)},
			WANs: []vpn.WAN{{Interface: "ether1", Address: netip.MustParseAddr(wan(k)), NAT: vpn.NoNAT, Role: vpn.Both}},
		})
	}
	for i := range pairs {
		tunnel := vpn.Tunnel{Name: fmt.Sprint("tunnel", i), Exchange: "ike2", Ends: [2]vpn.End{{Site: name(2 * i)}, {Site: name(2*i + 1)}}}
		e.wants = append(e.wants, tunnel.WithDefaults(sites).Expect(sites))
		e.talk(i, true)
	}
	return e
}

// talk begins or ends the traffic in a tunnel.
func (e *estate) talk(i int, on bool) {
	e.t.Helper()
	if !on {
		e.flows[i]()
		return
	}
	var err error
	e.flows[i], err = e.internet.StartFlow(rossim.Flow{
		From: netip.MustParseAddr(net10(2*i) + ".20"), To: netip.MustParseAddr(net10(2*i+1) + ".20"), Protocol: "udp", FromPort: 5000, ToPort: 5000, There: 3, Back: 2,
	})
	e.must(err)
}

func (e *estate) must(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

func (e *estate) mute(router string, yes bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.silent[router] = yes
}

func (e *estate) Routers() []string {
	var names []string
	for n := range e.routers {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

func (e *estate) Snapshot(_ context.Context, router string, menus ...string) (change.Snapshot, error) {
	e.mu.Lock()
	silent := e.silent[router]
	e.mu.Unlock()
	if silent {
		return change.Snapshot{}, errors.New("no route")
	}
	s := change.Snapshot{Router: router, At: time.Now().UTC(), Version: "7.22.3", Menus: map[string][]schema.Row{}}
	for _, menu := range menus {
		s.Menus[menu] = e.routers[router].Rows(menu)
	}
	return s, nil
}

// peer switches the peer of a router on or off.
func (e *estate) peer(router string, on bool) {
	e.t.Helper()
	r := e.routers[router]
	for _, row := range r.Rows("/ip/ipsec/peer") {
		if row["name"] == "far" {
			e.must(r.Set("/ip/ipsec/peer", row[schema.ID], schema.Row{"disabled": fmt.Sprint(!on)}))
		}
	}
}

// stands tells whether both ends of a tunnel hold its policy established.
func (e *estate) stands(i int) bool {
	for _, router := range []string{name(2 * i), name(2*i + 1)} {
		up := slices.ContainsFunc(e.routers[router].Rows("/ip/ipsec/policy"), func(r schema.Row) bool {
			return r["template"] != "true" && r["ph2-state"] == "established"
		})
		if !up {
			return false
		}
	}
	return true
}

// plant is what somebody does to a tunnel for a while, and what is then true of
// it. lag is how long the truth itself takes to come to be.
type plant struct {
	name       string
	begin, end func(e *estate, i int)
	want       vpn.Verdict
	lag        time.Duration
}

func plants() []plant {
	a, b := func(i int) string { return name(2 * i) }, func(i int) string { return name(2*i + 1) }
	return []plant{
		{
			"the line is cut",
			func(e *estate, i int) { e.must(e.internet.Cut(a(i), b(i))) },
			func(e *estate, i int) { e.must(e.internet.Mend(a(i), b(i))) }, vpn.Down, 0,
		},
		{
			"a router's line is dead", // its API is reached another way
			func(e *estate, i int) { e.must(e.internet.Unplug(b(i))) },
			func(e *estate, i int) { e.must(e.internet.Plug(b(i))) }, vpn.Down, 0,
		},
		{
			"answers get lost",
			func(e *estate, i int) { e.must(e.internet.Block(b(i), a(i), rossim.ESP)) },
			func(e *estate, i int) { e.must(e.internet.Unblock(b(i), a(i), rossim.ESP)) }, vpn.UpOneWay, 0,
		},
		{
			"a router does not answer",
			func(e *estate, i int) { e.mute(b(i), true) },
			func(e *estate, i int) { e.mute(b(i), false) }, vpn.Unknown, 0,
		},
		{
			"nobody talks",
			func(e *estate, i int) { e.talk(i, false) },
			func(e *estate, i int) { e.talk(i, true) }, vpn.Idle, vpn.Window,
		},
		{
			"somebody disables a peer",
			func(e *estate, i int) { e.peer(a(i), false) },
			func(e *estate, i int) { e.peer(a(i), true) }, vpn.Down, 0,
		},
		{
			"a router reboots",
			func(e *estate, i int) { e.routers[a(i)].Reboot() },
			func(*estate, int) {}, vpn.Up, 2 * time.Minute,
		},
	}
}

// Ensure that over a day of fifty routers (see dayMinutes), with rekeys, lost lines, reboots and
// people who meddle, what the polls make of every tunnel follows what was planted
// within one poll.
func TestWatch_Day(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pairs, length = 25, 12
		e := newEstate(t, pairs)
		seen := map[vpn.Verdict]int{}
		wrong := 0
		var under [pairs]*plant // what goes on
		var since [pairs]int    // minute in which it began or ended
		time.Sleep(30 * time.Second)
		w := newWatchOver(t, e)
		for minute := range dayMinutes {
			// Every tunnel gets each plant about three times, none at one time with
			// its neighbour.
			for i := range pairs {
				at := (minute + 53*i) % 65
				kind := &plants()[((minute+53*i)/65+i)%len(plants())]
				switch {
				case minute < 10:
				case at == 10 && under[i] == nil:
					kind.begin(e, i)
					under[i], since[i] = kind, minute
				case at == 10+length && under[i] != nil:
					under[i].end(e, i)
					under[i], since[i] = nil, minute
				}
			}
			time.Sleep(time.Minute) // one poll, half a minute later
			synctest.Wait()
			for i, want := range e.wants {
				// Those to which nothing happens are looked at now and then.
				if under[i] == nil && minute-since[i] > 6 && (minute+i)%15 != 0 {
					continue
				}
				j := vpn.Judge(want, [2][]vpn.Half{w.Samples(name(2 * i)), w.Samples(name(2*i + 1))}, time.Now())
				seen[j.Verdict]++
				planted, lag := vpn.Up, time.Duration(0)
				if under[i] != nil {
					planted, lag = under[i].want, under[i].lag
				}
				if time.Duration(minute-since[i])*time.Minute <= lag {
					continue // the truth is on its way, or came to be in this poll
				}
				if under[i] == nil && (minute-since[i] <= 3 || !e.stands(i)) {
					continue // the ends are negotiating again
				}
				if j.Verdict != planted {
					wrong++
					if wrong < 20 {
						what := "nothing"
						if under[i] != nil {
							what = under[i].name
						}
						t.Errorf("minute %d, %s, %s for %d: got %s (%s), want %s", minute, j.Tunnel.Name, what, minute-since[i], j.Verdict, j.Reason.ID, planted)
					}
				}
			}
		}
		for _, v := range []vpn.Verdict{vpn.Up, vpn.UpOneWay, vpn.Idle, vpn.Down, vpn.Unknown} {
			if seen[v] == 0 {
				t.Errorf("no tunnel was ever %s", v)
			}
		}
		t.Logf("verdicts: %v", seen)
	})
}

// newWatchOver runs a Watch over an estate.
func newWatchOver(t *testing.T, e *estate) *watch.Watch {
	t.Helper()
	w := newWorld(t, e, seldom, func(o *watch.Options) { o.Poll = time.Minute })
	return w.watch
}
