package change

import (
	"fmt"
	"net/netip"
	"time"

	"vpnbot/ros/schema"
)

// The phases of a change to a tunnel, in order. Steps are written in the phase
// that they name; arming, proving and reverting follow from the plan. A plan that
// adopts what the routers hold begins by disarming and has nothing to cut over.
const (
	PhaseDisarm  = "disarm"   // the guards of a change that stopped half-way removed
	PhaseStage   = "stage"    // new rows beside the old ones, without effect
	PhaseArm     = "arm"      // a guard on each router, which restores the old rows
	PhaseCutOver = "cut over" // one script on each router
	PhaseProve   = "prove"    // afresh, from both ends
	PhaseCommit  = "commit"   // guards and old rows removed
	PhaseRevert  = "revert"   // old rows back, guards and staged rows removed
)

// TopPlace is the place of an ordered row above all others but the dynamic rows
// that lead.
const TopPlace = "top"

// TunnelPlan is what a plan that touches a tunnel holds beyond its steps.
type TunnelPlan struct {
	Name string `json:"name"`
	// Ends are in the order in which the routers are written and confirmed: the
	// end that is harder to reach first.
	Ends [2]TunnelEnd `json:"ends"`
	// Guard is how long after arming, and then how often, a guard looks. It is
	// longer than Delay, Patience and the time to commit together.
	Guard time.Duration `json:"guard"`
	// Delay is how long the cut-over scripts wait on the routers before they
	// write, so that both are there before the tunnel goes; zero out of band.
	Delay time.Duration `json:"delay"`
	// Patience is how long the proof may take before everything is put back.
	Patience time.Duration `json:"patience"`
	// Unproven are the prefixes that no probe can reach.
	Unproven []netip.Prefix `json:"unproven,omitempty"`
	// Removes tells that the tunnel is to be gone from both ends. It is proven by
	// absence. A guard brings the old rows back while nothing of the tunnel is
	// established, and lets the removal stand when nobody answers them.
	Removes bool `json:"removes,omitempty"`
}

// TunnelEnd is one router's end of a tunnel, as a plan needs it.
type TunnelEnd struct {
	Router string `json:"router"`
	Site   string `json:"site"`
	// Local and Remote are the addresses of phase 1 as this router shows them.
	Local  netip.Addr `json:"local"`
	Remote netip.Addr `json:"remote"`
	// WasLocal and WasRemote are those of the old rows, in a plan that moves an end to
	// another WAN; otherwise they are not valid.
	WasLocal  netip.Addr `json:"wasLocal,omitzero"`
	WasRemote netip.Addr `json:"wasRemote,omitzero"`
	// RemoteID is set where the other end may call from any address: the ID under
	// which active peers show it. Remote is where it was seen last then.
	RemoteID string `json:"remoteId,omitempty"`
	// Selectors are those that must be established, as this router has them.
	Selectors []Selectors `json:"selectors"`
	Probes    []Probe     `json:"probes,omitempty"`
	// InBand tells that the bot reaches this router through the tunnel.
	InBand bool `json:"inBand,omitempty"`
	// Peer names the row that carries the tunnel, in a plan that leaves it as it is.
	Peer string `json:"peer,omitempty"`
}

// Selectors are what one policy carries.
type Selectors struct {
	Source      netip.Prefix `json:"source"`
	Destination netip.Prefix `json:"destination"`
}

// String returns "192.168.77.0/24 → 192.168.88.0/24".
func (s Selectors) String() string { return fmt.Sprintf("%v → %v", s.Source, s.Destination) }

// Probe is a ping from inside one end's prefix to inside the other's.
type Probe struct {
	From netip.Addr `json:"from"`
	To   netip.Addr `json:"to"`
}

// Phased tells whether the plan is applied in phases.
func (p Plan) Phased() bool { return p.Tunnel != nil }

// In returns the steps of a phase on a router, in the order of the plan.
func (p Plan) In(phase, router string) []Step {
	var steps []Step
	for _, s := range p.Steps {
		if s.Phase == phase && s.Router == router {
			steps = append(steps, s)
		}
	}
	return steps
}

// Undo returns the step that takes s back, and false when nothing does: a row
// that was removed is gone. A staged row is removed, a changed one gets its old
// values, one that was switched on is switched off.
func (s Step) Undo() (Step, bool) {
	u := s
	u.Phase, u.Secrets, u.Marks, u.Place = PhaseRevert, nil, nil, ""
	switch s.Action {
	case schema.Add:
		u.Action, u.Before, u.After = schema.Remove, s.After, nil
	case schema.Change:
		u.Before, u.After = s.After, s.Before
	case schema.Enable:
		u.Action = schema.Disable
	case schema.Disable:
		u.Action = schema.Enable
	default:
		return Step{}, false
	}
	return u, true
}
