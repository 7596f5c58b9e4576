package store

import (
	"context"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"vpnbot/change"
)

// Request returns a request by its ID.
func (s *Store) Request(ctx context.Context, id string) (change.Request, error) {
	rec, err := need[requestRecord](ctx, s, "request "+id, bucketRequests, []byte(id))
	return rec.Request, err
}

// RequestByNumber returns request #n.
func (s *Store) RequestByNumber(ctx context.Context, n int64) (change.Request, error) {
	var rec requestRecord
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		numbers, err := bucket(tx, bucketNumbers)
		if err != nil {
			return err
		}
		rec, err = follow(tx, numbers, number(uint64(n)))
		return err
	})
	if err != nil {
		return change.Request{}, fmt.Errorf("request #%d: %w", n, err)
	}
	return rec.Request, nil
}

// follow reads the request whose ID stands at key of an index.
func follow(tx *bbolt.Tx, index *bbolt.Bucket, key []byte) (requestRecord, error) {
	value := index.Get(key)
	if value == nil {
		return requestRecord{}, change.ErrNotFound
	}
	id, err := unwrap(key, value)
	if err != nil {
		return requestRecord{}, err
	}
	requests, err := bucket(tx, bucketRequests)
	if err != nil {
		return requestRecord{}, err
	}
	var rec requestRecord
	if ok, err := get(requests, id, &rec); err != nil || !ok {
		return rec, fmt.Errorf("%w: request %s is in an index only", ErrDamaged, id)
	}
	return rec, nil
}

// Requests returns the requests that f names, in the order in which they were
// made.
func (s *Store) Requests(ctx context.Context, f change.Filter) ([]change.Request, error) {
	var out []change.Request
	err := s.view(ctx, func(tx *bbolt.Tx) (err error) {
		out, err = requests(tx, f)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading requests: %w", err)
	}
	return out, nil
}

// requests walks the index of live requests when f asks for none that ended, and
// that of all requests otherwise.
func requests(tx *bbolt.Tx, f change.Filter) ([]change.Request, error) {
	live := len(f.States) > 0 && !slices.ContainsFunc(f.States, change.State.Ended)
	walked := bucketOrder
	if live {
		walked = bucketLive
	}
	keys, err := bucket(tx, walked)
	if err != nil {
		return nil, err
	}
	order, err := bucket(tx, bucketOrder)
	if err != nil {
		return nil, err
	}
	var out []change.Request
	c := keys.Cursor()
	step, k, v := c.Next, []byte(nil), []byte(nil)
	if f.Newest {
		step = c.Prev
		k, v = c.Last()
	} else {
		k, v = c.First()
	}
	for ; k != nil && len(out) < bound(f.Limit); k, v = step() {
		if live {
			state, err := unwrap(k, v)
			if err != nil {
				return nil, err
			}
			if !slices.Contains(f.States, change.State(state)) {
				continue
			}
		}
		rec, err := follow(tx, order, k)
		if err != nil {
			return nil, err
		}
		if len(f.States) == 0 || slices.Contains(f.States, rec.Request.State) {
			out = append(out, rec.Request)
		}
	}
	return out, nil
}
