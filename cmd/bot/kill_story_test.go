//go:build !nodemo

package main

import (
	"slices"
	"testing"
	"time"

	"vpnbot/change"
	"vpnbot/config"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
	"vpnbot/store"
	"vpnbot/vpn"
)

// story is a change of the demo's world as people make it. A verb that changes
// routers is one entry of stories: which rows are the old ones and which the new
// ones the harness reads off the approved plan.
type story struct {
	name  string // of the verb, as tables print it
	line  string // what olive types
	again string // and what the next time, where the same would change nothing
	about string // what previews and cards speak of: a tunnel, an account, a site
	form  string // what the form of the approver says
	ends  []string
	// routers are those whose rows may change, at most two.
	routers []string
	// tunnel is the one that the story is about; without one it is hq-fengshan that
	// must not notice.
	tunnel string
	// before are changes that are played to their end first, with no death in them.
	before []story
	// flagged lets fengshan's router refuse its cut-over, so that everything has to
	// be put back. Deaths are counted from there on.
	flagged bool
	// repeats: it can be played again and again, with again every second time.
	repeats bool
	// finish is what olive types when a person has unlocked what stopped half way; the
	// same line when empty.
	finish string
	// fleeting is after how long its rows go by themselves; zero: they stay.
	fleeting time.Duration
	// waits is after how long the bot begins it by itself; zero: when it was asked for.
	waits time.Duration
	// inBand: the bot reaches fengshan through the tunnel. wrong: the definition is one
	// on which the two ends cannot agree.
	inBand, wrong bool
	// stuck is the change that has come to need a person before this one.
	stuck *stuck
	// moot tells that what is asked for has come to be by itself; nil: it never does.
	moot func(d *demo) bool
	// holds says what is not as it must be when the change was made, or was not,
	// besides rows, the tunnel and definitions; "" when all is well.
	holds func(d *demo, made bool) string
}

// tunnelName is the tunnel that most stories of tunnels are about. It must be up
// whenever it is defined, whatever a story is about.
const tunnelName = "hq-fengshan"

// tunnelStory is one that changes hq-fengshan.
func tunnelStory(name, line string) story {
	return story{
		name: name, line: line, about: tunnelName, form: "總公司↔鳳山", tunnel: tunnelName, repeats: true,
		ends: []string{"已確認生效", "已還原", "需人工處理"}, routers: []string{"gw-hq", "gw-fengshan"},
	}
}

// rowStory is one that changes rows of one router, without phases.
func rowStory(name, line, about, router string) story {
	return story{
		name: name, line: line, about: about, form: about, tunnel: tunnelName, routers: []string{router},
		ends: []string{"已套用", "已套用未驗證", "已驗證", "已還原", "需人工處理"},
	}
}

// stories has an entry for each changing verb. The owner's part in adduser is played
// by TestKill_Point.
func stories() []story {
	return slices.Concat(tunnelStories(), accountStories(), dialInStories(), undoStories(), stuckStories(), inBandStories())
}

func tunnelStories() []story {
	set, add := tunnelSet(), tunnelAdd()
	refused := tunnelStory("redo, refused", "/vpn redo fengshan")
	refused.flagged, refused.repeats = true, false
	return []story{
		tunnelStory("redo", "/vpn redo fengshan"),
		tunnelStory("rotate psk", "/vpn rotate psk fengshan"),
		tunnelStory("rekey", "/vpn rekey fengshan"),
		refused, set, add, tunnelRemove(),
	}
}

func tunnelSet() story {
	c := tunnelStory("tunnel set", "/vpn tunnel set hq-fengshan exchange=ike2")
	c.again = "/vpn tunnel set hq-fengshan exchange=main"
	return c
}

func tunnelAdd() story {
	c := tunnelStory("tunnel add", "/vpn tunnel add 鳳山 台中")
	c.about, c.tunnel, c.form, c.routers, c.repeats = "fengshan-taichung", "fengshan-taichung", "鳳山↔台中", []string{"gw-fengshan", "gw-taichung"}, false
	return c
}

// undoStories take changes to tunnels back.
func undoStories() []story {
	all := []story{tunnelSet(), tunnelAdd(), tunnelRemove()}
	for i, c := range all {
		all[i].name, all[i].line, all[i].again = "rollback of "+c.name, "/vpn rollback 1", ""
		all[i].before, all[i].repeats = []story{c}, false
	}
	all[2].form = tunnelName // what is not defined has no title
	again := tunnelStory("rollback of a rollback", "/vpn rollback 2")
	again.before, again.repeats = []story{tunnelRemove(), all[2]}, false
	return append(all, again)
}

