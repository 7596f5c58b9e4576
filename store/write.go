package store

import (
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"vpnbot/change"
	"vpnbot/change/trail"
)

// full is how far pages are filled whose keys only grow.
const full = 0.95

// requestRecord is a request as stored. Order counts requests as they were made.
type requestRecord struct {
	Order   uint64         `json:"order"`
	Request change.Request `json:"request"`
}

// write brings the checked move into the transaction.
func (w *writer) write() error {
	for _, write := range []func() error{
		w.writeRequest, w.writeReveal, w.writeEvents, w.writeJournal, w.writeNotices, w.writeDeliveries,
		w.writeSealed, w.writeInbox, w.writeDone, w.writeRecords,
	} {
		if err := write(); err != nil {
			return err
		}
	}
	return nil
}

// writeRequest gives the request its version and, when it first becomes pending or approved,
// its number, and fills the number into the events.
func (w *writer) writeRequest() error {
	if w.move.Request == nil {
		return nil
	}
	b, err := bucket(w.tx, bucketRequests)
	if err != nil {
		return err
	}
	rec := requestRecord{Order: w.old.Order, Request: *w.move.Request}
	r := &rec.Request
	r.Version = w.move.Version + 1
	if rec.Order == 0 {
		if rec.Order, err = next(w.tx, bucketRequests); err != nil {
			return err
		}
	}
	if r.Number == 0 && (r.State == change.Pending || r.State == change.Approved) {
		if err := w.giveNumber(r); err != nil {
			return err
		}
	}
	if err := put(b, []byte(r.ID), rec); err != nil {
		return err
	}
	w.receipt.Request = r
	return w.index(rec)
}

func (w *writer) giveNumber(r *change.Request) error {
	n, err := next(w.tx, bucketNumbers)
	if err != nil {
		return err
	}
	r.Number = int64(n)
	events := make([]change.Event, len(w.move.Events))
	for i, e := range w.move.Events {
		if e.Request == 0 && e.Draft == r.ID {
			e.Request = r.Number
		}
		events[i] = e
	}
	w.move.Events = events
	return nil
}

func (w *writer) writeReveal() error {
	b, err := bucket(w.tx, bucketReveals)
	if err != nil {
		return err
	}
	for _, v := range reveals(w.move) {
		v.Version++
		if w.move.Reveal != nil && v.ID == w.move.Reveal.ID {
			w.receipt.Reveal = &v
		}
		if err := put(b, []byte(v.ID), v); err != nil {
			return err
		}
	}
	return nil
}

// reveals are all those of a move.
func reveals(m change.Move) []change.Reveal {
	if m.Reveal == nil {
		return m.Grants
	}
	return append(slices.Clone(m.Grants), *m.Reveal)
}

func (w *writer) writeEvents() error {
	b, err := bucket(w.tx, bucketEvents)
	if err != nil {
		return err
	}
	b.FillPercent = full
	head, err := headOf(b)
	if err != nil {
		return err
	}
	for _, e := range w.move.Events {
		body, err := trail.Encode(e)
		if err != nil {
			return err
		}
		var stored []byte
		head, stored = head.Next(body)
		if err := putBytes(b, number(head.Size), stored); err != nil {
			return err
		}
	}
	w.receipt.Size = head.Size
	return nil
}

func (w *writer) writeJournal() error {
	b, err := bucket(w.tx, bucketJournal)
	if err != nil {
		return err
	}
	for _, e := range w.move.Journal {
		n, err := next(w.tx, bucketJournal)
		if err != nil {
			return err
		}
		if err := put(b, append(joined(e.Request, ""), number(n)...), e); err != nil {
			return err
		}
	}
	return nil
}

