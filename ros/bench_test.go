package ros_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	routeros "github.com/go-routeros/routeros/v3"

	"vpnbot/change/secret"
	"vpnbot/ros"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
)

// estateSize is how many routers are read at once, and estateLatency what each of
// them takes to carry a command out.
const (
	estateSize    = 500
	estateLatency = 20 * time.Millisecond
)

// statusMenus are those that a status is made of (vpn.StatusMenus, which this
// package does not know).
var statusMenus = []string{
	"/interface/l2tp-server/server", "/ip/address", "/ip/ipsec/active-peers", "/ip/ipsec/installed-sa", "/ip/ipsec/peer", "/ip/ipsec/policy", "/ppp/active",
}

// estate starts the routers behind TLS on loopback, each with four tunnels' rows
// and five people who dialled in, and returns how they are reached.
func estate(b *testing.B) ([]ros.Router, []*rossim.Router) {
	b.Helper()
	cert, pin, err := rossim.Certificate("127.0.0.1")
	if err != nil {
		b.Fatal(err)
	}
	login := ros.Login{User: "bot", Password: secret.New("x")}
	var routers []ros.Router
	var sims []*rossim.Router
	for i := range estateSize {
		sim, err := rossim.New(rossim.Options{Latency: estateLatency})
		if err != nil {
			b.Fatal(err)
		}
		if err := sim.Load(estateRows()); err != nil {
			b.Fatal(err)
		}
		for k := range 5 {
			if _, err := sim.Connect(rossim.DialIn{Account: fmt.Sprint("user-", k), Password: "x", CallerID: "203.0.113.9"}); err != nil {
				b.Fatal(err)
			}
		}
		l := listen(b)
		go func() { _ = sim.ServeTLS(l, cert) }() // Close waits for it
		b.Cleanup(func() {
			if err := sim.Close(); err != nil {
				b.Error(err)
			}
		})
		sims = append(sims, sim)
		routers = append(routers, ros.Router{Name: fmt.Sprint("gw-", i), Address: l.Addr().String(), Fingerprint: pin, Read: login, Write: login})
	}
	return routers, sims
}

func estateRows() map[string][]schema.Row {
	rows := map[string][]schema.Row{
		"/user":                         {{"name": "bot", "group": "full", "password": "x"}},
		"/ip/pool":                      {{"name": "l2tp", "ranges": "10.9.0.2-10.9.0.250"}},
		"/ppp/profile":                  {{"name": "l2tp", "local-address": "10.9.0.1", "remote-address": "l2tp"}},
		"/interface/l2tp-server/server": {{"enabled": "yes", "default-profile": "l2tp"}},
	}
	for k := range 5 {
		name := fmt.Sprint("user-", k)
		rows["/ppp/secret"] = append(rows["/ppp/secret"], schema.Row{"name": name, "service": "l2tp", "profile": "l2tp", "password": "x"})
	}
	for k := range 4 {
		peer := fmt.Sprint("site-", k)
		rows["/ip/address"] = append(rows["/ip/address"], schema.Row{"address": fmt.Sprintf("192.168.%d.1/24", k), "interface": "ether1"})
		rows["/ip/ipsec/peer"] = append(rows["/ip/ipsec/peer"], schema.Row{"name": peer, "address": fmt.Sprintf("198.51.100.%d/32", k+1)})
		rows["/ip/ipsec/policy"] = append(rows["/ip/ipsec/policy"], schema.Row{
			"peer": peer, "tunnel": "yes", "src-address": "192.168.0.0/24", "dst-address": fmt.Sprintf("10.%d.0.0/16", k),
		})
	}
	return rows
}

// reads are the sentences that a snapshot of statusMenus sends.
func reads() [][]string {
	var all [][]string
	for _, path := range append(slices.Clone(statusMenus), "/system/resource") {
		menu, _ := schema.Lookup(path)
		all = append(all, []string{path + "/print", "=.proplist=" + strings.Join(menu.Proplist(), ",")})
	}
	return all
}

