package vpn_test

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// office is a router with a dial-in server as the notes build it: the pool and
// the DHCP range lie in the LAN.
func office() vpn.AddAccount {
	return vpn.AddAccount{
		Intent: change.Intent{Verb: "adduser", Site: "hq", Account: &change.AccountIntent{
			Name: "vpn-07", Owner: "ann", Note: "laptop",
		}},
		Site:       vpn.Site{Name: "hq", LAN: []netip.Prefix{netip.MustParsePrefix("192.168.77.0/24")}, WANs: []vpn.WAN{{Interface: "ether1"}}, Routers: []string{"gw-hq"}},
		Definition: change.DefinitionRef{Kind: vpn.KindDialIn, Name: "hq", Version: 3},
		DialIn: vpn.DialIn{
			Site: "hq", Router: "gw-hq", Server: "vpn.example.com", Pool: "vpn-pool", Profile: "vpn-users", PSK: "psk-ref", PSKMark: "psk:00000000",
		},
		Password: "password-ref", Mark: "password:11111111",
		Snapshot: change.Snapshot{Router: "gw-hq", Version: "7.22.3", Menus: map[string][]schema.Row{
			"/interface/l2tp-server/server": {{"enabled": "true", "use-ipsec": "required", "authentication": "mschap2", "default-profile": "vpn-users"}},
			"/ip/address": {
				{".id": "*1", "address": "192.168.77.1/24", "network": "192.168.77.0", "interface": "bridge", "dynamic": "false"},
				{".id": "*2", "address": "203.0.113.10/29", "network": "203.0.113.8", "interface": "ether1", "dynamic": "false"},
			},
			"/ip/dhcp-server": {{".id": "*1", "name": "dhcp-lan", "interface": "bridge", "address-pool": "dhcp-pool", "disabled": "false"}},
			"/ip/pool": {
				{".id": "*1", "name": "dhcp-pool", "ranges": "192.168.77.100-192.168.77.199"},
				{".id": "*2", "name": "vpn-pool", "ranges": "10.77.0.10-10.77.0.99"},
			},
			"/ppp/active": {
				{".id": "*80000001", "name": "vpn-01", "service": "l2tp", "caller-id": "198.51.100.9", "address": "10.77.0.99", "uptime": "1h2m3s"},
				{".id": "*80000002", "name": "branch", "service": "pppoe", "caller-id": "AA:BB:CC:DD:EE:FF", "address": "10.99.0.2", "uptime": "3d"},
			},
			"/ppp/profile": {
				{".id": "*0", "name": "default"},
				{".id": "*1", "name": "vpn-users", "local-address": "10.77.0.1", "remote-address": "vpn-pool"},
			},
			"/ppp/secret": {
				{".id": "*1", "name": "vpn-01", "service": "l2tp", "profile": "vpn-users", "disabled": "false", "comment": "bob: phone [vpnbot 3.1]"},
				{".id": "*2", "name": "vpn-02", "service": "l2tp", "profile": "vpn-users", "remote-address": "10.77.0.5", "disabled": "true", "comment": "\xa6\x61\xb7\xc0"},
				{".id": "*3", "name": "legacy", "service": "any", "profile": "vpn-users", "comment": "\xff\xfe"},
				{".id": "*4", "name": "branch", "service": "pppoe", "profile": "default"},
			},
			"/system/device-mode": {{"mode": "advanced", "flagged": "false", "l2tp": "true"}},
			"/user/active":        {},
		}},
	}
}

func mustPlan(t *testing.T, in vpn.AddAccount) change.Plan {
	t.Helper()
	plan, err := vpn.PlanAddAccount(in)
	if err != nil {
		t.Fatalf("PlanAddAccount: %v", err)
	}
	return plan
}

