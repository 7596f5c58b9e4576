package slacksim

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// errNothingSent is returned when there is nothing to deliver again.
var errNothingSent = errors.New("no envelope was sent yet")

// Redeliver sends the newest envelope once more, on the next connection, as
// Slack may when an acknowledgement got lost: same ID, same payload.
func (s *Server) Redeliver(ctx context.Context) error {
	s.mu.Lock()
	e, c := s.last, s.hub.pick()
	s.mu.Unlock()
	switch {
	case e.ID == "":
		return errNothingSent
	case c == nil:
		return ErrDispatchFailed
	}
	e.Retry++
	e.RetryReason = "timeout"
	_, err := s.deliver(ctx, e, c)
	return err
}

// Forge delivers a click on a button that the app never made, on a message of
// the person's own. Slack does not let this happen; an app should not depend on
// that.
func (s *Server) Forge(ctx context.Context, user, channel, actionID, value string) error {
	button := map[string]any{
		"type": "button", "action_id": actionID, "value": value,
		"text": map[string]any{"type": "plain_text", "text": "Go"},
	}
	block := Block{"type": "actions", "block_id": "forged", "elements": []any{button}}
	p := press{user: user, action: actionID}
	return s.forge(ctx, user, func(st *state, c *socket, u User) (envelope, error) {
		_, conv, err := s.see(st, user, channel)
		if err != nil {
			return envelope{}, err
		}
		m := Message{Channel: channel, TS: st.ts(time.Now()), Author: user, Text: "Go", Blocks: []Block{block}}
		return s.clickEnvelope(st, c, target{user: u, conv: conv, message: &m, element: element{block, button}}, p)
	})
}

// ForgeSubmit delivers the submission of a modal that the app never opened, with
// these private metadata and what its text inputs hold by block ID. The action ID
// of each is "value".
func (s *Server) ForgeSubmit(ctx context.Context, user, callbackID, metadata string, inputs map[string]string) error {
	var blocks []Block
	for id := range inputs {
		input := map[string]any{"type": "plain_text_input", "action_id": "value"}
		blocks = append(blocks, Block{"type": "input", "block_id": id, "element": input})
	}
	return s.forge(ctx, user, func(st *state, _ *socket, u User) (envelope, error) {
		raw := map[string]any{
			"type": "modal", "callback_id": callbackID, "private_metadata": metadata,
			"title": map[string]any{"type": "plain_text", "text": "Go"}, "submit": map[string]any{"type": "plain_text", "text": "Go"},
		}
		v := st.newView(user, raw, blocks)
		w := s.common(st, "view_submission", u, v.ID, time.Now())
		w["view"], w["hash"], w["response_urls"] = v.wire(&s.opts, Enter(inputs).state(blocks)), v.Hash, []any{}
		return envelope{ID: uuid(), Type: "interactive", AcceptsAnswer: true, Payload: w}, nil
	})
}

func (s *Server) forge(ctx context.Context, user string, made func(*state, *socket, User) (envelope, error)) error {
	var e envelope
	var c *socket
	err := s.update(func(st *state) (err error) {
		u, ok := st.user(user)
		if !ok {
			return fmt.Errorf("person %s: %w", user, ErrNotThere)
		}
		if c = s.hub.pick(); c == nil {
			return ErrDispatchFailed
		}
		e, err = made(st, c, u)
		return err
	})
	if err != nil {
		return err
	}
	_, err = s.deliver(ctx, e, c)
	return err
}
