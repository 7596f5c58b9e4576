package apply_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vpnbot/change"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
	"vpnbot/vpn/ike"
)

// drawServer draws a router on which a dial-in server is to be, or is already, and
// what that is to be like.
func drawServer(t *rapid.T) (desk, vpn.DialIn) {
	chance := func(name string, of int) bool { return rapid.IntRange(1, of).Draw(t, name) == of }
	comment := func() string { return rapid.SampledFrom(comments).Draw(t, "comment") }
	d := desk{
		Version: rapid.SampledFrom(rossim.Profiles()).Draw(t, "version"), Opened: rapid.Bool().Draw(t, "left open"),
		Tables: rossim.Tables{InUseDangles: true, StaticFirst: chance("static rows in front", 4)},
	}
	for _, name := range []string{"mei", "chen"} {
		d.Secrets = append(d.Secrets, drawSecret(t, name, comment()))
	}
	d.Rows = deskRows(comment)
	rows := d.Rows
	rows["/interface/list"] = []schema.Row{{"name": "WAN"}}
	rows["/interface/list/member"] = []schema.Row{{"list": "WAN", "interface": "ether1"}}
	if chance("a list LAN", 2) {
		rows["/interface/list"] = append(rows["/interface/list"], schema.Row{"name": "LAN"})
		rows["/interface/list/member"] = append(rows["/interface/list/member"], schema.Row{"list": "LAN", "interface": "ether2"})
	}
	rows["/ip/firewall/filter"] = drawFilter(t, comment)
	rows["/ip/firewall/nat"] = []schema.Row{outside()}
	if chance("other translation", 2) {
		rows["/ip/firewall/nat"] = append(rows["/ip/firewall/nat"], with(schema.Row{"chain": "srcnat", "action": "masquerade", "src-address": "10.1.0.0/16"}, comment()))
	}
	server := rows["/interface/l2tp-server/server"][0]
	switch rapid.SampledFrom([]string{"works", "off", "no IPsec", "odd"}).Draw(t, "server") {
	case "off":
		delete(rows, "/interface/l2tp-server/server")
	case "no IPsec":
		delete(server, "use-ipsec")
	case "odd":
		server["max-mtu"], server["authentication"], server["default-profile"] = "1350", "pap,mschap2", "others"
	}
	if chance("no pool", 3) {
		rows["/ip/pool"], rows["/ppp/profile"] = rows["/ip/pool"][1:], rows["/ppp/profile"][1:]
		if server["default-profile"] == "vpn" {
			server["default-profile"] = "others"
		}
	}
	drawDefaults(t, rows, chance)
	drawLAN(t, rows)
	drawTables(t, d.Version, rows, comment)
	return d, drawDefinition(t, chance)
}

// drawTables lets rules of several kinds send packets to the table of a second WAN, and
// drop packets before the filter sees them.
func drawTables(t *rapid.T, version string, rows map[string][]schema.Row, comment func() string) {
	some := func(name string, all ...schema.Row) []schema.Row {
		all = rapid.Permutation(all).Draw(t, name)[:rapid.IntRange(0, len(all)).Draw(t, "count of "+name)]
		for i, row := range all {
			all[i] = with(row.Clone(), comment())
		}
		return all
	}
	rules := "/routing/rule"
	if version == "6.49.7" {
		rules = "/ip/route/rule"
	} else {
		rows["/routing/table"] = []schema.Row{{"name": "wan2", "fib": ""}}
	}
	rows[rules] = some("routing rules",
		schema.Row{"src-address": "192.168.77.0/24", "table": "wan2"}, schema.Row{"src-address": "10.9.0.0/16", "table": "wan2", "action": "lookup-only-in-table"},
		schema.Row{"dst-address": "10.9.0.0/17", "table": "main"}, schema.Row{"routing-mark": "wan2", "table": "wan2"})
	rows["/ip/firewall/mangle"] = some("marks",
		schema.Row{"chain": "prerouting", "action": "mark-routing", "new-routing-mark": "wan2", "src-address": "192.168.77.0/25"},
		schema.Row{"chain": "prerouting", "action": "jump", "jump-target": "more"},
		schema.Row{"chain": "more", "action": "accept", "dst-address-type": "local"},
		schema.Row{"chain": "more", "action": "mark-routing", "new-routing-mark": "wan2", "src-address": "10.9.0.0/24"})
	rows["/ip/firewall/raw"] = some("raw rules",
		schema.Row{"chain": "prerouting", "action": "drop", "src-address": "10.0.0.0/8"}, schema.Row{"chain": "prerouting", "action": "drop", "protocol": "udp", "dst-port": "4500"},
		schema.Row{"chain": "prerouting", "action": "accept", "in-interface": "ether2"})
}

