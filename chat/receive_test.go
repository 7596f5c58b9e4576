package chat

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slack-go/slack"

	"vpnbot/change"
	"vpnbot/chat/slacksim"
	"vpnbot/commands"
	"vpnbot/commands/text"
)

// Ensure a changing command reaches commands with its key and its person, is
// answered to that person alone, and leaves nothing in the inbox.
func TestReceive_Command(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		r.desk.reply = said("planned")
		r.command("UOPS", "CAPP", "/vpn adduser vpn-01 --for @staff")
		runs := r.desk.asked("run")
		if len(runs) != 1 || runs[0].key == "" || runs[0].who.Actor.Person.ID != "olga" || runs[0].cmd.Verb != "adduser" {
			t.Fatalf("commands was asked %+v", runs)
		}
		if got := r.seen("UOPS", "CAPP"); len(got) != 1 || !strings.Contains(got[0], "planned") {
			t.Errorf("the asker reads %q", got)
		}
		if got := r.seen("UAPP", "CAPP"); len(got) != 0 {
			t.Errorf("somebody else reads %q", got)
		}
		if n := r.inbox(); n != 0 {
			t.Errorf("%d deliveries left in the inbox", n)
		}
	})
}

// Ensure a changing command stands in the ledger before it is acknowledged, and
// that a reading one never does.
func TestReceive_StoredBeforeAck(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		r.desk.set(func(d *desk) { d.slow = time.Minute })
		for _, c := range []struct {
			line string
			want int
		}{{"/vpn adduser vpn-01 --for @staff", 1}, {"/vpn sites", 0}} {
			before := r.inbox()
			if err := r.sim.Command(t.Context(), "UOPS", "CAPP", c.line); err != nil {
				t.Fatal(err)
			}
			if got := r.inbox() - before; got != c.want {
				t.Errorf("%s: %d stored when it was acknowledged, want %d", c.line, got, c.want)
			}
		}
		time.Sleep(3 * time.Minute)
	})
}

// Ensure somebody who asks about routers gets a sign when the answer takes long,
// once and before the answer, and none when it does not.
func TestReceive_Working(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		const sign = "Still reading"
		for _, c := range []struct {
			slow time.Duration
			line string
			want []string
		}{
			{time.Second, "/vpn status", []string{"all is well"}},
			{20 * time.Second, "/vpn status", []string{sign, "all is well"}},
			{20 * time.Second, "/vpn requests", []string{"all is well"}},
		} {
			before := len(r.seen("UOPS", "CAPP"))
			r.desk.set(func(d *desk) { d.slow, d.reply = c.slow, said("all is well") })
			r.command("UOPS", "CAPP", c.line)
			time.Sleep(30 * time.Second)
			synctest.Wait()
			got := r.seen("UOPS", "CAPP")[before:]
			if len(got) != len(c.want) {
				t.Errorf("%s after %v: got %q, want %q", c.line, c.slow, got, c.want)
				continue
			}
			for i, want := range c.want {
				if !strings.Contains(got[i], want) {
					t.Errorf("%s after %v: got %q, want %q", c.line, c.slow, got, c.want)
				}
			}
		}
	})
}

// Ensure words that were not understood are kept nowhere: people paste passwords.
func TestReceive_Unparsed(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		r.desk.err = commandError(t, "frobnicate "+password)
		r.command("UOPS", "CAPP", "/vpn frobnicate "+password)
		if n := r.inbox(); n != 0 {
			t.Errorf("%d deliveries stored", n)
		}
		for _, m := range r.seen("UOPS", "CAPP") {
			if strings.Contains(m, "frobnicate") {
				t.Errorf("the answer repeats what was typed: %q", m)
			}
		}
	})
}

func commandError(t *testing.T, line string) error {
	t.Helper()
	_, err := commands.Parse(line)
	if err == nil {
		t.Fatalf("%q parses", line)
	}
	return err
}

