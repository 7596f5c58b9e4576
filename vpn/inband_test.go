package vpn_test

import (
	"errors"
	"testing"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// gateway is the router at hq, with the names under which the bot logs in.
func gateway() vpn.Router {
	return vpn.Router{Name: "gw-hq", Site: "hq", Read: vpn.Login{User: "bot-read"}, Write: vpn.Login{User: "bot-write"}}
}

// refusal is why a plan was refused, "" when it was not.
func refusal(t *testing.T, err error) string {
	t.Helper()
	if r, ok := errors.AsType[*vpn.Refusal](err); ok {
		return r.Text.ID
	}
	if err != nil {
		t.Fatal(err)
	}
	return ""
}

// Ensure the session through which the bot itself comes is ended by no change to an
// account, and no other session is held to be that one.
func TestPlanAccountChange_InBand(t *testing.T) {
	const refused = "plan.refuse.account_in_band"
	for _, tt := range []struct {
		name, user, via, from string
		do                    change.AccountAct
		edit                  func(*vpn.AccountChange)
		want                  string
	}{
		{"removed", "bot-read", "api-ssl", "10.77.0.99", change.AccountRemove, nil, refused},
		{"switched off", "bot-write", "api", "10.77.0.99", change.AccountDisable, nil, refused},
		{"kicked", "bot-read", "api-ssl", "10.77.0.99", change.AccountKick, nil, refused},
		{"a new password, and kicked", "bot-read", "api-ssl", "10.77.0.99", change.AccountPassword, func(in *vpn.AccountChange) { in.Intent.Account.Kick = true }, refused},
		{"a new password", "bot-read", "api-ssl", "10.77.0.99", change.AccountPassword, nil, ""},
		{"from elsewhere", "bot-read", "api-ssl", "192.168.77.5", change.AccountRemove, nil, ""},
		{"by another session", "bot-read", "api-ssl", "10.77.0.98", change.AccountRemove, nil, ""},
		{"somebody else", "admin", "api-ssl", "10.77.0.99", change.AccountRemove, nil, ""},
		{"in WinBox", "bot-read", "winbox", "10.77.0.99", change.AccountRemove, nil, ""},
		{"nobody knows the bot's names", "", "api-ssl", "10.77.0.99", change.AccountRemove, func(in *vpn.AccountChange) { in.Router = vpn.Router{} }, ""},
	} {
		in := life(tt.do)
		in.Router = gateway()
		in.Snapshot.Menus["/user/active"] = []schema.Row{{"name": tt.user, "via": tt.via, "address": tt.from}}
		if tt.edit != nil {
			tt.edit(&in)
		}
		if _, err := vpn.PlanAccountChange(in); refusal(t, err) != tt.want {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

// Ensure a dial-in server through which the bot itself comes is not changed, and a
// login that comes or goes makes no plan stale.
func TestPlanDialIn_InBand(t *testing.T) {
	const refused = "plan.refuse.dialin_in_band"
	w := newDialInWorld(t)
	first, err := vpn.PlanDialIn(w.input())
	if err != nil {
		t.Fatal(err)
	}
	w.carryOut(first)
	for _, tt := range []struct {
		name, from, want string
		session          bool
	}{
		{"an address that the server gives", "192.168.178.12", refused, false},
		{"an address of one account's own", "10.88.0.7", refused, true},
		{"an address inside, and somebody has dialled in", "192.168.77.5", "", false},
		{"the Internet", "198.51.100.77", "", false},
	} {
		plan := func(from string, edit func(*vpn.SetupDialIn), make func(vpn.SetupDialIn) (change.Plan, error)) (change.Plan, vpn.SetupDialIn, error) {
			in := w.input()
			in.Router = gateway()
			in.Snapshot.Menus["/user/active"] = []schema.Row{{"name": "bot-read", "via": "api-ssl", "address": from}}
			in.Snapshot.Menus["/ppp/active"] = []schema.Row{{"name": "vpn-01", "service": "l2tp", "address": "192.168.178.11"}}
			if tt.session {
				in.Snapshot.Menus["/ppp/active"][0]["address"] = from
			}
			edit(&in)
			p, err := make(in)
			return p, in, err
		}
		other := func(in *vpn.SetupDialIn) {
			setup := *in.DialIn.Setup
			setup.DNS, setup.Ranges = nil, []string{"192.168.178.10-192.168.178.50"}
			in.DialIn.Setup = &setup
		}
		p, in, err := plan(tt.from, other, vpn.PlanDialIn)
		if refusal(t, err) != tt.want {
			t.Errorf("%s: set: got %v, want %q", tt.name, err, tt.want)
		}
		in.Snapshot.Menus["/user/active"] = nil
		for _, o := range p.Seen {
			if moved, ok := o.Compare(in.Snapshot); ok {
				t.Errorf("%s: stale for a login: %+v", tt.name, moved)
			}
		}
		key := func(in *vpn.SetupDialIn) { in.PSK, in.Mark, in.Intent.Handover = "psk-next", "psk:11112222", "bob" }
		if _, _, err := plan(tt.from, key, vpn.PlanRotateL2TP); refusal(t, err) != tt.want {
			t.Errorf("%s: a new key: got %v, want %q", tt.name, err, tt.want)
		}
		if p, _, err := plan(tt.from, func(*vpn.SetupDialIn) {}, vpn.PlanDialIn); refusal(t, err) != "" || len(p.Steps) > 0 {
			t.Errorf("%s: nothing to do: got %v, %v", tt.name, p.Steps, err)
		}
	}
}
