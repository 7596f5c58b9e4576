package rossim

import (
	"slices"
	"strings"

	"vpnbot/ros/schema"
)

// effect is a write that may change what a router negotiates or lets through.
// It stays with the router until the Internet looks at it.
type effect struct {
	path    string
	serial  uint64
	verb    string // as in touched; "forced"; "ended" for a dial-in session
	old     schema.Row
	row     schema.Row
	session uint64
}

// watched are the menus, or the beginnings of their paths, that matter between
// routers.
var watched = []string{"/ip/ipsec/", "/ip/firewall/", "/ip/address", "/interface", "/ip/route", "/ppp/active"}

// affect notes writes for the Internet, when the router is attached to one.
func (s *state) affect(done []touched) {
	for _, t := range done {
		s.effect(effect{path: t.rec.home.path, serial: t.rec.serial, verb: t.verb, old: t.old, row: t.rec.vals, session: t.rec.session})
	}
}

func (s *state) effect(e effect) {
	if s.wake == nil || !slices.ContainsFunc(watched, func(p string) bool { return strings.HasPrefix(e.path, p) }) {
		return
	}
	s.effects = append(s.effects, e)
	s.wake.Store(true)
}
