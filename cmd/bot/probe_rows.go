package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/ros"
	"vpnbot/ros/schema"
)

// What belongs to a probe: names and comments begin so, and the marks are those of
// a request that there is none of. Addresses are those set aside for examples.
const (
	probeName    = "vpnbot-probe"
	probeRequest = 0
	cleanTimeout = time.Minute
)

// probeMenus are the menus that a probe writes into, what refers before what is
// referred to.
var probeMenus = []string{
	"/system/scheduler", "/ip/ipsec/policy", "/ip/ipsec/identity", "/ip/ipsec/peer", "/ip/ipsec/profile", "/ip/ipsec/proposal",
	"/ip/firewall/nat", "/ppp/secret", "/ip/pool",
}

// single is a vault that opens everything to a password of its own.
type single struct{ password secret.Secret }

// Open returns the password.
func (v single) Open(context.Context, secret.Ref) (secret.Secret, error) { return v.password, nil }

// add adds a row and returns the number of its step. secrets names the attributes
// that get a password of their own.
func (p *probe) add(ctx context.Context, menu string, match, row schema.Row, secrets ...string) (int, error) {
	return p.addBy(ctx, p.fleet, menu, match, row, secrets...)
}

func (p *probe) addBy(ctx context.Context, fleet *ros.Fleet, menu string, match, row schema.Row, secrets ...string) (int, error) {
	p.steps++
	step := change.Step{
		ID: p.steps, Router: p.router.Name, Menu: menu, Action: schema.Add, Class: change.Twin, Match: match, After: row.Clone(),
		Secrets: map[string]secret.Ref{},
	}
	if m, _ := schema.Lookup(menu); m.Comment && row["comment"] == "" {
		step.After["comment"] = probeName
	}
	for _, name := range secrets {
		step.Secrets[name] = secret.Ref(name)
	}
	return step.ID, p.refused(fleet.Execute(ctx, p.router.Name, probeRequest, step, single{secret.Password()}))
}

// refused keeps the refusals that were met.
func (p *probe) refused(err error) error {
	if trap, ok := errors.AsType[*ros.TrapError](err); ok {
		p.traps = append(p.traps, trap)
	}
	return err
}

// refusal returns the router's words of a refusal, and whether it was one.
func refusal(err error) (string, bool) {
	trap, ok := errors.AsType[*ros.TrapError](err)
	if !ok {
		return "", false
	}
	return trap.Message, true
}

// told says how a write ended.
func told(err error) string {
	if err == nil {
		return "taken"
	}
	if words, ok := refusal(err); ok {
		return fmt.Sprintf("refused: %q", words)
	}
	return err.Error()
}

// rows reads the rows of a menu that carry the mark of step, or all with a name.
func (p *probe) rows(ctx context.Context, menu string, where schema.Row) ([]schema.Row, error) {
	snap, err := p.fleet.Snapshot(ctx, p.router.Name, menu)
	if err != nil {
		return nil, err
	}
	return snap.Rows(change.Query{Menu: menu, Where: where}), nil
}

// stepRow reads the row that a step has added.
func (p *probe) stepRow(ctx context.Context, menu string, step int) (schema.Row, error) {
	rows, err := p.rows(ctx, menu, nil)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(rows, func(r schema.Row) bool { return change.HasMark(r["comment"], probeRequest, step) })
	if i < 0 {
		return nil, fmt.Errorf("the row of step %d is not in %s", step, menu)
	}
	return rows[i], nil
}

// ours tells whether a row is a probe's.
func ours(row schema.Row) bool {
	return strings.HasPrefix(row["name"], probeName) || row["name"] == change.GuardName(probeRequest) ||
		(strings.HasPrefix(row["comment"], probeName) && change.Unmarked(row["comment"]) != row["comment"])
}

// clean removes what probes have added, also when ctx has ended.
func (p *probe) clean(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTimeout)
	defer cancel()
	var errs []error
	for _, menu := range probeMenus {
		rows, err := p.rows(ctx, menu, nil)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, row := range rows {
			if !ours(row) || row["dynamic"] == "true" {
				continue
			}
			if err := p.remove(ctx, menu, row); err != nil {
				errs = append(errs, fmt.Errorf("a row is left behind: %w", err))
			}
		}
	}
	return errors.Join(errs...)
}

// remove removes one row of ours, which its name and comment tell from all others.
func (p *probe) remove(ctx context.Context, menu string, row schema.Row) error {
	match := schema.Row{}
	for _, name := range []string{"name", "comment"} {
		if m, _ := schema.Lookup(menu); row[name] != "" && (name == "name" || m.Comment) {
			match[name] = row[name]
		}
	}
	p.steps++
	return p.refused(p.fleet.Execute(ctx, p.router.Name, probeRequest, change.Step{
		ID: p.steps, Router: p.router.Name, Menu: menu, Action: schema.Remove, Match: match,
	}, nil))
}

// spare refuses a router that somebody may depend on.
func (p *probe) spare(ctx context.Context) error {
	menus := []string{"/ppp/secret", "/ppp/active", "/ip/ipsec/peer", "/ip/ipsec/policy", "/ip/ipsec/active-peers", "/interface/l2tp-server/server"}
	snap, err := p.fleet.Snapshot(ctx, p.router.Name, menus...)
	if err != nil {
		return err
	}
	var held []string
	for _, menu := range menus {
		n := 0
		for _, row := range snap.Menus[menu] {
			if menu == "/interface/l2tp-server/server" && row["enabled"] != "true" && row["enabled"] != "yes" {
				continue
			}
			if row["template"] != "true" && row["default"] != "true" {
				n++
			}
		}
		if n > 0 {
			held = append(held, fmt.Sprintf("%d in %s", n, menu))
		}
	}
	if len(held) == 0 || p.occupied {
		return nil
	}
	return fmt.Errorf("router %s is in use (%s): choose a spare one, or say --occupied", p.router.Name, strings.Join(held, ", "))
}
