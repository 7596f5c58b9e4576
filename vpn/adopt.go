package vpn

import (
	"net/netip"
	"slices"
	"strings"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// held is what one router holds of a tunnel, found by what rows are and not by
// their names or comments, and the steps that change it.
type held struct {
	End
	tunnel        string // its name
	far           End
	site, farSite Site
	want          ExpectedEnd
	estate        Estate
	pools         []string // of the dial-in server here
	servers       []DialIn // the dial-in servers here
	snap          change.Snapshot
	page          *page
	local, remote netip.Addr   // between which phase 1 runs, as this router sees it
	was           *ExpectedEnd // where an end moves to another WAN: what holds until then
	wasLocal      netip.Addr
	wasRemote     netip.Addr

	peer     schema.Row   // nil: none
	identity schema.Row   // nil: none
	policies []schema.Row // for each wanted pair, nil: none
	extra    []schema.Row // policies of the peer that the definition does not want
	left     []schema.Row // peers to the other end that are off and carry nothing
	sharers  []schema.Row // identities of others at a peer that takes any address
	joins    bool         // that peer is not the tunnel's alone: it stays as it is
	bypasses []bypass     // for each wanted pair
	dropped  []Selectors  // that the definition wanted before and does not any more
	going    []schema.Row // rules for addresses that nobody needs then
	next     string       // the peer that carries the tunnel afterwards; empty: the new one

	steps []change.Step
	notes []change.Text // for the reader, in the order of finding
}

func newHeld(in TunnelChange, want Expected, i int) (*held, error) {
	e := &held{
		End: in.Tunnel.Ends[i], tunnel: in.Tunnel.Name, far: in.Tunnel.Ends[1-i], want: want.Ends[i], estate: in.Estate, snap: in.Snapshots[i],
		page: decode(Half{Snapshot: in.Snapshots[i]}),
	}
	e.site, _ = in.Estate.Site(e.Site)
	e.farSite, _ = in.Estate.Site(e.far.Site)
	for _, d := range in.DialIns {
		if SameName(d.Router, e.Router) {
			e.pools, e.servers = append(e.pools, d.Pool), append(e.servers, d)
		}
	}
	if in.was != nil {
		was := in.was.Expect(in.Estate).Ends[i]
		e.dropped = without(was.Policies, e.want.Policies)
		if in.moves() {
			e.was = &was
		}
	}
	return e, e.checkRouter()
}

// adopt finds the tunnel's rows. It refuses where it cannot tell which they are,
// and where a row serves something else as well.
func (e *held) adopt(others []Tunnel) error {
	if err := e.findPolicies(); err != nil {
		return err
	}
	if err := e.findPeer(others); err != nil {
		return err
	}
	if err := e.findIdentity(); err != nil {
		return err
	}
	e.spare()
	e.findBypasses()
	return nil
}

// static tells whether a policy was made by somebody and is no template.
func static(row schema.Row) bool {
	return !isTrue(row, menuPolicy, "dynamic") && !isTrue(row, menuPolicy, "template")
}

// everything tells whether a policy is about all traffic between its networks.
func everything(row schema.Row) bool {
	return defaulted(menuPolicy, row, "protocol") == "all" && defaulted(menuPolicy, row, "src-port") == "any" &&
		defaulted(menuPolicy, row, "dst-port") == "any"
}

// unclear tells whether a row is not understood in what plans rest on; its state
// is none of that.
func (p *policyRow) unclear() bool { return p.odd != "" && p.odd != "ph2-state" }

// findPolicies finds the row for each pair of networks that the definition joins.
func (e *held) findPolicies() error {
	e.policies = make([]schema.Row, len(e.want.Policies))
	for i := range e.page.policies {
		p, row := &e.page.policies[i], e.snap.Menus[menuPolicy][i]
		n := slices.Index(e.want.Policies, p.Selectors)
		if p.unclear() && (n >= 0 || !p.Source.IsValid() || !p.Destination.IsValid()) {
			return e.unreadable(p.origin)
		}
		if n < 0 || isTrue(row, menuPolicy, "template") || !everything(row) {
			continue
		}
		if err := e.takePolicy(n, p, row); err != nil {
			return err
		}
	}
	return nil
}

func (e *held) takePolicy(n int, p *policyRow, row schema.Row) error {
	facts := []any{"router", e.Router, "source", p.Source.String(), "destination", p.Destination.String()}
	action := defaulted(menuPolicy, row, "action")
	switch {
	case p.Dynamic && e.shares():
		return nil // made for a call, as it should be
	case p.Dynamic:
		return refuse("tunnel_policy_generated", facts...)
	case action != "encrypt":
		return refuse("tunnel_policy_action", append(facts, "action", action)...)
	case strings.Contains(row["peer"], ","):
		return refuse("tunnel_policy_peers", append(facts, "peers", ReadableBytes(row["peer"]))...)
	case e.policies[n] != nil:
		return refuse("tunnel_policy_twice", facts...)
	}
	if _, ok := e.identify(menuPolicy, row, "src-address", "dst-address"); !ok && !e.shares() {
		return refuse("tunnel_policy_twice", facts...)
	}
	e.policies[n] = row
	return nil
}

// locate finds the addresses between which phase 1 runs: the configured ones,
// else what the routers say themselves.
func (e *held) locate(other *held) {
	e.local, e.remote = e.addressesOf(e.want, other, other.want)
	if e.was != nil {
		e.wasLocal, e.wasRemote = e.addressesOf(*e.was, other, *other.was)
	}
}

// addressesOf returns the addresses between which phase 1 runs by what is expected of
// this end and of the other.
func (e *held) addressesOf(want ExpectedEnd, other *held, far ExpectedEnd) (local, remote netip.Addr) {
	if local = want.Local; !local.IsValid() {
		local = e.address(want.Interface)
	}
	if remote = want.Remote; remote.IsValid() {
		return local, remote
	}
	if want.RemoteAny {
		if remote = e.called(); remote.IsValid() {
			return local, remote
		}
	}
	for i := range e.page.peers {
		if p := &e.page.peers[i]; !p.Dynamic && p.Address == want.RemoteName && p.current.IsValid() {
			return local, p.current
		}
	}
	if w, ok := wanOf(e.estate, End{Site: far.Site, WAN: far.Interface}); ok && w.NAT == NoNAT {
		remote = other.address(far.Interface)
	}
	return local, remote
}

// address is what this router has on a WAN.
func (e *held) address(wan string) netip.Addr {
	for _, a := range e.page.addresses {
		if slices.Contains(a.interfaces[:], wan) && a.ip.Is4() {
			return a.ip
		}
	}
	return netip.Addr{}
}
