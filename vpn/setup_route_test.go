package vpn_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

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
		row := schema.Row{"chain": "prerouting", "action": "mark-routing", "new-routing-mark": "main"}
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
		"by a list":            {[]schema.Row{mark("in-interface-list", "LAN")}, []string{exempt}},
		"by a connection mark": {[]schema.Row{mark("connection-mark", "wan2")}, []string{exempt}},
		"in a chain of its own": {[]schema.Row{
			{"chain": "prerouting", "action": "jump", "jump-target": "pcc"},
			func() schema.Row { r := mark(); r["chain"] = "pcc"; return r }(),
		}, []string{exempt}},
		"from the other side":       {[]schema.Row{mark("in-interface", "ether1")}, nil},
		"switched off":              {[]schema.Row{mark("disabled", "yes")}, nil},
		"of something else":         {[]schema.Row{mark("src-address", "10.0.0.0/8")}, nil},
		"to somewhere else":         {[]schema.Row{mark("dst-address", "10.0.0.0/8")}, nil},
		"local packets let through": {[]schema.Row{{"chain": "prerouting", "action": "accept", "dst-address": "192.168.0.0/16"}, mark()}, nil},
		"the router's own":          {[]schema.Row{func() schema.Row { r := mark(); r["chain"] = "output"; return r }()}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newDialInWorld(t)
				for _, row := range slices.Backward(tt.rules) {
					w.add(menu, row, 0)
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
