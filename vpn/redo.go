package vpn

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/vpn/ike"
)

// Menus that planning a change to a tunnel looks at, besides those of a status.
const (
	menuIdentity   = "/ip/ipsec/identity"
	menuGroup      = "/ip/ipsec/policy/group"
	menuNAT        = "/ip/firewall/nat"
	menuUserActive = "/user/active"
	menuSafeMode   = "/safe-mode"
)

// TunnelMenus returns the menus that the snapshots for PlanRedo, PlanRotatePSK
// and PlanRekey hold. Only device-mode and safe-mode may be absent: old routers
// do not have them.
func TunnelMenus() []string {
	return []string{
		menuServer, menuAddress, menuNAT, menuActivePeers, menuIdentity, menuPeer, menuPolicy, menuGroup, menuProfile1, menuProposal,
		menuPool, menuActive, menuSafeMode, menuMode, menuUserActive,
	}
}

// TunnelChange is what the planners of a tunnel compute from.
type TunnelChange struct {
	Intent     change.Intent
	Estate     Estate
	Definition change.DefinitionRef
	Tunnel     Tunnel
	Others     []Tunnel // every other definition; one of this name does not count
	DialIns    []DialIn
	// Snapshots are of TunnelMenus, in the order of the definition's ends.
	Snapshots [2]change.Snapshot
	// PSK is the sealed key that both ends are to have, Mark its key mark. A
	// rekey has none.
	PSK   secret.Ref
	Mark  string
	Model ike.Model
	// Undefined tells that the ledger holds no such definition: Tunnel is one that a
	// change which stopped half-way would have brought.
	Undefined bool
	// Unchecked lets a plan come to be that is foreseen to fail, with a warning: a
	// test of what happens then needs one. Nothing that people can say sets it.
	Unchecked bool
	// was is what a set changes; Tunnel is then what it is to be.
	was *Tunnel
	// undone is the number of the request that is taken back, 0 for none.
	undone int64
}

func (in TunnelChange) validate(secret bool) error {
	switch {
	case in.Definition.Kind != KindTunnel || in.Definition.Name != in.Tunnel.Name:
		return errors.New("planning a tunnel: definition of something else")
	case secret && (in.PSK == "" || in.Mark == ""):
		return errors.New("planning a tunnel: no key")
	}
	for i, end := range in.Tunnel.Ends {
		snap := in.Snapshots[i]
		if snap.Router != end.Router {
			return fmt.Errorf("%w: router %s, want %s", ErrSnapshot, snap.Router, end.Router)
		}
		for _, menu := range TunnelMenus() {
			if _, ok := snap.Menus[menu]; !ok && menu != menuMode && menu != menuSafeMode {
				return fmt.Errorf("%w: %s of %s was not read", ErrSnapshot, menu, snap.Router)
			}
		}
	}
	return nil
}

// How long the phases may take. A guard looks again and again, and does nothing
// while the tunnel is up; what bounds its interval from below is that it must not
// look while the proof may still succeed: in band not before both scripts have
// waited, a first phase 1 in vain was given up by RouterOS (after a minute), the
// proof had its time, and both commits were written.
const (
	tunnelPatience = 30 * time.Second
	tunnelDelay    = 5 * time.Second
	tunnelGuard    = 2 * time.Minute
	interruption   = 5 * time.Second // what people are told; measured by tests
)

// PlanRedo computes the plan that makes a tunnel anew on both routers from its
// definition, with a new key. Rows that somebody made by hand are found by what
// they are and give way to new ones; policies stay and are pointed at the new
// peer. The same input gives the same plan, byte for byte. It returns a *Refusal
// when the tunnel cannot or should not be touched.
func PlanRedo(in TunnelChange) (change.Plan, error) {
	t, err := in.survey(true)
	if err != nil {
		return change.Plan{}, err
	}
	return t.remake()
}

// remake makes every step of both ends anew and puts the plan together.
func (t *works) remake() (change.Plan, error) {
	for _, e := range t.ends {
		if err := e.checkShared(t); err != nil {
			return change.Plan{}, err
		}
	}
	for _, e := range t.ends {
		e.redo(t)
		e.move()
	}
	return t.finish()
}

