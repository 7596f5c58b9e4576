package apply_test

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/ros"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
	"vpnbot/vpn/ike"
)

// desk is one router that people dial in to, as they leave it, drawn by chance.
type desk struct {
	Version  string
	Tables   rossim.Tables
	Secrets  []schema.Row // in order; those of mei are what the changes are about
	Dangling string       // name of a row whose reference points nowhere, "" none
	Online   []string     // accounts that are connected
	Rows     map[string][]schema.Row
	Opened   bool // WinBox has left empty values behind
}

// drawDesk draws a router with a server that works, or about so.
func drawDesk(t *rapid.T) desk {
	d := desk{
		Version: rapid.SampledFrom(rossim.Profiles()).Draw(t, "version"),
		Tables:  rossim.Tables{InUseDangles: true, SecretPerService: rapid.Bool().Draw(t, "a secret per service")},
		Opened:  rapid.Bool().Draw(t, "left open"),
	}
	comment := func() string { return rapid.SampledFrom(comments).Draw(t, "comment") }
	for _, name := range rapid.Permutation([]string{"mei", "Mei", "chen", "\xaa\xf8", `q"u$o\te`, "mei2", "old", "branch"}).Draw(t, "accounts") {
		if name != "mei" && rapid.IntRange(0, 2).Draw(t, name) == 0 || name == "mei" && rapid.IntRange(0, 5).Draw(t, name) == 0 {
			continue
		}
		d.Secrets = append(d.Secrets, drawSecret(t, name, comment()))
		if row := d.Secrets[len(d.Secrets)-1]; row["disabled"] != "yes" && rapid.Bool().Draw(t, "connected") {
			d.Online = append(d.Online, name)
		}
	}
	if rapid.IntRange(0, 4).Draw(t, "namesake") == 4 {
		d.Secrets = append(d.Secrets, schema.Row{"name": "mei", "password": "pw", "service": "pptp", "comment": comment()})
	}
	d.Dangling = rapid.SampledFrom([]string{"", "", "mei", "chen", "old"}).Draw(t, "dangling")
	d.Rows = deskRows(comment)
	return d
}

func drawSecret(t *rapid.T, name, comment string) schema.Row {
	row := with(schema.Row{"name": name, "password": "pw " + name, "profile": rapid.SampledFrom([]string{"vpn", "vpn", "default", "gone"}).Draw(t, "profile")}, comment)
	services := []string{"l2tp", "l2tp", "l2tp", "", "pptp"}
	if name == "mei" {
		services = services[:4]
	}
	if service := rapid.SampledFrom(services).Draw(t, "service"); service != "" {
		row["service"] = service
	}
	if rapid.IntRange(0, 2).Draw(t, "fixed") == 2 {
		row["remote-address"] = fmt.Sprintf("10.9.1.%d", rapid.IntRange(1, 4).Draw(t, "address"))
	}
	if rapid.IntRange(0, 3).Draw(t, "off") == 3 {
		row["disabled"] = "yes"
	}
	for _, more := range [][2]string{{"routes", "10.77.0.0/16 10.9.0.1 1"}, {"limit-bytes-in", "1000000"}, {"local-address", "10.9.9.9"}} {
		if rapid.IntRange(0, 4).Draw(t, more[0]) == 4 {
			row[more[0]] = more[1]
		}
	}
	return row
}

