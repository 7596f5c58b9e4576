package store

import (
	"errors"
	"fmt"
	"syscall"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// The ledger cannot be opened or read.
var (
	ErrLocked  = errors.New("ledger is held by another process")
	ErrNewer   = errors.New("ledger was written by a newer version of this program")
	ErrDamaged = errors.New("ledger is damaged")
	ErrClosed  = errors.New("ledger is closed")
)

// The ledger cannot be written.
var (
	ErrReadOnly = errors.New("ledger is open for reading only")
	ErrFull     = errors.New("no space left for the ledger")
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
