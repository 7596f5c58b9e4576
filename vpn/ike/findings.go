package ike

import (
	"slices"

	"vpnbot/ros/schema"
)

// findings are what an attempt meets, in order.
type findings struct {
	found []finding
	hints []schema.Fault
	// met tells whether anything was met since it was last cleared, also a thing
	// that was noted before.
	met bool
}

type finding struct {
	schema.Fault
	certain bool
}

// said is what one end says, and the row that says it.
type said struct {
	text string
	row  schema.RowRef
}

func says(r schema.RowRef, text string) said { return said{text, r} }

func newFault(stage schema.Stage, code, attr string, from, to said) schema.Fault {
	return schema.Fault{
		Stage: stage, Code: code, Attr: attr,
		Initiator: from.text, InitiatorRow: from.row,
		Responder: to.text, ResponderRow: to.row,
	}
}

// fault notes a thing that certainly fails.
func (l *findings) fault(stage schema.Stage, code, attr string, from, to said) {
	l.add(finding{newFault(stage, code, attr, from, to), true})
}

// unknown notes a thing that nobody can tell.
func (l *findings) unknown(stage schema.Stage, code, attr string, from, to said) {
	l.add(finding{newFault(stage, code, attr, from, to), false})
}

func (l *findings) hint(stage schema.Stage, code, attr string, from, to said) {
	if f := newFault(stage, code, attr, from, to); !slices.Contains(l.hints, f) {
		l.hints = append(l.hints, f)
	}
}

// add keeps each finding once: two policies may meet the same row.
func (l *findings) add(f finding) {
	l.met = true
	if !slices.Contains(l.found, f) {
		l.found = append(l.found, f)
	}
}

// unread notes what could not be read of a row at the calling end.
func (n *negotiation) unread(stage schema.Stage, from, to base) {
	for _, b := range from.bad {
		n.unknown(stage, schema.FaultUnknownRow, b.attr, says(from.ref, b.value), said{})
	}
	for _, b := range to.bad {
		n.unknown(stage, schema.FaultUnknownRow, b.attr, said{}, says(to.ref, b.value))
	}
}
