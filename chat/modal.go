package chat

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/slack-go/slack"

	"vpnbot/change"
	"vpnbot/commands"
	"vpnbot/commands/text"
)

// fieldAction is the action_id of every input; its block_id is the field's name.
const fieldAction = "value"

// viewMeta travels in a view's private_metadata: what its submission asks for.
// Who submits is never in it.
type viewMeta struct {
	Action  string `json:"a"`
	Value   string `json:"v"`
	Channel string `json:"c,omitempty"`
}

// modal answers a click that opens a modal. The trigger lives three seconds, so
// a loading view is opened before anything is asked of anybody; only people of
// other organisations are turned away before that, by the payload alone.
func (c *Chat) modal(ctx context.Context, d delivery, trigger string) {
	if d.from.Team != c.teamID {
		d.key = ""
		c.refuse(ctx, d, c.stranger(d), refuseForeign)
		return
	}
	lang := c.language(ctx, c.o.People.Slack(d.from).ID, "")
	id, err := c.slack.openView(ctx, trigger, c.notice(lang, change.T("chat.loading.title"), change.T("chat.loading")))
	if err != nil {
		c.o.Log.Warn("opening a modal", "err", err)
		d.url = ""
		c.answerError(ctx, d, c.stranger(d), refuseTrigger)
		return
	}
	who, err := c.caller(ctx, d.from, d.Channel)
	if err != nil {
		d.key = ""
		c.recordRefusal(ctx, d, who, err)
		c.fillError(ctx, id, who.Language, err)
		return
	}
	if d.Action == commands.ActionReveal {
		c.reveal(ctx, d, who, id)
		return
	}
	form, err := c.o.Commands.Form(ctx, who, d.Action, d.Value)
	if err != nil {
		c.fillError(ctx, id, who.Language, err)
		return
	}
	view, err := c.formView(form, who.Language, d.Channel)
	if err == nil {
		err = c.slack.updateView(ctx, id, view)
	}
	if err != nil {
		c.o.Log.Warn("filling a modal", "err", err)
		c.fillError(ctx, id, who.Language, refuseTrigger)
	}
}

func (c *Chat) recordRefusal(ctx context.Context, d delivery, who commands.Caller, why error) {
	c.refused.Add(1)
	if err := c.o.Commands.Refuse(ctx, who, d.Action, why, ""); err != nil {
		c.o.Log.Error("recording a refusal", "err", err)
	}
}

// fillError puts one sentence and one hint into an open modal.
func (c *Chat) fillError(ctx context.Context, id, lang string, err error) {
	sentence, hint, known := text.Explain(err)
	if !known {
		c.o.Log.Error("filling a modal", "reference", text.Reference(err), "err", err)
	}
	view := c.notice(lang, change.T("chat.note.title"), sentence)
	if !hint.IsZero() {
		p := &canvas{voice: c.voice(lang), place: inModal}
		p.context(p.rich(hint))
		view.Blocks.BlockSet = append(view.Blocks.BlockSet, p.blocks...)
	}
	if err := c.slack.updateView(ctx, id, view); err != nil {
		c.o.Log.Warn("filling a modal", "err", err)
	}
}

// notice is a modal without inputs that says one thing.
func (c *Chat) notice(lang string, title, body change.Text) slack.ModalViewRequest {
	p := &canvas{voice: c.voice(lang), place: inModal}
	p.section(p.rich(body))
	return slack.ModalViewRequest{
		Type: slack.VTModal, Title: words(p.plain(title), maxModalTitle), Close: words(p.plain(change.T("chat.close")), maxModalTitle),
		Blocks: slack.Blocks{BlockSet: p.blocks},
	}
}

// formView renders a form as a modal. One that cannot be shown whole has no
// submit button: nobody approves what they cannot read.
func (c *Chat) formView(form commands.Form, lang, channel string) (slack.ModalViewRequest, error) {
	meta, err := json.Marshal(viewMeta{Action: form.Action, Value: form.Value, Channel: channel})
	if err != nil || len(meta) > maxMetadata {
		return slack.ModalViewRequest{}, fmt.Errorf("encoding a form of %d bytes: %w", len(meta), err)
	}
	p := &canvas{voice: c.voice(lang), place: inModal}
	p.parts(form.Parts)
	p.trim(len(form.Fields) + 1)
	view := slack.ModalViewRequest{
		Type: slack.VTModal, Title: words(p.plain(form.Title), maxModalTitle), CallbackID: form.Action,
		PrivateMetadata: string(meta), Close: words(p.plain(change.T("chat.close")), maxModalTitle),
	}
	if !form.Close.IsZero() {
		view.Close = words(p.plain(form.Close), maxModalTitle)
	}
	if p.cut {
		p.section(p.rich(change.T("chat.form.cut")))
		view.Blocks.BlockSet = p.blocks
		return view, nil
	}
	for _, f := range form.Fields {
		p.field(f)
	}
	if !form.Submit.IsZero() {
		view.Submit = words(p.plain(form.Submit), maxModalTitle)
	}
	view.Blocks.BlockSet = p.blocks
	return view, nil
}

// field adds one text input; its block is called like the field.
func (p *canvas) field(f commands.Field) {
	input := slack.NewPlainTextInputBlockElement(nil, fieldAction)
	input.Multiline, input.MaxLength = f.Multiline, f.MaxLength
	block := slack.NewInputBlock(f.Name, words(p.plain(f.Label), maxInputLabel), nil, input)
	if !f.Hint.IsZero() {
		block.Hint = words(p.plain(f.Hint), maxInputLabel)
	}
	block.Optional = f.Optional
	p.add(block)
}
