package commands

import (
	"context"
	"fmt"
	"time"

	"vpnbot/change"
)

// Notice returns what a notice says, from the state at the time of asking. The
// same notice says something newer when it is rendered later.
func (s *Service) Notice(ctx context.Context, n change.Notice) (Reply, error) {
	switch n.Kind {
	case change.NoticeCard:
		return s.Card(ctx, n.Request)
	case change.NoticeOutcome, change.NoticeReminder, change.NoticeProven, change.NoticeAccount:
		r, err := s.o.Ledger.Request(ctx, n.Request)
		if err != nil {
			return Reply{}, err
		}
		return s.requestNotice(ctx, n.Kind, r)
	case change.NoticeCredentials, change.NoticeOpened, change.NoticeUnopened:
		v, err := s.o.Ledger.Reveal(ctx, n.Reveal)
		if err != nil {
			return Reply{}, err
		}
		return revealNotice(n, v, time.Now()), nil
	case change.NoticeCheckpoint:
		return s.checkpointNotice(ctx)
	}
	return Reply{}, fmt.Errorf("notice of unknown kind %q", n.Kind)
}

func (s *Service) requestNotice(ctx context.Context, kind change.NoticeKind, r change.Request) (Reply, error) {
	switch kind {
	case change.NoticeReminder:
		reply := Reply{Title: heading(r), Parts: []Part{Say("", r.Plan.Summary)}}
		if r.State != change.Pending {
			reply.Parts = append(reply.Parts, Part{Facts: cardFacts(r)})
			return reply, nil
		}
		reply.Tone = Warning
		reply.Parts = append(reply.Parts,
			Say(Warning, change.T("notice.reminder", "count", r.Missing(), "until", r.Expires)),
			Part{Buttons: cardButtons(r)[:2]})
		return reply, nil
	case change.NoticeAccount:
		return accountNotice(r), nil
	case change.NoticeProven:
		return Reply{Title: heading(r), Tone: Good, Parts: []Part{Say(Good, change.T("notice.proven"))}}, nil
	}
	reply, err := s.standing(ctx, r)
	if err != nil {
		return Reply{}, err
	}
	if r.State == change.Stale && r.Moved != nil {
		reply.Parts = append(reply.Parts, Part{Buttons: []Button{
			{Action: ActionAgain, Value: r.ID, Label: change.T("button.again"), Style: Primary},
		}})
	}
	return reply, nil
}

// accountNotice tells the owner of an account what was done with it.
func accountNotice(r change.Request) Reply {
	account := r.Plan.Intent.Account
	pairs := []any{"account", account.Name, "site", r.Plan.Intent.Site}
	return Reply{Title: change.T("notice.account.title", "account", account.Name), Tone: Warning, Parts: []Part{
		Say("", change.T("notice.account."+string(account.Do), pairs...)),
		Say(Hint, change.T("notice.account.hint", "person", r.Requester)),
	}}
}

// revealNotice is about credentials and never shows them.
func revealNotice(n change.Notice, v change.Reveal, now time.Time) Reply {
	account, site := v.Credentials.Account, v.Credentials.Site
	switch n.Kind {
	case change.NoticeOpened:
		at := v.Granted
		if i := int(n.Number) - 1; i >= 0 && i < len(v.Openings) {
			at = v.Openings[i].At
		}
		return Reply{Title: change.T("notice.opened.title"), Tone: Warning, Parts: []Part{
			Say("", change.T("notice.opened", "account", account, "site", site, "at", at)),
			Say(Hint, change.T("notice.opened.hint")),
		}}
	case change.NoticeUnopened:
		return Reply{Title: change.T("notice.unopened.title"), Tone: Warning, Parts: []Part{
			Say("", change.T("notice.unopened", "account", account, "site", site)),
			Say(Hint, change.T("notice.unopened.hint")),
		}}
	}
	reply := Reply{Title: change.T("notice.credentials.title"), Parts: []Part{
		Say("", change.T("notice.credentials", "account", account, "site", site)),
	}}
	if v.Credentials.Renewed {
		reply = Reply{Title: change.T("notice.renewed.title"), Parts: []Part{
			Say("", change.T("notice.renewed", "account", account, "site", site)),
		}}
	}
	if v.Credentials.Password == "" {
		said := change.T("notice.key", "account", account, "site", site)
		if account == "" {
			said = change.T("notice.key.handover", "site", site)
		}
		reply = Reply{Title: change.T("notice.key.title", "site", site), Parts: []Part{
			Say("", said),
			Say(Hint, change.T("plan.warn.dialin_windows")),
		}}
	}
	if v.MayOpen(now, v.Credentials.Reader) != nil {
		reply.Parts = append(reply.Parts, Say("", change.T("notice.credentials.over")))
		return reply
	}
	reply.Tone = Good
	reply.Parts = append(reply.Parts,
		Part{Facts: []Labelled{{change.T("label.until"), value(v.Until)}}},
		Say(Hint, change.T("notice.credentials.hint", "times", change.OpeningsAllowed, "window", minutes(change.OpenedWindow))),
		Part{Buttons: []Button{revealButton(v)}})
	return reply
}

func revealButton(v change.Reveal) Button {
	return Button{Action: ActionReveal, Value: v.ID, Label: change.T("button.reveal", "account", v.Credentials.Account), Style: Primary, Form: true}
}

func minutes(d time.Duration) change.Text {
	return change.T("common.minutes", "count", int(d/time.Minute))
}

func (s *Service) checkpointNotice(ctx context.Context) (Reply, error) {
	c, err := s.o.Ledger.Checkpoint(ctx)
	if err != nil {
		return Reply{}, err
	}
	return Reply{Title: change.T("notice.checkpoint.title"), Parts: []Part{
		Say("", change.T("notice.checkpoint", "count", c.Size, "at", c.At)),
		Say("", change.T("common.code", "code", string(c.Note))),
	}}, nil
}
