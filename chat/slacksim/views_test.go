package slacksim_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/chat/slacksim"
)

func view(title string, blocks ...any) body {
	return body{
		"type": "modal", "title": body{"type": "plain_text", "text": title},
		"submit": body{"type": "plain_text", "text": "Send"}, "blocks": blocks,
	}
}

func asks(block, action string) body {
	return body{
		"type": "input", "block_id": block, "label": body{"type": "plain_text", "text": "Name"},
		"element": body{"type": "plain_text_input", "action_id": action},
	}
}

func acts(block string, ids ...string) body {
	var els []any
	for _, id := range ids {
		els = append(els, body{"type": "button", "action_id": id, "value": "v-" + xs(min(len(id), 9)), "text": plain("Press")})
	}
	return body{"type": "actions", "block_id": block, "elements": els}
}

func says(s string) body {
	return body{"type": "section", "text": body{"type": "mrkdwn", "text": s}}
}

// listen connects an app that keeps what it gets and acknowledges with reply.
func (r *rig) listen(reply func(body) any) func() body {
	r.t.Helper()
	got := make(chan body, 64)
	w := r.connect()
	w.answer(func(f body) any {
		got <- f
		if reply == nil {
			return nil
		}
		return reply(f)
	})
	return func() body { return payload(<-got) }
}

// Ensure a trigger ID works once, and for three seconds.
func TestTrigger_OnceAndSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newSim(t, options()))
		next := r.listen(nil)
		trigger := func() any {
			if err := r.s.Command(t.Context(), "UOP", "COPS", "/vpn help"); err != nil {
				t.Fatal(err)
			}
			return next()["trigger_id"]
		}
		id := trigger()
		time.Sleep(2900 * time.Millisecond)
		if got := r.code("views.open", body{"trigger_id": id, "view": view("One", says("x"))}); got != "" {
			t.Errorf("in time: got %s", got)
		}
		if got := r.code("views.open", body{"trigger_id": id, "view": view("Two", says("x"))}); got != "exchanged_trigger_id" {
			t.Errorf("twice: got %q", got)
		}
		id = trigger()
		time.Sleep(3100 * time.Millisecond)
		if got := r.code("views.open", body{"trigger_id": id, "view": view("Late", says("x"))}); got != "expired_trigger_id" {
			t.Errorf("late: got %q", got)
		}
		if got := r.code("views.open", body{"trigger_id": "1.2.c", "view": view("None", says("x"))}); got != "invalid_trigger_id" {
			t.Errorf("made up: got %q", got)
		}
		if got := r.s.Views("UOP"); len(got) != 1 || got[0].Title != "One" {
			t.Errorf("views: got %+v", got)
		}
	})
}

// Ensure every answer to a submission does what Slack does with it.
func TestSubmit_Answers(t *testing.T) {
	for name, tt := range map[string]struct {
		answer any
		want   string // titles left, joined
		err    error
	}{
		"empty":            {nil, "", nil},
		"clear":            {body{"response_action": "clear"}, "", nil},
		"update":           {body{"response_action": "update", "view": view("New", says("x"))}, "New", nil},
		"push":             {body{"response_action": "push", "view": view("Top", says("x"))}, "First,Top", nil},
		"unknown":          {body{"response_action": "dance"}, "First", slacksim.ErrTrouble},
		"errors elsewhere": {body{"response_action": "errors", "errors": body{"nowhere": "no"}}, "First", slacksim.ErrTrouble},
		"broken view":      {body{"response_action": "update", "view": view(strings.Repeat("t", 25))}, "First", slacksim.ErrTrouble},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, newSim(t, options()))
				next := r.listen(func(f body) any {
					if payload(f)["type"] == "view_submission" {
						return tt.answer
					}
					return nil
				})
				v := r.openModal(next, view("First", asks("b", "a")))
				if err := r.s.Submit(t.Context(), "UOP", v.ID, slacksim.Enter(map[string]string{"a": "x"})); !errors.Is(err, tt.err) {
					t.Errorf("got %v, want %v", err, tt.err)
				}
				var titles []string
				for _, v := range r.s.Views("UOP") {
					titles = append(titles, v.Title)
				}
				if got := strings.Join(titles, ","); got != tt.want {
					t.Errorf("views: got %q, want %q", got, tt.want)
				}
			})
		})
	}
}

