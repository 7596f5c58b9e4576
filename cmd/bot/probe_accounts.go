package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/ros"
	"vpnbot/ros/schema"
)

const secretMenu = "/ppp/secret"

// tryAccounts tries what is assumed about an account, on one of its own.
func (p *probe) tryAccounts(ctx context.Context) {
	const odd = probeName + ` [x] (y) {z} "q" \ $ ; # ~ 陳小明`
	name := probeName + "-a"
	step, err := p.add(ctx, secretMenu, schema.Row{"name": name}, schema.Row{"name": name, "service": "l2tp", "comment": odd}, "password")
	if p.report.Write.Known && !slices.Contains(p.report.Write.Policies, "sensitive") {
		p.say("16", err == nil, "the password is taken", told(err))
	} else {
		p.skip("the writing login has the policy sensitive, or does not say", "16")
	}
	if err != nil {
		p.skip("an account could not be added: "+told(err), "2", "4", "6", "11", "13", "14", "18", "19", "25", "T9", "T12")
		return
	}
	rows, err := p.rows(ctx, secretMenu, schema.Row{"name": name})
	if err != nil {
		p.skip(err.Error(), "2", "11", "13", "14")
	} else {
		p.say("2", len(rows) == 1, "one row over the other login", fmt.Sprintf("%d rows", len(rows)))
	}
	for _, row := range rows {
		want := change.Mark(odd, probeRequest, step)
		p.say("11", row["comment"] == want, fmt.Sprintf("%q", want), fmt.Sprintf("%q", row["comment"]))
		last := row["last-logged-out"]
		p.say("14", last == "" || strings.Contains(last, "1970"), "1970 or nothing", fmt.Sprintf("%q", last))
		p.tryDefaults("13", secretMenu, row, "name", "service", "comment")
	}
	p.tryProplist(ctx, name)
	p.tryNames(ctx, name)
	p.tryPool(ctx)
}

// tryDefaults compares what a row shows beside what was written with the schema.
func (p *probe) tryDefaults(number, path string, row schema.Row, written ...string) {
	menu, _ := schema.Lookup(path)
	var other []string
	for _, a := range menu.Attrs {
		if a.Secret || a.ReadOnly || a.Volatile || a.Kind == schema.Bool && row[a.Name] == "" || slices.Contains(written, a.Name) {
			continue
		}
		if have := row[a.Name]; have != "" && a.Canonical(have) != a.Canonical(a.Default) {
			other = append(other, fmt.Sprintf("%s %s=%s (not %q)", path, a.Name, have, a.Default))
		}
	}
	if len(other) > 0 {
		p.found[number] = finding{"the schema's defaults", strings.Join(other, ", "), isNot}
		return
	}
	p.say(number, true, "the schema's defaults", "what it shows are they")
}

// tryProplist asks for attributes with and without a value, and for none at all.
func (p *probe) tryProplist(ctx context.Context, name string) {
	names := []string{"name", "remote-address"}
	rows, err := p.fleet.Ask(ctx, p.router.Name, secretMenu, names)
	rows = slices.DeleteFunc(rows, func(r schema.Row) bool { return r["name"] != name })
	if err != nil || len(rows) != 1 {
		p.skip(fmt.Sprintf("%d rows, %v", len(rows), err), "4")
	} else {
		p.say("4", len(rows[0]) == 1, "the name alone", "it sends "+strings.Join(slices.Sorted(maps.Keys(rows[0])), ", "))
	}
	_, err = p.fleet.Ask(ctx, p.router.Name, secretMenu, []string{"name", probeName})
	p.say("T12", err == nil, "taken", told(p.refused(err)))
}

// tryNames adds names that are taken, and one that differs in case.
func (p *probe) tryNames(ctx context.Context, name string) {
	const taken = "failure: secret with the same name already exists"
	for _, second := range []struct{ number, name, service string }{
		{"6", name, "l2tp"}, {"T9", name, "pptp"}, {"18", strings.ToUpper(name), "l2tp"},
	} {
		// Found by a comment that none has: otherwise it would not be sent at all.
		_, err := p.add(ctx, secretMenu, schema.Row{"name": second.name, "comment": "-"}, schema.Row{"name": second.name, "service": second.service}, "password")
		words, refused := refusal(err)
		switch {
		case err != nil && !refused:
			p.skip(told(err), second.number)
		case second.number == "18":
			p.say("18", err == nil, "taken", told(err))
		default:
			p.say(second.number, words == taken, fmt.Sprintf("refused: %q", taken), told(err))
		}
	}
}