// Ensure the plan of a new account is one add with exactly the planned
// attributes, and its credentials go to the right reader.
func TestPlanAddAccount(t *testing.T) {
	in := office()
	plan := mustPlan(t, in)
	want := []change.Step{{
		ID: 1, Router: "gw-hq", Menu: "/ppp/secret", Action: schema.Add, Class: change.Twin,
		Match:   schema.Row{"name": "vpn-07"},
		After:   schema.Row{"name": "vpn-07", "service": "l2tp", "profile": "vpn-users", "comment": "ann: laptop"},
		Secrets: map[string]refType{"password": "password-ref"},
		Marks:   map[string]string{"password": "password:11111111"},
		Why:     change.T("plan.adduser.step"),
	}}
	if diff := cmp.Diff(want, plan.Steps); diff != "" {
		t.Error(diff)
	}
	credentials := &change.Credentials{
		Site: "hq", Server: "vpn.example.com", Account: "vpn-07", Reader: "ann", Password: "password-ref", PSK: "psk-ref",
	}
	if diff := cmp.Diff(credentials, plan.Reveal); diff != "" {
		t.Error(diff)
	}
	if len(plan.Warnings) != 0 {
		t.Errorf("warnings %v", plan.Warnings)
	}
	step := plan.Steps[0]
	names := append(step.After.Names(), "password")
	if err := schema.Allowed(step.Menu, step.Action, names); err != nil {
		t.Error(err)
	}
	for _, o := range plan.Seen {
		if moved, ok := o.Compare(in.Snapshot); ok {
			t.Errorf("stale at once: %+v", moved)
		}
	}
	if got := plan.SecretRefs(); !slices.Equal(got, []refType{"password-ref"}) {
		t.Errorf("SecretRefs = %v: the server's PSK must not end with the plan", got)
	}
}

// Ensure handing over names the person who does it as the reader.
func TestPlanAddAccount_Handover(t *testing.T) {
	in := office()
	in.Intent.Account.Owner, in.Intent.Account.Handover = "", "bob"
	in.Intent.Account.Note = "陳先生"
	plan := mustPlan(t, in)
	if plan.Reveal.Reader != "bob" || plan.Steps[0].After["comment"] != "陳先生" || plan.Summary.ID != "plan.adduser.summary_handover" {
		t.Errorf("reader %q, comment %q, summary %q", plan.Reveal.Reader, plan.Steps[0].After["comment"], plan.Summary.ID)
	}
}

// Ensure planning leaves the caller's intent alone and writes the address in
// canonical form.
func TestPlanAddAccount_Address(t *testing.T) {
	in := office()
	in.Intent.Account.Address = "10.77.0.7"
	plan := mustPlan(t, in)
	if got := plan.Steps[0].After["remote-address"]; got != "10.77.0.7" {
		t.Errorf("remote-address %q", got)
	}
	in.Intent.Account.Address = "192.168.77.60"
	plan = mustPlan(t, in)
	if len(plan.Warnings) != 1 || plan.Warnings[0].ID != "plan.warn.address_lan" {
		t.Errorf("warnings %v", plan.Warnings)
	}
}

type refusalCase struct {
	name string
	edit func(*vpn.AddAccount)
	want string
}

func set(menu string, i int, attr, value string) func(*vpn.AddAccount) {
	return func(in *vpn.AddAccount) { in.Snapshot.Menus[menu][i][attr] = value }
}

func name(s string) func(*vpn.AddAccount) {
	return func(in *vpn.AddAccount) { in.Intent.Account.Name = s }
}

func address(s string) func(*vpn.AddAccount) {
	return func(in *vpn.AddAccount) { in.Intent.Account.Address = s }
}

