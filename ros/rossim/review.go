package rossim

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"vpnbot/ros/schema"
)

// review works out what a router's IPsec rows show besides what was written
// into them: warnings, states, addresses of SAs.
func (in *Internet) review(n *node) {
	i, doors := in.byName[n.name], in.doors(n)
	n.r.mu.Lock()
	defer n.r.mu.Unlock()
	n.r.st.review(in.remoteOf, func(rec *record, peers []*record, view schema.Row) { in.viewPolicy(i, doors, peers, rec, view) })
}

// reviewAlone is review for a router that no Internet reaches: nothing of its
// IPsec is up.
func (s *state) reviewAlone() {
	if s.wake != nil {
		return
	}
	s.review(literal, func(rec *record, peers []*record, view schema.Row) {
		peer := viewSAs(literal, peers, rec, view)
		if a, err := netip.ParseAddr(peer["local-address"]); err == nil {
			view["sa-src-address"] = a.String()
		}
	})
}

// ofIPsec tells whether a write touches what review looks at.
func ofIPsec(done []touched) bool {
	return slices.ContainsFunc(done, func(t touched) bool {
		return strings.HasPrefix(t.rec.home.path, "/ip/ipsec/") || t.rec.home.path == "/interface/l2tp-server/server"
	})
}

// review gives every row its view. encrypts adds what a policy shows of its
// phase 2.
func (s *state) review(remoteOf func(schema.Row) (netip.Addr, bool), encrypts func(rec *record, peers []*record, view schema.Row)) {
	peers := s.tables["/ip/ipsec/peer"]
	for _, rec := range peers {
		s.look(rec, viewPeer(remoteOf, peers, rec))
	}
	for _, rec := range s.tables["/ip/ipsec/identity"] {
		s.look(rec, viewIdentity(peers, rec))
	}
	taken := map[string]bool{}
	for _, rec := range s.tables["/ip/ipsec/policy"] {
		if rec.vals["template"] == "true" {
			continue
		}
		view := viewPolicy(rec, taken)
		if rec.vals["action"] == "encrypt" {
			view["ph2-count"], view["ph2-state"] = "0", "no-phase2"
			encrypts(rec, peers, view)
		}
		s.look(rec, view)
	}
}

// look gives a row a new view and tells its watchers when that changed.
func (s *state) look(rec *record, view schema.Row) {
	if !maps.Equal(rec.view, view) {
		rec.view = view
		s.changed(rec, false)
	}
}

func viewPeer(remoteOf func(schema.Row) (netip.Addr, bool), peers []*record, rec *record) schema.Row {
	v, view := rec.vals, schema.Row{}
	remote, ok := remoteOf(v)
	if v["passive"] == "true" || (!ok && strings.Contains(v["address"]+"/", "/")) {
		view["responder"] = "true"
	}
	if ok && !strings.Contains(v["address"], "/") {
		view["current-address"] = remote.String()
		delete(view, "responder")
		if v["passive"] == "true" {
			view["responder"] = "true"
		}
	}
	if v["disabled"] != "true" && shadowed(peers, rec) {
		view[".about"] = "This entry is unreachable"
	}
	return view
}

// shadowed tells whether another row takes every packet that this one is for.
// Dynamic rows come first.
func shadowed(peers []*record, rec *record) bool {
	before := true
	for _, o := range peers {
		if o == rec {
			before = false
			continue
		}
		same := o.vals["disabled"] != "true" && anywhere(o.vals["address"]) == anywhere(rec.vals["address"]) &&
			o.vals["exchange-mode"] == rec.vals["exchange-mode"] && o.vals["local-address"] == rec.vals["local-address"]
		if same && ((o.dynamic && !rec.dynamic) || (before && o.dynamic == rec.dynamic)) {
			return true
		}
	}
	return false
}

// anywhere writes the addresses of a peer for everybody in one way.
func anywhere(address string) string {
	switch address {
	case "", "::/0", "0.0.0.0/0":
		return "any"
	}
	return address
}

func viewIdentity(peers []*record, rec *record) schema.Row {
	view := schema.Row{}
	at := slices.IndexFunc(peers, func(p *record) bool { return p.name() == rec.vals["peer"] })
	switch {
	case at < 0:
		view[".about"] = "Peer does not exist"
	case peers[at].dynamic && !rec.dynamic:
		view[".about"] = "can't add identity to dynamic peer"
	}
	return view
}

// viewPolicy tells what a policy is whether anything is up or not. taken collects
// the selectors of enabled policies, of which the first alone is valid.
func viewPolicy(rec *record, taken map[string]bool) schema.Row {
	v := rec.vals
	view := schema.Row{"invalid": "false", "active": "false"}
	if v["disabled"] != "true" {
		sel := strings.Join([]string{v["src-address"], v["src-port"], v["dst-address"], v["dst-port"], v["protocol"]}, " ")
		if taken[sel] {
			view["invalid"] = "true"
		}
		taken[sel] = true
	}
	return view
}

// viewPolicy tells what is up for a policy that encrypts.
func (in *Internet) viewPolicy(i int, doors []door, peers []*record, rec *record, view schema.Row) {
	in.viewSAs(i, doors, peers, rec, view)
	count := 0
	for _, k := range in.ikes {
		for e := range k.ends {
			if k.ends[e].node == i && k.fresh(e, rec.serial) != nil {
				count++
			}
		}
	}
	if count == 0 && in.childOf(i, rec.serial) != nil {
		count = 1 // what is dying still works
	}
	if count > 0 {
		view["ph2-count"], view["ph2-state"], view["active"] = itoa(count), "established", "true"
	}
}

// viewSAs fills in between which addresses the SAs of a policy are, or will be.
func (in *Internet) viewSAs(i int, doors []door, peers []*record, rec *record, view schema.Row) {
	if k, _, e := in.pair(i, rec.serial); k != nil {
		view["sa-src-address"], view["sa-dst-address"] = k.ends[e].local.String(), k.ends[e].remote.String()
		return
	}
	peer := viewSAs(in.remoteOf, peers, rec, view)
	if peer == nil {
		return
	}
	for _, d := range doors {
		if peer["local-address"] == "" || peer["local-address"] == d.inside.String() {
			view["sa-src-address"] = d.inside.String()
			break
		}
	}
}

// viewSAs fills in what a policy's peer alone tells of its SAs' addresses, and
// returns the peer's values; nil when there is none.
func viewSAs(remoteOf func(schema.Row) (netip.Addr, bool), peers []*record, rec *record, view schema.Row) schema.Row {
	name, _, _ := strings.Cut(rec.vals["peer"], ",")
	at := slices.IndexFunc(peers, func(p *record) bool { return p.name() == name })
	if at < 0 {
		if name != "" {
			view[".about"] = "Peer does not exist"
		}
		return nil
	}
	peer := peers[at].vals
	view["sa-src-address"], view["sa-dst-address"] = netip.IPv6Unspecified().String(), netip.IPv6Unspecified().String()
	if remote, ok := remoteOf(peer); ok {
		view["sa-dst-address"] = remote.String()
	}
	return peer
}
