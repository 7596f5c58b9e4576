package rossim

import (
	"strings"
	"testing"
	"time"

	"vpnbot/ros/schema"
)

// Ensure refusals are worded as the switch says, and that the words stay the same
// but for what it names.
func TestTables_Texts(t *testing.T) {
	for _, tt := range []struct{ texts, item, parameter, command, directory string }{
		{"", "no such item", "unknown parameter", "no such command", "no such command prefix"},
		{"classic", "no such item", "unknown parameter", "no such command", "no such command prefix"},
		{"oldest", "no such item (4)", "unknown parameter", "no such command", "no such command prefix"},
		{"named", "no such item", "unknown parameter colour", "no such command", "no such command prefix"},
		{"newest", "no such item", "bad parameter colour", "no such command or directory (paint)", "no such command or directory (nowhere)"},
	} {
		c := member(t, router(t, Options{Tables: Tables{Texts: tt.texts}}))
		c.want("/ppp/secret/remove =.id=*9", "!trap =category=0 =message="+tt.item, "!done")
		c.want("/ppp/secret/add =name=a =colour=red", "!trap =message="+tt.parameter, "!done")
		c.want("/ppp/secret/paint", "!trap =category=0 =message="+tt.command, "!done")
		c.want("/ppp/nowhere/print", "!trap =category=0 =message="+tt.directory, "!done")
		c.want("/ppp/secret/add =name=a =service=ssh", "!trap =category=1 =message=input does not match any value of service", "!done")
	}
	if _, err := New(Options{Tables: Tables{Texts: "modern"}}); err == nil {
		t.Error("texts that are not there were taken")
	}
}

// Ensure what others name is kept, or dangles, as the switch says; a peer may
// always go.
func TestTables_InUseDangles(t *testing.T) {
	for _, dangles := range []bool{false, true} {
		r := router(t, Options{Tables: Tables{InUseDangles: dangles}})
		add(t, r, "/ip/ipsec/profile", schema.Row{"name": "p1"})
		add(t, r, "/ip/ipsec/proposal", schema.Row{"name": "p2"})
		add(t, r, "/ip/ipsec/policy/group", schema.Row{"name": "g"})
		add(t, r, "/ip/ipsec/mode-config", schema.Row{"name": "mc"})
		add(t, r, "/ip/ipsec/peer", schema.Row{"name": "site", "profile": "p1"})
		add(t, r, "/ip/ipsec/identity", schema.Row{"peer": "site", "policy-template-group": "g", "mode-config": "mc"})
		add(t, r, "/ip/ipsec/policy", schema.Row{"peer": "site", "proposal": "p2"})
		c := member(t, r)
		for _, tt := range []struct{ menu, name, from, attr string }{
			{"profile", "p1", "peer", "profile"},
			{"proposal", "p2", "policy", "proposal"},
			{"policy/group", "g", "identity", "policy-template-group"},
			{"mode-config", "mc", "identity", "mode-config"},
		} {
			got := c.ask("/ip/ipsec/" + tt.menu + "/remove =.id=" + tt.name)
			rows := column(r, "/ip/ipsec/"+tt.from, tt.attr)
			value := rows[len(rows)-1]
			switch {
			case dangles && (len(got) != 1 || !strings.HasPrefix(value, "*")):
				t.Errorf("%s: %q, and %s is %q", tt.name, got, tt.attr, value)
			case !dangles && (!strings.HasSuffix(got[0], "in use") || value != tt.name):
				t.Errorf("%s in use: %q, and %s is %q", tt.name, got, tt.attr, value)
			}
		}
		c.want("/ip/ipsec/peer/remove =.id=site", "!done")
		c.want("/ip/ipsec/identity/print =.proplist=.about", "!re =.about=Peer does not exist", "!done")
	}
}

