package vpn

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// AddMenus returns the menus that the snapshots for PlanAddTunnel hold.
func AddMenus() []string { return append(TunnelMenus(), menuFilter, menuMember) }

// NewTunnel returns the definition of a tunnel that intent asks for: between its
// two sites, with the settings that it names and good values for all others. It
// returns a *Refusal when a site leaves open which router or WAN is meant.
func NewTunnel(e Estate, intent change.Intent) (Tunnel, error) {
	t := Tunnel{Name: intent.Tunnel, Ends: [2]End{{Site: intent.Site}, {Site: intent.Far}}, Profile: Profile{NATTraversal: true}}
	if SameName(intent.Site, intent.Far) {
		return t, refuse("add_one_site", "site", intent.Site)
	}
	if _, taken := e.Site(t.Name); taken {
		return t, refuse("add_name", "name", t.Name)
	}
	t, err := t.With(intent.Settings, true)
	if err != nil {
		return t, err
	}
	t = t.WithDefaults(e)
	t.Proposal = t.Proposal.settled()
	for _, end := range t.Ends {
		site, _ := e.Site(end.Site)
		var wans []string
		for _, w := range site.WANs {
			wans = append(wans, w.Interface)
		}
		switch {
		case end.Router == "" && len(site.Routers) == 0:
			return t, refuse("tunnel_foreign", "tunnel", t.Name, "site", end.Site)
		case end.Router == "":
			return t, refuse("add_which", "site", end.Site, "key", end.Site+".router", "values", strings.Join(site.Routers, ", "))
		case end.WAN == "" && len(wans) == 0:
			return t, refuse("add_no_wan", "site", end.Site)
		case end.WAN == "":
			return t, refuse("add_which", "site", end.Site, "key", end.Site+".wan", "values", strings.Join(wans, ", "))
		}
	}
	return t, nil
}

// PlanAddTunnel computes the plan that makes a tunnel of in.Tunnel on two routers
// that have none between them: rows of its own at both ends, staged without effect,
// guarded and proven as those of PlanRedo are. The definition's first version holds
// from the moment at which that is committed; a change that is put back leaves
// nothing. It returns a *Refusal when rows or definitions are there already, and
// when the tunnel could not work or would take packets of something else.
func PlanAddTunnel(in TunnelChange) (change.Plan, error) {
	if slices.ContainsFunc(in.Others, func(o Tunnel) bool { return SameName(o.Name, in.Tunnel.Name) }) {
		return change.Plan{}, refuse("add_exists", "tunnel", in.Tunnel.Name)
	}
	for _, o := range in.Others {
		if err := in.apart(o); err != nil {
			return change.Plan{}, err
		}
	}
	if err := in.checkAdd(); err != nil {
		return change.Plan{}, err
	}
	t, err := in.open(true)
	if err != nil {
		return change.Plan{}, err
	}
	t.kind = addition
	for _, e := range t.ends {
		if err := e.vacant(t.Others); err != nil {
			return change.Plan{}, err
		}
	}
	t.findProbes()
	for _, e := range t.ends {
		if err := e.checkShared(t); err != nil {
			return change.Plan{}, err
		}
		e.findBypasses()
		e.redo(t)
		e.openInput()
		e.lookForward()
	}
	plan, err := t.finish()
	if err != nil {
		return change.Plan{}, err
	}
	plan.Defines, err = t.Tunnel.Encode()
	return plan, err
}

// apart refuses networks that another tunnel joins already.
func (in TunnelChange) apart(o Tunnel) error {
	for i, mine := range in.Tunnel.Ends {
		for j, theirs := range o.Ends {
			if n, ok := in.Tunnel.sameSelectors(i, o, j); ok && SameName(mine.Router, theirs.Router) {
				return refuse("add_joined", "tunnel", o.Name, "network", mine.Prefixes[n].String(), "router", mine.Router)
			}
		}
	}
	return nil
}

// vacant refuses a router on which something of the tunnel is there already, or
// something else that has to do with the other end's networks.
func (e *held) vacant(others []Tunnel) error {
	e.policies = make([]schema.Row, len(e.want.Policies))
	if e.shares() {
		if err := e.joinShared(); err != nil {
			return err
		}
	}
	for i := range e.page.peers {
		p := &e.page.peers[i]
		if e.shares() || p.Dynamic || !e.leads(p) || e.elsewhere(p, others) || e.next != "" && p.Disabled {
			continue // what was off beside the old rows may stand beside them again
		}
		return refuse("add_rows", "router", e.Router, "menu", menuPeer, "row", p.Name)
	}
	for i, row := range e.snap.Menus[menuPolicy] {
		p := &e.page.policies[i]
		switch {
		case isTrue(row, menuPolicy, "template"):
			continue
		case slices.Contains(e.want.Policies, p.Selectors):
			return refuse("add_rows", "router", e.Router, "menu", menuPolicy, "row", p.Source.String()+" → "+p.Destination.String())
		case p.unclear() && (!p.Source.IsValid() || !p.Destination.IsValid()):
			return e.unreadable(p.origin)
		case !p.Disabled && slices.ContainsFunc(e.want.Policies, func(s Selectors) bool {
			return s.Source.Overlaps(p.Source) && s.Destination.Overlaps(p.Destination)
		}):
			return refuse("add_overlap", "router", e.Router, "source", p.Source.String(), "destination", p.Destination.String(),
				"peer", ReadableBytes(row["peer"]))
		}
	}
	return e.reachable(e.far.Prefixes)
}

