package slacksim

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// see checks that a person exists and is in a channel.
func (s *Server) see(st *state, user, channel string) (User, conversation, error) {
	u, ok := st.user(user)
	if !ok || u.Deleted {
		return u, conversation{}, fmt.Errorf("person %s: %w", user, ErrNotThere)
	}
	c, ok := st.channel(channel)
	if !ok || !slices.Contains(c.Members, user) {
		return u, c, fmt.Errorf("channel %s for person %s: %w", channel, user, ErrNotThere)
	}
	return u, c, nil
}

// People are the people of the workspace, strangers included.
func (s *Server) People() []User {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.st.users)
}

// Direct is the ID of the direct message between a person and the app.
func (s *Server) Direct(user string) string {
	var id string
	_ = s.update(func(st *state) error {
		n := len(st.channels)
		id = st.direct(&s.opts, user, time.Now()).ID
		if len(st.channels) > n {
			st.rev++
		}
		return nil
	})
	return id
}

// Messages is what a person sees in a channel, oldest first, thread replies
// included.
func (s *Server) Messages(user, channel string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, _, err := s.see(s.st, user, channel); err != nil {
		return nil
	}
	var seen []Message
	for _, m := range s.st.messages[channel] {
		if m.OnlyFor == "" || m.OnlyFor == user {
			seen = append(seen, m)
		}
	}
	return seen
}

// Views is a person's stack of open modals, topmost last.
func (s *Server) Views(user string) []View {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.st.views[user])
}

// HomeTab is the Home tab that the app published for a person.
func (s *Server) HomeTab(user string) (View, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.st.homes[user]
	return v, ok
}

// Reload restarts a person's Slack client: ephemeral messages and modals go.
func (s *Server) Reload(user string) {
	_ = s.update(func(st *state) error {
		for id, l := range st.messages {
			kept := slices.DeleteFunc(slices.Clone(l), func(m Message) bool { return m.OnlyFor == user })
			if len(kept) != len(l) {
				st.messages[id] = kept
				st.touch(id)
			}
		}
		st.views[user] = nil
		st.rev++
		return nil
	})
}

// Say posts a plain message as a person.
func (s *Server) Say(user, channel, text string) (Message, error) {
	var m Message
	var conv conversation
	err := s.update(func(st *state) error {
		var err error
		if _, conv, err = s.see(st, user, channel); err != nil {
			return err
		}
		m = Message{Channel: channel, TS: st.ts(time.Now()), Author: user, Text: s.escape(st, text)}
		st.put(m)
		return nil
	})
	if err == nil {
		s.said(conv, m)
	}
	return m, err
}

// Command types a slash command as a person and waits until the app has
// acknowledged it. What the app failed to do is returned and shown to the
// person as Slack does.
func (s *Server) Command(ctx context.Context, user, channel, line string) error {
	name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	var e envelope
	var c *socket
	err := s.update(func(st *state) error {
		u, conv, err := s.see(st, user, channel)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(s.opts.Commands, func(c Command) bool { return c.Name == name })
		if i < 0 || u.TeamID != s.opts.Team.ID {
			s.slackbot(st, user, channel, "`"+mark(name)+"` is not a valid command. In Slack, messages beginning with a slash are commands.")
			return ErrNoSuchCommand
		}
		if c = s.hub.pick(); c == nil {
			return ErrDispatchFailed
		}
		e = s.commandEnvelope(st, c, u, conv, s.opts.Commands[i], strings.TrimSpace(rest))
		return nil
	})
	var ack json.RawMessage
	if err == nil {
		ack, err = s.deliver(ctx, e, c)
	}
	if err == nil {
		err = s.commandAnswer(user, channel, line, ack)
	}
	if code, ok := errorCode(err); ok {
		_ = s.update(func(st *state) error {
			s.slackbot(st, user, channel, fmt.Sprintf("`%s` failed with the error %q", mark(name), code))
			return nil
		})
	}
	return err
}

// errorCode is the code that Slack shows for a failed command.
func errorCode(err error) (string, bool) {
	switch {
	case errors.Is(err, ErrDispatchFailed):
		return ErrDispatchFailed.Error(), true
	case errors.Is(err, ErrTimeout):
		return ErrTimeout.Error(), true
	case errors.Is(err, ErrTrouble):
		return "invalid_command_response", true
	}
	return "", false
}

// slackbot tells one person something. The caller holds mu.
func (s *Server) slackbot(st *state, user, channel, text string) {
	st.put(Message{Channel: channel, TS: st.ts(time.Now()), Author: slackbotID, OnlyFor: user, Text: text})
}

func (s *Server) commandEnvelope(st *state, c *socket, u User, conv conversation, cmd Command, text string) envelope {
	now := time.Now()
	if cmd.Escape {
		text = s.escape(st, text)
	} else {
		text = mark(text)
	}
	name := conv.Name
	if conv.direct != "" {
		name = "directmessage"
	} else if conv.Private {
		name = "privategroup"
	}
	url := c.base + st.hook(&s.opts, "commands", hook{user: u.ID, channel: conv.ID}, now)
	return envelope{ID: uuid(), Type: "slash_commands", AcceptsAnswer: true, Payload: map[string]any{
		"token": "retired", "team_id": s.opts.Team.ID, "team_domain": s.opts.Team.Domain,
		"channel_id": conv.ID, "channel_name": name, "user_id": u.ID, "user_name": u.Handle,
		"command": cmd.Name, "text": text, "api_app_id": s.opts.Bot.AppID, "is_enterprise_install": "false",
		"response_url": url, "trigger_id": s.trigger(st, u.ID, "", now),
	}}
}

// commandAnswer shows the message that an acknowledgement may carry.
func (s *Server) commandAnswer(user, channel, line string, ack json.RawMessage) error {
	a := args{}
	if len(ack) > 0 {
		if err := json.Unmarshal(ack, &a); err != nil {
			return ErrTrouble
		}
	}
	public := a.str("response_type") == "in_channel"
	return s.update(func(st *state) error {
		if public {
			st.put(Message{Channel: channel, TS: st.ts(time.Now()), Author: user, Text: mark(line), Command: true})
		}
		if !a.has("text") && !a.has("blocks") {
			return nil
		}
		m, err := s.compose(st, a)
		if err != nil {
			return ErrTrouble
		}
		m.Channel, m.TS = channel, st.ts(time.Now())
		if !public {
			m.OnlyFor = user
		}
		st.put(m)
		return nil
	})
}

func uuid() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
