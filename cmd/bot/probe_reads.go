package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"vpnbot/ros"
	"vpnbot/ros/schema"
)

// tryReads tries what needs no row of ours.
func (p *probe) tryReads(ctx context.Context) {
	p.trySettings(ctx)
	p.tryRights()
	p.tryForms(ctx)
	p.tryCertificate(ctx)
	trap, err := p.trapOf(ctx, "/vpnbot/probe", "name")
	if err != nil {
		p.skip(err.Error(), "9", "T7")
		return
	}
	p.say("9", trap.Kind == ros.KindUnknownCommand, "no such command", fmt.Sprintf("%q", trap.Message))
	words, err := p.trapOf(ctx, "/system/identity", "name", "=vpnbot-probe=x")
	if err != nil {
		p.skip(err.Error(), "T7")
		return
	}
	wantMenu, wantName := "no such command prefix", "unknown parameter"
	if v, err := schema.ParseVersion(p.report.Version); err == nil && v.Compare(schema.Version{Major: 7, Minor: 23}) >= 0 {
		wantMenu, wantName = "no such command or directory", "bad parameter"
	}
	p.say("T7", strings.HasPrefix(trap.Message, wantMenu) && strings.TrimSpace(words.Message) == wantName,
		fmt.Sprintf("%q, %q", wantMenu, wantName), fmt.Sprintf("%q, %q", trap.Message, words.Message))
}

// trapOf asks for what must be refused.
func (p *probe) trapOf(ctx context.Context, menu, name string, words ...string) (*ros.TrapError, error) {
	rows, err := p.fleet.Ask(ctx, p.router.Name, menu, []string{name}, words...)
	if trap, ok := errors.AsType[*ros.TrapError](p.refused(err)); ok {
		return trap, nil
	}
	if err == nil {
		err = fmt.Errorf("%s answered %d rows", menu, len(rows))
	}
	return nil, err
}

// trySettings tries the menus with one row.
func (p *probe) trySettings(ctx context.Context) {
	if rows, err := p.fleet.Ask(ctx, p.router.Name, "/interface/l2tp-server/server", []string{schema.ID, "enabled"}); err != nil {
		p.skip(err.Error(), "28")
	} else {
		p.say("28", len(rows) == 1 && rows[0][schema.ID] == "", "one row without .id", fmt.Sprintf("%d rows, the first %v", len(rows), rows[:min(1, len(rows))]))
	}
	names := []string{"mode", "flagged", "l2tp", "ipsec", "scheduler"}
	rows, err := p.fleet.Ask(ctx, p.router.Name, "/system/device-mode", names)
	if err != nil || len(rows) == 0 {
		p.skip(fmt.Sprintf("no device mode (%v)", err), "26", "27")
		return
	}
	ok := rows[0]["mode"] != ""
	for _, name := range names[1:] {
		_, given := rows[0][name]
		ok = ok && (!given || slices.Contains([]string{"yes", "no", "true", "false"}, rows[0][name]))
	}
	p.say("26", ok, "mode, and yes or no for the others", fmt.Sprint(rows[0]))
	if p.report.Device.Flagged {
		return // 27 is tried with the first schedule
	}
	p.skip("the router is not flagged", "27")
}

// tryRights tries what the logins may see of themselves.
func (p *probe) tryRights() {
	for _, a := range []ros.Access{p.report.Read, p.report.Write} {
		p.say("30", a.Known, "both logins find their user and group", fmt.Sprintf("%s: found %v", a.User, a.Known))
		if a.Known {
			p.say("31", slices.Contains(a.Policies, "api"), "a list with api in it", strings.Join(a.Policies, ","))
		}
	}
	if p.report.Read.Known != p.report.Write.Known {
		p.found["30"] = finding{"both logins find their user and group", "one of them does not", isNot}
	}
}

// tryForms tries in which form rows come that are there already.
func (p *probe) tryForms(ctx context.Context) {
	rows, err := p.fleet.Ask(ctx, p.router.Name, "/ip/address", []string{"address", "dynamic"})
	switch odd := slices.IndexFunc(rows, func(r schema.Row) bool { return r["dynamic"] != "true" && r["dynamic"] != "false" }); {
	case err != nil:
		p.skip(err.Error(), "23")
	case len(rows) == 0:
		p.skip("the router has no address", "23")
	case odd >= 0:
		p.say("23", false, "dynamic is true or false", fmt.Sprint(rows[odd]))
	default:
		p.say("23", true, "dynamic is true or false", fmt.Sprintf("%d rows, all of them", len(rows)))
	}
	for _, m := range []struct {
		number, menu string
		names        []string
	}{
		{"24", "/ip/dhcp-server", []string{"name", "interface", "address-pool", "disabled"}},
		{"91", "/interface", []string{"name", "type", "slave"}},
	} {
		rows, err := p.fleet.Ask(ctx, p.router.Name, m.menu, m.names)
		switch {
		case err != nil:
			p.say(m.number, false, strings.Join(m.names, ", "), told(p.refused(err)))
		case len(rows) == 0:
			p.skip(m.menu+" is empty", m.number)
		default:
			missing := slices.DeleteFunc(slices.Clone(m.names), func(n string) bool { return n == "slave" || rows[0][n] != "" })
			p.say(m.number, len(missing) == 0, strings.Join(m.names, ", "), fmt.Sprintf("the first row has %s", strings.Join(slices.Sorted(maps.Keys(rows[0])), ", ")))
		}
	}
}

// tryCertificate tries TLS.
func (p *probe) tryCertificate(ctx context.Context) {
	pin := p.report.Certificate.Fingerprint
	if pin == "" {
		p.skip("a plain connection", "32", "33")
		return
	}
	p.say("32", true, "a certificate over TLS 1.2 or newer", pin)
	rows, err := p.fleet.Ask(ctx, p.router.Name, "/certificate", []string{"name", "fingerprint"})
	if err != nil || len(rows) == 0 {
		p.skip(fmt.Sprintf("%d certificates are shown (%v)", len(rows), err), "33")
		return
	}
	digits := strings.TrimPrefix(pin, "sha256:")
	shown := slices.ContainsFunc(rows, func(r schema.Row) bool {
		return strings.EqualFold(strings.ReplaceAll(r["fingerprint"], ":", ""), digits)
	})
	p.say("33", shown, digits, fmt.Sprintf("one of %d certificates: %v", len(rows), shown))
}
