// Package storetest opens ledgers for tests. Every ledger that it opens is
// verified when its test ends.
package storetest

import (
	"context"
	"path/filepath"
	"testing"

	"vpnbot/change/trail"
	"vpnbot/store"
)

// Open opens a new ledger in a temporary directory. When the test ends the
// trail is verified, from the first event to the last, and the ledger closed.
func Open(t testing.TB) *store.Store {
	t.Helper()
	return OpenAt(t, filepath.Join(t.TempDir(), "ledger.db"))
}

// OpenAt opens the ledger at path as Open does.
func OpenAt(t testing.TB, path string) *store.Store {
	t.Helper()
	s, err := store.Open(path, store.Options{Signer: Signer(t), NoSync: true})
	if err != nil {
		t.Fatalf("opening ledger: %v", err)
	}
	t.Cleanup(func() { finish(t, s, path) })
	return s
}

// Signer returns the signer of the ledgers that this package opens.
func Signer(t testing.TB) *trail.Signer {
	t.Helper()
	s, err := trail.NewSigner("vpnbot.test", make([]byte, trail.SeedSize))
	if err != nil {
		t.Fatalf("making signer: %v", err)
	}
	return s
}

// finish closes the ledger, which the test may have done, and verifies what is
// in the file: once more with a fresh Open, which checks its structure.
func finish(t testing.TB, s *store.Store, path string) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("closing ledger: %v", err)
	}
	again, err := store.OpenReadOnly(path, store.Options{})
	if err != nil {
		t.Errorf("opening the ledger once more: %v", err)
		return
	}
	// t.Context is over when cleanups run.
	if _, err := again.Verify(context.Background(), store.Proof{VerifierKey: Signer(t).VerifierKey()}); err != nil {
		t.Errorf("trail: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Errorf("closing ledger: %v", err)
	}
}
