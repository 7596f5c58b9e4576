package rossim

import (
	"testing"

	"vpnbot/ros/schema"
)

// Ensure a rule that names the port of a bridge is invalid and says which name to
// use, and that one whose interface is gone is invalid, until they are mended.
func TestRule_Invalid(t *testing.T) {
	r := router(t, Options{})
	c := member(t, r)
	add(t, r, "/interface/bridge", schema.Row{"name": "lan"})
	add(t, r, "/interface/bridge", schema.Row{"name": "guests"})
	id := add(t, r, "/interface/bridge/port", schema.Row{"bridge": "lan", "interface": "ether2"})
	add(t, r, "/ip/address", schema.Row{"address": "10.0.0.1/24", "interface": "ether2"})
	for _, menu := range firewalls {
		chain := map[string]string{"/ip/firewall/nat": "srcnat", "/ip/firewall/filter": "forward"}[menu]
		if chain == "" {
			chain = "prerouting"
		}
		attr := "in-interface"
		if chain == "srcnat" {
			attr = "out-interface"
		}
		add(t, r, menu, schema.Row{"chain": chain, attr: "!ether2"})
		add(t, r, menu, schema.Row{"chain": chain, attr: "guests"})
		c.want(menu+"/print =.proplist=invalid,.about",
			"!re =invalid=true =.about=in/out-interface matcher not possible when interface (ether2) is slave - use master instead (lan)", "!re =invalid=false", "!done")
	}
	c.want("/ip/address/print =.proplist=slave,invalid", "!re =slave=true =invalid=false", "!done")
	if err := r.Set("/interface/bridge/port", id, schema.Row{"disabled": "yes"}); err != nil {
		t.Fatal(err)
	}
	if err := r.Remove("/interface/bridge", "guests"); err != nil {
		t.Fatal(err)
	}
	c.want("/ip/firewall/nat/print =.proplist=invalid,.about", "!re =invalid=false", "!re =invalid=true", "!done")
	c.want("/ip/address/print =.proplist=slave,invalid", "!re =slave=false =invalid=false", "!done")
}

// Ensure the rule that counts fasttracked packets stands in front while one asks
// for them, and is nobody's to change.
func TestFilter_Fasttrack(t *testing.T) {
	r := router(t, Options{})
	c := member(t, r)
	c.want("/ip/firewall/filter/add =chain=forward =action=accept", "!done =ret=*1")
	c.want("/ip/firewall/filter/add =chain=forward =action=fasttrack-connection =connection-state=related,established", "!done =ret=*2")
	dummy := "!re =.id=*3 =action=passthrough =bytes=0 =chain=forward =comment=special dummy rule to show fasttrack counters =disabled=false =dynamic=true =invalid=false =log=false =log-prefix= =packets=0"
	c.want("/ip/firewall/filter/print ?dynamic=true", dummy, "!done")
	same(t, "order", column(r, "/ip/firewall/filter", ".id"), []string{"*3", "*1", "*2"})
	builtin := "!trap =category=4 =message=failure: cannot change builtin"
	c.want("/ip/firewall/filter/set =.id=*3 =disabled=yes", builtin, "!done")
	c.want("/ip/firewall/filter/remove =.id=*3", builtin, "!done")
	c.want("/ip/firewall/filter/move =numbers=*3", builtin, "!done")
	c.want("/ip/firewall/filter/move =numbers=*2 =destination=*3", "!done")
	same(t, "order", column(r, "/ip/firewall/filter", ".id"), []string{"*3", "*2", "*1"})
	c.want("/ip/firewall/filter/disable =numbers=*2", "!done")
	same(t, "order", column(r, "/ip/firewall/filter", ".id"), []string{"*2", "*1"})
	c.want("/ip/firewall/filter/enable =numbers=*2", "!done")
	c.want("/ip/firewall/filter/remove =.id=*2", "!done")
	same(t, "order", column(r, "/ip/firewall/filter", ".id"), []string{"*1"})
}

// Ensure times are held to the limits that the console tells.
func TestLimits(t *testing.T) {
	r := router(t, Options{})
	c := member(t, r)
	c.want("/ip/ipsec/profile/add =name=p =dpd-interval=3601s", "!trap =category=1 =message=value of dpd-interval out of range (0s..1h)", "!done")
	c.want("/ip/ipsec/profile/add =name=p =dpd-interval=3600s", "!done =ret=*2")
	c.want("/interface/bridge/add =name=b =forward-delay=3s", "!trap =category=1 =message=value of forward-delay out of range (4s..30s)", "!done")
	c.want("/ip/ipsec/key/psk/add =id=short", "!trap =category=1 =message=invalid value for argument id", "!done")
}
