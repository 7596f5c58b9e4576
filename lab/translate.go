package lab

import (
	"crypto/rand"
	"net/netip"
	"slices"
	"strconv"

	"vpnbot/ros/schema"
)

// connection is one peer of a party, as its daemon is told of it.
type connection struct {
	name     string
	peer     schema.Row
	identity schema.Row // nil when the peer has none
	exchange string
	local    string // "%any" or the address that the peer is bound to
	remote   string
	ids      [2]string // own, and expected
	key      string
	owners   []string
	ike      []string
	groups   []string // RouterOS's names of those in ike
	lifetime string
	children []child
}

// child is one policy of a connection.
type child struct {
	name     string
	policy   schema.Row
	selector selector
	mode     string
	protocol string
	esp      []string
	lifetime string
}

// message is the connection for load-conn.
func (c connection) message() message {
	version, aggressive := "1", "no"
	switch c.exchange {
	case "ike2":
		version = "2"
	case "aggressive":
		aggressive = "yes"
	}
	var children message
	for _, k := range c.children {
		local, remote := k.selector.text()
		children = append(children, pair{k.name, message{
			{"mode", k.mode},
			{"local_ts", []string{local}},
			{"remote_ts", []string{remote}},
			{k.protocol + "_proposals", k.esp},
			{"start_action", "none"},
			{"rekey_time", "0"},
		}})
	}
	return message{{c.name, message{
		{"version", version},
		{"aggressive", aggressive},
		{"local_addrs", []string{c.local}},
		{"remote_addrs", []string{c.remote}},
		{"proposals", c.ike},
		{"keyingtries", "1"},
		{"mobike", "no"},
		{"rekey_time", "0"},
		{"unique", "never"},
		{"local", message{{"auth", "psk"}, {"id", c.ids[0]}}},
		{"remote", message{{"auth", "psk"}, {"id", c.ids[1]}}},
		{"children", children},
	}}}
}

// secret is the connection's key for load-shared.
func (c connection) secret() message {
	return message{{"id", c.name}, {"type", "IKE"}, {"data", c.key}, {"owners", c.owners}}
}

// connect translates a peer with its identity, profile and policies.
func connect(p schema.Party, peer schema.Row, name string) (connection, error) {
	c := connection{name: name, peer: peer, exchange: or(peer, "exchange-mode", "main"), local: "%any"}
	if !slices.Contains([]string{"main", "aggressive", "ike2"}, c.exchange) {
		return c, &unknown{menuPeer, peer[schema.ID], "exchange-mode", c.exchange}
	}
	if a := peer["local-address"]; a != "" && a != "0.0.0.0" && a != "::" {
		c.local = a
	}
	remote := address(p, peer)
	c.remote = remote.String()
	if remote.IsSingleIP() {
		c.remote = remote.Addr().String()
	} else if remote.Bits() == 0 {
		c.remote = "%any"
	}
	profile, ok := named(p, menuProfile, or(peer, "profile", "default"))
	if !ok {
		return c, &unknown{menuPeer, peer[schema.ID], "profile", peer["profile"]}
	}
	c.groups = words(or(profile, "dh-group", "modp2048,modp1024"))
	c.lifetime = or(profile, "lifetime", "1d")
	var err error
	if c.ike, err = phase1Proposals(profile, c.exchange); err != nil {
		return c, err
	}
	if err = c.identify(p, remote); err != nil {
		return c, err
	}
	for i, policy := range policies(p, peer) {
		k, err := newChild(p, policy, "p"+strconv.Itoa(i))
		if err != nil {
			return c, err
		}
		c.children = append(c.children, k)
	}
	return c, nil
}

// identify adds IDs and key. A peer with several identities is beyond the lab;
// Beyond says so.
func (c *connection) identify(p schema.Party, remote netip.Prefix) error {
	own, expected := p.Local.String(), "%any"
	if all := identities(p, c.peer); len(all) > 0 {
		c.identity = all[0]
	}
	if m := or(c.identity, "auth-method", "pre-shared-key"); m != "pre-shared-key" {
		return &unknown{menuIdentity, c.identity[schema.ID], "auth-method", m}
	}
	var err error
	if own, err = identityText(menuIdentity, c.identity, "my-id", own); err != nil {
		return err
	}
	if expected, err = identityText(menuIdentity, c.identity, "remote-id", expected); err != nil {
		return err
	}
	c.ids = [2]string{own, expected}
	c.owners = []string{own, expected}
	if remote.IsSingleIP() {
		c.owners = append(c.owners, remote.Addr().String())
	}
	if c.identity != nil {
		c.key = p.Keys[c.identity[schema.ID]]
		if c.key == "" {
			c.key = rand.Text() // nobody knows it
		}
	}
	return nil
}

