package chat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/change"
	"vpnbot/chat/slacksim"
	"vpnbot/commands"
)

// texts is the first line of each message that a user sees in a channel.
func (r *rig) texts(user, channel string) []string {
	var out []string
	for _, m := range r.sim.Messages(user, channel) {
		out = append(out, m.Text)
	}
	return out
}

func (r *rig) waiting() int {
	r.t.Helper()
	w, err := r.store.Outbox(context.Background(), 0)
	if err != nil {
		r.t.Fatal(err)
	}
	return len(w)
}

func (r *rig) drained() {
	r.t.Helper()
	r.until("an empty outbox", func() bool { return r.waiting() == 0 })
}

// Ensure a card is one message, updated in place, and everything else is a
// message of its own: an edit reaches nobody's phone.
func TestOutbox_InPlace(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		staff := change.Audience{Person: "staff"}
		for range 3 {
			r.tell(r.approvals(), change.NoticeCard, "card:r1")
			r.drained()
			r.tell(r.approvals(), change.NoticeReminder, "reminder:r1")
			r.drained()
			r.tell(staff, change.NoticeOutcome, "outcome:r1")
			r.drained()
		}
		got := r.texts("UAPP", "CAPP")
		if n := count(got, "card:r1"); n != 1 {
			t.Errorf("%d cards, want 1", n)
		}
		if n := count(got, "reminder:r1"); n != 3 {
			t.Errorf("%d reminders, want 3", n)
		}
		if n := count(r.texts("USTAFF", r.sim.Direct("USTAFF")), "outcome:r1"); n != 3 {
			t.Errorf("%d outcomes, want 3", n)
		}
	})
}

func count(all []string, want string) int {
	return len(slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s != want }))
}

// Ensure a message that Slack took without saying so is not sent again.
func TestOutbox_AnswerLost(t *testing.T) {
	for _, kind := range []change.NoticeKind{change.NoticeCard, change.NoticeOutcome} {
		t.Run(string(kind), func(t *testing.T) {
			bubble(t, workspace(), func(t *testing.T, r *rig) {
				r.sim.FailNext("chat.postMessage", slacksim.Fault{Kind: slacksim.FaultUnknown})
				r.tell(r.approvals(), kind, "n:1")
				r.drained()
				if got := r.texts("UAPP", "CAPP"); len(got) != 1 {
					t.Errorf("messages %q, want one", got)
				}
			})
		})
	}
}

// forgetful loses the record of deliveries, as a crash after the posting does.
type forgetful struct{ Ledger }

func (f forgetful) Commit(ctx context.Context, m change.Move) (change.Receipt, error) {
	if len(m.Deliveries) > 0 {
		return change.Receipt{}, errors.New("disk gone")
	}
	return f.Ledger.Commit(ctx, m)
}

// Ensure a notice that was posted before a crash, and not recorded, stands once
// after the restart: also when it was renewed long after.
func TestOutbox_Crash(t *testing.T) {
	for name, renewed := range map[string]bool{"as it was": false, "renewed": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, workspace())
				r.ledger = forgetful{r.store}
				r.start()
				r.connected()
				r.tell(r.approvals(), change.NoticeCard, "card:r1")
				r.until("the card", func() bool { return len(r.texts("UAPP", "CAPP")) == 1 })
				r.halt()
				time.Sleep(time.Hour)
				if renewed {
					r.tell(r.approvals(), change.NoticeCard, "card:r1")
					time.Sleep(time.Minute)
				}
				r.ledger = r.store
				r.start()
				r.connected()
				r.drained()
				if got := r.texts("UAPP", "CAPP"); len(got) != 1 {
					t.Errorf("messages %q, want one", got)
				}
			})
		})
	}
}

// Ensure news follow in order after an outage, each once.
func TestOutbox_Outage(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		r.sim.SetOutage(true)
		keys := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
		r.tell(r.approvals(), change.NoticeOutcome, keys...)
		time.Sleep(30 * time.Minute)
		r.sim.SetOutage(false)
		r.drained()
		if got := r.texts("UAPP", "CAPP"); !slices.Equal(got, keys) {
			t.Errorf("messages %q, want %q", got, keys)
		}
	})
}

