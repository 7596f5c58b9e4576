package slacksim

import (
	"slices"
	"strconv"
)

// View is an open modal or a Home tab.
type View struct {
	ID, User, Hash     string
	RootID, PreviousID string
	ExternalID         string
	Title              string
	CallbackID         string
	PrivateMetadata    string
	Blocks             []Block
	// Errors are the messages below inputs, by block ID.
	Errors map[string]string

	raw map[string]any // as the app sent it, with IDs filled in
}

// Ref is the view as the target of a click.
func (v View) Ref() Ref { return Ref{View: v.ID} }

// Plain is all text of the view, one line for each piece.
func (v View) Plain() string { return plain(v.Title, v.Blocks) }

// Actions are the action IDs of the view's elements and inputs, in order.
func (v View) Actions() []string { return actionIDs(v.Blocks) }

// Home reports whether this is a Home tab.
func (v View) Home() bool { return v.raw["type"] == "home" }

func (v View) flag(key string) bool { b, _ := v.raw[key].(bool); return b }

// newView makes a view from a validated description.
func (st *state) newView(user string, raw map[string]any, blocks []Block) View {
	v := View{
		User:            user,
		ExternalID:      str(raw, "external_id"),
		Title:           str(object(raw, "title"), "text"),
		CallbackID:      str(raw, "callback_id"),
		PrivateMetadata: str(raw, "private_metadata"),
		Blocks:          blocks,
		raw:             raw,
	}
	v.ID = st.id("V")
	v.RootID = v.ID
	v.Hash = st.hash()
	return v
}

func (st *state) hash() string {
	st.lastID++
	return strconv.FormatInt(st.lastTS/1e6, 10) + "." + strconv.FormatInt(int64(st.lastID), 36)
}

// revise is the view with a new description: same ID and place, new hash.
func (st *state) revise(old View, raw map[string]any, blocks []Block) View {
	v := st.newView(old.User, raw, blocks)
	v.ID, v.RootID, v.PreviousID = old.ID, old.RootID, old.PreviousID
	return v
}

// setView replaces an open view.
func (st *state) setView(v View) {
	l := slices.Clone(st.views[v.User])
	for i := range l {
		if l[i].ID == v.ID {
			l[i] = v
		}
	}
	st.views[v.User] = l
	if h, ok := st.homes[v.User]; ok && h.ID == v.ID {
		st.homes[v.User] = v
	}
	st.rev++
}

// view finds an open modal or a Home tab.
func (st *state) view(match func(View) bool) (View, bool) {
	for _, l := range st.views {
		if i := slices.IndexFunc(l, match); i >= 0 {
			return l[i], true
		}
	}
	for _, v := range st.homes {
		if match(v) {
			return v, true
		}
	}
	return View{}, false
}

// push opens a modal on top of a user's stack.
func (st *state) push(v View) View {
	stack := st.views[v.User]
	if n := len(stack); n > 0 {
		v.RootID, v.PreviousID = stack[0].ID, stack[n-1].ID
	}
	st.views[v.User] = append(slices.Clone(stack), v)
	st.rev++
	return v
}

// pop closes a view and everything above it, and returns what was closed.
func (st *state) pop(user, id string) []View {
	stack := st.views[user]
	i := slices.IndexFunc(stack, func(v View) bool { return v.ID == id })
	if i < 0 {
		return nil
	}
	closed := slices.Clone(stack[i:])
	st.views[user] = slices.Clone(stack[:i])
	st.rev++
	return closed
}

// wire is the view as the Web API and payloads show it. Values is the state of
// its inputs, nil where none is reported.
func (v View) wire(o *Options, values map[string]any) map[string]any {
	w := map[string]any{
		"id": v.ID, "team_id": o.Team.ID, "type": v.raw["type"], "blocks": v.Blocks,
		"private_metadata": v.PrivateMetadata, "callback_id": v.CallbackID, "external_id": v.ExternalID,
		"hash": v.Hash, "root_view_id": v.RootID, "previous_view_id": nil,
		"title": v.raw["title"], "submit": v.raw["submit"], "close": v.raw["close"],
		"clear_on_close": v.flag("clear_on_close"), "notify_on_close": v.flag("notify_on_close"),
		"app_id": o.Bot.AppID, "bot_id": o.Bot.BotID, "app_installed_team_id": o.Team.ID,
	}
	if v.PreviousID != "" {
		w["previous_view_id"] = v.PreviousID
	}
	if values == nil {
		values = map[string]any{}
	}
	w["state"] = map[string]any{"values": values}
	return w
}
