//go:build !nodemo

package main

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/change/secret"
	"vpnbot/docs"
	"vpnbot/ros"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
)

// probed probes a simulated router, as it comes with o and as prepare leaves it,
// in a bubble.
func probed(t *testing.T, o rossim.Options, prepare func(r *rossim.Router, p *probe, stop func()), look func(*rossim.Router, *probe, error)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		sim, err := rossim.New(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := sim.Load(map[string][]schema.Row{
			"/user/group": botGroups(),
			"/user": {
				{"name": "ro", "group": "vpnbot-ro", "password": "of-ro"}, {"name": "rw", "group": "vpnbot-rw", "password": "of-rw"},
			},
			"/ip/address": {{"address": "192.168.88.1/24", "interface": "ether1"}},
		}); err != nil {
			t.Fatal(err)
		}
		cert, pin, err := rossim.Certificate("127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		wire := newPlug()
		var serving sync.WaitGroup
		serving.Go(func() { _ = sim.ServeTLS(wire, cert) })
		p := &probe{dial: wire.dial, router: ros.Router{
			Name: "spare", Address: "192.0.2.1:8729", Fingerprint: pin,
			Read: ros.Login{User: "ro", Password: secret.New("of-ro")}, Write: ros.Login{User: "rw", Password: secret.New("of-rw")},
		}}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		if prepare != nil {
			prepare(sim, p, stop)
		}
		before := everyRow(sim)
		err = p.run(ctx)
		for menu, rows := range everyRow(sim) {
			if !slices.EqualFunc(rows, before[menu], maps.Equal[schema.Row, schema.Row]) {
				t.Errorf("%s: left %v, want %v", menu, rows, before[menu])
			}
		}
		look(sim, p, err)
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
		serving.Wait()
	})
}

// everyRow are the rows of the menus that a probe writes into.
func everyRow(sim *rossim.Router) map[string][]schema.Row {
	all := map[string][]schema.Row{}
	for _, menu := range probeMenus {
		all[menu] = sim.Rows(menu)
	}
	return all
}

// plug is a listener whose connections are pipes.
type plug struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPlug() *plug { return &plug{conns: make(chan net.Conn), done: make(chan struct{})} }

func (l *plug) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *plug) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *plug) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8729} }