// Ensure an audience that Slack does not take holds nobody else up, and that a
// pause that Slack asks for is kept.
func TestOutbox_Apart(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		r.sim.FailNext("chat.postMessage", slacksim.Fault{
			Kind: slacksim.FaultRateLimited, RetryAfter: 40 * time.Second,
			When: func(args map[string]any) bool { return args["channel"] == "CAPP" },
		})
		began := time.Now()
		r.tell(r.approvals(), change.NoticeOutcome, "first")
		r.tell(r.approvals(), change.NoticeOutcome, "second")
		r.tell(change.Audience{Person: "staff"}, change.NoticeOutcome, "mine")
		r.until("the person's message", func() bool { return len(r.texts("USTAFF", r.sim.Direct("USTAFF"))) == 1 })
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the person waited %s for the channel", took)
		}
		r.drained()
		if took := time.Since(began); took < 40*time.Second {
			t.Errorf("tried again after %s, Slack asked for 40 s", took)
		}
		if got := r.texts("UAPP", "CAPP"); !slices.Equal(got, []string{"first", "second"}) {
			t.Errorf("messages %q", got)
		}
	})
}

// Ensure a slow Slack answer to one audience does not hold up another.
func TestOutbox_Hung(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		r.desk.notice = func(n change.Notice) (commands.Reply, error) {
			if n.Key == "slow" {
				time.Sleep(time.Minute)
			}
			return said(n.Key), nil
		}
		r.tell(r.approvals(), change.NoticeOutcome, "slow")
		r.tell(change.Audience{Person: "staff"}, change.NoticeOutcome, "mine")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := r.texts("USTAFF", r.sim.Direct("USTAFF")); len(got) != 1 {
			t.Errorf("the person has %q after 10 s", got)
		}
		r.drained()
	})
}

// Ensure nothing is posted where another organisation reads along, also when it
// joined while the bot ran, and everything follows when it has left.
func TestOutbox_Shared(t *testing.T) {
	o := workspace()
	o.Channels[0].Shared = true
	bubble(t, o, func(t *testing.T, r *rig) {
		r.tell(r.approvals(), change.NoticeCard, "card:r1")
		r.tell(change.Audience{Channel: change.ChannelAudit}, change.NoticeCheckpoint, "checkpoint:1")
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if got := r.texts("UAPP", "CAPP"); len(got) != 0 {
			t.Errorf("posted %q in a shared channel", got)
		}
		if got := r.texts("UAPP", "CAUD"); len(got) != 1 {
			t.Errorf("the other channel has %q", got)
		}
		if !strings.Contains(r.logs.String(), "shared with another organisation") {
			t.Error("the log does not say why")
		}
	})
}

// Ensure a channel's membership is believed for a minute, not for ever, and that
// a card is not posted while Slack does not say who reads it.
func TestOutbox_SharedUnread(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		r.tell(r.approvals(), change.NoticeCard, "card:r1")
		r.drained()
		time.Sleep(10 * time.Minute)
		r.sim.FailNext("conversations.info", slacksim.Fault{Kind: slacksim.FaultHTTP, Times: -1})
		r.tell(r.approvals(), change.NoticeCard, "card:r2")
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if n := count(r.texts("UAPP", "CAPP"), "card:r2"); n != 0 {
			t.Errorf("%d cards posted blindly", n)
		}
		r.sim.ClearFaults()
		r.drained()
		if n := count(r.texts("UAPP", "CAPP"), "card:r2"); n != 1 {
			t.Errorf("%d cards in the end, want 1", n)
		}
	})
}

// Ensure notices for people whom Slack does not reach are given up, and do not
// stay for ever.
func TestOutbox_Nobody(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		for _, p := range []change.PersonID{"desk", change.Outside("Ms Out"), "slack:T9/UALIEN", "slack:T1/UGONE", "nobody"} {
			r.tell(change.Audience{Person: p}, change.NoticeOutcome, "outcome:"+string(p))
		}
		r.tell(change.Audience{Person: change.Unlisted(change.SlackID{Team: "T1", User: "UZH"})}, change.NoticeOutcome, "outcome:mei")
		r.drained()
		if got := r.texts("UZH", r.sim.Direct("UZH")); len(got) != 1 {
			t.Errorf("an unlisted person of ours has %q", got)
		}
	})
}

