package rossim_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
	"vpnbot/vpn/ike"
)

const (
	hqWAN   = "203.0.113.10"
	fengWAN = "198.51.100.20"
)

// estate is two sites on an Internet on which the model of RouterOS judges.
type estate struct {
	*testing.T
	in       *rossim.Internet
	hq, feng *rossim.Router
}

// newEstate makes two sites with a tunnel, and people who dial in to hq.
func newEstate(t *testing.T, mode string) *estate {
	t.Helper()
	in, err := rossim.NewInternet(rossim.InternetOptions{Negotiator: ike.Model{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	})
	e := &estate{T: t, in: in}
	e.hq = e.site("hq", hqWAN, "192.168.77", fengWAN, "192.168.88", mode)
	e.feng = e.site("fengshan", fengWAN, "192.168.88", hqWAN, "192.168.77", mode)
	return e
}

func (e *estate) site(name, wan, lan, remote, remoteLAN, mode string) *rossim.Router {
	e.Helper()
	r, err := rossim.New(rossim.Options{Name: name})
	if err != nil {
		e.Fatal(err)
	}
	if err := e.in.Attach(r, rossim.Place{}); err != nil {
		e.Fatal(err)
	}
	err = r.Load(map[string][]schema.Row{
		"/ip/address":                   {{"address": wan + "/24", "interface": "ether1"}, {"address": lan + ".1/24", "interface": "ether2"}},
		"/ip/pool":                      {{"name": "vpn", "ranges": lan + ".200-" + lan + ".220"}},
		"/ppp/profile":                  {{"name": "vpn", "local-address": lan + ".1", "remote-address": "vpn"}},
		"/ppp/secret":                   {{"name": "alice", "password": "pw", "service": "l2tp", "profile": "vpn"}},
		"/interface/l2tp-server/server": {{"enabled": "yes", "use-ipsec": "required", "ipsec-secret": "l2tp-key", "default-profile": "vpn"}},
		"/ip/ipsec/profile": {
			{"name": "default", "hash-algorithm": "sha1", "enc-algorithm": "aes-256", "dh-group": "ecp384,modp2048"},
			{"name": "s2s", "hash-algorithm": "sha256", "enc-algorithm": "aes-256", "dh-group": "ecp384"},
		},
		"/ip/ipsec/proposal": {
			{"name": "default", "pfs-group": "none"},
			{"name": "s2s", "auth-algorithms": "sha256", "enc-algorithms": "aes-256-cbc", "pfs-group": "ecp384"},
		},
		"/ip/ipsec/peer":     {{"name": "s2s", "address": remote + "/32", "profile": "s2s", "exchange-mode": mode}},
		"/ip/ipsec/identity": {{"peer": "s2s", "secret": "tunnel-key"}},
		"/ip/ipsec/policy":   {{"peer": "s2s", "tunnel": "yes", "src-address": lan + ".0/24", "dst-address": remoteLAN + ".0/24", "proposal": "s2s"}},
		"/ip/firewall/nat":   {{"chain": "srcnat", "action": "masquerade", "out-interface": "ether1", "ipsec-policy": "out,none"}},
	})
	if err != nil {
		e.Fatal(err)
	}
	return r
}

func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// established returns the SPI pairs of the tunnel, and fails unless both ends
// show the same.
func (e *estate) established() string {
	e.Helper()
	var seen [2]string
	for i, r := range []*rossim.Router{e.hq, e.feng} {
		for _, row := range r.Rows("/ip/ipsec/active-peers") {
			if row["natt-peer"] == "" && row["state"] == "established" {
				seen[i] += row["spii"] + row["spir"]
			}
		}
		for _, row := range r.Rows("/ip/ipsec/policy") {
			if row["tunnel"] == "true" && row["ph2-state"] != "established" {
				e.Errorf("policy on %s: %v", r.Name(), row)
			}
		}
	}
	if seen[0] == "" || seen[0] != seen[1] {
		e.Errorf("phase 1 on hq %q, on fengshan %q", seen[0], seen[1])
	}
	return seen[0]
}

func logged(r *rossim.Router, text string) bool {
	for _, row := range r.Rows("/log") {
		if strings.Contains(row["topics"]+" "+row["message"], text) {
			return true
		}
	}
	return false
}

// Ensure a Windows computer behind the other site's address is taken for that
// site while the tunnel is main mode, and gets in from elsewhere; and that with
// the tunnel on ike2 both work.
func TestStory_DialInFromOtherSite(t *testing.T) {
	for _, tt := range []struct {
		mode string
		want error
	}{{"main", rossim.ErrIPsec}, {"ike2", nil}} {
		t.Run(tt.mode, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEstate(t, tt.mode)
				wait(5 * time.Second)
				before := e.established()
				call := rossim.DialIn{Account: "alice", Password: "pw", PSK: "l2tp-key", Behind: "fengshan", Local: netip.MustParseAddr("192.168.88.31")}
				_, err := e.hq.Connect(call)
				if !errors.Is(err, tt.want) {
					t.Errorf("from behind fengshan: %v, want %v", err, tt.want)
				}
				if tt.want != nil && !logged(e.hq, "ipsec,error "+fengWAN+" failed to get valid proposal.") {
					t.Errorf("log: %v", e.hq.Rows("/log"))
				}
				call.Behind, call.CallerID = "", "192.0.2.44"
				if _, err := e.hq.Connect(call); err != nil {
					t.Errorf("from elsewhere: %v", err)
				}
				if e.established() != before {
					t.Error("the tunnel went down meanwhile")
				}
			})
		})
	}
}