func (l *plug) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// differing are the numbers of the assumptions that were found not to hold.
func differing(p *probe) []string {
	var numbers []string
	for number, f := range p.found {
		if f.verdict == isNot {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return numbers
}

// Ensure a probe finds the simulator as docs/assumptions.md describes it, leaves
// nothing behind, and says of every line what came of it, or why nothing did.
func TestProbe(t *testing.T) {
	probed(t, rossim.Options{}, nil, func(sim *rossim.Router, p *probe, err error) {
		if err != nil {
			t.Fatal(err)
		}
		if got := differing(p); len(got) > 0 {
			t.Errorf("got %q differing, want none", got)
		}
		var out bytes.Buffer
		if got := p.print(&out); got != 0 {
			t.Errorf("got %d differing, want none", got)
		}
		lines := 0
		for line := range strings.Lines(out.String()) {
			cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
			if len(cells) != 5 || strings.TrimSpace(cells[0]) == "#" {
				continue
			}
			lines++
			if v := verdict(strings.TrimSpace(cells[4])); cells[3] == "" || (v != isSo && v != notTried) || (v == isSo && cells[2] == "") {
				t.Errorf("got %q, want what came of it", line)
			}
		}
		if want := len(docs.Assumptions()); lines != want {
			t.Errorf("got %d lines, want %d", lines, want)
		}
		tried := slices.Sorted(maps.Keys(p.found))
		want := []string{
			"1", "11", "13", "14", "16", "18", "19", "2", "23", "24", "25", "26", "27", "28", "30", "31", "32", "33", "4", "5", "58", "6", "7", "79", "8",
			"80", "83", "84", "86", "87", "88", "89", "9", "91", "C1", "C2", "T12", "T14", "T15", "T16", "T7", "T8", "T9",
		}
		if !slices.Equal(tried, want) {
			t.Errorf("got %q, want %q", tried, want)
		}
		for number := range whyNot {
			if !slices.ContainsFunc(docs.Assumptions(), func(a docs.Assumption) bool { return a.Number == number }) {
				t.Errorf("a reason is given for %s, which there is not", number)
			}
		}
	})
}

// Ensure a probe notices a router that takes the other reading, and nothing else.
func TestProbe_Differs(t *testing.T) {
	strike := func(s rossim.Strike) func(*rossim.Router, *probe, func()) {
		return func(r *rossim.Router, _ *probe, _ func()) { r.SetFaults(rossim.Faults{Strikes: []rossim.Strike{s}}) }
	}
	force := func(menu string, row schema.Row) func(*rossim.Router, *probe, func()) {
		return func(r *rossim.Router, _ *probe, _ func()) {
			if err := r.Force(menu, "", row); err != nil {
				t.Error(err)
			}
		}
	}
	for _, tt := range []struct {
		name    string
		options rossim.Options
		prepare func(*rossim.Router, *probe, func())
		want    []string
	}{
		{"texts with the name", rossim.Options{Tables: rossim.Tables{Texts: "named"}}, nil, []string{"T7"}},
		{"texts of 7.23", rossim.Options{Tables: rossim.Tables{Texts: "newest"}}, nil, []string{"T7"}},
		{"in use and removed", rossim.Options{Tables: rossim.Tables{InUseDangles: true}}, nil, []string{"T8"}},
		{"a secret for each service", rossim.Options{Tables: rossim.Tables{SecretPerService: true}}, nil, []string{"T9"}},
		{"hosts as written", rossim.Options{Tables: rossim.Tables{HostsAsWritten: true}}, nil, []string{"T16"}},
		{"strict proplist", rossim.Options{Tables: rossim.Tables{StrictProplist: true}}, nil, []string{"T12"}},
		{"scripts end with the session", rossim.Options{Scripting: rossim.Scripting{ExecuteEndsWithSession: true}}, nil, []string{"79"}},
		{"schedules count from the adding", rossim.Options{Scripting: rossim.Scripting{StartupFrom: "added"}}, nil, []string{"89"}},
		{"schedules count from the boot", rossim.Options{Scripting: rossim.Scripting{StartupFrom: "boot"}}, func(*rossim.Router, *probe, func()) {
			time.Sleep(20 * time.Minute) // of the bubble: long enough for the boot to be told from now
		}, []string{"80", "89"}},
		{"a write that ends with its connection", rossim.Options{}, strike(rossim.Strike{
			// The sixth account is the one whose connection is cut.
			Kind: rossim.FaultHalfOpen, Class: rossim.Writes, Menu: "/ppp/secret", User: "rw", Nth: 6,
		}), []string{"C1"}},
		{"another text for names that are taken", rossim.Options{}, strike(rossim.Strike{
			Kind: rossim.FaultTrap, Class: rossim.Writes, Menu: "/ppp/secret", User: "rw", Nth: 2, Text: "failure: no more of these",
		}), []string{"6"}},
		{"names compared without case", rossim.Options{}, strike(rossim.Strike{
			Kind: rossim.FaultTrap, Class: rossim.Writes, Menu: "/ppp/secret", User: "rw", Nth: 4, Text: "failure: secret with the same name already exists",
		}), []string{"18"}},
		{"comments cut off", rossim.Options{}, strike(rossim.Strike{
			Kind: rossim.FaultAdministrator, At: rossim.After, Class: rossim.Writes, Menu: "/ppp/secret", User: "rw", Do: func(r *rossim.Router) {
				if err := r.Set("/ppp/secret", probeName+"-a", schema.Row{"comment": probeName + " [vpnbot 0.1]"}); err != nil {
					t.Error(err)
				}
			},
		}), []string{"11"}},
		{"a flagged router", rossim.Options{}, force("/system/device-mode", schema.Row{"flagged": "true"}), nil},
		{"a newer version", rossim.Options{}, force("/system/resource", schema.Row{"version": "7.31 (stable)"}), []string{"C2", "T7"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			probed(t, tt.options, tt.prepare, func(_ *rossim.Router, p *probe, err error) {
				if err != nil {
					t.Error(err)
				}
				if got := differing(p); !slices.Equal(got, tt.want) {
					t.Errorf("got %q differing, want %q", got, tt.want)
					for _, number := range got {
						t.Logf("%s: %+v", number, p.found[number])
					}
				}
			})
		})
	}
}

// Ensure a probe runs on every version that is played. 6.49 looks for dead peers in
// other intervals than the schema says.
func TestProbe_Versions(t *testing.T) {
	for version, want := range map[string][]string{"6.49.7": {"86"}, "7.17.2": nil} {
		t.Run(version, func(t *testing.T) {
			probed(t, rossim.Options{Profile: version}, nil, func(_ *rossim.Router, p *probe, err error) {
				if err != nil {
					t.Error(err)
				}
				if got := differing(p); !slices.Equal(got, want) {
					t.Errorf("got %q differing, want %q", got, want)
				}
				if p.found["2"].verdict != isSo || p.found["79"].verdict != isSo {
					t.Errorf("got %+v and %+v, want an account and a script tried", p.found["2"], p.found["79"])
				}
			})
		})
	}
}

// Ensure a router that somebody depends on is refused before anything is written,
// unless its administrator says otherwise, and that then nothing of theirs is
// touched.
func TestProbe_Occupied(t *testing.T) {
	account := func(r *rossim.Router, _ *probe, _ func()) {
		if _, err := r.Add("/ppp/secret", schema.Row{"name": "mei", "service": "l2tp", "comment": "vpnbot-probe is not mine"}); err != nil {
			t.Error(err)
		}
	}
	for _, tt := range []struct {
		name    string
		prepare func(*rossim.Router, *probe, func())
		want    string
	}{
		{"account", account, "1 in /ppp/secret"},
		{"peer", func(r *rossim.Router, _ *probe, _ func()) {
			if _, err := r.Add("/ip/ipsec/peer", schema.Row{"name": "hq", "address": "192.0.2.77/32"}); err != nil {
				t.Error(err)
			}
		}, "1 in /ip/ipsec/peer"},
		{"server", func(r *rossim.Router, _ *probe, _ func()) {
			if err := r.Set("/interface/l2tp-server/server", "", schema.Row{"enabled": "yes"}); err != nil {
				t.Error(err)
			}
		}, "1 in /interface/l2tp-server/server"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			probed(t, rossim.Options{}, tt.prepare, func(sim *rossim.Router, p *probe, err error) {
				if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "--occupied") {
					t.Errorf("got %v, want the router refused for %s", err, tt.want)
				}
				if sim.Writes() != 0 || len(p.found) != 0 {
					t.Errorf("%d writes, %d found, want none", sim.Writes(), len(p.found))
				}
			})
		})
	}
	probed(t, rossim.Options{}, func(r *rossim.Router, p *probe, stop func()) {
		account(r, p, stop)
		p.occupied = true
	}, func(sim *rossim.Router, p *probe, err error) {
		if err != nil || len(differing(p)) > 0 || sim.Writes() == 0 {
			t.Errorf("got %v, %q differing after %d writes, want it probed", err, differing(p), sim.Writes())
		}
	})
}

