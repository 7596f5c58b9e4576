package chat

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/slack-go/slack"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/commands"
)

// reveal shows credentials to their reader in the modal that is already open:
// first the opening is committed, then the text goes out. If Slack definitely
// refused the text the opening is given back; if its answer is not known it
// stays counted, since the reader may have seen it.
func (c *Chat) reveal(ctx context.Context, d delivery, who commands.Caller, view string) {
	v, err := c.o.Ledger.Reveal(ctx, d.Value)
	if err == nil {
		v, err = c.open(ctx, d, who, v)
	}
	if err != nil {
		if !errors.Is(err, change.ErrDone) {
			c.recordRefusal(ctx, d, who, err)
		}
		c.fillError(ctx, view, who.Language, err)
		return
	}
	filled, err := c.credentials(ctx, v, who.Language)
	if err != nil {
		c.o.Log.Error("opening credentials", "request", v.Number, "err", err)
		c.giveBack(ctx, who, v.ID)
		c.fillError(ctx, view, who.Language, &unreadable{v.Credentials.Account, err})
		return
	}
	err = c.slack.updateView(ctx, view, filled)
	account := v.Credentials.Account
	switch {
	case err == nil:
	case code(err) != "":
		c.o.Log.Warn("showing credentials", "request", v.Number, "err", err)
		c.giveBack(ctx, who, v.ID)
		c.tellReader(ctx, d, who, commands.Bad, change.T("chat.reveal.refused"), change.T("chat.reveal.refused.hint"))
	default:
		c.o.Log.Warn("showing credentials", "request", v.Number, "err", err)
		c.tellReader(ctx, d, who, commands.Warning, change.T("chat.reveal.unknown", "account", account), change.T("chat.reveal.unknown.hint"))
	}
}

// tellReader writes to the reader directly, since their modal may be gone.
func (c *Chat) tellReader(ctx context.Context, d delivery, who commands.Caller, tone commands.Tone, sentence, hint change.Text) {
	reply := commands.Reply{Parts: []commands.Part{commands.Say(tone, sentence), commands.Say(commands.Hint, hint)}}
	c.tell(ctx, d.from, "", c.voice(who.Language).rendering(reply))
}

// maxConflicts bounds how often a record that somebody moved is read again.
const maxConflicts = 5

// open commits the opening. Two clicks at once are two openings. Whoever had no
// entry in the configuration when the credentials were granted, and has one now,
// is still the same person.
func (c *Chat) open(ctx context.Context, d delivery, who commands.Caller, v change.Reveal) (change.Reveal, error) {
	actor := who.Actor
	if p, ok := c.o.People.Person(v.Credentials.Reader); ok && p.ID == actor.Person.ID {
		actor.Person.ID = v.Credentials.Reader
	}
	for range maxConflicts {
		m, err := v.Open(time.Now(), actor)
		if err != nil {
			return v, err
		}
		m.Done = []string{d.key}
		receipt, err := c.o.Ledger.Commit(ctx, m)
		if err == nil {
			return *receipt.Reveal, nil
		}
		if !errors.Is(err, change.ErrConflict) {
			return v, err
		}
		if v, err = c.o.Ledger.Reveal(ctx, v.ID); err != nil {
			return v, err
		}
	}
	return v, change.ErrConflict
}

// giveBack takes the last opening out of the count.
func (c *Chat) giveBack(ctx context.Context, who commands.Caller, id string) {
	for range maxConflicts {
		v, err := c.o.Ledger.Reveal(ctx, id)
		var m change.Move
		if err == nil {
			m, err = v.GiveBack(time.Now(), who.Actor)
		}
		if err == nil {
			_, err = c.o.Ledger.Commit(ctx, m)
		}
		if err == nil {
			return
		}
		if !errors.Is(err, change.ErrConflict) {
			c.o.Log.Error("giving an opening back", "err", err)
			return
		}
	}
}

// credentials opens the sealed values and renders the reader's modal. The text
// exists only in the view that it returns.
func (c *Chat) credentials(ctx context.Context, v change.Reveal, lang string) (slack.ModalViewRequest, error) {
	p := &canvas{voice: c.voice(lang), place: inModal}
	p.section("*" + p.rich(change.T("chat.reveal.type")) + "*\n" + p.rich(change.T("chat.reveal.type.value")))
	p.value(change.T("chat.reveal.server"), v.Credentials.Server)
	p.value(change.T("chat.reveal.account"), v.Credentials.Account)
	if v.Credentials.Password != "" {
		password, err := c.unseal(ctx, v.Credentials.Password)
		if err != nil {
			return slack.ModalViewRequest{}, err
		}
		p.value(change.T("chat.reveal.password"), password.Expose())
	}
	if err := c.psk(ctx, p, v); err != nil {
		return slack.ModalViewRequest{}, err
	}
	if left := change.OpeningsAllowed - v.Counted(); left > 0 {
		p.context(p.rich(change.T("chat.reveal.left", "count", left, "until", v.Until)))
	} else {
		p.context(p.rich(change.T("chat.reveal.last")))
	}
	view := c.notice(lang, change.T("chat.reveal.title"), change.T("chat.loading"))
	view.Blocks.BlockSet = p.blocks
	return view, nil
}

// psk adds the server's key. One that was replaced since is no use to anybody: its
// reader has a message about the new one.
func (c *Chat) psk(ctx context.Context, p *canvas, v change.Reveal) error {
	unknown := func(id string) {
		p.section("*" + p.rich(change.T("chat.reveal.psk")) + "*\n" + p.rich(change.T("chat.reveal.psk."+id)))
	}
	if v.Credentials.PSK == "" {
		unknown("unknown")
		return nil
	}
	psk, err := c.unseal(ctx, v.Credentials.PSK)
	switch {
	case errors.Is(err, secret.ErrDestroyed):
		unknown("replaced")
		return nil
	case err != nil:
		return err
	}
	p.value(change.T("chat.reveal.psk"), psk.Expose())
	return nil
}

// value adds a label and a value that is to be copied.
func (p *canvas) value(label change.Text, value string) {
	p.section("*" + p.rich(label) + "*\n```" + escape(value) + "```")
}

// unreadable tells that stored credentials do not open.
type unreadable struct {
	account string
	err     error
}

// Error names the cause.
func (e *unreadable) Error() string { return "opening credentials: " + e.err.Error() }

// Unwrap returns the cause.
func (e *unreadable) Unwrap() error { return e.err }

// Explain returns the sentence and the hint.
func (e *unreadable) Explain() (sentence, hint change.Text) {
	return change.T("chat.reveal.unreadable", "account", e.account), change.T("chat.reveal.unreadable.hint")
}

// unseal is one of the two places in the program where a sealed secret opens.
func (c *Chat) unseal(ctx context.Context, ref secret.Ref) (secret.Secret, error) {
	sealed, err := c.o.Ledger.Sealed(ctx, ref)
	if err != nil {
		return secret.Secret{}, fmt.Errorf("reading sealed credentials: %w", err)
	}
	return c.o.Key.Open(sealed)
}
