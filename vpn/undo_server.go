package vpn

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// DialInUndo is what PlanUndoDialIn computes from besides what any change to a
// dial-in server needs. Its Held is the definition that holds now.
type DialInUndo struct {
	SetupDialIn
	Done   change.Request // that is taken back
	Before *DialIn        // the definition before it; nil: there was none
}

// PlanUndoDialIn computes the plan that takes "dialin setup" or "dialin set" back: rows
// that it changed in place get the values that its plan has recorded, the server first,
// and those that it added go. The server's key stays as it is. The definition gets its
// values of before, or ends. It returns a *Refusal when a row is not any more as the
// change left it, and when accounts or other rows need what would go.
func PlanUndoDialIn(in DialInUndo) (change.Plan, error) {
	if in.Held == nil {
		return change.Plan{}, errors.New("planning a rollback: no definition of the dial-in server")
	}
	in.DialIn = *in.Held
	s := &setup{SetupDialIn: in.SetupDialIn}
	if err := s.covered(); err != nil {
		return change.Plan{}, err
	}
	if err := s.checkRouter(); err != nil {
		return change.Plan{}, err
	}
	if err := in.checkLeft(); err != nil {
		return change.Plan{}, err
	}
	u := &plainUndo{trace: trace{number: in.Done.Number, snap: in.Snapshot}}
	if err := u.takeBack(in.Done.Plan); err != nil {
		return change.Plan{}, err
	}
	s.steps, s.warnings = u.steps, append(s.warnings, u.already...)
	for _, check := range []func(*setup) error{in.users, in.accounts} {
		if err := check(s); err != nil {
			return change.Plan{}, err
		}
	}
	in.tell(s)
	p := s.plan("dialin")
	p.Summary = change.T("plan.back.server", "site", in.Intent.Site, "number", in.Done.Number, "online", len(s.sessions()))
	return p, in.define(&p)
}

// define gives the plan what follows for the definition.
func (in DialInUndo) define(p *change.Plan) error {
	if in.Before == nil {
		p.Retires = true
		return nil
	}
	next := *in.Before
	next.PSK, next.PSKMark = in.Held.PSK, in.Held.PSKMark
	body, err := next.Encode()
	if err != nil {
		return err
	}
	held, err := in.Held.Encode()
	if err == nil && !bytes.Equal(body, held) {
		p.Defines = body
	}
	return err
}

// checkLeft refuses a definition that is not the one that the change left.
func (in DialInUndo) checkLeft() error {
	left := in.Before
	if body := in.Done.Plan.Defines; body != nil {
		d, err := DecodeDialIn(change.Definition{DefinitionRef: in.Done.Plan.Definition, Body: body})
		if err != nil {
			return err
		}
		left = &d
	}
	if left == nil {
		return errors.New("planning a rollback: no definition")
	}
	a, b := *left, *in.Held
	a.PSK, a.PSKMark, b.PSK, b.PSKMark = "", "", "", ""
	was, err := a.Encode()
	if err != nil {
		return err
	}
	is, err := b.Encode()
	if err == nil && !bytes.Equal(was, is) {
		err = refuse("undo_server", "number", in.Done.Number, "site", in.Intent.Site)
	}
	return err
}

// goes tells whether the plan removes the row of a menu that has this name.
func (s *setup) goes(menu, name string) bool {
	return name != "" && slices.ContainsFunc(s.steps, func(step change.Step) bool {
		return step.Menu == menu && step.Action == schema.Remove && step.Before["name"] == name
	})
}

// off tells whether nobody can dial in any more after the plan.
func (s *setup) off() bool {
	for _, row := range imagine(s.Snapshot, s.steps)[menuServer] {
		return !isTrue(row, menuServer, "enabled")
	}
	return true
}

// users refuses to remove rows to which others have come to refer.
func (in DialInUndo) users(s *setup) error {
	gone := func(menu, name, user string, row schema.Row) error {
		return refuse("undo_used", "number", in.Done.Number, "router", s.DialIn.Router, "menu", menu, "row", ReadableBytes(name), "user", user+" "+ReadableBytes(row["name"]))
	}
	after := imagine(s.Snapshot, slices.DeleteFunc(slices.Clone(s.steps), func(step change.Step) bool { return step.Action == schema.Remove }))
	for _, ref := range []struct{ from, attr, menu string }{
		{menuProfile, "remote-address", menuPool},
		{menuProfile, "local-address", menuPool},
		{menuDHCP, "address-pool", menuPool},
		{menuSecret, "remote-address", menuPool},
		{menuServer, "default-profile", menuProfile},
	} {
		for _, row := range after[ref.from] {
			if s.goes(ref.menu, row[ref.attr]) && !s.goes(ref.from, row["name"]) {
				return gone(ref.menu, row[ref.attr], ref.from, row)
			}
		}
	}
	return nil
}

// accounts refuses to take the server away under accounts that were made for it
// since, or whose profile goes.
func (in DialInUndo) accounts(s *setup) error {
	var names []string
	off := s.off()
	for _, row := range s.Snapshot.Menus[menuSecret] {
		i := slices.IndexFunc(in.Owners, func(a change.Account) bool { return a.Name == row["name"] && a.Removed.IsZero() })
		since := i >= 0 && !in.Owners[i].Adopted && in.Owners[i].Created.After(in.Done.Started)
		if s.goes(menuProfile, defaulted(menuSecret, row, "profile")) || off && since {
			names = append(names, ReadableBytes(row["name"]))
		}
	}
	if len(names) > 0 {
		return refuse("undo_accounts", "number", in.Done.Number, "site", in.Intent.Site, "accounts", strings.Join(names[:min(5, len(names))], ", "), "count", len(names))
	}
	return nil
}

// tell says who is touched.
func (in DialInUndo) tell(s *setup) {
	accounts := 0
	for _, a := range Users(s.Snapshot) {
		if !a.Disabled {
			accounts++
		}
	}
	negotiates := false
	for _, step := range s.steps {
		switch step.Menu {
		case menuProfile1:
			for _, user := range s.onDefaultProfile() {
				s.affects("shared", "row", "default", "user", user)
			}
			negotiates = true
		case menuProposal:
			for _, user := range s.onDefaultProposal() {
				s.affects("shared", "row", "default", "user", user)
			}
			negotiates = true
		}
	}
	if s.off() {
		s.blast = append(s.blast, change.T("plan.back.server_off", "site", in.Intent.Site, "count", accounts, "online", len(s.sessions())))
	} else if negotiates {
		s.warn("dialin_windows")
	}
	if slices.ContainsFunc(in.Done.Plan.Steps, func(step change.Step) bool { return len(step.Secrets) > 0 }) {
		s.blast = append(s.blast, change.T("plan.back.server_key", "number", in.Done.Number))
	}
}

// PlanUndoRotateL2TP computes the plan that takes "rotate l2tp" back: as PlanRotateL2TP
// does, with another new key, since no old one is ever written again.
func PlanUndoRotateL2TP(in SetupDialIn) (change.Plan, error) {
	p, err := PlanRotateL2TP(in)
	if err == nil {
		p.Blast = append([]change.Text{change.T("plan.back.rotated", "number", in.Intent.Undo)}, p.Blast...)
	}
	return p, err
}
