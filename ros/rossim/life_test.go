package rossim

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/ros/schema"
)

// established counts the rows of phase 1s that are up.
func established(r *Router) int {
	n := 0
	for _, row := range r.Rows("/ip/ipsec/active-peers") {
		if row["state"] == "established" {
			n++
		}
	}
	return n
}

// Ensure edits of a peer end what it has, and edits that hold from the next
// negotiation on end nothing; the switches turn each around.
func TestInternet_Edits(t *testing.T) {
	edits := []struct {
		name, path string
		row        schema.Row
		drops      bool
		sw         Switches
	}{
		{"comment of the peer", "/ip/ipsec/peer", schema.Row{"comment": "x"}, false, Switches{}},
		{"peer disabled", "/ip/ipsec/peer", schema.Row{"disabled": "yes"}, true, Switches{}},
		{"exchange mode", "/ip/ipsec/peer", schema.Row{"exchange-mode": "aggressive"}, true, Switches{}},
		{"exchange mode, switched", "/ip/ipsec/peer", schema.Row{"exchange-mode": "aggressive"}, false, Switches{PeerEdits: []string{"address"}}},
		{"secret", "/ip/ipsec/identity", schema.Row{"secret": "other"}, false, Switches{}},
		{"secret, switched", "/ip/ipsec/identity", schema.Row{"secret": "other"}, true, Switches{IdentityEditDrops: true}},
		{"profile", "/ip/ipsec/profile", schema.Row{"enc-algorithm": "aes-256"}, false, Switches{}},
		{"profile, switched", "/ip/ipsec/profile", schema.Row{"enc-algorithm": "aes-256"}, true, Switches{ProfileEditDrops: true}},
		{"proposal", "/ip/ipsec/proposal", schema.Row{"lifetime": "1h"}, false, Switches{}},
	}
	for _, tt := range edits {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t, tt.sw)
				p.wait(3 * time.Second)
				rows := p.hq.Rows(tt.path)
				p.set(p.hq, tt.path, rows[len(rows)-1][schema.ID], tt.row)
				if dropped := established(p.hq) == 0; dropped != tt.drops {
					t.Errorf("dropped = %v, want %v", dropped, tt.drops)
				}
				same(t, "the other end", established(p.feng), 1)
			})
		})
	}
}

// Ensure a policy that goes takes its SAs along at both ends and leaves phase 1,
// and comes back with new ones.
func TestInternet_PolicyEdits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, Switches{})
		p.wait(3 * time.Second)
		id := policy(p.hq)[schema.ID]
		p.set(p.hq, "/ip/ipsec/policy", id, schema.Row{"disabled": "yes"})
		for _, r := range []*Router{p.hq, p.feng} {
			same(t, "SAs", len(r.Rows("/ip/ipsec/installed-sa")), 0)
			same(t, "phase 1", established(r), 1)
			same(t, "state", policy(r)["ph2-state"], "no-phase2")
		}
		p.set(p.hq, "/ip/ipsec/policy", id, schema.Row{"disabled": "no"})
		p.wait(3 * time.Second)
		p.up()
	})
}

// Ensure selectors that do not fit leave phase 1 up, phase 2 down, and a line at
// each end.
func TestInternet_Phase2Fails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, Switches{})
		p.wait(3 * time.Second)
		p.set(p.hq, "/ip/ipsec/policy", policy(p.hq)[schema.ID], schema.Row{"dst-address": "192.168.99.0/24"})
		p.wait(2 * time.Minute)
		same(t, "phase 1", established(p.hq), 1)
		same(t, "SAs", len(p.hq.Rows("/ip/ipsec/installed-sa")), 0)
		if lines(p.feng, "ipsec,error no policy found/generated") == 0 || lines(p.hq, "give up to get IPsec-SA") == 0 {
			t.Errorf("logs %v\n%v", p.hq.Rows("/log"), p.feng.Rows("/log"))
		}
		if stats := one(t, p.hq, "/ip/ipsec/statistics"); stats["out-no-states"] == "0" {
			t.Errorf("statistics %v", stats)
		}
		p.set(p.hq, "/ip/ipsec/policy", policy(p.hq)[schema.ID], schema.Row{"dst-address": "192.168.88.0/24"})
		p.wait(2 * time.Minute)
		p.up()
	})
}

