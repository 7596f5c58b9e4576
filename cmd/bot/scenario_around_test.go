//go:build !nodemo

package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"vpnbot/chat/slacksim"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
)

func (p *scene) office(site string) *office {
	i := slices.IndexFunc(p.routers, func(o *office) bool { return o.Name == site })
	if i < 0 {
		p.ts.Fatalf("no site %q", site)
	}
	return p.routers[i]
}

// carries tells whether the client of an account, in its session, pings an address.
func (p *scene) carries(r *rossim.Router, account, address string) bool {
	for _, row := range r.Rows("/ppp/active") {
		if row["name"] == account {
			return p.internet.PingFrom(netip.MustParseAddr(row["address"]), netip.MustParseAddr(address))
		}
	}
	return false
}

// atRouter looks at a router, or does something to it.
func (p *scene) atRouter(neg bool, args []string) {
	p.need(args, 2, "router SITE VERB …")
	o, do, rest := p.office(args[0]), args[1], args[2:]
	r := o.router
	switch do {
	case "has", "lacks":
		want := p.pairs(rest[1:])
		p.expect(neg != (do == "lacks"), func() bool { return slices.ContainsFunc(r.Rows(rest[0]), fits(want)) },
			func() string { return fmt.Sprint(without(r.Rows(rest[0]), "password")) })
	case "adds":
		_, err := r.Add(rest[0], p.pairs(rest[1:]))
		p.ts.Check(err)
	case "sets", "forces":
		p.need(rest, 3, "router SITE sets MENU ROW K=V…")
		set := r.Set
		if do == "forces" {
			set = r.Force
		}
		p.ts.Check(set(rest[0], p.rowOf(r, rest[0], rest[1]), p.pairs(rest[2:])))
	case "removes":
		p.need(rest, 2, "router SITE removes MENU ROW")
		p.ts.Check(r.Remove(rest[0], p.rowOf(r, rest[0], rest[1])))
	case "flushes":
		p.ts.Check(r.Flush("/ip/ipsec/installed-sa"))
	case "without":
		r.SetAbsent(rest...)
	case "dials":
		p.need(rest, 2, "router SITE dials ACCOUNT FROM")
		_, err := r.Connect(o.client(rest[0], rest[1]))
		p.ts.Check(err)
	case "carries":
		p.need(rest, 2, "router SITE carries ACCOUNT ADDRESS")
		p.expect(neg, func() bool { return p.carries(r, rest[0], rest[1]) }, func() string { return fmt.Sprint(r.Rows("/ip/ipsec/policy")) })
	case "loses":
		if r.Disconnect(rest[0]) == 0 {
			p.ts.Fatalf("%s is not connected", rest[0])
		}
	case "wrote":
		settle(time.Second)
		if got := strconv.Itoa(r.Writes()); (got == rest[0]) == neg {
			p.ts.Fatalf("%s was written %s times", o.Router, got)
		}
	case "is":
		p.strike(o, rest[0])
	case "next":
		p.trap(r, rest)
	case "at":
		p.atScript(o, rest)
	case "meddles":
		p.need(rest, 3, "router SITE meddles MENU NAME K=V…")
		row := p.pairs(rest[2:])
		r.SetFaults(rossim.Faults{OnWrite: func(n int, when rossim.When, _ string, _ schema.Action) {
			if n == 1 && when == rossim.After {
				_ = r.Set(rest[0], rest[1], row)
			}
		}})
	default:
		p.ts.Fatalf("no router can %q", do)
	}
}

// rowOf returns what finds a row: its name, "" for the one row of settings, or the
// ID of the last one that has the values K=V,….
func (p *scene) rowOf(r *rossim.Router, menu, row string) string {
	if row == "-" || !strings.Contains(row, "=") {
		return strings.TrimPrefix(row, "-")
	}
	rows := slices.DeleteFunc(r.Rows(menu), func(have schema.Row) bool { return !fits(p.pairs(strings.Split(row, ",")))(have) })
	if len(rows) == 0 {
		p.ts.Fatalf("no row of %s has %s: %v", menu, row, without(r.Rows(menu), "password"))
	}
	return rows[len(rows)-1][schema.ID]
}