// Ensure a delivery that Slack repeats has its effect once, and is acknowledged
// each time.
func TestReceive_Twice(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		var acks atomic.Int64
		ack := func(any) bool { acks.Add(1); return true }
		cmd := slack.SlashCommand{
			TeamID: "T1", UserID: "UOPS", ChannelID: "CAPP", TriggerID: "1.2.same", Text: "adduser vpn-01 --for <@USTAFF>",
		}
		click := slack.InteractionCallback{
			Type: slack.InteractionTypeBlockActions, TriggerID: "1.3.same", User: slack.User{ID: "UOPS", TeamID: "T1"},
			ActionCallback: slack.ActionCallbacks{BlockActions: []*slack.BlockAction{{ActionID: "submit", Value: "r1"}}},
		}
		for range 3 {
			r.chat.command(t.Context(), cmd, ack)
			r.chat.interaction(t.Context(), click, ack)
		}
		r.settle()
		if runs, presses := len(r.desk.asked("run")), len(r.desk.asked("press")); runs != 1 || presses != 1 {
			t.Errorf("%d runs and %d presses, want one of each", runs, presses)
		}
		if n := acks.Load(); n != 6 {
			t.Errorf("%d acknowledgements, want 6", n)
		}
	})
}

// Ensure a click by a member of another organisation never reaches commands as a
// press, opens no modal, and is recorded as a refusal.
func TestReceive_Foreign(t *testing.T) {
	for _, action := range []string{commands.ActionCancel, commands.ActionApprove, commands.ActionReveal} {
		t.Run(action, func(t *testing.T) {
			bubble(t, workspace(), func(t *testing.T, r *rig) {
				card := r.card(action, "r1")
				r.click("UALIEN", card.Ref(), action)
				if n := len(r.desk.asked("press")) + len(r.desk.asked("form")); n != 0 {
					t.Errorf("the stranger's press reached commands %d times", n)
				}
				refused := r.desk.asked("refuse")
				if len(refused) != 1 || refused[0].who.Actor.Slack.Team != "T9" || refused[0].who.Actor.Person.Role != change.NoRole {
					t.Errorf("refusals %+v", refused)
				}
				if v := r.sim.Views("UALIEN"); len(v) != 0 {
					t.Errorf("the stranger sees a modal: %q", v[0].Plain())
				}
				if n := r.inbox(); n != 0 {
					t.Errorf("%d deliveries left in the inbox", n)
				}
			})
		})
	}
}

// Ensure a submission by a member of another organisation is refused too: a
// modal can be opened for one person and submitted by a forged other.
func TestReceive_ForeignSubmission(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		for _, team := range []string{"T9", ""} {
			r.chat.interaction(t.Context(), slack.InteractionCallback{
				Type: slack.InteractionTypeViewSubmission, TriggerID: "9." + team, User: slack.User{ID: "UOPS", TeamID: team},
				View: slack.View{ID: "V1", PrivateMetadata: `{"a":"approve","v":"r1 d1"}`},
			}, func(any) bool { return true })
			r.settle()
		}
		if n := len(r.desk.asked("submit")); n != 0 {
			t.Errorf("commands saw %d submissions", n)
		}
		if n := len(r.desk.asked("refuse")); n != 2 {
			t.Errorf("%d refusals, want 2; log:\n%s", n, r.logs)
		}
	})
}

// Ensure commands learns that a caller is a guest, and that people who have left
// are refused.
func TestReceive_Guest(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		r.command("UGUEST", "CAPP", "/vpn me")
		if runs := r.desk.asked("run"); len(runs) != 1 || !runs[0].who.Guest {
			t.Errorf("runs %+v, want one by a guest", runs)
		}
		err := r.chat.Member(t.Context(), change.SlackID{Team: "T1", User: "UGONE"})
		if !errors.Is(err, refuseInactive) {
			t.Errorf("Member of a deactivated user: %v", err)
		}
		if sentence, _, _ := text.Explain(err); sentence.ID != "chat.owner.inactive" {
			t.Errorf("Member of a deactivated user: got %s, want a sentence about them", sentence.ID)
		}
		if err := r.chat.Member(t.Context(), change.SlackID{Team: "T9", User: "UALIEN"}); !errors.Is(err, refuseForeign) {
			t.Errorf("Member of a stranger: %v", err)
		}
		if err := r.chat.Member(t.Context(), change.SlackID{Team: "T1", User: "UOPS"}); err != nil {
			t.Errorf("Member: %v", err)
		}
	})
}

