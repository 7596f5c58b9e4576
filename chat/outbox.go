package chat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"vpnbot/change"
)

const (
	outboxBatch = 1000
	outboxLook  = time.Hour // for what nobody signalled
	retryFirst  = time.Second
	retryLast   = time.Minute
	// Slack takes one message a second in a channel, and short bursts.
	burst   = 5
	spacing = time.Second
	// ownAge is how long a channel is believed to have no foreign readers.
	ownAge = time.Minute
)

// errNobody tells that a notice has no address in Slack.
var errNobody = errors.New("nobody in Slack to tell")

// outbox sends waiting notices, each audience's in their order and different
// audiences' side by side. An audience that cannot be reached waits and keeps
// nobody else waiting.
type outbox struct {
	c    *Chat
	wake chan struct{} // cap 1: a line came to rest
	wg   sync.WaitGroup

	mu    sync.Mutex // guards what follows; never held during a call
	lines map[change.Audience]*line
	doubt map[string]bool            // messages whose first sending may have happened
	rooms map[change.PersonID]string // direct conversations
	owned map[string]time.Time       // channels, and when they were seen to be ours alone
	// rounds counts how often a line was served to its end.
	rounds uint64
}

// line is how one audience stands. Only the goroutine that made it busy changes
// it meanwhile.
type line struct {
	busy   bool
	ended  uint64    // the outbox's count when it was last served
	until  time.Time // not before
	pause  time.Duration
	tokens float64 // messages that may go out at once
	filled time.Time
}