// Ensure the second of two policies with the same selectors is invalid, a peer
// that another shadows is unreachable, and identities without a peer say so.
func TestInternet_Warnings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, Switches{})
		twin := schema.Row{"peer": "feng", "tunnel": "yes", "src-address": "192.168.77.0/24", "dst-address": "192.168.88.0/24"}
		second := add(t, p.hq, "/ip/ipsec/policy", twin)
		add(t, p.hq, "/ip/ipsec/peer", schema.Row{"name": "any", "address": "0.0.0.0/0"})
		staff(t, p.hq, "192.168.77", "l2tp")
		p.wait(3 * time.Second)
		byID := map[string]schema.Row{}
		for _, row := range p.hq.Rows("/ip/ipsec/policy") {
			byID[row[schema.ID]] = row
		}
		if byID[second]["invalid"] != "true" || policy(p.hq)["invalid"] != "false" {
			t.Errorf("policies %v", byID)
		}
		for _, row := range p.hq.Rows("/ip/ipsec/peer") {
			if (row[".about"] == "This entry is unreachable") != (row["name"] == "any") {
				t.Errorf("peer %v", row)
			}
			if (row["responder"] == "true") != (row["name"] != "feng") {
				t.Errorf("peer %v", row)
			}
		}
		if err := p.hq.Remove("/ip/ipsec/peer", "feng"); err != nil {
			t.Fatal(err)
		}
		if row := p.hq.Rows("/ip/ipsec/identity")[0]; row[".about"] != "Peer does not exist" {
			t.Errorf("identity %v", row)
		}
		same(t, "phase 1 of a peer that is gone", established(p.hq), 0)
	})
}

// Ensure a peer named by DNS shows its address, and waits while the name has
// none.
func TestInternet_Names(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, Switches{})
		p.set(p.hq, "/ip/ipsec/peer", "feng", schema.Row{"address": "feng.example.net"})
		p.set(p.feng, "/ip/ipsec/peer", "hq", schema.Row{"passive": "yes"})
		p.wait(time.Minute)
		same(t, "attempts without an address", len(p.hq.Rows("/ip/ipsec/active-peers")), 0)
		same(t, "destination", policy(p.hq)["sa-dst-address"], "::")
		p.in.SetName("feng.example.net", addr(fengWAN))
		p.wait(3 * time.Second)
		p.up()
		same(t, "current address", p.hq.Rows("/ip/ipsec/peer")[0]["current-address"], fengWAN)
	})
}

// Ensure a router behind a box that translates brings the tunnel up with NAT
// traversal, and one behind a carrier's cannot be called.
func TestInternet_NAT(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, err := NewInternet(InternetOptions{Negotiator: &simple{}})
		if err != nil {
			t.Fatal(err)
		}
		p := &pair{T: t, in: in, hq: site(t, "hq", hqWAN, "192.168.77"), feng: site(t, "fengshan", "100.64.3.9", "192.168.88")}
		t.Cleanup(func() { _ = in.Close() })
		if err := in.Attach(p.hq, Place{}); err != nil {
			t.Fatal(err)
		}
		if err := in.Attach(p.feng, Place{NAT: []NAT{{Inside: addr("100.64.3.9"), Public: addr(fengWAN), Carrier: true}}}); err != nil {
			t.Fatal(err)
		}
		tunnel(t, p.hq, "feng", fengWAN, "192.168.77", "192.168.88", "psk")
		p.wait(2 * time.Minute)
		same(t, "calls that got through", established(p.hq), 0)
		tunnel(t, p.feng, "hq", hqWAN, "192.168.88", "192.168.77", "psk")
		p.wait(2 * time.Minute)
		p2 := p.hq.Rows("/ip/ipsec/active-peers")
		if len(p2) != 1 || p2[0]["natt-peer"] != "true" || p2[0]["remote-address"] != fengWAN || p2[0]["id"] != "100.64.3.9" || p2[0]["port"] != "4500" {
			t.Errorf("hq: %v", p2)
		}
		if row := p.feng.Rows("/ip/ipsec/installed-sa")[0]; row["dst-address"] != "100.64.3.9:4500" {
			t.Errorf("fengshan: %v", row)
		}
	})
}

