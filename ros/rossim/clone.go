package rossim

import (
	"errors"
	"maps"
	"slices"
	"time"
)

// Clone returns a copy of the Internet and of every router attached, as they
// stand, with the same future. The copies' routers are found by Router; closing
// the copy closes them. It returns nil after Close.
func (in *Internet) Clone() *Internet {
	if !in.enter() {
		return nil
	}
	defer in.leave()
	in.advance(time.Now())
	w := in.world
	w.byName, w.names, w.lines, w.dark = maps.Clone(w.byName), maps.Clone(w.names), maps.Clone(w.lines), maps.Clone(w.dark)
	w.ikes, w.nodes = copies(w.ikes), copies(w.nodes)
	w.flows, w.conns, w.closings = copies(w.flows), copies(w.conns), slices.Clone(w.closings)
	w.rates, w.stale = maps.Clone(w.rates), staleness{}
	for _, k := range w.ikes {
		k.kids = copies(k.kids)
	}
	out := newInternet(in.opts, w)
	out.holder = holder{}
	for _, n := range out.nodes {
		n.tries = copies(n.tries)
		n.r = n.r.copy()
		n.r.net, n.r.st.wake = out, &out.wake
		if len(n.r.st.effects) > 0 {
			out.wake.Store(true)
		}
	}
	out.turn <- struct{}{}
	out.leave()
	for _, n := range out.nodes {
		n.r.resume()
	}
	return out
}

// copies returns a slice of pointers to copies.
func copies[T any](in []*T) []*T {
	out := make([]*T, len(in))
	for i, p := range in {
		c := *p
		out[i] = &c
	}
	return out
}

// Routers returns the names of the attached routers, in the order in which they
// came.
func (in *Internet) Routers() []string {
	var names []string
	in.with(func() {
		for _, n := range in.nodes {
			names = append(names, n.name)
		}
	})
	return names
}

// errNoRouter names a router that is not attached.
var errNoRouter = errors.New("no such router")
