package vpn

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/ros/schema"
	"vpnbot/vpn/ike"
)

// The menus that setting up a dial-in server looks at besides AccountMenus and
// those of a negotiation.
const (
	menuInterface = "/interface"
	menuGRE       = "/interface/gre"
	menuIPIP      = "/interface/ipip"
	menuEoIP      = "/interface/eoip"
	menuList      = "/interface/list"
	menuMember    = "/interface/list/member"
	menuFilter    = "/ip/firewall/filter"
	menuMangle    = "/ip/firewall/mangle"
	menuLease     = "/ip/dhcp-server/lease"
	menuDNS       = "/ip/dns"
	menuRaw       = "/ip/firewall/raw"
	menuRule      = "/routing/rule"
	menuRule6     = "/ip/route/rule" // in RouterOS 6
	menuCalls     = "/interface/l2tp-client"
)

// SetupMenus returns the menus that a snapshot for PlanDialIn and PlanRotateL2TP
// holds. Those that not every router has may be absent: device-mode, kinds of
// interfaces, and one of the two menus of routing rules.
func SetupMenus() []string {
	menus := slices.Concat(AccountMenus(), ike.Menus(), arpMenus(), someARPMenus(), []string{
		menuUserActive,
		menuInterface, menuGRE, menuIPIP, menuList, menuMember, menuFilter, menuNAT, menuMangle, menuLease, menuDNS, menuRaw, menuRoute, menuRule, menuRule6, menuCalls,
	})
	slices.Sort(menus)
	return slices.Compact(menus)
}

// arpMenus are the kinds of interfaces that have an arp of their own, on every
// router.
func arpMenus() []string {
	return []string{"/interface/bonding", "/interface/bridge", menuEoIP, "/interface/ethernet", "/interface/vlan", "/interface/vrrp"}
}

// someARPMenus are those that only some versions, boards or packages bring.
func someARPMenus() []string {
	return []string{"/interface/macvlan", "/interface/mesh", "/interface/vxlan", "/interface/wifi", "/interface/wireless"}
}

// mayLack tells whether a router may be without a menu. Rules it has in one of two.
func (s *setup) mayLack(menu string) bool {
	return menu == menuMode || slices.Contains(someARPMenus(), menu) || menu == menuRule && s.Snapshot.Menus[menuRule6] != nil || menu == menuRule6
}

// SetupDialIn is what PlanDialIn computes from.
type SetupDialIn struct {
	Intent     change.Intent
	Site       Site
	Definition change.DefinitionRef // of the version that holds; version 0 when there is none
	// DialIn is the server as it is to be, with Setup. Held is the one that the
	// ledger holds, nil for none: a plan that changes nothing is empty.
	DialIn   DialIn
	Held     *DialIn
	Router   Router           // with the names under which the bot logs in there
	Snapshot change.Snapshot  // SetupMenus of its router
	Owners   []change.Account // the accounts at this site that the ledger knows
	Tunnels  []Tunnel         // every definition: they lead to what clients reach
	// PSK is the sealed key that the server is to get, Mark its key mark. Both are
	// empty when the server keeps the key that it has: see NeedsKey.
	PSK  secret.Ref
	Mark string
	// Model judges whether clients will get in.
	Model ike.Model
}

// NeedsKey tells whether setting up d brings a pre-shared key to the server: when
// nobody uses one there yet. A key that clients have is left to "rotate l2tp".
func NeedsKey(s change.Snapshot) bool {
	server := schema.Row{}
	if rows := s.Menus[menuServer]; len(rows) > 0 {
		server = rows[0]
	}
	return !isTrue(server, menuServer, "enabled") || defaulted(menuServer, server, "use-ipsec") == "no"
}

// setup is the work on one plan.
type setup struct {
	SetupDialIn
	steps    []change.Step
	blast    []change.Text
	warnings []change.Text
}

// PlanDialIn computes the plan that makes a site's dial-in server as it is
// defined: pool, PPP profile, the default IPsec profile and proposal, firewall,
// the way back from the LAN, and at the end the server itself. The same input
// gives the same plan. It returns a *Refusal when the server cannot or should not
// be so, and when the bot itself comes through it.
func PlanDialIn(in SetupDialIn) (change.Plan, error) {
	s := &setup{SetupDialIn: in}
	if err := s.validate(); err != nil {
		return change.Plan{}, err
	}
	for _, part := range []func() error{
		s.checkRouter, s.checkRanges, s.pool, s.profile, s.algorithms, s.template, s.overshadowed, s.answers, s.firewall, s.lanReturn, s.unmarked, s.translation, s.server, s.foresee, s.unharmed,
	} {
		if err := part(); err != nil {
			return change.Plan{}, err
		}
	}
	plan, err := s.defined("dialin")
	switch {
	case err != nil || len(s.Intent.Settings) == 0 || plan.Defines == nil:
	case len(plan.Steps) == 0:
		plan.Summary = change.T("plan.dialin.alone", "site", s.Intent.Site, "router", s.DialIn.Router, "changed", spoken(s.Intent.Settings))
	case s.Held != nil && s.Held.Setup != nil:
		plan.Summary = change.T("plan.dialin.changed", "site", s.Intent.Site, "changed", spoken(s.Intent.Settings), "online", len(s.sessions()))
	}
	return plan, err
}

