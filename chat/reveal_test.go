package chat

import (
	"strings"
	"testing"
	"time"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/chat/slacksim"
	"vpnbot/commands"
)

// grant stores credentials for staff and sends them the message with the button.
func (r *rig) grant(withPSK bool) slacksim.Message {
	r.t.Helper()
	now := time.Now()
	v := change.Reveal{
		ID: "reveal-r1", Request: "r1", Number: 42, Granted: now, Until: now.Add(72 * time.Hour), Deadline: now.Add(72 * time.Hour),
		Credentials: change.Credentials{Site: "hq", Server: "vpn.example", Account: "vpn-01", Reader: "staff", Password: "ref-password"},
	}
	m := change.Move{
		Reveal: &v, Seal: []secret.Sealed{r.key.Seal("ref-password", secret.New(password))},
		Events: []change.Event{{At: now, Kind: change.EventGranted, Actor: change.SystemPerson}},
	}
	if withPSK {
		v.Credentials.PSK = "ref-psk"
		m.Seal = append(m.Seal, r.key.Seal("ref-psk", secret.New(psk)))
	}
	r.desk.notice = func(n change.Notice) (commands.Reply, error) {
		reply := said(n.Key)
		if n.Kind == change.NoticeCredentials {
			reply.Parts = append(reply.Parts, buttons(button(commands.ActionReveal, v.ID)))
		}
		return reply, nil
	}
	m.Notices = []change.Notice{{
		Key: "credentials:" + v.ID, Kind: change.NoticeCredentials, Audience: change.Audience{Person: "staff"}, Reveal: v.ID,
	}}
	r.commit(m)
	room := r.sim.Direct("USTAFF")
	r.until("the credentials' message", func() bool { return len(r.sim.Messages("USTAFF", room)) == 1 })
	return r.sim.Messages("USTAFF", room)[0]
}

func (r *rig) openings() (counted, all int) {
	r.t.Helper()
	v, err := r.store.Reveal(r.t.Context(), "reveal-r1")
	if err != nil {
		r.t.Fatal(err)
	}
	return v.Counted(), len(v.Openings)
}

// Ensure the owner sees everything a client needs in a modal without inputs,
// each opening is counted and told, and the fourth is refused.
func TestReveal(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		m := r.grant(true)
		for n := 1; n <= change.OpeningsAllowed; n++ {
			r.click("USTAFF", m.Ref(), commands.ActionReveal)
			views := r.sim.Views("USTAFF")
			if len(views) == 0 {
				t.Fatalf("no modal at opening %d; log:\n%s", n, r.logs)
			}
			got := views[len(views)-1].Plain()
			for _, want := range []string{"L2TP/IPsec with pre-shared key", "vpn.example", "vpn-01", password, psk} {
				if !strings.Contains(got, want) {
					t.Errorf("opening %d lacks %q:\n%s", n, want, got)
				}
			}
			if len(views[len(views)-1].Actions()) != 0 {
				t.Error("the modal has inputs")
			}
			if counted, _ := r.openings(); counted != n {
				t.Errorf("%d openings counted, want %d", counted, n)
			}
		}
		r.click("USTAFF", m.Ref(), commands.ActionReveal)
		views := r.sim.Views("USTAFF")
		if got := views[len(views)-1].Plain(); strings.Contains(got, password) || !strings.Contains(got, "as often as allowed") {
			t.Errorf("the fourth opening shows:\n%s", got)
		}
		told := strings.Join(r.texts("USTAFF", r.sim.Direct("USTAFF")), "\n")
		if got := strings.Count(told, "opened:reveal-r1:"); got != change.OpeningsAllowed {
			t.Errorf("%d messages about openings, want %d:\n%s", got, change.OpeningsAllowed, told)
		}
	})
}

// Ensure a server key that the bot never knew is said to be elsewhere.
func TestReveal_UnknownPSK(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		r.click("USTAFF", r.grant(false).Ref(), commands.ActionReveal)
		if got := r.sim.Views("USTAFF")[0].Plain(); !strings.Contains(got, "ask your administrator") || !strings.Contains(got, password) {
			t.Errorf("the modal reads:\n%s", got)
		}
	})
}