// Ensure a probe that is ended takes its rows away, and one that was killed leaves
// them to the next.
func TestProbe_Ended(t *testing.T) {
	for _, at := range []int{1, 5, 12, 20, 30} {
		probed(t, rossim.Options{}, func(r *rossim.Router, _ *probe, stop func()) {
			r.SetFaults(rossim.Faults{Strikes: []rossim.Strike{{
				Kind: rossim.FaultAdministrator, At: rossim.After, Class: rossim.Writes, Nth: at, Do: func(*rossim.Router) { stop() },
			}}})
		}, func(_ *rossim.Router, _ *probe, err error) {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("ended at write %d: got %v, want %v", at, err, context.Canceled)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		sim, err := rossim.New(rossim.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sim.Add("/ppp/secret", schema.Row{"name": probeName + "-a", "comment": probeName + " [vpnbot 0.1]"}); err != nil {
			t.Fatal(err)
		}
		wire := newPlug()
		var serving sync.WaitGroup
		serving.Go(func() { _ = sim.Serve(wire) })
		admin := ros.Login{User: "admin"}
		p := &probe{dial: wire.dial, router: ros.Router{Name: "spare", Address: "127.0.0.1:8728", Plain: true, Read: admin, Write: admin}}
		if err := p.run(t.Context()); err != nil {
			t.Error(err)
		}
		if rows := sim.Rows("/ppp/secret"); len(rows) != 0 {
			t.Errorf("left %v, want none", rows)
		}
		for _, number := range []string{"8", "16", "32", "33", "84"} {
			if got := p.found[number].verdict; got != notTried {
				t.Errorf("%s as admin in the clear: got %q, want %q", number, got, notTried)
			}
		}
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
		serving.Wait()
	})
}

// Ensure the command names what is wrong with it.
func TestProbe_Misuse(t *testing.T) {
	dir := t.TempDir()
	d, err := newDemo(systemNetwork(), dir, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.close(); err != nil {
			t.Error(err)
		}
	}()
	if code, _, problems := bot(t, "probe", "--router", "nobody", "--config", d.configFile()); code != misuse || !strings.Contains(problems, "nobody") {
		t.Errorf("unknown router: got %d, %s", code, problems)
	}
	if code, _, problems := bot(t, "probe", "--config", d.configFile()); code != misuse || !strings.Contains(problems, "--router") {
		t.Errorf("no router: got %d, %s", code, problems)
	}
}
