package vpn

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"vpnbot/ros/schema"
)

// tunnelKey is one value of a tunnel's definition that people can name: the table
// of them is what "tunnel set" and "tunnel add" understand. Names are those of the
// definition's YAML, with a dot between its levels.
type tunnelKey struct {
	name string
	also []string
	end  bool // of one end: SITE.name
	// words are the values that it takes, many how many at once; read is for what no
	// list of words says. shown is an example.
	words []string
	many  bool
	read  func(string) (string, bool)
	shown string
	// bare tells that no router row changes with it.
	bare bool
	// fixed tells that an existing tunnel keeps it.
	fixed bool
	get   func(t Tunnel, i int) string
	set   func(t *Tunnel, i int, value string)
}

// tunnelKeys returns the table, in the order of the YAML.
func tunnelKeys() []tunnelKey {
	return slices.Concat(plainKeys(), profileKeys(), proposalKeys(), endKeys())
}

func plainKeys() []tunnelKey {
	return []tunnelKey{
		{
			name: "exchange", also: []string{"exchange-mode", "mode", "模式"}, words: []string{exchangeIKE2, exchangeMain, exchangeAggressive}, shown: exchangeIKE2,
			get: func(t Tunnel, _ int) string { return t.Exchange }, set: func(t *Tunnel, _ int, v string) { t.Exchange = v },
		},
		{
			name: "note", also: []string{"備註"}, bare: true, shown: "TEXT", read: readNote,
			get: func(t Tunnel, _ int) string { return t.Note }, set: func(t *Tunnel, _ int, v string) { t.Note = v },
		},
	}
}

func profileKeys() []tunnelKey {
	p := func(name string, also []string, path string, get func(*Profile) string, set func(*Profile, string)) tunnelKey {
		k := tunnelKey{
			name: "profile." + name, also: also,
			get: func(t Tunnel, _ int) string { return get(&t.Profile) }, set: func(t *Tunnel, _ int, v string) { set(&t.Profile, v) },
		}
		if path != "" {
			k.words, k.many = valuesOf(menuProfile1, path)
			k.shown = k.words[0]
		}
		return k
	}
	lifetime := p("lifetime", []string{"phase1.lifetime"}, "", func(p *Profile) string { return p.Lifetime }, func(p *Profile, v string) { p.Lifetime = v })
	lifetime.read, lifetime.shown = readTime, "1d"
	dpd := p("dpd-interval", []string{"dpd-interval", "dpd"}, "", func(p *Profile) string { return p.DPDInterval }, func(p *Profile, v string) { p.DPDInterval = v })
	dpd.read, dpd.shown = readDPD, "8s"
	failures := p("dpd-maximum-failures", []string{"dpd-maximum-failures"}, "", func(p *Profile) string { return strconv.Itoa(p.DPDFailures) },
		func(p *Profile, v string) { p.DPDFailures, _ = strconv.Atoi(v) })
	failures.read, failures.shown = readCount, "4"
	nat := p("nat-traversal", []string{"nat-traversal", "nat-t"}, "", func(p *Profile) string { return strconv.FormatBool(p.NATTraversal) },
		func(p *Profile, v string) { p.NATTraversal = v == "true" })
	nat.words, nat.read, nat.shown = []string{"true", "false"}, readBool, "true"
	return []tunnelKey{
		p("encryption", []string{"profile.enc-algorithm", "phase1.encryption"}, "enc-algorithm",
			func(p *Profile) string { return strings.Join(p.Encryption, ",") }, func(p *Profile, v string) { p.Encryption = strings.Split(v, ",") }),
		p("hash", []string{"hash", "hash-algorithm", "profile.hash-algorithm", "phase1.hash"}, "hash-algorithm",
			func(p *Profile) string { return p.Hash }, func(p *Profile, v string) { p.Hash = v }),
		p("dh-groups", []string{"dh-groups", "dh-group", "dh", "profile.dh-group", "phase1.dh-groups"}, "dh-group",
			func(p *Profile) string { return strings.Join(p.DHGroups, ",") }, func(p *Profile, v string) { p.DHGroups = strings.Split(v, ",") }),
		lifetime, dpd, failures, nat,
	}
}

