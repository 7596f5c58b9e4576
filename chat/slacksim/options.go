package slacksim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// Options describe a workspace, the app installed in it and the limits that
// the stand-in enforces. The zero value of every limit means Slack's own.
type Options struct {
	Team     Team
	Bot      Bot
	Users    []User
	Channels []Channel
	Groups   []Group
	Commands []Command

	// Events are the bot events that the app subscribes to, for example
	// "app_home_opened" or "message.im".
	Events []string

	// Tips are lines that the page shows on the first visit, each a command to
	// try or a sentence.
	Tips []Tip

	// Levers, when set, are what the page offers beside the chat: things that
	// happen in the world around the app. Pull moves one and says in a sentence
	// what came of it. Neither may call the Server.
	Levers func() []Lever
	Pull   func(ctx context.Context, id string) (string, error)

	// BotToken and AppToken are what the app presents (xoxb- and xapp-).
	BotToken, AppToken string

	// BaseURL is the scheme and host in the URLs that the stand-in hands out,
	// without a slash at the end. Empty takes the Host of the request.
	BaseURL string

	// PingInterval is the time between WebSocket pings; 5 s when zero.
	PingInterval time.Duration
	// ConnectionLife is how long a connection lives before it is refreshed,
	// with a warning 10 s before; zero never refreshes.
	ConnectionLife time.Duration
	// AckTimeout is how long the app has to acknowledge an envelope; 3 s when zero.
	AckTimeout time.Duration
	// TriggerLife is how long a trigger ID may be used; 3 s when zero.
	TriggerLife time.Duration
	// PostBurst is how many messages a channel takes at once before it is held
	// to one a second; 60 when zero, no limit when negative.
	PostBurst int
	// Limits overrides the calls a minute that methods allow; a negative value
	// lifts the limit of that method.
	Limits map[string]int

	// Log receives what goes wrong inside the stand-in; nil discards it.
	Log *slog.Logger
}

// Team is the workspace that the app is installed in.
type Team struct {
	ID, Name, Domain string
}

// Bot is the app: its ID, its bot user and the name on its messages.
type Bot struct {
	AppID, UserID, BotID, Name string
}

// User is one person.
type User struct {
	ID string
	// Handle is what follows the @ in a mention; Name is what people read.
	Handle, Name string
	// Hint says on the page whom this person plays, for example "approver".
	Hint string
	// TeamID is the person's organisation; empty means the workspace itself.
	TeamID   string
	TeamName string
	// Locale is for example zh-TW; people of other organisations have none.
	Locale string
	// TZ is an IANA time zone; empty means UTC.
	TZ string
	// Restricted and UltraRestricted mark guests of several or of one channel.
	Restricted, UltraRestricted bool
	Deleted, Bot                bool
	// Stranger means that the person shares no channel with the workspace.
	Stranger bool
}

// Channel is a public or private channel.
type Channel struct {
	ID, Name, Topic string
	Private         bool
	// Shared is set when another organisation is in the channel.
	Shared bool
	// Members are user IDs. Nil means every full member of the workspace.
	Members []string
	// WithoutBot keeps the app out; otherwise it is a member.
	WithoutBot bool
}

// Group is a user group.
type Group struct {
	ID, Handle, Name string
	Users            []string
}

// Command is a slash command of the app.
type Command struct {
	// Name includes the slash.
	Name, Description, UsageHint string
	// Escape is the manifest's should_escape: mentions, channels and links in
	// the text arrive as IDs.
	Escape bool
	// Suggestions are complete lines that the page offers below the command.
	Suggestions []Suggestion
}

// Suggestion is one line that the page offers while a command is typed.
type Suggestion struct {
	Text, Description string
}

// Tip is one line of help on the page. Try, when set, is put into the composer
// by a press on the tip.
type Tip struct {
	Text, Try string
	// As is the ID of the person who should try it.
	As string
}

// Lever is one thing that can be made to happen around the app.
type Lever struct {
	ID string
	// Group is the heading that it stands under; Hint says more than the label.
	Group, Label, Hint string
	// Toggle is set for a lever that stays where it was put; On is where it is.
	Toggle, On bool
}

func (o *Options) setDefaults() {
	o.Team.ID = or(o.Team.ID, "T0001")
	o.Team.Name = or(o.Team.Name, "Workspace")
	o.Team.Domain = or(o.Team.Domain, "workspace")
	o.Bot.AppID = or(o.Bot.AppID, "A0001")
	o.Bot.UserID = or(o.Bot.UserID, "U0BOT")
	o.Bot.BotID = or(o.Bot.BotID, "B0001")
	o.Bot.Name = or(o.Bot.Name, "bot")
	o.PingInterval = or(o.PingInterval, 5*time.Second)
	o.AckTimeout = or(o.AckTimeout, 3*time.Second)
	o.TriggerLife = or(o.TriggerLife, 3*time.Second)
	o.PostBurst = or(o.PostBurst, 60)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// or returns v, or def when v is its type's zero value.
func or[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

func (o *Options) validate() error {
	if o.BotToken == "" || o.AppToken == "" {
		return errors.New("bot token and app token are required")
	}
	ids := map[string]bool{o.Bot.UserID: true, slackbotID: true}
	for _, u := range o.Users {
		if u.ID == "" || u.Handle == "" {
			return fmt.Errorf("user %q needs an ID and a handle", u.ID+u.Handle)
		}
		if ids[u.ID] {
			return fmt.Errorf("ID %s is used twice", u.ID)
		}
		ids[u.ID] = true
		if u.TZ != "" {
			if _, err := time.LoadLocation(u.TZ); err != nil {
				return fmt.Errorf("time zone of user %s: %w", u.ID, err)
			}
		}
	}
	for _, c := range o.Channels {
		if c.ID == "" || c.Name == "" {
			return fmt.Errorf("channel %q needs an ID and a name", c.ID+c.Name)
		}
		if ids[c.ID] {
			return fmt.Errorf("ID %s is used twice", c.ID)
		}
		ids[c.ID] = true
		if i := slices.IndexFunc(c.Members, func(m string) bool { return !ids[m] }); i >= 0 {
			return fmt.Errorf("member %s of channel %s is no user", c.Members[i], c.ID)
		}
	}
	return nil
}
