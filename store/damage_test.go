package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"vpnbot/change"
	"vpnbot/change/trail"
	"vpnbot/store"
	"vpnbot/store/storetest"
)

// filled returns the bytes of a ledger with a bit of everything, branch pages
// and free pages included.
func filled(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.db")
	s := storetest.OpenAt(t, path)
	for i := range 12 {
		applied(t, s, fmt.Sprint("r", i))
		pending(t, s, fmt.Sprint("p", i))
		commit(t, s, change.Move{Inbox: []change.Inbound{{Key: fmt.Sprint("k", i), Kind: "click", Body: []byte("{}")}}}, nil)
	}
	commit(t, s, events(200), nil)
	checkpoint(t, s)
	commit(t, s, events(1), nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// checkpoint signs the trail and stores the checkpoint.
func checkpoint(t testing.TB, s *store.Store) change.Checkpoint {
	t.Helper()
	c, err := s.Sign(t.Context(), start)
	if err != nil {
		t.Fatal(err)
	}
	m := events(1)
	m.Checkpoint = &c
	commit(t, s, m, nil)
	return c
}

// picture is everything that readers say, as text.
func picture(ctx context.Context, s *store.Store) (string, error) {
	var b strings.Builder
	var errs []error
	note := func(v any, err error) {
		fmt.Fprintf(&b, "%+v\n", v)
		errs = append(errs, err)
	}
	requests, err := s.Requests(ctx, change.Filter{Newest: true})
	for _, r := range requests {
		fmt.Fprintln(&b, r.ID, r.Number, r.Version, r.State, r.Digest)
		journal, err := s.Journal(ctx, r.ID)
		note(journal, err)
		_, err = s.Sealed(ctx, r.Plan.Reveal.Password)
		note(nil, err)
	}
	note(nil, err)
	live, err := s.Requests(ctx, change.Filter{States: []change.State{change.Pending}})
	note(len(live), err)
	outbox, err := s.Outbox(ctx, 0)
	note(outbox, err)
	inbox, err := s.Inbox(ctx)
	note(inbox, err)
	accounts, err := s.Accounts(ctx, "hq")
	note(accounts, err)
	reveals, err := s.Reveals(ctx)
	note(len(reveals), err)
	verified, err := s.Verify(ctx, store.Proof{})
	note(verified, err)
	return b.String(), errors.Join(errs...)
}

// pagesInUse returns the numbers of the pages behind the head pages that hold
// something. Which these are differs from run to run: moves join transactions.
func pagesInUse(t *testing.T, path string) []int {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, PreLoadFreelist: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var used []int
	err = db.View(func(tx *bbolt.Tx) error {
		for i := 2; ; i++ {
			page, err := tx.Page(i)
			if page == nil || err != nil {
				return err
			}
			if page.Type != "free" {
				used = append(used, i)
			}
			i += page.OverflowCount
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return used
}

// Ensure a ledger with a changed byte, anywhere, is refused and left alone, or
// still says what it said: where the byte meant nothing, or, for a byte of the
// head page in force, as of the transaction before.
func TestOpen_Flipped(t *testing.T) {
	t.Parallel()
	whole := filled(t)
	path := filepath.Join(t.TempDir(), "ledger.db")
	want := opened(t, path, whole)
	refused, lost := 0, 0
	offsets := make(map[int]bool)
	for i := range 2 * 4096 { // the heads of both head pages
		if i%4096 < 96 {
			offsets[i] = true
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	used := pagesInUse(t, path)
	for range 150 { // where a page says what it is and where its items are
		offsets[used[rng.IntN(len(used))]*4096+rng.IntN(64)] = true
	}
	for len(offsets) < 400 {
		offsets[rng.IntN(len(whole))] = true
	}
	for at := range offsets {
		broken := bytes.Clone(whole)
		broken[at] ^= 1 << (at % 8)
		got, err := tryOpen(t, path, broken)
		switch {
		case errors.Is(err, store.ErrDamaged), errors.Is(err, store.ErrNewer):
			refused++
		case err != nil:
			t.Errorf("offset %d: got %v, want ErrDamaged", at, err)
		case got != want && at < 2*4096:
			lost++
		case got != want:
			t.Errorf("offset %d: the ledger opened and says something else", at)
		}
	}
	if refused < 100 || lost == 0 {
		t.Errorf("%d refused, %d fell back: the test does not reach what it is about", refused, lost)
	}
}

// Ensure a ledger that was cut at any length is refused and left alone.
func TestOpen_Cut(t *testing.T) {
	whole := filled(t)
	path := filepath.Join(t.TempDir(), "ledger.db")
	want := opened(t, path, whole)
	cuts := []int{0, 1, 15, 16, 80, 1024, 4095, 4096, 4097, 8191, 8192, 8193, 12288, len(whole) - 1}
	for n := 5000; n < len(whole); n += 7919 {
		cuts = append(cuts, n)
	}
	for _, n := range cuts {
		got, err := tryOpen(t, path, whole[:n])
		// Pages behind the last used one may go without harm.
		if err == nil && got == want {
			continue
		}
		if !errors.Is(err, store.ErrDamaged) {
			t.Errorf("cut at %d of %d: got %v, want ErrDamaged", n, len(whole), err)
		}
	}
}

// opened writes b to path and returns what a ledger of it says.
func opened(t *testing.T, path string, b []byte) string {
	t.Helper()
	got, err := tryOpen(t, path, b)
	if err != nil {
		t.Fatalf("a whole ledger is refused: %v", err)
	}
	return got
}

// tryOpen opens a ledger of these bytes, first for reading only and then for
// writing, and checks that a refusal leaves them as they are.
func tryOpen(t *testing.T, path string, b []byte) (string, error) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := look(store.OpenReadOnly, path)
	if after, readErr := os.ReadFile(path); readErr != nil || !bytes.Equal(after, b) {
		t.Errorf("looking at the ledger changed it (%v)", readErr)
	}
	again, err2 := look(store.Open, path)
	if (err == nil) != (err2 == nil) || got != again {
		t.Errorf("reading says %v, writing says %v", err, err2)
	}
	if err2 != nil {
		if after, readErr := os.ReadFile(path); readErr != nil || !bytes.Equal(after, b) {
			t.Errorf("a refused ledger was written (%v): %v", readErr, err2)
		}
	}
	return got, err
}

func look(open func(string, store.Options) (*store.Store, error), path string) (string, error) {
	s, err := open(path, store.Options{NoSync: true})
	if err != nil {
		return "", err
	}
	got, err := picture(context.Background(), s)
	return got, errors.Join(err, s.Close())
}

// Ensure a file that is no ledger is refused and left alone.
func TestOpen_Foreign(t *testing.T) {
	dir := t.TempDir()
	foreign := filepath.Join(dir, "bolt.db")
	db, err := bbolt.Open(foreign, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, bytes.Repeat([]byte("not a ledger\n"), 9000), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{foreign, text, empty} {
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Open(path, store.Options{}); !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%s: got %v, want ErrDamaged", path, err)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
			t.Errorf("%s was changed (%v)", path, err)
		}
	}
	if _, err := store.Open(dir, store.Options{}); err == nil {
		t.Error("a directory was opened")
	}
	if _, err := store.OpenReadOnly(filepath.Join(dir, "none"), store.Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want ErrNotExist", err)
	}
}

// Ensure a ledger of a newer format is refused as such and left alone, whatever
// else that format changed.
func TestOpen_Newer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	if err := os.WriteFile(path, filled(t), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		if err := tx.Bucket([]byte("facts")).Put([]byte("a"), []byte("without checksum")); err != nil {
			return err
		}
		return tx.Bucket([]byte("ledger")).Put([]byte("format"), []byte("????2"))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(path, store.Options{}); !errors.Is(err, store.ErrNewer) {
		t.Errorf("got %v, want ErrNewer", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the newer ledger was changed (%v)", err)
	}
}

// Ensure a ledger that is open cannot be opened again, and that waiting for it
// ends.
func TestOpen_Locked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	s := storetest.OpenAt(t, path)
	for _, open := range []func(string, store.Options) (*store.Store, error){store.Open, store.OpenReadOnly} {
		if _, err := open(path, store.Options{Timeout: 50 * time.Millisecond}); !errors.Is(err, store.ErrLocked) {
			t.Errorf("got %v, want ErrLocked", err)
		}
	}
	commit(t, s, events(1), nil)
}

// Ensure a new ledger is private and made without leftovers.
func TestOpen_New(t *testing.T) {
	dir := t.TempDir()
	storetest.OpenAt(t, filepath.Join(dir, "ledger.db"))
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("got %v, %v, want the ledger alone", entries, err)
	}
	info, err := entries[0].Info()
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v, %v, want 0600", info.Mode(), err)
	}
}

// Ensure a ledger opened for reading refuses moves.
func TestOpenReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	if err := os.WriteFile(path, filled(t), 0o400); err != nil {
		t.Fatal(err)
	}
	s, err := store.OpenReadOnly(path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(t.Context(), events(1)); !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("got %v, want ErrReadOnly", err)
	}
	v, err := s.Verify(t.Context(), store.Proof{VerifierKey: storetest.Signer(t).VerifierKey()})
	if err != nil || v.Checkpoints != 1 || !v.Signed || v.Head == (trail.Head{}) {
		t.Errorf("got %+v, %v", v, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// Ensure indexes that are missing are built again from the records.
func TestOpen_Reindex(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	want := opened(t, path, filled(t))
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("live")) })
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	got, err := look(store.Open, path)
	if err != nil || got != want {
		t.Errorf("after building the indexes again (%v) got\n%s\nwant\n%s", err, got, want)
	}
	s := storetest.OpenAt(t, path)
	if r := pending(t, s, "next"); r.Number != 25 {
		t.Errorf("got #%d, want #25", r.Number)
	}
}

// Ensure a copy of a ledger in use is a whole ledger.
func TestCopy(t *testing.T) {
	s := storetest.Open(t)
	applied(t, s, "a")
	path := filepath.Join(t.TempDir(), "copy.db")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Copy(t.Context(), f), f.Close()); err != nil {
		t.Fatal(err)
	}
	want, err := picture(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, events(5), nil)
	if got, err := look(store.Open, path); err != nil || got != want {
		t.Errorf("the copy (%v) says\n%s\nwant\n%s", err, got, want)
	}
}
