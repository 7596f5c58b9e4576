package ike

import (
	"slices"
	"strings"
	"time"

	"vpnbot/ros/schema"
)

// computer is what an operating system's own L2TP/IPsec client proposes. All of them
// speak IKEv1 main mode with a pre-shared key and have NAT traversal; phase 2 is
// ESP in transport mode for UDP port 1701, without PFS.
type computer struct {
	sourced  bool // whether the list below comes from the client itself
	groups   []string
	phase1   []transform
	lifetime time.Duration // of phase 1; 0 where nobody says
	ciphers  []string
	hashes   []string
}

// computerOf returns what the system proposes, and whether the model knows the
// system at all.
func computerOf(system string) (computer, bool) {
	switch system {
	case "windows":
		return windows(), true
	case "macos", "ios":
		return apple(), true
	case "android":
		return android(), true
	}
	return computer{}, false
}

// windows is an untouched Windows 10 or 11: five transforms, all with SHA-1, seen in
// the log of a router that one called.
func windows() computer {
	return computer{
		sourced: true,
		phase1: combine([]string{"sha1"}, []pair{
			{"aes-256", "ecp384"}, {"aes-128", "ecp256"}, {"aes-256", "modp2048"}, {"3des", "modp2048"}, {"3des", "modp1024"},
		}),
		lifetime: 8 * time.Hour,
		ciphers:  []string{"aes-256-cbc", "aes-128-cbc", "3des", "des", "null"},
		hashes:   []string{"sha1"},
	}
}

// apple follows the log of a strongSwan server that an L2TP client called whose
// system the log does not name; the vendor of the systems publishes no list.
func apple() computer {
	all := combine([]string{"sha256", "sha1", "md5", "sha512"}, []pair{{"aes-256", "modp2048"}})
	all = append(all, combine([]string{"sha256", "sha1", "md5"}, []pair{{"aes-256", "modp1536"}, {"aes-256", "modp1024"}})...)
	all = append(all, combine([]string{"sha1", "md5"}, []pair{{"aes-128", "modp1024"}, {"3des", "modp1024"}})...)
	return computer{
		phase1: all, lifetime: time.Hour,
		ciphers: []string{"aes-256-cbc", "aes-192-cbc", "aes-128-cbc", "3des"}, hashes: []string{"sha512", "sha256", "sha1", "md5"},
	}
}

// android is Android up to 11. That it has modp1024 only is sure; the rest is from
// logs of Libreswan servers.
func android() computer {
	return computer{
		groups: []string{"modp1024"},
		phase1: append(combine([]string{"sha384", "sha256", "sha512", "sha1", "md5"}, []pair{{"aes-256", "modp1024"}}),
			combine([]string{"sha1", "md5"}, []pair{{"aes-128", "modp1024"}, {"3des", "modp1024"}})...),
		lifetime: 8 * time.Hour,
		ciphers:  []string{"aes-256-cbc", "aes-128-cbc", "3des", "des"}, hashes: []string{"sha512", "sha256", "sha1", "md5"},
	}
}

// pair is a cipher with the group it is proposed with.
type pair struct{ cipher, group string }

// combine proposes each pair with each hash.
func combine(hashes []string, pairs []pair) []transform {
	var all []transform
	for _, p := range pairs {
		for _, h := range hashes {
			all = append(all, transform{p.cipher, h, h, p.group})
		}
	}
	return all
}

// phase1Client is phase 1 with a computer calling.
func (n *negotiation) phase1Client(to profile, found bool) {
	if found {
		n.unread(schema.StagePhase1, base{}, to.base)
	}
	n.methods()
	c, ok := computerOf(n.from.Client.System)
	if !ok {
		n.unknown(schema.StagePhase1, schema.FaultUnknownRow, "system", said{text: n.from.Client.System}, said{})
		return
	}
	if !found {
		return
	}
	if !c.sourced && !n.AssumeClients {
		if len(c.groups) > 0 && len(intersect(c.groups, to.groups)) == 0 && !to.misses("dh-group") {
			n.fault(schema.StagePhase1, schema.FaultProposal, "dh-group", said{text: strings.Join(c.groups, ",")}, says(to.ref, strings.Join(to.groups, ",")))
		}
		n.unknown(schema.StagePhase1, schema.FaultUnknownRow, "transforms", said{text: n.from.Client.System}, says(to.ref, ""))
		return
	}
	o := offer{transforms: c.phase1}
	for _, t := range c.phase1 {
		o.ciphers, o.hashes, o.groups = with(o.ciphers, t.cipher), with(o.hashes, t.hash), with(o.groups, t.group)
	}
	n.algorithms(o, to)
	n.traversal(said{text: "true"}, true, to)
	n.lifetime1(said{text: schema.FormatDuration(c.lifetime)}, c.lifetime, to)
}

func with(set []string, s string) []string {
	if slices.Contains(set, s) {
		return set
	}
	return append(set, s)
}

// phase2Client asks for the one pair of SAs that L2TP runs in. The computer names its
// own address; through a NAT the responder takes the one that it sees (RFC 3948, 5).
func (n *negotiation) phase2Client() {
	system, ok := computerOf(n.from.Client.System)
	if !ok {
		return // noted in phase 1
	}
	s := selector{host(n.from.local), host(n.to.seen), "udp", "1701", "1701"}
	seen := s
	seen.src, seen.dst = host(n.from.seen), host(n.to.local)
	n.met = false
	n.child(child{
		traffic: s, asSeen: seen, protocol: "esp", first: true,
		proposal: proposal{ciphers: system.ciphers, hashes: system.hashes, pfs: "none"},
		known:    system.sourced || n.AssumeClients,
	})
}