// Ensure both ends keep a phase 1 of their own when they open at the same time.
func TestInternet_SimultaneousOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, Switches{SimultaneousOpen: true})
		p.wait(5 * time.Second)
		for _, r := range []*Router{p.hq, p.feng} {
			rows := r.Rows("/ip/ipsec/active-peers")
			if len(rows) != 2 || rows[0]["side"] == rows[1]["side"] {
				t.Errorf("active peers %v", rows)
			}
		}
	})
}

// Ensure traffic that one end's line loses shows as packets that leave and do
// not arrive, with phase 1 up.
func TestInternet_OneWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, Switches{})
		p.wait(3 * time.Second)
		stop, err := p.in.StartFlow(Flow{From: addr("192.168.77.9"), To: addr("192.168.88.9"), There: 10, Back: 10})
		if err != nil {
			t.Fatal(err)
		}
		p.wait(time.Minute)
		if err := p.in.Block("fengshan", "hq", ESP); err != nil {
			t.Fatal(err)
		}
		p.wait(time.Minute)
		same(t, "phase 1", established(p.hq), 1)
		in, out := p.hq.Rows("/ip/ipsec/installed-sa")[0], p.hq.Rows("/ip/ipsec/installed-sa")[1]
		if in["current-packets"] != "600" || out["current-packets"] != "1200" || in["current-bytes"] != "60000" || in["seen-traffic"] != "true" {
			t.Errorf("in %v\nout %v", in, out)
		}
		same(t, "what the other end sent", p.feng.Rows("/ip/ipsec/installed-sa")[1]["current-packets"], "1200")
		stop()
		p.wait(time.Minute)
		same(t, "after the flow", p.hq.Rows("/ip/ipsec/installed-sa")[1]["current-packets"], "1200")
		same(t, "connections", len(p.hq.Rows("/ip/firewall/connection")), 0)
	})
}

// Ensure a copy goes on by itself, with the future that the original has.
func TestInternet_Clone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, Switches{})
		p.wait(3 * time.Second)
		if _, err := p.in.StartFlow(Flow{From: addr("192.168.77.9"), To: addr("192.168.88.9"), There: 10, Back: 10}); err != nil {
			t.Fatal(err)
		}
		p.wait(10 * time.Second)
		c := p.in.Clone()
		t.Cleanup(func() { _ = c.Close() })
		if err := p.in.Unplug("hq"); err != nil {
			t.Fatal(err)
		}
		p.wait(time.Hour)
		copied := &pair{T: t, in: c, hq: c.Router("hq"), feng: c.Router("fengshan")}
		if copied.hq == p.hq || established(p.hq) != 0 {
			t.Error("the copy is the original")
		}
		same(t, "phase 1 of the copy", established(copied.hq), 1)
		row := one(t, copied.hq, "/ip/ipsec/active-peers")
		same(t, "packets in the copy", row["tx-packets"], "36100")
	})
}

