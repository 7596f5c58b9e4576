package commands

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// siteOf names what a request is about, on cards: a site, or the two that a tunnel
// joins.
func siteOf(i change.Intent) change.Text {
	if i.Far == "" {
		return value(i.Site)
	}
	return value(strings.Join(i.Sites(), " ↔ "))
}

// subject names what a request locks.
func subject(r change.Request) change.Text {
	if name := r.Plan.Intent.Tunnel; name != "" {
		return change.T("tunnel.named", "tunnel", name)
	}
	return value(r.Subject())
}

// procedure says what is done besides rows when a plan has phases: nobody approves
// a guard that they were not told of.
func procedure(r change.Request) []Part {
	t := r.Plan.Tunnel
	if t == nil {
		return nil
	}
	routers := value(t.Ends[0].Router + ", " + t.Ends[1].Router)
	var facts []Labelled
	if len(r.Plan.Steps) > 0 && !adopts(r) {
		guards := []any{"routers", routers, "interval", t.Guard, "does", change.T("tunnel.guard." + manner(r))}
		guard := change.T("tunnel.guard", guards...)
		if r.Number > 0 {
			guard = change.T("tunnel.guard.named", append(guards, "name", change.GuardName(r.Number))...)
		}
		facts = append(facts, Labelled{change.T("phases." + change.PhaseArm), guard})
	}
	facts = append(facts, Labelled{change.T("phases." + change.PhaseProve), proof(r)})
	if probes := probesOf(t); len(probes) > 0 {
		facts = append(facts, Labelled{change.T("tunnel.probes"), value(strings.Join(probes, ", "))})
	}
	return []Part{{Facts: facts}}
}

// proof says what has to be seen before a change in phases counts.
func proof(r change.Request) change.Text {
	if adopts(r) {
		return change.T("tunnel.proof.kept", "patience", r.Plan.Tunnel.Patience)
	}
	if r.Plan.Tunnel.Removes {
		return change.T("tunnel.proof.gone", "patience", r.Plan.Tunnel.Patience)
	}
	return change.T("tunnel.proof", "patience", r.Plan.Tunnel.Patience)
}

// adopts tells whether a request makes what the routers hold the definition.
func adopts(r change.Request) bool { return r.Plan.Intent.Towards == change.DecidedAdopt }

func probesOf(t *change.TunnelPlan) []string {
	var list []string
	for _, end := range t.Ends {
		for _, p := range end.Probes {
			list = append(list, fmt.Sprintf("%s: %v → %v", end.Router, p.From, p.To))
		}
	}
	return list
}