// fits tells whether a row has each wanted value.
func fits(want map[string]string) func(schema.Row) bool {
	return func(r schema.Row) bool {
		for k, v := range want {
			if r[k] != v {
				return false
			}
		}
		return true
	}
}

// without returns rows that may be printed.
func without(rows []schema.Row, attr string) []schema.Row {
	for _, r := range rows {
		delete(r, attr)
	}
	return rows
}

// strike changes how a whole router behaves from now on.
func (p *scene) strike(o *office, fault string) {
	switch fault {
	case "away":
		o.router.SetFaults(rossim.Faults{Refuse: true})
		o.router.Drop()
	case "back":
		o.router.SetFaults(rossim.Faults{})
	case "hanging":
		o.router.SetFaults(rossim.Faults{Hang: true})
	case "slow":
		o.router.SetFaults(rossim.Faults{Latency: 3 * time.Second})
	case "rebooted":
		o.router.Reboot()
	case "replaced":
		cert, _, err := rossim.Certificate("127.0.0.1")
		p.ts.Check(err)
		o.router.SetCertificate(cert)
		o.router.Drop()
	default:
		p.ts.Fatalf("no router is ever %q", fault)
	}
}

// trap prepares what happens to the next write.
func (p *scene) trap(r *rossim.Router, args []string) {
	hangs := func(r *rossim.Router) { r.SetFaults(rossim.Faults{Hang: true}) }
	faults := map[string]rossim.Faults{
		"refused":     {Strikes: []rossim.Strike{{Kind: rossim.FaultTrap, Class: rossim.Writes, Text: strings.Join(args[1:], " ")}}},
		"lost-before": rossim.AtWrite(1, rossim.FaultDrop, rossim.Before), "lost-after": rossim.AtWrite(1, rossim.FaultDrop, rossim.After),
		"reboot-before": rossim.AtWrite(1, rossim.FaultReboot, rossim.Before), "reboot-after": rossim.AtWrite(1, rossim.FaultReboot, rossim.After),
		// The router hears nothing more: it forgets this write, or answers it as the last one.
		"hang-before": {Strikes: []rossim.Strike{
			{Kind: rossim.FaultAdministrator, Class: rossim.Writes, Do: hangs},
			{Kind: rossim.FaultHalfOpen, Class: rossim.Writes},
		}},
		"hang-after": {Strikes: []rossim.Strike{{Kind: rossim.FaultAdministrator, At: rossim.After, Class: rossim.Writes, Do: hangs}}},
	}
	if args[0] == "refused-at" {
		n, err := strconv.Atoi(args[1])
		p.ts.Check(err)
		faults["refused-at"] = rossim.AtWrite(n, rossim.FaultTrap, rossim.Before)
		faults["refused-at"].Strikes[0].Text = strings.Join(args[2:], " ")
	}
	f, ok := faults[args[0]]
	if !ok {
		p.ts.Fatalf("no write is ever %q", args[0])
	}
	r.SetFaults(f)
}

