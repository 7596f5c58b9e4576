package lab

import (
	"testing"

	"vpnbot/ros/schema"
)

// Ensure that what daemons log is read as the fault that it tells of. The lines
// are of strongSwan 5.9.8.
func TestDiagnose(t *testing.T) {
	tests := []struct {
		caller, answerer []string
		stage            schema.Stage
		attr             string
	}{
		{nil, []string{"05[IKE] no IKE config found for 198.51.100.2...198.51.100.1, sending NO_PROPOSAL_CHOSEN"}, schema.StagePeer, "address"},
		{nil, []string{"05[IKE] found 1 matching config, but none allows pre-shared key authentication using Main Mode"}, schema.StagePeer, "exchange-mode"},
		{[]string{"16[IKE] received NO_PROPOSAL_CHOSEN error notify"}, []string{"16[CFG]   no acceptable KEY_EXCHANGE_METHOD found", "16[IKE] no proposal found"}, schema.StagePhase1, "dh-group"},
		{nil, []string{"16[CFG]   no acceptable INTEGRITY_ALGORITHM found", "16[IKE] no proposal found"}, schema.StagePhase1, "hash-algorithm"},
		{nil, []string{"03[CFG]   no acceptable ENCRYPTION_ALGORITHM found", "03[IKE] received proposals unacceptable"}, schema.StagePhase1, "enc-algorithm"},
		{nil, []string{"05[ENC] invalid ID_V1 payload length, decryption failed?", "05[ENC] could not decrypt payloads"}, schema.StageAuth, "secret"},
		{nil, []string{"03[IKE] tried 2 shared keys for '%any' - 'hq.example', but MAC mismatched"}, schema.StageAuth, "secret"},
		{nil, []string{"03[IKE] no peer config found"}, schema.StageAuth, "remote-id"},
		{[]string{"01[IKE] IDir '192.0.2.9' does not match to '198.51.100.2'"}, nil, schema.StageAuth, "my-id"},
		{nil, []string{"08[CFG]   no acceptable KEY_EXCHANGE_METHOD found", "08[IKE] no matching proposal found, sending NO_PROPOSAL_CHOSEN"}, schema.StagePhase2, "pfs-group"},
		{nil, []string{"09[CFG] proposing traffic selectors for us:", "09[IKE] no matching CHILD_SA config found for 10.10.1.0/24 === 10.10.2.0/24"}, schema.StagePhase2, "dst-address"},
		{nil, []string{"11[IKE] traffic selectors 10.2.0.0/32 === 10.1.128.0/32 unacceptable"}, schema.StagePhase2, "dst-address"},
		{[]string{"14[IKE] giving up after 2 retransmits"}, nil, schema.StageReach, "address"},
		{[]string{"14[IKE] all is well"}, []string{"09[CFG] proposing traffic selectors for us:", "09[IKE] DH group ECP_256 unacceptable, requesting MODP_2048"}, "", ""},
	}
	for _, test := range tests {
		f, ok := diagnose(test.caller, test.answerer)
		if ok != (test.stage != "") || f.Stage != test.stage || f.Attr != test.attr {
			t.Errorf("%q %q: got %+v, want %s %s", test.caller, test.answerer, f, test.stage, test.attr)
		}
	}
}

// Ensure that algorithms come back under RouterOS's names.
func TestAlgorithmNames(t *testing.T) {
	tests := []struct {
		sa                   message
		phase2               bool
		cipher, hash, groups string
	}{
		{message{{"encr-alg", "AES_CBC"}, {"encr-keysize", "256"}, {"integ-alg", "HMAC_SHA2_256_128"}, {"dh-group", "MODP_2048"}}, false, "aes-256", "sha256", "modp2048"},
		{message{{"encr-alg", "AES_GCM_16"}, {"encr-keysize", "128"}}, true, "aes-128-gcm", "", "none"},
		{message{{"encr-alg", "AES_CTR"}, {"encr-keysize", "128"}, {"integ-alg", "HMAC_SHA1_96"}, {"dh-group", "CURVE_25519"}}, true, "aes-128-ctr", "sha1", "x25519"},
		{message{{"encr-alg", "3DES_CBC"}, {"integ-alg", "HMAC_MD5_96"}, {"dh-group", "ECP_384"}}, true, "3des", "md5", "ecp384"},
	}
	for _, test := range tests {
		cipher, hash, group := cipherName(test.sa, test.phase2), hashName(test.sa.text("integ-alg")), groupName(test.sa.text("dh-group"))
		if cipher != test.cipher || hash != test.hash || group != test.groups {
			t.Errorf("%v: got %s %s %s", test.sa, cipher, hash, group)
		}
	}
}

// Ensure how a NAT rule is written for the kernel, and that a rule which the lab
// does not understand is refused.
func TestNATRule(t *testing.T) {
	tests := []struct {
		row  schema.Row
		want string
	}{
		{schema.Row{"chain": "srcnat", "action": "masquerade"}, "masquerade"},
		{schema.Row{"chain": "srcnat", "action": "masquerade", "out-interface": "ether1", "comment": "x", "bytes": "1"}, "oifname { wan, ipsec0 } masquerade"},
		{schema.Row{"chain": "srcnat", "action": "masquerade", "ipsec-policy": "out,none"}, "oifname { wan } meta mark != 0x76706e masquerade"},
		{schema.Row{"chain": "srcnat", "src-address": "10.1.0.0/24", "dst-address": "10.2.0.1"}, "ip daddr 10.2.0.1/32 ip saddr 10.1.0.0/24 accept"},
		{schema.Row{"chain": "srcnat", "action": "src-nat", "to-addresses": "192.0.2.1"}, "snat to 192.0.2.1"},
		{schema.Row{"chain": "dstnat"}, "!"},
		{schema.Row{"chain": "srcnat", "src-address": "!10.1.0.0/24"}, "!"},
		{schema.Row{"chain": "srcnat", "ipsec-policy": "in,none"}, "!"},
		{schema.Row{"chain": "srcnat", "action": "netmap"}, "!"},
		{schema.Row{"chain": "srcnat", "action": "src-nat", "to-addresses": "pool"}, "!"},
		{schema.Row{"chain": "srcnat", "action": "accept", "limit": "1,5"}, "!"},
	}
	for _, test := range tests {
		got, err := natRule(test.row)
		if err == nil && got != test.want || err != nil && test.want != "!" {
			t.Errorf("%v: got %q, %v, want %q", test.row, got, err, test.want)
		}
	}
}
