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
	of       map[string]int // router to tunnel
	wants    []vpn.Expected
	flows    []func()    // ends a tunnel's traffic; nil while there is none
	quiet    []time.Time // since when nobody talks through it; zero while somebody does

	mu     sync.Mutex
	silent map[string]bool
	truths []map[vpn.Verdict]bool // of each tunnel, since they were taken
}

func name(k int) string  { return fmt.Sprintf("gw%02d", k) }
func wan(k int) string   { return fmt.Sprintf("203.0.113.%d", k+1) }
func net10(k int) string { return fmt.Sprintf("10.0.%d", k) }

func newEstate(t *testing.T, pairs int) *estate {
	t.Helper()
	e := &estate{t: t, routers: map[string]*rossim.Router{}, of: map[string]int{}, silent: map[string]bool{}, flows: make([]func(), pairs), quiet: make([]time.Time, pairs), truths: make([]map[vpn.Verdict]bool, pairs)}
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
		e.routers[name(k)], e.of[name(k)] = r, k/2
		sites.Routers = append(sites.Routers, vpn.Router{Name: name(k), Site: name(k)})
		sites.Sites = append(sites.Sites, vpn.Site{
			Name: name(k), LAN: []netip.Prefix{netip.MustParsePrefix(net10(k) + ".0/24")}, Routers: []string{name(k)},
			WANs: []vpn.WAN{{Interface: "ether1", Address: netip.MustParseAddr(wan(k)), NAT: vpn.NoNAT, Role: vpn.Both}},
		})
	}
	for i := range pairs {
		e.truths[i] = map[vpn.Verdict]bool{}
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
		e.quiet[i] = time.Now()
		return
	}
	e.quiet[i] = time.Time{}
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

func (e *estate) Snapshot(ctx context.Context, router string, menus ...string) (change.Snapshot, error) {
	return e.Poll(ctx, router, menus...)
}

func (e *estate) Poll(_ context.Context, router string, menus ...string) (change.Snapshot, error) {
	e.see(e.of[router])
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

// see notes what is true of a tunnel now. The truth is what holds on the wire and
// is taken from neither rows nor verdicts: whether a packet would get through both
// ends' SAs and the line, in each direction; whether somebody has talked within
// the window that IDLE is about; and whether both routers can be asked.
func (e *estate) see(i int) {
	a, b := netip.MustParseAddr(net10(2*i)+".20"), netip.MustParseAddr(net10(2*i+1)+".20")
	there, back := e.internet.Protected(a, b), e.internet.Protected(b, a)
	e.mu.Lock()
	defer e.mu.Unlock()
	truth := vpn.Up
	switch {
	case !there: // nobody answers what does not arrive
		truth = vpn.Down
	case e.silent[name(2*i)] || e.silent[name(2*i+1)]:
		truth = vpn.Unknown
	case !e.quiet[i].IsZero() && time.Since(e.quiet[i]) >= idleAfter:
		truth = vpn.Idle
	case !e.quiet[i].IsZero() && time.Since(e.quiet[i]) >= idleAfter-time.Minute:
		e.truths[i][vpn.Idle] = true // see TestWatch_Day
	case !back:
		truth = vpn.UpOneWay
	}
	e.truths[i][truth] = true
}

// seen returns what was true of a tunnel at any time since it was last called.
func (e *estate) seen(i int) map[vpn.Verdict]bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	was := e.truths[i]
	e.truths[i] = map[vpn.Verdict]bool{}
	return was
}

// plant is what somebody does to a tunnel for a while.
type plant struct {
	name       string
	begin, end func(e *estate, i int)
	// again, when set, is called every 25 seconds in between.
	again func(e *estate, i, nth int)
}

func plants() []plant {
	a, b := func(i int) string { return name(2 * i) }, func(i int) string { return name(2*i + 1) }
	cut := func(e *estate, i int) { e.must(e.internet.Cut(a(i), b(i))) }
	mend := func(e *estate, i int) { e.must(e.internet.Mend(a(i), b(i))) }
	return []plant{
		{name: "the line is cut", begin: cut, end: mend},
		{
			name: "the line flaps", begin: cut, end: mend,
			again: func(e *estate, i, nth int) { []func(*estate, int){mend, cut}[nth%2](e, i) },
		},
		{
			name:  "a router's line is dead", // its API is reached another way
			begin: func(e *estate, i int) { e.must(e.internet.Unplug(b(i))) },
			end:   func(e *estate, i int) { e.must(e.internet.Plug(b(i))) },
		},
		{
			name:  "answers get lost",
			begin: func(e *estate, i int) { e.must(e.internet.Block(b(i), a(i), rossim.ESP)) },
			end:   func(e *estate, i int) { e.must(e.internet.Unblock(b(i), a(i), rossim.ESP)) },
		},
		{
			name: "somebody's firewall drops ESP",
			begin: func(e *estate, i int) {
				e.must(e.internet.Block(a(i), b(i), rossim.ESP))
				e.must(e.internet.Block(b(i), a(i), rossim.ESP))
			},
			end: func(e *estate, i int) {
				e.must(e.internet.Unblock(a(i), b(i), rossim.ESP))
				e.must(e.internet.Unblock(b(i), a(i), rossim.ESP))
			},
		},
		{
			name:  "a router does not answer",
			begin: func(e *estate, i int) { e.mute(b(i), true) },
			end:   func(e *estate, i int) { e.mute(b(i), false) },
		},
		{
			name:  "nobody talks",
			begin: func(e *estate, i int) { e.talk(i, false) },
			end:   func(e *estate, i int) { e.talk(i, true) },
		},
		{
			name:  "somebody disables a peer",
			begin: func(e *estate, i int) { e.peer(a(i), false) },
			end:   func(e *estate, i int) { e.peer(a(i), true) },
		},
		{
			name:  "a router reboots",
			begin: func(e *estate, i int) { e.routers[a(i)].Reboot() },
			end:   func(*estate, int) {},
		},
	}
}

