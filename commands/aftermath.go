package commands

import (
	"context"
	"slices"
	"strings"
	"time"

	"vpnbot/change"
	"vpnbot/commands/text"
)

// windowSlack is by how much a line may stand before or after the time of a change:
// routers write whole seconds, and their clock is compared with ours over a line.
const windowSlack = 2 * time.Second

// windowTopics are those of lines that may have to do with a change to a VPN.
func windowTopics() []string {
	return []string{"ipsec", "l2tp", "ppp", "system", "script", "interface", "firewall", "critical", "error", "warning"}
}

// LogWindow reads what a router wrote down while r was carried out, between two
// moments of the bot's clock, compared by the router's own. Words are hidden as "logs"
// hides them; names of rows that stand in the plan are shown. A router that cannot be
// read is said, and no error.
func (s *Service) LogWindow(ctx context.Context, r change.Request, router string, from, to time.Time) change.RouterLog {
	kept := change.RouterLog{Router: router}
	snap, err := s.snapshot(ctx, router, menuLog, menuLogging, menuLogAction, menuClock, menuSecret)
	if err != nil {
		kept.Unread, _, _ = text.Explain(err)
		return kept
	}
	l := &logbook{
		snapshot: snap, clock: clockOf(snap, s.o.Location), topics: windowTopics(), loc: s.o.Location,
		redactor: newRedactor(append(s.names(snap), namesIn(r)...)...),
	}
	l.since = from.Add(l.clock.skew - windowSlack)
	l.until = to.Add(l.clock.skew + windowSlack)
	all := l.entries()
	guard := change.GuardName(r.Number)
	lines := slices.DeleteFunc(slices.Clone(all), func(e entry) bool { return !l.wanted(e) || e.schedules(guard) })
	kept.Older = max(0, len(lines)-change.MaxLogLines)
	for _, e := range lines[kept.Older:] {
		kept.Lines = append(kept.Lines, change.LogLine{When: l.stamp(e), Topics: l.redactor.line(e.topics), Message: l.message(e)})
	}
	kept.Notes = l.windowNotes(all)
	return kept
}

// schedules tells whether a line says with its whole text that the bot's own guard came
// to be: what it does stands in the plan. Lines about what anybody else schedules stay.
func (e entry) schedules(guard string) bool {
	return strings.Contains(e.message, "on-event=") && named(e.message, "name="+guard)
}

// named tells whether a text holds a value as a word of its own.
func named(text, word string) bool {
	for rest := text; ; {
		_, after, found := strings.Cut(rest, word)
		if !found {
			return false
		}
		if after == "" || !strings.ContainsRune("0123456789-_", rune(after[0])) {
			return true
		}
		rest = after
	}
}

// stamp is when a line was written, as the router writes it, with the date also where
// the router leaves it out of today's: the line may be read much later.
func (l *logbook) stamp(e entry) string {
	if !e.dated {
		return l.redactor.line(e.text)
	}
	return e.at.Format(time.DateTime)
}

// namesIn are the names of rows that stand in r's plan, which whoever reads the log has
// read there.
func namesIn(r change.Request) []string {
	names := []string{change.GuardName(r.Number)}
	if t := r.Plan.Tunnel; t != nil {
		names = append(names, t.Name)
	}
	for _, step := range r.Plan.Steps {
		names = append(names, step.Match["name"], step.After["name"])
	}
	return names
}

// windowNotes say why less may stand there than happened.
func (l *logbook) windowNotes(all []entry) []change.Text {
	l.topics = []string{"ipsec", "l2tp", "ppp"}
	var notes []change.Text
	for _, part := range slices.Concat(l.reach(all), l.unlogged(), l.skewed()) {
		// That memory reaches back far enough, and that details are left out, is so of
		// every router that nobody has set up otherwise.
		if t := part.Paragraph.Text; t.ID != "logs.reach" && t.ID != "logs.partly" {
			notes = append(notes, t)
		}
	}
	if l.redactor.hid {
		notes = append(notes, change.T("logs.hidden", "mark", hidden))
	}
	return notes
}

// aftermath shows what the routers wrote down while a request was carried out.
func aftermath(journal []change.Entry) []Part {
	var parts []Part
	for _, log := range change.LogsOf(journal) {
		if !log.Unread.IsZero() {
			parts = append(parts, Say(Warning, change.T("aftermath.unread", "router", log.Router, "why", log.Unread)))
			continue
		}
		if len(log.Lines) == 0 {
			parts = append(parts, Say("", change.T("aftermath.none", "router", log.Router)))
		} else {
			parts = append(parts, Say("", change.T("aftermath.router", "router", log.Router)), Part{Table: record(log.Lines)})
		}
		if log.Older > 0 {
			parts = append(parts, Say(Hint, change.T("aftermath.older", "count", log.Older)))
		}
		for _, note := range log.Notes {
			parts = append(parts, Say(Hint, note))
		}
	}
	return parts
}

func record(lines []change.LogLine) *Table {
	t := &Table{Head: heads("when", "topics", "message"), Layout: Record}
	for _, line := range lines {
		t.Rows = append(t.Rows, []change.Text{value(line.When), value(line.Topics), value(strings.TrimSpace(line.Message))})
	}
	return t
}

// logsNotice is what stands below the card of r.
func (s *Service) logsNotice(ctx context.Context, r change.Request) (Reply, error) {
	journal, err := s.o.Ledger.Journal(ctx, r.ID)
	if err != nil {
		return Reply{}, err
	}
	return Reply{Title: change.T("aftermath.title", "number", r.Number), Parts: aftermath(journal)}, nil
}
