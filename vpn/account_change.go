package vpn

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/ros/schema"
)

// LifeMenus returns the menus that a snapshot for PlanAccountChange holds. Only
// device-mode may be absent.
func LifeMenus() []string {
	return []string{menuServer, menuActive, menuProfile, menuSecret, menuMode, menuUserActive}
}

// AccountChange is what PlanAccountChange computes from.
type AccountChange struct {
	Intent     change.Intent // with Account, which says what is to be done
	Now        time.Time
	Definition change.DefinitionRef
	DialIn     DialIn // of an expiry only Site and Router count
	// Router is the server's, with the names under which the bot logs in: what ends
	// the bot's own session there is refused. A zero one tells of no name.
	Router   Router
	Snapshot change.Snapshot
	Known    change.Account // zero: the bot does not know the account
	// Password is the sealed password that the account is to have, Mark its key
	// mark, where what is done makes one.
	Password secret.Ref
	Mark     string
	// Undone is the request that is taken back, when Intent names one.
	Undone *change.Request
}

func (a AccountChange) validate() error {
	account := a.Intent.Account
	switch {
	case account == nil || account.Do == change.AccountNew:
		return errors.New("planning an account: no account that is there")
	case account.Do.Reveals() && (a.Password == "" || a.Mark == ""):
		return errors.New("planning an account: no password")
	case a.DialIn.Site != a.Intent.Site:
		return errors.New("planning an account: definition of another site")
	case a.Snapshot.Router != a.DialIn.Router:
		return fmt.Errorf("%w: router %s, want %s", ErrSnapshot, a.Snapshot.Router, a.DialIn.Router)
	case (a.Intent.Undo != 0) != (a.Undone != nil):
		return errors.New("planning an account: no request to take back")
	}
	for _, menu := range LifeMenus() {
		if _, ok := a.Snapshot.Menus[menu]; !ok && menu != menuMode {
			return fmt.Errorf("%w: %s was not read", ErrSnapshot, menu)
		}
	}
	return nil
}

// PlanAccountChange computes the plan that changes an account which stands on the
// router, or makes one again. The same input gives the same plan, byte for byte.
// It returns a *Refusal when that cannot or should not be done, and
// change.ErrEmptyPlan when it is done already.
func PlanAccountChange(in AccountChange) (change.Plan, error) {
	if err := in.validate(); err != nil {
		return change.Plan{}, err
	}
	account := *in.Intent.Account
	in.Intent.Account = &account
	p := accountPlan{AccountChange: in, account: &account}
	if err := p.make(); err != nil {
		return change.Plan{}, err
	}
	if err := p.unharmed(); err != nil {
		return change.Plan{}, err
	}
	plan := change.Plan{
		Intent: in.Intent, Definition: in.Definition, Routers: []string{in.DialIn.Router},
		Seen: p.seen(), Steps: p.steps, Reveal: p.reveal(), Summary: p.summary(), Blast: p.blast, Warnings: p.warnings,
	}
	for i := range plan.Steps {
		plan.Steps[i].ID, plan.Steps[i].Router = i+1, in.DialIn.Router
	}
	plan.State = change.StateDigest(plan.Seen)
	if plan.Empty() {
		return change.Plan{}, change.ErrEmptyPlan
	}
	return plan, nil
}

// accountPlan is a plan in the making.
type accountPlan struct {
	AccountChange
	account  *change.AccountIntent
	row      schema.Row   // the account's; nil when it is to be made again
	live     []schema.Row // the sessions that it has now
	kicked   []schema.Row // those that a kick names
	steps    []change.Step
	blast    []change.Text
	warnings []change.Text
}

// make fills in p.
func (p *accountPlan) make() error {
	switch p.account.Do {
	case change.AccountKick:
		return p.kick()
	case change.AccountRestore:
		return p.restore()
	}
	if err := p.find(); err != nil {
		return err
	}
	if err := p.unmoved(); err != nil {
		return err
	}
	p.describe()
	switch p.account.Do {
	case change.AccountRemove:
		p.remove()
		return nil
	case change.AccountDisable, change.AccountExpire:
		p.disable()
		return nil
	case change.AccountEnable:
		return p.enable()
	case change.AccountPassword:
		p.password()
		return nil
	case change.AccountExtend:
		return p.extend()
	}
	return fmt.Errorf("planning an account: no way to %q", p.account.Do)
}

