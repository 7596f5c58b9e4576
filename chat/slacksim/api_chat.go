package slacksim

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Lengths of a message's text, and the size of its metadata. Slack names no
// figure for the last.
const (
	maxPostText   = 40000
	maxUpdateText = 4000
	maxMetadata   = 16 * 1024
)

// compose reads text, blocks and metadata of a message that the app sends.
func (s *Server) compose(st *state, a args) (Message, error) {
	m := Message{Author: s.opts.Bot.UserID, Text: a.str("text")}
	raw, err := a.value("blocks")
	if err != nil {
		return m, fail("invalid_blocks_format")
	}
	if raw != nil {
		if m.Blocks, err = checkMessage(raw, st); err != nil {
			return m, err
		}
	}
	if m.Text == "" && len(m.Blocks) == 0 {
		return m, fail("no_text")
	}
	if r := []rune(m.Text); len(r) > maxPostText {
		m.Text = string(r[:maxPostText])
	}
	m.Metadata, err = metadata(a)
	return m, err
}

// metadata reads the metadata of a message; nil where none was sent.
func metadata(a args) (map[string]any, error) {
	v, err := a.value("metadata")
	if err != nil {
		return nil, fail("invalid_metadata_format")
	}
	if v == nil {
		return nil, nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fail("invalid_metadata_format")
	}
	if len(m) == 0 {
		return m, nil
	}
	if _, ok := m["event_payload"].(map[string]any); !ok || str(m, "event_type") == "" {
		return nil, fail("invalid_metadata_schema")
	}
	if b, _ := json.Marshal(m); len(b) > maxMetadata {
		return nil, fail("metadata_too_large")
	}
	return m, nil
}

// postable finds the channel that the app wants to post to. A user ID means
// the direct message with that user.
func (s *Server) postable(st *state, id string, now time.Time) (conversation, error) {
	if u, ok := st.user(id); ok && !u.Stranger && !u.Bot {
		return st.direct(&s.opts, id, now), nil
	}
	c, err := s.visible(st, id)
	if err != nil {
		return c, err
	}
	if !slices.Contains(c.Members, s.opts.Bot.UserID) {
		return c, fail("not_in_channel")
	}
	return c, nil
}

// visible finds a channel that the app may know of, by ID or #name.
func (s *Server) visible(st *state, id string) (conversation, error) {
	c, ok := st.channel(id)
	if !ok {
		name := strings.TrimPrefix(id, "#")
		i := slices.IndexFunc(st.channels, func(c conversation) bool { return c.Name != "" && c.Name == name })
		if i < 0 {
			return c, fail("channel_not_found")
		}
		c = st.channels[i]
	}
	if c.Private && !slices.Contains(c.Members, s.opts.Bot.UserID) {
		return c, fail("channel_not_found")
	}
	return c, nil
}

func postMessage(s *Server, st *state, c call) (answer, error) {
	conv, err := s.postable(st, c.args.str("channel"), c.now)
	if err != nil {
		return nil, err
	}
	m, err := s.compose(st, c.args)
	if err != nil {
		return nil, err
	}
	if err := s.post(conv.ID, c.now); err != nil {
		return nil, err
	}
	m.Channel, m.ThreadTS = conv.ID, c.args.str("thread_ts")
	if len(m.Metadata) == 0 {
		m.Metadata = nil
	}
	m.TS = st.ts(c.now)
	st.put(m)
	return answer{"channel": conv.ID, "ts": m.TS, "message": m.wire(&s.opts, true)}, nil
}

func postEphemeral(s *Server, st *state, c call) (answer, error) {
	conv, err := s.postable(st, c.args.str("channel"), c.now)
	if err != nil {
		return nil, err
	}
	user := c.args.str("user")
	if !slices.Contains(conv.Members, user) {
		return nil, fail("user_not_in_channel")
	}
	m, err := s.compose(st, c.args)
	if err != nil {
		return nil, err
	}
	if err := s.post(conv.ID, c.now); err != nil {
		return nil, err
	}
	m.Channel, m.ThreadTS, m.OnlyFor, m.Metadata = conv.ID, c.args.str("thread_ts"), user, nil
	m.TS = st.ts(c.now)
	st.put(m)
	return answer{"message_ts": m.TS}, nil
}

// own finds a message of the app that can be changed. Ephemeral messages are
// never found, as in Slack.
func (s *Server) own(st *state, c call, refusal string) (int, Message, error) {
	conv, err := s.visible(st, c.args.str("channel"))
	if err != nil {
		return 0, Message{}, err
	}
	i := st.find(conv.ID, c.args.str("ts"))
	if i < 0 || st.messages[conv.ID][i].Ephemeral() {
		return 0, Message{}, fail("message_not_found")
	}
	m := st.messages[conv.ID][i]
	if m.Author != s.opts.Bot.UserID {
		return 0, m, fail(refusal)
	}
	return i, m, nil
}

func chatUpdate(s *Server, st *state, c call) (answer, error) {
	i, old, err := s.own(st, c, "cant_update_message")
	if err != nil {
		return nil, err
	}
	if units(c.args.str("text")) > maxUpdateText {
		return nil, fail("msg_too_long")
	}
	m, err := s.compose(st, c.args)
	if err != nil {
		return nil, err
	}
	m.Channel, m.TS, m.ThreadTS = old.Channel, old.TS, old.ThreadTS
	switch {
	case !c.args.has("metadata"):
		m.Metadata = old.Metadata
	case len(m.Metadata) == 0:
		m.Metadata = nil
	}
	if !c.args.has("blocks") && c.args.str("text") == old.Text {
		m.Blocks = old.Blocks
	}
	m.Edited = st.ts(c.now)
	st.replace(i, m)
	return answer{"channel": m.Channel, "ts": m.TS, "text": m.Text, "message": m.wire(&s.opts, true)}, nil
}

func chatDelete(s *Server, st *state, c call) (answer, error) {
	i, m, err := s.own(st, c, "cant_delete_message")
	if err != nil {
		return nil, err
	}
	st.remove(m.Channel, i)
	return answer{"channel": m.Channel, "ts": m.TS}, nil
}

func getPermalink(s *Server, st *state, c call) (answer, error) {
	conv, err := s.visible(st, c.args.str("channel"))
	if err != nil {
		return nil, err
	}
	ts := c.args.str("message_ts")
	if i := st.find(conv.ID, ts); i < 0 || st.messages[conv.ID][i].Ephemeral() {
		return nil, fail("message_not_found")
	}
	link := c.base + "/archives/" + conv.ID + "/p" + strings.ReplaceAll(ts, ".", "")
	return answer{"channel": conv.ID, "permalink": link}, nil
}
