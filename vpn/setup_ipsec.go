package vpn

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/ros/schema"
)

// l2tpPeer is the name of the dynamic peer that an L2TP server with IPsec makes.
const l2tpPeer = "l2tp-in-server"

// algorithms plans the default profile and the default proposal, which the L2TP
// server uses whatever they are called. They get the strongest that an untouched
// Windows takes. What others negotiate with them stays besides; a value of which
// there is only one is left to people where others rely on it.
func (s *setup) algorithms() error {
	groups, ciphers, esp := []string{"ecp384", "modp2048"}, []string{"aes-256", "aes-128"}, []string{"aes-256-cbc", "aes-128-cbc"}
	if s.DialIn.Setup.Legacy {
		groups, ciphers, esp = append(groups, "modp1024"), append(ciphers, "3des"), append(esp, "3des")
		s.warn("dialin_legacy")
	}
	err := s.alter(menuProfile1, s.onDefaultProfile(), map[string][]string{"enc-algorithm": ciphers, "dh-group": groups},
		schema.Row{"hash-algorithm": "sha1", "nat-traversal": "true"}, change.T("plan.dialin.step.phase1"))
	if err != nil {
		return err
	}
	return s.alter(menuProposal, s.onDefaultProposal(), map[string][]string{"enc-algorithms": esp, "auth-algorithms": {"sha1"}},
		schema.Row{"pfs-group": "none"}, change.T("plan.dialin.step.phase2"))
}

// alter plans the values of the row that belongs to RouterOS itself. sets are
// lists that others may need more of; ones have a single value.
func (s *setup) alter(menu string, users []string, sets map[string][]string, ones schema.Row, why change.Text) error {
	match := schema.Row{"default": "true"}
	row := s.row(menu, match)
	if row == nil {
		return refuse("dialin_no_default", "router", s.DialIn.Router, "menu", menu)
	}
	if isTrue(row, menu, "disabled") {
		return refuse("dialin_default_off", "router", s.DialIn.Router, "row", ReadableBytes(row["name"]))
	}
	want := ones.Clone()
	table, _ := schema.Lookup(menu)
	for name, values := range sets {
		if len(users) > 0 {
			values = append(slices.Clone(values), strings.Split(defaulted(menu, row, name), ",")...)
		}
		slices.Sort(values)
		want[name] = strings.Join(slices.Compact(values), ",")
	}
	if len(users) > 0 {
		for name, value := range ones {
			if have := defaulted(menu, row, name); !table.Same(name, have, value) {
				return refuse("dialin_shared", "router", s.DialIn.Router, "row", ReadableBytes(row["name"]), "attribute", name,
					"have", have, "want", value, "users", strings.Join(users, ", "))
			}
		}
	}
	if s.set(menu, match, row, want, why) {
		for _, user := range users {
			s.affects("shared", "row", ReadableBytes(row["name"]), "user", user)
		}
	}
	return nil
}

// onDefaultProfile names what else negotiates with the default profile: static
// peers that name it or none, and interfaces that bring IPsec of their own.
func (s *setup) onDefaultProfile() []string {
	own := s.row(menuProfile1, schema.Row{"default": "true"})
	var users []string
	for _, peer := range s.Snapshot.Menus[menuPeer] {
		name := peer["profile"]
		if static(peer) && !isTrue(peer, menuPeer, "disabled") && (name == "" || own != nil && name == own["name"]) {
			users = append(users, ReadableBytes(peer["name"]))
		}
	}
	return append(users, s.withSecret()...)
}

// onDefaultProposal names what else negotiates with the default proposal.
func (s *setup) onDefaultProposal() []string {
	own := s.row(menuProposal, schema.Row{"default": "true"})
	var users []string
	for _, p := range s.Snapshot.Menus[menuPolicy] {
		name := p["proposal"]
		if static(p) && !isTrue(p, menuPolicy, "template") && !isTrue(p, menuPolicy, "disabled") &&
			defaulted(menuPolicy, p, "action") == "encrypt" && (name == "" || own != nil && name == own["name"]) {
			users = append(users, p["src-address"]+" → "+p["dst-address"])
		}
	}
	return append(users, s.withSecret()...)
}

// withSecret names the interfaces that may bring IPsec of their own. Whether a tunnel
// does, only its secret tells, and secrets are not read: each counts.
func (s *setup) withSecret() []string {
	var users []string
	for _, row := range s.Snapshot.Menus[menuCalls] {
		if !isTrue(row, menuCalls, "disabled") && isTrue(row, menuCalls, "use-ipsec") {
			users = append(users, ReadableBytes(row["name"]))
		}
	}
	for _, menu := range []string{menuGRE, menuIPIP, menuEoIP} {
		for _, row := range s.Snapshot.Menus[menu] {
			if !isTrue(row, menu, "disabled") && row["remote-address"] != "" {
				users = append(users, ReadableBytes(row["name"]))
			}
		}
	}
	return users
}

// template plans the policy by which phase 2 of a client comes to be: the
// template of group default, on, with the default proposal.
func (s *setup) template() error {
	proposal := s.row(menuProposal, schema.Row{"default": "true"})
	for _, row := range s.Snapshot.Menus[menuPolicy] {
		group := row["group"]
		if !isTrue(row, menuPolicy, "template") || group != "" && group != "default" || row["src-address"] != "::/0" && row["src-address"] != "0.0.0.0/0" {
			continue
		}
		match := schema.Row{"template": "true", "src-address": row["src-address"], "dst-address": row["dst-address"]}
		if name := row["proposal"]; name != "" && name != proposal["name"] {
			return refuse("dialin_template", "router", s.DialIn.Router, "proposal", ReadableBytes(name))
		}
		if isTrue(row, menuPolicy, "disabled") {
			s.steps = append(s.steps, change.Step{
				Menu: menuPolicy, Action: schema.Enable, Class: change.InPlace, Match: match, Why: change.T("plan.dialin.step.template"),
			})
		}
		return nil
	}
	return refuse("dialin_no_template", "router", s.DialIn.Router)
}

