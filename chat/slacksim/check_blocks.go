package slacksim

import (
	"fmt"
)

// Limits of a whole message or view.
const (
	maxMessageBlocks = 50
	maxViewBlocks    = 100
	maxMarkdown      = 12000
	maxTableText     = 10000
)

// blockRule is a block type: where it may stand and what it looks like.
type blockRule struct {
	where place
	shape shape
}

// blockRules is every block type the stand-in knows.
func blockRules() map[string]blockRule {
	id := map[string]rule{"block_id": text(1, 255)}
	with := func(fields map[string]rule, need ...string) shape {
		return shape{fields: merge(id, fields), need: need}
	}
	section := with(map[string]rule{
		"text": anyText(3000), "fields": items(1, 10, anyText(2000)),
		"accessory": only(accessories...), "expand": boolean,
	})
	section.also = func(c *checker, at string, m map[string]any) {
		if m["text"] == nil && m["fields"] == nil {
			c.bad(at, "must provide text or fields")
		}
	}
	actions := with(map[string]rule{"elements": items(1, 25, only(actors...))}, "elements")
	actions.also = uniqueActions
	return map[string]blockRule{
		"section": {anywhere, section},
		"header":  {anywhere, with(map[string]rule{"text": plainText(150)}, "text")},
		"divider": {anywhere, with(nil)},
		"context": {anywhere, with(map[string]rule{"elements": items(1, 10, contextElement)}, "elements")},
		"actions": {anywhere, actions},
		"image": {anywhere, with(map[string]rule{
			"image_url": text(1, 3000), "alt_text": text(1, 2000), "title": plainText(2000),
		}, "image_url", "alt_text")},
		"input": {anywhere, shape{fields: merge(id, map[string]rule{
			"label": plainText(2000), "element": only(enterables...), "hint": plainText(2000),
			"optional": boolean, "dispatch_action": boolean,
		}), need: []string{"label", "element"}, also: func(c *checker, _ string, _ map[string]any) { c.inputs++ }}},
		"markdown": {inMessage, shape{
			fields: merge(id, map[string]rule{"text": text(1, maxMarkdown)}),
			need:   []string{"text"}, also: countMarkdown,
		}},
		"rich_text": {anywhere, with(map[string]rule{"elements": items(0, 1000, richElement)}, "elements")},
		"table": {inMessage, shape{fields: merge(id, map[string]rule{
			"rows": items(1, 100, items(1, 20, tableCell)), "column_settings": items(0, 20, columnSetting()),
		}), need: []string{"rows"}, also: checkTable}},
		"alert": {inModal, with(map[string]rule{
			"text": anyText(200), "level": oneOf("default", "info", "warning", "error", "success"),
		}, "text")},
	}
}

func contextElement(c *checker, at string, v any) {
	m, _ := v.(map[string]any)
	if str(m, "type") == "image" {
		only("image")(c, at, v)
		return
	}
	anyText(2000)(c, at, v)
}

func richElement(c *checker, at string, v any) {
	m, _ := v.(map[string]any)
	oneOf("rich_text_section", "rich_text_list", "rich_text_quote", "rich_text_preformatted")(c, at+"/type", m["type"])
	if _, ok := m["elements"].([]any); !ok {
		c.bad(at, "missing required field: elements")
	}
}

func tableCell(c *checker, at string, v any) {
	m, _ := v.(map[string]any)
	switch str(m, "type") {
	case "raw_text":
		c.object(at, v, shape{fields: map[string]rule{"text": text(1, maxTableText)}, need: []string{"text"}})
	case "rich_text":
		c.object(at, v, shape{
			fields: map[string]rule{"elements": items(0, 100, richElement), "block_id": text(1, 255)},
			need:   []string{"elements"},
		})
	default:
		c.bad(at, "unsupported type: %s", str(m, "type"))
	}
}

func columnSetting() rule {
	sh := is(shape{fields: map[string]rule{"align": oneOf("left", "center", "right"), "is_wrapped": boolean}})
	return func(c *checker, at string, v any) {
		if v != nil { // null skips a column
			sh(c, at, v)
		}
	}
}

func checkTable(c *checker, at string, m map[string]any) {
	if c.tables++; c.tables > 1 {
		c.bad(at, "only one table is allowed")
	}
	n := 0
	for _, line := range collect(nil, m["rows"]) {
		n += units(line)
	}
	if n > maxTableText {
		c.bad(at, "must be less than %d characters in all cells", maxTableText+1)
	}
}

