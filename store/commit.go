package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"vpnbot/change"
)

// maxBatch bounds how many moves share one transaction.
const maxBatch = 64

// errNothing rolls a transaction back in which every move was refused.
var errNothing = errors.New("nothing to write")

// job is one move on its way to the disk.
type job struct {
	move    change.Move
	receipt change.Receipt
	err     error
	done    chan struct{} // closed when receipt and err stand
}

// counters are what Stats reads.
type counters struct {
	moves, refused, batches atomic.Uint64
}

// Commit writes m whole or not at all. It returns change.ErrDone when a key of
// m.Done was done before, change.ErrConflict when the request, the reveal or a
// definition has moved since m was made, a *change.StateError for a request that
// has ended, and ErrMove for a move that no transition makes.
//
// ctx bounds the wait for the writer. Once the writer has the move, Commit waits
// for the outcome, since nobody could tell it afterwards.
func (s *Store) Commit(ctx context.Context, m change.Move) (change.Receipt, error) {
	if err := validate(m); err != nil {
		return change.Receipt{}, err
	}
	if s.db.IsReadOnly() {
		return change.Receipt{}, ErrReadOnly
	}
	j := &job{move: m, done: make(chan struct{})}
	select {
	case <-s.quit:
		return change.Receipt{}, ErrClosed
	default:
	}
	select {
	case s.jobs <- j:
	case <-s.quit:
		return change.Receipt{}, ErrClosed
	case <-ctx.Done():
		return change.Receipt{}, fmt.Errorf("waiting for the ledger: %w", ctx.Err())
	}
	<-j.done
	return j.receipt, j.err
}

// write is the writer: the only goroutine that opens a writing transaction.
func (s *Store) write() {
	defer close(s.ended)
	for {
		select {
		case <-s.quit:
			return
		case first := <-s.jobs:
			s.batch(s.gather(first))
		}
	}
}

// gather takes the moves that wait already, without waiting for more.
func (s *Store) gather(first *job) []*job {
	batch := []*job{first}
	for len(batch) < maxBatch {
		select {
		case j := <-s.jobs:
			batch = append(batch, j)
		default:
			return batch
		}
	}
	return batch
}

func (s *Store) batch(batch []*job) {
	err := s.update(batch)
	if err != nil && len(batch) > 1 {
		// One of them cannot be written: each gets a transaction of its own.
		s.o.Log.Warn("writing moves one by one", "moves", len(batch), "err", err)
		for _, j := range batch {
			j.receipt, j.err = change.Receipt{}, nil
			s.finish(j, s.update([]*job{j}))
		}
	} else {
		for _, j := range batch {
			s.finish(j, err)
		}
	}
	s.tell()
}

func (s *Store) finish(j *job, err error) {
	if err != nil && j.err == nil {
		j.err = fmt.Errorf("writing ledger: %w", err)
	}
	if j.err != nil {
		j.receipt = change.Receipt{}
		s.stats.refused.Add(1)
	} else {
		s.stats.moves.Add(1)
	}
	close(j.done)
}

// update writes the moves in one transaction. A move that is refused gets its
// err; the returned error is that of the transaction.
func (s *Store) update(batch []*job) error {
	now := time.Now()
	err := guard(func() error {
		return s.db.Update(func(tx *bbolt.Tx) error {
			wrote := false
			for _, j := range batch {
				w := writer{tx: tx, now: now, move: j.move, answered: cmp.Or(s.o.Answered, doneLife)}
				if j.err = guard(w.check); j.err != nil {
					continue
				}
				if err := w.write(); err != nil {
					return err
				}
				j.receipt, wrote = w.receipt, true
			}
			if !wrote {
				return errNothing
			}
			return s.around(false)
		})
	})
	if err == nil {
		_ = s.around(true) // what is written is written
	}
	if errors.Is(err, errNothing) {
		return nil
	}
	s.stats.batches.Add(1)
	return foreign(err)
}

func (s *Store) around(written bool) error {
	if s.o.Around == nil {
		return nil
	}
	return s.o.Around(written)
}

// Changed returns a channel that receives after commits: several that follow
// each other closely may be one signal. The function ends it.
func (s *Store) Changed() (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watchers[c] = struct{}{}
	return c, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, c)
	}
}

func (s *Store) tell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.watchers {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
