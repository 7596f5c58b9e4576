package slacksim_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/chat/slacksim"
)

// Ensure each call that Slack refuses gets Slack's code.
func TestAPI_Refusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newSim(t, options()))
		said, err := r.s.Say("UOP", "COPS", "hello")
		if err != nil {
			t.Fatal(err)
		}
		posted := r.call("chat.postMessage", body{"channel": "COPS", "text": "mine"})["ts"]
		whisper := r.call("chat.postEphemeral", body{"channel": "COPS", "user": "UOP", "text": "psst"})["message_ts"]
		for _, tt := range []struct {
			method string
			args   body
			want   string
		}{
			{"no.such", nil, "unknown_method"},
			{"chat.postMessage", body{"channel": "CNONE", "text": "x"}, "channel_not_found"},
			{"chat.postMessage", body{"channel": "COPEN", "text": "x"}, "not_in_channel"},
			{"chat.postMessage", body{"channel": "CSECRET", "text": "x"}, "channel_not_found"},
			{"chat.postMessage", body{"channel": "COPS"}, "no_text"},
			{"chat.postMessage", body{"channel": "COPS", "text": "x", "blocks": "no json"}, "invalid_blocks_format"},
			{"chat.postMessage", body{"channel": "COPS", "text": "x", "metadata": body{"event_type": "x"}}, "invalid_metadata_schema"},
			{"chat.postMessage", body{"channel": "COPS", "text": "x", "metadata": body{"event_type": "x", "event_payload": body{"k": xs(20000)}}}, "metadata_too_large"},
			{"chat.postEphemeral", body{"channel": "COPS", "user": "UEXT", "text": "x"}, "user_not_in_channel"},
			{"chat.update", body{"channel": "COPS", "ts": posted, "text": xs(4001)}, "msg_too_long"},
			{"chat.update", body{"channel": "COPS", "ts": posted, "text": xs(4000)}, ""},
			{"chat.update", body{"channel": "COPS", "ts": "1.000001", "text": "x"}, "message_not_found"},
			{"chat.update", body{"channel": "COPS", "ts": said.TS, "text": "x"}, "cant_update_message"},
			{"chat.update", body{"channel": "COPS", "ts": whisper, "text": "x"}, "message_not_found"},
			{"chat.delete", body{"channel": "COPS", "ts": whisper}, "message_not_found"},
			{"chat.delete", body{"channel": "COPS", "ts": said.TS}, "cant_delete_message"},
			{"chat.getPermalink", body{"channel": "COPS", "message_ts": whisper}, "message_not_found"},
			{"chat.getPermalink", body{"channel": "COPS", "message_ts": posted}, ""},
			{"users.info", body{"user": "UNONE"}, "user_not_found"},
			{"usergroups.users.list", body{"usergroup": "SNONE"}, "no_such_subteam"},
			{"conversations.open", body{"users": "UNONE"}, "user_not_found"},
			{"conversations.open", body{"users": "UBOT"}, "cannot_dm_bot"},
			{"conversations.info", body{"channel": "CSECRET"}, "channel_not_found"},
			{"conversations.history", body{"channel": "COPEN"}, "not_in_channel"},
			{"conversations.replies", body{"channel": "COPS", "ts": "1.000001"}, "thread_not_found"},
			{"views.publish", body{"user_id": "UNONE", "view": body{"type": "home", "blocks": []any{}}}, "user_not_found"},
			{"views.update", body{"view_id": "V0", "view": view("x", says("x"))}, "not_found"},
		} {
			if got := r.code(tt.method, tt.args); got != tt.want {
				t.Errorf("%s %.80v: got %q, want %q", tt.method, tt.args, got, tt.want)
			}
		}
	})
}