// tryPool adds a pool, and an account with an address out of it.
func (p *probe) tryPool(ctx context.Context) {
	const ranges = "192.0.2.10-192.0.2.20,192.0.2.30,192.0.2.64/27"
	step, err := p.add(ctx, "/ip/pool", schema.Row{"name": probeName}, schema.Row{"name": probeName, "ranges": ranges})
	if err != nil {
		p.skip("a pool could not be added: "+told(err), "19", "25")
		return
	}
	if rows, err := p.rows(ctx, "/ip/pool", schema.Row{"name": probeName}); err != nil || len(rows) != 1 {
		p.skip(fmt.Sprintf("the pool of step %d: %d rows, %v", step, len(rows), err), "25")
	} else {
		forms := strings.Split(rows[0]["ranges"], ",")
		odd := slices.ContainsFunc(forms, func(f string) bool { return strings.Trim(f, "0123456789.-/") != "" || f == "" })
		p.say("25", len(forms) == 3 && !odd, ranges+", or the like", rows[0]["ranges"])
	}
	name := probeName + "-b"
	_, err = p.add(ctx, secretMenu, schema.Row{"name": name}, schema.Row{"name": name, "service": "l2tp", "remote-address": "192.0.2.15"}, "password")
	p.say("19", err == nil, "an address inside a pool is taken (which wins was not tried)", told(err))
}

// tryLogins logs in with a wrong password, and writes with the reading login.
func (p *probe) tryLogins(ctx context.Context) {
	wrong := p.router
	wrong.Read.Password = secret.New("not-the-password-" + probeName)
	if fleet, err := p.client(wrong, p.dial); err == nil {
		_, err = fleet.Snapshot(ctx, p.router.Name)
		fleet.Close()
		p.say("5", errors.Is(err, ros.ErrLogin), "a refusal, as such", told(err)+" (one failed login is in its log now)")
	}
	if p.report.Read.Known && slices.Contains(p.report.Read.Policies, "write") {
		p.skip("the reading login may write", "8")
		return
	}
	reader := p.router
	reader.Write = reader.Read
	fleet, err := p.client(reader, p.dial)
	if err != nil {
		p.skip(err.Error(), "8")
		return
	}
	defer fleet.Close()
	_, err = p.addBy(ctx, fleet, secretMenu, schema.Row{"name": probeName + "-c"}, schema.Row{"name": probeName + "-c"}, "password")
	words, refused := refusal(err)
	if err != nil && !refused {
		p.skip(told(err), "8")
		return
	}
	const want = "not enough permissions (9)"
	p.say("8", words == want, fmt.Sprintf("refused: %q", want), told(err))
}

// tryRefusals looks back at every refusal that was met, and at every answer.
func (p *probe) tryRefusals(context.Context) {
	var unknown []string
	for _, trap := range p.traps {
		if trap.Kind == ros.KindOther && trap.Category < 0 {
			unknown = append(unknown, fmt.Sprintf("%q", trap.Message))
		}
	}
	if len(p.traps) == 0 {
		p.skip("nothing was refused", "7")
	} else {
		p.say("7", len(unknown) == 0, "a category or a known text each", fmt.Sprintf("%d refusals, unknown: %s", len(p.traps), orNone(unknown)))
	}
	stats := p.fleet.Stats()[0]
	p.say("1", stats.Errors == 0, "every answer carries the tag of its command", fmt.Sprintf("%d commands, %d without an answer", stats.Commands, stats.Errors))
	if p.newer() {
		differ := slices.DeleteFunc(slices.Sorted(maps.Keys(p.found)), func(n string) bool { return p.found[n].verdict != isNot })
		p.say("C2", len(differ) == 0, "nothing else differs", "differs: "+orNone(differ))
	} else {
		p.skip("the version is no newer one", "C2")
	}
}

func (p *probe) newer() bool {
	return slices.ContainsFunc(p.report.Warnings, func(w ros.Warning) bool { return w.Kind == ros.WarnNewer })
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}