// Ensure one name may stand for two services, or may not, as the switch says.
func TestTables_SecretPerService(t *testing.T) {
	refused := "!trap =category=4 =message=failure: secret with the same name already exists"
	for _, both := range []bool{false, true} {
		c := member(t, router(t, Options{Tables: Tables{SecretPerService: both}}))
		c.want("/ppp/secret/add =name=a =service=l2tp", "!done =ret=*1")
		c.want("/ppp/secret/add =name=a =service=l2tp", refused, "!done")
		if both {
			c.want("/ppp/secret/add =name=a =service=ovpn", "!done =ret=*2")
			c.want("/ppp/secret/set =.id=*2 =service=l2tp", refused, "!done")
		} else {
			c.want("/ppp/secret/add =name=a =service=ovpn", refused, "!done")
		}
	}
}

// Ensure a peer takes a second identity of one ID, or does not, as the switch says.
func TestTables_IdentityPerID(t *testing.T) {
	for _, one := range []bool{false, true} {
		c := member(t, router(t, Options{Tables: Tables{IdentityPerID: one}}))
		c.want("/ip/ipsec/peer/add =name=any =exchange-mode=ike2 =passive=yes", "!done =ret=*1")
		c.want("/ip/ipsec/identity/add =peer=any =remote-id=fqdn:a =secret=x", "!done =ret=*1")
		c.want("/ip/ipsec/identity/add =peer=any =remote-id=fqdn:b =secret=y", "!done =ret=*2")
		second := []string{"!done =ret=*3"}
		if one {
			second = []string{"!trap =category=4 =message=failure: already have such entry", "!done"}
		}
		c.want("/ip/ipsec/identity/add =peer=any =remote-id=fqdn:a =secret=z =disabled=yes", second...)
	}
}

// Ensure static rows stand behind those that the router makes, wherever they are
// put, unless the switch says otherwise.
func TestTables_StaticFirst(t *testing.T) {
	for _, first := range []bool{false, true} {
		r := router(t, Options{Tables: Tables{StaticFirst: first}})
		c := member(t, r)
		c.want("/ip/firewall/nat/add =chain=srcnat =comment=a", "!done =ret=*1")
		r.mu.Lock()
		for _, comment := range []string{"x", "y"} {
			r.st.addDynamic("/ip/firewall/nat", schema.Row{"chain": "srcnat", "comment": comment}, 0)
		}
		r.mu.Unlock()
		order := func(want string) {
			t.Helper()
			same(t, "order", strings.Join(column(r, "/ip/firewall/nat", "comment"), ""), want)
		}
		order("xya")
		c.want("/ip/firewall/nat/add =chain=srcnat =comment=b =place-before=*2", "!done =ret=*4")
		c.want("/ip/firewall/nat/add =chain=srcnat =comment=c", "!done =ret=*5")
		c.want("/ip/firewall/nat/move =numbers=*5 =destination=*2", "!done")
		if first {
			order("bcxya")
		} else {
			order("xycba")
		}
		c.want("/ip/firewall/nat/move =numbers=*2 =destination=*1", "!trap =category=4 =message=failure: cannot move dynamic entry", "!done")
		c.want("/ip/firewall/nat/set =.id=*2 =disabled=yes", "!trap =category=4 =message=failure: cannot change dynamic entry", "!done")
		c.want("/ip/firewall/nat/remove =.id=*2", "!trap =category=4 =message=failure: not allowed to remove", "!done")
		c.want("/ip/firewall/nat/print ?dynamic=yes =count-only=", "!done =ret=2")
	}
}

