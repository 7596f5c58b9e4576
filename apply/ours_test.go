package apply_test

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/google/go-cmp/cmp"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// kept is what a world knows beforehand of the rows that a router holds: which were
// made for the tunnel and which for something else, whatever a plan says of them.
type kept struct {
	router  string
	before  map[string][]schema.Row
	foreign map[string][]schema.Row // not the tunnel's, or not its alone
	absent  bool
	peer    string // of the tunnel
	twins   int    // bypasses of the tunnel that nobody can tell apart
}

// keep tells the rows of one end apart.
func (w *world) keep(d wild, i int) kept {
	w.Helper()
	k := kept{router: names[i], absent: d.Absent, peer: d.Ends[i].Peer, before: w.whole(names[i]), foreign: map[string][]schema.Row{}}
	e, x := d.Ends[i], w.tunnel.Expect(w.estate).Ends[i]
	peers := []string{e.Peer}
	if e.Left {
		peers = append(peers, "hq-fengshan-3")
	}
	pair := func(row schema.Row) bool {
		return slices.ContainsFunc(x.Policies, func(p vpn.Selectors) bool {
			return row["src-address"] == p.Source.String() && row["dst-address"] == p.Destination.String()
		})
	}
	ours := func(path string, row schema.Row) bool {
		switch path {
		case "/ip/ipsec/peer":
			return slices.Contains(peers, row["name"])
		case "/ip/ipsec/identity":
			return slices.Contains(peers, row["peer"])
		case "/ip/ipsec/policy":
			return pair(row)
		case "/ip/firewall/nat":
			return pair(row) && row["action"] == "accept" && row["protocol"] == ""
		}
		return false
	}
	uses := func(path, attr, name string) bool { // somebody else does
		return slices.ContainsFunc(k.before[path], func(row schema.Row) bool { return row[attr] == name && !ours(path, row) })
	}
	for path, rows := range k.before {
		for _, row := range rows {
			mine := ours(path, row)
			switch {
			case d.Absent && path != "/ip/firewall/nat": // bypasses of its networks can only be for it
				mine = false
			case path == "/ip/ipsec/profile":
				mine = row["name"] == e.Profile && e.Profile != "default" && !uses("/ip/ipsec/peer", "profile", e.Profile)
			case path == "/ip/ipsec/proposal":
				mine = row["name"] == e.Proposal && e.Proposal != "default" && !uses("/ip/ipsec/policy", "proposal", e.Proposal)
			}
			if !mine {
				k.foreign[path] = append(k.foreign[path], row)
			}
		}
	}
	for n := range x.Policies {
		if slices.Contains(e.NAT, fmt.Sprint("clean again ", n)) {
			k.twins += 2
		}
	}
	return k
}

// untouched fails unless every row that is not the tunnel's is what it was, byte for
// byte, and they stand in the order in which they stood.
func (k kept) untouched(w *world, where string) {
	w.Helper()
	left := map[string][]schema.Row{}
	for path, rows := range w.whole(k.router) {
		for _, row := range rows {
			if slices.ContainsFunc(k.foreign[path], func(f schema.Row) bool { return f[schema.ID] == row[schema.ID] }) {
				left[path] = append(left[path], row)
			}
		}
	}
	if diff := cmp.Diff(k.foreign, left); diff != "" {
		w.Errorf("%s: rows of others on %s (-before +after):\n%s", where, k.router, diff)
	}
}

// asBefore fails unless a router holds what it held, byte for byte.
func (k kept) asBefore(w *world, where string) {
	w.Helper()
	if diff := cmp.Diff(k.before, w.whole(k.router)); diff != "" {
		w.Errorf("%s: rows of %s (-before +after):\n%s", where, k.router, diff)
	}
}

// replaced fails when a row of the tunnel's that was to give way still stands.
func (k kept) replaced(w *world, where string, menus ...string) {
	w.Helper()
	now := w.whole(k.router)
	for _, path := range menus {
		for _, row := range k.before[path] {
			is := func(r schema.Row) bool { return r[schema.ID] == row[schema.ID] }
			early := where == "rotate psk" && (row["name"] == "hq-fengshan-3" || row["peer"] == "hq-fengshan-3") // which a rotation lets be
			if !early && slices.ContainsFunc(now[path], is) && !slices.ContainsFunc(k.foreign[path], is) {
				w.Errorf("%s: %s still has %s %q", where, k.router, path, row)
			}
		}
	}
}

