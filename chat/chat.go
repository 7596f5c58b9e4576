package chat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/commands"
	"vpnbot/commands/text"
)

// Ledger is what chat needs of the ledger.
type Ledger interface {
	Commit(ctx context.Context, m change.Move) (change.Receipt, error)
	Inbox(ctx context.Context) ([]change.Inbound, error)
	Outbox(ctx context.Context, limit int) ([]change.Waiting, error)
	Message(ctx context.Context, key string) (change.MessageRef, bool, error)
	Reveal(ctx context.Context, id string) (change.Reveal, error)
	Sealed(ctx context.Context, ref secret.Ref) (secret.Sealed, error)
	Preference(ctx context.Context, p change.PersonID) (change.Preference, error)
	Changed() (<-chan struct{}, func())
}

// Commands carries out what people want.
type Commands interface {
	Parse(line string) (commands.Command, error)
	Run(ctx context.Context, who commands.Caller, cmd commands.Command, key string) (commands.Reply, error)
	Press(ctx context.Context, who commands.Caller, action, value, key string) (commands.Reply, error)
	Form(ctx context.Context, who commands.Caller, action, value string) (commands.Form, error)
	Submit(ctx context.Context, who commands.Caller, action, value string, fields map[string]string, key string) (commands.Reply, error)
	Notice(ctx context.Context, n change.Notice) (commands.Reply, error)
	Refuse(ctx context.Context, who commands.Caller, what string, why error, key string) error
}

// People tells who is who.
type People interface {
	Slack(id change.SlackID) change.Person
	Person(id change.PersonID) (change.Person, bool)
}

// Options configure a Chat.
type Options struct {
	BotToken, AppToken secret.Secret
	API                string // base URL, ends in "/"; empty: Slack's own
	Dial               func(ctx context.Context, network, addr string) (net.Conn, error)
	Ledger             Ledger
	Commands           Commands
	People             People
	Catalog            *text.Catalog
	Key                secret.Key // opens credentials for their reader
	Channels           map[change.Channel]string
	ChannelLanguages   map[change.Channel]string
	Language           string // of people who chose none and whose locale is not ours
	Languages          map[change.PersonID]string
	Location           *time.Location
	Team               string // empty: the token's own
	Log                *slog.Logger
}

func (o *Options) validate() error {
	if o.BotToken.Empty() || o.AppToken.Empty() {
		return errors.New("chat: a Slack token is missing")
	}
	if o.Ledger == nil || o.Commands == nil || o.People == nil || o.Catalog == nil || o.Location == nil || o.Log == nil {
		return errors.New("chat: an option is missing")
	}
	if o.API != "" && !strings.HasSuffix(o.API, "/") {
		return errors.New("chat: the API's URL must end in a slash")
	}
	if o.Language == "" {
		o.Language = text.English
	}
	return nil
}

// Stats counts what has passed since the start.
type Stats struct {
	Envelopes, Acks, Refused, Sent, SendErrors uint64
	Waiting                                    int // notices, when the outbox was last read
}

// Chat is the bot's presence in Slack.
type Chat struct {
	o      Options
	slack  *web
	brake  *brake
	users  *userCache
	ready  chan struct{}
	once   sync.Once
	teamID string // set before anything is received or sent
	self   string
	began  time.Time
	waits  sync.WaitGroup // acknowledgements that wait for a form's result
	intake *workers       // stores and acknowledges, apart from the reader of events
	work   *workers
	modals *workers // apart, since a trigger does not outlive a queue

	envelopes, acks, refused, sent, sendErrors atomic.Uint64
	waiting                                    atomic.Int64
}

// New returns a Chat. Run starts it.
func New(o Options) (*Chat, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	c := &Chat{o: o, brake: newBrake(), ready: make(chan struct{}), intake: newWorkers(64), work: newWorkers(64), modals: newWorkers(16)}
	c.slack = newWeb(o)
	c.users = newUserCache(c.slack)
	return c, nil
}

// Ready is closed when the first Socket Mode connection stands.
func (c *Chat) Ready() <-chan struct{} { return c.ready }

// Stats returns the counters.
func (c *Chat) Stats() Stats {
	return Stats{c.envelopes.Load(), c.acks.Load(), c.refused.Load(), c.sent.Load(), c.sendErrors.Load(), int(c.waiting.Load())}
}

// Run works until ctx ends, and then waits for what is under way. It returns
// ErrAuth when Slack refuses the tokens.
func (c *Chat) Run(ctx context.Context) error {
	c.began = time.Now()
	if err := c.signIn(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.catchUp(ctx) })
	group.Go(func() error { return c.listen(ctx, 0) })
	group.Go(func() error { return c.listen(ctx, secondClient) })
	group.Go(func() error { return c.deliver(ctx) })
	err := group.Wait()
	c.intake.wait()
	c.waits.Wait()
	c.modals.wait()
	c.work.wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// signIn asks Slack who the bot is. An unreachable Slack is asked again; refused
// tokens are not.
func (c *Chat) signIn(ctx context.Context) error {
	for wait := time.Second; ; wait = min(2*wait, time.Minute) {
		team, user, err := c.slack.whoAmI(ctx)
		switch {
		case err == nil && c.o.Team != "" && c.o.Team != team:
			return ErrTeam
		case err == nil:
			c.teamID, c.self = team, user
			return nil
		case invalidToken(err):
			return fmt.Errorf("%w: %w", ErrAuth, err)
		}
		c.o.Log.Warn("signing in to Slack", "err", err)
		if !pause(ctx, wait) {
			return ctx.Err()
		}
	}
}

// team is the workspace that the bot belongs to.
func (c *Chat) team() string { return c.teamID }

func (c *Chat) voice(lang string) voice { return voice{c: c, lang: lang} }

// pause waits for d or the end of ctx, and tells whether d passed.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// SignIn asks Slack once whom the bot token belongs to, and nothing else.
func SignIn(ctx context.Context, o Options) (team, user string, err error) {
	w := newWeb(o)
	defer w.http.CloseIdleConnections()
	return w.whoAmI(ctx)
}
