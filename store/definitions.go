package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"vpnbot/change"
)

func definitionKey(ref change.DefinitionRef) []byte {
	return binary.BigEndian.AppendUint32(joined(ref.Kind, ref.Name, ""), uint32(ref.Version))
}

// latestDefinition returns the highest version of a definition, and whether
// there is one.
func latestDefinition(b *bbolt.Bucket, kind, name string) (change.Definition, bool, error) {
	var d change.Definition
	found := false
	err := each(b, joined(kind, name, ""), func(_ []byte, v change.Definition) (bool, error) {
		d, found = v, true
		return true, nil
	})
	return d, found, err
}

// Definition returns the latest version of a definition; one that is retired is
// change.ErrNotFound.
func (s *Store) Definition(ctx context.Context, kind, name string) (change.Definition, error) {
	var d change.Definition
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		b, err := bucket(tx, bucketDefinitions)
		if err != nil {
			return err
		}
		var ok bool
		if d, ok, err = latestDefinition(b, kind, name); err == nil && (!ok || d.Retired) {
			err = change.ErrNotFound
		}
		return err
	})
	if err != nil {
		return change.Definition{}, fmt.Errorf("definition %s %s: %w", kind, name, err)
	}
	return d, nil
}

// DefinitionAt returns one version of a definition, be it retired or overtaken; one
// that was never there is change.ErrNotFound.
func (s *Store) DefinitionAt(ctx context.Context, ref change.DefinitionRef) (change.Definition, error) {
	d, ok, err := one[change.Definition](ctx, s, bucketDefinitions, definitionKey(ref))
	if err == nil && !ok {
		err = change.ErrNotFound
	}
	if err != nil {
		return change.Definition{}, fmt.Errorf("definition %s %s, version %d: %w", ref.Kind, ref.Name, ref.Version, err)
	}
	return d, nil
}

// DefinitionVersion returns the number of a definition's latest version, retired or
// not; 0 means that there was none yet.
func (s *Store) DefinitionVersion(ctx context.Context, kind, name string) (int, error) {
	version := 0
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		b, err := bucket(tx, bucketDefinitions)
		if err != nil {
			return err
		}
		d, _, err := latestDefinition(b, kind, name)
		version = d.Version
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("definition %s %s: %w", kind, name, err)
	}
	return version, nil
}

// Definitions returns the latest version of every definition, by kind and name,
// without those that are retired.
func (s *Store) Definitions(ctx context.Context) ([]change.Definition, error) {
	all, err := list[change.Definition](ctx, s, bucketDefinitions, nil, nil)
	if err != nil {
		return nil, err
	}
	var out []change.Definition
	for _, d := range all {
		if n := len(out); n > 0 && out[n-1].Kind == d.Kind && out[n-1].Name == d.Name {
			out[n-1] = d
			continue
		}
		out = append(out, d)
	}
	return slices.DeleteFunc(out, func(d change.Definition) bool { return d.Retired }), nil
}
