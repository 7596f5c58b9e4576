package ike

import (
	"slices"

	"vpnbot/ros/schema"
)

// Shadow is a peer that never answers, and the one that answers in its place.
type Shadow struct {
	Peer, By schema.RowRef
}

// Shadowed finds the enabled peers of a router that no first packet reaches: another
// enabled one has the same address and exchange mode, listens wherever it does, and
// goes before it. A router marks such a row as unreachable. Rows that cannot be read
// are left out.
func (m Model) Shadowed(p schema.Party) []Shadow {
	n := negotiation{Model: m}
	var on []candidate
	for _, q := range read(p).peers() {
		if !q.disabled && len(q.bad) == 0 {
			on = append(on, candidate{peer: q, bits: q.address.Bits()})
		}
	}
	slices.SortStableFunc(on, n.rank)
	var found []Shadow
	for i, q := range on {
		for _, before := range on[:i] {
			same := before.host == q.host && (q.host != "" || samePrefix(before.address, q.address)) && before.exchange == q.exchange
			if same && (!before.local.IsValid() || before.local == q.local) {
				found = append(found, Shadow{Peer: q.ref, By: before.ref})
				break
			}
		}
	}
	return found
}