// survey finds what both ends hold of the tunnel and refuses what cannot be planned
// for.
func (in TunnelChange) survey(secret bool) (*works, error) {
	t, err := in.open(secret)
	if err != nil {
		return nil, err
	}
	for _, e := range t.ends {
		if err := e.adopt(t.Others); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// open reads what both ends hold, whatever of it is the tunnel's.
func (in TunnelChange) open(secret bool) (*works, error) {
	if err := in.validate(secret); err != nil {
		return nil, err
	}
	in.Others = slices.DeleteFunc(slices.Clone(in.Others), func(o Tunnel) bool { return SameName(o.Name, in.Tunnel.Name) })
	if err := in.checkDefinition(); err != nil {
		return nil, err
	}
	want := in.Tunnel.Expect(in.Estate)
	t := &works{TunnelChange: in}
	for i := range t.ends {
		e, err := newHeld(in, want, i)
		if err != nil {
			return nil, err
		}
		t.ends[i] = e
	}
	for i, e := range t.ends {
		e.locate(t.ends[1-i])
		if !e.local.IsValid() || !e.remote.IsValid() && !e.shares() {
			return nil, refuse("tunnel_address", "router", e.Router, "far", t.ends[1-i].Router)
		}
	}
	t.name = t.freeName()
	return t, nil
}

// kind is what a plan does to a tunnel.
type kind int

const (
	redo kind = iota
	rotate
	rekey
	set
	adopt // what is there becomes the definition
	addition
	removal
	undo     // what was there before another change
	reaching // policies for the clients of a dial-in server, or no more
)

// rebuilds tells whether the plan makes the tunnel, or makes it anew, from its
// definition.
func (k kind) rebuilds() bool {
	return k == redo || k == set || k == addition || k == undo || k == reaching
}

// maxGeneration bounds what counts as a generation of the bot's: a name with a greater
// number is somebody's own.
const maxGeneration = 1_000_000

// works is a plan for a tunnel in the making.
type works struct {
	TunnelChange
	kind kind
	ends [2]*held
	// name is that of every new row, on both routers.
	name string
	// keys are the marks of the keys that both ends have now, as far as an adoption
	// knows them.
	keys [2]string
}

// freeName returns the name of the next generation: above every one that a row bears
// on either router, so that a name which a change has freed is there for its rollback.
// RouterOS takes up to 63 bytes.
func (t *works) freeName() string {
	name := func(n int) string {
		suffix := "-" + strconv.Itoa(n)
		return t.Tunnel.Name[:min(len(t.Tunnel.Name), 63-len(suffix))] + suffix
	}
	last := 0
	for _, e := range t.ends {
		for _, menu := range []string{menuPeer, menuProfile1, menuProposal, menuGroup} {
			for _, row := range e.snap.Menus[menu] {
				suffix := row["name"][strings.LastIndexByte(row["name"], '-')+1:]
				if n, err := strconv.Atoi(suffix); err == nil && n < maxGeneration && row["name"] == name(n) {
					last = max(last, n)
				}
			}
		}
	}
	return name(last + 1)
}

// order returns the ends in the order of writing: the one that the bot reaches
// through the tunnel, then the one that is not at its own site.
func (t *works) order() [2]*held {
	a, b := t.ends[0], t.ends[1]
	if b.reach() <= a.reach() {
		return [2]*held{b, a}
	}
	return [2]*held{a, b}
}

// finish puts the plan together and foresees what it comes to.
func (t *works) finish() (change.Plan, error) {
	plan := t.assemble()
	doubt, err := t.foresee()
	if err != nil {
		return change.Plan{}, err
	}
	plan.Summary, plan.Blast = t.summary(), t.blast(plan)
	plan.Warnings = append(t.warnings(plan), doubt...)
	return plan, nil
}

// assemble puts the steps of both ends into the order of the phases.
func (t *works) assemble() change.Plan {
	ends := t.order()
	plan := change.Plan{
		Intent: t.Intent, Definition: t.Definition, Routers: []string{ends[0].Router, ends[1].Router},
		Seen: t.seen(ends), Tunnel: t.tunnelPlan(ends),
	}
	if t.kind == adopt || t.kind == removal || t.undone != 0 {
		plan.Seen = t.touched(plan.Seen)
	}
	plan.State = change.StateDigest(plan.Seen)
	for _, phase := range []string{change.PhaseDisarm, change.PhaseStage, change.PhaseCutOver, change.PhaseCommit} {
		for _, e := range ends {
			for _, s := range e.steps {
				if s.Phase == phase {
					s.ID = len(plan.Steps) + 1
					plan.Steps = append(plan.Steps, s)
				}
			}
		}
	}
	return plan
}
