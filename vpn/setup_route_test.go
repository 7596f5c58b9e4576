package vpn_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// planned plans, carries out, sees that nothing is left to do, and returns the steps of
// a menu.
func (w *dialInWorld) planned(menu string) []string {
	w.Helper()
	p, err := vpn.PlanDialIn(w.input())
	if err != nil {
		w.Fatal(err)
	}
	var got []string
	for _, s := range p.Steps {
		if s.Menu == menu {
			got = append(got, strings.TrimSpace(s.After["chain"]+" "+s.After["action"]+" "+s.After["src-address"]+" "+s.After["dst-address"]+" "+s.After["out-interface"]))
		}
	}
	w.carryOut(p)
	again, err := vpn.PlanDialIn(w.input())
	if err != nil || len(again.Steps) > 0 {
		w.Errorf("then %v\n%s", err, stepWords(again))
	}
	return got
}

// Ensure answers from the LAN to clients are kept out of the marking for a WAN's table
// where a rule may mark them, and that nothing is planned where none does.
func TestPlanDialIn_Unmarked(t *testing.T) {
	const menu = "/ip/firewall/mangle"
	mark := func(pairs ...string) schema.Row {
		row := schema.Row{"chain": "prerouting", "action": "mark-routing", "new-routing-mark": "wan2"}
		for i := 0; i+1 < len(pairs); i += 2 {
			row[pairs[i]] = pairs[i+1]
		}
		return row
	}
	const exempt = "prerouting accept  192.168.178.10-192.168.178.99"
	for name, tt := range map[string]struct {
		rules []schema.Row
		want  []string
	}{
		"no rules":             {nil, nil},
		"all of the LAN":       {[]schema.Row{mark("src-address", "192.168.77.0/24")}, []string{exempt}},
		"by its interface":     {[]schema.Row{mark("in-interface", "ether2")}, []string{exempt}},
		"by a list":            {[]schema.Row{mark("in-interface-list", "LAN")}, []string{exempt, "prerouting accept 192.168.178.10-192.168.178.99 192.168.77.0/24"}},
		"by a connection mark": {[]schema.Row{mark("connection-mark", "wan2", "in-interface", "ether2")}, []string{exempt}},
		"in a chain of its own": {[]schema.Row{
			{"chain": "prerouting", "action": "jump", "jump-target": "pcc"},
			func() schema.Row { r := mark("in-interface", "ether2"); r["chain"] = "pcc"; return r }(),
		}, []string{exempt}},
		"from the other side":       {[]schema.Row{mark("in-interface", "ether1")}, nil},
		"switched off":              {[]schema.Row{mark("disabled", "yes")}, nil},
		"of something else":         {[]schema.Row{mark("src-address", "10.0.0.0/8")}, nil},
		"to somewhere else":         {[]schema.Row{mark("dst-address", "10.0.0.0/8")}, nil},
		"local packets let through": {[]schema.Row{{"chain": "prerouting", "action": "accept", "dst-address": "192.168.0.0/16"}, mark()}, nil},
		"to the main table":         {[]schema.Row{mark("new-routing-mark", "main", "passthrough", "no"), mark()}, nil},
		"accepted in a chain that was jumped to": {[]schema.Row{
			{"chain": "prerouting", "action": "jump", "jump-target": "local"},
			{"chain": "local", "action": "accept", "dst-address": "192.168.0.0/16"},
			mark(),
		}, nil},
		"returned from a chain that was jumped to": {[]schema.Row{
			{"chain": "prerouting", "action": "jump", "jump-target": "local"},
			{"chain": "local", "action": "return", "dst-address": "192.168.0.0/16"},
			mark("in-interface", "ether2"),
		}, []string{exempt}},
		"perhaps accepted in a chain": {[]schema.Row{
			{"chain": "prerouting", "action": "jump", "jump-target": "local"},
			{"chain": "local", "action": "accept", "dst-address-list": "ours"},
			mark("in-interface", "ether2"),
		}, []string{exempt}},
		"answers alone":                    {[]schema.Row{mark("in-interface", "ether2", "connection-state", "established")}, []string{exempt}},
		"some ports alone":                 {[]schema.Row{mark("in-interface", "ether2", "protocol", "tcp", "src-port", "80")}, []string{exempt}},
		"what clients ask for":             {[]schema.Row{mark("src-address", "192.168.178.0/24")}, []string{"prerouting accept 192.168.178.10-192.168.178.99 192.168.77.0/24"}},
		"what clients ask of the Internet": {[]schema.Row{mark("src-address", "192.168.178.0/24", "dst-address", "!192.168.0.0/16")}, nil},
		"both ways":                        {[]schema.Row{mark()}, []string{exempt, "prerouting accept 192.168.178.10-192.168.178.99 192.168.77.0/24"}},
		"connections marked, and no more": {[]schema.Row{
			{"chain": "prerouting", "action": "mark-connection", "new-connection-mark": "lan", "in-interface": "ether2", "passthrough": "no"},
			mark("in-interface", "ether2"),
		}, nil},
		"the router's own": {[]schema.Row{func() schema.Row { r := mark(); r["chain"] = "output"; return r }()}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newDialInWorld(t)
				w.put("/routing/table", schema.Row{"name": "wan2", "fib": ""})
				for _, row := range tt.rules {
					w.put(menu, row)
				}
				if got := w.planned(menu); !slices.Equal(got, tt.want) {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			})
		})
	}
}