// writeNotices puts notices into the outbox. One that waits already keeps its
// place and the time since when it waits, and gets a new generation.
func (w *writer) writeNotices() error {
	if len(w.move.Notices) == 0 {
		return nil
	}
	box, err := bucket(w.tx, bucketOutbox)
	if err != nil {
		return err
	}
	keys, err := bucket(w.tx, bucketOutboxKeys)
	if err != nil {
		return err
	}
	for _, n := range w.move.Notices {
		generation, err := next(w.tx, bucketOutbox)
		if err != nil {
			return err
		}
		place, err := getNumber(keys, []byte(n.Key))
		if err != nil {
			return err
		}
		waiting := change.Waiting{At: w.now.UTC()}
		if place == 0 {
			place = generation
			err = putBytes(keys, []byte(n.Key), number(place))
		} else {
			_, err = get(box, number(place), &waiting)
		}
		if err != nil {
			return err
		}
		waiting.Notice, waiting.Generation = n, generation
		if err := put(box, number(place), waiting); err != nil {
			return err
		}
	}
	return nil
}

// writeDeliveries takes delivered notices out, except those that were renewed
// meanwhile, and remembers where their messages stand.
func (w *writer) writeDeliveries() error {
	if len(w.move.Deliveries) == 0 {
		return nil
	}
	messages, err := bucket(w.tx, bucketMessages)
	if err != nil {
		return err
	}
	for _, d := range w.move.Deliveries {
		if err := w.takeOut(d); err != nil {
			return err
		}
		if d.Message == (change.MessageRef{}) {
			continue
		}
		if err := put(messages, []byte(d.Key), d.Message); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) takeOut(d change.Delivery) error {
	box, err := bucket(w.tx, bucketOutbox)
	if err != nil {
		return err
	}
	keys, err := bucket(w.tx, bucketOutboxKeys)
	if err != nil {
		return err
	}
	place, err := getNumber(keys, []byte(d.Key))
	if err != nil || place == 0 {
		return err
	}
	var waiting change.Waiting
	if _, err := get(box, number(place), &waiting); err != nil || waiting.Generation != d.Generation {
		return err
	}
	if err := remove(box, number(place)); err != nil {
		return err
	}
	return remove(keys, []byte(d.Key))
}

func (w *writer) writeSealed() error {
	sealed, err := bucket(w.tx, bucketSealed)
	if err != nil {
		return err
	}
	destroyed, err := bucket(w.tx, bucketDestroyed)
	if err != nil {
		return err
	}
	for _, s := range w.move.Seal {
		if err := put(sealed, []byte(s.Ref), s); err != nil {
			return err
		}
	}
	for _, ref := range w.move.Destroy {
		key := []byte(ref)
		if sealed.Get(key) == nil {
			continue
		}
		if err := remove(sealed, key); err != nil {
			return err
		}
		if err := put(destroyed, key, w.now.UTC()); err != nil {
			return err
		}
	}
	return nil
}

// writeRecords writes what is simply kept under its name.
func (w *writer) writeRecords() error {
	m := w.move
	for _, a := range m.Accounts {
		a.Version++
		if err := w.keep(bucketAccounts, joined(a.Site, a.Name), a); err != nil {
			return err
		}
	}
	for _, d := range m.Definitions {
		if err := w.keep(bucketDefinitions, definitionKey(d.DefinitionRef), d); err != nil {
			return err
		}
	}
	for _, p := range m.Preferences {
		if err := w.keep(bucketPreferences, []byte(p.Person), p); err != nil {
			return err
		}
	}
	for _, f := range m.Facts {
		if err := w.keep(bucketFacts, []byte(f.Name), f); err != nil {
			return err
		}
	}
	if m.Checkpoint != nil {
		return w.keep(bucketCheckpoints, number(m.Checkpoint.Size), m.Checkpoint)
	}
	return nil
}

func (w *writer) keep(name string, key []byte, v any) error {
	b, err := bucket(w.tx, name)
	if err != nil {
		return err
	}
	return put(b, key, v)
}

func remove(b *bbolt.Bucket, key []byte) error {
	if err := b.Delete(key); err != nil {
		return fmt.Errorf("deleting record %q: %w", key, foreign(err))
	}
	return nil
}
