package store

import (
	"errors"
	"fmt"
	"syscall"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"vpnbot/change"
)

// The ledger cannot be opened or read.
var (
	ErrLocked  = failure("ledger is held by another process", "locked")
	ErrNewer   = failure("ledger was written by a newer version of this program", "newer")
	ErrDamaged = failure("ledger is damaged", "damaged")
	ErrClosed  = failure("ledger is closed", "closed")
)

// The ledger cannot be written.
var (
	ErrReadOnly = failure("ledger is open for reading only", "readonly")
	ErrFull     = failure("no space left for the ledger", "full")
	ErrMove     = errors.New("move is not valid") // a mistake in the program that made it
	ErrNoSigner = errors.New("no signing seed for checkpoints")
)

// foreign turns bbolt's and the system's errors into ours and leaves others.
func foreign(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, berrors.ErrDatabaseNotOpen), errors.Is(err, berrors.ErrTxClosed):
		return ErrClosed
	case errors.Is(err, berrors.ErrDatabaseReadOnly), errors.Is(err, berrors.ErrTxNotWritable):
		return ErrReadOnly
	case errors.Is(err, berrors.ErrTimeout):
		return ErrLocked
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrVersionMismatch), errors.Is(err, berrors.ErrChecksum):
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, berrors.ErrMaxSizeReached):
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// bucket returns a bucket that Open has made.
func bucket(tx *bbolt.Tx, name string) (*bbolt.Bucket, error) {
	if b := tx.Bucket([]byte(name)); b != nil {
		return b, nil
	}
	return nil, fmt.Errorf("%w: no bucket %q", ErrDamaged, name)
}

// explained is a sentinel with words for people: the messages ledger.ID and
// ledger.ID.hint.
type explained struct{ text, id string }

func failure(text, id string) error { return &explained{text, id} }

// Error returns the words for logs.
func (e *explained) Error() string { return e.text }

// Explain returns the sentence and the hint.
func (e *explained) Explain() (sentence, hint change.Text) {
	return change.T("ledger." + e.id), change.T("ledger." + e.id + ".hint")
}