// deskRows are the rows of the server and of others, each with a comment of chance
// where it has one.
func deskRows(comment func() string) map[string][]schema.Row {
	return map[string][]schema.Row{
		"/ip/address":                   {{"address": "203.0.113.10/24", "interface": "ether1"}, with(schema.Row{"address": "192.168.77.1/24", "interface": "ether2"}, comment())},
		"/ip/pool":                      {{"name": "vpn", "ranges": "10.9.0.2-10.9.0.99"}, with(schema.Row{"name": "\xc2\xc2", "ranges": "10.8.0.1-10.8.0.9"}, comment())},
		"/ppp/profile":                  {{"name": "vpn", "local-address": "10.9.0.1", "remote-address": "vpn", "on-up": ":log info up"}, with(schema.Row{"name": "gone"}, comment()), {"name": "others"}},
		"/ip/ipsec/peer":                {with(schema.Row{"name": "elsewhere", "address": "192.0.2.99/32", "passive": "yes"}, comment())},
		"/ip/ipsec/identity":            {{"peer": "elsewhere", "secret": "another-key"}},
		"/ip/ipsec/policy":              {with(schema.Row{"peer": "elsewhere", "tunnel": "yes", "src-address": "10.1.0.0/24", "dst-address": "10.2.0.0/24"}, comment())},
		"/system/scheduler":             {with(schema.Row{"name": "nightly", "interval": "1d", "on-event": ":log info night"}, comment())},
		"/interface/l2tp-server/server": {{"enabled": "yes", "use-ipsec": "required", "ipsec-secret": "l2tp", "default-profile": "vpn"}},
	}
}

// deskWorld builds what was drawn, and lets people dial in.
func deskWorld(t tester, d desk) *world {
	t.Helper()
	w := oneRouter(t, d.Version, d.Tables, d.Rows)
	hq := w.in.Router("gw-hq")
	for _, row := range d.Secrets {
		// One of a second service has the name of another; Load would change that one.
		if _, err := hq.Add("/ppp/secret", row); err != nil {
			w.Logf("secret %q: %v", row["name"], err)
		}
	}
	for i, name := range d.Online {
		_, err := hq.Connect(rossim.DialIn{Account: name, Password: "pw " + name, PSK: "l2tp", CallerID: fmt.Sprintf("198.51.100.%d", 100+i)})
		if err != nil {
			w.Logf("dialling in as %q: %v", name, err)
		}
	}
	if d.Dangling != "" {
		w.dangle(d.Dangling)
	}
	if d.Opened {
		for _, row := range hq.Rows("/ppp/secret") {
			if row["caller-id"] == "" {
				if err := hq.Force("/ppp/secret", row[schema.ID], schema.Row{"caller-id": "", "routes": row["routes"]}); err != nil {
					w.Fatal(err)
				}
			}
		}
	}
	return w
}

// dangle has an account refer to a profile that is removed then: its id is left.
func (w *world) dangle(account string) {
	w.Helper()
	hq := w.in.Router("gw-hq")
	for _, row := range hq.Rows("/ppp/secret") {
		if row["name"] == account {
			if err := hq.Set("/ppp/secret", row[schema.ID], schema.Row{"profile": "others"}); err != nil {
				w.Fatal(err)
			}
		}
	}
	for _, row := range hq.Rows("/ppp/profile") {
		if row["name"] == "others" {
			if err := hq.Remove("/ppp/profile", row[schema.ID]); err != nil {
				w.Fatal(err)
			}
		}
	}
}

// oneRouter is a world of gw-hq alone.
func oneRouter(t tester, version string, tables rossim.Tables, rows map[string][]schema.Row) *world {
	t.Helper()
	w := &world{tester: t, kind: rossim.Options{Tables: tables}, estate: sites(), pipes: map[string]*pipes{}, ledger: newLedger()}
	var err error
	if w.in, err = rossim.NewInternet(rossim.InternetOptions{Negotiator: ike.Model{}}); err != nil {
		w.Fatal(err)
	}
	w.router("gw-hq", version, rows)
	login := ros.Login{User: "bot", Password: secret.New("x")}
	w.fleet, err = ros.New(ros.Options{
		Routers: []ros.Router{{Name: "gw-hq", Address: "127.0.0.1:8728", Plain: true, Read: login, Write: login}},
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			return w.pipes["gw-hq"].dial(ctx, network, address)
		},
	})
	if err != nil {
		w.Fatal(err)
	}
	return w
}