// atSlack does something to Slack, or by it.
func (p *scene) atSlack(_ bool, args []string) {
	p.need(args, 1, "slack VERB …")
	ctx := p.t.Context()
	switch do := args[0]; {
	case do == "fails" && len(args) == 3:
		p.slack.FailNext(args[1], slacksim.Fault{Kind: slacksim.FaultCode, Code: args[2]})
	case do == "loses" && len(args) == 2:
		p.slack.FailNext(args[1], slacksim.Fault{Kind: slacksim.FaultUnknown})
	case do == "is" && len(args) == 2:
		p.away = args[1] == "away"
		p.slack.SetOutage(p.away)
		if !p.away && p.running {
			p.until(p.t, "a connection", func() bool { return p.slack.Connections() > 0 })
		}
	case do == "repeats":
		p.verdict(false, p.slack.Redeliver(ctx))
	case do == "forges" && len(args) == 4:
		user := cast()[args[1]]
		p.acts(user)
		p.verdict(false, p.slack.Forge(ctx, user, room(user), args[2], p.expand(args[3])))
	case do == "forges-form" && len(args) == 4:
		user := cast()[args[1]]
		meta, err := json.Marshal(map[string]string{"a": args[2], "v": p.expand(args[3]), "c": room(user)})
		p.ts.Check(err)
		p.acts(user)
		p.verdict(false, p.slack.ForgeSubmit(ctx, user, args[2], string(meta), nil))
	default:
		p.ts.Fatalf("Slack cannot %q", args)
	}
}

var reference = regexp.MustCompile(`\{(id|digest) (\d+)\}`)

// expand puts in the ID or digest of a request.
func (p *scene) expand(text string) string {
	return reference.ReplaceAllStringFunc(text, func(ref string) string {
		m := reference.FindStringSubmatch(ref)
		n, _ := strconv.ParseInt(m[2], 10, 64)
		r, err := p.sys.store.RequestByNumber(p.t.Context(), n)
		p.ts.Check(err)
		if m[1] == "id" {
			return r.ID
		}
		return r.Digest
	})
}

// checkpoint keeps the last one in a file, as a witness does.
func (p *scene) checkpoint(_ bool, args []string) {
	p.need(args, 2, "checkpoint kept FILE")
	c, err := p.sys.store.Checkpoint(p.t.Context())
	p.ts.Check(err)
	p.ts.Check(os.WriteFile(p.ts.MkAbs(args[1]), c.Note, 0o600))
}

func (p *scene) bot(_ bool, args []string) {
	p.need(args, 1, "bot stops|starts|starts-unchecked")
	p.unchecked = args[0] == "starts-unchecked"
	switch {
	case args[0] == "stops":
		p.stopBot()
	case args[0] == "starts" && p.away:
		p.boot(nil)
		p.running = true
	case args[0] == "starts", p.unchecked:
		p.start(nil)
		p.running = true
	default:
		p.ts.Fatalf("the bot cannot %q", args[0])
	}
}

func (p *scene) stopBot() {
	p.stop()
	p.running = false
}

func (p *scene) config(_ bool, args []string) {
	p.need(args, 2, "config OLD NEW")
	was, is := strings.ReplaceAll(args[0], `\n`, "\n"), strings.ReplaceAll(args[1], `\n`, "\n")
	b, err := os.ReadFile(p.configFile())
	p.ts.Check(err)
	if n := strings.Count(string(b), was); n != 1 {
		p.ts.Fatalf("%q stands %d times in the configuration", was, n)
	}
	p.ts.Check(os.WriteFile(p.configFile(), []byte(strings.Replace(string(b), was, is, 1)), 0o600))
}

// terminal runs a command: through the running bot as its socket would, or on
// its own.
func (p *scene) terminal(neg bool, args []string) {
	p.need(args, 1, "terminal ARGS…")
	p.printed.Reset()
	code := 0
	if p.running {
		o := order{Do: strings.Join(args, " "), Limit: 1000}
		if args[0] == orderAsk {
			o = order{Do: orderAsk, Line: strings.Join(args[1:], " ")}
		}
		res := p.sys.perform(p.t.Context(), o)
		code = res.Code
		p.printed.WriteString(res.Out + res.Err)
	} else {
		code = run(p.t.Context(), append(args, "--config", p.configFile()), &p.printed, &p.printed)
	}
	if (code == done) == neg {
		p.ts.Fatalf("exit code %d\n%s", code, p.printed.String())
	}
}

func (p *scene) out(neg bool, words []string) {
	if holds(p.printed.String(), words) == neg {
		p.ts.Fatalf("printed:\n%s", p.printed.String())
	}
}
