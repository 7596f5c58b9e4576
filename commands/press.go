package commands

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"vpnbot/change"
)

// The actions of buttons and forms. Opening credentials is the renderer's own
// work, since it alone may show them.
const (
	ActionSubmit  = "submit"
	ActionDiscard = "discard"
	ActionApprove = "approve" // a form
	ActionDeny    = "deny"    // a form
	ActionCancel  = "cancel"
	ActionAgain   = "again"  // plan the same intent anew
	ActionReveal  = "reveal" // a form, filled by the renderer
	ActionShare   = "share"  // answer the same question for everyone to read
	ActionPick    = "pick"   // go on with one of several that were meant
)

// FieldReason is the field of the forms that take a reason.
const FieldReason = "reason"

// maxReason bounds a typed reason.
const maxReason = 500

// FieldError is a value of a form that is refused.
type FieldError struct {
	Field string
	Text  change.Text
	Hint  change.Text
	Err   error
}

// Error names the field and the cause.
func (e *FieldError) Error() string { return "field " + e.Field + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *FieldError) Unwrap() error { return e.Err }

// Explain returns the sentence and the hint.
func (e *FieldError) Explain() (sentence, hint change.Text) { return e.Text, e.Hint }

// wish starts a call for a button or form. value is an ID, and what the presser
// was shown.
func wish(who Caller, action, key string) *call {
	return &call{Caller: who, Command: Command{Verb: action}, now: time.Now(), key: key}
}

// Press carries out a button that needs no form.
func (s *Service) Press(ctx context.Context, who Caller, action, value, key string) (Reply, error) {
	c := wish(who, action, key)
	reply, err := s.press(ctx, c, action, value)
	return reply, s.settle(ctx, c, err)
}

func (s *Service) press(ctx context.Context, c *call, action, value string) (Reply, error) {
	if c.Guest {
		return Reply{}, bad("refuse.guest")
	}
	id, _, _ := strings.Cut(value, " ")
	switch action {
	case ActionSubmit:
		r, err := s.move(ctx, c, id, func(r change.Request) (change.Move, error) {
			if !r.Plan.Intent.Grants(c.Actor.Person, change.Operator) {
				return change.Move{}, change.ErrNotAllowed
			}
			return r.Submit(c.now, c.Actor)
		})
		if err != nil {
			return Reply{}, err
		}
		return submitted(r), nil
	case ActionDiscard:
		r, err := s.move(ctx, c, id, func(r change.Request) (change.Move, error) { return r.Discard(c.now, c.Actor) })
		if err != nil {
			return Reply{}, err
		}
		return Reply{Title: heading(r), Parts: []Part{Say("", change.T("discarded.text"))}}, nil
	case ActionCancel:
		return s.withdraw(ctx, c, id)
	case ActionAgain:
		r, err := s.o.Ledger.Request(ctx, id)
		if err != nil {
			return Reply{}, err
		}
		c.site = r.Plan.Intent.Site
		if !r.Plan.Intent.Grants(c.Actor.Person, change.Operator) || r.Under != nil {
			return Reply{}, change.ErrNotAllowed
		}
		return s.propose(ctx, c, r.Plan.Intent, false)
	case ActionShare:
		return s.share(ctx, c, value)
	case ActionPick:
		return s.pick(ctx, c, value)
	}
	return Reply{}, bad("refuse.action")
}

// ShareValue is the value of the button that shares the answer to cmd.
func ShareValue(cmd Command) string { return commandValue(cmd) }

// commandValue is cmd as the value of a button.
func commandValue(cmd Command) string {
	b, err := json.Marshal(cmd)
	if err != nil { // strings only: cannot happen, and the button then does nothing
		return ""
	}
	return string(b)
}

// share answers a reading verb anew, for a channel: with what holds now and with
// the rights of whoever pressed, and without buttons.
func (s *Service) share(ctx context.Context, c *call, value string) (Reply, error) {
	var cmd Command
	if err := json.Unmarshal([]byte(value), &cmd); err != nil {
		return Reply{}, bad("refuse.action")
	}
	if v, ok := lookup(cmd.Verb); !ok || v.Changing || cmd.Problem != nil {
		return Reply{}, bad("refuse.action")
	}
	c.Command = cmd
	reply, err := s.run(ctx, c)
	if err != nil {
		return Reply{}, err
	}
	if !reply.Share {
		return Reply{}, bad("refuse.action")
	}
	reply.Share = false
	reply.Parts = slices.DeleteFunc(reply.Parts, func(p Part) bool { return p.Buttons != nil })
	return reply, nil
}

