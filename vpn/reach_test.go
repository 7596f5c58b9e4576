package vpn_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// dialled is a dial-in server at hq with these addresses, whose clients reach sites.
func dialled(ranges, local string, reach ...string) vpn.DialIn {
	return vpn.DialIn{
		Site: "hq", Router: "gw-hq", Server: "vpn.example.com", Pool: "vpn-pool", Profile: "vpn-users",
		Setup: &vpn.DialInSetup{
			Ranges: strings.Split(ranges, ","), Local: netip.MustParseAddr(local), Return: vpn.ByGateway, Reach: reach,
		},
	}
}

// Ensure a tunnel carries the smallest network of a pool, with the router's address in
// sessions where that brings in nothing else, and none where the tunnel carries the
// clients anyway or the server's definition does not list the other site.
func TestTunnel_Reached(t *testing.T) {
	in := narrow(redoWorld())
	for _, tt := range []struct {
		dialin vpn.DialIn
		want   string
	}{
		{dialled("192.168.178.10-192.168.178.99", "192.168.178.1", "fengshan"), "192.168.178.0/25"},
		{dialled("192.168.178.10-192.168.178.99", "192.168.178.1", "Fengshan"), "192.168.178.0/25"},
		{dialled("10.9.0.16-10.9.0.31", "192.168.77.1", "fengshan"), "10.9.0.16/28"},
		{dialled("10.9.0.16-10.9.0.20,10.9.1.4", "10.9.0.1", "fengshan"), "10.9.0.0/23"},
		{dialled("10.9.0.16/28", "10.200.0.1", "fengshan"), "10.9.0.16/28"},
		{dialled("10.9.0.16/28", "10.9.0.1", "taichung"), ""},
		{dialled("10.9.0.16/28", "10.9.0.1"), ""},
		{dialled(in.Tunnel.Ends[0].Prefixes[0].String(), "10.9.0.1", "fengshan"), ""},
		{vpn.DialIn{Site: "hq", Router: "gw-hq"}, ""},
	} {
		got := in.Tunnel.Reached([]vpn.DialIn{tt.dialin}, in.Estate)
		var pools []string
		for _, p := range got.Ends[0].Pools {
			pools = append(pools, p.String())
		}
		if strings.Join(pools, ",") != tt.want || len(got.Ends[1].Pools) > 0 {
			t.Errorf("%v: got %v and %v, want %s", tt.dialin.Setup, got.Ends[0].Pools, got.Ends[1].Pools, tt.want)
		}
		want := len(in.Tunnel.Expect(in.Estate).Ends[0].Policies) + len(pools)*len(in.Tunnel.Ends[1].Prefixes)
		for i, end := range got.Expect(in.Estate).Ends {
			if len(end.Policies) != want {
				t.Errorf("%v: end %d expects %d policies, want %d", tt.dialin.Setup, i, len(end.Policies), want)
			}
		}
	}
}

