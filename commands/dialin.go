package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/vpn"
)

// The verbs that change a dial-in server.
const (
	verbDialInSetup = "dialin setup"
	verbDialInSet   = "dialin set"
	verbRotateL2TP  = "rotate l2tp"
)

// dialIn plans a change to a site's dial-in server and shows the plan to its
// requester.
func (s *Service) dialIn(ctx context.Context, c *call) (Reply, error) {
	intent := change.Intent{Verb: c.Verb, Site: c.site, Settings: settingsOf(c.Args)}
	if !intent.Grants(c.Actor.Person, change.Operator) {
		return Reply{}, change.ErrNotAllowed
	}
	if word := c.Args["handover"]; word != "" {
		p, err := s.mentioned(ctx, c, word)
		if err != nil {
			return Reply{}, err
		}
		if !p.May(change.Operator, c.site) {
			return Reply{}, bad("adduser.handover")
		}
		intent.Handover = p.ID
	}
	if c.Verb == verbDialInSet && len(intent.Settings) == 0 {
		return Reply{}, bad("dialin.nothing")
	}
	var err error
	if intent.Far, err = s.reaching(ctx, intent); err != nil {
		return Reply{}, err
	}
	if !intent.Grants(c.Actor.Person, change.Operator) { // at the other site too
		return Reply{}, change.ErrNotAllowed
	}
	return s.propose(ctx, c, intent, c.Args["yes"] != "")
}

// planDialIn reads the router and computes the plan. A key that it makes is sealed
// before anything else is done with it.
func (s *Service) planDialIn(ctx context.Context, intent change.Intent) (change.Plan, []secret.Sealed, error) {
	in, err := s.setupDialIn(ctx, intent)
	if err != nil {
		return change.Plan{}, nil, err
	}
	in.Router, _ = s.o.Estate.Router(in.DialIn.Router)
	if plan, sealed, ok, err := s.planReach(ctx, in); ok || err != nil {
		return plan, sealed, err
	}
	if in.Snapshot, err = s.snapshot(ctx, in.DialIn.Router, vpn.SetupMenus()...); err != nil {
		return change.Plan{}, nil, err
	}
	var sealed []secret.Sealed
	rotates := slices.Contains([]string{intent.Verb, intent.Undoes}, verbRotateL2TP)
	if rotates || vpn.NeedsKey(in.Snapshot) {
		psk := secret.PSK()
		sealed = []secret.Sealed{s.o.Key.Seal(secret.NewRef(), psk)}
		in.PSK, in.Mark = sealed[0].Ref, s.o.Key.Mark("psk", psk)
	}
	planner := vpn.PlanDialIn
	switch {
	case rotates && intent.Undo != 0:
		planner = vpn.PlanUndoRotateL2TP
	case rotates:
		planner = vpn.PlanRotateL2TP
	}
	plan, err := planner(in)
	return plan, sealed, err
}

// setupDialIn gathers what the ledger and the configuration say.
func (s *Service) setupDialIn(ctx context.Context, intent change.Intent) (vpn.SetupDialIn, error) {
	in := vpn.SetupDialIn{Intent: intent, Definition: change.DefinitionRef{Kind: vpn.KindDialIn, Name: intent.Site}}
	var err error
	if in.Site, err = s.siteNamed(intent.Site); err != nil {
		return in, err
	}
	if in.Site.Foreign {
		return in, foreignSite(in.Site)
	}
	def, err := s.o.Ledger.Definition(ctx, vpn.KindDialIn, intent.Site)
	switch {
	case err == nil:
		held, err := vpn.DecodeDialIn(def)
		if err != nil {
			return in, err
		}
		in.Definition, in.Held, in.DialIn = def.DefinitionRef, &held, held
	case !errors.Is(err, change.ErrNotFound):
		return in, fmt.Errorf("reading definition: %w", err)
	case intent.Verb != verbDialInSetup:
		return in, vpn.NoDefinition(intent.Site)
	}
	if in.Owners, err = s.o.Ledger.Accounts(ctx, intent.Site); err != nil {
		return in, fmt.Errorf("reading accounts: %w", err)
	}
	if intent.Verb == verbRotateL2TP || intent.Undo != 0 {
		return in, nil
	}
	in.DialIn = in.DialIn.WithSettings(in.Site, intent.Settings)
	if err := vpn.CheckDialIn(in.DialIn, s.o.Estate); err != nil {
		return in, err
	}
	if in.Tunnels, err = s.tunnels(ctx); err != nil {
		return in, err
	}
	dialins, err := s.dialins(ctx)
	if err != nil {
		return in, err
	}
	return in, vpn.CheckReach(in.DialIn, s.o.Estate, in.Tunnels, dialins)
}