// Ensure a command for several rows of which one is missing does none of them,
// or those before, as the switch says.
func TestTables_PartWay(t *testing.T) {
	for _, part := range []bool{false, true} {
		r := router(t, Options{Tables: Tables{PartWay: part}})
		for _, name := range []string{"a", "b", "c"} {
			add(t, r, "/ppp/secret", schema.Row{"name": name})
		}
		c := member(t, r)
		gone := "!trap =category=0 =message=no such item"
		c.want("/ppp/secret/set =.id=a,nobody,c =comment=x", gone, "!done")
		c.want("/ppp/secret/disable =numbers=b,*77", gone, "!done")
		c.want("/ppp/secret/remove =.id=c,nobody", gone, "!done")
		comments, disabled, left := "", "", "abc"
		if part {
			comments, disabled, left = "x", "true", "ab"
		}
		same(t, "names", strings.Join(column(r, "/ppp/secret", "name"), ""), left)
		same(t, "comments", strings.Join(column(r, "/ppp/secret", "comment"), ""), comments)
		same(t, "disabled", column(r, "/ppp/secret", "disabled")[1] == "true", disabled == "true")
		c.want("/ppp/secret/set =.id=nobody =comment=x", gone, "!done")
	}
}

// Ensure a property list with an unknown name leaves it out, or is refused, as
// the switch says.
func TestTables_StrictProplist(t *testing.T) {
	for _, strict := range []bool{false, true} {
		c := member(t, router(t, Options{Tables: Tables{StrictProplist: strict}}))
		c.want("/system/identity/print =.proplist=name,.id", "!re =name=MikroTik", "!done")
		if strict {
			c.want("/system/identity/print =.proplist=name,colour", "!trap =message=unknown parameter", "!done")
		} else {
			c.want("/system/identity/print =.proplist=name,colour", "!re =name=MikroTik", "!done")
		}
	}
}

// Ensure a renamed row from the factory stays the default of what names none,
// and cannot go.
func TestDefaultRow_Renamed(t *testing.T) {
	r := router(t, Options{})
	c := member(t, r)
	c.want("/ip/ipsec/profile/set =.id=default =name=ipsec1", "!done")
	c.want("/ip/ipsec/proposal/set =.id=*0 =name=weak =disabled=yes", "!done")
	c.want("/ip/ipsec/policy/group/set =.id=default =name=g0", "!done")
	c.want("/ppp/profile/set =.id=*FFFFFFFE =name=crypt", "!done")
	c.want("/ip/ipsec/profile/remove =.id=ipsec1", "!trap =category=4 =message=failure: not allowed to remove", "!done")
	c.want("/ip/ipsec/profile/print ?default=true =.proplist=name", "!re =name=ipsec1", "!done")
	c.want("/ip/ipsec/peer/add =address=192.0.2.1", "!done =ret=*1")
	c.want("/ip/ipsec/peer/print =.proplist=name,profile,address", "!re =name=peer1 =profile=ipsec1 =address=192.0.2.1/32", "!done")
	c.want("/ip/ipsec/policy/add =peer=peer1 =src-address=10.0.0.0/8", "!done =ret=*1000000")
	c.want("/ip/ipsec/policy/print =.proplist=proposal,group", "!re =proposal=weak =group=g0", "!re =proposal=weak", "!done")
	c.want("/ip/ipsec/policy/add =template=yes", "!done =ret=*1000001")
	c.want("/ip/ipsec/policy/print ?.id=*1000001",
		"!re =.id=*1000001 =disabled=false =dst-address=::/0 =dynamic=false =group=g0 =proposal=weak =protocol=all =src-address=::/0 =template=true", "!done")
	c.want("/interface/l2tp-server/server/print =.proplist=default-profile", "!re =default-profile=crypt", "!done")
	c.want("/interface/l2tp-server/server/set =default-profile=default =enabled=yes =use-ipsec=yes", "!done")
	c.want("/interface/l2tp-server/server/set =!default-profile=", "!done")
	c.want("/interface/l2tp-server/server/print =.proplist=default-profile", "!re =default-profile=crypt", "!done")
	c.want("/ip/ipsec/peer/print ?dynamic=true =.proplist=profile", "!re =profile=ipsec1", "!done")
	c.want("/ip/ipsec/peer/add =name=p2 =profile=default", "!trap =category=1 =message=input does not match any value of profile", "!done")
}

