package chat

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/change"
	"vpnbot/chat/slacksim"
	"vpnbot/commands"
)

// approving opens the approval form and returns it.
func (r *rig) approving() slacksim.View {
	r.t.Helper()
	r.desk.form = fullForm()
	card := r.card(commands.ActionApprove, "r1 digest")
	r.click("UAPP", card.Ref(), commands.ActionApprove)
	views := r.sim.Views("UAPP")
	if len(views) != 1 {
		r.t.Fatalf("%d modals; log:\n%s", len(views), r.logs)
	}
	return views[0]
}

// Ensure a press opens the form, what is entered reaches commands with the value
// that the form was made for, and the answer comes as a message.
func TestForm_Submit(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		v := r.approving()
		r.desk.set(func(d *desk) { d.reply = said("approved") })
		if err := r.sim.Submit(t.Context(), "UAPP", v.ID, slacksim.Enter(map[string]string{commands.FieldReason: "CHG-7"})); err != nil {
			t.Fatal(err)
		}
		r.settle()
		got := r.desk.asked("submit")
		if len(got) != 1 || got[0].action != commands.ActionApprove || got[0].value != "r1 digest" || got[0].fields[commands.FieldReason] != "CHG-7" || got[0].key == "" {
			t.Errorf("commands was asked %+v", got)
		}
		if n := len(r.sim.Views("UAPP")); n != 0 {
			t.Errorf("%d modals still open", n)
		}
		if got := strings.Join(r.seen("UAPP", "CAPP"), ""); !strings.Contains(got, "approved") {
			t.Errorf("the approver reads %q", got)
		}
		if n := r.inbox(); n != 0 {
			t.Errorf("%d deliveries left", n)
		}
	})
}

// Ensure what is wrong with a field is said beside it and the modal stays open.
func TestForm_FieldError(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		v := r.approving()
		r.desk.set(func(d *desk) {
			d.err = &commands.FieldError{
				Field: commands.FieldReason, Text: change.T("error.reason"), Hint: change.T("error.reason.hint"), Err: change.ErrReason,
			}
		})
		err := r.sim.Submit(t.Context(), "UAPP", v.ID, slacksim.Enter(map[string]string{commands.FieldReason: "because"}))
		wrong, ok := errors.AsType[*slacksim.InputErrors](err)
		if !ok || !wrong.FromApp || !strings.Contains(wrong.ByBlock[commands.FieldReason], "reason") {
			t.Errorf("Submit returned %v", err)
		}
		if n := len(r.sim.Views("UAPP")); n != 1 {
			t.Errorf("%d modals, want the one still", n)
		}
	})
}

// Ensure work that takes longer than Slack waits is acknowledged in time and
// still answered.
func TestForm_Slow(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		v := r.approving()
		r.desk.set(func(d *desk) { d.slow, d.reply = 20*time.Second, said("at last") })
		began := time.Now()
		if err := r.sim.Submit(t.Context(), "UAPP", v.ID, slacksim.Enter(map[string]string{commands.FieldReason: "CHG-7"})); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took >= 3*time.Second {
			t.Errorf("acknowledged after %s", took)
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if got := strings.Join(r.seen("UAPP", "CAPP"), ""); !strings.Contains(got, "at last") {
			t.Errorf("the approver reads %q", got)
		}
	})
}

// Ensure a modal opens while its trigger lives although an earlier wish of the
// same person is still being worked on.
func TestForm_BehindSlowWork(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		r.desk.form = fullForm()
		card := r.card(commands.ActionApprove, "r1 digest")
		r.desk.set(func(d *desk) { d.slow = 20 * time.Second })
		if err := r.sim.Command(t.Context(), "UAPP", "CAPP", "/vpn sites"); err != nil {
			t.Fatal(err)
		}
		r.click("UAPP", card.Ref(), commands.ActionApprove)
		if n := len(r.sim.Views("UAPP")); n != 1 {
			t.Errorf("%d modals, want one", n)
		}
		time.Sleep(time.Minute)
	})
}

// Ensure a form that commands refuses says why in the modal that is open.
func TestForm_Refused(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		card := r.card(commands.ActionApprove, "r1 digest")
		r.desk.err = change.ErrSelfApproval
		r.click("UAPP", card.Ref(), commands.ActionApprove)
		views := r.sim.Views("UAPP")
		if len(views) != 1 || !strings.Contains(views[0].Plain(), "somebody else must decide") {
			t.Errorf("modals %v", views)
		}
	})
}

// Ensure a person is told when the modal could not be opened.
func TestForm_Trigger(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		card := r.card(commands.ActionApprove, "r1 digest")
		r.sim.FailNext("views.open", slacksim.Fault{Kind: slacksim.FaultCode, Code: "expired_trigger_id"})
		r.click("UAPP", card.Ref(), commands.ActionApprove)
		if got := strings.Join(r.seen("UAPP", "CAPP"), ""); !strings.Contains(got, "could not be opened") {
			t.Errorf("the approver reads %q", got)
		}
	})
}

// Ensure a field that the form did not show is told in a message: Slack knows no
// place for it.
func TestForm_FieldNotShown(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		v := r.approving()
		r.desk.set(func(d *desk) {
			d.err = &commands.FieldError{Field: "other", Text: change.T("error.reason"), Hint: change.T("error.reason.hint"), Err: change.ErrReason}
		})
		if err := r.sim.Submit(t.Context(), "UAPP", v.ID, slacksim.Enter(map[string]string{commands.FieldReason: "x"})); err != nil {
			t.Errorf("Submit: %v", err)
		}
		r.settle()
		if got := strings.Join(r.seen("UAPP", "CAPP"), ""); !strings.Contains(got, "reason is missing") {
			t.Errorf("the approver reads %q", got)
		}
	})
}