// newChild translates one policy or template.
func newChild(p schema.Party, policy schema.Row, name string) (child, error) {
	k := child{name: name, policy: policy, mode: "transport", protocol: or(policy, "ipsec-protocols", "esp")}
	if on(policy, "tunnel") || on(policy, "template") {
		k.mode = "tunnel"
	}
	var ok bool
	if k.selector, ok = selectorOf(policy); !ok {
		return k, &unknown{menuPolicy, policy[schema.ID], "src-address", policy["src-address"]}
	}
	if k.protocol != "esp" && k.protocol != "ah" {
		return k, &unknown{menuPolicy, policy[schema.ID], "ipsec-protocols", k.protocol}
	}
	proposal, ok := named(p, menuProposal, or(policy, "proposal", "default"))
	if !ok {
		return k, &unknown{menuPolicy, policy[schema.ID], "proposal", policy["proposal"]}
	}
	k.lifetime = or(proposal, "lifetime", "30m")
	var err error
	k.esp, err = phase2Proposals(proposal, k.protocol)
	return k, err
}

// setup is an attempt as the two daemons are told of it.
type setup struct {
	schema.Attempt
	initiator connection
	responder []connection
	target    netip.Addr // where the first packet goes
}

// prepare translates an attempt. A fault beside the setup means that the
// initiator sends nothing, which is judged without daemons.
func prepare(a schema.Attempt) (setup, *schema.Fault, error) {
	s := setup{Attempt: a}
	if a.Initiator.Client != nil {
		return s, nil, &unknown{"", "", "client", a.Initiator.Client.System}
	}
	rows := a.Initiator.Rows[menuPeer]
	i := slices.IndexFunc(rows, func(r schema.Row) bool { return r[schema.ID] == a.Peer })
	if i < 0 {
		return s, nil, &unknown{menuPeer, a.Peer, schema.ID, "no such row"}
	}
	peer := rows[i]
	if f := silent(a.Initiator, peer); f != nil {
		return s, f, nil
	}
	s.bind(peer)
	var err error
	if s.initiator, err = connect(s.Initiator, peer, "out"); err != nil {
		return s, nil, err
	}
	s.target = address(s.Initiator, peer).Addr()
	s.responder, err = answerers(s.Attempt, s.initiator)
	return s, nil, err
}

// rename calls every connection and child by its row, so that a daemon that keeps
// SAs knows them from one attempt to the next, whichever end asks.
func (s *setup) rename() {
	rename := func(c *connection) {
		c.name = "peer" + c.peer[schema.ID]
		for i, k := range c.children {
			c.children[i].name = "policy" + k.policy[schema.ID]
		}
	}
	rename(&s.initiator)
	for i := range s.responder {
		rename(&s.responder[i])
	}
}

// bind sets the addresses that an attempt leaves out, and the one that packets
// come from when the peer names one that the router has.
func (s *setup) bind(peer schema.Row) {
	for _, p := range []*schema.Party{&s.Initiator, &s.Responder} {
		if !p.Local.IsValid() {
			p.Local = p.Seen
		}
		if !p.Seen.IsValid() {
			p.Seen = p.Local
		}
	}
	p := &s.Initiator
	local, err := netip.ParseAddr(peer["local-address"])
	if err != nil || local.IsUnspecified() || local == p.Local {
		return
	}
	if rows, ok := p.Rows[menuAddress]; ok && !slices.ContainsFunc(rows, func(r schema.Row) bool {
		own, err := netip.ParsePrefix(r["address"])
		return err == nil && own.Addr() == local && !on(r, "disabled")
	}) {
		return // it cannot be sent from, as the daemon will find
	}
	if p.Seen == p.Local {
		p.Seen = local
	}
	p.Local = local
}

