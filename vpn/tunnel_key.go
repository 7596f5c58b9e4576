package vpn

import (
	"time"

	"vpnbot/change"
	"vpnbot/change/secret"
)

// AfterCommit returns the version of a tunnel's definition that holds once r is
// committed: it carries the key mark that r wrote on both routers. The key itself
// is needed no more and kept nowhere, nor is one that the definition named before,
// which is returned as old. ok is false when r wrote no key.
func AfterCommit(now time.Time, def change.Definition, r change.Request) (next change.Definition, old secret.Ref, ok bool, err error) {
	mark := ""
	for _, s := range r.Plan.Steps {
		if s.Menu == menuIdentity && s.Marks["secret"] != "" {
			mark = s.Marks["secret"]
		}
	}
	if mark == "" {
		return change.Definition{}, "", false, nil
	}
	t, err := DecodeTunnel(def)
	if err != nil {
		return change.Definition{}, "", false, err
	}
	old, t.PSK, t.PSKMark = t.PSK, "", mark
	body, err := t.Encode()
	if err != nil {
		return change.Definition{}, "", false, err
	}
	next = change.Definition{DefinitionRef: def.DefinitionRef, At: now, By: r.Requester, Body: body}
	next.Version++
	return next, old, true, nil
}