// find looks for the one row that lets the account in.
func (p *accountPlan) find() error {
	name, site := p.account.Name, p.Intent.Site
	var rows []schema.Row
	elsewhere := ""
	for _, row := range p.Snapshot.Menus[menuSecret] {
		if row["name"] != name {
			continue
		}
		if dialsIn(row) {
			rows = append(rows, row)
		} else {
			elsewhere = defaulted(menuSecret, row, "service")
		}
	}
	switch {
	case len(rows) > 1:
		return refuse("several", "account", name, "router", p.DialIn.Router, "count", len(rows))
	case len(rows) == 0 && elsewhere != "":
		return refuse("service", "account", name, "site", site, "service", elsewhere)
	case len(rows) == 0:
		return p.unknown()
	}
	p.row = rows[0]
	p.live = p.sessions()
	return nil
}

// dialsIn tells whether a secret serves L2TP.
func dialsIn(row schema.Row) bool {
	service := defaulted(menuSecret, row, "service")
	return service == "l2tp" || service == "any"
}

// unknown refuses an account that is not there, with the name that was meant.
func (p *accountPlan) unknown() error {
	name, site := p.account.Name, p.Intent.Site
	var names []string
	for _, u := range Users(p.Snapshot) {
		if strings.EqualFold(u.Name, name) {
			return refuse("no_account_near", "account", name, "site", site, "near", u.Name)
		}
		names = append(names, u.Name)
	}
	if near := Nearest(name, names); near != "" {
		return refuse("no_account_near", "account", name, "site", site, "near", near)
	}
	return refuse("no_account", "account", name, "site", site)
}

// sessionMatch names the sessions of the account: those of L2TP, and all of a
// secret that serves everything, unless one of another service has the name too.
func (p *accountPlan) sessionMatch() schema.Row {
	match := schema.Row{"name": p.account.Name, "service": "l2tp"}
	if p.row != nil && defaulted(menuSecret, p.row, "service") == "any" && len(p.namesakes()) == 0 {
		delete(match, "service")
	}
	return match
}

// namesakes are secrets of the same name that serve something else.
func (p *accountPlan) namesakes() []schema.Row {
	var rows []schema.Row
	for _, row := range p.Snapshot.Menus[menuSecret] {
		if row["name"] == p.account.Name && !dialsIn(row) {
			rows = append(rows, row)
		}
	}
	return rows
}

func (p *accountPlan) sessions() []schema.Row {
	return p.Snapshot.Rows(change.Query{Menu: menuActive, Where: p.sessionMatch()})
}

// seen chooses the rows whose change makes the plan stale: every secret of the
// name, and the sessions that a kick names. Other sessions come and go.
func (p *accountPlan) seen() []change.Observation {
	queries := []change.Query{{Menu: menuSecret, Where: schema.Row{"name": p.account.Name}}}
	for _, session := range p.kicked {
		queries = append(queries, change.Query{Menu: menuActive, Where: kickMatch(session)})
	}
	if p.account.Do == change.AccountEnable || p.account.Do == change.AccountRestore {
		queries = append(queries, change.Query{Menu: menuMode})
	}
	if address := p.fixedAddress(); address != "" && p.account.Do == change.AccountRestore {
		queries = append(queries, change.Query{Menu: menuSecret, Where: schema.Row{"remote-address": address}})
	}
	seen := make([]change.Observation, len(queries))
	for i, q := range queries {
		seen[i] = p.Snapshot.Observe(q)
	}
	return seen
}

// fixedAddress is the one that the account always gets, "" when from a pool.
func (p *accountPlan) fixedAddress() string {
	if p.row != nil {
		return p.row["remote-address"]
	}
	return ""
}

// reveal is what the reader may open once the plan is applied.
func (p *accountPlan) reveal() *change.Credentials {
	if !p.account.Do.Reveals() {
		return nil
	}
	return &change.Credentials{
		Site: p.Intent.Site, Server: p.DialIn.Server, Account: p.account.Name, Reader: p.account.Reader(),
		Password: p.Password, PSK: p.DialIn.PSK, Renewed: true,
	}
}

func (p *accountPlan) say(id string, pairs ...any) {
	p.blast = append(p.blast, change.T("plan.account."+id, pairs...))
}

func (p *accountPlan) warn(id string, pairs ...any) {
	p.warnings = append(p.warnings, change.T("plan.warn."+id, pairs...))
}

// unsecret is a row as a plan shows it and as it is made again: what RouterOS says by
// itself left out, and no secret.
func unsecret(path string, row schema.Row) schema.Row {
	menu, _ := schema.Lookup(path)
	out := schema.Row{}
	for name, value := range row {
		if a, known := menu.Attr(name); known && !a.Secret && !a.ReadOnly && !a.Volatile && value != "" && value != a.Default {
			out[name] = value
		}
	}
	return out
}

// radius tells whether RADIUS let somebody in.
func radius(rows []schema.Row) bool {
	return slices.ContainsFunc(rows, func(r schema.Row) bool { return isTrue(r, menuActive, "radius") })
}
