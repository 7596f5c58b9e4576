package commands

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/vpn"
)

// acts are what the verbs of an account's life do.
var acts = map[string]change.AccountAct{
	"deluser": change.AccountRemove, "disable": change.AccountDisable, "enable": change.AccountEnable,
	"passwd": change.AccountPassword, "kick": change.AccountKick, "extend": change.AccountExtend,
}

// accountVerbs are the rows of the verbs of an account's life.
func accountVerbs(yes Slot) []Verb {
	name := []Slot{{Name: "name", Kind: AccountValue, Shown: "NAME"}}
	site := Slot{Name: "site", Also: []string{"據點"}, Kind: SiteValue, Optional: true, Shown: "SITE"}
	person, operator := handing()
	person.Optional = true
	kick := Slot{Name: "kick", Also: []string{"斷線"}, Kind: SwitchValue, Optional: true}
	verb := func(name string, slots []Slot, flags []Slot, also ...string) Verb {
		return Verb{
			Name: name, Also: also, Need: change.Operator, Changing: true, Reads: true,
			Slots: slots, Flags: append(flags, yes), run: (*Service).changeAccount,
		}
	}
	return []Verb{
		verb("deluser", name, []Slot{site}, "刪除帳號", "移除帳號", "del"),
		verb("disable", name, []Slot{site}, "停用", "停用帳號"),
		verb("enable", name, []Slot{site}, "啟用", "啟用帳號"),
		verb("passwd", name, []Slot{site, person, operator, kick}, "換密碼", "重設密碼", "password"),
		verb("extend", append(name, Slot{Name: "until", Kind: UntilValue, Shown: "90d|DATE|never"}), []Slot{site}, "延長", "展延", "展期"),
		verb("kick", name, []Slot{site}, "踢下線", "中斷連線"),
		{
			Name: "rollback", Also: []string{"復原", "回復"}, Need: change.Operator, Changing: true, Reads: true,
			Slots: []Slot{{Name: "request", Kind: NumberValue, Shown: "N"}}, Flags: []Slot{person, operator, yes}, run: (*Service).rollback,
		},
	}
}

// handing are the flags that say who gets credentials.
func handing() (person, operator Slot) {
	return Slot{Name: "for", Also: []string{"給", "持有人"}, Kind: OwnerValue, Shown: "@PERSON"},
		Slot{Name: "handover", Also: []string{"轉交"}, Kind: PersonValue, Optional: true, Shown: "@OPERATOR"}
}

// changeAccount plans a change to an account that is there and shows the plan to
// its requester.
func (s *Service) changeAccount(ctx context.Context, c *call) (Reply, error) {
	site, err := s.accountSite(ctx, c)
	if err != nil {
		return Reply{}, err
	}
	c.site = site
	if !c.Actor.Person.May(change.Operator, site) {
		return Reply{}, change.ErrNotAllowed
	}
	known, err := s.known(ctx, site, c.Args["name"])
	if err != nil {
		return Reply{}, err
	}
	account := change.AccountIntent{Name: c.Args["name"], Do: acts[c.Verb], Owner: known.Owner, Kick: c.Args["kick"] != ""}
	if account.Do.Reveals() {
		if err := s.reader(ctx, c, site, known, &account); err != nil {
			return Reply{}, err
		}
	}
	if account.Do == change.AccountExtend {
		account.Expires = endOf(c.Args["until"], later(c.now, known.Expires), s.o.Location)
	}
	intent := change.Intent{Verb: c.Verb, Site: site, Account: &account}
	return s.propose(ctx, c, intent, c.Args["yes"] != "")
}

// later is the later of two times: 90d more are counted from a date that is still to
// come.
func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// known is what the bot knows of an account; nothing, when it is removed or was
// made by hand: one that is there again is somebody's new one.
func (s *Service) known(ctx context.Context, site, name string) (change.Account, error) {
	a, err := s.recorded(ctx, site, name)
	if !a.Removed.IsZero() {
		return change.Account{}, err
	}
	return a, err
}

