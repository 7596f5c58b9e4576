package ros_test

import (
	"testing"

	routeros "github.com/go-routeros/routeros/v3"

	"vpnbot/ros"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
)

// The two benchmarks read the same menu of 200 rows from the same stand-in over
// plain loopback TCP: their ratio is the price of the guard.

func accountsOf(b *testing.B) *stand {
	b.Helper()
	s := newStand(b, rossim.Options{})
	for i := range 200 {
		name := "user-" + string([]byte{byte('a' + i/26), byte('a' + i%26)})
		if _, err := s.sim.Add("/ppp/secret", schema.Row{"name": name, "service": "l2tp", "password": "x"}); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

func BenchmarkGuarded(b *testing.B) {
	s := accountsOf(b)
	f := connect(b, ros.Router{Name: "gw", Address: s.plain, Plain: true, Read: s.router.Read, Write: s.router.Write})
	for b.Loop() {
		if _, err := f.Snapshot(b.Context(), "gw", "/ppp/secret"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBare(b *testing.B) {
	s := accountsOf(b)
	c, err := routeros.Dial(s.plain, "bot-ro", "of-bot-ro")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	for b.Loop() {
		for _, words := range [][]string{
			{"/ppp/secret/print", "=.proplist=.id,name,service,profile,caller-id,local-address,remote-address,routes," +
				"limit-bytes-in,limit-bytes-out,last-logged-out,last-caller-id,last-disconnect-reason,disabled,comment"},
			{"/system/resource/print", "=.proplist=uptime,version,board-name,architecture-name"},
		} {
			if _, err := c.RunArgs(words); err != nil {
				b.Fatal(err)
			}
		}
	}
}
