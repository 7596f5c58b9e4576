package vpn

import (
	"cmp"
	"slices"
	"time"

	"vpnbot/change"
)

// Judge joins what both routers say into one verdict. samples are those of each
// end of the definition, oldest first: the last is what the router says now, the
// others are to compare counters with. No sample, a newest one with Err and a
// newest one that is old are the router's silence. at is the time of the question.
// The order of the ends does not matter.
//
// A rank of proof stands behind each verdict. DOWN needs one end that says so.
// Everything else needs both: equal cookies, SAs that each end knows in both
// directions, every wanted policy established; then packets decide between UP,
// UP-ONE-WAY and IDLE. Whatever is in between is UNKNOWN.
func Judge(want Expected, samples [2][]Half, at time.Time) Judged {
	return judge(want, [2][]sample{decodeAll(samples[0]), decodeAll(samples[1])}, at)
}

// JudgeAll judges many tunnels at once, which is cheaper than one by one: each
// sample is read once. samples gives those of a router, oldest first.
func JudgeAll(wants []Expected, samples func(router string) []Half, at time.Time) []Judged {
	decoded := map[string][]sample{}
	of := func(router string) []sample {
		list, ok := decoded[router]
		if !ok {
			list = decodeAll(samples(router))
			decoded[router] = list
		}
		return list
	}
	all := make([]Judged, 0, len(wants))
	for _, want := range wants {
		all = append(all, judge(want, [2][]sample{of(want.Ends[0].Router), of(want.Ends[1].Router)}, at))
	}
	return all
}

// sample is a Half, decoded unless it cannot be judged by.
type sample struct {
	at   time.Time
	err  error
	lack string // a menu that is missing
	page *page
}

func decodeAll(halves []Half) []sample {
	list := make([]sample, 0, len(halves))
	for _, h := range halves {
		s := sample{at: h.At, err: h.Err, lack: lacking(h)}
		if s.err == nil && s.lack == "" {
			s.page = decode(h)
		}
		list = append(list, s)
	}
	slices.SortStableFunc(list, func(a, b sample) int { return a.at.Compare(b.at) })
	return list
}

// lacking returns a menu that a sample should hold and does not, or "".
func lacking(h Half) string {
	for _, menu := range []string{menuPeer, menuPolicy, menuActivePeers, menuSA} {
		if _, ok := h.Menus[menu]; !ok {
			return menu
		}
	}
	return ""
}

func judge(want Expected, samples [2][]sample, at time.Time) Judged {
	var views [2]*view
	for i := range views {
		views[i] = newView(want.Ends[i], samples[i], at)
	}
	join(views[0], views[1])
	j := Judged{Tunnel: want.Tunnel}
	j.Verdict, j.Reason = verdict(views, &j)
	for i, v := range views {
		j.Sides[i] = v.Side
	}
	return j
}

// newView reads the newest of samples, or says why it cannot be judged by.
func newView(want ExpectedEnd, samples []sample, at time.Time) *view {
	v := &view{Side: Side{Site: want.Site, Router: want.Router}, want: want}
	var newest sample
	if len(samples) > 0 {
		newest = samples[len(samples)-1]
	}
	v.At, v.Err = newest.at, newest.err
	switch {
	case want.Foreign:
		v.silent = change.T("status.unknown.foreign", "site", v.Site)
	case len(samples) == 0, newest.err != nil, at.Sub(newest.at) > StaleAfter, len(want.Policies) == 0: // a definition always joins networks
		v.silent = change.T("status.unknown.unread", "router", v.Router)
	case newest.lack != "":
		v.silent = change.T("status.unknown.no_menu", "router", v.Router, "menu", newest.lack)
	default:
		for _, s := range samples {
			if s.page != nil {
				v.pages = append(v.pages, s.page)
			}
		}
		v.read(newest.page)
	}
	return v
}

