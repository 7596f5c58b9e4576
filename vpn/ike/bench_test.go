package ike_test

import (
	"fmt"
	"testing"

	"vpnbot/ros/schema"
	"vpnbot/vpn/ike"
)

// hub is hq with tunnels to many more sites.
func hub(sites int) schema.Party {
	p := hq()
	for i := range sites {
		name := fmt.Sprint("site", i)
		p.Rows[peers] = append(p.Rows[peers], schema.Row{".id": fmt.Sprint("*1", i), "name": name, "address": fmt.Sprintf("203.0.%d.%d/32", i/250, i%250+1), "profile": "s2s"})
		p.Rows[identities] = append(p.Rows[identities], schema.Row{".id": fmt.Sprint("*2", i), "peer": name})
		p.Rows[policies] = append(p.Rows[policies], pol(fmt.Sprint("*3", i), "192.168.77.0/24", fmt.Sprintf("10.%d.%d.0/24", i/250, i%250), "peer", name))
	}
	return p
}

// One call from a site to a router with 200 tunnels: what a simulator asks thousands
// of times in a simulated day.
func BenchmarkModel(b *testing.B) {
	a := schema.Attempt{Initiator: fengshan(), Responder: hub(200), Peer: "*3"}
	b.ReportAllocs()
	for b.Loop() {
		if o, err := (ike.Model{}).Negotiate(b.Context(), a); err != nil || o.Verdict != schema.Agree {
			b.Fatal(summary(o), err)
		}
	}
}