// silent is why a peer never sends a first packet.
func silent(p schema.Party, peer schema.Row) *schema.Fault {
	fault := func(code, attr string) *schema.Fault {
		return &schema.Fault{
			Stage: schema.StageReach, Code: code, Attr: attr, Initiator: peer[attr],
			InitiatorRow: schema.RowRef{Menu: menuPeer, ID: peer[schema.ID]},
		}
	}
	remote := address(p, peer)
	switch {
	case on(peer, "disabled"):
		return fault(schema.FaultDisabled, "disabled")
	case on(peer, "passive") || on(peer, "responder"):
		return fault(schema.FaultPassive, "passive")
	case !remote.IsValid():
		return fault(schema.FaultUnresolved, "address")
	case !remote.IsSingleIP():
		return fault(schema.FaultPassive, "address")
	case len(identities(p, peer)) == 0:
		return fault(schema.FaultNoIdentity, "identity")
	}
	return nil
}

// answerers translates the responder's peers: each that does not fit the packet,
// for the daemon to see that, and of those that do one for each exchange mode,
// the most specific: that choice is RouterOS's own and no daemon's.
func answerers(a schema.Attempt, from connection) ([]connection, error) {
	var all []connection
	best := map[string]int{}
	for i, peer := range enabled(a.Responder, menuPeer) {
		prefix := address(a.Responder, peer)
		if !prefix.IsValid() {
			continue // a name without an address answers nobody
		}
		c, err := connect(a.Responder, peer, "in"+strconv.Itoa(i))
		if err != nil {
			if fits(a, peer) {
				return nil, err
			}
			continue
		}
		if (c.exchange == "ike2") != (from.exchange == "ike2") || !fits(a, peer) {
			c.key = "" // or the daemon would try it for others
			all = append(all, c)
			continue
		}
		c.answer(a.Responder, from)
		j, ok := best[c.exchange]
		switch {
		case !ok:
			best[c.exchange] = len(all)
			all = append(all, c)
		case prefix.Bits() > address(a.Responder, all[j].peer).Bits():
			all[j] = c
		}
	}
	return oneVersion(a, all, from), nil
}

// fits tells whether a peer of the responder is for the attempt's first packet,
// its exchange mode left out.
func fits(a schema.Attempt, peer schema.Row) bool {
	local := parsePrefix(or(peer, "local-address", "0.0.0.0/0"))
	if local.Bits() == 0 || local.Addr().IsUnspecified() {
		local = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	return address(a.Responder, peer).Contains(a.Initiator.Seen) && local.Contains(a.Responder.Local)
}

// oneVersion settles main against aggressive. The daemon looks at that only
// after algorithms and keys, RouterOS before them: so when one of the two is
// asked for and the other is there, the peers that fit are cut down to the one
// asked for, or the other is made to agree with everything but the mode.
func oneVersion(a schema.Attempt, all []connection, from connection) []connection {
	if from.exchange == "ike2" {
		return all
	}
	has := slices.ContainsFunc(all, func(c connection) bool { return c.exchange == from.exchange && fits(a, c.peer) })
	return slices.DeleteFunc(all, func(c connection) bool {
		return has && c.exchange != from.exchange && c.exchange != "ike2" && fits(a, c.peer)
	})
}

// answer prepares a responder's connection for what from asks: policies that
// overlap what is asked without mirroring it are left out, because the daemon
// would narrow to them, and templates that cover it are taken up.
func (c *connection) answer(p schema.Party, from connection) {
	asked := make([]selector, 0, len(from.children))
	for _, k := range from.children {
		asked = append(asked, k.selector.mirror())
	}
	c.children = slices.DeleteFunc(c.children, func(k child) bool {
		return !slices.Contains(asked, k.selector) && slices.ContainsFunc(asked, k.selector.overlaps)
	})
	for i, t := range templates(p, c.identity) {
		k, err := newChild(p, t, "t"+strconv.Itoa(i))
		if err == nil && slices.ContainsFunc(asked, k.selector.covers) {
			c.children = append(c.children, k)
		}
	}
	if from.exchange != c.exchange && from.exchange != "ike2" && c.exchange != "ike2" {
		c.ike, c.key, c.ids[1] = from.ike, from.key, "%any"
	}
}
