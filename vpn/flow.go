package vpn

import (
	"slices"
	"time"
)

// Tolerances of comparing packets.
const (
	enoughPackets = 10               // fewer say nothing about a direction
	lossOf        = 20               // one of so many arrives at most: the direction is dead
	asked         = 10 * time.Second // two routers read within so long are one look
)

// look is both ends at about one time: SPI to packets, by end and direction.
type look struct {
	at     time.Time
	counts [2]map[bool]map[uint32]uint64 // by end, then whether packets go out
}

// traffic is what both directions carried between looks, newest first.
type traffic struct {
	window time.Duration
	flows  [2]Flow         // in sum
	steps  [2][]Flow       // by look
	spans  []time.Duration // of each step
}

// stretch is what one direction carried in the newest part of the window.
type stretch struct {
	Flow
	steps int
	over  time.Duration
}

// measure compares the samples of both ends. The second result is false when
// there are not two looks at both ends.
func measure(views [2]*view) (traffic, bool) {
	if views[1].Router < views[0].Router { // so that the order of the ends does not matter
		t, ok := measure([2]*view{views[1], views[0]})
		slices.Reverse(t.flows[:])
		slices.Reverse(t.steps[:])
		return t, ok
	}
	looks := pair(views)
	if len(looks) < 2 {
		return traffic{}, false
	}
	var t traffic
	known := [2]map[uint32]bool{crossing(looks, 0), crossing(looks, 1)}
	for k := len(looks) - 1; k > 0; k-- {
		older, newer := looks[k-1], looks[k]
		t.spans = append(t.spans, newer.at.Sub(older.at))
		for i := range 2 {
			f := Flow{
				Sent:     grown(older.counts[i][true], newer.counts[i][true], known[i]),
				Received: grown(older.counts[1-i][false], newer.counts[1-i][false], known[i]),
			}
			t.steps[i] = append(t.steps[i], f)
			t.flows[i].Sent += f.Sent
			t.flows[i].Received += f.Received
		}
	}
	t.window = looks[len(looks)-1].at.Sub(looks[0].at)
	return t, true
}

// pair joins samples that were taken at about one time and lie in the window.
func pair(views [2]*view) []look {
	var looks []look
	newest := views[0].At
	last := -1
	for _, x := range views[0].pages {
		j := nearest(views[1].pages, x.at)
		if j <= last || newest.Sub(x.at) > Window+asked {
			continue
		}
		y := views[1].pages[j]
		if !together(x, y) || views[0].pages[nearest(views[0].pages, y.at)] != x {
			continue
		}
		last = j
		at := x.at
		if y.at.After(at) {
			at = y.at
		}
		looks = append(looks, look{at: at, counts: [2]map[bool]map[uint32]uint64{views[0].counts(x), views[1].counts(y)}})
	}
	return looks
}

// together tells whether two routers were read within so short a time that their
// counters can be compared: one that dawdles has counted on meanwhile.
func together(x, y *page) bool {
	begin, end := x.at, x.until
	if y.at.Before(begin) {
		begin = y.at
	}
	if y.until.After(end) {
		end = y.until
	}
	return end.Sub(begin) <= asked
}

// nearest returns the index of the page that was read nearest to at, -1 when
// there is none.
func nearest(pages []*page, at time.Time) int {
	best := -1
	for i, p := range pages {
		if best < 0 || p.at.Sub(at).Abs() < pages[best].at.Sub(at).Abs() {
			best = i
		}
	}
	return best
}

// counts reads the packets of the tunnel's SAs in one page, by the addresses that
// the newest one told.
func (v *view) counts(p *page) map[bool]map[uint32]uint64 {
	counts := map[bool]map[uint32]uint64{true: {}, false: {}}
	for i := range p.sas {
		row := &p.sas[i]
		out, ok := v.runs(row, true)
		if !ok {
			if out, ok = v.runs(row, false); !ok {
				continue
			}
		}
		counts[out][row.number] = row.Packets
	}
	return counts
}

// crossing returns the SPIs that end i sent with and the other end received with.
func crossing(looks []look, i int) map[uint32]bool {
	known := map[uint32]bool{}
	for _, l := range looks {
		for spi := range l.counts[i][true] {
			for _, o := range looks {
				if _, ok := o.counts[1-i][false][spi]; ok {
					known[spi] = true
				}
			}
		}
	}
	return known
}

// grown sums what the counters of known SPIs grew by. An SA that was not there
// before began at zero, and so did one that counts less than before.
func grown(older, newer map[uint32]uint64, known map[uint32]bool) uint64 {
	var sum uint64
	for spi, n := range newer {
		if !known[spi] {
			continue
		}
		if before := older[spi]; before <= n {
			n -= before
		}
		sum += n
	}
	return sum
}

// direction is what can be said of one direction.
type direction int

const (
	silentWay    direction = iota // nothing was sent
	unclearWay                    // too little was sent to say, and nothing arrived
	lostWay                       // enough was sent and next to nothing arrived
	deliveredWay                  // packets arrived
)

// direction judges by the newest looks with enough packets, so that a line that
// broke a minute ago does not live on what it carried before. It looks back over
// at most steps of them, and returns those that it went by.
func (t traffic) direction(i, steps int) (d direction, recent stretch) {
	for k, f := range t.steps[i][:steps] {
		recent.steps++
		recent.over += t.spans[k]
		recent.Sent += f.Sent
		recent.Received += f.Received
		if recent.Sent < enoughPackets {
			continue
		}
		if recent.Received*lossOf <= recent.Sent {
			return lostWay, recent
		}
		return deliveredWay, recent
	}
	switch {
	case recent.Received > 0:
		return deliveredWay, recent
	case recent.Sent > 0:
		return unclearWay, recent
	}
	return silentWay, recent
}

// directions judges both. Beside one that is dead only what the other carried in
// the same time counts.
func (t traffic) directions() (d [2]direction, recent [2]stretch) {
	for i := range d {
		if d[i], recent[i] = t.direction(i, len(t.steps[i])); d[i] != lostWay {
			continue
		}
		d[1-i], recent[1-i] = t.direction(1-i, recent[i].steps)
		if d[1-i] == deliveredWay && t.earlier(i, recent) {
			d[1-i] = silentWay
		}
		if d[1-i] != lostWay {
			return d, recent
		}
	}
	return d, recent
}

// earlier tells whether what arrived in the other direction may all have come before
// direction i broke off: it is no more than goes with the few packets of i that still
// arrived, in the proportion that both carried until then. Answers stop with the
// questions, and are no sign that their direction works.
func (t traffic) earlier(i int, recent [2]stretch) bool {
	var before [2]uint64
	for k := range before {
		for _, f := range t.steps[k][recent[i].steps:] {
			before[k] += f.Received
		}
	}
	return before[i] > 0 && (recent[1-i].Received-1)*before[i] <= 2*recent[i].Received*before[1-i]
}