// Ensure translation above policies is what the notes say: masquerade alone
// fails, an accept above it passes, one below it fails; and a connection keeps
// what its first packet got.
func TestStory_NAT(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEstate(t, "ike2")
		wait(5 * time.Second)
		rule := e.hq.Rows("/ip/firewall/nat")[0][".id"]
		if err := e.hq.Set("/ip/firewall/nat", rule, schema.Row{"!ipsec-policy": ""}); err != nil {
			t.Fatal(err)
		}
		ping := func() bool {
			return e.in.Ping("hq", netip.MustParseAddr("192.168.77.1"), netip.MustParseAddr("192.168.88.50"))
		}
		if ping() {
			t.Error("masquerade alone lets the ping pass")
		}
		stop, err := e.in.StartFlow(rossim.Flow{From: netip.MustParseAddr("192.168.77.20"), To: netip.MustParseAddr("192.168.88.50"), Protocol: "tcp", FromPort: 40000, ToPort: 443, There: 10, Back: 10})
		if err != nil {
			t.Fatal(err)
		}
		accept, err := e.hq.Add("/ip/firewall/nat", schema.Row{"chain": "srcnat", "src-address": "192.168.77.0/24", "dst-address": "192.168.88.0/24"})
		if err != nil {
			t.Fatal(err)
		}
		if ping() {
			t.Error("an accept below lets the ping pass")
		}
		if err := e.hq.Remove("/ip/firewall/nat", accept); err != nil {
			t.Fatal(err)
		}
		if err := e.hq.Remove("/ip/firewall/nat", rule); err != nil {
			t.Fatal(err)
		}
		for _, row := range []schema.Row{
			{"chain": "srcnat", "src-address": "192.168.77.0/24", "dst-address": "192.168.88.0/24"},
			{"chain": "srcnat", "action": "masquerade", "out-interface": "ether1"},
		} {
			if _, err := e.hq.Add("/ip/firewall/nat", row); err != nil {
				t.Fatal(err)
			}
		}
		if !ping() {
			t.Error("an accept above does not let the ping pass")
		}
		wait(time.Minute)
		if packets := e.hq.Rows("/ip/ipsec/installed-sa")[1]["current-packets"]; packets != "1" {
			t.Errorf("SA carried %q packets: the old connection should keep its translation", packets)
		}
		for _, row := range e.hq.Rows("/ip/firewall/connection") {
			if row["protocol"] == "tcp" {
				if row["reply-dst-address"] != hqWAN || row["orig-packets"] != "600" {
					t.Errorf("connection %v", row)
				}
				if err := e.hq.Remove("/ip/firewall/connection", row[".id"]); err != nil {
					t.Fatal(err)
				}
			}
		}
		wait(10 * time.Second)
		if packets := e.feng.Rows("/ip/ipsec/installed-sa")[0]["current-packets"]; packets != "101" {
			t.Errorf("SA carried %q packets after the connection was forgotten, want 101", packets)
		}
		stop()
	})
}

