package ros

import (
	"net/netip"
	"testing"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// Ensure a phase 1 is told from everything that looks like it: a dial-in client
// behind the same address above all.
func TestIsPhase1(t *testing.T) {
	p := change.Phase1{
		Local: netip.MustParseAddr("203.0.113.10"), Remote: netip.MustParseAddr("198.51.100.20"), ID: "198.51.100.20",
		SPII: "a1b2c3d4e5f60718", SPIR: "18f7e6d5c4b3a291",
	}
	row := func(pairs ...string) schema.Row {
		r := schema.Row{
			"local-address": "203.0.113.10", "remote-address": "198.51.100.20", "id": "198.51.100.20",
			"spii": "0xA1B2C3D4E5F60718", "spir": "18f7e6d5c4b3a291",
		}
		for i := 0; i < len(pairs); i += 2 {
			r[pairs[i]] = pairs[i+1]
		}
		return r
	}
	if !isPhase1(row(), p) {
		t.Error("not known again")
	}
	for _, other := range []schema.Row{
		row("local-address", "203.0.113.11"), row("remote-address", "198.51.100.21"), row("port", "4500"), row("id", "192.168.88.7"),
		row("spii", "a1b2c3d4e5f60719"), row("spir", "0000000000000000"),
		{},
	} {
		if isPhase1(other, p) {
			t.Errorf("taken for the tunnel's: %v", other)
		}
	}
	if isPhase1(schema.Row{"local-address": "203.0.113.10", "remote-address": "198.51.100.20", "id": "198.51.100.20"}, change.Phase1{Local: p.Local, Remote: p.Remote, ID: p.ID}) {
		t.Error("a row without cookies taken for the tunnel's")
	}
}

// Ensure only connections of exactly these prefixes are forgotten, and only those
// whose translation outlives the rules.
func TestTranslated(t *testing.T) {
	between := []change.Selectors{{Source: netip.MustParsePrefix("192.168.77.0/24"), Destination: netip.MustParsePrefix("192.168.88.0/24")}}
	for want, rows := range map[bool][]schema.Row{
		true: {
			{"src-address": "192.168.77.9", "dst-address": "192.168.88.9", "srcnat": "true"},
			{"src-address": "192.168.77.9:4711", "dst-address": "192.168.88.9:80", "fasttrack": "yes"},
		},
		false: {
			{"src-address": "192.168.77.9", "dst-address": "192.168.88.9", "srcnat": "false"},
			{"src-address": "192.168.77.9", "dst-address": "8.8.8.8", "srcnat": "true"},
			{"src-address": "192.168.88.9", "dst-address": "192.168.77.9", "srcnat": "true"},
			{"src-address": "nowhere", "dst-address": "", "srcnat": "true"},
		},
	} {
		for _, row := range rows {
			if got := translated(row, between); got != want {
				t.Errorf("%v: got %v", row, got)
			}
		}
	}
}
