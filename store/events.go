package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"vpnbot/change"
	"vpnbot/change/trail"
)

// headOf returns the trail's head from its last record.
func headOf(events *bbolt.Bucket) (trail.Head, error) {
	k, v := events.Cursor().Last()
	if k == nil {
		return trail.Head{}, nil
	}
	seq, err := readNumber(k)
	if err != nil {
		return trail.Head{}, err
	}
	content, err := unwrap(k, v)
	if err != nil {
		return trail.Head{}, err
	}
	hash, _, err := trail.Split(content)
	if err != nil {
		return trail.Head{}, fmt.Errorf("%w: event %d: %w", ErrDamaged, seq, err)
	}
	return trail.Head{Size: seq, Hash: hash}, nil
}

// hashAt returns the hash of event seq.
func hashAt(events *bbolt.Bucket, seq uint64) (trail.Hash, bool) {
	key := number(seq)
	content, err := unwrap(key, events.Get(key))
	if err != nil {
		return trail.Hash{}, false
	}
	hash, _, err := trail.Split(content)
	return hash, err == nil
}

// Head returns the trail's size and the hash of its last event.
func (s *Store) Head(ctx context.Context) (trail.Head, error) {
	var h trail.Head
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		b, err := bucket(tx, bucketEvents)
		if err != nil {
			return err
		}
		h, err = headOf(b)
		return err
	})
	if err != nil {
		return trail.Head{}, fmt.Errorf("reading the trail's head: %w", err)
	}
	return h, nil
}

// Events returns the events that f names.
func (s *Store) Events(ctx context.Context, f change.EventFilter) ([]change.Recorded, error) {
	var out []change.Recorded
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		b, err := bucket(tx, bucketEvents)
		if err != nil {
			return err
		}
		return walkEvents(b, f, func(r change.Recorded) bool {
			out = append(out, r)
			return len(out) < bound(f.Limit)
		})
	})
	if err != nil {
		return nil, fmt.Errorf("reading events: %w", err)
	}
	return out, nil
}

// walkEvents calls found with the events that f names until it returns false.
func walkEvents(b *bbolt.Bucket, f change.EventFilter, found func(change.Recorded) bool) error {
	c := b.Cursor()
	k, v := c.Seek(number(f.After + 1))
	step := c.Next
	if f.Newest {
		k, v = c.Last()
		step = c.Prev
	}
	for ; k != nil; k, v = step() {
		seq, err := readNumber(k)
		if err != nil || seq <= f.After {
			return err
		}
		if !hint(v, f) {
			continue
		}
		e, err := readEvent(k, v)
		if err != nil {
			return err
		}
		if matches(e, f) && !found(change.Recorded{Seq: seq, Event: e}) {
			return nil
		}
	}
	return nil
}

// readEvent decodes a stored event without looking at the chain.
func readEvent(key, value []byte) (change.Event, error) {
	var e change.Event
	content, err := unwrap(key, value)
	if err != nil {
		return e, err
	}
	_, body, err := trail.Split(content)
	if err == nil {
		err = json.Unmarshal(body, &e)
	}
	if err != nil {
		return e, fmt.Errorf("%w: event %x: %w", ErrDamaged, key, err)
	}
	return e, nil
}

// hint tells whether the stored event may be one that f names, at a small part
// of the cost of decoding it.
func hint(value []byte, f change.EventFilter) bool {
	return f.Request == 0 || bytes.Contains(value, fmt.Appendf(nil, `"request":%d`, f.Request))
}

func matches(e change.Event, f change.EventFilter) bool {
	return (f.Since.IsZero() || !e.At.Before(f.Since)) &&
		(f.Request == 0 || e.Request == f.Request) &&
		(f.Actor == "" || e.Actor == f.Actor) &&
		(f.Site == "" || e.Site == f.Site || e.Facts["far-site"] == f.Site) &&
		(len(f.Kinds) == 0 || slices.Contains(f.Kinds, e.Kind))
}

// trailPage is how many events one transaction of Trail reads.
const trailPage = 1000

// Trail yields every stored event from the first one on, as bytes for
// trail.Verify. It holds no transaction open while its caller works.
func (s *Store) Trail(ctx context.Context) iter.Seq2[trail.Stored, error] {
	return func(yield func(trail.Stored, error) bool) {
		for next := uint64(1); ; {
			page, err := s.trailPage(ctx, next)
			for _, r := range page {
				if !yield(r, nil) {
					return
				}
				next = r.Seq + 1
			}
			if err != nil {
				yield(trail.Stored{}, err)
				return
			}
			if len(page) < trailPage {
				return
			}
		}
	}
}

func (s *Store) trailPage(ctx context.Context, from uint64) ([]trail.Stored, error) {
	var page []trail.Stored
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		b, err := bucket(tx, bucketEvents)
		if err != nil {
			return err
		}
		c := b.Cursor()
		for k, v := c.Seek(number(from)); k != nil && len(page) < trailPage; k, v = c.Next() {
			seq, err := readNumber(k)
			if err != nil {
				return err
			}
			content, err := unwrap(k, v)
			if err != nil {
				return err
			}
			page = append(page, trail.Stored{Seq: seq, Data: append([]byte(nil), content...)})
		}
		return nil
	})
	return page, err
}

// Checkpoint returns the last checkpoint; its size is zero when there is none.
func (s *Store) Checkpoint(ctx context.Context) (change.Checkpoint, error) {
	var last change.Checkpoint
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		b, err := bucket(tx, bucketCheckpoints)
		if err != nil {
			return err
		}
		if k, v := b.Cursor().Last(); k != nil {
			return decode(k, v, &last)
		}
		return nil
	})
	if err != nil {
		return change.Checkpoint{}, fmt.Errorf("reading the last checkpoint: %w", err)
	}
	return last, nil
}

// Checkpoints returns all checkpoints, oldest first.
func (s *Store) Checkpoints(ctx context.Context) ([]change.Checkpoint, error) {
	return list[change.Checkpoint](ctx, s, bucketCheckpoints, nil, nil)
}

// Sign signs the trail as it stands and stores nothing.
func (s *Store) Sign(ctx context.Context, now time.Time) (change.Checkpoint, error) {
	if s.o.Signer == nil {
		return change.Checkpoint{}, ErrNoSigner
	}
	h, err := s.Head(ctx)
	if err != nil {
		return change.Checkpoint{}, err
	}
	return s.o.Signer.Sign(now, h)
}
