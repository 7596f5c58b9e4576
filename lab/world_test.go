package lab_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"vpnbot/apply"
	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/lab"
	"vpnbot/ros"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
	"vpnbot/store"
	"vpnbot/store/storetest"
	"vpnbot/vpn"
)

// world is two simulated routers with a tunnel that people made by hand, whose
// negotiations and packets real daemons and kernels play, and a bot that changes
// it over the API.
type world struct {
	*testing.T
	live   *lab.Live
	judge  *witness
	in     *rossim.Internet
	fleet  *ros.Fleet
	estate vpn.Estate
	tunnel vpn.Tunnel
	ledger *store.Store
	key    secret.Key
	wrong  map[string]string // by router, a key that is written there in place of the sealed one
}

// names are the routers', the one at headquarters first.
func names() []string { return []string{"gw-hq", "gw-fengshan"} }

// offices are two sites with fixed addresses, of which hq has two networks.
func offices() vpn.Estate {
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

// newWorld builds it and waits until the daemons have the tunnel up.
func newWorld(t *testing.T) *world {
	t.Helper()
	l := start(t)
	w := &world{T: t, estate: offices(), ledger: storetest.Open(t), wrong: map[string]string{}}
	var sides [2]lab.Side
	for i, s := range w.estate.Sites {
		sides[i] = lab.Side{Router: s.Routers[0], WAN: s.WANs[0].Address, LANs: s.LAN}
	}
	var err error
	if w.key, err = secret.NewKey(make([]byte, secret.KeySize)); err != nil {
		t.Fatal(err)
	}
	if w.live, err = l.Live(t.Context(), sides); err != nil {
		t.Fatal(err)
	}
	w.tunnel = vpn.Tunnel{Name: "hq-fengshan", Ends: [2]vpn.End{
		{Site: "hq", Probes: []netip.Addr{netip.MustParseAddr("192.168.77.1"), netip.MustParseAddr("192.168.78.1")}},
		{Site: "fengshan", Probes: []netip.Addr{netip.MustParseAddr("192.168.88.1")}},
	}}.WithDefaults(w.estate)
	w.judge = &witness{Live: w.live}
	if w.in, err = rossim.NewInternet(rossim.InternetOptions{Negotiator: w.judge, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.in.Close(); err != nil {
			t.Error(err)
		}
	})
	var routers []ros.Router
	for _, x := range w.tunnel.Expect(w.estate).Ends {
		login := ros.Login{User: "bot", Password: secret.New("x")}
		routers = append(routers, ros.Router{Name: x.Router, Address: w.router(x), Plain: true, Read: login, Write: login})
	}
	if w.fleet, err = ros.New(ros.Options{Routers: routers}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.fleet.Close)
	w.comes("established")
	return w
}

// witness remembers what the daemons came to.
type witness struct {
	*lab.Live
	mu     sync.Mutex
	faults []string // the attributes, in order
}

func (w *witness) Negotiate(ctx context.Context, a schema.Attempt) (schema.Outcome, error) {
	out, err := w.Live.Negotiate(ctx, a)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range out.Faults {
		w.faults = append(w.faults, f.Attr)
	}
	return out, err
}

// refused returns for what the daemons refused so far.
func (w *world) refused() []string {
	w.judge.mu.Lock()
	defer w.judge.mu.Unlock()
	return slices.Clone(w.judge.faults)
}

// router makes one end as somebody made it by hand, and returns the address of
// its API.
func (w *world) router(x vpn.ExpectedEnd) string {
	w.Helper()
	r, err := rossim.New(rossim.Options{Name: x.Router})
	if err != nil {
		w.Fatal(err)
	}
	addresses := []schema.Row{{"address": x.Local.String() + "/24", "interface": "ether1"}}
	var policies, rules []schema.Row
	for _, p := range x.Policies {
		if lan := p.Source.Addr().Next().String() + "/24"; len(policies) == 0 || x.Router == "gw-hq" {
			addresses = append(addresses, schema.Row{"address": lan, "interface": "ether2"})
		}
		policies = append(policies, schema.Row{
			"peer": "by hand", "tunnel": "yes", "src-address": p.Source.String(), "dst-address": p.Destination.String(), "proposal": "p2",
		})
		rules = append(rules, schema.Row{"chain": "srcnat", "action": "accept", "src-address": p.Source.String(), "dst-address": p.Destination.String()})
	}
	err = r.Load(map[string][]schema.Row{
		"/ip/address":        addresses,
		"/ip/ipsec/profile":  {{"name": "p1", "hash-algorithm": "sha1", "enc-algorithm": "aes-128", "dh-group": "modp2048"}},
		"/ip/ipsec/proposal": {{"name": "p2", "auth-algorithms": "sha1", "enc-algorithms": "aes-128-cbc", "pfs-group": "modp2048"}},
		"/ip/ipsec/peer":     {{"name": "by hand", "address": x.Remote.String() + "/32", "profile": "p1", "exchange-mode": "main"}},
		"/ip/ipsec/identity": {{"peer": "by hand", "secret": "the key of old"}},
		"/ip/ipsec/policy":   policies,
		"/ip/firewall/nat":   append(rules, schema.Row{"chain": "srcnat", "action": "masquerade", "out-interface": "ether1"}),
		"/user/group":        {{"name": "bot", "policy": "read,write,api,test"}},
		"/user":              {{"name": "bot", "group": "bot", "password": "x"}},
	})
	if err == nil {
		err = w.in.Attach(r, rossim.Place{})
	}
	if err != nil {
		w.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(w.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		w.Fatal(err)
	}
	go func() { _ = r.Serve(listener) }() // ends with the Internet
	return listener.Addr().String()
}

// comes waits until every policy of both ends is in a state.
func (w *world) comes(state string) {
	w.Helper()
	for _, name := range names() {
		for _, row := range w.in.Router(name).Rows("/ip/ipsec/policy") {
			if row["tunnel"] == "true" && row["ph2-state"] != state {
				comes(w.T, w.in.Router(name), state)
			}
		}
	}
}

// snapshots are what a planner sees of both ends.
func (w *world) snapshots() (both [2]change.Snapshot) {
	w.Helper()
	var err error
	for i, name := range names() {
		if both[i], err = w.fleet.Snapshot(w.Context(), name, vpn.TunnelMenus()...); err != nil {
			w.Fatal(err)
		}
	}
	return both
}

// change is a change of the tunnel that a test wants to see.
type tunnelChange struct {
	verb      string
	plan      func(vpn.TunnelChange) (change.Plan, error)
	unchecked bool
	edit      func(*change.Plan)
}

// carry plans the change, has it approved and applied, and returns how it ended.
func (w *world) carry(c tunnelChange) change.Request {
	w.Helper()
	plan, err := c.plan(vpn.TunnelChange{
		Intent: change.Intent{Verb: c.verb, Site: "fengshan"}, Estate: w.estate, Tunnel: w.tunnel,
		Definition: change.DefinitionRef{Kind: vpn.KindTunnel, Name: w.tunnel.Name, Version: 1},
		Snapshots:  w.snapshots(), PSK: "psk", Mark: "psk:00112233", Unchecked: c.unchecked,
	})
	if err != nil {
		w.Fatalf("planning: %v", err)
	}
	if c.edit != nil {
		c.edit(&plan)
	}
	olga := change.Actor{Person: change.Person{ID: "olga", Name: "olga", Role: change.Operator}}
	anna := change.Actor{Person: change.Person{ID: "anna", Name: "anna", Role: change.Approver}}
	var sealed []secret.Sealed
	if len(plan.SecretRefs()) > 0 {
		sealed = append(sealed, w.key.Seal("psk", secret.New("a key that both ends are given now")))
	}
	m, err := change.NewDraft(time.Now(), c.verb, plan, olga, change.Rule{Approvals: 1}, sealed)
	r := w.commit(m, err)
	m, err = r.Submit(time.Now(), olga)
	r = w.commit(m, err)
	m, err = r.Approve(time.Now(), anna, r.Digest, "")
	r = w.commit(m, err)
	return w.apply(r.ID)
}

func (w *world) commit(m change.Move, err error) change.Request {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
	receipt, err := w.ledger.Commit(w.Context(), m)
	if err != nil {
		w.Fatal(err)
	}
	return *receipt.Request
}

// apply runs the engine until the request has ended.
func (w *world) apply(id string) change.Request {
	w.Helper()
	h := hands{w.fleet, w}
	e, err := apply.New(apply.Options{
		Ledger: w.ledger, Routers: h, Tunnels: h, People: directory{}, Location: time.UTC,
		Explain: func(err error) change.Text { return change.T("why", "text", err.Error()) }, Log: slog.New(slog.NewTextHandler(w.Output(), nil)),
	})
	if err != nil {
		w.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = e.Run(ctx) })
	defer running.Wait()
	defer cancel()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		r, err := w.ledger.Request(ctx, id)
		if err != nil {
			w.Fatal(err)
		}
		if r.State.Ended() || r.State == change.NeedsAttention {
			return r
		}
		if time.Now().After(deadline) {
			w.Fatalf("the change does not end: %s in phase %s", r.State, r.Phase)
		}
	}
}

