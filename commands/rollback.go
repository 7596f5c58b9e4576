package commands

import (
	"context"

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
	switch {
	case r.State == change.NeedsAttention:
		return Reply{}, cannot("attention", "number", r.Number)
	case !applied(r):
		return Reply{}, &ParseError{
			change.T("rollback.state", "number", r.Number, "state", r.State), change.T("rollback.state.hint", "number", r.Number),
		}
	}
	if r.Plan.Intent.Account == nil {
		intent := change.Intent{
			Verb: c.Verb, Site: r.Plan.Intent.Site, Far: r.Plan.Intent.Far, Tunnel: tunnelOf(r), Undo: r.Number, Undoes: askedWith(r),
		}
		if err := noReader(c, r.Number, intent.Undoes == verbRotateL2TP); err != nil {
			return Reply{}, err
		}
		if intent.Handover, err = s.handover(ctx, c, intent.Site); err != nil {
			return Reply{}, err
		}
		return s.propose(ctx, c, intent, c.Args["yes"] != "")
	}
	intent, err := s.undoAccount(ctx, c, r)
	if err != nil {
		return Reply{}, err
	}
	return s.propose(ctx, c, intent, c.Args["yes"] != "")
}

// noReader refuses to be told who gets what a rollback does not make: no password
// comes of it, and a key only with one of "rotate l2tp", for the owners of accounts.
func noReader(c *call, number int64, key bool) error {
	switch {
	case key && c.Args["for"] != "":
		return cannot("key_for", "number", number)
	case !key && c.Args["for"] != "":
		return cannot("no_reader", "number", number, "flag", "--for")
	case !key && c.Args["handover"] != "":
		return cannot("no_reader", "number", number, "flag", "--handover")
	}
	return nil
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
	} else if err := noReader(c, r.Number, false); err != nil {
		return change.Intent{}, err
	}
	return change.Intent{Verb: c.Verb, Site: site, Account: &want, Undo: r.Number}, nil
}

// rule is what a plan needs. Taking something back needs no less than doing the same
// by its own verb would.
func (s *Service) rule(plan change.Plan) change.Rule {
	intent := plan.Intent
	rule := s.o.Rules.For(intent.Verb, intent.Sites()...)
	if intent.Undo == 0 {
		return rule
	}
	return s.o.Rules.For(amounts(plan), intent.Sites()...).And(rule)
}

// amounts is the verb that does by itself what a rollback does.
func amounts(plan change.Plan) string {
	if a := plan.Intent.Account; a != nil {
		return verbOf(a.Do)
	}
	switch {
	case plan.Intent.Tunnel == "":
		return plan.Intent.Undoes
	case plan.Retires:
		return verbRemove
	case manner(change.Request{Plan: plan}) == "add":
		return verbAdd
	case plan.Defines != nil:
		return verbSet
	}
	return verbRedo
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
