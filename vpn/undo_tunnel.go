package vpn

import (
	"errors"
	"fmt"
	"slices"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// TunnelUndo is what PlanUndoTunnel computes from besides what any change to a
// tunnel needs. Its Tunnel is the definition that holds now; of a tunnel that was
// removed, the one that held last. Snapshots are of AddMenus.
type TunnelUndo struct {
	TunnelChange
	Done   change.Request // that is taken back
	Before *Tunnel        // the definition before it; nil: there was none
	// Rotated are the changes that only made a key since then, the oldest first. Their
	// peers and identities stand for those of Done.
	Rotated []change.Request
}

// PlanUndoTunnel computes the plan that takes a committed change to a tunnel back:
// the rows that the change took come again as its plan has recorded them, with a
// new key, and those that it brought go; in the same phases, with the same proof. A
// tunnel that the change made goes; one that it removed comes again. The definition
// gets its values of before as a new version. What keeps the tunnel's packets out of
// address translation stays. It returns a *Refusal when a row is not any more as the
// change left it, when the tunnel did not stand before, and for what leaves nothing
// that could be taken back.
func PlanUndoTunnel(in TunnelUndo) (change.Plan, error) {
	if err := Undoable(in.Done); err != nil {
		return change.Plan{}, err
	}
	in.Done.Plan = rotated(in.Done.Plan, in.Rotated)
	plan := in.Done.Plan
	if in.Before == nil && plan.Retires {
		return change.Plan{}, errors.New("planning a rollback: no definition before a removal")
	}
	in.undone = in.Done.Number
	if !plan.Retires {
		if err := in.checkLeft(); err != nil {
			return change.Plan{}, err
		}
	}
	switch {
	case plan.Retires:
		return in.again()
	case in.Before == nil && !plan.Phased():
		return in.forget()
	case in.Before == nil:
		return in.away()
	case !plan.Phased():
		now := in.Tunnel
		in.Tunnel, in.was = in.target(), &now
		return in.setAlone()
	}
	return in.back()
}

// Rotates tells whether a committed change gave a tunnel a new key and did nothing
// else. It leaves nothing to take back, and takes nothing of an earlier change away.
func Rotates(r change.Request) bool {
	plan := r.Plan
	return plan.Phased() && !plan.Retires && plan.Defines == nil && plan.Intent.Resume == 0 && len(plan.Also) == 0 && len(plan.Steps) > 0 &&
		!slices.ContainsFunc(plan.Steps, func(s change.Step) bool { return s.Menu == menuProfile1 })
}

// rotated is a plan as if it had made the peers that changes of the key alone have put
// in place of its own.
func rotated(plan change.Plan, since []change.Request) change.Plan {
	plan.Steps = slices.Clone(plan.Steps)
	for _, r := range since {
		for _, router := range plan.Routers {
			was, is := "", ""
			for _, s := range r.Plan.In(change.PhaseCutOver, router) {
				switch {
				case s.Menu == menuPeer && s.Action == schema.Disable:
					was = s.Match["name"]
				case s.Menu == menuPeer && s.Action == schema.Enable:
					is = s.Match["name"]
				}
			}
			if was == "" || is == "" {
				continue
			}
			for i, s := range plan.Steps {
				if s.Router == router && s.Phase != change.PhaseCommit {
					plan.Steps[i].Match, plan.Steps[i].After = renamed(s.Menu, s.Match, was, is), renamed(s.Menu, s.After, was, is)
				}
			}
		}
	}
	return plan
}

// renamed is a row that names a peer by its new name.
func renamed(menu string, row schema.Row, was, is string) schema.Row {
	name := map[string]string{menuPeer: "name", menuIdentity: "peer", menuPolicy: "peer"}[menu]
	if name == "" || row[name] != was {
		return row
	}
	row = row.Clone()
	row[name] = is
	return row
}

// Undoable refuses what leaves nothing that a rollback could take back.
func Undoable(r change.Request) error {
	number := []any{"number", r.Number}
	switch plan := r.Plan; {
	case len(plan.Also) > 0:
		return refuse("undo_reach", append(number, "site", plan.Intent.Site, "tunnel", plan.Tunnel.Name)...)
	case plan.Intent.Resume != 0:
		return refuse("undo_resolved", append(number, "other", plan.Intent.Resume)...)
	case plan.Phased() && len(plan.Steps) == 0:
		return refuse("undo_rekey", number...)
	case Rotates(r):
		return refuse("undo_key", append(number, "tunnel", plan.Tunnel.Name)...)
	}
	return nil
}

// target is the definition of before. The key is new, and nobody else's.
func (in TunnelUndo) target() Tunnel {
	t := in.Before.Reached(in.DialIns, in.Estate)
	t.PSK, t.PSKMark = in.Tunnel.PSK, in.Tunnel.PSKMark
	return t
}

// checkLeft refuses a definition that is not the one that the change left.
func (in TunnelUndo) checkLeft() error {
	left := in.Before
	if body := in.Done.Plan.Defines; body != nil {
		t, err := DecodeTunnel(change.Definition{DefinitionRef: in.Done.Plan.Definition, Body: body})
		if err != nil {
			return err
		}
		left = &t
	}
	if left == nil {
		return errors.New("planning a rollback: no definition")
	}
	if d := left.Differences(in.Tunnel); len(d) > 0 {
		return refuse("undo_defined", "number", in.Done.Number, "tunnel", in.Tunnel.Name, "key", d[0].Key)
	}
	return nil
}

// back puts the rows of before in place of those of the change.
func (in TunnelUndo) back() (change.Plan, error) {
	now := in.Tunnel
	in.Tunnel, in.was = in.target(), &now
	t, err := in.survey(true)
	if err != nil {
		return change.Plan{}, err
	}
	if err := t.own(); err != nil {
		return change.Plan{}, err
	}
	t.kind = undo
	for _, e := range t.ends {
		u := in.at(e, t.name)
		for _, do := range []func() error{u.asLeft, u.untouched, u.stood, u.stage, u.cutBack} {
			if err := do(); err != nil {
				return change.Plan{}, err
			}
		}
		if err := u.stageRules(); err != nil {
			return change.Plan{}, err
		}
		if e.was != nil { // what let the old address in went with the move
			e.openInput()
		}
		if e.moves() {
			e.moved()
		}
		u.goes()
	}
	plan, err := t.finish()
	if err != nil || in.Done.Plan.Defines == nil {
		return plan, err
	}
	plan.Defines, err = t.Tunnel.Encode()
	return plan, err
}

// again makes a tunnel that was removed, from the rows that it had.
func (in TunnelUndo) again() (change.Plan, error) {
	in.Tunnel = in.target()
	in.Tunnel.PSK = ""
	if !in.Done.Plan.Phased() {
		return in.defineAgain()
	}
	if err := in.checkAdd(); err != nil {
		return change.Plan{}, err
	}
	t, err := in.open(true)
	if err != nil {
		return change.Plan{}, err
	}
	if err := t.own(); err != nil {
		return change.Plan{}, err
	}
	t.kind = addition
	for _, e := range t.ends {
		u := in.at(e, t.name)
		vacant := func() error { return e.vacant(t.Others) }
		for _, do := range []func() error{u.asLeft, u.stood, vacant, u.stage, u.cutBack} {
			if err := do(); err != nil {
				return change.Plan{}, err
			}
		}
		if err := u.stageRules(); err != nil {
			return change.Plan{}, err
		}
		if slices.ContainsFunc(u.took, func(s change.Step) bool { return s.Menu == menuFilter }) {
			e.openInput() // without the bot's rules it was let in before
		}
		e.lookForward()
	}
	plan, err := t.finish()
	if err != nil {
		return change.Plan{}, err
	}
	plan.Defines, err = t.Tunnel.Encode()
	return plan, err
}

// defineAgain brings the definition alone back: no router had a row of it.
func (in TunnelUndo) defineAgain() (change.Plan, error) {
	if slices.ContainsFunc(in.Others, func(o Tunnel) bool { return SameName(o.Name, in.Tunnel.Name) }) {
		return change.Plan{}, refuse("add_exists", "tunnel", in.Tunnel.Name)
	}
	if err := in.checkDefinition(); err != nil {
		return change.Plan{}, err
	}
	body, err := in.Tunnel.Encode()
	if err != nil {
		return change.Plan{}, err
	}
	plan := change.Plan{
		Intent: in.Intent, Definition: in.Definition, Defines: body, Seen: []change.Observation{}, State: change.StateDigest(nil),
		Summary: change.T("plan.back.alone", "tunnel", in.Tunnel.Name, "number", in.undone), Blast: []change.Text{change.T("plan.remove.norow")},
	}
	for _, end := range in.Tunnel.Ends {
		plan.Routers = append(plan.Routers, end.Router)
	}
	return plan, nil
}

// forget ends a definition that came alone. Rows that are there by now are not those
// of the change.
func (in TunnelUndo) forget() (change.Plan, error) {
	plan, err := PlanRemove(in.TunnelChange)
	if err != nil || len(plan.Steps) == 0 {
		return plan, err
	}
	s := plan.Steps[0]
	return change.Plan{}, refuse("undo_rows", "number", in.undone, "tunnel", in.Tunnel.Name, "router", s.Router, "menu", s.Menu, "row", named(s))
}

// away removes a tunnel that the change made: the rows that it brought, and no
// other.
func (in TunnelUndo) away() (change.Plan, error) {
	in.Unchecked = true
	if err := in.checkAdd(); err != nil {
		return change.Plan{}, err
	}
	t, err := in.open(false)
	if err != nil {
		return change.Plan{}, err
	}
	if err := t.own(); err != nil {
		return change.Plan{}, err
	}
	t.kind = removal
	for _, e := range t.ends {
		if err := e.adopt(t.Others); err != nil {
			return change.Plan{}, err
		}
		if e.inBand() {
			return change.Plan{}, refuse("remove_in_band", "router", e.Router, "tunnel", t.Tunnel.Name)
		}
		u := in.at(e, t.name)
		for _, do := range []func() error{u.asLeft, u.untouched} {
			if err := do(); err != nil {
				return change.Plan{}, err
			}
		}
		e.cutOldPeer()
		u.switchOff()
		u.none = true
		u.goes()
	}
	return t.finishRemoval()
}

// own refuses a tunnel whose other end calls from any address: its policies come and
// go with the calls, and what others had of its peer before is not known.
func (t *works) own() error {
	for _, e := range t.ends {
		if e.shares() {
			return refuse("undo_shared", "number", t.undone, "router", e.Router, "site", e.far.Site, "tunnel", t.Tunnel.Name)
		}
	}
	return nil
}

// at is the part of the change that is taken back at one end. A new key since then may
// stand on a peer that bears the name of one from before: that one comes again under
// a new name.
func (in TunnelUndo) at(e *held, name string) *undoing {
	plan := in.Done.Plan
	plan.Steps = slices.Clone(plan.Steps)
	for i, s := range plan.Steps {
		is, old := &plan.Steps[i], s.Phase == change.PhaseCommit || s.Phase == change.PhaseCutOver && s.Action != schema.Enable
		if s.Router != e.Router || e.peer == nil || len(in.Rotated) == 0 || !old {
			continue
		}
		is.Before = renamed(s.Menu, s.Before, e.peer["name"], name)
		if s.Menu == menuPeer && s.Action == schema.Disable {
			is.Match = renamed(s.Menu, s.Match, e.peer["name"], name)
		}
	}
	return &undoing{
		held: e, TunnelUndo: in,
		trace:   trace{number: in.Done.Number, snap: e.snap, turned: plan.In(change.PhaseCutOver, e.Router)},
		brought: plan.In(change.PhaseStage, e.Router), took: plan.In(change.PhaseCommit, e.Router),
	}
}

// undoneText is what people are told of a rollback before all else.
func (t *works) undoneText(facts ...any) change.Text {
	facts = append(facts, "number", t.undone)
	switch t.kind {
	case addition:
		return change.T("plan.back.again", facts...)
	case removal:
		return change.T("plan.back.away", facts...)
	}
	return change.T("plan.back.summary", facts...)
}

// undoneBlast says what a rollback does not bring back.
func (t *works) undoneBlast() []change.Text {
	if t.undone == 0 || t.kind == removal {
		return nil
	}
	return []change.Text{change.T("plan.back.key")}
}

// errUndo wraps what a recorded plan should have held.
func errUndo(step change.Step) error {
	return fmt.Errorf("planning a rollback: step %d of the request holds no row", step.ID)
}