// Form returns what a modal shows. The digest of the plan that it shows travels
// in its value: pressing there approves exactly that plan.
func (s *Service) Form(ctx context.Context, who Caller, action, value string) (Form, error) {
	c := wish(who, action, "")
	form, err := s.form(ctx, c, action, value)
	return form, s.settle(ctx, c, err)
}

func (s *Service) form(ctx context.Context, c *call, action, value string) (Form, error) {
	if c.Guest {
		return Form{}, bad("refuse.guest")
	}
	id, _, _ := strings.Cut(value, " ")
	r, err := s.o.Ledger.Request(ctx, id)
	if err != nil {
		return Form{}, err
	}
	c.request, c.site = r.Number, r.Plan.Intent.Site
	err = r.MayApprove(c.now, c.Actor.Person)
	switch action {
	case ActionApprove:
		if err != nil {
			return Form{}, err
		}
		return approveForm(r), nil
	case ActionDeny:
		if err != nil && !errors.Is(err, change.ErrTwice) {
			return Form{}, err
		}
		return denyForm(r), nil
	}
	return Form{}, bad("refuse.action")
}

func approveForm(r change.Request) Form {
	parts := []Part{Say("", r.Plan.Summary), {Facts: []Labelled{
		{change.T("label.requester"), valueOf(r.Requester)},
		{change.T("label.approvals"), approvals(r)},
		{change.T("label.digest"), valueOf(r.Digest)},
		{change.T("label.state_digest"), valueOf(shortDigest(r.Plan.State))},
	}}}
	parts = append(parts, effects(r.Plan)...)
	parts = append(parts, procedure(r)...)
	parts = append(parts, diffs(r.Plan)...)
	form := Form{
		Action: ActionApprove, Value: r.ID + " " + r.Digest,
		Title: change.T("form.approve.title", "number", r.Number), Submit: change.T("button.approve"), Close: change.T("button.back"),
		Parts: parts,
	}
	if r.Rule.Reason != "" {
		form.Fields = []Field{{
			Name: FieldReason, Label: change.T("form.reason"), Hint: change.T("form.reason.pattern", "pattern", r.Rule.Reason),
			MaxLength: maxReason,
		}}
	}
	return form
}

func denyForm(r change.Request) Form {
	return Form{
		Action: ActionDeny, Value: r.ID + " " + r.Digest,
		Title: change.T("form.deny.title", "number", r.Number), Submit: change.T("button.deny"), Close: change.T("button.back"),
		Parts: []Part{Say("", r.Plan.Summary), Say(Hint, change.T("form.deny.hint"))},
		Fields: []Field{{
			Name: FieldReason, Label: change.T("form.reason"), Hint: change.T("form.deny.reason"),
			Multiline: true, Optional: true, MaxLength: maxReason,
		}},
	}
}

// valueOf is value under a name that a parameter called value does not hide.
func valueOf(v any) change.Text { return value(v) }

// Submit carries out a form. A *FieldError belongs beside its field.
func (s *Service) Submit(ctx context.Context, who Caller, action, value string, fields map[string]string, key string) (Reply, error) {
	c := wish(who, action, key)
	reply, err := s.submit(ctx, c, action, value, fields)
	return reply, s.settle(ctx, c, err)
}

func (s *Service) submit(ctx context.Context, c *call, action, value string, fields map[string]string) (Reply, error) {
	if c.Guest {
		return Reply{}, bad("refuse.guest")
	}
	id, digest, _ := strings.Cut(value, " ")
	reason := strings.TrimSpace(fields[FieldReason])
	if len(reason) > 4*maxReason {
		return Reply{}, reasonError()
	}
	var do func(change.Request) (change.Move, error)
	var said string
	switch action {
	case ActionApprove:
		do = func(r change.Request) (change.Move, error) {
			m, err := r.Approve(c.now, c.Actor, digest, reason)
			if errors.Is(err, change.ErrReason) {
				return m, reasonError()
			}
			return m, err
		}
		said = "approved.text"
	case ActionDeny:
		do = func(r change.Request) (change.Move, error) { return r.Deny(c.now, c.Actor, reason) }
		said = "denied.text"
	default:
		return Reply{}, bad("refuse.action")
	}
	r, err := s.move(ctx, c, id, do)
	if err != nil {
		return Reply{}, err
	}
	if n := r.Missing(); action == ActionApprove && n > 0 {
		return Reply{Title: heading(r), Tone: Good, Parts: []Part{Say("", change.T("approved.more", "count", n))}}, nil
	}
	return Reply{Title: heading(r), Tone: Good, Parts: []Part{Say("", change.T(said))}}, nil
}

func reasonError() error {
	return &FieldError{
		Field: FieldReason, Text: change.T("error.reason"), Hint: change.T("error.reason.hint"), Err: change.ErrReason,
	}
}