// moving are the menus whose rows come and go by themselves.
var moving = []string{
	"/ip/firewall/connection", "/ip/ipsec/active-peers", "/ip/ipsec/installed-sa", "/ip/ipsec/statistics", "/interface/l2tp-server", "/log", "/ppp/active",
	"/system/clock", "/system/history", "/system/resource", "/user/active", "/safe-mode",
}

// whole is everything that people have written to a router, byte for byte, in its
// order, with ids, secrets and what tells RouterOS's own rows.
func (w *world) whole(router string) map[string][]schema.Row {
	w.Helper()
	all := map[string][]schema.Row{}
	for _, path := range schema.Paths() {
		if slices.Contains(moving, path) {
			continue
		}
		menu, _ := schema.Lookup(path)
		for _, row := range w.in.Router(router).Rows(path) {
			if row["dynamic"] == "true" {
				continue
			}
			for name := range row {
				a, known := menu.Attr(name)
				counts := slices.Contains([]string{"/ip/pool available", "/ip/pool total", "/ip/pool used", "/user last-logged-in"}, path+" "+name)
				if name != schema.ID && name != "default" && (known && (a.ReadOnly || a.Volatile) || strings.HasPrefix(name, ".") || counts) {
					delete(row, name)
				}
			}
			all[path] = append(all[path], row)
		}
	}
	return all
}

// unnamed are the rows of before that no step of the plan names, and the rows of
// after that were there before, these aside.
func unnamed(plan change.Plan, router string, before, after map[string][]schema.Row) (was, is map[string][]schema.Row) {
	named := map[string]bool{}
	was, is = map[string][]schema.Row{}, map[string][]schema.Row{}
	for path, rows := range before {
		for i, row := range rows {
			id := path + row[schema.ID]
			for _, step := range plan.Steps {
				if step.Router == router && step.Menu == path && step.Action != schema.Add && step.Finds(row) {
					named[id] = true
				}
			}
			if !named[id] {
				was[path] = append(was[path], rows[i])
			}
		}
	}
	for path, rows := range after {
		for _, row := range rows {
			old := slices.ContainsFunc(before[path], func(r schema.Row) bool { return r[schema.ID] == row[schema.ID] })
			if old && !named[path+row[schema.ID]] {
				is[path] = append(is[path], row)
			}
		}
	}
	return was, is
}

// unmarked are rows without ids, generation marks and secrets.
func unmarked(rows map[string][]schema.Row) map[string][]schema.Row {
	out := map[string][]schema.Row{}
	for path, list := range rows {
		menu, _ := schema.Lookup(path)
		for _, row := range list {
			row = row.Clone()
			delete(row, schema.ID)
			for _, name := range menu.Secrets() {
				delete(row, name)
			}
			if row["comment"] = change.Unmarked(row["comment"]); row["comment"] == "" {
				delete(row, "comment")
			}
			out[path] = append(out[path], row)
		}
	}
	return out
}

// trial is one change in a world that was drawn.
type trial struct {
	*world
	routers []string
	plan    func() (change.Plan, error)
	strike  int // the router write that is refused, from 1; 0 none
	twice   bool
}

// play plans, applies and compares. It returns the request and what is to be told of
// the outcome; without a plan the request has no ID.
func (c trial) play() (change.Request, string) {
	c.Helper()
	plan, why := planOf(c.world, c.plan)
	if plan == nil {
		return change.Request{}, why
	}
	before := map[string]map[string][]schema.Row{}
	for _, router := range c.routers {
		before[router] = c.whole(router)
	}
	id := c.approve(*plan)
	l := &life{strike: c.strike}
	c.start(l)
	defer c.kill()
	r := c.outcome(id)
	c.judge(r, l.struck, before)
	if c.twice && r.State != change.NeedsAttention {
		once := map[string]map[string][]schema.Row{}
		for _, router := range c.routers {
			once[router] = c.whole(router)
		}
		r2 := c.outcome(c.approve(*plan))
		for _, router := range c.routers {
			if diff := cmp.Diff(alike(unmarked(once[router])), alike(unmarked(c.whole(router)))); diff != "" && !l.struck {
				c.Errorf("%s, then %s: the same plan twice on %s (-once +twice):\n%s", r.State, r2.State, router, diff)
			}
		}
	}
	if l.struck {
		return r, "struck, " + string(r.State)
	}
	return r, string(r.State)
}

