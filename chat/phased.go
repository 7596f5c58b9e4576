package chat

import (
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"vpnbot/change"
	"vpnbot/commands"
)

// A plan with phases has more steps than Slack takes blocks. So the steps of one
// phase on one router stand under one heading, as many in a block as fit.

// phased shows a step of a plan with phases; before are the parts in front of it.
func (p *canvas) phased(before []commands.Part, d commands.Diff) {
	same := false
	if n := len(before); n > 0 {
		last := before[n-1].Diff
		same = last != nil && last.Phase == d.Phase && last.Router == d.Router
	}
	if !same {
		p.section("*" + p.rich(change.T("phases."+d.Phase)) + " · " + escape(d.Router) + "*")
	}
	step := p.step(d)
	if units(step) > maxSection {
		p.section(p.stepLine(d))
		p.code(strings.Join(diffLines(d), "\n"))
		return
	}
	if same && p.join(step) {
		return
	}
	p.section(step)
}

// join puts s into the last block when there is room.
func (p *canvas) join(s string) bool {
	if len(p.blocks) == 0 {
		return false
	}
	section, ok := p.blocks[len(p.blocks)-1].(*slack.SectionBlock)
	if !ok || section.Text == nil || units(section.Text.Text)+1+units(s) > maxSection {
		return false
	}
	section.Text.Text += "\n" + s
	return true
}

// step is one step whole: what and why, then the attributes as they stand on the
// router.
func (p *canvas) step(d commands.Diff) string {
	lines := diffLines(d)
	if len(lines) == 0 {
		return p.stepLine(d)
	}
	return p.stepLine(d) + "\n```\n" + strings.Join(lines, "\n") + "\n```"
}

func (p *canvas) stepLine(d commands.Diff) string {
	line := "*" + strconv.Itoa(d.Step) + ".* " + p.rich(change.T("action."+d.Action)) + " `" + escape(d.Menu) + "` *" + escape(d.Row) +
		"*"
	if t := d.Taking(); !t.IsZero() {
		line += " _" + p.rich(t) + "_"
	}
	if !d.Why.IsZero() {
		line += "\n" + p.rich(d.Why)
	}
	return line
}
