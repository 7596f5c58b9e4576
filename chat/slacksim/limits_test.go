package slacksim_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"

	"vpnbot/chat/slacksim"
)

func plain(s string) body { return body{"type": "plain_text", "text": s} }

func repeat(n int, b func(i int) any) []any {
	l := make([]any, n)
	for i := range l {
		l[i] = b(i)
	}
	return l
}

func xs(n int) string { return strings.Repeat("x", n) }

func with(b body, more body) body {
	maps.Copy(b, more)
	return b
}

func choices(n int) []any {
	return repeat(n, func(i int) any { return body{"text": plain("o"), "value": fmt.Sprint(i)} })
}

func choose(kind string, more body) body {
	return body{"type": "actions", "elements": []any{with(body{"type": kind, "action_id": "a"}, more)}}
}

// limit is one block list at a limit, with what Slack says one step further.
type limit struct {
	name    string
	good    []any
	bad     []any
	pointer string
	says    string
}

func limits() []limit {
	one := func(b ...any) []any { return b }
	return []limit{
		{"blocks", repeat(50, func(int) any { return says("x") }), repeat(51, func(int) any { return says("x") }), "/blocks", "no more than 50 items"},
		{"section text", one(says(xs(3000))), one(says(xs(3001))), "/blocks/0/text/text", "less than 3001 characters"},
		{"section text, Chinese", one(says(strings.Repeat("鳳", 3000))), one(says(strings.Repeat("鳳", 3001))), "/blocks/0/text/text", "less than 3001"},
		{"section empty", one(says("x")), one(says("")), "/blocks/0/text/text", "more than 0 characters"},
		{
			"fields", one(body{"type": "section", "fields": repeat(10, func(int) any { return plain(xs(2000)) })}),
			one(body{"type": "section", "fields": repeat(11, func(int) any { return plain("x") })}), "/blocks/0/fields", "no more than 10",
		},
		{
			"field text", one(body{"type": "section", "fields": []any{plain("x")}}),
			one(body{"type": "section", "fields": []any{plain(xs(2001))}}), "/blocks/0/fields/0/text", "less than 2001",
		},
		{"section needs text", one(says("x")), one(body{"type": "section"}), "/blocks/0", "must provide text or fields"},
		{"header", one(body{"type": "header", "text": plain(xs(150))}), one(body{"type": "header", "text": plain(xs(151))}), "/blocks/0/text/text", "less than 151"},
		{
			"header mrkdwn", one(body{"type": "header", "text": plain("x")}),
			one(body{"type": "header", "text": body{"type": "mrkdwn", "text": "x"}}), "/blocks/0/text", "must be one of: plain_text",
		},
		{
			"context", one(body{"type": "context", "elements": repeat(10, func(int) any { return plain("x") })}),
			one(body{"type": "context", "elements": repeat(11, func(int) any { return plain("x") })}), "/blocks/0/elements", "no more than 10",
		},
		{
			"actions", one(body{"type": "actions", "elements": repeat(25, func(i int) any { return acts("", fmt.Sprint("b", i))["elements"].([]any)[0] })}),
			one(body{"type": "actions", "elements": repeat(26, func(i int) any { return acts("", fmt.Sprint("b", i))["elements"].([]any)[0] })}), "/blocks/0/elements", "no more than 25",
		},
		{"same action_id", one(acts("x", "a"), acts("y", "a")), one(acts("x", "a", "a")), "/blocks/0/elements/1/action_id", "already exists"},
		{"same block_id", one(acts("x", "a"), acts("y", "a")), one(acts("x", "a"), acts("x", "b")), "/blocks/1/block_id", "already exists"},
		{"block_id", one(acts(xs(255), "a")), one(acts(xs(256), "a")), "/blocks/0/block_id", "less than 256"},
		{"action_id", one(acts("x", xs(255))), one(acts("x", xs(256))), "/blocks/0/elements/0/action_id", "less than 256"},
		{"button text", one(choose("button", body{"text": plain(xs(75))})), one(choose("button", body{"text": plain(xs(76))})), "/blocks/0/elements/0/text/text", "less than 76"},
		{
			"button value", one(choose("button", body{"text": plain("x"), "value": xs(2000)})),
			one(choose("button", body{"text": plain("x"), "value": xs(2001)})), "/blocks/0/elements/0/value", "less than 2001",
		},
		{
			"button style", one(choose("button", body{"text": plain("x"), "style": "danger"})),
			one(choose("button", body{"text": plain("x"), "style": "default"})), "/blocks/0/elements/0/style", "must be one of",
		},
		{"select options", one(choose("static_select", body{"options": choices(100)})), one(choose("static_select", body{"options": choices(101)})), "/blocks/0/elements/0/options", "no more than 100"},
		{"radio options", one(choose("radio_buttons", body{"options": choices(10)})), one(choose("radio_buttons", body{"options": choices(11)})), "/blocks/0/elements/0/options", "no more than 10"},
		{"overflow options", one(choose("overflow", body{"options": choices(5)})), one(choose("overflow", body{"options": choices(6)})), "/blocks/0/elements/0/options", "no more than 5"},
		{
			"option text", one(choose("overflow", body{"options": []any{body{"text": plain(xs(75)), "value": xs(150)}}})),
			one(choose("overflow", body{"options": []any{body{"text": plain(xs(76)), "value": "x"}}})), "/blocks/0/elements/0/options/0/text/text", "less than 76",
		},
		{
			"option value", one(choose("overflow", body{"options": choices(1)})),
			one(choose("overflow", body{"options": []any{body{"text": plain("x"), "value": xs(151)}}})), "/blocks/0/elements/0/options/0/value", "less than 151",
		},
		{"placeholder", one(choose("users_select", body{"placeholder": plain(xs(150))})), one(choose("users_select", body{"placeholder": plain(xs(151))})), "/blocks/0/elements/0/placeholder/text", "less than 151"},
		{
			"initial option", one(choose("static_select", body{"options": choices(2), "initial_option": choices(1)[0]})),
			one(choose("static_select", body{"options": choices(1), "initial_option": choices(2)[1]})), "/blocks/0/elements/0", "not one of the options",
		},
		{
			"confirm", one(choose("button", body{"text": plain("x"), "confirm": sure(100, 300, 30)})),
			one(choose("button", body{"text": plain("x"), "confirm": sure(101, 300, 30)})), "/blocks/0/elements/0/confirm/title/text", "less than 101",
		},
		{
			"confirm text", one(choose("button", body{"text": plain("x"), "confirm": sure(1, 300, 1)})),
			one(choose("button", body{"text": plain("x"), "confirm": sure(1, 301, 1)})), "/blocks/0/elements/0/confirm/text/text", "less than 301",
		},
		{
			"confirm button", one(choose("button", body{"text": plain("x"), "confirm": sure(1, 1, 30)})),
			one(choose("button", body{"text": plain("x"), "confirm": sure(1, 1, 31)})), "/blocks/0/elements/0/confirm/confirm/text", "less than 31",
		},
		{"text input stands in input only", one(asks("b", "a")), one(choose("plain_text_input", nil)), "/blocks/0/elements/0", "unsupported type"},
		{
			"button does not stand in input", one(asks("b", "a")),
			one(body{"type": "input", "label": plain("x"), "element": body{"type": "button", "text": plain("x")}}), "/blocks/0/element", "unsupported type",
		},
		{"label", one(with(asks("b", "a"), body{"label": plain(xs(2000))})), one(with(asks("b", "a"), body{"label": plain(xs(2001))})), "/blocks/0/label/text", "less than 2001"},
		{
			"image alt", one(body{"type": "image", "image_url": "https://x/y.png", "alt_text": xs(2000)}),
			one(body{"type": "image", "image_url": "https://x/y.png", "alt_text": xs(2001)}), "/blocks/0/alt_text", "less than 2001",
		},
		{
			"markdown together", one(body{"type": "markdown", "text": xs(6000)}, body{"type": "markdown", "text": xs(6000)}),
			one(body{"type": "markdown", "text": xs(6000)}, body{"type": "markdown", "text": xs(6001)}), "/blocks/1", "less than 12001",
		},
		{"table rows", one(grid(100, 1, 1)), one(grid(101, 1, 1)), "/blocks/0/rows", "no more than 100"},
		{"table columns", one(grid(1, 20, 1)), one(grid(1, 21, 1)), "/blocks/0/rows/0", "no more than 20"},
		{"table text", one(grid(10, 10, 100)), one(grid(10, 10, 101)), "/blocks/0", "less than 10001"},
		{"one table", one(grid(1, 1, 1)), one(grid(1, 1, 1), grid(1, 1, 1)), "/blocks/1", "only one table"},
		{"alert stands in modals only", one(says("x")), one(body{"type": "alert", "text": plain("x")}), "/blocks/0", "unsupported block type: alert"},
		{"unknown block", one(body{"type": "divider"}), one(body{"type": "carousel"}), "/blocks/0", "unsupported block type"},
		{"unknown property", one(says("x")), one(with(says("x"), body{"colour": "red"})), "/blocks/0", "invalid additional property: colour"},
		{"emoji is for plain text", one(says("x")), one(body{"type": "section", "text": body{"type": "mrkdwn", "text": "x", "emoji": true}}), "/blocks/0/text", "invalid additional property: emoji"},
	}
}