// outcome waits until a request is done with, or a person must decide.
func (c trial) outcome(id string) change.Request {
	c.Helper()
	for end := time.Now().Add(20 * time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		r, err := c.ledger.Request(c.Context(), id)
		if err != nil {
			c.Fatal(err)
		}
		if r.State.Ended() || r.State == change.NeedsAttention || r.State == change.Unproven {
			synctest.Wait()
			return r
		}
	}
	c.Fatal("it never ends")
	return change.Request{}
}

// judge compares what the routers hold with what the end of the request says.
func (c trial) judge(r change.Request, struck bool, before map[string]map[string][]schema.Row) {
	c.Helper()
	synctest.Wait()
	for _, router := range c.routers {
		was, is := unnamed(r.Plan, router, before[router], c.whole(router))
		if diff := cmp.Diff(was, is); diff != "" {
			c.Errorf("%s: rows of %s that no step names (-before +after):\n%s", r.State, router, diff)
		}
		switch r.State {
		case change.Committed, change.Unproven, change.Applied:
			want := planned(c, before[router], r.Plan, router, r.Number)
			if diff := cmp.Diff(alike(unidentified(want)), alike(unidentified(c.whole(router)))); diff != "" {
				c.Errorf("%s: rows of %s (-planned +got):\n%s", r.State, router, diff)
			}
		case change.Reverted:
			was, is := before[router], c.whole(router)
			if r.Plan.Intent.Verb == "resolve" { // an adoption in vain may have taken guards away
				was, is = unguarded(was), unguarded(is)
			}
			if diff := cmp.Diff(alike(unmarked(was)), alike(unmarked(is))); diff != "" {
				c.Errorf("%s: rows of %s (-before +after):\n%s", r.State, router, diff)
			}
		case change.NeedsAttention:
		default:
			c.Errorf("it is %s (%v %v)", r.State, r.Outcome, r.Moved)
		}
	}
	if !struck && r.State == change.NeedsAttention {
		c.Errorf("it is %s (%v)", r.State, r.Outcome)
	}
}

// unguarded are rows without the guards of changes.
func unguarded(rows map[string][]schema.Row) map[string][]schema.Row {
	rows = maps.Clone(rows)
	rows["/system/scheduler"] = slices.DeleteFunc(slices.Clone(rows["/system/scheduler"]), func(row schema.Row) bool {
		return strings.HasPrefix(row["name"], "vpnbot-guard-")
	})
	return rows
}

// unidentified are rows without ids.
func unidentified(rows map[string][]schema.Row) map[string][]schema.Row {
	out := map[string][]schema.Row{}
	for path, list := range rows {
		for _, row := range list {
			row = maps.Clone(row)
			delete(row, schema.ID)
			out[path] = append(out[path], row)
		}
	}
	return out
}

// planOf plans, or tells why there is nothing to apply.
func planOf(t tester, make func() (change.Plan, error)) (*change.Plan, string) {
	t.Helper()
	plan, err := make()
	if refusal, ok := err.(*vpn.Refusal); ok { //nolint:errorlint // planners return it bare
		return nil, refusal.Text.ID
	}
	if err == change.ErrEmptyPlan || err == nil && plan.Empty() { //nolint:errorlint // likewise
		return nil, "nothing to do"
	}
	if err != nil {
		t.Fatal(err)
	}
	return &plan, ""
}

// office is the definition of the server of a desk.
func office() vpn.DialIn {
	return vpn.DialIn{Site: "hq", Router: "gw-hq", Server: "vpn.example.com", Pool: "vpn", Profile: "vpn", PSK: "psk-ref", PSKMark: "psk:00000000"}
}
