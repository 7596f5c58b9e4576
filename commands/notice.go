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
	case change.NoticeOutcome, change.NoticeReminder, change.NoticeProven, change.NoticeAccount, change.NoticeLogs:
		r, err := s.o.Ledger.Request(ctx, n.Request)
		if err != nil {
			return Reply{}, err
		}
		return s.requestNotice(ctx, n.Kind, r)
	case change.NoticeExpiring, change.NoticeLeft:
		r, err := s.o.Ledger.Request(ctx, n.Request)
		if err != nil {
			return Reply{}, err
		}
		return s.dateNotice(ctx, n, r)
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
	case change.NoticeLogs:
		return s.logsNotice(ctx, r)
	case change.NoticeProven:
		return Reply{Title: heading(r), Tone: Good, Parts: []Part{Say(Good, change.T("notice.proven"))}}, nil
	}
	reply, err := s.standing(ctx, r)
	if err != nil {
		return Reply{}, err
	}
	if r.State == change.Stale && r.Moved != nil && r.Under == nil {
		reply.Parts = append(reply.Parts, Part{Buttons: []Button{
			{Action: ActionAgain, Value: r.ID, Label: change.T("button.again"), Style: Primary},
		}})
	}
	return reply, nil
}

// accountNotice tells the owner of an account what was done with it.
func accountNotice(r change.Request) Reply {
	account := r.Plan.Intent.Account
	pairs := []any{"account", account.Name, "site", r.Plan.Intent.Site, "at", account.Expires}
	said := change.T("notice.account."+string(account.Do), pairs...)
	if account.Do == change.AccountExtend && account.Expires.IsZero() {
		said.ID = "notice.account.endless"
	}
	asker := r.Requester
	if r.Under != nil {
		asker = r.Under.Requester
	}
	return Reply{Title: change.T("notice.account.title", "account", account.Name), Tone: Warning, Parts: []Part{
		Say("", said), Say(Hint, change.T("notice.account.hint", "person", asker)),
	}}
}

// dateNotice is about the date of an account that was approved with r.
func (s *Service) dateNotice(ctx context.Context, n change.Notice, r change.Request) (Reply, error) {
	want := r.Plan.Intent.Account
	a, err := s.o.Ledger.Account(ctx, r.Plan.Intent.Site, want.Name)
	if err != nil {
		return Reply{}, err
	}
	account, site, at := a.Name, a.Site, want.Expires
	if n.Kind == change.NoticeLeft {
		return Reply{Title: change.T("notice.left.title", "account", account), Tone: Warning, Parts: []Part{
			Say(Warning, change.T("notice.left", "account", account, "site", site, "at", at, "router", a.Router)),
			Say(Hint, change.T("notice.left.hint", "account", account, "site", site)),
		}}, nil
	}
	if !a.Expires.Equal(at) || !a.Removed.IsZero() || a.Expired {
		return Reply{Title: change.T("notice.expiring.title", "account", account), Parts: []Part{
			Say("", change.T("notice.expiring.changed", "account", account, "site", site)),
		}}, nil
	}
	switch n.Audience {
	case change.Audience{Channel: change.ChannelApprovals}:
		return Reply{Title: change.T("notice.late.title", "account", account), Tone: Warning, Parts: []Part{
			Say(Warning, change.T("notice.late", "account", account, "site", site, "at", at, "router", a.Router)),
		}}, nil
	case change.Audience{Person: a.Owner}:
		return Reply{Title: change.T("notice.expiring.title", "account", account), Tone: Warning, Parts: []Part{
			Say(Warning, change.T("notice.expiring.owner", "account", account, "site", site, "at", at)),
			Say(Hint, change.T("notice.expiring.owner.hint")),
		}}, nil
	}
	owner := change.T("common.unknown")
	if a.Owner != "" {
		owner = value(a.Owner)
	}
	return Reply{Title: change.T("notice.expiring.title", "account", account), Tone: Warning, Parts: []Part{
		Say(Warning, change.T("notice.expiring", "account", account, "site", site, "at", at, "owner", owner, "number", r.Number)),
		Say(Hint, change.T("notice.expiring.hint", "account", account, "site", site)),
	}}, nil
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
		said := change.T("notice.opened", "account", account, "site", site, "at", at)
		if account == "" {
			said = change.T("notice.opened.key", "site", site, "at", at)
		}
		return Reply{Title: change.T("notice.opened.title"), Tone: Warning, Parts: []Part{
			Say("", said),
			Say(Hint, change.T("notice.opened.hint")),
		}}
	case change.NoticeUnopened:
		said, hint := change.T("notice.unopened", "account", account, "site", site), change.T("notice.unopened.hint")
		if account == "" {
			said, hint = change.T("notice.unopened.key", "site", site), change.T("notice.unopened.key.hint", "site", site)
		}
		return Reply{Title: change.T("notice.unopened.title"), Tone: Warning, Parts: []Part{
			Say("", said), Say(Hint, hint),
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
	label := change.T("button.reveal", "account", v.Credentials.Account)
	if v.Credentials.Account == "" { // the key of a dial-in server
		label = change.T("button.reveal_key", "site", v.Credentials.Site)
	}
	return Button{Action: ActionReveal, Value: v.ID, Label: label, Style: Primary, Form: true}
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
