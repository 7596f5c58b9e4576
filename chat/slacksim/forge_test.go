package slacksim_test

import (
	"errors"
	"testing"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"vpnbot/chat/slacksim"
)

// Ensure an app hears of what was delivered twice and of what was made up just
// as of what is genuine: it must tell them apart by itself.
func TestForge(t *testing.T) {
	s, base := start(t, options())
	type heard struct {
		envelope string
		retry    int
		call     slack.InteractionCallback
	}
	got := make(chan heard, 10)
	if err := s.Redeliver(t.Context()); err == nil {
		t.Error("delivered again before anything was sent")
	}
	if err := s.Forge(t.Context(), "UOP", "COPS", "approve", "x"); !errors.Is(err, slacksim.ErrDispatchFailed) {
		t.Errorf("without a connection: got %v", err)
	}
	connect(t, s, base, func(_ *slack.Client, sm *socketmode.Client, e socketmode.Event) {
		if e.Type != socketmode.EventTypeInteractive {
			return
		}
		_ = sm.Ack(*e.Request)
		got <- heard{e.Request.EnvelopeID, e.Request.RetryAttempt, e.Data.(slack.InteractionCallback)}
	})
	if err := s.Forge(t.Context(), "UEXT", "CSHARED", "approve", "made up"); err != nil {
		t.Fatal(err)
	}
	first := <-got
	if a := first.call.ActionCallback.BlockActions[0]; a.ActionID != "approve" || a.Value != "made up" || first.call.User.TeamID != "T2" {
		t.Errorf("forged click: got %+v by %+v", a, first.call.User)
	}
	if err := s.Redeliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := <-got
	if again.envelope != first.envelope || again.call.TriggerID != first.call.TriggerID || again.retry != 1 {
		t.Errorf("delivered again: got %+v", again)
	}
	if err := s.Forge(t.Context(), "UEXT", "COPS", "approve", "x"); !errors.Is(err, slacksim.ErrNotThere) {
		t.Errorf("in a channel out of reach: got %v", err)
	}
	if err := s.ForgeSubmit(t.Context(), "UOP", "approve", `{"a":"approve"}`, map[string]string{"reason": "because"}); err != nil {
		t.Fatal(err)
	}
	form := <-got
	if form.call.Type != slack.InteractionTypeViewSubmission || form.call.View.PrivateMetadata != `{"a":"approve"}` || form.call.User.ID != "UOP" ||
		form.call.View.State.Values["reason"]["value"].Value != "because" {
		t.Errorf("forged form: got %+v", form.call.View)
	}
}
