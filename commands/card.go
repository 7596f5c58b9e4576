package commands

import (
	"context"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// Card shows how a request stands, with the buttons that it has now. It is one
// message that is updated until the request has ended.
func (s *Service) Card(ctx context.Context, requestID string) (Reply, error) {
	r, err := s.o.Ledger.Request(ctx, requestID)
	if err != nil {
		return Reply{}, err
	}
	reply, err := s.standing(ctx, r)
	if err != nil {
		return Reply{}, err
	}
	if r.State == change.Pending {
		for _, w := range r.Plan.Warnings {
			reply.Parts = append(reply.Parts, Say(Warning, w))
		}
	}
	if buttons := cardButtons(r); len(buttons) > 0 {
		reply.Parts = append(reply.Parts, Part{Buttons: buttons})
	}
	return reply, nil
}

// standing is a card without the plan's warnings and without buttons.
func (s *Service) standing(ctx context.Context, r change.Request) (Reply, error) {
	parts := []Part{Say("", r.Plan.Summary), {Facts: cardFacts(r)}}
	switch {
	case r.Plan.Phased() && (r.State == change.Applying || r.State == change.NeedsAttention || r.State == change.Reverted):
		steps, err := s.phases(ctx, r)
		if err != nil {
			return Reply{}, err
		}
		parts = append(parts, Part{Progress: steps})
	case r.State == change.Applying || r.State == change.NeedsAttention:
		journal, err := s.o.Ledger.Journal(ctx, r.ID)
		if err != nil {
			return Reply{}, err
		}
		parts = append(parts, Part{Progress: progress(r, journal)})
	}
	parts = append(parts, reasons(r)...)
	parts = append(parts, ending(r)...)
	return Reply{Title: heading(r), Tone: tone(r.State), Parts: parts}, nil
}

func tone(state change.State) Tone {
	switch state {
	case change.Applied, change.Unproven, change.Proven, change.Committed:
		return Good
	case change.Denied, change.NeedsAttention:
		return Bad
	case change.Expired, change.Stale, change.Reverted:
		return Warning
	}
	return ""
}

func cardFacts(r change.Request) []Labelled {
	state := change.T("card.state", "state", r.State, "at", stateTime(r))
	if r.Phase != "" {
		state = change.T("card.phase", "state", r.State, "phase", change.T("phase."+r.Phase))
	}
	facts := []Labelled{
		{change.T("label.state"), state},
		{change.T("label.requester"), value(r.Requester)},
		{change.T("label.site"), siteOf(r.Plan.Intent)},
		{change.T("label.approvals"), approvals(r)},
	}
	if r.State == change.Pending {
		facts = append(facts, Labelled{change.T("label.expires"), value(r.Expires)})
	}
	return facts
}

// stateTime is when r came to be as it is.
func stateTime(r change.Request) any {
	switch {
	case !r.Ended.IsZero():
		return r.Ended
	case !r.Started.IsZero():
		return r.Started
	case r.State == change.Approved:
		return r.LastApproval()
	case !r.Submitted.IsZero():
		return r.Submitted
	}
	return r.Created
}

// approvals names who approved and how many are missing.
func approvals(r change.Request) change.Text {
	var given []change.Text
	for _, a := range r.Approvals {
		id := "card.approval"
		if a.Lapsed {
			id = "card.lapsed"
		}
		given = append(given, change.T(id, "person", a.Person, "at", a.At))
	}
	missing := r.Missing()
	if r.Under != nil {
		for _, a := range r.Under.Approvals {
			given = append(given, change.T("card.approval", "person", a.Person, "at", a.At))
		}
		return change.T("card.earlier", "number", r.Under.Number, "given", listOf(given))
	}
	switch {
	case r.State != change.Pending || missing == 0:
		return listOf(given)
	case len(given) == 0:
		return change.T("card.needed", "needs", needs(r.Rule))
	}
	return change.T("card.missing", "given", listOf(given), "count", missing)
}

// progress shows each step as the journal tells it.
func progress(r change.Request, journal []change.Entry) []ProgressStep {
	states := map[int]StepState{}
	for _, e := range journal {
		switch e.Mark {
		case change.StepBegin:
			states[e.Step] = StepNow
		case change.StepDone:
			states[e.Step] = StepDone
		case change.StepUnknown:
			states[e.Step] = StepUnknown
		}
	}
	steps := make([]ProgressStep, 0, len(r.Plan.Steps))
	for _, step := range r.Plan.Steps {
		state := states[step.ID]
		if state == "" {
			state = StepTodo
		}
		steps = append(steps, ProgressStep{Label: stepLabel(step), State: state})
	}
	return steps
}

func stepLabel(step change.Step) change.Text {
	menu, _ := schema.Lookup(step.Menu)
	return change.T("card.step", "router", step.Router, "action", change.T("action."+string(step.Action)),
		"menu", step.Menu, "row", rowOf(menu, step.Match))
}

// reasons says why a request stands as it does and what can be done.
func reasons(r change.Request) []Part {
	var parts []Part
	for _, b := range r.Beside {
		parts = append(parts, Say(Warning, change.T("card.beside", "router", b.Router, "by", value(vpn.ReadableBytes(b.By)), "action", value(vpn.ReadableBytes(b.Action)))))
	}
	if !r.Outcome.IsZero() {
		parts = append(parts, Say(tone(r.State), r.Outcome))
	}
	if r.Moved != nil {
		parts = append(parts, Say(Warning, moved(*r.Moved)))
	}
	if r.DecidedBy != "" {
		decided := change.T("card.decided", "person", r.DecidedBy)
		if r.Reason != "" {
			decided = change.T("card.decided_reason", "person", r.DecidedBy, "reason", r.Reason)
		}
		parts = append(parts, Say("", decided))
	}
	switch r.State {
	case change.Unproven:
		parts = append(parts, Say(Hint, change.T("card.hint.unproven")))
	case change.Stale:
		if r.Moved != nil {
			parts = append(parts, Say(Hint, change.T("card.hint.stale")))
		}
	case change.Expired:
		parts = append(parts, Say(Hint, change.T("card.hint.expired")))
	case change.NeedsAttention:
		hint := change.T("card.hint.attention", "number", r.Number)
		if r.Plan.Phased() {
			parts = append(parts, Say(Warning, change.T("tunnel.attention", "tunnel", r.Plan.Tunnel.Name)))
			hint = change.T("tunnel.attention.hint", "number", r.Number)
		}
		parts = append(parts, Say(Hint, hint))
	}
	return parts
}

func moved(m change.Moved) change.Text {
	if m.Router == "" {
		return change.T("moved.definition", "name", m.Row, "was", m.Was, "is", m.Is)
	}
	if m.Field == "" {
		return change.T("moved.row", "router", m.Router, "menu", m.Menu, "row", rowName(m.Row))
	}
	return change.T("moved.field", "router", m.Router, "menu", m.Menu, "row", rowName(m.Row), "field", m.Field, "was", m.Was, "is", m.Is)
}

// cardButtons are the actions that the state has. Who may press is decided when
// they are pressed.
func cardButtons(r change.Request) []Button {
	confirm := change.T("button.cancel.confirm", "number", r.Number)
	cancel := Button{Action: ActionCancel, Value: r.ID, Label: change.T("button.cancel"), Confirm: &confirm}
	switch r.State {
	case change.Pending:
		bound := r.ID + " " + r.Digest
		return []Button{
			{Action: ActionApprove, Value: bound, Label: change.T("button.approve"), Style: Primary, Form: true},
			{Action: ActionDeny, Value: bound, Label: change.T("button.deny"), Style: Danger, Form: true},
			cancel,
		}
	case change.Approved:
		if r.Under != nil {
			return nil // nobody's to withdraw
		}
		return []Button{cancel}
	}
	return nil
}