func proposalKeys() []tunnelKey {
	p := func(name string, also []string, attr string, get func(*Proposal) string, set func(*Proposal, string)) tunnelKey {
		k := tunnelKey{
			name: "proposal." + name, also: also,
			get: func(t Tunnel, _ int) string { return get(&t.Proposal) }, set: func(t *Tunnel, _ int, v string) { set(&t.Proposal, v) },
		}
		if attr != "" {
			k.words, k.many = valuesOf(menuProposal, attr)
			k.shown = k.words[0]
		}
		return k
	}
	lifetime := p("lifetime", []string{"phase2.lifetime"}, "", func(p *Proposal) string { return p.Lifetime }, func(p *Proposal, v string) { p.Lifetime = v })
	lifetime.read, lifetime.shown = readTime, "30m"
	return []tunnelKey{
		p("encryption", []string{"proposal.enc-algorithms", "phase2.encryption"}, "enc-algorithms",
			func(p *Proposal) string { return strings.Join(p.Encryption, ",") }, func(p *Proposal, v string) { p.Encryption = strings.Split(v, ",") }),
		p("auth", []string{"auth", "auth-algorithms", "proposal.auth-algorithms", "phase2.auth"}, "auth-algorithms",
			func(p *Proposal) string { return strings.Join(p.Auth, ",") }, func(p *Proposal, v string) { p.Auth = strings.Split(v, ",") }),
		p("pfs-group", []string{"pfs-group", "pfs", "phase2.pfs-group"}, "pfs-group",
			func(p *Proposal) string { return p.PFSGroup }, func(p *Proposal, v string) { p.PFSGroup = v }),
		lifetime,
	}
}

func endKeys() []tunnelKey {
	return []tunnelKey{
		{
			name: "prefixes", also: []string{"networks", "subnets", "網段"}, end: true, shown: "192.168.77.0/24,192.168.78.0/24", read: readPrefixes,
			get: func(t Tunnel, i int) string { return joined(t.Ends[i].Prefixes) },
			set: func(t *Tunnel, i int, v string) { t.Ends[i].Prefixes = split(v, netip.ParsePrefix) },
		},
		{
			name: "role", also: []string{"initiator", "角色"}, end: true, words: []string{string(Initiate), string(Respond), string(Both)}, shown: string(Respond),
			get: func(t Tunnel, i int) string { return string(t.Ends[i].Role) }, set: func(t *Tunnel, i int, v string) { t.Ends[i].Role = WANRole(v) },
		},
		{
			name: "id", also: []string{"my-id"}, end: true, shown: "fqdn:hq.example.com", read: readID,
			get: func(t Tunnel, i int) string { return t.Ends[i].ID }, set: func(t *Tunnel, i int, v string) { t.Ends[i].ID = v },
		},
		{
			name: "probes", also: []string{"probe"}, end: true, bare: true, shown: "192.168.77.1", read: readAddresses,
			get: func(t Tunnel, i int) string { return joined(t.Ends[i].Probes) },
			set: func(t *Tunnel, i int, v string) { t.Ends[i].Probes = split(v, netip.ParseAddr) },
		},
		{
			name: "wan", end: true, shown: "ether1", read: readWord,
			get: func(t Tunnel, i int) string { return t.Ends[i].WAN }, set: func(t *Tunnel, i int, v string) { t.Ends[i].WAN = v },
		},
		{
			name: "router", end: true, fixed: true, shown: "gw-hq", read: readWord,
			get: func(t Tunnel, i int) string { return t.Ends[i].Router }, set: func(t *Tunnel, i int, v string) { t.Ends[i].Router = v },
		},
	}
}

// valuesOf returns what an attribute takes, without what protects nothing.
func valuesOf(path, attr string) (words []string, many bool) {
	menu, _ := schema.Lookup(path)
	a, _ := menu.Attr(attr)
	return slices.DeleteFunc(slices.Clone(a.Values), func(v string) bool { return v == "null" }), a.Kind == schema.Set
}

func joined[T interface{ String() string }](values []T) string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = v.String()
	}
	return strings.Join(list, ",")
}

// split reads a list that was read before: what does not parse does not occur.
func split[T any](value string, parse func(string) (T, error)) []T {
	var list []T
	for word := range strings.SplitSeq(value, ",") {
		if v, err := parse(word); err == nil {
			list = append(list, v)
		}
	}
	return list
}