// recorded is known, of an account that is removed, too.
func (s *Service) recorded(ctx context.Context, site, name string) (change.Account, error) {
	a, err := s.o.Ledger.Account(ctx, site, name)
	if errors.Is(err, change.ErrNotFound) {
		return change.Account{}, nil
	}
	return a, err
}

// accountSite returns the site that was named, or the only one at which the caller
// may change accounts and that has this one. A site that cannot be read might have
// it, too.
func (s *Service) accountSite(ctx context.Context, c *call) (string, error) {
	if c.site != "" {
		return c.site, nil
	}
	sites, err := s.dialinSites(ctx)
	if err != nil {
		return "", err
	}
	sites = slices.DeleteFunc(sites, func(site vpn.Site) bool { return !c.Actor.Person.May(change.Operator, site.Name) })
	switch len(sites) {
	case 0:
		return "", bad("adduser.nosite")
	case 1:
		return sites[0].Name, nil
	}
	var has, silent, names []string
	for _, r := range s.read(ctx, sites, menuSecret, menuActive) {
		if r.err != nil {
			silent = append(silent, r.site)
			continue
		}
		if holdsAccount(r.snapshot, c.Args["name"]) {
			has = append(has, r.site)
		}
		for _, u := range vpn.Users(r.snapshot) {
			names = append(names, u.Name)
		}
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	has, silent = slices.Compact(has), slices.Compact(silent)
	switch {
	case len(has) == 1 && len(silent) == 0:
		return has[0], nil
	case len(has) > 1:
		return "", &ParseError{change.T("account.several"), change.T("account.several.hint", "sites", strings.Join(has, ", "))}
	case len(silent) > 0:
		return "", &ParseError{change.T("account.unread", "sites", strings.Join(silent, ", ")), change.T("account.unread.hint")}
	}
	problem := bad("account.nowhere")
	if near := vpn.Nearest(c.Args["name"], names); near != "" {
		problem.Hint = change.T("parse.nearest", "near", near)
	}
	return "", problem
}

// holdsAccount tells whether the router has an account or a session of that name.
func holdsAccount(snapshot change.Snapshot, name string) bool {
	return slices.ContainsFunc(vpn.Users(snapshot), func(u vpn.AccountRow) bool { return u.Name == name }) ||
		slices.ContainsFunc(vpn.Sessions(snapshot), func(r vpn.SessionRow) bool { return r.Account == name })
}

// dialinSites are those with a dial-in server.
func (s *Service) dialinSites(ctx context.Context) ([]vpn.Site, error) {
	var defined []vpn.Site
	for _, site := range s.o.Estate.Sites {
		_, err := s.o.Ledger.Definition(ctx, vpn.KindDialIn, site.Name)
		switch {
		case err == nil:
			defined = append(defined, site)
		case !errors.Is(err, change.ErrNotFound):
			return nil, err
		}
	}
	return defined, nil
}

// reader settles who may open the new password of an account: its owner, or the
// operator who hands it over. Of an account that nobody knows the owner of, the
// wish must name one.
func (s *Service) reader(ctx context.Context, c *call, site string, known change.Account, account *change.AccountIntent) error {
	operator, err := s.handover(ctx, c, site)
	if err != nil {
		return err
	}
	if c.Args["for"] != "" {
		owner, err := s.owner(ctx, c, operator != "")
		if err != nil {
			return err
		}
		if known.Owner != "" && known.Owner != owner {
			return bad("passwd.owner")
		}
		account.Owner = owner
	}
	account.Handover = operator
	return s.readable(ctx, site, known, account)
}

// readable checks that somebody can open what the account will be given.
func (s *Service) readable(ctx context.Context, site string, known change.Account, account *change.AccountIntent) error {
	if account.Owner == "" {
		return bad("passwd.whose")
	}
	_, outside := account.Owner.Outside()
	if !outside && account.Handover == "" {
		return s.member(ctx, account.Owner)
	}
	if account.Handover == "" {
		account.Handover = known.Reader
	}
	p, ok := s.o.People.Person(account.Handover)
	if !ok || !p.May(change.Operator, site) {
		return bad("passwd.handover")
	}
	return nil
}

// member refuses an owner who is not in the workspace any more.
func (s *Service) member(ctx context.Context, owner change.PersonID) error {
	if s.o.Members == nil {
		return nil
	}
	ids := []change.SlackID{}
	if id, ok := owner.Slack(); ok {
		ids = append(ids, id)
	}
	if p, ok := s.o.People.Person(owner); ok {
		ids = append(ids, p.Slack...)
	}
	err := error(bad("passwd.gone"))
	for _, id := range ids {
		if err = s.o.Members.Member(ctx, id); err == nil {
			return nil
		}
	}
	return err
}

// planAccountChange reads the router and computes the plan of a change to an
// account that is there, or was. A password is sealed before anything else is done
// with it.
func (s *Service) planAccountChange(ctx context.Context, intent change.Intent) (change.Plan, []secret.Sealed, error) {
	if intent.Account.Do == change.AccountExpire {
		return change.Plan{}, nil, change.ErrNotAllowed // nobody's wish
	}
	def, dialin, err := s.dialin(ctx, intent.Site)
	if err != nil {
		return change.Plan{}, nil, err
	}
	look := s.known
	if intent.Undo != 0 {
		look = s.recorded
	}
	known, err := look(ctx, intent.Site, intent.Account.Name)
	if err != nil {
		return change.Plan{}, nil, err
	}
	in := vpn.AccountChange{Intent: intent, Now: time.Now(), Definition: def.DefinitionRef, DialIn: dialin, Known: known}
	if intent.Undo != 0 {
		r, err := s.o.Ledger.RequestByNumber(ctx, intent.Undo)
		if err != nil {
			return change.Plan{}, nil, err
		}
		in.Undone = &r
	}
	in.Router, _ = s.o.Estate.Router(dialin.Router)
	if in.Snapshot, err = s.snapshot(ctx, dialin.Router, vpn.LifeMenus()...); err != nil {
		return change.Plan{}, nil, err
	}
	var sealed []secret.Sealed
	if intent.Account.Do.Reveals() {
		password := secret.Password()
		sealed = []secret.Sealed{s.o.Key.Seal(secret.NewRef(), password)}
		in.Password, in.Mark = sealed[0].Ref, s.o.Key.Mark("password", password)
	}
	plan, err := vpn.PlanAccountChange(in)
	return plan, sealed, err
}

// dialin returns a site's dial-in server and its definition.
func (s *Service) dialin(ctx context.Context, site string) (change.Definition, vpn.DialIn, error) {
	def, err := s.o.Ledger.Definition(ctx, vpn.KindDialIn, site)
	if errors.Is(err, change.ErrNotFound) {
		if at, ok := s.o.Estate.Site(site); ok && at.Foreign {
			return def, vpn.DialIn{}, foreignSite(at)
		}
		return def, vpn.DialIn{}, vpn.NoDefinition(site)
	}
	if err != nil {
		return def, vpn.DialIn{}, err
	}
	dialin, err := vpn.DecodeDialIn(def)
	return def, dialin, err
}

// handover returns the operator who hands credentials over, when one is named.
func (s *Service) handover(ctx context.Context, c *call, site string) (change.PersonID, error) {
	word := c.Args["handover"]
	if word == "" {
		return "", nil
	}
	p, err := s.mentioned(ctx, c, word)
	if err != nil {
		return "", err
	}
	if !p.May(change.Operator, site) {
		return "", bad("adduser.handover")
	}
	return p.ID, nil
}