// Ensure a key changed at one end leaves the tunnel up until phase 1 is
// negotiated again, which then fails with the lines that a router logs.
func TestStory_KeyChangedOnOneSide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEstate(t, "main")
		wait(5 * time.Second)
		before := e.established()
		identity := e.hq.Rows("/ip/ipsec/identity")
		for _, row := range identity {
			if row["peer"] == "s2s" {
				if err := e.hq.Set("/ip/ipsec/identity", row[".id"], schema.Row{"secret": "another-key"}); err != nil {
					t.Fatal(err)
				}
			}
		}
		wait(2 * time.Hour)
		if e.established() != before {
			t.Error("the tunnel did not stay up")
		}
		if err := e.hq.Remove("/ip/ipsec/active-peers", e.hq.Rows("/ip/ipsec/active-peers")[0][".id"]); err != nil {
			t.Fatal(err)
		}
		wait(2 * time.Minute)
		for _, r := range []*rossim.Router{e.hq, e.feng} {
			for _, row := range r.Rows("/ip/ipsec/active-peers") {
				if row["state"] == "established" {
					t.Errorf("%s has %v", r.Name(), row)
				}
			}
			if len(r.Rows("/ip/ipsec/installed-sa")) != 0 {
				t.Errorf("%s has SAs", r.Name())
			}
		}
		if !logged(e.feng, "ipsec,error "+hqWAN+" parsing packet failed, possible cause: wrong password") || !logged(e.hq, "phase1 negotiation failed due to time up") {
			t.Errorf("logs: %v\n%v", e.hq.Rows("/log"), e.feng.Rows("/log"))
		}
	})
}

// Ensure a reboot takes the tunnel down at one end, the other notices, and both
// come back with new cookies.
func TestStory_Reboot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEstate(t, "ike2")
		wait(5 * time.Second)
		before := e.established()
		e.feng.Reboot()
		if rows := e.hq.Rows("/ip/ipsec/active-peers"); len(rows) != 1 || rows[0]["state"] != "established" {
			t.Errorf("hq knows already: %v", rows)
		}
		if rows := e.feng.Rows("/ip/ipsec/active-peers"); len(rows) != 0 {
			t.Errorf("fengshan remembers: %v", rows)
		}
		wait(time.Minute)
		if after := e.established(); after == before {
			t.Error("same cookies after the reboot")
		}
	})
}

// Ensure an unplugged line is noticed after the interval of dead peer detection
// times the failures allowed, and a tunnel comes back when it is plugged in.
func TestStory_DeadPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEstate(t, "main")
		wait(time.Hour)
		before := e.established()
		if err := e.in.Unplug("fengshan"); err != nil {
			t.Fatal(err)
		}
		wait(31 * time.Second)
		if row := e.hq.Rows("/ip/ipsec/active-peers")[0]; row["state"] != "established" || row["last-seen"] < "31s" {
			t.Errorf("before the fourth failure: %v", row)
		}
		wait(2 * time.Second)
		for _, row := range e.hq.Rows("/ip/ipsec/active-peers") {
			if row["state"] == "established" {
				t.Errorf("after the fourth failure: %v", row)
			}
		}
		wait(10 * time.Minute)
		if err := e.in.Plug("fengshan"); err != nil {
			t.Fatal(err)
		}
		wait(2 * time.Minute)
		if e.established() == before {
			t.Error("same cookies")
		}
	})
}

