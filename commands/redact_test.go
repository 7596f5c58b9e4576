package commands

import (
	"strings"
	"testing"
)

// Ensure lines as routers write them stay readable.
func TestRedactor_Readable(t *testing.T) {
	for _, line := range []string{
		"respond new phase 1 (Identity Protection): 203.0.113.5[500]<=>198.51.100.7[500]",
		"initiate new phase 1 (Identity Protection): 203.0.113.5[500]<=>198.51.100.7[500]",
		"ISAKMP-SA established 203.0.113.5[500]-198.51.100.7[500] spi:a1b2c3d4e5f60718:18f7e6d5c4b3a291",
		"purging ISAKMP-SA 203.0.113.5[500]<=>198.51.100.7[500] spi=a1b2c3d4e5f60718:18f7e6d5c4b3a291.",
		"ISAKMP-SA deleted 203.0.113.5[500]-198.51.100.7[500] spi:a1b2c3d4e5f60718:18f7e6d5c4b3a291 rekey:1",
		"no suitable proposal found.",
		"198.51.100.7 failed to get valid proposal.",
		"198.51.100.7 failed to pre-process ph1 packet (side: 1, status 1).",
		"198.51.100.7 phase1 negotiation failed.",
		"phase1 negotiation failed due to time up 203.0.113.5[500]<=>198.51.100.7[500] a1b2c3d4e5f60718:0000000000000000",
		"198.51.100.7 peer not configured",
		"no policy found/generated",
		"first L2TP UDP packet received from 198.51.100.7",
		"<l2tp-vpn-01>: authenticated",
		"<l2tp-bob>: terminating... - hungup",
		"bob logged in, 192.168.77.50 from 203.0.113.9",
		"<l2tp-0>: user bob authentication failed",
		"could not add IPsec policy: std failure: timeout (13)",
		"user admin logged in from 192.168.77.10 via winbox",
		"198.51.100.7 parsing packet failed, possible cause: wrong password",
		"DPD: remote (ISAKMP-SA 203.0.113.5[4500]<=>198.51.100.7[4500] spi=a1b2c3d4e5f60718:18f7e6d5c4b3a291) seems to be dead.",
		"IPsec-SA established: ESP/Tunnel 198.51.100.7[500]->203.0.113.5[500] spi=0x0A1B2C3D",
		"new ike2 SA (R): gw-hq 203.0.113.5[4500]-198.51.100.7[4500] spi:a1b2c3d4e5f60718:18f7e6d5c4b3a291",
		"killing ike2 SA: gw-hq 203.0.113.5[4500]-198.51.100.7[4500] spi:a1b2c3d4e5f60718:18f7e6d5c4b3a291",
		"peer authorized: gw-hq 203.0.113.5[4500]-198.51.100.7[4500]",
		"ether1 link up (speed 1G, full duplex)",
		"router rebooted",
		"no IKEv1 peer config for 198.51.100.7",
		"can't get matching peer, no response",
		"鳳山 policy not found",
	} {
		r := newRedactor("bob", "vpn-01", "gw-hq")
		if got := r.line(line); got != line || r.hid {
			t.Errorf("got  %q\nwant %q", got, line)
		}
	}
}

// Ensure no word that could be a password is shown.
func TestRedactor_Hides(t *testing.T) {
	tests := []struct{ line, hidden string }{
		{"login failure for user hunter2 from 192.0.2.9 via winbox", "hunter2"},
		{"login failure for user sunshine from 192.0.2.9 via web", "sunshine"},
		{"login failure for user established from 192.0.2.9 via web", "established"},
		{"<l2tp-0>: user Tr0ub4dor&3 authentication failed", "Tr0ub4dor"},
		{"<l2tp-hunter2>: authenticated", "hunter2"},
		{"new scheduled: /ppp secret set bob password=established", "=established"},
		{`ppp secret <bob> set password="two words"`, "two"},
		{`ppp secret <bob> set password="established\" remote side"`, "remote"},
		{`on-event="/ppp secret set bob password=\"established remote\""`, "remote"},
		{"wireguard peer changed (pre-shared-key=established)", "=established"},
		{"ipsec-secret: KJ3hf8Qw", "KJ3hf8Qw"},
		{"secret=change", "=change"},
		{"said correct-horse-battery-staple", "horse"},
		{"said password-12345", "12345"},
		{"said 8412773", "8412773"},
		{"said a1b2c3d4e5f60718", "a1b2"},
		{"said 0123456789abcdef0123456789abcdef", "0123"},
		{"said (hunter2).", "hunter2"},
		{"said hunter2:hunter3", "hunter"},
		{"said MB8QKXNVYT3FQ7RJ2WZC4D5HGL", "MB8Q"},
		{"said p\u00e4ssw\u00f6rd", "ssw"},
		{"said \xff\xfe\x01", "0x"},
		{"said xyz…xyz", "xyz"},
	}
	for _, tt := range tests {
		r := newRedactor("bob")
		got := r.line(tt.line)
		if strings.Contains(got, tt.hidden) || !strings.Contains(got, hidden) || !r.hid {
			t.Errorf("got %q of %q, want %q hidden", got, tt.line, tt.hidden)
		}
	}
	r := newRedactor("bob")
	if got, want := r.line("login failure for user hunter2 from 192.0.2.9 via winbox"), "login failure for user ••• from 192.0.2.9 via winbox"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := r.line("set password=x9 by bob"), "set password=••• by bob"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Ensure no input makes the redactor fail, and that whatever it shows twice it
// shows alike.
func FuzzRedactor(f *testing.F) {
	f.Add("login failure for user hunter2 from 192.0.2.9 via winbox")
	f.Add("a->b…•••<l2tp-x> password='")
	f.Fuzz(func(t *testing.T, line string) {
		once := newRedactor("bob").line(line)
		if twice := newRedactor("bob").line(once); twice != once {
			t.Errorf("got %q, then %q", once, twice)
		}
	})
}
