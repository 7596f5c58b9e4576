package store_test

import (
	"encoding/binary"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"vpnbot/change/trail"
	"vpnbot/store"
)

// BenchmarkBareBbolt appends one event's bytes per transaction to one bucket:
// what the disk and bbolt give, with nothing of ours around it.
func BenchmarkBareBbolt(b *testing.B) {
	put := bare(b)
	for i := 0; b.Loop(); i++ {
		put(uint64(i))
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
}

// BenchmarkCommit appends one event per Commit, one after the other.
func BenchmarkCommit(b *testing.B) {
	s := benched(b)
	for b.Loop() {
		if _, err := s.Commit(b.Context(), events(1)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
}

// BenchmarkCommitParallel appends one event per Commit from 32 goroutines per
// processor, as a busy workspace does.
func BenchmarkCommitParallel(b *testing.B) {
	s := benched(b)
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Commit(b.Context(), events(1)); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
}

// BenchmarkCommitRatio measures both in turn, so that a busy disk disturbs both
// alike, and reports how many appends of ours fit where bare bbolt has one.
func BenchmarkCommitRatio(b *testing.B) {
	put := bare(b)
	s := benched(b)
	var ours, theirs float64
	for i := 0; b.Loop(); i++ {
		from := b.Elapsed()
		put(uint64(i))
		between := b.Elapsed()
		if _, err := s.Commit(b.Context(), events(1)); err != nil {
			b.Fatal(err)
		}
		theirs += (between - from).Seconds()
		ours += (b.Elapsed() - between).Seconds()
	}
	b.ReportMetric(theirs/ours, "of-bare")
	b.ReportMetric(float64(b.N)/ours, "appends/s")
	b.ReportMetric(float64(b.N)/theirs, "bare-appends/s")
}

// BenchmarkVerify walks a trail of 10,000 events.
func BenchmarkVerify(b *testing.B) {
	s := benched(b)
	for range 10 {
		if _, err := s.Commit(b.Context(), events(1000)); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if _, err := s.Verify(b.Context(), store.Proof{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(10_000*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// benched is a ledger that writes to the disk as a real one does.
func benched(b *testing.B) *store.Store {
	b.Helper()
	s, err := store.Open(filepath.Join(b.TempDir(), "ledger.db"), store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

// bare is a bbolt file with one bucket, and an append to it.
func bare(b *testing.B) func(uint64) {
	b.Helper()
	db, err := bbolt.Open(filepath.Join(b.TempDir(), "bare.db"), 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	name := []byte("events")
	if err := db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket(name); return err }); err != nil {
		b.Fatal(err)
	}
	body, err := trail.Encode(events(1).Events[0])
	if err != nil {
		b.Fatal(err)
	}
	return func(i uint64) {
		key := binary.BigEndian.AppendUint64(nil, i)
		if err := db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(name).Put(key, body) }); err != nil {
			b.Fatal(err)
		}
	}
}
