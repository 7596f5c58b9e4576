package vpn_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// carry does to the secrets of a snapshot what a plan says, as request number.
func carry(in *vpn.AccountChange, plan change.Plan, number int64) {
	rows := in.Snapshot.Menus["/ppp/secret"]
	for _, s := range plan.Steps {
		if s.Menu != "/ppp/secret" {
			continue
		}
		if s.Action == schema.Add {
			row := s.After.Clone()
			row["comment"] = change.Mark(row["comment"], number, s.ID)
			rows = append(rows, row)
			continue
		}
		for i, row := range rows {
			if !s.Finds(row) {
				continue
			}
			switch s.Action {
			case schema.Remove:
				rows = append(rows[:i:i], rows[i+1:]...)
			case schema.Enable, schema.Disable:
				row["disabled"] = map[bool]string{true: "true", false: "false"}[s.Action == schema.Disable]
			case schema.Change:
				row["comment"] = change.Mark(row["comment"], number, s.ID)
			}
			break
		}
	}
	in.Snapshot.Menus["/ppp/secret"] = rows
	in.Snapshot.Menus["/ppp/active"] = nil // nobody stays connected with what was ended
}

// stable are the secrets by name, ids, marks and what is as by default aside.
func stable(in vpn.AccountChange) map[string]schema.Row {
	all := map[string]schema.Row{}
	menu, _ := schema.Lookup("/ppp/secret")
	for _, row := range in.Snapshot.Menus["/ppp/secret"] {
		kept := menu.Stable(row)
		kept["comment"] = change.Unmarked(row["comment"])
		for name, value := range kept {
			if a, known := menu.Attr(name); known && (value == a.Default || value == "" || a.Kind == schema.Bool && value == "false") {
				delete(kept, name)
			}
		}
		all[row["name"]] = kept
	}
	return all
}

// Ensure that what is applied and taken back leaves every row as it was, whatever
// stands in it; ids, marks and passwords aside.
func TestUndoAccount_Property(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := life(rapid.SampledFrom([]change.AccountAct{
			change.AccountRemove, change.AccountDisable, change.AccountEnable, change.AccountPassword,
		}).Draw(t, "act"))
		in.Intent.Account.Name = rapid.SampledFrom([]string{"vpn-01", "vpn-02", "legacy"}).Draw(t, "name")
		in.Known.Name = in.Intent.Account.Name
		in.Password, in.Mark = "new-ref", "password:22222222"
		for _, row := range in.Snapshot.Menus["/ppp/secret"] {
			for _, attr := range [][]string{
				{"comment", "", "\xa4\xa4\xa4\xe5", "\xff\xfe", "bob [vpnbot 3.1]", "[vpnbot 3.1]"},
				{"caller-id", "", "198.51.100.7"},
				{"routes", "", "10.9.0.0/16"},
				{"limit-bytes-in", "0", "1000"},
				{"disabled", "true", "false"},
				{"local-address", "", "10.77.0.1"},
			} {
				row[attr[0]] = rapid.SampledFrom(attr[1:]).Draw(t, row["name"]+" "+attr[0])
			}
		}
		before := stable(in)
		plan, err := vpn.PlanAccountChange(in)
		if errors.Is(err, change.ErrEmptyPlan) {
			t.Skip("nothing to do")
		}
		if err != nil {
			t.Fatal(err)
		}
		carry(&in, plan, 50)
		done := change.Request{ID: "r50", Number: 50, State: change.Applied, Plan: plan}
		in.Known = in.Known.After(noon, done)
		want, err := vpn.UndoAccount(done, in.Known)
		if refusal, refused := errors.AsType[*vpn.Refusal](err); refused && refusal.Text.ID == "plan.refuse.undo_kick" {
			if diff := cmp.Diff(before, stable(in)); diff != "" {
				t.Errorf("only a session was ended, and rows differ: %s", diff)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		in.Intent.Account, in.Intent.Undo, in.Undone = &want, 50, &done
		back, err := vpn.PlanAccountChange(in)
		if err != nil {
			t.Fatal(err)
		}
		if old := back.SecretRefs(); len(old) > 0 && (old[0] != "new-ref" || back.Reveal == nil) {
			t.Fatalf("secrets %v, reveal %v", old, back.Reveal)
		}
		carry(&in, back, 51)
		if diff := cmp.Diff(before, stable(in)); diff != "" {
			t.Errorf("%s and back (-before +after): %s", done.Plan.Intent.Account.Do, diff)
		}
	})
}

// Ensure what came after is not lost by taking back what was before it.
func TestUndoAccount_Moved(t *testing.T) {
	in := life(change.AccountDisable)
	plan := mustChange(t, in)
	carry(&in, plan, 50)
	done := change.Request{ID: "r50", Number: 50, State: change.Applied, Plan: plan}
	in.Known = in.Known.After(noon, done)
	want, err := vpn.UndoAccount(done, in.Known)
	if err != nil || want.Do != change.AccountEnable {
		t.Fatalf("%+v, %v", want, err)
	}
	in.Intent.Account, in.Intent.Undo, in.Undone = &want, 50, &done
	for name, edit := range map[string]func(*vpn.AccountChange){
		"switched on by hand":     func(in *vpn.AccountChange) { in.Snapshot.Menus["/ppp/secret"][0]["disabled"] = "false" },
		"switched off by another": func(in *vpn.AccountChange) { in.Known.Off = 51 },
	} {
		moved := in
		moved.Snapshot.Menus = map[string][]schema.Row{}
		for menu, rows := range in.Snapshot.Menus {
			for _, row := range rows {
				moved.Snapshot.Menus[menu] = append(moved.Snapshot.Menus[menu], row.Clone())
			}
			if len(rows) == 0 {
				moved.Snapshot.Menus[menu] = []schema.Row{}
			}
		}
		edit(&moved)
		_, err := vpn.PlanAccountChange(moved)
		if r, refused := errors.AsType[*vpn.Refusal](err); !refused || r.Text.ID != "plan.refuse.undo_moved" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, do := range []change.AccountAct{change.AccountKick, change.AccountExpire} {
		done.Plan.Intent.Account = &change.AccountIntent{Name: "vpn-01", Do: do}
		if _, err := vpn.UndoAccount(done, in.Known); err == nil {
			t.Errorf("%s can be taken back", do)
		}
	}
}