// drawLAN puts the LAN on an Ethernet port, a bridge, a bond, or a VLAN of either.
func drawLAN(t *rapid.T, rows map[string][]schema.Row) {
	on := rapid.SampledFrom([]string{"ether2", "bridge", "bond", "vlan"}).Draw(t, "LAN on")
	arp := rapid.SampledFrom([]string{"enabled", "proxy-arp", "local-proxy-arp"}).Draw(t, "arp")
	bridge, bond := schema.Row{"name": "bridge"}, schema.Row{"name": "bond", "slaves": "ether3,ether4"}
	switch on {
	case "ether2":
		return
	case "bridge":
		bridge["arp"] = arp
	case "bond":
		bond["arp"] = arp
	case "vlan":
		under := rapid.SampledFrom([]string{"bridge", "bond"}).Draw(t, "VLAN of")
		rows["/interface/vlan"] = []schema.Row{{"name": "vlan", "interface": under, "vlan-id": "20", "arp": arp}}
	}
	rows["/interface/bridge"], rows["/interface/bonding"] = []schema.Row{bridge}, []schema.Row{bond}
	for _, menu := range []string{"/ip/address", "/interface/list/member"} {
		for _, row := range rows[menu] {
			if row["interface"] == "ether2" {
				row["interface"] = on
			}
		}
	}
}

// drawFilter returns a firewall's rules in an order of chance, behind which nothing
// or everything is let in.
func drawFilter(t *rapid.T, comment func() string) []schema.Row {
	all := []schema.Row{
		{"chain": "input", "action": "accept", "connection-state": "established,related,untracked"},
		{"chain": "input", "action": "drop", "connection-state": "invalid"},
		{"chain": "input", "action": "accept", "protocol": "udp", "dst-port": "500,4500"},
		{"chain": "input", "action": "accept", "protocol": "udp", "dst-port": "1701", "ipsec-policy": "in,ipsec", "disabled": "yes"},
		{"chain": "input", "action": "drop", "in-interface": "ether1"},
		{"chain": "input", "action": "jump", "jump-target": "more", "protocol": "ipsec-esp"},
		{"chain": "more", "action": "drop", "src-address": "192.0.2.0/24"},
		{"chain": "forward", "action": "accept", "ipsec-policy": "in,ipsec"},
		{"chain": "forward", "action": "drop", "src-address": "10.0.0.0/8"},
	}
	var rules []schema.Row
	for _, row := range rapid.Permutation(all).Draw(t, "rules")[:rapid.IntRange(0, len(all)).Draw(t, "count")] {
		rules = append(rules, with(row.Clone(), comment()))
	}
	return rules
}

// drawDefaults lets others use the rows that belong to RouterOS itself, and people
// change them.
func drawDefaults(t *rapid.T, rows map[string][]schema.Row, chance func(string, int) bool) {
	profile, proposal := schema.Row{"name": "default"}, schema.Row{"name": "default"}
	for _, edit := range []struct {
		row        schema.Row
		name, list string
	}{
		{profile, "dh-group", "modp1024,modp2048"},
		{profile, "enc-algorithm", "aes-128,3des"},
		{profile, "lifetime", "8h"},
		{proposal, "pfs-group", "none"},
		{proposal, "enc-algorithms", "aes-128-cbc"},
		{proposal, "auth-algorithms", "sha256,sha1"},
	} {
		if chance(edit.name, 2) {
			edit.row[edit.name] = edit.list
		}
	}
	rows["/ip/ipsec/profile"], rows["/ip/ipsec/proposal"] = []schema.Row{profile, {"name": "p1"}}, []schema.Row{proposal, {"name": "p2"}}
	if chance("own profile", 2) {
		rows["/ip/ipsec/peer"][0]["profile"] = "p1"
	}
	if chance("own proposal", 2) || len(rows["/ip/ipsec/policy"]) > 0 && proposal["pfs-group"] == "" {
		rows["/ip/ipsec/policy"][0]["proposal"] = "p2"
	}
}

func drawDefinition(t *rapid.T, chance func(string, int) bool) vpn.DialIn {
	dialin := office()
	dialin.PSK, dialin.PSKMark = "", ""
	dialin.Setup = &vpn.DialInSetup{Ranges: []string{"10.9.0.2-10.9.0.99"}, Local: netip.MustParseAddr("10.9.0.1"), Return: vpn.ByGateway, Legacy: chance("legacy", 4)}
	switch rapid.SampledFrom([]string{"gateway", "proxy-arp", "masquerade", "wider"}).Draw(t, "return") {
	case "proxy-arp":
		dialin.Setup.Ranges, dialin.Setup.Local, dialin.Setup.Return = []string{"192.168.77.200-192.168.77.220"}, netip.MustParseAddr("192.168.77.1"), vpn.ByProxyARP
	case "masquerade":
		dialin.Setup.Return = vpn.ByMasquerade
	case "wider":
		dialin.Setup.Ranges = []string{"10.9.0.2-10.9.0.99", "10.9.2.2-10.9.2.9"}
	}
	if chance("names", 2) {
		dialin.Setup.DNS = []netip.Addr{netip.MustParseAddr("192.168.77.1")}
	}
	return dialin
}

