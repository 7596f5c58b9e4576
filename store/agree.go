package store

import (
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"vpnbot/change"
	"vpnbot/change/trail"
)

// ending is what the trail says about one request last.
type ending struct {
	state  change.State
	digest string
}

// story is the trail's account of all requests, by ID.
type story map[string]ending

// standing is how the requests stood when the trail had that size.
type standing struct {
	size uint64
	byID story
	bad  error
}

// hear takes in one event. A request is named by its ID while it is a draft and
// in the event that gives it its number; later events are heard under "#n".
func (s story) hear(e change.Event) {
	if e.To == "" {
		return
	}
	end := ending{e.To, e.Digest}
	if e.Draft != "" {
		s[e.Draft] = end
	}
	if e.Request != 0 {
		s[numbered(e.Request)] = end
	}
}

func numbered(n int64) string { return fmt.Sprintf("#%d", n) }

// standing reads all requests and the trail's size in one transaction.
func (s *Store) standing(ctx context.Context) (standing, error) {
	st := standing{byID: make(story)}
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		events, err := bucket(tx, bucketEvents)
		if err != nil {
			return err
		}
		head, err := headOf(events)
		if err != nil {
			return err
		}
		st.size = head.Size
		requests, err := bucket(tx, bucketRequests)
		if err != nil {
			return err
		}
		return each(requests, nil, func(_ []byte, rec requestRecord) (bool, error) {
			return true, st.note(rec.Request)
		})
	})
	if err != nil {
		return standing{}, fmt.Errorf("reading requests: %w", err)
	}
	return st, nil
}

// note keeps how a request stands, and that its plan is the one it names.
func (s *standing) note(r change.Request) error {
	name := r.ID
	if r.Number != 0 {
		name = numbered(r.Number)
	}
	s.byID[name] = ending{r.State, r.Digest}
	digest, err := r.Plan.Digest()
	if err == nil && digest != r.Digest && s.bad == nil {
		s.bad = fmt.Errorf("%w: the plan of request %s is not the one that its digest names", trail.ErrBroken, name)
	}
	return err
}

// agree compares the requests with what the trail told.
func (s *standing) agree(told story) error {
	if s.bad != nil {
		return s.bad
	}
	for name, have := range s.byID {
		switch want, ok := told[name]; {
		case !ok:
			return fmt.Errorf("%w: request %s stands in no event", trail.ErrBroken, name)
		case want.state != have.state:
			return fmt.Errorf("%w: request %s is %s, its last event says %s", trail.ErrBroken, name, have.state, want.state)
		case want.digest != have.digest:
			return fmt.Errorf("%w: request %s has another digest than its last event", trail.ErrBroken, name)
		}
	}
	return nil
}
