package apply_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
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

// world is two simulated routers with a tunnel that people made by hand, the real
// client of routers, and a ledger in memory.
type world struct {
	*testing.T
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

func newWorld(t *testing.T, sw rossim.Switches, nat schema.Row) *world {
	t.Helper()
	w := &world{T: t, pipes: map[string]*pipes{}, estate: sites(), before: map[string]map[string][]schema.Row{}}
	w.tunnel = vpn.Tunnel{Name: "hq-fengshan", Ends: [2]vpn.End{
		{Site: "hq", Probes: []netip.Addr{netip.MustParseAddr("192.168.77.1"), netip.MustParseAddr("192.168.78.1")}},
		{Site: "fengshan", Probes: []netip.Addr{netip.MustParseAddr("192.168.88.1")}},
	}}.WithDefaults(w.estate)
	var err error
	if w.in, err = rossim.NewInternet(rossim.InternetOptions{Negotiator: ike.Model{}, Switches: sw}); err != nil {
		t.Fatal(err)
	}
	var routers []ros.Router
	for _, x := range w.tunnel.Expect(w.estate).Ends {
		w.router(x, nat)
		login := ros.Login{User: "bot", Password: secret.New("x")}
		routers = append(routers, ros.Router{Name: x.Router, Address: "127.0.0.1:8728", Plain: true, Read: login, Write: login})
	}
	routers[1].Address = "127.0.0.2:8728"
	w.fleet, err = ros.New(ros.Options{Routers: routers, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		return w.pipes[map[string]string{"127.0.0.1:8728": "gw-hq", "127.0.0.2:8728": "gw-fengshan"}[address]].dial(ctx, network, address)
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.ledger = newLedger()
	return w
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

// router makes one end as somebody made it by hand, and other things beside it.
func (w *world) router(x vpn.ExpectedEnd, nat schema.Row) {
	w.Helper()
	r, err := rossim.New(rossim.Options{Name: x.Router})
	if err != nil {
		w.Fatal(err)
	}
	if err := w.in.Attach(r, rossim.Place{}); err != nil {
		w.Fatal(err)
	}
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
	err = r.Load(map[string][]schema.Row{
		"/ip/address":        addresses,
		"/ip/ipsec/profile":  {{"name": "p1", "hash-algorithm": "sha1", "enc-algorithm": "aes-128", "dh-group": "modp2048"}},
		"/ip/ipsec/proposal": {{"name": "p2", "auth-algorithms": "sha1", "enc-algorithms": "aes-128-cbc", "pfs-group": "modp2048"}},
		"/ip/ipsec/peer":     {{"name": "by hand", "address": x.Remote.String() + "/32", "profile": "p1", "exchange-mode": "main"}, {"name": "elsewhere", "address": "192.0.2.99/32", "passive": "yes"}},
		"/ip/ipsec/identity": {{"peer": "by hand", "secret": "old-key"}, {"peer": "elsewhere", "secret": "another-key"}},
		"/ip/ipsec/policy":   policies,
		"/ip/firewall/nat":   {nat},
		"/system/scheduler":  {{"name": "nightly", "interval": "1d", "on-event": ":log info night"}},
		"/user/group":        {{"name": "bot", "policy": "read,write,api,test"}},
		"/user":              {{"name": "bot", "group": "bot", "password": "x"}},
	})
	if err != nil {
		w.Fatal(err)
	}
	l := newPipes()
	w.pipes[x.Router] = l
	w.serve.Go(func() { _ = r.Serve(l) })
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
	snap, err := w.fleet.Snapshot(w.Context(), router, vpn.TunnelMenus()...)
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

// life is one bot's: how many deeds it has done, and what befalls it at which.
type life struct {
	mu     sync.Mutex
	deeds  []string // commits and router writes, in order
	dead   bool
	end    context.CancelFunc
	befall map[int]fate // by number of deed, from 1
	later  time.Duration
	phase  map[string]func() // called when a phase has begun
	late   sync.WaitGroup
}

// fate is what happens at a deed.
type fate string

const (
	dieBefore  fate = "bot dies before"
	dieAfter   fate = "bot dies after"
	refuse     fate = "refused"
	loseBefore fate = "lost before"
	loseAfter  fate = "lost after"
	comeLate   fate = "lost, done later"
)

var errDead = errors.New("the bot is dead")

func (l *life) die() {
	l.mu.Lock()
	l.dead = true
	l.mu.Unlock()
	l.end()
}

// do does a deed and lets happen what befalls it. lost is what a lost answer is.
func (l *life) do(name string, router bool, deed func() error) error {
	l.mu.Lock()
	dead := l.dead
	l.deeds = append(l.deeds, name)
	f := l.befall[len(l.deeds)]
	l.mu.Unlock()
	switch {
	case dead:
		return errDead
	case f == dieBefore:
		l.die()
		return errDead
	case f == refuse && router:
		return errors.New("failure: no luck")
	case f == loseBefore && router:
		return fmt.Errorf("%w: line is cut", apply.ErrUnknown)
	}
	if f == comeLate && router {
		l.late.Go(func() {
			time.Sleep(l.later)
			_ = deed()
		})
		return fmt.Errorf("%w: line is slow", apply.ErrUnknown)
	}
	err := deed()
	switch {
	case f == dieAfter:
		l.die()
		return errDead
	case f == loseAfter && router && err == nil:
		return fmt.Errorf("%w: line is cut", apply.ErrUnknown)
	}
	return err
}

// hands are the routers as the engine has them.
type hands struct {
	w *world
	l *life
}

func (h hands) Snapshot(ctx context.Context, router string, menus ...string) (change.Snapshot, error) {
	h.l.mu.Lock()
	dead := h.l.dead
	h.l.mu.Unlock()
	if dead {
		return change.Snapshot{}, errDead
	}
	if h.w.cutOff(router) {
		return change.Snapshot{}, errors.New("no way there")
	}
	return h.w.fleet.Snapshot(ctx, router, menus...)
}

func (h hands) write(name string, deed func() error) error {
	return h.l.do(name, true, func() error {
		if router, _, _ := strings.Cut(name, ":"); h.w.cutOff(router) {
			return fmt.Errorf("%w: no way there", apply.ErrUnknown)
		}
		err := deed()
		for _, open := range []error{ros.ErrUnknownOutcome, ros.ErrUnreachable, ros.ErrTimeout, ros.ErrClosed} {
			if errors.Is(err, open) {
				return fmt.Errorf("%w: %w", apply.ErrUnknown, err)
			}
		}
		return err
	})
}

func (h hands) Execute(ctx context.Context, router string, request int64, step change.Step) error {
	return h.write(fmt.Sprintf("%s: %s %s", router, step.Menu, step.Action), func() error { return h.w.fleet.Execute(ctx, router, request, step, vault{}) })
}

func (h hands) AddGuard(ctx context.Context, router string, request int64, plan change.Plan) error {
	return h.write(router+": add guard", func() error { return h.w.fleet.AddGuard(ctx, router, request, plan) })
}

func (h hands) RemoveGuard(ctx context.Context, router string, request int64) error {
	return h.write(router+": remove guard", func() error { return h.w.fleet.RemoveGuard(ctx, router, request) })
}

func (h hands) RunScript(ctx context.Context, s change.Script) error {
	return h.write(s.Act.Router+": script "+string(s.Act.Name), func() error { return h.w.fleet.RunScript(ctx, s) })
}

func (h hands) Drop(ctx context.Context, router string, old change.Phase1) error {
	return h.write(router+": drop", func() error { return h.w.fleet.Drop(ctx, router, old) })
}

func (h hands) Forget(ctx context.Context, router string, between []change.Selectors) error {
	return h.write(router+": forget", func() error { return h.w.fleet.Forget(ctx, router, between) })
}

func (h hands) Ping(ctx context.Context, router string, probe change.Probe, size, count int) (int, error) {
	if h.w.cutOff(router) {
		return 0, errors.New("no way there")
	}
	return h.w.fleet.Ping(ctx, router, probe, size, count)
}

// ledger is one in memory.
type ledger struct {
	mu       sync.Mutex
	requests map[string]change.Request
	journal  map[string][]change.Entry
	events   []change.Event
	notices  []change.Notice
	gone     []secret.Ref
	changed  chan struct{}
}

func newLedger() *ledger {
	return &ledger{requests: map[string]change.Request{}, journal: map[string][]change.Entry{}, changed: make(chan struct{}, 1)}
}

func (l *ledger) Commit(_ context.Context, m change.Move) (change.Receipt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := *m.Request
	if l.requests[r.ID].Version != m.Version {
		return change.Receipt{}, change.ErrConflict
	}
	r.Version = m.Version + 1
	if r.Number == 0 && r.State == change.Pending {
		r.Number = 41 + int64(len(l.requests))
	}
	l.requests[r.ID] = r
	for _, e := range m.Journal {
		l.journal[e.Request] = append(l.journal[e.Request], e)
	}
	l.events, l.notices, l.gone = append(l.events, m.Events...), append(l.notices, m.Notices...), append(l.gone, m.Destroy...)
	select {
	case l.changed <- struct{}{}:
	default:
	}
	return change.Receipt{Request: &r}, nil
}

func (l *ledger) Request(_ context.Context, id string) (change.Request, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, ok := l.requests[id]
	if !ok {
		return r, change.ErrNotFound
	}
	return r, nil
}

func (l *ledger) Requests(_ context.Context, f change.Filter) ([]change.Request, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []change.Request
	for _, id := range slices.Sorted(maps.Keys(l.requests)) {
		if r := l.requests[id]; len(f.States) == 0 || slices.Contains(f.States, r.State) {
			list = append(list, r)
		}
	}
	return list, nil
}

func (l *ledger) RequestByNumber(_ context.Context, number int64) (change.Request, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.requests {
		if r.Number == number {
			return r, nil
		}
	}
	return change.Request{}, change.ErrNotFound
}

func (l *ledger) Journal(_ context.Context, id string) ([]change.Entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.journal[id]), nil
}

// Definition finds none: what becomes of them is tested where there is a store.
func (l *ledger) Definition(context.Context, string, string) (change.Definition, error) {
	return change.Definition{}, change.ErrNotFound
}

func (l *ledger) Changed() (<-chan struct{}, func()) { return l.changed, func() {} }

// witness is the ledger as a bot has it: its commits are deeds.
type witness struct {
	*ledger
	l *life
}

func (w witness) Commit(ctx context.Context, m change.Move) (change.Receipt, error) {
	var receipt change.Receipt
	what := string(m.Events[0].Kind)
	if len(m.Journal) > 0 {
		e := m.Journal[0]
		what = strings.TrimSpace(fmt.Sprintf("journal %s %s %s", e.Mark, e.Act, e.Note))
	}
	err := w.l.do(what, false, func() (err error) {
		receipt, err = w.ledger.Commit(ctx, m)
		return err
	})
	if f := w.l.phase[m.Events[0].Facts["phase"]]; f != nil && m.Events[0].Kind == change.EventPhase && err == nil {
		f()
	}
	return receipt, err
}

// pipes is a listener whose connections are net.Pipe: it works in a bubble.
type pipes struct {
	accept chan net.Conn
	done   chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{accept: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accept:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error { p.once.Do(func() { close(p.done) }); return nil }

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8728} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.accept <- far:
		return near, nil
	case <-p.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
