package lab

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"vpnbot/ros/schema"
)

// Ensure what policies do to packets that no SA takes: the first that matches
// decides, and what is off or no policy does nothing.
func TestPolicyScript(t *testing.T) {
	policy := func(more ...string) schema.Row {
		r := schema.Row{"src-address": "10.1.0.0/24", "dst-address": "10.2.0.0/24", "tunnel": "true", "level": "require"}
		for i := 0; i < len(more); i += 2 {
			r[more[i]] = more[i+1]
		}
		return r
	}
	const match = "oifname wan ip saddr 10.1.0.0/24 ip daddr 10.2.0.0/24"
	mark := match + " meta mark set " + covered
	tests := []struct {
		rows []schema.Row
		want []string
	}{
		{nil, nil},
		{[]schema.Row{policy()}, []string{mark, match + " drop"}},
		{[]schema.Row{policy("protocol", "udp")}, []string{match + " ip protocol udp meta mark set " + covered, match + " ip protocol udp drop"}},
		{[]schema.Row{policy("level", "use")}, []string{mark, match + " accept"}},
		{[]schema.Row{policy("action", "none"), policy()}, []string{mark, match + " accept", match + " drop"}},
		{[]schema.Row{policy("action", "discard")}, []string{match + " drop"}},
		{[]schema.Row{policy("disabled", "true")}, nil},
		{[]schema.Row{policy("template", "true")}, nil},
		{[]schema.Row{policy("invalid", "true")}, nil},
		{[]schema.Row{policy("src-address", "2001:db8::/64")}, nil},
	}
	for _, test := range tests {
		var got []string
		for line := range strings.Lines(policyScript(test.rows)) {
			if strings.Contains(line, "oifname") {
				got = append(got, strings.TrimSpace(line))
			}
		}
		if strings.Join(got, "\n") != strings.Join(test.want, "\n") {
			t.Errorf("%v: got %q, want %q", test.rows, got, test.want)
		}
	}
}

// Ensure what a tap counts, and as what.
func TestTap_Look(t *testing.T) {
	packet := func(protocol byte, src, dst string, body ...byte) []byte {
		b := make([]byte, 20, 40)
		b[0], b[9] = 0x45, protocol
		copy(b[12:], netip.MustParseAddr(src).AsSlice())
		copy(b[16:], netip.MustParseAddr(dst).AsSlice())
		return append(b, append(body, make([]byte, 20)...)...)
	}
	const wan, far, lan = "203.0.113.1", "198.51.100.1", "10.1.0.7"
	udp := func(port, first byte) []byte { return []byte{0, 0, 0x11, port, 0, 0, 0, 0, first} }
	tests := []struct {
		name          string
		packet        []byte
		clear, sealed int
	}{
		{"from a LAN", packet(1, lan, "10.2.0.7"), 1, 0},
		{"to a LAN, translated", packet(6, wan, lan), 1, 0},
		{"ESP", packet(50, wan, far), 0, 1},
		{"ESP in UDP", packet(17, wan, far, udp(0x94, 1)...), 0, 1},
		{"IKE on the same port", packet(17, wan, far, udp(0x94, 0)...), 0, 0},
		{"another port", packet(17, wan, far, udp(0x95, 1)...), 0, 0},
		{"half a packet", packet(50, wan, far)[:19], 0, 0},
		{"no IPv4", append([]byte{0x60}, make([]byte, 40)...), 0, 0},
	}
	for _, test := range tests {
		tap := &Tap{inside: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/24")}}
		tap.look(test.packet)
		if tap.Clear() != test.clear || tap.Sealed() != test.sealed {
			t.Errorf("%s: %d in clear, %d sealed", test.name, tap.Clear(), tap.Sealed())
		}
	}
}

// Ensure how lost pings are counted: the longest row of them, and one at the end.
func TestTalk_Silence(t *testing.T) {
	for answers, want := range map[string]Silence{
		"+++":         {3, 0, 0},
		"+--+-+":      {6, 3, 2 * time.Second},
		"+-++---":     {7, 4, 3 * time.Second},
		"":            {},
		"----------+": {11, 10, 10 * time.Second},
	} {
		var talk Talk
		for i, a := range answers {
			talk.sent = append(talk.sent, time.Unix(int64(i), 0))
			talk.answered = append(talk.answered, a == '+')
		}
		if got := talk.silence(time.Unix(int64(len(answers)), 0)); got != want {
			t.Errorf("%q: got %v, want %v", answers, got, want)
		}
	}
}
