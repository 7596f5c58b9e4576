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
	for _, also := range j.r.Plan.Also {
		version, err := j.e.o.Ledger.DefinitionVersion(ctx, also.Kind, also.Name)
		if err != nil {
			return change.Moved{}, false, fmt.Errorf("reading definition: %w", err)
		}
		if version != also.Version {
			return change.Moved{Row: also.Name, Field: "definition", Was: strconv.Itoa(also.Version), Is: strconv.Itoa(version)}, false, nil
		}
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
	if err := j.defineAlso(ctx, now, m); err != nil {
		return err
	}
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

// defineAlso adds what the plan makes of further definitions. One that is no more is
// left alone.
func (j *job) defineAlso(ctx context.Context, now time.Time, m *change.Move) error {
	for _, also := range j.r.Plan.Also {
		def, err := j.e.o.Ledger.Definition(ctx, also.Kind, also.Name)
		if errors.Is(err, change.ErrNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading definition: %w", err)
		}
		next, err := vpn.Redefined(def, also)
		if err != nil {
			return err
		}
		next.At, next.By = now, j.r.Requester
		m.Definitions = append(m.Definitions, next)
		m.Events[0].Facts["definition."+also.Kind] = strconv.Itoa(next.Version)
	}
	return nil
}
