package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/vpn"
)

// defined tells whether the plan was computed from the definition that holds now.
// One that was never there, and one that another request may bring about, say
// nothing.
func (j *job) defined(ctx context.Context) (change.Moved, bool, error) {
	ref := j.r.Plan.Definition
	if ref.Kind == "" || j.r.Plan.Intent.Resume != 0 && !j.adopts() {
		return change.Moved{}, true, nil
	}
	version, err := j.e.o.Ledger.DefinitionVersion(ctx, ref.Kind, ref.Name)
	if err != nil {
		return change.Moved{}, false, fmt.Errorf("reading definition: %w", err)
	}
	return change.Moved{
		Row: ref.Name, Field: "definition", Was: strconv.Itoa(ref.Version), Is: strconv.Itoa(version),
	}, version == ref.Version || version == 0, nil
}

// define adds to the move that ends the change well what follows for the
// definition: the version that the plan makes, the mark of a key, or its end. A
// key that it named before and does not any more is destroyed.
func (j *job) define(ctx context.Context, now time.Time, m *change.Move) error {
	ref := j.r.Plan.Definition
	if ref.Kind == "" {
		return nil
	}
	version, err := j.e.o.Ledger.DefinitionVersion(ctx, ref.Kind, ref.Name)
	if err != nil {
		return fmt.Errorf("reading definition: %w", err)
	}
	def, err := j.e.o.Ledger.Definition(ctx, ref.Kind, ref.Name)
	switch {
	case errors.Is(err, change.ErrNotFound) && j.r.Plan.Defines == nil:
		return nil
	case errors.Is(err, change.ErrNotFound):
		def = change.Definition{DefinitionRef: change.DefinitionRef{Kind: ref.Kind, Name: ref.Name, Version: version}}
	case err != nil:
		return fmt.Errorf("reading definition: %w", err)
	}
	next, old, defined, err := vpn.AfterCommit(now, def, j.r)
	if err != nil || !defined {
		return err
	}
	if kept, err := vpn.KeyOf(next); err != nil {
		return err
	} else if kept != "" {
		m.Destroy = slices.DeleteFunc(m.Destroy, func(ref secret.Ref) bool { return ref == kept })
	}
	m.Definitions = append(m.Definitions, next)
	facts := m.Events[0].Facts
	facts["definition"] = strconv.Itoa(next.Version)
	if next.Retired {
		facts["retired"] = next.Name
	}
	if old != "" {
		m.Destroy = append(m.Destroy, old)
	}
	return nil
}