// Ensure the token is taken from header and form, and only the right kind.
func TestAPI_Tokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newSim(t, options()))
		for _, tt := range []struct{ method, token, want string }{
			{"auth.test", "Bearer " + botToken, ""},
			{"auth.test", "", "not_authed"},
			{"auth.test", "Bearer xoxb-other", "invalid_auth"},
			{"auth.test", "Bearer " + appToken, "not_allowed_token_type"},
			{"apps.connections.open", "Bearer " + botToken, "not_allowed_token_type"},
			{"apps.connections.open", "Bearer " + appToken, ""},
		} {
			ans, _, err := r.post("http://slack.test/api/"+tt.method, tt.token, nil)
			if got, _ := ans["error"].(string); err != nil || got != tt.want {
				t.Errorf("%s with %q: got %q, %v, want %q", tt.method, tt.token, got, err, tt.want)
			}
		}
		res, err := r.http.PostForm("http://slack.test/api/auth.test", url.Values{"token": {botToken}})
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("form: got %s", res.Status)
		}
	})
}

// Ensure people are described as Slack does: flags, organisation, language.
func TestUsersInfo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newSim(t, options()))
		for id, want := range map[string]string{
			"UOP":    "T1 zh-TW Asia/Taipei false false false",
			"UGUEST": "T1 en-US UTC true false false",
			"UEXT":   "T2 <nil> UTC false false false",
			"UGONE":  "T1 <nil> <nil> false true false",
			"UBOT":   "T1 en-US UTC false false true",
		} {
			u, _ := r.call("users.info", body{"user": id, "include_locale": true})["user"].(body)
			got := fmt.Sprint(u["team_id"], " ", u["locale"], " ", u["tz"], " ", u["is_restricted"], " ", u["deleted"], " ", u["is_bot"])
			if got != want {
				t.Errorf("%s: got %s, want %s", id, got, want)
			}
		}
		for id, want := range map[string]bool{"COPS": false, "CSHARED": true} {
			c, _ := r.call("conversations.info", body{"channel": id})["channel"].(body)
			if c["is_ext_shared"] != want {
				t.Errorf("%s: is_ext_shared: got %v", id, c["is_ext_shared"])
			}
		}
	})
}

// Ensure a message is found again by its metadata, in channels and threads,
// page by page, and ephemeral ones never.
func TestHistory_Metadata(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newSim(t, free(options())))
		var root any
		for i := range 5 {
			ans := r.call("chat.postMessage", body{
				"channel": "COPS", "text": fmt.Sprint(i),
				"metadata": body{"event_type": "notice", "event_payload": body{"key": fmt.Sprint(i)}},
			})
			root = ans["ts"]
		}
		r.call("chat.postMessage", body{"channel": "COPS", "text": "reply", "thread_ts": root})
		r.call("chat.postEphemeral", body{"channel": "COPS", "user": "UOP", "text": "hidden"})
		var seen []string
		cursor := ""
		for range 5 {
			ans := r.call("conversations.history", body{"channel": "COPS", "limit": 2, "cursor": cursor, "include_all_metadata": true})
			for _, m := range ans["messages"].([]any) {
				m := m.(body)
				seen = append(seen, fmt.Sprint(m["text"], m["metadata"].(body)["event_payload"].(body)["key"]))
			}
			cursor, _ = ans["response_metadata"].(body)["next_cursor"].(string)
			if cursor == "" {
				break
			}
		}
		if got, want := strings.Join(seen, " "), "44 33 22 11 00"; got != want {
			t.Errorf("history: got %s, want %s", got, want)
		}
		replies := r.call("conversations.replies", body{"channel": "COPS", "ts": root})["messages"].([]any)
		if len(replies) != 2 || replies[1].(body)["text"] != "reply" {
			t.Errorf("replies: got %v", replies)
		}
		r.call("chat.update", body{"channel": "COPS", "ts": root, "text": "kept"})
		if m := last(t, r.s, "UOP", "COPS"); m.Text == "kept" {
			t.Error("the update moved the message")
		}
		ans := r.call("conversations.history", body{"channel": "COPS", "latest": root, "inclusive": true, "limit": 1, "include_all_metadata": true})
		if m := ans["messages"].([]any)[0].(body); m["text"] != "kept" || m["metadata"] == nil || m["edited"] == nil {
			t.Errorf("updated: got %v", m)
		}
	})
}

