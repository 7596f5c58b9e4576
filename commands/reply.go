package commands

import (
	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// Reply is an answer as data. chat renders it as Block Kit, "bot ask" as plain
// text or JSON; nobody else makes words of it.
type Reply struct {
	Title change.Text `json:"title,omitzero"`
	Tone  Tone        `json:"tone,omitempty"`
	Parts []Part      `json:"parts,omitempty"`
	// Verdicts are those of the tunnels that the answer is about, by name: for
	// programs that read the answer as JSON.
	Verdicts map[string]vpn.Verdict `json:"verdicts,omitempty"`
	// Share offers a button that posts the answer for everyone in the channel.
	Share bool `json:"share,omitempty"`
}

// Tone is how a reply or paragraph is meant.
type Tone string

// The tones. The empty Tone is plain.
const (
	Good    Tone = "good"
	Warning Tone = "warning"
	Bad     Tone = "bad"
	Hint    Tone = "hint"
)

// Part is one piece of a Reply. Exactly one field is set.
type Part struct {
	Paragraph *Paragraph     `json:"paragraph,omitempty"`
	Facts     []Labelled     `json:"facts,omitempty"`
	Table     *Table         `json:"table,omitempty"`
	Diff      *Diff          `json:"diff,omitempty"`
	Progress  []ProgressStep `json:"progress,omitempty"`
	Buttons   []Button       `json:"buttons,omitempty"`
}

// Paragraph is running text.
type Paragraph struct {
	Tone Tone        `json:"tone,omitempty"`
	Text change.Text `json:"text"`
}

// Labelled is a value with its name.
type Labelled struct {
	Label change.Text `json:"label"`
	Value change.Text `json:"value"`
}

// Table has one head cell per column. A long table is cut by the renderer,
// which says how many rows it left out.
type Table struct {
	Head   []change.Text   `json:"head"`
	Rows   [][]change.Text `json:"rows"`
	Layout Layout          `json:"layout,omitempty"`
}

// Layout is how a table is read on a narrow screen. A terminal shows columns in
// any case.
type Layout string

// The layouts. The empty Layout is columns.
const (
	// Lines has each row as a line of running text, with its second cell in bold.
	Lines Layout = "lines"
	// Record has each row as a line that some machine wrote.
	Record Layout = "record"
)

// Diff is one step of a plan: a row before and after.
type Diff struct {
	Step   int         `json:"step"`
	Router string      `json:"router"`
	Menu   string      `json:"menu"`
	Action string      `json:"action"`
	Row    string      `json:"row"`
	Class  string      `json:"class"`
	Phase  string      `json:"phase,omitempty"` // of a plan that has phases
	Why    change.Text `json:"why,omitzero"`
	Lines  []DiffLine  `json:"lines"`
}

// Taking tells how the step is taken back, where that says more than what it does:
// that a new row stands beside the old one, that a value changes in place, that
// something is lost.
func (d Diff) Taking() change.Text {
	switch a, class := schema.Action(d.Action), change.Class(d.Class); {
	case class == change.OneWay, d.Phase == "", class == change.Twin && a == schema.Add, class == change.InPlace && a != schema.Remove:
		return change.T("class." + d.Class)
	}
	return change.Text{}
}

// DiffLine is one attribute. A secret shows its key mark, never itself.
type DiffLine struct {
	Name   string `json:"name"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// ProgressStep is one line of a list of things under way.
type ProgressStep struct {
	Label change.Text `json:"label"`
	State StepState   `json:"state"`
}

// StepState is how far a ProgressStep has come.
type StepState string

// The states of a ProgressStep.
const (
	StepTodo    StepState = "todo"
	StepNow     StepState = "now"
	StepDone    StepState = "done"
	StepFailed  StepState = "failed"
	StepUnknown StepState = "unknown"
)

// Button asks for an Action when pressed.
type Button struct {
	Action  string       `json:"action"`
	Value   string       `json:"value"`
	Label   change.Text  `json:"label"`
	Style   ButtonStyle  `json:"style,omitempty"`
	Confirm *change.Text `json:"confirm,omitempty"` // asked before the press counts
	// Form tells that the press opens a modal, so that the renderer can open it
	// while the click's trigger still lives.
	Form bool `json:"form,omitempty"`
}

// ButtonStyle is how a button looks.
type ButtonStyle string

// The button styles. The empty ButtonStyle is neutral.
const (
	Primary ButtonStyle = "primary"
	Danger  ButtonStyle = "danger"
)

// Form is the content of a modal. Without Submit it only shows.
type Form struct {
	Action string      `json:"action"` // asked for on submission
	Value  string      `json:"value"`
	Title  change.Text `json:"title"`
	Submit change.Text `json:"submit,omitzero"`
	Close  change.Text `json:"close,omitzero"`
	Parts  []Part      `json:"parts,omitempty"`
	Fields []Field     `json:"fields,omitempty"`
}

// Field is one text input of a Form.
type Field struct {
	Name      string      `json:"name"`
	Label     change.Text `json:"label"`
	Hint      change.Text `json:"hint,omitzero"`
	Multiline bool        `json:"multiline,omitempty"`
	Optional  bool        `json:"optional,omitempty"`
	MaxLength int         `json:"maxLength,omitempty"`
}

// Say returns a Part that is one paragraph.
func Say(tone Tone, t change.Text) Part {
	return Part{Paragraph: &Paragraph{Tone: tone, Text: t}}
}
