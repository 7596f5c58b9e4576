package commands

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"vpnbot/change"
	"vpnbot/ros"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
	"vpnbot/store/storetest"
	"vpnbot/vpn"
	"vpnbot/vpn/ike"
)

// benchLatency is how long a router takes before it carries a command out.
const benchLatency = 20 * time.Millisecond

// benchEstate is a service over simulated routers that negotiate by the model,
// reached over loopback TCP.
type benchEstate struct {
	*Service
	fleet   *ros.Fleet
	samples map[string][]vpn.Half
}

func (e *benchEstate) Samples(router string) []vpn.Half { return e.samples[router] }

func benchWAN(k int) string { return fmt.Sprintf("203.0.113.%d", k+1) }

// newBenchEstate makes n routers, each in a site of its own, with a tunnel between
// each pair, and waits until all are up and carry packets.
func newBenchEstate(b *testing.B, n int, pairs [][2]int) *benchEstate {
	b.Helper()
	internet, err := rossim.NewInternet(rossim.InternetOptions{Negotiator: ike.Model{}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := internet.Close(); err != nil {
			b.Error(err)
		}
	})
	var routers []ros.Router
	estate := vpn.Estate{}
	var sims []*rossim.Router
	for k := range n {
		sim, address := benchRouter(b, internet, k)
		sims = append(sims, sim)
		name := "gw-" + siteName(k)
		routers = append(routers, ros.Router{Name: name, Address: address, Read: ros.Login{User: "admin"}, Write: ros.Login{User: "admin"}, Plain: true})
		estate.Routers = append(estate.Routers, vpn.Router{Name: name, Site: siteName(k)})
		estate.Sites = append(estate.Sites, vpn.Site{
			Name: siteName(k), LAN: []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("10.%d.0.0/24", k))}, Routers: []string{name},
			WANs: []vpn.WAN{{Interface: "ether1", Address: netip.MustParseAddr(benchWAN(k)), NAT: vpn.NoNAT, Role: vpn.Both}},
		})
	}
	ledger := storetest.Open(b)
	e := &benchEstate{samples: map[string][]vpn.Half{}}
	if e.fleet, err = ros.New(ros.Options{Routers: routers}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(e.fleet.Close)
	e.Service, err = New(Options{
		Ledger: ledger, Routers: e.fleet, Samples: e, People: NewDirectory(cast()), Location: time.UTC,
		Log: slog.New(slog.DiscardHandler), Estate: estate,
	})
	if err != nil {
		b.Fatal(err)
	}
	m := change.Move{}
	for _, p := range pairs {
		t := vpn.Tunnel{Name: siteName(p[0]) + "-" + siteName(p[1]), Exchange: "main", Ends: [2]vpn.End{{Site: siteName(p[0])}, {Site: siteName(p[1])}}}
		t = t.WithDefaults(estate)
		body, err := t.Encode()
		err = errors.Join(err, benchEnd(sims[p[0]], p[0], p[1]), benchEnd(sims[p[1]], p[1], p[0]))
		if err == nil {
			_, err = internet.StartFlow(rossim.Flow{
				From: netip.MustParseAddr(fmt.Sprintf("10.%d.0.31", p[0])), To: netip.MustParseAddr(fmt.Sprintf("10.%d.0.12", p[1])), There: 100, Back: 100,
			})
		}
		if err != nil {
			b.Fatal(err)
		}
		ref := change.DefinitionRef{Kind: vpn.KindTunnel, Name: t.Name, Version: 1}
		m.Definitions = append(m.Definitions, change.Definition{DefinitionRef: ref, At: time.Now(), By: change.SystemPerson, Body: body})
		m.Events = append(m.Events, change.Event{At: time.Now(), Kind: change.EventDefinition, Actor: change.SystemPerson})
	}
	if _, err := ledger.Commit(b.Context(), m); err != nil {
		b.Fatal(err)
	}
	e.settle(b)
	return e
}

func benchRouter(b *testing.B, internet *rossim.Internet, k int) (*rossim.Router, string) {
	b.Helper()
	sim, err := rossim.New(rossim.Options{Name: "gw-" + siteName(k), Latency: benchLatency})
	if err != nil {
		b.Fatal(err)
	}
	err = sim.Load(map[string][]schema.Row{"/ip/address": {
		{"address": benchWAN(k) + "/24", "interface": "ether1"}, {"address": fmt.Sprintf("10.%d.0.1/24", k), "interface": "ether2"},
	}})
	if err == nil {
		err = internet.Attach(sim, rossim.Place{})
	}
	if err != nil {
		b.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- sim.Serve(l) }()
	b.Cleanup(func() {
		if err := errors.Join(sim.Close(), <-served); err != nil && !errors.Is(err, net.ErrClosed) {
			b.Error(err)
		}
	})
	return sim, l.Addr().String()
}

