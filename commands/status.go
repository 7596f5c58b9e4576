package commands

import (
	"cmp"
	"context"
	"slices"
	"time"

	"vpnbot/change"
	"vpnbot/vpn"
)

const (
	maxTunnels  = 40 // lines of tunnels in one answer
	maxPictures = 1  // tunnels of a site that are shown whole: a phone shows one table well
	maxServers  = 20 // sites whose sessions are counted one by one
)

// status tells how the tunnels are: all of them in a line each, or those of one
// place with what both ends say.
func (s *Service) status(ctx context.Context, c *call) (Reply, error) {
	switch {
	case c.place == nil:
		return s.statusAll(ctx, c)
	case c.place.site.Name != "":
		return s.statusSite(ctx, c)
	}
	v := s.newSurvey(c.place.tunnels)
	if err := v.now(ctx, nil); err != nil {
		return Reply{}, err
	}
	j := v.judged[0]
	reply := v.reply(change.T("status.tunnel", "tunnel", j.Tunnel.Name, "verdict", verdictText(j.Verdict)), toneOf(j.Verdict))
	reply.Parts = slices.Concat(s.picture(j), v.silent(), v.looked())
	return reply, nil
}

// statusAll answers from the last polls.
func (s *Service) statusAll(ctx context.Context, c *call) (Reply, error) {
	tunnels, err := s.tunnels(ctx)
	if err != nil {
		return Reply{}, err
	}
	v := s.newSurvey(slices.DeleteFunc(tunnels, func(t vpn.Tunnel) bool { return !mayEither(c.Actor.Person, change.Viewer, t) }))
	sites := s.visible(c)
	var routers []string
	for _, site := range sites {
		routers = append(routers, site.Routers...)
	}
	for _, t := range v.tunnels {
		routers = append(routers, routersOf(t)...)
	}
	if err := v.all(ctx, slices.Compact(slices.Sorted(slices.Values(routers)))); err != nil {
		return Reply{}, err
	}
	reply := v.reply(v.tally(), v.worst())
	if len(v.tunnels) == 0 {
		reply.Parts = []Part{Say("", change.T("status.none"))}
	}
	reply.Parts = slices.Concat(reply.Parts, v.lines(), v.sessions(sites), notOurs(sites), v.silent(), v.looked())
	return reply, nil
}

// statusSite shows a site's tunnels whole, when they are few, and its dial-in
// server.
func (s *Service) statusSite(ctx context.Context, c *call) (Reply, error) {
	v := s.newSurvey(c.place.tunnels)
	if err := v.now(ctx, slices.Clone(c.place.site.Routers)); err != nil {
		return Reply{}, err
	}
	title := v.tally()
	if len(v.judged) == 1 {
		title = change.T("status.tunnel", "tunnel", v.judged[0].Tunnel.Name, "verdict", verdictText(v.judged[0].Verdict))
	}
	reply := v.reply(change.T("status.site", "site", c.place.site.Name, "tally", title), v.worst())
	switch {
	case len(v.judged) == 0:
		reply.Parts = []Part{Say("", change.T("status.site.none", "site", c.place.site.Name))}
	case len(v.judged) > maxPictures:
		reply.Parts = append(v.lines(), Say(Hint, change.T("status.both", "tunnel", v.ranked()[0].Tunnel.Name)))
	default:
		reply.Parts = s.picture(v.judged[0])
	}
	reply.Parts = slices.Concat(reply.Parts, v.sessions([]vpn.Site{c.place.site}), v.silent(), v.looked())
	return reply, nil
}

// reply begins an answer about the judged tunnels.
func (v *survey) reply(title change.Text, tone Tone) Reply {
	reply := Reply{Title: title, Tone: tone, Share: true}
	for _, j := range v.judged {
		if reply.Verdicts == nil {
			reply.Verdicts = map[string]vpn.Verdict{}
		}
		reply.Verdicts[j.Tunnel.Name] = j.Verdict
	}
	return reply
}

// verdicts are all, the worst first.
func verdicts() []vpn.Verdict {
	return []vpn.Verdict{vpn.Down, vpn.UpOneWay, vpn.Unknown, vpn.Idle, vpn.Up}
}

func verdictText(v vpn.Verdict) change.Text { return change.T("verdict." + string(v)) }

// markOf is a verdict with a sign that is seen before it is read.
func markOf(v vpn.Verdict) change.Text {
	return change.T("verdict.mark."+string(v), "verdict", verdictText(v))
}

func toneOf(v vpn.Verdict) Tone {
	switch v {
	case vpn.Down:
		return Bad
	case vpn.UpOneWay, vpn.Unknown:
		return Warning
	case vpn.Up:
		return Good
	case vpn.Idle:
	}
	return ""
}

func (v *survey) counts() map[vpn.Verdict]int {
	counts := map[vpn.Verdict]int{}
	for _, j := range v.judged {
		counts[j.Verdict]++
	}
	return counts
}

// worst is the tone of the worst verdict.
func (v *survey) worst() Tone {
	counts := v.counts()
	for _, verdict := range verdicts() {
		if counts[verdict] > 0 {
			return toneOf(verdict)
		}
	}
	return ""
}