func refusals() []refusalCase {
	return []refusalCase{
		{"exists", name("vpn-01"), "exists"},
		{"exists for another service", name("branch"), "exists"},
		{"exists in capitals", name("VPN-01"), "exists_case"},
		{"a session without its account", set("/ppp/active", 0, "name", "vpn-07"), "session_lives"},
		{"long note", func(in *vpn.AddAccount) { in.Intent.Account.Note = strings.Repeat("長", 201) }, "note"},
		{"note of two lines", func(in *vpn.AddAccount) { in.Intent.Account.Note = "a\nb" }, "note"},
		{"flagged", set("/system/device-mode", 0, "flagged", "true"), "flagged"},
		{"home mode", set("/system/device-mode", 0, "l2tp", "false"), "device_mode"},
		{"server off", set("/interface/l2tp-server/server", 0, "enabled", "false"), "server_off"},
		{"no profile", set("/ppp/profile", 1, "name", "other"), "profile"},
		{"words", address("my-laptop"), "address"},
		{"IPv6", address("2001:db8::1"), "address"},
		{"IPv4 in IPv6", address("::ffff:10.77.0.7"), "address"},
		{"zeros", address("010.77.0.7"), "address"},
		{"prefix", address("10.77.0.7/24"), "address"},
		{"loopback", address("127.0.0.1"), "address"},
		{"multicast", address("224.0.0.5"), "address"},
		{"nothing", address("0.0.0.0"), "address"},
		{"everybody", address("255.255.255.255"), "address"},
		{"in the pool", address("10.77.0.10"), "address_pool"},
		{"end of the pool", address("10.77.0.99"), "address_pool"},
		{"in the DHCP range", address("192.168.77.150"), "address_dhcp"},
		{"of another account", address("10.77.0.5"), "address_account"},
		{"of a session", func(in *vpn.AddAccount) {
			address("10.77.0.200")(in)
			set("/ppp/active", 0, "address", "10.77.0.200")(in)
		}, "address_session"},
		{"of the router", address("192.168.77.1"), "address_router"},
		{"of the router in the tunnel", address("10.77.0.1"), "address_router"},
		{"network", address("192.168.77.0"), "address_network"},
		{"broadcast", address("192.168.77.255"), "address_network"},
		{"broadcast of the WAN", address("203.0.113.15"), "address_network"},
		{"in the provider's network", address("203.0.113.12"), "address_outside"},
		{"somewhere else", address("172.20.1.1"), "address_outside"},
	}
}

// Ensure what must not be made is refused, each with its own sentence and hint.
func TestPlanAddAccount_Refusals(t *testing.T) {
	for _, tt := range refusals() {
		t.Run(tt.name, func(t *testing.T) {
			in := office()
			tt.edit(&in)
			_, err := vpn.PlanAddAccount(in)
			refusal, ok := errors.AsType[*vpn.Refusal](err)
			if !ok {
				t.Fatalf("got %v, want a refusal", err)
			}
			if want := "plan.refuse." + tt.want; refusal.Text.ID != want || refusal.Hint.ID != want+".hint" {
				t.Errorf("got %s with hint %s, want %s", refusal.Text.ID, refusal.Hint.ID, want)
			}
		})
	}
}

