package slacksim

import "encoding/json"

// Limits of modals.
const (
	maxView  = 250 * 1000
	maxStack = 3
)

// readView reads and checks the view argument.
func readView(a args, st *state, home bool) (map[string]any, []Block, error) {
	v, err := a.value("view")
	if err != nil {
		return nil, nil, fail("invalid_arguments", "view is not valid JSON [json-pointer:/view]")
	}
	return checkRaw(v, st, home)
}

func checkRaw(v any, st *state, home bool) (map[string]any, []Block, error) {
	raw, ok := v.(map[string]any)
	if !ok {
		return nil, nil, fail("invalid_arguments", "must provide an object [json-pointer:/view]")
	}
	if b, _ := json.Marshal(raw); len(b) > maxView {
		return nil, nil, fail("view_too_large")
	}
	blocks, err := checkView(raw, st, home)
	return raw, blocks, err
}

// taken refuses an external ID that another view has.
func taken(st *state, raw map[string]any, self string) error {
	ext := str(raw, "external_id")
	if ext == "" {
		return nil
	}
	if _, ok := st.view(func(v View) bool { return v.ExternalID == ext && v.ID != self }); ok {
		return fail("duplicate_external_id")
	}
	return nil
}

func viewsOpen(s *Server, st *state, c call) (answer, error) { return openView(s, st, c, false) }
func viewsPush(s *Server, st *state, c call) (answer, error) { return openView(s, st, c, true) }

func openView(s *Server, st *state, c call, push bool) (answer, error) {
	raw, blocks, err := readView(c.args, st, false)
	if err != nil {
		return nil, err
	}
	if err := taken(st, raw, ""); err != nil {
		return nil, err
	}
	t, err := st.spendTrigger(c.args.str("trigger_id"), c.now)
	if err != nil {
		return nil, err
	}
	switch {
	case push && (t.view == "" || len(st.views[t.user]) == 0):
		return nil, fail("not_found")
	case len(st.views[t.user]) >= maxStack:
		return nil, fail("push_limit_reached")
	case !push && t.view == "":
		st.views[t.user] = nil // a new root takes the place of the old stack
	}
	v := st.push(st.newView(t.user, raw, blocks))
	return answer{"view": v.wire(&s.opts, nil)}, nil
}

func viewsUpdate(s *Server, st *state, c call) (answer, error) {
	id, ext := c.args.str("view_id"), c.args.str("external_id")
	if id == "" && ext == "" {
		return nil, fail("invalid_arguments", "view_id or external_id is required")
	}
	old, ok := st.view(func(v View) bool {
		return id != "" && v.ID == id || id == "" && v.ExternalID == ext
	})
	if !ok {
		return nil, fail("not_found")
	}
	raw, blocks, err := readView(c.args, st, old.Home())
	if err != nil {
		return nil, err
	}
	if err := taken(st, raw, old.ID); err != nil {
		return nil, err
	}
	if h := c.args.str("hash"); h != "" && h != old.Hash {
		return nil, fail("hash_conflict")
	}
	v := st.revise(old, raw, blocks)
	st.setView(v)
	return answer{"view": v.wire(&s.opts, nil)}, nil
}

func viewsPublish(s *Server, st *state, c call) (answer, error) {
	user := c.args.str("user_id")
	if u, ok := st.user(user); !ok || u.Stranger {
		return nil, fail("user_not_found")
	}
	raw, blocks, err := readView(c.args, st, true)
	if err != nil {
		return nil, err
	}
	old, published := st.homes[user]
	if h := c.args.str("hash"); h != "" && published && h != old.Hash {
		return nil, fail("hash_conflict")
	}
	v := st.newView(user, raw, blocks)
	if published {
		v = st.revise(old, raw, blocks)
	}
	st.homes[user] = v
	st.rev++
	return answer{"view": v.wire(&s.opts, nil)}, nil
}
