package vpn

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/ros/schema"
)

// The menus that planning an account looks at.
const (
	menuServer  = "/interface/l2tp-server/server"
	menuAddress = "/ip/address"
	menuDHCP    = "/ip/dhcp-server"
	menuPool    = "/ip/pool"
	menuActive  = "/ppp/active"
	menuProfile = "/ppp/profile"
	menuSecret  = "/ppp/secret"
	menuMode    = "/system/device-mode"
)

// AccountMenus returns the menus that a snapshot for PlanAddAccount, Users and
// Sessions holds. Only device-mode may be absent: old routers do not have it.
func AccountMenus() []string {
	return []string{menuServer, menuAddress, menuDHCP, menuPool, menuActive, menuProfile, menuSecret, menuMode}
}

// ErrSnapshot is returned when a snapshot cannot answer what a planner asks.
var ErrSnapshot = errors.New("snapshot does not fit the plan")

// AddAccount is what PlanAddAccount computes from.
type AddAccount struct {
	Intent     change.Intent // with Account
	Site       Site
	Definition change.DefinitionRef
	DialIn     DialIn
	Snapshot   change.Snapshot
	Now        time.Time
	Password   secret.Ref // the sealed password that the account is to have
	Mark       string     // its key mark
}

func (a AddAccount) validate() error {
	switch {
	case a.Intent.Account == nil:
		return errors.New("planning an account: intent has no account")
	case a.Password == "" || a.Mark == "":
		return errors.New("planning an account: no password")
	case a.DialIn.Site != a.Intent.Site || a.Site.Name != a.Intent.Site:
		return errors.New("planning an account: definition of another site")
	case a.Snapshot.Router != a.DialIn.Router:
		return fmt.Errorf("%w: router %s, want %s", ErrSnapshot, a.Snapshot.Router, a.DialIn.Router)
	}
	for _, menu := range AccountMenus() {
		if _, ok := a.Snapshot.Menus[menu]; !ok && menu != menuMode {
			return fmt.Errorf("%w: %s was not read", ErrSnapshot, menu)
		}
	}
	return nil
}

// PlanAddAccount computes the plan that makes a new account. The same input
// gives the same plan, byte for byte. It returns a *Refusal when the account
// cannot or should not come to be.
func PlanAddAccount(in AddAccount) (change.Plan, error) {
	if err := in.validate(); err != nil {
		return change.Plan{}, err
	}
	in = in.canonical()
	if err := in.check(); err != nil {
		return change.Plan{}, err
	}
	account := in.Intent.Account
	plan := change.Plan{
		Intent:     in.Intent,
		Definition: in.Definition,
		Routers:    []string{in.DialIn.Router},
		Seen:       in.seen(),
		Steps:      []change.Step{in.step()},
		Reveal: &change.Credentials{
			Site: in.Intent.Site, Server: in.DialIn.Server, Account: account.Name,
			Reader: account.Reader(), Password: in.Password, PSK: in.DialIn.PSK,
		},
		Summary:  in.summary(),
		Blast:    in.blast(),
		Warnings: in.warnings(),
	}
	plan.State = change.StateDigest(plan.Seen)
	return plan, nil
}

// canonical returns a with the address in the one form that rows are compared
// in. The caller's intent stays as it is.
func (a AddAccount) canonical() AddAccount {
	account := *a.Intent.Account
	account.Address = schema.Attr{Kind: schema.Address}.Canonical(account.Address)
	a.Intent.Account = &account
	return a
}

func (a AddAccount) step() change.Step {
	account := a.Intent.Account
	after := schema.Row{
		"name": account.Name, "service": "l2tp", "profile": a.DialIn.Profile, "comment": accountComment(*account),
	}
	if account.Address != "" {
		after["remote-address"] = account.Address
	}
	return change.Step{
		ID: 1, Router: a.DialIn.Router, Menu: menuSecret, Action: schema.Add, Class: change.Twin,
		Match:   schema.Row{"name": account.Name},
		After:   after,
		Secrets: map[string]secret.Ref{"password": a.Password},
		Marks:   map[string]string{"password": a.Mark},
		Why:     change.T("plan.adduser.step"),
	}
}

// accountComment tells people at the router whose account it is and why.
func accountComment(a change.AccountIntent) string {
	owner := string(a.Owner)
	if name, ok := a.Owner.Outside(); ok {
		owner = name
	}
	switch {
	case a.Note == "":
		return owner
	case owner == "":
		return a.Note
	}
	return owner + ": " + a.Note
}