// Ensure an opening that Slack certainly did not show is given back, with the
// window as it was, and that one whose fate is unknown counts. The reader is told
// either way.
func TestReveal_Failures(t *testing.T) {
	for name, c := range map[string]struct {
		fault   slacksim.Fault
		counted int
		told    string
	}{
		"refused":         {slacksim.Fault{Kind: slacksim.FaultCode, Code: "view_too_large"}, 0, "does not count"},
		"closed":          {slacksim.Fault{Kind: slacksim.FaultCode, Code: "not_found"}, 0, "does not count"},
		"rate limited":    {slacksim.Fault{Kind: slacksim.FaultRateLimited, RetryAfter: 30 * time.Second}, 0, "does not count"},
		"answer lost":     {slacksim.Fault{Kind: slacksim.FaultUnknown}, 1, "could not find out"},
		"connection lost": {slacksim.Fault{Kind: slacksim.FaultBefore}, 1, "could not find out"},
		"status 500":      {slacksim.Fault{Kind: slacksim.FaultHTTP}, 1, "could not find out"},
		"fatal error":     {slacksim.Fault{Kind: slacksim.FaultCode, Code: "fatal_error"}, 1, "could not find out"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, workspace(), func(t *testing.T, r *rig) {
				m := r.grant(true)
				before, _ := r.store.Reveal(t.Context(), "reveal-r1")
				r.sim.FailNext("views.update", c.fault)
				r.click("USTAFF", m.Ref(), commands.ActionReveal)
				counted, all := r.openings()
				if counted != c.counted || all != 1 {
					t.Errorf("%d of %d openings count, want %d of 1", counted, all, c.counted)
				}
				after, _ := r.store.Reveal(t.Context(), "reveal-r1")
				if c.counted == 0 && !after.Until.Equal(before.Until) {
					t.Errorf("open until %s, want %s as before", after.Until, before.Until)
				}
				if got := strings.Join(r.seen("USTAFF", r.sim.Direct("USTAFF")), "\n"); !strings.Contains(got, c.told) {
					t.Errorf("the reader is told %q, want %q in it", got, c.told)
				}
			})
		})
	}
}

// Ensure nobody but the reader opens credentials, not even an approver, and that
// a press costs no opening when its modal could not open.
func TestReveal_Refused(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		r.grant(true)
		card := r.card(commands.ActionReveal, "reveal-r1") // the same button, in a channel
		r.click("UAPP", card.Ref(), commands.ActionReveal)
		if got := r.sim.Views("UAPP"); len(got) != 1 || strings.Contains(got[0].Plain(), password) || !strings.Contains(got[0].Plain(), "somebody else") {
			t.Errorf("an approver sees %v", got)
		}
		if n := len(r.desk.asked("refuse")); n != 1 {
			t.Errorf("%d refusals recorded, want 1", n)
		}
		m := r.sim.Messages("USTAFF", r.sim.Direct("USTAFF"))[0]
		r.sim.FailNext("views.open", slacksim.Fault{Kind: slacksim.FaultCode, Code: "expired_trigger_id"})
		r.click("USTAFF", m.Ref(), commands.ActionReveal)
		if _, all := r.openings(); all != 0 {
			t.Errorf("%d openings, want none", all)
		}
	})
}

// Ensure a sealed value that does not open costs no opening.
func TestReveal_Unreadable(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		m := r.grant(true)
		other := make([]byte, secret.KeySize)
		other[0] = 1
		key, err := secret.NewKey(other)
		if err != nil {
			t.Fatal(err)
		}
		r.chat.o.Key = key
		r.click("USTAFF", m.Ref(), commands.ActionReveal)
		if counted, all := r.openings(); counted != 0 || all != 1 {
			t.Errorf("%d of %d openings count", counted, all)
		}
		if got := r.sim.Views("USTAFF")[0].Plain(); !strings.Contains(got, "cannot be opened") {
			t.Errorf("the modal reads %q", got)
		}
	})
}
