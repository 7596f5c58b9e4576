package vpn_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// defined is the definition that a plan brings about.
func defined(t failer, plan change.Plan) vpn.Tunnel {
	t.Helper()
	next, err := vpn.DecodeTunnel(change.Definition{DefinitionRef: change.DefinitionRef{Kind: vpn.KindTunnel}, Body: plan.Defines})
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// setting is the request to set what stands between blanks.
func setting(t failer, in vpn.TunnelChange, typed string) vpn.TunnelChange {
	in.Intent.Verb, in.Intent.Settings = "tunnel set", settings(t, typed)
	return in
}

// Ensure networks that come are staged off and switched on before those that go are
// switched off, and that what belonged to them goes at the end.
func TestPlanSet_Networks(t *testing.T) {
	in := setting(t, narrow(redoWorld()), "hq.prefixes=192.168.78.0/24 hq.probes=192.168.78.1")
	plan := planned(t, vpn.PlanSet, in)
	var got []string
	for _, phase := range []string{change.PhaseStage, change.PhaseCutOver, change.PhaseCommit} {
		for _, line := range brief(plan.In(phase, "gw-hq")) {
			if strings.Contains(line, "policy") || strings.Contains(line, "nat") {
				got = append(got, phase+": "+line)
			}
		}
	}
	want := []string{
		"stage: policy add twin hq-fengshan-1 192.168.78.0/24 192.168.88.0/24",
		"stage: nat add twin 192.168.78.0/24 192.168.88.0/24 at top",
		"cut over: policy enable twin hq-fengshan-1 192.168.78.0/24 192.168.88.0/24",
		"cut over: policy disable in place to-fengshan 192.168.77.0/24 192.168.88.0/24",
		"commit: policy remove in place to-fengshan 192.168.77.0/24 192.168.88.0/24",
		"commit: nat remove in place 192.168.77.0/24 192.168.88.0/24",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if next := defined(t, plan); !slices.Equal(next.Ends[0].Prefixes, []netip.Prefix{prefix("192.168.78.0/24")}) || next.Ends[1].Prefixes[0] != prefix("192.168.88.0/24") {
		t.Errorf("definition %+v", next.Ends)
	}
	if told := told(plan.Warnings); !strings.Contains(told, "plan.warn.policy_unwanted") {
		t.Errorf("warnings %s", told)
	}
}

// Ensure the bypass of a network that goes stays while another policy needs it.
func TestPlanSet_BypassOfAnother(t *testing.T) {
	in := setting(t, narrow(redoWorld()), "hq.prefixes=192.168.78.0/24 hq.probes=none")
	insert(in, 0, policyMenu, 1, schema.Row{
		"peer": "vendor", "tunnel": "true", "src-address": "192.168.77.64/26", "dst-address": "192.168.88.0/24", "proposal": "default",
		"level": "require", "action": "encrypt", "protocol": "tcp", "ph2-state": "established", "disabled": "false",
	})
	plan := planned(t, vpn.PlanSet, in)
	for _, s := range plan.In(change.PhaseCommit, "gw-hq") {
		if s.Menu == natMenu {
			t.Errorf("removes %v", s.Match)
		}
	}
	if !strings.Contains(told(plan.Warnings), "plan.warn.bypass_needed") {
		t.Errorf("warnings %s", told(plan.Warnings))
	}
}

// Ensure the mode is an intent of its own, said in words, and what is weaker is
// said or refused.
func TestPlanSet_Said(t *testing.T) {
	main := narrow(redoWorld())
	main.Tunnel.Exchange = "main"
	dynamic := narrow(redoWorld())
	dynamic.Estate.Sites = slices.Clone(dynamic.Estate.Sites)
	dynamic.Estate.Sites[0].WANs = append(slices.Clone(dynamic.Estate.Sites[0].WANs), vpn.WAN{Interface: "ether9", Dynamic: true, NAT: vpn.NoNAT, Role: vpn.Initiate})
	second := func(interfaces ...string) vpn.TunnelChange {
		in := narrow(redoWorld())
		in.Estate.Sites = slices.Clone(in.Estate.Sites)
		in.Estate.Sites[0].WANs = append(slices.Clone(in.Estate.Sites[0].WANs),
			vpn.WAN{Interface: "ether9", Address: netip.MustParseAddr("203.0.113.130"), NAT: vpn.NoNAT, Role: vpn.Both})
		for i := range in.Snapshots {
			in.Snapshots[i].Menus[filterMenu], in.Snapshots[i].Menus["/interface/list/member"] = []schema.Row{}, []schema.Row{}
		}
		for _, name := range interfaces {
			insert(in, 0, "/ip/address", 0, schema.Row{"address": "203.0.113.130/32", "interface": name, "dynamic": "true", "disabled": "false"})
		}
		return in
	}
	routed := func(gateways ...string) vpn.TunnelChange {
		in := second("ether9")
		for _, gateway := range gateways {
			in.Snapshots[0].Menus["/ip/route"] = append(in.Snapshots[0].Menus["/ip/route"], schema.Row{
				"dst-address": "0.0.0.0/0", "gateway": gateway, "immediate-gw": gateway, "routing-table": "main", "active": "true", "disabled": "false",
			})
		}
		return in
	}
	tests := []struct {
		name, typed           string
		in                    vpn.TunnelChange
		blast, warns, refused string
		silent                bool // nothing about this may be said
	}{
		{name: "from main", in: main, typed: "exchange=ike2", blast: "plan.set.value plan.set.notmain plan.set.freed"},
		{name: "to main", in: narrow(redoWorld()), typed: "exchange=main", blast: "plan.set.value", warns: "plan.warn.weaker"},
		{name: "left weak", in: main, typed: "profile.lifetime=8h", warns: "tunnel.weak"},
		{name: "weaker", in: narrow(redoWorld()), typed: "hash=sha1", warns: "plan.warn.weaker"},
		{name: "as weak as before", in: main, typed: "profile.encryption=aes-128", warns: "plan.warn.weaker", silent: true},
		{name: "broken", in: narrow(redoWorld()), typed: "profile.encryption=aes-256,des", refused: "set_broken"},
		{name: "nothing", in: narrow(redoWorld()), typed: "exchange=ike2 profile.lifetime=24h", refused: "set_nothing"},
		{name: "both wait", in: narrow(redoWorld()), typed: "hq.role=respond fengshan.role=respond", refused: "tunnel_definition"},
		{name: "a name in main mode", in: main, typed: "hq.id=fqdn:hq.example", refused: "tunnel_definition"},
		{name: "outside the LAN", in: narrow(redoWorld()), typed: "hq.prefixes=10.0.0.0/24 hq.probes=none", refused: "tunnel_definition"},
		{name: "moved to a line that is down", in: second(), typed: "hq.wan=ether9", warns: "plan.warn.wan_down"},
		{name: "moved to a line that is up", in: second("ether9"), typed: "hq.wan=ether9", warns: "plan.warn.wan_", silent: true},
		{name: "moved to a line that is elsewhere", in: second("ether8"), typed: "hq.wan=ether9", warns: "plan.warn.wan_elsewhere"},
		{name: "moved to a line without a route", in: routed("203.0.113.1%ether1"), typed: "hq.wan=ether9", warns: "plan.warn.wan_route"},
		{name: "moved to a line with a route", in: routed("203.0.113.1%ether1", "203.0.113.129%ether9"), typed: "hq.wan=ether9", warns: "plan.warn.wan_route", silent: true},
		{name: "moved where a route leads nobody knows where", in: routed("192.0.2.1"), typed: "hq.wan=ether9", warns: "plan.warn.wan_route", silent: true},
		{name: "moved to another router", in: narrow(redoWorld()), typed: "hq.router=gw-2", refused: "set_fixed"},
		{name: "moved to a WAN that nobody can call", in: dynamic, typed: "hq.wan=ether9 hq.role=initiate", refused: "set_wan"},
	}
	for _, tt := range tests {
		plan, err := vpn.PlanSet(setting(t, copied(tt.in), tt.typed))
		r, refused := errors.AsType[*vpn.Refusal](err)
		switch {
		case err != nil && !refused, refused && r.Text.ID != "plan.refuse."+tt.refused, !refused && tt.refused != "":
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.refused)
		case !refused && !strings.HasPrefix(told(plan.Blast), tt.blast):
			t.Errorf("%s: blast %s, want %s first", tt.name, told(plan.Blast), tt.blast)
		case !refused && strings.Contains(told(plan.Warnings), tt.warns) == tt.silent:
			t.Errorf("%s: warnings %s, of %s", tt.name, told(plan.Warnings), tt.warns)
		}
	}
}

// Ensure values that no row shows write to no router.
func TestPlanSet_Alone(t *testing.T) {
	in := setting(t, narrow(redoWorld()), "note=x hq.probes=192.168.77.9")
	plan := planned(t, vpn.PlanSet, in)
	if plan.Empty() || len(plan.Steps) > 0 || plan.Phased() || !slices.Equal(plan.Routers, []string{"gw-hq", "gw-fengshan"}) {
		t.Errorf("got %+v", plan)
	}
	if next := defined(t, plan); next.Note != "x" || next.Ends[0].Probes[0].String() != "192.168.77.9" || next.Exchange != "ike2" {
		t.Errorf("definition %+v", next)
	}
	if _, err := vpn.PlanSet(setting(t, narrow(redoWorld()), "hq.probes=10.0.0.1")); err == nil {
		t.Error("a probe outside every network is taken")
	}
}

// A set on any estate: as a redo of the definition that it makes.
func TestPlanSet_Properties(t *testing.T) {
	values := []string{
		"exchange=ike2", "exchange=main", "dh=ecp384", "dh=modp1024,modp2048", "hash=sha1", "hash=sha512", "profile.encryption=aes-128,aes-256",
		"proposal.encryption=aes-128-cbc", "proposal.lifetime=1h", "pfs=none", "pfs=modp2048", "dpd=30s", "dpd-maximum-failures=2", "hq.role=respond",
		"hq.prefixes=192.168.77.0/24,192.168.78.0/24", "hq.prefixes=192.168.78.0/24", "fengshan.prefixes=192.168.89.0/24", "fengshan.prefixes=192.168.88.0/25",
		"hq.id=fqdn:hq.example", "note=x",
	}
	draw := func(t *rapid.T) vpn.TunnelChange {
		in := drawWorld(t)
		for i := range in.Tunnel.Ends {
			in.Tunnel.Ends[i].Probes = nil // a network that goes would leave one outside
		}
		var typed []string
		for n := range rapid.IntRange(1, 4).Draw(t, "settings") {
			v := rapid.SampledFrom(values).Draw(t, fmt.Sprintf("setting %d", n))
			key, _, _ := strings.Cut(v, "=")
			if !slices.ContainsFunc(typed, func(o string) bool { return strings.HasPrefix(o, key+"=") }) {
				typed = append(typed, v)
			}
		}
		if rapid.Bool().Draw(t, "named") {
			typed = append(typed, "proposal.auth=sha256")
		}
		return setting(t, in, strings.Join(typed, " "))
	}
	planner := func(in vpn.TunnelChange) (change.Plan, error) {
		plan, err := vpn.PlanSet(in)
		if err == nil && !plan.Phased() {
			return plan, &vpn.Refusal{} // about the definition alone
		}
		return plan, err
	}
	checkPlanner(t, draw, planner, true)
}
