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

// What logs reads beside the names of accounts.
const (
	menuLog       = "/log"
	menuLogging   = "/system/logging"
	menuLogAction = "/system/logging/action"
	menuClock     = "/system/clock"
)

const (
	maxLines   = 60  // of a router's log in one answer
	maxMessage = 300 // runes of one line
	skewNoted  = time.Minute
)

// logs shows the log of a site's routers, newest last, with every word hidden
// that could be a password.
func (s *Service) logs(ctx context.Context, c *call) (Reply, error) {
	if c.site == "" {
		return Reply{}, bad("parse.site")
	}
	sites := s.visible(c)
	if site, ok := s.o.Estate.Site(c.site); ok && site.Foreign {
		return Reply{}, foreignSite(site)
	}
	readings := s.read(ctx, sites, menuLog, menuLogging, menuLogAction, menuClock, menuSecret)
	silent, err := s.silent(ctx, readings)
	if err != nil {
		return Reply{}, err
	}
	if len(readings) == 1 && len(silent) == 1 {
		return Reply{}, readings[0].err
	}
	reply := Reply{Title: change.T("logs.title", "site", c.site), Share: true}
	topics := topicsOf(c.Args["topic"])
	hid := false
	for _, r := range readings {
		if r.err != nil {
			continue
		}
		if len(readings) > 1 {
			reply.Parts = append(reply.Parts, Say("", change.T("logs.router", "router", r.router)))
		}
		l := s.newLogbook(c, r, topics)
		reply.Parts = append(reply.Parts, l.parts()...)
		hid = hid || l.redactor.hid
	}
	if hid {
		reply.Parts = append(reply.Parts, Say(Hint, change.T("logs.hidden", "mark", hidden)))
	}
	reply.Parts = append(reply.Parts, silent...)
	if len(silent) > 0 {
		reply.Tone = Warning
	}
	return reply, nil
}

func topicsOf(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

// logbook is one router's log on its way to a reader.
type logbook struct {
	snapshot change.Snapshot
	clock    routerClock
	topics   []string  // none: all
	since    time.Time // zero: as far back as memory reaches
	until    time.Time // zero: up to now
	loc      *time.Location
	redactor *redactor
}

func (s *Service) newLogbook(c *call, r reading, topics []string) *logbook {
	l := &logbook{
		snapshot: r.snapshot, clock: clockOf(r.snapshot, s.o.Location), topics: topics, loc: s.o.Location,
		redactor: newRedactor(s.names(r.snapshot)...),
	}
	if v := c.Args["since"]; v != "" {
		l.since = since(v, l.clock.now, s.o.Location)
	}
	return l
}

// names are words that stand in logs and are certainly names.
func (s *Service) names(snap change.Snapshot) []string {
	var names []string
	for _, site := range s.o.Estate.Sites {
		names = append(append(names, site.Name), site.Aliases...)
	}
	for _, r := range s.o.Estate.Routers {
		names = append(names, r.Name, r.Read.User, r.Write.User)
	}
	for _, u := range vpn.Users(snap) {
		names = append(names, u.Name)
	}
	return names
}

// entry is one line of a log.
type entry struct {
	at      time.Time
	dated   bool
	text    string // the router's own time
	topics  string
	message string
}

func (l *logbook) parts() []Part {
	all := l.entries()
	shown := slices.DeleteFunc(slices.Clone(all), func(e entry) bool { return !l.wanted(e) })
	older := max(0, len(shown)-maxLines)
	shown = shown[older:]
	var parts []Part
	if older > 0 {
		parts = append(parts, Say(Hint, change.T("logs.older", "count", older)))
	}
	if len(shown) == 0 {
		parts = append(parts, Say("", change.T("logs.none")))
	} else {
		t := &Table{Head: heads("when", "topics", "message"), Layout: Record}
		for _, e := range shown {
			t.Rows = append(t.Rows, []change.Text{value(l.when(e)), value(l.redactor.line(e.topics)), value(l.message(e))})
		}
		parts = append(parts, Part{Table: t})
	}
	return slices.Concat(parts, l.reach(all), l.unlogged(), l.skewed())
}

// entries are the lines in the order in which the router wrote them.
func (l *logbook) entries() []entry {
	rows := l.snapshot.Menus[menuLog]
	list := make([]entry, 0, len(rows))
	for _, row := range rows {
		e := entry{text: row["time"], topics: row["topics"], message: strings.TrimPrefix(row["message"], vpn.VerbosePrefix+": ")}
		e.at, e.dated = l.clock.parse(e.text)
		list = append(list, e)
	}
	return list
}

// wanted tells whether e is asked for. A line whose time nobody can read is.
func (l *logbook) wanted(e entry) bool {
	if e.dated && (!l.since.IsZero() && e.at.Before(l.since) || !l.until.IsZero() && e.at.After(l.until)) {
		return false
	}
	if l.topics == nil {
		return true
	}
	have := strings.Split(e.topics, ",")
	return slices.ContainsFunc(l.topics, func(t string) bool { return slices.Contains(have, t) })
}

// when writes the time of a line in the configured zone.
func (l *logbook) when(e entry) string {
	if !e.dated {
		return l.redactor.line(e.text)
	}
	at, now := e.at.In(l.loc), l.clock.now.In(l.loc)
	if at.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return at.Format(time.TimeOnly)
	}
	return at.Format("01-02 15:04:05")
}

func (l *logbook) message(e entry) string {
	runes := []rune(l.redactor.line(e.message))
	if len(runes) > maxMessage {
		runes = append(runes[:maxMessage-1], '…')
	}
	return string(runes)
}

// reach says how far back memory goes, and whether that is as far as was asked.
func (l *logbook) reach(all []entry) []Part {
	i := slices.IndexFunc(all, func(e entry) bool { return e.dated })
	if i < 0 {
		return nil
	}
	oldest := all[i].at
	lines := value(len(all))
	if n, err := strconv.Atoi(l.memoryLines()); err == nil && n > 0 {
		lines = change.T("logs.lines", "count", len(all), "limit", n)
	}
	if !l.since.IsZero() && oldest.After(l.since) {
		return []Part{Say(Warning, change.T("logs.short", "oldest", oldest, "lines", lines))}
	}
	return []Part{Say(Hint, change.T("logs.reach", "oldest", oldest, "lines", lines))}
}

func (l *logbook) memoryLines() string {
	for _, row := range l.snapshot.Menus[menuLogAction] {
		if row["name"] == "memory" {
			return row["memory-lines"]
		}
	}
	return ""
}

// unlogged says of each topic that was asked for, or of those of a VPN, what the
// router does not write down.
func (l *logbook) unlogged() []Part {
	asked := l.topics
	if asked == nil {
		asked = []string{"ipsec", "l2tp"}
	}
	// What a level shows depends on the topics.
	return gaps(slices.DeleteFunc(slices.Clone(asked), func(t string) bool { return slices.Contains(severities(), t) }), l.snapshot)
}

// skewed warns of a clock that does not go with the bot's.
func (l *logbook) skewed() []Part {
	d := l.clock.skew
	if d.Abs() < skewNoted {
		return nil
	}
	id := "logs.ahead"
	if d < 0 {
		id = "logs.behind"
	}
	minutes := int(cmp.Or(d.Abs().Round(time.Minute), time.Minute) / time.Minute)
	return []Part{Say(Warning, change.T(id, "span", change.T("common.minutes", "count", minutes)))}
}