// Ensure clients are hidden behind a WAN where the LAN is and they are not, and only
// where rules let them out at all.
func TestPlanDialIn_Translation(t *testing.T) {
	const menu = "/ip/firewall/nat"
	const hidden = "srcnat masquerade 192.168.178.10-192.168.178.99  ether1"
	lanOnly := schema.Row{"chain": "srcnat", "action": "masquerade", "src-address": "192.168.77.0/24", "out-interface": "ether1"}
	for name, tt := range map[string]struct {
		nat, filter []schema.Row
		want        []string
	}{
		"everybody":           {[]schema.Row{{"chain": "srcnat", "action": "masquerade", "out-interface-list": "WAN"}}, nil, nil},
		"the LAN alone":       {[]schema.Row{lanOnly}, nil, []string{hidden}},
		"nobody":              {nil, nil, nil},
		"switched off":        {[]schema.Row{{"chain": "srcnat", "action": "masquerade", "out-interface": "ether1", "disabled": "yes"}}, nil, nil},
		"clients kept inside": {[]schema.Row{lanOnly}, []schema.Row{{"chain": "forward", "action": "drop", "src-address": "192.168.178.0/24", "dst-address": "!192.168.77.0/24"}}, nil},
		"an address of its own": {
			[]schema.Row{{"chain": "srcnat", "action": "src-nat", "to-addresses": "203.0.113.11", "src-address": "192.168.178.0/24"}, lanOnly}, nil, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newDialInWorld(t)
				for _, row := range w.router.Rows(menu) {
					if err := w.router.Remove(menu, row[schema.ID]); err != nil {
						t.Fatal(err)
					}
				}
				for _, row := range slices.Backward(tt.nat) {
					w.add(menu, row, 0)
				}
				for _, row := range slices.Backward(tt.filter) {
					w.add("/ip/firewall/filter", row, 0)
				}
				if got := w.planned(menu); !slices.Equal(got, tt.want) {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			})
		})
	}
}

// Ensure a router that itself dials out with IPsec is among those who negotiate with
// the default rows.
func TestPlanDialIn_Calls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for use, want := range map[string]bool{"yes": true, "no": false} {
			w := newDialInWorld(t)
			if _, err := w.router.Add("/interface/l2tp-client", schema.Row{
				"name": "to-provider", "connect-to": "198.51.100.9", "user": "x", "use-ipsec": use, "disabled": "no",
			}); err != nil {
				t.Fatal(err)
			}
			w.setDefault("/ip/ipsec/proposal", schema.Row{"pfs-group": "none"})
			p, err := vpn.PlanDialIn(w.input())
			if err != nil {
				t.Fatal(err)
			}
			named := false
			for _, b := range p.Blast {
				named = named || b.ID == "plan.dialin.blast.shared" && b.Args["user"].Str == "to-provider"
			}
			if named != want {
				t.Errorf("use-ipsec=%s: named %v, want %v: %+v", use, named, want, p.Blast)
			}
		}
	})
}

