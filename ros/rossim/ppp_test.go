package rossim

import (
	"errors"
	"slices"
	"testing"
	"time"

	"vpnbot/ros/schema"
)

// dialin makes a router that people can dial in to.
func dialin(t testing.TB) *Router {
	t.Helper()
	r := router(t, Options{})
	secret := func(name, comment string) schema.Row {
		return schema.Row{"name": name, "password": "pw", "service": "l2tp", "profile": "office", "comment": comment}
	}
	err := r.Load(map[string][]schema.Row{
		"/ip/pool": {
			{"name": "more", "ranges": "10.9.1.0/31"},
			{"name": "vpn", "ranges": "10.9.0.2-10.9.0.3", "next-pool": "more"},
		},
		"/ppp/profile": {{"name": "office", "local-address": "10.9.0.1", "remote-address": "vpn"}},
		"/ppp/secret":  {secret("alice", "Alice"), secret("bob", ""), secret("carol", ""), secret("dave", ""), secret("erin", "")},
		"/interface/l2tp-server/server": {{
			"enabled": "yes", "use-ipsec": "required", "ipsec-secret": "psk", "default-profile": "office",
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// connect dials in and fails unless that succeeds with the wanted address.
func connect(t testing.TB, r *Router, account, want string) {
	t.Helper()
	got, err := r.Connect(DialIn{Account: account, Password: "pw", CallerID: "198.51.100.9", PSK: "psk"})
	if err != nil || got.String() != want {
		t.Fatalf("%s got %v, %v, want %s", account, got, err, want)
	}
}

// Ensure a client that fits gets an address, its rows and its log lines, and
// that all but the log are gone when it leaves.
func TestConnect(t *testing.T) {
	r := dialin(t)
	before := len(r.Rows("/interface"))
	connect(t, r, "alice", "10.9.0.2")
	rows := r.Rows("/ppp/active")
	same(t, "active", rows, []schema.Row{{
		".id": "*80000001", "name": "alice", "service": "l2tp", "caller-id": "198.51.100.9", "address": "10.9.0.2", "uptime": "0s",
		"encoding": "cbc(aes) + hmac(sha1)", "session-id": "0x81A00001", "limit-bytes-in": "0", "limit-bytes-out": "0",
		"radius": "false", "comment": "Alice",
	}})
	if !slices.Contains(column(r, "/interface", "name"), "<l2tp-alice>") {
		t.Error("no interface <l2tp-alice>")
	}
	same(t, "local address", column(r, "/ip/address", "address"), []string{"10.9.0.1/32"})
	same(t, "used", column(r, "/ip/pool/used", "address"), []string{"10.9.0.2"})
	same(t, "pool", column(r, "/ip/pool", "used"), []string{"0", "1"})
	logged(t, r, "l2tp,info first L2TP UDP packet received from 198.51.100.9")
	logged(t, r, "l2tp,ppp,info,account alice logged in, 10.9.0.2 from 198.51.100.9")
	logged(t, r, "l2tp,ppp,info <l2tp-alice>: connected")

	same(t, "ended", r.Disconnect("alice"), 1)
	for _, menu := range []string{"/ppp/active", "/ip/pool/used", "/ip/address"} {
		if rows := r.Rows(menu); len(rows) != 0 {
			t.Errorf("%s still has %v", menu, rows)
		}
	}
	same(t, "interfaces", len(r.Rows("/interface")), before)
	secret := r.Rows("/ppp/secret")[0]
	if secret["last-caller-id"] != "198.51.100.9" || secret["last-disconnect-reason"] != "peer-request" || secret["last-logged-out"] < "2" {
		t.Errorf("secret = %v", secret)
	}
	logged(t, r, "l2tp,ppp,info <l2tp-alice>: terminating... - hungup")
}

// Ensure every reason for which a client is turned away has its own error.
func TestConnect_Refused(t *testing.T) {
	good := DialIn{Account: "alice", Password: "pw", CallerID: "198.51.100.9", PSK: "psk"}
	for _, tt := range []struct {
		name   string
		change func(*Router) error
		client func(*DialIn)
		want   error
	}{
		{"server off", func(r *Router) error {
			return r.Set("/interface/l2tp-server/server", "", schema.Row{"enabled": "no"})
		}, nil, ErrNoAnswer},
		{"no IPsec", nil, func(d *DialIn) { d.PSK = "" }, ErrNoAnswer},
		{"other key", nil, func(d *DialIn) { d.PSK = "old" }, ErrIPsec},
		{"server without IPsec", func(r *Router) error {
			return r.Set("/interface/l2tp-server/server", "", schema.Row{"use-ipsec": "no"})
		}, nil, ErrIPsec},
		{"wrong password", nil, func(d *DialIn) { d.Password = "PW" }, ErrLogin},
		{"unknown account", nil, func(d *DialIn) { d.Account = "mallory" }, ErrLogin},
		{"disabled", func(r *Router) error { return r.Set("/ppp/secret", "alice", schema.Row{"disabled": "yes"}) }, nil, ErrLogin},
		{"other service", func(r *Router) error { return r.Set("/ppp/secret", "alice", schema.Row{"service": "pptp"}) }, nil, ErrLogin},
		{"other caller", func(r *Router) error { return r.Set("/ppp/secret", "alice", schema.Row{"caller-id": "192.0.2.1"}) }, nil, ErrLogin},
		{"no address", func(r *Router) error { return r.Set("/ppp/profile", "office", schema.Row{"!remote-address": ""}) }, nil, ErrAddress},
		{"full", func(r *Router) error {
			if _, err := r.Connect(DialIn{Account: "bob", Password: "pw", PSK: "psk", CallerID: "192.0.2.2"}); err != nil {
				return err
			}
			return r.Set("/interface/l2tp-server/server", "", schema.Row{"max-sessions": "1"})
		}, nil, ErrSessions},
		{"host has one", func(r *Router) error {
			if _, err := r.Connect(DialIn{Account: "bob", Password: "pw", PSK: "psk", CallerID: "198.51.100.9"}); err != nil {
				return err
			}
			return r.Set("/interface/l2tp-server/server", "", schema.Row{"one-session-per-host": "yes"})
		}, nil, ErrSessions},
		{"only one", func(r *Router) error {
			if _, err := r.Connect(good); err != nil {
				return err
			}
			return r.Set("/ppp/profile", "office", schema.Row{"only-one": "yes"})
		}, nil, ErrSessions},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := dialin(t)
			d := good
			if tt.client != nil {
				tt.client(&d)
			}
			if tt.change != nil {
				if err := tt.change(r); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := r.Connect(d); !errors.Is(err, tt.want) {
				t.Errorf("error = %v, want %v", err, tt.want)
			}
		})
	}
}

// Ensure the address comes from the secret, else from the pool and the pools
// after it, and that a pool runs dry.
func TestConnect_Addresses(t *testing.T) {
	r := dialin(t)
	if err := r.Set("/ppp/secret", "erin", schema.Row{"remote-address": "10.9.7.7"}); err != nil {
		t.Fatal(err)
	}
	connect(t, r, "alice", "10.9.0.2")
	connect(t, r, "erin", "10.9.7.7")
	connect(t, r, "bob", "10.9.0.3")
	connect(t, r, "carol", "10.9.1.0")
	connect(t, r, "dave", "10.9.1.1")
	if _, err := r.Connect(DialIn{Account: "alice", Password: "pw", PSK: "psk"}); !errors.Is(err, ErrAddress) {
		t.Errorf("dry pool: %v", err)
	}
	r.Disconnect("bob")
	connect(t, r, "bob", "10.9.0.3")
}

// Ensure a session outlives its secret, disabled or removed, and ends when its
// row in /ppp/active is removed.
func TestSessionOutlivesSecret(t *testing.T) {
	r := dialin(t)
	connect(t, r, "alice", "10.9.0.2")
	connect(t, r, "bob", "10.9.0.3")
	c := member(t, r)
	c.want("/ppp/secret/disable =numbers=alice", "!done")
	c.want("/ppp/secret/remove =numbers=bob", "!done")
	same(t, "active", column(r, "/ppp/active", "name"), []string{"alice", "bob"})
	c.want("/ppp/active/remove =.id=*80000001,*80000002", "!done")
	same(t, "active", column(r, "/ppp/active", "name"), []string(nil))
	same(t, "reason", r.Rows("/ppp/secret")[0]["last-disconnect-reason"], "nas-request")
	logged(t, r, "l2tp,ppp,info <l2tp-alice>: terminating... - administrator request")
}

// Ensure uptime grows with time and not with the clock.
func TestUptime(t *testing.T) {
	r := dialin(t)
	connect(t, r, "alice", "10.9.0.2")
	r.SetClock(time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC))
	same(t, "uptime", r.Rows("/ppp/active")[0]["uptime"], "0s")
	same(t, "date", r.Rows("/system/clock")[0]["date"], "2031-05-06")
	c := member(t, r)
	c.want("/system/clock/set =date=2032-01-01 =time=10:00:00", "!done")
	same(t, "year", r.Now().Year(), 2032)
	r.Disconnect("alice")
	same(t, "last logout", r.Rows("/ppp/secret")[0]["last-logged-out"][:15], "2032-01-01 10:0")
}
