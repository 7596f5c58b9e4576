package lab

import (
	"slices"
	"strings"

	"vpnbot/ros/schema"
)

// Beyond says why the daemons' judgement of an attempt would not be their own:
// the row of the table in this package's documentation on which it hinges. It is
// empty when the daemons judge all of it.
func Beyond(a schema.Attempt) string {
	s, silent, err := prepare(a)
	switch {
	case a.Initiator.Client != nil:
		return "a computer's client"
	case err != nil:
		return "a value that the daemons do not know"
	case silent != nil:
		return "" // nothing is sent, so there is nothing to judge
	case s.Responder.Local != s.Responder.Seen:
		return "a responder behind address translation"
	case s.impossible() != nil:
		return "transport mode"
	case len(s.initiator.children) == 0:
		return "no policy to negotiate"
	}
	a = s.Attempt
	if rivals(a, s.initiator.exchange) > 1 {
		return "choice among several peers that fit"
	}
	if reason := s.unproven(); reason != "" {
		return reason
	}
	for _, peer := range enabled(a.Responder, menuPeer) {
		if !fits(a, peer) {
			continue
		}
		if len(identities(a.Responder, peer)) > 1 {
			return "several identities of one peer"
		}
		for _, r := range policies(a.Responder, peer) {
			if overlapping(r, s.initiator) {
				return "selectors that overlap without mirroring"
			}
		}
	}
	return ""
}

// unproven is what daemons judge, but what no source proves of RouterOS.
func (s setup) unproven() string {
	for _, c := range s.responder {
		if c.exchange != s.initiator.exchange || !fits(s.Attempt, c.peer) {
			continue
		}
		if c.exchange != "ike2" && (hasNames(s.initiator.identity) || hasNames(c.identity)) {
			return "names as IDs in IKEv1"
		}
		lacks := func(dh string) bool { return !slices.Contains(c.groups, dh) }
		if c.exchange == "aggressive" && len(s.initiator.groups) > 1 && slices.ContainsFunc(s.initiator.groups, lacks) {
			return "several groups in aggressive mode"
		}
		for _, k := range s.initiator.children {
			if k.protocol == "ah" && slices.ContainsFunc(c.children, func(r child) bool {
				return on(r.policy, "template") && r.selector.covers(k.selector.mirror())
			}) {
				return "AH from a template"
			}
		}
	}
	return ""
}

// hasNames tells whether an identity has an ID that is no address.
func hasNames(identity schema.Row) bool {
	return slices.ContainsFunc([]string{identity["my-id"], identity["remote-id"]}, func(id string) bool {
		kind, _, named := strings.Cut(id, ":")
		return named && kind != "address"
	})
}

// rivals counts the responder's peers that fit the first packet in every respect.
func rivals(a schema.Attempt, exchange string) int {
	n := 0
	for _, peer := range enabled(a.Responder, menuPeer) {
		if fits(a, peer) && or(peer, "exchange-mode", "main") == exchange {
			n++
		}
	}
	return n
}

// overlapping tells whether a policy overlaps one that is asked for and mirrors
// none.
func overlapping(r schema.Row, from connection) bool {
	own, ok := selectorOf(r)
	is := func(f func(selector) bool) bool {
		return slices.ContainsFunc(from.children, func(k child) bool { return f(k.selector.mirror()) })
	}
	return ok && !is(func(s selector) bool { return s == own }) && is(own.overlaps)
}

// impossible is why the daemons cannot play an attempt at all, nil when they
// can.
func (s setup) impossible() *unknown {
	if s.Responder.Local != s.Responder.Seen {
		return &unknown{"", "", "nat", s.Responder.Seen.String()}
	}
	for _, k := range s.initiator.children {
		if k.mode == "transport" {
			return &unknown{menuPolicy, k.policy[schema.ID], "tunnel", or(k.policy, "tunnel", "no")}
		}
		for _, c := range s.responder {
			for _, r := range c.children {
				// An IKEv2 responder takes tunnel mode all the same.
				if c.exchange == "ike2" && r.mode != k.mode && r.selector == k.selector.mirror() {
					return &unknown{menuPolicy, k.policy[schema.ID], "tunnel", k.policy["tunnel"]}
				}
			}
		}
	}
	return nil
}
