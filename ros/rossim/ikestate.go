package rossim

import (
	"time"

	"vpnbot/ros/schema"
)

// addState adds a row that the router itself makes, with meters at zero.
func (in *Internet) addState(n *node, path string, row schema.Row, l *live, meters []string) uint64 {
	n.r.mu.Lock()
	defer n.r.mu.Unlock()
	rec := n.r.st.addDynamic(path, row, 0)
	rec.live = l
	if len(meters) > 0 {
		rec.meters = make(map[string]meter, len(meters))
		for _, name := range meters {
			rec.meters[name] = meter{since: in.clock}
		}
	}
	return rec.serial
}

func (in *Internet) removeState(n *node, path string, serial uint64) {
	in.edit(n, path, serial, func(rec *record) { n.r.st.delete(rec) })
}

// edit changes a row beside the checks of a write.
func (in *Internet) edit(n *node, path string, serial uint64, change func(*record)) {
	if serial == 0 {
		return
	}
	n.r.mu.Lock()
	defer n.r.mu.Unlock()
	if rec := n.r.st.bySerial(path, serial); rec != nil {
		change(rec)
		n.r.st.changed(rec, false)
	}
}

// tell writes a line into a router's log at the moment that is being played.
func (in *Internet) tell(i int, topics, message string) {
	if i < 0 {
		return
	}
	r := in.nodes[i].r
	r.mu.Lock()
	defer r.mu.Unlock()
	r.st.logAt(in.clock, topics, message)
}

// grow adds to one of a router's counters in /ip/ipsec/statistics.
func (in *Internet) grow(i int, counter string, rate, once float64) {
	if i < 0 {
		return
	}
	r := in.nodes[i].r
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rec := range r.st.tables["/ip/ipsec/statistics"] {
		rec.turn(in.clock, counter, rate, once)
	}
}

// turn makes a meter of the row grow at another rate, after adding to it.
func (r *record) turn(now time.Time, name string, rate, once float64) {
	if r.meters == nil {
		r.meters = make(map[string]meter)
	}
	r.meters[name] = r.meters[name].turn(now, rate).plus(once)
}