// serverPlanner plans a change to the server of the world as it is then. of is what
// it is to be like.
func (w *world) serverPlanner(verb string, of vpn.DialIn) func() (change.Plan, error) {
	return func() (change.Plan, error) {
		snap, err := w.fleet.Snapshot(w.Context(), "gw-hq", vpn.SetupMenus()...)
		if err != nil {
			w.Fatal(err)
		}
		in := vpn.SetupDialIn{
			Intent: change.Intent{Verb: verb, Site: "hq", Handover: "olga"}, Site: w.estate.Sites[0], DialIn: of, Snapshot: snap, Model: ike.Model{},
			Definition: change.DefinitionRef{Kind: vpn.KindDialIn, Name: "hq"},
		}
		in.Site.LAN = in.Site.LAN[:1]
		if def, err := w.ledger.Definition(w.Context(), vpn.KindDialIn, "hq"); err == nil {
			held, err := vpn.DecodeDialIn(def)
			if err != nil {
				w.Fatal(err)
			}
			in.Definition, in.Held = def.DefinitionRef, &held
			in.DialIn.PSK, in.DialIn.PSKMark = held.PSK, held.PSKMark
		}
		if verb == "rotate l2tp" {
			in.PSK, in.Mark = "psk-ref", fmt.Sprintf("psk:%08d", in.Definition.Version+1)
			return vpn.PlanRotateL2TP(in)
		}
		if vpn.NeedsKey(snap) {
			in.PSK, in.Mark = "psk-ref", "psk:00112233"
		}
		return vpn.PlanDialIn(in)
	}
}

// Ensure a dial-in server set up on any router, changed and given another key, comes
// to exactly the planned rows, or to none when a write is refused; that all other
// rows stay byte for byte; and that there is nothing to be done again.
func TestEngine_Server_Worlds(t *testing.T) {
	worlds := 40
	if sparse {
		worlds /= 4
	}
	outcomes := map[string]int{}
	property(t, worlds, func(t *rapid.T) {
		d, dialin := drawServer(t)
		w := deskWorld(t, d)
		defer w.close()
		w.leaveOpen(d)
		try := func(verb string, of vpn.DialIn) (done bool) {
			strike := max(0, rapid.IntRange(-6, 9).Draw(t, "refused write"))
			r, outcome := trial{w, []string{"gw-hq"}, w.serverPlanner(verb, of), strike, strike == 0}.play()
			outcomes[verb+": "+outcome]++
			if done = r.State == change.Applied || r.State == change.Unproven; done && verb != "rotate l2tp" {
				if plan, again := planOf(w, w.serverPlanner(verb, of)); plan != nil {
					w.Errorf("%s, planned again: %+v, definition %s", verb, plan.Steps, plan.Defines)
				} else if again != "nothing to do" {
					w.Errorf("%s, planned again: %s", verb, again)
				}
			}
			return done
		}
		try("dialin setup", dialin)
		next := drawDefinition(t, func(name string, of int) bool { return rapid.IntRange(1, of).Draw(t, name) == of })
		time.Sleep(time.Minute)
		try("dialin set", next)
		if drawn := rapid.Bool().Draw(t, "two keys"); try("rotate l2tp", next) && drawn {
			once := alike(unmarked(w.whole("gw-hq")))
			try("rotate l2tp", next)
			if diff := cmp.Diff(once, alike(unmarked(w.whole("gw-hq")))); diff != "" {
				t.Errorf("another key twice (-once +twice):\n%s", diff)
			}
		}
	})
	t.Log(outcomes)
}

// leaveOpen does to rules what WinBox and RouterOS themselves do.
func (w *world) leaveOpen(d desk) {
	w.Helper()
	hq := w.in.Router("gw-hq")
	for i, row := range hq.Rows("/ip/firewall/filter") {
		force := schema.Row{}
		if d.Opened && i%3 == 0 {
			force["src-address-type"] = ""
		}
		if d.Opened && i == 0 {
			force["dynamic"] = "true"
		}
		if len(force) == 0 {
			continue
		}
		if err := hq.Force("/ip/firewall/filter", row[schema.ID], force); err != nil {
			w.Fatal(err)
		}
	}
}
