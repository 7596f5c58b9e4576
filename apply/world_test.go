package apply_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"vpnbot/apply"
	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/ros"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
	"vpnbot/vpn/ike"
)

// The routers of the tests, the one at headquarters first.
var names = []string{"gw-hq", "gw-fengshan"}

// tester is what a world reports to: a test, or one case of a property.
type tester interface {
	Helper()
	Context() context.Context
	Log(args ...any)
	Logf(format string, args ...any)
	Error(args ...any)
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// world is two simulated routers with a tunnel that people made by hand, the real
// client of routers, and a ledger in memory.
type world struct {
	tester
	kind   rossim.Options // what routers are; a version that an end draws comes first
	in     *rossim.Internet
	fleet  *ros.Fleet
	pipes  map[string]*pipes
	serve  sync.WaitGroup
	before map[string]map[string][]schema.Row
	ledger *ledger
	estate vpn.Estate
	tunnel vpn.Tunnel
	stop   func()
	inBand bool // the bot reaches gw-fengshan through the tunnel
	// What differs from two routers at their own public addresses: where they stand,
	// names that resolve, and further routers.
	places  map[string]rossim.Place
	resolve map[string]netip.Addr
	also    func()
	// reads is how the bot reads what a router wrote down; nil: not at all.
	reads func(ctx context.Context, r change.Request, router string, from, to time.Time) change.RouterLog
}

// cutOff tells whether the bot cannot reach a router now.
func (w *world) cutOff(router string) bool { return w.inBand && router == "gw-fengshan" && !w.up() }

// What translates on the WAN of both routers: everything, so that the tunnel
// needs a bypass, or what goes through no tunnel.
func everything() schema.Row {
	return schema.Row{"chain": "srcnat", "action": "masquerade", "out-interface": "ether1"}
}

func outside() schema.Row {
	return schema.Row{"chain": "srcnat", "action": "masquerade", "out-interface": "ether1", "ipsec-policy": "out,none"}
}

// sites are two with fixed addresses, of which hq has two networks.
func sites() vpn.Estate {
	site := func(name, wan string, lans ...string) vpn.Site {
		s := vpn.Site{Name: name, Routers: []string{"gw-" + name}, WANs: []vpn.WAN{{
			Interface: "ether1", Address: netip.MustParseAddr(wan), NAT: vpn.NoNAT, Role: vpn.Both,
		}}}
		for _, lan := range lans {
			s.LAN = append(s.LAN, netip.MustParsePrefix(lan))
		}
		return s
	}
	return vpn.Estate{
		Sites:   []vpn.Site{site("hq", "203.0.113.10", "192.168.77.0/24", "192.168.78.0/24"), site("fengshan", "198.51.100.20", "192.168.88.0/24")},
		Routers: []vpn.Router{{Name: "gw-hq", Site: "hq"}, {Name: "gw-fengshan", Site: "fengshan"}},
	}
}

func newWorld(t tester, sw rossim.Switches, nat schema.Row) *world {
	t.Helper()
	return newWorldOf(t, rossim.Options{}, sw, nat)
}

// newWorldOf is newWorld with routers of another kind.
func newWorldOf(t tester, kind rossim.Options, sw rossim.Switches, nat schema.Row) *world {
	t.Helper()
	w := &world{tester: t, kind: kind, estate: sites()}
	w.tunnel = vpn.Tunnel{Name: "hq-fengshan", Ends: [2]vpn.End{
		{Site: "hq", Probes: []netip.Addr{netip.MustParseAddr("192.168.77.1"), netip.MustParseAddr("192.168.78.1")}},
		{Site: "fengshan", Probes: []netip.Addr{netip.MustParseAddr("192.168.88.1")}},
	}}.WithDefaults(w.estate)
	w.build(sw, func(x vpn.ExpectedEnd) (string, map[string][]schema.Row) { return "", byHand(x, nat) })
	return w
}

// build makes both routers, each of the version and with the rows that estate gives
// it, and lets them find each other.
func (w *world) build(sw rossim.Switches, estate func(vpn.ExpectedEnd) (string, map[string][]schema.Row)) {
	w.Helper()
	w.pipes, w.before = map[string]*pipes{}, map[string]map[string][]schema.Row{}
	var err error
	if w.in, err = rossim.NewInternet(rossim.InternetOptions{Negotiator: ike.Model{}, Switches: sw, Names: w.resolve}); err != nil {
		w.Fatal(err)
	}
	var routers []ros.Router
	for _, x := range w.tunnel.Expect(w.estate).Ends {
		version, rows := estate(x)
		w.router(x.Router, version, rows)
		login := ros.Login{User: "bot", Password: secret.New("x")}
		routers = append(routers, ros.Router{Name: x.Router, Address: "127.0.0.1:8728", Plain: true, Read: login, Write: login})
	}
	routers[1].Address = "127.0.0.2:8728"
	if w.also != nil {
		w.also()
	}
	w.fleet, err = ros.New(ros.Options{Routers: routers, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		return w.pipes[map[string]string{"127.0.0.1:8728": "gw-hq", "127.0.0.2:8728": "gw-fengshan"}[address]].dial(ctx, network, address)
	}})
	if err != nil {
		w.Fatal(err)
	}
	w.settle()
	w.ledger = newLedger()
}