func sure(title, text, button int) body {
	return body{"title": plain(xs(title)), "text": plain(xs(text)), "confirm": plain(xs(button)), "deny": plain("no")}
}

func grid(rows, columns, n int) body {
	return body{"type": "table", "rows": repeat(rows, func(int) any {
		return repeat(columns, func(int) any { return body{"type": "raw_text", "text": xs(n)} })
	})}
}

// Ensure a message at each limit is taken and one step further is refused with
// the place and the reason.
func TestMessage_Limits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newSim(t, free(options())))
		for _, l := range limits() {
			if got := r.call("chat.postMessage", body{"channel": "COPS", "text": "t", "blocks": l.good}); got["ok"] != true {
				t.Errorf("%s: at the limit: got %v", l.name, got)
			}
			got := r.call("chat.postMessage", body{"channel": "COPS", "text": "t", "blocks": l.bad})
			meta, _ := got["response_metadata"].(body)
			words := fmt.Sprint(meta["messages"])
			if got["error"] != "invalid_blocks" || !strings.Contains(words, "[json-pointer:"+l.pointer+"]") || !strings.Contains(words, l.says) {
				t.Errorf("%s: got %v, want %q at %s", l.name, got, l.says, l.pointer)
			}
		}
	})
}

// free lifts the limits on rates.
func free(o slacksim.Options) slacksim.Options {
	o.PostBurst = -1
	o.Limits = map[string]int{"views.open": -1, "views.publish": -1}
	return o
}

