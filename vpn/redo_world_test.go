package vpn_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

const (
	profileMenu  = "/ip/ipsec/profile"
	proposalMenu = "/ip/ipsec/proposal"
	identityMenu = "/ip/ipsec/identity"
	natMenu      = "/ip/firewall/nat"
)

// big5 is "鳳山" as WinBox in Taiwan writes it.
const big5 = "\xbb\xf1\xa4\x73"

// site describes one end of a tunnel made by hand.
type handMade struct {
	site, router, wan, lan, to string
	far, farLAN                string
}

var handMadeEnds = [2]handMade{
	{"hq", "gw-hq", "203.0.113.10", "192.168.77", "to-fengshan", "198.51.100.20", "192.168.88"},
	{"fengshan", "gw-fengshan", "198.51.100.20", "192.168.88", "to-hq", "203.0.113.10", "192.168.77"},
}

// redoWorld is hq-fengshan as the administrator's notes have it, on both routers,
// with the rows of others around it, and the request to redo it.
func redoWorld() vpn.TunnelChange {
	e := redoEstate()
	t := vpn.Tunnel{Name: "hq-fengshan", Ends: [2]vpn.End{
		{Site: "hq", Probes: []netip.Addr{netip.MustParseAddr("192.168.77.31")}}, {Site: "fengshan", Probes: []netip.Addr{netip.MustParseAddr("192.168.88.12")}},
	}}.WithDefaults(e)
	t.Profile.NATTraversal = true
	in := vpn.TunnelChange{
		Intent: change.Intent{Verb: "redo", Site: "hq"}, Estate: e, Tunnel: t,
		Definition: change.DefinitionRef{Kind: vpn.KindTunnel, Name: t.Name, Version: 1},
		DialIns:    []vpn.DialIn{{Site: "hq", Router: "gw-hq", Server: "vpn.example.com", Pool: "vpn-pool", Profile: "vpn-users"}},
		PSK:        "psk-new", Mark: "psk:9f3a",
	}
	for i, end := range handMadeEnds {
		in.Snapshots[i] = end.snapshot()
	}
	return in
}

func redoEstate() vpn.Estate {
	site := func(name, router, lan, wan string, aliases ...string) vpn.Site {
		return vpn.Site{
			Name: name, Aliases: aliases, LAN: []netip.Prefix{netip.MustParsePrefix(lan)}, Routers: []string{router},
			WANs: []vpn.WAN{{Interface: "ether1", Address: netip.MustParseAddr(wan), NAT: vpn.NoNAT, Role: vpn.Both}},
		}
	}
	router := func(name, site string) vpn.Router {
		return vpn.Router{Name: name, Site: site, Read: vpn.Login{User: "bot-read"}, Write: vpn.Login{User: "bot-write"}}
	}
	return vpn.Estate{
		Sites: []vpn.Site{
			site("hq", "gw-hq", "192.168.64.0/19", "203.0.113.10", "總公司"), site("fengshan", "gw-fengshan", "192.168.88.0/23", "198.51.100.20", "鳳山"),
			site("taichung", "gw-taichung", "192.168.99.0/24", "192.0.2.30"),
		},
		Routers: []vpn.Router{router("gw-hq", "hq"), router("gw-fengshan", "fengshan"), router("gw-taichung", "taichung")},
	}
}