// Ensure the commands that name no row end everything, and what they end comes
// back.
func TestInternet_Commands(t *testing.T) {
	r, err := New(Options{Name: "hq"})
	if err != nil {
		t.Fatal(err)
	}
	c := member(t, r)
	c.want("/ip/ipsec/active-peers/kill-connections", "!done")
	c.want("/ip/ipsec/installed-sa/flush", "!done")
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, Switches{})
		p.wait(3 * time.Second)
		old := one(t, p.hq, "/ip/ipsec/active-peers")["spii"]
		p.command("/ip/ipsec/installed-sa", "flush")
		same(t, "SAs after flush", len(p.hq.Rows("/ip/ipsec/installed-sa")), 0)
		same(t, "phase 1 after flush", established(p.hq), 1)
		p.wait(3 * time.Second)
		same(t, "SAs again", len(p.hq.Rows("/ip/ipsec/installed-sa")), 2)
		p.command("/ip/ipsec/active-peers", "kill-connections")
		same(t, "phase 1 after kill-connections", established(p.hq), 0)
		p.wait(time.Minute)
		if row := one(t, p.hq, "/ip/ipsec/active-peers"); row["spii"] == old {
			t.Error("same cookie")
		}
	})
}

func (p *pair) command(path, action string) {
	p.Helper()
	if _, err := p.hq.administer(path, action, "", nil); err != nil {
		p.Fatal(err)
	}
}

// Ensure /ping over the API goes the way of traffic, counts, and can be
// cancelled.
func TestPing_Wire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, Switches{})
		p.wait(3 * time.Second)
		l := newPipes()
		go func() { _ = p.hq.Serve(l) }()
		c := client(t, l.dial())
		c.want("/login =name=admin =password=", "!done")
		got := c.ask("/ping =address=192.168.88.1 =src-address=192.168.77.1 =count=2 =interval=200ms")
		if len(got) != 3 || !strings.Contains(got[1], "=received=2") || !strings.Contains(got[1], "=packet-loss=0") || !strings.Contains(got[1], "=time=9ms") {
			t.Errorf("ping = %q", got)
		}
		got = c.ask("/ping =address=192.168.88.1 =count=1")
		if len(got) != 2 || !strings.Contains(got[0], "=status=timeout") {
			t.Errorf("ping from the WAN = %q", got)
		}
		c.want("/ping =count=1", "!trap =message=missing value(s) of argument(s) address", "!done")
		c.send("/ping", "=address=192.168.88.1", "=src-address=192.168.77.1", ".tag=7")
		if first := c.next(); !strings.Contains(first, "=seq=0") || !strings.HasSuffix(first, ".tag=7") {
			t.Errorf("first = %q", first)
		}
		for _, seq := range []string{"=seq=1", "=seq=2"} {
			if got := c.next(); !strings.Contains(got, seq) {
				t.Errorf("next = %q, want %s", got, seq)
			}
		}
		c.send("/cancel", "=tag=7", ".tag=8")
		for i, want := range []string{"!trap =category=2 =message=interrupted .tag=7", "!done .tag=8", "!done .tag=7"} {
			if got := c.next(); !strings.HasPrefix(got, want) {
				t.Errorf("reply %d = %q, want %q", i, got, want)
			}
		}
		if sa := p.hq.Rows("/ip/ipsec/installed-sa")[1]; sa["current-packets"] != "5" || sa["current-bytes"] != "280" {
			t.Errorf("SA %v", sa)
		}
	})
}

// Ensure session keys are shown to nobody who does not ask for them with the
// right to.
func TestInternet_Secrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, Switches{})
		p.wait(3 * time.Second)
		l := newPipes()
		go func() { _ = p.hq.Serve(l) }()
		c := client(t, l.dial())
		c.want("/login =name=admin =password=", "!done")
		masked := c.ask("/ip/ipsec/installed-sa/print")
		if !strings.Contains(masked[0], "=enc-key=*****") || !strings.Contains(masked[0], "=auth-key=*****") {
			t.Errorf("print = %q", masked)
		}
		if clear := c.ask("/ip/ipsec/installed-sa/print =show-sensitive="); strings.Contains(clear[0], "*****") {
			t.Errorf("print show-sensitive = %q", clear)
		}
		a, b := p.hq.Rows("/ip/ipsec/installed-sa")[0], p.feng.Rows("/ip/ipsec/installed-sa")[1]
		if a["spi"] != b["spi"] || a["enc-key"] != b["enc-key"] || a["enc-key"] == "" {
			t.Errorf("the two ends of one SA: %v and %v", a, b)
		}
	})
}

