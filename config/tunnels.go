package config

import (
	"net/netip"
	"slices"
	"strconv"

	"vpnbot/vpn"
)

func readTunnels(v value, e vpn.Estate, held Definitions) []Imported {
	var list []Imported
	others := held.Tunnels
	for _, en := range v.entries("tunnels by name") {
		im, names := readTunnel(en)
		if names == nil {
			continue // said already: without two ends nothing more can be
		}
		im.Tunnel = im.Tunnel.WithDefaults(e)
		for _, p := range im.Tunnel.Problems(e, others, held.DialIns) {
			v.doc.failAt(append(slices.Clone(en.path), place(p.Path, names)...), p.Message)
		}
		others = append(slices.Clone(others), im.Tunnel)
		list = append(list, im)
	}
	return list
}

// place turns the path of a problem into keys of the file, where an end stands
// under its site.
func place(path []string, names []string) []string {
	switch {
	case path[0] == "name":
		return nil
	case path[0] == "ends" && len(path) > 1:
		i, _ := strconv.Atoi(path[1])
		path = slices.Clone(path)
		path[1] = names[i]
	}
	return path
}

// readTunnel returns the tunnel and the keys under which its ends stand, nil
// when there are not two.
func readTunnel(en entry) (Imported, []string) {
	f := en.object("exchange", "ends", "profile", "proposal", "psk", "note")
	t := vpn.Tunnel{Name: en.name}
	t.Exchange, _ = f["exchange"].text("ike2, main or aggressive")
	t.Note, _ = f["note"].text("one line of text")
	t.Profile, t.Proposal = readProfile(f["profile"]), readProposal(f["proposal"])
	im := Imported{Kind: vpn.KindTunnel, Name: en.name, PSK: f["psk"].source(false), Line: en.line()}
	ends := f["ends"].entries("two ends, by their sites")
	if len(ends) != 2 {
		f["ends"].fail("expected two ends, by their sites")
		return im, nil
	}
	var names []string
	for i, e := range ends {
		t.Ends[i] = readEnd(e)
		names = append(names, e.name)
	}
	im.Tunnel = t
	return im, names
}

func readEnd(e entry) vpn.End {
	f := e.object("router", "wan", "prefixes", "role", "id", "probes")
	end := vpn.End{Site: e.name}
	end.Router, _ = f["router"].text("the name of a router")
	end.WAN, _ = f["wan"].text("the name of an interface")
	prefixes := f["prefixes"].given("a list of networks such as 192.168.77.0/24")
	if prefixes != nil {
		end.Prefixes = make([]netip.Prefix, len(prefixes))
	}
	for i, s := range prefixes {
		end.Prefixes[i], _ = netip.ParsePrefix(s) // the zero prefix is refused with the tunnel
	}
	if role, ok := f["role"].text("initiate, respond or both"); ok {
		end.Role = vpn.WANRole(role)
	}
	end.ID, _ = f["id"].text("fqdn:NAME or auto")
	for _, s := range f["probes"].words("a list of addresses that answer a ping") {
		ip, _ := netip.ParseAddr(s)
		end.Probes = append(end.Probes, ip)
	}
	return end
}

// given is words of a list that, once it is there, has no default: one that holds
// nothing comes back empty and not nil.
func (v value) given(expected string) []string {
	list := v.words(expected)
	if list == nil && v.present() {
		return []string{}
	}
	return list
}

func readProfile(v value) vpn.Profile {
	f := v.object("encryption", "hash", "dh-groups", "lifetime", "dpd-interval", "dpd-maximum-failures", "nat-traversal")
	p := vpn.Profile{
		Encryption: f["encryption"].given("a list of ciphers such as [aes-256]"),
		DHGroups:   f["dh-groups"].given("a list of groups such as [ecp384, modp2048]"),
	}
	p.Hash, _ = f["hash"].text("one hash, such as sha256")
	p.Lifetime, _ = f["lifetime"].text("a time such as 1d")
	p.DPDInterval, _ = f["dpd-interval"].text("a time such as 8s, or disable-dpd")
	if s, ok := f["dpd-maximum-failures"].text("a number"); ok {
		n, err := strconv.Atoi(s)
		if err != nil || n == 0 {
			n = -1 // refused with the tunnel
		}
		p.DPDFailures = n
	}
	p.NATTraversal = !f["nat-traversal"].present() || f["nat-traversal"].flag()
	return p
}

func readProposal(v value) vpn.Proposal {
	f := v.object("encryption", "auth", "pfs-group", "lifetime")
	p := vpn.Proposal{
		Encryption: f["encryption"].given("a list of ciphers such as [aes-256-cbc]"),
		Auth:       f["auth"].given("a list of hashes such as [sha256]"),
	}
	p.PFSGroup, _ = f["pfs-group"].text("one group such as ecp384, or none")
	p.Lifetime, _ = f["lifetime"].text("a time such as 30m")
	return p
}

func (w *writer) tunnel(t vpn.Tunnel) {
	w.line(1, "%s:", quote(t.Name))
	w.text(2, "exchange", t.Exchange)
	w.line(2, "ends:")
	for _, end := range t.Ends {
		w.end(end)
	}
	w.line(2, "profile:")
	w.list(3, "encryption", t.Profile.Encryption)
	w.text(3, "hash", t.Profile.Hash)
	w.list(3, "dh-groups", t.Profile.DHGroups)
	w.text(3, "lifetime", t.Profile.Lifetime)
	w.text(3, "dpd-interval", t.Profile.DPDInterval)
	w.line(3, "dpd-maximum-failures: %d", t.Profile.DPDFailures)
	w.line(3, "nat-traversal: %t", t.Profile.NATTraversal)
	w.line(2, "proposal:")
	w.list(3, "encryption", t.Proposal.Encryption)
	if len(t.Proposal.Auth) > 0 {
		w.list(3, "auth", t.Proposal.Auth)
	}
	w.text(3, "pfs-group", t.Proposal.PFSGroup)
	w.text(3, "lifetime", t.Proposal.Lifetime)
	w.text(2, "note", t.Note)
	w.psk(t.PSK, t.PSKMark)
}

func (w *writer) end(end vpn.End) {
	w.line(3, "%s:", quote(end.Site))
	w.text(4, "router", end.Router)
	w.text(4, "wan", end.WAN)
	w.list(4, "prefixes", texts(end.Prefixes))
	w.text(4, "role", string(end.Role))
	if end.ID == "" {
		w.line(4, "id: auto")
	}
	w.text(4, "id", end.ID)
	if len(end.Probes) > 0 {
		w.list(4, "probes", texts(end.Probes))
	}
}

func texts[T interface{ String() string }](values []T) []string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = v.String()
	}
	return list
}
