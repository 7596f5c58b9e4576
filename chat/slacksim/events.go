package slacksim

import (
	"context"
	"slices"
	"strings"
	"time"
)

// retries are the pauses after which Slack delivers an unacknowledged event
// again.
var retries = []time.Duration{0, time.Minute, 5 * time.Minute}

// OpenHome opens the app's Home tab as a person, which the app hears of as
// app_home_opened.
func (s *Server) OpenHome(user string) {
	channel := s.Direct(user)
	s.event("app_home_opened", map[string]any{
		"type": "app_home_opened", "user": user, "channel": channel, "tab": "home",
	})
}

// said tells the app about a person's message, if it subscribes to such.
func (s *Server) said(conv conversation, m Message) {
	if !slices.Contains(conv.Members, s.opts.Bot.UserID) {
		return
	}
	kind, where := "message.channels", "channel"
	switch {
	case conv.direct != "":
		kind, where = "message.im", "im"
	case conv.Private:
		kind, where = "message.groups", "group"
	}
	body := map[string]any{
		"type": "message", "user": m.Author, "text": m.Text, "ts": m.TS, "event_ts": m.TS,
		"channel": conv.ID, "channel_type": where, "team": s.opts.Team.ID,
	}
	s.event(kind, body)
	if strings.Contains(m.Text, "<@"+s.opts.Bot.UserID+">") && conv.direct == "" {
		mention := map[string]any{
			"type": "app_mention", "user": m.Author, "text": m.Text, "ts": m.TS, "event_ts": m.TS, "channel": conv.ID,
		}
		s.event("app_mention", mention)
	}
}

// event delivers an event to a subscribed app in the background, and again
// when it is not acknowledged.
func (s *Server) event(kind string, body map[string]any) {
	if !slices.Contains(s.opts.Events, kind) {
		return
	}
	s.mu.Lock()
	id := s.st.id("Ev")
	s.mu.Unlock()
	now := time.Now().Unix()
	payload := map[string]any{
		"token": "retired", "team_id": s.opts.Team.ID, "api_app_id": s.opts.Bot.AppID,
		"type": "event_callback", "event": body, "event_id": id, "event_time": now,
		"is_ext_shared_channel": false,
		"authorizations": []any{map[string]any{
			"team_id": s.opts.Team.ID, "user_id": s.opts.Bot.UserID, "is_bot": true, "is_enterprise_install": false,
		}},
	}
	s.busy.run(func() { s.insist(payload) })
}

// insist delivers an event until it is acknowledged or the tries are used up.
func (s *Server) insist(payload map[string]any) {
	e := envelope{Type: "events_api", Payload: payload}
	for try := 0; ; try++ {
		s.mu.Lock()
		c := s.hub.pick()
		s.mu.Unlock()
		err := ErrDispatchFailed
		e.ID = uuid()
		e.Retry, e.RetryReason = try, ""
		if try > 0 {
			e.RetryReason = "timeout"
		}
		if c != nil {
			_, err = s.deliver(context.Background(), e, c)
		}
		if err == nil || try == len(retries) {
			return
		}
		if retries[try] == 0 {
			continue
		}
		t := time.NewTimer(retries[try])
		select {
		case <-t.C:
		case <-s.busy.closing:
			t.Stop()
			return
		}
	}
}
