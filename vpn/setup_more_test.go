package vpn_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// Ensure the way back from the LAN is made where it is missing: ARP answers on the
// interface itself, or the router's own address, and nothing where the router is
// the gateway.
func TestPlanDialIn_Return(t *testing.T) {
	for _, tt := range []struct {
		by     vpn.LANReturn
		inside bool
		want   []string
	}{
		{vpn.ByGateway, false, nil},
		{vpn.ByMasquerade, false, []string{"/ip/firewall/nat add masquerade"}},
		{vpn.ByMasquerade, true, []string{"/ip/firewall/nat add masquerade"}},
		{vpn.ByProxyARP, true, []string{"/interface/ethernet set arp"}},
	} {
		t.Run(string(tt.by), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newDialInWorld(t)
				if tt.inside {
					w.insideLAN(tt.by)
				} else {
					set := *w.dialin.Setup
					set.Return, w.dialin.Setup = tt.by, &set
				}
				p, err := vpn.PlanDialIn(w.input())
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for line := range strings.Lines(stepWords(p)) {
					if line = strings.TrimSpace(line); strings.HasSuffix(line, " arp") || strings.HasSuffix(line, " masquerade") {
						got = append(got, line)
					}
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("got %v, want %v", got, tt.want)
				}
				w.carryOut(p)
				again, err := vpn.PlanDialIn(w.input())
				if err != nil || len(again.Steps) > 0 {
					t.Errorf("then %v\n%s", err, stepWords(again))
				}
			})
		})
	}
}

// Ensure rows that are there are set where they differ and kept where they do not:
// scripts, comments and what others negotiate with on the rows of RouterOS itself.
func TestPlanDialIn_Existing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newDialInWorld(t)
		w.add("/ip/pool", schema.Row{"name": "vpn-pool", "ranges": "192.168.178.10-192.168.178.50", "comment": big5}, -1)
		w.add("/ppp/profile", schema.Row{"name": "vpn-users", "local-address": "192.168.178.1", "remote-address": "vpn-pool", "on-up": ":log info up", "change-tcp-mss": "default"}, -1)
		w.setDefault("/ip/ipsec/profile", schema.Row{"enc-algorithm": "aes-192,3des", "dh-group": "modp1536"})
		w.add("/ip/ipsec/peer", schema.Row{"name": "to-fengshan", "address": "198.51.100.20", "exchange-mode": "main"}, -1)
		p, err := vpn.PlanDialIn(w.input())
		if err != nil {
			t.Fatal(err)
		}
		w.carryOut(p)
		want := map[string]schema.Row{
			"/ip/pool":          {"ranges": "192.168.178.10-192.168.178.99", "comment": big5},
			"/ppp/profile":      {"on-up": ":log info up", "change-tcp-mss": "yes", "dns-server": "192.168.77.1"},
			"/ip/ipsec/profile": {"enc-algorithm": "aes-256,aes-192,aes-128,3des", "dh-group": "ecp384,modp2048,modp1536", "hash-algorithm": "sha1"},
		}
		for menu, values := range want {
			m, _ := schema.Lookup(menu)
			row := w.router.Rows(menu)[len(w.router.Rows(menu))-1]
			if menu == "/ip/ipsec/profile" {
				row = w.router.Rows(menu)[0]
			}
			for name, value := range values {
				if !m.Same(name, row[name], value) {
					t.Errorf("%s %s is %q, want %q", menu, name, row[name], value)
				}
			}
		}
		shared := slices.ContainsFunc(p.Blast, func(x change.Text) bool { return x.ID == "plan.dialin.blast.shared" })
		if !shared {
			t.Errorf("nobody is told that the tunnel uses the same row: %v", p.Blast)
		}
		for _, s := range p.Steps {
			if s.Action == schema.Change && s.Class != change.InPlace && s.Menu != "/interface/l2tp-server/server" {
				t.Errorf("step %d is %s", s.ID, s.Class)
			}
		}
	})
}

// Ensure a new key is one value on one router, goes to the reader of every account
// that dials in, and locks nobody out whom nobody is known to own.
func TestPlanRotateL2TP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newDialInWorld(t)
		p, err := vpn.PlanDialIn(w.input())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := vpn.PlanRotateL2TP(w.rotate()); !refused(err, "plan.refuse.dialin_keyless") {
			t.Errorf("a server that is off: %v", err)
		}
		w.carryOut(p)
		for _, name := range []string{"chen", "chen-laptop", "lin", "gone"} {
			row := schema.Row{"name": name, "password": "x", "service": "l2tp", "profile": "vpn-users"}
			if name == "gone" {
				row["disabled"] = "yes"
			}
			w.add("/ppp/secret", row, -1)
		}
		in := w.rotate()
		in.Owners = []change.Account{{Name: "chen", Reader: "chen"}, {Name: "chen-laptop", Reader: "chen"}}
		if _, err := vpn.PlanRotateL2TP(in); !refused(err, "plan.refuse.dialin_handover") {
			t.Errorf("an account without owner: %v", err)
		}
		in.Intent.Handover = "olive"
		p, err = vpn.PlanRotateL2TP(in)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Steps) != 1 || p.Steps[0].Class != change.OneWay || len(p.Steps[0].After) != 0 || p.Steps[0].Secrets["ipsec-secret"] != "psk-new" {
			t.Errorf("steps %+v", p.Steps)
		}
		var readers []change.PersonID
		for _, c := range p.HandOut {
			readers = append(readers, c.Reader)
			if c.PSK != "psk-new" || c.Password != "" {
				t.Errorf("hands out %+v", c)
			}
		}
		if !slices.Equal(readers, []change.PersonID{"chen", "olive"}) {
			t.Errorf("readers %v", readers)
		}
		next, err := vpn.DecodeDialIn(change.Definition{DefinitionRef: change.DefinitionRef{Kind: vpn.KindDialIn}, Body: p.Defines})
		if err != nil || next.PSK != "psk-new" || next.PSKMark != "psk:9f3a" {
			t.Errorf("defines %+v, %v", next, err)
		}
	})
}

