package store

import (
	"fmt"

	"go.etcd.io/bbolt"
)

// index renews the derived indexes for a request that was written.
func (w *writer) index(rec requestRecord) error {
	r, old := rec.Request, w.old.Request
	if old.Version == 0 {
		if err := w.keepBytes(bucketOrder, number(rec.Order), []byte(r.ID)); err != nil {
			return err
		}
	}
	if old.Number != r.Number {
		if err := w.keepBytes(bucketNumbers, number(uint64(r.Number)), []byte(r.ID)); err != nil {
			return err
		}
	}
	if old.State == r.State {
		return nil
	}
	if !r.State.Ended() {
		return w.keepBytes(bucketLive, number(rec.Order), []byte(r.State))
	}
	b, err := bucket(w.tx, bucketLive)
	if err != nil {
		return err
	}
	return remove(b, number(rec.Order))
}

func (w *writer) keepBytes(name string, key, content []byte) error {
	b, err := bucket(w.tx, name)
	if err != nil {
		return err
	}
	return putBytes(b, key, content)
}

// reindex builds the derived indexes of requests from the requests.
func reindex(tx *bbolt.Tx) error {
	for _, name := range []string{bucketOrder, bucketLive, bucketNumbers} {
		if err := tx.DeleteBucket([]byte(name)); err != nil {
			return fmt.Errorf("clearing index %q: %w", name, foreign(err))
		}
		if _, err := tx.CreateBucket([]byte(name)); err != nil {
			return fmt.Errorf("making index %q: %w", name, foreign(err))
		}
	}
	requests, err := bucket(tx, bucketRequests)
	if err != nil {
		return err
	}
	var last uint64
	err = each(requests, nil, func(_ []byte, rec requestRecord) (bool, error) {
		w := writer{tx: tx}
		last = max(last, uint64(rec.Request.Number))
		return true, w.index(rec)
	})
	if err != nil {
		return err
	}
	given, err := count(tx, bucketNumbers)
	if err != nil {
		return err
	}
	return setCount(tx, bucketNumbers, max(last, given))
}
