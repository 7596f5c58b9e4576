package chat

import (
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"vpnbot/change"
	"vpnbot/commands"
)

// place is where blocks go: a message or a modal.
type place int

const (
	inMessage place = iota
	inModal
)

// limit is how many blocks a place takes.
func (p place) limit() int {
	if p == inModal {
		return maxViewBlocks
	}
	return maxMessageBlocks
}

// message is a rendered Reply: blocks, and the text of notifications.
type message struct {
	text   string
	blocks []slack.Block
}

// canvas collects blocks for one reader and place.
type canvas struct {
	voice
	place  place
	blocks []slack.Block
	tables int
	cut    bool // something was left out
}

// message renders r as a message. It keeps every limit of Slack's.
func (v voice) message(r commands.Reply) message {
	p := &canvas{voice: v, place: inMessage}
	if !r.Title.IsZero() {
		p.header(mark(r.Tone) + v.plain(r.Title))
	}
	p.parts(r.Parts)
	p.trim(0)
	return message{text: v.fallback(r), blocks: p.blocks}
}

// simple renders r with nothing but sections and its buttons, for a Slack that
// refuses our blocks.
func (v voice) simple(r commands.Reply) message {
	p := &canvas{voice: v, place: inMessage}
	for _, piece := range split(escape(commands.Plain(r, v.plain)), maxSection) {
		p.section(piece)
	}
	for _, part := range r.Parts {
		p.buttons(part.Buttons)
	}
	p.trim(0)
	return message{text: v.fallback(r), blocks: p.blocks}
}

// bare renders r as text alone.
func (v voice) bare(r commands.Reply) message {
	return message{text: cut(escape(commands.Plain(r, v.plain)), maxFallback)}
}

// fallback is what notifications and screen readers say.
func (v voice) fallback(r commands.Reply) string {
	var lines []string
	if !r.Title.IsZero() {
		lines = append(lines, escape(v.plain(r.Title)))
	}
	for _, p := range r.Parts {
		if p.Paragraph != nil {
			lines = append(lines, v.rich(p.Paragraph.Text))
		}
	}
	if len(lines) == 0 {
		lines = append(lines, escape(commands.Plain(r, v.plain)))
	}
	return cut(strings.Join(lines, "\n"), maxFallback)
}

func mark(t commands.Tone) string {
	switch t {
	case commands.Good:
		return "✅ "
	case commands.Warning:
		return "⚠️ "
	case commands.Bad:
		return "⛔ "
	case commands.Hint:
		return "💡 "
	}
	return ""
}

func mrkdwn(s string) *slack.TextBlockObject {
	return &slack.TextBlockObject{Type: slack.MarkdownType, Text: s, Verbatim: true}
}

func words(s string, n int) *slack.TextBlockObject {
	return &slack.TextBlockObject{Type: slack.PlainTextType, Text: cut(s, n)}
}

func (p *canvas) add(b slack.Block) { p.blocks = append(p.blocks, b) }

func (p *canvas) header(s string) {
	if s = strings.TrimSpace(s); s != "" {
		p.add(slack.NewHeaderBlock(words(s, maxHeader)))
	}
}

// section adds running mrkdwn, in as many blocks as it takes.
func (p *canvas) section(s string) {
	for _, piece := range split(s, maxSection) {
		if strings.TrimSpace(piece) != "" {
			p.add(slack.NewSectionBlock(mrkdwn(piece), nil, nil))
		}
	}
}

func (p *canvas) context(s string) {
	if strings.TrimSpace(s) != "" {
		p.add(slack.NewContextBlock("", mrkdwn(cut(s, maxContext))))
	}
}