// Ensure a negotiator that cannot tell brings nothing up and breaks nothing.
func TestInternet_CannotTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, Switches{})
		p.in.with(func() { p.judge.none = true })
		p.wait(5 * time.Minute)
		same(t, "phase 1", established(p.hq), 0)
		if lines(p.hq, "phase1 negotiation failed due to time up") == 0 {
			t.Error("no line says that time is up")
		}
	})
}

// Ensure what cannot be is refused.
func TestInternet_Refused(t *testing.T) {
	if _, err := NewInternet(InternetOptions{}); err == nil {
		t.Error("an Internet without negotiator")
	}
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, Switches{})
		if err := p.in.Attach(p.hq, Place{Name: "again"}); err == nil {
			t.Error("attached twice")
		}
		if err := p.in.Cut("hq", "nowhere"); err == nil {
			t.Error("cut a line to nowhere")
		}
		if _, err := p.in.StartFlow(Flow{From: netip.Addr{}, To: addr(hqWAN)}); err == nil {
			t.Error("a flow from nowhere")
		}
		if err := p.in.Close(); err != nil {
			t.Error(err)
		}
		if err := p.in.Unplug("hq"); err == nil {
			t.Error("unplugged on a closed Internet")
		}
		if p.in.Clone() != nil {
			t.Error("copied a closed Internet")
		}
		p.hq.Rows("/ip/ipsec/peer")
	})
}

// Ensure details are logged only where /system/logging asks for them, and the
// memory keeps so many lines as its action says.
func TestInternet_Log(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, Switches{})
		p.set(p.feng, "/ip/ipsec/profile", "hq", schema.Row{"hash-algorithm": "sha512"})
		p.set(p.hq, "/ip/ipsec/peer", "feng", schema.Row{"passive": "yes"})
		p.wait(2 * time.Minute)
		same(t, "details", lines(p.hq, "ipsec,debug"), 0)
		add(t, p.hq, "/system/logging", schema.Row{"topics": "ipsec"})
		p.wait(2 * time.Minute)
		if lines(p.hq, "ipsec,debug rejected") == 0 || lines(p.hq, "ipsec,error no suitable proposal found.") == 0 {
			t.Errorf("log %v", p.hq.Rows("/log"))
		}
		p.wait(24 * time.Hour)
		same(t, "lines kept", len(p.hq.Rows("/log")), 1000)
	})
}

// Ensure a peer bound to the second of two WANs goes by that one, and loses its
// tunnel with that line alone.
func TestInternet_TwoWANs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, Switches{})
		const second = "192.0.2.77"
		add(t, p.hq, "/ip/address", schema.Row{"address": second + "/24", "interface": "ether3"})
		p.set(p.hq, "/ip/ipsec/peer", "feng", schema.Row{"local-address": second})
		p.set(p.feng, "/ip/ipsec/peer", "hq", schema.Row{"address": second + "/32"})
		p.wait(time.Minute)
		p.up()
		same(t, "remote address", one(t, p.feng, "/ip/ipsec/active-peers")["remote-address"], second)
		p.in.SetAddressDown(addr(hqWAN), true)
		p.wait(5 * time.Minute)
		p.up()
		p.in.SetAddressDown(addr(second), true)
		p.wait(5 * time.Minute)
		same(t, "phase 1 without its line", established(p.feng), 0)
	})
}

// Ensure an end that waits brings nothing up by itself, and answers.
func TestInternet_Passive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, Switches{})
		p.set(p.hq, "/ip/ipsec/peer", "feng", schema.Row{"passive": "yes"})
		p.set(p.feng, "/ip/ipsec/peer", "hq", schema.Row{"passive": "yes"})
		p.wait(time.Hour)
		same(t, "negotiations", p.judge.asked, 0)
		p.set(p.feng, "/ip/ipsec/peer", "hq", schema.Row{"passive": "no"})
		p.wait(3 * time.Second)
		p.up()
		same(t, "side", one(t, p.hq, "/ip/ipsec/active-peers")["side"], "responder")
	})
}