// Ensure what keeps clients from a site is said, and that what works is not.
func TestDialIn_ReachProblems(t *testing.T) {
	in := narrow(redoWorld())
	foreign := in.Tunnel
	foreign.Name, foreign.Ends[1] = "hq-partner", vpn.End{Site: "taichung", Router: "not ours"}
	other := dialled("10.9.0.0/25", "10.9.0.200")
	other.Site, other.Router = "fengshan", "gw-fengshan"
	for _, tt := range []struct {
		name   string
		dialin vpn.DialIn
		want   string
	}{
		{"works", dialled("10.8.0.16/28", "10.8.0.1", "fengshan"), ""},
		{"lists none", dialled("192.168.99.16/28", "10.9.0.1"), ""},
		{"unknown", dialled("10.8.0.16/28", "10.8.0.1", "kaohsiung"), "problem.reach_site"},
		{"its own", dialled("10.8.0.16/28", "10.8.0.1", "hq"), "problem.reach_own"},
		{"twice", dialled("10.8.0.16/28", "10.8.0.1", "fengshan", "fengshan"), "problem.reach_twice"},
		{"no tunnel", func() vpn.DialIn { d := dialled("10.8.0.16/28", "10.8.0.1", "fengshan"); d.Router = "gw-2"; return d }(), "problem.reach_no_tunnel"},
		{"not ours", dialled("10.8.0.16/28", "10.8.0.1", "taichung"), "problem.reach_foreign"},
		{"another's lan", dialled("192.168.99.16/28", "10.8.0.1", "fengshan"), "problem.reach_lan"},
		{"another's clients", dialled("10.9.0.64/27", "10.9.0.1", "fengshan"), "problem.reach_pool"},
		{"part of the tunnel", dialled("192.168.76.0/23", "10.8.0.1", "fengshan"), "problem.reach_tunnel"},
	} {
		err := vpn.CheckReach(tt.dialin, in.Estate, []vpn.Tunnel{in.Tunnel, foreign}, []vpn.DialIn{tt.dialin, other})
		got := ""
		if refusal, ok := errors.AsType[*vpn.Refusal](err); ok {
			got = refusal.Text.Args["problem"].Text.ID
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// reachWorld is redoWorld with rules that let nothing through by themselves.
func reachWorld() vpn.ReachChange {
	in := vpn.ReachChange{TunnelChange: narrow(redoWorld()), Server: change.DefinitionRef{Kind: vpn.KindDialIn, Name: "hq", Version: 3}}
	for i := range in.Snapshots {
		menus := in.Snapshots[i].Menus
		menus["/ip/firewall/filter"] = []schema.Row{
			{"chain": "forward", "action": "accept", "connection-state": "established,related"},
			{"chain": "forward", "action": "drop"},
		}
		menus["/interface/list/member"] = nil
		menus["/ppp/profile"] = []schema.Row{{"name": "vpn-users", "local-address": "10.8.0.1"}}
	}
	in.Intent = change.Intent{Verb: "dialin set", Site: "hq", Far: "fengshan"}
	in.DialIns[0] = dialled("10.8.0.16/28", "10.8.0.1")
	in.DialIn = dialled("10.8.0.16/28", "10.8.0.1", "fengshan")
	return in
}

// Ensure clients get policies, bypasses and rules at both ends, with the definition of
// the server beside that of the tunnel; that the policies of before stay on; and that
// a plan which takes them back leaves nothing of them.
func TestPlanReach(t *testing.T) {
	in := reachWorld()
	p, err := vpn.PlanReach(in)
	if err != nil {
		t.Fatal(err)
	}
	has := func(router, menu string, action schema.Action, pairs ...string) bool {
		return slices.ContainsFunc(p.Steps, func(s change.Step) bool {
			row := s.After
			if action == schema.Remove {
				row = s.Before
			}
			for i := 0; i+1 < len(pairs); i += 2 {
				if row[pairs[i]] != pairs[i+1] {
					return false
				}
			}
			return s.Router == router && s.Menu == menu && s.Action == action
		})
	}
	far := in.Tunnel.Ends[1].Prefixes[0].String()
	for _, want := range []bool{
		has("gw-hq", "/ip/ipsec/policy", schema.Add, "src-address", "10.8.0.0/27", "dst-address", far),
		has("gw-fengshan", "/ip/ipsec/policy", schema.Add, "src-address", far, "dst-address", "10.8.0.0/27"),
		has("gw-hq", "/ip/firewall/nat", schema.Add, "src-address", "10.8.0.0/27", "dst-address", far, "action", "accept"),
		has("gw-fengshan", "/ip/firewall/nat", schema.Add, "src-address", far, "dst-address", "10.8.0.0/27", "action", "accept"),
		has("gw-hq", "/ip/firewall/filter", schema.Add, "src-address", "10.8.0.0/27", "dst-address", far, "chain", "forward"),
		has("gw-fengshan", "/ip/firewall/filter", schema.Add, "src-address", "10.8.0.0/27", "dst-address", far, "ipsec-policy", "in,ipsec"),
	} {
		if !want {
			t.Fatalf("a row is missing in\n%s", stepWords(p))
		}
	}
	for _, s := range p.Steps {
		if s.Menu == "/ip/ipsec/policy" && (s.Action == schema.Disable || s.Action == schema.Remove) {
			t.Errorf("step %d takes a policy away", s.ID)
		}
	}
	if len(p.Also) != 1 || p.Also[0].DefinitionRef != in.Server || p.Definition.Kind != vpn.KindTunnel {
		t.Errorf("defines %+v beside %+v", p.Also, p.Definition)
	}
	again, err := vpn.PlanReach(reachWorld())
	if err != nil {
		t.Fatal(err)
	}
	a, _ := p.Digest()
	if b, _ := again.Digest(); a != b {
		t.Error("the same input gives another plan")
	}
}

// Ensure networks of clients that the other router has itself, gives away or sends
// elsewhere are refused.
func TestPlanReach_Refused(t *testing.T) {
	for want, edit := range map[string]func(menus map[string][]schema.Row){
		"plan.refuse.add_connected": func(menus map[string][]schema.Row) {
			menus["/ip/address"] = append(menus["/ip/address"], schema.Row{"address": "10.8.0.9/24", "interface": "ether5"})
		},
		"plan.refuse.add_pool": func(menus map[string][]schema.Row) {
			menus["/ip/pool"] = append(menus["/ip/pool"], schema.Row{"name": "guests", "ranges": "10.8.0.8-10.8.0.20"})
		},
		"plan.refuse.add_overlap": func(menus map[string][]schema.Row) {
			menus["/ip/ipsec/policy"] = append(menus["/ip/ipsec/policy"], schema.Row{
				"src-address": "192.168.88.0/24", "dst-address": "10.8.0.0/16", "peer": "partner", "tunnel": "true", "proposal": "default",
			})
		},
	} {
		in := reachWorld()
		edit(in.Snapshots[1].Menus)
		_, err := vpn.PlanReach(in)
		var refusal *vpn.Refusal
		if !errors.As(err, &refusal) || refusal.Text.ID != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
