package commands

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"vpnbot/change"
)

// audit lists the newest events that the filters and the caller's sites leave.
func (s *Service) audit(ctx context.Context, c *call) (Reply, error) {
	filter := change.EventFilter{Site: c.site, Newest: true, Limit: maxRows + 1}
	if n, err := strconv.ParseInt(c.Args["request"], 10, 64); err == nil {
		filter.Request = n
	}
	if word := c.Args["kind"]; word != "" {
		filter.Kinds = kindsOf(word)
	}
	if word := c.Args["since"]; word != "" {
		filter.Since = since(word, c.now, s.o.Location)
	}
	if word := c.Args["actor"]; word != "" {
		p, err := s.actor(c, word)
		if err != nil {
			return Reply{}, err
		}
		filter.Actor = p
	}
	if len(c.Actor.Person.Sites) > 0 {
		filter.Limit *= overread
	}
	events, err := s.o.Ledger.Events(ctx, filter)
	if err != nil {
		return Reply{}, err
	}
	events = slices.DeleteFunc(events, func(e change.Recorded) bool {
		far := e.Event.Facts["far-site"] // of a tunnel
		return !c.Actor.Person.May(change.Viewer, e.Event.Site) && (far == "" || !c.Actor.Person.May(change.Viewer, far))
	})
	further := len(events) > maxRows
	events = events[:min(len(events), maxRows)]
	reply := Reply{Title: change.T("audit.title"), Share: true}
	if len(events) == 0 {
		reply.Parts = []Part{Say("", change.T("audit.none"))}
		return reply, nil
	}
	t := &Table{Head: heads("seq", "when", "event", "actor", "number", "details")}
	for _, e := range slices.Backward(events) { // newest last, as in a log
		t.Rows = append(t.Rows, eventRow(e))
	}
	reply.Parts = []Part{{Table: t}}
	if further {
		reply.Parts = append(reply.Parts, Say(Hint, change.T("audit.older")))
	}
	return reply, nil
}

// actor returns the person whom a filter names, who need not be a member any
// more.
func (s *Service) actor(c *call, word string) (change.PersonID, error) {
	if c.Actor.Slack == nil {
		return "", bad("refuse.terminal")
	}
	id := change.SlackID{Team: c.Actor.Slack.Team, User: strings.TrimPrefix(word, "@")}
	return s.o.People.Slack(id).ID, nil
}

// kindsOf returns the kinds that word names: one, or all that begin with it.
func kindsOf(word string) []change.EventKind {
	return slices.DeleteFunc(change.EventKinds(), func(k change.EventKind) bool {
		return string(k) != word && !strings.HasPrefix(string(k), word+".")
	})
}

func eventRow(r change.Recorded) []change.Text {
	e := r.Event
	number := change.T("common.none")
	if e.Request != 0 {
		number = value("#" + strconv.FormatInt(e.Request, 10))
	}
	return []change.Text{
		value(r.Seq), value(e.At), change.T("event." + string(e.Kind)), value(e.Actor), number, value(details(e)),
	}
}

// details are the facts of an event as it stores them, so that what is read here
// is what "bot audit list" prints.
func details(e change.Event) string {
	var words []string
	for name, v := range map[string]string{"router": e.Router, "digest": shortDigest(e.Digest)} {
		if v != "" {
			words = append(words, name+"="+v)
		}
	}
	if e.Step != 0 {
		words = append(words, "step="+strconv.Itoa(e.Step))
	}
	for _, name := range slices.Sorted(maps.Keys(e.Facts)) {
		words = append(words, name+"="+e.Facts[name])
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}