// Ensure channels are written to in their own language.
func TestOutbox_Language(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		r.desk.notice = func(change.Notice) (commands.Reply, error) {
			return commands.Reply{Parts: []commands.Part{commands.Say("", change.T("chat.loading"))}}, nil
		}
		r.tell(r.approvals(), change.NoticeOutcome, "a")
		r.tell(change.Audience{Channel: change.ChannelAudit}, change.NoticeOutcome, "b")
		r.drained()
		if en, zh := r.texts("UAPP", "CAPP")[0], r.texts("UAPP", "CAUD")[0]; en == zh {
			t.Errorf("both channels read %q", en)
		}
	})
}

// Ensure a card that somebody deleted is posted anew.
func TestOutbox_Deleted(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		r.tell(r.approvals(), change.NoticeCard, "card:r1")
		r.drained()
		r.sim.FailNext("chat.update", slacksim.Fault{Kind: slacksim.FaultCode, Code: "message_not_found"})
		r.tell(r.approvals(), change.NoticeCard, "card:r1")
		r.drained()
		if n := count(r.texts("UAPP", "CAPP"), "card:r1"); n != 2 {
			t.Errorf("%d messages, want the new one beside the old", n)
		}
	})
}

// Ensure a burst of notices keeps to what Slack takes in a channel.
func TestOutbox_Pace(t *testing.T) {
	o := workspace()
	o.PostBurst = 8
	bubble(t, o, func(t *testing.T, r *rig) {
		var keys []string
		for i := range 40 {
			keys = append(keys, string(rune('A'+i)))
		}
		r.tell(r.approvals(), change.NoticeOutcome, keys...)
		r.drained()
		if got := r.texts("UAPP", "CAPP"); !slices.Equal(got, keys) {
			t.Errorf("messages %q", got)
		}
		if strings.Contains(r.logs.String(), "ratelimited") {
			t.Error("Slack had to say that it was too fast")
		}
	})
}

// Ensure an app that may not read messages delivers all the same: a message may
// stand twice, and none is missing.
func TestOutbox_Unsearchable(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		r.sim.FailNext("chat.postMessage", slacksim.Fault{Kind: slacksim.FaultBefore})
		r.sim.FailNext("conversations.history", slacksim.Fault{Kind: slacksim.FaultCode, Code: "missing_scope", Times: -1})
		r.tell(r.approvals(), change.NoticeOutcome, "outcome:r1")
		r.drained()
		if got := r.texts("UAPP", "CAPP"); len(got) != 1 {
			t.Errorf("messages %q, want one", got)
		}
	})
}

// Ensure a card that is renewed while it is being sent ends on its last state,
// whatever Slack does meanwhile, and without waiting for a later look.
func TestOutbox_Converges(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		var state atomic.Int64
		r.desk.notice = func(n change.Notice) (commands.Reply, error) {
			return said(fmt.Sprintf("%s at %d", n.Key, state.Load())), nil
		}
		r.sim.SetLatency(130 * time.Millisecond)
		r.sim.FailNext("chat.update", slacksim.Fault{Kind: slacksim.FaultHTTP, Times: 3})
		for i := range 300 {
			state.Store(int64(i))
			r.tell(r.approvals(), change.NoticeCard, fmt.Sprintf("card:%d", i%3))
			time.Sleep(time.Duration(i%7) * 40 * time.Millisecond)
		}
		began := time.Now()
		r.drained()
		if took := time.Since(began); took > retryLast {
			t.Errorf("the last state took %s", took)
		}
		got := r.texts("UAPP", "CAPP")
		slices.Sort(got)
		if len(got) != 3 {
			t.Fatalf("cards %q, want three", got)
		}
		for i, last := range []int{297, 298, 299} {
			var at int
			if _, err := fmt.Sscanf(got[i], fmt.Sprintf("card:%d at %%d", i), &at); err != nil || at < last {
				t.Errorf("card %d reads %q, want the state of %d or later", i, got[i], last)
			}
		}
	})
}