func (w *dialInWorld) rotate() vpn.SetupDialIn {
	in := w.input()
	in.Intent.Verb, in.PSK, in.Mark = "rotate l2tp", "psk-new", "psk:9f3a"
	return in
}

func refused(err error, id string) bool {
	r, ok := errors.AsType[*vpn.Refusal](err)
	return ok && r.Text.ID == id
}

// Ensure what people type becomes a value of the definition, and what is none is
// refused without being repeated.
func TestReadDialInSetting(t *testing.T) {
	for _, tt := range []struct{ word, key, value, refused string }{
		{"dns=192.168.77.1,1.1.1.1", "dns", "192.168.77.1,1.1.1.1", ""},
		{"DNS=none", "dns", "none", ""},
		{"lan-return=proxy-arp", "return", "proxy-arp", ""},
		{"位址=192.168.178.10-192.168.178.20", "ranges", "192.168.178.10-192.168.178.20", ""},
		{"ranges=192.168.178.20-192.168.178.10", "", "", "plan.refuse.dialin_value"},
		{"server=http://vpn", "", "", "plan.refuse.dialin_value"},
		{"legacy=perhaps", "", "", "plan.refuse.dialin_value"},
		{"psk=hunter2", "", "", "plan.refuse.dialin_secret"},
		{"rangs=192.168.178.10", "", "", "plan.refuse.dialin_near"},
		{"hunter2", "", "", "plan.refuse.dialin_key"},
	} {
		s, err := vpn.ReadDialInSetting(tt.word)
		if s.Key != tt.key || s.Value != tt.value || (tt.refused == "") != (err == nil) || tt.refused != "" && !refused(err, tt.refused) {
			t.Errorf("%s: got %+v, %v", tt.word, s, err)
		}
		if r, ok := errors.AsType[*vpn.Refusal](err); ok && strings.Contains(r.Error(), "hunter2") {
			t.Errorf("%s: repeated", tt.word)
		}
	}
}

// Ensure a definition takes values one after the other, gets what suits where
// nothing is said, and is refused where it cannot work.
func TestDialIn_WithSettings(t *testing.T) {
	estate := redoEstate()
	site, _ := estate.Site("hq")
	set := func(words ...string) (vpn.DialIn, error) {
		var settings []change.Setting
		for _, w := range words {
			s, err := vpn.ReadDialInSetting(w)
			if err != nil {
				t.Fatal(err)
			}
			settings = append(settings, s)
		}
		d := vpn.DialIn{}.WithSettings(site, settings)
		return d, vpn.CheckDialIn(d, estate)
	}
	good := []string{"server=vpn.example.com", "ranges=192.168.178.10-192.168.178.99", "local=192.168.178.1"}
	d, err := set(good...)
	if err != nil || d.Setup.Return != vpn.ByGateway || d.Pool != "vpn-pool" || d.Profile != "vpn-users" || d.Router != "gw-hq" || d.Setup.Local != netip.MustParseAddr("192.168.178.1") {
		t.Errorf("got %+v %+v, %v", d, d.Setup, err)
	}
	if d, err := set("server=vpn.example.com", "ranges=192.168.77.200-192.168.77.220", "local=192.168.77.1"); err != nil || d.Setup.Return != vpn.ByProxyARP {
		t.Errorf("inside the LAN: %+v, %v", d.Setup, err)
	}
	for id, words := range map[string][]string{
		"dialin_missing":   good[:2],
		"dialin_elsewhere": {good[0], "ranges=192.168.88.10-192.168.88.20", good[2]},
		"dialin_local":     {good[0], good[1], "local=192.168.178.20"},
		"dialin_inside":    {good[0], "ranges=192.168.77.200-192.168.77.220", "local=192.168.77.1", "return=gateway"},
		"dialin_outside":   append(slices.Clone(good), "return=proxy-arp"),
	} {
		if _, err := set(words...); !refused(err, "plan.refuse."+id) {
			t.Errorf("%v: %v, want %s", words, err, id)
		}
	}
}
