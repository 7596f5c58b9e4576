package slacksim

import (
	"maps"
	"slices"
	"strconv"
	"time"
)

// slackbotID is the author of what Slack itself tells one person.
const slackbotID = "USLACKBOT"

// state is everything that a workspace remembers. Values inside (messages,
// views, blocks) are replaced, never changed in place, so a copy of the maps
// and slices is a copy of the workspace.
type state struct {
	users    []User
	channels []conversation
	messages map[string][]Message         // by channel, in order of TS
	views    map[string][]View            // open modals by user, topmost last
	homes    map[string]View              // by user
	triggers map[string]trigger           // by trigger ID
	hooks    map[string]hook              // response URLs by their secret
	read     map[string]map[string]string // user, channel, TS of the last message read
	changes  map[string]int               // by channel: revision of its last change
	rev      int                          // revision of the workspace
	lastTS   int64                        // microseconds of the newest TS
	lastID   int
}

// conversation is a channel or a direct message with the app.
type conversation struct {
	Channel
	direct  string // the user, when this is a direct message
	created int64
}

func newState(o *Options, now time.Time) *state {
	st := &state{
		users:    slices.Clone(o.Users),
		messages: map[string][]Message{},
		views:    map[string][]View{},
		homes:    map[string]View{},
		triggers: map[string]trigger{},
		hooks:    map[string]hook{},
		read:     map[string]map[string]string{},
		changes:  map[string]int{},
	}
	for i := range st.users {
		u := &st.users[i]
		u.TeamID = or(u.TeamID, o.Team.ID)
		u.Name = or(u.Name, u.Handle)
	}
	for _, c := range o.Channels {
		conv := conversation{Channel: c, created: now.Unix()}
		if c.Members == nil {
			for _, u := range st.users {
				if u.TeamID == o.Team.ID && !u.Restricted && !u.UltraRestricted && !u.Deleted {
					conv.Members = append(conv.Members, u.ID)
				}
			}
		}
		if !c.WithoutBot && !slices.Contains(conv.Members, o.Bot.UserID) {
			conv.Members = append(slices.Clone(conv.Members), o.Bot.UserID)
		}
		st.channels = append(st.channels, conv)
	}
	return st
}

func (st *state) clone() *state {
	c := *st
	c.users = slices.Clone(st.users)
	c.channels = slices.Clone(st.channels)
	c.messages = cloneLists(st.messages)
	c.views = cloneLists(st.views)
	c.homes = maps.Clone(st.homes)
	c.triggers = maps.Clone(st.triggers)
	c.hooks = maps.Clone(st.hooks)
	c.changes = maps.Clone(st.changes)
	c.read = make(map[string]map[string]string, len(st.read))
	for user, m := range st.read {
		c.read[user] = maps.Clone(m)
	}
	return &c
}

func cloneLists[T any](m map[string][]T) map[string][]T {
	c := make(map[string][]T, len(m))
	for k, v := range m {
		c[k] = slices.Clone(v)
	}
	return c
}

// id makes a new ID with the prefix that Slack uses for its kind.
func (st *state) id(prefix string) string {
	st.lastID++
	n := strconv.FormatInt(int64(36*36*36*36+st.lastID), 36)
	return prefix + upper("0sim"+n)
}

func upper(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

// ts makes a message timestamp that is unique and later than all before it.
func (st *state) ts(now time.Time) string {
	st.lastTS = max(now.UnixMicro(), st.lastTS+1)
	s := strconv.FormatInt(st.lastTS%1e6+1e6, 10)
	return strconv.FormatInt(st.lastTS/1e6, 10) + "." + s[1:]
}

func (st *state) user(id string) (User, bool) {
	i := slices.IndexFunc(st.users, func(u User) bool { return u.ID == id })
	if i < 0 {
		return User{}, false
	}
	return st.users[i], true
}

func (st *state) channel(id string) (conversation, bool) {
	i := slices.IndexFunc(st.channels, func(c conversation) bool { return c.ID == id })
	if i < 0 {
		return conversation{}, false
	}
	return st.channels[i], true
}

// direct returns the direct message between the app and a user, opening it if
// there is none yet.
func (st *state) direct(o *Options, user string, now time.Time) conversation {
	for _, c := range st.channels {
		if c.direct == user {
			return c
		}
	}
	c := conversation{
		Channel: Channel{ID: st.id("D"), Members: []string{user, o.Bot.UserID}, Private: true},
		direct:  user,
		created: now.Unix(),
	}
	st.channels = append(st.channels, c)
	return c
}