func countMarkdown(c *checker, at string, m map[string]any) {
	if c.markdown += units(str(m, "text")); c.markdown > maxMarkdown {
		c.bad(at, "must be less than %d characters in all markdown blocks", maxMarkdown+1)
	}
}

func uniqueActions(c *checker, at string, m map[string]any) {
	seen := map[string]bool{}
	for i, e := range list(m, "elements") {
		e, _ := e.(map[string]any)
		id := str(e, "action_id")
		if id != "" && seen[id] {
			c.bad(fmt.Sprintf("%s/elements/%d/action_id", at, i), "`action_id` %q already exists for another element", id)
		}
		seen[id] = true
	}
}

// blocks checks a list of blocks.
func (c *checker) blocks(at string, v any, hi int) []Block {
	l, ok := v.([]any)
	if !ok {
		c.bad(at, "must provide an array")
		return nil
	}
	if len(l) > hi {
		c.bad(at, "no more than %d items allowed", hi)
	}
	c.shapes = elementShapes()
	rules := blockRules()
	blocks := make([]Block, 0, len(l))
	for i, b := range l {
		blocks = append(blocks, c.block(fmt.Sprintf("%s/%d", at, i), b, rules))
	}
	return blocks
}

func (c *checker) block(at string, v any, rules map[string]blockRule) Block {
	m, ok := v.(map[string]any)
	r, known := rules[str(m, "type")]
	switch {
	case !ok:
		c.bad(at, "must provide an object")
	case !known || r.where&c.where == 0:
		c.bad(at, "unsupported block type: %s", str(m, "type"))
	default:
		c.object(at, m, r.shape)
		if id := str(m, "block_id"); id != "" {
			if c.blockIDs[id] {
				c.bad(at+"/block_id", "`block_id` %q already exists", id)
			}
			c.blockIDs[id] = true
		}
	}
	return m
}

// checkMessage checks the blocks of a message and fills in the IDs that Slack
// makes up. What it returns belongs to the caller.
func checkMessage(v any, st *state) ([]Block, error) {
	c := checker{where: inMessage, blockIDs: map[string]bool{}}
	blocks := c.blocks("/blocks", v, maxMessageBlocks)
	if len(c.faults) > 0 {
		return nil, fail("invalid_blocks", c.faults...)
	}
	st.fillIDs(blocks)
	return blocks, nil
}

// viewShape is a modal or a Home tab but for its blocks.
func viewShape(home bool) shape {
	sh := shape{fields: map[string]rule{
		"blocks": anything, "private_metadata": text(0, 3000), "callback_id": text(0, 255), "external_id": text(0, 255),
	}, need: []string{"type", "blocks"}}
	if home {
		return sh
	}
	sh.fields = merge(sh.fields, map[string]rule{
		"title": plainText(24), "close": plainText(24), "submit": plainText(24),
		"clear_on_close": boolean, "notify_on_close": boolean, "submit_disabled": boolean,
	})
	sh.need = append(sh.need, "title")
	return sh
}

// checkView checks a modal or Home tab and fills in IDs.
func checkView(raw map[string]any, st *state, home bool) ([]Block, error) {
	c := checker{where: inModal, blockIDs: map[string]bool{}}
	kind := "modal"
	if home {
		c.where, kind = inHome, "home"
	}
	oneOf(kind)(&c, "/view/type", raw["type"])
	c.object("/view", raw, viewShape(home))
	var blocks []Block
	if raw["blocks"] != nil {
		blocks = c.blocks("/view/blocks", raw["blocks"], maxViewBlocks)
	}
	if c.inputs > 0 && !home && raw["submit"] == nil {
		c.bad("/view", "missing required field: submit, which a view with inputs must have")
	}
	if len(c.faults) > 0 {
		return nil, fail("invalid_arguments", c.faults...)
	}
	st.fillIDs(blocks)
	return blocks, nil
}

// fillIDs gives blocks and elements the IDs that the app left out.
func (st *state) fillIDs(blocks []Block) {
	for _, b := range blocks {
		if str(b, "block_id") == "" {
			b["block_id"] = st.id("")
		}
		give := func(v any) {
			el, ok := v.(map[string]any)
			if ok && str(el, "action_id") == "" && el["type"] != "image" {
				el["action_id"] = st.id("")
			}
		}
		if b["accessory"] != nil {
			give(b["accessory"])
		}
		if b["element"] != nil {
			give(b["element"])
		}
		if b["type"] == "actions" {
			for _, e := range list(b, "elements") {
				give(e)
			}
		}
	}
}