// tally counts the verdicts, the worst first.
func (v *survey) tally() change.Text {
	if len(v.judged) == 0 {
		return change.T("status.tally.none")
	}
	counts := v.counts()
	var list []change.Text
	for _, verdict := range verdicts() {
		if n := counts[verdict]; n > 0 {
			list = append(list, change.T("status.count", "count", n, "verdict", verdictText(verdict)))
		}
	}
	return change.T("status.tally", "list", listOf(list))
}

// ranked are the judged tunnels, those with trouble first.
func (v *survey) ranked() []vpn.Judged {
	rank := func(j vpn.Judged) int { return slices.Index(verdicts(), j.Verdict) }
	return slices.SortedStableFunc(slices.Values(v.judged), func(a, b vpn.Judged) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Tunnel.Name, b.Tunnel.Name))
	})
}

// lines are one for each tunnel, those with trouble first, as many as fit.
func (v *survey) lines() []Part {
	if len(v.judged) == 0 {
		return nil
	}
	list := v.ranked()
	shown := list[:min(len(list), maxTunnels)]
	t := &Table{Head: heads("verdict", "tunnel", "why"), Layout: Lines}
	for _, j := range shown {
		t.Rows = append(t.Rows, []change.Text{markOf(j.Verdict), value(j.Tunnel.Name), brief(j)})
	}
	parts := []Part{{Table: t}}
	if rest := (&survey{judged: list[len(shown):]}); len(rest.judged) > 0 {
		parts = append(parts, Say(Hint, change.T("status.more", "count", len(rest.judged), "tally", rest.tally())))
	}
	return parts
}

// brief is the reason in as many words as a line has room for.
func brief(j vpn.Judged) change.Text {
	switch j.Reason.ID {
	case "status.up":
		return spans(change.Text{ID: "status.brief.up", Args: j.Reason.Args})
	case "status.idle.none", "status.idle.short", "status.idle.few":
		return spans(change.T("status.brief.idle", "window", j.Window.Round(time.Second)))
	}
	return spans(j.Reason)
}

// spans says the lengths of time among t's arguments in words.
func spans(t change.Text) change.Text {
	said := change.Text{ID: t.ID, Args: map[string]change.Value{}}
	for name, v := range t.Args {
		if name == "window" && v.Num != nil {
			s := lasting(time.Duration(*v.Num) * time.Second)
			v = change.Value{Text: &s}
		}
		said.Args[name] = v
	}
	return said
}

// lasting is a length of time in the unit that suits it.
func lasting(d time.Duration) change.Text {
	switch {
	case d < 100*time.Second:
		return change.T("common.seconds", "count", int(d.Round(time.Second)/time.Second))
	case d < 100*time.Minute:
		return change.T("common.minutes", "count", int(d.Round(time.Minute)/time.Minute))
	case d < 48*time.Hour:
		return change.T("common.hours", "count", int(d.Round(time.Hour)/time.Hour))
	}
	return change.T("common.days", "count", int(d.Round(24*time.Hour)/(24*time.Hour)))
}

// sessions counts who is connected at each site.
func (v *survey) sessions(sites []vpn.Site) []Part {
	type count struct {
		text change.Text
		n    int
	}
	var list []count
	idle := 0
	for _, site := range sites {
		n, known, serves := v.connected(site)
		switch {
		case !known:
			list = append(list, count{change.T("status.sessions.unknown", "site", site.Name), 1 << 30})
		case n > 0 || serves && len(sites) == 1:
			list = append(list, count{change.T("status.sessions.site", "site", site.Name, "count", n), n})
		case serves:
			idle++
		}
	}
	slices.SortStableFunc(list, func(a, b count) int { return b.n - a.n })
	var texts []change.Text
	for _, c := range list[:min(len(list), maxServers)] {
		texts = append(texts, c.text)
	}
	if left := len(list) - len(texts); left > 0 {
		texts = append(texts, change.T("status.sessions.more", "count", left))
	}
	if idle > 0 {
		texts = append(texts, change.T("status.sessions.idle", "count", idle))
	}
	if len(texts) == 0 {
		return nil
	}
	return []Part{Say("", change.T("status.sessions", "list", listOf(texts)))}
}

// connected counts the sessions at a site. known is false when one of its
// routers did not tell, serves when none has a dial-in server that is on.
func (v *survey) connected(site vpn.Site) (n int, known, serves bool) {
	known = true
	for _, router := range site.Routers {
		h, ok := v.newest(router)
		if !ok || h.Err != nil {
			return 0, false, true
		}
		server, told := vpn.ServerOf(h.Snapshot)
		known = known && told
		serves = serves || server.Enabled
		n += len(server.Sessions)
	}
	return n, known, serves
}

// looked says how old the answer is and how it was found.
func (v *survey) looked() []Part {
	if v.second {
		return []Part{Say(Hint, change.T("status.second", "seconds", int(between/time.Second)))}
	}
	age, ok := v.age(time.Now())
	switch {
	case !ok:
		return nil
	case age < 5*time.Second:
		return []Part{Say(Hint, change.T("status.fresh"))}
	}
	return []Part{Say(Hint, change.T("status.age", "age", lasting(age)))}
}
