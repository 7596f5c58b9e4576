package vpn_test

import (
	"errors"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"vpnbot/change"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
	"vpnbot/vpn/ike"
)

// dialInWorld is a router as RouterOS's own default configuration leaves it, with
// a LAN, and the server that is to be set up on it.
type dialInWorld struct {
	*testing.T
	version string
	router  *rossim.Router
	dialin  vpn.DialIn
	site    vpn.Site
	held    *vpn.DialIn
}

func newDialInWorld(t *testing.T) *dialInWorld {
	t.Helper()
	return dialInWorldOf(t, rossim.ProfileDefault)
}

// dialInWorldOf is that of a router of another version.
func dialInWorldOf(t *testing.T, version string) *dialInWorld {
	t.Helper()
	in, err := rossim.NewInternet(rossim.InternetOptions{Negotiator: ike.Model{}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := rossim.New(rossim.Options{Name: "gw-hq", Profile: version})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, c := range []io.Closer{r, in} {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	if err := in.Attach(r, rossim.Place{}); err != nil {
		t.Fatal(err)
	}
	w := &dialInWorld{T: t, version: version, router: r}
	w.site = vpn.Site{
		Name: "hq", LAN: []netip.Prefix{netip.MustParsePrefix("192.168.77.0/24")}, Routers: []string{"gw-hq"},
		WANs: []vpn.WAN{{Interface: "ether1", Address: netip.MustParseAddr("203.0.113.10"), NAT: vpn.NoNAT, Role: vpn.Both}},
	}
	w.dialin = vpn.DialIn{
		Site: "hq", Router: "gw-hq", Server: "vpn.example.com", Pool: "vpn-pool", Profile: "vpn-users",
		Setup: &vpn.DialInSetup{
			Ranges: []string{"192.168.178.10-192.168.178.99"}, Local: netip.MustParseAddr("192.168.178.1"),
			DNS: []netip.Addr{netip.MustParseAddr("192.168.77.1")}, Return: vpn.ByGateway,
		},
	}
	if err := r.Load(map[string][]schema.Row{
		"/ip/address": {
			{"address": "203.0.113.10/24", "interface": "ether1"},
			{"address": "192.168.77.1/24", "interface": "ether2"},
		},
		"/interface/list":        {{"name": "WAN"}, {"name": "LAN"}},
		"/interface/list/member": {{"list": "LAN", "interface": "ether2"}, {"list": "WAN", "interface": "ether1"}},
		"/ip/firewall/filter": {
			{"chain": "input", "action": "accept", "connection-state": "established,related,untracked"},
			{"chain": "input", "action": "drop", "connection-state": "invalid"},
			{"chain": "input", "action": "accept", "protocol": "icmp"},
			{"chain": "input", "action": "drop", "in-interface-list": "!LAN", "comment": "defconf: drop all not coming from LAN"},
			{"chain": "forward", "action": "accept", "ipsec-policy": "in,ipsec"},
			{"chain": "forward", "action": "accept", "connection-state": "established,related,untracked"},
			{"chain": "forward", "action": "drop", "connection-state": "invalid"},
			{"chain": "forward", "action": "drop", "connection-state": "new", "connection-nat-state": "!dstnat", "in-interface-list": "WAN"},
		},
		"/ip/firewall/nat": {{"chain": "srcnat", "action": "masquerade", "out-interface-list": "WAN", "ipsec-policy": "out,none"}},
	}); err != nil {
		t.Fatal(err)
	}
	return w
}

// input reads the router for the planner.
func (w *dialInWorld) input() vpn.SetupDialIn {
	w.Helper()
	in := vpn.SetupDialIn{
		Intent: change.Intent{Verb: "dialin setup", Site: "hq"}, Site: w.site, DialIn: w.dialin, Held: w.held,
		Definition: change.DefinitionRef{Kind: vpn.KindDialIn, Name: "hq"},
		Snapshot:   change.Snapshot{Router: "gw-hq", Version: "7.22.3 (stable)", Menus: map[string][]schema.Row{}},
	}
	for _, menu := range vpn.SetupMenus() {
		if old := w.version == "6.49.7"; old && menu == "/routing/rule" || !old && menu == "/ip/route/rule" {
			continue // not of this version
		}
		in.Snapshot.Menus[menu] = []schema.Row{}
		m, _ := schema.Lookup(menu)
		for _, row := range w.router.Rows(menu) {
			for _, secret := range m.Secrets() {
				delete(row, secret)
			}
			in.Snapshot.Menus[menu] = append(in.Snapshot.Menus[menu], row)
		}
	}
	if vpn.NeedsKey(in.Snapshot) {
		in.PSK, in.Mark = "psk-new", "psk:9f3a"
	}
	return in
}

// carryOut writes a plan as an administrator would.
func (w *dialInWorld) carryOut(p change.Plan) {
	w.Helper()
	for _, step := range p.Steps {
		if err := schema.Allowed(step.Menu, step.Action, append(step.After.Names(), secretNames(step)...)); err != nil {
			w.Errorf("step %d: %v", step.ID, err)
		}
		row := step.After.Clone()
		for name := range step.Secrets {
			row[name] = "the key of the server"
		}
		if step.Action == schema.Add {
			at := -1
			if step.Place == change.TopPlace {
				at = 0
			}
			w.add(step.Menu, row, at)
			continue
		}
		rows := change.Snapshot{Menus: map[string][]schema.Row{step.Menu: w.router.Rows(step.Menu)}}.Rows(change.Query{Menu: step.Menu, Where: step.Match})
		if len(rows) != 1 {
			w.Fatalf("step %d of %s finds %d rows", step.ID, step.Menu, len(rows))
		}
		if step.Action == schema.Enable {
			row = schema.Row{"disabled": "no"}
		}
		if err := w.router.Set(step.Menu, rows[0][schema.ID], row); err != nil {
			w.Fatalf("step %d: %v", step.ID, err)
		}
	}
}

func secretNames(step change.Step) []string {
	var names []string
	for name := range step.Secrets {
		names = append(names, name)
	}
	return names
}

func (w *dialInWorld) add(menu string, row schema.Row, at int) {
	w.Helper()
	var below []schema.Row
	for _, r := range w.router.Rows(menu) {
		if at < 0 || r["dynamic"] == "true" {
			continue
		}
		below = append(below, r)
		if err := w.router.Remove(menu, r[schema.ID]); err != nil {
			w.Fatal(err)
		}
	}
	for _, r := range append([]schema.Row{row}, below...) {
		m, _ := schema.Lookup(menu)
		for name := range r {
			if a, known := m.Attr(name); !known || a.ReadOnly {
				delete(r, name)
			}
		}
		if _, err := w.router.Add(menu, r); err != nil {
			w.Fatalf("adding %v to %s: %v", r, menu, err)
		}
	}
}

// stepWords are the steps by menu and reason, the pieces that a reader looks for.
func stepWords(p change.Plan) string {
	var lines []string
	for _, s := range p.Steps {
		lines = append(lines, s.Menu+" "+string(s.Action)+" "+strings.TrimPrefix(s.Why.ID, "plan.dialin.step."))
	}
	return strings.Join(lines, "\n")
}

// Ensure a router as it comes from the factory gets everything that an untouched
// Windows computer needs, that the computer then connects, and that there is
// nothing more to do.
func TestPlanDialIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newDialInWorld(t)
		p, err := vpn.PlanDialIn(w.input())
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Join([]string{
			"/ip/pool add pool", "/ppp/profile add profile", "/ip/ipsec/profile set phase1", "/ip/ipsec/proposal set phase2",
			"/ip/firewall/filter add ike", "/ip/firewall/filter add esp", "/ip/firewall/filter add l2tp",
			"/interface/l2tp-server/server set server",
		}, "\n")
		if got := stepWords(p); got != want {
			t.Errorf("steps\n%s\nwant\n%s", got, want)
		}
		last := p.Steps[len(p.Steps)-1]
		if last.Class != change.OneWay || last.Secrets["ipsec-secret"] != "psk-new" || last.Marks["ipsec-secret"] != "psk:9f3a" {
			t.Errorf("the server's step %+v", last)
		}
		w.carryOut(p)

		d := w.dialin
		d.PSK, d.PSKMark = "psk-new", "psk:9f3a"
		w.dialin, w.held = d, &d
		again, err := vpn.PlanDialIn(w.input())
		if err != nil {
			t.Fatal(err)
		}
		if !again.Empty() {
			t.Errorf("a second plan has steps\n%s", stepWords(again))
		}

		if _, err := w.router.Add("/ppp/secret", schema.Row{"name": "chen", "password": "pass", "service": "l2tp", "profile": "vpn-users"}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.router.Connect(rossim.DialIn{Account: "chen", Password: "pass", PSK: "the key of the server", CallerID: "198.51.100.71", System: "windows"}); err != nil {
			t.Errorf("a Windows computer does not get in: %v", err)
		}
		if _, err := w.router.Connect(rossim.DialIn{Account: "chen", Password: "pass", PSK: "another key", CallerID: "198.51.100.72", System: "windows"}); err == nil {
			t.Error("a computer with another key got in")
		}
	})
}

// Ensure what a router must not become is refused, each with its own reason.
func TestPlanDialIn_Refused(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		spoil      func(w *dialInWorld)
	}{
		{"pool of another", "plan.refuse.dialin_pool", func(w *dialInWorld) {
			w.add("/ip/pool", schema.Row{"name": "guests", "ranges": "192.168.178.90-192.168.178.120"}, -1)
		}},
		{"range of a DHCP server", "plan.refuse.dialin_dhcp", func(w *dialInWorld) {
			w.add("/ip/pool", schema.Row{"name": "dhcp", "ranges": "192.168.178.0/24"}, -1)
			w.add("/ip/dhcp-server", schema.Row{"name": "lan", "interface": "ether2", "address-pool": "dhcp"}, -1)
		}},
		{"address of the router", "plan.refuse.dialin_own", func(w *dialInWorld) {
			w.add("/ip/address", schema.Row{"address": "192.168.178.20/24", "interface": "ether3"}, -1)
		}},
		{"address of an account", "plan.refuse.dialin_account", func(w *dialInWorld) {
			w.add("/ppp/secret", schema.Row{"name": "printer", "password": "x", "service": "l2tp", "remote-address": "192.168.178.50"}, -1)
		}},
		{"address that DHCP fixed", "plan.refuse.dialin_lease", func(w *dialInWorld) {
			w.put("/ip/dhcp-server/lease", schema.Row{"address": "192.168.178.40", "mac-address": "02:00:00:00:00:99"})
		}},
		{"hand-made peer for everybody", "plan.refuse.dialin_any_peer", func(w *dialInWorld) {
			w.put("/ip/ipsec/peer", schema.Row{"name": "road", "address": "0.0.0.0/0", "passive": "yes", "exchange-mode": "main"})
			w.put("/ip/ipsec/identity", schema.Row{"peer": "road", "secret": "old", "generate-policy": "port-override"})
		}},
		{"network of a tunnel", "plan.refuse.dialin_policy", func(w *dialInWorld) {
			w.add("/ip/ipsec/policy", schema.Row{"src-address": "192.168.77.0/24", "dst-address": "192.168.178.0/24", "tunnel": "yes"}, -1)
		}},
		{"phase 1 that others need", "plan.refuse.dialin_shared", func(w *dialInWorld) {
			w.setDefault("/ip/ipsec/profile", schema.Row{"hash-algorithm": "sha256"})
			w.add("/ip/ipsec/peer", schema.Row{"name": "to-fengshan", "address": "198.51.100.20", "exchange-mode": "ike2"}, -1)
		}},
		{"phase 2 that others need", "plan.refuse.dialin_shared", func(w *dialInWorld) {
			w.add("/ip/ipsec/policy", schema.Row{"src-address": "192.168.77.0/24", "dst-address": "192.168.88.0/24", "tunnel": "yes"}, -1)
		}},
		{"template of another proposal", "plan.refuse.dialin_template", func(w *dialInWorld) {
			w.add("/ip/ipsec/proposal", schema.Row{"name": "own"}, -1)
			for _, row := range w.router.Rows("/ip/ipsec/policy") {
				if row["template"] == "true" {
					w.set("/ip/ipsec/policy", row, schema.Row{"proposal": "own"})
				}
			}
		}},
		{"LAN interface that answers nobody", "plan.refuse.dialin_reply_only", func(w *dialInWorld) {
			w.insideLAN(vpn.ByProxyARP)
			w.arp("reply-only")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newDialInWorld(t)
				tt.spoil(w)
				p, err := vpn.PlanDialIn(w.input())
				if refusal, ok := errors.AsType[*vpn.Refusal](err); !ok || refusal.Text.ID != tt.want {
					t.Errorf("got %v with steps\n%s\nwant %s", err, stepWords(p), tt.want)
				}
			})
		})
	}
}