// Ensure a policy that names several peers follows each of them.
func TestPolicyPeers(t *testing.T) {
	r := router(t, Options{})
	for _, name := range []string{"a", "b"} {
		add(t, r, "/ip/ipsec/peer", schema.Row{"name": name, "address": "192.0.2.1"})
	}
	id := add(t, r, "/ip/ipsec/policy", schema.Row{"peer": "a,b"})
	peers := func() string { return column(r, "/ip/ipsec/policy", "peer")[1] }
	if err := r.Set("/ip/ipsec/peer", "b", schema.Row{"name": "c"}); err != nil {
		t.Fatal(err)
	}
	same(t, "renamed", peers(), "a,c")
	if err := r.Remove("/ip/ipsec/peer", "a"); err != nil {
		t.Fatal(err)
	}
	same(t, "removed", peers(), "*1,c")
	if err := r.Set("/ip/ipsec/policy", id, schema.Row{"peer": "c,a"}); err == nil {
		t.Error("a peer that is gone was named")
	}
	if err := r.Set("/ip/ipsec/policy", id, schema.Row{"peer": "*2"}); err != nil {
		t.Fatal(err)
	}
	same(t, "by id", peers(), "c")
}

// Ensure matchers are checked and kept as a router keeps them.
func TestMatchers(t *testing.T) {
	r := router(t, Options{})
	add(t, r, "/interface/list", schema.Row{"name": "WAN"})
	for _, tt := range []struct{ name, value, want, refused string }{
		{"src-address", "10.0.0.1/32", "10.0.0.1", ""},
		{"src-address", "!10.0.0.1-10.0.0.9", "!10.0.0.1-10.0.0.9", ""},
		{"src-address", "10.0.0.9-10.0.0.1", "", "invalid value for argument src-address"},
		{"src-address", "lan", "", "invalid value for argument src-address"},
		{"src-address", "", "", "invalid value for argument src-address"},
		{"dst-port", "80,443,1000-2000", "80,443,1000-2000", ""},
		{"dst-port", "!22", "!22", ""},
		{"dst-port", "http", "", "invalid value for argument dst-port"},
		{"dst-port", "70000", "", "value of dst-port out of range (0..65535)"},
		{"protocol", "6", "tcp", ""},
		{"protocol", "!udp", "!udp", ""},
		{"protocol", "201", "201", ""},
		{"protocol", "xyz", "", "input does not match any value of protocol"},
		{"in-interface", "!ether1", "!ether1", ""},
		{"in-interface", "all-ppp", "all-ppp", ""},
		{"in-interface", "ether9", "", "input does not match any value of in-interface"},
		{"out-interface-list", "!WAN", "!WAN", ""},
		{"out-interface-list", "LAN", "", "input does not match any value of out-interface-list"},
		{"connection-state", "related,established,new", "", "unknown parameter"},
		{"dst-address-type", "!local", "!local", ""},
		{"dst-address-type", "multicast,local", "local,multicast", ""},
		{"ipsec-policy", "out,none", "out,none", ""},
		{"ipsec-policy", "out", "", "invalid value for argument ipsec-policy"},
		{"ipsec-policy", "out,esp", "", "input does not match any value of ipsec-policy"},
		{"log-prefix", strings.Repeat("x", 32), "", "invalid value for argument log-prefix"},
		{"fragment", "yes", "true", ""},
		{"action", "dst", "dst-nat", ""},
		{"action", "drop", "", "input does not match any value of action"},
		{"routing-mark", "main", "main", ""},
		{"routing-mark", "isp2", "", "input does not match any value of routing-mark"},
	} {
		id, err := r.Add("/ip/firewall/nat", schema.Row{"chain": "srcnat", tt.name: tt.value})
		if tt.refused != "" {
			if err == nil || !strings.HasSuffix(err.Error(), tt.refused) {
				t.Errorf("%s=%s: %v, want %s", tt.name, tt.value, err, tt.refused)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s=%s: %v", tt.name, tt.value, err)
			continue
		}
		if got := column(r, "/ip/firewall/nat", tt.name)[0]; got != tt.want {
			t.Errorf("%s=%s is kept as %q, want %q", tt.name, tt.value, got, tt.want)
		}
		if err := r.Remove("/ip/firewall/nat", id); err != nil {
			t.Fatal(err)
		}
	}
	add(t, r, "/ip/firewall/filter", schema.Row{"chain": "forward", "connection-state": "related,established,new", "tcp-flags": "syn,!ack"})
	same(t, "states", column(r, "/ip/firewall/filter", "connection-state"), []string{"established,related,new"})
	if err := r.Set("/interface/ethernet", "ether1", schema.Row{"name": "wan1"}); err != nil {
		t.Fatal(err)
	}
	add(t, r, "/ip/firewall/nat", schema.Row{"chain": "srcnat", "out-interface": "!wan1"})
	if err := r.Set("/interface/ethernet", "wan1", schema.Row{"name": "wan"}); err != nil {
		t.Fatal(err)
	}
	same(t, "negated reference", column(r, "/ip/firewall/nat", "out-interface"), []string{"!wan"})
}

// Ensure an identity takes the IDs that exist.
func TestIdentityIDs(t *testing.T) {
	r := router(t, Options{})
	add(t, r, "/ip/ipsec/peer", schema.Row{"name": "p"})
	id := add(t, r, "/ip/ipsec/identity", schema.Row{"peer": "p"})
	for _, tt := range []struct{ name, value, refused string }{
		{"my-id", "auto", ""},
		{"my-id", "address:192.0.2.1", ""},
		{"my-id", "fqdn:hq.example", ""},
		{"remote-id", "ignore", ""},
		{"remote-id", "user-fqdn:a@b.example", ""},
		{"my-id", "key-id:7", ""},
		{"my-id", "dn", ""},
		{"my-id", "ignore", "input does not match any value of my-id"},
		{"my-id", "address:hq", "invalid value for argument my-id"},
		{"my-id", "fqdn:", "invalid value for argument my-id"},
		{"my-id", "hq.example", "input does not match any value of my-id"},
		{"certificate", "none.crt", "input does not match any value of certificate"},
	} {
		err := r.Set("/ip/ipsec/identity", id, schema.Row{tt.name: tt.value})
		if (tt.refused == "") != (err == nil) || (err != nil && !strings.HasSuffix(err.Error(), tt.refused)) {
			t.Errorf("%s=%s: %v, want %q", tt.name, tt.value, err, tt.refused)
		}
	}
}

// Ensure a host in a firewall rule is shown with its mask or without, as the
// switch says, and means the same to the product.
func TestTables_HostsAsWritten(t *testing.T) {
	menu, _ := schema.Lookup("/ip/firewall/nat")
	for _, written := range []bool{false, true} {
		r := router(t, Options{Tables: Tables{HostsAsWritten: written}})
		add(t, r, "/ip/firewall/nat", schema.Row{"chain": "srcnat", "src-address": "10.0.0.1/32", "dst-address": "10.9.0.0/24"})
		want := "10.0.0.1"
		if written {
			want = "10.0.0.1/32"
		}
		row := r.Rows("/ip/firewall/nat")[0]
		same(t, "source", row["src-address"], want)
		if !menu.Same("src-address", row["src-address"], "10.0.0.1/32") {
			t.Errorf("%q is another address to the product", row["src-address"])
		}
	}
}

// Ensure the commands that change no configuration do what they say.
func TestOperate(t *testing.T) {
	r := router(t, Options{})
	c := member(t, r)
	add(t, r, "/ip/firewall/nat", schema.Row{"chain": "srcnat"})
	r.mu.Lock()
	rec := r.st.tables["/ip/firewall/nat"][0]
	rec.turn(time.Now(), "packets", 0, 42)
	r.mu.Unlock()
	c.want("/ip/firewall/nat/print =.proplist=packets", "!re =packets=42", "!done")
	c.want("/ip/firewall/nat/reset-counters =numbers=*9", "!trap =category=0 =message=no such item", "!done")
	c.want("/ip/firewall/nat/reset-counters =numbers=*1", "!done")
	c.want("/ip/firewall/nat/print =.proplist=packets", "!re =packets=0", "!done")
	c.want("/ip/firewall/nat/reset-counters-all", "!done")
	c.want("/system/logging/action/clear =action=nothing", "!trap =category=1 =message=input does not match any value of action", "!done")
	c.want("/system/logging/action/clear", "!trap =message=missing value(s) of argument(s) action", "!done")
	c.want("/system/logging/action/clear =action=memory", "!done")
	c.want("/log/print =count-only=", "!done =ret=0")
	c.want("/user/expire-password =numbers=admin", "!done")
	c.want("/user/print =.proplist=expired", "!re =expired=true", "!done")
	c.want("/ip/cloud/force-update", "!done")
}

// Ensure a session can be ended by whoever sees it, by the command that the
// version has.
func TestUserActive_End(t *testing.T) {
	eachProfile(t, func(t *testing.T, r *Router) {
		addr := listening(t, r)
		guest, c := dial(t, addr), dial(t, addr)
		guest.want("/login =name=admin =password=", "!done")
		c.want("/login =name=admin =password=", "!done")
		id := strings.TrimPrefix(c.ask("/user/active/print =.proplist=.id")[0], "!re =.id=")
		command, other := "request-logout", "remove"
		if r.prof.version == ProfileDefault {
			command, other = other, command
		}
		c.want("/user/active/"+other+" =numbers="+id, "!trap =category=0 =message=no such command", "!done")
		c.want("/user/active/"+command+" =numbers="+id, "!done")
		guest.gone()
	})
}

// Ensure monitors answer once, or again and again until they are cancelled.
func TestMonitor(t *testing.T) {
	alone(t, Options{}, func(t *testing.T, r *Router) {
		c := bubbled(t, r, "admin")
		c.want("/interface/ethernet/monitor =numbers=ether1,ether3 =once=",
			"!re =auto-negotiation=done =full-duplex=true =name=ether1 =rate=1Gbps =status=link-ok",
			"!re =auto-negotiation=incomplete =name=ether3 =status=no-link", "!done")
		c.want("/interface/monitor-traffic =interface=ether1 =once= =.proplist=name,rx-bits-per-second", "!re =name=ether1 =rx-bits-per-second=0", "!done")
		c.want("/system/resource/monitor =once=", "!re =cpu-used=1 =free-memory=873463808", "!done")
		add(t, r, "/interface/l2tp-client", schema.Row{"connect-to": "192.0.2.1", "user": "u"})
		c.want("/interface/l2tp-client/monitor =numbers=l2tp-out1 =once= =.proplist=status,user", "!re =status=disconnected =user=u", "!done")
		for line, trap := range map[string]string{
			"/interface/monitor-traffic =once=":                        "=message=missing value(s) of argument(s) interface",
			"/interface/monitor-traffic =interface=ether9 =once=":      "=category=0 =message=no such item",
			"/interface/ethernet/monitor =numbers=ether1 =colour=":     "=message=unknown parameter",
			"/interface/ethernet/monitor =numbers=ether1 =interval=1x": "=category=1 =message=invalid value for argument interval",
		} {
			c.want(line, "!trap "+trap, "!done")
		}
		c.send("/interface/monitor-traffic", "=interface=ether1", "=interval=2s", "=.proplist=name", ".tag=m")
		began := time.Now()
		for range 3 {
			same(t, "reply", c.next(), "!re =name=ether1 .tag=m")
		}
		same(t, "time taken", time.Since(began), 4*time.Second)
		c.send("/cancel", "=tag=m", ".tag=x")
		for _, want := range []string{"!trap =category=2 =message=interrupted .tag=m", "!done .tag=x", "!done .tag=m"} {
			same(t, "cancel", c.next(), want)
		}
	})
}
