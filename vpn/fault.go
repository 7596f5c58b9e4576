package vpn

import (
	"cmp"
	"slices"

	"vpnbot/change"
)

// Reasons why one end alone proves the tunnel down, most telling first: a cause
// that somebody set before one that somebody forgot, and both before what merely
// follows from them.
const (
	rankPeerDisabled = iota
	rankAbsent
	rankPeerMissing
	rankPeerShadowed
	rankPolicyDisabled
	rankPolicyMissing
	rankPolicyInvalid
	rankPolicies
	rankNoPhase2
	rankTrying
	rankNoPhase1
)

// fault is one end's proof that the tunnel is down.
type fault struct {
	rank   int
	router string
	text   change.Text
}

func sortFaults(list []fault) {
	slices.SortStableFunc(list, func(a, b fault) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.router, b.router))
	})
}

// fault returns the most telling proof that v alone gives, or why v proves
// nothing, as a row is not understood. Both are nil when every wanted policy is
// established.
func (v *view) fault() (f *fault, odd *change.Text) {
	n, of := v.Established()
	if n == of && of > 0 {
		return nil, nil
	}
	proof := func(rank int, id string, pairs ...any) (*fault, *change.Text) {
		text := change.T("status.down."+id, append([]any{"router", v.Router}, pairs...)...)
		return &fault{rank, v.Router, text}, nil
	}
	if o := v.doubt(); o != nil {
		return nil, o
	}
	rows := 0
	for _, p := range v.Policies {
		rows += p.Rows
	}
	if rows == 0 && len(v.Peers) == 0 {
		return proof(rankAbsent, "absent")
	}
	if p, off := v.offPeer(); off {
		return proof(rankPeerDisabled, "peer_disabled", "peer", p.Name)
	}
	if len(v.Peers) == 0 {
		return proof(rankPeerMissing, "peer_missing")
	}
	for _, kind := range []struct {
		rank int
		id   string
		is   func(Policy) bool
	}{
		{rankPolicyDisabled, "policy_disabled", func(p Policy) bool { return p.Disabled }},
		{rankPolicyMissing, "policy_missing", func(p Policy) bool { return p.Rows == 0 && !v.want.template() }},
		{rankPolicyInvalid, "policy_invalid", func(p Policy) bool { return p.Invalid }},
	} {
		if i := slices.IndexFunc(v.Policies, kind.is); i >= 0 {
			p, count := v.Policies[i], 0
			for _, q := range v.Policies {
				if kind.is(q) {
					count++
				}
			}
			return proof(kind.rank, kind.id, "count", count, "total", of, "source", p.Source.String(), "destination", p.Destination.String())
		}
	}
	return v.phaseFault(proof, n, of)
}

// phaseFault is what follows when every row is there and on.
func (v *view) phaseFault(proof func(int, string, ...any) (*fault, *change.Text), n, of int) (*fault, *change.Text) {
	i := slices.IndexFunc(v.Policies, func(p Policy) bool { return !p.Established() })
	first := v.Policies[i]
	if n > 0 {
		return proof(rankPolicies, "policies", "established", n, "total", of,
			"source", first.Source.String(), "destination", first.Destination.String(), "state", first.State)
	}
	if slices.ContainsFunc(v.Phase1, func(p ActivePeer) bool { return p.State == established }) {
		return proof(rankNoPhase2, "no_phase2", "total", of, "state", first.State)
	}
	if j := slices.IndexFunc(v.Peers, func(p Peer) bool { return p.Shadowed }); j >= 0 {
		return proof(rankPeerShadowed, "peer_shadowed", "peer", v.Peers[j].Name)
	}
	if _, odd := v.odd[menuActivePeers]; odd {
		return proof(rankPolicies, "policies", "established", n, "total", of,
			"source", first.Source.String(), "destination", first.Destination.String(), "state", first.State)
	}
	if len(v.Phase1) > 0 {
		return proof(rankTrying, "phase1_trying", "state", v.Phase1[0].State)
	}
	return proof(rankNoPhase1, "no_phase1")
}

// doubt returns a row that is not understood where one is missing that it could
// be.
func (v *view) doubt() *change.Text {
	missing := slices.ContainsFunc(v.Policies, func(p Policy) bool { return !p.Established() })
	if t, ok := v.odd[menuPolicy]; ok && missing {
		return &t
	}
	if t, ok := v.odd[menuPeer]; ok && len(v.Peers) == 0 {
		return &t
	}
	return nil
}

// offPeer returns a disabled peer when no other is on.
func (v *view) offPeer() (Peer, bool) {
	if len(v.Peers) == 0 || slices.ContainsFunc(v.Peers, func(p Peer) bool { return !p.Disabled }) {
		return Peer{}, false
	}
	return v.Peers[0], true
}
