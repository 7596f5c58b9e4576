package vpn_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// life is a change to vpn-01, who is connected, on the router of office.
func life(do change.AccountAct, edit ...func(*vpn.AccountChange)) vpn.AccountChange {
	base := office()
	for _, row := range base.Snapshot.Menus["/ppp/active"] {
		row["session-id"] = "0x81A0" + row[schema.ID][5:]
	}
	in := vpn.AccountChange{
		Intent: change.Intent{Verb: string(do), Site: "hq", Account: &change.AccountIntent{Name: "vpn-01", Do: do, Owner: "bob"}},
		Now:    noon, Definition: base.Definition, DialIn: base.DialIn, Snapshot: base.Snapshot,
		Known: change.Account{Site: "hq", Router: "gw-hq", Name: "vpn-01", Owner: "bob", Reader: "bob", Request: "r3", Number: 3, Keyed: "r3"},
	}
	if do.Reveals() {
		in.Password, in.Mark = "new-ref", "password:22222222"
	}
	for _, e := range edit {
		e(&in)
	}
	return in
}

func mustChange(t *testing.T, in vpn.AccountChange) change.Plan {
	t.Helper()
	plan, err := vpn.PlanAccountChange(in)
	if err != nil {
		t.Fatalf("PlanAccountChange: %v", err)
	}
	for _, o := range plan.Seen {
		if moved, ok := o.Compare(in.Snapshot); ok {
			t.Errorf("stale at once: %+v", moved)
		}
	}
	for _, s := range plan.Steps {
		names := s.After.Names()
		for name := range s.Secrets {
			names = append(names, name)
		}
		if err := schema.Allowed(s.Menu, s.Action, names); err != nil {
			t.Error(err)
		}
	}
	return plan
}

