package chat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/slack-go/slack"

	"vpnbot/change"
	"vpnbot/commands"
)

// The kinds of deliveries in the inbox.
const (
	kindCommand    = "command"
	kindClick      = "click"
	kindSubmission = "submission"
)

// delivery is a command, click or submission: parsed fields only. What is not
// exported lives only as long as the process.
type delivery struct {
	Command commands.Command  `json:"command,omitzero"`
	Action  string            `json:"action,omitempty"`
	Value   string            `json:"value,omitempty"`
	Fields  map[string]string `json:"fields,omitempty"`
	Channel string            `json:"channel,omitempty"`

	kind      string
	key       string
	from      change.SlackID
	url       string // response_url, a capability: never stored
	ephemeral bool   // the click was on an ephemeral message
}

// store writes d to the inbox. It tells whether d is new.
func (c *Chat) store(ctx context.Context, d delivery) (bool, error) {
	body, err := json.Marshal(d)
	if err != nil {
		return false, fmt.Errorf("encoding a delivery: %w", err)
	}
	receipt, err := c.o.Ledger.Commit(ctx, change.Move{Inbox: []change.Inbound{{
		Key: d.key, At: time.Now(), Kind: d.kind, From: d.from, Body: body,
	}}})
	if err != nil {
		return false, fmt.Errorf("storing a delivery: %w", err)
	}
	return slices.Contains(receipt.Stored, d.key), nil
}

// catchUp takes up the deliveries that an earlier process stored and did not
// finish.
func (c *Chat) catchUp(ctx context.Context) error {
	waiting, err := c.o.Ledger.Inbox(ctx)
	if err != nil {
		return fmt.Errorf("reading the inbox: %w", err)
	}
	for _, in := range waiting {
		if in.At.After(c.began) {
			continue // received by this process
		}
		d := delivery{kind: in.Kind, key: in.Key, from: in.From}
		if err := json.Unmarshal(in.Body, &d); err != nil {
			c.o.Log.Error("a stored delivery does not decode", "key", in.Key)
			continue
		}
		c.enqueue(ctx, d)
	}
	return nil
}

// command receives a slash command.
func (c *Chat) command(ctx context.Context, cmd slack.SlashCommand, ack func(any) bool) {
	parsed, _ := c.o.Commands.Parse(cmd.Text) // a problem travels in the command
	d := delivery{
		kind: kindCommand, key: "command:" + cmd.TriggerID, from: change.SlackID{Team: cmd.TeamID, User: cmd.UserID},
		Command: parsed, Channel: cmd.ChannelID, url: cmd.ResponseURL,
	}
	if !changing(parsed.Verb) || parsed.Problem != nil {
		d.key = ""
		ack(nil)
		c.enqueue(ctx, d)
		return
	}
	c.keep(ctx, d, ack)
}

// keep stores d, acknowledges it and puts it to work. What cannot be stored is
// answered at once, and nothing is begun.
func (c *Chat) keep(ctx context.Context, d delivery, ack func(any) bool) {
	fresh, err := c.store(ctx, d)
	if err != nil {
		c.o.Log.Error("receiving", "err", err)
		ack(nil)
		c.enqueueAnswer(ctx, d, err)
		return
	}
	ack(nil)
	if fresh {
		c.enqueue(ctx, d)
	}
}

func changing(verb string) bool {
	i := slices.IndexFunc(commands.Verbs(), func(v commands.Verb) bool { return v.Name == verb })
	return i >= 0 && commands.Verbs()[i].Changing
}

// interaction receives a click or a submission.
func (c *Chat) interaction(ctx context.Context, cb slack.InteractionCallback, ack func(any) bool) {
	from := change.SlackID{Team: cb.User.TeamID, User: cb.User.ID}
	switch cb.Type {
	case slack.InteractionTypeBlockActions:
		if len(cb.ActionCallback.BlockActions) == 0 {
			ack(nil)
			return
		}
		press := cb.ActionCallback.BlockActions[0]
		action := actionOf(press.ActionID)
		d := delivery{
			kind: kindClick, key: "click:" + cb.TriggerID, from: from, Action: action, Value: press.Value,
			Channel: cb.Channel.ID, url: cb.ResponseURL, ephemeral: cb.Container.IsEphemeral,
		}
		if d.Channel == "" {
			d.Channel = cb.Container.ChannelID
		}
		if opensForm(action) {
			ack(nil)
			c.spawn(c.modals, d, func() { c.modal(ctx, d, cb.TriggerID) })
			return
		}
		c.keep(ctx, d, ack)
	case slack.InteractionTypeViewSubmission:
		c.submission(ctx, cb, from, ack)
	default:
		ack(nil)
	}
}