// Ensure nothing is changed for somebody about whom Slack gives no answer, and
// that what it said is believed for five minutes and no longer.
func TestReceive_UsersUnread(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		r.command("UOPS", "CAPP", "/vpn cancel 1")
		r.sim.FailNext("users.info", slacksim.Fault{Kind: slacksim.FaultHTTP, Times: -1})
		r.command("UOPS", "CAPP", "/vpn cancel 2")
		if n := len(r.desk.asked("run")); n != 2 {
			t.Errorf("%d runs within the age of an answer, want 2", n)
		}
		time.Sleep(userAge)
		r.command("UOPS", "CAPP", "/vpn cancel 3")
		if n := len(r.desk.asked("run")); n != 2 {
			t.Errorf("%d runs after it, want still 2", n)
		}
		if n := len(r.desk.asked("refuse")); n != 1 {
			t.Errorf("%d refusals, want 1", n)
		}
	})
}

// Ensure a delivery that an earlier process stored is carried out once by the
// next, and answered although its response URL is gone.
func TestReceive_Restart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, workspace())
		r.desk.reply = said("done after all")
		r.commit(change.Move{Inbox: []change.Inbound{{
			Key: "click:1.1.x", At: time.Now(), Kind: kindClick, From: change.SlackID{Team: "T1", User: "UOPS"},
			Body: []byte(`{"action":"submit","value":"r1","channel":"CAPP"}`),
		}}})
		time.Sleep(time.Minute)
		r.start()
		r.connected()
		r.halt()
		r.start()
		r.connected()
		if presses := r.desk.asked("press"); len(presses) != 1 || presses[0].key != "click:1.1.x" {
			t.Errorf("presses %+v, want one", presses)
		}
		if got := strings.Join(r.seen("UOPS", "CAPP"), "\n"); !strings.Contains(got, "done after all") {
			t.Errorf("the person reads %q", got)
		}
		if n := r.inbox(); n != 0 {
			t.Errorf("%d deliveries left", n)
		}
	})
}

// Ensure a panic ends one delivery and nothing else.
func TestReceive_Panic(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		r.desk.reply = commands.Reply{Parts: []commands.Part{{Table: &commands.Table{Head: make([]change.Text, 1), Rows: nil}}}}
		boom := slack.InteractionCallback{
			Type: slack.InteractionTypeBlockActions, TriggerID: "1", User: slack.User{ID: "UOPS", TeamID: "T1"},
			ActionCallback: slack.ActionCallbacks{BlockActions: []*slack.BlockAction{{ActionID: "submit"}}},
		}
		r.chat.spawn(r.chat.work, delivery{kind: kindClick, from: change.SlackID{Team: "T1", User: "UOPS"}}, func() { panic(password) })
		r.chat.interaction(t.Context(), boom, func(any) bool { return true })
		r.settle()
		if len(r.desk.asked("press")) != 1 {
			t.Error("the person's next delivery was not carried out")
		}
	})
}

// Ensure people are answered in their own language: their choice, then their
// Slack's.
func TestReceive_Language(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		r.desk.err = change.ErrNotFound
		r.command("UZH", "CAPP", "/vpn show 7")
		r.commit(change.Move{Preferences: []change.Preference{{Person: "mei", Language: "en"}}})
		r.command("UZH", "CAPP", "/vpn show 8")
		runs := r.desk.asked("run")
		if len(runs) != 2 || runs[0].who.Language != "zh-TW" || runs[1].who.Language != "en" {
			t.Errorf("runs %+v", runs)
		}
		if got := r.seen("UZH", "CAPP"); len(got) != 2 || got[0] == got[1] {
			t.Errorf("answers %q", got)
		}
	})
}

// Ensure an answer finds its person without a response URL, and outside the
// channels that the bot is in.
func TestAnswer_Ways(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		r.desk.reply = said("found you")
		r.sim.FailNext(slacksim.ResponseURL, slacksim.Fault{Kind: slacksim.FaultHTTP})
		r.command("UOPS", "CAPP", "/vpn sites")
		if got := strings.Join(r.seen("UOPS", "CAPP"), ""); !strings.Contains(got, "found you") {
			t.Errorf("in the channel: %q", got)
		}
		r.sim.FailNext(slacksim.ResponseURL, slacksim.Fault{Kind: slacksim.FaultHTTP})
		r.command("UOPS", "COUT", "/vpn sites")
		if got := strings.Join(r.seen("UOPS", r.sim.Direct("UOPS")), ""); !strings.Contains(got, "found you") {
			t.Errorf("directly: %q", got)
		}
	})
}

