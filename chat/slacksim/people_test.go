package slacksim_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/chat/slacksim"
)

// Ensure a member of another organisation sees only the shared channel, has no
// commands, and is betrayed in a click by the team of the user alone.
func TestExternal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newSim(t, options()))
		next := r.listen(nil)
		ts, _ := r.call("chat.postMessage", body{"channel": "CSHARED", "text": "x", "blocks": []any{acts("b", "go")}})["ts"].(string)
		r.call("chat.postMessage", body{"channel": "COPS", "text": "x", "blocks": []any{acts("b", "go")}})
		if got := r.s.Messages("UEXT", "COPS"); got != nil {
			t.Errorf("sees the other channel: %v", got)
		}
		ops := last(t, r.s, "UOP", "COPS")
		if err := r.s.Click(t.Context(), "UEXT", ops.Ref(), "go", ""); !errors.Is(err, slacksim.ErrNotThere) {
			t.Errorf("click in the other channel: got %v", err)
		}
		for _, user := range []string{"UEXT", "UGONE"} {
			if err := r.s.Command(t.Context(), user, "CSHARED", "/vpn help"); err == nil {
				t.Errorf("%s has commands", user)
			}
		}
		if err := r.s.Command(t.Context(), "UGUEST", "CSHARED", "/vpn help"); err != nil {
			t.Errorf("guest: got %v", err)
		}
		next()
		if err := r.s.Click(t.Context(), "UEXT", slacksim.Ref{Channel: "CSHARED", TS: ts}, "go", ""); err != nil {
			t.Fatal(err)
		}
		p := next()
		if got := fmt.Sprint(p["user"].(body)["team_id"], " ", p["team"].(body)["id"]); got != "T2 T1" {
			t.Errorf("user's team, team: got %s", got)
		}
	})
}

// Ensure an ephemeral message is one person's, arrives in a click without its
// text, and changes only through the click's response_url, five times.
func TestEphemeral_ResponseURL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newSim(t, options()))
		next := r.listen(nil)
		r.call("chat.postEphemeral", body{"channel": "COPS", "user": "UOP", "text": "preview", "blocks": []any{acts("b", "go")}})
		if got := r.s.Messages("UAP", "COPS"); len(got) != 0 {
			t.Errorf("another person sees %v", got)
		}
		m := last(t, r.s, "UOP", "COPS")
		if err := r.s.Click(t.Context(), "UAP", m.Ref(), "go", ""); !errors.Is(err, slacksim.ErrNotThere) {
			t.Errorf("another person's click: got %v", err)
		}
		if err := r.s.Click(t.Context(), "UOP", m.Ref(), "go", ""); err != nil {
			t.Fatal(err)
		}
		p := next()
		if p["message"] != nil || p["container"].(body)["is_ephemeral"] != true {
			t.Errorf("click: got %v", p)
		}
		hook, _ := p["response_url"].(string)
		steps := []struct {
			args   body
			status int
			want   string // what UOP then sees
		}{
			{body{"replace_original": true, "text": "one"}, 200, "one"},
			{body{"text": "two"}, 200, "one two"},
			{body{"response_type": "in_channel", "text": "three"}, 200, "one two three"},
			{body{"text": "bad", "blocks": []any{body{"type": "x"}}}, 400, "one two three"},
			{body{"delete_original": true}, 200, "two three"},
			{body{"text": "six"}, 404, "two three"},
		}
		for _, st := range steps {
			_, res, err := r.post(hook, "", st.args)
			if err != nil || res.StatusCode != st.status {
				t.Errorf("%v: got %v, %v, want %d", st.args, res, err, st.status)
			}
			if got := r.texts("UOP"); got != st.want {
				t.Errorf("%v: sees %q, want %q", st.args, got, st.want)
			}
		}
		if got := r.texts("UAP"); got != "three" {
			t.Errorf("another person sees %q", got)
		}
		r.s.Reload("UOP")
		if got := r.texts("UOP"); got != "three" {
			t.Errorf("after a reload: %q", got)
		}
	})
}

func (r *rig) texts(user string) string {
	var all []string
	for _, m := range r.s.Messages(user, "COPS") {
		all = append(all, m.Text)
	}
	return strings.Join(all, " ")
}

// Ensure a response_url ends after half an hour.
func TestResponseURL_Expires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newSim(t, options()))
		next := r.listen(nil)
		if err := r.s.Command(t.Context(), "UOP", "COPS", "/vpn help"); err != nil {
			t.Fatal(err)
		}
		hook, _ := next()["response_url"].(string)
		time.Sleep(29 * time.Minute)
		if _, res, err := r.post(hook, "", body{"text": "in time"}); err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("in time: got %v, %v", res, err)
		}
		time.Sleep(2 * time.Minute)
		if ans, res, err := r.post(hook, "", body{"text": "late"}); err != nil || res.StatusCode != http.StatusNotFound || ans["error"] != "expired_url" {
			t.Errorf("late: got %v, %v", ans, err)
		}
		if got := r.texts("UOP"); got != "in time" {
			t.Errorf("sees %q", got)
		}
	})
}

