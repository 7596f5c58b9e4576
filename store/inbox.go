package store

import (
	"context"
	"time"

	"go.etcd.io/bbolt"

	"vpnbot/change"
)

// Keys of answered deliveries are kept for Options.Answered or doneLife, and
// never more than doneMax of them.
const (
	doneLife = 30 * 24 * time.Hour
	doneMax  = 500_000
)

// writeInbox stores deliveries that are new. One that was stored or answered
// before is left alone.
func (w *writer) writeInbox() error {
	if len(w.move.Inbox) == 0 {
		return nil
	}
	box, err := bucket(w.tx, bucketInbox)
	if err != nil {
		return err
	}
	keys, err := bucket(w.tx, bucketInboxKeys)
	if err != nil {
		return err
	}
	done, err := bucket(w.tx, bucketDone)
	if err != nil {
		return err
	}
	for _, in := range w.move.Inbox {
		key := []byte(in.Key)
		if keys.Get(key) != nil || done.Get(key) != nil {
			continue
		}
		n, err := next(w.tx, bucketInbox)
		if err != nil {
			return err
		}
		if err := put(box, number(n), in); err != nil {
			return err
		}
		if err := putBytes(keys, key, number(n)); err != nil {
			return err
		}
		w.receipt.Stored = append(w.receipt.Stored, in.Key)
	}
	return nil
}

// writeDone takes answered deliveries out of the inbox and remembers their keys.
func (w *writer) writeDone() error {
	if len(w.move.Done) == 0 {
		return nil
	}
	for _, key := range w.move.Done {
		if err := w.answer([]byte(key)); err != nil {
			return err
		}
	}
	return w.forget(2 * len(w.move.Done))
}

func (w *writer) answer(key []byte) error {
	box, err := bucket(w.tx, bucketInbox)
	if err != nil {
		return err
	}
	keys, err := bucket(w.tx, bucketInboxKeys)
	if err != nil {
		return err
	}
	place, err := getNumber(keys, key)
	if err != nil {
		return err
	}
	if place != 0 {
		if err := remove(box, number(place)); err != nil {
			return err
		}
		if err := remove(keys, key); err != nil {
			return err
		}
	}
	at := number(uint64(w.now.UnixNano()))
	if err := w.keepBytes(bucketDone, key, at); err != nil {
		return err
	}
	order, err := bucket(w.tx, bucketDoneOrder)
	if err != nil {
		return err
	}
	if _, err := next(w.tx, bucketDone); err != nil { // counts the keys that are kept
		return err
	}
	return putBytes(order, append(at, key...), nil)
}

// forget deletes up to most of the oldest keys that are too old or too many.
func (w *writer) forget(most int) error {
	done, err := bucket(w.tx, bucketDone)
	if err != nil {
		return err
	}
	order, err := bucket(w.tx, bucketDoneOrder)
	if err != nil {
		return err
	}
	kept, err := count(w.tx, bucketDone)
	if err != nil {
		return err
	}
	oldest := uint64(w.now.Add(-w.answered).UnixNano())
	for range most {
		k, _ := order.Cursor().First()
		if len(k) < 8 {
			return nil
		}
		at, err := readNumber(k[:8])
		if err != nil || (at > oldest && kept <= doneMax) {
			return err
		}
		key := append([]byte(nil), k...) // k goes with the deletion
		if err := remove(order, key); err != nil {
			return err
		}
		if err := remove(done, key[8:]); err != nil {
			return err
		}
		kept--
		if err := setCount(w.tx, bucketDone, kept); err != nil {
			return err
		}
	}
	return nil
}

// Inbox returns the deliveries that are stored and not answered, oldest first.
func (s *Store) Inbox(ctx context.Context) ([]change.Inbound, error) {
	return list[change.Inbound](ctx, s, bucketInbox, nil, nil)
}

// Done tells whether the delivery with that key was answered.
func (s *Store) Done(ctx context.Context, key string) (bool, error) {
	var ok bool
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		b, err := bucket(tx, bucketDone)
		if err != nil {
			return err
		}
		ok = b.Get([]byte(key)) != nil
		return nil
	})
	return ok, err
}