// benchEnd sets one end of a tunnel up.
func benchEnd(sim *rossim.Router, own, far int) error {
	name := "to-" + siteName(far)
	return sim.Load(map[string][]schema.Row{
		"/ip/ipsec/profile":  {{"name": name, "hash-algorithm": "sha256"}},
		"/ip/ipsec/proposal": {{"name": name, "auth-algorithms": "sha256"}},
		"/ip/ipsec/peer":     {{"name": name, "address": benchWAN(far) + "/32", "profile": name}},
		"/ip/ipsec/identity": {{"peer": name, "secret": "bench"}},
		"/ip/ipsec/policy": {{
			"peer": name, "tunnel": "yes", "src-address": fmt.Sprintf("10.%d.0.0/24", own), "dst-address": fmt.Sprintf("10.%d.0.0/24", far), "proposal": name,
		}},
	})
}

// poll adds one sample of every router.
func (e *benchEstate) poll(b *testing.B) {
	b.Helper()
	names := e.fleet.Routers()
	halves := make([]vpn.Half, len(names))
	var wg sync.WaitGroup
	for i, r := range names {
		wg.Go(func() { halves[i].Snapshot, halves[i].Err = e.fleet.Snapshot(b.Context(), r, vpn.StatusMenus()...) })
	}
	wg.Wait()
	for i, r := range names {
		e.samples[r] = append(e.samples[r], halves[i])
	}
}

// settle polls until every tunnel is up: two looks, a while apart.
func (e *benchEstate) settle(b *testing.B) {
	b.Helper()
	for range 30 {
		time.Sleep(time.Second)
		e.samples = map[string][]vpn.Half{}
		e.poll(b)
		time.Sleep(time.Second)
		e.poll(b)
		up := true
		for _, v := range e.ask(b, "status").Verdicts {
			up = up && v == vpn.Up
		}
		if up {
			return
		}
	}
	b.Fatalf("the tunnels are not up: %v", e.ask(b, "status").Verdicts)
}

func (e *benchEstate) ask(b *testing.B, line string) Reply {
	b.Helper()
	cmd, _ := e.Parse(line)
	who := Caller{Actor: change.Actor{Person: change.Person{ID: "vera", Role: change.Viewer}}}
	reply, err := e.Run(context.WithoutCancel(b.Context()), who, cmd, "")
	if err != nil {
		b.Fatal(err)
	}
	return reply
}

// commands counts those that routers have carried out so far.
func (e *benchEstate) commands() (n uint64) {
	for _, r := range e.fleet.Stats() {
		n += r.Commands
	}
	return n
}

// measure asks line over and over and reports what it costs the routers.
func (e *benchEstate) measure(b *testing.B, line string, routers int) {
	e.ask(b, line) // warm: sessions are open
	before := e.commands()
	for b.Loop() {
		if r := e.ask(b, line); r.Verdicts == nil {
			b.Fatal("got no verdict")
		}
	}
	each := float64(e.commands()-before) / float64(b.N)
	b.ReportMetric(each, "commands/op")
	b.ReportMetric(each/float64(routers), "commands/router")
}

// Two routers, 20 ms away, with a poll's sample at hand: each is read once, half
// of its menus over each of two sessions.
func BenchmarkStatus_Site(b *testing.B) {
	e := newBenchEstate(b, 2, [][2]int{{0, 1}})
	e.measure(b, "status fengshan", 2)
}

// 200 tunnels on 50 routers: answered from the last polls, and, where those are
// too old, by reading every router once.
func BenchmarkStatus_Estate(b *testing.B) {
	var pairs [][2]int
	for i := 0; len(pairs) < 200; i++ {
		for j := i + 1; j < 50 && len(pairs) < 200; j++ {
			pairs = append(pairs, [2]int{i, j})
		}
	}
	e := newBenchEstate(b, 50, pairs)
	b.Run("polled", func(b *testing.B) {
		e.poll(b)
		e.measure(b, "status", 50)
	})
	b.Run("read", func(b *testing.B) {
		for r, list := range e.samples {
			for i := range list {
				list[i].At = list[i].At.Add(-2 * time.Minute)
				list[i].Until = list[i].Until.Add(-2 * time.Minute)
			}
			e.samples[r] = list
		}
		e.measure(b, "status", 50)
	})
}
