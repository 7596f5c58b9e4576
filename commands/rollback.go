package commands

import (
	"context"
	"slices"

	"vpnbot/change"
	"vpnbot/vpn"
)

// rollback plans to take an applied request back, and shows the plan to its
// requester.
func (s *Service) rollback(ctx context.Context, c *call) (Reply, error) {
	r, err := s.numbered(ctx, c)
	if err != nil {
		return Reply{}, err
	}
	if !r.Plan.Intent.Grants(c.Actor.Person, change.Operator) {
		return Reply{}, change.ErrNotAllowed
	}
	if !slices.Contains([]change.State{change.Applied, change.Unproven, change.Proven, change.Committed}, r.State) {
		return Reply{}, &ParseError{
			change.T("rollback.state", "number", r.Number, "state", r.State), change.T("rollback.state.hint", "number", r.Number),
		}
	}
	if r.Plan.Intent.Account == nil {
		return Reply{}, irreversible(r)
	}
	intent, err := s.undoAccount(ctx, c, r)
	if err != nil {
		return Reply{}, err
	}
	return s.propose(ctx, c, intent, c.Args["yes"] != "")
}

// irreversible says why a request about something else than an account is not
// taken back, and what to do instead.
func irreversible(r change.Request) error {
	number := []any{"number", r.Number}
	switch r.Plan.Intent.Verb {
	case verbRekey:
		return &ParseError{change.T("rollback.rekey", number...), change.T("rollback.rekey.hint", number...)}
	case verbRedo, verbRotate:
		return &ParseError{change.T("rollback.key", number...), change.T("rollback.key.hint", number...)}
	}
	return &ParseError{change.T("rollback.other", number...), change.T("rollback.other.hint", number...)}
}

// undoAccount builds the intent that takes a change to an account back. Where a
// password has to be made, it is said who gets it.
func (s *Service) undoAccount(ctx context.Context, c *call, r change.Request) (change.Intent, error) {
	site := r.Plan.Intent.Site
	known, err := s.recorded(ctx, site, r.Plan.Intent.Account.Name)
	if err != nil {
		return change.Intent{}, err
	}
	want, err := vpn.UndoAccount(r, known)
	if err != nil {
		return change.Intent{}, err
	}
	if want.Do.Reveals() {
		if err := s.reader(ctx, c, site, known, &want); err != nil {
			return change.Intent{}, err
		}
	}
	return change.Intent{Verb: c.Verb, Site: site, Account: &want, Undo: r.Number}, nil
}

// rule is what an intent needs. Taking something back needs no less than doing the
// same by its own verb would.
func (s *Service) rule(intent change.Intent) change.Rule {
	rule := s.o.Rules.For(intent.Verb, intent.Sites()...)
	if intent.Undo == 0 || intent.Account == nil {
		return rule
	}
	own := s.o.Rules.For(verbOf(intent.Account.Do), intent.Sites()...)
	plain := len(rule.People) == 0 && rule.Reason == ""
	if own.Approvals > rule.Approvals || own.Approvals == rule.Approvals && plain {
		return own
	}
	return rule
}

// verbOf is the verb that does by itself what act does.
func verbOf(act change.AccountAct) string {
	for verb, does := range acts {
		if does == act {
			return verb
		}
	}
	return "adduser"
}