// submission receives a modal's form. A field that is refused is answered in the
// acknowledgement, as long as that is in time.
func (c *Chat) submission(ctx context.Context, cb slack.InteractionCallback, from change.SlackID, ack func(any) bool) {
	var meta viewMeta
	if err := json.Unmarshal([]byte(cb.View.PrivateMetadata), &meta); err != nil || meta.Action == "" {
		ack(nil)
		return
	}
	d := delivery{
		kind: kindSubmission, key: "view:" + cb.View.ID + ":" + cb.TriggerID, from: from,
		Action: meta.Action, Value: meta.Value, Channel: meta.Channel, Fields: map[string]string{},
	}
	if cb.View.State != nil {
		for block, actions := range cb.View.State.Values {
			d.Fields[block] = actions[fieldAction].Value
		}
	}
	fresh, err := c.store(ctx, d)
	if err != nil || !fresh {
		ack(nil)
		if err != nil {
			c.o.Log.Error("receiving", "err", err)
			c.enqueueAnswer(ctx, d, err)
		}
		return
	}
	answer := make(chan any, 1)
	c.spawn(c.work, d, func() { c.submit(ctx, d, answer) })
	c.waits.Go(func() { // the reader of events must not wait
		select {
		case payload := <-answer:
			ack(payload)
		case <-time.After(ackDeadline):
			ack(nil)
		}
	})
}

// enqueue puts d to work behind what the same person asked for before.
func (c *Chat) enqueue(ctx context.Context, d delivery) {
	c.spawn(c.work, d, func() { c.handle(ctx, d) })
}

// enqueueAnswer tells the person why nothing was begun.
func (c *Chat) enqueueAnswer(ctx context.Context, d delivery, err error) {
	c.spawn(c.work, d, func() { c.answerError(ctx, d, c.stranger(d), err) })
}

// spawn runs do behind what the same person has waiting in w. A panic is logged by its type and leaves the delivery
// to the next start.
func (c *Chat) spawn(w *workers, d delivery, do func()) {
	ok := w.add(d.from, func() {
		defer func() {
			if p := recover(); p != nil {
				c.o.Log.Error("handling stopped by a panic", "kind", d.kind, "err", fmt.Sprintf("%T", p))
			}
		}()
		do()
	})
	if !ok {
		c.o.Log.Warn("too much is waiting for one person", "slack", d.from.String(), "err", refuseBusy)
	}
}

// handle carries out a command or a click and answers it.
func (c *Chat) handle(ctx context.Context, d delivery) {
	who, err := c.caller(ctx, d.from, d.Channel)
	if err != nil {
		c.refuse(ctx, d, who, err)
		return
	}
	var reply commands.Reply
	switch d.kind {
	case kindCommand:
		done := c.working(ctx, d, who)
		reply, err = c.o.Commands.Run(ctx, who, d.Command, d.key)
		done()
	case kindClick:
		reply, err = c.o.Commands.Press(ctx, who, d.Action, d.Value, d.key)
	case kindSubmission:
		reply, err = c.o.Commands.Submit(ctx, who, d.Action, d.Value, d.Fields, d.key)
	}
	switch {
	case errors.Is(err, change.ErrDone) || ctx.Err() != nil:
		return // done by an earlier delivery, or left to the next start
	case err != nil:
		c.answerError(ctx, d, who, err)
	case d.Action == commands.ActionShare:
		c.share(ctx, d, who, reply)
	default:
		c.answer(ctx, d, who, reply)
	}
}

// submit carries out a form; what its acknowledgement says goes to answer.
func (c *Chat) submit(ctx context.Context, d delivery, answer chan<- any) {
	who, err := c.caller(ctx, d.from, d.Channel)
	if err != nil {
		answer <- nil
		c.refuse(ctx, d, who, err)
		return
	}
	reply, err := c.o.Commands.Submit(ctx, who, d.Action, d.Value, d.Fields, d.key)
	e, ok := errors.AsType[*commands.FieldError](err)
	if _, shown := d.Fields[fieldOf(e)]; ok && shown { // Slack knows no other place for it
		sentence, hint := e.Explain()
		say := c.voice(who.Language).plain
		said := say(sentence)
		if !hint.IsZero() {
			said += " " + say(hint)
		}
		answer <- slack.NewErrorsViewSubmissionResponse(map[string]string{e.Field: cut(said, maxViewErrors)})
		return
	}
	answer <- nil
	switch {
	case errors.Is(err, change.ErrDone) || ctx.Err() != nil:
	case err != nil:
		c.answerError(ctx, d, who, err)
	default:
		c.answer(ctx, d, who, reply)
	}
}

// fieldOf is the field that e is about.
func fieldOf(e *commands.FieldError) string {
	if e == nil {
		return ""
	}
	return e.Field
}

// refuse records and answers a wish of somebody who may wish nothing.
func (c *Chat) refuse(ctx context.Context, d delivery, who commands.Caller, why error) {
	if ctx.Err() != nil {
		return
	}
	c.refused.Add(1)
	what := d.Action
	if d.kind == kindCommand {
		what = d.Command.Verb
	}
	if err := c.o.Commands.Refuse(ctx, who, what, why, d.key); err != nil && !errors.Is(err, change.ErrDone) {
		c.o.Log.Error("recording a refusal", "err", err)
	}
	c.answerError(ctx, d, who, why)
}