// Ensure routing rules by which answers to clients, or what they ask of the LAN, end in
// a WAN's table are excepted above them, in the menu that the version has, and that a
// rule that drops them is refused.
func TestPlanDialIn_Rules(t *testing.T) {
	rule := func(pairs ...string) schema.Row {
		row := schema.Row{"action": "lookup", "table": "wan2"}
		for i := 0; i+1 < len(pairs); i += 2 {
			row[pairs[i]] = pairs[i+1]
		}
		return row
	}
	back := []string{" 192.168.178.16/28", " 192.168.178.12/30", " 192.168.178.10/31"}
	there := []string{"192.168.178.16/28 192.168.77.0/24", "192.168.178.12/30 192.168.77.0/24", "192.168.178.10/31 192.168.77.0/24"}
	slices.Reverse(back)
	slices.Reverse(there)
	for name, tt := range map[string]struct {
		rules   []schema.Row
		want    []string
		refused string
	}{
		"none":                        {nil, nil, ""},
		"the LAN by its source":       {[]schema.Row{rule("src-address", "192.168.77.0/24")}, back, ""},
		"one host of it":              {[]schema.Row{rule("src-address", "192.168.77.30/32")}, back, ""},
		"the LAN by its interface":    {[]schema.Row{rule("interface", "ether2")}, back, ""},
		"the clients by their source": {[]schema.Row{rule("src-address", "192.168.178.0/24", "action", "lookup-only-in-table")}, there, ""},
		"everybody":                   {[]schema.Row{rule()}, append(slices.Clone(back), there...), ""},
		"ours stay":                   {[]schema.Row{rule("dst-address", "192.168.0.0/16", "table", "main"), rule()}, nil, ""},
		"some of ours stay":           {[]schema.Row{rule("dst-address", "192.168.178.12/32", "table", "main"), rule("interface", "ether2")}, back, ""},
		"what is marked":              {[]schema.Row{rule("routing-mark", "wan2")}, nil, ""},
		"switched off":                {[]schema.Row{rule("disabled", "yes")}, nil, ""},
		"the WAN's own address":       {[]schema.Row{rule("src-address", "203.0.113.10/32")}, nil, ""},
		"dropped":                     {[]schema.Row{rule("src-address", "192.168.77.0/24", "dst-address", "192.168.0.0/16", "action", "unreachable")}, nil, "plan.refuse.dialin_rule"},
	} {
		for version, menu := range map[string]string{"7.22.3": "/routing/rule", "6.49.7": "/ip/route/rule"} {
			t.Run(name+" "+version, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := dialInWorldOf(t, version)
					set := *w.dialin.Setup
					set.Ranges, w.dialin.Setup = []string{"192.168.178.10-192.168.178.31"}, &set
					if version != "6.49.7" {
						w.put("/routing/table", schema.Row{"name": "wan2", "fib": ""})
					}
					for _, row := range tt.rules {
						w.put(menu, row)
					}
					if tt.refused != "" {
						if p, err := vpn.PlanDialIn(w.input()); !refused(err, tt.refused) {
							t.Errorf("got %v with\n%s\nwant %s", err, stepWords(p), tt.refused)
						}
						return
					}
					p, err := vpn.PlanDialIn(w.input())
					if err != nil {
						t.Fatal(err)
					}
					var got []string
					for _, s := range p.Steps {
						if s.Menu == menu {
							got = append(got, s.After["src-address"]+" "+s.After["dst-address"])
							if s.After["table"] != "main" || s.Place != change.TopPlace {
								t.Errorf("plans %+v", s)
							}
						}
					}
					if !slices.Equal(got, tt.want) {
						t.Errorf("got %q, want %q", got, tt.want)
					}
					w.carryOut(p)
					if again, err := vpn.PlanDialIn(w.input()); err != nil || len(again.Steps) > 0 {
						t.Errorf("then %v\n%s", err, stepWords(again))
					}
				})
			})
		}
	}
}

// Ensure answers to clients that are hidden behind the router's own address are kept
// from being marked, too: they go to that address when marks are set.
func TestPlanDialIn_UnmarkedOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for rule, want := range map[string][]string{
			"":       {"prerouting accept  192.168.178.10-192.168.178.99", "prerouting accept  192.168.77.1/32"},
			"!local": {"prerouting accept  192.168.178.10-192.168.178.99"},
		} {
			w := newDialInWorld(t)
			set := *w.dialin.Setup
			set.Return, w.dialin.Setup = vpn.ByMasquerade, &set
			w.put("/routing/table", schema.Row{"name": "wan2", "fib": ""})
			row := schema.Row{"chain": "prerouting", "action": "mark-routing", "new-routing-mark": "wan2", "in-interface": "ether2"}
			if rule != "" {
				row["dst-address-type"] = rule
			}
			w.put("/ip/firewall/mangle", row)
			if got := w.planned("/ip/firewall/mangle"); !slices.Equal(got, want) {
				t.Errorf("%q: got %q, want %q", rule, got, want)
			}
		}
	})
}
