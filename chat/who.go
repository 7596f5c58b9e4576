package chat

import (
	"context"
	"errors"
	"sync"
	"time"

	"vpnbot/change"
	"vpnbot/commands"
	"vpnbot/commands/text"
)

// userAge is how long what Slack said about a user is believed.
const userAge = 5 * time.Minute

// user is what decides about a Slack user.
type user struct {
	team, locale               string
	guest, deleted, bot, alien bool
	at                         time.Time
}

// userCache remembers users for userAge, and never more than maxUsers of them.
type userCache struct {
	web   *web
	mu    sync.Mutex // guards users; never held during a call
	users map[string]user
}

const maxUsers = 5000

func newUserCache(w *web) *userCache { return &userCache{web: w, users: map[string]user{}} }

func (u *userCache) look(ctx context.Context, id string) (user, error) {
	u.mu.Lock()
	known, ok := u.users[id]
	u.mu.Unlock()
	if ok && time.Since(known.at) < userAge {
		return known, nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	info, err := u.web.api.GetUserInfoContext(ctx, id)
	if err != nil {
		return user{}, foreign("users.info", err)
	}
	known = user{
		team: info.TeamID, locale: info.Locale, guest: info.IsRestricted || info.IsUltraRestricted,
		deleted: info.Deleted, bot: info.IsBot, alien: info.IsStranger, at: time.Now(),
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.users) >= maxUsers {
		clear(u.users)
	}
	u.users[id] = known
	return known, nil
}

// caller says who stands behind a Slack user. With an error nothing may be done
// for them; the Caller then only serves the answer and the trail. The team comes
// from the payload and decides first; what Slack does not say is refused.
func (c *Chat) caller(ctx context.Context, id change.SlackID, channel string) (commands.Caller, error) {
	who := c.stranger(delivery{from: id, Channel: channel})
	if id.Team != c.teamID || id.User == "" {
		return who, refuseForeign
	}
	if id.User == c.self {
		return who, refuseBot
	}
	info, err := c.users.look(ctx, id.User)
	switch {
	case err != nil:
		c.o.Log.Warn("asking who somebody is", "err", err)
		return who, refuseUnread
	case info.team != "" && info.team != c.teamID, info.alien:
		return who, refuseForeign
	case info.deleted:
		return who, refuseInactive
	case info.bot:
		return who, refuseBot
	}
	who.Actor.Person = c.o.People.Slack(id)
	who.Guest = info.guest
	who.Language = c.language(ctx, who.Actor.Person.ID, info.locale)
	return who, nil
}

// stranger is a Caller without rights.
func (c *Chat) stranger(d delivery) commands.Caller {
	id := d.from
	return commands.Caller{
		Actor:    change.Actor{Person: change.Person{ID: change.Unlisted(id), Name: id.User}, Slack: &id},
		Language: c.o.Language, Channel: d.Channel,
	}
}

// language is what a person reads: their own choice, else the configuration's
// for them, else their Slack locale, else the default.
func (c *Chat) language(ctx context.Context, p change.PersonID, locale string) string {
	if choice, err := c.o.Ledger.Preference(ctx, p); err == nil && choice.Language != "" {
		return choice.Language
	} else if err != nil && !errors.Is(err, change.ErrNotFound) {
		c.o.Log.Warn("reading a preference", "err", err)
	}
	if lang := c.o.Languages[p]; lang != "" {
		return lang
	}
	if lang, ok := text.Language(locale); ok {
		return lang
	}
	return c.o.Language
}

// Member refuses Slack users who can own no account: bots, deactivated people,
// people of another organisation. Guests can.
func (c *Chat) Member(ctx context.Context, id change.SlackID) error {
	_, err := c.caller(ctx, id, "")
	if r, ok := errors.AsType[refusal](err); ok {
		return ownerRefusal{r}
	}
	return err
}
