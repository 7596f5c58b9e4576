package store

import (
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/change/trail"
)

// writer brings one move into a transaction: first check, which reads only, then
// write.
type writer struct {
	tx      *bbolt.Tx
	now     time.Time
	move    change.Move
	old     requestRecord // as stored before; zero for a new request
	receipt change.Receipt

	answered time.Duration // how long keys of answered deliveries are kept
}

// check compares the move with the ledger. Nothing is written yet, so a refusal
// leaves the transaction as it was.
func (w *writer) check() error {
	for _, check := range []func() error{
		w.checkDone, w.checkRequest, w.checkReveal, w.checkAccounts, w.checkSealed, w.checkDefinitions, w.checkCheckpoint,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) checkDone() error {
	b, err := bucket(w.tx, bucketDone)
	if err != nil {
		return err
	}
	for _, key := range w.move.Done {
		if b.Get([]byte(key)) != nil {
			return fmt.Errorf("delivery %s: %w", key, change.ErrDone)
		}
	}
	return nil
}

func (w *writer) checkRequest() error {
	m := w.move
	if m.Request == nil {
		return nil
	}
	b, err := bucket(w.tx, bucketRequests)
	if err != nil {
		return err
	}
	if _, err := get(b, []byte(m.Request.ID), &w.old); err != nil {
		return err
	}
	old := w.old.Request
	switch {
	case old.Version != m.Version:
		return fmt.Errorf("request %s: %w", m.Request.ID, change.ErrConflict)
	case old.State.Ended():
		return &change.StateError{Have: old.State, Want: m.From}
	case old.State != m.From:
		return fmt.Errorf("%w: request %s is %q, not %q", ErrMove, old.ID, old.State, m.From)
	case m.Version != 0 && (old.Digest != m.Request.Digest || old.Requester != m.Request.Requester || old.Number != m.Request.Number):
		return fmt.Errorf("%w: request %s changes its digest, requester or number", ErrMove, old.ID)
	}
	return nil
}

func (w *writer) checkReveal() error {
	for _, v := range reveals(w.move) {
		b, err := bucket(w.tx, bucketReveals)
		if err != nil {
			return err
		}
		var old change.Reveal
		if _, err := get(b, []byte(v.ID), &old); err != nil {
			return err
		}
		if old.Version != v.Version {
			return fmt.Errorf("reveal %s: %w", v.ID, change.ErrConflict)
		}
	}
	return nil
}

// checkAccounts refuses a record that has moved since it was read.
func (w *writer) checkAccounts() error {
	b, err := bucket(w.tx, bucketAccounts)
	if err != nil {
		return err
	}
	for _, a := range w.move.Accounts {
		var old change.Account
		if _, err := get(b, joined(a.Site, a.Name), &old); err != nil {
			return err
		}
		if old.Version != a.Version {
			return fmt.Errorf("account %s/%s: %w", a.Site, a.Name, change.ErrConflict)
		}
	}
	return nil
}

// checkSealed refuses to put a secret under a name that was used before.
func (w *writer) checkSealed() error {
	for i, s := range w.move.Seal {
		if slices.ContainsFunc(w.move.Seal[:i], func(o secret.Sealed) bool { return o.Ref == s.Ref }) {
			return fmt.Errorf("%w: secret %s twice", ErrMove, s.Ref)
		}
		for _, name := range []string{bucketSealed, bucketDestroyed} {
			b, err := bucket(w.tx, name)
			if err != nil {
				return err
			}
			if b.Get([]byte(s.Ref)) != nil {
				return fmt.Errorf("%w: secret %s exists", ErrMove, s.Ref)
			}
		}
	}
	return nil
}

// checkDefinitions holds that versions follow each other.
func (w *writer) checkDefinitions() error {
	b, err := bucket(w.tx, bucketDefinitions)
	if err != nil {
		return err
	}
	for i, d := range w.move.Definitions {
		latest, _, err := latestDefinition(b, d.Kind, d.Name)
		if err != nil {
			return err
		}
		version := latest.Version
		for _, before := range w.move.Definitions[:i] {
			if before.Kind == d.Kind && before.Name == d.Name {
				version = before.Version
			}
		}
		if d.Version != version+1 {
			return fmt.Errorf("definition %s %s has version %d, not %d: %w", d.Kind, d.Name, version, d.Version-1, change.ErrConflict)
		}
	}
	return nil
}

// checkCheckpoint keeps out a checkpoint that does not fit this trail.
func (w *writer) checkCheckpoint() error {
	c := w.move.Checkpoint
	if c == nil {
		return nil
	}
	b, err := bucket(w.tx, bucketEvents)
	if err != nil {
		return err
	}
	said, err := trail.ReadCheckpoint(c.Note)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMove, err)
	}
	if said.Head.Size != c.Size {
		return fmt.Errorf("%w: checkpoint of size %d says %d", ErrMove, c.Size, said.Head.Size)
	}
	if err := said.Holds(func(seq uint64) (trail.Hash, bool) { return hashAt(b, seq) }); err != nil {
		return fmt.Errorf("%w: %w", ErrMove, err)
	}
	return nil
}
