package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// applied tells whether a request has done what it was to do.
func applied(r change.Request) bool {
	return slices.Contains([]change.State{change.Applied, change.Unproven, change.Proven, change.Committed}, r.State)
}

// tunnelOf is the tunnel that a request is about, or "".
func tunnelOf(r change.Request) string {
	if t := r.Plan.Tunnel; t != nil {
		return t.Name
	}
	return r.Plan.Intent.Tunnel
}

// planUndo computes the plan that takes a request back which is not about an account.
func (s *Service) planUndo(ctx context.Context, intent change.Intent) (change.Plan, []secret.Sealed, error) {
	r, err := s.o.Ledger.RequestByNumber(ctx, intent.Undo)
	if err != nil {
		return change.Plan{}, nil, err
	}
	if err := vpn.Undoable(r); err != nil {
		return change.Plan{}, nil, err
	}
	rotated, err := s.unmoved(ctx, r)
	if err != nil {
		return change.Plan{}, nil, err
	}
	switch {
	case tunnelOf(r) != "":
		return s.planUndoTunnel(ctx, intent, r, rotated)
	case intent.Undoes == verbRotateL2TP:
		return s.planDialIn(ctx, intent)
	case slices.ContainsFunc(r.Plan.Steps, func(step change.Step) bool { return step.Action == schema.Remove }):
		return change.Plan{}, nil, cannot("again", "number", r.Number, "verb", intent.Undoes)
	case intent.Undoes == verbVerbose:
		return s.planUndoVerbose(ctx, intent, r)
	case r.Plan.Definition.Kind == vpn.KindDialIn:
		return s.planUndoDialIn(ctx, intent, r)
	}
	return change.Plan{}, nil, cannot("other", "number", r.Number)
}

// askedWith is the verb of a request; of a rollback, that of what it takes back.
func askedWith(r change.Request) string { return cmp.Or(r.Plan.Intent.Undoes, r.Plan.Intent.Verb) }

// about names what requests change that stand in each other's way: a tunnel, a dial-in
// server, the log of a site.
func about(r change.Request) string {
	switch name := tunnelOf(r); {
	case name != "":
		return "tunnel " + name
	case r.Plan.Definition.Kind != "":
		return r.Plan.Definition.Kind + " " + r.Plan.Definition.Name
	}
	return r.Subject()
}

// unmoved refuses a request that was taken back already, or whose subject a later
// one has changed: that one would be lost unseen. A later one that was itself taken
// back does not count, nor does what took it back; nor does one that gave a tunnel a
// new key and nothing else: those are returned, the oldest first.
func (s *Service) unmoved(ctx context.Context, r change.Request) (rotated []change.Request, err error) {
	later, err := s.after(ctx, r)
	if err != nil {
		return nil, err
	}
	undone := map[int64]bool{}
	var over *change.Request
	for _, l := range slices.Backward(later) {
		if undone[l.Number] {
			continue
		}
		switch n := l.Plan.Intent.Undo; {
		case n == r.Number:
			return nil, cannot("done", "number", r.Number, "other", l.Number)
		case n > r.Number:
			undone[n] = true
			continue
		case tunnelOf(l) != "" && vpn.Rotates(l):
			rotated = append(rotated, l)
			continue
		}
		if over == nil {
			over = &l
		}
	}
	if over != nil {
		return nil, cannot("later", "number", r.Number, "later", over.Number)
	}
	slices.Reverse(rotated)
	return rotated, nil
}

// after returns the applied requests about the same subject that came after r, the
// oldest first. One that only negotiated afresh changed nothing.
func (s *Service) after(ctx context.Context, r change.Request) ([]change.Request, error) {
	var list []change.Request
	for n := r.Number + 1; ; n++ {
		l, err := s.o.Ledger.RequestByNumber(ctx, n)
		switch {
		case errors.Is(err, change.ErrNotFound):
			return list, nil
		case err != nil:
			return nil, fmt.Errorf("reading requests: %w", err)
		case applied(l) && vpn.SameName(about(l), about(r)) && l.Plan.Intent.Account == nil && l.Plan.Intent.Verb != verbRekey:
			list = append(list, l)
		}
	}
}