// Ensure an acknowledgement can carry the answer to a command, for one person
// or for the channel, where the command then shows too.
func TestCommand_AnswerInAck(t *testing.T) {
	for kind, want := range map[string]string{"ephemeral": "UOP:answer ", "in_channel": "UOP:/vpn help answer UAP:/vpn help answer"} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, newSim(t, options()))
			r.listen(func(body) any { return body{"response_type": kind, "text": "answer"} })
			if err := r.s.Command(t.Context(), "UOP", "COPS", "/vpn help"); err != nil {
				t.Fatal(err)
			}
			got := "UOP:" + r.texts("UOP") + " "
			if s := r.texts("UAP"); s != "" {
				got += "UAP:" + s
			}
			if got != want {
				t.Errorf("%s: got %q, want %q", kind, got, want)
			}
		})
	}
}

// Ensure what a person types reaches the app as Slack's clients send it.
func TestCommand_Text(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newSim(t, options()))
		next := r.listen(nil)
		for typed, want := range map[string]string{
			"for @olive":               "for <@UOP>",
			"for @ann.approver.":       "for <@UAP>.",
			"(@OLIVE), me@olive":       "(<@UOP>), me@olive",
			"@nobody <@UOP> &":         "@nobody &lt;@UOP&gt; &amp;",
			"#vpn-ops #vpn-audit #no":  "<#COPS|vpn-ops> <#CAUDIT|> #no",
			"see https://x.y/?a=1&b=2": "see <https://x.y/?a=1&amp;b=2>",
			"名稱 vpn—01":                "名稱 vpn—01",
		} {
			if err := r.s.Command(t.Context(), "UOP", "COPS", "/vpn "+typed); err != nil {
				t.Fatal(err)
			}
			if got := next()["text"]; got != want {
				t.Errorf("%q: got %q, want %q", typed, got, want)
			}
		}
	})
}

// Ensure a choice in a select arrives as Slack sends it, and none that is not
// offered.
func TestClick_Select(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newSim(t, options()))
		next := r.listen(nil)
		r.call("chat.postMessage", body{"channel": "COPS", "text": "x", "blocks": []any{
			with(choose("static_select", body{"options": choices(2)}), body{"block_id": "b"}),
		}})
		m := last(t, r.s, "UOP", "COPS")
		if err := r.s.Click(t.Context(), "UOP", m.Ref(), "a", "7"); !errors.Is(err, slacksim.ErrNotThere) {
			t.Errorf("a choice that is not offered: got %v", err)
		}
		if err := r.s.Click(t.Context(), "UOP", m.Ref(), "a", "1"); err != nil {
			t.Fatal(err)
		}
		p := next()
		chosen := p["actions"].([]any)[0].(body)["selected_option"].(body)["value"]
		held := p["state"].(body)["values"].(body)["b"].(body)["a"].(body)["selected_option"].(body)["value"]
		if chosen != "1" || held != "1" {
			t.Errorf("chosen %v, held %v", chosen, held)
		}
	})
}

// Ensure a clone remembers everything, serves the same response_url, and goes
// its own way.
func TestClone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newSim(t, options()))
		next := r.listen(nil)
		v := r.openModal(func() body { return next() }, view("Open", says("x")))
		if err := r.s.Command(t.Context(), "UOP", "COPS", "/vpn help"); err != nil {
			t.Fatal(err)
		}
		cmd := next()
		r.call("chat.postMessage", body{"channel": "COPS", "text": "before"})
		c := newRig(t, r.s.Clone())
		if n := c.s.Connections(); n != 0 {
			t.Errorf("connections of the clone: got %d", n)
		}
		if got := c.s.Views("UOP"); len(got) != 1 || got[0].ID != v.ID {
			t.Errorf("views of the clone: got %+v", got)
		}
		if _, res, err := c.post(cmd["response_url"].(string), "", body{"text": "there"}); err != nil || res.StatusCode != 200 {
			t.Errorf("response_url on the clone: got %v, %v", res, err)
		}
		if got := c.code("views.open", body{"trigger_id": cmd["trigger_id"], "view": view("New", says("x"))}); got != "" {
			t.Errorf("trigger on the clone: got %s", got)
		}
		r.call("chat.postMessage", body{"channel": "COPS", "text": "here"})
		if got, want := r.texts("UOP")+"|"+c.texts("UOP"), "before here|before there"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if got := r.s.Views("UOP"); len(got) != 1 || got[0].Title != "Open" {
			t.Errorf("views of the original: got %+v", got)
		}
	})
}

// Ensure waiting ends with the context and sees changes without polling.
func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, options())
		go func() {
			time.Sleep(time.Hour)
			_, _ = s.Say("UOP", "COPS", "at last")
		}()
		looks := 0
		err := s.Wait(t.Context(), func() bool { looks++; return len(s.Messages("UAP", "COPS")) == 1 })
		if err != nil || looks != 2 {
			t.Errorf("got %v after %d looks, want 2", err, looks)
		}
	})
}
