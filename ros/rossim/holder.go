package rossim

import (
	"context"

	"vpnbot/ros/schema"
)

// Holder is a Negotiator that keeps what it agreed to, as daemons do, and is told
// what becomes of it. Calls come one at a time, in the order of events; what
// happens next waits for them. A Clone has no Holder: it keeps one world only.
type Holder interface {
	Negotiator
	// Wrote tells what a router's rows say after a write that may matter between
	// routers: those of an Attempt's Party, and /ip/firewall/nat.
	Wrote(ctx context.Context, p schema.Party) error
	// Lost tells that a router has no longer what an Outcome called ref.
	Lost(ctx context.Context, router, ref string) error
}

// holder is how an Internet tells its Holder; both do nothing when it has none.
type holder struct {
	wrote func(schema.Party) error
	lost  func(router, ref string) error
}

func (in *Internet) hold(ctx context.Context, n Negotiator) {
	h, ok := n.(Holder)
	if !ok {
		return
	}
	in.holder = holder{
		wrote: func(p schema.Party) error { return h.Wrote(ctx, p) },
		lost:  func(router, ref string) error { return h.Lost(ctx, router, ref) },
	}
}

// wrote hands the rows of a router to the Holder.
func (in *Internet) wrote(i int) {
	if in.holder.wrote == nil {
		return
	}
	d, _ := in.leaves(in.nodes[i], "")
	p := in.party(i, d)
	p.Rows["/ip/firewall/nat"] = in.nodes[i].r.table("/ip/firewall/nat")
	if err := in.holder.wrote(p); err != nil {
		in.log.Error("telling what was written", "router", p.Name, "err", err)
	}
}

// lost tells the Holder that a router has lost something; -1 is no router.
func (in *Internet) lost(i int, ref string) {
	if in.holder.lost == nil || i < 0 || ref == "" {
		return
	}
	if err := in.holder.lost(in.nodes[i].name, ref); err != nil {
		in.log.Error("telling what was lost", "router", in.nodes[i].name, "err", err)
	}
}

// table returns the rows of a menu as the router shows them.
func (r *Router) table(path string) []schema.Row {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.st.prof.menus[path]
	var rows []schema.Row
	for _, rec := range r.st.rows(m) {
		rows = append(rows, r.st.show(m, rec))
	}
	return rows
}