func (w *dialInWorld) set(menu string, row, values schema.Row) {
	w.Helper()
	if err := w.router.Set(menu, row[schema.ID], values); err != nil {
		w.Fatal(err)
	}
}

func (w *dialInWorld) setDefault(menu string, values schema.Row) {
	w.Helper()
	for _, row := range w.router.Rows(menu) {
		if row["default"] == "true" {
			w.set(menu, row, values)
			return
		}
	}
	w.Fatalf("%s has no default row", menu)
}

func (w *dialInWorld) insideLAN(by vpn.LANReturn) {
	set := *w.dialin.Setup
	set.Ranges, set.Local, set.Return = []string{"192.168.77.200-192.168.77.220"}, netip.MustParseAddr("192.168.77.1"), by
	w.dialin.Setup = &set
}

func (w *dialInWorld) arp(value string) {
	w.Helper()
	for _, row := range w.router.Rows("/interface/ethernet") {
		if row["name"] == "ether2" {
			w.set("/interface/ethernet", row, schema.Row{"arp": value})
			return
		}
	}
	w.Fatal("no ether2")
}

// Ensure the firewall is read as the router reads it: a rule is planned where the
// packet would be dropped, or might be, and nowhere else.
func TestPlanDialIn_Firewall(t *testing.T) {
	accept := func(row schema.Row) schema.Row {
		row["chain"], row["action"] = "input", "accept"
		return row
	}
	for _, tt := range []struct {
		name  string
		rules []schema.Row
		want  []string
		warns bool
	}{
		{"no rules", nil, nil, false},
		{"drops nothing from outside", []schema.Row{{"chain": "input", "action": "drop", "src-address-list": "bad"}}, []string{"dns", "dns"}, true},
		{"drops all but some", []schema.Row{{"chain": "input", "action": "drop", "src-address-list": "!good"}}, []string{"ike", "esp", "l2tp", "dns", "dns"}, false},
		{"lets in already", []schema.Row{
			accept(schema.Row{"protocol": "udp", "dst-port": "500,1701,4500"}), accept(schema.Row{"protocol": "ipsec-esp"}),
			{"chain": "input", "action": "drop", "in-interface": "ether1"},
		}, nil, true},
		{"lets in below the drop", []schema.Row{
			{"chain": "input", "action": "drop", "in-interface": "ether1"}, accept(schema.Row{"protocol": "udp", "dst-port": "500,4500"}),
		}, []string{"ike", "esp", "l2tp"}, false},
		{"by a chain of its own", []schema.Row{
			{"chain": "input", "action": "jump", "jump-target": "outside", "in-interface": "ether1"},
			{"chain": "outside", "action": "accept", "protocol": "udp", "dst-port": "500,4500"},
			{"chain": "outside", "action": "return", "protocol": "ipsec-esp"},
			{"chain": "outside", "action": "drop"},
		}, []string{"l2tp"}, false},
		{"only some may", []schema.Row{
			accept(schema.Row{"protocol": "udp", "dst-port": "500,4500", "limit": "10,5:packet"}), {"chain": "input", "action": "drop", "protocol": "udp"},
		}, []string{"ike", "l2tp", "dns"}, false},
		{"chains in a circle", []schema.Row{
			{"chain": "input", "action": "jump", "jump-target": "input"},
		}, []string{"ike", "esp", "l2tp", "dns", "dns"}, false},
		{"forward", []schema.Row{{"chain": "forward", "action": "drop", "in-interface-list": "!LAN"}, {"chain": "forward", "action": "drop", "dst-address": "192.168.77.0/25"}}, []string{"lan"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newDialInWorld(t)
				for _, row := range w.router.Rows("/ip/firewall/filter") {
					if err := w.router.Remove("/ip/firewall/filter", row[schema.ID]); err != nil {
						t.Fatal(err)
					}
				}
				for _, rule := range tt.rules {
					w.add("/ip/firewall/filter", rule.Clone(), -1)
				}
				p, err := vpn.PlanDialIn(w.input())
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, s := range p.Steps {
					if s.Menu == "/ip/firewall/filter" {
						got = append(got, strings.TrimPrefix(s.Why.ID, "plan.dialin.step."))
						if s.Place != change.TopPlace {
							t.Errorf("%v stands below", s.After)
						}
					}
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("rules for %v, want %v", got, tt.want)
				}
				warns := slices.ContainsFunc(p.Warnings, func(x change.Text) bool { return x.ID == "plan.warn.dialin_clear" })
				if warns != tt.warns {
					t.Errorf("warns of L2TP in clear: %v, want %v", warns, tt.warns)
				}
				w.carryOut(p)
				again, err := vpn.PlanDialIn(w.input())
				if err != nil {
					t.Fatal(err)
				}
				if slices.ContainsFunc(again.Steps, func(s change.Step) bool { return s.Menu == "/ip/firewall/filter" }) {
					t.Errorf("rules again\n%s", stepWords(again))
				}
			})
		})
	}
}