// Ensure each act writes exactly what it says: the account first, then whoever is
// connected with it.
func TestPlanAccountChange(t *testing.T) {
	const secrets, active = "/ppp/secret", "/ppp/active"
	own := schema.Row{"name": "vpn-01", "service": "l2tp"}
	step := func(id int, menu string, action schema.Action, class change.Class, why string) change.Step {
		return change.Step{ID: id, Router: "gw-hq", Menu: menu, Action: action, Class: class, Match: own, Why: change.T("plan.account." + why)}
	}
	removal := step(1, secrets, schema.Remove, change.OneWay, "step_remove")
	removal.Before = schema.Row{"name": "vpn-01", "service": "l2tp", "profile": "vpn-users", "comment": "bob: phone [vpnbot 3.1]"}
	password := step(1, secrets, schema.Change, change.OneWay, "step_password")
	password.After = schema.Row{}
	password.Secrets, password.Marks = map[string]refType{"password": "new-ref"}, map[string]string{"password": "password:22222222"}
	session := step(2, active, schema.Remove, change.OneWay, "step_session")
	kick := step(1, active, schema.Remove, change.OneWay, "step_kick")
	kick.Match = schema.Row{"name": "vpn-01", "service": "l2tp", "session-id": "0x81A00001"}
	kick.Before = schema.Row{"caller-id": "198.51.100.9", "address": "10.77.0.99"}
	off := func(in *vpn.AccountChange) { in.Snapshot.Menus[secrets][0]["disabled"] = "true" }
	tests := []struct {
		name string
		in   vpn.AccountChange
		want []change.Step
	}{
		{"remove", life(change.AccountRemove), []change.Step{removal, session}},
		{"disable", life(change.AccountDisable), []change.Step{step(1, secrets, schema.Disable, change.InPlace, "step_disable"), session}},
		{"disable what is off and connected", life(change.AccountDisable, off), []change.Step{step(1, active, schema.Remove, change.OneWay, "step_session")}},
		{"expire", life(change.AccountExpire), []change.Step{step(1, secrets, schema.Disable, change.InPlace, "step_disable"), session}},
		{"enable", life(change.AccountEnable, off), []change.Step{step(1, secrets, schema.Enable, change.InPlace, "step_enable")}},
		{"password", life(change.AccountPassword), []change.Step{password}},
		{"password, and off", life(change.AccountPassword, func(in *vpn.AccountChange) { in.Intent.Account.Kick = true }), []change.Step{password, session}},
		{"kick", life(change.AccountKick), []change.Step{kick}},
		{"another date", life(change.AccountExtend, func(in *vpn.AccountChange) { in.Intent.Account.Expires = noon.Add(time.Hour) }), nil},
		{"another date of what its date has switched off", life(change.AccountExtend, off, func(in *vpn.AccountChange) {
			in.Intent.Account.Expires, in.Known.Expires, in.Known.Expired = noon.Add(time.Hour), noon.Add(-time.Hour), true
		}), []change.Step{step(1, secrets, schema.Enable, change.InPlace, "step_enable")}},
		{"another date of what somebody has switched off", life(change.AccountExtend, off, func(in *vpn.AccountChange) {
			in.Intent.Account.Expires = noon.Add(time.Hour)
		}), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			plan := mustChange(t, tt.in)
			if diff := cmp.Diff(tt.want, plan.Steps); diff != "" {
				t.Error(diff)
			}
			reveals := tt.in.Intent.Account.Do.Reveals()
			if (plan.Reveal != nil) != reveals || reveals && (plan.Reveal.Reader != "bob" || !plan.Reveal.Renewed || plan.Reveal.Password != "new-ref") {
				t.Errorf("reveal %+v", plan.Reveal)
			}
			if again := mustChange(t, tt.in); !cmp.Equal(again, plan) {
				t.Error("the same input gives another plan")
			}
			if _, err := plan.Digest(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Ensure what cannot or should not be done is refused with its reason, and what is
// done already is called so.
func TestPlanAccountChange_Refused(t *testing.T) {
	secrets := func(rows ...schema.Row) func(*vpn.AccountChange) {
		return func(in *vpn.AccountChange) { in.Snapshot.Menus["/ppp/secret"] = rows }
	}
	called := func(name string) func(*vpn.AccountChange) {
		return func(in *vpn.AccountChange) { in.Intent.Account.Name = name }
	}
	tests := []struct {
		name string
		in   vpn.AccountChange
		want string // "" for an empty plan
	}{
		{"nobody", life(change.AccountRemove, called("zzz")), "plan.refuse.no_account"},
		{"a slip", life(change.AccountRemove, called("vpn-10")), "plan.refuse.no_account_near"},
		{"upper case", life(change.AccountDisable, called("VPN-01")), "plan.refuse.no_account_near"},
		{"another service", life(change.AccountRemove, called("branch")), "plan.refuse.service"},
		{
			"two that dial in",
			life(change.AccountRemove, secrets(schema.Row{"name": "vpn-01", "service": "l2tp"}, schema.Row{"name": "vpn-01"})), "plan.refuse.several",
		},
		{"off already", life(change.AccountDisable, called("vpn-02")), ""},
		{"on already", life(change.AccountEnable), ""},
		{"over", life(change.AccountEnable, called("vpn-02"), func(in *vpn.AccountChange) { in.Known.Expires = noon }), "plan.refuse.expired"},
		{"flagged", life(change.AccountEnable, called("vpn-02"), func(in *vpn.AccountChange) {
			in.Snapshot.Menus["/system/device-mode"][0]["flagged"] = "true"
		}), "plan.refuse.flagged"},
		{"not connected", life(change.AccountKick, called("vpn-02")), "plan.refuse.not_connected"},
		{"somebody of another service is", life(change.AccountKick, called("branch")), "plan.refuse.not_connected"},
		{"a session without a name", life(change.AccountKick, func(in *vpn.AccountChange) {
			delete(in.Snapshot.Menus["/ppp/active"][0], "session-id")
		}), "plan.refuse.session_unnamed"},
		{"a date that is over", life(change.AccountExtend, func(in *vpn.AccountChange) { in.Intent.Account.Expires = noon }), "plan.refuse.date_past"},
		{"a date taken back that is over", life(change.AccountExtend, func(in *vpn.AccountChange) {
			in.Intent.Account.Expires, in.Intent.Undo, in.Undone = noon, 4, &change.Request{Number: 4, Plan: change.Plan{Intent: change.Intent{Account: &change.AccountIntent{Do: change.AccountExtend}}}}
		}), "plan.refuse.undo_date"},
		{"a date taken back that has come", life(change.AccountExtend, func(in *vpn.AccountChange) {
			in.Known.Expired = true
			in.Intent.Undo, in.Undone = 4, &change.Request{Number: 4, Plan: change.Plan{Intent: change.Intent{Account: &change.AccountIntent{Do: change.AccountExtend, Expires: in.Known.Expires}}}}
		}), "plan.refuse.undo_ended"},
		{"the same date", life(change.AccountExtend, func(in *vpn.AccountChange) {
			in.Intent.Account.Expires, in.Known.Expires = noon.Add(time.Hour), noon.Add(time.Hour)
		}), ""},
		{"no date, and none before", life(change.AccountExtend), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := vpn.PlanAccountChange(tt.in)
			refusal, refused := errors.AsType[*vpn.Refusal](err)
			switch {
			case tt.want == "" && !errors.Is(err, change.ErrEmptyPlan):
				t.Errorf("got %v, want nothing to do", err)
			case tt.want != "" && (!refused || refusal.Text.ID != tt.want):
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// Ensure people are told what they would otherwise find out later.
func TestPlanAccountChange_Warnings(t *testing.T) {
	row := func(attr, value string) func(*vpn.AccountChange) {
		return func(in *vpn.AccountChange) { in.Snapshot.Menus["/ppp/secret"][0][attr] = value }
	}
	tests := []struct {
		name string
		in   vpn.AccountChange
		want string
	}{
		{"made by hand", life(change.AccountRemove, func(in *vpn.AccountChange) { in.Known, in.Intent.Account.Owner = change.Account{}, "" }), "plan.warn.owner_unknown"},
		{"every service", life(change.AccountRemove, row("service", "any")), "plan.warn.any_service"},
		{"the name for something else", life(change.AccountRemove, func(in *vpn.AccountChange) {
			in.Snapshot.Menus["/ppp/secret"][3]["name"] = "vpn-01"
		}), "plan.warn.namesake"},
		{"let in by RADIUS", life(change.AccountRemove, func(in *vpn.AccountChange) { in.Snapshot.Menus["/ppp/active"][0]["radius"] = "true" }), "plan.warn.radius"},
		{"kicked, let in by RADIUS", life(change.AccountKick, func(in *vpn.AccountChange) { in.Snapshot.Menus["/ppp/active"][0]["radius"] = "true" }), "plan.warn.radius"},
		{"off already", life(change.AccountDisable, row("disabled", "true")), "plan.warn.off_already"},
		{"somebody else's reason", life(change.AccountEnable, row("disabled", "true")), "plan.warn.off_elsewhere"},
		{"a password for nothing", life(change.AccountPassword, row("disabled", "true")), "plan.warn.off_still"},
		{"a server that is off", life(change.AccountPassword, func(in *vpn.AccountChange) {
			in.Snapshot.Menus["/interface/l2tp-server/server"][0]["enabled"] = "false"
		}), "plan.warn.server_off"},
		{"an address of two", life(change.AccountEnable, row("disabled", "true"), row("remote-address", "10.77.0.5"), func(in *vpn.AccountChange) {
			in.Snapshot.Menus["/ppp/secret"][1]["disabled"] = "false"
		}), "plan.warn.address_twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			plan := mustChange(t, tt.in)
			if !slices.ContainsFunc(plan.Warnings, func(w change.Text) bool { return w.ID == tt.want }) {
				t.Errorf("got %v, want %s", plan.Warnings, tt.want)
			}
		})
	}
}

// Ensure the sessions of an account that serves everything end whatever they are,
// but not those of a namesake.
func TestPlanAccountChange_Services(t *testing.T) {
	any := func(in *vpn.AccountChange) { in.Snapshot.Menus["/ppp/secret"][0]["service"] = "any" }
	plan := mustChange(t, life(change.AccountRemove, any))
	if got := plan.Steps[1].Match; !cmp.Equal(got, schema.Row{"name": "vpn-01"}) {
		t.Errorf("sessions %v", got)
	}
	plan = mustChange(t, life(change.AccountRemove, any, func(in *vpn.AccountChange) { in.Snapshot.Menus["/ppp/secret"][3]["name"] = "vpn-01" }))
	if got := plan.Steps[1].Match; !cmp.Equal(got, schema.Row{"name": "vpn-01", "service": "l2tp"}) {
		t.Errorf("sessions %v", got)
	}
}

// Ensure a session that began before its password is no proof of it.
func TestUsed(t *testing.T) {
	r := change.Request{Ended: noon, Plan: change.Plan{Intent: change.Intent{Account: &change.AccountIntent{Name: "vpn-01", Do: change.AccountPassword}}}}
	snap := func(after time.Duration, uptime string, more ...string) change.Snapshot {
		row := schema.Row{"name": "vpn-01", "service": "l2tp", "uptime": uptime}
		for i := 0; i+1 < len(more); i += 2 {
			row[more[i]] = more[i+1]
		}
		return change.Snapshot{At: noon.Add(after), Menus: map[string][]schema.Row{"/ppp/active": {row}}}
	}
	tests := []struct {
		name string
		snap change.Snapshot
		want bool
	}{
		{"before", snap(time.Minute, "1h"), false},
		{"just before, by full seconds", snap(time.Minute, "1m"), false},
		{"after", snap(time.Minute, "50s"), true},
		{"long after", snap(time.Hour, "10m3s"), true},
		{"another service", snap(time.Minute, "50s", "service", "pppoe"), false},
		{"by RADIUS", snap(time.Minute, "50s", "radius", "true"), false},
		{"somebody else", snap(time.Minute, "50s", "name", "vpn-02"), false},
		{"no uptime", snap(time.Minute, ""), false},
	}
	for _, tt := range tests {
		if got := vpn.Used(r, tt.snap); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	r.Plan.Intent.Account.Do = change.AccountNew
	if !vpn.Used(r, snap(time.Minute, "1h")) {
		t.Error("a new account's session is no proof")
	}
}
