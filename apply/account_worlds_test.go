package apply_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// Ensure every change to an account, at any server, makes exactly the planned rows
// or none and leaves all other rows byte for byte; that done twice it is as done
// once, and taken back as not done.
func TestEngine_Account_Worlds(t *testing.T) {
	verbs := map[string]change.AccountAct{
		"adduser": change.AccountNew, "deluser": change.AccountRemove, "disable": change.AccountDisable, "enable": change.AccountEnable,
		"passwd": change.AccountPassword, "kick": change.AccountKick, "extend": change.AccountExtend,
	}
	for _, verb := range slices.Sorted(maps.Keys(verbs)) {
		do := verbs[verb]
		t.Run(verb, func(t *testing.T) {
			worlds := 40
			if sparse {
				worlds /= 4
			}
			outcomes := map[string]int{}
			property(t, worlds, func(t *rapid.T) {
				d := drawDesk(t)
				account := change.AccountIntent{
					Name: "mei", Do: do, Owner: "olga", Note: rapid.SampledFrom([]string{"", "laptop"}).Draw(t, "note"), Kick: rapid.Bool().Draw(t, "kick"),
				}
				if do == change.AccountNew {
					account.Name = rapid.SampledFrom([]string{"lin", "lin", "lin", "mei", "CHEN"}).Draw(t, "name")
					account.Address = rapid.SampledFrom([]string{"", "", "192.168.77.9", "10.9.1.2"}).Draw(t, "address")
				}
				var known *change.Account
				if do == change.AccountExtend {
					known, account.Expires = drawDates(t)
				}
				strike := max(0, rapid.IntRange(-2, 2).Draw(t, "refused write"))
				outcomes[tryAccount(t, d, verb, account, known, strike)]++
			})
			t.Log(outcomes)
		})
	}
}

// drawDates draws what the bot knows of an account, and the date that it is to have;
// worlds begin at midnight on 1 January 2000.
func drawDates(t *rapid.T) (known *change.Account, want time.Time) {
	at := func(days int) time.Time { return time.Date(2000, 1, 1+days, 8, 0, 0, 0, time.UTC) }
	if days := rapid.SampledFrom([]int{0, 30, 30, 90, -1}).Draw(t, "days"); days != 0 {
		want = at(days)
	}
	if rapid.IntRange(0, 3).Draw(t, "known") > 0 {
		known = &change.Account{Site: "hq", Name: "mei", Owner: "olga", Reader: "olga", Request: "another", Expired: rapid.Bool().Draw(t, "expired")}
		if days := rapid.SampledFrom([]int{0, 7, 30}).Draw(t, "was"); days != 0 {
			known.Expires = at(days)
		}
		if known.Expired {
			known.Expires = at(-3)
		}
	}
	return known, want
}

// accountPlanner plans a change to an account of the world as it is then.
func (w *world) accountPlanner(verb string, account change.AccountIntent, undone *change.Request) func() (change.Plan, error) {
	return func() (change.Plan, error) {
		snap, err := w.fleet.Snapshot(w.Context(), "gw-hq", slices.Compact(slices.Sorted(slices.Values(append(vpn.LifeMenus(), vpn.AccountMenus()...))))...)
		if err != nil {
			w.Fatal(err)
		}
		intent := change.Intent{Verb: verb, Site: "hq", Account: &account}
		if undone != nil {
			intent.Undo = undone.Number
		}
		password, mark := secret.Ref(""), ""
		if account.Do == change.AccountNew || account.Do.Reveals() {
			password, mark = "password-ref", "password:11111111"
		}
		def := change.DefinitionRef{Kind: vpn.KindDialIn, Name: "hq"}
		if account.Do == change.AccountNew {
			return vpn.PlanAddAccount(vpn.AddAccount{
				Intent: intent, Site: w.estate.Sites[0], Definition: def, DialIn: office(), Snapshot: snap, Now: time.Now(), Password: password, Mark: mark,
			})
		}
		known, _ := w.ledger.Account(w.Context(), "hq", account.Name) // zero when nobody knows it
		return vpn.PlanAccountChange(vpn.AccountChange{
			Intent: intent, Now: time.Now(), Definition: def, DialIn: office(), Snapshot: snap, Known: known, Password: password, Mark: mark, Undone: undone,
		})
	}
}

func tryAccount(t *rapid.T, d desk, verb string, account change.AccountIntent, known *change.Account, strike int) string {
	w := deskWorld(t, d)
	defer w.close()
	if known != nil {
		w.ledger.accounts[known.Name] = *known
	}
	before := w.whole("gw-hq")
	r, outcome := trial{w, []string{"gw-hq"}, w.accountPlanner(verb, account, nil), strike, strike == 0 && rapid.Bool().Draw(t, "twice")}.play()
	if r.State != change.Applied && r.State != change.Unproven {
		return outcome
	}
	if _, again := planOf(w, w.accountPlanner(verb, account, nil)); again == "" && account.Do != change.AccountPassword {
		w.Errorf("%s is planned a second time", verb)
	}
	return outcome + ", " + w.undo(r, before)
}

// undo takes an applied change to an account back.
func (w *world) undo(r change.Request, before map[string][]schema.Row) string {
	w.Helper()
	name := r.Plan.Intent.Account.Name
	known, _ := w.ledger.Account(w.Context(), "hq", name)
	back, err := vpn.UndoAccount(r, known)
	if err != nil {
		return "stays"
	}
	back.Owner = "olga"
	r2, outcome := trial{w, []string{"gw-hq"}, w.accountPlanner("rollback", back, &r), 0, false}.play()
	if r2.State != change.Applied && r2.State != change.Unproven {
		return "back: " + outcome
	}
	if diff := cmp.Diff(alike(unmarked(before)), alike(unmarked(w.whole("gw-hq")))); diff != "" {
		w.Errorf("%s taken back (-before +after):\n%s", r.Plan.Intent.Verb, diff)
	}
	return "back"
}
