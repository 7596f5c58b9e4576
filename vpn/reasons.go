package vpn

import (
	"maps"
	"slices"
)

// reasons are the IDs of every text that Judge gives, with their arguments.
var reasons = map[string][]string{
	// Packets in both directions: forward from a to b, back from b to a, as the
	// receivers counted them.
	"status.up": {"a", "b", "forward", "back", "window"},

	// Packets that from sends do not arrive at to; the other direction works.
	"status.oneway.lost": {"from", "to", "sent", "received", "window"},
	// Packets arrive at to, which sends none back.
	"status.oneway.silent": {"from", "to", "sent", "received", "window"},

	"status.idle.none":  {"window"},            // SAs, and no packet in the whole window
	"status.idle.short": {"window"},            // the same, over a shorter time
	"status.idle.few":   {"packets", "window"}, // too few to say more

	"status.down.absent":          {"router"},         // neither peer nor policy stands there
	"status.down.peer_disabled":   {"router", "peer"}, // somebody switched the peer off
	"status.down.peer_missing":    {"router"},         // policies without a peer
	"status.down.peer_shadowed":   {"router", "peer"}, // RouterOS says that another peer answers instead
	"status.down.policy_disabled": {"router", "count", "total", "source", "destination"},
	"status.down.policy_missing":  {"router", "count", "total", "source", "destination"},
	"status.down.policy_invalid":  {"router", "count", "total", "source", "destination"}, // another has the same selectors
	// Some policies are established, one that is not goes from source to
	// destination.
	"status.down.policies":      {"router", "established", "total", "source", "destination", "state"},
	"status.down.no_phase2":     {"router", "total", "state"}, // phase 1 without phase 2
	"status.down.phase1_trying": {"router", "state"},          // phase 1 begins and does not end
	"status.down.no_phase1":     {"router"},
	"status.down.sa_mismatch":   {"from", "to"}, // from sends with SPIs that to does not know
	// Packets that from sends do not arrive, and to sends none.
	"status.down.lost": {"from", "to", "sent", "received", "window"},
	// The same in both directions; the figures are of one.
	"status.down.lost_both": {"from", "to", "sent", "received", "window"},

	"status.unknown.unread":     {"router"},                             // no answer, or none of late; Side.Err may say why
	"status.unknown.foreign":    {"site"},                               // somebody else runs the router: one end is all there is
	"status.unknown.no_menu":    {"router", "menu"},                     // the router has no such menu
	"status.unknown.row":        {"router", "menu", "row", "attribute"}, // a value that is not understood
	"status.unknown.one_sample": {},                                     // the ends were not read twice close together
	// from sends a few packets that do not arrive, too few to call it broken.
	"status.unknown.few":            {"from", "to", "sent", "received", "window"},
	"status.unknown.moving":         {"router", "other"}, // they differ and were not read at one moment: a rekey?
	"status.unknown.peer_disabled":  {"router", "peer"},  // and the old SAs still live
	"status.unknown.peer_missing":   {"router"},          // and the old SAs still live
	"status.unknown.phase1_gone":    {"router"},          // phase 2 lives without phase 1
	"status.unknown.phase1_differs": {"router", "other"}, // phase 1 at both ends, not the same one
	"status.unknown.no_sa":          {"router", "other"}, // policies call themselves established, no SA is there
	"status.unknown.sa_unmatched":   {"router", "count"}, // some SAs that the other end does not know

	// Notes: besides a verdict. Every status.down and status.unknown can be one.
	"status.note.half": {"router", "established", "total"}, // what the router that answered says
	"status.note.loss": {"from", "to", "sent", "received"}, // packets lost on a direction that works
}

// StatusTexts returns the ID of every reason and note that Judge gives, with the
// names of its arguments: window is a time, count, total, established, packets,
// sent, received, forward and back are numbers.
func StatusTexts() map[string][]string {
	list := maps.Clone(reasons)
	for id, names := range list {
		list[id] = slices.Clone(names)
	}
	return list
}
