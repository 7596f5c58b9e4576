package rossim

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/ros/schema"
)

// staff lets people dial in to a router.
func staff(t testing.TB, r *Router, lan, psk string) {
	t.Helper()
	if err := r.Load(map[string][]schema.Row{
		"/ip/pool":                      {{"name": "vpn", "ranges": lan + ".200-" + lan + ".220"}},
		"/ppp/profile":                  {{"name": "vpn", "local-address": lan + ".1", "remote-address": "vpn"}},
		"/ppp/secret":                   {{"name": "alice", "password": "pw", "service": "l2tp", "profile": "vpn"}},
		"/interface/l2tp-server/server": {{"enabled": "yes", "use-ipsec": "required", "ipsec-secret": psk, "default-profile": "vpn"}},
	}); err != nil {
		t.Fatal(err)
	}
}

// Ensure a computer that dials in is judged by the negotiator, shows in the
// IPsec rows while it is there, and is taken for the site whose address it has.
func TestInternet_DialIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, Switches{})
		staff(t, p.hq, "192.168.77", "l2tp")
		p.wait(3 * time.Second)
		alice := DialIn{Account: "alice", Password: "pw", PSK: "l2tp", CallerID: "192.0.2.44"}
		if addr, err := p.hq.Connect(alice); err != nil || addr.String() != "192.168.77.200" {
			t.Fatalf("dialling in from elsewhere: %v, %v", addr, err)
		}
		peers := p.hq.Rows("/ip/ipsec/active-peers")
		if len(peers) != 2 || peers[1]["remote-address"] != "192.0.2.44" || peers[1]["natt-peer"] != "true" || peers[1]["id"] != "192.168.1.100" {
			t.Errorf("active peers %v", peers)
		}
		if sas := p.hq.Rows("/ip/ipsec/installed-sa"); len(sas) != 4 || sas[3]["dst-address"] != "192.0.2.44:4500" {
			t.Errorf("SAs %v", sas)
		}
		if pol := p.hq.Rows("/ip/ipsec/policy")[1]; pol["dynamic"] != "true" || pol["dst-address"] != "192.0.2.44/32" || pol["ph2-state"] != "established" {
			t.Errorf("generated policy %v", pol)
		}
		same(t, "sessions", len(p.hq.Rows("/ppp/active")), 1)
		p.hq.Disconnect("alice")
		same(t, "peers after the session", len(p.hq.Rows("/ip/ipsec/active-peers")), 1)
		same(t, "policies after the session", len(p.hq.Rows("/ip/ipsec/policy")), 2)

		alice.Behind = "fengshan"
		if _, err := p.hq.Connect(alice); !errors.Is(err, ErrIPsec) {
			t.Errorf("dialling in from behind the other site: %v", err)
		}
		same(t, "line", lines(p.hq, "ipsec,error "+fengWAN+" failed to get valid proposal."), 1)
		same(t, "sessions", len(p.hq.Rows("/ppp/active")), 0)
		p.up()
	})
}

// Ensure a session ends when its client's line is cut, and wrong credentials
// leave nothing behind.
func TestInternet_DialIn_Lost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, Switches{})
		staff(t, p.hq, "192.168.77", "l2tp")
		p.wait(3 * time.Second)
		alice := DialIn{Account: "alice", Password: "wrong", PSK: "l2tp", CallerID: "192.0.2.44"}
		if _, err := p.hq.Connect(alice); !errors.Is(err, ErrLogin) {
			t.Errorf("wrong password: %v", err)
		}
		same(t, "peers", len(p.hq.Rows("/ip/ipsec/active-peers")), 1)
		alice.Password = "pw"
		if _, err := p.hq.Connect(alice); err != nil {
			t.Fatal(err)
		}
		p.in.SetAddressDown(addr("192.0.2.44"), true)
		p.wait(33 * time.Second)
		same(t, "peers after dead peer detection", len(p.hq.Rows("/ip/ipsec/active-peers")), 1)
		same(t, "session that has not noticed", len(p.hq.Rows("/ppp/active")), 1)
		p.wait(30 * time.Second)
		same(t, "sessions", len(p.hq.Rows("/ppp/active")), 0)
		same(t, "reason", p.hq.Rows("/ppp/secret")[0]["last-disconnect-reason"], "hung-up")
	})
}
