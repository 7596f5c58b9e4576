package vpn

import (
	"time"

	"vpnbot/change"
	"vpnbot/change/secret"
)

// AfterCommit returns the version of a tunnel's definition that holds once r is
// committed: what r's plan defines, else def, with the key mark that r wrote on
// both routers. The key itself is needed no more and kept nowhere, nor is one that
// the definition named before and does not any more, which is returned as old. ok
// is false when r neither defines anything nor wrote a key.
func AfterCommit(now time.Time, def change.Definition, r change.Request) (next change.Definition, old secret.Ref, ok bool, err error) {
	mark := ""
	for _, s := range r.Plan.Steps {
		if s.Menu == menuIdentity && s.Marks["secret"] != "" {
			mark = s.Marks["secret"]
		}
	}
	if mark == "" && r.Plan.Defines == nil {
		return change.Definition{}, "", false, nil
	}
	if def.Version > 0 {
		was, err := DecodeTunnel(def)
		if err != nil {
			return change.Definition{}, "", false, err
		}
		old = was.PSK
	}
	if r.Plan.Defines != nil {
		def.Body = r.Plan.Defines
	}
	t, err := DecodeTunnel(def)
	if err != nil {
		return change.Definition{}, "", false, err
	}
	if mark != "" {
		t.PSK, t.PSKMark = "", mark
	}
	if t.PSK == old {
		old = ""
	}
	body, err := t.Encode()
	if err != nil {
		return change.Definition{}, "", false, err
	}
	next = change.Definition{DefinitionRef: def.DefinitionRef, At: now, By: r.Requester, Body: body}
	next.Version++
	return next, old, true, nil
}
