package rossim

import (
	"fmt"
	"net/netip"

	"vpnbot/ros/schema"
)

// internet returns what the router is attached to, or nil.
func (r *Router) internet() *Internet {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.net
}

// caller is a computer that dials in, in its place.
type caller struct {
	local, seen netip.Addr
	via         int // the router whose public address it has; -1 for none
}

// connect plays a dial-in over the Internet: IPsec as the negotiator judges it,
// then L2TP and PPP as without.
func (in *Internet) connect(r *Router, d DialIn) (addr netip.Addr, err error) {
	err = errClosed()
	in.with(func() { addr, err = in.dial(r, d) })
	return addr, err
}

func (in *Internet) dial(r *Router, d DialIn) (netip.Addr, error) {
	c, to, err := in.place(r, &d)
	if err != nil {
		return netip.Addr{}, err
	}
	if d.PSK == "" {
		return r.dial(d)
	}
	system := d.System
	if system == "" {
		system = "windows"
	}
	o := &opening{from: -1, to: in.nodeOf(r), out: door{inside: c.local, public: c.seen}, in: to, cookie: in.newCookie(), exchange: "main", via: c.via}
	o.attempt = schema.Attempt{
		Initiator: schema.Party{Name: d.Account, Local: c.local, Seen: c.seen, Client: &schema.Client{System: system, Key: d.PSK}},
		Responder: in.party(o.to, to),
	}
	if !in.judge(o) {
		return netip.Addr{}, fmt.Errorf("%w: the negotiator cannot tell", ErrIPsec)
	}
	if o.outcome.Phase1 == nil {
		in.tellFaults(o)
		return netip.Addr{}, in.refusal(r)
	}
	in.establish(o)
	k := in.ikes[len(in.ikes)-1]
	if len(k.kids) == 0 {
		in.dropEnd(k, 1, "deleted")
		return netip.Addr{}, ErrIPsec
	}
	addr, err := r.dial(d)
	if err != nil {
		in.dropEnd(k, 1, "deleted")
		return netip.Addr{}, err
	}
	k.session = r.lastSession()
	return addr, nil
}

// refusal is what a client sees of a phase 1 that does not come up.
func (in *Internet) refusal(r *Router) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.st.setting("/interface/l2tp-server/server")["enabled"] != "true" {
		return ErrNoAnswer
	}
	return ErrIPsec
}

// place finds where the client's packets come from and where they go.
func (in *Internet) place(r *Router, d *DialIn) (caller, door, error) {
	c := caller{via: -1}
	to := in.nodeOf(r)
	if d.Behind != "" {
		i, ok := in.byName[d.Behind]
		if !ok {
			return c, door{}, fmt.Errorf("dialling in from behind %s: %w", d.Behind, errNoRouter)
		}
		out, ok := in.leaves(in.nodes[i], "")
		if !ok {
			return c, door{}, ErrNoAnswer
		}
		c.via, d.CallerID = i, out.public.String()
	}
	seen, err := netip.ParseAddr(d.CallerID)
	if err != nil {
		return c, door{}, fmt.Errorf("dialling in from %q: not an address", d.CallerID)
	}
	c.seen, c.local = seen, d.Local
	if !c.local.IsValid() {
		c.local = netip.AddrFrom4([4]byte{192, 168, 1, 100})
	}
	var target door
	for _, dr := range in.doors(in.nodes[to]) {
		if dr.carrier || in.dark[dr.public] || (d.To.IsValid() && d.To != dr.public) {
			continue
		}
		target = dr
		break
	}
	reached := target.public.IsValid() && !in.dark[seen] && !in.nodes[to].up.After(in.clock) &&
		in.passes(c.via, to, IKE) && in.passes(to, c.via, IKE)
	if !reached {
		return c, door{}, ErrNoAnswer
	}
	return c, target, nil
}

func (in *Internet) nodeOf(r *Router) int {
	for i, n := range in.nodes {
		if n.r == r {
			return i
		}
	}
	return -1
}

// dial plays L2TP and PPP, after IPsec.
func (r *Router) dial(d DialIn) (netip.Addr, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	server := r.st.setting("/interface/l2tp-server/server")
	if server["enabled"] != "true" || (d.PSK == "" && server["use-ipsec"] == "required") {
		return netip.Addr{}, ErrNoAnswer
	}
	return r.st.admitClient(server, d)
}

func (r *Router) lastSession() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.st.sessions
}