// spoken are settings as people type them.
func spoken(settings []change.Setting) string {
	words := make([]string, len(settings))
	for i, set := range settings {
		words[i] = set.Key + "=" + set.Value
	}
	return strings.Join(words, " ")
}

func (s *setup) validate() error {
	switch {
	case s.DialIn.Setup == nil:
		return errors.New("planning a dial-in server: definition says nothing of its setup")
	case s.DialIn.Site != s.Intent.Site || s.Site.Name != s.Intent.Site:
		return errors.New("planning a dial-in server: definition of another site")
	case NeedsKey(s.Snapshot) != (s.PSK != "") || (s.PSK == "") != (s.Mark == ""):
		return errors.New("planning a dial-in server: a key that is not wanted, or none that is")
	}
	return s.covered()
}

// covered checks that the snapshot is of the server's router and complete.
func (s *setup) covered() error {
	if s.Snapshot.Router != s.DialIn.Router {
		return fmt.Errorf("%w: router %s, want %s", ErrSnapshot, s.Snapshot.Router, s.DialIn.Router)
	}
	for _, menu := range SetupMenus() {
		if _, ok := s.Snapshot.Menus[menu]; !ok && !s.mayLack(menu) {
			return fmt.Errorf("%w: %s was not read", ErrSnapshot, menu)
		}
	}
	return nil
}

// plan puts together what was found. Every menu that was judged is watched in
// whole: a rule that somebody adds meanwhile may undo what was planned.
func (s *setup) plan(verb string) change.Plan {
	p := change.Plan{
		Intent: s.Intent, Definition: s.Definition, Routers: []string{s.DialIn.Router}, Steps: s.steps,
		Summary:  change.T("plan."+verb+".summary", "site", s.Intent.Site, "online", len(s.sessions())),
		Blast:    s.blast,
		Warnings: s.warnings,
	}
	for i := range p.Steps {
		p.Steps[i].ID, p.Steps[i].Router = i+1, s.DialIn.Router
	}
	for _, menu := range SetupMenus() {
		if menu != menuActive && menu != menuUserActive { // they come and go
			p.Seen = append(p.Seen, s.Snapshot.Observe(change.Query{Menu: menu}))
		}
	}
	p.State = change.StateDigest(p.Seen)
	return p
}

// rows returns the rows of menu that fit.
func (s *setup) rows(menu string, where schema.Row) []schema.Row {
	return s.Snapshot.Rows(change.Query{Menu: menu, Where: where})
}

// row returns the first of them, or nil.
func (s *setup) row(menu string, where schema.Row) schema.Row {
	if rows := s.rows(menu, where); len(rows) > 0 {
		return rows[0]
	}
	return nil
}

func (s *setup) sessions() []SessionRow { return Sessions(s.Snapshot) }

// add plans a new row.
func (s *setup) add(menu string, match, row schema.Row, why change.Text) *change.Step {
	s.steps = append(s.steps, change.Step{
		Menu: menu, Action: schema.Add, Class: change.Twin, Match: match, After: canonical(menu, row), Why: why,
	})
	return &s.steps[len(s.steps)-1]
}

// set plans the values of want that row does not have, and none when it has them
// all. The old ones stand in Before, for undo. It tells whether there was
// anything to do.
func (s *setup) set(menu string, match, row, want schema.Row, why change.Text) bool {
	step := change.Step{
		Menu: menu, Action: schema.Change, Class: change.InPlace, Match: match, Before: schema.Row{}, After: schema.Row{}, Why: why,
	}
	table, _ := schema.Lookup(menu)
	for name, value := range want {
		if table.Same(name, defaulted(menu, row, name), value) {
			continue
		}
		if old, had := row[name]; had {
			step.Before[name] = old
		}
		step.After[name] = table.Canonical(name, value)
	}
	if len(step.After) == 0 {
		return false
	}
	s.steps = append(s.steps, step)
	return true
}

func (s *setup) warn(id string, pairs ...any) {
	s.warnings = append(s.warnings, change.T("plan.warn."+id, pairs...))
}

func (s *setup) affects(id string, pairs ...any) {
	s.blast = append(s.blast, change.T("plan.dialin.blast."+id, pairs...))
}

// ranges is the pool as RouterOS writes it.
func (s *setup) ranges() string { return strings.Join(s.DialIn.Setup.Ranges, ",") }
