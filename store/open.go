package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"vpnbot/change/trail"
)

// format is the version of the ledger's layout that this program writes.
const format = 1

var (
	formatKey = []byte("format")
	namesKey  = []byte("buckets")
)

// Options of a Store. The zero Options are usable.
type Options struct {
	Log *slog.Logger
	// Timeout bounds the wait for another process to let go of the file. Zero:
	// two seconds.
	Timeout time.Duration
	// Signer signs checkpoints; without one Sign returns ErrNoSigner.
	Signer *trail.Signer
	// Answered is how long the keys of answered deliveries are remembered, so
	// that none counts twice; Slack delivers again for an hour at most. Zero: 30
	// days.
	Answered time.Duration
	// NoSync leaves the writing to the system's leisure. For tests only: a crash
	// of the machine loses what was committed.
	NoSync bool
	// Around is called by the writer right before (written false) and right after
	// (written true) each transaction reaches the file, the moves' callers still
	// waiting. It may call Copy. An error before keeps the transaction from the file
	// as one of the disk does. For tests that look at a ledger at these points.
	Around func(written bool) error
}

// Store is an open ledger. Its methods may be called from several goroutines.
type Store struct {
	db   *bbolt.DB
	o    Options
	jobs chan *job

	quit   chan struct{} // closed by the first Close
	ended  chan struct{} // closed when the writer has ended
	closed chan struct{} // closed when the file is
	shut   atomic.Bool
	shutBy error // written before closed is closed

	mu       sync.Mutex // held for the map only
	watchers map[chan struct{}]struct{}

	stats counters
}

// Open opens the ledger at path and makes it when there is no such file. It
// returns ErrLocked, ErrNewer or ErrDamaged, wrapped, and leaves the file as it
// is then.
func Open(path string, o Options) (*Store, error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		if err := create(path); err != nil {
			return nil, fmt.Errorf("making ledger %s: %w", path, foreign(err))
		}
	}
	s, err := open(path, o, false)
	if err != nil {
		return nil, err
	}
	// Preparing is a transaction, after which both head pages leave alone what
	// was deleted before.
	if err = s.prepare(); err == nil {
		err = wipe(path)
	}
	if err != nil {
		_ = s.db.Close()
		return nil, fmt.Errorf("preparing ledger %s: %w", path, foreign(err))
	}
	go s.write()
	return s, nil
}

// OpenReadOnly opens an existing ledger without ever writing to the file: for
// looking at a copy. Commit returns ErrReadOnly.
func OpenReadOnly(path string, o Options) (*Store, error) {
	s, err := open(path, o, true)
	if err != nil {
		return nil, err
	}
	close(s.ended)
	return s, nil
}

func open(path string, o Options, readOnly bool) (*Store, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Timeout == 0 {
		o.Timeout = 2 * time.Second
	}
	s := &Store{
		o: o, jobs: make(chan *job), watchers: make(map[chan struct{}]struct{}),
		quit: make(chan struct{}), ended: make(chan struct{}), closed: make(chan struct{}),
	}
	err := guard(func() (err error) {
		s.db, err = bbolt.Open(path, 0o600, &bbolt.Options{
			ReadOnly: readOnly, Timeout: o.Timeout, NoSync: o.NoSync, FreelistType: bbolt.FreelistMapType,
			OpenFile: func(name string, _ int, _ os.FileMode) (*os.File, error) { return o.openFile(name, readOnly) },
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("opening ledger %s: %w", path, foreign(err))
	}
	return s, nil
}

// openFile opens, locks and checks the file before bbolt maps it.
func (o Options) openFile(name string, readOnly bool) (*os.File, error) {
	flag := os.O_RDWR
	if readOnly {
		flag = os.O_RDONLY
	}
	f, err := os.OpenFile(name, flag, 0)
	if err != nil {
		return nil, err
	}
	err = o.lock(f, !readOnly)
	if err == nil {
		err = checkFile(f)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func (o Options) lock(f *os.File, exclusive bool) error {
	const pause = 20 * time.Millisecond
	for deadline := time.Now().Add(o.Timeout); ; time.Sleep(pause) {
		free, err := tryLock(f, exclusive)
		if err != nil {
			return fmt.Errorf("locking: %w", err)
		}
		if free {
			return nil
		}
		if !time.Now().Before(deadline) {
			return ErrLocked
		}
	}
}

// create makes an empty ledger under another name first, so that a file at path
// is always a whole ledger and an empty or cut one is always a damaged one.
func create(path string) (err error) {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, filepath.Base(path)+".new-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	if err := tmp.Close(); err != nil {
		return err
	}
	db, err := bbolt.Open(tmp.Name(), 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket([]byte(bucketLedger))
		if err != nil {
			return err
		}
		return errors.Join(put(b, formatKey, format), put(b, namesKey, []string{bucketLedger}))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	// A link never replaces a file that somebody else made meanwhile.
	if err := os.Link(tmp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// prepare makes missing buckets, notes which there are, and builds missing
// indexes.
func (s *Store) prepare() error {
	return guard(func() error { return s.db.Update(prepare) })
}

func prepare(tx *bbolt.Tx) error {
	unindexed := false
	for _, name := range buckets {
		unindexed = unindexed || (derived(name) && tx.Bucket([]byte(name)) == nil)
		if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
			return fmt.Errorf("making bucket %q: %w", name, foreign(err))
		}
	}
	var names []string
	err := tx.ForEach(func(name []byte, _ *bbolt.Bucket) error {
		names = append(names, string(name))
		return nil
	})
	if err != nil {
		return fmt.Errorf("listing buckets: %w", foreign(err))
	}
	b, err := bucket(tx, bucketLedger)
	if err != nil {
		return err
	}
	if err := put(b, namesKey, names); err != nil || !unindexed {
		return err
	}
	return reindex(tx)
}

// Close waits for the moves under way and lets go of the file. A second Close
// waits for the first.
func (s *Store) Close() error {
	if s.shut.Swap(true) {
		<-s.closed
		return s.shutBy
	}
	close(s.quit)
	<-s.ended
	if err := s.db.Close(); err != nil {
		s.shutBy = fmt.Errorf("closing ledger: %w", err)
	}
	close(s.closed)
	return s.shutBy
}

// view runs one read transaction.
func (s *Store) view(ctx context.Context, read func(tx *bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("reading ledger: %w", err)
	}
	return foreign(guard(func() error { return s.db.View(read) }))
}