// inherited fails unless new rows say of themselves what people had written to the old
// ones, byte for byte, and policies what they did.
func (k kept) inherited(w *world, where string) {
	w.Helper()
	now := w.whole(k.router)
	for path, by := range map[string]string{"/ip/ipsec/peer": "name", "/ip/ipsec/identity": "peer"} {
		is := func(name string) func(schema.Row) bool { return func(r schema.Row) bool { return r[by] == name } }
		old := slices.IndexFunc(k.before[path], is(k.peer))
		if old < 0 || slices.ContainsFunc(now[path], is(k.peer)) {
			continue // there was none, or it was not replaced
		}
		next := slices.IndexFunc(now[path], func(r schema.Row) bool { return generation.MatchString(r[by]) && r[by] != "hq-fengshan-3" })
		if next < 0 {
			w.Errorf("%s: %s has no %s of the tunnel", where, k.router, path)
			continue
		}
		for _, attr := range []string{"comment", "local-address", "notrack-chain"} {
			was, is := change.Unmarked(k.before[path][old][attr]), change.Unmarked(now[path][next][attr])
			moved := attr == "local-address" && (was == "" || w.tunnel.Ends[slices.Index(names, k.router)].WAN != "ether1")
			if was != is && !moved {
				w.Errorf("%s: %s of %s on %s is %q, was %q", where, attr, path, k.router, is, was)
			}
		}
	}
	const policies = "/ip/ipsec/policy"
	for _, row := range now[policies] {
		old := slices.IndexFunc(k.before[policies], func(r schema.Row) bool { return r[schema.ID] == row[schema.ID] })
		if old >= 0 && k.before[policies][old]["comment"] != row["comment"] {
			w.Errorf("%s: comment of a policy on %s is %q, was %q", where, k.router, row["comment"], k.before[policies][old]["comment"])
		}
	}
}

// gone fails unless a router holds the rows of others and none besides, but for
// bypasses that nobody can tell apart.
func (k kept) gone(w *world, where string) {
	w.Helper()
	now := w.whole(k.router)
	var rest []schema.Row
	wanted := w.tunnel.Expect(w.estate).Ends[slices.Index(names, k.router)].Policies
	twins := 0
	now["/ip/firewall/nat"] = slices.DeleteFunc(now["/ip/firewall/nat"], func(row schema.Row) bool {
		is := func(r schema.Row) bool { return r[schema.ID] == row[schema.ID] }
		twin := slices.ContainsFunc(k.before["/ip/firewall/nat"], is) && !slices.ContainsFunc(k.foreign["/ip/firewall/nat"], is)
		other := k.absent && !slices.ContainsFunc(wanted, func(p vpn.Selectors) bool {
			return row["src-address"] == p.Source.String() && row["dst-address"] == p.Destination.String()
		})
		if twin && !other {
			twins++
			rest = append(rest, row)
		}
		return twin
	})
	for path, rows := range now {
		if len(rows) == 0 {
			delete(now, path)
		}
	}
	if diff := cmp.Diff(k.foreign, now); diff != "" || twins > k.twins {
		w.Errorf("%s: rows of %s (-others' +now), and %d of %d twins %q:\n%s", where, k.router, twins, k.twins, rest, diff)
	}
}

// holds fails unless both routers hold the tunnel as it is defined.
func (w *world) holds(where string) {
	w.Helper()
	held, err := vpn.HeldTunnel(w.change("redo"))
	if err != nil {
		w.Errorf("%s: what the routers hold: %v", where, err)
		return
	}
	for _, d := range w.tunnel.Differences(held) {
		w.Errorf("%s: %s is %q, defined is %q", where, d.Key, d.Is, d.Was)
	}
}

// generation is the number in the names and comments of rows that the bot made.
var generation = regexp.MustCompile(`hq-fengshan-[0-9]+`)

// ageless are rows of both routers without ids, marks, keys and the number of their
// generation, in an order that says nothing where menus have none.
func (w *world) ageless() map[string]map[string][]string {
	w.Helper()
	all := map[string]map[string][]string{}
	for _, name := range names {
		all[name] = alike(unmarked(w.whole(name)))
		for path, rows := range all[name] {
			for i, row := range rows {
				rows[i] = generation.ReplaceAllString(row, "hq-fengshan-#")
			}
			if menu, _ := schema.Lookup(path); !menu.Ordered {
				slices.Sort(rows)
			}
		}
	}
	return all
}

// defines writes the tunnel's definition into the ledger.
func (w *world) defines() {
	w.Helper()
	body, err := w.tunnel.Encode()
	if err != nil {
		w.Fatal(err)
	}
	w.ledger.defs = []change.Definition{{DefinitionRef: change.DefinitionRef{Kind: vpn.KindTunnel, Name: w.tunnel.Name, Version: 1}, Body: body}}
}

// definition takes the tunnel from the ledger as it is defined now.
func (w *world) definition(where string) {
	w.Helper()
	if len(w.ledger.defs) == 0 {
		w.Fatalf("%s: no definition", where)
	}
	tunnel, err := vpn.DecodeTunnel(w.ledger.defs[0])
	if err != nil {
		w.Fatal(err)
	}
	w.tunnel = tunnel
}

// typed are settings as people type them.
func typed(t tester, words ...string) []change.Setting {
	t.Helper()
	var list []change.Setting
	for _, word := range words {
		s, err := vpn.ReadSetting(word)
		if err != nil {
			t.Fatalf("%s: %v", word, err)
		}
		list = append(list, s)
	}
	return list
}