// phases shows how far a change in phases has come, one line for each. It reads
// the journal and the events that began a phase.
func (s *Service) phases(ctx context.Context, r change.Request) ([]ProgressStep, error) {
	journal, err := s.o.Ledger.Journal(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	events, err := s.o.Ledger.Events(ctx, change.EventFilter{Request: r.Number, Kinds: []change.EventKind{change.EventPhase}})
	if err != nil {
		return nil, err
	}
	w := way{r: r, journal: journal}
	for _, e := range events {
		w.reach(e.Event.Facts["phase"])
	}
	var steps []ProgressStep
	for _, phase := range w.list() {
		steps = append(steps, ProgressStep{Label: w.label(phase), State: w.state(phase)})
	}
	return steps, nil
}

// way is how far a change in phases has come.
type way struct {
	r       change.Request
	journal []change.Entry
	reached int // how many phases were begun
}

// list are the phases of the change, in order; a change that goes back ends with
// that.
func (w way) list() []string {
	list := w.forward()
	switch {
	case w.back() && (len(w.r.Plan.Steps) == 0 || adopts(w.r)):
		return list[:len(list)-1] // there is nothing to put back
	case w.back():
		list[len(list)-1] = change.PhaseRevert
	}
	return list
}

func (w way) forward() []string {
	if adopts(w.r) {
		return []string{change.PhaseDisarm, change.PhaseProve, change.PhaseCommit}
	}
	if len(w.r.Plan.Steps) == 0 {
		return []string{change.PhaseStage, change.PhaseProve, change.PhaseCommit}
	}
	return []string{change.PhaseStage, change.PhaseArm, change.PhaseCutOver, change.PhaseProve, change.PhaseCommit}
}

func (w *way) reach(phase string) {
	w.reached = max(w.reached, slices.Index(w.forward(), phase)+1)
}

func (w way) back() bool { return w.r.Decided == change.DecidedRevert || w.r.State == change.Reverted }

// state is how a phase of list stands.
func (w way) state(phase string) StepState {
	last := phase == change.PhaseCommit || phase == change.PhaseRevert
	i := slices.Index(w.forward(), phase)
	switch {
	case w.r.State == change.Committed, last && w.r.State == change.Reverted:
		return StepDone
	case last && w.r.State == change.NeedsAttention && w.r.Decided != change.Undecided:
		return StepUnknown
	case last && w.r.Decided != change.Undecided:
		return StepNow
	case last, i >= w.reached:
		return StepTodo
	case w.r.Decided == change.DecidedCommit, i < w.reached-1:
		return StepDone
	case w.back():
		return StepFailed
	case w.r.State == change.NeedsAttention:
		return StepUnknown
	}
	return StepNow
}

// label names a phase, and how many of its writes each router is known to hold.
func (w way) label(phase string) change.Text {
	name := change.T("phases." + phase)
	if phase != change.PhaseStage || !slices.ContainsFunc(w.r.Plan.Steps, func(s change.Step) bool { return s.Phase == phase }) {
		return name
	}
	done := map[int]bool{}
	for _, e := range w.journal {
		if e.Step > 0 && e.Mark == change.StepDone && e.Phase != change.PhaseRevert {
			done[e.Step] = true
		}
	}
	var counts []change.Text
	for _, router := range w.r.Plan.Routers {
		steps := w.r.Plan.In(phase, router)
		n := 0
		for _, s := range steps {
			if done[s.ID] {
				n++
			}
		}
		counts = append(counts, change.T("tunnel.count", "router", router, "count", n, "total", len(steps)))
	}
	return change.T("tunnel.phase", "phase", name, "counts", listOf(counts))
}

// manner is in what way a change in phases changes its tunnel: words about it differ.
func manner(r change.Request) string {
	switch {
	case r.Plan.Intent.Verb == verbAdd:
		return "add"
	case r.Plan.Intent.Verb == verbRemove:
		return "remove"
	case r.Plan.Intent.Undo == 0:
		return "change"
	case r.Plan.Retires:
		return "remove"
	case !slices.ContainsFunc(r.Plan.Steps, func(s change.Step) bool { return s.Action == schema.Disable && s.Phase == change.PhaseCutOver }):
		return "add" // of what was removed: nothing was there
	}
	return "change"
}

// ending says what became of a tunnel, and what to do.
func ending(r change.Request) []Part {
	if !r.Plan.Phased() {
		return nil
	}
	name := r.Plan.Tunnel.Name
	bare := len(r.Plan.Steps) == 0
	switch r.State {
	case change.Applying:
		if r.Decided == change.DecidedRevert && !r.Cause.IsZero() && !bare && !adopts(r) {
			return []Part{Say(Warning, change.T("tunnel.going_back", "why", r.Cause))}
		}
	case change.Committed:
		if adopts(r) {
			return []Part{Say(Good, change.T("tunnel.adopted", "tunnel", name, "other", r.Plan.Intent.Resume)), Say(Hint, change.T("tunnel.committed.hint", "tunnel", name))}
		}
		said := change.T("tunnel.committed."+manner(r), "tunnel", name)
		if bare {
			said = change.T("tunnel.rekeyed", "tunnel", name)
		}
		hint := change.T("tunnel.committed.hint", "tunnel", name)
		if r.Plan.Retires {
			hint = change.T("tunnel.removed.hint")
		}
		return []Part{Say(Good, said), Say(Hint, hint)}
	case change.Reverted:
		if r.Decided == change.Undecided {
			return nil // nothing was written
		}
		said := change.T("tunnel.reverted."+manner(r), "tunnel", name)
		switch {
		case adopts(r):
			said = change.T("tunnel.not_adopted", "tunnel", name, "other", r.Plan.Intent.Resume)
		case bare:
			said = change.T("tunnel.not_rekeyed", "tunnel", name)
		}
		return []Part{Say("", said), Say(Hint, change.T("tunnel.reverted.hint", "tunnel", name))}
	}
	return nil
}
