package vpn_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// twoWANs gives the router a second WAN.
func (w *dialInWorld) twoWANs() {
	w.Helper()
	w.site.WANs = append(slices.Clone(w.site.WANs), vpn.WAN{Interface: "ether3", Address: netip.MustParseAddr("198.51.100.130"), DNS: "backup.example.com", NAT: vpn.NoNAT, Role: vpn.Both})
	w.put("/ip/address", schema.Row{"address": "198.51.100.130/25", "interface": "ether3"})
	w.put("/interface/list/member", schema.Row{"list": "WAN", "interface": "ether3"})
}

// warned are the warnings of a plan that begin with a word.
func warned(p change.Plan, prefix string) []string {
	var ids []string
	for _, x := range p.Warnings {
		if id := strings.TrimPrefix(x.ID, "plan.warn."); strings.HasPrefix(id, prefix) {
			ids = append(ids, id)
		}
	}
	return ids
}

// Ensure a site with several WANs is told by which of them clients must come, and that
// a server at the WAN by which no answer leaves is refused, unless rules send answers
// back.
func TestPlanDialIn_WANs(t *testing.T) {
	const first, second = "203.0.113.1", "198.51.100.129"
	route := func(gateway string, pairs ...string) schema.Row {
		row := schema.Row{"dst-address": "0.0.0.0/0", "gateway": gateway}
		for i := 0; i+1 < len(pairs); i += 2 {
			row[pairs[i]] = pairs[i+1]
		}
		return row
	}
	type rows = map[string][]schema.Row
	for name, tt := range map[string]struct {
		server string
		routes []schema.Row
		rows   rows
		want   string // a warning or a refusal
	}{
		"nothing known":           {"vpn.example.com", nil, nil, "dialin_wans"},
		"a name of nobody":        {"vpn.example.com", []schema.Row{route(first)}, nil, "dialin_wan_name"},
		"the default WAN":         {"203.0.113.10", []schema.Row{route(first)}, nil, "dialin_wan_failover"},
		"the second WAN":          {"198.51.100.130", []schema.Row{route(first)}, nil, "plan.refuse.dialin_wan"},
		"the second WAN by name":  {"Backup.example.com", []schema.Row{route(first)}, nil, "plan.refuse.dialin_wan"},
		"by interface":            {"198.51.100.130", []schema.Row{route("ether1")}, nil, "plan.refuse.dialin_wan"},
		"the default is second":   {"198.51.100.130", []schema.Row{route(second + "%ether3")}, nil, "dialin_wan_failover"},
		"both":                    {"198.51.100.130", []schema.Row{route(first), route(second)}, nil, "dialin_wan_failover"},
		"switched off":            {"198.51.100.130", []schema.Row{route(first, "disabled", "yes"), route(second)}, nil, "dialin_wan_failover"},
		"another table":           {"198.51.100.130", []schema.Row{route(first), route(second, "routing-table", "wan2")}, nil, "plan.refuse.dialin_wan"},
		"a gateway that is far":   {"198.51.100.130", []schema.Row{route("9.9.9.9")}, nil, "dialin_wans"},
		"marked by connection":    {"198.51.100.130", []schema.Row{route(first)}, rows{"/ip/firewall/mangle": {{"chain": "output", "action": "mark-routing", "new-routing-mark": "wan2", "connection-mark": "in2"}}}, "dialin_wan_marked"},
		"marked by its address":   {"198.51.100.130", []schema.Row{route(first)}, rows{"/ip/firewall/mangle": {{"chain": "output", "action": "mark-routing", "new-routing-mark": "wan2", "src-address": "198.51.100.130"}}}, "dialin_wan_marked"},
		"marked for another":      {"198.51.100.130", []schema.Row{route(first)}, rows{"/ip/firewall/mangle": {{"chain": "output", "action": "mark-routing", "new-routing-mark": "wan2", "src-address": "203.0.113.10"}}}, "plan.refuse.dialin_wan"},
		"a rule for its address":  {"198.51.100.130", []schema.Row{route(first)}, rows{"/routing/rule": {{"action": "lookup", "table": "wan2", "src-address": "198.51.100.130/32"}}}, "dialin_wan_marked"},
		"a rule for another":      {"198.51.100.130", []schema.Row{route(first)}, rows{"/routing/rule": {{"action": "lookup", "table": "wan2", "src-address": "203.0.113.10/32"}}}, "plan.refuse.dialin_wan"},
		"a rule for main":         {"198.51.100.130", []schema.Row{route(first)}, rows{"/routing/rule": {{"action": "lookup", "table": "main", "src-address": "198.51.100.130/32"}}}, "plan.refuse.dialin_wan"},
		"nothing but other chain": {"198.51.100.130", []schema.Row{route(first)}, rows{"/ip/firewall/mangle": {{"chain": "prerouting", "action": "mark-routing", "new-routing-mark": "wan2", "in-interface": "ether3"}}}, "plan.refuse.dialin_wan"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newDialInWorld(t)
				w.twoWANs()
				w.dialin.Server = tt.server
				w.put("/routing/table", schema.Row{"name": "wan2", "fib": ""})
				for _, row := range tt.routes {
					w.put("/ip/route", row)
				}
				for menu, list := range tt.rows {
					for _, row := range list {
						w.put(menu, row)
					}
				}
				p, err := vpn.PlanDialIn(w.input())
				if strings.HasPrefix(tt.want, "plan.refuse.") {
					if !refused(err, tt.want) {
						t.Errorf("got %v and %v, want %s", err, warned(p, "dialin_wan"), tt.want)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if got := warned(p, "dialin_wan"); !slices.Equal(got, []string{tt.want}) {
					t.Errorf("warns %v, want %s", got, tt.want)
				}
			})
		})
	}
}

