package lab

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpnbot/ros/schema"
)

// Ensure that a profile becomes one proposal for each combination, because a
// daemon offers no more than that in IKEv1, and that defaults stand in.
func TestPhase1Proposals(t *testing.T) {
	tests := []struct {
		profile  schema.Row
		exchange string
		want     string
	}{
		{schema.Row{}, "main", "aes128-sha1-modp2048 aes128-sha1-modp1024 3des-sha1-modp2048 3des-sha1-modp1024"},
		{schema.Row{"enc-algorithm": "aes-256", "hash-algorithm": "sha512", "dh-group": "x25519"}, "main", "aes256-sha512-curve25519"},
		{schema.Row{"enc-algorithm": "aes-256", "dh-group": "ecp384", "prf-algorithm": "sha256"}, "main", "aes256-sha1-ecp384"},
		{schema.Row{"enc-algorithm": "aes-256", "dh-group": "ecp384", "prf-algorithm": "sha256"}, "ike2", "aes256-sha1-prfsha256-ecp384"},
		{schema.Row{"enc-algorithm": "aes-256,blowfish"}, "main", "enc-algorithm=blowfish"},
		{schema.Row{"hash-algorithm": "whirlpool"}, "main", "hash-algorithm=whirlpool"},
		{schema.Row{"dh-group": "ec2n185"}, "main", "dh-group=ec2n185"},
		{schema.Row{"prf-algorithm": "whirlpool"}, "ike2", "prf-algorithm=whirlpool"},
	}
	for _, test := range tests {
		got, err := phase1Proposals(test.profile, test.exchange)
		if text := strings.Join(got, " "); err == nil && text != test.want || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: got %q, %v, want %q", test.profile, text, err, test.want)
		}
	}
}

// Ensure that ciphers which authenticate by themselves stand without a hash, and
// that AH has hashes alone.
func TestPhase2Proposals(t *testing.T) {
	tests := []struct {
		proposal schema.Row
		protocol string
		want     string
	}{
		{schema.Row{}, "esp", "aes256-sha1-modp1024 aes192-sha1-modp1024 aes128-sha1-modp1024"},
		{schema.Row{"enc-algorithms": "aes-256-gcm,aes-128-ctr", "auth-algorithms": "sha256,sha1", "pfs-group": "none"}, "esp", "aes256gcm16 aes128ctr-sha256 aes128ctr-sha1"},
		{schema.Row{"auth-algorithms": "sha256,sha1", "pfs-group": "ecp256"}, "ah", "sha256-ecp256 sha1-ecp256"},
		{schema.Row{"enc-algorithms": "twofish"}, "esp", "enc-algorithms=twofish"},
		{schema.Row{"auth-algorithms": "null"}, "esp", "auth-algorithms=null"},
		{schema.Row{"pfs-group": "modp99"}, "esp", "pfs-group=modp99"},
	}
	for _, test := range tests {
		got, err := phase2Proposals(test.proposal, test.protocol)
		if text := strings.Join(got, " "); err == nil && text != test.want || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: got %q, %v, want %q", test.proposal, text, err, test.want)
		}
	}
}

// Ensure how IDs and selectors are written for a daemon.
func TestTexts(t *testing.T) {
	for value, want := range map[string]string{
		"": "AUTO", "auto": "AUTO", "ignore": "AUTO", "address:192.0.2.1": "192.0.2.1", "fqdn:a.example": "fqdn:a.example",
		"user-fqdn:a@b.example": "email:a@b.example", "key-id:k": "keyid:k", "dn": "!", "fqdn:": "!", "something:else": "!",
	} {
		got, err := identityText(menuIdentity, schema.Row{"my-id": value}, "my-id", "AUTO")
		if err == nil && got != want || err != nil && want != "!" {
			t.Errorf("ID %q: got %q, %v, want %q", value, got, err, want)
		}
	}
	for _, test := range []struct {
		row           schema.Row
		local, remote string
	}{
		{schema.Row{"src-address": "10.1.0.0/16", "dst-address": "10.2.0.1"}, "10.1.0.0/16", "10.2.0.1/32"},
		{schema.Row{"src-address": "::/0", "dst-address": "10.2.0.1", "protocol": "udp", "src-port": "1701"}, "0.0.0.0/0[udp/1701]", "10.2.0.1/32[udp]"},
		{schema.Row{"src-address": "10.1.0.0/16", "dst-address": "10.2.0.1", "dst-port": "53"}, "10.1.0.0/16", "10.2.0.1/32[any/53]"},
	} {
		s, ok := selectorOf(test.row)
		local, remote := s.text()
		if !ok || local != test.local || remote != test.remote {
			t.Errorf("%v: got %s %s, want %s %s", test.row, local, remote, test.local, test.remote)
		}
	}
}

