package commands

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"vpnbot/change"
)

// maxRows bounds every list in an answer.
const maxRows = 40

// overread is how many times as much is read for somebody who may see some
// sites only, before what is not theirs is left out.
const overread = 20

// requests lists the newest requests, open ones first.
func (s *Service) requests(ctx context.Context, c *call) (Reply, error) {
	const recent = 15
	limit := recent
	if len(c.Actor.Person.Sites) > 0 {
		limit *= overread
	}
	open, err := s.o.Ledger.Requests(ctx, change.Filter{States: openStates(), Newest: true})
	if err != nil {
		return Reply{}, err
	}
	ended, err := s.o.Ledger.Requests(ctx, change.Filter{States: endedStates(), Newest: true, Limit: limit})
	if err != nil {
		return Reply{}, err
	}
	hidden := func(r change.Request) bool { return !r.Plan.Intent.Concerns(c.Actor.Person) }
	open, ended = slices.DeleteFunc(open, hidden), slices.DeleteFunc(ended, hidden)
	ended = ended[:min(len(ended), recent)]
	reply := Reply{Title: change.T("requests.title"), Share: true}
	reply.Parts = append(reply.Parts, requestTable("requests.open", open)...)
	reply.Parts = append(reply.Parts, requestTable("requests.ended", ended)...)
	if len(open)+len(ended) == 0 {
		reply.Parts = append(reply.Parts, Say("", change.T("requests.none")))
	}
	return reply, nil
}

// endedStates are those that the newest of are listed; drafts are nobody else's
// business.
func endedStates() []change.State {
	return slices.DeleteFunc(change.States(), func(s change.State) bool {
		return s == change.Draft || s == change.Discarded || slices.Contains(openStates(), s)
	})
}

func requestTable(id string, list []change.Request) []Part {
	if len(list) == 0 {
		return nil
	}
	t := &Table{Head: heads("number", "what", "state", "requester", "when")}
	for _, r := range list[:min(len(list), maxRows)] {
		what := r
		what.Number = 0 // has a column of its own
		t.Rows = append(t.Rows, []change.Text{
			value(r.Title()), heading(what), change.T("state." + string(r.State)), value(r.Requester), value(stateTime(r)),
		})
	}
	return append([]Part{Say("", change.T(id, "count", len(list))), {Table: t}}, more(len(list)-maxRows)...)
}

// heads are the cells of a table's head.
func heads(names ...string) []change.Text {
	cells := make([]change.Text, len(names))
	for i, n := range names {
		cells[i] = change.T("label." + n)
	}
	return cells
}

// more says how many rows were left out.
func more(n int) []Part {
	if n <= 0 {
		return nil
	}
	return []Part{Say(Hint, change.T("common.more", "count", n))}
}

// numbered returns the request that the words name, when its site is one that
// the caller may see.
func (s *Service) numbered(ctx context.Context, c *call) (change.Request, error) {
	n, err := strconv.ParseInt(c.Args["request"], 10, 64)
	if err != nil {
		return change.Request{}, bad("parse.number")
	}
	r, err := s.o.Ledger.RequestByNumber(ctx, n)
	if errors.Is(err, change.ErrNotFound) {
		err = &hinted{change.ErrNotFound, change.T("notfound.request", "number", n)}
	}
	if err != nil {
		return change.Request{}, err
	}
	if !r.Plan.Intent.Concerns(c.Actor.Person) {
		return change.Request{}, change.ErrNotAllowed
	}
	c.request, c.site = r.Number, r.Plan.Intent.Site
	return r, nil
}

// show tells everything about one request.
func (s *Service) show(ctx context.Context, c *call) (Reply, error) {
	r, err := s.numbered(ctx, c)
	if err != nil {
		return Reply{}, err
	}
	reply, err := s.standing(ctx, r)
	if err != nil {
		return Reply{}, err
	}
	reply.Share = true
	reply.Parts = append(reply.Parts, effects(r.Plan)...)
	reply.Parts = append(reply.Parts, procedure(r)...)
	reply.Parts = append(reply.Parts, diffs(r.Plan)...)
	reply.Parts = append(reply.Parts, Part{Facts: []Labelled{{change.T("label.digest"), value(r.Digest)}}})
	journal, err := s.o.Ledger.Journal(ctx, r.ID)
	if err != nil {
		return Reply{}, err
	}
	reply.Parts = append(reply.Parts, aftermath(journal)...)
	if !c.Terminal && !c.Guest {
		if buttons := cardButtons(r); len(buttons) > 0 {
			reply.Parts = append(reply.Parts, Part{Buttons: buttons})
		}
	}
	return reply, nil
}

// cancel withdraws a request of the caller's.
func (s *Service) cancel(ctx context.Context, c *call) (Reply, error) {
	r, err := s.numbered(ctx, c)
	if err != nil {
		return Reply{}, err
	}
	return s.withdraw(ctx, c, r.ID)
}

func (s *Service) withdraw(ctx context.Context, c *call, id string) (Reply, error) {
	r, err := s.move(ctx, c, id, func(r change.Request) (change.Move, error) { return r.Cancel(c.now, c.Actor, "") })
	if err != nil {
		return Reply{}, err
	}
	return Reply{Title: heading(r), Tone: Good, Parts: []Part{Say("", change.T("cancelled.text"))}}, nil
}

// locks lists what is locked, by which request, since when.
func (s *Service) locks(ctx context.Context, c *call) (Reply, error) {
	t := &Table{Head: heads("locked", "number", "since")}
	if s.o.Locks != nil {
		for _, l := range s.o.Locks.Locks() {
			t.Rows = append(t.Rows, []change.Text{value(l.Router), value("#" + strconv.FormatInt(l.Request, 10)), value(l.Since)})
		}
	}
	stuck, err := s.o.Ledger.Requests(ctx, change.Filter{States: []change.State{change.NeedsAttention}, Limit: maxRows})
	if err != nil {
		return Reply{}, err
	}
	for _, r := range stuck {
		if r.Plan.Intent.Concerns(c.Actor.Person) {
			t.Rows = append(t.Rows, []change.Text{subject(r), value(r.Title()), value(stateTime(r))})
		}
	}
	reply := Reply{Title: change.T("locks.title"), Share: true}
	if len(t.Rows) == 0 {
		reply.Parts = []Part{Say("", change.T("locks.none"))}
		return reply, nil
	}
	reply.Parts = []Part{{Table: t}, Say(Hint, change.T("locks.hint"))}
	return reply, nil
}