// openModal has UOP type a command and the app open a view for it.
func (r *rig) openModal(next func() body, v body) slacksim.View {
	r.t.Helper()
	if err := r.s.Command(r.t.Context(), "UOP", "COPS", "/vpn form"); err != nil {
		r.t.Fatal(err)
	}
	if got := r.call("views.open", body{"trigger_id": next()["trigger_id"], "view": v}); got["ok"] != true {
		r.t.Fatalf("views.open: %v", got)
	}
	views := r.s.Views("UOP")
	return views[len(views)-1]
}

// Ensure inputs are refused first by Slack, then by the app, and that what was
// entered arrives.
func TestSubmit_Errors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newSim(t, options()))
		next := r.listen(func(f body) any {
			if payload(f)["type"] == "view_submission" {
				return body{"response_action": "errors", "errors": body{"b": "taken"}}
			}
			return nil
		})
		first := view("First", asks("b", "a"))
		first["private_metadata"], first["callback_id"] = "meta", "form"
		v := r.openModal(next, first)
		if err := r.s.Submit(t.Context(), "UOP", v.ID, nil); !errors.Is(err, slacksim.ErrRequired) {
			t.Errorf("empty: got %v", err)
		}
		if err := r.s.Submit(t.Context(), "UOP", v.ID, slacksim.Enter(map[string]string{"typo": "x"})); !errors.Is(err, slacksim.ErrNotThere) {
			t.Errorf("unknown input: got %v", err)
		}
		err := r.s.Submit(t.Context(), "UOP", v.ID, slacksim.Enter(map[string]string{"a": "vpn-01"}))
		if e, ok := errors.AsType[*slacksim.InputErrors](err); !ok || !e.FromApp || e.ByBlock["b"] != "taken" {
			t.Errorf("refused by the app: got %v", err)
		}
		sent, _ := next()["view"].(body)
		got := fmt.Sprint(sent["state"].(body)["values"], sent["private_metadata"], sent["callback_id"])
		if want := "map[b:map[a:map[type:plain_text_input value:vpn-01]]]metaform"; got != want {
			t.Errorf("submission: got %s, want %s", got, want)
		}
		if v := r.s.Views("UOP"); len(v) != 1 || v[0].Errors["b"] != "taken" {
			t.Errorf("views: got %+v", v)
		}
	})
}

// Ensure the stack holds three, hashes guard updates, and closed views are gone.
func TestViews_StackHashClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newSim(t, options()))
		next := r.listen(nil)
		form := view("1", acts("x", "more"), asks("b", "a"))
		form["notify_on_close"] = true
		v := r.openModal(next, form)
		for i, want := range []string{"", "", "push_limit_reached"} {
			if err := r.s.Click(t.Context(), "UOP", v.Ref(), "more", ""); err != nil {
				t.Fatal(err)
			}
			click := next()
			if c, _ := click["container"].(body); c["view_id"] != v.ID {
				t.Errorf("container: got %v", c)
			}
			if got := r.code("views.push", body{"trigger_id": click["trigger_id"], "view": view(fmt.Sprint(i+2), says("x"))}); got != want {
				t.Errorf("push %d: got %q, want %q", i+1, got, want)
			}
		}
		if got := r.code("views.update", body{"view_id": v.ID, "hash": "old", "view": view("1b", says("x"))}); got != "hash_conflict" {
			t.Errorf("old hash: got %q", got)
		}
		if got := r.code("views.update", body{"view_id": v.ID, "hash": v.Hash, "view": form}); got != "" {
			t.Errorf("right hash: got %q", got)
		}
		if err := r.s.CloseView(t.Context(), "UOP", v.ID, true); err != nil {
			t.Fatal(err)
		}
		if c := next(); c["type"] != "view_closed" || c["is_cleared"] != true {
			t.Errorf("closing: got %v", c)
		}
		if got := r.code("views.update", body{"view_id": v.ID, "view": view("1c", says("x"))}); got != "not_found" {
			t.Errorf("closed view: got %q", got)
		}
		if got := r.code("views.publish", body{"user_id": "UOP", "view": body{"type": "home", "blocks": []any{says("hi")}}}); got != "" {
			t.Errorf("publish: got %q", got)
		}
		if h, ok := r.s.HomeTab("UOP"); !ok || h.Plain() != "hi" {
			t.Errorf("home: got %+v, %v", h, ok)
		}
	})
}