// Ensure what counts as mirrored, overlapping and covered.
func TestSelector(t *testing.T) {
	s := func(src, dst, protocol string) selector {
		s, _ := selectorOf(schema.Row{"src-address": src, "dst-address": dst, "protocol": protocol})
		return s
	}
	tests := []struct {
		a, b             selector
		overlaps, covers bool
	}{
		{s("10.1.0.0/16", "10.2.0.0/16", "all"), s("10.1.0.0/16", "10.2.0.0/16", "all"), true, true},
		{s("10.1.0.0/16", "10.2.0.0/16", "all"), s("10.1.3.0/24", "10.2.0.0/16", "all"), true, true},
		{s("10.1.3.0/24", "10.2.0.0/16", "all"), s("10.1.0.0/16", "10.2.0.0/16", "all"), true, false},
		{s("10.1.0.0/16", "10.2.0.0/16", "udp"), s("10.1.0.0/16", "10.2.0.0/16", "all"), true, false},
		{s("10.1.0.0/16", "10.2.0.0/16", "udp"), s("10.1.0.0/16", "10.2.0.0/16", "tcp"), false, false},
		{s("10.1.0.0/16", "10.2.0.0/16", "all"), s("10.1.0.0/16", "10.3.0.0/16", "all"), false, false},
		{s("", "", "all"), s("10.1.0.0/16", "10.3.0.0/16", "tcp"), true, true},
	}
	for _, test := range tests {
		if test.a.overlaps(test.b) != test.overlaps || test.a.covers(test.b) != test.covers {
			t.Errorf("%v and %v: overlaps %v, covers %v", test.a, test.b, test.a.overlaps(test.b), test.a.covers(test.b))
		}
	}
}

// two is an attempt; the responder's rows come on top of a peer for it.
func two(responder map[string][]schema.Row) schema.Attempt {
	a := schema.Attempt{Peer: "*1"}
	a.Initiator = schema.Party{
		Name: "hq", Local: netip.MustParseAddr("203.0.113.5"), Keys: map[string]string{"*2": "k"},
		Names: map[string]netip.Addr{"fengshan.example": netip.MustParseAddr("198.51.100.7")},
		Rows: map[string][]schema.Row{
			menuPeer:     {{".id": "*1", "name": "s", "address": "198.51.100.7/32"}},
			menuIdentity: {{".id": "*2", "peer": "s"}},
			menuProfile:  {{".id": "*0", "name": "default"}},
			menuProposal: {{".id": "*0", "name": "default"}},
			menuPolicy:   {{".id": "*3", "peer": "s", "tunnel": "true", "src-address": "10.1.0.0/24", "dst-address": "10.2.0.0/24"}},
		},
	}
	a.Responder = schema.Party{
		Name: "fengshan", Local: netip.MustParseAddr("198.51.100.7"), Keys: map[string]string{"*2": "k"},
		Rows: map[string][]schema.Row{
			menuPeer:     {{".id": "*1", "name": "s", "address": "203.0.113.5/32"}},
			menuIdentity: {{".id": "*2", "peer": "s"}},
			menuProfile:  {{".id": "*0", "name": "default"}},
			menuProposal: {{".id": "*0", "name": "default"}},
			menuPolicy:   {{".id": "*3", "peer": "s", "tunnel": "true", "src-address": "10.2.0.0/24", "dst-address": "10.1.0.0/24"}},
		},
	}
	for menu, rows := range responder {
		a.Responder.Rows[menu] = append(rows, a.Responder.Rows[menu]...)
	}
	return a
}

