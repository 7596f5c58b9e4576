//go:build !nodemo

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"vpnbot/change"
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

// atRouter looks at a router, or does something to it.
func (p *scene) atRouter(neg bool, args []string) {
	p.need(args, 3, "router SITE VERB …")
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
		p.need(rest, 3, "router SITE sets MENU NAME K=V…")
		set := r.Set
		if do == "forces" {
			set = r.Force
		}
		p.ts.Check(set(rest[0], strings.TrimPrefix(rest[1], "-"), p.pairs(rest[2:])))
	case "removes":
		p.need(rest, 2, "router SITE removes MENU NAME")
		p.ts.Check(r.Remove(rest[0], rest[1]))
	case "wrote":
		settle(time.Second)
		if got := strconv.Itoa(r.Writes()); (got == rest[0]) == neg {
			p.ts.Fatalf("%s was written %s times", o.Router, got)
		}
	case "is":
		p.strike(o, rest[0])
	case "next":
		p.trap(r, rest)
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
	hang := func(at rossim.When, drop int) rossim.Faults {
		return rossim.Faults{DropBefore: drop, OnWrite: func(_ int, when rossim.When, _ string, _ schema.Action) {
			if when == at {
				r.SetFaults(rossim.Faults{Hang: true})
			}
		}}
	}
	faults := map[string]rossim.Faults{
		"refused":     {TrapAt: 1, Trap: strings.Join(args[1:], " ")},
		"lost-before": {DropBefore: 1}, "lost-after": {DropAfter: 1},
		"reboot-before": {RebootBefore: 1}, "reboot-after": {RebootAfter: 1},
		"hang-before": hang(rossim.Before, 1), "hang-after": hang(rossim.After, 0),
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

func (p *scene) bot(_ bool, args []string) {
	p.need(args, 1, "bot stops|starts")
	switch {
	case args[0] == "stops":
		p.stopBot()
	case args[0] == "starts" && p.away:
		p.boot(nil)
		p.running = true
	case args[0] == "starts":
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

// events are the whole trail.
func (p *scene) events() []change.Recorded {
	p.t.Helper()
	var list []change.Recorded
	var out, problems bytes.Buffer
	o := order{Do: orderList, JSON: true, Limit: 100000}
	if p.running {
		out.WriteString(p.sys.perform(p.t.Context(), o).Out)
	} else if code := run(p.t.Context(), []string{"audit", "list", "--json", "--limit", "100000", "--config", p.configFile()}, &out, &problems); code != done {
		p.t.Fatalf("audit list: exit %d, %s", code, problems.String())
	}
	for d := json.NewDecoder(&out); d.More(); {
		var r change.Recorded
		if err := d.Decode(&r); err != nil {
			p.t.Fatal(err)
		}
		list = append(list, r)
	}
	return list
}

// trailHas counts events.
func (p *scene) trailHas(neg bool, args []string) {
	p.need(args, 2, "trail has [COUNT] KIND [K=V…]")
	rest := args[1:]
	count := -1
	if n, err := strconv.Atoi(rest[0]); err == nil {
		count, rest = n, rest[1:]
	}
	kind, want := change.EventKind(rest[0]), p.pairs(rest[1:])
	found := func() int {
		n := 0
		for _, r := range p.events() {
			if r.Event.Kind == kind && matches(r.Event, want) {
				n++
			}
		}
		return n
	}
	if count >= 0 {
		settle(time.Second)
	}
	p.expect(neg, func() bool { n := found(); return n == count || count < 0 && n > 0 }, func() string {
		var all strings.Builder
		for _, r := range p.events() {
			fmt.Fprintf(&all, "%d %s %s #%d %q→%q %s %v\n", r.Seq, r.Event.Kind, r.Event.Actor, r.Event.Request, r.Event.From, r.Event.To, r.Event.Site, r.Event.Facts)
		}
		return fmt.Sprintf("%d such events in\n%s", found(), all.String())
	})
}

func matches(e change.Event, want map[string]string) bool {
	for k, v := range want {
		have, ok := map[string]string{
			"by": string(e.Actor), "request": strconv.FormatInt(e.Request, 10), "from": string(e.From), "to": string(e.To), "site": e.Site,
		}[k]
		if !ok {
			have = e.Facts[k]
		}
		if have != v {
			return false
		}
	}
	return true
}

// ledger looks into the file, or flips one byte of an event where it keeps it.
func (p *scene) ledger(neg bool, args []string) {
	p.need(args, 1, "ledger damaged, ledger lacks TEXT")
	path := filepath.Join(p.dir, "ledger.db")
	b, err := os.ReadFile(path)
	p.ts.Check(err)
	switch {
	case args[0] == "lacks" && len(args) == 2:
		if bytes.Contains(b, []byte(args[1])) != neg {
			p.ts.Fatalf("the ledger holds %q: %v", args[1], !neg)
		}
	case args[0] == "damaged":
		kind := []byte(`"` + change.EventApproved + `"`)
		if !bytes.Contains(b, kind) {
			p.ts.Fatalf("no event to damage")
		}
		// Old pages hold the event as well; which one counts is the ledger's affair.
		p.ts.Check(os.WriteFile(path, bytes.ReplaceAll(b, kind, []byte(`"request.approvee"`)), 0o600))
		p.tampered = true
	default:
		p.ts.Fatalf("no ledger can %q", args)
	}
}

// searchSecrets looks for each secret in all that was said, logged and stored.
// The owner's window is the one place for credentials.
func (p *scene) searchSecrets() {
	p.t.Helper()
	places := map[string]string{"the log": p.log.String(), "the terminal": p.printed.String()}
	for _, c := range p.slack.Traffic() {
		if c.Method != "views.update" {
			places["Slack's "+c.Method] += c.Body
		}
	}
	for _, user := range cast() {
		for _, m := range p.messages(user) {
			places["what "+user+" sees"] += m.Plain()
		}
	}
	b, err := os.ReadFile(filepath.Join(p.dir, "ledger.db"))
	if err != nil {
		p.t.Fatal(err)
	}
	places["the ledger"] = string(b)
	for name, secret := range p.secretsKnown() {
		for place, text := range places {
			if strings.Contains(text, secret) {
				p.t.Errorf("%s stands in %s", name, place)
			}
		}
	}
}

// secretsKnown are the secrets in this world by what they are.
func (p *scene) secretsKnown() map[string]string {
	known := map[string]string{}
	files, err := filepath.Glob(filepath.Join(p.dir, "secrets", "*"))
	if err != nil || len(files) == 0 {
		p.t.Fatal(errors.Join(err, errors.New("no secret files")))
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			p.t.Fatal(err)
		}
		known[filepath.Base(file)] = strings.TrimSpace(string(b))
	}
	for _, o := range p.routers {
		for _, row := range o.router.Rows("/ppp/secret") {
			known["password of "+row["name"]] = row["password"]
		}
	}
	return known
}
