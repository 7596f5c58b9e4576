package commands

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"vpnbot/change"
	"vpnbot/vpn"
)

const (
	maxDetailed = 3  // tunnels whose SAs one answer shows
	maxSAs      = 40 // of one tunnel
)

// sa shows phase 1 and phase 2 of a tunnel as both ends hold them.
func (s *Service) sa(ctx context.Context, c *call) (Reply, error) {
	if c.place == nil {
		return Reply{}, bad("parse.place")
	}
	tunnels := c.place.tunnels
	switch {
	case len(tunnels) == 0:
		return Reply{Title: change.T("sa.title", "name", c.place.name()), Parts: []Part{
			Say("", change.T("status.site.none", "site", c.place.name())),
		}}, nil
	case len(tunnels) > maxDetailed:
		var names []string
		for _, t := range tunnels[:min(len(tunnels), 10)] {
			names = append(names, t.Name)
		}
		problem := bad("sa.which")
		problem.Hint = change.T("sa.which.hint", "tunnels", values(names))
		return Reply{}, problem
	}
	v := s.newSurvey(tunnels)
	if err := v.now(ctx, nil); err != nil {
		return Reply{}, err
	}
	reply := v.reply(change.T("sa.title", "name", c.place.name()), v.worst())
	layout := Layout("")
	for _, j := range v.ranked() {
		reply.Parts = append(reply.Parts, Say("", change.T("status.heading", "tunnel", j.Tunnel.Name, "verdict", markOf(j.Verdict))))
		reply.Parts = append(reply.Parts, Say("", spans(j.Reason)))
		reply.Parts = append(reply.Parts, phase1(j)...)
		reply.Parts = append(reply.Parts, phase2(j, layout)...)
		layout = Lines // a message has one table
	}
	reply.Parts = slices.Concat(reply.Parts, v.silent(), v.looked())
	return reply, nil
}

// phase1 has a line for each phase 1 that either end holds. One that both hold
// stands once.
func phase1(j vpn.Judged) []Part {
	t := &Table{Head: heads("phase1", "cookies", "details"), Layout: Lines}
	for i, side := range j.Sides {
		for _, p := range side.Phase1 {
			if i == 1 && p.Matched {
				continue // the first end's row tells it
			}
			t.Rows = append(t.Rows, phase1Row(j, i, p))
		}
	}
	if len(t.Rows) == 0 {
		return []Part{Say("", change.T("sa.phase1.none"))}
	}
	return []Part{{Table: t}}
}

func phase1Row(j vpn.Judged, i int, p vpn.ActivePeer) []change.Text {
	starts, answers := j.Sides[i].Site, j.Sides[1-i].Site
	if !p.Initiator {
		starts, answers = answers, starts
	}
	state := value(p.State)
	if p.State == "established" {
		state = change.T("status.state.established")
	}
	switch {
	case p.Matched:
		state = change.T("sa.phase1.both", "state", state)
	case !read(j.Sides[1-i]):
		state = change.T("sa.phase1.half", "state", state, "site", j.Sides[i].Site)
	default:
		state = change.T("sa.phase1.one", "state", state, "site", j.Sides[i].Site)
	}
	return []change.Text{state, value(shortCookie(p.SPII) + ":" + shortCookie(p.SPIR)), phase1Details(p, starts, answers)}
}

func phase1Details(p vpn.ActivePeer, starts, answers string) change.Text {
	local, remote := address(p.Local.IsValid(), p.Local.String()), address(p.Remote.IsValid(), p.Remote.String())
	if p.State != "established" {
		return change.T("sa.phase1.trying", "from", starts, "to", answers, "local", local, "remote", remote)
	}
	return change.T("sa.phase1.details", "from", starts, "to", answers, "uptime", clock(p.Uptime), "nat", natText(p),
		"id", vpn.ReadableBytes(cmp.Or(p.ID, "–")), "local", local, "remote", remote)
}

func address(known bool, text string) string {
	if !known {
		return "?"
	}
	return text
}

// shortCookie is as much of a cookie as tells it from others.
func shortCookie(c string) string {
	if c == "" {
		return "?"
	}
	return c[:min(len(c), 8)]
}

// saPair is one SA with what each end says of it: the sender and the receiver.
type saPair struct {
	from      int // end that sends
	spi       string
	ends      [2]*vpn.SA // sender, receiver
	age, left time.Duration
}