// loaded lists the responder's peers that the daemon is told of; a star marks
// those with a key, and after a colon stand the policies.
func loaded(all []connection) string {
	var texts []string
	for _, c := range all {
		text := c.peer["name"]
		if c.key != "" {
			text += "*"
		}
		for _, k := range c.children {
			text += ":" + k.policy[schema.ID]
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, " ")
}

// Ensure which peers and policies of the responder its daemon is told of: that is
// the part of the judgement that stays RouterOS's.
func TestPrepare_Responder(t *testing.T) {
	id := schema.Row{".id": "*9", "peer": "other"}
	tests := []struct {
		name string
		rows map[string][]schema.Row
		want string
	}{
		{"nothing else", nil, "s*:*3"},
		{"a wider prefix loses", map[string][]schema.Row{menuPeer: {{"name": "other"}}, menuIdentity: {id}}, "s*:*3"},
		{"a peer for others stays, without its key", map[string][]schema.Row{
			menuPeer: {{"name": "other", "address": "192.0.2.1/32"}}, menuIdentity: {id},
		}, "other s*:*3"},
		{"another version stays, without its key", map[string][]schema.Row{
			menuPeer: {{"name": "other", "exchange-mode": "ike2"}}, menuIdentity: {id},
		}, "other s*:*3"},
		{"aggressive gives way to the mode that is asked for", map[string][]schema.Row{
			menuPeer: {{"name": "other", "exchange-mode": "aggressive", "address": "203.0.113.5"}}, menuIdentity: {id},
		}, "s*:*3"},
		{"bound to another address", map[string][]schema.Row{
			menuPeer: {{"name": "other", "local-address": "198.51.100.9", "address": "203.0.113.5"}}, menuIdentity: {id},
		}, "other s*:*3"},
		{"disabled rows are not there", map[string][]schema.Row{
			menuPeer:   {{"name": "other", "disabled": "true"}},
			menuPolicy: {{".id": "*8", "peer": "s", "disabled": "yes", "src-address": "10.9.0.0/24"}},
		}, "s*:*3"},
		{"a policy that overlaps is left out, one beside it stays", map[string][]schema.Row{menuPolicy: {
			{".id": "*8", "peer": "s", "tunnel": "true", "src-address": "10.2.0.0/16", "dst-address": "10.1.0.0/24"},
			{".id": "*7", "peer": "s", "tunnel": "true", "src-address": "10.5.0.0/16", "dst-address": "10.1.0.0/24"},
		}}, "s*:*7:*3"},
		{"what does not encrypt is none", map[string][]schema.Row{menuPolicy: {
			{".id": "*8", "peer": "s", "action": "none", "src-address": "10.5.0.0/16", "dst-address": "10.1.0.0/24"},
		}}, "s*:*3"},
		{"a template of the identity's group", map[string][]schema.Row{
			menuIdentity: {{".id": "*2", "peer": "s", "generate-policy": "port-strict", "policy-template-group": "g"}},
			menuPolicy: {
				{".id": "*6", "template": "true", "group": "g", "dst-address": "10.1.0.0/16"},
				{".id": "*5", "template": "true", "group": "g", "dst-address": "10.9.0.0/16"},
				{".id": "*4", "template": "true"},
			},
		}, "s*:*3:*6"},
		{"a name without an address", map[string][]schema.Row{menuPeer: {{"name": "other", "address": "hq.example"}}}, "s*:*3"},
	}
	for _, test := range tests {
		s, silent, err := prepare(two(test.rows))
		if got := loaded(s.responder); err != nil || silent != nil || got != test.want {
			t.Errorf("%s: got %q, %v, %v, want %q", test.name, got, silent, err, test.want)
		}
	}
}

// Ensure why an initiator sends nothing.
func TestPrepare_Silent(t *testing.T) {
	tests := []struct {
		peer     schema.Row
		identity schema.Row
		want     string
	}{
		{schema.Row{"address": "198.51.100.7"}, schema.Row{}, ""},
		{schema.Row{"address": "fengshan.example"}, schema.Row{}, ""},
		{schema.Row{"address": "gone.example"}, schema.Row{}, schema.FaultUnresolved},
		{schema.Row{"address": "198.51.100.7", "disabled": "true"}, schema.Row{}, schema.FaultDisabled},
		{schema.Row{"address": "198.51.100.7", "passive": "yes"}, schema.Row{}, schema.FaultPassive},
		{schema.Row{"address": "198.51.100.0/24"}, schema.Row{}, schema.FaultPassive},
		{schema.Row{"address": "::/0"}, schema.Row{}, schema.FaultPassive},
		{schema.Row{"address": "198.51.100.7"}, schema.Row{"disabled": "true"}, schema.FaultNoIdentity},
	}
	for _, test := range tests {
		a := two(nil)
		for row, extra := range map[string]schema.Row{menuPeer: test.peer, menuIdentity: test.identity} {
			maps.Copy(a.Initiator.Rows[row][0], extra)
		}
		s, silent, err := prepare(a)
		got := ""
		if silent != nil {
			got = silent.Code
			if silent.Stage != schema.StageReach {
				t.Errorf("%v: got stage %s", test.peer, silent.Stage)
			}
		} else if s.target.String() != "198.51.100.7" {
			t.Errorf("%v: the first packet goes to %v", test.peer, s.target)
		}
		if err != nil || got != test.want {
			t.Errorf("%v %v: got %q, %v, want %q", test.peer, test.identity, got, err, test.want)
		}
	}
}

// Ensure that when main meets aggressive everything but the mode agrees, so that
// the daemon judges the mode.
func TestPrepare_Mode(t *testing.T) {
	a := two(nil)
	a.Responder.Rows[menuPeer][0]["exchange-mode"] = "aggressive"
	a.Responder.Rows[menuProfile][0]["hash-algorithm"] = "sha512"
	a.Responder.Keys["*2"] = "other"
	s, _, err := prepare(a)
	if err != nil || len(s.responder) != 1 {
		t.Fatal(s.responder, err)
	}
	c := s.responder[0]
	if c.exchange != "aggressive" || !slices.Equal(c.ike, s.initiator.ike) || c.key != s.initiator.key {
		t.Errorf("got %+v", c)
	}
}

// Ensure what the daemon is told of a connection.
func TestConnection_Message(t *testing.T) {
	a := two(nil)
	a.Initiator.Rows[menuIdentity][0]["remote-id"] = "address:198.51.100.7"
	a.Initiator.Rows[menuPeer][0]["exchange-mode"] = "ike2"
	s, _, err := prepare(a)
	if err != nil {
		t.Fatal(err)
	}
	m := s.initiator.message().section("out")
	got := []string{
		m.text("version"), m.text("aggressive"), m.list("local_addrs")[0], m.list("remote_addrs")[0],
		m.section("local").text("id"), m.section("remote").text("id"), m.section("children").section("p0").list("local_ts")[0],
		m.section("children").section("p0").list("esp_proposals")[0], s.initiator.secret().text("data"),
		strings.Join(s.initiator.secret().list("owners"), " "),
	}
	want := []string{
		"2", "no", "%any", "198.51.100.7", "203.0.113.5", "198.51.100.7", "10.1.0.0/24", "aes256-sha1-modp1024", "k",
		"203.0.113.5 198.51.100.7 198.51.100.7",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Ensure that an identity whose key nobody knows gets one that nobody else has.
func TestPrepare_KeyUnknown(t *testing.T) {
	a := two(nil)
	a.Initiator.Keys, a.Responder.Keys = nil, nil
	s, _, err := prepare(a)
	if err != nil || s.initiator.key == "" || s.initiator.key == s.responder[0].key {
		t.Errorf("got %q and %q, %v", s.initiator.key, s.responder[0].key, err)
	}
}

// Ensure the reasons for which an attempt is not the daemons' to judge.
func TestBeyond(t *testing.T) {
	tests := []struct {
		name   string
		rows   map[string][]schema.Row
		change func(a *schema.Attempt)
		want   string
	}{
		{"two routers", nil, nil, ""},
		{"nothing sent", nil, func(a *schema.Attempt) { a.Initiator.Rows[menuPeer][0]["disabled"] = "true" }, ""},
		{"a computer", nil, func(a *schema.Attempt) { a.Initiator.Client = &schema.Client{System: "windows"} }, "a computer's client"},
		{"behind NAT", nil, func(a *schema.Attempt) { a.Responder.Seen = netip.MustParseAddr("192.0.2.1") }, "a responder behind address translation"},
		{"transport", nil, func(a *schema.Attempt) { a.Initiator.Rows[menuPolicy][0]["tunnel"] = "no" }, "transport mode"},
		{"no policy", nil, func(a *schema.Attempt) { a.Initiator.Rows[menuPolicy] = nil }, "no policy to negotiate"},
		{"certificates", nil, func(a *schema.Attempt) { a.Initiator.Rows[menuIdentity][0]["auth-method"] = "digital-signature" }, "a value that the daemons do not know"},
		{"groups in aggressive mode", nil, func(a *schema.Attempt) {
			a.Initiator.Rows[menuPeer][0]["exchange-mode"], a.Responder.Rows[menuPeer][0]["exchange-mode"] = "aggressive", "aggressive"
			a.Responder.Rows[menuProfile][0]["dh-group"] = "modp1024"
		}, "several groups in aggressive mode"},
		{"AH", map[string][]schema.Row{menuIdentity: {{".id": "*2", "peer": "s", "generate-policy": "port-strict"}}, menuPolicy: {{"template": "true"}}}, func(a *schema.Attempt) {
			a.Initiator.Rows[menuPolicy][0]["ipsec-protocols"] = "ah"
		}, "AH from a template"},
		{"names", nil, func(a *schema.Attempt) { a.Responder.Rows[menuIdentity][0]["remote-id"] = "fqdn:hq.example" }, "names as IDs in IKEv1"},
		{"two peers", map[string][]schema.Row{menuPeer: {{"name": "o"}}}, nil, "choice among several peers that fit"},
		{"two identities", map[string][]schema.Row{menuIdentity: {{".id": "*7", "peer": "s"}}}, nil, "several identities of one peer"},
		{"overlap", map[string][]schema.Row{menuPolicy: {{"peer": "s", "src-address": "10.2.0.0/16", "dst-address": "10.1.0.0/24"}}}, nil, "selectors that overlap without mirroring"},
	}
	for _, test := range tests {
		a := two(test.rows)
		if test.change != nil {
			test.change(&a)
		}
		if got := Beyond(a); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}
