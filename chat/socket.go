package chat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"vpnbot/change"
)

const (
	// secondClient is how much later the second client starts: longer than a
	// reconnection takes, so that Slack never replaces both at once.
	secondClient = 10 * time.Second
	ackDeadline  = 2 * time.Second
)

// listen keeps one Socket Mode client connected.
func (c *Chat) listen(ctx context.Context, delay time.Duration) error {
	if delay > 0 && !pause(ctx, delay) {
		return nil
	}
	for wait := time.Second; ; wait = min(2*wait, time.Minute) {
		began := time.Now()
		err := c.connect(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, ErrAuth) || invalidToken(err) {
			return fmt.Errorf("%w: %w", ErrAuth, err)
		}
		c.o.Log.Warn("Socket Mode client ended", "err", err)
		if time.Since(began) > time.Minute {
			wait = time.Second
		}
		if !pause(ctx, wait) {
			return nil
		}
	}
}

// connect runs one client of the library until it gives up, and reads its
// events.
func (c *Chat) connect(ctx context.Context) error {
	opener := &http.Client{Transport: &braked{brake: c.brake, base: transport(c.o.Dial)}, Timeout: openTimeout}
	defer opener.CloseIdleConnections()
	client := socketmode.New(slack.New(c.o.BotToken.Expose(), apiOptions(c.o, opener)...),
		socketmode.OptionDialer(dialer(c.o.Dial)),
		socketmode.OptionReadLimit(readLimit),
		socketmode.OptionLog(log.New(io.Discard, "", 0)), // its lines may hold tickets
	)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- client.RunContext(ctx) }()
	for {
		select {
		case err := <-ended:
			return foreign("apps.connections.open", err)
		case event := <-client.Events:
			if err := c.event(ctx, client, event); err != nil {
				cancel()
				if why := <-ended; !errors.Is(why, context.Canceled) {
					err = errors.Join(err, foreign("apps.connections.open", why))
				}
				return err
			}
		}
	}
}

// event acts on one event of the library, and waits for nothing: it holds up
// everything else that the connection brings. It returns an error when the client
// cannot go on.
func (c *Chat) event(ctx context.Context, client *socketmode.Client, event socketmode.Event) error {
	ack := func(payload any) bool { return c.ack(ctx, client, event.Request, payload) }
	switch event.Type {
	case socketmode.EventTypeHello:
		c.once.Do(func() { close(c.ready) })
	case socketmode.EventTypeInvalidAuth:
		return fmt.Errorf("opening a connection: %w", ErrAuth)
	case socketmode.EventTypeSlashCommand:
		c.envelopes.Add(1)
		if cmd, ok := event.Data.(slack.SlashCommand); ok {
			from := change.SlackID{Team: cmd.TeamID, User: cmd.UserID}
			c.spawn(c.intake, delivery{kind: kindCommand, from: from}, func() { c.command(ctx, cmd, ack) })
		}
	case socketmode.EventTypeInteractive:
		c.envelopes.Add(1)
		if cb, ok := event.Data.(slack.InteractionCallback); ok {
			from := change.SlackID{Team: cb.User.TeamID, User: cb.User.ID}
			c.spawn(c.intake, delivery{kind: kindClick, from: from}, func() { c.interaction(ctx, cb, ack) })
		}
	case socketmode.EventTypeEventsAPI:
		c.envelopes.Add(1)
		ack(nil) // none is subscribed; an unacknowledged one would come again
	case socketmode.EventTypeErrorBadMessage:
		if bad, ok := event.Data.(*socketmode.ErrorBadMessage); ok {
			c.unreadable(ctx, client, bad)
		}
	}
	return nil
}

// unreadable acknowledges an envelope that the library cannot parse, so that
// its sender does not see a time-out, and says nothing of its content.
func (c *Chat) unreadable(ctx context.Context, client *socketmode.Client, bad *socketmode.ErrorBadMessage) {
	var envelope socketmode.Request
	if err := json.Unmarshal(bad.Message, &envelope); err != nil || envelope.EnvelopeID == "" {
		c.o.Log.Warn("unreadable frame from Slack", "bytes", len(bad.Message))
		return
	}
	c.o.Log.Warn("unreadable envelope from Slack", "bytes", len(bad.Message))
	c.ack(ctx, client, &envelope, nil)
}

// ack acknowledges an envelope within its deadline. It tells whether the
// acknowledgement was handed to the connection.
func (c *Chat) ack(ctx context.Context, client *socketmode.Client, request *socketmode.Request, payload any) bool {
	if request == nil || request.EnvelopeID == "" {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, ackDeadline)
	defer cancel()
	if err := client.AckCtx(ctx, request.EnvelopeID, payload); err != nil {
		c.o.Log.Warn("acknowledging", "err", fmt.Sprintf("%T", err))
		return false
	}
	c.acks.Add(1)
	return true
}