// Ensure a router that hands IKE on to somebody else is refused, and one that perhaps
// does is told of; the redirections that most routers have do not matter.
func TestPlanDialIn_Forwarded(t *testing.T) {
	dst := func(pairs ...string) schema.Row {
		row := schema.Row{"chain": "dstnat", "action": "dst-nat", "to-addresses": "192.168.77.5"}
		for i := 0; i+1 < len(pairs); i += 2 {
			row[pairs[i]] = pairs[i+1]
		}
		return row
	}
	for name, tt := range map[string]struct {
		rules []schema.Row
		want  string
	}{
		"an older server behind":   {[]schema.Row{dst("protocol", "udp", "dst-port", "500,4500,1701", "in-interface", "ether1")}, "plan.refuse.dialin_forwarded"},
		"everything":               {[]schema.Row{dst("in-interface-list", "WAN")}, "plan.refuse.dialin_forwarded"},
		"the address of a host":    {[]schema.Row{dst("dst-address", "203.0.113.11")}, ""},
		"the server's own address": {[]schema.Row{dst("dst-address", "203.0.113.10")}, "plan.refuse.dialin_forwarded"},
		"web, and back":            {[]schema.Row{dst("protocol", "tcp", "dst-port", "80,443", "dst-address", "203.0.113.10"), {"chain": "srcnat", "action": "masquerade", "src-address": "192.168.77.0/24", "dst-address": "192.168.77.0/24"}}, ""},
		"accepted above":           {[]schema.Row{{"chain": "dstnat", "action": "accept", "protocol": "udp", "dst-port": "500,4500"}, dst("in-interface", "ether1")}, ""},
		"in a chain of its own":    {[]schema.Row{{"chain": "dstnat", "action": "jump", "jump-target": "in", "dst-address-type": "local"}, dst("chain", "in", "protocol", "udp")}, "plan.refuse.dialin_forwarded"},
		"for some at times":        {[]schema.Row{dst("protocol", "udp", "time", "8h-17h,mon,tue")}, "plan.warn.dialin_forwarded"},
		"for some hosts":           {[]schema.Row{dst("protocol", "udp", "src-address-list", "partners")}, ""},
		"switched off":             {[]schema.Row{dst("disabled", "yes")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newDialInWorld(t)
				for _, row := range tt.rules {
					w.put("/ip/firewall/nat", row)
				}
				p, err := vpn.PlanDialIn(w.input())
				got := ""
				if len(warned(p, "dialin_forwarded")) > 0 {
					got = "plan.warn.dialin_forwarded"
				}
				if refused(err, "plan.refuse.dialin_forwarded") {
					got = "plan.refuse.dialin_forwarded"
				}
				if got != tt.want {
					t.Errorf("got %q (%v), want %q", got, err, tt.want)
				}
			})
		})
	}
}