func (p *canvas) parts(parts []commands.Part) {
	for i, part := range parts {
		switch {
		case part.Diff != nil && part.Diff.Phase != "":
			p.phased(parts[:i], *part.Diff)
		case part.Paragraph != nil:
			p.paragraph(*part.Paragraph)
		case part.Facts != nil:
			p.facts(part.Facts)
		case part.Table != nil:
			p.table(*part.Table)
		case part.Diff != nil:
			p.diff(*part.Diff)
		case part.Progress != nil:
			p.progress(part.Progress)
		case part.Buttons != nil:
			p.buttons(part.Buttons)
		}
	}
}

func (p *canvas) paragraph(g commands.Paragraph) {
	said := mark(g.Tone) + p.rich(g.Text)
	if g.Tone == commands.Hint && units(said) <= maxContext {
		p.context(said)
		return
	}
	p.section(said)
}

// facts become pairs of fields, which a phone shows below each other.
func (p *canvas) facts(facts []commands.Labelled) {
	for len(facts) > 0 {
		n := min(len(facts), maxFields)
		fields := make([]*slack.TextBlockObject, 0, n)
		for _, f := range facts[:n] {
			fields = append(fields, mrkdwn(cut("*"+p.rich(f.Label)+"*\n"+p.rich(f.Value), maxField)))
		}
		p.add(slack.NewSectionBlock(nil, fields, nil))
		facts = facts[n:]
	}
}

// diff shows one step: what and where in a line that wraps, then the attributes
// as they stand on the router.
func (p *canvas) diff(d commands.Diff) {
	line := "*" + strconv.Itoa(d.Step) + ". " + escape(d.Router) + "* · " + p.rich(change.T("action."+d.Action)) +
		" `" + escape(d.Menu) + "` *" + escape(d.Row) + "*\n_" + p.rich(change.T("class."+d.Class)) + "_"
	if !d.Why.IsZero() {
		line += "\n" + p.rich(d.Why)
	}
	p.section(line)
	p.code(strings.Join(diffLines(d), "\n"))
}

// diffLines are the attributes of a step, escaped.
func diffLines(d commands.Diff) []string {
	var lines []string
	for _, l := range d.Lines {
		name := escape(l.Name)
		switch {
		case l.Before == "":
			lines = append(lines, "+ "+name+": "+escape(l.After))
		case l.After == "":
			lines = append(lines, "- "+name+": "+escape(l.Before))
		default:
			lines = append(lines, "~ "+name+": "+escape(l.Before)+" → "+escape(l.After))
		}
	}
	return lines
}

// code adds escaped text as blocks of code.
func (p *canvas) code(s string) {
	const fences = len("```\n\n```")
	for _, piece := range split(s, maxSection-fences) {
		p.add(slack.NewSectionBlock(mrkdwn("```\n"+piece+"\n```"), nil, nil))
	}
}

func (p *canvas) progress(steps []commands.ProgressStep) {
	var lines []string
	for _, s := range steps {
		lines = append(lines, box(s.State)+" "+p.rich(s.Label))
	}
	p.section(strings.Join(lines, "\n"))
}

func box(s commands.StepState) string {
	switch s {
	case commands.StepNow:
		return "⏳"
	case commands.StepDone:
		return "✅"
	case commands.StepFailed:
		return "❌"
	case commands.StepUnknown:
		return "❓"
	case commands.StepTodo:
	}
	return "▫️"
}

// trim keeps the blocks within the place's limit, less spare. Buttons stay; of
// the rest the end is left out, and the reader is told.
func (p *canvas) trim(spare int) {
	limit := p.place.limit() - spare
	if len(p.blocks) <= limit {
		return
	}
	actions := 0
	for _, b := range p.blocks {
		if b.BlockType() == slack.MBTAction {
			actions++
		}
	}
	room := limit - 1 - actions
	dropped := 0
	var kept []slack.Block
	for _, b := range p.blocks {
		switch {
		case b.BlockType() == slack.MBTAction:
			kept = append(kept, b)
		case room > 0:
			kept, room = append(kept, b), room-1
		default:
			dropped++
		}
	}
	p.blocks, p.cut = kept, true
	p.context(p.rich(change.T("chat.cut", "count", dropped)))
}