// deliver runs until ctx ends, and waits for what is on its way.
func (c *Chat) deliver(ctx context.Context) error {
	changed, stop := c.o.Ledger.Changed()
	defer stop()
	o := &outbox{
		c: c, wake: make(chan struct{}, 1), lines: map[change.Audience]*line{}, doubt: map[string]bool{},
		rooms: map[change.PersonID]string{}, owned: map[string]time.Time{},
	}
	defer o.wg.Wait()
	for {
		again, err := o.round(ctx)
		if err != nil && ctx.Err() == nil {
			c.o.Log.Error("reading the outbox", "err", err)
			again = retryLast
		}
		timer := time.NewTimer(max(again, 1)) // one that is due already has crashed Go 1.26's runtime under synctest
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-changed:
		case <-o.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// round starts what may be sent now and returns when to look again.
func (o *outbox) round(ctx context.Context) (time.Duration, error) {
	o.mu.Lock()
	seen := o.rounds
	o.mu.Unlock()
	waiting, err := o.c.o.Ledger.Outbox(ctx, outboxBatch)
	if err != nil {
		return 0, err
	}
	o.c.waiting.Store(int64(len(waiting)))
	by := map[change.Audience][]change.Waiting{}
	for _, w := range waiting {
		by[w.Notice.Audience] = append(by[w.Notice.Audience], w)
	}
	next := outboxLook
	o.mu.Lock()
	defer o.mu.Unlock()
	for audience, notices := range by {
		l := o.lines[audience]
		if l == nil {
			l = &line{tokens: burst, filled: time.Now()}
			o.lines[audience] = l
		}
		if l.busy || l.ended > seen {
			// Being served, or served since the outbox was read: what was read may
			// have been sent. The line's end has woken the next round.
			continue
		}
		if rest := time.Until(l.until); rest > 0 {
			next = min(next, rest)
			continue
		}
		l.busy = true
		o.wg.Go(func() { o.serve(ctx, l, notices) })
	}
	return next, nil
}

// serve sends one audience's notices in order and stops at the first that must
// be tried again.
func (o *outbox) serve(ctx context.Context, l *line, notices []change.Waiting) {
	var err error
	for _, w := range notices {
		if !pause(ctx, l.take()) {
			break
		}
		if err = o.send(ctx, w); err != nil {
			if ctx.Err() == nil {
				o.c.sendErrors.Add(1)
				o.c.o.Log.Warn("delivering", "kind", w.Notice.Kind, "key", w.Notice.Key, "err", err)
			}
			break
		}
		l.pause = 0
		o.c.sent.Add(1)
	}
	o.mu.Lock()
	if err != nil {
		l.rest(err)
	}
	o.rounds++
	l.busy, l.ended = false, o.rounds
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// take uses one message of the line's burst and returns how long to wait first.
func (l *line) take() time.Duration {
	now := time.Now()
	l.tokens = min(burst, l.tokens+now.Sub(l.filled).Seconds()/spacing.Seconds()) - 1
	l.filled = now
	return time.Duration(max(0, -l.tokens) * float64(spacing))
}

// rest lets an audience wait: twice as long as before, and as long as Slack asks.
func (l *line) rest(err error) {
	l.pause = min(max(2*l.pause, retryFirst), retryLast)
	l.until = time.Now().Add(max(l.pause, retryAfter(err)))
}

// send delivers one notice and records it.
func (o *outbox) send(ctx context.Context, w change.Waiting) error {
	to, lang, err := o.address(ctx, w.Notice.Audience)
	if errors.Is(err, errNobody) {
		o.c.o.Log.Warn("a notice reaches nobody", "kind", w.Notice.Kind, "key", w.Notice.Key, "err", err)
		return o.record(ctx, w, change.MessageRef{}, true)
	}
	if err != nil {
		return err
	}
	reply, err := o.c.o.Commands.Notice(ctx, w.Notice)
	if errors.Is(err, change.ErrNotFound) {
		o.c.o.Log.Warn("a notice is about nothing", "kind", w.Notice.Kind, "key", w.Notice.Key)
		return o.record(ctx, w, change.MessageRef{}, true)
	}
	if err != nil {
		return fmt.Errorf("rendering: %w", err)
	}
	ref, err := o.put(ctx, w, to, o.c.voice(lang).rendering(reply))
	if err != nil {
		return err
	}
	return o.record(ctx, w, ref, false)
}

// recordTimeout bounds the note of a message that stands, also while the bot
// stops.
const recordTimeout = 5 * time.Second

func (o *outbox) record(ctx context.Context, w change.Waiting, ref change.MessageRef, dropped bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	_, err := o.c.o.Ledger.Commit(ctx, change.Move{Deliveries: []change.Delivery{{
		Key: w.Notice.Key, Generation: w.Generation, Message: ref, Dropped: dropped,
	}}})
	if err != nil {
		o.setDoubt(markOf(w), true)
		return fmt.Errorf("recording a delivery: %w", err)
	}
	return nil
}

// address returns the conversation and the language of an audience.
func (o *outbox) address(ctx context.Context, a change.Audience) (to, lang string, err error) {
	if a.Channel != "" {
		to = o.c.o.Channels[a.Channel]
		if to == "" {
			return "", "", errNobody
		}
		lang = o.c.o.Language
		if l := o.c.o.ChannelLanguages[a.Channel]; l != "" {
			lang = l
		}
		return to, lang, o.own(ctx, to)
	}
	user, ok := o.c.slackOf(a.Person)
	if !ok {
		return "", "", errNobody
	}
	if to, err = o.room(ctx, a.Person, user); err != nil {
		return "", "", err
	}
	locale := ""
	if info, err := o.c.users.look(ctx, user); err == nil {
		locale = info.locale
	}
	return to, o.c.language(ctx, a.Person, locale), nil
}

// room returns the direct conversation with a person. People who have left are
// nobody.
func (o *outbox) room(ctx context.Context, p change.PersonID, user string) (string, error) {
	o.mu.Lock()
	to := o.rooms[p]
	o.mu.Unlock()
	if to != "" {
		return to, nil
	}
	to, err := o.c.slack.conversation(ctx, user)
	if slices.Contains([]string{"user_not_found", "users_not_found", "user_disabled", "user_not_visible", "cannot_dm_bot"}, code(err)) {
		return "", fmt.Errorf("%w: %w", errNobody, err)
	}
	if err != nil {
		return "", err
	}
	o.mu.Lock()
	o.rooms[p] = to
	o.mu.Unlock()
	return to, nil
}

// own refuses a channel that people of another organisation read, and one of
// which Slack does not say at the moment. An app that may not ask uses the
// channel, with a warning: the configuration names it.
func (o *outbox) own(ctx context.Context, channel string) error {
	o.mu.Lock()
	at, known := o.owned[channel]
	o.mu.Unlock()
	if known && time.Since(at) < ownAge {
		return nil
	}
	shared, err := o.c.slack.extShared(ctx, channel)
	switch {
	case code(err) == "missing_scope":
		o.c.o.Log.Warn("the app may not ask whether the channel is shared with another organisation", "channel", channel)
	case err != nil:
		return err
	case shared:
		return fmt.Errorf("%s: %w", channel, ErrShared)
	}
	o.mu.Lock()
	o.owned[channel] = time.Now()
	o.mu.Unlock()
	return nil
}
