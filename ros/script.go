package ros

import (
	"fmt"
	"slices"
	"strings"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// The scripts of a change in phases. Rules that hold for all of them:
//
//   - A script is a pure function of the approved plan; no secret stands in it.
//   - A row is found by what it is, never by its id and never by its comment; only
//     rows that the bot itself has staged are known by their mark.
//   - Counts are checked before the first write, and each write touches only rows
//     that do not hold its values yet, so a script may run twice.
//   - Only what rossim/script knows is used: it stands for what every RouterOS
//     version reads.

// RenderScript returns the text of a script, or an error that wraps ErrStep or
// schema.ErrNotAllowed when a step in it must not be written.
func RenderScript(s change.Script) (string, error) {
	p, err := newPaper(s)
	if err != nil {
		return "", err
	}
	switch s.Act.Name {
	case change.ActArm:
		p.arm()
	case change.ActCutOver:
		p.cutOver()
	case change.ActCommit:
		p.commit()
	case change.ActRestore:
		p.restore()
	default:
		return "", fmt.Errorf("%w: %s is no script", ErrStep, s.Act.Name)
	}
	return p.String(), nil
}

// RenderGuard returns the on-event script of the guard on router: while every
// policy of this end is established it does nothing, otherwise it puts the old
// rows back.
func RenderGuard(plan change.Plan, router string, request int64) (string, error) {
	p, err := newPaper(change.Script{Plan: plan, Request: request, Act: change.Act{Name: change.ActGuard, Router: router}})
	if err != nil {
		return "", err
	}
	p.guard()
	return p.String(), nil
}

// paper is a script being written.
type paper struct {
	strings.Builder
	change.Script
	// Steps that stage rows, cut over, take that back, and remove at commit.
	staged, cut, undo, gone []change.Step
	end                     change.TunnelEnd
}

func newPaper(s change.Script) (*paper, error) {
	if s.Plan.Tunnel == nil {
		return nil, fmt.Errorf("%w: plan has no phases", ErrStep)
	}
	i := slices.IndexFunc(s.Plan.Tunnel.Ends[:], func(e change.TunnelEnd) bool { return e.Router == s.Act.Router })
	if i < 0 {
		return nil, fmt.Errorf("%w: router %q is no end of the tunnel", ErrStep, s.Act.Router)
	}
	p := &paper{
		Script: s, end: s.Plan.Tunnel.Ends[i],
		cut: s.Plan.In(change.PhaseCutOver, s.Act.Router), gone: s.Plan.In(change.PhaseCommit, s.Act.Router),
		staged: s.Plan.In(change.PhaseStage, s.Act.Router),
	}
	p.cut = slices.DeleteFunc(p.cut, func(s change.Step) bool {
		return s.Action == schema.Change && len(s.After)+len(cleared(s)) == 0 // nothing differs
	})
	for _, step := range slices.Backward(p.cut) {
		undo, ok := step.Undo()
		if !ok {
			return nil, fmt.Errorf("%w: step %d cannot be taken back by a script", ErrStep, step.ID)
		}
		p.undo = append(p.undo, undo)
	}
	return p, p.admit()
}

// admit checks every step of the script as if it were sent by itself.
func (p *paper) admit() error {
	for _, step := range slices.Concat(p.cut, p.undo, p.gone) {
		if err := admit(p.Act.Router, step); err != nil {
			return fmt.Errorf("step %d: %w", step.ID, err)
		}
		switch {
		case len(step.Secrets) > 0:
			return fmt.Errorf("%w: step %d would put a secret into a script", ErrStep, step.ID)
		case len(identity(step)) == 0:
			return fmt.Errorf("%w: step %d changes all that its row is found by", ErrStep, step.ID)
		case step.Action == schema.Add:
			return fmt.Errorf("%w: step %d adds a row by script", ErrStep, step.ID)
		}
	}
	for _, step := range p.gone {
		if step.Action != schema.Remove {
			return fmt.Errorf("%w: step %d of commit is no removal", ErrStep, step.ID)
		}
	}
	for _, extra := range []struct {
		menu   string
		action schema.Action
	}{{menuScheduler, schema.Enable}, {menuScheduler, schema.Remove}, {menuActivePeers, schema.Remove}} {
		if err := schema.Allowed(extra.menu, extra.action, nil); err != nil {
			return err
		}
	}
	return nil
}

func (p *paper) line(format string, args ...any) {
	fmt.Fprintf(p, format, args...)
	p.WriteByte('\n')
}

// name is what log lines and errors of the request begin with.
func (p *paper) name(text string) string { return quote(fmt.Sprintf("vpnbot %d: %s", p.Request, text)) }

func (p *paper) guardRows(and string) string {
	return rowsOf(menuScheduler, "name="+quote(change.GuardName(p.Request))+and)
}

// refuse stops the script when a count compares so.
func (p *paper) refuse(rows, compare, why string) {
	p.line(":if ([:len [%s]] %s) do={ :error %s }", rows, compare, p.name(why))
}

func (p *paper) arm() {
	p.line(":do {")
	p.line("  :parse [/system/scheduler get [%s] on-event]", p.guardRows(""))
	for _, name := range []change.ActName{change.ActCutOver, change.ActCommit, change.ActRestore} {
		other := &paper{Script: p.Script, staged: p.staged, cut: p.cut, undo: p.undo, gone: p.gone, end: p.end}
		other.Act.Name, other.Drop = name, p.Drop
		map[change.ActName]func(){change.ActCutOver: other.cutOver, change.ActCommit: other.commit, change.ActRestore: other.restore}[name]()
		p.line("  :parse %s", quote(other.String()))
	}
	p.line("  /system/scheduler enable [%s]", p.guardRows(""))
	p.line("} on-error={ :log error %s }", p.name("a script does not parse, the guard stays off"))
}

func (p *paper) cutOver() {
	if p.Delay > 0 {
		p.line(":delay %s", delay(p.Delay))
	}
	if !p.Again {
		// Whoever takes the change back removes a staged row first: a script that
		// was queued, or comes late, then stops here.
		p.refuse(p.guardRows(" and !disabled"), "!= 1", "no guard")
		for _, step := range p.staged {
			p.refuse(rowsOf(step.Menu, stagedRow(step, p.Request)...), "!= 1", fmt.Sprintf("row of step %d is gone", step.ID))
		}
	}
	for _, step := range p.cut {
		compare := "!= 1"
		if p.Again && step.Action == schema.Disable {
			compare = "> 1" // removed at commit already
		}
		why := fmt.Sprintf("step %d finds other rows than planned", step.ID)
		p.refuse(rowsOf(step.Menu, identity(step)...), compare, why)
		if !p.Again {
			p.refuse(rowsOf(step.Menu, append(identity(step), before(step)...)...), compare, why)
		}
	}
	dropped := len(p.Drop) == 0
	for _, step := range p.cut {
		p.line("%s", p.write(step))
		if !dropped && step.Menu == menuPeer && step.Action == schema.Disable {
			p.drop()
			dropped = true
		}
	}
	if !dropped {
		p.drop()
	}
	p.line(":log info %s", p.name("cut over"))
}

// drop ends the phase 1 that was there. That it fails does not stop a script: it
// ends by itself, and the bot looks.
func (p *paper) drop() {
	for _, old := range p.Drop {
		conditions := []string{"spii=" + quote(old.SPII), "spir=" + quote(old.SPIR)}
		if old.Remote.IsValid() {
			conditions = append(conditions, "remote-address="+old.Remote.String())
		}
		p.line(":do { %s remove [%s] } on-error={}", menuActivePeers, rowsOf(menuActivePeers, conditions...))
	}
}

// commit removes guard and old rows. It checks everything before the guard goes, so
// that one which stops leaves the way back as it was, and what guards can undo once
// more behind that.
func (p *paper) commit() {
	if !p.Again {
		for _, step := range p.staged {
			p.refuse(rowsOf(step.Menu, p.planned(step)...), "!= 1", fmt.Sprintf("row of step %d is not as planned", step.ID))
		}
	}
	for _, step := range p.cut {
		if step.Action != schema.Disable { // what was switched off may be removed already
			p.refuse(rowsOf(step.Menu, identity(step)...), "!= 1", fmt.Sprintf("row of step %d is gone", step.ID))
		}
	}
	p.inPlace()
	for _, step := range p.gone {
		p.refuse(rowsOf(step.Menu, identity(step)...), "> 1", fmt.Sprintf("step %d finds other rows than planned", step.ID))
	}
	p.line("%s remove [%s]", menuScheduler, p.guardRows(""))
	p.inPlace()
	for _, step := range p.gone {
		p.line("%s remove [%s]", step.Menu, rowsOf(step.Menu, identity(step)...))
	}
	p.line(":log info %s", p.name("committed"))
}

// planned are the conditions that a row which the bot has added holds what the plan
// says, switched on where the cut-over does that.
func (p *paper) planned(step change.Step) []string {
	conditions := stagedRow(step, p.Request)
	for _, name := range step.After.Names() {
		if _, named := step.Match[name]; !named && name != "comment" && name != "disabled" {
			conditions = append(conditions, equals(step.Menu, name, step.After[name]))
		}
	}
	return conditions
}

// inPlace checks that the router runs on the new rows.
func (p *paper) inPlace() {
	for _, step := range p.cut {
		p.refuse(rowsOf(step.Menu, differing(step, p.Request)...), "!= 0", fmt.Sprintf("step %d is not in place", step.ID))
	}
}

func (p *paper) restore() {
	for _, rows := range p.old() {
		p.refuse(rows, "= 0", "old rows are gone")
	}
	p.back("")
	p.drop()
	p.line(":log info %s", p.name("old rows restored"))
}

// removalLooks is how often the guard of a removal looks before it lets the removal
// stand.
const removalLooks = 4

// removing is the guard of a removal. Being established is what both ends share. While
// nothing is, the old rows come back first, so that an end that is off finds one that
// is still on; where nobody answers by the fourth look, the other end is off for good,
// and so is this one.
func (p *paper) removing() {
	var down, off, on []string
	for _, s := range p.end.Selectors {
		down = append(down, fmt.Sprintf("([:len [%s]] = 0)", establishedRows(s)))
	}
	for _, step := range p.undo {
		off = append(off, fmt.Sprintf("([:len [%s]] > 0)", rowsOf(step.Menu, differing(step, p.Request)...)))
	}
	for _, step := range p.cut {
		on = append(on, fmt.Sprintf("([:len [%s]] > 0)", rowsOf(step.Menu, differing(step, p.Request)...)))
	}
	if len(p.cut) == 0 {
		p.line(":log info %s", p.name("nothing to guard"))
		return
	}
	p.line(":if (%s) do={", strings.Join(down, " and "))
	p.line("  :if ([:len [%s]] > 0) do={", p.guardRows(fmt.Sprintf(" and run-count<%d", removalLooks)))
	p.line("    :if (%s) do={", strings.Join(off, " or "))
	p.line("      :log warning %s", p.name("tunnel is not up, old rows come back"))
	p.back("      ")
	p.line("    }")
	p.line("  } else={")
	p.line("    :if (%s) do={", strings.Join(on, " or "))
	p.line("      :log warning %s", p.name("nobody answers, the tunnel is switched off for good"))
	for _, step := range p.cut {
		p.line("      :do { %s } on-error={ :log error %s }", p.write(step), p.name(fmt.Sprintf("step %d not done", step.ID)))
	}
	p.line("    }")
	p.line("  }")
	p.line("}")
}

// establishedRows are the policies of s that carry traffic.
func establishedRows(s change.Selectors) string {
	return rowsOf(menuPolicy, "src-address="+s.Source.String(), "dst-address="+s.Destination.String(), `ph2-state="established"`, "!disabled", "!template")
}

func (p *paper) guard() {
	if p.Plan.Tunnel.Removes {
		p.removing()
		return
	}
	var down, changed, gone []string
	for _, s := range p.end.Selectors {
		down = append(down, fmt.Sprintf("([:len [%s]] = 0)", establishedRows(s)))
	}
	for _, step := range p.undo {
		changed = append(changed, fmt.Sprintf("([:len [%s]] > 0)", rowsOf(step.Menu, differing(step, p.Request)...)))
	}
	for _, rows := range p.old() {
		gone = append(gone, fmt.Sprintf("([:len [%s]] = 0)", rows))
	}
	if len(changed) == 0 {
		p.line(":log info %s", p.name("nothing to guard"))
		return
	}
	if len(down) > 0 {
		p.line(":if (%s) do={", strings.Join(down, " or "))
	} else {
		p.line(":if (true) do={")
	}
	p.line("  :if (%s) do={", strings.Join(changed, " or "))
	if len(gone) > 0 {
		p.line("    :if (%s) do={ :error %s }", strings.Join(gone, " or "), p.name("old rows are gone"))
	}
	p.line("    :log warning %s", p.name("tunnel is not up, old rows come back"))
	p.back("    ")
	p.line("  }")
	p.line("}")
}

// old returns the rows that must be there for the old values to mean anything.
func (p *paper) old() []string {
	var list []string
	need := func(rows string) {
		if !slices.Contains(list, rows) {
			list = append(list, rows)
		}
	}
	for _, step := range p.undo {
		switch step.Action {
		case schema.Enable, schema.Change:
			need(rowsOf(step.Menu, identity(step)...))
		}
		for _, ref := range []struct{ attr, menu string }{{"peer", menuPeer}, {"proposal", menuProposal}, {"profile", menuProfile}} {
			if name := step.After[ref.attr]; name != "" {
				need(rowsOf(ref.menu, "name="+quote(name)))
			}
		}
	}
	return list
}

// back writes the old values, each for itself: one that is refused keeps none of
// the others from being written.
func (p *paper) back(indent string) {
	for _, step := range p.undo {
		p.line("%s:do { %s } on-error={ :log error %s }", indent, p.write(step), p.name(fmt.Sprintf("step %d not taken back", step.ID)))
	}
}

// write is the command that gives a step's row its values.
func (p *paper) write(step change.Step) string {
	rows := rowsOf(step.Menu, differing(step, p.Request)...)
	if step.Action != schema.Change {
		return fmt.Sprintf("%s %s [%s]", step.Menu, step.Action, rows)
	}
	words := []string{step.Menu, "set", "[" + rows + "]"}
	for _, name := range cleared(step) {
		words = append(words, "!"+name)
	}
	for _, name := range step.After.Names() {
		words = append(words, name+"="+literal(step.Menu, name, wanted(step, name, p.Request)))
	}
	return strings.Join(words, " ")
}

// wanted is the value that a step gives an attribute. A comment of ours carries
// the mark; one that is put back carries what it carried.
func wanted(step change.Step, name string, request int64) string {
	if name == "comment" && step.Phase != change.PhaseRevert {
		return change.Mark(step.After[name], request, step.ID)
	}
	return step.After[name]
}