// verdict decides, and fills in what j tells besides.
func verdict(views [2]*view, j *Judged) (Verdict, change.Text) {
	var faults []fault
	var doubts, silences []fault // by router, to be told in one order
	for _, v := range views {
		if !v.silent.IsZero() {
			silences = append(silences, fault{router: v.Router, text: v.silent})
			continue
		}
		f, odd := v.fault()
		if f != nil {
			faults = append(faults, *f)
		}
		if odd != nil {
			doubts = append(doubts, fault{router: v.Router, text: *odd})
		}
	}
	sortFaults(faults)
	sortFaults(doubts)
	sortFaults(silences)
	all := slices.Concat(faults, doubts, silences)
	if len(all) == 0 {
		return agreed(views, j)
	}
	for _, f := range all[1:] {
		j.Notes = append(j.Notes, f.text)
	}
	if len(faults) > 0 {
		return Down, all[0].text
	}
	for _, v := range views { // half the picture
		if n, of := v.Established(); v.silent.IsZero() && n == of {
			j.Notes = append(j.Notes, change.T("status.note.half", "router", v.Router, "established", n, "total", of))
		}
	}
	return Unknown, all[0].text
}

// agreed judges a tunnel that both ends call established.
func agreed(views [2]*view, j *Judged) (Verdict, change.Text) {
	if verdict, reason, ok := disagreement(views[0], views[1]); ok {
		return verdict, reason
	}
	t, ok := measure(views)
	if !ok {
		return Unknown, change.T("status.unknown.one_sample")
	}
	j.Flows, j.Window = t.flows, t.window
	var ways [2]way
	d, recent := t.directions()
	for i := range ways {
		ways[i] = way{d[i], recent[i], views[i].Router, views[1-i].Router, t.flows[i]}
	}
	slices.SortStableFunc(ways[:], func(a, b way) int {
		return cmp.Or(-cmp.Compare(a.direction, b.direction), cmp.Compare(a.from, b.from))
	})
	for _, w := range ways {
		if w.direction == deliveredWay && w.total.Sent >= 5*enoughPackets && w.total.Received*10 < w.total.Sent*9 {
			j.Notes = append(j.Notes, change.T("status.note.loss", w.facts(w.total)...))
		}
	}
	return carried(ways[0], ways[1], t.window.Round(time.Second))
}

// way is one direction with its ends.
type way struct {
	direction
	recent   stretch
	from, to string
	total    Flow
}

func (w way) facts(f Flow) []any {
	return []any{"from", w.from, "to", w.to, "sent", f.Sent, "received", f.Received}
}

// newest says what w carried in the newest part of the window.
func (w way) newest(id string) change.Text {
	return change.T("status."+id, append(w.facts(w.recent.Flow), "window", w.recent.over.Round(time.Second))...)
}

// carried judges by packets. better is the direction of which more is known to
// work.
func carried(better, worse way, window time.Duration) (Verdict, change.Text) {
	switch {
	case better.direction == deliveredWay && worse.direction == deliveredWay:
		return Up, change.T("status.up", "a", better.from, "b", better.to, "forward", better.total.Received,
			"back", worse.total.Received, "window", window)
	case better.direction == deliveredWay && worse.direction == lostWay:
		return UpOneWay, worse.newest("oneway.lost")
	case better.direction == deliveredWay && worse.direction == unclearWay:
		return Unknown, worse.newest("unknown.few")
	case better.direction == deliveredWay && better.total.Received >= enoughPackets:
		return UpOneWay, change.T("status.oneway.silent", append(better.facts(better.total), "window", window)...)
	case better.direction == lostWay && worse.direction == lostWay:
		return Down, better.newest("down.lost_both")
	case better.direction == lostWay:
		return Down, better.newest("down.lost")
	case better.direction == silentWay:
		if window < Window-time.Minute-asked {
			return Idle, change.T("status.idle.short", "window", window)
		}
		return Idle, change.T("status.idle.none", "window", window)
	}
	return Idle, change.T("status.idle.few", "packets", better.total.Sent+worse.total.Sent, "window", window)
}