// Ensure an account name is one that RouterOS, Windows and a human take for the
// same thing.
func TestCheckAccountName(t *testing.T) {
	for _, good := range []string{"a", "vpn-01", "Ann.Chen", "x_1", "9to5", strings.Repeat("a", 32)} {
		if err := vpn.CheckAccountName(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	bad := []string{"", " a", "a ", "a b", "a.", ".a", "-a", strings.Repeat("a", 33), "王小明", "ａ", "a\x00", "a\n", "é"}
	for _, c := range `"'\/[]:;|=,+*?<>@$` + "`" {
		bad = append(bad, "a"+string(c)+"b")
	}
	for _, word := range bad {
		err := vpn.CheckAccountName(word)
		if _, ok := errors.AsType[*vpn.Refusal](err); !ok {
			t.Errorf("%q: got %v, want a refusal", word, err)
		}
	}
}

func warnings() []refusalCase {
	return []refusalCase{
		{"no PSK", func(in *vpn.AddAccount) { in.DialIn.PSK = "" }, "psk_unknown"},
		{"IPsec optional", set("/interface/l2tp-server/server", 0, "use-ipsec", "yes"), "ipsec_optional"},
		{"no IPsec", set("/interface/l2tp-server/server", 0, "use-ipsec", "no"), "ipsec_off"},
		{"pap only", set("/interface/l2tp-server/server", 0, "authentication", "pap,chap"), "mschap2"},
		{"no local address", set("/ppp/profile", 1, "local-address", ""), "profile_local"},
		{"no remote address", set("/ppp/profile", 1, "remote-address", ""), "profile_remote"},
		{"another pool", set("/ppp/profile", 1, "remote-address", "dhcp-pool"), "profile_pool"},
		{"pool gone", set("/ip/pool", 1, "name", "old"), "pool_missing"},
		{"pool full", set("/ip/pool", 1, "ranges", "10.77.0.99"), "pool_full"},
		{"factory profile", func(in *vpn.AddAccount) {
			in.DialIn.Profile = "default"
			in.Snapshot.Menus["/ppp/profile"][0]["local-address"] = "10.77.0.1"
			in.Snapshot.Menus["/ppp/profile"][0]["remote-address"] = "vpn-pool"
		}, "profile_default"},
	}
}

// Ensure the plan warns of what will keep the account from working.
func TestPlanAddAccount_Warnings(t *testing.T) {
	for _, tt := range warnings() {
		t.Run(tt.name, func(t *testing.T) {
			in := office()
			tt.edit(&in)
			var ids []string
			for _, w := range mustPlan(t, in).Warnings {
				ids = append(ids, strings.TrimPrefix(w.ID, "plan.warn."))
			}
			if !slices.Equal(ids, []string{tt.want}) {
				t.Errorf("got %v, want %s", ids, tt.want)
			}
		})
	}
}

// Ensure a plan is not computed from half of what it needs.
func TestPlanAddAccount_Unfit(t *testing.T) {
	for _, menu := range vpn.AccountMenus() {
		in := office()
		delete(in.Snapshot.Menus, menu)
		_, err := vpn.PlanAddAccount(in)
		if menu == "/system/device-mode" {
			if err != nil {
				t.Errorf("a router without device-mode: %v", err)
			}
			continue
		}
		if !errors.Is(err, vpn.ErrSnapshot) {
			t.Errorf("without %s: got %v, want ErrSnapshot", menu, err)
		}
	}
	for _, edit := range []func(*vpn.AddAccount){
		func(in *vpn.AddAccount) { in.Intent.Account = nil },
		func(in *vpn.AddAccount) { in.Password = "" },
		func(in *vpn.AddAccount) { in.DialIn.Site = "fengshan" },
		func(in *vpn.AddAccount) { in.Snapshot.Router = "gw-fengshan" },
	} {
		in := office()
		edit(&in)
		if plan, err := vpn.PlanAddAccount(in); err == nil {
			t.Errorf("got a plan: %+v", plan)
		}
	}
}

// Ensure two accounts planned side by side do not overtake each other, and that
// what matters does.
func TestPlanAddAccount_Freshness(t *testing.T) {
	apply := func(in *vpn.AddAccount, row schema.Row) {
		in.Snapshot.Menus["/ppp/secret"] = append(in.Snapshot.Menus["/ppp/secret"], row)
	}
	tests := []struct {
		name  string
		edit  func(*vpn.AddAccount)
		stale string // menu, "" when still fresh
	}{
		{"another account", func(in *vpn.AddAccount) { apply(in, schema.Row{"name": "vpn-08"}) }, ""},
		{"another session", func(in *vpn.AddAccount) {
			in.Snapshot.Menus["/ppp/active"] = append(in.Snapshot.Menus["/ppp/active"], schema.Row{"name": "vpn-02", "service": "l2tp"})
		}, ""},
		{"this account", func(in *vpn.AddAccount) { apply(in, schema.Row{"name": "vpn-07"}) }, "/ppp/secret"},
		{"another server setting", set("/interface/l2tp-server/server", 0, "use-ipsec", "no"), "/interface/l2tp-server/server"},
		{"another profile value", set("/ppp/profile", 1, "local-address", "10.0.0.1"), "/ppp/profile"},
		{"profile comment in Big5", set("/ppp/profile", 1, "comment", "\xa6\x61"), "/ppp/profile"},
		{"an unrelated profile", set("/ppp/profile", 0, "local-address", "10.0.0.1"), ""},
		{"an unrelated pool", set("/ip/pool", 0, "ranges", "10.0.0.1"), ""},
		{"the pool", set("/ip/pool", 1, "ranges", "10.0.0.1"), "/ip/pool"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			plan := mustPlan(t, office())
			now := office()
			tt.edit(&now)
			got := ""
			for _, o := range plan.Seen {
				if moved, ok := o.Compare(now.Snapshot); ok {
					got = moved.Menu
				}
			}
			if got != tt.stale {
				t.Errorf("stale by %q, want %q", got, tt.stale)
			}
		})
	}
}

// Ensure no secret is in an encoded plan: it knows names and marks only.
func TestPlanAddAccount_NoSecret(t *testing.T) {
	b, err := mustPlan(t, office()).Canonical()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, []byte(`"password":"`)) && !bytes.Contains(b, []byte(`"password":"password-ref"`)) {
		t.Errorf("got %s", b)
	}
}
