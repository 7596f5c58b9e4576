package commands

import (
	"cmp"
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/vpn"
)

// adduser plans a new account and shows the plan to its requester.
func (s *Service) adduser(ctx context.Context, c *call) (Reply, error) {
	intent, err := s.accountIntent(ctx, c)
	if err != nil {
		return Reply{}, err
	}
	return s.propose(ctx, c, intent, c.Args["yes"] != "")
}

// accountIntent builds the intent from the words.
func (s *Service) accountIntent(ctx context.Context, c *call) (change.Intent, error) {
	site, err := s.targetSite(ctx, c)
	if err != nil {
		return change.Intent{}, err
	}
	c.site = site
	if !c.Actor.Person.May(change.Operator, site) {
		return change.Intent{}, change.ErrNotAllowed
	}
	account := change.AccountIntent{Name: c.Args["name"], Address: c.Args["address"], Note: c.Args["note"]}
	account.Expires = endOf(c.Args["expires"], c.now, s.o.Location)
	if account.Handover, err = s.handover(ctx, c, site); err != nil {
		return change.Intent{}, err
	}
	if account.Owner, err = s.owner(ctx, c, account.Handover != ""); err != nil {
		return change.Intent{}, err
	}
	return change.Intent{Verb: "adduser", Site: site, Account: &account}, nil
}

// targetSite returns the site that was named, or the only one that has a dial-in
// server.
func (s *Service) targetSite(ctx context.Context, c *call) (string, error) {
	if c.site != "" {
		return c.site, nil
	}
	sites, err := s.dialinSites(ctx)
	if err != nil {
		return "", err
	}
	switch len(sites) {
	case 1:
		return sites[0].Name, nil
	case 0:
		return "", bad("adduser.nosite")
	}
	names := make([]string, len(sites))
	for i, site := range sites {
		names[i] = site.Name
	}
	return "", &ParseError{change.T("adduser.whichsite"), change.T("adduser.whichsite.hint", "sites", strings.Join(names, ", "))}
}

// owner returns the person whom the account is for. Somebody outside Slack can
// be named only when an operator hands the credentials over.
func (s *Service) owner(ctx context.Context, c *call, outside bool) (change.PersonID, error) {
	word := c.Args["for"]
	if strings.HasPrefix(word, "@") {
		p, err := s.mentioned(ctx, c, word)
		return p.ID, err
	}
	if !outside {
		return "", bad("parse.person", "what", "--for")
	}
	return change.Outside(word), nil
}

// mentioned returns the person whom "@U0123" names in the caller's workspace.
func (s *Service) mentioned(ctx context.Context, c *call, word string) (change.Person, error) {
	if c.Actor.Slack == nil {
		return change.Person{}, bad("refuse.terminal")
	}
	id := change.SlackID{Team: c.Actor.Slack.Team, User: strings.TrimPrefix(word, "@")}
	if s.o.Members != nil {
		if err := s.o.Members.Member(ctx, id); err != nil {
			return change.Person{}, err
		}
	}
	return s.o.People.Slack(id), nil
}

// propose plans intent, stores the draft and shows it; with submit it becomes a
// request at once.
func (s *Service) propose(ctx context.Context, c *call, intent change.Intent, submit bool) (Reply, error) {
	same, err := s.sameSubject(ctx, intent)
	if err != nil {
		return Reply{}, err
	}
	plan, sealed, err := s.plan(ctx, intent)
	if err != nil {
		return Reply{}, nothingToDo(intent, err)
	}
	if err := s.entitled(ctx, plan); err != nil {
		return Reply{}, err
	}
	rule := s.rule(plan)
	m, err := change.NewDraft(c.now, newID(), plan, c.Actor, rule, sealed)
	if err != nil {
		return Reply{}, nothingToDo(intent, err)
	}
	if !submit {
		receipt, err := s.commit(ctx, c, m)
		if err != nil {
			return Reply{}, err
		}
		return preview(*cmp.Or(receipt.Request, m.Request), same), nil
	}
	// The delivery is done with the second commit: after a death in between it
	// is carried out again, and the draft expires.
	receipt, err := s.o.Ledger.Commit(ctx, m)
	if err != nil {
		return Reply{}, err
	}
	draft := cmp.Or(receipt.Request, m.Request)
	r, err := s.move(ctx, c, draft.ID, func(r change.Request) (change.Move, error) { return r.Submit(c.now, c.Actor) })
	if err != nil {
		return Reply{}, err
	}
	return submitted(r), nil
}

// sameSubject returns the open requests about what intent is about. One that
// needs attention locks its subject.
func (s *Service) sameSubject(ctx context.Context, intent change.Intent) ([]change.Request, error) {
	subject := change.Request{Plan: change.Plan{Intent: intent}}.Subject()
	open, err := s.o.Ledger.Requests(ctx, change.Filter{States: openStates()})
	if err != nil {
		return nil, err
	}
	all := slices.Clone(open)
	open = slices.DeleteFunc(open, func(r change.Request) bool { return !vpn.SameName(r.Subject(), subject) || intent.Takes(r, all) })
	for _, r := range open {
		if r.State == change.NeedsAttention {
			return nil, &ParseError{
				change.T("refuse.locked", "number", r.Number), change.T("refuse.locked.hint", "number", r.Number),
			}
		}
	}
	return open, nil
}

// openStates are those of requests that somebody still waits for.
func openStates() []change.State {
	return []change.State{change.Pending, change.Approved, change.Applying, change.NeedsAttention}
}

// plan computes the plan for intent from what the routers hold now.
func (s *Service) plan(ctx context.Context, intent change.Intent) (change.Plan, []secret.Sealed, error) {
	switch {
	case intent.Resume != 0:
		return s.planResume(ctx, intent)
	case intent.Undo != 0 && intent.Account == nil:
		return s.planUndo(ctx, intent)
	case intent.Tunnel != "":
		return s.planTunnel(ctx, intent)
	case intent.Verb == verbVerbose:
		return s.planVerbose(ctx, intent)
	case slices.Contains([]string{verbDialInSetup, verbDialInSet, verbRotateL2TP}, intent.Verb):
		return s.planDialIn(ctx, intent)
	}
	return s.planAccount(ctx, intent)
}

// planAccount reads the router and computes the plan. The password that it makes
// is sealed before anything else is done with it.
func (s *Service) planAccount(ctx context.Context, intent change.Intent) (change.Plan, []secret.Sealed, error) {
	if intent.Account.Do != change.AccountNew {
		return s.planAccountChange(ctx, intent)
	}
	def, dialin, err := s.dialin(ctx, intent.Site)
	if err != nil {
		return change.Plan{}, nil, err
	}
	site, err := s.siteNamed(intent.Site)
	if err != nil {
		return change.Plan{}, nil, err
	}
	snapshot, err := s.snapshot(ctx, dialin.Router, vpn.AccountMenus()...)
	if err != nil {
		return change.Plan{}, nil, err
	}
	password := secret.Password()
	sealed := s.o.Key.Seal(secret.NewRef(), password)
	plan, err := vpn.PlanAddAccount(vpn.AddAccount{
		Intent: intent, Site: site, Definition: def.DefinitionRef, DialIn: dialin, Snapshot: snapshot, Now: time.Now(),
		Password: sealed.Ref, Mark: s.o.Key.Mark("password", password),
	})
	if err != nil {
		return change.Plan{}, nil, err
	}
	return plan, []secret.Sealed{sealed}, nil
}

// newID makes the name of a new request.
func newID() string { return strings.ToLower(rand.Text()[:16]) }