// all does something for every router at once and tells how long that takes.
func all(b *testing.B, n int, do func(i int) error) time.Duration {
	b.Helper()
	start := time.Now()
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			if err := do(i); err != nil {
				b.Error(err)
			}
		})
	}
	group.Wait()
	return time.Since(start)
}

// bareClients are clients of go-routeros and nothing else, logged in.
func bareClients(b *testing.B, routers []ros.Router) []*routeros.Client {
	b.Helper()
	config := &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(s tls.ConnectionState) error { //nolint:gosec // pinned
		return pinned(s.PeerCertificates[0], routers[0].Fingerprint)
	}}
	clients := make([]*routeros.Client, len(routers))
	all(b, len(routers), func(i int) (err error) {
		clients[i], err = routeros.DialTLS(routers[i].Address, "bot", "x", config)
		return err
	})
	b.Cleanup(func() {
		for _, c := range clients {
			_ = c.Close()
		}
	})
	return clients
}

func pinned(cert *x509.Certificate, pin string) error {
	if got := ros.Fingerprint(cert); !strings.EqualFold(got, pin) {
		return fmt.Errorf("certificate is %s", got)
	}
	return nil
}

// BenchmarkEstate polls what a status is made of from 500 routers: cold, with
// nothing open; warm, over the sessions that are; and with a bare loop of the same
// sentences over go-routeros, by turns with the warm reading. Round trips are
// counted per router and reading, logins per router. Processor time is that of both
// sides, which share a machine here: on one that is busy it tells more than time.
func BenchmarkEstate(b *testing.B) {
	routers, sims := estate(b)
	clients := bareClients(b, routers)
	sentences := reads()
	var cold, warm, bare []time.Duration
	var trips, logins float64
	var coldCPU, warmCPU, bareCPU time.Duration // of the last round
	for b.Loop() {
		before := loggedIn(sims)
		f, err := ros.New(ros.Options{Routers: routers})
		if err != nil {
			b.Fatal(err)
		}
		snapshot := func(i int) error {
			snap, err := f.Poll(b.Context(), routers[i].Name, statusMenus...)
			if err == nil && (len(snap.Menus["/ip/ipsec/peer"]) < 4 || len(snap.Menus["/ppp/active"]) != 5) {
				return fmt.Errorf("%s: rows are missing", routers[i].Name)
			}
			return err
		}
		used := processor(b)
		cold = append(cold, all(b, estateSize, snapshot))
		coldCPU, used = processor(b)-used, processor(b)
		for range 5 {
			warm = append(warm, all(b, estateSize, snapshot))
			warmCPU, used = processor(b)-used, processor(b)
			bare = append(bare, all(b, estateSize, func(i int) error {
				for _, words := range sentences {
					if _, err := clients[i].RunArgsContext(context.Background(), words); err != nil {
						return err
					}
				}
				return nil
			}))
			bareCPU, used = processor(b)-used, processor(b)
		}
		trips = float64(f.Stats()[0].Commands) / 6
		logins = float64(loggedIn(sims)-before) / estateSize
		f.Close()
	}
	b.ReportMetric(median(cold).Seconds(), "cold-s")
	b.ReportMetric(median(warm).Seconds(), "warm-s")
	b.ReportMetric(median(bare).Seconds(), "bare-s")
	// What else runs on the machine slows whichever it meets: the fastest rounds tell
	// what the client costs, the medians what was seen.
	b.ReportMetric(median(warm).Seconds()/median(bare).Seconds(), "warm/bare")
	b.ReportMetric(slices.Min(warm).Seconds()/slices.Min(bare).Seconds(), "warm/bare-fastest")
	b.ReportMetric(slices.Min(cold).Seconds(), "cold-fastest-s")
	b.ReportMetric(coldCPU.Seconds(), "cold-cpu-s")
	b.ReportMetric(warmCPU.Seconds(), "warm-cpu-s")
	b.ReportMetric(bareCPU.Seconds(), "bare-cpu-s")
	b.ReportMetric(trips, "trips")
	b.ReportMetric(logins, "logins")
}

// processor is what this process has used of it so far.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func loggedIn(sims []*rossim.Router) int {
	n := 0
	for _, s := range sims {
		n += s.Logins()
	}
	return n
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}
