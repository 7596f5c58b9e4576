package slacksim

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// Click uses an element of a message or a modal as a person: it presses a
// button, or chooses value in a select. For a button value may be empty, or
// choose between buttons of the same action ID. It waits for the app's
// acknowledgement.
func (s *Server) Click(ctx context.Context, user string, at Ref, actionID, value string) error {
	var chosen []string
	if value != "" {
		chosen = []string{value}
	}
	return s.click(ctx, press{user: user, at: at, action: actionID, chosen: chosen})
}

// press is one use of an element.
type press struct {
	user   string
	at     Ref
	action string
	chosen []string
	values Values // what the inputs around it hold
}

func (s *Server) click(ctx context.Context, p press) error {
	var e envelope
	var c *socket
	err := s.update(func(st *state) error {
		t, err := s.target(st, p)
		if err != nil {
			return err
		}
		if c = s.hub.pick(); c == nil {
			return ErrDispatchFailed
		}
		e, err = s.clickEnvelope(st, c, t, p)
		return err
	})
	if err != nil {
		return err
	}
	_, err = s.deliver(ctx, e, c)
	return err
}

// target is what a person clicks on.
type target struct {
	user    User
	conv    conversation
	message *Message
	view    *View
	element
}

func (t target) blocks() []Block {
	if t.view != nil {
		return t.view.Blocks
	}
	return t.message.Blocks
}

// target finds the element that a person can see and use.
func (s *Server) target(st *state, p press) (target, error) {
	t, err := s.surface(st, p)
	if err != nil {
		return t, err
	}
	for _, e := range elements(t.blocks()) {
		if e.id() != p.action || p.at.Block != "" && str(e.block, "block_id") != p.at.Block {
			continue
		}
		if e.el["type"] == "button" && len(p.chosen) > 0 && p.chosen[0] != str(e.el, "value") {
			continue
		}
		t.element = e
		return t, nil
	}
	return t, fmt.Errorf("element %s: %w", p.action, ErrNotThere)
}

// surface finds the message or view that a person can see.
func (s *Server) surface(st *state, p press) (target, error) {
	if p.at.View != "" {
		u, ok := st.user(p.user)
		v, found := st.view(func(v View) bool { return v.ID == p.at.View && v.User == p.user })
		if !ok || !found {
			return target{}, fmt.Errorf("view %s: %w", p.at.View, ErrNotThere)
		}
		return target{user: u, view: &v}, nil
	}
	u, conv, err := s.see(st, p.user, p.at.Channel)
	if err != nil {
		return target{}, err
	}
	i := st.find(p.at.Channel, p.at.TS)
	if i < 0 {
		return target{}, fmt.Errorf("message %s: %w", p.at.TS, ErrNotThere)
	}
	m := st.messages[p.at.Channel][i]
	if m.OnlyFor != "" && m.OnlyFor != p.user {
		return target{}, fmt.Errorf("message %s: %w", p.at.TS, ErrNotThere)
	}
	return target{user: u, conv: conv, message: &m}, nil
}

// who is the person in a payload. The team is the person's own: for members of
// other organisations that is not the workspace's.
func who(u User) map[string]any {
	return map[string]any{"id": u.ID, "username": u.Handle, "name": u.Handle, "team_id": u.TeamID}
}

// common is what every interactive payload carries.
func (s *Server) common(st *state, kind string, u User, view string, now time.Time) map[string]any {
	return map[string]any{
		"type": kind, "token": "retired", "api_app_id": s.opts.Bot.AppID,
		"team": map[string]any{"id": s.opts.Team.ID, "domain": s.opts.Team.Domain},
		"user": who(u), "enterprise": nil, "is_enterprise_install": false,
		"trigger_id": s.trigger(st, u.ID, view, now),
	}
}

func (s *Server) clickEnvelope(st *state, c *socket, t target, p press) (envelope, error) {
	now := time.Now()
	ts := strconv.FormatFloat(float64(now.UnixMicro())/1e6, 'f', 6, 64)
	action, ok := reading(t.el, p.chosen)
	if !ok {
		return envelope{}, fmt.Errorf("choice %v of element %s: %w", p.chosen, p.action, ErrNotThere)
	}
	action["action_id"], action["block_id"], action["action_ts"] = t.id(), t.block["block_id"], ts
	for _, key := range []string{"text", "value", "style", "placeholder", "confirm"} {
		if v, has := t.el[key]; has && (key != "value" || t.el["type"] == "button") {
			action[key] = v
		}
	}
	view := ""
	if t.view != nil {
		view = t.view.ID
	}
	w := s.common(st, "block_actions", t.user, view, now)
	w["actions"] = []any{action}
	values := Values{}
	maps.Copy(values, p.values)
	if len(p.chosen) > 0 && t.el["type"] != "button" {
		values[str(t.block, "block_id")+"/"+t.id()] = p.chosen
	}
	if t.view != nil {
		w["container"] = map[string]any{"type": "view", "view_id": t.view.ID}
		w["view"] = t.view.wire(&s.opts, values.state(t.view.Blocks))
	} else {
		s.messagePayload(st, c, t, w, values, now)
	}
	return envelope{ID: uuid(), Type: "interactive", Payload: w}, nil
}

// messagePayload adds what a click on a message carries. Slack leaves the
// message itself out when it is ephemeral.
func (s *Server) messagePayload(st *state, c *socket, t target, w map[string]any, values Values, now time.Time) {
	m := t.message
	box := map[string]any{
		"type": "message", "message_ts": m.TS, "channel_id": m.Channel, "is_ephemeral": m.Ephemeral(),
	}
	if m.ThreadTS != "" {
		box["thread_ts"] = m.ThreadTS
	}
	name := t.conv.Name
	switch {
	case t.conv.direct != "":
		name = "directmessage"
	case t.conv.Private:
		name = "privategroup"
	}
	w["container"] = box
	w["channel"] = map[string]any{"id": m.Channel, "name": name}
	w["state"] = map[string]any{"values": values.state(m.Blocks)}
	if !m.Ephemeral() {
		w["message"] = m.wire(&s.opts, slices.Contains(t.conv.Members, s.opts.Bot.UserID))
	}
	h := hook{user: t.user.ID, channel: m.Channel, original: m.TS}
	w["response_url"] = c.base + st.hook(&s.opts, "actions", h, now)
}
