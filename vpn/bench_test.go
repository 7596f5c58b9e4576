package vpn_test

import (
	"fmt"
	"net/netip"
	"testing"

	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// BenchmarkJudge judges each of 200 tunnels that all end at one router, from the
// samples of a whole window: the dearest estate of that size.
func BenchmarkJudge(b *testing.B) {
	const spokes = 200
	proto := newLine(b, 7, 1)
	hub := proto.samples[0]
	samples := map[string][]vpn.Half{"gw-hq": hub}
	var wants []vpn.Expected
	for n := range spokes {
		l := newLine(b, 7, 1)
		far, lan := fmt.Sprintf("198.51.100.%d", n+1), fmt.Sprintf("10.%d.0.0/24", n)
		for i := range 2 {
			for _, s := range l.samples[i] {
				for _, menu := range []string{peerMenu, phase1Menu, policyMenu, saMenu} {
					for _, r := range s.Menus[menu] {
						renumber(r, n, far, lan)
					}
				}
			}
		}
		l.want.Ends[0].Remote, l.want.Ends[1].Local = netip.MustParseAddr(far), netip.MustParseAddr(far)
		l.want.Ends[0].Policies[0].Destination, l.want.Ends[1].Policies[0].Source = netip.MustParsePrefix(lan), netip.MustParsePrefix(lan)
		l.want.Ends[1].Router = fmt.Sprintf("gw%d", n)
		wants, samples[l.want.Ends[1].Router] = append(wants, l.want), l.samples[1]
		for k := range hub {
			if n == 0 {
				for _, menu := range []string{peerMenu, phase1Menu, policyMenu, saMenu} {
					hub[k].Menus[menu] = nil
				}
			}
			for _, menu := range []string{peerMenu, phase1Menu, policyMenu, saMenu} {
				hub[k].Menus[menu] = append(hub[k].Menus[menu], l.samples[0][k].Menus[menu]...)
			}
		}
	}
	for b.Loop() {
		for _, got := range vpn.JudgeAll(wants, func(router string) []vpn.Half { return samples[router] }, proto.at) {
			if got.Verdict != vpn.Up {
				b.Fatalf("%s: %+v", got.Verdict, got.Reason)
			}
		}
	}
}

// renumber makes a row of the spoke n.
func renumber(r schema.Row, n int, far, lan string) {
	for name, value := range r {
		switch value {
		case "198.51.100.20":
			r[name] = far
		case "198.51.100.20/32":
			r[name] = far + "/32"
		case "192.168.88.0/24":
			r[name] = lan
		case "made-by-hand":
			r[name] = fmt.Sprintf("peer%d", n)
		}
		switch name {
		case "spi":
			r[name] = fmt.Sprintf("%s%03d", value[:6], n)
		case "spii":
			r[name] = fmt.Sprintf("%016x", 0xabc0000+n)
		}
	}
}