// reachable refuses networks of the other end that this router has itself, or gives
// away.
func (e *held) reachable(networks []netip.Prefix) error {
	for _, far := range networks {
		for _, a := range e.page.addresses {
			if far.Contains(a.ip) {
				return refuse("add_connected", "router", e.Router, "address", a.ip.String(), "network", far.String(), "site", e.far.Site)
			}
		}
		theirs := span{far.Masked().Addr(), lastOf(far)}
		for _, pool := range e.snap.Menus[menuPool] {
			if slices.ContainsFunc(spans(pool["ranges"]), theirs.overlaps) {
				return refuse("add_pool", "router", e.Router, "pool", ReadableBytes(pool["name"]), "ranges", pool["ranges"],
					"network", far.String(), "site", e.far.Site)
			}
		}
	}
	return nil
}

// findProbes gives each network that names nobody to ping the address that its own
// router has in it, where the router answers.
func (t *works) findProbes() {
	for i, e := range t.ends {
		probes := slices.Clone(e.Probes)
		for _, p := range e.Prefixes {
			if slices.ContainsFunc(probes, p.Contains) {
				continue
			}
			if own, ok := e.own(p); ok && e.answers(own) {
				probes = append(probes, own)
			}
		}
		t.Tunnel.Ends[i].Probes, e.Probes, t.ends[1-i].far.Probes = probes, probes, probes
	}
}

// answers tells whether the router's rules let pings from the other end's networks
// through to one of its own addresses.
func (e *held) answers(own netip.Addr) bool {
	rules := e.rules()
	return !slices.ContainsFunc(e.far.Prefixes, func(p netip.Prefix) bool {
		return rules.fate(packet{
			chain: "input", protocol: "icmp", in: e.WAN, ipsec: true,
			from: []span{{p.Masked().Addr(), lastOf(p)}}, to: []span{{own, own}},
		}) != accepted
	})
}

// rules are the filter rules of this router.
func (e *held) rules() *setup { return &setup{SetupDialIn: SetupDialIn{Snapshot: e.snap}} }

// openInput stages rules on top for the packets of the tunnel that the router's
// rules do not certainly let in.
func (e *held) openInput() {
	far := schema.Row{}
	var from []span
	if e.want.Remote.IsValid() {
		far["src-address"], from = e.want.Remote.String(), []span{{e.want.Remote, e.want.Remote}}
	}
	rules := e.rules()
	let := func(row schema.Row, why change.Text, packets ...packet) {
		in := !slices.ContainsFunc(packets, func(p packet) bool {
			p.chain, p.in, p.from = "input", e.WAN, from
			return rules.fate(p) != accepted
		})
		if in {
			return
		}
		row["chain"], row["action"] = "input", "accept"
		maps.Copy(row, far)
		match := row.Clone()
		row["comment"] = e.tunnel
		if len(e.rows(menuFilter, match)) > 0 { // it is there and does not do it
			match["comment"] = row["comment"]
		}
		s := e.stage(menuFilter, row, why)
		s.Match, s.Place = match, change.TopPlace
	}
	let(schema.Row{"protocol": "udp", "dst-port": "500,4500"}, change.T("plan.step.input_ike", "site", e.far.Site),
		packet{protocol: "udp", port: 500}, packet{protocol: "udp", port: 4500})
	let(schema.Row{"protocol": "ipsec-esp"}, change.T("plan.step.input_esp", "site", e.far.Site), packet{protocol: "ipsec-esp"})
}

// lookForward warns of rules that keep the tunnel's packets from the networks
// behind it. Who may reach whom is for people to say: no rule is planned.
func (e *held) lookForward() {
	rules := e.rules()
	for _, pair := range e.want.Policies {
		p := packet{
			chain: "forward", protocol: "tcp", port: 443, in: e.WAN, ipsec: true,
			from: []span{{pair.Destination.Masked().Addr(), lastOf(pair.Destination)}}, to: []span{{pair.Source.Masked().Addr(), lastOf(pair.Source)}},
		}
		if rules.fate(p) != accepted {
			e.note("plan.warn.forward", "router", e.Router, "source", pair.Destination.String(), "destination", pair.Source.String())
		}
	}
	if slices.ContainsFunc(e.snap.Menus[menuFilter], func(r schema.Row) bool {
		return r["chain"] == "forward" && r["action"] == "fasttrack-connection" && !isTrue(r, menuFilter, "disabled") && r["connection-mark"] == ""
	}) && !e.sparesIPsec() {
		e.note("plan.warn.fasttrack", "router", e.Router)
	}
	if len(e.site.WANs) > 1 {
		e.note("plan.warn.wans", "router", e.Router, "interface", e.WAN)
	}
	e.lookWAN()
}

// sparesIPsec tells whether rules keep the packets of SAs from being fast-tracked:
// both ways, above the rule that does it.
func (e *held) sparesIPsec() bool {
	spared := map[string]bool{}
	for _, r := range e.snap.Menus[menuFilter] {
		if r["chain"] != "forward" || isTrue(r, menuFilter, "disabled") {
			continue
		}
		if r["action"] == "fasttrack-connection" {
			break
		}
		if defaulted(menuFilter, r, "action") == "accept" && (r["ipsec-policy"] == "in,ipsec" || r["ipsec-policy"] == "out,ipsec") {
			spared[r["ipsec-policy"]] = true
		}
	}
	return spared["in,ipsec"] && spared["out,ipsec"]
}

// checkAdd checks what an addition looks at besides.
func (in TunnelChange) checkAdd() error {
	for _, snap := range in.Snapshots {
		for _, menu := range []string{menuFilter, menuMember} {
			if _, ok := snap.Menus[menu]; !ok {
				return fmt.Errorf("%w: %s of %s was not read", ErrSnapshot, menu, snap.Router)
			}
		}
	}
	return nil
}