// tunnelRemove leaves nothing: it cannot be played again.
func tunnelRemove() story {
	remove := tunnelStory("tunnel remove", "/vpn tunnel remove fengshan")
	remove.repeats = false
	return remove
}

func accountStories() []story {
	// Nobody of the account may be connected when it ended, and nobody else's session
	// may have.
	bubble := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // when virtual time begins
	alone := func(account string, others ...string) func(d *demo, made bool) string {
		return func(d *demo, made bool) string {
			var on []string
			rebooted := false
			for _, o := range d.routers {
				for _, row := range o.router.Rows("/ppp/active") {
					on = append(on, row["name"])
				}
				for _, row := range o.router.Rows("/system/resource") {
					up, err := schema.ParseDuration(row["uptime"])
					rebooted = rebooted || err == nil && up < time.Since(bubble)-10*time.Second
				}
			}
			if made && slices.Contains(on, account) {
				return account + " is still connected"
			}
			for _, other := range others {
				if !slices.Contains(on, other) && !rebooted {
					return other + " is not connected any more"
				}
			}
			return ""
		}
	}
	deluser := rowStory("deluser", "/vpn deluser chen-yh --site hq", "chen-yh", "gw-hq")
	deluser.finish = "/vpn kick chen-yh --site hq"
	deluser.holds = alone("chen-yh", "lin-ct", "kuo-mf")
	disable := rowStory("disable", "/vpn disable lin-ct --site hq", "lin-ct", "gw-hq")
	disable.holds, disable.again, disable.repeats = alone("lin-ct", "chen-yh", "kuo-mf"), "/vpn enable lin-ct --site hq", true
	kick := rowStory("kick", "/vpn kick kuo-mf --site fengshan", "kuo-mf", "gw-fengshan")
	kick.holds = alone("kuo-mf", "lin-ct", "chen-yh")
	kick.moot = func(d *demo) bool { return alone("kuo-mf")(d, true) == "" }
	passwd := rowStory("passwd", "/vpn passwd huang-sl --site hq --for @mei", "huang-sl", "gw-hq")
	passwd.repeats = true
	add := rowStory("adduser", "/vpn adduser mei-09 --for @mei --site hq", "mei-09", "gw-hq")
	extend := rowStory("extend", "/vpn extend mei-09 90d", "mei-09", "gw-hq")
	extend.before = []story{add}
	rollback := rowStory("rollback", "/vpn rollback 1", "lin-ct", "gw-hq")
	rollback.before = []story{disable}
	dated := rowStory("adduser --expires", "/vpn adduser mei-10 --for @mei --site hq --expires 90d", "mei-10", "gw-hq")
	soon := rowStory("extend", "/vpn extend lin-ct 4m --site hq", "lin-ct", "gw-hq")
	expiry := rowStory("expiry", "", "lin-ct", "gw-hq")
	expiry.before, expiry.waits, expiry.finish = []story{soon}, 4*time.Minute, "/vpn kick lin-ct --site hq"
	expiry.ends, expiry.holds = []string{"已套用", "需人工處理"}, alone("lin-ct", "chen-yh", "kuo-mf")
	return []story{
		add, dated, extend, expiry, rollback, deluser, disable, kick, passwd,
		rowStory("enable", "/vpn enable tsai-old --site hq", "tsai-old", "gw-hq"),
	}
}

func dialInStories() []story {
	setup := rowStory("dialin setup", "/vpn dialin setup taichung server=vpn.taichung.example ranges=192.168.199.10-192.168.199.60"+
		" local=192.168.199.1 dns=192.168.99.1", "taichung", "gw-taichung")
	set := rowStory("dialin set", "/vpn dialin set taichung dns=192.168.99.1,1.1.1.1", "taichung", "gw-taichung")
	set.before = []story{setup}
	handed := rowStory("rotate l2tp --handover", "/vpn rotate l2tp fengshan --handover @olive", "fengshan", "gw-fengshan")
	handed.repeats = true
	rotate := rowStory("rotate l2tp", "/vpn rotate l2tp taichung", "taichung", "gw-taichung")
	rotate.before = []story{setup, rowStory("adduser", "/vpn adduser mei-08 --for @mei --site taichung", "mei-08", "gw-taichung")}
	verbose := rowStory("logs --verbose", "/vpn logs hq --verbose 60m", "hq", "gw-hq")
	verbose.fleeting = time.Hour
	undo := rowStory("rollback of dialin set", "/vpn rollback 2", "taichung", "gw-taichung")
	undo.before = []story{setup, rowStory(set.name, set.line, set.about, set.routers[0])}
	gone := rowStory("rollback of dialin setup", "/vpn rollback 1", "taichung", "gw-taichung")
	gone.before = []story{setup}
	quiet := rowStory("rollback of logs", "/vpn rollback 1", "hq", "gw-hq")
	quiet.before = []story{verbose}
	return []story{setup, set, undo, gone, rotate, handed, verbose, quiet, reachStory()}
}

