package store

import (
	"bytes"
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"vpnbot/change"
	"vpnbot/change/secret"
)

// listLimit bounds every list that a reader returns when its caller names no
// bound.
const listLimit = 10_000

// each calls f with every record of b whose key begins with prefix, in the order
// of the keys, until f returns false.
func each[T any](b *bbolt.Bucket, prefix []byte, f func(key []byte, v T) (bool, error)) error {
	c := b.Cursor()
	for k, value := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, value = c.Next() {
		var v T
		if err := decode(k, value, &v); err != nil {
			return err
		}
		if more, err := f(k, v); err != nil || !more {
			return err
		}
	}
	return nil
}

// one reads the record at key of the bucket called name.
func one[T any](ctx context.Context, s *Store, name string, key []byte) (T, bool, error) {
	var v T
	var ok bool
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		b, err := bucket(tx, name)
		if err != nil {
			return err
		}
		ok, err = get(b, key, &v)
		return err
	})
	return v, ok, err
}

// need is one, with ErrNotFound for a record that is not there.
func need[T any](ctx context.Context, s *Store, what, name string, key []byte) (T, error) {
	v, ok, err := one[T](ctx, s, name, key)
	if err == nil && !ok {
		err = change.ErrNotFound
	}
	if err != nil {
		return v, fmt.Errorf("%s: %w", what, err)
	}
	return v, nil
}

// list reads the records of a bucket whose keys begin with prefix and that keep
// accepts; nil accepts all.
func list[T any](ctx context.Context, s *Store, name string, prefix []byte, keep func(T) bool) ([]T, error) {
	var out []T
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		b, err := bucket(tx, name)
		if err != nil {
			return err
		}
		return each(b, prefix, func(_ []byte, v T) (bool, error) {
			if keep == nil || keep(v) {
				out = append(out, v)
			}
			return len(out) < listLimit, nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return out, nil
}

// Journal returns the entries of a request, oldest first.
func (s *Store) Journal(ctx context.Context, id string) ([]change.Entry, error) {
	return list[change.Entry](ctx, s, bucketJournal, joined(id, ""), nil)
}

// Outbox returns the notices that wait, in the order in which they came. A limit
// of zero is the ledger's own.
func (s *Store) Outbox(ctx context.Context, limit int) ([]change.Waiting, error) {
	var out []change.Waiting
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		b, err := bucket(tx, bucketOutbox)
		if err != nil {
			return err
		}
		return each(b, nil, func(_ []byte, v change.Waiting) (bool, error) {
			out = append(out, v)
			return len(out) < bound(limit), nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("reading outbox: %w", err)
	}
	return out, nil
}

func bound(limit int) int {
	if limit <= 0 || limit > listLimit {
		return listLimit
	}
	return limit
}

// Message returns where the message of a notice stands that was delivered, and
// whether it is known.
func (s *Store) Message(ctx context.Context, key string) (change.MessageRef, bool, error) {
	ref, ok, err := one[change.MessageRef](ctx, s, bucketMessages, []byte(key))
	if err != nil {
		return ref, false, fmt.Errorf("message of %s: %w", key, err)
	}
	return ref, ok, nil
}

// Sealed returns a sealed secret: secret.ErrDestroyed when it was destroyed,
// change.ErrNotFound when there never was one.
func (s *Store) Sealed(ctx context.Context, ref secret.Ref) (secret.Sealed, error) {
	var v secret.Sealed
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		b, err := bucket(tx, bucketSealed)
		if err != nil {
			return err
		}
		if ok, err := get(b, []byte(ref), &v); err != nil || ok {
			return err
		}
		gone, err := bucket(tx, bucketDestroyed)
		if err != nil {
			return err
		}
		if gone.Get([]byte(ref)) != nil {
			return secret.ErrDestroyed
		}
		return change.ErrNotFound
	})
	if err != nil {
		return secret.Sealed{}, fmt.Errorf("secret %s: %w", ref, err)
	}
	return v, nil
}

// Account returns what is known of an account at site.
func (s *Store) Account(ctx context.Context, site, name string) (change.Account, error) {
	return need[change.Account](ctx, s, "account "+site+"/"+name, bucketAccounts, joined(site, name))
}

// Accounts returns the accounts at site, by name; an empty site is all of them.
func (s *Store) Accounts(ctx context.Context, site string) ([]change.Account, error) {
	var prefix []byte
	if site != "" {
		prefix = joined(site, "")
	}
	return list[change.Account](ctx, s, bucketAccounts, prefix, nil)
}

// AccountsOf returns the accounts that person owns or may open.
func (s *Store) AccountsOf(ctx context.Context, person change.PersonID) ([]change.Account, error) {
	return list(ctx, s, bucketAccounts, nil, func(a change.Account) bool {
		return a.Owner == person || a.Reader == person
	})
}

// Reveal returns one reveal.
func (s *Store) Reveal(ctx context.Context, id string) (change.Reveal, error) {
	return need[change.Reveal](ctx, s, "reveal "+id, bucketReveals, []byte(id))
}

// Reveals returns the reveals that are not closed yet.
func (s *Store) Reveals(ctx context.Context) ([]change.Reveal, error) {
	return list(ctx, s, bucketReveals, nil, func(v change.Reveal) bool { return v.Closed.IsZero() })
}

// Preference returns what a person chose.
func (s *Store) Preference(ctx context.Context, person change.PersonID) (change.Preference, error) {
	return need[change.Preference](ctx, s, "preference of "+string(person), bucketPreferences, []byte(person))
}

// Fact returns the value remembered under name.
func (s *Store) Fact(ctx context.Context, name string) (string, error) {
	f, err := need[change.Fact](ctx, s, "fact "+name, bucketFacts, []byte(name))
	return f.Value, err
}