// snapshot is what the router prints. The definition's prefixes are the LANs of
// the notes: see redoWorld.
func (h handMade) snapshot() change.Snapshot {
	near, far := h.lan+".0/24", h.farLAN+".0/24"
	menus := map[string][]schema.Row{
		"/interface/l2tp-server/server": {{"enabled": "true", "use-ipsec": "required"}},
		"/ip/address": {
			{"address": h.wan + "/24", "interface": "ether1", "dynamic": "false", "disabled": "false"},
			{"address": h.lan + ".1/24", "interface": "bridge", "dynamic": "false", "disabled": "false"},
		},
		profileMenu: {
			{"name": "default", "default": "true", "enc-algorithm": "aes-128,3des", "dh-group": "modp2048,modp1024", "hash-algorithm": "sha1", "lifetime": "1d"},
			{"name": h.to, "enc-algorithm": "aes-128", "dh-group": "modp1024", "hash-algorithm": "sha1", "dpd-interval": "5m", "lifetime": "1d"},
		},
		proposalMenu: {
			{"name": "default", "default": "true", "disabled": "false", "enc-algorithms": "aes-256-cbc", "auth-algorithms": "sha1", "pfs-group": "modp1024"},
			{"name": h.to, "disabled": "false", "enc-algorithms": "aes-128-cbc", "auth-algorithms": "sha1", "pfs-group": "none", "lifetime": "30m"},
		},
		peerMenu: {
			{"name": "l2tp-in-server", "address": "0.0.0.0/0", "dynamic": "true", "responder": "true", "exchange-mode": "main", "profile": "default", "passive": "true", "disabled": "false"},
			{"name": h.to, "address": h.far + "/32", "exchange-mode": "main", "profile": h.to, "disabled": "false", "comment": big5},
			{"name": "vendor", "address": "192.0.2.77/32", "exchange-mode": "ike2", "profile": "default", "disabled": "false", "comment": "do not touch " + big5},
		},
		identityMenu: {
			{"peer": "l2tp-in-server", "dynamic": "true", "disabled": "false", "generate-policy": "port-strict"},
			{"peer": h.to, "disabled": "false"},
			{"peer": "vendor", "disabled": "false", "comment": big5},
		},
		policyMenu: {
			{"template": "true", "default": "true", "group": "default", "proposal": "default", "src-address": "::/0", "dst-address": "::/0", "protocol": "all", "disabled": "false"},
			{"peer": h.to, "tunnel": "true", "src-address": near, "dst-address": far, "proposal": h.to, "level": "require", "action": "encrypt", "protocol": "all", "ph2-state": "established", "disabled": "false", "comment": big5},
			{"peer": "vendor", "tunnel": "true", "src-address": near, "dst-address": "10.9.0.0/16", "proposal": "default", "level": "require", "action": "encrypt", "protocol": "all", "ph2-state": "established", "disabled": "false"},
		},
		"/ip/ipsec/policy/group": {{"name": "default", "default": "true"}},
		natMenu: {
			{"chain": "srcnat", "action": "passthrough", "dynamic": "true", "comment": "special dummy rule", "disabled": "false"},
			{"chain": "srcnat", "action": "accept", "src-address": near, "dst-address": far, "comment": "不做 NAT：" + h.to, "disabled": "false"},
			{"chain": "srcnat", "action": "masquerade", "out-interface": "ether1", "disabled": "false"},
			{"chain": "dstnat", "action": "dst-nat", "protocol": "tcp", "dst-port": "443", "to-addresses": h.lan + ".9", "disabled": "false", "comment": big5},
		},
		"/ip/ipsec/active-peers": {},
		"/ip/pool":               {{"name": "vpn-pool", "ranges": "10.77.0.10-10.77.0.99"}},
		"/ppp/active":            {{"name": "chen-yh", "service": "l2tp", "caller-id": "198.51.100.71", "address": "10.77.0.10"}},
		"/user/active":           {},
		"/system/device-mode":    {{"mode": "advanced", "flagged": "false", "scheduler": "true", "ipsec": "true"}},
	}
	number(menus)
	return change.Snapshot{Router: h.router, Version: "7.22.3 (stable)", Menus: menus}
}

// number gives every row an id.
func number(menus map[string][]schema.Row) {
	for _, rows := range menus {
		for i, r := range rows {
			r[schema.ID] = fmt.Sprintf("*%X", i+1)
		}
	}
}

// narrow makes the definition join the LANs of the notes alone.
func narrow(in vpn.TunnelChange) vpn.TunnelChange {
	for i, h := range handMadeEnds {
		in.Tunnel.Ends[i].Prefixes = []netip.Prefix{netip.MustParsePrefix(h.lan + ".0/24")}
	}
	return in
}

// find returns the rows of end i that where names.
func find(in vpn.TunnelChange, i int, menu string, pairs ...string) []schema.Row {
	where := schema.Row{}
	for k := 0; k+1 < len(pairs); k += 2 {
		where[pairs[k]] = pairs[k+1]
	}
	return in.Snapshots[i].Rows(change.Query{Menu: menu, Where: where})
}

// insert puts rows at place n of a menu of end i.
func insert(in vpn.TunnelChange, i int, menu string, n int, rows ...schema.Row) {
	menus := in.Snapshots[i].Menus
	menus[menu] = slices.Insert(menus[menu], min(n, len(menus[menu])), rows...)
	number(menus)
}

// delete takes the rows away for which gone is true.
func drop(in vpn.TunnelChange, i int, menu string, gone func(schema.Row) bool) {
	menus := in.Snapshots[i].Menus
	menus[menu] = slices.DeleteFunc(menus[menu], gone)
}

