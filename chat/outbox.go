package chat

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vpnbot/change"
)

const (
	outboxBatch = 200
	retryFirst  = time.Second
	retryLast   = time.Minute
	// historySlack is how much older than its notice a message may look: clocks
	// differ.
	historySlack = 2 * time.Minute
)

// errNobody tells that a notice has no address in Slack.
var errNobody = errors.New("nobody in Slack to tell")

// outbox sends waiting notices, each audience's in their order. An audience that
// cannot be reached waits and keeps nobody else waiting.
type outbox struct {
	c       *Chat
	doubt   map[string]bool      // keys whose first sending may have happened
	resting map[string]time.Time // audience → not before
	pauses  map[string]time.Duration
	rooms   map[change.PersonID]string // direct conversations
	checked map[string]bool            // channels known not to be shared
}

// deliver runs until ctx ends.
func (c *Chat) deliver(ctx context.Context) error {
	changed, stop := c.o.Ledger.Changed()
	defer stop()
	o := &outbox{
		c: c, doubt: map[string]bool{}, resting: map[string]time.Time{}, pauses: map[string]time.Duration{},
		rooms: map[change.PersonID]string{}, checked: map[string]bool{},
	}
	for {
		again, err := o.round(ctx)
		if err != nil && ctx.Err() == nil {
			c.o.Log.Error("reading the outbox", "err", err)
			again = retryLast
		}
		timer := time.NewTimer(again)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// round sends what may be sent now and returns when to look again.
func (o *outbox) round(ctx context.Context) (time.Duration, error) {
	waiting, err := o.c.o.Ledger.Outbox(ctx, outboxBatch)
	if err != nil {
		return 0, err
	}
	next := time.Hour
	for _, w := range waiting {
		audience := string(w.Notice.Audience.Channel) + "/" + string(w.Notice.Audience.Person)
		if rest := time.Until(o.resting[audience]); rest > 0 {
			next = min(next, rest)
			continue
		}
		if err := o.send(ctx, w); err != nil {
			if ctx.Err() != nil {
				return 0, nil
			}
			rest := o.rest(audience, err)
			next = min(next, rest)
			o.c.sendErrors.Add(1)
			o.c.o.Log.Warn("delivering", "kind", w.Notice.Kind, "key", w.Notice.Key, "err", err)
			continue
		}
		delete(o.pauses, audience)
		o.c.sent.Add(1)
	}
	return next, nil
}

// rest lets an audience wait: as long as Slack asks, else twice as long as
// before.
func (o *outbox) rest(audience string, err error) time.Duration {
	pause := retryAfter(err)
	if pause == 0 {
		pause = min(max(2*o.pauses[audience], retryFirst), retryLast)
		o.pauses[audience] = pause
	}
	o.resting[audience] = time.Now().Add(pause)
	return pause
}

// send delivers one notice and records it.
func (o *outbox) send(ctx context.Context, w change.Waiting) error {
	to, lang, err := o.address(ctx, w.Notice.Audience)
	if errors.Is(err, errNobody) {
		o.c.o.Log.Warn("a notice reaches nobody", "kind", w.Notice.Kind, "key", w.Notice.Key)
		return o.record(ctx, w, change.MessageRef{}, true)
	}
	if err != nil {
		return err
	}
	reply, err := o.c.o.Commands.Notice(ctx, w.Notice)
	if errors.Is(err, change.ErrNotFound) {
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

// put updates the notice's message, or posts it when there is none.
func (o *outbox) put(ctx context.Context, w change.Waiting, to string, r rendering) (change.MessageRef, error) {
	key := w.Notice.Key
	ref, known, err := o.c.o.Ledger.Message(ctx, key)
	if err != nil {
		return ref, fmt.Errorf("reading where a message stands: %w", err)
	}
	if !known && (o.doubt[key] || w.At.Before(o.c.began)) {
		if ref, known, err = o.c.slack.find(ctx, to, key, w.At.Add(-historySlack)); err != nil {
			return ref, err
		}
	}
	if known {
		err := o.c.slack.update(ctx, ref, key, r)
		if code(err) != "message_not_found" && code(err) != "cant_update_message" {
			return ref, err
		}
	}
	ref, err = o.c.slack.post(ctx, to, key, r)
	if errors.Is(err, errUnknown) {
		o.doubt[key] = true
	} else if err == nil {
		delete(o.doubt, key)
	}
	return ref, err
}

func (o *outbox) record(ctx context.Context, w change.Waiting, ref change.MessageRef, dropped bool) error {
	_, err := o.c.o.Ledger.Commit(ctx, change.Move{Deliveries: []change.Delivery{{
		Key: w.Notice.Key, Generation: w.Generation, Message: ref, Dropped: dropped,
	}}})
	if err != nil {
		o.doubt[w.Notice.Key] = true
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
	if to = o.rooms[a.Person]; to == "" {
		if to, err = o.c.slack.conversation(ctx, user); err != nil {
			return "", "", err
		}
		o.rooms[a.Person] = to
	}
	locale := ""
	if info, err := o.c.users.look(ctx, user); err == nil {
		locale = info.locale
	}
	return to, o.c.language(ctx, a.Person, locale), nil
}

// own refuses a channel that people of another organisation read. Where Slack
// does not say, the channel is used: the configuration names it.
func (o *outbox) own(ctx context.Context, channel string) error {
	if o.checked[channel] {
		return nil
	}
	shared, known := o.c.slack.extShared(ctx, channel)
	if shared {
		return ErrShared
	}
	if !known {
		o.c.o.Log.Warn("Slack does not say whether the channel is shared with another organisation", "channel", channel)
	}
	o.checked[channel] = true
	return nil
}
