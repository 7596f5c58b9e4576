package commands

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"vpnbot/change"
)

// Sayer turns a text into words, in one language and style.
type Sayer func(change.Text) string

// Plain renders r for a terminal: aligned tables, no buttons, since nothing can
// be pressed there. Control characters, which could move a cursor, become
// spaces.
func Plain(r Reply, say Sayer) string {
	p := plain{say: func(t change.Text) string { return clean(say(t)) }}
	if !r.Title.IsZero() {
		p.line(mark(r.Tone) + p.say(r.Title))
	}
	for _, part := range r.Parts {
		p.part(part)
	}
	return p.String()
}

func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

type plain struct {
	strings.Builder
	say   Sayer
	after bool   // a block has ended, and what follows stands apart from it
	under string // phase and router of the last diff
}

func (p *plain) line(s string) { p.WriteString(strings.TrimRight(s, " ") + "\n") }

// block separates tables and diffs from what stands before them.
func (p *plain) block() {
	if p.Len() > 0 {
		p.WriteByte('\n')
	}
	p.after = true
}

func mark(t Tone) string {
	switch t {
	case Good:
		return "✔ "
	case Warning:
		return "⚠ "
	case Bad:
		return "✖ "
	case Hint:
		return "→ "
	}
	return ""
}

func (p *plain) part(part Part) {
	switch {
	case part.Paragraph != nil:
		if p.after {
			p.WriteByte('\n')
			p.after = false
		}
		p.line(mark(part.Paragraph.Tone) + p.say(part.Paragraph.Text))
	case part.Facts != nil:
		p.block()
		var cells [][]string
		for _, f := range part.Facts {
			cells = append(cells, []string{p.say(f.Label) + ":", p.say(f.Value)})
		}
		p.grid(cells)
	case part.Table != nil:
		p.block()
		cells := [][]string{p.cells(part.Table.Head)}
		for _, row := range part.Table.Rows {
			cells = append(cells, p.cells(row))
		}
		p.grid(cells)
	case part.Diff != nil:
		p.block()
		p.phase(part.Diff)
		p.diff(part.Diff)
	case part.Progress != nil:
		p.block()
		for _, step := range part.Progress {
			p.line(box(step.State) + " " + p.say(step.Label))
		}
	}
}

func (p *plain) cells(texts []change.Text) []string {
	cells := make([]string, len(texts))
	for i, t := range texts {
		cells[i] = p.say(t)
	}
	return cells
}

func (p *plain) grid(rows [][]string) {
	for _, line := range Grid(rows, func(cell string) string { return cell }) {
		p.line(line)
	}
}

// phase heads the first of the steps of one phase on one router.
func (p *plain) phase(d *Diff) {
	under := d.Phase + "\x00" + d.Router
	if d.Phase == "" || under == p.under {
		return
	}
	p.under = under
	p.line("── " + p.say(change.T("phases."+d.Phase)) + " · " + clean(d.Router))
}

func (p *plain) diff(d *Diff) {
	head := fmt.Sprintf("%d. %s: %s %s %s", d.Step, clean(d.Router), p.say(change.T("action."+d.Action)), d.Menu, clean(d.Row))
	if t := d.Taking(); !t.IsZero() {
		head += " (" + p.say(t) + ")"
	}
	p.line(head)
	if !d.Why.IsZero() {
		p.line("   " + p.say(d.Why))
	}
	for _, l := range d.Lines {
		switch {
		case l.Before == "":
			p.line("   + " + l.Name + ": " + clean(l.After))
		case l.After == "":
			p.line("   - " + l.Name + ": " + clean(l.Before))
		default:
			p.line("   ~ " + l.Name + ": " + clean(l.Before) + " → " + clean(l.After))
		}
	}
}

func box(s StepState) string {
	switch s {
	case StepNow:
		return "[>]"
	case StepDone:
		return "[x]"
	case StepFailed:
		return "[!]"
	case StepUnknown:
		return "[?]"
	case StepTodo:
	}
	return "[ ]"
}

// JSON renders r as a document: its own structure with every text said.
func JSON(r Reply, say Sayer) ([]byte, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encoding answer: %w", err)
	}
	var tree any
	if err := json.Unmarshal(b, &tree); err != nil {
		return nil, fmt.Errorf("encoding answer: %w", err)
	}
	b, err = json.MarshalIndent(spoken(tree, say), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding answer: %w", err)
	}
	return append(b, '\n'), nil
}

// spoken replaces every object that is a Text, which alone has a key "id".
func spoken(v any, say Sayer) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = spoken(v[i], say)
		}
	case map[string]any:
		if _, ok := v["id"]; ok {
			b, err := json.Marshal(v)
			var t change.Text
			if err == nil && json.Unmarshal(b, &t) == nil {
				return say(t)
			}
		}
		for k := range v {
			v[k] = spoken(v[k], say)
		}
	}
	return v
}

// VerbTable is the table of verbs in Markdown, as the README shows it.
func VerbTable(say Sayer) string {
	var b strings.Builder
	b.WriteString("| command | who | what it does |\n|---|---|---|\n")
	for _, v := range Verbs() {
		who := say(change.T("role." + v.Need.String()))
		switch {
		case v.Guest:
			who = say(change.T("help.guest"))
		case v.Need == change.NoRole:
			who = say(change.T("help.everyone"))
		}
		usage := strings.ReplaceAll("`/vpn "+v.Usage()+"`", "|", `\|`)
		b.WriteString("| " + usage + " | " + who + " | " + say(change.T("help."+v.Name)) + " |\n")
	}
	return b.String()
}