// settle lets the routers find each other and remembers what they hold.
func (w *world) settle() {
	w.Helper()
	time.Sleep(20 * time.Second)
	synctest.Wait()
	for _, name := range names {
		w.before[name] = w.rows(name)
	}
}

// router makes one router that holds rows.
func (w *world) router(name, version string, rows map[string][]schema.Row) {
	w.Helper()
	if version == "" {
		version = w.kind.Profile
	}
	r, err := rossim.New(rossim.Options{Name: name, Latency: latency, Profile: version, PrintMasks: w.kind.PrintMasks, Tables: w.kind.Tables})
	if err != nil {
		w.Fatal(err)
	}
	if err := w.in.Attach(r, w.places[name]); err != nil {
		w.Fatal(err)
	}
	rows["/user/group"] = []schema.Row{{"name": "bot", "policy": "read,write,api,test"}}
	rows["/user"] = []schema.Row{{"name": "bot", "group": "bot", "password": "x"}}
	if err := r.Load(rows); err != nil {
		w.Fatal(err)
	}
	l := newPipes()
	w.pipes[name] = l
	w.serve.Go(func() { _ = r.Serve(l) })
}

// byHand is one end as somebody made it, and other things beside it.
func byHand(x vpn.ExpectedEnd, nat schema.Row) map[string][]schema.Row {
	addresses := []schema.Row{{"address": x.Local.String() + "/24", "interface": "ether1"}}
	policies := []schema.Row{{"peer": "elsewhere", "tunnel": "yes", "src-address": "10.1.0.0/24", "dst-address": "10.2.0.0/24"}}
	for _, p := range x.Policies {
		if lan := p.Source.Addr().Next().String() + "/24"; len(policies) == 1 || x.Router == "gw-hq" {
			addresses = append(addresses, schema.Row{"address": lan, "interface": "ether2"})
		}
		policies = append(policies, schema.Row{
			"peer": "by hand", "tunnel": "yes", "src-address": p.Source.String(), "dst-address": p.Destination.String(), "proposal": "p2", "comment": "\xa4\xa4",
		})
	}
	return map[string][]schema.Row{
		"/ip/address":        addresses,
		"/ip/ipsec/profile":  {{"name": "p1", "hash-algorithm": "sha1", "enc-algorithm": "aes-128", "dh-group": "modp2048"}},
		"/ip/ipsec/proposal": {{"name": "p2", "auth-algorithms": "sha1", "enc-algorithms": "aes-128-cbc", "pfs-group": "modp2048"}},
		"/ip/ipsec/peer":     {{"name": "by hand", "address": x.Remote.String() + "/32", "profile": "p1", "exchange-mode": "main"}, {"name": "elsewhere", "address": "192.0.2.99/32", "passive": "yes"}},
		"/ip/ipsec/identity": {{"peer": "by hand", "secret": "old-key"}, {"peer": "elsewhere", "secret": "another-key"}},
		"/ip/ipsec/policy":   policies,
		"/ip/firewall/nat":   {nat},
		"/system/scheduler":  {{"name": "nightly", "interval": "1d", "on-event": ":log info night"}},
	}
}

// close ends the world inside its bubble.
func (w *world) close() {
	w.Helper()
	w.kill()
	w.fleet.Close()
	if err := w.in.Close(); err != nil {
		w.Error(err)
	}
	w.serve.Wait()
}

