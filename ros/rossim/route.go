package rossim

import (
	"math"
	"slices"
	"time"
)

// route is the way that a flow has at present.
type route struct {
	known  bool
	passes bool // packets arrive, and answers come back
	parts  []part
	conns  []uint64
	nodes  []int
	ikes   []uint64
}

// part is what a flow adds to a meter.
type part struct {
	gauge
	rate float64
}

// staleness is what has changed since flows found their ways.
type staleness struct {
	all   bool
	nodes []int
	ikes  []uint64
}

func (s *staleness) node(i int) {
	if !slices.Contains(s.nodes, i) {
		s.nodes = append(s.nodes, i)
	}
}

func (s *staleness) ike(k *ike) {
	if !slices.Contains(s.ikes, k.id) {
		s.ikes = append(s.ikes, k.id)
	}
}

// hits tells whether a route may be another now. One that leads nowhere may be
// after every change.
func (s *staleness) hits(r route) bool {
	if !r.known || s.all {
		return true
	}
	if len(s.nodes)+len(s.ikes) == 0 {
		return false
	}
	return !r.passes || slices.ContainsFunc(s.nodes, func(i int) bool { return slices.Contains(r.nodes, i) }) ||
		slices.ContainsFunc(s.ikes, func(k uint64) bool { return slices.Contains(r.ikes, k) })
}

// reroute finds the way of every flow whose way may have changed, and turns the
// meters on it.
func (in *Internet) reroute() {
	changed := in.stale
	in.stale = staleness{}
	for _, f := range in.flows {
		if changed.hits(f.route) {
			in.take(f, in.find(f.Flow))
		}
	}
}

// find walks a flow's way.
func (in *Internet) find(f Flow) route {
	r := route{known: true}
	i := in.home(f.From)
	if i < 0 {
		return r
	}
	w := &walk{sink: func(g gauge, n float64) { r.parts = append(r.parts, part{g, n}) }}
	r.passes = in.roundTrip(i, f, w)
	r.nodes, r.ikes = w.nodes, w.ikes
	for _, c := range w.conns {
		r.conns = append(r.conns, c.id)
	}
	return r
}

// take puts a flow on another way: what it adds to meters, which connections it
// keeps alive.
func (in *Internet) take(f *flow, r route) {
	old := f.route
	f.route = r
	var turned []gauge
	add := func(p part, sign float64) {
		in.rates[p.gauge] += sign * p.rate
		if !slices.Contains(turned, p.gauge) {
			turned = append(turned, p.gauge)
		}
	}
	for _, p := range old.parts {
		add(p, -1)
	}
	for _, p := range r.parts {
		add(p, 1)
	}
	for _, g := range turned {
		in.turnMeter(g)
	}
	for _, c := range in.conns {
		if slices.Contains(old.conns, c.id) {
			c.flows--
		}
		if slices.Contains(r.conns, c.id) {
			c.flows++
		}
		switch {
		case c.flows > 0:
			c.ends = time.Time{}
		case c.ends.IsZero():
			c.ends = in.clock.Add(c.patience())
		}
	}
}

// turnMeter gives a meter the rate that all flows add up to.
func (in *Internet) turnMeter(g gauge) {
	rate := in.rates[g]
	if math.Abs(rate) < 1e-9 {
		rate = 0
		delete(in.rates, g)
	}
	n := in.nodes[g.node]
	n.r.mu.Lock()
	defer n.r.mu.Unlock()
	if rec := n.r.st.bySerial(g.path, g.serial); rec != nil && rec.meters[g.meter].rate != rate {
		rec.turn(in.clock, g.meter, rate, 0)
	}
}