// Ensure views are refused for what messages may have, and the reverse, and
// for their own limits.
func TestView_Limits(t *testing.T) {
	hundred := repeat(100, func(int) any { return says("x") })
	for name, tt := range map[string]struct {
		view body
		want string
	}{
		"fine":             {view(xs(24), says("x")), ""},
		"100 blocks":       {view("x", hundred...), ""},
		"101 blocks":       {view("x", append(hundred, says("x"))...), "[ERROR] no more than 100 items allowed [json-pointer:/view/blocks]"},
		"title":            {view(xs(25), says("x")), "[ERROR] must be less than 25 characters [json-pointer:/view/title/text]"},
		"submit":           {with(view("x", says("x")), body{"submit": plain(xs(25))}), "[json-pointer:/view/submit/text]"},
		"private_metadata": {with(view("x", says("x")), body{"private_metadata": xs(3001)}), "[json-pointer:/view/private_metadata]"},
		"callback_id":      {with(view("x", says("x")), body{"callback_id": xs(256)}), "[json-pointer:/view/callback_id]"},
		"no submit":        {body{"type": "modal", "title": plain("x"), "blocks": []any{asks("b", "a")}}, "submit"},
		"no title":         {body{"type": "modal", "blocks": []any{says("x")}}, "missing required field: title"},
		"home":             {body{"type": "home", "blocks": []any{says("x")}}, "must be one of: modal"},
		"table":            {view("x", grid(1, 1, 1)), "unsupported block type: table"},
		"alert":            {view("x", body{"type": "alert", "text": plain(xs(200)), "level": "warning"}), ""},
		"two focuses":      {view("x", focused("b1"), focused("b2")), "only one element can have focus_on_load"},
		"too large":        {view("x", repeat(90, func(int) any { return says(xs(3000)) })...), "view_too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, newSim(t, options()))
				next := r.listen(nil)
				if err := r.s.Command(t.Context(), "UOP", "COPS", "/vpn x"); err != nil {
					t.Fatal(err)
				}
				got := r.call("views.open", body{"trigger_id": next()["trigger_id"], "view": tt.view})
				if tt.want == "" {
					if got["ok"] != true {
						t.Errorf("got %v", got)
					}
					return
				}
				if s := fmt.Sprint(got["error"], got["response_metadata"]); got["ok"] != false || !strings.Contains(s, tt.want) {
					t.Errorf("got %s, want %s", s, tt.want)
				}
			})
		})
	}
}

func focused(id string) body {
	b := asks(id, "a")
	b["element"].(body)["focus_on_load"] = true
	return b
}
