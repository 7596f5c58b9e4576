package trail

import (
	"errors"
	"fmt"
	"iter"
)

// ErrBroken is wrapped by every error that says the trail is not what was
// written.
var ErrBroken = errors.New("trail does not verify")

// Stored is one record as a ledger keeps it.
type Stored struct {
	Seq  uint64
	Data []byte // hash and encoded event; valid only until the next one
}

// BreakError names the first record that does not hold.
type BreakError struct {
	Seq uint64
	Why string
}

// Error says which record and why.
func (e *BreakError) Error() string { return fmt.Sprintf("event %d: %s", e.Seq, e.Why) }

// Unwrap returns ErrBroken.
func (e *BreakError) Unwrap() error { return ErrBroken }

// Append reads s as the record after h and checks it.
func (h Head) Append(s Stored) (Record, error) {
	if s.Seq != h.Size+1 {
		return Record{}, &BreakError{Seq: h.Size + 1, Why: fmt.Sprintf("missing, %d stands in its place", s.Seq)}
	}
	have, body, err := Split(s.Data)
	if err != nil {
		return Record{}, &BreakError{Seq: s.Seq, Why: err.Error()}
	}
	if have != h.hashNext(body) {
		return Record{}, &BreakError{Seq: s.Seq, Why: "its hash does not follow from its content and the record before"}
	}
	e, err := Decode(body)
	if err != nil {
		return Record{}, &BreakError{Seq: s.Seq, Why: err.Error()}
	}
	return Record{Seq: s.Seq, Prev: h.Hash, Hash: have, Event: e}, nil
}

// Verify walks a whole trail from its first record and returns its head. each,
// when not nil, is called with every record that holds; its error ends the walk.
// A record that does not hold is returned as a *BreakError.
func Verify(records iter.Seq2[Stored, error], each func(Record) error) (Head, error) {
	var h Head
	for s, err := range records {
		if err != nil {
			return h, fmt.Errorf("reading event %d: %w", h.Size+1, err)
		}
		r, err := h.Append(s)
		if err != nil {
			return h, err
		}
		h = Head{Size: r.Seq, Hash: r.Hash}
		if each == nil {
			continue
		}
		if err := each(r); err != nil {
			return h, err
		}
	}
	return h, nil
}