// hands are the routers as the engine has them.
type hands struct {
	*ros.Fleet
	w *world
}

// vault opens the sealed key, or hands out a wrong one on the way to a router.
type vault struct {
	*world
	router string
}

// Open returns the secret that ref names.
func (v vault) Open(ctx context.Context, ref secret.Ref) (secret.Secret, error) {
	if wrong, ok := v.wrong[v.router]; ok {
		return secret.New(wrong), nil
	}
	sealed, err := v.ledger.Sealed(ctx, ref)
	if err != nil {
		return secret.Secret{}, err
	}
	return v.key.Open(sealed)
}

func (h hands) Execute(ctx context.Context, router string, request int64, step change.Step) error {
	return unsure(h.Fleet.Execute(ctx, router, request, step, vault{h.w, router}))
}

func (h hands) AddGuard(ctx context.Context, router string, request int64, plan change.Plan) error {
	return unsure(h.Fleet.AddGuard(ctx, router, request, plan))
}

func (h hands) RemoveGuard(ctx context.Context, router string, request int64) error {
	return unsure(h.Fleet.RemoveGuard(ctx, router, request))
}

func (h hands) RunScript(ctx context.Context, s change.Script) error {
	return unsure(h.Fleet.RunScript(ctx, s))
}

func (h hands) Drop(ctx context.Context, router string, old change.Phase1) error {
	return unsure(h.Fleet.Drop(ctx, router, old))
}

func (h hands) Forget(ctx context.Context, router string, between []change.Selectors) error {
	return unsure(h.Fleet.Forget(ctx, router, between))
}

func unsure(err error) error {
	for _, open := range []error{ros.ErrUnknownOutcome, ros.ErrUnreachable, ros.ErrTimeout, ros.ErrClosed} {
		if errors.Is(err, open) {
			return fmt.Errorf("%w: %w", apply.ErrUnknown, err)
		}
	}
	return err
}

type directory struct{}

func (directory) Person(id change.PersonID) (change.Person, bool) {
	return change.Person{ID: id, Name: string(id), Role: change.Approver}, true
}