// perform writes a step as a router takes it: the row is found by what it is, an
// added one carries its generation mark, and what does not fit is a fault of the
// plan.
func perform(t failer, s change.Snapshot, step change.Step) {
	t.Helper()
	rows := s.Menus[step.Menu]
	var found []int
	for i, r := range rows {
		if (change.Query{Where: step.Match, Menu: step.Menu}).Matches(r) && r["dynamic"] != "true" {
			found = append(found, i)
		}
	}
	if want := map[bool]int{step.Action == schema.Add: 0}[true] + map[bool]int{step.Action != schema.Add: 1}[true]; len(found) != want {
		t.Fatal(fmt.Sprintf("step %d on %s, %s %s %v: finds %d rows", step.ID, s.Router, step.Menu, step.Action, step.Match, len(found)))
	}
	if err := schema.Allowed(step.Menu, step.Action, slices.AppendSeq(step.After.Names(), maps.Keys(step.Secrets))); err != nil {
		t.Fatal(err)
	}
	menu, _ := schema.Lookup(step.Menu)
	switch step.Action {
	case schema.Add:
		row := step.After.Clone()
		row[schema.ID] = "*new" + strconv.Itoa(step.ID)
		if row["disabled"] == "" && step.Menu != profileMenu {
			row["disabled"] = "false"
		}
		if menu.Comment {
			row["comment"] = change.Mark(row["comment"], 42, step.ID)
		}
		at := len(rows)
		if step.Place == change.TopPlace {
			at = slices.IndexFunc(rows, func(r schema.Row) bool { return r["dynamic"] != "true" && r["default"] != "true" })
		}
		s.Menus[step.Menu] = slices.Insert(rows, at, row)
	case schema.Remove:
		s.Menus[step.Menu] = slices.Delete(rows, found[0], found[0]+1)
	case schema.Enable:
		rows[found[0]]["disabled"] = "false"
	case schema.Disable:
		rows[found[0]]["disabled"] = "true"
	case schema.Change:
		row := rows[found[0]]
		for name, was := range step.Before {
			if step.Phase != change.PhaseRevert && !menu.Same(name, printed(menu, row, name), was) {
				t.Fatal(fmt.Sprintf("step %d: %s is %q, before says %q", step.ID, name, row[name], was))
			}
			delete(row, name)
		}
		maps.Copy(row, step.After)
	}
}

// printed is what an attribute of a row means when RouterOS leaves it out.
func printed(menu schema.Menu, row schema.Row, name string) string {
	if v, ok := row[name]; ok {
		return v
	}
	a, _ := menu.Attr(name)
	return a.Default
}

// performAll writes a plan's steps of some phases.
func performAll(t failer, in vpn.TunnelChange, plan change.Plan, phases ...string) {
	t.Helper()
	for i, step := range plan.Steps {
		if step.ID != i+1 {
			t.Fatal(fmt.Sprintf("step %d stands at %d", step.ID, i+1))
		}
		if slices.Contains(phases, step.Phase) {
			perform(t, in.Snapshots[endOf(in, step.Router)], step)
		}
	}
}

// undoAll takes the steps of stage and cut over back, in reverse.
func undoAll(t failer, in vpn.TunnelChange, plan change.Plan) {
	t.Helper()
	for _, step := range slices.Backward(plan.Steps) {
		if step.Phase == change.PhaseCommit {
			continue
		}
		undo, ok := step.Undo()
		if !ok {
			t.Fatal(fmt.Sprintf("step %d cannot be taken back", step.ID))
		}
		perform(t, in.Snapshots[endOf(in, step.Router)], undo)
	}
}

func endOf(in vpn.TunnelChange, router string) int {
	return slices.IndexFunc(in.Tunnel.Ends[:], func(e vpn.End) bool { return e.Router == router })
}

// copied returns in with snapshots of its own.
func copied(in vpn.TunnelChange) vpn.TunnelChange {
	for i, s := range in.Snapshots {
		menus := map[string][]schema.Row{}
		for path, rows := range s.Menus {
			for _, r := range rows {
				menus[path] = append(menus[path], r.Clone())
			}
			if rows != nil && menus[path] == nil {
				menus[path] = []schema.Row{}
			}
		}
		in.Snapshots[i].Menus = menus
	}
	return in
}

// told joins the IDs of texts.
func told(texts []change.Text) string {
	var ids []string
	for _, t := range texts {
		ids = append(ids, t.ID)
	}
	return strings.Join(ids, " ")
}

func planned(t *testing.T, plan func(vpn.TunnelChange) (change.Plan, error), in vpn.TunnelChange) change.Plan {
	t.Helper()
	p, err := plan(in)
	if err != nil {
		t.Fatal(explain(err))
	}
	return p
}

// explain says what a refusal is about.
func explain(err error) string {
	if r, ok := err.(*vpn.Refusal); ok { //nolint:errorlint // planners return it bare
		return fmt.Sprintf("%s %v", r.Text.ID, r.Text.Args)
	}
	return err.Error()
}
