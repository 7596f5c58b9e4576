package rossim

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpnbot/ros/schema"
)

func add(t testing.TB, r *Router, path string, row schema.Row) string {
	t.Helper()
	id, err := r.Add(path, row)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// column returns one attribute of every row of a menu.
func column(r *Router, path, name string) []string {
	var vs []string
	for _, row := range r.Rows(path) {
		vs = append(vs, row[name])
	}
	return vs
}

func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// Ensure an added row has the router's defaults and canonical values.
func TestAdd_Defaults(t *testing.T) {
	r := router(t, Options{})
	add(t, r, "/ppp/secret", schema.Row{"name": "alice", "password": "pw", "service": "l2", "disabled": "no", "comment": ""})
	same(t, "secret", r.Rows("/ppp/secret"), []schema.Row{{
		".id": "*1", "name": "alice", "password": "pw", "service": "l2tp", "profile": "default", "caller-id": "", "routes": "", "ipv6-routes": "",
		"limit-bytes-in": "0", "limit-bytes-out": "0", "disabled": "false", "last-logged-out": "1970-01-01 00:00:00",
	}})
	add(t, r, "/ip/address", schema.Row{"address": "192.168.77.254/24", "interface": "ether2"})
	same(t, "address", r.Rows("/ip/address"), []schema.Row{{
		".id": "*1", "address": "192.168.77.254/24", "network": "192.168.77.0", "interface": "ether2", "actual-interface": "ether2",
		"disabled": "false", "dynamic": "false", "invalid": "false", "slave": "false",
	}})
}

// Ensure values are kept in the router's own spelling.
func TestCanonicalValues(t *testing.T) {
	r := router(t, Options{})
	for _, tt := range []struct{ menu, name, value, want string }{
		{"/ip/ipsec/profile", "dpd-interval", "300s", "5m"},
		{"/ip/ipsec/profile", "dpd-interval", "disable-dpd", "disable-dpd"},
		{"/ip/ipsec/profile", "lifetime", "24:00:00", "1d"},
		{"/ip/ipsec/profile", "dh-group", "modp2048,ecp384", "ecp384,modp2048"},
		{"/ip/ipsec/profile", "enc-algorithm", "aes-128,aes-256", "aes-256,aes-128"},
		{"/ip/ipsec/profile", "nat-traversal", "no", "false"},
		{"/ip/ipsec/peer", "address", "198.51.100.7", "198.51.100.7/32"},
		{"/ip/ipsec/peer", "address", "fengshan.example.net", "fengshan.example.net"},
		{"/ppp/profile", "dns-server", "1.1.1.1,8.8.8.8", "1.1.1.1,8.8.8.8"},
		{"/ppp/profile", "change-tcp-mss", "yes", "yes"},
		{"/user", "address", "10.1.2.3/8,192.0.2.1", "10.0.0.0/8,192.0.2.1/32"},
	} {
		row := schema.Row{"name": "x", tt.name: tt.value}
		if tt.menu == "/user" {
			row["group"] = "read"
		}
		id := add(t, r, tt.menu, row)
		for _, got := range r.Rows(tt.menu) {
			if got[schema.ID] == id && got[tt.name] != tt.want {
				t.Errorf("%s %s=%s is kept as %q, want %q", tt.menu, tt.name, tt.value, got[tt.name], tt.want)
			}
		}
		if err := r.Remove(tt.menu, id); err != nil {
			t.Fatal(err)
		}
	}
}

// Ensure set takes several rows, ids and names, and changes none when one of
// them does not exist.
func TestSet_Several(t *testing.T) {
	r := router(t, Options{})
	for _, name := range []string{"a", "b", "c"} {
		add(t, r, "/ppp/secret", schema.Row{"name": name})
	}
	c := member(t, r)
	c.want("/ppp/secret/set =.id=*1,c =comment=x", "!done")
	same(t, "comments", column(r, "/ppp/secret", "comment"), []string{"x", "", "x"})
	c.want("/ppp/secret/set =numbers=b =comment=y", "!done")
	c.want("/ppp/secret/set =.id=a,nobody =comment=z", "!trap =category=0 =message=no such item", "!done")
	same(t, "comments", column(r, "/ppp/secret", "comment"), []string{"x", "y", "x"})
	c.want("/ppp/secret/disable =.id=a,b", "!done")
	c.want("/ppp/secret/enable =numbers=*2", "!done")
	same(t, "disabled", column(r, "/ppp/secret", "disabled"), []string{"true", "false", "false"})
	c.want("/ppp/secret/comment =numbers=a =comment=again", "!done")
	c.want("/ppp/secret/set =.id=b =comment=", "!done")
	same(t, "comments", column(r, "/ppp/secret", "comment"), []string{"again", "", "x"})
	c.want("/ppp/secret/remove =.id=a,*3", "!done")
	same(t, "names", column(r, "/ppp/secret", "name"), []string{"b"})
}

// Ensure both ways to unset an attribute make it absent or default, and that an
// empty value is something else.
func TestUnset(t *testing.T) {
	r := router(t, Options{})
	add(t, r, "/ppp/secret", schema.Row{"name": "a", "remote-address": "10.0.0.9", "local-address": "10.0.0.1", "service": "l2tp"})
	c := member(t, r)
	c.want("/ppp/secret/set =.id=a =!remote-address=", "!done")
	c.want("/ppp/secret/unset =numbers=a =value-name=local-address", "!done")
	c.want("/ppp/secret/set =.id=a =!service=", "!done")
	c.want("/ppp/secret/print =.proplist=name,remote-address,local-address,service", "!re =name=a =service=any", "!done")
	c.want("/ppp/secret/set =.id=a =remote-address=", "!trap =category=1 =message=invalid value for argument remote-address", "!done")
	c.want("/ppp/secret/set =.id=a =profile=", "!trap =category=1 =message=ambiguous value of profile, more than one possible value matches input", "!done")
	c.want("/ppp/secret/set =.id=a =!colour=", "!trap =message=unknown parameter", "!done")
}

// Ensure ordered menus place and move rows where they are told.
func TestOrder(t *testing.T) {
	r := router(t, Options{})
	c := member(t, r)
	c.want("/ip/firewall/nat/add =chain=srcnat =comment=a", "!done =ret=*1")
	c.want("/ip/firewall/nat/add =chain=srcnat =comment=b", "!done =ret=*2")
	c.want("/ip/firewall/nat/add =chain=srcnat =comment=c =place-before=*1", "!done =ret=*3")
	order := func(want string) {
		t.Helper()
		same(t, "order", strings.Join(column(r, "/ip/firewall/nat", "comment"), ""), want)
	}
	order("cab")
	c.want("/ip/firewall/nat/move =numbers=*2 =destination=*3", "!done")
	order("bca")
	c.want("/ip/firewall/nat/move =numbers=*2,*3", "!done")
	order("abc")
	c.want("/ip/firewall/nat/move =numbers=*9 =destination=*1", "!trap =category=0 =message=no such item", "!done")
	c.want("/ip/firewall/nat/add =copy-from=*2 =place-before=*1 =disabled=yes", "!done =ret=*4")
	order("babc")
	c.want("/ppp/secret/add =name=x =place-before=*1", "!trap =message=unknown parameter", "!done")
}

// Ensure a renamed row takes its references along, and a removed one leaves
// them dangling as ids.
func TestReferences(t *testing.T) {
	r := router(t, Options{})
	add(t, r, "/ppp/profile", schema.Row{"name": "office"})
	add(t, r, "/ppp/secret", schema.Row{"name": "alice", "profile": "office"})
	if err := r.Set("/ppp/profile", "office", schema.Row{"name": "l2tp-office"}); err != nil {
		t.Fatal(err)
	}
	same(t, "profile", column(r, "/ppp/secret", "profile"), []string{"l2tp-office"})
	if err := r.Remove("/ppp/profile", "l2tp-office"); err != nil {
		t.Fatal(err)
	}
	same(t, "profile", column(r, "/ppp/secret", "profile"), []string{"*1"})
	if err := r.Set("/interface/ethernet", "ether2", schema.Row{"name": "lan"}); err != nil {
		t.Fatal(err)
	}
	add(t, r, "/ip/address", schema.Row{"address": "10.0.0.1/24", "interface": "lan"})
	if _, err := r.Add("/interface/bridge", schema.Row{"name": "lan"}); err == nil {
		t.Error("two interfaces have one name")
	}
}

// Ensure settings menus have one row without id and take set without one.
func TestSettings(t *testing.T) {
	r := router(t, Options{})
	c := member(t, r)
	c.want("/interface/l2tp-server/server/set =enabled=yes =use-ipsec=required =ipsec-secret=key =authentication=mschap2 =keepalive-timeout=disabled", "!done")
	c.want("/interface/l2tp-server/server/print =.proplist=.id,enabled,use-ipsec,authentication,keepalive-timeout",
		"!re =enabled=true =use-ipsec=required =authentication=mschap2 =keepalive-timeout=disabled", "!done")
	c.want("/system/identity/add =name=x", "!trap =category=0 =message=no such command", "!done")
	c.want("/system/identity/set =name=hq", "!done")
	same(t, "name", r.Name(), "hq")
	c.want("/ip/ipsec/peer/print ?dynamic=true =.proplist=name,address,exchange-mode,profile",
		"!re =name=l2tp-in-server =address=0.0.0.0/0 =exchange-mode=main =profile=default", "!done")
	c.want("/ip/ipsec/peer/remove =.id=l2tp-in-server", "!trap =category=4 =message=failure: not allowed to remove", "!done")
	c.want("/interface/l2tp-server/server/set =enabled=no", "!done")
	c.want("/ip/ipsec/peer/print", "!empty", "!done")
}

// Ensure /interface shows every kind of interface under one set of ids.
func TestInterfaces(t *testing.T) {
	r := router(t, Options{})
	add(t, r, "/interface/bridge", schema.Row{"name": "lan"})
	c := member(t, r)
	c.want("/interface/print ?type=bridge =.proplist=name,type,running", "!re =name=lan =type=bridge =running=true", "!done")
	ids := map[string]bool{}
	for _, row := range r.Rows("/interface") {
		if ids[row[schema.ID]] {
			t.Errorf("id %s twice", row[schema.ID])
		}
		ids[row[schema.ID]] = true
	}
	c.want("/interface/set =.id=lan =comment=office", "!done")
	same(t, "comment", column(r, "/interface/bridge", "comment"), []string{"office"})
}

// Ensure a flagged router refuses to add and enable, and lets disable and
// remove through.
func TestDeviceMode_Flagged(t *testing.T) {
	r := router(t, Options{})
	add(t, r, "/ip/ipsec/peer", schema.Row{"name": "p", "address": "192.0.2.1"})
	if err := r.Force("/system/device-mode", "", schema.Row{"flagged": "true"}); err != nil {
		t.Fatal(err)
	}
	if err := r.Force("/system/device-mode", "", schema.Row{"colour": "red"}); err == nil {
		t.Error("an unknown attribute was forced")
	}
	c := member(t, r)
	trap := "!trap =category=4 =message=failure: configuration flagged, check all router configuration for unauthorized changes and update device-mode"
	c.want("/ip/ipsec/peer/add =name=q", trap, "!done")
	c.want("/ip/ipsec/peer/disable =numbers=p", "!done")
	c.want("/ip/ipsec/peer/enable =numbers=p", trap, "!done")
	c.want("/ip/ipsec/peer/remove =numbers=p", "!done")
	c.want("/ppp/secret/add =name=alice", "!done =ret=*1")
}

// Ensure every menu of every profile prints, and refers only to menus that
// exist.
func TestEveryMenu(t *testing.T) {
	eachProfile(t, func(t *testing.T, r *Router) {
		c := member(t, r)
		for _, path := range r.prof.paths {
			m := r.prof.menus[path]
			if !m.commands["print"] {
				continue
			}
			replies := c.ask(path + "/print =detail=")
			if strings.HasPrefix(replies[0], "!trap") {
				t.Errorf("%s: %q", path, replies)
			}
			for name, a := range m.attrs {
				for _, ref := range a.refs {
					if strings.HasPrefix(ref, "/") && r.prof.menus[ref] == nil {
						t.Errorf("%s %s refers to %s, which does not exist", path, name, ref)
					}
				}
			}
		}
	})
}

// Ensure the rows and defaults that a router has from the factory pass the
// checks of their own menus.
func TestFactoryRows(t *testing.T) {
	eachProfile(t, func(t *testing.T, r *Router) {
		r.mu.Lock()
		defer r.mu.Unlock()
		for path, m := range r.prof.menus {
			rows := []schema.Row{m.rule.Defaults}
			for _, rec := range r.st.tables[path] {
				rows = append(rows, rec.vals)
			}
			for _, row := range rows {
				for name, value := range row {
					factoryValue(t, r.st, m, name, value)
				}
			}
		}
	})
}

func factoryValue(t *testing.T, s *state, m *menu, name, value string) {
	t.Helper()
	a, ok := m.attrs[name]
	if !ok {
		return
	}
	got, err := a.parse(value, m.rule.Numbers)
	if err == nil {
		got, err = s.resolve(m, a, got)
	}
	if err != nil || (got != value && a.form != "policy") {
		t.Errorf("%s %s=%q is kept as %q, %v", m.path, name, value, got, err)
	}
}

// Ensure the menus that the product reads are all known, with their attributes.
func TestSchemaCovered(t *testing.T) {
	r, old := router(t, Options{}), router(t, Options{Profile: "6.49.7"})
	for _, path := range schema.Paths() {
		m := r.prof.menus[path]
		if m == nil {
			m = old.prof.menus[path]
		}
		if m == nil {
			t.Errorf("%s is not known", path)
			continue
		}
		sm, _ := schema.Lookup(path)
		if sm.Singleton == m.list {
			t.Errorf("%s: singleton = %v", path, sm.Singleton)
		}
		if sm.Ordered != m.ordered {
			t.Errorf("%s: ordered = %v", path, sm.Ordered)
		}
		for _, a := range sm.Attrs {
			if was := old.prof.menus[path]; !m.readable[a.Name] && (was == nil || !was.readable[a.Name]) {
				t.Errorf("%s: %s cannot be read", path, a.Name)
			}
			// The product may hold for read-only what a router would take.
			if _, ok := m.attrs[a.Name]; !ok && !a.ReadOnly {
				t.Errorf("%s: %s cannot be written", path, a.Name)
			}
			if a.Secret != m.secret(a.Name) {
				t.Errorf("%s: %s secret = %v", path, a.Name, a.Secret)
			}
			if d := m.rule.Defaults[a.Name]; m.list && !a.ReadOnly && d != a.Default && !(a.Default == "" || d == "") {
				t.Errorf("%s: %s defaults to %q, schema says %q", path, a.Name, d, a.Default)
			}
		}
	}
}

// Ensure a whole estate loads, in any order, and rows are changed when their
// name exists.
func TestLoad(t *testing.T) {
	r := router(t, Options{})
	err := r.Load(map[string][]schema.Row{
		"/ppp/secret":                   {{"name": "alice", "profile": "l2tp-office", "password": "pw"}},
		"/ppp/profile":                  {{"name": "l2tp-office", "local-address": "10.9.0.1", "remote-address": "vpn"}, {"name": "default", "comment": "mine"}},
		"/ip/pool":                      {{"name": "vpn", "ranges": "10.9.0.2-10.9.0.99"}},
		"/interface/bridge":             {{"name": "lan"}},
		"/ip/address":                   {{"address": "10.1.0.1/24", "interface": "lan"}},
		"/user/group":                   {{"name": "vpnbot-ro", "policy": "api,read,test"}},
		"/user":                         {{"name": "vpnbot", "group": "vpnbot-ro", "password": "pw"}, {"name": "admin", "password": "root"}},
		"/system/identity":              {{"name": "hq"}},
		"/interface/l2tp-server/server": {{"enabled": "yes", "default-profile": "l2tp-office"}},
		"/ip/dhcp-server":               {{"name": "lan", "interface": "lan"}},
		"/interface/list":               {{"name": "LAN"}},
		"/interface/list/member":        {{"interface": "lan", "list": "LAN"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "users", column(r, "/user", "name"), []string{"admin", "vpnbot"})
	same(t, "profiles", column(r, "/ppp/profile", "name"), []string{"default", "default-encryption", "l2tp-office"})
	if err := r.Load(map[string][]schema.Row{"/ppp/secret": {{"name": "bob", "profile": "none"}}}); err == nil {
		t.Error("a row with a missing profile was loaded")
	}
}