// latency is how long a router takes to begin with a command.
const latency = 20 * time.Millisecond

// commands counts what was sent to both routers.
func (w *world) commands() uint64 {
	var n uint64
	for _, s := range w.fleet.Stats() {
		n += s.Commands
	}
	return n
}

// menus are those of which rows are compared.
var menus = []string{
	"/ip/ipsec/profile", "/ip/ipsec/proposal", "/ip/ipsec/peer", "/ip/ipsec/identity", "/ip/ipsec/policy", "/ip/firewall/nat", "/system/scheduler",
}

// rows are what a router holds, in its order, secrets too, ids and what moves by
// itself aside.
func (w *world) rows(router string) map[string][]schema.Row {
	w.Helper()
	all := map[string][]schema.Row{}
	for _, path := range menus {
		menu, ok := schema.Lookup(path)
		if !ok {
			w.Fatalf("no menu %s", path)
		}
		for _, row := range w.in.Router(router).Rows(path) {
			if row["dynamic"] == "true" {
				continue
			}
			stable := menu.Stable(row)
			for name := range stable {
				if a, _ := menu.Attr(name); a.ReadOnly || a.Name == "" {
					delete(stable, name)
				}
			}
			stable["secret"] = row["secret"]
			all[path] = append(all[path], stable)
		}
	}
	return all
}

func (w *world) snapshot(router string) change.Snapshot {
	w.Helper()
	snap, err := w.fleet.Snapshot(w.Context(), router, vpn.AddMenus()...)
	if err != nil {
		w.Fatal(err)
	}
	return snap
}

type planner func(vpn.TunnelChange) (change.Plan, error)

// plan plans and approves a change, and returns its request.
func (w *world) plan(verb string, make planner, edit func(*change.Plan)) string {
	w.Helper()
	plan, err := make(vpn.TunnelChange{
		Intent: change.Intent{Verb: verb, Site: "fengshan"}, Estate: w.estate, Tunnel: w.tunnel,
		Definition: change.DefinitionRef{Kind: vpn.KindTunnel, Name: w.tunnel.Name, Version: 1},
		Snapshots:  [2]change.Snapshot{w.snapshot("gw-hq"), w.snapshot("gw-fengshan")}, PSK: "psk", Mark: "psk:00112233", Unchecked: true,
	})
	if err != nil {
		w.Fatalf("planning: %v", err)
	}
	if edit != nil {
		edit(&plan)
	}
	return w.approve(plan)
}

func (w *world) approve(plan change.Plan) string {
	w.Helper()
	m, err := change.NewDraft(time.Now(), fmt.Sprintf("id-%d", len(w.ledger.requests)+1), plan, change.Actor{Person: people["olga"]}, change.Rule{Approvals: 1}, nil)
	r := w.must(m, err)
	m, err = r.Submit(time.Now(), change.Actor{Person: people["olga"]})
	r = w.must(m, err)
	m, err = r.Approve(time.Now(), change.Actor{Person: people["anna"]}, r.Digest, "")
	return w.must(m, err).ID
}

func (w *world) must(m change.Move, err error) change.Request {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
	receipt, err := w.ledger.Commit(context.Background(), m)
	if err != nil {
		w.Fatal(err)
	}
	return *receipt.Request
}

