package commands

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"vpnbot/change"
	"vpnbot/vpn"
)

// picture is what both ends say of a tunnel: the reason of its verdict, what to do
// next, and the two ends side by side.
func (s *Service) picture(j vpn.Judged) []Part {
	parts := []Part{Say(toneOf(j.Verdict), spans(j.Reason))}
	for _, note := range j.Notes {
		parts = append(parts, Say("", spans(note)))
	}
	if next := nextStep(j); !next.IsZero() {
		parts = append(parts, Say(Hint, next))
	}
	return append(parts, Part{Table: ends(j)})
}

// ends is a table with a column for each end.
func ends(j vpn.Judged) *Table {
	t := &Table{Head: heads("site")}
	for _, side := range j.Sides {
		if side.Router == "" {
			t.Head = append(t.Head, change.T("status.end.foreign", "site", side.Site))
			continue
		}
		t.Head = append(t.Head, change.T("status.end", "site", side.Site, "router", side.Router))
	}
	row := func(name string, cell func(i int, side vpn.Side) change.Text) {
		cells := []change.Text{change.T("label." + name)}
		for i, side := range j.Sides {
			if !read(side) {
				cells = append(cells, change.T("common.unknown"))
				continue
			}
			cells = append(cells, cell(i, side))
		}
		t.Rows = append(t.Rows, cells)
	}
	row("peer", func(_ int, side vpn.Side) change.Text { return peerCell(side) })
	row("phase1", func(_ int, side vpn.Side) change.Text { return phase1Cell(side) })
	row("policies", func(_ int, side vpn.Side) change.Text {
		n, of := side.Established()
		return change.T("status.policies", "established", n, "total", of)
	})
	row("sas", func(i int, side vpn.Side) change.Text { return sasCell(side, read(j.Sides[1-i])) })
	if j.Window > 0 {
		row("sent", func(i int, _ vpn.Side) change.Text {
			return change.T("status.sent", "sent", j.Flows[i].Sent, "received", j.Flows[i].Received, "window", lasting(j.Window))
		})
	}
	return t
}

// read tells whether a side was judged by: one that was has the policies that
// the definition wants, there or missing.
func read(side vpn.Side) bool { return side.Err == nil && len(side.Policies) > 0 }

func peerCell(side vpn.Side) change.Text {
	if len(side.Peers) == 0 {
		return change.T("status.cell.none")
	}
	var list []change.Text
	for _, p := range side.Peers {
		what := strings.TrimSpace(vpn.ReadableBytes(p.Name) + " " + p.Exchange)
		id := "status.peer.on"
		switch {
		case p.Disabled:
			id = "status.peer.off"
		case p.Shadowed:
			id = "status.peer.shadowed"
		case p.Passive:
			id = "status.peer.passive"
		}
		list = append(list, change.T(id, "peer", what))
	}
	return listOf(list)
}

// phase1Cell is the phase 1 that both ends share, else the first.
func phase1Cell(side vpn.Side) change.Text {
	if len(side.Phase1) == 0 {
		return change.T("status.cell.none")
	}
	p := side.Phase1[max(0, slices.IndexFunc(side.Phase1, func(p vpn.ActivePeer) bool { return p.Matched }))]
	if p.State != "established" {
		return value(p.State)
	}
	return change.T("status.phase1", "uptime", clock(p.Uptime), "side", sideText(p), "nat", natText(p))
}

func sideText(p vpn.ActivePeer) change.Text {
	if p.Initiator {
		return change.T("status.side.initiator")
	}
	return change.T("status.side.responder")
}

func natText(p vpn.ActivePeer) change.Text {
	if p.NATT {
		return change.T("status.natt.yes")
	}
	return change.T("status.natt.no")
}

// sasCell counts a side's SAs. That the other end does not know one can be told
// only when that was read.
func sasCell(side vpn.Side, compared bool) change.Text {
	out, in, loose := 0, 0, 0
	left := time.Duration(0)
	for _, sa := range side.SAs {
		if sa.Out {
			out++
		} else {
			in++
		}
		if compared && !sa.Matched {
			loose++
		}
		if sa.Left > 0 && (left == 0 || sa.Left < left) {
			left = sa.Left
		}
	}
	switch {
	case out+in == 0:
		return change.T("status.cell.none")
	case loose > 0:
		return change.T("status.sas.loose", "out", out, "in", in, "loose", loose)
	case left == 0:
		return change.T("status.sas", "out", out, "in", in)
	}
	return change.T("status.sas.left", "out", out, "in", in, "left", clock(left))
}

// clock writes a length of time as RouterOS does, with its two largest units.
func clock(d time.Duration) string {
	units := []struct {
		name string
		of   time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}}
	var b strings.Builder
	shown := 0
	for _, u := range units {
		n := d / u.of
		d -= n * u.of
		if n > 0 {
			b.WriteString(strconv.Itoa(int(n)) + u.name)
		}
		if n > 0 || shown > 0 {
			shown++
		}
		if shown == 2 {
			break
		}
	}
	if b.Len() == 0 {
		return "0s"
	}
	return b.String()
}

// nextSteps name what to do about a reason.
var nextSteps = map[string]string{
	"status.down.absent":            "status.next.rows",
	"status.down.peer_disabled":     "status.next.rows",
	"status.down.peer_missing":      "status.next.rows",
	"status.down.policy_disabled":   "status.next.rows",
	"status.down.policy_missing":    "status.next.rows",
	"status.unknown.peer_disabled":  "status.next.rows",
	"status.unknown.peer_missing":   "status.next.rows",
	"status.down.peer_shadowed":     "status.next.conflict",
	"status.down.policy_invalid":    "status.next.conflict",
	"status.down.phase1_trying":     "status.next.phase1",
	"status.down.no_phase1":         "status.next.phase1",
	"status.down.no_phase2":         "status.next.phase2",
	"status.down.policies":          "status.next.phase2",
	"status.down.lost":              "status.next.lost",
	"status.down.lost_both":         "status.next.lost",
	"status.down.sa_mismatch":       "status.next.differ",
	"status.unknown.sa_unmatched":   "status.next.differ",
	"status.unknown.phase1_differs": "status.next.differ",
	"status.oneway.lost":            "status.next.lost",
	"status.oneway.silent":          "status.next.silent",
	"status.idle.none":              "status.next.idle",
	"status.idle.short":             "status.next.idle",
	"status.idle.few":               "status.next.idle",
	"status.unknown.few":            "status.next.again",
	"status.unknown.moving":         "status.next.again",
	"status.unknown.one_sample":     "status.next.again",
	"status.unknown.phase1_gone":    "status.next.again",
	"status.unknown.no_sa":          "status.next.again",
	"status.unknown.unread":         "status.next.unread",
	"status.unknown.foreign":        "status.next.foreign",
	"status.unknown.row":            "status.next.row",
}

// nextStep says what to do about a verdict: at the site that the reason is about.
func nextStep(j vpn.Judged) change.Text {
	id, ok := nextSteps[j.Reason.ID]
	if !ok {
		return change.Text{}
	}
	site := j.Sides[0].Site
	for _, name := range []string{"router", "to"} {
		for _, side := range j.Sides {
			if router := j.Reason.Args[name].Str; router != "" && router == side.Router {
				site = side.Site
			}
		}
	}
	return change.T(id, "site", site)
}
