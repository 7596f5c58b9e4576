package chat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"vpnbot/change"
)

// markOf is what a notice's message is marked with, so that it can be found. A
// card is one message for ever; of anything else each telling is a message of its
// own, since an edit reaches nobody's phone.
func markOf(w change.Waiting) string {
	if w.Notice.Kind == change.NoticeCard {
		return w.Notice.Key
	}
	return w.Notice.Key + "#" + strconv.FormatUint(w.Generation, 10)
}

// put updates the notice's card, or posts the notice. A message that may stand
// already is looked for first: one whose posting has no known outcome, and one
// that an earlier process may have posted.
func (o *outbox) put(ctx context.Context, w change.Waiting, to string, r rendering) (change.MessageRef, error) {
	mark, card := markOf(w), w.Notice.Kind == change.NoticeCard
	var ref change.MessageRef
	known := false
	if card {
		var err error
		if ref, known, err = o.c.o.Ledger.Message(ctx, w.Notice.Key); err != nil {
			return ref, fmt.Errorf("reading where a message stands: %w", err)
		}
		known = known && ref.Channel == to // the channel may have been configured anew
	}
	thread, err := o.thread(ctx, w, to)
	if err != nil {
		return ref, err
	}
	if !known && (o.doubtful(mark) || w.At.Before(o.c.began)) {
		var err error
		if ref, known, err = o.c.slack.find(ctx, to, thread, mark); code(err) == "missing_scope" {
			o.c.o.Log.Warn("the app may not read messages, so one may stand twice", "channel", to)
		} else if err != nil {
			return ref, err
		}
		if known && !card {
			o.setDoubt(mark, false)
			return ref, nil
		}
	}
	if known {
		err := o.c.slack.update(ctx, ref, mark, r)
		if !slices.Contains([]string{"message_not_found", "cant_update_message", "edit_window_closed"}, code(err)) {
			return ref, err
		}
	}
	return o.post(ctx, to, thread, mark, r)
}

// thread is the message below which a notice stands: what the routers wrote down
// stands below the card. Where there is no card in the channel, it stands alone.
func (o *outbox) thread(ctx context.Context, w change.Waiting, to string) (ts string, err error) {
	if w.Notice.Kind != change.NoticeLogs {
		return "", nil
	}
	card, known, err := o.c.o.Ledger.Message(ctx, change.Request{ID: w.Notice.Request}.Card().Key)
	if err != nil || !known || card.Channel != to {
		return "", err
	}
	return card.TS, nil
}

func (o *outbox) post(ctx context.Context, to, thread, mark string, r rendering) (change.MessageRef, error) {
	ref, err := o.c.slack.post(ctx, to, thread, mark, r)
	if err == nil && ref.TS == "" {
		err = fmt.Errorf("chat.postMessage: %w: answer without a message", errUnknown)
	}
	o.setDoubt(mark, errors.Is(err, errUnknown))
	return ref, err
}

func (o *outbox) doubtful(mark string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.doubt[mark]
}

func (o *outbox) setDoubt(mark string, on bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if on {
		o.doubt[mark] = true
		return
	}
	delete(o.doubt, mark)
}