// overshadowed refuses a server beside a static peer for every address in main mode:
// of the two only one is ever reached, and who uses the other gets in no more. Where
// both stand already, people are told.
func (s *setup) overshadowed() error {
	for _, peer := range s.Snapshot.Menus[menuPeer] {
		address, mode := defaulted(menuPeer, peer, "address"), defaulted(menuPeer, peer, "exchange-mode")
		if !static(peer) || isTrue(peer, menuPeer, "disabled") || !slices.Contains([]string{"", "0.0.0.0/0", "::/0"}, address) || mode != "" && mode != "main" && mode != "main-l2tp" {
			continue
		}
		if local, err := netip.ParseAddr(peer["local-address"]); err == nil && !slices.Contains(s.comeTo(), local) {
			continue // on an address that no client comes to
		}
		if NeedsKey(s.Snapshot) {
			return refuse("dialin_any_peer", "router", s.DialIn.Router, "peer", ReadableBytes(peer["name"]))
		}
		s.warn("dialin_any_peer", "router", s.DialIn.Router, "peer", ReadableBytes(peer["name"]))
	}
	return nil
}

// comeTo are the router's addresses on its WANs.
func (s *setup) comeTo() []netip.Addr {
	var all []netip.Addr
	for _, wan := range s.wans() {
		all = append(all, s.ownAddresses(wan)...)
	}
	return all
}

// rekeyServer lets a step on the server bring the new key.
func (s *setup) rekeyServer(step *change.Step) {
	step.Class = change.OneWay
	step.Secrets, step.Marks = map[string]secret.Ref{"ipsec-secret": s.PSK}, map[string]string{"ipsec-secret": s.Mark}
}

// foresee asks the model whether an untouched Windows computer gets in when
// everything is done, from an address that no peer names.
func (s *setup) foresee() error {
	menus := imagine(s.Snapshot, s.steps)
	s.serverRows(menus)
	keys := map[string]string{}
	for _, row := range menus[menuIdentity] {
		if row["peer"] == l2tpPeer {
			keys[row[schema.ID]] = "the server's"
		}
	}
	local := s.public()
	outcome, err := s.Model.Negotiate(context.Background(), schema.Attempt{
		Initiator: schema.Party{
			Name: "Windows", Local: outside(), Seen: outside(), Client: &schema.Client{System: "windows", Key: "the server's"},
		},
		Responder: schema.Party{Name: s.DialIn.Router, Rows: menus, Keys: keys, Local: local, Seen: local},
	})
	switch {
	case err != nil:
		return err
	case outcome.Verdict == schema.Agree:
		s.warn("dialin_prediction")
		return nil
	}
	faults := outcome.Faults
	if outcome.Verdict == schema.CannotTell && len(outcome.Unknown) > 0 {
		faults = outcome.Unknown
	}
	if len(faults) == 0 {
		return refuse("dialin_unclear", "router", s.DialIn.Router)
	}
	f := faults[0]
	return refuse("dialin_disagree", "router", s.DialIn.Router, "attribute", f.Attr, "why", change.T("plan.fault."+f.Code),
		"says", f.Initiator, "answers", ReadableBytes(f.Responder))
}

// serverRows adds the dynamic rows that the server makes when it is switched on.
func (s *setup) serverRows(menus map[string][]schema.Row) {
	profile := s.row(menuProfile1, schema.Row{"default": "true"})
	if !slices.ContainsFunc(menus[menuPeer], func(r schema.Row) bool { return r["name"] == l2tpPeer }) {
		menus[menuPeer] = append(menus[menuPeer], schema.Row{
			schema.ID: "planned-peer", "name": l2tpPeer, "address": "0.0.0.0/0", "passive": "true", "profile": profile["name"],
			"exchange-mode": "main", "send-initial-contact": "true", "disabled": "false", "dynamic": "true",
		})
	}
	if !slices.ContainsFunc(menus[menuIdentity], func(r schema.Row) bool { return r["peer"] == l2tpPeer }) {
		menus[menuIdentity] = append(menus[menuIdentity], schema.Row{
			schema.ID: "planned-identity", "peer": l2tpPeer, "auth-method": "pre-shared-key", "remote-id": "ignore",
			"generate-policy": "port-strict", "disabled": "false", "dynamic": "true",
		})
	}
}

// public is an address at which clients reach the router. That of a line that is down,
// or of a site that names no WAN, is not known: then it is one of the router's that is not
// of the LAN, or nobody's.
func (s *setup) public() netip.Addr {
	at, named := s.clientsCome()
	for _, w := range s.Site.WANs {
		if named && w.Interface != at {
			continue
		}
		if w.Address.IsValid() {
			return w.Address
		}
		if own := s.ownAddresses(w.Interface); len(own) > 0 {
			return own[0]
		}
	}
	for _, row := range s.Snapshot.Menus[menuAddress] {
		if p, err := netip.ParsePrefix(row["address"]); err == nil && !isTrue(row, menuAddress, "disabled") && !s.Site.Contains(p.Addr()) {
			return p.Addr()
		}
	}
	return outside().Next()
}

// outside is an address that is nobody's: of the range for benchmarks (RFC 2544).
func outside() netip.Addr { return netip.AddrFrom4([4]byte{198, 18, 0, 1}) }