// planUndoTunnel reads both routers and computes the plan that takes a change to a
// tunnel back.
func (s *Service) planUndoTunnel(
	ctx context.Context, intent change.Intent, r change.Request, rotated []change.Request,
) (change.Plan, []secret.Sealed, error) {
	in := vpn.TunnelUndo{Done: r, Rotated: rotated}
	var err error
	if in.TunnelChange, err = s.tunnelChange(ctx, intent); err != nil {
		return change.Plan{}, nil, err
	}
	if in.Before, err = s.tunnelBefore(ctx, r.Plan.Definition); err != nil {
		return change.Plan{}, nil, err
	}
	switch {
	case in.Tunnel.Name == "" && (!r.Plan.Retires || in.Before == nil):
		return change.Plan{}, nil, bad("tunnel.undefined")
	case in.Tunnel.Name == "":
		in.Tunnel, in.Definition = *in.Before, r.Plan.Definition
		if in.Definition.Version, err = s.o.Ledger.DefinitionVersion(ctx, in.Definition.Kind, in.Definition.Name); err != nil {
			return change.Plan{}, nil, fmt.Errorf("reading definitions: %w", err)
		}
	case r.Plan.Retires:
		return change.Plan{}, nil, cannot("there", "number", r.Number, "tunnel", in.Tunnel.Name)
	}
	if r.Plan.Phased() || in.Before == nil {
		if in.Snapshots, err = s.bothEnds(ctx, in.Tunnel, vpn.MoveMenus()); err != nil {
			return change.Plan{}, nil, err
		}
	}
	var sealed []secret.Sealed
	if in.Before != nil {
		sealed = s.newKey(&in.TunnelChange)
	}
	plan, err := vpn.PlanUndoTunnel(in)
	return plan, used(sealed, plan), err
}

// tunnelBefore is the definition from which a plan was computed, nil when there was
// none.
func (s *Service) tunnelBefore(ctx context.Context, ref change.DefinitionRef) (*vpn.Tunnel, error) {
	if ref.Version == 0 {
		return nil, nil
	}
	def, err := s.o.Ledger.DefinitionAt(ctx, ref)
	switch {
	case err != nil:
		return nil, err
	case def.Retired:
		return nil, nil
	}
	t, err := vpn.DecodeTunnel(def)
	return &t, err
}

// cannot says why a request is not taken back, and what to do instead.
func cannot(why string, pairs ...any) *ParseError {
	return &ParseError{change.T("rollback."+why, pairs...), change.T("rollback."+why+".hint", pairs...)}
}

// planUndoVerbose reads the routers that log in detail and computes the plan that ends
// it.
func (s *Service) planUndoVerbose(ctx context.Context, intent change.Intent, r change.Request) (change.Plan, []secret.Sealed, error) {
	in := vpn.VerboseUndo{Intent: intent, Done: r}
	var err error
	if in.Snapshots, err = s.each(ctx, r.Plan.Routers, vpn.VerboseMenus()); err != nil {
		return change.Plan{}, nil, err
	}
	plan, err := vpn.PlanUndoVerbose(in)
	return plan, nil, err
}

// planUndoDialIn reads the router and computes the plan that takes a change to a
// dial-in server back.
func (s *Service) planUndoDialIn(ctx context.Context, intent change.Intent, r change.Request) (change.Plan, []secret.Sealed, error) {
	in := vpn.DialInUndo{Done: r}
	var err error
	if in.SetupDialIn, err = s.setupDialIn(ctx, intent); err != nil {
		return change.Plan{}, nil, err
	}
	if ref := r.Plan.Definition; ref.Version > 0 {
		def, err := s.o.Ledger.DefinitionAt(ctx, ref)
		if err != nil {
			return change.Plan{}, nil, err
		}
		if !def.Retired {
			before, err := vpn.DecodeDialIn(def)
			if err != nil {
				return change.Plan{}, nil, err
			}
			in.Before = &before
		}
	}
	if in.Snapshot, err = s.snapshot(ctx, in.DialIn.Router, vpn.SetupMenus()...); err != nil {
		return change.Plan{}, nil, err
	}
	plan, err := vpn.PlanUndoDialIn(in)
	if refused, ok := errors.AsType[*vpn.Refusal](err); ok && refused.Text.ID == "plan.refuse.undo_server" {
		return plan, nil, cmp.Or(s.reachedSince(ctx, r), err)
	}
	return plan, nil, err
}

// reachedSince names the latest change since r of whom clients of the same dial-in
// server reach: it is made by way of a tunnel, and goes back by its own command alone.
// It is nil without one.
func (s *Service) reachedSince(ctx context.Context, r change.Request) error {
	var later int64
	for n := r.Number + 1; ; n++ {
		l, err := s.o.Ledger.RequestByNumber(ctx, n)
		if errors.Is(err, change.ErrNotFound) {
			break
		}
		if err != nil {
			return fmt.Errorf("reading requests: %w", err)
		}
		if applied(l) && slices.ContainsFunc(l.Plan.Also, func(d change.Redefinition) bool {
			return d.Kind == r.Plan.Definition.Kind && vpn.SameName(d.Name, r.Plan.Definition.Name)
		}) {
			later = n
		}
	}
	if later == 0 {
		return nil
	}
	was := "none"
	if d, err := vpn.DecodeDialIn(change.Definition{DefinitionRef: r.Plan.Definition, Body: r.Plan.Defines}); err == nil && d.Setup != nil && len(d.Setup.Reach) > 0 {
		was = strings.Join(d.Setup.Reach, ",")
	}
	return cannot("reached", "number", r.Number, "later", later, "site", r.Plan.Intent.Site, "reach", was)
}
