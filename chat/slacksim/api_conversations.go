package slacksim

import (
	"slices"
	"strconv"
)

// info is a channel as conversations.info shows it.
func (s *Server) info(c conversation) map[string]any {
	member := slices.Contains(c.Members, s.opts.Bot.UserID)
	w := map[string]any{
		"id": c.ID, "created": c.created, "is_im": c.direct != "", "is_archived": false,
		"is_shared": c.Shared, "is_ext_shared": c.Shared, "is_org_shared": false,
		"context_team_id": s.opts.Team.ID,
	}
	if c.direct != "" {
		w["user"], w["is_open"] = c.direct, true
		return w
	}
	w["name"], w["name_normalized"] = c.Name, c.Name
	w["is_channel"], w["is_group"], w["is_private"] = true, false, c.Private
	w["is_member"], w["num_members"] = member, len(c.Members)
	w["topic"] = map[string]any{"value": c.Topic}
	w["purpose"] = map[string]any{"value": ""}
	w["shared_team_ids"] = []string{s.opts.Team.ID}
	return w
}

func conversationsInfo(s *Server, st *state, c call) (answer, error) {
	conv, ok := st.channel(c.args.str("channel"))
	if !ok || conv.Private && !slices.Contains(conv.Members, s.opts.Bot.UserID) {
		return nil, fail("channel_not_found")
	}
	return answer{"channel": s.info(conv)}, nil
}

func conversationsList(s *Server, st *state, _ call) (answer, error) {
	all := []any{}
	for _, conv := range st.channels {
		if conv.direct == "" && (!conv.Private || slices.Contains(conv.Members, s.opts.Bot.UserID)) {
			all = append(all, s.info(conv))
		}
	}
	return answer{"channels": all, "response_metadata": map[string]any{"next_cursor": ""}}, nil
}

func conversationsMembers(s *Server, st *state, c call) (answer, error) {
	conv, err := s.visible(st, c.args.str("channel"))
	if err != nil {
		return nil, err
	}
	return answer{"members": conv.Members, "response_metadata": map[string]any{"next_cursor": ""}}, nil
}

func conversationsOpen(s *Server, st *state, c call) (answer, error) {
	if id := c.args.str("channel"); id != "" {
		conv, ok := st.channel(id)
		if !ok || conv.direct == "" {
			return nil, fail("channel_not_found")
		}
		return answer{"channel": s.info(conv)}, nil
	}
	users := c.args.str("users")
	u, ok := st.user(users)
	switch {
	case users == "":
		return nil, fail("users_list_not_supplied")
	case users == s.opts.Bot.UserID || ok && u.Bot:
		return nil, fail("cannot_dm_bot")
	case !ok || u.Stranger:
		return nil, fail("user_not_found")
	case u.Deleted:
		return nil, fail("user_disabled")
	}
	conv := st.direct(&s.opts, u.ID, c.now)
	if !c.args.flag("return_im") {
		return answer{"channel": map[string]any{"id": conv.ID}}, nil
	}
	return answer{"channel": s.info(conv)}, nil
}

// pageSize reads limit, which Slack caps.
func pageSize(a args) int {
	n, err := strconv.Atoi(a.str("limit"))
	if err != nil || n <= 0 {
		return 100
	}
	return min(n, 999)
}

// within applies oldest, latest and inclusive, and hides what the app cannot
// read back: ephemeral messages.
func within(a args, all []Message, keep func(Message) bool) []Message {
	oldest, latest, inclusive := a.str("oldest"), a.str("latest"), a.flag("inclusive")
	var out []Message
	for _, m := range all {
		switch {
		case m.Ephemeral() || !keep(m):
		case oldest != "" && (m.TS < oldest || m.TS == oldest && !inclusive):
		case latest != "" && (m.TS > latest || m.TS == latest && !inclusive):
		default:
			out = append(out, m)
		}
	}
	return out
}

// readable is a channel whose messages the app may read.
func (s *Server) readable(st *state, id string) (conversation, error) {
	conv, ok := st.channel(id)
	in := slices.Contains(conv.Members, s.opts.Bot.UserID)
	switch {
	case !ok || conv.Private && !in:
		return conv, fail("channel_not_found")
	case !in:
		return conv, fail("not_in_channel")
	}
	return conv, nil
}

// listing answers with one page of messages. A cursor is the TS of the last
// message of the page before.
func (s *Server) listing(a args, all []Message) answer {
	if after := a.str("cursor"); after != "" {
		all = all[1+slices.IndexFunc(all, func(m Message) bool { return m.TS == after }):]
	}
	size, next := pageSize(a), ""
	if len(all) > size {
		all = all[:size]
		next = all[size-1].TS
	}
	messages := []any{}
	for _, m := range all {
		messages = append(messages, m.wire(&s.opts, a.flag("include_all_metadata")))
	}
	return answer{
		"messages": messages, "has_more": next != "",
		"response_metadata": map[string]any{"next_cursor": next},
	}
}

func conversationsHistory(s *Server, st *state, c call) (answer, error) {
	conv, err := s.readable(st, c.args.str("channel"))
	if err != nil {
		return nil, err
	}
	all := within(c.args, st.messages[conv.ID], func(m Message) bool { return m.ThreadTS == "" || m.ThreadTS == m.TS })
	slices.Reverse(all)
	return s.listing(c.args, all), nil
}

func conversationsReplies(s *Server, st *state, c call) (answer, error) {
	conv, err := s.readable(st, c.args.str("channel"))
	if err != nil {
		return nil, err
	}
	root := c.args.str("ts")
	if i := st.find(conv.ID, root); i < 0 || st.messages[conv.ID][i].Ephemeral() {
		return nil, fail("thread_not_found")
	}
	all := within(c.args, st.messages[conv.ID], func(m Message) bool { return m.TS == root || m.ThreadTS == root })
	return s.listing(c.args, all), nil
}