const (
	step      = 5 * time.Second // between two looks at the truth
	idleAfter = 5 * time.Minute // no packet for so long is promised to be IDLE
	lasting   = 12 * time.Minute
	round     = 65 * time.Minute // between two plants in one tunnel
)

// tunnelDay is what goes on in one tunnel.
type tunnelDay struct {
	e       *estate
	i       int
	under   *plant
	planted int
}

// play does what is due at a time of the day, and looks at the truth before and
// after. Each tunnel is planted at other moments than its neighbour, and at another
// distance from the polls. Where nothing was done of late, nothing changes from one
// poll to the next.
func (d *tunnelDay) play(at time.Duration) {
	at -= 10*time.Minute + time.Duration(d.i)*(53*time.Minute+step)%round
	nth, since := int(at/round), at%round
	if at < 0 || since > lasting+vpn.Window {
		return
	}
	d.e.see(d.i)
	defer d.e.see(d.i)
	switch {
	case since == 0:
		list := plants()
		d.under = &list[(nth+d.i)%len(list)]
		d.planted++
		d.under.begin(d.e, d.i)
	case since == lasting && d.under != nil:
		d.under.end(d.e, d.i)
		d.under = nil
	case d.under != nil && d.under.again != nil && since%(25*time.Second) == 0:
		d.under.again(d.e, d.i, int(since/(25*time.Second))-1)
	}
}

// Ensure that over a day of fifty routers (see dayMinutes), with rekeys, lost and
// flapping lines, reboots and people who meddle, the history of verdicts equals the
// planted one within one poll: what a poll makes of each tunnel was true of it at
// that moment or at some moment since the poll before, and there is no other
// allowance but one. A verdict on packets cannot do with less: it compares two polls
// and is about the time between them. The exception is an IDLE that comes early by
// less than a poll: what an SA has counted since the last poll goes with it when it
// is renewed, and nobody can read it any more.
func TestWatch_Day(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pairs = 25
		e := newEstate(t, pairs)
		days := make([]*tunnelDay, pairs)
		for i := range days {
			days[i] = &tunnelDay{e: e, i: i}
		}
		time.Sleep(30 * time.Second)
		w := newWatchOver(t, e)
		time.Sleep(time.Second) // some plants begin and end just after a poll, some long after it
		got := map[vpn.Verdict]int{}
		wrong := 0
		for at := time.Duration(0); at < dayMinutes*time.Minute; at += step {
			for _, d := range days {
				d.play(at)
			}
			time.Sleep(step)
			synctest.Wait()
			if (at+step)%time.Minute != 0 {
				continue
			}
			for i, want := range e.wants { // a poll was a second ago
				truths := e.seen(i)
				e.see(i)
				j := vpn.Judge(want, [2][]vpn.Half{w.Samples(name(2 * i)), w.Samples(name(2*i + 1))}, time.Now())
				got[j.Verdict]++
				if truths[j.Verdict] || at < 2*time.Minute { // two polls make the first verdict
					continue
				}
				if wrong++; wrong < 20 {
					what := "nothing"
					if days[i].under != nil {
						what = days[i].under.name
					}
					t.Errorf("%v, %s, %s: got %s (%s %v), true were %v", at+step, j.Tunnel.Name, what, j.Verdict, j.Reason.ID, j.Reason.Args, truths)
				}
			}
		}
		for _, v := range []vpn.Verdict{vpn.Up, vpn.UpOneWay, vpn.Idle, vpn.Down, vpn.Unknown} {
			if got[v] == 0 {
				t.Errorf("no tunnel was ever %s", v)
			}
		}
		planted := 0
		for _, d := range days {
			planted += d.planted
		}
		t.Logf("%d plants, verdicts %v, %d wrong", planted, got, wrong)
	})
}

// newWatchOver runs a Watch over an estate.
func newWatchOver(t *testing.T, e *estate) *watch.Watch {
	t.Helper()
	w := newWorld(t, e, seldom, func(o *watch.Options) { o.Poll = time.Minute })
	return w.watch
}
