package vpn

import (
	"bytes"
	"errors"
	"slices"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// PlanRotateL2TP computes the plan that gives a dial-in server a new pre-shared
// key: one value on one router, which every client needs from its next call on.
// The old key is lost unless somebody else keeps it. It returns a *Refusal when
// the server has no use for a key, and when the bot itself comes through it.
func PlanRotateL2TP(in SetupDialIn) (change.Plan, error) {
	s := &setup{SetupDialIn: in}
	if s.PSK == "" || s.Mark == "" || s.DialIn.Site != s.Intent.Site {
		return change.Plan{}, errors.New("planning a new key for a dial-in server: no key, or a definition of another site")
	}
	if err := s.covered(); err != nil {
		return change.Plan{}, err
	}
	if err := s.checkRouter(); err != nil {
		return change.Plan{}, err
	}
	if NeedsKey(s.Snapshot) {
		return change.Plan{}, refuse("dialin_keyless", "site", s.Intent.Site, "router", s.DialIn.Router)
	}
	row := s.row(menuServer, nil)
	s.steps = []change.Step{{
		Menu: menuServer, Action: schema.Change, Before: schema.Row{}, After: schema.Row{}, Why: change.T("plan.dialin.step.key"),
	}}
	s.rekeyServer(&s.steps[0])
	if err := s.unharmed(); err != nil {
		return change.Plan{}, err
	}
	accounts := 0
	for _, a := range Users(s.Snapshot) {
		if !a.Disabled {
			accounts++
		}
	}
	s.affects("key", "count", accounts, "online", len(s.sessions()))
	s.warn("dialin_windows")
	if defaulted(menuServer, row, "use-ipsec") == "yes" {
		s.warn("ipsec_optional", "router", s.DialIn.Router)
	}
	return s.defined("rotate_l2tp")
}

// defined is plan with the definition that holds from then on: the key that the
// server got, or the one that it keeps.
func (s *setup) defined(verb string) (change.Plan, error) {
	next := s.DialIn
	if s.PSK != "" {
		next.PSK, next.PSKMark = s.PSK, s.Mark
	}
	readers, err := s.handOut(next)
	if err != nil {
		return change.Plan{}, err
	}
	p := s.plan(verb)
	p.HandOut = readers
	body, err := next.Encode()
	if err != nil {
		return change.Plan{}, err
	}
	if s.Held != nil {
		held, err := s.Held.Encode()
		if err != nil {
			return change.Plan{}, err
		}
		if bytes.Equal(held, body) {
			return p, nil
		}
	}
	p.Defines = body
	return p, nil
}

// handOut names who may open the new key: the reader of each account that dials
// in, once each. For accounts that nobody is known to own somebody must hand it
// over: without, their users would be locked out.
func (s *setup) handOut(d DialIn) ([]change.Credentials, error) {
	if s.PSK == "" {
		return nil, nil
	}
	var list []change.Credentials
	add := func(account string, reader change.PersonID) {
		if !slices.ContainsFunc(list, func(c change.Credentials) bool { return c.Reader == reader }) {
			list = append(list, change.Credentials{Site: d.Site, Server: d.Server, Account: account, Reader: reader, PSK: s.PSK})
		}
	}
	nobody := 0
	for _, row := range Users(s.Snapshot) {
		if row.Disabled {
			continue
		}
		i := slices.IndexFunc(s.Owners, func(a change.Account) bool { return a.Name == row.Name })
		if i < 0 || s.Owners[i].Reader == "" {
			nobody++
			continue
		}
		add(row.Name, s.Owners[i].Reader)
	}
	if s.Intent.Handover != "" {
		add("", s.Intent.Handover)
	}
	if nobody > 0 {
		if s.Intent.Handover == "" {
			return nil, refuse("dialin_handover", "count", nobody, "site", d.Site)
		}
		s.warn("dialin_ownerless", "count", nobody, "site", d.Site, "person", s.Intent.Handover)
	}
	return list, nil
}