// Ensure an answer larger than Slack's acknowledgements reaches its person: the
// acknowledgement is empty and the answer goes its own way, within every limit.
func TestAnswer_Large(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		r.desk.reply = hugeReply()
		r.command("UOPS", "CAPP", "/vpn users")
		got := r.seen("UOPS", "CAPP")
		if len(got) != 1 || len(got[0]) < 20<<10 {
			t.Fatalf("%d messages of %d bytes, want one of more than 20 KiB", len(got), len(strings.Join(got, "")))
		}
		for _, c := range r.sim.Traffic() {
			if c.Method == "ack" && len(c.Body) > 200 {
				t.Errorf("an acknowledgement of %d bytes", len(c.Body))
			}
		}
	})
}

// Ensure blocks that Slack refuses do not cost the answer.
func TestAnswer_InvalidBlocks(t *testing.T) {
	for n, name := range []string{"", "sections", "text"} {
		if n == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			bubble(t, workspace(), func(t *testing.T, r *rig) {
				r.sim.FailNext("chat.postMessage", slacksim.Fault{Kind: slacksim.FaultCode, Code: "invalid_blocks", Times: n})
				r.tell(r.approvals(), change.NoticeOutcome, "outcome:r1")
				r.until("the notice", func() bool { return len(r.seen("UAPP", "CAPP")) == 1 })
				if got := r.seen("UAPP", "CAPP")[0]; !strings.Contains(got, "outcome:r1") {
					t.Errorf("read %q", got)
				}
			})
		})
	}
}

// Ensure an answer can be shown to everyone in the channel, with who did it.
func TestAnswer_Share(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		reply := said("the sites")
		reply.Share = true
		r.desk.reply = reply
		r.command("UOPS", "CAPP", "/vpn sites")
		mine := r.sim.Messages("UOPS", "CAPP")
		if len(mine) != 1 {
			t.Fatalf("%d messages", len(mine))
		}
		r.desk.set(func(d *desk) { d.reply = said("the sites") })
		r.click("UOPS", mine[0].Ref(), commands.ActionShare)
		if got := strings.Join(r.seen("UAPP", "CAPP"), ""); !strings.Contains(got, "the sites") || !strings.Contains(got, "UOPS") {
			t.Errorf("the others read %q", got)
		}
		if presses := r.desk.asked("press"); len(presses) != 1 || !strings.Contains(presses[0].value, "sites") {
			t.Errorf("presses %+v", presses)
		}
	})
}

// Ensure nothing is shared where people of another organisation read.
func TestAnswer_ShareForeign(t *testing.T) {
	o := workspace()
	o.Channels[0].Shared = true
	bubble(t, o, func(t *testing.T, r *rig) {
		reply := said("the sites")
		reply.Share = true
		r.desk.reply = reply
		r.command("UOPS", "CAPP", "/vpn sites")
		r.desk.set(func(d *desk) { d.reply = said("the sites") })
		r.click("UOPS", r.sim.Messages("UOPS", "CAPP")[0].Ref(), commands.ActionShare)
		if got := r.seen("UAPP", "CAPP"); len(got) != 0 {
			t.Errorf("the others read %q", got)
		}
		if got := r.desk.asked("refuse"); len(got) != 1 {
			t.Errorf("refusals recorded: %+v", got)
		}
	})
}

// Ensure the preview that was pressed on gives way to the answer, and stays when
// the press was refused.
func TestAnswer_Preview(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		preview := said("preview")
		preview.Parts = append(preview.Parts, buttons(button(commands.ActionSubmit, "r1"), button(commands.ActionDiscard, "r1")))
		r.desk.reply = preview
		r.command("UOPS", "CAPP", "/vpn adduser vpn-01 --for @staff")
		at := r.sim.Messages("UOPS", "CAPP")[0].Ref()
		r.desk.set(func(d *desk) { d.err = change.ErrNotAllowed })
		r.click("UOPS", at, commands.ActionSubmit)
		if got := r.seen("UOPS", "CAPP"); len(got) != 2 || !strings.Contains(got[0], "preview") {
			t.Errorf("after a refusal: %q", got)
		}
		r.desk.set(func(d *desk) { d.err, d.reply = nil, said("request #1") })
		r.click("UOPS", at, commands.ActionSubmit)
		if got := strings.Join(r.seen("UOPS", "CAPP"), "|"); strings.Contains(got, "preview") || !strings.Contains(got, "request #1") {
			t.Errorf("after the submission: %q", got)
		}
	})
}

// Ensure a bot that never reached Slack ends without an error.
func TestRun_Outage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, workspace())
		r.sim.SetOutage(true)
		r.start()
		time.Sleep(5 * time.Minute)
		r.halt()
	})
}
