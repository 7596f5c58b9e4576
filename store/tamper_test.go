package store_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.etcd.io/bbolt"

	"vpnbot/change"
	"vpnbot/change/trail"
	"vpnbot/store"
	"vpnbot/store/storetest"
)

// The attacker of these tests can write the ledger file and knows its layout,
// checksums included. He does not have the signing seed. What is proven: every
// edit of the trail is found by somebody who holds a later checkpoint; an edit
// that leaves the chain broken is found by everybody.

// sealed wraps content as the ledger does.
func sealed(key, content []byte) []byte {
	table := crc32.MakeTable(crc32.Castagnoli)
	sum := crc32.Update(crc32.Checksum(key, table), table, content)
	return append(binary.BigEndian.AppendUint32(nil, sum), content...)
}

// attack edits a copy of the ledger behind the store's back.
func attack(t *testing.T, path string, edit func(tx *bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(edit), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// long writes a ledger with n events, checkpoints among them, and returns its
// file and its last checkpoint, which stands outside.
func long(t *testing.T, n int) (string, change.Checkpoint) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.db")
	s := storetest.OpenAt(t, path)
	commit(t, s, events(n/2), nil)
	checkpoint(t, s)
	commit(t, s, events(n/2-2), nil)
	last := checkpoint(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path, last
}

func copied(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(to, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}

// verify opens the ledger at path for reading and verifies it.
func verify(t *testing.T, path string, p store.Proof) (store.Verified, error) {
	t.Helper()
	s, err := store.OpenReadOnly(path, store.Options{})
	if err != nil {
		return store.Verified{}, err
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	return s.Verify(t.Context(), p)
}

// Ensure a change of any byte of any event is found: 1,000 samples, and fifty of
// them in the file itself.
func TestVerify_Sampled(t *testing.T) {
	t.Parallel()
	path, _ := long(t, 1000)
	s, err := store.OpenReadOnly(path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var whole []trail.Stored
	for r, err := range s.Trail(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		whole = append(whole, r)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for sample, at := range rng.Perm(len(whole)) {
		forged := whole[at]
		pos := rng.IntN(8 + len(forged.Data))
		flip := byte(1 + rng.IntN(255))
		if pos < 8 {
			key := binary.BigEndian.AppendUint64(nil, forged.Seq)
			key[pos] ^= flip
			forged.Seq = binary.BigEndian.Uint64(key)
		} else {
			forged.Data = bytes.Clone(forged.Data)
			forged.Data[pos-8] ^= flip
		}
		if _, err := trail.Verify(with(whole, at, forged), nil); !errors.Is(err, trail.ErrBroken) {
			t.Fatalf("event %d byte %d: got %v, want ErrBroken", at+1, pos, err)
		}
		if sample >= 50 {
			continue
		}
		victim := copied(t, path)
		attack(t, victim, func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte("events"))
			key := binary.BigEndian.AppendUint64(nil, whole[at].Seq)
			if err := b.Delete(key); err != nil {
				return err
			}
			key = binary.BigEndian.AppendUint64(nil, forged.Seq)
			return b.Put(key, sealed(key, forged.Data))
		})
		if _, err := verify(t, victim, store.Proof{}); !errors.Is(err, trail.ErrBroken) {
			t.Fatalf("event %d byte %d in the file: got %v, want ErrBroken", at+1, pos, err)
		}
	}
}

// with yields whole with the record at i replaced, sorted as a ledger would.
func with(whole []trail.Stored, i int, forged trail.Stored) iter.Seq2[trail.Stored, error] {
	return func(yield func(trail.Stored, error) bool) {
		out := slices.Clone(whole)
		out[i] = forged
		slices.SortStableFunc(out, func(a, b trail.Stored) int {
			switch {
			case a.Seq < b.Seq:
				return -1
			case a.Seq > b.Seq:
				return 1
			}
			return 0
		})
		for _, s := range out {
			if !yield(s, nil) {
				return
			}
		}
	}
}

// recompute rewrites event seq and the chain behind it.
func recompute(seq uint64) func(tx *bbolt.Tx) error {
	return func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte("events"))
		var h trail.Head
		for n := uint64(1); ; n++ {
			key := binary.BigEndian.AppendUint64(nil, n)
			v := b.Get(key)
			if v == nil {
				return nil
			}
			_, body, err := trail.Split(bytes.Clone(v[4:]))
			if err == nil && n == seq {
				body, err = rewritten(body)
			}
			if err != nil {
				return err
			}
			var data []byte
			h, data = h.Next(body)
			if err := b.Put(key, sealed(key, data)); err != nil {
				return err
			}
		}
	}
}

// rewritten is the event with another actor.
func rewritten(body []byte) ([]byte, error) {
	e, err := trail.Decode(body)
	if err != nil {
		return nil, err
	}
	e.Actor = "somebody else"
	return trail.Encode(e)
}

// forget empties the ledger's own checkpoints.
func forget(tx *bbolt.Tx) error {
	if err := tx.DeleteBucket([]byte("checkpoints")); err != nil {
		return err
	}
	_, err := tx.CreateBucket([]byte("checkpoints"))
	return err
}

// Ensure a trail that was recomputed is found by whoever holds a checkpoint that
// is later than the edit, in the ledger or outside, and by nobody else.
func TestVerify_Recomputed(t *testing.T) {
	path, last := long(t, 100)
	key := storetest.Signer(t).VerifierKey()
	full := store.Proof{VerifierKey: key, External: last.Note}
	if v, err := verify(t, path, full); err != nil || v.Attested != last.Size || v.Checkpoints != 2 || !v.Signed {
		t.Fatalf("untouched: got %+v, %v", v, err)
	}
	for name, c := range map[string]struct {
		edits []func(tx *bbolt.Tx) error
		proof store.Proof
		want  error
	}{
		"early edit, checkpoints left":          {[]func(*bbolt.Tx) error{recompute(10)}, store.Proof{}, trail.ErrBroken},
		"early edit, external":                  {[]func(*bbolt.Tx) error{recompute(10), forget}, full, trail.ErrBroken},
		"early edit, external, unsigned":        {[]func(*bbolt.Tx) error{recompute(10), forget}, store.Proof{External: last.Note}, trail.ErrBroken},
		"early edit, nothing held":              {[]func(*bbolt.Tx) error{recompute(10), forget}, store.Proof{VerifierKey: key}, nil},
		"edit behind the checkpoint":            {[]func(*bbolt.Tx) error{recompute(last.Size + 1)}, full, nil},
		"cut behind the checkpoint":             {[]func(*bbolt.Tx) error{cut(last.Size)}, full, nil},
		"cut before the checkpoint":             {[]func(*bbolt.Tx) error{cut(last.Size - 1), forget}, full, trail.ErrBroken},
		"emptied":                               {[]func(*bbolt.Tx) error{cut(0), forget}, full, trail.ErrBroken},
		"forged checkpoint, key known":          {[]func(*bbolt.Tx) error{resign(t)}, store.Proof{VerifierKey: key}, trail.ErrSignature},
		"forged checkpoint, key unknown":        {[]func(*bbolt.Tx) error{resign(t)}, store.Proof{}, nil},
		"recomputed and resigned, external":     {[]func(*bbolt.Tx) error{recompute(10), resign(t)}, store.Proof{External: last.Note}, trail.ErrBroken},
		"external checkpoint is no checkpoint":  {nil, store.Proof{VerifierKey: key, External: []byte("hello")}, trail.ErrSignature},
		"external checkpoint, nothing to check": {nil, store.Proof{External: []byte("hello")}, trail.ErrCheckpoint},
	} {
		victim := copied(t, path)
		for _, edit := range c.edits {
			attack(t, victim, edit)
		}
		if _, err := verify(t, victim, c.proof); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// cut deletes every event behind size.
func cut(size uint64) func(tx *bbolt.Tx) error {
	return func(tx *bbolt.Tx) error {
		// A cursor does not survive what is done to the bucket under it.
		b := tx.Bucket([]byte("events"))
		var behind [][]byte
		c := b.Cursor()
		for k, _ := c.Seek(binary.BigEndian.AppendUint64(nil, size+1)); k != nil; k, _ = c.Next() {
			behind = append(behind, bytes.Clone(k))
		}
		for _, k := range behind {
			if err := b.Delete(k); err != nil {
				return err
			}
		}
		return nil
	}
}

// resign puts one checkpoint in the place of all, signed with another seed.
func resign(t *testing.T) func(tx *bbolt.Tx) error {
	other, err := trail.NewSigner("vpnbot.test", bytes.Repeat([]byte{9}, trail.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	return func(tx *bbolt.Tx) error {
		if err := forget(tx); err != nil {
			return err
		}
		k, v := tx.Bucket([]byte("events")).Cursor().Last()
		hash, _, err := trail.Split(v[4:])
		if err != nil {
			return err
		}
		c, err := other.Sign(start, trail.Head{Size: binary.BigEndian.Uint64(k), Hash: hash})
		if err != nil {
			return err
		}
		doc := jsonOf(t, c)
		key := bytes.Clone(k)
		return tx.Bucket([]byte("checkpoints")).Put(key, sealed(key, doc))
	}
}

// Ensure a request that was edited behind the trail's back is found.
func TestVerify_Requests(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	s := storetest.OpenAt(t, path)
	applied(t, s, "a")
	commit(t, s, draft(t, "d"), nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	type record struct {
		Order   uint64         `json:"order"`
		Request change.Request `json:"request"`
	}
	edit := func(id string, f func(*change.Request)) func(tx *bbolt.Tx) error {
		return func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte("requests"))
			var rec record
			if err := json.Unmarshal(b.Get([]byte(id))[4:], &rec); err != nil {
				return err
			}
			f(&rec.Request)
			return b.Put([]byte(id), sealed([]byte(id), jsonOf(t, rec)))
		}
	}
	for name, attacked := range map[string]struct {
		edit func(tx *bbolt.Tx) error
		want error
	}{
		"nothing":    {edit("a", func(*change.Request) {}), nil},
		"state":      {edit("a", func(r *change.Request) { r.State = change.Proven }), trail.ErrBroken},
		"draft":      {edit("d", func(r *change.Request) { r.State = change.Discarded }), trail.ErrBroken},
		"plan":       {edit("a", func(r *change.Request) { r.Plan.Steps[0].After["profile"] = "other" }), trail.ErrBroken},
		"digest":     {edit("a", func(r *change.Request) { r.Digest = "00" }), trail.ErrBroken},
		"number":     {edit("a", func(r *change.Request) { r.Number = 9 }), trail.ErrBroken},
		"whole plan": {edit("a", replan), trail.ErrBroken},
		"unaccounted": {func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("requests")).Put([]byte("x"), sealed([]byte("x"), jsonOf(t, record{Request: change.Request{ID: "x"}})))
		}, trail.ErrBroken},
	} {
		victim := copied(t, path)
		attack(t, victim, attacked.edit)
		if _, err := verify(t, victim, store.Proof{}); !errors.Is(err, attacked.want) || (err == nil) != (attacked.want == nil) {
			t.Errorf("%s: got %v, want %v", name, err, attacked.want)
		}
	}
}

// replan puts another plan with its right digest in the place of the approved.
func replan(r *change.Request) {
	r.Plan.Steps[0].After["profile"] = "other"
	r.Digest, _ = r.Plan.Digest()
}
