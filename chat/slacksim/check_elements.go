package slacksim

import "regexp"

// What elements can stand in which block.
var (
	choosers = []string{
		"static_select", "users_select", "conversations_select", "channels_select",
		"multi_static_select", "multi_users_select", "multi_conversations_select", "multi_channels_select",
		"checkboxes", "radio_buttons", "datepicker", "timepicker",
	}
	accessories = append([]string{"button", "overflow", "image"}, choosers...)
	actors      = append([]string{"button", "overflow", "datetimepicker"}, choosers...)
	enterables  = append([]string{
		"plain_text_input", "email_text_input", "url_text_input", "number_input", "datetimepicker", "rich_text_input",
	}, choosers...)
)

var (
	datePattern = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)
	timePattern = regexp.MustCompile(`^\d{2}:\d{2}$`)
)

func pattern(re *regexp.Regexp, like string) rule {
	return func(c *checker, at string, v any) {
		if s, ok := v.(string); !ok || !re.MatchString(s) {
			c.bad(at, "must be formatted as %s", like)
		}
	}
}

func confirmation() rule {
	return is(shape{
		fields: map[string]rule{
			"title": plainText(100), "text": anyText(300), "confirm": plainText(30), "deny": plainText(30),
			"style": oneOf("primary", "danger"),
		},
		need: []string{"title", "text", "confirm", "deny"},
	})
}

// option is one choice; marked options may be mrkdwn, linked ones have a URL.
func option(marked, linked bool) rule {
	sh := shape{
		fields: map[string]rule{"text": plainText(75), "value": text(1, 150), "description": plainText(75)},
		need:   []string{"text", "value"},
	}
	if marked {
		sh.fields["text"], sh.fields["description"] = anyText(75), anyText(75)
	}
	if linked {
		sh.fields["url"] = text(1, 3000)
	}
	return is(sh)
}

func focus(c *checker, at string, v any) {
	boolean(c, at, v)
	if v == true {
		if c.focus++; c.focus > 1 {
			c.bad(at, "only one element can have focus_on_load")
		}
	}
}

// elementShapes is every element the stand-in knows.
func elementShapes() map[string]shape {
	action := map[string]rule{"action_id": text(1, 255)}
	confirm := map[string]rule{"confirm": confirmation()}
	hold := map[string]rule{"placeholder": plainText(150), "focus_on_load": focus}
	base := merge(action, confirm, hold)
	options := map[string]rule{
		"options": items(1, 100, option(false, false)),
		"option_groups": items(1, 100, is(shape{
			fields: map[string]rule{"label": plainText(75), "options": items(1, 100, option(false, false))},
			need:   []string{"label", "options"},
		})),
	}
	several := map[string]rule{"max_selected_items": number(1, 1000)}
	ids := items(0, 1000, text(1, 255))
	entry := merge(action, hold, map[string]rule{"dispatch_action_config": anything})
	words := merge(entry, map[string]rule{"initial_value": text(0, 3000)})
	talk := map[string]rule{"default_to_current_conversation": boolean, "filter": anything, "response_url_enabled": boolean}
	few := func(marked bool) map[string]rule {
		return merge(action, confirm, map[string]rule{"focus_on_load": focus, "options": items(1, 10, option(marked, false))})
	}
	return map[string]shape{
		"button": {fields: merge(action, confirm, map[string]rule{
			"text": plainText(75), "url": text(0, 3000), "value": text(0, 2000),
			"style": oneOf("primary", "danger"), "accessibility_label": text(0, 75),
		}), need: []string{"text"}},
		"image": {fields: map[string]rule{"image_url": text(1, 3000), "alt_text": text(1, 2000)}, need: []string{"image_url", "alt_text"}},
		"overflow": {
			fields: merge(action, confirm, map[string]rule{"options": items(1, 5, option(false, true))}),
			need:   []string{"options"},
		},
		"checkboxes": {
			fields: merge(few(true), map[string]rule{"initial_options": items(1, 10, option(true, false))}),
			need:   []string{"options"}, also: choices,
		},
		"radio_buttons": {
			fields: merge(few(true), map[string]rule{"initial_option": option(true, false)}),
			need:   []string{"options"}, also: choices,
		},
		"static_select": {fields: merge(base, options, map[string]rule{"initial_option": option(false, false)}), also: choices},
		"multi_static_select": {
			fields: merge(base, options, several, map[string]rule{"initial_options": items(1, 100, option(false, false))}),
			also:   choices,
		},
		"users_select":               {fields: merge(base, map[string]rule{"initial_user": text(1, 255)})},
		"multi_users_select":         {fields: merge(base, several, map[string]rule{"initial_users": ids})},
		"channels_select":            {fields: merge(base, map[string]rule{"initial_channel": text(1, 255), "response_url_enabled": boolean})},
		"multi_channels_select":      {fields: merge(base, several, map[string]rule{"initial_channels": ids})},
		"conversations_select":       {fields: merge(base, talk, map[string]rule{"initial_conversation": text(1, 255)})},
		"multi_conversations_select": {fields: merge(base, talk, several, map[string]rule{"initial_conversations": ids})},
		"datepicker":                 {fields: merge(base, map[string]rule{"initial_date": pattern(datePattern, "YYYY-MM-DD")})},
		"timepicker":                 {fields: merge(base, map[string]rule{"initial_time": pattern(timePattern, "HH:mm"), "timezone": text(1, 100)})},
		"datetimepicker": {fields: merge(action, confirm, map[string]rule{
			"focus_on_load": focus, "initial_date_time": number(1e9, 1e10-1),
		})},
		"plain_text_input": {fields: merge(words, map[string]rule{
			"multiline": boolean, "min_length": number(0, 3000), "max_length": number(1, 3000),
		})},
		"email_text_input": {fields: words},
		"url_text_input":   {fields: words},
		"number_input": {fields: merge(words, map[string]rule{
			"is_decimal_allowed": boolean, "min_value": text(0, 50), "max_value": text(0, 50),
		}), need: []string{"is_decimal_allowed"}},
		"rich_text_input": {fields: merge(entry, map[string]rule{"initial_value": anything})},
	}
}

// choices checks that there is one list of options and that what is chosen at
// first stands in it.
func choices(c *checker, at string, m map[string]any) {
	if (m["options"] == nil) == (m["option_groups"] == nil) {
		c.bad(at, "must provide either options or option_groups")
		return
	}
	values := map[string]int{}
	for _, o := range allOptions(m) {
		values[str(o, "value")]++
	}
	for v, n := range values {
		if n > 1 {
			c.bad(at+"/options", "option value %q is not unique", v)
		}
	}
	chosen := list(m, "initial_options")
	if o := object(m, "initial_option"); o != nil {
		chosen = append(chosen, o)
	}
	for _, o := range chosen {
		if o, ok := o.(map[string]any); ok && values[str(o, "value")] == 0 {
			c.bad(at, "initial option %q is not one of the options", str(o, "value"))
		}
	}
}

// allOptions are an element's options, in groups or not.
func allOptions(el map[string]any) []map[string]any {
	var all []map[string]any
	add := func(l []any) {
		for _, o := range l {
			if o, ok := o.(map[string]any); ok {
				all = append(all, o)
			}
		}
	}
	add(list(el, "options"))
	for _, g := range list(el, "option_groups") {
		g, _ := g.(map[string]any)
		add(list(g, "options"))
	}
	return all
}
