package vpn

import (
	"time"

	"vpnbot/change"
	"vpnbot/change/secret"
)

// AfterCommit returns the version of a definition that holds once r has ended
// well: what r's plan defines, else def, with the key mark that r wrote on a
// tunnel's routers; or def retired, when the plan ends it. A tunnel's key itself is
// needed no more and kept nowhere, nor is any that the definition named before and
// does not any more, which is returned as old. ok is false when r changes nothing
// of the definition. A def without body is one that is not there.
func AfterCommit(now time.Time, def change.Definition, r change.Request) (next change.Definition, old secret.Ref, ok bool, err error) {
	mark := ""
	for _, s := range r.Plan.Steps {
		if s.Menu == menuIdentity && s.Marks["secret"] != "" && def.Kind == KindTunnel {
			mark = s.Marks["secret"]
		}
	}
	if mark == "" && r.Plan.Defines == nil && !r.Plan.Retires {
		return change.Definition{}, "", false, nil
	}
	if def.Body != nil {
		if old, err = KeyOf(def); err != nil {
			return change.Definition{}, "", false, err
		}
	}
	next = change.Definition{DefinitionRef: def.DefinitionRef, At: now, By: r.Requester, Body: def.Body, Retired: r.Plan.Retires}
	next.Version++
	if r.Plan.Defines != nil {
		next.Body = r.Plan.Defines
	}
	if mark != "" || next.Retired {
		if next.Body, err = rekeyed(next, mark); err != nil {
			return change.Definition{}, "", false, err
		}
	}
	kept, err := KeyOf(next)
	if err != nil {
		return change.Definition{}, "", false, err
	}
	if kept == old {
		old = ""
	}
	return next, old, true, nil
}

// KeyOf returns the sealed key that a definition names, empty when it names none.
func KeyOf(def change.Definition) (secret.Ref, error) {
	if def.Kind == KindDialIn {
		d, err := DecodeDialIn(def)
		return d.PSK, err
	}
	t, err := DecodeTunnel(def)
	return t.PSK, err
}

// rekeyed returns the body of def without a sealed key. A mark takes the place of
// the one that stands there.
func rekeyed(def change.Definition, mark string) ([]byte, error) {
	if def.Kind == KindDialIn {
		d, err := DecodeDialIn(def)
		if err != nil {
			return nil, err
		}
		d.PSK = ""
		return d.Encode()
	}
	t, err := DecodeTunnel(def)
	if err != nil {
		return nil, err
	}
	if t.PSK = ""; mark != "" {
		t.PSKMark = mark
	}
	return t.Encode()
}
