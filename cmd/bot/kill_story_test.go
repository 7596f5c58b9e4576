//go:build !nodemo

package main

import (
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
	about string // what previews and cards speak of: a tunnel, an account
	form  string // what the form of the approver says
	ends  []string
	// routers are those whose rows may change, at most two.
	routers []string
	// before are changes that are played to their end first, with no death in them.
	before []story
	// flagged lets fengshan's router refuse its cut-over, so that everything has to
	// be put back. Deaths are counted from there on.
	flagged bool
	// holds says what is not as it must be when the change was made, or was not,
	// besides rows, the tunnel and definitions; "" when all is well.
	holds func(d *demo, made bool) string
}

// tunnelName is the tunnel that the stories of tunnels are about. It must be up
// whenever it is defined, whatever a story is about.
const tunnelName = "hq-fengshan"

// tunnelStory is one that changes hq-fengshan.
func tunnelStory(name, line string) story {
	return story{
		name: name, line: line, about: tunnelName, form: "總公司↔鳳山",
		ends: []string{"已確認生效", "已還原", "需人工處理"}, routers: []string{"gw-hq", "gw-fengshan"},
	}
}

// stories has an entry for each changing verb but adduser, whose owner's part in
// it TestKill_Point plays.
func stories() []story {
	refused := tunnelStory("redo, refused", "/vpn redo fengshan")
	refused.flagged = true
	set := tunnelStory("tunnel set", "/vpn tunnel set hq-fengshan exchange=ike2")
	set.again = "/vpn tunnel set hq-fengshan exchange=main"
	return []story{
		tunnelStory("redo", "/vpn redo fengshan"),
		tunnelStory("rotate psk", "/vpn rotate psk fengshan"),
		tunnelStory("rekey", "/vpn rekey fengshan"),
		refused, set,
	}
}

// newStoryPeople are olive and ann at work on a story.
func newStoryPeople(d *demo, c story, patience time.Duration) *people {
	p := newPeople(d, c.about, patience)
	p.line, p.form, p.ends, p.past = c.line, c.form, c.ends, map[string]bool{}
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

// expectation is what hq-fengshan should be, as the ledger and the configuration
// say; nil when there should be none.
func expectation(t *testing.T, d *demo, ledger *store.Store) *vpn.Expected {
	t.Helper()
	def, err := ledger.Definition(t.Context(), vpn.KindTunnel, tunnelName)
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
	case f.plan.Definition.Name != tunnelName:
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
