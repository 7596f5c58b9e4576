package slacksim

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Values are what a person has entered, by action ID or by block ID. A choice
// is named by its value (an option's value, a user's or channel's ID, a date),
// several choices by several strings.
type Values map[string][]string

// Enter makes Values of single entries.
func Enter(entries map[string]string) Values {
	v := Values{}
	for k, s := range entries {
		v[k] = []string{s}
	}
	return v
}

// of is what was entered into an element, or what it held at first.
func (v Values) of(e element) ([]string, bool) {
	if got, ok := v[str(e.block, "block_id")+"/"+e.id()]; ok {
		return got, true
	}
	if got, ok := v[e.id()]; ok {
		return got, true
	}
	if got, ok := v[str(e.block, "block_id")]; ok {
		return got, true
	}
	return initial(e.el), false
}

// initial is what an element holds before anybody touches it.
func initial(el map[string]any) []string {
	var got []string
	for _, key := range []string{
		"initial_value", "initial_date", "initial_time", "initial_user", "initial_channel", "initial_conversation",
	} {
		if s := str(el, key); s != "" {
			got = append(got, s)
		}
	}
	if n, ok := el["initial_date_time"].(float64); ok {
		got = append(got, strconv.FormatInt(int64(n), 10))
	}
	if o := object(el, "initial_option"); o != nil {
		got = append(got, str(o, "value"))
	}
	for _, key := range []string{"initial_options", "initial_users", "initial_channels", "initial_conversations"} {
		for _, v := range list(el, key) {
			switch v := v.(type) {
			case string:
				got = append(got, v)
			case map[string]any:
				got = append(got, str(v, "value"))
			}
		}
	}
	return got
}

// single holds the property in which a payload carries an element's one value;
// several the one for a list.
var (
	single = map[string]string{
		"datepicker": "selected_date", "timepicker": "selected_time", "users_select": "selected_user",
		"channels_select": "selected_channel", "conversations_select": "selected_conversation",
		"plain_text_input": "value", "email_text_input": "value", "url_text_input": "value", "number_input": "value",
	}
	several = map[string]string{
		"multi_users_select": "selected_users", "multi_channels_select": "selected_channels",
		"multi_conversations_select": "selected_conversations",
	}
)

// reading is an element with what was entered, as payloads show it. Ok is
// false when the value is none of the element's choices.
func reading(el map[string]any, got []string) (w map[string]any, ok bool) {
	kind := str(el, "type")
	w = map[string]any{"type": kind}
	var first any
	if len(got) > 0 && got[0] != "" {
		first = got[0]
	}
	switch {
	case single[kind] != "":
		w[single[kind]] = first
	case several[kind] != "":
		w[several[kind]] = slices.Clone(got)
	case kind == "datetimepicker":
		w["selected_date_time"] = nil
		if len(got) > 0 {
			n, err := strconv.ParseInt(got[0], 10, 64)
			if err != nil {
				return w, false
			}
			w["selected_date_time"] = n
		}
	case kind == "rich_text_input":
		w["rich_text_value"] = richText(strings.Join(got, "\n"))
	case kind == "checkboxes" || kind == "multi_static_select":
		chosen := []any{}
		for _, v := range got {
			o := choice(el, v)
			if o == nil {
				return w, false
			}
			chosen = append(chosen, o)
		}
		w["selected_options"] = chosen
	case kind == "static_select" || kind == "radio_buttons" || kind == "overflow":
		w["selected_option"] = nil
		if first != nil {
			o := choice(el, got[0])
			if o == nil {
				return w, false
			}
			w["selected_option"] = o
		}
	}
	return w, true
}

func choice(el map[string]any, value string) any {
	for _, o := range allOptions(el) {
		if str(o, "value") == value {
			return o
		}
	}
	return nil
}

func richText(s string) map[string]any {
	return map[string]any{"type": "rich_text", "elements": []any{map[string]any{
		"type": "rich_text_section", "elements": []any{map[string]any{"type": "text", "text": s}},
	}}}
}

// state is what the inputs of blocks hold, as payloads show it: by block ID,
// then by action ID.
func (v Values) state(blocks []Block) map[string]any {
	all := map[string]any{}
	for _, e := range elements(blocks) {
		if kind := str(e.el, "type"); kind == "button" || kind == "overflow" {
			continue
		}
		got, _ := v.of(e)
		w, _ := reading(e.el, got)
		id := str(e.block, "block_id")
		inner, ok := all[id].(map[string]any)
		if !ok {
			inner = map[string]any{}
			all[id] = inner
		}
		inner[e.id()] = w
	}
	return all
}

// What Slack itself says below inputs.
const (
	sayRequired = "Please complete this required field."
	sayShort    = "Please enter more characters."
	sayLong     = "Please enter fewer characters."
	sayEmail    = "Please enter a valid email address."
	sayNumber   = "Please enter a number."
	sayChoice   = "Please choose one of the options."
)

// refuse checks what was entered as Slack's client does before it submits.
func (v Values) refuse(blocks []Block) map[string]string {
	faults := map[string]string{}
	for _, e := range elements(blocks) {
		if e.block["type"] != "input" {
			continue
		}
		got, _ := v.of(e)
		if say := refuseOne(e, got); say != "" {
			faults[str(e.block, "block_id")] = say
		}
	}
	return faults
}

func refuseOne(e element, got []string) string {
	all := strings.Join(got, "")
	if strings.TrimSpace(all) == "" {
		if e.block["optional"] == true {
			return ""
		}
		return sayRequired
	}
	if _, ok := reading(e.el, got); !ok {
		return sayChoice
	}
	least, _ := e.el["min_length"].(float64)
	most, limited := e.el["max_length"].(float64)
	switch kind := str(e.el, "type"); {
	case units(all) < int(least):
		return sayShort
	case limited && units(all) > int(most), units(all) > 3000:
		return sayLong
	case kind == "email_text_input" && !strings.Contains(all, "@"):
		return sayEmail
	case kind == "number_input":
		if _, err := strconv.ParseFloat(all, 64); err != nil {
			return sayNumber
		}
	}
	return ""
}

// unknown reports the entries that belong to no input, so that a test that
// misspells one fails.
func (v Values) unknown(blocks []Block) []string {
	left := maps.Clone(v)
	for _, e := range elements(blocks) {
		delete(left, e.id())
		delete(left, str(e.block, "block_id"))
		delete(left, str(e.block, "block_id")+"/"+e.id())
	}
	return slices.Sorted(maps.Keys(left))
}
