//go:build !nodemo

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"vpnbot/change"
)

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

// ledger looks into the file, or does to it what somebody on the host could.
func (p *scene) ledger(neg bool, args []string) {
	p.need(args, 1, "ledger damaged|lacks TEXT|copied|put-back")
	path := filepath.Join(p.dir, "ledger.db")
	b, err := os.ReadFile(path)
	p.ts.Check(err)
	switch {
	case args[0] == "copied":
		p.copied = b
	case args[0] == "put-back":
		p.ts.Check(os.WriteFile(path, p.copied, 0o600))
		p.tampered = true
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
	windows := ""
	places := map[string]string{"the log": p.log.String(), "the terminal": p.printed.String()}
	for _, c := range p.slack.Traffic() {
		if c.Method == "views.update" {
			windows += c.Body
			continue
		}
		places["Slack's "+c.Method] += c.Body
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
	known := p.secretsKnown()
	if !p.tampered {
		p.control(windows, known)
	}
	for name, secret := range known {
		for place, text := range places {
			if strings.Contains(text, secret) {
				p.t.Errorf("%s stands in %s", name, place)
			}
		}
	}
}

// control makes sure that the search would find what there is: whatever was
// opened stands in what was sent for the owner's window.
func (p *scene) control(windows string, known map[string]string) {
	for _, r := range p.events() {
		e := r.Event
		if e.Kind != change.EventRevealed || e.Facts["openings"] != "1" {
			continue
		}
		shown := false
		for name, password := range known {
			// The key of a dial-in server belongs to no account.
			its := e.Facts["account"] == "" || strings.HasPrefix(name, passwordOf(e.Facts["account"])+", ")
			shown = shown || its && strings.Contains(windows, password)
		}
		if !shown {
			p.t.Errorf("the password of %s was opened and is found nowhere", e.Facts["account"])
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
	p.learn()
	for password, account := range p.passwords {
		known[passwordOf(account)+", "+password[:3]] = password
	}
	return known
}

// passwordOf begins the name of every password that an account has had.
func passwordOf(account string) string { return "password of " + account }

// learn remembers every password that stands on a router: one that was replaced
// is a secret still.
func (p *scene) learn() {
	for _, o := range p.routers {
		for _, row := range o.router.Rows("/ppp/secret") {
			if row["password"] != "" {
				p.passwords[row["password"]] = row["name"]
			}
		}
	}
}