// seen chooses the rows whose change makes the plan stale, and no others: two
// accounts that are planned side by side do not overtake each other.
func (a AddAccount) seen() []change.Observation {
	account := a.Intent.Account
	queries := []change.Query{
		{Menu: menuSecret, Where: schema.Row{"name": account.Name}},
		{Menu: menuActive, Where: schema.Row{"name": account.Name}},
		{Menu: menuServer},
		{Menu: menuProfile, Where: schema.Row{"name": a.DialIn.Profile}},
		{Menu: menuMode},
	}
	if account.Address == "" {
		queries = append(queries, change.Query{Menu: menuPool, Where: schema.Row{"name": a.DialIn.Pool}})
	} else {
		queries = append(queries,
			change.Query{Menu: menuSecret, Where: schema.Row{"remote-address": account.Address}},
			change.Query{Menu: menuActive, Where: schema.Row{"address": account.Address}},
			change.Query{Menu: menuPool},
			change.Query{Menu: menuDHCP},
			change.Query{Menu: menuAddress, Where: schema.Row{"dynamic": "false"}},
		)
	}
	seen := make([]change.Observation, len(queries))
	for i, q := range queries {
		seen[i] = a.Snapshot.Observe(q)
	}
	return seen
}

// accountName is what RouterOS and every built-in VPN client take unchanged:
// Windows reads a backslash as a domain and refuses most punctuation, and a name
// of another script comes in different bytes from different clients.
var accountName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,30}[A-Za-z0-9_-])?$`)

// CheckAccountName returns a *Refusal when RouterOS or a VPN client would refuse
// or alter name. It never repeats the name, which may be a pasted password.
func CheckAccountName(name string) error {
	if !accountName.MatchString(name) {
		return refuse("name")
	}
	return nil
}

// check returns the first reason why the account must not be made.
func (a AddAccount) check() error {
	account := a.Intent.Account
	if err := CheckAccountName(account.Name); err != nil {
		return err
	}
	if !plainText(account.Note, maxNote) {
		return refuse("note", "limit", maxNote)
	}
	if at := account.Expires; !at.IsZero() && !a.Now.Before(at) {
		return refuse("date_past", "at", at)
	}
	for _, check := range []func() error{a.checkRouter, a.checkTaken, a.checkProfile, a.checkAddress} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (a AddAccount) checkRouter() error {
	site, router := a.Intent.Site, a.DialIn.Router
	if mode := a.row(menuMode, nil); mode != nil {
		if isTrue(mode, menuMode, "flagged") {
			return refuse("flagged", "router", router)
		}
		if l2tp, known := mode["l2tp"]; known && l2tp != "true" && l2tp != "yes" {
			return refuse("device_mode", "router", router, "mode", mode["mode"])
		}
	}
	if server := a.row(menuServer, nil); server == nil || !isTrue(server, menuServer, "enabled") {
		return refuse("server_off", "site", site, "router", router)
	}
	return nil
}

func (a AddAccount) checkTaken() error {
	name := a.Intent.Account.Name
	rows := a.Snapshot.Menus[menuSecret]
	if slices.ContainsFunc(rows, func(r schema.Row) bool { return r["name"] == name }) {
		return refuse("exists", "account", name, "site", a.Intent.Site)
	}
	i := slices.IndexFunc(rows, func(r schema.Row) bool { return strings.EqualFold(r["name"], name) })
	if i >= 0 {
		return refuse("exists_case", "account", name, "other", ReadableBytes(rows[i]["name"]), "site", a.Intent.Site)
	}
	// A session without its account outlives a removed one, or comes from RADIUS.
	// It would pass for the new account's first connection.
	if a.row(menuActive, schema.Row{"name": name}) != nil {
		return refuse("session_lives", "account", name, "site", a.Intent.Site)
	}
	return nil
}

func (a AddAccount) checkProfile() error {
	if a.row(menuProfile, schema.Row{"name": a.DialIn.Profile}) == nil {
		return refuse("profile", "profile", a.DialIn.Profile, "router", a.DialIn.Router)
	}
	return nil
}

// row returns the first row of menu that where names, or nil.
func (a AddAccount) row(menu string, where schema.Row) schema.Row {
	rows := a.Snapshot.Rows(change.Query{Menu: menu, Where: where})
	if len(rows) == 0 {
		return nil
	}
	return rows[0]
}

func isTrue(row schema.Row, path, attr string) bool {
	menu, _ := schema.Lookup(path)
	return menu.Same(attr, row[attr], "true")
}