// Ensure a channel takes its burst and then one message a second, and says
// how long to wait.
func TestPost_Rate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := options()
		opts.PostBurst = 3
		r := newRig(t, newSim(t, opts))
		post := func(channel string) (string, int, string) {
			ans, res, err := r.try("chat.postMessage", body{"channel": channel, "text": "x"})
			if err != nil {
				t.Fatal(err)
			}
			code, _ := ans["error"].(string)
			return code, res.StatusCode, res.Header.Get("Retry-After")
		}
		for range 3 {
			if code, _, _ := post("COPS"); code != "" {
				t.Errorf("in the burst: got %s", code)
			}
		}
		if code, status, wait := post("COPS"); code != "ratelimited" || status != 429 || wait != "1" {
			t.Errorf("after the burst: got %s, %d, Retry-After %s", code, status, wait)
		}
		if code, _, _ := post("CAUDIT"); code != "" {
			t.Errorf("another channel: got %s", code)
		}
		time.Sleep(time.Second)
		if code, _, _ := post("COPS"); code != "" {
			t.Errorf("a second later: got %s", code)
		}
	})
}

// Ensure each fault does, or does not do, the work that its name says.
func TestFaults(t *testing.T) {
	for name, tt := range map[string]struct {
		fault  slacksim.Fault
		code   string
		status int
		done   bool
	}{
		"code":         {slacksim.Fault{Kind: slacksim.FaultCode, Code: "fatal_error"}, "fatal_error", 200, false},
		"unknown":      {slacksim.Fault{Kind: slacksim.FaultUnknown}, "", 0, true},
		"before":       {slacksim.Fault{Kind: slacksim.FaultBefore}, "", 0, false},
		"http":         {slacksim.Fault{Kind: slacksim.FaultHTTP}, "", 500, false},
		"rate limited": {slacksim.Fault{Kind: slacksim.FaultRateLimited, RetryAfter: 30 * time.Second}, "ratelimited", 429, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, newSim(t, options()))
				tt.fault.When = func(args map[string]any) bool { return args["channel"] == "COPS" }
				r.s.FailNext("chat.postMessage", tt.fault)
				if got := r.code("chat.postMessage", body{"channel": "CAUDIT", "text": "other"}); got != "" {
					t.Errorf("a call that the fault does not choose: got %s", got)
				}
				ans, res, err := r.try("chat.postMessage", body{"channel": "COPS", "text": "x"})
				if (tt.status == 0) != (err != nil) {
					t.Fatalf("got %v, %v", ans, err)
				}
				if err == nil && res.StatusCode != tt.status {
					t.Errorf("status: got %d, want %d", res.StatusCode, tt.status)
				}
				if got, _ := ans["error"].(string); got != tt.code {
					t.Errorf("code: got %q, want %q", got, tt.code)
				}
				if got := len(r.s.Messages("UOP", "COPS")) == 1; got != tt.done {
					t.Errorf("done: got %v, want %v", got, tt.done)
				}
				if got := r.code("chat.postMessage", body{"channel": "COPS", "text": "again"}); got != "" {
					t.Errorf("the next call: got %s", got)
				}
			})
		})
	}
}

// Ensure an outage cuts sockets and calls, and ends.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newSim(t, options()))
		w := r.connect()
		r.s.SetOutage(true)
		if _, _, err := w.ws.ReadMessage(); err == nil {
			t.Error("the socket lived on")
		}
		if _, _, err := r.try("auth.test", nil); err == nil {
			t.Error("a call was answered")
		}
		r.s.SetOutage(false)
		r.connect()
	})
}

// Ensure recording keeps what the app sent, without its tokens.
func TestTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newSim(t, options()))
		r.call("auth.test", nil)
		r.s.Record(true)
		res, err := r.http.PostForm("http://slack.test/api/chat.postMessage", url.Values{"token": {botToken}, "channel": {"COPS"}, "text": {"hello"}})
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		got := r.s.Traffic()
		if len(got) != 1 || got[0].Method != "chat.postMessage" || !strings.Contains(got[0].Body, "hello") || strings.Contains(got[0].Body, botToken) {
			t.Errorf("traffic: got %+v", got)
		}
	})
}
