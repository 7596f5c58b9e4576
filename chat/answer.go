package chat

import (
	"context"
	"slices"
	"sync"
	"time"

	"vpnbot/change"
	"vpnbot/commands"
	"vpnbot/commands/text"
)

// answer shows reply to the person who asked: in place of the preview that was
// pressed on, by response_url while that is known, else as an ephemeral message,
// else directly.
func (c *Chat) answer(ctx context.Context, d delivery, who commands.Caller, reply commands.Reply) {
	if reply.Share && d.kind == kindCommand {
		reply.Parts = append(reply.Parts, shareButton(d.Command))
	}
	m := c.voice(who.Language).rendering(reply)
	if d.url != "" {
		replace := d.ephemeral && d.Action != commands.ActionShare
		err := c.slack.respond(ctx, d.url, replace, m)
		if err == nil {
			return
		}
		c.o.Log.Warn("answering by response_url", "err", err)
	}
	c.tell(ctx, d.from, d.Channel, m)
}

// patience is how long somebody who asked about routers waits without a sign.
const patience = 3 * time.Second

// working tells who asked that the answer takes longer, when it does. The
// function that it returns must be called when the answer is there: after it no
// such sign appears any more.
func (c *Chat) working(ctx context.Context, d delivery, who commands.Caller) (done func()) {
	if d.url == "" || !reads(d.Command.Verb) {
		return func() {}
	}
	there := make(chan struct{})
	var sign sync.WaitGroup
	sign.Go(func() {
		select {
		case <-there:
			return
		case <-ctx.Done():
			return
		case <-time.After(patience):
		}
		reply := commands.Reply{Parts: []commands.Part{commands.Say(commands.Hint, change.T("chat.working"))}}
		if err := c.slack.respond(ctx, d.url, false, c.voice(who.Language).rendering(reply)); err != nil {
			c.o.Log.Warn("telling that the answer takes longer", "err", err)
		}
	})
	return func() {
		close(there)
		sign.Wait()
	}
}

// reads tells whether a verb waits for routers.
func reads(verb string) bool {
	return slices.ContainsFunc(commands.Verbs(), func(v commands.Verb) bool { return v.Name == verb && v.Reads })
}

// tell reaches one person: in the channel where they asked, or directly.
func (c *Chat) tell(ctx context.Context, who change.SlackID, channel string, m rendering) {
	if channel != "" {
		err := c.slack.ephemeral(ctx, channel, who.User, m)
		if err == nil || ctx.Err() != nil {
			return
		}
		c.o.Log.Warn("answering in the channel", "err", err)
	}
	if who.Team != c.teamID {
		return // nobody of another organisation is written to directly
	}
	conversation, err := c.slack.conversation(ctx, who.User)
	if err == nil {
		_, err = c.slack.post(ctx, conversation, "", "", m)
	}
	if err != nil && ctx.Err() == nil {
		c.o.Log.Error("an answer reached nobody", "err", err)
	}
}

// share posts reply for everyone in the channel where it was asked, unless people
// of another organisation read there.
func (c *Chat) share(ctx context.Context, d delivery, who commands.Caller, reply commands.Reply) {
	if shared, err := c.slack.extShared(ctx, d.Channel); shared {
		c.recordRefusal(ctx, d, who, refuseShared)
		c.answerError(ctx, d, who, refuseShared)
		return
	} else if err != nil && code(err) != "missing_scope" {
		c.o.Log.Warn("sharing", "err", err)
		c.answerError(ctx, d, who, err)
		return
	}
	reply.Parts = append(reply.Parts, commands.Say(commands.Hint, change.T("chat.shared", "person", who.Actor.Person.ID)))
	if _, err := c.slack.post(ctx, d.Channel, "", "", c.voice(who.Language).rendering(reply)); err != nil {
		c.o.Log.Warn("sharing", "err", err)
		c.answerError(ctx, d, who, err)
	}
}

// answerError tells the person one sentence and one hint.
func (c *Chat) answerError(ctx context.Context, d delivery, who commands.Caller, err error) {
	sentence, hint, known := text.Explain(err)
	if !known {
		c.o.Log.Error("handling", "kind", d.kind, "reference", text.Reference(err), "err", err)
	}
	reply := commands.Reply{Parts: []commands.Part{commands.Say(commands.Bad, sentence)}}
	if !hint.IsZero() {
		reply.Parts = append(reply.Parts, commands.Say(commands.Hint, hint))
	}
	d.ephemeral = false // a preview stays, so that nothing that was typed is lost
	c.answer(ctx, d, who, reply)
}