// pairs joins the SAs of both ends by direction and SPI.
func pairs(j vpn.Judged) []saPair {
	var list []saPair
	for i, side := range j.Sides {
		for k := range side.SAs {
			sa := &side.SAs[k]
			from, role := i, 0
			if !sa.Out {
				from, role = 1-i, 1
			}
			at := slices.IndexFunc(list, func(p saPair) bool {
				return p.from == from && p.spi == sa.SPI && p.ends[role] == nil
			})
			if at < 0 {
				at, list = len(list), append(list, saPair{from: from, spi: sa.SPI})
			}
			list[at].ends[role] = sa
			list[at].age = max(list[at].age, sa.Age)
			if sa.Left > 0 && (list[at].left == 0 || sa.Left < list[at].left) {
				list[at].left = sa.Left
			}
		}
	}
	slices.SortStableFunc(list, func(a, b saPair) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.age, b.age)) })
	return list
}

// phase2 is a table with a row for each SA, as narrow as a phone: the algorithms,
// which are mostly one, stand above it.
func phase2(j vpn.Judged, layout Layout) []Part {
	list := pairs(j)
	if len(list) == 0 {
		return []Part{Say("", change.T("sa.phase2.none"))}
	}
	common, one := algorithms(list)
	t := &Table{Head: heads("direction_spi", "age_left", "sent_arrived"), Layout: layout}
	for _, p := range list[:min(len(list), maxSAs)] {
		row := []change.Text{
			change.T("sa.direction", "from", j.Sides[p.from].Site, "to", j.Sides[1-p.from].Site, "spi", spiCell(j, p)), lifeCell(p),
			change.T("sa.flow", "sent", carriedCell(j.Sides[p.from], p.ends[0]), "received", carriedCell(j.Sides[1-p.from], p.ends[1])),
		}
		if !one {
			row = append(row, value(algorithm(p)))
		}
		t.Rows = append(t.Rows, row)
	}
	var parts []Part
	if one {
		parts = append(parts, Say("", change.T("sa.phase2.one", "algorithms", common)))
	} else {
		t.Head = append(t.Head, change.T("label.algorithms"))
		parts = append(parts, Say("", change.T("sa.phase2.many")))
	}
	parts = append(parts, Part{Table: t})
	return append(parts, more(len(list)-maxSAs)...)
}

func algorithm(p saPair) string {
	for _, sa := range p.ends {
		if sa != nil {
			list := []string{sa.Encryption}
			if sa.KeySize != "" && !strings.Contains(sa.Encryption, sa.KeySize) {
				list[0] += "-" + sa.KeySize
			}
			if sa.Auth != "" && sa.Auth != "null" {
				list = append(list, sa.Auth)
			}
			return strings.Join(list, " + ")
		}
	}
	return ""
}

// algorithms returns those of every SA when they are all the same.
func algorithms(list []saPair) (string, bool) {
	first := algorithm(list[0])
	return first, !slices.ContainsFunc(list, func(p saPair) bool { return algorithm(p) != first })
}

// spiCell names the SA and what is odd about it.
func spiCell(j vpn.Judged, p saPair) change.Text {
	switch {
	case p.ends[0] == nil && read(j.Sides[p.from]):
		return change.T("sa.spi.unknown", "spi", p.spi, "site", j.Sides[p.from].Site)
	case p.ends[1] == nil && read(j.Sides[1-p.from]):
		return change.T("sa.spi.unknown", "spi", p.spi, "site", j.Sides[1-p.from].Site)
	}
	for _, sa := range p.ends {
		if sa != nil && sa.State != "" && sa.State != "mature" {
			return change.T("sa.spi.state", "spi", p.spi, "state", sa.State)
		}
	}
	return value(p.spi)
}

func lifeCell(p saPair) change.Text {
	if p.age == 0 && p.left == 0 {
		return change.T("common.none")
	}
	return value(clock(p.age) + " / " + clock(p.left))
}

// carriedCell is what one end counted.
func carriedCell(side vpn.Side, sa *vpn.SA) change.Text {
	switch {
	case sa == nil && !read(side):
		return value("?")
	case sa == nil:
		return change.T("common.none")
	}
	return change.T("sa.counted", "packets", sa.Packets, "bytes", bytesOf(sa.Bytes))
}

// bytesOf writes a number of bytes with its unit.
func bytesOf(n uint64) string {
	for _, u := range []struct {
		name string
		of   uint64
	}{{"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}} {
		if n >= u.of {
			return strconv.FormatFloat(float64(n)/float64(u.of), 'f', 1, 64) + " " + u.name
		}
	}
	return strconv.FormatUint(n, 10) + " B"
}
