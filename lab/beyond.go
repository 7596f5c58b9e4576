package lab

import (
	"vpnbot/ros/schema"
)

// impossible is why the daemons cannot play an attempt at all, nil when they
// can.
func impossible(a schema.Attempt, s setup) *unknown {
	if a.Initiator.Client != nil {
		return &unknown{"", "", "client", a.Initiator.Client.System}
	}
	if a.Initiator.Local != a.Initiator.Seen || a.Responder.Local != a.Responder.Seen {
		return &unknown{"", "", "nat", a.Initiator.Seen.String()}
	}
	for _, k := range s.initiator.children {
		if k.mode == "transport" && s.mirroredIn(k, "transport") {
			return &unknown{menuPolicy, k.policy[schema.ID], "tunnel", "no"}
		}
	}
	return nil
}

// mirroredIn tells whether the responder has a mirror of k in a mode.
func (s setup) mirroredIn(k child, mode string) bool {
	for _, c := range s.responder {
		for _, r := range c.children {
			if r.mode == mode && r.selector == k.selector.mirror() {
				return true
			}
		}
	}
	return false
}