// Ensure a day passes with new SAs twice an hour and a new phase 1, and traffic
// all the time.
func TestStory_Day(t *testing.T) {
	for _, mode := range []string{"main", "ike2"} {
		t.Run(mode, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEstate(t, mode)
				wait(5 * time.Second)
				before := e.established()
				if _, err := e.in.StartFlow(rossim.Flow{From: netip.MustParseAddr("192.168.77.20"), To: netip.MustParseAddr("192.168.88.50"), There: 5, Back: 2}); err != nil {
					t.Fatal(err)
				}
				spis := map[string]bool{}
				for range 24 * 12 {
					wait(5 * time.Minute)
					e.established()
					for _, row := range e.hq.Rows("/ip/ipsec/installed-sa") {
						spis[row["spi"]] = true
					}
				}
				if e.established() == before {
					t.Error("phase 1 was not renewed")
				}
				if len(spis) < 100 || len(spis) > 140 {
					t.Errorf("%d SPIs in a day", len(spis))
				}
				var rx, tx float64
				row := e.hq.Rows("/ip/ipsec/active-peers")[0]
				_, _ = fmt.Sscan(row["rx-packets"], &rx)
				_, _ = fmt.Sscan(row["tx-packets"], &tx)
				if rx == 0 || tx < 2.4*rx || tx > 2.6*rx {
					t.Errorf("rx %v, tx %v, want 2 to 5", rx, tx)
				}
			})
		})
	}
}

// Ensure two ends that want different PFS groups have a tunnel on IKEv2 until
// its first SAs end, and none after.
func TestStory_FirstRekeyFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEstate(t, "ike2")
		if err := e.feng.Set("/ip/ipsec/proposal", "s2s", schema.Row{"pfs-group": "modp2048"}); err != nil {
			t.Fatal(err)
		}
		wait(5 * time.Second)
		e.established()
		wait(45 * time.Minute)
		for _, r := range []*rossim.Router{e.hq, e.feng} {
			if len(r.Rows("/ip/ipsec/installed-sa")) != 0 {
				t.Errorf("%s has SAs", r.Name())
			}
			if row := r.Rows("/ip/ipsec/active-peers")[0]; row["state"] != "established" || row["ph2-total"] != "" {
				t.Errorf("%s has %v", r.Name(), row)
			}
		}
		if !logged(e.hq, "ipsec,error got error: NO_PROPOSAL_CHOSEN") {
			t.Errorf("log: %v", e.hq.Rows("/log"))
		}
	})
}

// Ensure a router whose address changes loses its tunnel, and has it back when
// the name that the other end calls follows.
func TestStory_AddressChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEstate(t, "ike2")
		e.in.SetName("feng.example.net", netip.MustParseAddr(fengWAN))
		for _, err := range []error{
			e.hq.Set("/ip/ipsec/peer", "s2s", schema.Row{"address": "feng.example.net"}),
			e.feng.Set("/ip/ipsec/peer", "s2s", schema.Row{"passive": "yes"}),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		wait(time.Minute)
		before := e.established()
		const moved = "198.51.100.99"
		for _, row := range e.feng.Rows("/ip/address") {
			if row["interface"] == "ether1" {
				if err := e.feng.Set("/ip/address", row[".id"], schema.Row{"address": moved + "/24"}); err != nil {
					t.Fatal(err)
				}
			}
		}
		wait(5 * time.Minute)
		for _, row := range e.hq.Rows("/ip/ipsec/active-peers") {
			if row["state"] == "established" {
				t.Errorf("hq still has %v", row)
			}
		}
		e.in.SetName("feng.example.net", netip.MustParseAddr(moved))
		wait(2 * time.Minute)
		if after := e.established(); after == before {
			t.Error("same cookies")
		}
	})
}