// start begins a bot, whose every deed goes through life.
func (w *world) start(l *life) {
	w.Helper()
	e, err := apply.New(apply.Options{
		Ledger: witness{w.ledger, l}, Routers: hands{w, l}, Tunnels: hands{w, l}, People: directory{}, Location: time.UTC,
		Explain: func(err error) change.Text { return change.T("why", "text", err.Error()) }, Log: slog.New(slog.DiscardHandler),
		Logs: w.reads,
	})
	if err != nil {
		w.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.end = cancel
	var running sync.WaitGroup
	running.Go(func() { _ = e.Run(ctx) })
	w.stop = func() {
		l.die()
		running.Wait()
	}
}

// kill ends the bot that runs, if one does.
func (w *world) kill() {
	if w.stop != nil {
		w.stop()
		w.stop = nil
	}
}

// wait waits until the request has ended or needs a person, at most so long.
func (w *world) wait(id string, most time.Duration) change.Request {
	w.Helper()
	for end := time.Now().Add(most); ; time.Sleep(100 * time.Millisecond) {
		r, err := w.ledger.Request(w.Context(), id)
		if err != nil {
			w.Fatal(err)
		}
		if r.State.Ended() || r.State == change.NeedsAttention || time.Now().After(end) {
			synctest.Wait()
			return r
		}
	}
}

// up tells whether both ends have the whole tunnel.
func (w *world) up() bool {
	w.Helper()
	var halves [2][]vpn.Half
	want := w.tunnel.Expect(w.estate)
	for i, x := range want.Ends {
		snap := change.Snapshot{Router: x.Router, At: time.Now(), Menus: map[string][]schema.Row{}}
		for _, menu := range vpn.StatusMenus() {
			snap.Menus[menu] = w.in.Router(x.Router).Rows(menu)
		}
		halves[i] = []vpn.Half{{Snapshot: snap}}
	}
	for _, side := range vpn.Judge(want, halves, time.Now()).Sides {
		n, of := side.Established()
		matched := slices.ContainsFunc(side.Phase1, func(p vpn.ActivePeer) bool { return p.Matched })
		if n < of || of == 0 || !matched {
			return false
		}
	}
	return true
}

// kindOf tells which rows a router runs on: "old" as before byte for byte, "new"
// with nothing of the old left, "on old" or "on new" with other rows beside them.
func (w *world) kindOf(router string) string {
	w.Helper()
	rows := w.rows(router)
	if cmp.Equal(w.before[router], rows) {
		return "old"
	}
	text := fmt.Sprint(rows)
	peers := map[string]string{}
	for _, row := range rows["/ip/ipsec/peer"] {
		peers[row["name"]] = row["disabled"]
	}
	on := map[string]bool{}
	for _, row := range rows["/ip/ipsec/policy"] {
		if row["peer"] != "elsewhere" && row["peer"] != "" {
			on[row["peer"]] = true
		}
	}
	switch {
	case on["by hand"] && !on["hq-fengshan-1"] && peers["by hand"] == "false":
		return "on old"
	case on["hq-fengshan-1"] && !on["by hand"] && peers["hq-fengshan-1"] == "false":
		if !strings.Contains(text, "by hand") && !strings.Contains(text, "vpnbot-guard") {
			return "new"
		}
		return "on new"
	}
	return "mixed"
}

// others fails unless every row that is not the tunnel's is as it was.
func (w *world) others() {
	w.Helper()
	for _, name := range names {
		keep := func(all map[string][]schema.Row) []string {
			var list []string
			for path, rows := range all {
				for _, row := range rows {
					if text := fmt.Sprint(path, row); strings.Contains(text, "elsewhere") || strings.Contains(text, "masquerade") || strings.Contains(text, "nightly") || strings.Contains(text, "name:default") {
						list = append(list, text)
					}
				}
			}
			slices.Sort(list)
			return list
		}
		if diff := cmp.Diff(keep(w.before[name]), keep(w.rows(name))); diff != "" {
			w.Errorf("other rows of %s: %s", name, diff)
		}
	}
}

// clean fails when the key stands where it must not.
func (w *world) clean() {
	w.Helper()
	for _, name := range names {
		for _, path := range []string{"/log", "/system/scheduler"} {
			if text := fmt.Sprint(w.in.Router(name).Rows(path)); strings.Contains(text, newKey) || strings.Contains(text, "old-key") {
				w.Errorf("a key stands in %s of %s", path, name)
			}
		}
	}
	if text := fmt.Sprintf("%+v", w.ledger.events) + fmt.Sprintf("%+v", w.ledger.journal); strings.Contains(text, newKey) || strings.Contains(text, "old-key") {
		w.Error("a key stands in the ledger")
	}
}

const newKey = "newnewnewnewnewnewnewnewnewnewnewnewnewnew"

type vault struct{}

func (vault) Open(context.Context, secret.Ref) (secret.Secret, error) { return secret.New(newKey), nil }

var people = map[change.PersonID]change.Person{
	"olga": {ID: "olga", Name: "olga", Role: change.Operator}, "anna": {ID: "anna", Name: "anna", Role: change.Approver},
}

type directory struct{}

func (directory) Person(id change.PersonID) (change.Person, bool) { p, ok := people[id]; return p, ok }