// reachStory lets the dial-in clients of one end into the network of the other.
func reachStory() story {
	c := tunnelStory("dialin set reach", "/vpn dialin set hq reach=fengshan")
	c.about, c.form, c.repeats = "hq", "總公司", false
	c.before = []story{rowStory("dialin setup", "/vpn dialin setup hq ranges=192.168.178.10-192.168.178.99 local=192.168.178.1 --handover @olive", "hq", "gw-hq")}
	return c
}

// newStoryPeople are olive and ann at work on a story.
func newStoryPeople(d *demo, c story, patience time.Duration) *people {
	p := newPeople(d, c.about, patience)
	p.line, p.form, p.ends, p.past, p.moot = c.line, c.form, c.ends, map[string]bool{}, c.moot
	for _, user := range []string{"U0OLIVE", "U0ANN"} {
		for _, m := range d.slack.Messages(user, "C0VPNOPS") {
			p.past[m.TS] = true
		}
	}
	return p
}

// newTunnelPeople are olive and ann at work on a change of hq-fengshan, for which
// olive types a line.
func newTunnelPeople(d *demo, line string, patience time.Duration) *people {
	return newStoryPeople(d, tunnelStory("", line), patience)
}

// expectation is what a tunnel should be, as the ledger and the configuration say;
// nil when there should be none.
func expectation(t *testing.T, d *demo, ledger *store.Store, tunnel string) *vpn.Expected {
	t.Helper()
	def, err := ledger.Definition(t.Context(), vpn.KindTunnel, tunnel)
	if err != nil {
		return nil
	}
	return expected(t, d, def)
}

func expected(t *testing.T, d *demo, def change.Definition) *vpn.Expected {
	t.Helper()
	cfg, err := config.Load(d.configFile())
	if err != nil {
		t.Fatal(err)
	}
	tunnel, err := vpn.DecodeTunnel(def)
	if err != nil {
		t.Fatal(err)
	}
	want := tunnel.Expect(cfg.Estate)
	return &want
}

// wanted is what the tunnel should be once the plan is carried out.
func (f *fork) wanted() *vpn.Expected {
	f.t.Helper()
	switch {
	case f.plan.Definition.Name != f.c.tunnel:
		return f.want
	case f.plan.Retires:
		return nil
	case f.plan.Defines == nil:
		return f.want
	}
	return expected(f.t, f.w.demo, change.Definition{DefinitionRef: f.plan.Definition, Body: f.plan.Defines})
}

// gone tells whether the routers have nothing left of what they negotiated for a
// tunnel.
func gone(in *rossim.Internet, was *vpn.Expected) bool {
	if was == nil {
		return true
	}
	for _, x := range was.Ends {
		for _, row := range in.Router(x.Router).Rows("/ip/ipsec/active-peers") {
			if row["remote-address"] == x.Remote.String() && row["state"] == "established" {
				return false
			}
		}
		for _, row := range in.Router(x.Router).Rows("/ip/ipsec/installed-sa") {
			if row["src-address"] == x.Remote.String() || row["dst-address"] == x.Remote.String() {
				return false
			}
		}
	}
	return true
}

// meeting is a tunnel in a world.
type meeting struct {
	in   *rossim.Internet
	want vpn.Expected
}

// afresh has both ends forget what they negotiated, in each of several worlds, and
// tells whether the tunnel is up again within two minutes: what was agreed before a
// change says nothing about the rows after it.
func afresh(t *testing.T, all ...meeting) []bool {
	t.Helper()
	for _, m := range all {
		for _, x := range m.want.Ends {
			for _, row := range m.in.Router(x.Router).Rows("/ip/ipsec/active-peers") {
				if row["remote-address"] == x.Remote.String() {
					_ = m.in.Router(x.Router).Remove("/ip/ipsec/active-peers", row[schema.ID]) // the other end may have been faster
				}
			}
		}
		if up(m.in, m.want) {
			t.Error("a tunnel that was hung up is up: this tests nothing")
		}
	}
	well := make([]bool, len(all))
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(time.Second) {
		waiting := false
		for i, m := range all {
			well[i] = well[i] || up(m.in, m.want)
			waiting = waiting || !well[i]
		}
		if !waiting || time.Now().After(end) {
			return well
		}
	}
}
