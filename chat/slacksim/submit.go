package slacksim

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"
)

// Submit presses the submit button of a modal as a person, with what was
// entered; inputs that are not named keep what they held at first. When the
// modal stays open because of what was entered it returns *[InputErrors].
func (s *Server) Submit(ctx context.Context, user, viewID string, values Values) error {
	var v View
	var e envelope
	var c *socket
	err := s.update(func(st *state) error {
		t, err := s.surface(st, press{user: user, at: Ref{View: viewID}})
		if err != nil {
			return err
		}
		v = *t.view
		if odd := values.unknown(v.Blocks); len(odd) > 0 {
			return fmt.Errorf("inputs %v: %w", odd, ErrNotThere)
		}
		if v.raw["submit"] == nil || v.Home() {
			return fmt.Errorf("submit button: %w", ErrNotThere)
		}
		if faults := values.refuse(v.Blocks); len(faults) > 0 {
			v.Errors = faults
			st.setView(v)
			return &InputErrors{ByBlock: faults}
		}
		if c = s.hub.pick(); c == nil {
			return ErrDispatchFailed
		}
		w := s.common(st, "view_submission", t.user, v.ID, time.Now())
		w["view"], w["hash"], w["response_urls"] = v.wire(&s.opts, values.state(v.Blocks)), v.Hash, []any{}
		e = envelope{ID: uuid(), Type: "interactive", AcceptsAnswer: true, Payload: w}
		return nil
	})
	if err != nil {
		return err
	}
	ack, err := s.deliver(ctx, e, c)
	if err != nil {
		return err
	}
	return s.submitted(v, ack)
}

// reply is the acknowledgement of a submission.
type reply struct {
	Action string            `json:"response_action"`
	Errors map[string]string `json:"errors"`
	View   any               `json:"view"`
}

// submitted does what the acknowledgement of a submission asks for. Without a
// response_action the modal closes and the one below it shows.
func (s *Server) submitted(v View, ack json.RawMessage) error {
	var r reply
	if len(ack) > 0 {
		if json.Unmarshal(ack, &r) != nil {
			return ErrTrouble
		}
	}
	return s.update(func(st *state) error {
		now, ok := st.view(func(o View) bool { return o.ID == v.ID })
		if !ok {
			return nil // closed meanwhile
		}
		switch r.Action {
		case "":
			st.pop(v.User, v.ID)
		case "clear":
			st.views[v.User] = nil
			st.rev++
		case "errors":
			return st.showErrors(now, r.Errors)
		case "update", "push":
			return st.showNext(now, r)
		default:
			return ErrTrouble
		}
		return nil
	})
}

// showErrors puts messages below inputs. Messages for anything that is no
// input are Slack's "trouble connecting".
func (st *state) showErrors(v View, errs map[string]string) error {
	inputs := map[string]bool{}
	for _, b := range v.Blocks {
		inputs[str(b, "block_id")] = b["type"] == "input"
	}
	if len(errs) == 0 {
		return ErrTrouble
	}
	for id := range errs {
		if !inputs[id] {
			return ErrTrouble
		}
	}
	v.Errors = maps.Clone(errs)
	st.setView(v)
	return &InputErrors{ByBlock: errs, FromApp: true}
}

func (st *state) showNext(v View, r reply) error {
	raw, blocks, err := checkRaw(r.View, st, false)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTrouble, err)
	}
	if r.Action == "update" {
		st.setView(st.revise(v, raw, blocks))
		return nil
	}
	if len(st.views[v.User]) >= maxStack {
		return ErrTrouble
	}
	st.push(st.newView(v.User, raw, blocks))
	return nil
}

// CloseView closes a modal as a person: its cancel button or the Escape key
// closes one view, the cross (all) the whole stack. The app hears of views
// that asked for it.
func (s *Server) CloseView(ctx context.Context, user, viewID string, all bool) error {
	var send []envelope
	var c *socket
	err := s.update(func(st *state) error {
		t, err := s.surface(st, press{user: user, at: Ref{View: viewID}})
		if err != nil {
			return err
		}
		id := viewID
		if stack := st.views[user]; (all || t.view.flag("clear_on_close")) && len(stack) > 0 {
			id, all = stack[0].ID, true
		}
		c = s.hub.pick()
		for _, v := range st.pop(user, id) {
			if !v.flag("notify_on_close") {
				continue
			}
			w := s.common(st, "view_closed", t.user, "", time.Now())
			delete(w, "trigger_id")
			w["view"], w["is_cleared"] = v.wire(&s.opts, nil), all
			send = append(send, envelope{ID: uuid(), Type: "interactive", Payload: w})
		}
		return nil
	})
	if err != nil || c == nil {
		return err
	}
	for _, e := range send {
		if _, err := s.deliver(ctx, e, c); err != nil {
			return err
		}
	}
	return nil
}
